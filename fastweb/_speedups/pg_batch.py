"""`execute_many`: rows in, one Bind and Execute for each, or for a group of them, and one Sync for all.

All of it is done or nothing. The rows are asked for one after the other, as the transport takes them; where
one is wrong, or its source fails, what was done is undone by an Execute that must fail (`_spoil`).

**Groups.** A Bind and an Execute cost PostgreSQL 5.9 µs a row, more than they cost us; the same rows in one
`INSERT … VALUES ($1, $2), ($3, $4), …` 2.8. So rows of a plain INSERT go 32 at a time, where that cannot be
told from a row at a time. Its text says the one half of that (`insert_of`), the table the other: triggers,
rules, policies and the like. The table is asked within the batch's own unit, behind its first row:

    Bind Execute (row 1)   Bind Execute Flush (the question)   Bind Execute (rows 2 to 25)
        ... the answer ... Parse Bind Execute (32 rows)   Bind Execute (32 rows) ...   Sync

so that the answer is of the table that this row went into, as the batch's transaction sees it; and it holds
to the end: whoever wants to make a trigger has to wait for the lock that the row has taken. The rows that go
meanwhile keep the server busy; what is left at the end goes a row at a time, too.

Where the answer was yes before, and nothing is lost by a failure, since there is no transaction around it and
the rows can be read twice, the groups do not wait for it: there the question fails instead of saying no,
and with it the batch, which is then asked again, a row at a time. A no is kept for a minute, which costs
nothing but time.

The question and the group's Parse are operations of their own (of the kind FIRST), whose answers come amid
the batch's: `Operation.follower` is the one that is next, its `pending` how many Executes are before it.

PERF: 1,000 rows of 4 columns: 1.6 to 2.0 times the rate of a row at a time, by run.
"""

import re
from itertools import chain
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_operation import BOUND, FIRST, PARSED, ROWS, Description, Operation, Statement
from fastweb._speedups.pg_queue import EXECUTE_ALL, FLUSH, REFUSALS, SYNC, OperationQueue
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_rows import TextSink
from fastweb._speedups.pg_wire import WireError

__all__ = ["BatchQueue", "NotYet"]

_FIRST = cython.declare(cython.int, FIRST)
_PARSED = cython.declare(cython.int, PARSED)
_BOUND = cython.declare(cython.int, BOUND)
_ROWS = cython.declare(cython.int, ROWS)

#: Bytes of a batch that are written at once, and those of its first piece. PERF: the server begins while the
#: next ones are made, each twice as large.
_BATCH_SIZE = cython.declare(cython.Py_ssize_t, 1 << 16)
_FIRST_PIECE = cython.declare(cython.Py_ssize_t, 1 << 13)

#: Rows of a group, at most, and those for which it is not worth it; parameters and bytes of one, at most.
_GROUP = cython.declare(cython.Py_ssize_t, 32)
_SMALL_GROUP = cython.declare(cython.Py_ssize_t, 8)
_GROUP_PARAMETERS = cython.declare(cython.Py_ssize_t, 1024)
_GROUP_SIZE = cython.declare(cython.Py_ssize_t, 1 << 16)
#: Rows of a batch for which the table is asked: it costs as much as 40 rows. Of one whose rows are not
#: counted half of them have gone by then.
_WORTH = cython.declare(cython.Py_ssize_t, 128)
#: Rows that a statement's batches have had before the connection asks this for the first time: the server
#: takes some milliseconds to plan it.
_WORTH_A_PLAN = cython.declare(cython.Py_ssize_t, 2000)
#: Rows that are written before the answer has come.
_MEANWHILE = cython.declare(cython.Py_ssize_t, 24)
#: Rows of a batch whose types are looked at, which takes the loop less than a millisecond. For more an answer
#: can be waited for.
_LOOKED_AT = cython.declare(cython.Py_ssize_t, 20_000)
#: Seconds for which a no is believed.
_NO_FOR = cython.declare(cython.double, 60.0)
#: A connection that keeps fewer statements has no room for those of a group.
_FEW_STATEMENTS = cython.declare(cython.Py_ssize_t, 8)

#: division_by_zero: how the question says no where nobody waits for the answer.
_NO = "22012"

#: "unnamed portal parameter $119", in whichever language; a value, which may stand behind it; and "incorrect
#: binary data format in bind parameter 119".
_PARAMETER = re.compile(r"(?<=\$)([1-9][0-9]{0,4})(?![0-9])")
_VALUE = re.compile(r" = '(?:[^']|'')*+'\Z")
_NUMBER = re.compile(r"(?<![0-9])([1-9][0-9]{0,4})(?![0-9])")


class NotYet(Exception):  # noqa: N818 - no error: what the rows of a batch say
    """Raised by the rows of a batch where the next one has not come yet: `feed_batch` is called when it
    has."""


@cython.final
@cython.cclass
class _Groups:
    """How the rows of a batch are grouped.

    Arguments:
        insert: its text (`fastweb.postgres.groups.Insert`).
        size: rows of a group.
        ask_at: rows that go before the table is asked.
    """

    def __init__(self, insert: Any, size: cython.Py_ssize_t, ask_at: cython.Py_ssize_t) -> None:
        self.insert = insert
        self.size = size
        #: -1 when it was.
        self.ask_at = ask_at
        #: The groups do not wait for the answer.
        self.sure = False
        #: The question that is not answered yet.
        self.asked: Any = None
        #: The group's statement, where the answer was yes; and the rows of the next one.
        self.statement: Any = None
        self.rows: list = []


@cython.cclass
class BatchQueue(OperationQueue):
    """The part of a session that writes batches: arguments as of `Frontend`."""

    def __init__(
        self,
        loop: Any,
        registry: Any,
        descriptions: dict,
        cache_size: cython.Py_ssize_t = 256,
        max_message: cython.Py_ssize_t = 1 << 30,
    ) -> None:
        OperationQueue.__init__(self, loop, registry, descriptions, cache_size, max_message)
        #: Of the batch that is being written: the rows to come, how many were written, and their groups.
        self._batch_rows: Any = None
        self._batch_count = 0
        self._groups: Any = None
        #: The server understands what is asked of tables.
        self._answers = True

    @property
    def is_asking(self) -> bool:
        """Whether a batch waits for an answer before it goes on."""
        return self._groups is not None and self._groups.asked is not None

    @cython.cfunc
    def _begin_batch(self, operation: Operation, rows: object) -> object:
        """Write a batch's rows, and hold what comes behind it."""
        self._hold(operation)
        self._batch = operation
        self._batch_rows = rows
        self._batch_count = 0
        self._groups = self._grouping(operation)
        self.feed_batch()
        return None

    @cython.ccall
    def feed_batch(self) -> Any:
        """Write more of a batch, as long as the transport takes it."""
        operation: Operation = self._batch
        if operation is None or self.writing_paused:
            return
        out = self.out
        statement: Statement = operation.statement
        groups: _Groups = self._groups
        group: Statement = None
        start: cython.Py_ssize_t
        limit: cython.Py_ssize_t = out.size + _BATCH_SIZE
        piece: cython.Py_ssize_t = _BATCH_SIZE if self._batch_count else _FIRST_PIECE
        while operation.failure is None:
            if operation.dropped:
                self._spoil(operation, TimeoutError("nobody waits for the batch"))
                break
            if groups is not None:
                if groups.asked is None and self._batch_count == groups.ask_at:
                    self._ask(operation, groups)
                if groups.asked is not None and self._batch_count >= groups.ask_at + _MEANWHILE:
                    self.flush()
                    return
                group = groups.statement
            try:
                if group is None:
                    args = next(self._batch_rows)
                else:
                    while len(groups.rows) < groups.size:
                        groups.rows.append(next(self._batch_rows))
            except NotYet:
                if out.size >= _BATCH_SIZE:
                    self.flush()
                return
            except BaseException as error:
                if group is not None and groups.rows:
                    # What is left, a row at a time, and then this.
                    self._ungroup(groups, _raising(error))
                    continue
                if not isinstance(error, StopIteration):
                    self._spoil(operation, error)
                break
            start = out.size
            try:
                if group is None:
                    self._put_bind(b"", statement, statement.description, args)
                    self._batch_count += 1
                elif not self._put_group(statement, groups):
                    out.truncate(start)
                    self._ungroup(groups, self._batch_rows)
                    continue
                out.put(EXECUTE_ALL)
            except Exception as error:
                out.truncate(start)
                error.add_note(f"in row {self._batch_count + 1} of the arguments")
                # Nothing was done yet: it may be asked again, by what the server says of the text today.
                operation.stale = (
                    isinstance(error, REFUSALS) and self._batch_count == 0 and self._outdated(operation)
                )
                self._spoil(operation, error)
                break
            operation.pending += 1
            if out.size >= piece and piece < _BATCH_SIZE:
                limit -= out.size
                piece += piece
                self.flush()
            if out.size >= limit:
                # The rest when the loop has looked at the others.
                self._write_soon()
                self.loop.call_soon(self._feed_batch_late)
                return
        out.put(SYNC)
        if groups is not None and groups.ask_at >= 0:
            statement.alone_rows += self._batch_count
        self._batch = None
        self._batch_rows = None
        self._groups = None
        if operation.pending == 0 and operation.failure is None:
            operation.wants &= ~(_BOUND | _ROWS)
        self._started(operation)
        self._write_soon()

    def _feed_batch_late(self) -> None:
        self.feed_batch()

    @cython.cfunc
    def _spoil(self, operation: Operation, error: Any) -> object:
        """Undo what the rows before this one have done: there is no such portal, and so the Execute fails."""
        operation.failure = error
        self.out.put(b"E\x00\x00\x00\x1a")
        self.out.put(b"fastweb_no_portal\x00")
        self.out.put_int32(0)
        return None

    # Groups.

    @cython.cfunc
    def _grouping(self, operation: Operation) -> _Groups:
        """Whether a batch's rows may go in groups, as far as is known before the table is asked."""
        statement: Statement = operation.statement
        description: Description = statement.description
        rows: Any = operation.args
        count: cython.Py_ssize_t = -1
        parameters: cython.Py_ssize_t = len(description.parameters)
        if isinstance(rows, (list, tuple)):
            count = len(rows)
            if count < _WORTH:
                return None
        if (
            not (self._answers and statement.name and statement.cached)
            or operation.alone
            or description.columns is not None
            or parameters == 0
            or parameters * _SMALL_GROUP > _GROUP_PARAMETERS
            or self._cache_size < _FEW_STATEMENTS
            or statement.alone_until > self.loop.time()
        ):
            return None
        insert: Any = self.insert_of(statement.sql)
        if insert is None or insert.parameters != parameters:
            return None
        ask_at: cython.Py_ssize_t = 1 if count >= 0 else _WORTH // 2
        known = self.statements.get(insert.question)
        if (known is None or not known.parsed) and statement.alone_rows + ask_at < _WORTH_A_PLAN:
            ask_at = _WORTH_A_PLAN - statement.alone_rows
            if 0 <= count < ask_at + _WORTH:
                ask_at = count + 1
        groups = _Groups(insert, _size_of(parameters), ask_at)
        alone: cython.bint = self.transaction_status == "I" and len(self.in_flight) == 1
        if count >= 0 and alone and not operation.retried and _can_be_read_twice(rows, count):
            known = self.statements.get(insert.group(groups.size))
            if known is not None:
                group: Statement = known
                groups.sure = group.parsed and group.base is description
        return groups

    @cython.cfunc
    def _ask(self, operation: Operation, groups: _Groups) -> object:
        """Ask the table, amid the rows: Parse where needed, Bind, Execute, Flush."""
        one = self._amid(operation, self._known(groups.insert.question), _BOUND | _ROWS)
        text = self.text_codec()
        one.sink = TextSink()
        one.columns = Columns(("",), (text,))
        name: bytes = one.statement.name
        # Bind, as pg_frontend has it; the parameter, whether to fail, and the column are text.
        self.out.put_int8(66)
        self.out.put_int32(len(name) + 17)
        self.out.put_int8(0)
        self.out.put(name)
        self.out.put(b"\x00\x00\x00\x00\x01\x00\x00\x00\x01")
        self.out.put(b"t" if groups.sure else b"f")
        self.out.put(b"\x00\x00")
        self.out.put(EXECUTE_ALL)
        if groups.sure:
            groups.ask_at = -1
            groups.statement = self._group_of(operation.statement, groups)
        else:
            groups.asked = one
            self.out.put(FLUSH)
        return None

    @cython.cfunc
    def _answered(self, asked: Operation) -> object:
        """The table has answered: `t` where rows may go in groups."""
        groups: _Groups = self._groups
        if groups is None or groups.asked is not asked:
            # The batch has ended meanwhile.
            return None
        operation: Operation = self._batch
        statement: Statement = operation.statement
        groups.asked = None
        groups.ask_at = -1
        if cython.cast(TextSink, asked.sink).rows == [("t",)]:
            groups.statement = self._group_of(statement, groups)
        else:
            self._let_alone(statement)
        if groups.statement is not None and not groups.statement.parsed:
            self._amid(operation, groups.statement, 0)
        self.feed_batch()
        self.batch_goes_on()
        return None

    @cython.cfunc
    def _group_of(self, statement: Statement, groups: _Groups) -> Statement:
        """The statement of a group: its parameters are a row's, so often."""
        base: Description = statement.description
        sql: str = groups.insert.group(groups.size)
        found: Any = self.statements.get(sql)
        if found is not None:
            old: Statement = found
            if old.base is base:
                return old
            if old.base is None or len(old.waiting):
                # Somebody writes such a text himself.
                return None
            self._drop_statement(old)
        group: Statement = self._known(sql)
        group.base = base
        group.description = Description(base.oids * groups.size, base.parameters * groups.size, None, b"")
        return group if group.cached else None

    @cython.cfunc
    def _let_alone(self, statement: Statement) -> object:
        """The table has said no."""
        statement.alone_until = self.loop.time() + _NO_FOR
        insert: Any = self.insert_of(statement.sql)
        found: Any = self.statements.get(insert.group(_size_of(insert.parameters)))
        if found is not None:
            group: Statement = found
            if group.base is not None:
                self._drop_statement(group)
        return None

    @cython.cfunc
    def _known(self, sql: str) -> Statement:
        """A statement of ours."""
        found = self.statements.get(sql)
        statement: Statement = self._new_statement(sql) if found is None else found
        self._used += 1
        statement.used = self._used
        return statement

    @cython.cfunc
    def _amid(self, operation: Operation, statement: Statement, wants: cython.int) -> Operation:
        """What is answered amid a batch's rows; its Parse is written where the server has not heard of it."""
        one = Operation(self, _FIRST, operation.sql)
        one.statement = statement
        one.internal = True
        one.sent = True
        one.started = operation.started
        one.wants = wants
        if not statement.parsed:
            self._name(statement)
            one.wants |= _PARSED
            self._put_parse(statement, () if statement.description is None else statement.description.oids)
        one.pending = operation.pending
        if one.pending:
            operation.follower = one
        else:
            # All rows so far are done, so that the batch is the first in flight.
            self.in_flight.appendleft(one)
        return one

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_group(self, statement: Statement, groups: _Groups) -> cython.bint:
        """Bind for a group; whether it has become no larger than is worth it."""
        out = self.out
        group: Statement = groups.statement
        one: Description = statement.description
        all_of_it: Description = group.description
        count: cython.Py_ssize_t = len(one.parameters)
        first: cython.Py_ssize_t = self._batch_count
        at: cython.Py_ssize_t = self._put_bind_head(b"", group, all_of_it)
        for i, args in enumerate(groups.rows):
            if type(args) is not tuple:
                args = groups.rows[i] = self.row_of(args)
            values: tuple = args
            if len(values) != count:
                raise self.wrong_count(statement.sql, count, len(values))
            self._put_values(one.parameters, values)
            self._batch_count += 1
            if out.size - at > _GROUP_SIZE:
                self._batch_count = first
                return False
        out.put(all_of_it.column_formats)
        out.set_int32(at, out.size - at)
        groups.rows.clear()
        return True

    @cython.cfunc
    def _ungroup(self, groups: _Groups, then: Any) -> object:
        """Let the rows that were taken for a group, and those behind them, go alone."""
        self._batch_rows = chain(groups.rows, then)
        groups.rows = []
        groups.statement = None
        return None

    # Their answers.

    @cython.cfunc
    def _batch_step(self, operation: Operation) -> object:
        """A row or a group is done."""
        operation.pending -= 1
        if operation.pending < 0:
            raise WireError("a CommandComplete too many")
        if operation.pending or self._batch is operation or operation.failure is not None:
            operation.wants = _BOUND | _ROWS
        one: Operation = operation.follower
        if one is not None:
            one.pending -= 1
            if one.pending == 0:
                operation.follower = None
                self.in_flight.appendleft(one)
        return None

    @cython.cfunc
    def _name_parameter(self, operation: Operation, fields: dict) -> object:
        """A parameter of a group, in an error of its Bind, has the number that it has in its row. The last
        line of the context names it: those above are a function's, or quote the value."""
        statement: Statement = operation.statement
        where = fields.get("W")
        if where and statement is not None and statement.description is not None:
            description: Description = statement.description
            count: cython.Py_ssize_t = len(description.parameters) or 1
            value = _VALUE.search(where)
            stop: cython.Py_ssize_t = value.start() if value is not None else len(where)
            start: cython.Py_ssize_t = where.rfind("\n", 0, stop) + 1
            fields["W"] = where[:start] + _renumbered(_PARAMETER, where[start:stop], count) + where[stop:]
            if fields.get("C") == "22P03" and fields.get("R") == "exec_bind_message" and "M" in fields:
                fields["M"] = _renumbered(_NUMBER, fields["M"], count)
        return None

    @cython.cfunc
    def _batch_failed(self, operation: Operation, amid: Operation) -> object:
        """The server skips the rest, up to the Sync.

        Arguments:
            amid: what has failed, where it was no row.
        """
        one: Operation = operation.follower if amid is None else amid
        operation.follower = None
        if one is not None and one.wants & _PARSED:
            self._unparse(one.statement, False)
        if amid is not None:
            code = getattr(operation.failure, "sqlstate", None)
            if code == _NO:
                self._let_alone(operation.statement)
                operation.alone = True
            elif code is not None and code[:2] in ("42", "0A"):
                # It is none of PostgreSQL's servers, or the catalogs are not for everyone.
                self._answers = False
                operation.alone = True
        if self.is_asking and self._batch is operation:
            self._groups.asked = None
            self.feed_batch()
            self.batch_goes_on()
        return None

    def lose(self, error: Any) -> None:
        """There will be no more answers: all who wait are told."""
        self._batch_rows = None
        self._groups = None
        OperationQueue.lose(self, error)

    # What the subclass has.

    def insert_of(self, sql: str) -> Any:
        """A text as a `fastweb.postgres.groups.Insert`; None where it is nothing of the kind."""
        return None

    def batch_goes_on(self) -> None:
        """A batch does not wait for an answer any more."""


@cython.cfunc
@cython.exceptval(-1, check=True)
def _size_of(parameters: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """The rows of a group."""
    return min(_GROUP, _GROUP_PARAMETERS // parameters)


@cython.cfunc
@cython.exceptval(-1, check=True)
def _can_be_read_twice(rows: Any, count: cython.Py_ssize_t) -> cython.bint:
    """Whether no row is an iterator, say, of which nothing would be left."""
    return count <= _LOOKED_AT and {tuple, list}.issuperset(map(type, rows))


def _renumbered(pattern: re.Pattern[str], text: str, count: int) -> str:
    """A text with the number of a group's parameter as of its row, which has so many."""
    return pattern.sub(lambda found: str((int(found[1]) - 1) % count + 1), text, 1)


def _raising(error: BaseException) -> Any:
    """Rows that are none."""
    if not isinstance(error, StopIteration):
        raise error
    yield from ()
