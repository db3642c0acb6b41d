"""Transactions: blocks that happen wholly or not at all, nested ones as savepoints.

What is written, and when it is answered for:

    the block begins        nothing: BEGIN goes out with the block's first statement, in one write
    that statement          BEGIN, no Sync, the statement, Sync: if BEGIN fails the server skips the
    statement,
                            and the error is the statement's
    it ends well            COMMIT, and its answer: a tag ROLLBACK is an error, for the server refuses so to
    commit
                            what has failed within
    it ends otherwise       ROLLBACK, and its answer, whatever it was: an exception, a cancellation
    a nested block begins   nothing: SAVEPOINT goes out with its first statement, and a Flush between them
    it ends well            nothing: RELEASE goes out with the next statement, since it cannot fail
    it ends otherwise       nothing: ROLLBACK TO and RELEASE likewise

A block with no statement asks the server nothing. Statements of several tasks in one block are done in the
order in which they were asked for; COMMIT and ROLLBACK stand behind all that were asked before them. Nested
blocks of several tasks cannot be told apart by the server, which only has a stack of savepoints: one that
ends while a later one is open is rolled back with it, and both raise InterfaceError.

A CancelRequest that hits a SAVEPOINT would undo what is around it, too, for there would be nothing to go back
to. So it is answered at once, which is what the Flush is for, and until then none goes out.

COMMIT and ROLLBACK are not cancelled with the task that waits for them: no CancelRequest goes out, the
server answers, and the task gets its CancelledError at once. If the connection is lost between COMMIT and
its answer nobody knows what has happened: `CommitUnknownError`. A `command_timeout` holds for them, too: then
the connection is closed.

Source: "Transactions" and "SAVEPOINT" of PostgreSQL's manual; "Protocol Flow", "Extended Query", for what a
Sync ends.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Literal

from fastweb._speedups.pg_operation import SIMPLE, Operation
from fastweb.postgres.errors import (
    CommitUnknownError,
    ConnectionLostError,
    InFailedSQLTransactionError,
    InterfaceError,
    PostgresError,
)

if TYPE_CHECKING:
    from fastweb.postgres.connection import Connection

__all__ = ["Isolation", "Rollback", "Transaction"]

Isolation = Literal["read_uncommitted", "read_committed", "repeatable_read", "serializable"]

_LEVELS = {
    "read_uncommitted": "READ UNCOMMITTED",
    "read_committed": "READ COMMITTED",
    "repeatable_read": "REPEATABLE READ",
    "serializable": "SERIALIZABLE",
}

_NEW, _OPEN, _ENDED = range(3)


class Rollback(Exception):  # noqa: N818 - nothing went wrong
    """Raise it in a transaction's block to leave the block, and undo what it did. It goes no further."""


def begin_statement(
    isolation: Isolation | None = None, read_only: bool | None = None, deferrable: bool | None = None
) -> str:
    """BEGIN, and what is said of the transaction; of what is None the server's defaults hold.

    Raises:
        InterfaceError: no level is called so.
    """
    words = ["BEGIN"]
    if isolation is not None:
        level = _LEVELS.get(isolation.lower().replace(" ", "_")) if isinstance(isolation, str) else None
        if level is None:
            raise InterfaceError(f"isolation: expected one of {', '.join(_LEVELS)}, got {isolation!r}")
        words.append(f"ISOLATION LEVEL {level}")
    if read_only is not None:
        words.append("READ ONLY" if read_only else "READ WRITE")
    if deferrable is not None:
        words.append("DEFERRABLE" if deferrable else "NOT DEFERRABLE")
    return " ".join(words)


class Transaction:
    """A transaction of one connection, or, within another, a savepoint.

    `async with` it; or `await start()`, and then `commit()` or `rollback()`.

    Arguments:
        connection: which must be nobody else's meanwhile.
        isolation: "read_committed", "repeatable_read", "serializable" or "read_uncommitted".
        read_only: whether the server refuses to write.
        deferrable: of a serializable one that only reads: it waits until it cannot be refused any more.

    Raises:
        InterfaceError: there is no such level.
    """

    __slots__ = (
        "_begin",
        "_connection",
        "_in_block",
        "_outlived",
        "_plain",
        "_savepoint",
        "_state",
        "_undone",
    )

    def __init__(
        self,
        connection: Connection,
        isolation: Isolation | None = None,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> None:
        self._connection = connection
        self._plain = isolation is None and read_only is None and deferrable is None
        # A text of its own: it is told by its identity from that of another transaction, which reads the
        # same.
        self._begin = (begin_statement(isolation, read_only, deferrable) + " ")[:-1]
        self._savepoint = ""
        self._state = _NEW
        self._in_block = False
        #: It is to be rolled back, however its block ends.
        self._undone = False
        #: The one around it has ended before it.
        self._outlived = False

    def __repr__(self) -> str:
        kind = f"savepoint {self._savepoint}" if self._savepoint else self._begin
        return f"<Transaction {kind}, {('new', 'open', 'ended')[self._state]}>"

    async def __aenter__(self) -> Transaction:
        self._start()
        self._in_block = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        meant = isinstance(error, Rollback)
        if self._state != _OPEN:
            if self._outlived and (error is None or meant):
                raise InterfaceError("the transaction around this one has ended before it, and so this one")
            return meant
        if error is None and not self._undone:
            await self._commit()
            return False
        try:
            await self._rollback()
        except (ConnectionLostError, InterfaceError):
            # Gone with its connection, it is undone; or given back with it, as where an asynchronous
            # generator is closed behind the block that has lent the connection: the pool rolls back.
            pass
        except PostgresError as failure:
            if error is None or meant:
                raise
            # What went wrong first says more.
            error.add_note(f"and the ROLLBACK failed: {failure}")
        return meant

    async def start(self) -> None:
        """Begin it; nothing is sent before its first statement.

        Raises:
            InterfaceError: it has begun before, or is to be within a transaction that was begun by a
            statement.
        """
        self._start()

    async def commit(self) -> None:
        """End it, so that it has happened.

        Raises:
            InFailedSQLTransactionError: a statement in it had failed: it was rolled back.
            CommitUnknownError: the connection was lost before the answer came.
            InterfaceError: it has not begun, has ended, or is a block's.
            PostgresError: what fails at COMMIT, such as a deferred constraint.
        """
        self._check("commit")
        if self._in_block:
            raise InterfaceError("the transaction of a block ends with the block: leave it")
        await self._commit()

    async def rollback(self) -> None:
        """Undo it. In its block, what was done so far, at once, and what is done after that at the block's
        end.

        Raises:
            InterfaceError: it has not begun, or has ended.
            ConnectionLostError: the connection was lost; so it is undone.
        """
        self._check("rollback")
        if not self._in_block:
            await self._rollback()
            return
        self._undone = True
        await self._rollback()
        # Until the block ends, its statements still must not be on their own.
        self._state = _NEW
        self._start()

    # --- The stack ---

    def _check(self, what: str) -> None:
        if self._state == _NEW:
            raise InterfaceError(f"{what}: the transaction has not begun")
        if self._state == _ENDED:
            raise InterfaceError(f"{what}: the transaction has ended")

    def _start(self) -> None:
        connection = self._connection
        if self._state != _NEW:
            raise InterfaceError("a transaction is begun once; make another")
        protocol = connection.protocol
        if protocol.lost is not None:
            raise ConnectionLostError(str(protocol.lost))
        around = connection.transactions
        if around:
            # What says the same as the outermost asks for nothing else.
            if not self._plain and self._begin != around[0]._begin:
                raise InterfaceError(
                    "a nested transaction is a savepoint: isolation, read_only, deferrable are of the one"
                    " around it"
                )
            connection.savepoints += 1
            self._savepoint = f"fastweb_{connection.savepoints}"
            protocol.first.append(f"SAVEPOINT {self._savepoint}")
        else:
            if protocol.transaction_status != "I" and not protocol.in_flight:
                raise InterfaceError("a statement has begun a transaction on this connection: end it first")
            protocol.first.append(self._begin)
            protocol.failed_firsts.clear()
        around.append(self)
        self._state = _OPEN

    def _end(self) -> bool:
        """Take it from the stack; whether blocks that began later are still open."""
        around = self._connection.transactions
        place = around.index(self)
        later = around[place + 1 :]
        del around[place:]
        self._state = _ENDED
        for each in later:
            each._state = _ENDED
            each._outlived = True
        return bool(later)

    def _unsent(self) -> bool:
        """Forget its beginning, where no statement has taken it along: the server knows nothing of it."""
        first = self._connection.protocol.first
        begin = f"SAVEPOINT {self._savepoint}" if self._savepoint else self._begin
        if begin not in first:
            return False
        del first[first.index(begin) :]
        return True

    def _forget(self) -> None:
        """A BEGIN that failed was to go before what came next: the transaction is over."""
        first = self._connection.protocol.first
        for place, sql in enumerate(first):
            if sql is self._begin:
                end = place + 1
                while end < len(first) and not first[end].startswith("BEGIN"):
                    end += 1
                del first[place:end]
                break

    # --- Ends ---

    async def _commit(self) -> None:
        protocol = self._connection.protocol
        if self._is_outlived():
            await self._rollback()
            raise InterfaceError(
                "a transaction that began within this one, in another task, is still open: both were rolled"
                " back. Tasks that need transactions of their own need connections of their own"
            )
        self._end()
        if self._unsent():
            return
        first = protocol.first
        busy = protocol.in_flight or protocol.held
        if self._savepoint:
            release = f"RELEASE SAVEPOINT {self._savepoint}"
            if busy:
                try:
                    await self._ask(release)
                except PostgresError:
                    first[:] = self._undo()
                    raise
            elif protocol.transaction_status == "E" and not any(
                sql.startswith("ROLLBACK TO") for sql in first
            ):
                first[:] = self._undo()
                raise self._failed_before()
            else:
                first.append(release)
            return
        if not busy and protocol.lost is None and protocol.transaction_status == "I":
            first.clear()
            raise InterfaceError(
                "a COMMIT or ROLLBACK within the transaction's block has ended it: leave that to the block"
            )
        if all(sql.startswith("RELEASE") for sql in first):
            first.clear()
        if await self._ask("COMMIT") == "ROLLBACK":
            raise self._failed_before()

    async def _rollback(self) -> None:
        protocol = self._connection.protocol
        self._end()
        if self._unsent():
            return
        # Whatever was to go out next belongs to what is undone.
        protocol.first.clear()
        if protocol.lost is not None:
            return
        if self._savepoint:
            protocol.first.extend(self._undo())
        elif protocol.in_flight or protocol.held or protocol.transaction_status != "I":
            await self._ask("ROLLBACK")

    def _undo(self) -> list[str]:
        if f"SAVEPOINT {self._savepoint}" in self._connection.protocol.failed_firsts:
            # There is nothing to go back to: the transaction around it had failed before.
            return []
        return [f"ROLLBACK TO SAVEPOINT {self._savepoint}", f"RELEASE SAVEPOINT {self._savepoint}"]

    def _is_outlived(self) -> bool:
        """Whether it is not the innermost."""
        return self._connection.transactions[-1] is not self

    def _failed_before(self) -> PostgresError:
        return InFailedSQLTransactionError(
            "the transaction was rolled back, not committed: a statement in it had failed, and the error was"
            " caught within; a statement that may fail belongs into a nested transaction"
        )

    async def _ask(self, sql: str) -> str:
        """Send the transaction's end, and wait for the answer. Whoever waits may be cancelled, this is
        not."""
        protocol = self._connection.protocol
        operation = Operation(protocol, SIMPLE, sql)
        protocol.submit(operation)
        waiter = protocol.loop.create_future()
        seconds = self._connection.options.command_timeout
        timer = None if seconds is None else protocol.end_within(seconds, sql)

        def ended(_operation: Operation) -> None:
            if timer is not None:
                timer.cancel()
            # Given back meanwhile, it has forgotten: what is to go out first there is somebody else's.
            if not self._savepoint and self._connection.protocol is protocol:
                self._forget()
            if not waiter.done():
                waiter.set_result(None)

        operation.add_done_callback(ended)
        await waiter
        try:
            return str(operation.result())
        except Exception as error:
            over = protocol.lost is not None or protocol.fatal is not None
            if over and operation.sent and sql == "COMMIT":
                raise CommitUnknownError(
                    "the connection was lost between COMMIT and its answer: it is not known whether the"
                    " transaction has happened"
                ) from error
            raise
