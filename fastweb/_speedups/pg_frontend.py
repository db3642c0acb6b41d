"""What a connection writes: the frontend's messages, and the statements that they name.

A statement has a name on the server where no pooler is between, and is found by its SQL text; what the server
has said of a text (`Description`) is kept for all connections of the pool. Those that were used least lately
are closed with what is written next.

Messages are put into `out`, and go to the transport when the loop's turn is over, or at once where the server
has nothing to do. Their layouts are quoted where they are made
(https://www.postgresql.org/docs/current/protocol-message-formats.html).

**Busy polling.** A server beside us answers a select by key within some 30 microseconds, and a core that has
gone to sleep needs as long again to wake up. So whoever asks the next thing as soon as he has an answer stays
awake for a moment (`busy_poll`): a callback in each turn of the loop, which so looks for what has come
without sleeping, for all that it serves. Where no answer comes in time, the server is slow, far or busy, and
the next write is slept after; where that happens again, the next two, and so on up to some hundreds. A single
question now and then, such as a request's, is slept after, too: awake for each of them, a server at half of
its load would use all of its core, and where processor time has a quota, stand still when that is used up.

PERF: selects by key through a pool, times the rate of one that sleeps: 1 task 2.5, 8 tasks 1.3, 64 1.04.
"""

from collections import deque
from time import perf_counter
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_operation import CLOSED, Description, Operation, Statement
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_wire import Output

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_messages import columns_of
else:
    from fastweb._speedups.pg_messages import columns_of

__all__ = ["Frontend"]

_CLOSED = cython.declare(cython.int, CLOSED)

#: Bytes of a COPY that are written at once, and those of a piece that is not copied for that.
_COPY_SIZE = cython.declare(cython.Py_ssize_t, 1 << 16)
_COPY_MOST = cython.declare(cython.Py_ssize_t, 1 << 20)
#: Characters of a SQL text beyond which it is not cached.
_LONG = cython.declare(cython.Py_ssize_t, 1 << 14)
#: How often the number of writes after which nobody stays awake is doubled at most.
_DOUBLINGS = cython.declare(cython.int, 9)


@cython.cclass
class Frontend:
    """The writing part of a session, and the state of all its parts.

    Arguments:
        loop: the event loop.
        registry: the types: `codec(oid)` gives a Codec, or None for a type that has to be looked up.
        descriptions: SQL text -> Description, of all connections of the pool.
        cache_size: statements that the connection keeps.
        max_message: bytes of a message of the server.
    """

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
        #: The registry's version that the statements were made by.
        self._types = registry.version
        self.out = Output()
        self.transport: Any = None
        #: Operations whose answers are to come, in the order in which they come.
        self.in_flight: Any = deque()
        #: Operations that were not written yet, since something has to end first; and how many such things.
        self.held: Any = deque()
        self.holds = 0
        #: "I" idle, "T" in a transaction, "E" in one that has failed.
        self.transaction_status = "I"
        self.parameters: dict = {}
        self.process_id = 0
        #: Operations are done in the order in which they are asked for, even what has to be described first.
        self.ordered = True
        #: Others use the connection, too: nothing of it may be cancelled.
        self.shared = False
        #: Why there will be no more answers.
        self.lost: Any = None
        #: Statements may have names: no pooler is between.
        self.named = False
        #: What is known of a pooler: None for nothing yet.
        self.pooled: Any = None
        #: A pool's slot: its `gone()` is called as the connection ends, and its `ready()`, where that is
        #: `watched`, when the server has answered an operation.
        self.owner: Any = None
        self.watched = False
        #: Called with the SQL of each operation.
        self.marker: Any = None
        #: SQL that travels before the next operation.
        self.reset_first: Any = None
        #: SQL that goes before the next operation, such as BEGIN: where it fails, that fails with it.
        self.first: list = []
        #: What of it has failed, such as a SAVEPOINT: there is nothing to go back to.
        self.failed_firsts: list = []
        #: The same, as operations that have been put and not been sent.
        self._firsts: list = []
        #: A FATAL error that the server sent before it closed the connection.
        self.fatal: Any = None
        #: The transport has more to write than it should.
        self.writing_paused = False
        #: Listeners that are to be called in the loop's next turn: whoever waits for an answer goes on later.
        self.untold = 0
        #: The loop's time when something came last.
        self.now = 0.0
        #: How many operations have been done.
        self.served = 0
        self.statements: dict = {}
        self._descriptions = descriptions
        self._cache_size = cache_size
        self._max_message = max_message
        #: How many names were given; how many statements were used; how often some were lost.
        self._names = 0
        self._used = 0
        self._losses = 0
        #: It was asked whether there is a pooler: by this operation; and characters that were asked with it.
        self._checked = False
        self._question: Any = None
        self._early = 0
        #: Names of statements that are to be closed with the next write.
        self._evicted: list = []
        #: A message that is not whole: its pieces, their bytes, and how many it takes.
        self._pieces: list = []
        self._pieces_size = 0
        self._wanted = 0
        #: Operations that have ended, while what has come is read.
        self._ended: list = []
        self._feeding = False
        #: A codec is at work, which must not ask anything here.
        self._encoding = False
        #: The end of the loop's turn will write.
        self._scheduled = False
        #: The loop's time of the last write.
        self._written = 0.0
        #: Seconds for which the loop is kept awake for an answer; 0: it is not.
        self.busy_poll = 0.0
        #: It is kept awake, until then, or until more than so many operations are done.
        self._polling = False
        self._poll_until = 0.0
        #: The time, in seconds: the loop's own counts milliseconds.
        self.clock: Any = perf_counter
        #: By it, when there was an answer last.
        self._answer_time = 0.0
        self._poll_served = 0
        #: For so many writes it is not; how often in a row that was for nothing.
        self._poll_rest = 0
        self._poll_misses = 0
        #: The batch that is being written.
        self._batch: Any = None
        #: Operations that wait for a description.
        self._waiting: set = set()
        #: Of the last ErrorResponse.
        self._fields: dict = {}
        #: It came before a BindComplete: nothing was executed.
        self._unbound = False
        #: The unit that an operation may still join: where it ends in `out`, and how many it has.
        self._joint_end = -1
        self._joint_size = 0
        #: Of the unit that the server is at: the operations that it has done; and whether it has failed.
        self.unit: list = []
        self._undone = False

    # When it is written.

    def write_later(self) -> None:
        """Write what is asked in this turn of the loop at its end, all of it together."""
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._flush_late)

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
            self._joint_end = -1
            self.write(self.out.take())
            if self.busy_poll > 0 and self.in_flight and not self._polling:
                self._begin_to_poll()

    @cython.cfunc
    def _begin_to_poll(self) -> object:
        now: cython.double = self.clock()
        if now - self._answer_time > self.busy_poll:
            return None
        if self._poll_rest:
            self._poll_rest -= 1
            return None
        self._polling = True
        self._poll_served = -1
        self.loop.call_soon(self._poll)
        return None

    def _poll(self) -> None:
        """Keep the loop awake for one more turn, as long as there is hope."""
        if self.in_flight:
            now: cython.double = self.clock()
            if self._poll_served != self.served:
                # The first turn, or there was an answer, and the next thing asked.
                if self._poll_served >= 0:
                    self._poll_misses = 0
                self._poll_served = self.served
                self._poll_until = now + self.busy_poll
            if now < self._poll_until:
                self.loop.call_soon(self._poll)
                return
            self._poll_rest = 1 << self._poll_misses
            if self._poll_misses < _DOUBLINGS:
                self._poll_misses += 1
        else:
            self._poll_misses = 0
        self._polling = False

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
        """The server has it no longer, or is to have it no longer. It keeps its name: a batch that is being
        written ends with the one that it has begun with."""
        if statement.parsed and statement.name and close:
            self._evicted.append(statement.name)
        statement.parsed = False
        statement.proven = False
        return None

    def forget_statements(self) -> None:
        """The server has none of them any more: DISCARD ALL, DEALLOCATE ALL."""
        self._evicted.clear()
        for statement in self.statements.values():
            self._unparse(statement, False)

    @cython.cfunc
    def _name(self, statement: Statement) -> object:
        """Give it a name where it may have one, for the Parse that follows."""
        statement.name = b""
        if self.named and statement.cached:
            self._names += 1
            statement.name = b"fastweb_%d" % self._names
            statement.parsed = True
        return None

    @cython.cfunc
    def _go_unnamed(self) -> object:
        self.pooled = True
        self.named = False
        self.forget_statements()
        return None

    # Descriptions.

    @cython.cfunc
    def _description(self, oids: tuple, raw: bytes, last: cython.bint) -> Description:
        """What was described, with codecs; None where a type has to be looked up first."""
        names: list = []
        types: list = []
        if raw:
            names, types = columns_of(raw, 0, len(raw))
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
    def _drop_statement(self, statement: Statement) -> object:
        """Nothing that was known of it counts any more, but for what is on its way by it."""
        self._unparse(statement, True)
        self._descriptions.pop(statement.sql, None)
        if self.statements.get(statement.sql) is statement:
            del self.statements[statement.sql]
        return None

    # Messages.

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
        """Parse: Byte1('P'), Int32, String the name, String the SQL, Int16 how many types, Int32 each."""
        out = self.out
        out.put_int8(80)
        at: cython.Py_ssize_t = out.size
        out.put_int32(0)
        out.put(statement.name)
        out.put_int8(0)
        out.put_cstring(statement.sql)
        out.put_uint16(len(oids))
        for oid in oids:
            out.put_uint32(oid)
        out.set_int32(at, out.size - at)
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_describe(self, statement: Statement) -> cython.bint:
        """Describe: Byte1('D'), Int32, Byte1('S'), String the name."""
        out = self.out
        out.put_int8(68)
        out.put_int32(len(statement.name) + 6)
        out.put_int8(83)
        out.put(statement.name)
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
        if len(values) != count:
            raise self.wrong_count(statement.sql, count, len(values))
        at: cython.Py_ssize_t = self._put_bind_head(portal, statement, description)
        if count:
            self._put_values(parameters, values)
        out.put(description.column_formats)
        out.set_int32(at, out.size - at)
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_bind_head(
        self, portal: bytes, statement: Statement, description: Description
    ) -> cython.Py_ssize_t:
        """What of a Bind stands before its values; where its length stands."""
        out = self.out
        out.put_int8(66)
        at: cython.Py_ssize_t = out.size
        out.put_int32(0)
        if portal:
            out.put(portal)
        out.put_int8(0)
        if statement.name:
            out.put(statement.name)
        out.put_int8(0)
        out.put(description.parameter_formats)
        out.put_uint16(len(description.parameters))
        return at

    @cython.cfunc
    @cython.exceptval(-1)
    def _put_values(self, parameters: tuple, values: tuple) -> cython.bint:
        """Of a Bind, as many values as there are parameters: Int32 the length of each or -1, Byten."""
        out = self.out
        begin: cython.Py_ssize_t
        i: cython.Py_ssize_t = 0
        self._encoding = True
        try:
            for i in range(len(parameters)):
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
        return True

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

    # COPY.

    @cython.ccall
    def write_copy(self, data: bytes) -> Any:
        """CopyData: Byte1('d'), Int32, Byten. `flush` writes it."""
        self.out.put_int8(100)
        self.out.put_int32(len(data) + 4)
        if len(data) > _COPY_MOST:
            self.flush()
            self.write(data)
        else:
            # PERF: a copy costs less than a write of its own for the head.
            self.out.put(data)
            if self.out.size > _COPY_SIZE:
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

    # What the subclass has.

    def write(self, data: bytes) -> None:
        """Send bytes."""
        raise NotImplementedError

    def wrong_count(self, sql: str, expected: int, got: int) -> Any:
        """The exception for a wrong number of arguments."""
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
