"""What is asked of a connection, and the order in which it is: operations in, messages out.

Operations are written in the order in which they come, unless something has to end first (`hold`): a text is
described, a batch or a COPY is written, a BEGIN is not known to have worked. What each of them is written as
tells the table in `fastweb._speedups.pg_session`, which reads the answers; here is noted what an operation
waits for (`Operation.wants`).
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_frontend import Frontend
from fastweb._speedups.pg_operation import (
    BATCH,
    BOUND,
    CLOSED,
    COLUMNS,
    COPY,
    FETCH_PORTAL,
    FIRST,
    OPEN_PORTAL,
    PARAMETERS,
    PARSED,
    PREPARE,
    QUERY,
    RESULTS,
    ROWS,
    SIMPLE,
    Description,
    Operation,
    Statement,
)
from fastweb._speedups.pg_rows import TextSink

__all__ = ["OperationQueue"]

_QUERY = cython.declare(cython.int, QUERY)
_SIMPLE = cython.declare(cython.int, SIMPLE)
_BATCH = cython.declare(cython.int, BATCH)
_PREPARE = cython.declare(cython.int, PREPARE)
_OPEN_PORTAL = cython.declare(cython.int, OPEN_PORTAL)
_FETCH_PORTAL = cython.declare(cython.int, FETCH_PORTAL)
_COPY = cython.declare(cython.int, COPY)
_FIRST = cython.declare(cython.int, FIRST)

_CLOSED = cython.declare(cython.int, CLOSED)
_PARSED = cython.declare(cython.int, PARSED)
_PARAMETERS = cython.declare(cython.int, PARAMETERS)
_COLUMNS = cython.declare(cython.int, COLUMNS)
_BOUND = cython.declare(cython.int, BOUND)
_ROWS = cython.declare(cython.int, ROWS)
_RESULTS = cython.declare(cython.int, RESULTS)

SYNC = b"S\x00\x00\x00\x04"
#: Flush: Byte1('H'), Int32.
FLUSH = b"H\x00\x00\x00\x04"
#: Execute: Byte1('E'), Int32, String the portal, Int32 the most rows; then Sync.
EXECUTE_ALL = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"
EXECUTE_ALL_SYNC = EXECUTE_ALL + SYNC
#: Bind: Byte1('B'), Int32, String the portal, String the statement, Int16 0 thrice: no formats, no values.
_BIND_NOTHING = b"B\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00"

#: The most plain reads with one Sync.
_UNIT = cython.declare(cython.Py_ssize_t, 16)
#: Characters of what is asked before it is known whether there is a pooler: a packet holds as much.
_EARLY = cython.declare(cython.Py_ssize_t, 600)

#: What codecs raise of a value that is none of their types'.
REFUSALS = (TypeError, ValueError, OverflowError)
#: The first oid of what a database has made (FirstNormalObjectId, src/include/access/transam.h).
MADE = 16384


def has_made(oids: tuple) -> bool:
    """Whether one of these types is the database's own."""
    return any(oid >= MADE for oid in oids)


@cython.cclass
class OperationQueue(Frontend):
    """The part of a session that takes operations."""

    @cython.ccall
    def query(self, sql: Any, args: tuple, sink: Any = None, result_of: Any = None) -> Operation:
        """Ask for rows; the answer is what the sink makes of them, or what `result_of(operation)` gives."""
        operation = Operation(self, _QUERY, sql, args, sink, result_of)
        self.submit(operation)
        return operation

    @cython.ccall
    def submit(self, operation: Operation) -> Any:
        """Take an operation: it is written at once, or with others at the end of the loop's turn."""
        if self._encoding:
            raise RuntimeError("a codec must not use the connection that it encodes for")
        if self.lost is not None:
            if operation.settle(None, self.lost_error(operation)):
                operation.wake(False)
            return
        if self.marker is not None and not operation.internal:
            self.marker(operation.sql)
        if not self._checked:
            self._check()
        if self.reset_first is not None and not operation.internal:
            self._reset()
        if self.pooled is None and not operation.internal:
            self._look_at_size(operation)
        if self.first and not operation.internal:
            operation.firsts = list(self.first)
            self.first.clear()
        if (self.holds or self.held) and not operation.internal:
            self.held.append(operation)
            return
        if self._batch is not None:
            # A look at types, say: nothing stands in the midst of a batch.
            self.held.appendleft(operation)
            return
        self._start(operation)
        self._write_soon()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked that was not answered."""
        return self.holds == 0 and not (self.in_flight or self.held or self._waiting)

    @property
    def is_beginning(self) -> bool:
        """Whether a SAVEPOINT is not answered yet. To cancel it would undo what is around it, too."""
        for each in self.in_flight:
            one: Operation = each
            if one.kind == _FIRST and (one.firsts is not None or one.sql.startswith("SAVEPOINT")):
                return True
        return False

    @property
    def described_first(self) -> set:
        """Those of them that wait until their text is described: always the same set."""
        return self._waiting

    def reset(self) -> None:
        """Write what forgets the state that was left behind, although nobody asks anything."""
        if self.reset_first is not None and self.lost is None:
            self._reset()
            self._write_soon()

    def take_unsent(self) -> list:
        """The operations that the server has not heard of, to be asked elsewhere."""
        asked = (*self._waiting, *self.held)
        found = [each for each in asked if not (each.sent or each.internal or each.dropped)]
        for each in found:
            operation: Operation = each
            operation.statement = None
            operation.holding = False
            self._waiting.discard(operation)
        self.held = type(self.held)(each for each in self.held if each not in found)
        return found

    @cython.cfunc
    def _check(self) -> object:
        """Ask which process the server is: see the module's text."""
        self._checked = True
        if self.process_id == 0:
            self.pooled = True
            return None
        asked = Operation(
            self, _SIMPLE, "SELECT pg_catalog.pg_backend_pid()", (), TextSink(), self._find_pooler
        )
        asked.internal = True
        self._question = asked
        self._start(asked)
        return None

    @cython.cfunc
    def _look_at_size(self, operation: Operation) -> object:
        """Let an operation wait for the answer to that question, where a pooler might not read both at once:
        it could let the server go between them, and hand the rest of this one to another."""
        question: Operation = self._question
        if not self.in_flight or self.in_flight[0] is not question or question.holding:
            return None
        self._early += len(operation.sql)
        if operation.kind == _BATCH or operation.kind == _COPY:
            self._early += _EARLY
        else:
            for value in operation.args:
                if isinstance(value, (str, bytes)):
                    self._early += len(value)
                elif value is not None and not isinstance(value, (int, float)):
                    self._early += _EARLY
                self._early += 8
        if self._early > _EARLY:
            self._hold(question)
            self._write_soon()
        return None

    def _find_pooler(self, asked: Operation) -> None:
        rows = cython.cast(TextSink, asked.sink).rows
        if rows and rows[0] and self.pooled is None:
            self.pooled = rows[0][0] != str(self.process_id)
            self.named = not self.pooled

    @cython.cfunc
    def _reset(self) -> object:
        """Write what forgets the state that was left behind, before what comes next."""
        first = Operation(self, _SIMPLE, self.reset_first)
        self.reset_first = None
        first.critical = True
        first.internal = True
        self._start(first)
        return None

    # Their turn.

    @cython.cfunc
    def _start(self, operation: Operation) -> object:
        """Write an operation, or what it needs first."""
        kind: cython.int = operation.kind
        if operation.dropped:
            self._send_first(operation, None)
            return None
        if kind == _QUERY or kind == _BATCH or kind == _OPEN_PORTAL or kind == _PREPARE:
            if self.registry.version != self._types:
                self._forget_types()
            statement: Any = operation.statement
            if statement is None:
                found = self.statements.get(operation.sql)
                statement = self._new_statement(operation.sql) if found is None else found
                operation.statement = statement
            if statement.description is not None:
                self._send(operation)
            else:
                if statement.describing:
                    statement.waiting.append(operation)
                    self._waiting.add(operation)
                else:
                    self._describe(operation)
                if self.ordered and not operation.internal and operation in self._waiting:
                    # Nothing overtakes it.
                    self._hold(operation)
        elif kind == _SIMPLE or kind == _COPY:
            self._send_query(operation)
        else:
            self._send_portal(operation)
        return None

    @cython.cfunc
    def _hold(self, operation: Operation) -> object:
        """Let others wait for an operation."""
        if not operation.holding:
            operation.holding = True
            self.holds += 1
        return None

    @cython.cfunc
    def _release(self, operation: Operation) -> object:
        """Let others go on that wait for it."""
        if operation.holding and operation is not self._batch:
            operation.holding = False
            self.unhold()
        return None

    @cython.cfunc
    def _started(self, operation: Operation) -> object:
        """Let others go on that waited for an operation to be started once more. Behind a pooler they wait
        for its end, where it was sent: one unit at a time."""
        if self.pooled is not True or not operation.sent:
            self._release(operation)
        return None

    @cython.ccall
    def hold(self) -> Any:
        """Write no more operations until `unhold` is called as often."""
        self.holds += 1

    @cython.ccall
    def unhold(self) -> Any:
        self.holds -= 1
        while self.holds == 0 and self.held and self.lost is None:
            self._start(self.held.popleft())
        self._write_soon()
        if self.watched and not self._feeding:
            self.owner.ready()

    # What they are written as.

    @cython.cfunc
    def _describe(self, operation: Operation) -> object:
        """Parse Describe Sync, as a step of its own."""
        statement: Statement = operation.statement
        start: cython.Py_ssize_t = self.out.size
        self._unparse(statement, True)
        evicted = self._evicted
        self._name(statement)
        try:
            self.check(operation.sql)
            if operation.kind == _QUERY and len(operation.args) > 65535:
                # The server would count them modulo 65536, and say so.
                raise self.too_many(len(operation.args))
            self._put_first(operation)
            operation.wants = self._put_closes(operation) | _PARSED | _PARAMETERS | _COLUMNS
            self._put_parse(statement, ())
            self._put_describe(statement)
            self.out.put(SYNC)
        except Exception as error:
            self.out.truncate(start)
            self._evicted = evicted
            self._unparse(statement, False)
            self._send_first(operation, None)
            self._settle(operation, None, error)
            return None
        statement.describing = True
        operation.describing = True
        self._waiting.add(operation)
        self._sent(operation)
        return None

    @cython.cfunc
    def _send(self, operation: Operation) -> object:
        """Bind Execute Sync, and before it Parse Describe where the server has not heard of the text."""
        statement: Statement = operation.statement
        description: Description = statement.description
        out = self.out
        start: cython.Py_ssize_t = out.size
        kind: cython.int = operation.kind
        parse: cython.bint = not statement.parsed
        joins: cython.bint = False
        may_join: cython.bint = False
        wants: cython.int = _BOUND | _ROWS
        evicted = self._evicted
        rows: Any = None
        if kind == _PREPARE:
            self._send_first(operation, None)
            self._settle(operation, statement, None)
            return None
        self._used += 1
        statement.used = self._used
        if operation.plain_read and not (parse or operation.alone or operation.firsts):
            may_join = statement.pace > 0 and self.pooled is False
        if may_join and start == self._joint_end and not evicted:
            # Half of what is in flight, so that the server has something to do while the other half is read.
            joins = self._joint_size < min(_UNIT, len(self.in_flight) // 2)
            if joins:
                start -= len(SYNC)
                out.truncate(start)
        try:
            self._put_first(operation)
            if parse:
                # The name counts from here on: what stands behind is bound to it.
                self._name(statement)
            if evicted:
                wants |= self._put_closes(operation)
            if parse:
                wants |= _PARSED | _PARAMETERS | _COLUMNS
                self._put_parse(statement, description.oids)
                self._put_describe(statement)
            if kind == _QUERY:
                self._put_bind(b"", statement, description, operation.args)
                out.put(EXECUTE_ALL_SYNC)
            elif kind == _BATCH:
                rows = self.rows_of(operation.args)
            else:
                self._put_bind(operation.portal, statement, description, operation.args)
                self._put_execute(operation)
                out.put(SYNC)
        except Exception as error:
            out.truncate(start)
            if joins:
                out.put(SYNC)
            self._evicted = evicted
            if parse:
                self._unparse(statement, False)
            if isinstance(error, REFUSALS) and self._may_be_outdated(operation, description):
                self._drop_statement(statement)
                operation.fresh = operation.refused = True
                operation.statement = None
                self._start(operation)
                return None
            self._send_first(operation, None)
            self._settle(operation, None, error)
            return None
        operation.columns = description.columns
        operation.wants = wants
        if joins:
            before: Operation = self.in_flight[-1]
            before.joined = True
        if may_join:
            self._joint_size = self._joint_size + 1 if joins else 1
            self._joint_end = out.size
        self._sent(operation)
        if kind == _BATCH:
            self._begin_batch(operation, rows)
        return None

    @cython.cfunc
    @cython.exceptval(-1)
    def _may_be_outdated(self, operation: Operation, description: Description) -> cython.bint:
        """Whether arguments that were refused may fit what the server says of the text today: a column's type
        may have been changed since. It is asked before they are refused, once."""
        return (
            operation.kind != _BATCH
            and self.transaction_status != "E"
            and len(operation.args) == len(description.parameters)
            and self._outdated(operation)
        )

    @cython.cfunc
    @cython.exceptval(-1)
    def _outdated(self, operation: Operation) -> cython.bint:
        """Whether what its arguments were refused by was not found for it: the statement's description, or
        what a type is made of."""
        if operation.refused:
            return False
        statement: Statement = operation.statement
        description: Description = statement.description
        return not operation.fresh or (description is not None and has_made(description.oids))

    @cython.cfunc
    def _send_portal(self, operation: Operation) -> object:
        """Execute Sync, or Close Sync: Byte1('C'), Int32, Byte1('P'), String."""
        self._put_first(operation)
        if operation.kind == _FETCH_PORTAL:
            operation.wants = self._put_closes(operation) | _ROWS
            self._put_execute(operation)
            if operation.sink is not None and operation.columns is not None:
                operation.sink.begin(operation.columns)
        else:
            operation.wants = self._put_closes(operation) | _CLOSED
            operation.closes += 1
            self.out.put_int8(67)
            self.out.put_int32(len(operation.portal) + 6)
            self.out.put_int8(80)
            self.out.put(operation.portal)
            self.out.put_int8(0)
        self.out.put(SYNC)
        self._sent(operation)
        return None

    @cython.cfunc
    def _send_query(self, operation: Operation) -> object:
        """Query: Byte1('Q'), Int32, String."""
        out = self.out
        start: cython.Py_ssize_t = out.size
        if operation.firsts and operation.kind != _FIRST:
            # A Query is a unit of its own. After a BEGIN that failed it would be in no transaction, so it
            # waits for that; after any other its transaction has failed, and so will it.
            begins: str = operation.firsts[0]
            if begins.startswith("BEGIN"):
                self._waiting.add(operation)
                self._hold(operation)
                self._send_first(operation, operation)
                return None
            self._send_first(operation, None)
            start = out.size
        try:
            out.put_int8(81)
            out.put_int32(0)
            out.put_cstring(operation.sql)
            out.set_int32(start + 1, out.size - start - 1)
        except Exception as error:
            out.truncate(start)
            self._settle(operation, None, error)
            return None
        operation.wants = _RESULTS
        if operation.kind == _COPY:
            # Nothing may stand between its data.
            self._hold(operation)
        self._sent(operation)
        return None

    @cython.cfunc
    def _sent(self, operation: Operation) -> object:
        operation.sent = True
        if not self.in_flight:
            operation.started = self.now if self._feeding else self.loop.time()
        if operation.firsts and operation.kind != _FIRST:
            self._sent_first(operation)
        self.in_flight.append(operation)
        if self.pooled is True and not operation.internal:
            # One unit at a time: at a ReadyForQuery a pooler may take the server away from one that has come
            # in part only, and the rest would go to another.
            self._hold(operation)
        return None

    # What goes before others.

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_first(self, operation: Operation) -> cython.bint:
        """What goes before it: Parse, Bind, Execute, and no Sync, so that it is skipped where this fails."""
        self._firsts.clear()
        if not operation.firsts:
            return False
        out = self.out
        for sql in operation.firsts:
            one = Operation(self, _FIRST, sql)
            one.wants = _PARSED | _BOUND | _ROWS
            one.internal = True
            one.sent = True
            one.started = self.now
            text: bytes = one.sql.encode()
            out.put_int8(80)
            out.put_int32(len(text) + 8)
            out.put(b"\x00")
            out.put(text)
            out.put(b"\x00\x00\x00")
            out.put(_BIND_NOTHING)
            out.put(EXECUTE_ALL)
            self._firsts.append(one)
        if one.sql.startswith("SAVEPOINT"):
            # It is answered before the statement is: until then no CancelRequest goes out (`is_beginning`).
            out.put(FLUSH)
        return True

    @cython.cfunc
    def _sent_first(self, operation: Operation) -> object:
        """It is on its way. Nothing overtakes a BEGIN: if it fails, that must not be on its own."""
        self.in_flight.extend(self._firsts)
        self._firsts.clear()
        begins: str = operation.firsts[0]
        if begins.startswith("BEGIN"):
            self._hold(operation)
        # Asked again, it would be without its transaction.
        operation.retried = True
        operation.firsts = None
        return None

    @cython.cfunc
    def _send_first(self, operation: Operation, follower: object) -> object:
        """The same as a Query: before another, or for an operation that will not be sent."""
        firsts: list = operation.firsts
        if not firsts or self.lost is not None:
            return None
        operation.firsts = None
        operation.retried = True
        one = Operation(self, _FIRST, "; ".join(firsts))
        one.internal = True
        one.firsts = firsts
        one.follower = cython.cast(Operation, follower)
        self._send_query(one)
        return None

    @cython.cfunc
    def _first_done(self, one: Operation) -> object:
        """Its answer has come: what waits for it goes on, or fails as this did."""
        self.drained(one)
        if one.failure is not None and one.firsts:
            self._first_failed(one.firsts)
        operation: Operation = one.follower
        if operation is None:
            return None
        one.follower = None
        self._waiting.discard(operation)
        if operation.dropped:
            self._release(operation)
            self.drained(operation)
        elif one.failure is None:
            self._send_query(operation)
        else:
            self._release(operation)
            self._settle(operation, None, one.failure)
        return None

    @cython.cfunc
    def _first_failed(self, undone: list) -> object:
        """Without its BEGIN nothing may be done of a transaction: it goes before the next operation, too."""
        begins: str = undone[0]
        if not begins.startswith("BEGIN"):
            self.failed_firsts.extend(undone)
        elif self.held:
            held: Operation = self.held[0]
            held.firsts = undone + (held.firsts or [])
        else:
            self.first[:0] = undone
        return None

    # Their end.

    @cython.cfunc
    def _settle(self, operation: Operation, value: object, error: object) -> object:
        """Its outcome: whoever waits goes on when all that has come was read."""
        if operation.settle(value, error):
            if self._feeding:
                self._ended.append(operation)
            else:
                operation.wake(False)
        elif operation.dropped:
            self.drained(operation)
        return None

    @cython.ccall
    def abandon(self, operation: Operation) -> Any:
        """Nobody waits for it any more."""
        operation.dropped = True
        operation.sink = None
        if operation.sent:
            self.abandoned(operation)

    def lose(self, error: Any) -> None:
        """There will be no more answers: all who wait are told."""
        if self.lost is not None:
            return
        self.lost = error
        if self.owner is not None:
            self.owner.gone()
        found = [*self.unit, *self.in_flight, *self._waiting, *self.held]
        self.unit.clear()
        self.in_flight.clear()
        self._waiting.clear()
        self.held.clear()
        self.holds = 0
        self.first.clear()
        self._batch = None
        self._pieces.clear()
        self._pieces_size = 0
        self.out.truncate(0)
        for operation in found:
            if operation.settle(None, self.lost_error(operation)):
                operation.wake(False)

    # What the subclass has.

    @cython.cfunc
    def _begin_batch(self, operation: Operation, rows: object) -> object:
        """Write a batch's rows, and hold what comes behind it."""
        raise NotImplementedError

    def rows_of(self, args: Any) -> Any:
        """An iterator of the rows of a batch's arguments.

        Raises:
            TypeError: they are no rows.
        """
        raise NotImplementedError

    def check(self, sql: str) -> None:
        """Refuse a text that is not to be parsed.

        Raises:
            InterfaceError: what would come is no rows.
        """
        raise NotImplementedError

    def too_many(self, got: int) -> Any:
        """The exception for arguments that are more than a Bind can count."""
        raise NotImplementedError

    def lost_error(self, operation: Operation) -> Any:
        """The exception for an operation that gets no answer."""
        raise NotImplementedError

    def abandoned(self, operation: Operation) -> None:
        """An operation was dropped whose answer is to come."""
        raise NotImplementedError

    def drained(self, operation: Operation) -> None:
        """The answer to an operation has come that was dropped, or that went before another."""
        raise NotImplementedError
