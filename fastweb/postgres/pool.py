"""The pool: connections of one process and one event loop, opened as they are needed, shared where that harms
nobody.

    pool = PgPool("postgresql://user@host/database", 1, 10)
    row = await pool.fetch_one("SELECT name FROM users WHERE id = $1", 7)
    async with pool.acquire() as connection: ...

**Who gets which connection.** What a SQL text is (`statements.kind_of`) decides:

    a plain read     shares one. It goes behind the reads that are on their way, in one write with what else
    is
                     asked in this turn of the loop; not behind a statement that the server has been at for
                     more than 5 ms, and not behind too many
    anything else    has one to itself until the server has answered, and so has whoever acquires one

**Who waits.** Reads and owners, which is what the others are called here, wait in two lines, each first come
first served; a connection that becomes free goes to whoever has waited longest. An owner for whom there is
none with nothing on its way has one *reserved*: it takes no more reads. The pool grows as long as somebody
waits. It has no locks and no task of its own, but those that open connections: what happens follows from what
the server answers (`Slot.ready`), in the same turn.

**What ends.** A connection is found dead when it ends, or by who uses it; nothing is asked to find out.
Statements that wait in a line get another; those that were sent are lost with it, since nobody knows whether
they were done. Where nothing can be opened, attempts go on with growing delays, one at a time, and who waits
gets the reason when his time is over.

**Forks and loops.** A child never touches its parent's connections: it begins with none. On another event
loop the pool begins anew, too, unless the loop that it was used on is running.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import random
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, overload

from fastweb._speedups.pg_operation import BATCH, QUERY, SIMPLE, Operation
from fastweb._speedups.pg_record import Record
from fastweb._speedups.pg_rows import class_sink, json_sink, one_sink, records_sink, value_sink
from fastweb.concurrency import never_blocks
from fastweb.postgres.backoff import Backoff
from fastweb.postgres.connection import Answer, Connection, Shared, connect_with
from fastweb.postgres.conninfo import resolve
from fastweb.postgres.errors import ConnectionLostError, InterfaceError, PoolClosedError, PoolTimeoutError
from fastweb.postgres.handle import Handle
from fastweb.postgres.leases import Lease, PooledConnection
from fastweb.postgres.lines import Line, Waiter
from fastweb.postgres.pipeline import Pipeline
from fastweb.postgres.pool_transaction import PoolTransaction
from fastweb.postgres.retry import Retry, retrying, run_again
from fastweb.postgres.slots import Slot
from fastweb.postgres.statements import Kind, kind_of
from fastweb.postgres.statistics import PoolStatistics
from fastweb.postgres.types import TypeRegistry
from fastweb.resources import resources

__all__ = ["PgPool"]

logger = logging.getLogger("fastweb.postgres")

T = TypeVar("T")
P = ParamSpec("P")

#: Seconds that the server may be at a statement before nothing is sent behind it any more.
LONG: Final = 0.005
#: Reads on their way on a connection before another one is taken, or opened.
ENOUGH: Final = 64
#: The most of them.
MOST: Final = 256
#: Seconds after which something that was left in a session is reset although nobody has come who takes the
#: reset along: locks and temporary tables are not to wait for that.
SOILED: Final = 0.1

#: The running loop, or None.
_running_loop = asyncio._get_running_loop
#: On it nothing may be asked.
_NOWHERE: Final = object()
_READ = Kind.READ

_NEW, _OPEN, _CLOSING, _CLOSED = range(4)

#: In a child, what its parent's pools had: closing any of it would be felt by the parent, which shares the
#: sockets and what waits for them.
_of_parents: list[object] = []


class PgPool:
    """See above. It opens at its first use, with `open`, as a block (`async with pool`), or with the app.

    Arguments:
        dsn: a connection string of libpq, or None for the PG* variables and what is usual.
        min_size: connections that are kept open.
        max_size: the most that are open.
        max_idle: seconds without use after which a connection above `min_size` is closed.
        max_age: seconds after which a connection is replaced when it is free, a tenth more or less; None:
        never. acquire_timeout: seconds to wait for a connection; None: for ever.
        connect: opens a connection, for who wants to do it himself: `await connect(options, shared)`.
        setup: called, and awaited, with each connection that was opened, before it is used: what it sets
        belongs
            to the session for good only if RESET ALL leaves it, so settings belong into `server_settings`.
        keywords: fields of `fastweb.postgres.Options`, or libpq's keywords.

    Raises:
        ClientConfigurationError: the string or a keyword is wrong.
        ValueError: a size or a time is.
    """

    def __init__(
        self,
        dsn: str | None = None,
        min_size: int = 1,
        max_size: int = 10,
        *,
        max_idle: float | None = 300.0,
        max_age: float | None = 3600.0,
        acquire_timeout: float | None = 30.0,
        connect: Callable[..., Awaitable[Connection]] = connect_with,
        setup: Callable[[Connection], Awaitable[object]] | None = None,
        **keywords: Any,
    ) -> None:
        if min_size < 0 or max_size < 1 or min_size > max_size:
            raise ValueError(f"a pool needs 0 <= min_size <= max_size >= 1, not {min_size} and {max_size}")
        for name, seconds in (
            ("max_idle", max_idle),
            ("max_age", max_age),
            ("acquire_timeout", acquire_timeout),
        ):
            if seconds is not None and seconds < 0:
                raise ValueError(f"{name} must not be negative, not {seconds!r}")
        self.options = resolve(dsn, **keywords)
        self.min_size = min_size
        self.max_size = max_size
        self.max_idle = max_idle
        self.max_age = max_age
        self.acquire_timeout = acquire_timeout
        self._connect = connect
        self._setup = setup
        self._timeout = self.options.command_timeout
        #: The database's types: codecs of one's own are set there.
        self.types = TypeRegistry()
        self._state = _NEW
        self._count_nothing()
        self._begin_anew()
        resources.register(self)
        _pools.add(self)

    def _count_nothing(self) -> None:
        self._reads = self._statements = self._leases = 0
        self._waits = self._timeouts = 0
        self._wait_time = self._longest_wait = 0.0
        self._opened = self._ended = self._lost = self._connect_failures = 0
        self._rollbacks = self._resets = 0
        self._looked_at = (0.0, 0)

    def _begin_anew(self) -> None:
        """Forget all connections."""
        self._loop: Any = None
        #: The loop on which something may be asked at the moment.
        self._home: Any = _NOWHERE
        #: All that are open; and of them those that reads may go to, the first of them first.
        self._slots: list[Slot] = []
        self._free: list[Slot] = []
        self._reading = Line(None)
        self._owning = Line(None)
        self._opening: set[asyncio.Task[None]] = set()
        self._backoff = Backoff()
        self._failure: BaseException | None = None
        #: A connection was open once: the server is there, or will be again.
        self._was_open = False
        self._retry: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._reset: asyncio.TimerHandle | None = None
        self._all_done: Any = None
        self._shared = Shared(self.types)

    def __repr__(self) -> str:
        hosts = ", ".join(str(host) for host in self.options.hosts)
        state = ("not open yet", "open", "closing", "closed")[self._state]
        return f"<PgPool of {hosts}/{self.options.database}, {len(self._slots)} of {self.max_size}, {state}>"

    # Open and close

    async def open(self) -> PgPool:
        """Open `min_size` connections, one at least to see that it can be done.

        Raises:
            ConnectError, PostgresError: why it cannot.
        """
        if self._state == _CLOSED:
            self._state = _NEW
        self._enter()
        while len(self._slots) < max(1, self.min_size):
            if not self._opening:
                if self._failure is not None and self._retry is not None:
                    failure = self._failure
                    await self._close_all()
                    self._state = _NEW
                    raise _again(failure)
                self._start_opening(max(1, self.min_size) - len(self._slots))
            await asyncio.wait(self._opening, return_when=asyncio.FIRST_COMPLETED)
        return self

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as everywhere
        """Take no more questions, wait until all that were asked are answered and all connections given back,
        and close them.

        Arguments:
            timeout: seconds to wait; then the connections are closed all the same, and whoever uses one gets
            a
                ConnectionLostError.
        """
        if self._state == _NEW and self._loop is None:
            self._state = _CLOSED
            return
        if self._state == _CLOSED:
            return
        if self._loop is not _running_loop():
            self._leave_loop()
            self._state = _CLOSED
            return
        self._state = _CLOSING
        self._home = _NOWHERE
        self._watch(True)
        try:
            async with asyncio.timeout(timeout):
                while self._is_used:
                    if self._all_done is None:
                        self._all_done = asyncio.get_running_loop().create_future()
                    # From time to time: whoever ceases to wait says nothing.
                    await asyncio.wait((self._all_done,), timeout=0.5)
        except TimeoutError:
            if holders := self._holders():
                logger.warning("the pool was closed while connections were in use: %s", holders)
        finally:
            await self._close_all()

    async def _close_all(self) -> None:
        self._state = _CLOSED
        for timer in (self._retry, self._sweep, self._reset):
            if timer is not None:
                timer.cancel()
        closed = PoolClosedError("the pool was closed while you waited for a connection")
        self._reading.fail_all(closed)
        self._owning.fail_all(closed)
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        slots, self._slots, self._free = self._slots, [], []
        for slot in slots:
            slot.pool = None
            slot.discard()
        self._ended += len(slots)
        connections = [slot.connection.close(timeout=5.0) for slot in slots]
        await asyncio.gather(*opening, *connections, return_exceptions=True)
        self._begin_anew()
        resources.closed(self)

    async def open_with_app(self) -> None:
        """The app's start-up: `open` (`fastweb.resources`), but for a pool that keeps no connection open."""
        if self.min_size:
            await self.open()

    async def close_with_app(self) -> None:
        """The app's shut-down: `close`; the next use, or start-up, opens the pool again."""
        await self.close(10.0)
        self._state = _NEW

    async def __aenter__(self) -> PgPool:
        return await self.open()

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        return self._state >= _CLOSING

    # Statements

    @overload
    def fetch(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[list[Record]]: ...

    @overload
    def fetch(
        self, cls: type[T], sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[list[T]]: ...

    def fetch(
        self, sql: Any, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Any]:
        """All rows, as Records; or as objects of a class, where the first argument is one.

        Arguments:
            sql: one statement, with parameters as $1, $2 …
            args: their values.
            timeout: seconds for the answer, the wait for a connection included; None: `command_timeout`.
            share: whether it may share a connection with other reads, where its text does not tell (None):
            True
                of a function that only reads, False of a view that waits.

        Raises:
            PoolTimeoutError: no connection became free in time.
            PoolClosedError: the pool is closed.
            ConnectError: none could be opened.
            InterfaceError: it begins or ends a transaction, or is a COPY; or as below.
            Exception: as of `Connection.fetch`.
        """
        if isinstance(sql, str):
            operation = Operation(self._reading, QUERY, sql, args, records_sink())
        elif args and isinstance(args[0], str):
            operation = Operation(self._reading, QUERY, args[0], args[1:], class_sink(sql))
        else:
            raise _no_sql(sql)
        answer: Answer[Any] = self._ask(operation, timeout, share)
        return answer

    @overload
    def fetch_one(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Record | None]: ...

    @overload
    def fetch_one(
        self, cls: type[T], sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[T | None]: ...

    def fetch_one(
        self, sql: Any, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Any]:
        """The first row, None where there is none: as `fetch`."""
        if isinstance(sql, str):
            operation = Operation(self._reading, QUERY, sql, args, one_sink())
        elif args and isinstance(args[0], str):
            operation = Operation(self._reading, QUERY, args[0], args[1:], one_sink(sql))
        else:
            raise _no_sql(sql)
        answer: Answer[Any] = self._ask(operation, timeout, share)
        return answer

    def fetch_value(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Any]:
        """The first value of the first row, None where there is none: as `fetch`."""
        answer: Answer[Any] = self._ask(
            Operation(self._reading, QUERY, sql, args, value_sink()), timeout, share
        )
        return answer

    def fetch_json(
        self,
        sql: str,
        /,
        *args: Any,
        one: bool = False,
        timeout: float | None = None,
        share: bool | None = None,
    ) -> Answer[bytes]:
        """All rows as JSON text, a list of objects; with `one` the first, or `null`: as `fetch`."""
        answer: Answer[Any] = self._ask(
            Operation(self._reading, QUERY, sql, args, json_sink(one)), timeout, share
        )
        return answer

    def execute(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[str]:
        """Do it, and tell the command's tag, such as "UPDATE 3": as `fetch`. With no arguments it may be
        several statements."""
        kind = QUERY if args else SIMPLE
        answer: Answer[Any] = self._ask(Operation(self._reading, kind, sql, args), timeout, share)
        return answer

    def execute_many(
        self, sql: str, args: Iterable[Iterable[Any]], /, *, timeout: float | None = None
    ) -> Answer[None]:
        """Do a statement once for each of many tuples of arguments: all of it, or nothing."""
        answer: Answer[Any] = self._ask(
            Operation(self._reading, BATCH, sql, args, result_of=_none), timeout, False
        )
        return answer

    def exec(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Any]:
        """A `Result`: its rows, how many the statement has changed, and ways to ask for one."""
        from fastweb.postgres.results import Result, names_of

        def result(operation: Operation) -> Any:
            rows: Any = operation.sink.finish()
            return Result(rows, operation.tag.decode(), sql, names_of(operation.columns))

        answer: Answer[Any] = self._ask(
            Operation(self._reading, QUERY, sql, args, records_sink(), result), timeout, share
        )
        return answer

    def _ask(self, operation: Any, timeout: float | None, share: bool | None) -> Any:
        """Send an operation on a connection, or let it wait for one."""
        if _running_loop() is not self._home:
            self._enter()
        if share is None:
            kind = kind_of(operation.sql)
            if kind is _READ:
                share = True
            elif kind is Kind.TRANSACTION or kind is Kind.COPY:
                raise _refused(operation.sql, kind)
        if share:
            slot = None if self._reading.count else self._slot_for_read()
            if slot is not None:
                self._reads += 1
                session = slot.session
                operation.session = session
                session.submit(operation)
            else:
                self._wait(self._reading, operation)
        else:
            slot = self.take()
            if slot is not None:
                self._own(slot, operation)
            else:
                self._wait(self._owning, operation)
        if timeout is not None or self._timeout is not None:
            self._limit(operation, timeout)
        return operation

    def _limit(self, operation: Operation, timeout: float | None) -> None:
        if operation.done():
            return
        seconds = self._timeout if timeout is None else timeout
        error = TimeoutError(f"no answer in {seconds:g} s: {operation.sql}")
        operation.timer = self._loop.call_later(max(seconds or 0.0, 0.0), operation.expire, error)

    def _own(self, slot: Slot, operation: Operation) -> None:
        """Let a statement have a connection to itself."""
        self._statements += 1
        session = slot.session
        slot.hold(operation)
        slot.mark(operation.sql)
        session.watched = True
        operation.session = session
        session.submit(operation)
        if operation.done():
            # It could not be sent.
            slot.ready()

    def _slot_for_read(self) -> Slot | None:
        """The first connection with nothing to do, or little; else the one with the fewest reads on their
        way."""
        best: Slot | None = None
        least = MOST
        now = 0.0
        for slot in self._free:
            flight = slot.flight
            count = len(flight) + len(slot.coming)
            if not count:
                return slot
            if count < least:
                if not now:
                    now = self._loop.time()
                if not flight or now - flight[0].started < LONG:
                    if count < ENOUGH:
                        return slot
                    best = slot
                    least = count
        if len(self._slots) < self.max_size and not self._opening:
            self._start_opening(1)
        return best

    # Leases

    def acquire(self, *, timeout: float | None = None) -> Lease:
        """A connection for oneself: `async with pool.acquire() as connection`; or `await` it and `release`.

        Arguments:
            timeout: seconds to wait for one; None: `acquire_timeout`.

        Raises:
            PoolTimeoutError: none became free in time; says who holds them.
            PoolClosedError: the pool is closed.
            ConnectError: none could be opened.
        """
        return Lease(self, timeout)

    async def release(self, connection: Connection) -> None:
        """Give a connection back that was got by `await pool.acquire()`. A second time does nothing.

        Raises:
            InterfaceError: it is of no pool.
        """
        if not isinstance(connection, PooledConnection):
            raise InterfaceError("this connection is of no pool: close it")
        connection.lease.release()

    def take(self) -> Slot | None:
        """A connection with nothing to do, for its next holder."""
        if _running_loop() is not self._home:
            self._enter()
        if self._owning.count and self._owning.first() is not None:
            return None
        free = self._free
        for at in range(len(free) - 1, -1, -1):
            slot = free[at]
            if not slot.flight and slot.is_idle:
                del free[at]
                return slot
        return None

    async def wait_for_slot(self, timeout: float | None) -> Slot:  # noqa: ASYNC109 - as everywhere
        """Wait in line for one."""
        waiter = self._loop.create_future()
        self._wait(self._owning, waiter, self.acquire_timeout if timeout is None else timeout)
        try:
            slot: Slot = await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._owning.forget()
            elif waiter.exception() is None:
                self.give_back(waiter.result(), "")
            raise
        return slot

    def give_back(self, slot: Slot, what: str) -> None:
        """A holder does not need a connection any more."""
        if slot.pool is self and slot.leave(what or str(slot.holder)):
            self.freed(slot)

    def pipeline(self, *, atomic: bool = False) -> Pipeline:
        """Many statements in one write, on one connection: `async with pool.pipeline() as p` (see
        `fastweb.postgres.pipeline`)."""
        return Pipeline(self, atomic)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that its connections are on; None where it has none."""
        loop: asyncio.AbstractEventLoop | None = self._loop
        return loop

    @never_blocks
    def transaction(
        self, isolation: Any = None, *, timeout: float | None = None, **options: Any
    ) -> PoolTransaction:
        """A connection for oneself, and a transaction on it: `async with pool.transaction() as connection`.

        Arguments:
            isolation, options: isolation, read_only, deferrable: as of `Connection.transaction`.
            timeout: seconds to wait for the connection; None: `acquire_timeout`.

        Raises:
            Exception: as of `acquire` and `Connection.transaction`.
        """
        return PoolTransaction(Lease(self, timeout), isolation, options)

    async def run(
        self,
        function: Callable[[PooledConnection], Awaitable[T]],
        *,
        retry: int | Retry = 3,
        isolation: Any = None,
        **options: Any,
    ) -> T:
        """What a function returns that is called in a transaction, with its connection; all of it again where
        the server could not put it in order (40001, 40P01).

        Arguments:
            function: awaited once a run; what it does outside of the database it does again.
            retry: how often it is run again, or a `Retry`.
            isolation, options: as of `transaction`.

        Raises:
            Exception: what the last run has raised; a note tells how many there were.
        """
        return await run_again(lambda: self.transaction(isolation, **options), function, retry)

    def retrying(
        self, retry: int | Retry = 3, *, isolation: Any = None, **options: Any
    ) -> Callable[
        [Callable[Concatenate[PooledConnection, P], Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]
    ]:
        """A decorator that does what `run` does: the function gets the connection first, and is called
        without it."""
        decorate: Any = retrying(lambda: self.transaction(isolation, **options), retry)
        return decorate  # type: ignore[no-any-return]

    def get(self) -> Handle:
        """The pool as endpoints use it, `Depends(pool.get)`: awaited on the loop, blocking in a thread."""
        return Handle(self)

    # What waits

    def _wait(self, line: Line, what: Any, timeout: float | None = None) -> None:
        """Put an operation, or the future of a lease, in line."""
        if timeout is None:
            timeout = self.acquire_timeout
        if isinstance(what, Operation):
            what.session = line
        waiter = Waiter(what, self._loop.time())
        line.add(waiter)
        self._waits += 1
        if timeout is not None:
            waiter.timer = self._loop.call_later(timeout, self._too_late, line, waiter, timeout)
        self._watch(True)
        self._grow()
        if line is self._owning:
            self._reserve()

    def _too_late(self, line: Line, waiter: Waiter, timeout: float) -> None:
        waiter.timer = None
        if waiter.is_gone:
            return
        self._timeouts += 1
        if self._failure is not None and not self._slots:
            error = _again(self._failure)
        else:
            error = PoolTimeoutError(self._why_none(timeout))
        line.fail(waiter, error)

    def _why_none(self, timeout: float) -> str:
        now = self._loop.time()
        before = self._reading.count + self._owning.count - 1
        lines = [
            f"no connection of the pool became free in {timeout:g} s:"
            f" {len(self._slots)} of {self.max_size} are open"
            + (f", {len(self._opening)} are being opened" if self._opening else "")
            + (f", {before} others wait" if before > 0 else "")
        ]
        lines += [f"- {slot.described(now)}" for slot in self._slots[:20]]
        if len(self._slots) > 20:
            lines.append(f"- and {len(self._slots) - 20} more")
        if self._failure is not None:
            lines.append(f"- no other could be opened: {self._failure}")
        return "\n".join(lines)

    def _holders(self) -> str:
        now = self._loop.time()
        return "; ".join(
            slot.described(now) for slot in self._slots if not slot.is_idle or slot.holder is not None
        )

    @property
    def is_waited_for(self) -> bool:
        return bool(self._reading.count or self._owning.count)

    @property
    def is_watched(self) -> bool:
        """Whether a free connection has to tell what the server has answered."""
        return self._state == _CLOSING or self.is_waited_for

    def _watch(self, on: bool) -> None:
        """Have the free connections tell what the server has answered, as long as somebody waits."""
        for slot in self._free:
            slot.session.watched = on

    def _reserve(self) -> None:
        """Let some connections take no more reads, as many as there are owners who wait, where the pool can
        grow no more."""
        missing = self._owning.count - sum(slot.reserved for slot in self._slots)
        free = self._free
        while missing > 0 and free and (len(self._slots) >= self.max_size or len(free) > 1 or self._failure):
            slot = min(free, key=_reads_of)
            free.remove(slot)
            slot.reserved = True
            slot.session.watched = True
            missing -= 1

    def freed(self, slot: Slot) -> None:
        """A connection has nothing to do and no holder: the next one gets it."""
        now = self._loop.time()
        reading, owning = self._reading, self._owning
        slot.idle_since = now
        if slot.session.lost is not None:
            return
        if now >= slot.retire_at or (self._state == _CLOSING and not self.is_waited_for):
            self._retire(slot)
            self._check_done()
            return
        owner = owning.first()
        reader = reading.first()
        if owner is not None and (reader is None or owner.since <= reader.since):
            owning.pop(owner)
            self._count_wait(now - owner.since)
            if isinstance(owner.what, Operation):
                self._own(slot, owner.what)
            else:
                # Nobody else's, until the task runs.
                slot.hold(owner.what)
                slot.session.watched = False
                owner.what.set_result(slot)
            return
        self._free.append(slot)
        if reader is not None:
            self._send_reads(slot, now)
            if owning.count:
                self._reserve()
        self._check_done()

    def has_room(self, slot: Slot) -> None:
        """A connection that reads share has answered one."""
        if self._owning.count and slot.is_idle:
            self._free.remove(slot)
            self.freed(slot)
        elif self._reading.count:
            self._send_reads(slot, self._loop.time())
        elif self._state == _CLOSING:
            self._check_done()
        elif not self._owning.count:
            self._watch(False)

    def _send_reads(self, slot: Slot, now: float) -> None:
        """Let reads that wait go, as many as may be on their way at once."""
        line = self._reading
        flight = slot.flight
        session = slot.session
        while len(flight) + len(slot.coming) < ENOUGH and (reader := line.first()) is not None:
            if flight and now - flight[0].started > LONG:
                return
            line.pop(reader)
            self._count_wait(now - reader.since)
            self._reads += 1
            operation = reader.what
            operation.session = session
            session.submit(operation)
        session.watched = self.is_watched

    def _count_wait(self, seconds: float) -> None:
        self._wait_time += seconds
        if seconds > self._longest_wait:
            self._longest_wait = seconds

    # Connections

    def _grow(self) -> None:
        """Open connections for those who wait."""
        wanted = self._owning.count + (1 if self._reading.count else 0) - len(self._opening)
        if wanted > 0:
            self._start_opening(wanted)

    def _start_opening(self, wanted: int) -> None:
        room = self.max_size - len(self._slots) - len(self._opening)
        if self._retry is not None or self._state > _CLOSING:
            return
        if self._backoff.failures:
            # One, to see whether it can be done again.
            room = min(room, 1 - len(self._opening))
        for _ in range(min(wanted, room)):
            task = self._loop.create_task(self._open_one(), name="fastweb.postgres: opens a connection")
            self._opening.add(task)

    async def _open_one(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection: Connection | None = None
        try:
            connection = await self._connect(self.options, self._shared)
            if self._setup is not None:
                await self._setup(connection)
        except asyncio.CancelledError:
            if connection is not None:
                connection.terminate()
            self._opening.discard(task)
            raise
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            self._opening.discard(task)
            self._not_opened(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._opening.discard(task)
            self._add(connection)

    def _add(self, connection: Connection) -> None:
        self._opened += 1
        self._failure = None
        self._was_open = True
        self._backoff.reset()
        now = self._loop.time()
        age = float("inf") if self.max_age is None else self.max_age * random.uniform(0.9, 1.1)
        slot = Slot(self, connection, now + age)
        self._slots.append(slot)
        if self._sweep is None:
            self._sweep_later()
        self.freed(slot)
        if self.is_waited_for:
            self._grow()

    def _not_opened(self, error: BaseException) -> None:
        self._connect_failures += 1
        self._failure = error
        if self._retry is None:
            self._retry = self._loop.call_later(self._backoff.next(), self._try_again)
        if not self._slots and (not self._was_open or _is_final(error)):
            # There has never been a server, or it will not have us: waiting would help nobody.
            self._reading.fail_all(error)
            self._owning.fail_all(error)
        elif self._owning.count:
            self._reserve()
        self._check_done()

    def _try_again(self) -> None:
        self._retry = None
        if self.is_waited_for:
            self._grow()
        elif len(self._slots) < self.min_size and self._was_open and self._state == _OPEN:
            self._start_opening(1)

    def lost(self, slot: Slot) -> None:
        """A connection has ended, by whomever."""
        slot.pool = None
        if slot in self._slots:
            self._slots.remove(slot)
            self._lost += 1
        if slot in self._free:
            self._free.remove(slot)
        if slot.holder is None:
            for operation in slot.session.take_unsent():
                self._wait(self._reading, operation)
        if self._state == _OPEN:
            if self.is_waited_for:
                self._grow()
            elif len(self._slots) < self.min_size:
                # Not at once: who is restarted does not need all its clients in the same moment.
                if self._retry is None:
                    self._retry = self._loop.call_later(random.uniform(0.05, 0.2), self._try_again)
        self._check_done()

    def _retire(self, slot: Slot) -> None:
        """Close a connection that nobody uses."""
        slot.pool = None
        slot.discard()
        if slot in self._slots:
            self._slots.remove(slot)
            self._ended += 1
        if slot in self._free:
            self._free.remove(slot)
        slot.session.hang_up()
        if self._state == _OPEN and (self.is_waited_for or len(self._slots) < self.min_size):
            self._start_opening(1)

    def _sweep_later(self) -> None:
        times = [seconds for seconds in (self.max_idle, self.max_age) if seconds is not None]
        if times:
            self._sweep = self._loop.call_later(min(30.0, max(0.02, min(times) / 4)), self._sweep_now)

    def _sweep_now(self) -> None:
        """Close what is too old, or was idle for too long."""
        self._sweep = None
        now = self._loop.time()
        for slot in list(self._free):
            if slot.is_stuck(now):
                slot.session.terminate()
            elif now >= slot.retire_at:
                if slot.is_idle:
                    self._retire(slot)
                elif not slot.reserved:
                    # It takes no more reads, and goes when these are answered.
                    self._free.remove(slot)
                    slot.reserved = True
                    slot.session.watched = True
            elif (
                self.max_idle is not None
                and len(self._slots) > self.min_size
                and slot.is_idle
                and now - slot.idle_since >= self.max_idle
                and now - slot.session.now >= self.max_idle
            ):
                self._retire(slot)
        if self._slots:
            self._sweep_later()

    def soiled(self, slot: Slot) -> None:
        """Something was left behind in a session."""
        self._resets += 1
        if self._reset is None:
            self._reset = self._loop.call_later(SOILED, self._reset_all)

    def _reset_all(self) -> None:
        self._reset = None
        for slot in self._free:
            slot.session.reset()

    def count_rollback(self) -> None:
        self._rollbacks += 1

    # The end of everything

    @property
    def _is_used(self) -> bool:
        return self.is_waited_for or any(slot.is_awaited for slot in self._slots)

    def _check_done(self) -> None:
        if self._all_done is not None and not self._is_used:
            if not self._all_done.done():
                self._all_done.set_result(None)
            self._all_done = None

    def _enter(self) -> None:
        """Be used on the running loop."""
        loop = _running_loop()
        if loop is None:
            raise InterfaceError(
                "a pool is used on an event loop; in a thread, `pool.get()` gives what blocks it alone"
            )
        if self._state >= _CLOSING:
            raise PoolClosedError("the pool is closed")
        if self._loop is loop:
            return
        if self._loop is not None:
            if not self._loop.is_closed() and self._loop.is_running():
                raise InterfaceError(
                    "the pool is in use on another event loop, in another thread: a pool is for one; there,"
                    " `pool.get()` gives what blocks that thread only"
                )
            self._leave_loop()
        self._loop = self._home = loop
        self._reading.loop = self._owning.loop = loop
        self._state = _OPEN
        resources.opened(self)
        if self.min_size:
            self._start_opening(self.min_size)

    def _leave_loop(self) -> None:
        """Forget the connections of a loop that does not run: closed, or another test's."""
        loop = self._loop
        for slot in self._slots:
            slot.pool = None
            slot.session.owner = None
            _abort(slot, loop)
        self._begin_anew()
        self._state = _NEW

    def forget_parent(self) -> None:
        """In a child that was forked: begin with nothing, and leave alone what is the parent's."""
        _of_parents.append(self.__dict__.copy())
        for slot in self._slots:
            slot.pool = None
            slot.session.owner = None
            slot.session.lost = ConnectionLostError(
                "the connection is of the process that this one was forked from"
            )
        self._begin_anew()
        if self._state != _CLOSED:
            self._state = _NEW

    # Numbers

    def stats(self) -> PoolStatistics:
        """How many connections there are, and what they do."""
        now = 0.0 if self._loop is None else self._loop.time()
        acquired = self._reads + self._statements + self._leases
        since, before = self._looked_at
        per_second = (acquired - before) / (now - since) if now > since > 0.0 else 0.0
        self._looked_at = (now, acquired)
        unheld = [slot for slot in self._slots if slot.holder is None]
        shared = [slot for slot in unheld if slot.flight]
        return PoolStatistics(
            min_size=self.min_size,
            max_size=self.max_size,
            size=len(self._slots),
            connecting=len(self._opening),
            idle=len(unheld) - len(shared),
            shared=len(shared),
            held=len(self._slots) - len(unheld),
            in_flight=sum(len(slot.flight) for slot in shared),
            waiting=self._reading.count + self._owning.count,
            reads=self._reads,
            statements=self._statements,
            leases=self._leases,
            waits=self._waits,
            wait_time=self._wait_time,
            longest_wait=self._longest_wait,
            timeouts=self._timeouts,
            opened=self._opened,
            closed=self._ended,
            lost=self._lost,
            connect_failures=self._connect_failures,
            rollbacks=self._rollbacks,
            resets=self._resets,
            acquired_per_second=per_second,
        )

    def count_lease(self) -> None:
        self._leases += 1


def _none(_operation: Operation) -> None:
    return None


def _no_sql(found: object) -> TypeError:
    return TypeError(f"expected SQL as a str, or a class and then SQL, got {found!r:.100}")


def _reads_of(slot: Slot) -> int:
    return len(slot.flight)


def _refused(sql: str, kind: Kind) -> InterfaceError:
    text = " ".join(sql[:200].split())
    if kind is Kind.COPY:
        return InterfaceError(
            f"COPY talks in its own way: use copy_in and copy_out of a connection (pool.acquire()): {text}"
        )
    return InterfaceError(
        "a pool gives each statement a connection of its choice, so a transaction cannot be begun or ended"
        " with one:"
        f" use `async with pool.transaction()`, or acquire a connection: {text}"
    )


def _is_final(error: BaseException) -> bool:
    """Whether no other attempt will do: wrong password, no such database, a wrong configuration."""
    if isinstance(error, InterfaceError):
        return True
    found = [error, *getattr(error, "errors", ())]
    return any(str(getattr(each, "sqlstate", ""))[:2] in ("28", "3D") for each in found)


def _again(error: BaseException) -> BaseException:
    """The same exception for one more of those who wait: each has a traceback of his own."""
    try:
        new = copy.copy(error)
    except Exception:
        return error
    new.__cause__ = error
    return new


def _abort(slot: Slot, loop: Any) -> None:
    """Drop a connection whose loop does not run."""
    transport = slot.session.transport
    try:
        if not loop.is_closed():
            loop.call_soon_threadsafe(transport.abort)
            return
        transport.abort()
    except (RuntimeError, OSError, AttributeError):
        pass


def _after_fork() -> None:
    for pool in list(_pools):
        pool.forget_parent()


_pools: weakref.WeakSet[PgPool] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
