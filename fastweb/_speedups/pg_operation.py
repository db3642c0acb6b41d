"""One thing asked of a PostgreSQL server, and the wait for its answer.

An `Operation` is what `Connection.fetch` and its like return: it has been sent, or will be at the end of
the loop's turn, and `await` gives its answer. It is a future as far as a Task is concerned
(`_asyncio_future_blocking`; None until somebody waits, so that nobody else takes it for one) and a coroutine
as far as `asyncio.create_task` and `gather` are.

PERF: an asyncio.Future schedules the Task that waits for it, which then runs in the loop's next turn, after
another look at all sockets; what it asks next is one more write. An Operation steps its Task at once, at the
end of the callback that brought the answer, and what all the Tasks stepped there ask is one write.

Whoever no longer waits, cancelled or out of time, gets his exception at once; the answer is still read, and
dropped.

What has failed for nobody, since it was not awaited, is told to the loop's exception handler where the
operation ends, as asyncio does: by an `Untold`, which only such a one has.
"""

import asyncio
import struct
import sys
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_rows import RowSink

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.fastweb._speedups.arrival import is_idle
else:
    from fastweb._speedups.arrival import is_idle

__all__ = [
    "BATCH",
    "CLOSE_PORTAL",
    "COPY",
    "FETCH_PORTAL",
    "FIRST",
    "OPEN_PORTAL",
    "PREPARE",
    "QUERY",
    "SIMPLE",
    "Description",
    "Operation",
    "Statement",
]

# Kinds of operations.
#: Parse and Describe where needed, Bind, Execute.
QUERY = 0
#: Query: one or more statements without parameters; rows come as text.
SIMPLE = 1
#: One Bind and Execute for each of many tuples of arguments, with one Sync.
BATCH = 2
#: Parse and Describe alone.
PREPARE = 3
#: Bind to a portal that has a name, and Execute for its first rows.
OPEN_PORTAL = 4
#: Execute for more rows.
FETCH_PORTAL = 5
CLOSE_PORTAL = 6
#: Query, for a COPY from or to the client.
COPY = 7
#: What goes before another's, `BaseSession.first`: Parse, Bind and Execute with no Sync; or a Query.
FIRST = 8

# What an operation waits for (`Operation.wants`), in the order in which it comes.
CLOSED = 1
PARSED = 2
PARAMETERS = 4
COLUMNS = 8
BOUND = 16
ROWS = 32
#: Of a Query: anything but the end; rows; data of a COPY.
RESULTS = 64
TEXT_ROWS = 128
COPY_IN = 256
COPY_OUT = 512

_CancelledError = asyncio.CancelledError
_InvalidStateError = asyncio.InvalidStateError

_pack_formats: Any = struct.pack


def formats(codecs: tuple) -> bytes:
    """The format codes of a Bind: Int16 their count, Int16 each; one for all where all are the same."""
    codes = [codec.format for codec in codecs]
    if not any(codes):
        return b"\x00\x00"
    if all(codes):
        return b"\x00\x01\x00\x01"
    return _pack_formats(f"!H{len(codes)}h", len(codes), *codes)  # type: ignore[no-any-return]


@cython.cfunc
def _text_of(sql: Any) -> str:
    """A str of a subclass of it, whatever that makes of `str()`."""
    if isinstance(sql, str):
        return "".join((sql,))
    raise TypeError(f"expected SQL as a str, got {sql!r:.100}")


@cython.final
@cython.cclass
class Description:
    """What the server has said of a SQL text: the same for all connections to a database.

    Arguments:
        oids: the types of the parameters.
        parameters: the codec of each.
        columns: of its rows; None where it has none.
        row_description: the body of the RowDescription, by which a change is found; empty for NoData.
    """

    def __init__(self, oids: tuple, parameters: tuple, columns: Any, row_description: bytes) -> None:
        self.oids = oids
        self.parameters = parameters
        self.columns = columns
        self.row_description = row_description
        self.parameter_formats = formats(parameters)
        self.column_formats = formats(columns.codecs) if columns is not None else b"\x00\x00"


@cython.final
@cython.cclass
class Statement:
    """A SQL text on one connection."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        #: Its name on the server; empty for the unnamed one, which is parsed each time.
        self.name = b""
        self.description: Any = None
        #: The server has it under its name, or is about to: the Parse has been written.
        self.parsed = False
        #: This connection's server has described it; else the description is from another.
        self.proven = False
        #: It is being described.
        self.describing = False
        #: It stands in the connection's cache, and may have a name.
        self.cached = True
        #: Operations that wait until it is described.
        self.waiting: list = []
        #: Of a description, as it comes.
        self.oids: tuple = ()
        self.row_description = b""
        #: When it was used last, in operations.
        self.used = 0
        #: Above 0 it is known to be quick; else it has to be so often, and once more, before it is.
        self.pace = 0
        # Of batches (`fastweb._speedups.pg_batch`):
        #: Of a group's statement: the description of the row's that it was made by.
        self.base: Any = None
        #: How many rows went alone, and the loop's time until which all do.
        self.alone_rows = 0
        self.alone_until = 0.0


@cython.final
@cython.cclass
class Untold:
    """An error that nobody has got yet: whoever drops this without `told` has it reported.

    Arguments:
        loop: the event loop.
        sql: what has failed.
        error: with what.
    """

    def __init__(self, loop: Any, sql: str, error: Any) -> None:
        self.told = False
        self._loop = loop
        self._sql = sql
        self._error = error

    def __del__(self) -> None:
        if not self.told and not sys.is_finalizing():
            self._loop.call_exception_handler(
                {
                    "message": f"a statement has failed, and nobody has awaited it: {self._sql}",
                    "exception": self._error,
                }
            )


@cython.cclass
class Operation:
    """See above. `await` it for its answer.

    Arguments:
        session: the connection's (`fastweb._speedups.pg_session.BaseSession`).
        kind: QUERY and so on.
        sql: the SQL text; a TypeError where it is none.
        args: the arguments: a tuple; of a BATCH an iterable of tuples.
        sink: takes the rows; None for nobody.
        result_of: makes the answer of the operation; None for what the sink makes, or without one the tag.
    """

    def __init__(
        self,
        session: Any,
        kind: cython.int,
        sql: Any,
        args: Any = (),
        sink: RowSink = None,
        result_of: Any = None,
    ) -> None:
        self._asyncio_future_blocking: Any = None
        self.session = session
        self.kind = kind
        self.sql = sql if type(sql) is str else _text_of(sql)
        self.args = args
        self.sink = sink
        self.result_of = result_of
        #: Called with the operation when the server is ready for COPY.
        self.on_copy: Any = None
        self.portal = b""
        #: The most rows that an Execute gives, 0 for all.
        self.limit = 0
        #: Nobody's but the connection's own.
        self.internal = False
        #: It changes nothing, and waits for no lock of others: it may share a Sync with its like.
        self.plain_read = False
        #: The next one in flight belongs to the same unit: no Sync stands between them.
        self.joined = False
        #: Its unit has failed for another's fault: it has a Sync of its own from now on. Of a BATCH: its rows
        #: go alone.
        self.alone = False
        self.statement: Any = None
        self.columns: Any = None
        self.wants = 0
        self.closes = 0
        #: Its text was described for it: nothing that is known of it is old.
        self.fresh = False
        #: Whether its arguments were refused, and it is asked anew for that.
        self.refused = False
        #: It is at its first step, the description.
        self.describing = False
        #: Others wait for it to go on.
        self.holding = False
        #: Where it fails, the connection is of no use any more.
        self.critical = False
        #: Executes of a BATCH that are not done yet; of a FIRST amid them, how many are before it.
        self.pending = 0
        self.retried = False
        #: SQL that goes before it; of a FIRST that is a Query what of it is not done yet.
        self.firsts: Any = None
        #: Of a FIRST: the operation that waits for it; of a BATCH: a FIRST that is answered amid its rows.
        self.follower: Any = None
        self.stale = False
        #: There are more rows than `limit`.
        self.suspended = False
        self.sent = False
        #: Nobody waits any more: the answer is drained.
        self.dropped = False
        #: What it will fail with when its ReadyForQuery has come.
        self.failure: Any = None
        self.tag = b""
        #: The loop's time when it came to the head of the queue.
        self.started = 0.0
        self._value: Any = None
        self._error: Any = None
        self._untold: Any = None
        #: Somebody has got its error.
        self.got = False
        self._done = False
        self._cancelled = False
        self._words: Any = None
        self._callback: Any = None
        self._context: Any = None
        self._callbacks: Any = None
        self.timer: Any = None

    def __repr__(self) -> str:
        state = "cancelled" if self._cancelled else "done" if self._done else "pending"
        return f"<Operation {self.sql!r} {state}>"

    # Awaiting: PEP 492's iterator, PEP 342's coroutine.

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self._done:
            self._asyncio_future_blocking = None
            if self._cancelled:
                raise self._cancellation()
            if self._error is not None:
                self._tell()
                raise self._error
            raise StopIteration(self._value)
        if self._asyncio_future_blocking is True:
            # A Task would have noted that it waits. `for row in pool.fetch(…)` would go on for ever.
            self._asyncio_future_blocking = None
            raise RuntimeError(f"an answer is awaited, and not iterated over: await it: {self.sql}")
        self._asyncio_future_blocking = True
        return self

    def send(self, value: Any) -> Any:
        return self.__next__()

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        error = value if value is not None else kind
        if isinstance(error, type):
            error = error()
        if not self._done:
            self._drop(error)
        self._tell()
        raise error

    def close(self) -> None:
        """Nobody waits for it any more."""
        if not self._done:
            self._drop(GeneratorExit())
        self._tell()

    # asyncio's futures, as far as Tasks and `asyncio.wrap_future`'s like use them.

    def get_loop(self) -> Any:
        return self.session.loop

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        if self._done:
            self.session.loop.call_soon(callback, self, context=context)
        elif self._callback is None:
            self._callback = callback
            self._context = context
        else:
            if self._callbacks is None:
                self._callbacks = []
            self._callbacks.append((callback, context))

    def remove_done_callback(self, callback: Any) -> int:
        found = 0
        if self._callback is not None and self._callback == callback:
            self._callback = None
            found = 1
        if self._callbacks is not None:
            kept = [each for each in self._callbacks if each[0] != callback]
            found += len(self._callbacks) - len(kept)
            self._callbacks = kept
        return found

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self, msg: Any = None) -> bool:
        """Wait for it no longer. The answer is drained; a CancelRequest goes out where nobody else shares the
        connection."""
        if self._done:
            return False
        self._cancelled = True
        self._words = msg
        self._drop(None)
        self.wake(False)
        return True

    def exception(self) -> Any:
        if self._cancelled:
            raise self._cancellation()
        if not self._done:
            raise _InvalidStateError("Exception is not set.")
        self._tell()
        return self._error

    def result(self) -> Any:
        if self._cancelled:
            raise self._cancellation()
        if not self._done:
            raise _InvalidStateError("Result is not set.")
        if self._error is not None:
            self._tell()
            raise self._error
        return self._value

    @cython.cfunc
    def _tell(self) -> Any:
        """Somebody has got its error."""
        self.got = True
        untold: Untold = self._untold
        if untold is not None:
            untold.told = True
            self._untold = None

    @cython.cfunc
    def _cancellation(self) -> Any:
        return _CancelledError() if self._words is None else _CancelledError(self._words)

    @cython.cfunc
    def _drop(self, error: Any) -> Any:
        self._done = True
        self._error = error
        self._stop_timer()
        self.session.abandon(self)

    @cython.cfunc
    def _stop_timer(self) -> Any:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    # The session's side.

    def expire(self, error: Any) -> None:
        """Its time is over."""
        self.timer = None
        if not self._done:
            self._drop(error)
            self.wake(False)

    @cython.ccall
    @cython.exceptval(-1)
    def settle(self, value: Any, error: Any) -> cython.bint:
        """Give it its answer, or what it failed with; whoever waits has to be woken.

        Returns:
            Whether anybody may wait.
        """
        if self._done:
            return False
        self._done = True
        self._value = value
        if error is not None:
            self._error = error
            if self._callback is None and not self.internal:
                self._untold = Untold(self.session.loop, self.sql, error)
        if self.timer is not None:
            self._stop_timer()
        return True

    @cython.ccall
    def wake(self, at_once: cython.bint) -> Any:
        """Let the Task go on: now, where no other runs, or in the loop's next turn."""
        callback = self._callback
        context = self._context
        if callback is None:
            return
        self._callback = None
        self._context = None
        loop = self.session.loop
        if at_once and context is not None and is_idle(loop):
            if cython.compiled:
                capi.PyContext_Enter(context)
                try:
                    callback(self)
                finally:
                    capi.PyContext_Exit(context)
            else:
                context.run(callback, self)
        else:
            loop.call_soon(callback, self, context=context)
        if self._callbacks is not None:
            for callback, context in self._callbacks:
                loop.call_soon(callback, self, context=context)
            self._callbacks = None


if cython.compiled:
    # The names are pg_operation.pxd's.
    capi.set_send(
        cython.cast(cython.pointer(PyTypeObject), Operation),  # type: ignore[name-defined] # noqa: F821
        answer_of,  # type: ignore[name-defined] # noqa: F821
    )
