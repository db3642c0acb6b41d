"""A connection borrowed from a pool: `async with pool.acquire() as connection`, or `await` and
`pool.release`."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

from fastweb._speedups.pg_lease import BaseLease
from fastweb.postgres.connection import Connection
from fastweb.postgres.errors import InterfaceError
from fastweb.postgres.slots import Slot

__all__ = ["Lease", "PooledConnection"]


class _GivenBack:
    """What a connection has instead of its protocol when it was given back."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        _no_query()

    def __setattr__(self, name: str, value: object) -> None:
        _no_query()


_GIVEN_BACK: Any = _GivenBack()


def _no_query(*_arguments: Any) -> NoReturn:
    raise InterfaceError("this connection was given back to the pool: acquire another")


class PooledConnection(Connection):
    """A connection, as long as it is lent. `close` closes it for good: the pool opens another."""

    __slots__ = ("lease",)

    #: Has lent it.
    lease: Lease

    def __repr__(self) -> str:
        if self.protocol is _GIVEN_BACK:
            return f"<PooledConnection to {self.session.address}, given back>"
        return super().__repr__()

    def give_back(self) -> bool:
        """Be of no use any more; whether somebody was to be notified."""
        protocol = self.protocol
        protocol.notification_listener = protocol.notice_listener = None
        self.protocol = _GIVEN_BACK
        self._query: Any = _no_query
        return self.listening


class Lease(BaseLease):
    """What `PgPool.acquire` returns. It lends a connection once.

    Arguments:
        pool, timeout, frame: as of `fastweb._speedups.pg_lease.BaseLease`.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __aenter__(self) -> Lease: ...

        def __await__(self) -> Generator[Any, Any, PooledConnection]: ...

    def connection_of(self, slot: Slot) -> PooledConnection:
        own = slot.connection
        connection = PooledConnection(own.session, own.shared, own.protocol)
        connection.lease = self
        return connection

    async def wait(self) -> PooledConnection:
        desk = self.desk
        slot = await desk.wait_for_slot(self.timeout)
        connection: PooledConnection = self.lend(slot)
        return connection

    def twice(self) -> InterfaceError:
        return InterfaceError("acquire() was entered twice: each lease lends one connection, call it again")

    def forgotten(self) -> None:
        slot = self.slot
        if slot.desk is None:
            return
        loop = slot.session.loop
        if not loop.is_closed():
            loop.call_soon_threadsafe(self.desk.give_back, slot)
        # Last: where warnings are errors, it raises one.
        warnings.warn(
            f"a connection of a pool was never given back: acquired at {self.place};"
            " use `async with pool.acquire()`",
            ResourceWarning,
            stacklevel=2,
        )
