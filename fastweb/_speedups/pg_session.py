"""The sans-IO half of a PostgreSQL connection: operations in, messages out; messages in, answers out.

What follows a successful start (ReadyForQuery has come), in PostgreSQL's own names
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY). An operation is a
unit of its own with a Sync, so that the failure of one is no other's; operations of many tasks stand behind
one another in `in_flight`, and the first of them is the one that the server's messages are for:

    use of a SQL text                   written                                       answered
    the first in this pool              Parse Describe Sync                           1 t T|n Z
                                        then as below
    the first on this connection        Parse Describe Bind Execute Sync              1 t T|n 2 D... C Z
    any other                           Bind Execute Sync                             2 D... C Z
    any, behind a pooler                as the first, with the unnamed statement

so all but the very first cost one round trip; that of it cannot be spared, since values are sent in the
binary formats of types that are not known before.

    plain reads of a pool, in one turn  Bind Execute Bind Execute ... Sync            2 D... C 2 D... C ... Z

**Units of several.** A Sync costs the server a transaction's end, a flush and a wake-up of its client, more
than a select by key does. So plain reads share one, as many as 16 and half of what is in flight, so that both
sides always have something to do. Where one of them fails, the server skips those behind it and undoes those
before it; they are asked again, each alone: a failure is nobody else's, here too. Whoever is first has his
answer no sooner than the last, which is why only those are taken that are known to be quick.

PERF: 64 tasks on one connection, a select by key each: 2.1 times the rate with a Sync each.

Which of an operation's messages are still to come is a set of bits (`Operation.wants`), in the order in which
they come; a message that is not the next of them is a `WireError`, and the end of the connection, as is every
length or count that does not fit. What becomes of operations then: `fastweb._speedups.pg_outcome`.

**Poolers** (pgbouncer, in transaction mode) hand each unit to any server, so that named statements get lost
or meet others' of the same name. A pooler has to hand out cancel keys of its own, with a process id of its
own, so the id of BackendKeyData is compared with `pg_backend_pid()`, asked for in the connection's first
write, before the first name is used; where they differ only the unnamed statement is.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_operation import (
    BATCH,
    BOUND,
    CLOSED,
    COLUMNS,
    COPY,
    COPY_IN,
    COPY_OUT,
    FIRST,
    PARAMETERS,
    PARSED,
    RESULTS,
    ROWS,
    TEXT_ROWS,
    Operation,
)
from fastweb._speedups.pg_outcome import Outcomes
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_wire import WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_messages import columns_of, error_fields, oids_of
    from cython.cimports.fastweb._speedups.pg_wire import int32_at, uint16_at
else:
    from fastweb._speedups.pg_messages import columns_of, error_fields, oids_of
    from fastweb._speedups.pg_wire import int32_at, uint16_at

__all__ = ["BaseSession"]

_BATCH = cython.declare(cython.int, BATCH)
_COPY = cython.declare(cython.int, COPY)
_FIRST = cython.declare(cython.int, FIRST)

_CLOSED = cython.declare(cython.int, CLOSED)
_PARSED = cython.declare(cython.int, PARSED)
_PARAMETERS = cython.declare(cython.int, PARAMETERS)
_COLUMNS = cython.declare(cython.int, COLUMNS)
_BOUND = cython.declare(cython.int, BOUND)
_ROWS = cython.declare(cython.int, ROWS)
_RESULTS = cython.declare(cython.int, RESULTS)
_TEXT_ROWS = cython.declare(cython.int, TEXT_ROWS)
_COPY_IN = cython.declare(cython.int, COPY_IN)
_COPY_OUT = cython.declare(cython.int, COPY_OUT)


@cython.cclass
class BaseSession(Outcomes):
    """One connection's state, and the reading of what comes.

    The subclass (`fastweb.postgres.protocol`) has the transport, and makes exceptions: the methods at the end
    of this class and of those above it.

    Arguments:
        loop: the event loop.
        registry: the types: `codec(oid)` gives a Codec, or None for a type that has to be looked up.
        descriptions: SQL text -> Description, of all connections of the pool.
        cache_size: statements that the connection keeps.
        max_message: bytes of a message of the server.
    """

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
        if self.busy_poll > 0 and not self._polling:
            self._answer_time = self.clock()
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
                    operation.wake(self.untold == 0)
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
            if size > self._max_message:
                raise WireError(
                    f"a message {chr(kind)!r} of {size} bytes, which is more than message_size allows"
                    f" ({self._max_message})"
                )
            if size < 4:
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
            if kind == 100:  # CopyData
                at = self._read_copied(data, at, stop, end)
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
    def _next(self, kind: cython.int, bit: cython.int) -> Operation:
        """The same, where this message is the next that it waits for: which it does no longer."""
        operation: Operation = self._head(kind)
        if not operation.wants & bit or operation.wants & (bit - 1):
            raise self._unexpected(kind)
        operation.wants ^= bit
        return operation

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
        if operation.columns is None and operation.wants == _ROWS and not operation.stale:
            raise WireError("a DataRow of a statement that has no rows")
        if operation.stale:
            return stop
        if operation.kind == _COPY:
            # Its sink takes none, and would be asked for ever.
            self._fail_sink(operation, ValueError("there are rows beside what COPY gives: give it alone"))
            return stop
        return self._hand_over(operation, data, at, stop, end)

    @cython.cfunc
    @cython.exceptval(-1)
    def _read_copied(
        self, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t, end: cython.Py_ssize_t
    ) -> cython.Py_ssize_t:
        """The same of what COPY sends; where it is nobody's who has asked for that, it is dropped."""
        operation: Operation = self._head(100)
        if not operation.wants & _COPY_OUT:
            raise self._unexpected(100)
        if operation.kind != _COPY:
            return stop
        return self._hand_over(operation, data, at, stop, end)

    @cython.cfunc
    @cython.exceptval(-1)
    def _hand_over(
        self,
        operation: Operation,
        data: bytes,
        at: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        """Give an operation's sink all messages of its kind that are there; where they end. Where it has
        none any more, the first of them is dropped, which ends at `stop`."""
        if operation.sink is not None:
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
            if operation.joined:
                self._step(operation)
            elif operation.kind == _BATCH:
                self._batch_step(operation)
            elif operation.kind == _FIRST:
                self.in_flight.popleft()
                self.drained(operation)
                if operation.sink is not None:
                    self._answered(operation)
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
    def _step(self, operation: Operation) -> object:
        """One of a unit of several is done; it has its answer when all are."""
        self.in_flight.popleft()
        self.unit.append(operation)
        head: Operation = self.in_flight[0]
        head.started = operation.started
        return None

    @cython.cfunc
    def _read_rare(
        self, kind: cython.int, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t
    ) -> object:
        operation: Operation
        if kind == 49:  # ParseComplete
            operation = self._next(kind, _PARSED)
            self._no_body(kind, at, stop)
            if operation.kind == _FIRST and operation.wants == 0:
                # A group's, amid a batch.
                self.in_flight.popleft()
        elif kind == 116:  # ParameterDescription
            operation = self._next(kind, _PARAMETERS)
            oids = oids_of(data, at, stop)
            if operation.describing:
                operation.statement.oids = oids
        elif kind == 84:  # RowDescription
            operation = self._head(kind)
            if operation.wants == _RESULTS:
                operation.wants = _RESULTS | _TEXT_ROWS
                self._begin_text(operation, data, at, stop)
            else:
                self._next(kind, _COLUMNS)
                if at == stop:
                    # It would be taken for NoData.
                    raise WireError("a RowDescription with no count")
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
                if operation.joined:
                    self._step(operation)
                elif operation.kind == _BATCH:
                    self._batch_step(operation)
                elif operation.kind == _FIRST:
                    raise self._unexpected(kind)
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
                begin: Any = operation.on_copy
                # Another one behind it gets no data.
                operation.on_copy = None
                if operation.failure is None and (kind == 71) == (operation.sink is None):
                    begin(operation)
                else:
                    self._wrong_way(operation, kind == 71)
            elif kind == 71:
                self.end_copy("COPY FROM STDIN takes data: use copy_in")
        elif kind == 99:  # CopyDone
            if not operation.wants & _COPY_OUT:
                raise self._unexpected(kind)
            self._no_body(kind, at, stop)
            operation.wants = _RESULTS
        else:
            raise WireError(f"a message {chr(kind)!r}, of which nothing is known here")
        return None

    @cython.cfunc
    def _wrong_way(self, operation: Operation, takes: cython.bint) -> object:
        """A COPY to whom asked for one from, or the reverse."""
        method = "copy_out is of COPY … TO STDOUT" if takes else "copy_in is of COPY … FROM STDIN"
        self._fail_sink(operation, ValueError(f"{method}: {operation.sql}"))
        if takes:
            self.end_copy(method)
        return None

    @cython.cfunc
    def _begin_text(
        self, operation: Operation, data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t
    ) -> object:
        """Rows of a Query."""
        names, _oids = columns_of(data, at, stop)
        if operation.sink is not None:
            text = self.text_codec()
            try:
                operation.sink.begin(Columns(tuple(names), (text,) * len(names)))
            except Exception as error:
                self._fail_sink(operation, error)
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
        if operation.plain_read and operation.statement is not None and not operation.describing:
            self._pace(operation)
        if self.unit or operation.joined:
            self._end_unit(operation)
        else:
            self._end(operation)
        if self.in_flight:
            head: Operation = self.in_flight[0]
            head.started = self.now
        if self.watched:
            self.owner.ready()
        return None

    # What the subclass has.

    def broken(self, error: Any) -> None:
        """What came breaks the protocol: close the connection."""
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
