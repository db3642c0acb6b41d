"""Ports on which nobody listens, or a server that may be down for a while."""

from __future__ import annotations

import socket
import sys

__all__ = ["ReservedPort"]


class ReservedPort:
    """A port of this machine on which nobody listens, and that nobody else is given until it is closed: no
    server of another test, nor while one of ours is down.

    Attributes:
        number: the port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = int(self._socket.getsockname()[1])

    def let_listen(self) -> None:
        """Before a server listens there. Linux allows it beside a socket that does not; elsewhere the port is
        free for all from now on."""
        if sys.platform != "linux":
            self.close()

    def close(self) -> None:
        self._socket.close()
