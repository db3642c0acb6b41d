"""What other sessions NOTIFY, as it comes: `async for notification in connection.notifications("orders")`.

`Connection.listen` calls a function, and says nothing when the connection has ended. This raises there: who
serves events for hours has to know that he hears no more, and listen again, and look what he has missed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fastweb.postgres.errors import InterfaceError

if TYPE_CHECKING:
    import asyncio

    from fastweb.postgres.connection import Connection

__all__ = ["Notification", "Notifications"]

#: Notifications that may wait for their reader.
MOST: Final = 10_000


class Notification(NamedTuple):
    """One NOTIFY.

    Arguments:
        channel: its name.
        payload: its text, empty where there is none; less than 8,000 bytes.
        process_id: the server's process whose session has notified.
    """

    channel: str
    payload: str
    process_id: int


class Notifications:
    """See above. Made by `Connection.notifications`; it listens from its first use, or from the beginning of
    an `async with`, to the end of that or of the connection.

    Arguments:
        connection: whose they are.
        channels: their names.
    """

    __slots__ = ("_channels", "_connection", "_listening", "_protocol", "_too_many", "_waiter", "_waiting")

    def __init__(self, connection: Connection, channels: tuple[str, ...]) -> None:
        if not channels:
            raise InterfaceError("notifications of which channels?")
        self._connection = connection
        self._protocol = connection.protocol
        self._channels = tuple(dict.fromkeys(channels))
        self._waiting: deque[Notification] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._listening = False
        self._too_many = False

    async def __aenter__(self) -> Notifications:
        if not self._listening:
            self._listening = True
            self._protocol.closed.add_done_callback(self._wake)
            for channel in self._channels:
                await self._connection.listen(channel, self._heard)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._protocol.closed.remove_done_callback(self._wake)
        # Given back, it has forgotten already, and what it has now is somebody else's.
        if self._connection.protocol is self._protocol and self._protocol.lost is None:
            for channel in self._channels:
                await self._connection.unlisten(channel, self._heard)

    def __aiter__(self) -> Notifications:
        return self

    async def __anext__(self) -> Notification:
        """The next one.

        Raises:
            ConnectionLostError: the connection has ended.
            InterfaceError: it was given back to its pool; or more have come than may wait to be read.
        """
        await self.__aenter__()
        while not self._waiting:
            if self._too_many:
                raise InterfaceError(f"more than {MOST} notifications came that nobody has read")
            if self._connection.protocol.lost is not None:
                raise type(self._protocol.lost)(*self._protocol.lost.args)
            if self._waiter is not None:
                raise InterfaceError("another task reads these notifications")
            self._waiter = self._protocol.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._waiting.popleft()

    def _heard(self, _connection: Connection, process_id: int, channel: str, payload: str) -> None:
        if len(self._waiting) < MOST:
            self._waiting.append(Notification(channel, payload, process_id))
        else:
            self._too_many = True
        self._wake()

    def _wake(self, _closed: Any = None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
