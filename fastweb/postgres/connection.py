"""One connection to a PostgreSQL server: `connect`, and what may be asked of it.

    connection = await connect("postgresql://user@host/database")
    rows = await connection.fetch("SELECT id, name FROM users WHERE age > $1", 30)

Every question is an `Operation`, sent when the method is called and awaited for its answer; those of several
tasks, or of `asyncio.gather`, are pipelined: they go out without waiting for each other's answers, each in an
implicit transaction of its own, and are done in the order in which they were asked.

PERF: there is no coroutine between `fetch_one` and the Task that waits: see `fastweb._speedups.pg_operation`.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast, overload

from fastweb._speedups.pg_objects import class_sink, one_sink
from fastweb._speedups.pg_operation import BATCH, PREPARE, QUERY, SIMPLE, Operation
from fastweb._speedups.pg_record import Record
from fastweb._speedups.pg_rows import json_sink, records_sink, value_sink
from fastweb.postgres.conninfo import resolve
from fastweb.postgres.deadline import is_over, limit
from fastweb.postgres.options import Options
from fastweb.postgres.other_names import instead_of
from fastweb.postgres.protocol import Protocol
from fastweb.postgres.startup import Session, open_session
from fastweb.postgres.transaction import Isolation, Transaction
from fastweb.postgres.types import TypeRegistry
from fastweb.postgres.unclosed import Guard, place_of_caller

if TYPE_CHECKING:
    from typing import Unpack

    from fastweb.postgres.copy import CopyOut, Format
    from fastweb.postgres.copy_statement import CopyInOptions, CopyOutOptions, Table
    from fastweb.postgres.cursor import Cursor
    from fastweb.postgres.listeners import Listener, Listeners, NoticeListener
    from fastweb.postgres.notifications import Notifications
    from fastweb.postgres.pipeline import Pipeline
    from fastweb.postgres.prepared import PreparedStatement
    from fastweb.postgres.results import Result

__all__ = ["Connection", "Shared", "connect"]

T = TypeVar("T")
#: What is awaited for an answer.
Answer = Coroutine[Any, Any, T]


class Shared:
    """What all connections of a pool know: the database's types, and how its statements were described."""

    def __init__(self, registry: TypeRegistry | None = None) -> None:
        self.registry = TypeRegistry() if registry is None else registry
        self.descriptions: dict[str, Any] = {}


async def connect(dsn: str | None = None, *, shared: Shared | None = None, **keywords: Any) -> Connection:
    """Open a connection.

    Arguments:
        dsn: a connection string of libpq, or None for the PG* variables and what is usual.
        shared: what it is to share with other connections to the same database.
        keywords: fields of `fastweb.postgres.Options`, or libpq's keywords; they override the string.

    Raises:
        ConnectError: no server could be reached.
        PostgresError: the server refused: a wrong password, a missing database.
        ClientConfigurationError: the string or a keyword is wrong.
    """
    place = place_of_caller()
    connection = await connect_with(resolve(dsn, **keywords), shared)
    connection.guard = Guard(connection.session.address, connection.protocol, place)
    return connection


async def connect_with(options: Options, shared: Shared | None = None) -> Connection:
    """The same, where the options are known."""
    session = await open_session(options)
    try:
        return Connection.over(session, Shared() if shared is None else shared)
    except BaseException:
        session.close()
        raise


class Connection:
    """See above. `connect` makes it."""

    __slots__ = (
        "__weakref__",
        "_listeners",
        "_query",
        "_timeout",
        "guard",
        "on_lost",
        "portals",
        "protocol",
        "savepoints",
        "session",
        "shared",
        "transactions",
    )

    #: Warns where nobody closes what `connect` has made; a pool tells of its own.
    guard: Guard | None

    def __init__(self, session: Session, shared: Shared, protocol: Protocol) -> None:
        # PERF: whoever is lent a connection of a pool has one of these (`fastweb.postgres.leases`).
        self.session = session
        self.shared = shared
        self.protocol = protocol
        self._query = protocol.query
        self._timeout = session.options.command_timeout
        #: Those that are open, the outermost first; how many savepoints and portals were named.
        self.transactions: list[Transaction] = []
        self.savepoints = 0
        self.portals = 0
        self._listeners: Listeners | None = None
        #: Called with the connection when it has ended.
        self.on_lost: Callable[[Connection], object] | None = None

    @classmethod
    def over(cls, session: Session, shared: Shared) -> Connection:
        """The connection that a session goes on as."""
        options = session.options
        protocol = Protocol(
            asyncio.get_running_loop(),
            shared.registry,
            shared.descriptions,
            address=str(session.address),
            cache_size=options.statement_cache_size,
            max_message=options.message_size,
            notices=options.notices,
            busy_poll=options.busy_poll or 0.0,
        )
        connection = cls(session, shared, protocol)
        connection.guard = None
        protocol.process_id = session.process_id
        protocol.parameters.update(session.parameters)
        protocol.notices.extend(session.notices)
        # Nothing of the protocol leads to this object: it is collected where nobody has it any more.
        own = weakref.ref(connection)
        protocol.end_listener = lambda _error: _tell_end(own())
        protocol.send_cancel = partial(_send_cancel, session)
        session.hand_over(cast(asyncio.Protocol, protocol))
        return connection

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{len(self.protocol.in_flight)} in flight"
        return f"<Connection to {self.session.address}, {state}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(instead_of("connection", self, name), name=name, obj=self)

    @property
    def options(self) -> Options:
        return self.session.options

    @property
    def types(self) -> TypeRegistry:
        """The database's types: codecs of one's own are set there, for all connections that share it."""
        return self.shared.registry

    # Queries

    @overload
    def fetch(self, sql: str, /, *args: Any, timeout: float | None = None) -> Answer[list[Record]]: ...

    @overload
    def fetch(
        self, cls: type[T], sql: str, /, *args: Any, timeout: float | None = None
    ) -> Answer[list[T]]: ...

    def fetch(self, sql: Any, /, *args: Any, timeout: float | None = None) -> Answer[Any]:
        """All rows, as Records; or as objects of a class, where the first argument is one.

        Arguments:
            sql: one statement, with parameters as $1, $2 …
            args: their values.
            timeout: seconds for the answer; None: the connection's `command_timeout`.

        Raises:
            PostgresError: the server refused.
            InterfaceError: the arguments are not as many as the parameters.
            TypeError, ValueError, OverflowError: an argument is none of its parameter's type.
            ConnectionLostError: the connection ended before the answer had come.
            TimeoutError: it did not come in time.
        """
        if isinstance(sql, str):
            return self._ask(sql, args, records_sink(), timeout)
        _check_text(sql, args)
        return self._ask(args[0], args[1:], class_sink(sql), timeout)

    @overload
    def fetch_one(self, sql: str, /, *args: Any, timeout: float | None = None) -> Answer[Record | None]: ...

    @overload
    def fetch_one(
        self, cls: type[T], sql: str, /, *args: Any, timeout: float | None = None
    ) -> Answer[T | None]: ...

    def fetch_one(self, sql: Any, /, *args: Any, timeout: float | None = None) -> Answer[Any]:
        """The first row, None where there is none: as `fetch`."""
        if isinstance(sql, str):
            return self._ask(sql, args, one_sink(), timeout)
        _check_text(sql, args)
        return self._ask(args[0], args[1:], one_sink(sql), timeout)

    def fetch_value(self, sql: str, /, *args: Any, timeout: float | None = None) -> Answer[Any]:
        """The first value of the first row, None where there is none: as `fetch`."""
        return self._ask(sql, args, value_sink(), timeout)

    def fetch_json(
        self, sql: str, /, *args: Any, one: bool = False, timeout: float | None = None
    ) -> Answer[bytes]:
        """All rows as JSON text, a list of objects, with no Python object made for a row: as `fetch`.

        Arguments:
            one: the first row alone, or `null`.
        """
        return self._ask(sql, args, json_sink(one), timeout)

    def execute(self, sql: str, /, *args: Any, timeout: float | None = None) -> Answer[str]:
        """Do it, and tell the command's tag, such as "UPDATE 3". With no arguments, it may be several
        statements: all of them are one transaction, unless they say otherwise."""
        if args:
            return self._ask(sql, args, None, timeout)
        return self.submit(Operation(self.protocol, SIMPLE, sql), timeout)

    def execute_many(
        self,
        sql: str,
        args: Iterable[Iterable[Any]] | AsyncIterable[Iterable[Any]],
        /,
        *,
        timeout: float | None = None,
    ) -> Answer[None]:
        """Do a statement once for each of many tuples of arguments, in few writes: all of it, or nothing.

        Arguments:
            args: read as they are written; where it is a list or a tuple, it can be asked for twice. Of an
                asynchronous iterable no more is read than the server takes, and what else is asked of the
                connection waits for its end.
        """
        if not isinstance(args, list) and isinstance(args, AsyncIterable):
            from fastweb.postgres.batch import execute_many_async

            seconds = self._timeout if timeout is None else timeout
            return execute_many_async(self.submit_here, sql, args, seconds)
        return self.submit(Operation(self.protocol, BATCH, sql, args, result_of=_none), timeout)

    @overload
    def exec(self, sql: str, /, *args: Any, timeout: float | None = None) -> Answer[Result[Record]]: ...

    @overload
    def exec(
        self, cls: type[T], sql: str, /, *args: Any, timeout: float | None = None
    ) -> Answer[Result[T]]: ...

    def exec(self, sql: Any, /, *args: Any, timeout: float | None = None) -> Answer[Any]:
        """A `Result`: its rows, how many the statement has changed, and ways to ask for one. As `fetch`, of
        which it has the arguments."""
        from fastweb.postgres.results import result_of

        if isinstance(sql, str):
            return self._ask(sql, args, records_sink(), timeout, result_of)
        _check_text(sql, args)
        return self._ask(args[0], args[1:], class_sink(sql), timeout, result_of)

    # Transactions, cursors, COPY

    def transaction(
        self,
        isolation: Isolation | None = None,
        *,
        read_only: bool | None = None,
        deferrable: bool | None = None,
    ) -> Transaction:
        """A transaction, or within another a savepoint: `async with connection.transaction():`.

        Arguments:
            isolation: "read_committed", "repeatable_read", "serializable" or "read_uncommitted"; None: the
                server's default.
            read_only: whether the server refuses to write.
            deferrable: of a serializable one that only reads: it waits until it cannot be refused any more.

        Raises:
            InterfaceError: no level is called so.
        """
        return Transaction(self, isolation, read_only, deferrable)

    @overload
    def iterate(
        self, sql: str, /, *args: Any, prefetch: int = 50, timeout: float | None = None
    ) -> Cursor[Record]: ...

    @overload
    def iterate(
        self, cls: type[T], sql: str, /, *args: Any, prefetch: int = 50, timeout: float | None = None
    ) -> Cursor[T]: ...

    def iterate(
        self, sql: Any, /, *args: Any, prefetch: int = 50, timeout: float | None = None
    ) -> Cursor[Any]:
        """The rows of a query a few at a time, in a transaction: an asynchronous iterator, or with
        `async with` a `Cursor`.

        Arguments:
            sql, args: as of `fetch`; a class may be the first.
            prefetch: rows that are asked for at once.
            timeout: seconds for each answer.

        Raises:
            InterfaceError: there is no transaction when the first rows are asked for.
        """
        from fastweb.postgres.cursor import Cursor

        if isinstance(sql, str):
            return Cursor(self, sql, args, prefetch, None, timeout)
        _check_text(sql, args)
        return Cursor(self, args[0], args[1:], prefetch, sql, timeout)

    async def copy_in(
        self,
        table: Table,
        source: Any,
        *,
        columns: Sequence[str] | None = None,
        format: Format | None = None,  # noqa: A002 - COPY's name for it
        timeout: float | None = None,  # noqa: ASYNC109 - as everywhere
        **options: Unpack[CopyInOptions],
    ) -> int:
        """Copy rows or bytes into a table: COPY … FROM STDIN.

        Arguments:
            table: its name, as it is written, `"app.users"` for one in a schema; `("app", "users")` where the
                names are anything; or, for bytes, a whole COPY statement.
            source: rows (sequences of values, or dicts by column) or pieces of bytes, from an iterable or an
                async one; bytes; a path, as pathlib has it; an open file.
            columns: their names, in the order of the values; None for all, of dicts for those of the first,
                and then no other dict may have others.
            format: "text", "csv" or "binary"; None: of rows binary, of bytes text.
            timeout: seconds for all of it.
            options: COPY's own: see `fastweb.postgres.copy_statement.CopyInOptions`.

        Returns:
            How many rows were copied.

        Raises:
            PostgresError: the server refused, all of it then.
            InterfaceError: a name or an option is wrong.
            TypeError, ValueError, OverflowError: a value is none of its column's type, or missing; a note
                says which row.
            what the source raises: nothing is copied.
        """
        from fastweb.postgres.copy import copy_in

        return await copy_in(
            self, table, source, columns=columns, format=format, timeout=timeout, options=options
        )

    def copy_out(
        self,
        source: Table,
        target: Any = None,
        *,
        args: Sequence[Any] = (),
        columns: Sequence[str] | None = None,
        format: Format | None = None,  # noqa: A002
        timeout: float | None = None,
        **options: Unpack[CopyOutOptions],
    ) -> CopyOut:
        """Copy a table, or a query's rows, out: COPY … TO STDOUT. See `CopyOut` for what may be done with it.

        Arguments:
            source: a table's name, as of `copy_in`; a query, which begins with SELECT, WITH and the like,
            or is
                in parentheses; or a whole COPY statement. A name that comes from elsewhere is given as a
                tuple.
            target: a path, as pathlib has it; an open file; a function that gets each piece, or a coroutine
                function. None: awaited, it gives all of it as bytes.
            args: what stands for the query's $1, $2 …
            columns: of a table; None for all.
            format: "text", "csv" or "binary"; None: text, of rows binary.
            timeout: seconds for all of it, where it is awaited.
            options: COPY's own: see `fastweb.postgres.copy_statement.CopyOutOptions`.

        Raises:
            InterfaceError: a name or an option is wrong.
        """
        from fastweb.postgres.copy import CopyOut

        return CopyOut(
            self, source, target, args=args, columns=columns, format=format, timeout=timeout, options=options
        )

    async def prepare(
        self,
        sql: str,
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as everywhere
    ) -> PreparedStatement:
        """Let the server parse and describe a statement. What is asked often is prepared by itself: this is
        for who wants to know its parameters and columns, or its errors, beforehand."""
        statement = await self.submit(Operation(self.protocol, PREPARE, sql), timeout)
        from fastweb.postgres.prepared import PreparedStatement

        return PreparedStatement(self, statement)

    def submit_here(self, operation: Operation) -> None:
        """Ask an operation that is no connection's yet."""
        operation.session = self.protocol
        self.protocol.submit(operation)

    def submit(self, operation: Operation, timeout: float | None = None) -> Operation:
        """Ask an operation that the caller has made (`fastweb._speedups.pg_operation`)."""
        seconds = self._timeout if timeout is None else timeout
        if seconds is None:
            self.protocol.submit(operation)
        elif not is_over(operation, seconds):
            self.protocol.submit(operation)
            limit(operation, self.protocol.loop, seconds)
        return operation

    def _ask(
        self, sql: str, args: tuple[Any, ...], sink: Any, timeout: float | None, result_of: Any = None
    ) -> Operation:
        """The same for one statement with parameters."""
        if timeout is None and self._timeout is None:
            operation: Operation = self._query(sql, args, sink, result_of)
            return operation
        return self.submit(Operation(self.protocol, QUERY, sql, args, sink, result_of), timeout)

    def pipeline(self, *, atomic: bool = False) -> Pipeline:
        """Many statements in one write: `async with connection.pipeline() as p`.

        Arguments:
            atomic: whether all of it is one transaction.
        """
        from fastweb.postgres.pipeline import Pipeline

        return Pipeline(self, atomic)

    # Listening

    async def listen(self, channel: str, callback: Listener) -> None:
        """Have a function called with every NOTIFY of a channel.

        Arguments:
            channel: its name, as it is written in `NOTIFY "channel"`.
            callback: called with this connection, the process id of who notifies, the channel and the
                payload; a coroutine function's coroutine runs as a Task.

        Raises:
            InterfaceError: it is no name, or longer than the 63 bytes that PostgreSQL keeps of one: it would
                cut it, and notify with what is left.
        """
        await self._all_listeners().listen(channel, callback)

    async def unlisten(self, channel: str, callback: Listener | None = None) -> None:
        """Have it called no longer; with no function, none of that channel's."""
        await self._all_listeners().unlisten(channel, callback)

    def notifications(self, *channels: str) -> Notifications:
        """What comes on some channels, as an asynchronous iterator, which raises a ConnectionLostError when
        the connection has ended. With `async with` it listens from there on, and no longer than that."""
        from fastweb.postgres.notifications import Notifications

        return Notifications(self, channels)

    def notify(self, channel: str, payload: str = "") -> Answer[Any]:
        """Send a NOTIFY."""
        return self._query("SELECT pg_catalog.pg_notify($1, $2)", (channel, payload), None)

    @property
    def listening(self) -> bool:
        """Whether there is anybody to be notified."""
        return self._listeners is not None and bool(self._listeners.of_channels)

    def add_notice_listener(self, callback: NoticeListener) -> None:
        """Have a function called with this connection and every notice of the server."""
        self._all_listeners().add_of_notices(callback)

    def remove_notice_listener(self, callback: NoticeListener) -> None:
        self._all_listeners().remove_of_notices(callback)

    def _all_listeners(self) -> Listeners:
        if self._listeners is None:
            from fastweb.postgres.listeners import Listeners

            self._listeners = Listeners(self)
        return self._listeners

    # The connection

    @property
    def is_closed(self) -> bool:
        """It is of no use any more."""
        return bool(self.protocol.lost is not None)

    @property
    def in_transaction(self) -> bool:
        """As of the last answer."""
        return bool(self.protocol.transaction_status != "I")

    @property
    def parameters(self) -> dict[str, str]:
        """What the server has reported of its settings: server_version, TimeZone …"""
        parameters: dict[str, str] = self.protocol.parameters
        return parameters

    @property
    def server_version(self) -> tuple[int, ...]:
        """Such as (15, 4)."""
        text = self.protocol.parameters.get("server_version", "0").split()[0]
        return tuple(int(digits) for part in text.split(".") if (digits := _digits(part)))

    @property
    def process_id(self) -> int:
        """The server's process."""
        process_id: int = self.protocol.process_id
        return process_id

    @property
    def in_flight(self) -> int:
        """Operations that are asked and not answered."""
        protocol = self.protocol
        return len(protocol.in_flight) + len(protocol.held)

    @property
    def oldest(self) -> float:
        """Seconds since the operation at the head of the queue got there; 0 for none."""
        protocol = self.protocol
        return protocol.loop.time() - protocol.in_flight[0].started if protocol.in_flight else 0.0

    async def cancel(self) -> None:
        """Ask the server to end what it does now: a CancelRequest, on a connection of its own.

        Raises:
            ConnectError, TimeoutError: the server could not be reached.
            UnsupportedServerFeatureError: it has given no key to cancel by.
            InterfaceError: the connection was given back to its pool.
        """
        if self.protocol.lost is None:
            await _send_cancel(self.session)

    async def drain(self) -> None:
        """Wait until all that was asked is answered, whoever waits for it."""
        await self.protocol.drained_all()

    async def close(self, *, timeout: float | None = 10.0) -> None:  # noqa: ASYNC109 - as everywhere
        """Close it. Whoever waits for an answer gets a ConnectionLostError.

        Raises:
            TimeoutError: what was written could not be sent in time; it is closed all the same.
        """
        await self.protocol.close(timeout)

    def terminate(self) -> None:
        """Close it at once, with no goodbye."""
        self.protocol.terminate()

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


def _check_text(found: object, args: tuple[Any, ...]) -> None:
    if not args or not isinstance(args[0], str):
        raise TypeError(f"expected SQL as a str, or a class and then SQL, got {found!r:.100}")


def _digits(text: str) -> str:
    end = 0
    while end < len(text) and text[end].isdigit():
        end += 1
    return text[:end]


async def _send_cancel(session: Session) -> None:
    from fastweb.postgres.cancel import send_cancel

    await send_cancel(session)


def _tell_end(connection: Connection | None) -> None:
    if connection is not None and connection.on_lost is not None:
        listener, connection.on_lost = connection.on_lost, None
        listener(connection)


def _none(_operation: Operation) -> None:
    return None
