"""Many statements in one write, answered together:

    async with pool.pipeline() as p:
        name = p.fetch_value("SELECT name FROM users WHERE id = $1", 7)
        p.execute("UPDATE users SET seen = now() WHERE id = $1", 7)
    print(await name)

What is asked in the block goes out at its end, or when something in it is awaited, in the order in which it
was asked. Each statement has a Sync of its own, so that the failure of one undoes no other; `atomic=True`
puts BEGIN before the first and COMMIT behind the last, in the same write: all of it, or nothing.

At the block's end all have been answered, and the first error among them that nobody has got is raised,
unless the block itself has raised; each one's own answer, or error, is got by awaiting it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fastweb._speedups.pg_operation import SIMPLE, Operation
from fastweb.postgres.connection import Connection
from fastweb.postgres.errors import InFailedSQLTransactionError, InterfaceError

if TYPE_CHECKING:
    from fastweb.postgres.leases import Lease

__all__ = ["Pipeline"]


class Pipeline:
    """See above. Its methods are those of `Connection`, and give what is awaited at the end.

    Arguments:
        of: lends a connection; or is one.
        atomic: whether all of it is one transaction.
    """

    __slots__ = ("_asked", "_atomic", "_begin", "_connection", "_of")

    def __init__(self, of: Lease | Connection, atomic: bool = False) -> None:
        self._of = of
        self._atomic = atomic
        self._connection: Connection | None = None
        self._asked: list[Operation] = []
        self._begin: Operation | None = None

    async def __aenter__(self) -> Pipeline:
        if self._connection is not None:
            raise InterfaceError("a pipeline is entered once; make another")
        of = self._of
        self._connection = of if isinstance(of, Connection) else await of
        if self._atomic:
            if self._connection.in_transaction:
                self._connection = None
                raise InterfaceError("the connection is in a transaction: within one, all is atomic as it is")
            self._begin = self._simple("BEGIN")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        end = None
        try:
            if self._atomic:
                end = self._simple("COMMIT" if error is None else "ROLLBACK")
            asked = [each for each in self._asked if not each.got]
            for operation in asked:
                await _answered(operation)
            # All are asked for theirs: none is one that nobody has got.
            failures = [failure for each in asked if (failure := _failure(each)) is not None]
            if end is not None:
                tag = await end
                if tag == "ROLLBACK" and error is None and not failures:
                    raise InFailedSQLTransactionError("the transaction of the pipeline was rolled back")
        finally:
            if not isinstance(self._of, Connection):
                self._of.release()
        if error is None and failures:
            raise failures[0]

    def fetch(self, sql: Any, /, *args: Any, timeout: float | None = None) -> Awaitable[Any]:
        """As `Connection.fetch`."""
        answer: Awaitable[Any] = self._ask(self._open.fetch(sql, *args, timeout=timeout))
        return answer

    def fetch_one(self, sql: Any, /, *args: Any, timeout: float | None = None) -> Awaitable[Any]:
        """As `Connection.fetch_one`."""
        answer: Awaitable[Any] = self._ask(self._open.fetch_one(sql, *args, timeout=timeout))
        return answer

    def fetch_value(self, sql: str, /, *args: Any, timeout: float | None = None) -> Awaitable[Any]:
        """As `Connection.fetch_value`."""
        answer: Awaitable[Any] = self._ask(self._open.fetch_value(sql, *args, timeout=timeout))
        return answer

    def fetch_json(
        self, sql: str, /, *args: Any, one: bool = False, timeout: float | None = None
    ) -> Awaitable[bytes]:
        """As `Connection.fetch_json`."""
        answer: Awaitable[Any] = self._ask(self._open.fetch_json(sql, *args, one=one, timeout=timeout))
        return answer

    def execute(self, sql: str, /, *args: Any, timeout: float | None = None) -> Awaitable[str]:
        """As `Connection.execute`."""
        answer: Awaitable[Any] = self._ask(self._open.execute(sql, *args, timeout=timeout))
        return answer

    def exec(self, sql: Any, /, *args: Any, timeout: float | None = None) -> Awaitable[Any]:
        """As `Connection.exec`."""
        answer: Awaitable[Any] = self._ask(self._open.exec(sql, *args, timeout=timeout))
        return answer

    @property
    def _open(self) -> Connection:
        """The connection, which is to write all that is asked in this turn of the loop at its end."""
        connection = self._connection
        if connection is None:
            raise InterfaceError("a pipeline asks within its block: `async with`")
        connection.protocol.write_later()
        return connection

    def _ask(self, operation: Any) -> Any:
        self._asked.append(operation)
        return operation

    def _simple(self, sql: str) -> Operation:
        connection = self._open
        operation = Operation(connection.protocol, SIMPLE, sql)
        connection.submit(operation)
        return operation


def _failure(operation: Operation) -> BaseException | None:
    if operation.cancelled():
        return None
    error: BaseException | None = operation.exception()
    return error


async def _answered(operation: Operation) -> None:
    """Wait for the outcome, whatever it is. A cancel of the block is one of what it waits for."""
    if not operation.done():
        try:
            await operation
        except Exception:
            pass
