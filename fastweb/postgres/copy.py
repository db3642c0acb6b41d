"""COPY: many rows in or out in one stream, the fastest way there is.

    copied = await connection.copy_in("users", rows, columns=["id", "name"])
    copied = await connection.copy_out("SELECT * FROM users", pathlib.Path("users.csv"), format="csv",
    header=True)

What is written, and what comes ("Protocol Flow", "COPY Operations"):

    in      Query; CopyInResponse; CopyData …; CopyDone, or CopyFail with why not; CommandComplete or
            ErrorResponse
    out     Query; CopyOutResponse; CopyData …; CopyDone; CommandComplete

Between CopyInResponse and CopyDone nothing else may be written: what others ask on the connection waits. In:
no more is read from the source than the server takes. Out: no more is read from the server than is taken.
Whatever ends it early leaves the connection as it should be: an exception of the source, a cancellation
(CopyFail, and so nothing is copied), an error of the server in the middle, a block that is left before the
data's end.

Rows that are copied in go as binary, by the columns' types, and as text where a type has no binary form here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast

from fastweb._speedups.pg_copy import CopySink
from fastweb._speedups.pg_copy_binary import BINARY_TRAILER, BinaryReader, BinaryRows
from fastweb._speedups.pg_copy_csv import CsvReader, CsvRows
from fastweb._speedups.pg_copy_text import TextReader, TextRows
from fastweb._speedups.pg_operation import COPY, PREPARE, Description, Operation, Statement
from fastweb._speedups.pg_queue import has_made
from fastweb._speedups.pg_wire import WireError
from fastweb.postgres.copy_source import Source, open_source, open_target
from fastweb.postgres.copy_statement import (
    CopyInOptions,
    CopyOutOptions,
    Table,
    copy_in_statement,
    copy_out_statement,
    fill_in,
    is_query,
    is_statement,
    select_of,
    table_name,
)
from fastweb.postgres.errors import DatatypeMismatchError, InterfaceError, ProtocolError
from fastweb.postgres.options import check_timeout

if TYPE_CHECKING:
    from fastweb.postgres.connection import Connection

__all__ = ["CopyOut", "copy_in"]

Format = Literal["text", "csv", "binary"]

#: Bytes of rows that are made before they are sent, and those of the first piece. PERF: smaller ones are more
#: writes, and the server's heap shrinks and grows with each COPY (glibc's M_TRIM_THRESHOLD).
PIECE = 1 << 17
_FIRST_PIECE = 1 << 16
#: Bytes that may wait for whoever takes them, before no more are read.
WAITING = 1 << 18

_COLUMNS = """
SELECT attname FROM pg_catalog.pg_attribute
WHERE attrelid = pg_catalog.to_regclass($1::text) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""


class _Gate:
    """Waits for what an operation comes to: the server is ready for data, or it has ended."""

    def __init__(self, operation: Operation, loop: asyncio.AbstractEventLoop) -> None:
        self.operation = operation
        self.loop = loop
        self.waiter: asyncio.Future[None] | None = None
        self.ready = False
        operation.on_copy = self._copy
        operation.add_done_callback(self._done)

    def _copy(self, _operation: Operation) -> None:
        self.ready = True
        self.wake()

    def _done(self, _operation: Operation) -> None:
        self.wake()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def wait(self) -> None:
        """Until something happens; cancelling this cancels nothing else."""
        self.waiter = self.loop.create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None

    async def begun(self) -> None:
        while not self.ready and not self.operation.done():
            await self.wait()

    async def ended(self) -> None:
        while not self.operation.done():
            await self.wait()


def _count(tag: str) -> int:
    """`COPY 5`."""
    last = tag.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


async def _columns_of(
    connection: Connection, table: Table, columns: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The names of the columns that COPY means, and their codecs."""
    if columns is None:
        columns = tuple([row[0] for row in await connection.fetch(_COLUMNS, table_name(table))])
    if not columns:
        # No such table, or one without columns: COPY itself says so.
        return (), ()
    return columns, await _codecs_of(connection, select_of(table, columns))


async def _codecs_of(connection: Connection, query: str) -> tuple[Any, ...]:
    """The codecs of a query's columns."""
    described = (await _describe(connection, query)).columns
    return () if described is None else tuple(described.codecs)


async def _describe(connection: Connection, query: str) -> Description:
    statement: Statement = await connection.submit(Operation(connection.protocol, PREPARE, query))
    description: Description = statement.description
    return description


def _refuse_encoding(options: CopyInOptions | CopyOutOptions) -> None:
    if options.get("encoding") is not None:
        raise InterfaceError(
            "encoding: is of bytes that are given as they are; rows are written and read here"
        )


# --- In ---


async def copy_in(
    connection: Connection,
    table: Table,
    source: Any,
    *,
    columns: Sequence[str] | None = None,
    format: Format | None = None,  # noqa: A002 - COPY's name for it
    timeout: float | None = None,  # noqa: ASYNC109 - as everywhere
    options: CopyInOptions,
) -> int:
    """See `Connection.copy_in`."""
    if not isinstance(table, (str, tuple)):
        # It raises what says so.
        table_name(table)
    names = _names(columns)
    if timeout is None:
        return await _copy_in(connection, table, source, names, format, options)
    check_timeout(timeout)
    async with asyncio.timeout(timeout):
        return await _copy_in(connection, table, source, names, format, options)


def _names(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns):
        raise InterfaceError(f"columns: expected a list of names, got {columns!r}")
    return tuple(columns)


async def _copy_in(
    connection: Connection,
    table: Table,
    source: Any,
    columns: tuple[str, ...] | None,
    format: Format | None,  # noqa: A002
    options: CopyInOptions,
) -> int:
    opened = await open_source(source)
    try:
        if opened.has_rows:
            return await _copy_rows(connection, table, opened, columns, format, options)
        statement = copy_in_statement(table, columns, format, options)
        return await _send(connection, statement, opened, None)
    finally:
        await opened.aclose()


async def _copy_rows(
    connection: Connection,
    table: Table,
    source: Source,
    columns: tuple[str, ...] | None,
    format: Format | None,  # noqa: A002
    options: CopyInOptions,
) -> int:
    if is_statement(table):
        raise InterfaceError("rows are copied into a table that is named: a whole COPY statement takes bytes")
    _refuse_encoding(options)
    if source.first is not None and not isinstance(source.first, Iterable):
        raise TypeError(
            f"a row that is copied is a tuple, a list or a dict, not {type(source.first).__name__}"
        )
    mapping = source.first if isinstance(source.first, dict) else None
    by_first = columns is None
    if mapping is not None and columns is None:
        columns = _names(list(mapping))
    names, codecs = await _columns_of(connection, table, columns)
    if format is None:
        # The options of text and CSV say that one of them is meant; so does a type with no binary form.
        said = options.keys() & {"delimiter", "null", "header", "default"}
        format = "text" if said or not all(codec.format for codec in codecs) else "binary"  # noqa: A001
    encoder: Any
    if format == "binary":
        for name, codec in zip(names, codecs, strict=True):
            if not codec.format:
                raise InterfaceError(
                    f"column {name}: its type {codec.name} has no binary form here: use format='text'"
                )
        encoder = BinaryRows(codecs)
    else:
        json = frozenset(place for place, codec in enumerate(codecs) if codec.name in ("json", "jsonb"))
        said_null = options.get("null")
        if format == "csv":
            quote = options.get("quote") or '"'
            null = "" if said_null is None else said_null
            encoder = CsvRows(
                len(names), json, options.get("delimiter") or ",", null, quote, options.get("escape") or quote
            )
        else:
            null = "\\N" if said_null is None else said_null
            encoder = TextRows(len(names), json, options.get("delimiter") or "\t", null)
        if options.get("header"):
            encoder.add(names)
            encoder.count = 0
    if mapping is not None:
        encoder.keys = names
        encoder.exact = by_first
    statement = copy_in_statement(table, columns, format, options)
    try:
        return await _send(connection, statement, source, encoder)
    except (TypeError, ValueError, DatatypeMismatchError):
        if has_made(tuple([codec.oid for codec in codecs])):
            # One may have been altered since it was looked up.
            connection.types.forget()
        raise


async def _send(connection: Connection, statement: str, source: Source, encoder: Any) -> int:
    """Query, CopyData …, CopyDone."""
    protocol = connection.protocol
    operation = Operation(protocol, COPY, statement)
    gate = _Gate(operation, protocol.loop)
    protocol.submit(operation)
    try:
        # PERF: the first rows follow their statement at once; the server drops them where it refuses that.
        # Not behind another statement, which could take them for its own, nor to a pooler, which could hand
        # them to another server.
        ahead = protocol.in_flight
        alone = len(ahead) == 1 and ahead[0] is operation
        if source.rows is None or protocol.pooled is not False or not alone:
            await gate.begun()
        if not operation.done():
            sent = await _send_data(protocol, operation, gate, source, encoder)
            if not operation.done():
                protocol.end_copy(None if sent else "")
        await operation
    except asyncio.CancelledError:
        _give_up(protocol, operation, gate, "cancelled")
        operation.cancel()
        raise
    except BaseException as error:
        if operation.done():
            raise
        # The server says that COPY has failed since the client said so; the client's reason is what counts.
        try:
            await gate.begun()
            if not gate.ready:
                # The statement was refused, whatever came behind it.
                operation.result()
            _give_up(protocol, operation, gate, f"{type(error).__name__}: {error}")
            await gate.ended()
        except asyncio.CancelledError:
            operation.cancel()
            raise
        raise
    return _count(operation.result())


def _give_up(protocol: Any, operation: Operation, gate: _Gate, why: str) -> None:
    """CopyFail, where data are what the server waits for."""
    if gate.ready and not operation.done():
        protocol.end_copy(why)


async def _send_data(protocol: Any, operation: Operation, gate: _Gate, source: Source, encoder: Any) -> bool:
    """CopyData until the source's end, or the server's."""
    write = protocol.write_copy
    if source.has_rows:
        try:
            if source.rows is not None:
                size = _FIRST_PIECE
                while encoder.add_some(source.rows, size):
                    write(encoder.take())
                    protocol.flush()
                    # Even where the server takes all at once, others must have their turns.
                    await asyncio.sleep(0)
                    await gate.begun()
                    if protocol.writing_paused:
                        await protocol.writable()
                    if operation.done():
                        return False
                    size = min(2 * size, PIECE)
            elif source.async_rows is not None:
                add = encoder.add
                async for row in source.async_rows:
                    add(row)
                    if encoder.waiting >= PIECE:
                        write(encoder.take())
                        if protocol.writing_paused:
                            await protocol.writable()
                    if operation.done():
                        return False
        except Exception as error:
            error.add_note(f"in row {encoder.count + 1} of what was to be copied")
            raise
        write(encoder.take())
    elif source.pieces is not None:
        for piece in source.pieces:
            write(piece if type(piece) is bytes else bytes(piece))
            await asyncio.sleep(0)
            if protocol.writing_paused:
                await protocol.writable()
            if operation.done():
                return False
    elif source.async_pieces is not None:
        async for piece in source.async_pieces:
            write(piece if type(piece) is bytes else bytes(piece))
            if protocol.writing_paused:
                await protocol.writable()
            if operation.done():
                return False
    if isinstance(encoder, BinaryRows):
        write(BINARY_TRAILER)
    return True


# --- Out ---


class CopyOut:
    """What COPY … TO STDOUT gives. `Connection.copy_out` makes it.

        data = await connection.copy_out("users")                        all of it, as bytes
        count = await connection.copy_out("users", path)                 into a file; how many rows
        async with connection.copy_out("users") as pieces:               bytes as they come
            async for piece in pieces: ...
        async with connection.copy_out("users").rows() as rows:          rows, as tuples
            async for row in rows: ...

    `async for` does without `async with`, where it is not left before its end.
    """

    def __init__(
        self,
        connection: Connection,
        source: Table,
        target: Any = None,
        *,
        args: Sequence[Any] = (),
        columns: Sequence[str] | None = None,
        format: Format | None = None,  # noqa: A002
        timeout: float | None = None,
        options: CopyOutOptions,
    ) -> None:
        self._connection = connection
        self._source = source
        self._target = target
        self._args = tuple(args)
        self._columns = columns
        self._format = format
        self._timeout = timeout
        self._options = options
        self._operation: Operation | None = None
        self._gate: _Gate
        self._sink: CopySink
        self._paused = False
        #: How many rows there were, once all have come.
        self.count = 0
        # What is wrong with it is said at once.
        copy_out_statement(source, columns, format, options)
        if timeout is not None:
            check_timeout(timeout)
        if self._args and not is_query(source):
            raise InterfaceError("args: are those of a query; a table has none")

    @classmethod
    def of(cls, source: Table, target: Any, keywords: dict[str, Any]) -> CopyOut:
        """One that has no connection yet (`on`).

        Arguments:
            keywords: of `Connection.copy_out`.
        """
        own = {
            name: keywords.pop(name) for name in ("args", "columns", "format", "timeout") if name in keywords
        }
        unknown: Any = None
        return cls(unknown, source, target, options=cast("CopyOutOptions", keywords), **own)

    def on(self, connection: Connection) -> CopyOut:
        """The same, on this connection."""
        self._connection = connection
        return self

    def __await__(self) -> Generator[Any, None, Any]:
        return self._all().__await__()

    async def _all(self) -> Any:
        async with asyncio.timeout(self._timeout):
            if self._target is None:
                async with self:
                    return b"".join([piece async for piece in self])
            target = await open_target(self._target)
            try:
                async with self:
                    async for piece in self:
                        await target.write(piece)
                return self.count
            finally:
                await target.aclose()

    def rows(self) -> CopyRows:
        """The same as rows: as tuples of values by the columns' types, where the format is binary, which it
        is here unless another is asked for; of text and CSV as tuples of str, and None.

        Raises:
            InterfaceError: there is a target, or an encoding.
        """
        if self._target is not None:
            raise InterfaceError("rows() is without a target")
        _refuse_encoding(self._options)
        return CopyRows(self)

    async def __aenter__(self) -> CopyOut:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> CopyOut:
        return self

    async def __anext__(self) -> bytes:
        """The next piece; where one ends and another begins means nothing."""
        if self._operation is None:
            await self._begin()
        operation = self._operation
        assert operation is not None
        sink = self._sink
        try:
            while not sink.size:
                if operation.done():
                    self.count = _count(operation.result())
                    raise StopAsyncIteration
                sink.on_data = self._gate.wake
                await self._gate.wait()
        except asyncio.CancelledError:
            self._give_up()
            raise
        data = sink.take()
        self._resume()
        return data

    async def _begin(self) -> None:
        protocol = self._connection.protocol
        source = self._source
        if self._args:
            source = await _filled_in(self._connection, str(source), self._args)
        statement = copy_out_statement(source, self._columns, self._format, self._options)
        self._sink = CopySink(WAITING, self._pause)
        operation = Operation(protocol, COPY, statement, (), self._sink, _tag)
        self._gate = _Gate(operation, protocol.loop)
        protocol.submit(operation)
        self._operation = operation

    async def aclose(self) -> None:
        """Take no more of it: the server is asked to end it, and what it has sent is dropped."""
        self._give_up()

    def _give_up(self) -> None:
        operation = self._operation
        if operation is not None and not operation.done():
            operation.cancel()
        self._resume()

    def _pause(self) -> None:
        transport = self._connection.protocol.transport
        if not self._paused and not transport.is_closing():
            self._paused = True
            transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            transport = self._connection.protocol.transport
            if not transport.is_closing():
                transport.resume_reading()


class CopyRows:
    """The rows of a COPY … TO STDOUT, as tuples: an asynchronous iterator."""

    def __init__(self, copy: CopyOut) -> None:
        self._copy = copy
        self._reader: Any = None
        self._rows: list[Any] = []
        self._ended = False

    async def __aenter__(self) -> CopyRows:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._copy.aclose()

    async def aclose(self) -> None:
        """As `CopyOut.aclose`."""
        await self._copy.aclose()

    async def pieces(self) -> AsyncIterator[list[Any]]:
        """Lists of rows, as they come: less work than one at a time."""
        while rows := await self._next():
            yield rows

    def __aiter__(self) -> CopyRows:
        return self

    async def __anext__(self) -> Any:
        if not self._rows:
            # From the last to the first, for a list gives its last away cheaply.
            self._rows = (await self._next())[::-1]
            if not self._rows:
                raise StopAsyncIteration
        return self._rows.pop()

    async def _next(self) -> list[Any]:
        """Some rows; none at the end."""
        if self._ended:
            return []
        if self._reader is None:
            self._reader = await self._open()
        try:
            while True:
                try:
                    data = await self._copy.__anext__()
                except StopAsyncIteration:
                    self._ended = True
                    rows: list[Any] = self._reader.finish()
                    return rows
                rows = self._reader.feed(data)
                if rows:
                    return rows
        except WireError as error:
            self._ended = True
            await self._copy.aclose()
            raise ProtocolError(str(error)) from None

    async def _open(self) -> Any:
        copy = self._copy
        options = copy._options
        most = copy._connection.options.message_size
        if copy._format is None and not options:
            copy._format = "binary"
        header = bool(options.get("header"))
        null = options.get("null")
        if copy._format == "binary":
            connection = copy._connection
            source = copy._source
            if is_statement(source):
                raise InterfaceError("rows() of a whole COPY statement: give the table or the query instead")
            if is_query(source):
                codecs = await _codecs_of(connection, str(source))
            else:
                codecs = (await _columns_of(connection, source, _names(copy._columns)))[1]
            return BinaryReader(codecs, most)
        if copy._format == "csv":
            quote = options.get("quote") or '"'
            return CsvReader(
                options.get("delimiter") or ",",
                null or "",
                header,
                most,
                quote,
                options.get("escape") or quote,
            )
        return TextReader(options.get("delimiter") or "\t", "\\N" if null is None else null, header, most)


def _tag(operation: Operation) -> str:
    return operation.tag.decode("utf-8", "replace")


async def _filled_in(connection: Connection, query: str, args: tuple[Any, ...]) -> str:
    """A query with literals for its parameters, which COPY cannot have: quoted by the server, by their
    types."""
    if connection.parameters.get("standard_conforming_strings", "on") != "on":
        raise InterfaceError(
            "args: the session's standard_conforming_strings is off: write the values into the query"
        )
    oids = (await _describe(connection, query)).oids
    if len(oids) != len(args):
        raise InterfaceError(f"the query takes {len(oids)} arguments, and {len(args)} came: {query}")
    # Numbers of the server, and so no text that could be anything else.
    listed = ", ".join(f"pg_catalog.format_type({oid}, NULL)" for oid in oids)
    named = await connection.fetch_one(f"SELECT {listed}")
    assert named is not None
    names = tuple(named)
    texts = ", ".join(
        f"pg_catalog.quote_nullable(${place}::{name}::text)" for place, name in enumerate(names, 1)
    )
    row = await connection.fetch_one(f"SELECT {texts}", *args)
    assert row is not None
    return fill_in(query, [f"({text}::{name})" for text, name in zip(row, names, strict=True)])
