"""What is fuzzed: for each target a function of bytes, which gives what the two modes must agree on, and
seeds.

An expected error is an outcome like any other; what else is raised is a finding.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.fuzz import postgres, units
from tests.fuzz.api import Item, make_api

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """Arguments:
    make: makes the function; called once in each process.
    seeds: inputs to begin with, or what gives them.
    """

    make: Callable[[], Callable[[bytes], object]]
    seeds: tuple[bytes, ...] | Callable[[], Iterable[bytes]]


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def writelines(self, pieces: Any) -> None:
        self.written += [bytes(piece) for piece in pieces]

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 8000) if name in ("peername", "sockname") else default

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.written.append(b"<eof>")

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def _connect() -> Callable[[bytes], object]:
    """Bytes through a connection of our server, in pieces; what it wrote, and whether it closed."""
    from fastweb.limits import Limits
    from fastweb.server.connections import Connections

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    limits = Limits(head_size=2000, target_size=500, header_count=20, body_size=4000, pipelined_requests=4)
    hub = Connections(make_api(), limits, loop=loop)
    hub._set_date = lambda: None  # type: ignore[method-assign]
    hub.own_lines = b"date: now\r\n"
    raised: list[object] = []
    loop.set_exception_handler(lambda _loop, context: raised.append(context))

    async def turns() -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    def run(data: bytes) -> object:
        # The first byte says how the rest is cut.
        size = (data[0] if data else 0) or max(len(data), 1)
        data = data[1:]
        connection = hub.make_protocol()
        transport = Transport()
        transport.set_protocol(connection)
        connection.connection_made(transport)
        for number, at in enumerate(range(0, len(data), size)):
            if transport.closed:
                break
            transport.protocol.data_received(data[at : at + size])
            if number % 32 == 0:
                loop.run_until_complete(turns())
        loop.run_until_complete(turns())
        if not transport.closed:
            transport.protocol.eof_received()
        loop.run_until_complete(turns())
        transport.protocol.connection_lost(None)
        loop.run_until_complete(turns())
        assert not raised, raised
        return re.sub(rb"date: [^\r]*", b"date: now", b"".join(transport.written)), transport.closed

    return run


def _request() -> Callable[[bytes], object]:
    from fastweb._speedups import request

    def run(data: bytes) -> object:
        name, _, rest = data.partition(b"\0")
        return (
            request.parse_query(data),
            request.unquote(data),
            request.parse_cookies(data.decode("latin-1")),
            request.find_header([(name, rest), (rest, name)], name[:20]),
        )

    return run


def _router() -> Callable[[bytes], object]:
    from fastweb.routing import APIRouter

    router = APIRouter()
    paths = ("/", "/a", "/a/b", "/a/{x}", "/a/{x}/c", "/n/{x:int}", "/f/{x:float}", "/u/{x:uuid}")
    for number, path in enumerate((*paths, "/p/{x:path}", "/p/{x:path}/end", "/{x}-{y}", "/{x}/{y}/{z}")):

        def endpoint() -> None:
            return None

        router.add_api_route(path, endpoint, methods=["GET"] if number % 2 else ["GET", "POST"])

    def run(data: bytes) -> object:
        method = "POST" if data[:1] == b"P" else "GET"
        level, route, values = router.match(method, "/" + data[1:].decode("utf-8", "surrogateescape"))
        return level, getattr(route, "path", None), values

    return run


def _response() -> Callable[[bytes], object]:
    from fastweb._speedups import response

    def run(data: bytes) -> object:
        status = 100 + (data[0] if data else 0) * 2
        fields = [tuple(line.partition(b"\0")[::2]) for line in data[1:].split(b"\1")]
        found: list[object] = []
        try:
            head = response.Head(status, tuple(fields))
            found.append((head.http1, head.flags, head.length))
        except (ValueError, TypeError) as error:
            found.append(str(error))
        for check in (response.check_headers, response.check_trailers):
            try:
                found.append(check(fields))
            except (ValueError, TypeError) as error:
                found.append(str(error))
        return found

    return run


def _validation() -> Callable[[bytes], object]:
    """JSON against a model and back, by the call plan and the serializer."""
    from fastweb.models import ValidationError

    def run(data: bytes) -> object:
        try:
            item = Item.model_validate_json(data)
        except ValidationError as error:
            return json.dumps(error.errors(), default=repr, sort_keys=True)
        except RecursionError:
            return "too deep"
        try:
            return item.model_dump_json(), repr(item)
        except UnicodeEncodeError:
            return "a lone surrogate"

    return run


def _untyped() -> Callable[[bytes], object]:
    from fastweb.encoders import jsonable_encoder
    from fastweb.responses import JSONResponse

    def run(data: bytes) -> object:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
        try:
            return JSONResponse(jsonable_encoder(value)).body
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            return type(error).__name__

    return run


def _websocket() -> Callable[[bytes], object]:
    """Frames behind a handshake."""
    run_http = _connect()

    def run(data: bytes) -> object:
        handshake = (
            b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        )
        deflate = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if data[:1] > b"\x7f" else b""
        return run_http(b"\0" + handshake + deflate + b"\r\n" + data[1:])

    return run


_HEAD = b"Host: a\r\n"
_JSON = b"Content-Type: application/json\r\n"

TARGETS: dict[str, Target] = {
    "http1": Target(
        _connect,
        (
            b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\1GET /items/7?q=a%20b&n=1e3&many=1&many=2 HTTP/1.1\r\nHost: a:80\r\nCookie: a=b; c=d\r\n\r\n",
            b"\7POST /items HTTP/1.1\r\n" + _HEAD + _JSON + b'Content-Length: 12\r\n\r\n{"name":"a"}',
            b"\5POST /items HTTP/1.1\r\n"
            + _HEAD
            + _JSON
            + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"name":\r\n4;x=y\r\n"a"}\r\n0\r\nT: u\r\n\r\n',
            b"\0POST /stream HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde",
            b"\0GET /head HTTP/1.0\r\nConnection: keep-alive\r\nX: y\r\n\r\n"
            b"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\n",
            b"\0GET http://b/head?x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        ),
    ),
    "websocket": Target(
        _websocket,
        (
            b"\0\x81\x85\x01\x02\x03\x04idohn",
            b"\0\x01\x81\0\0\0\0a\x89\x80\0\0\0\0\x80\x81\0\0\0\0b\x88\x82\0\0\0\0\x03\xe8",
            b"\xff\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00",
            b"\0\x82\xfe\x00\x80\0\0\0\0" + b"x" * 128,
        ),
    ),
    "request": Target(
        _request,
        (b"a=b&c=%20d+e&f", b'a=b; c="d\\073e"; f', b"/a%2Fb%zz\xff", b"host\0value", b"%e2%82%ac=%F0%9F"),
    ),
    "router": Target(
        _router,
        (
            b"Ga/b",
            b"Pa/x/c",
            b"Gn/12",
            b"Gf/1.5",
            b"Gu/00000000-0000-0000-0000-000000000005",
            b"Gp/a/b/end",
            b"Gx-y-z",
        ),
    ),
    "response": Target(
        _response,
        (
            b"\x32content-type\0text/plain\1x-y\0z",
            b"\x33content-length\0005\1date\0now\1connection\0close",
            b"\0a\r\0b",
        ),
    ),
    "validation": Target(
        _validation,
        (
            b'{"name": "a", "count": 3, "flag": true, "tags": ["x"], "one": null}',
            b'{"name": "a", "parts": [{"name": "b", "price": 1.5}], "by": {"k": 1}}',
            b'{"name": 1, "count": "3", "flag": "yes", "tags": {}, "one": [], "by": {"k": "v"}}',
            b"[]",
            b'{"name": "\\ud83d\\ude00\\u0000", "count": 1e400, "price": -0.0}',
        ),
    ),
    "untyped": Target(
        _untyped,
        (
            b'{"a": [1, 2.5, null, true, "\\u20ac"], "b": {"c": {}}}',
            b"[1e400, -0.0, NaN, 123456789012345678901]",
            b'"\\ud800"',
        ),
    ),
    "pg_values": Target(postgres.values, postgres.values_seeds),
    "pg_rows": Target(postgres.rows, postgres.rows_seeds),
    "pg_kinds": Target(postgres.kinds, postgres.kinds_seeds),
    "pg_session": Target(postgres.session, postgres.session_seeds),
    "pg_units": Target(units.units, units.units_seeds),
    "pg_startup": Target(postgres.startup, postgres.startup_seeds),
}
