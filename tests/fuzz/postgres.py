"""What a PostgreSQL server says, fuzzed: values, rows, the answers of a session, and how one begins."""

from __future__ import annotations

import asyncio
import gc
import secrets
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec

from fastweb.models import BaseModel
from tests.postgres import backend as b

__all__ = [
    "error_of",
    "kinds",
    "kinds_seeds",
    "ready_connection",
    "rows",
    "rows_seeds",
    "session",
    "session_seeds",
    "startup",
    "startup_seeds",
    "values",
    "values_seeds",
]


def _codecs() -> list[Any]:
    """All that have no need of a server, and some that a catalog tells of."""
    from fastweb.postgres.types import TypeRegistry

    registry = TypeRegistry()
    told = [
        ("90001", "hstore", "b", "hstore_send", "0", None),
        ("90002", "vector", "b", "vector_send", "0", None),
        ("90003", "halfvec", "b", "halfvec_send", "0", None),
        ("90004", "pair", "c", "record_send", "0", '[["a", 23], ["b", 1009]]'),
        ("90005", "_pair", "b", "array_send", "90004", None),
        ("90006", "mood", "e", "enum_send", "0", None),
    ]
    registry.learn(
        (oid, "s", name, kind, send, element, ",", "0", None, None, fields)
        for oid, name, kind, send, element, fields in told
    )
    return [codec for _, codec in sorted(registry._codecs.items())]


def values() -> Callable[[bytes], object]:
    """The first byte chooses the type; then its value, with what is not its own before and behind it."""
    from fastweb._speedups.pg_record import Columns
    from fastweb._speedups.pg_rows import json_sink
    from fastweb._speedups.pg_wire import Output, WireError

    codecs = _codecs()

    def run(data: bytes) -> object:
        codec = codecs[(data[0] if data else 0) % len(codecs)]
        value, end = b"\x01" + data[1:] + b"\x02", len(data[1:]) + 1
        found: list[object] = [codec.name]
        try:
            decoded = codec.decode(value, 1, end)
            found.append(repr(decoded))
        except (WireError, ValueError) as error:
            # It breaks the protocol; or it is a text that is none, a date that Python has not.
            return [*found, str(error)]
        sink: Any = json_sink()
        sink.begin(Columns(("value",), (codec,)))
        row = b.data_row([data[1:]])
        try:
            sink.add(row, 5, len(row))
            found.append(sink.finish())
        except (WireError, ValueError) as error:
            found.append(str(error))
        out = Output()
        try:
            codec.encode(out, decoded)
            found.append(out.take())
        except (TypeError, ValueError, OverflowError) as error:
            # What a server may say and a client may not.
            found.append(type(error).__name__)
        return found

    return run


def values_seeds() -> Iterator[bytes]:
    samples: dict[str, tuple[bytes, ...]] = {
        "bool": (b"\x01",),
        "int2": (b"\x80\0",),
        "int4": (b"\0\0\0\x07",),
        "int8": (b"\xff" * 8,),
        "float4": (struct.pack("!f", 1.5), struct.pack("!f", float("nan"))),
        "float8": (struct.pack("!d", -0.1), struct.pack("!d", float("inf"))),
        "numeric": (
            struct.pack("!hhHh", 0, 0, 0xC000, 0),
            struct.pack("!hhHhhhh", 3, 1, 0x4000, 5, 12, 3400, 5600),
            struct.pack("!hhHhh", 1, -3, 0, 16, 1),
        ),
        "text": (b"plain", "é€😀".encode(), b'"\\\n'),
        "uuid": (bytes(range(16)),),
        "date": (struct.pack("!i", 8000), struct.pack("!i", 0x7FFFFFFF)),
        "time": (struct.pack("!q", 86_400_000_000),),
        "timetz": (struct.pack("!qi", 3_600_000_000, -7200),),
        "timestamp": (struct.pack("!q", 700_000_000_123_456), struct.pack("!q", -(1 << 63))),
        "timestamptz": (struct.pack("!q", -1),),
        "interval": (struct.pack("!qii", 1_500_000, 3, 14),),
        "json": (b'{"a": [1, null]}',),
        "jsonb": (b'\x01{"a": 1.5}', b"\x02{}"),
        "inet": (b"\x02\x20\0\x04\x7f\0\0\x01", b"\x03\x40\x01\x10" + b"\0" * 16),
        "bit": (struct.pack("!i", 5) + b"\xa8",),
        "point": (struct.pack("!dd", 1, 2),),
        "int4[]": (struct.pack("!iiIiiii", 1, 0, 23, 1, 1, 4, 9), struct.pack("!iiI", 0, 0, 23)),
        "text[]": (struct.pack("!iiIiiiiii", 2, 1, 25, 1, 1, 2, 1, -1, 0),),
        "hstore": (
            struct.pack("!ii", 2, 1) + b"a" + struct.pack("!ii", -1, 1) + b"b" + struct.pack("!i", 1) + b"c",
        ),
        "vector": (struct.pack("!hhff", 2, 0, 1, 2),),
        "halfvec": (struct.pack("!hhee", 2, 0, 1, 2),),
        "pair": (struct.pack("!iIiiIi", 2, 23, 4, 5, 1009, -1),),
        "pair[]": (struct.pack("!iiIiiiiIiiIi", 1, 0, 90004, 1, 1, 24, 2, 23, 4, 5, 1009, -1),),
        "tsvector[]": (b'[0:1]={a,"b c",NULL}', b"{{a},{b}}"),
        "path": (b"\x01" + struct.pack("!idd", 1, 1, 2),),
        "cidr": (b"\x02\x08\x01\x04\x0a\0\0\0",),
        "record": (struct.pack("!iIiiIi", 2, 23, 4, 5, 25, -1),),
        "int4range": (b"\x02" + struct.pack("!iiii", 4, 1, 4, 9), b"\x01"),
        "int4multirange": (
            struct.pack("!i", 1) + struct.pack("!i", 17) + b"\x02" + struct.pack("!iiii", 4, 1, 4, 9),
        ),
    }
    for number, codec in enumerate(_codecs()):
        for sample in samples.get(codec.name, (b"",)):
            yield bytes([number]) + sample


_COLUMNS = [("id", 23), ("name", 25), ("price", 1700), ("at", 1114), ("doc", 3802)]


#: One of each kind that rows are made of at once (`pg_scalar.kinds_of`).
_KINDS = [("yes", 16), ("two", 21), ("four", 23), ("eight", 20), ("half", 700), ("real", 701), ("text", 25)]


class Kinds(msgspec.Struct):
    """What an own row becomes: values go into its slots."""

    yes: bool
    two: int
    four: int | None
    eight: int
    half: float
    real: float
    text: str
    more: list[int] = []


class Untracked(msgspec.Struct, gc=False):
    """Others than the columns, another order, a type that is none's, a field twice as long as any."""

    text: str | None
    four: float
    two: int
    unknown: int = 7


@dataclass(slots=True)
class Slotted:
    text: str
    real: float
    yes: bool


@dataclass
class Plain:
    eight: int
    text: str | None


class Model(BaseModel):
    four: int
    text: str
    yes: bool = True


class Named(NamedTuple):
    yes: bool
    two: int
    four: int
    eight: int
    half: float
    real: float
    text: str


def rows() -> Callable[[bytes], object]:
    """DataRows through every sink."""
    from tests.fuzz.api import Item

    return _through_sinks(_COLUMNS, Item)


def kinds() -> Callable[[bytes], object]:
    """The same with own rows, of columns that are numbers and texts."""
    run = _through_sinks(_KINDS, Kinds, Untracked, Slotted, Plain, Model, Named, dict)
    twice = _through_sinks([("text", 25), ("text", 25), ("four", 23)], Slotted, Untracked, Model)
    return lambda data: twice(data[1:]) if data[:1] == b"2" else run(data)


def _through_sinks(described: list[tuple[str, int]], *classes: Any) -> Callable[[bytes], object]:
    from fastweb._speedups import pg_objects, pg_rows
    from fastweb._speedups.pg_record import Columns
    from fastweb._speedups.pg_wire import WireError
    from fastweb.postgres.types import TypeRegistry

    registry = TypeRegistry()
    names = tuple(name for name, _ in described)
    columns = Columns(names, tuple(registry.codec(oid) for _, oid in described))

    def take(sink: Any, data: bytes) -> object:
        try:
            sink.begin(columns)
            at = sink.add_all(data, 0, len(data))
            made = sink.finish()
            gc.collect(0)
            return at, repr(made)
        except WireError as error:
            return str(error)
        except (pg_rows.RowError, ValueError) as error:
            return type(error).__name__

    def refused(found: object) -> object:
        """Of a row that does not fit its class and is broken, too, either may be said."""
        return found if isinstance(found, tuple) else "refused"

    def run(data: bytes) -> object:
        sinks = [pg_rows.records_sink(), pg_rows.tuples_sink(), pg_objects.one_sink(), pg_rows.value_sink()]
        sinks += [pg_rows.json_sink(), pg_rows.json_sink(True)]
        found = [take(sink, data) for sink in sinks]
        return found + [refused(take(pg_objects.class_sink(cls), data)) for cls in classes]

    return run


def rows_seeds() -> Iterator[bytes]:
    good = [
        struct.pack("!i", 7),
        b"seven",
        struct.pack("!hhHhh", 1, 0, 0, 0, 7),
        struct.pack("!q", 5),
        b'\x01{"a": 1}',
    ]
    yield b.data_row(good)
    yield b.data_row(good) * 3 + b.command_complete()
    yield b.data_row([None] * 5)
    yield b.data_row(good[:2])
    yield b.data_row([b"", *good[1:]])


def kinds_seeds() -> Iterator[bytes]:
    good = [struct.pack(f"!{word}", 1) for word in "?hiqfd"] + [b"one"]
    yield b.data_row(good)
    yield b.data_row(good) * 40 + b.command_complete()
    yield b.data_row([None] * 7)
    yield b.data_row([*good[:6], b"\xff\xc3("])
    yield b.data_row([*good[:6], "é€😀 and more than eight bytes".encode()]) * 2
    for place in range(7):
        # A size that is none of the kind's, in the second row; one that is negative; one that is too large.
        for value in (b"", b"\x80", b"abc", b"\xff" * 5, bytes(9), None):
            yield b.data_row(good) + b.data_row([*good[:place], value, *good[place + 1 :]])
        for size in (-2, -1, -(1 << 31), 4000, (1 << 31) - 1):
            row, before = b.data_row(good), 7 + sum(4 + len(value) for value in good[:place])
            yield row + row[:before] + struct.pack("!i", size) + row[before + 4 :]
    for count in (-1, 0, 6, 8, 0x7FFF):
        yield b.data_row(good) + b.data_row(good, count)
    yield b"2" + b.data_row([b"one", b"two", struct.pack("!i", 3)]) * 2
    yield b"2" + b.data_row([None, b"two", b"abc"])


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def set_protocol(self, protocol: Any) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


async def _turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def error_of(error: BaseException) -> str:
    """An error that a client may be given; any other is a finding."""
    from fastweb._speedups.pg_rows import RowError
    from fastweb.postgres import errors as e
    from fastweb.postgres.auth import AuthenticationRefused
    from fastweb.postgres.channel import ClosedBefore

    due = (e.PostgresError, e.InterfaceError, e.ProtocolError, ConnectionError, TimeoutError, ValueError)
    if isinstance(error, (*due, ClosedBefore, AuthenticationRefused, RowError)):
        return f"{type(error).__name__}: {error}"
    raise error


ONE_ROW = "select id, name from things where id = $1"
ROWS = "select id, name from things"
INSERT = "insert into things values ($1, $2)"


def _ask(connection: Any, which: int) -> list[Any]:
    """Some of what can be asked, all at once."""
    asked: list[Any] = []
    if which & 1:
        asked.append(connection.fetch(ROWS))
    if which & 2:
        asked.append(connection.fetch_one(ONE_ROW, 1))
    if which & 4:
        asked.append(connection.execute(INSERT, 1, "one"))
    if which & 8:
        asked.append(connection.execute_many(INSERT, [(1, "one"), (2, None), (3, "three")]))
    if which & 16:
        asked.append(connection.fetch_json(ROWS))
    if which & 32:
        asked.append(connection.execute("set x = 1; select 2"))
    if which & 64:
        asked.append(connection.exec(ROWS))
    if which & 128:
        asked.append(connection.fetch(ROWS))
        asked[-1].cancel()
    return asked


def ready_connection(loop: asyncio.AbstractEventLoop) -> tuple[Any, _Transport]:
    from fastweb.postgres.connection import Connection, Shared
    from fastweb.postgres.options import Options

    transport = _Transport()
    session: Any = SimpleNamespace(
        options=Options(message_size=1 << 20),
        address="server",
        process_id=4711,
        secret_key=b"key!",
        parameters={},
        notices=[],
        hand_over=lambda protocol: protocol.connection_made(transport),
    )

    async def make() -> Connection:
        return Connection.over(session, Shared())

    connection = loop.run_until_complete(make())
    # A CancelRequest would go to a server that there is not.
    connection.protocol.send_cancel = None
    return connection, transport


def session() -> Callable[[bytes], object]:
    """A connection that is ready. The first byte says how the rest is cut, the second what is asked."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    raised: list[object] = []
    loop.set_exception_handler(lambda _loop, context: raised.append(context))

    def run(data: bytes) -> object:
        size = (data[0] if data else 0) or max(len(data), 1)
        connection, transport = ready_connection(loop)
        protocol = connection.protocol
        asked = _ask(connection, data[1] if len(data) > 1 else 1)
        loop.run_until_complete(_turns())
        for at in range(2, len(data), size):
            if transport.closed:
                break
            protocol.data_received(data[at : at + size])
            if at % 16 == 2:
                loop.run_until_complete(_turns())
        loop.run_until_complete(_turns())
        protocol.connection_lost(None)
        loop.run_until_complete(_turns())
        assert not raised, raised
        found: list[object] = []
        for operation in asked:
            assert operation.done(), operation
            if operation.cancelled():
                found.append("cancelled")
            elif (error := operation.exception()) is not None:
                found.append(error_of(error))
            else:
                found.append(repr(operation.result()))
        notices = [str(notice) for notice in protocol.notices]
        return found, b"".join(transport.written), transport.closed, notices, dict(connection.parameters)

    return run


class _Server:
    """Answers what a client has written, as a good server would."""

    def __init__(self) -> None:
        self.sql: dict[bytes, bytes] = {}
        self.bound = b""

    def answer(self, written: bytes) -> bytes:
        return b"".join(self.one(message[:1], message[5:]) for message in b.split(written))

    def one(self, kind: bytes, body: bytes) -> bytes:
        columns, row = [("id", b.INT4), ("name", b.TEXT)], b.data_row([struct.pack("!i", 1), b"one"])
        name = body.split(b"\0")[0]
        if kind == b"P":
            self.sql[name] = body.split(b"\0")[1]
            return b.parse_complete()
        if kind == b"D":
            sql = self.sql[body[1:-1]]
            if sql == INSERT.encode():
                return b.parameter_description([b.INT4, b.TEXT]) + b.no_data()
            oids = [b.INT4] if b"$1" in sql else []
            return b.parameter_description(oids) + b.row_description(columns)
        if kind == b"B":
            self.bound = self.sql[body.split(b"\0")[1]]
            return b.bind_complete()
        if kind == b"E":
            if self.bound == INSERT.encode():
                return b.command_complete("INSERT 0 1")
            return row * (1 if b"$1" in self.bound else 3) + b.command_complete("SELECT 3")
        if kind == b"Q":
            if b"pg_backend_pid" in body:
                described = b.row_description([("pg_backend_pid", b.INT4)])
                return (
                    described + b.data_row([b"4711"]) + b.command_complete("SELECT 1") + b.ready_for_query()
                )
            described = (
                b.row_description([("two", b.INT4)]) + b.data_row([b"2"]) + b.command_complete("SELECT 1")
            )
            return b.command_complete("SET") + described + b.ready_for_query()
        return {b"S": b.ready_for_query(), b"C": b.close_complete()}.get(kind, b"")


def session_seeds() -> Iterator[bytes]:
    """What a good server answers, as it is recorded here; and some of what it may say in between."""
    loop = asyncio.new_event_loop()
    asides = deque([b.notice_response(), b.parameter_status("x", "y"), b.notification_response()])
    for which in (1, 2, 4, 8, 16, 32, 64, 128 | 1, 7, 24, 127):
        connection, transport = ready_connection(loop)
        server, said = _Server(), b""
        asked = _ask(connection, which)
        for _ in range(20):
            loop.run_until_complete(_turns())
            written = b"".join(transport.written)
            transport.written.clear()
            answer = server.answer(written)
            said += answer
            if answer:
                connection.protocol.data_received(answer)
        assert all(operation.done() for operation in asked), which
        connection.protocol.connection_lost(None)
        yield bytes([0, which]) + said
        asides.rotate()
        yield bytes([7, which]) + asides[0] + said + b.error_response()
        messages = b.split(said)
        failed = [*messages[:-2], b.error_response("23505", C="x"), messages[-1]]
        yield bytes([64, which]) + b"".join(failed)
    loop.close()


def startup() -> Callable[[bytes], object]:
    """A handshake, with a password at hand. The first byte says how the rest is cut."""
    from fastweb.postgres.channel import Channel
    from fastweb.postgres.handshake import Handshake
    from fastweb.postgres.options import Host, Options

    loop: Any = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # The same nonce each time; and no threads.
    secrets.token_bytes = lambda nbytes=None: bytes(nbytes or 0)
    options = Options(user="ann", database="things", password="secret", scram_iterations=5000)

    async def at_once(_executor: Any, function: Any, *args: Any) -> Any:
        return function(*args)

    loop.run_in_executor = lambda *args: loop.create_task(at_once(*args))
    raised: list[object] = []
    loop.set_exception_handler(lambda _loop, context: raised.append(context))

    def run(data: bytes) -> object:
        size = (data[0] if data else 0) or max(len(data), 1)
        transport = _Transport()
        channel = Channel(loop)
        channel.connection_made(transport)
        task = loop.create_task(Handshake(channel, options, Host(), None).run())
        loop.run_until_complete(_turns())
        for at in range(1, len(data), size):
            channel.data_received(data[at : at + size])
            if at % 64 == 1:
                loop.run_until_complete(_turns())
        channel.eof_received()
        for _ in range(100):
            loop.run_until_complete(_turns())
            if task.done():
                break
        channel.connection_lost(None)
        assert task.done(), "it hangs"
        assert not raised, raised
        error = task.exception()
        found = repr(task.result()) if error is None else error_of(error)
        return found, b"".join(transport.written)

    return run


def startup_seeds() -> Iterator[bytes]:
    rest = (
        b.parameter_status("server_version", "15.4")
        + b.parameter_status("client_encoding", "UTF8")
        + b.backend_key_data()
        + b.ready_for_query()
    )
    yield b"\0" + b.authentication() + rest
    yield b"\1" + b.authentication(3) + b.authentication() + rest
    yield b"\5" + b.authentication(5, b"salt") + b.notice_response() + b.authentication() + rest
    yield b"\0" + b.negotiate_protocol_version() + b.authentication() + rest
    yield b"\0" + b.error_response("28P01", "wrong", "FATAL", H="try again")
    # The nonce is 18 zero bytes, in base64.
    first = b"r=" + b"A" * 24 + b"xyz,s=c2FsdA==,i=4096"
    sasl = b.authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0") + b.authentication(11, first)
    yield b"\0" + sasl
    yield b"\0" + sasl + b.authentication(12, b"v=" + b"A" * 43 + b"=") + b.authentication() + rest
