"""The outcome of operations: what becomes of each when the server has answered it, or has failed.

**Units of several.** Where one of a unit fails, the server skips those behind it and undoes those before it;
they are asked again, each alone (`_end_unit`), so that a failure is nobody else's. How quick a statement's
reads are, which decides whether they may be in one, is learned here (`_pace`).

**Asked again.** A server's own plan may become void, `0A000 cached plan must not change result type`; a
column may have another type, to which those of the parameters do not go, `42804`; a parameter's type may be
dropped and made again; and a pooler may hand the connection to a server that has no such statement, `26000`,
or has somebody else's, `42P05`: outside a transaction the operation is then asked again, once, from the
start.

**Descriptions.** What the server says of a text is kept for all connections of a pool (`Description`); a
Parse that names the types of the parameters, and a RowDescription that is compared, tell when it is no longer
so. What was bound by an old one is stale: its rows are in formats that were meant for others.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_batch import BatchQueue
from fastweb._speedups.pg_operation import BATCH, BOUND, FIRST, PARSED, Description, Operation, Statement
from fastweb._speedups.pg_queue import MADE, has_made
from fastweb._speedups.pg_wire import WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_messages import columns_of
else:
    from fastweb._speedups.pg_messages import columns_of

__all__ = ["Outcomes"]

_BATCH = cython.declare(cython.int, BATCH)
_BOUND = cython.declare(cython.int, BOUND)
_FIRST = cython.declare(cython.int, FIRST)
_PARSED = cython.declare(cython.int, PARSED)

#: Who says "cache lookup failed for type": of a parameter's, whose statement goes by its old oid for ever.
_NO_SUCH_TYPE = ("getTypeInputInfo", "getTypeBinaryInputInfo")
#: What a server says of a statement whose columns have types now that those of its parameters do not go with:
#: datatype_mismatch, undefined_function (an operator is one), cannot_coerce, ambiguous_function.
_MISMATCHES = frozenset(("42804", "42883", "42846", "42725"))
#: Times that statements may vanish before it is taken for a pooler's work.
_LOSSES = 3
#: Seconds for a unit beyond which its statements have a Sync each; and how often they then have to be quick.
_SLOW_UNIT = cython.declare(cython.double, 0.01)
_PATIENCE = cython.declare(cython.int, 8)


@cython.cclass
class Outcomes(BatchQueue):
    """The part of a session that ends operations, or asks for them once more."""

    @cython.cfunc
    def _head(self, kind: cython.int) -> Operation:
        """The operation that a message is for."""
        if not self.in_flight:
            raise WireError(f"a message {chr(kind)!r} where nothing was asked")
        operation: Operation = self.in_flight[0]
        return operation

    @cython.cfunc
    def _unexpected(self, kind: cython.int) -> Any:
        return WireError(f"a message {chr(kind)!r} that is not the next in its order")

    # Descriptions.

    @cython.cfunc
    def _described(
        self, operation: Operation, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t
    ) -> object:
        """RowDescription, or NoData, where nothing is between `at` and `stop`."""
        statement: Statement = operation.statement
        raw: bytes = data[at:stop]
        if operation.describing:
            # Now, so that what is wrong in it is found.
            if raw:
                columns_of(raw, 0, len(raw))
            statement.row_description = raw
            return None
        # Bind went out with the Parse, by what was known.
        description: Description = statement.description
        if description is not None and description.row_description == raw:
            statement.proven = True
            return None
        changed = self._description(description.oids if description is not None else (), raw, False)
        if changed is None or description is None or changed.column_formats != description.column_formats:
            # Its rows come in formats that were meant for others, as do those of whoever is behind.
            for each in self.in_flight:
                other: Operation = each
                if other.statement is statement and not other.describing:
                    other.stale = True
            # What is asked from here on has it described anew.
            self._drop_statement(statement)
            return None
        statement.description = changed
        statement.proven = True
        self._keep(statement)
        for each in self.in_flight:
            behind: Operation = each
            if behind.statement is statement and not behind.describing:
                behind.columns = changed.columns
        return None

    @cython.cfunc
    def _learn(self, operation: Operation, last: cython.bint) -> object:
        """Make a description of what has come, and go on."""
        statement: Statement = operation.statement
        # Its arguments were refused: types may have been altered since they were looked up.
        anew: cython.bint = operation.refused and not last and has_made(statement.oids)
        description: Description = None
        if not anew:
            last = last or operation.internal
            description = self._description(statement.oids, statement.row_description, last)
        if description is None:
            oids = set(statement.oids)
            if statement.row_description:
                oids.update(columns_of(statement.row_description, 0, len(statement.row_description))[1])
            # All of the database's own: where one was altered, all are forgotten.
            unknown = [oid for oid in oids if oid >= MADE or self.registry.codec(oid) is None]
            self.look_up(unknown, operation)
            return None
        statement.description = description
        statement.proven = True
        statement.oids = ()
        statement.row_description = b""
        self._keep(statement)
        self._resume(operation, None)
        return None

    def learned(self, operation: Operation) -> None:
        """What `look_up` was asked for is known, as far as it can be."""
        if self.lost is None:
            self._learn(operation, True)
            self._write_soon()

    @cython.cfunc
    def _resume(self, operation: Operation, fields: Any) -> object:
        """Go on with all that waited for a description: it has come, or failed."""
        statement: Statement = operation.statement
        statement.describing = False
        waiting: list = statement.waiting
        statement.waiting = []
        waiting.insert(0, operation)
        # A batch that is held must not begin between them: they would stand in the midst of it.
        self.holds += 1
        for each in waiting:
            one: Operation = each
            self._waiting.discard(one)
            one.describing = False
            one.sent = False
            one.fresh = True
            if one.dropped:
                self._send_first(one, None)
                self.drained(one)
            elif fields is None:
                one.statement = statement
                if self._batch is None:
                    self._start(one)
                else:
                    self.held.append(one)
            else:
                self._send_first(one, None)
                self._settle(one, None, self.make_error(fields, one.sql))
            self._started(one)
        self.unhold()
        return None

    # Their end.

    @cython.cfunc
    def _pace(self, operation: Operation) -> object:
        """Learn whether plain reads are quick: those that are may share a Sync, since whoever is first in
        a unit has his answer no sooner than the last."""
        statement: Statement = operation.statement
        if self.now - operation.started > _SLOW_UNIT:
            statement.pace = -_PATIENCE
            for each in self.unit:
                other: Operation = each
                statement = other.statement
                statement.pace = -_PATIENCE
        elif statement.pace <= 0:
            statement.pace += 1
        return None

    @cython.cfunc
    def _end_unit(self, last: Operation) -> object:
        """The ReadyForQuery of several has come. Where one of them has failed, the server has skipped those
        behind it and undone those before it: all but that one are asked again, each alone."""
        # They stay there until they are told, whatever happens meanwhile.
        done: list = self.unit
        self.served += len(done)
        done.append(last)
        operation: Operation
        if not self._undone:
            for each in done:
                operation = each
                self._end(operation)
            self.unit = []
            return None
        self._undone = False
        while last.joined:
            last = self.in_flight.popleft()
            done.append(last)
        for each in done:
            operation = each
            operation.joined = False
            operation.alone = True
            if operation.failure is not None:
                self._end(operation)
            elif operation.dropped:
                self._settle(operation, None, None)
            else:
                if operation.sink is not None:
                    operation.sink.forget()
                operation.stale = False
                operation.sent = False
                operation.tag = b""
                self._start_again(operation)
        self.unit = []
        return None

    @cython.cfunc
    def _end(self, operation: Operation) -> object:
        """Its ReadyForQuery has come."""
        if operation.kind == _FIRST:
            self._first_done(operation)
            return None
        error: Any = operation.failure
        if operation.describing:
            if error is None:
                self._learn(operation, False)
            elif self._may_ask_again(operation, error):
                self._ask_again(operation)
            else:
                self._drop_statement(operation.statement)
                self._resume(operation, self._fields)
            return None
        if error is not None or operation.stale:
            if not operation.dropped and self._may_ask_again(operation, error):
                if self.pooled is not True:
                    self._release(operation)
                self._ask_again(operation)
                return None
            if error is None:
                error = self.changed(operation)
            self._release(operation)
            self._settle(operation, None, error)
            if operation.critical:
                raise WireError(f"the session could not be reset: {error}")
            return None
        value: object = None
        if not operation.dropped:
            try:
                if operation.result_of is not None:
                    value = operation.result_of(operation)
                elif operation.sink is not None:
                    value = operation.sink.finish()
                else:
                    value = operation.tag.decode("utf-8", "replace")
            except Exception as failure:
                error = failure
        if operation.holding:
            self._release(operation)
        self._settle(operation, value, error)
        return None

    @cython.cfunc
    def _failed(self, fields: dict) -> object:
        """ErrorResponse: what is behind it in the unit is skipped."""
        operation: Operation
        if fields.get("V", fields.get("S")) in ("FATAL", "PANIC"):
            # The server closes the connection, or should.
            self.fatal = self.make_error(fields, None)
            if self.in_flight:
                operation = self.in_flight.popleft()
                while operation.kind == _FIRST and self.in_flight:
                    # Whoever waits is behind it.
                    operation = self.in_flight.popleft()
                self._settle(operation, None, self.make_error(fields, operation.sql))
            self.doomed()
            return None
        if not self.in_flight:
            raise WireError("an ErrorResponse where nothing was asked")
        operation = self.in_flight[0]
        sql: object = operation.sql
        undone: list = []
        amid: Operation = None
        while operation.kind == _FIRST and operation.firsts is None:
            # What it was to go before is skipped.
            if operation.statement is not None:
                amid = operation
            else:
                undone.append(operation.sql)
            self.in_flight.popleft()
            operation = self._head(69)
        if undone:
            sql = undone[0]
            self._first_failed(undone)
        statement: Statement = operation.statement
        if self.unit or operation.joined:
            self._undone = True
            if operation.wants == 0 and operation.failure is None:
                # All were done, and the end of the unit has failed: nobody knows for whose fault.
                return None
        if operation.failure is None:
            if operation.kind == _BATCH:
                self._name_parameter(operation, fields)
            operation.failure = self.make_error(fields, sql)
            self._fields = fields
            self._unbound = bool(operation.wants & _BOUND)
        if statement is not None and operation.wants & _PARSED:
            if statement.parsed:
                self._unparse(statement, False)
            if fields.get("C") == "42P05":
                # The name is somebody else's; whoever is behind is bound to that, and has answers to it.
                for each in self.in_flight:
                    other: Operation = each
                    if other.statement is statement and not other.describing:
                        other.stale = True
        operation.wants = 0
        operation.closes = 0
        if operation.kind == _BATCH:
            self._batch_failed(operation, amid)
        return None

    @cython.cfunc
    @cython.exceptval(-1)
    def _may_ask_again(self, operation: Operation, error: Any) -> cython.bint:
        """Whether an operation failed for what was thought to be known, and nothing was done by it. What is
        not so any more is forgotten, also where it cannot be asked again."""
        statement: Statement = operation.statement
        if statement is None:
            return False
        again: cython.bint = False
        doubtful: cython.bint = False
        code = getattr(error, "sqlstate", None)
        if code == "26000":
            # invalid_sql_statement_name: a pooler, or a DEALLOCATE, has lost it.
            again = True
            if statement.parsed:
                self._losses += 1
                if self._losses >= _LOSSES:
                    self._go_unnamed()
                self.forget_statements()
        elif code == "42P05":
            # duplicate_prepared_statement: somebody else's, behind a pooler.
            again = True
            self._go_unnamed()
        elif code == "0A000" and self._fields.get("R") == "RevalidateCachedQuery":
            again = True
            self._drop_statement(statement)
        elif code == "XX000" and self._fields.get("R") in _NO_SUCH_TYPE:
            # A parameter's type was dropped, and perhaps made again.
            again = True
            self._drop_statement(statement)
        elif operation.stale:
            # What was done can be asked twice only where it changes nothing.
            again = error is not None or self.only_reads(operation.sql)
            operation.refused = doubtful = operation.kind == _BATCH
            self._drop_statement(statement)
        elif not statement.proven and not operation.describing and code is not None:
            again = code[:2] in ("42", "08") or code == "22P03"
            operation.refused = doubtful = code in _MISMATCHES
            self._drop_statement(statement)
        elif code in _MISMATCHES and self._unbound and not operation.describing and self._outdated(operation):
            # The types of its parameters are those that were found when it was parsed; or one of them was
            # altered since it was looked up.
            again = operation.refused = doubtful = True
            self._drop_statement(statement)
        if operation.kind == _BATCH:
            again = again or operation.alone
            if not isinstance(operation.args, (list, tuple)):
                again = False
        again = again and not operation.retried and self.transaction_status == "I"
        if doubtful and not again and statement.description is not None:
            # Who asks next asks by what the types are made of then.
            self.registry.doubt([oid for oid in statement.description.oids if oid >= MADE])
        return again

    @cython.cfunc
    def _ask_again(self, operation: Operation) -> object:
        operation.retried = True
        operation.failure = None
        operation.joined = False
        operation.stale = False
        operation.sent = False
        operation.tag = b""
        operation.pending = 0
        operation.follower = None
        if operation.sink is not None:
            operation.sink.forget()
        statement: Statement = operation.statement
        waiting: list = []
        if operation.describing:
            operation.describing = False
            statement.describing = False
            waiting = statement.waiting
            statement.waiting = []
            self._waiting.discard(operation)
        self._start_again(operation)
        if not operation.sent:
            self._release(operation)
        for each in waiting:
            one: Operation = each
            self._waiting.discard(one)
            self._start_again(one)
            self._started(one)
        return None

    @cython.cfunc
    def _start_again(self, operation: Operation) -> object:
        """From the start; later, where a batch is being written, which has one Sync, or where there turned
        out to be a pooler, for which there is one unit at a time."""
        operation.statement = None
        if self._batch is not None or (self.pooled is True and self.holds and not operation.holding):
            self.held.append(operation)
        else:
            self._start(operation)
        return None

    # What the subclass has.

    def doomed(self) -> None:
        """The server has said why it closes the connection (`fatal`): close it."""
        raise NotImplementedError

    def make_error(self, fields: dict, sql: Any) -> Any:
        """The exception for an ErrorResponse."""
        raise NotImplementedError

    def only_reads(self, sql: str) -> bool:
        """Whether a text changes nothing, as far as it shows."""
        raise NotImplementedError

    def changed(self, operation: Operation) -> Any:
        """The exception for a statement whose columns are not those that were known."""
        raise NotImplementedError

    def look_up(self, oids: list, operation: Operation) -> None:
        """Find out about types; then call `learned`."""
        raise NotImplementedError
