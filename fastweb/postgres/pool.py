"""The pool: connections of one process and one event loop, opened as they are needed, shared where that harms
nobody.

    pool = PgPool("postgresql://user@host/database", 1, 10)
    row = await pool.fetch_one("SELECT name FROM users WHERE id = $1", 7)
    async with pool.acquire() as connection: ...

Plain reads share connections; anything else has one to itself, and so has whoever acquires one (`desk`). The
pool grows as long as somebody waits (`supply`). It has no locks, and no task but those that open connections.

**What ends.** A connection is found dead when it ends, or by who uses it; nothing is asked to find out.
Statements that wait in a line get another; those that were sent are lost with it, since nobody knows whether
they were done.

**Forks and loops.** A child never touches its parent's connections: it begins with none. On another event
loop the pool begins anew, too, unless the loop that it was used on is running.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import weakref
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar, overload

from fastweb._speedups.pg_objects import class_sink, one_sink
from fastweb._speedups.pg_operation import BATCH, QUERY, SIMPLE, Operation
from fastweb._speedups.pg_record import Record
from fastweb._speedups.pg_rows import json_sink, records_sink, value_sink
from fastweb.concurrency import never_blocks
from fastweb.postgres.connection import Answer, Connection, connect_with
from fastweb.postgres.conninfo import resolve
from fastweb.postgres.desk import Desk
from fastweb.postgres.errors import (
    ClientConfigurationError,
    ConnectionLostError,
    InterfaceError,
    PoolClosedError,
)
from fastweb.postgres.handle import Handle
from fastweb.postgres.leases import Lease, PooledConnection
from fastweb.postgres.lines import copy_of
from fastweb.postgres.options import check_number, check_seconds, check_timeout
from fastweb.postgres.other_names import OPTIONS, instead_of
from fastweb.postgres.pipeline import Pipeline
from fastweb.postgres.pool_transaction import PoolTransaction
from fastweb.postgres.retry import Retry, retrying, run_again
from fastweb.postgres.slots import Slot
from fastweb.postgres.statistics import PoolStatistics
from fastweb.postgres.supply import CLOSED, CLOSING, NEW, Supply
from fastweb.postgres.types import TypeRegistry
from fastweb.postgres.unclosed import end_of, place_of_caller, warn_of
from fastweb.resources import resources

if TYPE_CHECKING:
    from fastweb.postgres.copy_statement import Table
    from fastweb.postgres.pool_streams import PoolCopyOut, PoolRows
    from fastweb.postgres.results import Result

__all__ = ["PgPool"]

logger = logging.getLogger("fastweb.postgres")

T = TypeVar("T")
P = ParamSpec("P")

#: The running loop, or None.
_running_loop = asyncio._get_running_loop

_CLOSED = (
    "the pool is closed: `await pool.open()` or `async with pool` opens it again; an app opens and closes its"
    " pools by itself"
)

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
            never.
        acquire_timeout: seconds to wait for a connection; None: for ever.
        connect: opens a connection, for who wants to do it himself: `await connect(options, shared)`.
        setup: called, and awaited, with each connection that was opened, before it is used: what it sets
            belongs to the session for good only if RESET ALL leaves it, so settings belong into
            `server_settings`.
        keywords: fields of `fastweb.postgres.Options`, or libpq's keywords.

    Raises:
        ClientConfigurationError: the string or a keyword is wrong.
        TypeError, ValueError: a size or a time is, or another argument is not of its type.
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
        for name in keywords:
            if name in OPTIONS:
                raise ClientConfigurationError(f"PgPool has no option {name!r}: it is {OPTIONS[name]}")
        self.options = resolve(dsn, **keywords)
        check_number("min_size", min_size)
        check_number("max_size", max_size)
        if max_size < 1 or min_size > max_size:
            raise ValueError(f"a pool needs 0 <= min_size <= max_size >= 1, not {min_size} and {max_size}")
        check_seconds("max_idle", max_idle)
        check_seconds("max_age", max_age)
        check_seconds("acquire_timeout", acquire_timeout)
        for name, function in (("connect", connect), ("setup", setup)):
            if function is not None and not callable(function):
                raise TypeError(f"{name}: expected a function, not {function!r:.100}")
        #: The database's types: codecs of one's own are set there.
        self.types = TypeRegistry()
        self._supply = Supply(self.options, self.types, min_size, max_size, max_idle, max_age, connect, setup)
        # Nothing of the connections leads to this object: it is collected where nobody has it any more.
        own = weakref.ref(self)
        self._desk = desk = Desk(
            self._supply, lambda: _enter(own()), acquire_timeout, self.options.command_timeout
        )
        self._ask = desk.ask
        #: Whether this thread is that of the event loop that it is used on.
        self.is_here = desk.is_here
        self._looked_at = (0.0, 0)
        self._made_at = place_of_caller()
        resources.register(self)
        _pools.add(self)

    def __repr__(self) -> str:
        hosts = ", ".join(str(host) for host in self.options.hosts)
        supply = self._supply
        state = ("not open yet", "open", "closing", "closed")[supply.state]
        size = f"{len(supply.slots)} of {supply.max_size}"
        return f"<PgPool of {hosts}/{self.options.database}, {size}, {state}>"

    def __del__(self) -> None:
        supply = self.__dict__.get("_supply")
        if supply is None or not (supply.slots or supply.opening):
            return
        warn_of(f"a pool was never closed: {self!r}: `async with pool`, or its app", self._made_at, self)
        supply.forsaken = True
        desk = self.__dict__["_desk"]
        if supply.slots:
            end_of([slot.session for slot in supply.slots], lambda: desk.is_used)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(instead_of("pool", self, name), name=name, obj=self)

    # Open and close

    async def open(self) -> PgPool:
        """Open `min_size` connections, one at least to see that it can be done.

        Raises:
            ConnectError, PostgresError: why it cannot.
            PoolClosedError: it was closed meanwhile.
        """
        supply = self._supply
        if supply.state == CLOSED:
            supply.state = NEW
        self._enter()
        count = max(1, supply.min_size)
        while len(supply.slots) < count:
            if not supply.opening and supply.is_refused:
                failure = supply.failure
                assert failure is not None
                await self._close_all()
                supply.state = NEW
                raise copy_of(failure)
            await supply.open(count)
            # It may be closed, or new, after that.
            self._enter()
        return self

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as everywhere
        """Take no more questions, wait until all that were asked are answered and all connections given back,
        and close them.

        Arguments:
            timeout: seconds to wait; then the connections are closed all the same, and whoever uses one gets
                a ConnectionLostError.
        """
        supply = self._supply
        desk = self._desk
        if supply.state == CLOSED:
            return
        if supply.loop is not _running_loop() or supply.loop is None:
            if supply.loop is not None:
                self._leave_loop()
            supply.state = CLOSED
            return
        supply.state = CLOSING
        desk.home = None
        desk.watch(True)
        try:
            async with asyncio.timeout(timeout):
                while desk.is_used:
                    if desk.all_done is None:
                        desk.all_done = supply.loop.create_future()
                    # From time to time: whoever ceases to wait says nothing.
                    await asyncio.wait((desk.all_done,), timeout=0.5)
        except TimeoutError:
            if holders := desk.holders():
                logger.warning("the pool was closed while connections were in use: %s", holders)
        finally:
            await self._close_all()

    async def _close_all(self) -> None:
        self._supply.state = CLOSED
        self._desk.home = None
        self._desk.fail_all(PoolClosedError("the pool was closed while you waited for a connection"))
        self._desk.free = []
        await self._supply.close()
        self._begin_anew()
        resources.closed(self)

    def _begin_anew(self) -> None:
        """Forget all connections, and who waits for one."""
        self._supply.begin_anew()
        self._desk.begin_anew()

    async def open_with_app(self) -> None:
        """The app's start-up: `open` (`fastweb.resources`), but for a pool that keeps no connection open, and
        one that somebody has closed: it may be another app's."""
        if self._supply.min_size and not self.is_closed:
            await self.open()

    async def close_with_app(self) -> None:
        """The app's shut-down: `close`; the next use, or start-up, opens the pool again."""
        await self.close(10.0)
        self._supply.state = NEW

    async def __aenter__(self) -> PgPool:
        return await self.open()

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        return self._supply.state >= CLOSING

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
                True of a function that only reads, False of a view that waits.

        Raises:
            PoolTimeoutError: no connection became free in time.
            PoolClosedError: the pool is closed.
            ConnectError: none could be opened.
            InterfaceError: it begins or ends a transaction, or is a COPY; or as below.
            Exception: as of `Connection.fetch`.
        """
        if isinstance(sql, str):
            operation = Operation(None, QUERY, sql, args, records_sink())
        elif args and isinstance(args[0], str):
            operation = Operation(None, QUERY, args[0], args[1:], class_sink(sql))
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
            operation = Operation(None, QUERY, sql, args, one_sink())
        elif args and isinstance(args[0], str):
            operation = Operation(None, QUERY, args[0], args[1:], one_sink(sql))
        else:
            raise _no_sql(sql)
        answer: Answer[Any] = self._ask(operation, timeout, share)
        return answer

    def fetch_value(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Any]:
        """The first value of the first row, None where there is none: as `fetch`."""
        answer: Answer[Any] = self._ask(Operation(None, QUERY, sql, args, value_sink()), timeout, share)
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
        answer: Answer[Any] = self._ask(Operation(None, QUERY, sql, args, json_sink(one)), timeout, share)
        return answer

    def execute(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[str]:
        """Do it, and tell the command's tag, such as "UPDATE 3": as `fetch`. With no arguments it may be
        several statements."""
        kind = QUERY if args else SIMPLE
        answer: Answer[Any] = self._ask(Operation(None, kind, sql, args), timeout, share)
        return answer

    def execute_many(
        self,
        sql: str,
        args: Iterable[Iterable[Any]] | AsyncIterable[Iterable[Any]],
        /,
        *,
        timeout: float | None = None,
    ) -> Answer[None]:
        """Do a statement once for each of many tuples of arguments: all of it, or nothing. As of
        `Connection.execute_many`."""
        if not isinstance(args, list) and isinstance(args, AsyncIterable):
            from fastweb.postgres.batch import execute_many_async

            seconds = self._desk.command_timeout if timeout is None else timeout
            return execute_many_async(lambda each: self._ask(each, None, False), sql, args, seconds)
        answer: Answer[Any] = self._ask(Operation(None, BATCH, sql, args, result_of=_none), timeout, False)
        return answer

    @overload
    def exec(
        self, sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Result[Record]]: ...

    @overload
    def exec(
        self, cls: type[T], sql: str, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Result[T]]: ...

    def exec(
        self, sql: Any, /, *args: Any, timeout: float | None = None, share: bool | None = None
    ) -> Answer[Any]:
        """A `Result`: its rows, how many the statement has changed, and ways to ask for one. As `fetch`, of
        which it has the arguments."""
        from fastweb.postgres.results import result_of

        if isinstance(sql, str):
            operation = Operation(None, QUERY, sql, args, records_sink(), result_of)
        elif args and isinstance(args[0], str):
            operation = Operation(None, QUERY, args[0], args[1:], class_sink(sql), result_of)
        else:
            raise _no_sql(sql)
        answer: Answer[Any] = self._ask(operation, timeout, share)
        return answer

    # What goes on for longer

    @overload
    def iterate(
        self, sql: str, /, *args: Any, prefetch: int = 50, timeout: float | None = None
    ) -> PoolRows[Record]: ...

    @overload
    def iterate(
        self, cls: type[T], sql: str, /, *args: Any, prefetch: int = 50, timeout: float | None = None
    ) -> PoolRows[T]: ...

    def iterate(
        self, sql: Any, /, *args: Any, prefetch: int = 50, timeout: float | None = None
    ) -> PoolRows[Any]:
        """The rows of a query a few at a time, from a connection of their own, and in a transaction that
        ends with them; broken off, it is rolled back: `async for row in pool.iterate(…)`.

        Arguments:
            sql, args, prefetch, timeout: as of `Connection.iterate`.
        """
        from fastweb.postgres.pool_streams import PoolRows, rows_of

        cls = None
        if not isinstance(sql, str):
            if not args or not isinstance(args[0], str):
                raise _no_sql(sql)
            cls, sql, args = sql, args[0], args[1:]
        lease = Lease(self, None, sys._getframe(1))
        return PoolRows(lambda: rows_of(lease, sql, args, prefetch, cls, timeout))

    async def copy_in(
        self,
        table: Table,
        source: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as everywhere
        **options: Any,
    ) -> int:
        """Copy rows or bytes into a table, on a connection of its own: as `Connection.copy_in`.

        Arguments:
            timeout: seconds for all of it, the wait for a connection included.
        """
        if timeout is not None:
            check_timeout(timeout)
        lease = Lease(self, None, sys._getframe(1))
        async with asyncio.timeout(timeout), lease as connection:
            return await connection.copy_in(table, source, **options)

    def copy_out(self, source: Table, target: Any = None, **options: Any) -> PoolCopyOut:
        """Copy a table, or a query's rows, out, on a connection of its own: as `Connection.copy_out`. Broken
        off, it gives the connection back."""
        from fastweb.postgres.copy import CopyOut
        from fastweb.postgres.pool_streams import PoolCopyOut

        return PoolCopyOut(Lease(self, None, sys._getframe(1)), CopyOut.of(source, target, options))

    # Leases

    def acquire(self, *, timeout: float | None = None) -> Lease:
        """A connection for oneself: `async with pool.acquire() as connection`; or `await` it and `release`.

        Arguments:
            timeout: seconds to wait for one; None: `acquire_timeout`.

        Raises:
            PoolTimeoutError: none became free in time; says who holds them.
            PoolClosedError: the pool is closed.
            ConnectError: none could be opened.
            TypeError, ValueError: the timeout is no number.
        """
        if timeout is not None:
            check_timeout(timeout)
        return Lease(self, timeout, sys._getframe(1))

    async def release(self, connection: Connection) -> None:
        """Give a connection back that was got by `await pool.acquire()`. A second time does nothing.

        Raises:
            InterfaceError: it is of no pool, or of another.
        """
        if not isinstance(connection, PooledConnection):
            raise InterfaceError("this connection is of no pool: close it")
        if connection.lease.desk is not self._desk:
            raise InterfaceError("this connection is of another pool: give it back to that")
        connection.lease.release()

    def pipeline(self, *, atomic: bool = False) -> Pipeline:
        """Many statements in one write, on one connection: `async with pool.pipeline() as p` (see
        `fastweb.postgres.pipeline`)."""
        return Pipeline(Lease(self, None, sys._getframe(1)), atomic)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that its connections are on; None where it has none."""
        loop: asyncio.AbstractEventLoop | None = self._supply.loop
        return loop

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
        if timeout is not None:
            check_timeout(timeout)
        return PoolTransaction(Lease(self, timeout, sys._getframe(1)), isolation, options)

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

    @never_blocks
    def get(self) -> Handle:
        """The pool as endpoints use it, `Depends(pool.get)`: awaited on the loop, blocking in a thread."""
        return Handle(self)

    # Loops and forks

    def _enter(self) -> None:
        """Be used on the running loop."""
        loop = _running_loop()
        if loop is None:
            raise InterfaceError(
                "a pool is used on an event loop; in a thread, `pool.get()` gives what blocks it alone"
            )
        supply = self._supply
        if supply.state >= CLOSING:
            raise PoolClosedError(_CLOSED if supply.state == CLOSED else "the pool is being closed")
        if supply.loop is loop:
            return
        if supply.loop is not None:
            if not supply.loop.is_closed() and supply.loop.is_running():
                raise InterfaceError(
                    "the pool is in use on another event loop, in another thread: a pool is for one; there,"
                    " `pool.get()` gives what blocks that thread only"
                )
            self._leave_loop()
        resources.opened(self)
        self._desk.begin(loop)
        supply.begin(loop)

    def _leave_loop(self) -> None:
        """Forget the connections of a loop that does not run: closed, or another test's."""
        supply = self._supply
        for slot in supply.slots:
            slot.desk = None
            slot.session.owner = None
            _abort(slot, supply.loop)
        self._begin_anew()
        supply.state = NEW

    def forget_parent(self) -> None:
        """In a child that was forked: begin with nothing, and leave alone what is the parent's."""
        supply = self._supply
        desk = self._desk
        _of_parents.extend(
            (supply.__dict__.copy(), desk.__dict__.copy(), desk.free, desk.reading, desk.owning)
        )
        for slot in supply.slots:
            slot.desk = None
            slot.session.owner = None
            slot.session.lost = ConnectionLostError(
                "the connection is of the process that this one was forked from"
            )
        self._begin_anew()
        if supply.state != CLOSED:
            supply.state = NEW

    # Numbers

    def stats(self) -> PoolStatistics:
        """How many connections there are, and what they do."""
        desk, supply = self._desk, self._supply
        now = 0.0 if supply.loop is None else supply.loop.time()
        acquired = desk.reads + desk.statements + desk.leases
        since, before = self._looked_at
        per_second = (acquired - before) / (now - since) if now > since > 0.0 else 0.0
        self._looked_at = (now, acquired)
        unheld = [slot for slot in supply.slots if slot.holder is None]
        shared = [slot for slot in unheld if slot.flight]
        return PoolStatistics(
            min_size=supply.min_size,
            max_size=supply.max_size,
            size=len(supply.slots),
            connecting=len(supply.opening),
            idle=len(unheld) - len(shared),
            shared=len(shared),
            held=len(supply.slots) - len(unheld),
            in_flight=sum(len(slot.flight) for slot in shared),
            waiting=desk.reading.count + desk.owning.count,
            reads=desk.reads,
            statements=desk.statements,
            leases=desk.leases,
            waits=desk.waits,
            wait_time=desk.wait_time,
            longest_wait=desk.longest_wait,
            timeouts=desk.timeouts,
            opened=supply.opened,
            closed=supply.ended,
            lost=supply.losses,
            connect_failures=supply.connect_failures,
            rollbacks=desk.rollbacks,
            resets=supply.resets,
            acquired_per_second=per_second,
        )


def _enter(pool: PgPool | None) -> None:
    if pool is None:
        raise PoolClosedError("the pool was never closed, and nobody has it any more")
    pool._enter()


def _none(_operation: Operation) -> None:
    return None


def _no_sql(found: object) -> TypeError:
    return TypeError(f"expected SQL as a str, or a class and then SQL, got {found!r:.100}")


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
