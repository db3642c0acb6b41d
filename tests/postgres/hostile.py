"""A server that breaks the protocol, by a table.

It knows one statement, SELECT id, name FROM things, and answers it well, except where a `Case` says
otherwise: in place of what it would answer to a message of the client (or before, or behind it), it says
something else, and then goes on, closes, resets, or says nothing more. `hostile_cases.py` is the table.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.postgres import backend as b

__all__ = ["COLUMNS", "ROWS", "SQL", "STAGES", "Case", "Hostile", "hostile"]

SQL = "select id, name from things"
COLUMNS = [("id", b.INT4), ("name", b.TEXT)]
ROWS: list[tuple[int, str | None]] = [(1, "one"), (2, "two"), (3, None)]

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102

#: What the client asks of the server, by its message: where a case may step in.
STAGES = {
    "startup": "the StartupMessage",
    "P": "Parse",
    "D": "Describe",
    "B": "Bind",
    "E": "Execute",
    "S": "Sync",
}


@dataclass(frozen=True)
class Case:
    """One way to misbehave.

    Arguments:
    at: the client's message (`STAGES`) that is answered so, the first of its kind.
    say: what is said.
    good: the good answer goes "instead" (not at all), "before" what is said, or "after" it.
    then: "on" (as if nothing had been), "close", "reset", "silence" (until the client closes), or "flood"
        (`say` again and again, until the client closes).
    expect: what may become of the query: "protocol" (ProtocolError), "lost" (ConnectionLostError), "connect"
        (ConnectError), "server" (PostgresError), "interface" (InterfaceError), "timeout", "data" (ValueError:
        a value that is none), "value" (the rows).
    """

    name: str
    at: str
    say: bytes
    expect: str
    good: str = "instead"
    then: str = "close"

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


@dataclass
class Hostile:
    """The server.

    Arguments:
    case: what it does wrong; None is nothing.
    times: on how many connections it does so, from the first; those after are good.
    close_after: it closes, or resets, a connection when that many bytes were sent.
    piece: it sends so many bytes at a time, with a turn of the loop between.
    """

    case: Case | None = None
    times: int = 1 << 30
    close_after: int | None = None
    reset: bool = False
    piece: int = 0
    sslmode: str = "disable"
    port: int = 0
    connected: int = 0
    #: Bytes of the latest connection.
    sent: int = 0
    cancelled: int = 0
    #: Good answers by the client's message; tests may put in their own.
    rows: int = len(ROWS)
    open: set[asyncio.Task[None]] = field(default_factory=set)
    #: What went wrong in this server itself.
    troubles: list[BaseException] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=ann dbname=things sslmode={self.sslmode}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await Conversation(self, reader, writer).run()
        except (OSError, asyncio.IncompleteReadError, ClosedError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception as error:
            self.troubles.append(error)
        finally:
            self.open.discard(task)
            writer.close()
            # Asked for, or asyncio may tell of the client's reset, as the garbage collector pleases.
            with suppress(OSError):
                await writer.wait_closed()


class ClosedError(Exception):
    """This server has closed, as it should."""


class Conversation:
    """One connection."""

    def __init__(self, server: Hostile, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.sent = 0
        self.case: Case | None = None
        #: After an ErrorResponse everything up to Sync is skipped.
        self.failed = False
        self.formats: Sequence[int] = ()

    async def run(self) -> None:
        while True:
            size = struct.unpack("!I", await self.reader.readexactly(4))[0]
            body = await self.reader.readexactly(size - 4)
            version = struct.unpack_from("!I", body)[0]
            if version in (SSL_REQUEST, GSS_REQUEST):
                await self.say(b"N")
            elif version == CANCEL_REQUEST:
                self.server.cancelled += 1
                return
            else:
                break
        if self.server.connected < self.server.times:
            self.case = self.server.case
        self.server.connected += 1
        start = b"".join(
            [
                b.authentication(),
                b.parameter_status("server_version", "15.4"),
                b.parameter_status("server_encoding", "UTF8"),
                b.parameter_status("client_encoding", "UTF8"),
                b.parameter_status("DateStyle", "ISO, MDY"),
                b.parameter_status("integer_datetimes", "on"),
                b.parameter_status("standard_conforming_strings", "on"),
                b.parameter_status("TimeZone", "UTC"),
                b.backend_key_data(),
                b.ready_for_query(),
            ]
        )
        await self.answer("startup", start)
        while True:
            kind, size = struct.unpack("!cI", await self.reader.readexactly(5))
            body = await self.reader.readexactly(size - 4)
            if kind == b"X":
                return
            if kind == b"S":
                self.failed = False
            if not self.failed:
                await self.answer(kind.decode("latin-1"), self.good(kind, body))

    def good(self, kind: bytes, body: bytes) -> bytes:
        if kind == b"P":
            return b.parse_complete()
        if kind == b"D":
            if body[:1] == b"S":
                return b.parameter_description() + b.row_description(COLUMNS)
            return b.row_description(COLUMNS, self.formats[0] if self.formats else 0)
        if kind == b"B":
            self.formats = _formats(body)
            return b.bind_complete()
        if kind == b"E":
            tag = b.command_complete(f"SELECT {len(ROWS)}")
            return b"".join(self.row(*row) for row in ROWS) + tag
        if kind == b"C":
            return b.close_complete()
        if kind == b"S":
            return b.ready_for_query()
        if kind == b"Q":
            # The client's own: who are you, and forget what was set.
            if b"pg_backend_pid" in body:
                described = b.row_description([("pg_backend_pid", b.INT4)])
                return (
                    described + b.data_row([b"4711"]) + b.command_complete("SELECT 1") + b.ready_for_query()
                )
            return b.command_complete("RESET") + b.ready_for_query()
        return b""

    def row(self, number: int, name: str | None) -> bytes:
        form = self.formats[0] if self.formats else 0
        first = struct.pack("!i", number) if form else str(number).encode()
        return b.data_row([first, None if name is None else name.encode()])

    async def answer(self, at: str, good: bytes) -> None:
        case = self.case
        if case is None or case.at != at:
            await self.say(good)
            return
        self.case = None
        if case.good == "before":
            await self.say(good)
        while True:
            await self.say(case.say)
            if case.then != "flood":
                break
        self.failed = case.good == "instead" and at not in ("S", "startup") and _ends_in_error(case.say)
        if case.good == "after":
            await self.say(good)
        if case.then == "silence":
            await self.reader.read()
            raise ClosedError
        if case.then != "on":
            self.end(case.then == "reset")

    async def say(self, data: bytes) -> None:
        limit = self.server.close_after
        if limit is not None and self.sent + len(data) >= limit:
            data = data[: limit - self.sent]
        size = self.server.piece or len(data) or 1
        for at in range(0, len(data), size):
            self.writer.write(data[at : at + size])
            await self.writer.drain()
            if self.server.piece:
                await asyncio.sleep(0)
        self.sent += len(data)
        self.server.sent = self.sent
        if limit is not None and self.sent >= limit:
            self.end(self.server.reset)

    def end(self, reset: bool) -> None:
        if reset:
            # A close that lingers for no second is RST.
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        raise ClosedError


def _ends_in_error(said: bytes) -> bool:
    """Whether the last of whole messages is an ErrorResponse."""
    return said[:1] in (b"D", b"E") and b.split(said)[-1][:1] == b"E"


def _formats(body: bytes) -> tuple[int, ...]:
    """The formats of the columns that a Bind asks for."""
    at = body.index(b"\0") + 1
    at = body.index(b"\0", at) + 1
    count = struct.unpack_from("!h", body, at)[0]
    at += 2 + 2 * count
    count = struct.unpack_from("!h", body, at)[0]
    at += 2
    for _ in range(count):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4 + max(size, 0)
    count = struct.unpack_from("!h", body, at)[0]
    return struct.unpack_from(f"!{count}h", body, at + 2)


@asynccontextmanager
async def hostile(case: Case | None = None, **arguments: object) -> AsyncIterator[Hostile]:
    """The server, on the running loop, until the block ends."""
    server = Hostile(case, **arguments)  # type: ignore[arg-type]
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in list(server.open):
            task.cancel()
        if server.open:
            await asyncio.wait(server.open)
        assert not server.troubles, server.troubles
