"""The sans-IO half of a PostgreSQL connection: operations in, messages out; messages in, answers out.

What follows a successful start (ReadyForQuery has come), in PostgreSQL's own names
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY). Every operation is a
unit of its own with a Sync, so that the failure of one is no other's; operations of many tasks stand behind
one another in `in_flight`, and the first of them is the one that the server's messages are for:

    use of a SQL text                   written                                       answered
    the first in this pool              Parse Describe Sync                           1 t T|n Z
                                        then as below
    the first on this connection        Parse Describe Bind Execute Sync              1 t T|n 2 D... C Z
    any other                           Bind Execute Sync                             2 D... C Z
    any, behind a pooler                as the first, with the unnamed statement

so all but the very first cost one round trip; that of it cannot be spared, since values are sent in the
binary formats of types that are not known before. What the server says of a text is kept for all connections
of a pool (`Description`); a Parse that names the types of the parameters, and a RowDescription that is
compared, tell when it is no longer so.

Which of an operation's messages are still to come is a set of bits (`Operation.wants`), in the order in which
they come; a message that is not the next of them is a `WireError`, and the end of the connection, as is every
length or count that does not fit.

A server's own plan may become void, `0A000 cached plan must not change result type`, and a pooler may hand
the connection to a server that has no such statement, `26000`: outside a transaction the operation is then
asked again, once, from the start.

**Poolers** (pgbouncer, in transaction mode) hand each unit to any server, so that named statements get lost
or meet others' of the same name. A pooler has to hand out cancel keys of its own, with a process id of its
own, so the id of BackendKeyData is compared with `pg_backend_pid()`, asked for in the connection's first
write, before the first name is used; where they differ only the unnamed statement is.
"""

from collections import deque
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_operation import (
    BATCH,
    CLOSE_PORTAL,
    COPY,
    FETCH_PORTAL,
    FIRST,
    OPEN_PORTAL,
    PREPARE,
    QUERY,
    SIMPLE,
    Description,
    Operation,
    Statement,
)
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_rows import RowSink
from fastweb._speedups.pg_wire import Output, WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_wire import int32_at, uint16_at, uint32_at
else:
    from fastweb._speedups.pg_wire import int32_at, uint16_at, uint32_at

__all__ = ["BaseSession", "TextSink", "error_fields"]

_QUERY = cython.declare(cython.int, QUERY)
_SIMPLE = cython.declare(cython.int, SIMPLE)
_BATCH = cython.declare(cython.int, BATCH)
_PREPARE = cython.declare(cython.int, PREPARE)
_OPEN_PORTAL = cython.declare(cython.int, OPEN_PORTAL)
_FETCH_PORTAL = cython.declare(cython.int, FETCH_PORTAL)
_CLOSE_PORTAL = cython.declare(cython.int, CLOSE_PORTAL)
_COPY = cython.declare(cython.int, COPY)
_FIRST = cython.declare(cython.int, FIRST)

# What an operation waits for (`Operation.wants`), in the order in which it comes.
_CLOSED = cython.declare(cython.int, 1)
_PARSED = cython.declare(cython.int, 2)
_PARAMETERS = cython.declare(cython.int, 4)
_COLUMNS = cython.declare(cython.int, 8)
_BOUND = cython.declare(cython.int, 16)
_ROWS = cython.declare(cython.int, 32)
#: Of a Query: anything but the end; rows; data of a COPY.
_RESULTS = cython.declare(cython.int, 64)
_TEXT_ROWS = cython.declare(cython.int, 128)
_COPY_IN = cython.declare(cython.int, 256)
_COPY_OUT = cython.declare(cython.int, 512)

_SYNC = b"S\x00\x00\x00\x04"
#: Execute: Byte1('E'), Int32, String the portal, Int32 the most rows; then Sync.
_EXECUTE_ALL = b"E\x00\x00\x00\x09\x00\x00\x00\x00\x00"
_EXECUTE_ALL_SYNC = _EXECUTE_ALL + _SYNC
#: Bind: Byte1('B'), Int32, String the portal, String the statement, Int16 0 thrice: no formats, no values.
_BIND_NOTHING = b"B\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00"

#: Bytes of a batch that are written at once.
_BATCH_SIZE = cython.declare(cython.Py_ssize_t, 1 << 16)
#: Characters of a SQL text beyond which it is not cached.
_LONG = cython.declare(cython.Py_ssize_t, 1 << 14)
#: Columns that a row may have: MaxTupleAttributeNumber of PostgreSQL's source.
_MOST_COLUMNS = cython.declare(cython.int, 1664)
#: Times that statements may vanish before it is taken for a pooler's work.
_LOSSES = 3


@cython.cclass
class TextSink(RowSink):
    """The rows of a Query as tuples of str and None: its values come as text."""

    rows = cython.declare(list, visibility="readonly")

    def __init__(self) -> None:
        RowSink.__init__(self)
        self.rows = []

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        size: cython.Py_ssize_t
        if end - at < 2:
            raise WireError(f"a DataRow of {end - at} bytes")
        count: cython.Py_ssize_t = uint16_at(data, at)
        at += 2
        row: list = []
        for _ in range(count):
            if end - at < 4:
                raise WireError("a DataRow ends within a length")
            size = int32_at(data, at)
            at += 4
            if size == -1:
                row.append(None)
                continue
            if size < 0 or size > end - at:
                raise WireError(f"a value of {size} bytes in a DataRow that has {end - at} left")
            row.append(data[at : at + size].decode("utf-8", "replace"))
            at += size
        if at != end:
            raise WireError(f"{end - at} bytes after the last value of a DataRow")
        self.rows.append(tuple(row))
        self.count += 1
        return None

    @cython.ccall
    def finish(self) -> object:
        return self.rows


@cython.ccall
def error_fields(data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> dict:
    """The fields of an ErrorResponse or a NoticeResponse: Byte1 a letter, String; a zero at the end.

    Raises:
        WireError: it is not that.
    """
    fields: dict = {}
    stop: cython.Py_ssize_t
    while at < end:
        letter: cython.int = data[at]
        at += 1
        if letter == 0:
            if at != end:
                break
            return fields
        stop = data.find(b"\x00", at, end)
        if stop < 0:
            break
        fields[chr(letter)] = data[at:stop].decode("utf-8", "replace")
        at = stop + 1
    raise WireError("an ErrorResponse or NoticeResponse does not end where it should")


@cython.cclass
class BaseSession:
    """One connection's state.

    The subclass (`fastweb.postgres.protocol`) has the transport, and makes exceptions; its methods are at the
    end.

    Arguments:
        loop: the event loop.
        registry: the types: `codec(oid)` gives a Codec, or None for a type that has to be looked up.
        descriptions: SQL text -> Description, of all connections of the pool.
        cache_size: statements that the connection keeps.
        max_message: bytes of a message of the server.
    """

    loop = cython.declare(object, visibility="readonly")
    registry = cython.declare(object, visibility="readonly")
    out = cython.declare(Output, visibility="readonly")
    transport = cython.declare(object, visibility="public")
    #: Operations whose answers are to come, in the order in which they come.
    in_flight = cython.declare(object, visibility="readonly")
    #: Operations that were not written yet, since something has to end first.
    held = cython.declare(object, visibility="readonly")
    #: Reasons why they are held.
    holds = cython.declare(cython.int, visibility="readonly")
    #: "I" idle, "T" in a transaction, "E" in one that has failed.
    transaction_status = cython.declare(str, visibility="public")
    parameters = cython.declare(dict, visibility="readonly")
    process_id = cython.declare(cython.longlong, visibility="public")
    #: Operations are done in the order in which they are asked for, even what has to be described first.
    ordered = cython.declare(cython.bint, visibility="public")
    #: Others use the connection, too: nothing of it may be cancelled.
    shared = cython.declare(cython.bint, visibility="public")
    #: Why there will be no more answers.
    lost = cython.declare(object, visibility="public")
    #: Statements may have names: no pooler is between.
    named = cython.declare(cython.bint, visibility="public")
    #: What is known of a pooler: None for nothing yet.
    pooled = cython.declare(object, visibility="public")
    #: A pool's slot: its `gone()` is called as the connection ends, and its `ready()`, where that is
    #: `watched`, when the server has answered an operation.
    owner = cython.declare(object, visibility="public")
    watched = cython.declare(cython.bint, visibility="public")
    #: Called with the SQL of each operation.
    marker = cython.declare(object, visibility="public")
    #: SQL that travels before the next operation.
    reset_first = cython.declare(object, visibility="public")
    #: SQL that goes before the next operation, such as BEGIN: where it fails, the operation fails with it.
    first = cython.declare(list, visibility="readonly")
    #: The same, as operations that have been put and not been sent.
    _firsts: list
    #: A FATAL error that the server sent before it closed the connection.
    fatal = cython.declare(object, visibility="public")
    #: The transport has more to write than it should.
    writing_paused = cython.declare(cython.bint, visibility="public")
    #: The loop's time when something came last.
    now = cython.declare(cython.double, visibility="readonly")
    #: How many operations have been done.
    served = cython.declare(cython.longlong, visibility="readonly")
    statements = cython.declare(dict, visibility="readonly")
    _descriptions: dict
    _types: Any
    _cache_size: cython.Py_ssize_t
    _max_message: cython.Py_ssize_t
    _names: cython.longlong
    _used: cython.longlong
    _losses: cython.int
    _checked: cython.bint
    #: Names of statements that are to be closed with the next write.
    _evicted: list
    _pieces: list
    _pieces_size: cython.Py_ssize_t
    _wanted: cython.Py_ssize_t
    _ended: list
    _feeding: cython.bint
    _encoding: cython.bint
    _scheduled: cython.bint
    #: The loop's time of the last write.
    _written: cython.double
    _batch: Operation
    _batch_rows: Any
    _batch_count: cython.Py_ssize_t
    #: Operations that wait for a description.
    _waiting: set
    #: Of the last ErrorResponse.
    _fields: dict

    def __init__(
        self,
        loop: Any,
        registry: Any,
        descriptions: dict,
        cache_size: cython.Py_ssize_t = 256,
        max_message: cython.Py_ssize_t = 1 << 30,
    ) -> None:
        self.loop = loop
        self.registry = registry
        self._types = registry.version
        self.out = Output()
        self.transport: Any = None
        self.in_flight: Any = deque()
        self.held: Any = deque()
        self.holds = 0
        self.transaction_status = "I"
        self.parameters = {}
        self.process_id = 0
        self.ordered = True
        self.shared = False
        self.lost: Any = None
        self.named = False
        self.pooled: Any = None
        self.owner: Any = None
        self.watched = False
        self.marker: Any = None
        self.reset_first: Any = None
        self.first = []
        self._firsts = []
        self.fatal: Any = None
        self.writing_paused = False
        self.now = 0.0
        self.served = 0
        self.statements = {}
        self._descriptions = descriptions
        self._cache_size = cache_size
        self._max_message = max_message
        self._names = 0
        self._used = 0
        self._losses = 0
        self._checked = False
        self._evicted = []
        self._pieces = []
        self._pieces_size = 0
        self._wanted = 0
        self._ended = []
        self._feeding = False
        self._encoding = False
        self._scheduled = False
        self._written = 0.0
        self._batch = None
        self._batch_rows: Any = None
        self._batch_count = 0
        self._waiting = set()
        self._fields = {}

    # Operations in.

    @cython.ccall
    def query(self, sql: str, args: tuple, sink: Any = None, result_of: Any = None) -> Operation:
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
            operation.settle(None, self.lost_error(operation))
            return
        if self.marker is not None and not operation.internal:
            self.marker(operation.sql)
        if not self._checked:
            self._check()
        if self.reset_first is not None and not operation.internal:
            self._reset()
        if self.first and not operation.internal:
            operation.firsts = list(self.first)
            self.first.clear()
        if (self.holds or self.held) and not operation.internal:
            self.held.append(operation)
            return
        self._start(operation)
        self._write_soon()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked that was not answered."""
        return self.holds == 0 and not (self.in_flight or self.held or self._waiting)

    @property
    def described_first(self) -> set:
        """Those of them that wait until their text is described: always the same set."""
        return self._waiting

    def reset(self) -> None:
        """Write what forgets the state that was left behind, although nobody asks anything."""
        if self.reset_first is not None and self.lost is None:
            self._reset()
            self._write_soon()

    def write_later(self) -> None:
        """Write what is asked in this turn of the loop at its end, all of it together."""
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._flush_late)

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
        self._start(asked)
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

    @cython.cfunc
    def _write_soon(self) -> object:
        """Write at once what is the first for an idle server, else at the end of the turn."""
        if self._feeding or self._scheduled or self.out.size == 0:
            return None
        self._scheduled = True
        if len(self.in_flight) <= 1:
            self.flush()
        # What else is asked in this turn goes out together.
        self.loop.call_soon(self._flush_late)
        return None

    def _flush_late(self) -> None:
        self._scheduled = False
        if self.out.size:
            self.flush()

    @cython.ccall
    def flush(self) -> Any:
        """Write what is to be written."""
        if self.out.size and self.lost is None:
            now: cython.double = self.loop.time()
            if self.in_flight:
                head: Operation = self.in_flight[0]
                if head.started > self._written:
                    # The server has it from now on; the loop may have been busy since it was asked.
                    head.started = now
            self._written = now
            self.write(self.out.take())

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

    # Statements.

    @cython.cfunc
    def _forget_types(self) -> object:
        """A codec that statements have may be another now: describe them anew."""
        self._types = self.registry.version
        self._descriptions.clear()
        known: list = list(self.statements.values())
        for each in known:
            old: Statement = each
            if not old.describing:
                self.forget(old.sql)
        return None

    @cython.cfunc
    def _new_statement(self, sql: str) -> Statement:
        statement = Statement(sql)
        statement.description = self._descriptions.get(sql)
        if len(sql) > _LONG or self._cache_size == 0:
            statement.cached = False
            return statement
        if len(self.statements) >= self._cache_size:
            self._evict()
        self.statements[sql] = statement
        return statement

    @cython.cfunc
    def _evict(self) -> object:
        """Forget the statements that were used least lately: an eighth, so that the look is worth it."""
        found = []
        for each in self.statements.values():
            old: Statement = each
            if not old.describing:
                found.append((old.used, old.sql))
        found.sort()
        for _, sql in found[: max(1, self._cache_size // 8)]:
            self.forget(sql)
        return None

    @cython.ccall
    def forget(self, sql: str) -> Any:
        """Drop a statement; the server hears of it with the next write."""
        found = self.statements.pop(sql, None)
        if found is not None:
            statement: Statement = found
            self._unparse(statement, True)

    @cython.cfunc
    def _unparse(self, statement: Statement, close: cython.bint) -> object:
        """The server has it no longer, or is to have it no longer."""
        if statement.parsed and statement.name and close:
            self._evicted.append(statement.name)
        statement.parsed = False
        statement.proven = False
        statement.name = b""
        return None

    def forget_statements(self) -> None:
        """The server has none of them any more: DISCARD ALL, DEALLOCATE ALL."""
        self._evicted.clear()
        for statement in self.statements.values():
            self._unparse(statement, False)

    @cython.cfunc
    def _name(self, statement: Statement) -> object:
        """Give it a name where it may have one, for the Parse that follows."""
        if self.named and statement.cached:
            self._names += 1
            statement.name = b"fastweb_%d" % self._names
            statement.parsed = True
        return None

    # Messages out.

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_closes(self, operation: Operation) -> cython.int:
        """Close, of what was evicted: Byte1('C'), Int32, Byte1('S'), String."""
        if not self._evicted:
            return 0
        out = self.out
        for each in self._evicted:
            name: bytes = each
            out.put_int8(67)
            out.put_int32(len(name) + 6)
            out.put_int8(83)
            out.put(name)
            out.put_int8(0)
        operation.closes = len(self._evicted)
        self._evicted = []
        return _CLOSED

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_parse(self, statement: Statement, oids: tuple) -> cython.bint:
        """Parse: Byte1('P'), Int32, String the name, String the SQL, Int16 how many types, Int32 each;
        Describe: Byte1('D'), Int32, Byte1('S'), String the name."""
        out = self.out
        name: bytes = statement.name
        out.put_int8(80)
        at: cython.Py_ssize_t = out.size
        out.put_int32(0)
        out.put(name)
        out.put_int8(0)
        out.put_cstring(statement.sql)
        out.put_uint16(len(oids))
        for oid in oids:
            out.put_uint32(oid)
        out.set_int32(at, out.size - at)
        out.put_int8(68)
        out.put_int32(len(name) + 6)
        out.put_int8(83)
        out.put(name)
        out.put_int8(0)
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_bind(
        self, portal: bytes, statement: Statement, description: Description, args: Any
    ) -> cython.bint:
        """Bind: Byte1('B'), Int32, String the portal, String the statement, the formats of the parameters,
        Int16 their count, Int32 the length of each or -1, Byten; the formats of the columns."""
        out = self.out
        values: tuple = args if type(args) is tuple else self.row_of(args)
        parameters: tuple = description.parameters
        count: cython.Py_ssize_t = len(parameters)
        at: cython.Py_ssize_t
        begin: cython.Py_ssize_t
        i: cython.Py_ssize_t = 0
        if len(values) != count:
            raise self.wrong_count(statement.sql, count, len(values))
        out.put_int8(66)
        at = out.size
        out.put_int32(0)
        if portal:
            out.put(portal)
        out.put_int8(0)
        if statement.name:
            out.put(statement.name)
        out.put_int8(0)
        out.put(description.parameter_formats)
        out.put_uint16(count)
        if count:
            self._encoding = True
            try:
                for i in range(count):
                    value = values[i]
                    if value is None:
                        out.put_int32(-1)
                        continue
                    begin = out.size
                    out.put_int32(0)
                    codec: Codec = parameters[i]
                    codec.encode(out, value)
                    out.set_int32(begin, out.size - begin - 4)
            except Exception as error:
                raise self.wrong_argument(error, i, parameters[i], values[i]) from error
            finally:
                self._encoding = False
        out.put(description.column_formats)
        out.set_int32(at, out.size - at)
        return True

    @cython.cfunc
    def _describe(self, operation: Operation) -> object:
        """Parse Describe Sync, as a step of its own."""
        statement: Statement = operation.statement
        start: cython.Py_ssize_t = self.out.size
        self._unparse(statement, True)
        evicted = self._evicted
        self._name(statement)
        try:
            if operation.kind == _QUERY and len(operation.args) > 65535:
                # The server would count them modulo 65536, and say so.
                raise self.too_many(len(operation.args))
            self._put_first(operation)
            operation.wants = self._put_closes(operation) | _PARSED | _PARAMETERS | _COLUMNS
            self._put_parse(statement, ())
            self.out.put(_SYNC)
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
        wants: cython.int = _BOUND | _ROWS
        evicted = self._evicted
        rows: Any = None
        if kind == _PREPARE:
            self._send_first(operation, None)
            self._settle(operation, statement, None)
            return None
        self._used += 1
        statement.used = self._used
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
            if kind == _QUERY:
                self._put_bind(b"", statement, description, operation.args)
                out.put(_EXECUTE_ALL_SYNC)
            elif kind == _BATCH:
                rows = iter(operation.args)
            else:
                self._put_bind(operation.portal, statement, description, operation.args)
                self._put_execute(operation)
                out.put(_SYNC)
        except Exception as error:
            out.truncate(start)
            self._evicted = evicted
            if parse:
                self._unparse(statement, False)
            self._send_first(operation, None)
            self._settle(operation, None, error)
            return None
        operation.columns = description.columns
        operation.wants = wants
        self._sent(operation)
        if kind == _BATCH:
            self._hold(operation)
            self._batch = operation
            self._batch_rows = rows
            self._batch_count = 0
            self.feed_batch()
        return None

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_execute(self, operation: Operation) -> cython.bint:
        """Execute: Byte1('E'), Int32, String the portal, Int32 the most rows, 0 for all."""
        out = self.out
        out.put_int8(69)
        out.put_int32(len(operation.portal) + 9)
        out.put(operation.portal)
        out.put_int8(0)
        out.put_int32(operation.limit)
        return True

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
        self.out.put(_SYNC)
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
        return None

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
            out.put(_EXECUTE_ALL)
            self._firsts.append(one)
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
        if begins.startswith("BEGIN"):
            if self.held:
                held: Operation = self.held[0]
                held.firsts = undone + (held.firsts or [])
            else:
                self.first[:0] = undone
        return None

    # Batches: one Sync, so that all of it is done or nothing.

    @cython.ccall
    def feed_batch(self) -> Any:
        """Write more of a batch, as long as the transport takes it."""
        operation: Operation = self._batch
        if operation is None or self.writing_paused:
            return
        out = self.out
        statement: Statement = operation.statement
        start: cython.Py_ssize_t
        limit: cython.Py_ssize_t = out.size + _BATCH_SIZE
        while operation.failure is None:
            start = out.size
            if operation.dropped:
                self._spoil(operation, TimeoutError("nobody waits for the batch"))
                break
            try:
                args = next(self._batch_rows)
            except StopIteration:
                break
            except BaseException as error:
                self._spoil(operation, error)
                break
            try:
                self._put_bind(b"", statement, statement.description, args)
                out.put(_EXECUTE_ALL)
                self._batch_count += 1
            except Exception as error:
                out.truncate(start)
                error.add_note(f"in row {self._batch_count + 1} of the arguments")
                self._spoil(operation, error)
                break
            operation.pending += 1
            if out.size >= limit:
                # The rest when the loop has looked at the others.
                self._write_soon()
                self.loop.call_soon(self._feed_batch_late)
                return
        out.put(_SYNC)
        self._batch = None
        self._batch_rows = None
        if operation.pending == 0 and operation.failure is None:
            operation.wants &= ~(_BOUND | _ROWS)
        self._release(operation)
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

    # COPY.

    @cython.ccall
    def write_copy(self, data: bytes) -> Any:
        """CopyData: Byte1('d'), Int32, Byten. `flush` writes it."""
        self.out.put_int8(100)
        self.out.put_int32(len(data) + 4)
        if len(data) > _BATCH_SIZE:
            self.flush()
            self.write(data)
        else:
            self.out.put(data)
            if self.out.size > _BATCH_SIZE:
                self.flush()

    @cython.ccall
    def end_copy(self, failure: Any = None) -> Any:
        """CopyDone: Byte1('c'), Int32; or CopyFail: Byte1('f'), Int32, String why."""
        if failure is None:
            self.out.put(b"c\x00\x00\x00\x04")
        else:
            words: bytes = str(failure).replace("\x00", "").encode("utf-8", "replace")[:1000]
            self.out.put_int8(102)
            self.out.put_int32(len(words) + 5)
            self.out.put(words)
            self.out.put_int8(0)
        self.flush()

    # Messages in.

    def data_received(self, data: bytes) -> None:
        """The transport's callback."""
        try:
            self.feed(data)
        except WireError as error:
            self.broken(error)
        except BaseException as error:
            # A mistake of ours, or no memory: nobody knows where in the stream this is.
            self.broken(error)
            raise

    @cython.ccall
    def feed(self, data: bytes) -> Any:
        """Take bytes of the server.

        Raises:
            WireError: they break the protocol. The connection cannot be used any more.
        """
        at: cython.Py_ssize_t
        if self._pieces_size:
            # Pieces of a message are put together once, when the last has come.
            self._pieces.append(data)
            self._pieces_size += len(data)
            if self._pieces_size < self._wanted:
                return
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._pieces_size = 0
        self.now = self.loop.time()
        self._feeding = True
        try:
            at = self._read(data)
            if at < len(data):
                if at:
                    data = data[at:]
                self._pieces.append(data)
                self._pieces_size = len(data)
        finally:
            self._wake()
            self._feeding = False
        self.flush()

    @cython.cfunc
    def _wake(self) -> object:
        """Let all go on whose answers have come; what they ask is written together."""
        ended: list = self._ended
        while ended:
            self._ended = []
            at: cython.Py_ssize_t = 0
            try:
                for each in ended:
                    at += 1
                    operation: Operation = each
                    operation.wake(True)
            except BaseException:
                # The loop is about to stop, KeyboardInterrupt say: the others are to be told all the same.
                for each in [*ended[at:], *self._ended]:
                    operation = each
                    operation.wake(False)
                raise
            ended = self._ended
        return None

    @cython.cfunc
    @cython.exceptval(-1)
    def _read(self, data: bytes) -> cython.Py_ssize_t:
        """Read messages; where the first begins that is not whole."""
        at: cython.Py_ssize_t = 0
        size: cython.Py_ssize_t
        end: cython.Py_ssize_t = len(data)
        stop: cython.Py_ssize_t
        kind: cython.int
        operation: Operation
        while end - at >= 5:
            if self.lost is not None:
                return end
            kind = data[at]
            size = int32_at(data, at + 1)
            if size < 4 or size > self._max_message:
                raise WireError(f"a message {chr(kind)!r} says that it is {size} bytes long")
            stop = at + 1 + size
            if stop > end:
                self._wanted = size + 1
                return at
            if kind == 68:  # DataRow
                operation = self._head(kind)
                if operation.wants != _ROWS and operation.wants != _RESULTS | _TEXT_ROWS:
                    raise self._unexpected(kind)
                at = self._read_rows(operation, data, at, stop, end)
                continue
            at += 5
            if kind == 90:  # ReadyForQuery
                self._ready(data, at, stop)
            elif kind == 50:  # BindComplete
                operation = self._next(kind, _BOUND)
                if stop != at:
                    raise WireError("a BindComplete with a body")
                self._bound(operation)
            elif kind == 67:  # CommandComplete
                self._complete(data, at, stop)
            else:
                self._read_rare(kind, data, at, stop)
            at = stop
        self._wanted = 5
        return at

    @cython.cfunc
    def _head(self, kind: cython.int) -> Operation:
        """The operation that a message is for."""
        if not self.in_flight:
            raise WireError(f"a message {chr(kind)!r} where nothing was asked")
        operation: Operation = self.in_flight[0]
        return operation

    @cython.cfunc
    def _next(self, kind: cython.int, bit: cython.int) -> Operation:
        """The same, where this message is the next that it waits for: which it does no longer."""
        operation: Operation = self._head(kind)
        if not operation.wants & bit or operation.wants & (bit - 1):
            raise self._unexpected(kind)
        operation.wants ^= bit
        return operation

    @cython.cfunc
    def _unexpected(self, kind: cython.int) -> Any:
        return WireError(f"a message {chr(kind)!r} that is not the next in its order")

    @cython.cfunc
    def _bound(self, operation: Operation) -> object:
        """Rows are to come."""
        if operation.sink is not None and operation.columns is not None and not operation.stale:
            try:
                operation.sink.begin(operation.columns)
            except Exception as error:
                self._fail_sink(operation, error)
        return None

    @cython.cfunc
    @cython.exceptval(-1)
    def _read_rows(
        self,
        operation: Operation,
        data: bytes,
        at: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        """Hand rows over, all that are there; where they end."""
        if operation.columns is None and operation.wants == _ROWS:
            raise WireError("a DataRow of a statement that has no rows")
        if operation.sink is not None and not operation.stale:
            try:
                return operation.sink.add_all(data, at, end)
            except WireError:
                raise
            except Exception as error:
                self._fail_sink(operation, error)
        return stop

    @cython.cfunc
    def _fail_sink(self, operation: Operation, error: Any) -> object:
        """What was to be made of the rows cannot be: the rest of them is dropped."""
        operation.sink = None
        if operation.failure is None:
            operation.failure = error
        return None

    @cython.cfunc
    def _complete(self, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> object:
        """CommandComplete: String, the tag."""
        operation: Operation = self._head(67)
        if stop - at < 1 or data[stop - 1] != 0:
            raise WireError("a CommandComplete with no tag")
        if operation.wants == _ROWS:
            operation.wants = 0
            if operation.kind == _BATCH:
                self._batch_step(operation)
            elif operation.kind == _FIRST:
                self.in_flight.popleft()
        elif operation.wants & _RESULTS:
            operation.wants = _RESULTS
            if operation.firsts:
                del operation.firsts[0]
        else:
            raise self._unexpected(67)
        tag: bytes = data[at : stop - 1]
        operation.tag = tag
        # DISCARD ALL, DEALLOCATE ...
        if tag[:1] == b"D" and (tag == b"DISCARD ALL" or tag[:10] == b"DEALLOCATE"):
            self.forget_statements()
        return None

    @cython.cfunc
    def _batch_step(self, operation: Operation) -> object:
        """A row of a batch is done."""
        operation.pending -= 1
        if operation.pending < 0:
            raise WireError("a CommandComplete too many")
        if operation.pending or self._batch is operation or operation.failure is not None:
            operation.wants = _BOUND | _ROWS
        return None

    @cython.cfunc
    def _read_rare(
        self, kind: cython.int, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t
    ) -> object:
        operation: Operation
        if kind == 49:  # ParseComplete
            operation = self._next(kind, _PARSED)
            self._no_body(kind, at, stop)
        elif kind == 116:  # ParameterDescription
            operation = self._next(kind, _PARAMETERS)
            oids = _oids_of(data, at, stop)
            if operation.describing:
                operation.statement.oids = oids
        elif kind == 84:  # RowDescription
            operation = self._head(kind)
            if operation.wants == _RESULTS:
                operation.wants = _RESULTS | _TEXT_ROWS
                self._begin_text(operation, data, at, stop)
            else:
                self._next(kind, _COLUMNS)
                self._described(operation, data, at, stop)
        elif kind == 110:  # NoData
            operation = self._next(kind, _COLUMNS)
            self._no_body(kind, at, stop)
            self._described(operation, data, at, at)
        elif kind == 51:  # CloseComplete
            operation = self._head(kind)
            if not operation.wants & _CLOSED:
                raise self._unexpected(kind)
            self._no_body(kind, at, stop)
            operation.closes -= 1
            if operation.closes == 0:
                operation.wants ^= _CLOSED
        elif kind == 115:  # PortalSuspended
            operation = self._next(kind, _ROWS)
            self._no_body(kind, at, stop)
            if operation.limit == 0 or operation.kind == _BATCH:
                raise self._unexpected(kind)
            operation.suspended = True
        elif kind == 73:  # EmptyQueryResponse
            operation = self._head(kind)
            self._no_body(kind, at, stop)
            if operation.wants == _ROWS:
                operation.wants = 0
                if operation.kind == _BATCH:
                    self._batch_step(operation)
            elif operation.wants != _RESULTS:
                raise self._unexpected(kind)
        elif kind == 69:  # ErrorResponse
            self._failed(error_fields(data, at, stop))
        elif kind == 78:  # NoticeResponse
            self.noticed(error_fields(data, at, stop))
        elif kind == 83:  # ParameterStatus: String the name, String the value
            strings = data[at:stop].split(b"\x00")
            if len(strings) != 3 or strings[2]:
                raise WireError("a ParameterStatus that is not two strings")
            name = strings[0].decode("utf-8", "replace")
            self.parameters[name] = strings[1].decode("utf-8", "replace")
            self.parameter_changed(name)
        elif kind == 65:  # NotificationResponse: Int32 the process, String the channel, String the payload
            if stop - at < 4:
                raise WireError("a NotificationResponse with no process id")
            strings = data[at + 4 : stop].split(b"\x00")
            if len(strings) != 3 or strings[2]:
                raise WireError("a NotificationResponse that is not two strings")
            channel = strings[0].decode("utf-8", "replace")
            self.notified(int32_at(data, at), channel, strings[1].decode("utf-8", "replace"))
        else:
            self._read_copy(kind, data, at, stop)
        return None

    @cython.cfunc
    def _no_body(self, kind: cython.int, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> object:
        if at != stop:
            raise WireError(f"a message {chr(kind)!r} with a body of {stop - at} bytes")
        return None

    @cython.cfunc
    def _read_copy(
        self, kind: cython.int, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t
    ) -> object:
        operation: Operation = self._head(kind)
        if kind == 71 or kind == 72:
            # CopyInResponse, CopyOutResponse: Int8 the format, Int16 how many, Int16 each
            if operation.wants != _RESULTS:
                raise self._unexpected(kind)
            if stop - at < 3 or stop - at != 3 + 2 * uint16_at(data, at + 1):
                raise WireError("a CopyInResponse or CopyOutResponse that is not as long as it says")
            operation.wants |= _COPY_IN if kind == 71 else _COPY_OUT
            if operation.kind == _COPY and operation.on_copy is not None and not operation.dropped:
                operation.on_copy(operation)
            elif kind == 71:
                self.end_copy("COPY FROM STDIN takes data: use copy_in")
        elif kind == 100:  # CopyData
            if not operation.wants & _COPY_OUT:
                raise self._unexpected(kind)
            if operation.sink is not None:
                try:
                    operation.sink.add(data, at, stop)
                except WireError:
                    raise
                except Exception as error:
                    self._fail_sink(operation, error)
        elif kind == 99:  # CopyDone
            if not operation.wants & _COPY_OUT:
                raise self._unexpected(kind)
            self._no_body(kind, at, stop)
            operation.wants = _RESULTS
        else:
            raise WireError(f"a message {chr(kind)!r}, of which nothing is known here")
        return None

    @cython.cfunc
    def _begin_text(
        self, operation: Operation, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t
    ) -> object:
        """Rows of a Query."""
        names, _oids = _columns_of(data, at, stop)
        if operation.sink is not None:
            text = self.text_codec()
            try:
                operation.sink.begin(Columns(tuple(names), (text,) * len(names)))
            except Exception as error:
                self._fail_sink(operation, error)
        return None

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
                _columns_of(raw, 0, len(raw))
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
    def _description(self, oids: tuple, raw: bytes, last: cython.bint) -> Description:
        """What was described, with codecs; None where a type has to be looked up first."""
        names: list = []
        types: list = []
        if raw:
            names, types = _columns_of(raw, 0, len(raw))
        parameters = []
        codecs = []
        for oid in oids:
            codec = self.registry.codec(oid)
            if codec is None and not last:
                return None
            parameters.append(self.text_codec() if codec is None else codec)
        for oid in types:
            codec = self.registry.codec(oid)
            if codec is None and not last:
                return None
            codecs.append(self.text_codec() if codec is None else codec)
        columns = Columns(tuple(names), tuple(codecs)) if raw else None
        return Description(oids, tuple(parameters), columns, raw)

    @cython.cfunc
    def _keep(self, statement: Statement) -> object:
        """Let the pool's other connections know what was described."""
        if statement.cached:
            if len(self._descriptions) >= 4 * self._cache_size:
                # The oldest. They are few that know of so many.
                self._descriptions.pop(next(iter(self._descriptions)), None)
            self._descriptions[statement.sql] = statement.description
        return None

    @cython.cfunc
    def _learn(self, operation: Operation, last: cython.bint) -> object:
        """Make a description of what has come, and go on."""
        statement: Statement = operation.statement
        description = self._description(statement.oids, statement.row_description, last or operation.internal)
        if description is None:
            oids = set(statement.oids)
            if statement.row_description:
                oids.update(_columns_of(statement.row_description, 0, len(statement.row_description))[1])
            unknown = [oid for oid in oids if self.registry.codec(oid) is None]
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
        for each in waiting:
            one: Operation = each
            self._waiting.discard(one)
            one.describing = False
            one.sent = False
            if one.dropped:
                self._send_first(one, None)
                self.drained(one)
            elif fields is None:
                one.statement = statement
                self._start(one)
            else:
                self._send_first(one, None)
                self._settle(one, None, self.make_error(fields, one.sql))
            self._release(one)
        return None

    @cython.cfunc
    def _ready(self, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> object:
        """ReadyForQuery: Byte1, the state of the transaction."""
        if stop - at != 1:
            raise WireError(f"a ReadyForQuery with a body of {stop - at} bytes")
        status: cython.int = data[at]
        if status == 73:
            self.transaction_status = "I"
        elif status == 84:
            self.transaction_status = "T"
        elif status == 69:
            self.transaction_status = "E"
        else:
            raise WireError(f"a ReadyForQuery that says {chr(status)!r}")
        operation: Operation = self._head(90)
        if operation.wants and operation.wants != _RESULTS:
            raise self._unexpected(90)
        self.in_flight.popleft()
        self.served += 1
        if self.in_flight:
            head: Operation = self.in_flight[0]
            head.started = self.now
        self._end(operation)
        if self.watched:
            self.owner.ready()
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
        if operation.holding:
            self._release(operation)
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
        self._settle(operation, value, error)
        return None

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

    @cython.cfunc
    def _failed(self, fields: dict) -> object:
        """ErrorResponse: what is behind it in the unit is skipped."""
        operation: Operation
        if fields.get("V", fields.get("S")) in ("FATAL", "PANIC"):
            # The server closes the connection, or should.
            self.fatal = self.make_error(fields, None)
            if self.in_flight:
                operation = self.in_flight.popleft()
                self._settle(operation, None, self.make_error(fields, operation.sql))
            self.doomed()
            return None
        if not self.in_flight:
            raise WireError("an ErrorResponse where nothing was asked")
        operation = self.in_flight[0]
        sql: object = operation.sql
        undone: list = []
        while operation.kind == _FIRST and operation.firsts is None:
            # What it was to go before is skipped.
            undone.append(operation.sql)
            self.in_flight.popleft()
            operation = self._head(69)
        if undone:
            sql = undone[0]
            self._first_failed(undone)
        statement: Statement = operation.statement
        if operation.failure is None:
            operation.failure = self.make_error(fields, sql)
            self._fields = fields
        if statement is not None and operation.wants & _PARSED and statement.parsed:
            self._unparse(statement, False)
        operation.wants = 0
        operation.closes = 0
        return None

    @cython.cfunc
    def _drop_statement(self, statement: Statement) -> object:
        """Nothing that was known of it counts any more."""
        self._unparse(statement, True)
        statement.description = None
        self._descriptions.pop(statement.sql, None)
        if self.statements.get(statement.sql) is statement:
            del self.statements[statement.sql]
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
        elif operation.stale:
            # Only what changes nothing can be asked twice.
            again = error is not None or operation.tag[:6] == b"SELECT"
            self._drop_statement(statement)
        elif not statement.proven and not operation.describing and code is not None:
            again = code[:2] in ("42", "08") or code == "22P03"
            self._drop_statement(statement)
        if operation.kind == _BATCH and not isinstance(operation.args, (list, tuple)):
            return False
        return again and not operation.retried and self.transaction_status == "I"

    @cython.cfunc
    def _ask_again(self, operation: Operation) -> object:
        operation.retried = True
        operation.failure = None
        operation.stale = False
        operation.sent = False
        operation.tag = b""
        operation.pending = 0
        statement: Statement = operation.statement
        waiting: list = []
        if operation.describing:
            operation.describing = False
            statement.describing = False
            waiting = statement.waiting
            statement.waiting = []
            self._waiting.discard(operation)
        operation.statement = None
        self._start(operation)
        for each in waiting:
            one: Operation = each
            self._waiting.discard(one)
            one.statement = None
            self._start(one)
            self._release(one)
        return None

    @cython.cfunc
    def _go_unnamed(self) -> object:
        self.pooled = True
        self.named = False
        self.forget_statements()
        return None

    # The end.

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
        found = [*self.in_flight, *self._waiting, *self.held]
        self.in_flight.clear()
        self._waiting.clear()
        self.held.clear()
        self.holds = 0
        self.first.clear()
        self._batch = None
        self._batch_rows = None
        self._pieces.clear()
        self._pieces_size = 0
        self.out.truncate(0)
        for operation in found:
            if operation.settle(None, self.lost_error(operation)):
                operation.wake(False)

    # What the subclass has.

    def broken(self, error: Any) -> None:
        """What came breaks the protocol: close the connection."""
        raise NotImplementedError

    def doomed(self) -> None:
        """The server has said why it closes the connection (`fatal`): close it."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send bytes."""
        raise NotImplementedError

    def make_error(self, fields: dict, sql: Any) -> Any:
        """The exception for an ErrorResponse."""
        raise NotImplementedError

    def lost_error(self, operation: Operation) -> Any:
        """The exception for an operation that gets no answer."""
        raise NotImplementedError

    def changed(self, operation: Operation) -> Any:
        """The exception for a statement whose columns are not those that were known."""
        raise NotImplementedError

    def wrong_count(self, sql: str, expected: int, got: int) -> Any:
        """The exception for a wrong number of arguments."""
        raise NotImplementedError

    def too_many(self, got: int) -> Any:
        """The exception for arguments that are more than a Bind can count."""
        raise NotImplementedError

    def row_of(self, args: Any) -> tuple:
        """A row of a BATCH that is no tuple, as one; or a TypeError."""
        return tuple(args)

    def wrong_argument(self, error: Any, place: int, codec: Codec, value: Any) -> Any:
        """The exception for an argument that its codec refuses."""
        raise NotImplementedError

    def text_codec(self) -> Codec:
        """The codec of a type of which nothing is known: str."""
        raise NotImplementedError

    def look_up(self, oids: list, operation: Operation) -> None:
        """Find out about types; then call `learned`."""
        raise NotImplementedError

    def noticed(self, fields: dict) -> None:
        """A NoticeResponse."""
        raise NotImplementedError

    def notified(self, process_id: int, channel: str, payload: str) -> None:
        """A NotificationResponse."""
        raise NotImplementedError

    def parameter_changed(self, name: str) -> None:
        """A ParameterStatus: `parameters` has it."""
        raise NotImplementedError

    def abandoned(self, operation: Operation) -> None:
        """An operation was dropped whose answer is to come."""
        raise NotImplementedError

    def drained(self, operation: Operation) -> None:
        """The answer to an operation that was dropped has come."""
        raise NotImplementedError


@cython.cfunc
def _oids_of(data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> tuple:
    """ParameterDescription: Int16 how many, Int32 each."""
    if stop - at < 2 or stop - at != 2 + 4 * uint16_at(data, at):
        raise WireError("a ParameterDescription that is not as long as it says")
    return tuple([uint32_at(data, i) for i in range(at + 2, stop, 4)])


@cython.cfunc
def _columns_of(data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> tuple:
    """RowDescription: Int16 how many; for each String the name, Int32 the table, Int16 the number in it,
    Int32 the type, Int16 its size, Int32 its modifier, Int16 the format. Names and types."""
    end: cython.Py_ssize_t
    if stop - at < 2:
        raise WireError("a RowDescription with no count")
    count: cython.Py_ssize_t = uint16_at(data, at)
    if count > _MOST_COLUMNS:
        raise WireError(f"a RowDescription of {count} columns")
    at += 2
    names: list = []
    oids: list = []
    for _ in range(count):
        end = data.find(b"\x00", at, stop)
        if end < 0 or stop - end < 19:
            raise WireError("a RowDescription that ends within a column")
        if uint16_at(data, end + 17) > 1:
            raise WireError("a RowDescription with a format that there is not")
        names.append(data[at:end].decode("utf-8", "replace"))
        oids.append(uint32_at(data, end + 7))
        at = end + 19
    if at != stop:
        raise WireError("a RowDescription that goes on after its last column")
    return names, oids
