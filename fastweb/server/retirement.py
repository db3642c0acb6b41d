"""When a worker has served long enough: it then asks for a successor and leaves once that is ready.

For apps that leak: a bound on the requests, the age or the memory of a worker. The first two have jitter, so
that workers which started together do not leave together.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from fastweb.server.config import Config

__all__ = ["Retirement", "memory_in_use"]


class Retirement:
    """The bounds of one worker, from now on.

    Arguments:
        config: max_requests and its jitter, max_worker_age, max_worker_memory; 0 is no bound.
    """

    def __init__(self, config: Config) -> None:
        self._requests = config.max_requests
        if self._requests:
            self._requests += random.randint(0, config.max_requests_jitter)
        # A tenth more or less.
        self._age = config.max_worker_age * random.uniform(0.9, 1.1)
        self._memory = config.max_worker_memory
        self._start = time.monotonic()

    def why(self, requests: int, memory: int) -> str | None:
        """The bound that is reached, in words; None where none is.

        Arguments:
            requests: that it has answered.
            memory: that it uses, in bytes.
        """
        if self._requests and requests >= self._requests:
            return f"it has answered {requests} requests (max_requests)"
        age = time.monotonic() - self._start
        if self._age and age >= self._age:
            return f"it is {age:.0f} seconds old (max_worker_age)"
        if self._memory and memory >= self._memory:
            return f"it uses {memory >> 20} MiB of memory (max_worker_memory)"
        return None


_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def memory_in_use() -> int:
    """Bytes of memory that this process has resident; where the system does not say, the most it has had."""
    if sys.platform == "linux":
        # /proc/self/statm: size resident shared …, in pages; proc(5).
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
