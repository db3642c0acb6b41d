"""What nobody has closed, and nobody has any more: one ResourceWarning that says where it was made, and an
end to its sockets.

asyncio would warn as well, of each transport and of each socket, and say of neither whose it was. A loop that
is closed calls nothing any more, so a transport of its own cannot be closed in the usual way: what asyncio
would do in a callback is done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["Guard", "end_of", "place_of_caller", "warn_of"]


class Guard:
    """What a connection has that was made by `connect`, and that goes with it.

    Arguments:
        address: of the server.
        protocol: the connection's.
        place: where it was made.
    """

    __slots__ = ("_address", "_place", "_protocol")

    def __init__(self, address: object, protocol: Any, place: str) -> None:
        self._address = address
        self._protocol = protocol
        self._place = place

    def __del__(self) -> None:
        protocol = self._protocol
        if protocol.lost is None and not protocol.closing:
            what = f"a connection was never closed: <Connection to {self._address}>"
            warn_of(f"{what}: `async with await connect(…)`", self._place, self)
            end_of([protocol], lambda: not protocol.is_idle)


def place_of_caller() -> str:
    """The file and line that has called into this package."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("fastweb.postgres", "asyncio")
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def warn_of(what: str, place: str, source: object) -> None:
    """One warning.

    Arguments:
        what: that was not closed, and how it is.
        place: where it was made.
        source: the object, for tracemalloc.
    """
    warnings.warn(f"{what}; made at {place}", ResourceWarning, stacklevel=3, source=source)


def end_of(protocols: list[Any], is_used: Callable[[], bool]) -> None:
    """Close connections that nobody has any more.

    Arguments:
        protocols: of the connections, at least one; all on one loop.
        is_used: whether something was asked of them that was not answered.
    """
    loop = protocols[0].loop
    if loop.is_closed():
        for protocol in protocols:
            _close_without_loop(protocol.transport)
    elif asyncio._get_running_loop() is not loop:
        with contextlib.suppress(RuntimeError):  # It was closed meanwhile.
            loop.call_soon_threadsafe(_hang_up, protocols, is_used)
    else:
        _hang_up(protocols, is_used)


def _hang_up(protocols: list[Any], is_used: Callable[[], bool]) -> None:
    if is_used():
        protocols[0].loop.call_later(0.02, _hang_up, protocols, is_used)
        return
    for protocol in protocols:
        protocol.hang_up()


def _close_without_loop(transport: Any) -> None:
    with contextlib.suppress(RuntimeError, OSError, AttributeError):
        transport.abort()
    while transport is not None:
        sock = getattr(transport, "_sock", None)
        if sock is not None:
            transport._sock = None
            sock.close()
        # Below TLS is another.
        transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
