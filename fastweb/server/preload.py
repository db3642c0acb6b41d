"""The supervisor's side of a template (see `fastweb.server.template`): starts it, and has it fork."""

from __future__ import annotations

import socket
from typing import Any

from fastweb.server.channel import Channel
from fastweb.server.config import Config
from fastweb.server.order import Order
from fastweb.server.processes import Process, Worker, start_module

__all__ = ["Template"]


class Template:
    """A process that forks workers.

    Arguments:
        config: whose app it imports.
        life_fd, counters_fd: what every worker inherits.

    Attributes:
        ready: it has imported the app.
        pending: workers that it has not said the process of yet, by number.
    """

    def __init__(self, config: Config, life_fd: int, counters_fd: int) -> None:
        self.channel, theirs = Channel.pair()
        with theirs:
            order = Order(
                config=config.to_json(),
                channel_fd=theirs.fileno(),
                life_fd=life_fd,
                counters_fd=counters_fd,
            )
            self.process: Process = start_module("fastweb.server.template", order)
        self.ready = False
        self.pending: dict[int, Worker] = {}
        self._count = 0

    def fork(self, worker: Worker, config: Config, sockets: list[int], theirs: socket.socket) -> bool:
        """Ask for a worker's process; whether the template was there to be asked."""
        self._count += 1
        wish: dict[str, Any] = {"id": self._count, "config": config.to_json(), "row": worker.row}
        if not self.channel.send({"fork": wish}, [*sockets, theirs.fileno()]):
            return False
        self.pending[self._count] = worker
        return True

    def leave(self) -> None:
        """No more workers are wanted of it: it ends by itself. Its workers go on."""
        self.channel.close()
