"""Rows of a query a few at a time: a portal on the server, and Execute for so many of them.

    async with connection.transaction():
        async for row in connection.iterate("SELECT …", prefetch=100): ...

What is written: Bind to a portal that has a name, Execute with the most rows, Sync; then Execute and Sync
for more of them, until the server says CommandComplete and not PortalSuspended. A portal lives as long as
its transaction, so there has to be one.

Source: "Protocol Flow", "Extended Query", of PostgreSQL's manual.
"""

from __future__ import annotations

import contextlib
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastweb._speedups.pg_objects import class_sink
from fastweb._speedups.pg_operation import CLOSE_PORTAL, FETCH_PORTAL, OPEN_PORTAL, Operation
from fastweb._speedups.pg_rows import records_sink
from fastweb.postgres.errors import InterfaceError

if TYPE_CHECKING:
    from fastweb.postgres.connection import Connection

__all__ = ["Cursor"]

T = TypeVar("T")

#: Int32 is what Execute has for a number of rows.
_MOST = (1 << 31) - 1


class Cursor(Generic[T]):
    """The rows of a query, asked for when they are wanted. `Connection.iterate` makes it.

    An asynchronous iterator; and with `async with` a cursor: `fetch`, `fetch_one`, `forward`.

    Arguments:
        connection: in a transaction, when the first rows are asked for.
        sql, args: the query.
        prefetch: rows that iteration asks for at once.
        cls: what is made of each; None for Records.
        timeout: seconds for each answer.
    """

    __slots__ = (
        "_args",
        "_asking",
        "_cls",
        "_columns",
        "_connection",
        "_ended",
        "_portal",
        "_prefetch",
        "_rows",
        "_sql",
        "_timeout",
    )

    def __init__(
        self,
        connection: Connection,
        sql: str,
        args: tuple[Any, ...],
        prefetch: int = 50,
        cls: type[T] | None = None,
        timeout: float | None = None,
    ) -> None:
        if isinstance(prefetch, bool) or not isinstance(prefetch, int) or not 0 < prefetch <= _MOST:
            raise InterfaceError(f"prefetch: expected a number of rows above zero, got {prefetch!r}")
        self._connection = connection
        self._sql = sql
        self._args = args
        self._prefetch = prefetch
        self._cls = cls
        self._timeout = timeout
        self._portal = b""
        #: Rows were asked for, and have not come.
        self._asking = False
        self._columns: Any = None
        self._rows: deque[T] = deque()
        self._ended = False

    def __repr__(self) -> str:
        return (
            f"<Cursor of {self._sql!r}, {'at its end' if self._ended else 'open' if self._portal else 'new'}>"
        )

    def __aiter__(self) -> Cursor[T]:
        return self

    async def __anext__(self) -> T:
        rows = self._rows
        if not rows:
            if not self._ended:
                rows.extend(await self._fetch(self._prefetch))
            if not rows:
                raise StopAsyncIteration
        return rows.popleft()

    async def __aenter__(self) -> Cursor[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
            return
        # Whoever was cancelled waits for nothing more; what follows on this connection is behind it. One that
        # was given back meanwhile has closed it.
        with contextlib.suppress(InterfaceError):
            if self._open_in_working_transaction():
                self._submit(Operation(self._connection.protocol, CLOSE_PORTAL, self._sql))
                self._ended = True

    async def fetch(self, count: int) -> list[T]:
        """The next rows, fewer at the end.

        Raises:
            InterfaceError: the number is none, or there is no transaction.
            PostgresError: the query failed.
        """
        self._check(count)
        rows: list[T] = []
        while self._rows and len(rows) < count:
            rows.append(self._rows.popleft())
        if len(rows) < count and not self._ended:
            rows += await self._fetch(count - len(rows))
        return rows

    async def fetch_one(self) -> T | None:
        """The next row, None at the end."""
        rows = await self.fetch(1)
        return rows[0] if rows else None

    async def forward(self, count: int) -> int:
        """Leave rows out, without their being sent; how many there were.

        Raises:
            as `fetch`.
        """
        self._check(count)
        left = 0
        while self._rows and left < count:
            self._rows.popleft()
            left += 1
        if not self._portal:
            # The portal comes into being with its first row.
            left += len(await self._fetch(1))
        if left == count or self._ended:
            return left
        tag = await self._connection.execute(
            f'MOVE FORWARD {count - left} "{self._portal.decode()}"', timeout=self._timeout
        )
        return left + int(tag.rpartition(" ")[2])

    async def close(self) -> None:
        """Free what the server has of it; at the transaction's end it does by itself."""
        self._rows.clear()
        if self._open_in_working_transaction():
            self._ended = True
            await self._submit(Operation(self._connection.protocol, CLOSE_PORTAL, self._sql))
        self._ended = True

    async def aclose(self) -> None:
        """The same, by the name that asynchronous generators have for it."""
        await self.close()

    def _open_in_working_transaction(self) -> bool:
        protocol = self._connection.protocol
        return bool(self._portal) and protocol.lost is None and protocol.transaction_status == "T"

    @staticmethod
    def _check(count: int) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= _MOST:
            raise InterfaceError(f"expected a number of rows above zero, got {count!r}")

    def _submit(self, operation: Operation) -> Operation:
        operation.portal = self._portal
        return self._connection.submit(operation, self._timeout)

    async def _fetch(self, count: int) -> list[T]:
        """Rows of the server, of whom the first question makes the portal."""
        if self._asking:
            raise InterfaceError(
                "a cursor is asked for rows by one task at a time, and by none again"
                " where that was cancelled or has failed: make another"
            )
        connection = self._connection
        protocol = connection.protocol
        sink = records_sink() if self._cls is None else class_sink(self._cls)
        if self._portal:
            operation = Operation(protocol, FETCH_PORTAL, self._sql, (), sink)
            operation.columns = self._columns
        else:
            is_idle = protocol.transaction_status == "I" and not protocol.first and not protocol.in_flight
            if is_idle and protocol.lost is None:
                raise InterfaceError(
                    "a cursor lives in a transaction: `async with connection.transaction():` around it"
                )
            connection.portals += 1
            self._portal = b"fastweb_%d" % connection.portals
            operation = Operation(protocol, OPEN_PORTAL, self._sql, self._args, sink)
        operation.limit = count
        self._asking = True
        rows: list[T] = await self._submit(operation)
        # Not where it was cancelled or has failed: nobody knows which rows would be the next.
        self._asking = False
        self._columns = operation.columns
        self._ended = not operation.suspended
        return rows
