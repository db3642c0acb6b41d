"""What the supervisor tells a process that it starts: where its files are, and what it serves."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from dataclasses import dataclass, field

__all__ = ["ORDER_VARIABLE", "Order"]

#: Where the supervisor leaves an `Order` for the process it starts.
ORDER_VARIABLE = "FASTWEB_WORKER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a worker, a template or the start-up tasks are started with.

    Arguments:
        config: as JSON.
        sockets: file descriptors of the listening sockets.
        channel_fd: a `Channel` to the supervisor; -1 where there is no supervisor, so that the worker binds
            and reports for itself.
        life_fd: a pipe that nobody writes to; it ends when the supervisor stops, however it dies.
        counters_fd: a file of shared memory (see `fastweb.server.counters`); -1 for none.
        row: the worker's own row of it.
        path: `sys.path` of the supervisor.
        argv: its `sys.argv`.
    """

    config: str
    sockets: list[int] = field(default_factory=list)
    channel_fd: int = -1
    life_fd: int = -1
    counters_fd: int = -1
    row: int = -1
    path: list[str] = field(default_factory=lambda: list(sys.path))
    argv: list[str] = field(default_factory=lambda: list(sys.argv))

    def to_json(self) -> str:
        """For the environment of the process."""
        return json.dumps(dataclasses.asdict(self))

    def descriptors(self) -> list[int]:
        """The files that the process inherits."""
        return [fd for fd in (*self.sockets, self.channel_fd, self.life_fd, self.counters_fd) if fd >= 0]

    @classmethod
    def take(cls) -> Order | None:
        """The order that this process was started with, if any; the environment has it no more, and
        `sys.path` and `sys.argv` are those of the supervisor."""
        text = os.environ.pop(ORDER_VARIABLE, None)
        if text is None:
            return None
        order = cls(**json.loads(text))
        sys.path[:] = order.path
        sys.argv[:] = order.argv
        return order
