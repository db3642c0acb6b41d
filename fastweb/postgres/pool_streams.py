"""What a pool gives bit by bit: the rows of `PgPool.iterate`, the pieces and rows of `PgPool.copy_out`.

    async for row in pool.iterate("SELECT * FROM events"): ...

    async with pool.copy_out("events", format="csv") as pieces:
        async for piece in pieces: ...

Each has a connection of its own from its first item to its last. An iteration that is broken off gives it
back, too: at the end of `async with`, or as soon as nobody has the iterator any more, as asynchronous
generators do.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

from fastweb.postgres.copy import CopyOut, CopyRows
from fastweb.postgres.cursor import Cursor
from fastweb.postgres.leases import Lease
from fastweb.postgres.pool_transaction import PoolTransaction

__all__ = ["PoolCopyOut", "PoolRows"]

T = TypeVar("T")
S = TypeVar("S", bound="PoolRows[Any]")


class PoolRows(Generic[T]):
    """See above: an asynchronous iterator, that may be closed.

    Arguments:
        make: begins.
    """

    def __init__(self, make: Callable[[], AsyncGenerator[T, None]]) -> None:
        self._make = make
        self._items: AsyncGenerator[T, None] | None = None

    def __aiter__(self) -> AsyncGenerator[T, None]:
        if self._items is None:
            self._items = self._make()
        return self._items

    async def __anext__(self) -> T:
        return await anext(aiter(self))

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Take no more of it, and give the connection back."""
        if self._items is not None:
            await self._items.aclose()


async def rows_of(
    lease: Lease,
    sql: str,
    args: tuple[Any, ...],
    prefetch: int,
    cls: type[T] | None,
    timeout: float | None,  # noqa: ASYNC109
) -> AsyncGenerator[T, None]:
    """The rows of a cursor, in a transaction of its own: broken off, it is rolled back."""
    async with PoolTransaction(lease, None, {}) as connection:
        async for row in Cursor(connection, sql, args, prefetch, cls, timeout):
            yield row


async def pieces_of(lease: Lease, copy: CopyOut) -> AsyncGenerator[bytes, None]:
    """What is copied out, as it comes."""
    async with lease as connection, copy.on(connection) as pieces:
        async for piece in pieces:
            yield piece


async def copied_rows_of(lease: Lease, copy: CopyOut, rows: CopyRows) -> AsyncGenerator[Any, None]:
    """The same as rows."""
    async with lease as connection:
        copy.on(connection)
        async with rows:
            async for row in rows:
                yield row


class PoolCopyOut(PoolRows[bytes]):
    """What `PgPool.copy_out` gives: a `CopyOut` that borrows its connection. Awaited, it is all of the data,
    or where there is a target how many rows; an iterator of pieces; and `rows()`.

    Arguments:
        lease: of the connection.
        copy: has none yet.
    """

    def __init__(self, lease: Lease, copy: CopyOut) -> None:
        # Not a method: a generator that knew this object would be in a cycle with it, and outlive the loop
        # that was broken off.
        super().__init__(lambda: pieces_of(lease, copy))
        self._lease = lease
        self._copy = copy

    @property
    def count(self) -> int:
        """How many rows there were, once all have come."""
        return self._copy.count

    def __await__(self) -> Generator[Any, None, Any]:
        return self._all().__await__()

    async def _all(self) -> Any:
        async with self._lease as connection:
            return await self._copy.on(connection)

    def rows(self) -> PoolRows[Any]:
        """The same as rows: as `CopyOut.rows`."""
        rows, lease, copy = self._copy.rows(), self._lease, self._copy
        return PoolRows(lambda: copied_rows_of(lease, copy, rows))
