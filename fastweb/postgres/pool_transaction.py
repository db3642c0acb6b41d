"""A transaction on a connection that a pool lends for it: `async with pool.transaction() as connection`."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from fastweb.postgres.errors import InterfaceError

if TYPE_CHECKING:
    from fastweb.postgres.leases import Lease, PooledConnection

__all__ = ["PoolTransaction"]


class PoolTransaction:
    """See above: the block's end commits, an exception in it rolls back, and the connection is given back.

    Arguments:
        lease: lends the connection.
        isolation, options: as of `Connection.transaction`.
    """

    __slots__ = ("_isolation", "_lease", "_options", "_transaction")

    def __init__(self, lease: Lease, isolation: Any, options: dict[str, Any]) -> None:
        self._lease = lease
        self._isolation = isolation
        self._options = options
        self._transaction: Any = None

    async def __aenter__(self) -> PooledConnection:
        if self._transaction is not None:
            raise InterfaceError("a transaction is entered once; call transaction() again")
        connection = await self._lease
        lent: Any = connection
        try:
            self._transaction = lent.transaction(self._isolation, **self._options)
            await self._transaction.__aenter__()
        except BaseException:
            self._lease.release()
            raise
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            return bool(await self._transaction.__aexit__(kind, error, traceback))
        finally:
            self._lease.release()
