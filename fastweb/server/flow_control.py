"""Back-pressure: who writes waits while the transport holds more than `Limits.write_buffer`."""

from __future__ import annotations

import asyncio

__all__ = ["Writers"]


class Writers:
    """Those who wait until their connection can be written to again (`asyncio.BaseProtocol.resume_writing`).

    Arguments:
        loop: the connection's.
    """

    __slots__ = ("_loop", "_waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiters: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait for `wake`."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def wake(self) -> None:
        """There is room, or the connection is gone."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
