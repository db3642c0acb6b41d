"""A connection borrowed from a pool: `async with pool.acquire() as connection`, or `await` and
`pool.release`."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from fastweb.postgres.connection import Connection
from fastweb.postgres.errors import InterfaceError
from fastweb.postgres.slots import Holding, Slot

if TYPE_CHECKING:
    from fastweb.postgres.desk import Desk
    from fastweb.postgres.pool import PgPool

__all__ = ["Lease", "PooledConnection"]


class _GivenBack:
    """What a connection has instead of its protocol when it was given back."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        raise InterfaceError("this connection was given back to the pool: acquire another")


_GIVEN_BACK: Any = _GivenBack()


def _no_query(*_arguments: Any) -> Any:
    raise InterfaceError("this connection was given back to the pool: acquire another")


class PooledConnection(Connection):
    """A connection, as long as it is lent. `close` closes it for good: the pool opens another."""

    __slots__ = ("_lease",)

    def __init__(self, slot: Slot, lease: Lease) -> None:
        own = slot.connection
        self._set_up(own.session, own.shared, own.protocol)
        self._lease = lease

    def give_back(self) -> None:
        """Be of no use any more."""
        self.protocol.notification_listener = self.protocol.notice_listener = None
        self.protocol = _GIVEN_BACK
        self._query: Any = _no_query

    @property
    def lease(self) -> Lease:
        return self._lease


class Lease:
    """What `PgPool.acquire` returns. It lends a connection once.

    Arguments:
        pool: whose connection it is to be; it lives as long as this.
        timeout: seconds to wait for one.
    """

    __slots__ = ("_code", "_connection", "_desk", "_line", "_pool", "_slot", "_timeout")

    def __init__(self, pool: PgPool, timeout: float | None) -> None:
        self._pool = pool
        self._desk: Desk = pool._desk
        self._timeout = timeout
        self._slot: Slot | None = None
        self._connection: PooledConnection | None = None
        frame = sys._getframe(2)
        self._code = frame.f_code
        self._line = frame.f_lineno

    async def __aenter__(self) -> PooledConnection:
        desk = self._desk
        slot = desk.take()
        if slot is None:
            slot = await desk.wait_for_slot(self._timeout)
        return self._lend(slot)

    async def __aexit__(self, *_error: object) -> None:
        self.release()

    def __await__(self) -> Generator[Any, Any, PooledConnection]:
        return self.__aenter__().__await__()

    def _lend(self, slot: Slot) -> PooledConnection:
        if self._slot is not None:
            self._desk.give_back(slot, "")
            raise InterfaceError(
                "acquire() was entered twice: each lease lends one connection, call it again"
            )
        session = slot.session
        self._slot = slot
        self._desk.leases += 1
        session.marker = slot.mark
        slot.hold(Holding(asyncio.current_task(), self._code, self._line, session.loop.time()))
        self._connection = connection = PooledConnection(slot, self)
        return connection

    def release(self) -> None:
        """Give the connection back; a second time does nothing. It is the next one's as soon as the server
        has answered what was asked, and nobody need wait for that."""
        slot = self._slot
        connection = self._connection
        if slot is None or connection is None:
            return
        self._connection = None
        connection.give_back()
        if connection.listening:
            slot.dirty = True
        self._desk.give_back(slot, "")

    def __del__(self) -> None:
        if self._connection is not None and self._slot is not None and self._slot.desk is not None:
            warnings.warn(
                "a connection of a pool was never given back: acquired at"
                f" {self._code.co_filename}:{self._line};"
                " use `async with pool.acquire()`",
                ResourceWarning,
                stacklevel=2,
            )
            loop = self._slot.session.loop
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._desk.give_back, self._slot, "")
