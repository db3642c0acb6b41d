"""`execute_many` with rows that come from an asynchronous iterable: they are written as they come.

    await connection.execute_many("INSERT INTO events VALUES ($1, $2)", rows_of_a_stream())

A batch has one Sync, so that all of it is done or nothing, and the session asks for its rows one after the
other (`BatchQueue.feed_batch`). Here each is handed to it when it has come, and none is asked of the
source before the transport takes more: what is in memory is one row, and what the transport buffers. The
source's first row is asked for when it is the batch's turn on its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Any

from fastweb._speedups.pg_batch import NotYet
from fastweb._speedups.pg_operation import BATCH, Operation
from fastweb.postgres.options import check_timeout

__all__ = ["execute_many_async"]

#: Rows after which the loop's others have a turn, where neither source nor transport lets them.
_TURN = 128

_NONE: Any = object()


class _Rows:
    """What the session takes for the batch's rows: the next one, or `NotYet`."""

    __slots__ = ("begun", "error", "next", "waiter")

    def __init__(self) -> None:
        self.next: Any = _NONE
        #: What ends the rows: StopIteration, or what the source raised.
        self.error: BaseException | None = None
        #: The session has begun to write the batch.
        self.begun = False
        self.waiter: asyncio.Future[None] | None = None

    def __iter__(self) -> _Rows:
        self.begun = True
        self.wake()
        return self

    def __next__(self) -> Any:
        if self.next is not _NONE:
            row, self.next = self.next, _NONE
            return row
        raise NotYet if self.error is None else self.error

    def wake(self, _operation: object = None) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def wait(self) -> None:
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None


async def execute_many_async(
    ask: Callable[[Operation], object],
    sql: str,
    source: AsyncIterable[Any],
    timeout: float | None,  # noqa: ASYNC109
) -> None:
    """See above.

    Arguments:
        ask: submits an operation, to a connection or a pool.
        sql: the statement.
        source: its rows; it is closed where it is not read to its end.
        timeout: seconds for all of it; None: no limit.

    Raises:
        TimeoutError: it took longer. Nothing was done.
        Exception: what the source raises; nothing was done. As of `Connection.execute_many`.
    """
    if timeout is not None:
        check_timeout(timeout)
    try:
        async with asyncio.timeout(timeout):
            await _run(ask, sql, source)
    except TimeoutError as error:
        if not isinstance(error.__cause__, asyncio.CancelledError):
            raise
        raise TimeoutError(f"no answer in {timeout:g} s: {sql}") from None


async def _run(ask: Callable[[Operation], object], sql: str, source: AsyncIterable[Any]) -> None:
    rows = _Rows()
    operation = Operation(None, BATCH, sql, rows, result_of=_none)
    ask(operation)
    operation.add_done_callback(rows.wake)
    items = aiter(source)
    try:
        while not rows.begun and not operation.done():
            await rows.wait()
        await _feed(operation, rows, items)
        rows.error = StopIteration()
    except asyncio.CancelledError:
        operation.cancel()
        raise
    except BaseException as error:
        rows.error = error
        if not isinstance(error, Exception):
            operation.cancel()
            raise
    finally:
        if rows.begun:
            # The batch's end: of all rows; or, where there is an error or nobody waits, of none.
            operation.session.feed_batch()
        aclose = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()
    await operation


async def _feed(operation: Operation, rows: _Rows, items: Any) -> None:
    """Hand each row over when it has come, and the transport takes more."""
    count = 0
    if operation.done():
        return
    session: Any = operation.session
    async for row in items:
        rows.next = row
        session.feed_batch()
        while rows.next is not _NONE and operation.failure is None and not operation.done():
            await session.writable()
            session.feed_batch()
        if operation.failure is not None or operation.done():
            return
        count += 1
        if count % _TURN == 0:
            await asyncio.sleep(0)


def _none(_operation: Operation) -> None:
    return None
