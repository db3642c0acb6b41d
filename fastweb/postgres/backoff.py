"""How long to wait before the next attempt: longer after each failure, never the same for two processes."""

from __future__ import annotations

import random

__all__ = ["Backoff"]


class Backoff:
    """Delays that double, each between half of it and the whole: workers that lose their server together do
    not come back together.

    Arguments:
        first: seconds after the first failure, at most.
        most: seconds, at most.
    """

    __slots__ = ("failures", "first", "most")

    def __init__(self, first: float = 0.05, most: float = 5.0) -> None:
        self.first = first
        self.most = most
        #: In a row.
        self.failures = 0

    def next(self) -> float:
        """Count a failure; the seconds to wait."""
        delay = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return delay * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        self.failures = 0
