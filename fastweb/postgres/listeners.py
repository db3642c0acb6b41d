"""Who is called with a connection's notifications and notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fastweb.postgres.errors import InterfaceError, PostgresLogMessage

if TYPE_CHECKING:
    from fastweb.postgres.connection import Connection

__all__ = ["Listener", "Listeners", "NoticeListener"]

#: Called with the connection, the process that notified, the channel and the payload.
Listener = Callable[["Connection", int, str, str], object]
#: Called with the connection and what the server said.
NoticeListener = Callable[["Connection", PostgresLogMessage], object]

#: PostgreSQL's NAMEDATALEN without the NUL.
MOST_OF_A_NAME: Final = 63


class Listeners:
    """See above. A connection has none before somebody listens.

    Arguments:
        connection: whose they are.
    """

    __slots__ = ("_connection", "_of_notices", "_protocol", "of_channels")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # A borrower's last notifications may be told when he has given the connection back.
        self._protocol = connection.protocol
        #: A channel -> its listeners; none without.
        self.of_channels: dict[str, list[Listener]] = {}
        self._of_notices: tuple[NoticeListener, ...] = ()

    async def listen(self, channel: str, callback: Listener) -> None:
        """See `Connection.listen`."""
        if not callable(callback):
            raise TypeError(f"expected a function to call, got {callback!r:.100}")
        if len(channel.encode()) > MOST_OF_A_NAME:
            raise InterfaceError(f"a channel's name has at most {MOST_OF_A_NAME} bytes: {channel!r:.100}")
        self._connection.protocol.notification_listener = self._notified
        listeners = self.of_channels.setdefault(channel, [])
        is_new = callback not in listeners
        if is_new:
            listeners.append(callback)
        try:
            # Whoever else listens there: his LISTEN may have been undone with its transaction, or may be.
            await self._connection.execute(f"LISTEN {_quoted(channel)}")
        except BaseException:
            if is_new:
                self._forget(channel, callback)
            raise

    async def unlisten(self, channel: str, callback: Listener | None) -> None:
        """See `Connection.unlisten`."""
        self._forget(channel, callback)
        if channel not in self.of_channels:
            await self._connection.execute(f"UNLISTEN {_quoted(channel)}")

    def _forget(self, channel: str, callback: Listener | None) -> None:
        kept = [
            each for each in self.of_channels.get(channel, ()) if callback is not None and each != callback
        ]
        if kept:
            self.of_channels[channel] = kept
        else:
            self.of_channels.pop(channel, None)

    def add_of_notices(self, callback: NoticeListener) -> None:
        self._connection.protocol.notice_listener = self._noticed
        if callback not in self._of_notices:
            self._of_notices += (callback,)

    def remove_of_notices(self, callback: NoticeListener) -> None:
        self._of_notices = tuple(each for each in self._of_notices if each != callback)

    def _notified(self, process_id: int, channel: str, payload: str) -> None:
        for listener in tuple(self.of_channels.get(channel, ())):
            self._call(listener, self._connection, process_id, channel, payload)

    def _noticed(self, notice: PostgresLogMessage) -> None:
        for listener in self._of_notices:
            self._call(listener, self._connection, notice)

    def _call(self, listener: Callable[..., object], *args: object) -> None:
        protocol = self._protocol
        try:
            outcome = listener(*args)
        except Exception as error:
            message = f"a listener of a PostgreSQL connection failed: {listener!r}"
            protocol.loop.call_exception_handler({"message": message, "exception": error})
            return
        if asyncio.iscoroutine(outcome):
            task = protocol.loop.create_task(outcome)
            protocol.tasks.add(task)
            task.add_done_callback(protocol.tasks.discard)


def _quoted(name: str) -> str:
    """An identifier as SQL writes it.

    Raises:
        InterfaceError: it is empty, or has a NUL in it.
    """
    if not name or "\x00" in name:
        raise InterfaceError(f"not a name: {name!r}")
    return '"' + name.replace('"', '""') + '"'
