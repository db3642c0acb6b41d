"""WebSockets over real sockets: the handshake, messages, control frames, limits, back-pressure, and how they
end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import struct
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import websockets.exceptions
import websockets.sync.client

from fastweb._speedups.response import Head
from fastweb._speedups.websocket_frames import mask
from fastweb.exceptions import ClientDisconnect

if TYPE_CHECKING:
    from tests.server.conftest import Client, LoopServer

Listen = Callable[..., "LoopServer"]

KEY = base64.b64encode(bytes(16)).decode()
FIELDS = {
    "Host": "a",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
FIN, RSV1 = 0x80, 0x40
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def head(path: str = "/echo", /, **changes: str | None) -> bytes:
    """A handshake; keywords replace fields, None leaves one out."""
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [
        f"GET {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in fields.items() if value is not None),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame(
    opcode: int, payload: bytes = b"", *, first: int | None = None, key: bytes = b"\x01\x02\x03\x04"
) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65536:
        length = bytes((0x80 | 126,)) + struct.pack("!H", size)
    else:
        length = bytes((0x80 | 127,)) + struct.pack("!Q", size)
    return bytes((FIN | opcode if first is None else first,)) + length + key + mask(payload, key)


class Sockets:
    """An app of WebSockets and nothing else, which notes what they see."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.go = threading.Event()
        self.streams: list[Any] = []

    def open_stream(self, stream: Any) -> Any:
        return self.plain(stream)

    def open_websocket(self, stream: Any) -> Any:
        self.streams.append(stream)
        return getattr(self, stream.path[1:].partition("/")[0])(stream)

    def wants_head(self, stream: Any) -> bool:
        return False

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        yield

    async def plain(self, stream: Any) -> None:
        stream.respond(Head(200, ()), b"plain")

    async def echo(self, stream: Any) -> None:
        stream.accept(None, [])
        while (message := await stream.receive()) is not None:
            await stream.send(message)
        self.seen.append((stream.close_code, stream.close_reason))

    async def hurry(self, stream: Any) -> None:
        stream.accept(None, [])
        turned = asyncio.Event()
        asyncio.get_running_loop().call_soon(turned.set)
        sent = 0
        while not turned.is_set() and sent < 1000:
            await stream.send("message")
            sent += 1
        self.seen.append(sent)

    async def head(self, stream: Any) -> None:
        stream.accept(None, [])
        seen = (stream.path, stream.raw_path, stream.query_string, stream.scheme, stream.http_version)
        await stream.send(repr((*seen, stream.client[0], stream.server[0], stream.subprotocols)))

    async def choose(self, stream: Any) -> None:
        stream.accept(stream.subprotocols[-1], [(b"X-Own", b"1"), (b"connection", b"close")])

    async def wrong(self, stream: Any) -> None:
        subprotocol, headers = {
            "letters": ("ch\u00e4t", []),
            "split": ("a\r\nx: y", []),
            "empty": ("", []),
            "value": (None, [(b"x", b"a\r\nb: c")]),
            "name": (None, [(b"x y", b"a")]),
            "text": (None, [("x", "a")]),
            "ours": (None, [(b"sec-websocket-accept", b"a")]),
        }[stream.path.rpartition("/")[2]]
        stream.accept(subprotocol, headers)

    async def turns(self, stream: Any) -> None:
        """How many turns of the loop it takes to receive messages that come at once, at least."""
        stream.accept(None, [])
        turns = 0

        def turn() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(turn)

        loop = asyncio.get_running_loop()
        await stream.receive()
        loop.call_soon(turn)
        while await stream.receive() != "end":
            pass
        await stream.send(str(int(turns >= 10)))

    async def refuse(self, stream: Any) -> None:
        stream.close(1008, "no")
        self.seen.append(await stream.receive())

    async def deny(self, stream: Any) -> None:
        stream.http.respond(Head(401, ((b"x-why", b"because"),)), b"who are you?")
        with pytest.raises(RuntimeError):
            stream.accept(None, [])

    async def silent(self, stream: Any) -> None:
        pass

    async def leave(self, stream: Any) -> None:
        stream.accept(None, [])

    async def fail(self, stream: Any) -> None:
        if stream.path == "/fail/late":
            stream.accept(None, [])
        raise ValueError("a bug")

    async def close(self, stream: Any) -> None:
        stream.accept(None, [])
        stream.close(4000, "\u00e4" * 100)
        stream.close(4001, "again")
        self.seen.append((await stream.receive(), stream.close_code))
        with pytest.raises(ClientDisconnect):
            await stream.send("late")

    async def code(self, stream: Any) -> None:
        stream.accept(None, [])
        for code in (0, 999, 1004, 1006, 1015, 2999, 5000):
            with pytest.raises(ValueError, match=str(code)):
                stream.close(code, "")
        stream.close(3000, "")

    async def early(self, stream: Any) -> None:
        """Waits before it accepts."""
        self.seen.append("waiting")
        self.seen.append(await stream.receive())
        stream.accept(None, [])
        self.seen.append(await stream.receive())
        with pytest.raises(ClientDisconnect):
            await stream.send("late")

    async def slow(self, stream: Any) -> None:
        """Receives when the test says so."""
        stream.accept(None, [])
        await asyncio.to_thread(self.go.wait, 20)
        while (message := await stream.receive()) is not None:
            self.seen.append(len(message))
        self.seen.append(stream.close_code)

    async def pour(self, stream: Any) -> None:
        """Sends until nobody takes it."""
        stream.accept(None, [])
        try:
            while True:
                await stream.send(bytes(100_000))
        except ClientDisconnect:
            self.seen.append(("poured", stream.close_code))

    async def both(self, stream: Any) -> None:
        """Sends in one task, receives in two others."""
        stream.accept(None, [])

        async def receive() -> None:
            self.seen.append(await stream.receive())

        async with asyncio.TaskGroup() as group:
            group.create_task(self.pour_into(stream))
            group.create_task(receive())
            group.create_task(receive())

    async def pour_into(self, stream: Any) -> None:
        with pytest.raises(ClientDisconnect):
            while True:
                await stream.send(bytes(100_000))

    async def timeout(self, stream: Any) -> None:
        """Gives up a receive, and receives again."""
        stream.accept(None, [])

        async def receive() -> Any:
            return await stream.receive()

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.02)
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.02):
                await stream.receive()
        await stream.send("now")
        await stream.send(await asyncio.wait_for(receive(), 20))


@pytest.fixture
def app() -> Sockets:
    return Sockets()


@pytest.fixture
def server(listen: Listen, app: Sockets) -> LoopServer:
    return listen(app)


def connect(
    server: LoopServer, path: str = "/echo", **options: Any
) -> websockets.sync.client.ClientConnection:
    options = {"compression": None, "proxy": None, "ping_interval": None, **options}
    client: websockets.sync.client.ClientConnection = websockets.sync.client.connect(
        f"ws://127.0.0.1:{server.port}{path}", **options
    )
    return client


def shake(server: LoopServer, path: str = "/echo", *behind: bytes, **options: Any) -> Client:
    """A client whose handshake was accepted, with nothing between the test and the frames."""
    client = server.connect(**options)
    client.send(head(path) + b"".join(behind))
    assert client.interim().startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    return client


def next_frame(client: Client) -> tuple[int, bytes]:
    """A frame of the server's: its first byte, its payload."""
    first, second = client._exactly(2)
    assert not second & 0x80, "a server masks nothing"
    size = second
    if size == 126:
        (size,) = struct.unpack("!H", client._exactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", client._exactly(8))
    return first, client._exactly(size)


def closed_with(client: Client) -> tuple[int, str]:
    """The Close that comes, and nothing behind it."""
    first, payload = next_frame(client)
    assert first == FIN | CLOSE, (first, payload)
    assert client.rest() == b""
    if not payload:
        return 1005, ""
    return struct.unpack("!H", payload[:2])[0], payload[2:].decode()


# --- The handshake (RFC 6455 section 4) ---


def test_it_is_accepted(server: LoopServer) -> None:
    client = server.connect()
    # The example of RFC 6455 section 1.3.
    client.send(head(**{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))
    lines = client.interim().decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    fields = dict(line.split(": ", 1) for line in lines[1:])
    assert fields.pop("date").endswith("GMT")
    assert fields == {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "server": "fastweb",
    }
    server.until(lambda: server.log)
    assert [entry[1:5] for entry in server.log] == [("GET", b"/echo", "1.1", 101)]
    client.send(frame(CLOSE))
    assert closed_with(client) == (1005, "")


def test_the_app_sees_its_head(server: LoopServer) -> None:
    with connect(server, "/head/%C3%A4?q=1", subprotocols=["chat", "v2.chat"]) as client:
        assert client.recv() == repr(
            (
                "/head/\u00e4",
                b"/head/%C3%A4",
                b"q=1",
                "ws",
                "1.1",
                "127.0.0.1",
                "127.0.0.1",
                ["chat", "v2.chat"],
            )
        )


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"Sec-WebSocket-Version": "12"}, 426, ("sec-websocket-version", "13")),
        ({"Sec-WebSocket-Version": None}, 426, ("upgrade", "websocket")),
        ({"Sec-WebSocket-Version": "13, 8"}, 426, None),
        ({"Sec-WebSocket-Key": None}, 400, None),
        ({"Sec-WebSocket-Key": ""}, 400, None),
        ({"Sec-WebSocket-Key": "short"}, 400, None),
        ({"Sec-WebSocket-Key": base64.b64encode(bytes(17)).decode()}, 400, None),
        ({"Sec-WebSocket-Key": "!" * 24}, 400, None),
        ({"Sec-WebSocket-Key": "\xe4" * 24}, 400, None),
        ({"Sec-WebSocket-Key": f"{KEY}\r\nSec-WebSocket-Key: {KEY}"}, 400, None),
        ({"Sec-WebSocket-Protocol": "ch\xe4t"}, 400, None),
        ({"Sec-WebSocket-Protocol": "a b"}, 400, None),
        ({"Sec-WebSocket-Extensions": "permessage-deflate; ="}, 400, None),
        ({"Sec-WebSocket-Extensions": 'a; b="'}, 400, None),
    ],
)
def test_a_wrong_handshake_is_refused(
    server: LoopServer,
    app: Sockets,
    changes: dict[str, str | None],
    status: int,
    field: tuple[str, str] | None,
) -> None:
    client = server.connect()
    answer = client.send(head(**changes) + frame(TEXT, b"a")).answer()
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert field is None or field in answer.headers.items()
    assert app.streams == []
    assert client.rest() == b""


@pytest.mark.parametrize(
    "request_head",
    [
        head(Connection="keep-alive"),
        head(Connection=None),
        head(Upgrade="h2c"),
        head(Upgrade=None),
        head(**{"Sec-WebSocket-Version": None, "Sec-WebSocket-Key": None}),
        head().replace(b"GET", b"POST"),
        head().replace(b"HTTP/1.1", b"HTTP/1.0"),
        head(**{"Content-Length": "5"}) + b"hello",
        head(**{"Transfer-Encoding": "chunked"}) + b"0\r\n\r\n",
    ],
)
def test_what_asks_for_no_websocket_is_a_request(
    server: LoopServer, app: Sockets, request_head: bytes
) -> None:
    client = server.connect()
    assert client.send(request_head).answer().body == b"plain"
    assert app.streams == []


@pytest.mark.parametrize(
    "field", [{"Upgrade": "WebSocket"}, {"Connection": "keep-alive, UPGRADE"}, {"Upgrade": "h2c, websocket"}]
)
def test_names_are_found_in_lists_in_any_case(server: LoopServer, field: dict[str, str]) -> None:
    client = server.connect()
    assert b" 101 " in client.send(head(**field)).interim()


def test_an_app_without_websockets_gets_a_request(listen: Listen, make_app: Callable[..., Any]) -> None:
    client = listen(make_app({})).connect()
    assert client.send(head()).answer().body == b"GET /echo 0"


def test_the_app_chooses_a_subprotocol_and_adds_fields(server: LoopServer) -> None:
    with connect(server, "/choose", subprotocols=["chat", "v2.chat"]) as client:
        assert client.subprotocol == "v2.chat"
        assert client.response is not None
        assert client.response.headers["x-own"] == "1"
        assert client.response.headers.get_all("connection") == ["Upgrade"]


@pytest.mark.parametrize("what", ["letters", "split", "empty", "value", "name", "text", "ours"])
def test_what_would_split_the_answer_is_the_apps_error(
    server: LoopServer, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = server.connect()
    answer = client.send(head(f"/wrong/{what}")).answer()
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    server.until(lambda: "Exception in the app" in caplog.text)
    with connect(server) as another:
        another.send("the worker lives")
        assert another.recv() == "the worker lives"


def test_a_close_before_accept_is_a_403(server: LoopServer, app: Sockets) -> None:
    client = server.connect()
    answer = client.send(head("/refuse")).answer()
    assert (answer.status, answer.body) == (403, b"")
    assert client.rest() == b""
    server.until(lambda: app.seen == [None])


def test_it_is_denied_in_words(server: LoopServer) -> None:
    client = server.connect()
    answer = client.send(head("/deny")).answer()
    assert (answer.status, answer.headers["x-why"], answer.body) == (401, "because", b"who are you?")
    assert client.rest() == b""
    server.until(lambda: server.log[-1][4] == 401)


@pytest.mark.parametrize("path", ["/silent", "/fail"])
def test_an_app_that_does_not_answer_is_a_500(
    server: LoopServer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert server.connect().send(head(path)).answer().status == 500
    server.until(server.is_idle)
    assert len(caplog.records) == 1


def test_it_waits_for_its_turn(server: LoopServer) -> None:
    client = server.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + head() + frame(TEXT, b"behind"))
    assert [client.answer().body for _ in range(2)] == [b"plain", b"plain"]
    assert b" 101 " in client.interim()
    assert next_frame(client) == (FIN | TEXT, b"behind")


def test_frames_behind_the_handshake_are_read(server: LoopServer) -> None:
    large = bytes(300_000)
    client = shake(server, "/echo", frame(TEXT, b"a"), frame(BINARY, large), frame(PING, b"p"))
    assert next_frame(client) == (FIN | TEXT, b"a")
    assert next_frame(client) == (FIN | BINARY, large)
    assert next_frame(client) == (FIN | PONG, b"p")


def test_every_byte_may_come_alone(server: LoopServer) -> None:
    client = server.connect()
    data = head() + frame(TEXT, "\u00e4".encode()) + frame(BINARY, bytes(130)) + frame(CLOSE, b"\x03\xe8bye")
    for i in range(len(data)):
        client.send(data[i : i + 1])
    client.interim()
    assert next_frame(client) == (FIN | TEXT, "\u00e4".encode())
    assert next_frame(client) == (FIN | BINARY, bytes(130))
    assert closed_with(client) == (1000, "")


# --- Messages and frames ---


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 200_000])
def test_messages_of_every_size_come_back(server: LoopServer, size: int) -> None:
    with connect(server) as client:
        for message in ("\u00e4" * (size // 2), bytes(size)):
            client.send(message)
            assert client.recv() == message


def test_fragments_are_put_together_around_control_frames(server: LoopServer) -> None:
    client = shake(server)
    client.send(
        frame(TEXT, b"one \xc3", first=TEXT) + frame(PING, b"between") + frame(0, b"\xa4", first=0),
        frame(0, b"", first=0) + frame(0, b" end"),
    )
    assert next_frame(client) == (FIN | PONG, b"between")
    assert next_frame(client) == (FIN | TEXT, "one \u00e4 end".encode())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"a", first=FIN | RSV1 | TEXT), 1002),
        (frame(TEXT, b"a", first=FIN | 0x20 | TEXT), 1002),
        (frame(PING, b"", first=FIN | RSV1 | PING), 1002),
        (frame(3), 1002),
        (frame(11), 1002),
        (frame(0, b"a"), 1002),
        (frame(TEXT, b"a", first=TEXT) + frame(TEXT, b"b"), 1002),
        (frame(PING, b"a", first=PING), 1002),
        (frame(PING, bytes(126)), 1002),
        (b"\x81\x01a", 1002),  # not masked
        (b"\x82\xfe\x00\x05\x00\x00\x00\x00hello", 1002),  # not in the shortest way
        (b"\x82\xff" + struct.pack("!Q", 65535) + bytes(4), 1002),
        (b"\x82\xff" + struct.pack("!Q", 1 << 63) + bytes(4), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, struct.pack("!H", 1005)), 1002),
        (frame(CLOSE, struct.pack("!H", 2999)), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"a\xed\xa0\x80", first=TEXT), 1007),  # found before the message ends
        (frame(TEXT, bytes([0xF4, 0x90]), first=TEXT), 1007),
        (frame(TEXT, b"\xc3"), 1007),
    ],
)
def test_what_breaks_the_protocol_fails_the_connection(
    server: LoopServer, app: Sockets, data: bytes, code: int
) -> None:
    client = shake(server)
    client.send(frame(TEXT, b"before") + data + frame(TEXT, b"behind"))
    assert next_frame(client) == (FIN | TEXT, b"before")
    assert closed_with(client)[0] == code
    client.close()
    server.until(lambda: app.seen)
    assert app.seen[0][0] == code


# --- Limits ---


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize(("beyond", "fits"), [(0, True), (1, False), (2, False), (10_000, False)])
def test_a_message_has_a_largest_size(
    listen: Listen, app: Sockets, beyond: int, fits: bool, fragments: int
) -> None:
    client = shake(listen(app, websocket_message_size=1000))
    data = bytes(1000 + beyond)
    step = -(-len(data) // fragments)
    for i in range(fragments):
        first = (BINARY if i == 0 else 0) | (FIN if i == fragments - 1 else 0)
        client.send(frame(0, data[i * step : (i + 1) * step], first=first))
    if fits:
        assert next_frame(client) == (FIN | BINARY, data)
    else:
        assert closed_with(client)[0] == 1009


def test_a_large_message_is_refused_by_its_head(listen: Listen, app: Sockets) -> None:
    client = shake(listen(app, websocket_message_size=1000))
    client.send(frame(BINARY, bytes(1001))[:8])
    assert closed_with(client)[0] == 1009


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize(
    ("size", "fits"), [(999, True), (1000, True), (1001, False), (1002, False), (50_000_000, False)]
)
def test_what_inflates_is_bounded_to_the_byte(listen: Listen, app: Sockets, size: int, fits: bool) -> None:
    client = listen(app, websocket_message_size=1000).connect()
    client.send(head(**{"Sec-WebSocket-Extensions": "permessage-deflate"}))
    assert b"sec-websocket-extensions: permessage-deflate\r\n" in client.interim()
    client.send(frame(BINARY, deflated(bytes(size)), first=FIN | RSV1 | BINARY))
    if fits:
        first, payload = next_frame(client)
        assert first == FIN | RSV1 | BINARY
        assert zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff") == bytes(size)
    else:
        assert closed_with(client)[0] == 1009


def test_a_slow_app_makes_the_client_wait(listen: Listen, app: Sockets) -> None:
    server = listen(app, websocket_buffer=10_000)
    client = shake(server, "/slow", receive_buffer=4096)
    client.socket.settimeout(0.5)
    count = 0
    with pytest.raises(TimeoutError):
        while True:
            client.send(frame(BINARY, bytes(5000)))
            count += 1
    stream = app.streams[0]
    server.until(lambda: stream.reading_paused)
    assert server.call(lambda: stream._early) == 0
    client.socket.settimeout(20)
    app.go.set()
    server.until(lambda: len(app.seen) >= count)
    client.close()
    server.until(lambda: app.seen and app.seen[-1] == 1006)


def test_what_inflates_leaves_the_loop_its_turns(listen: Listen, app: Sockets) -> None:
    client = listen(app).connect()
    client.send(head("/turns", **{"Sec-WebSocket-Extensions": "permessage-deflate"}))
    client.interim()
    bomb = frame(BINARY, deflated(bytes(1 << 20)), first=FIN | RSV1 | BINARY)
    client.send(bomb * 20 + frame(TEXT, b"end"))
    assert next_frame(client) == (FIN | TEXT, b"1")


def test_empty_messages_are_bounded_too(listen: Listen, app: Sockets) -> None:
    server = listen(app, websocket_buffer=1000)
    client = shake(server, "/slow")
    client.send(frame(BINARY) * 1000)
    server.until(lambda: app.streams and app.streams[0].reading_paused)
    app.go.set()
    server.until(lambda: app.seen.count(0) == 1000)
    client.send(frame(CLOSE))
    assert closed_with(client)[0] == 1005


def test_send_waits_for_a_slow_client_and_hears_of_its_end(server: LoopServer, app: Sockets) -> None:
    client = shake(server, "/pour", receive_buffer=4096)
    server.until(lambda: app.streams[0].writing_paused)
    server.settled(app.streams[0].transport.get_write_buffer_size)
    client.send(frame(CLOSE, b"\x03\xe9"))
    server.until(lambda: app.seen == [("poured", 1001)])


def test_who_never_waits_gives_others_their_turn(listen: Listen, app: Sockets) -> None:
    server = listen(app, write_buffer=1 << 30)
    shake(server, "/hurry")
    server.until(lambda: app.seen)
    assert app.seen[0] < 1000


def test_all_who_wait_hear_of_the_end(server: LoopServer, app: Sockets) -> None:
    client = shake(server, "/both", receive_buffer=4096)
    server.until(lambda: app.streams[0].writing_paused)
    client.close()
    server.until(lambda: app.seen == [None, None])


def test_pongs_do_not_pile_up_for_who_does_not_read(listen: Listen, app: Sockets) -> None:
    server = listen(app, write_buffer=10_000)
    client = shake(server, "/pour", receive_buffer=4096)
    server.until(lambda: app.streams[0].writing_paused)
    size = server.settled(app.streams[0].transport.get_write_buffer_size)
    client.send(frame(PING, bytes(100)) * 5000 + frame(PING, b"last"))
    server.until(lambda: app.streams[0]._pong == b"last")
    assert server.call(app.streams[0].transport.get_write_buffer_size) <= size
    client.close()
    server.until(lambda: app.seen)


def test_a_client_that_takes_nothing_is_cut(listen: Listen, app: Sockets) -> None:
    server = listen(app, write_timeout=0.2)
    shake(server, "/pour", receive_buffer=4096)
    server.until(lambda: app.seen == [("poured", 1006)])


# --- Time ---


def test_a_silent_client_is_pinged_and_cut_when_it_does_not_answer(listen: Listen, app: Sockets) -> None:
    server = listen(app, websocket_ping_interval=0.2, websocket_ping_timeout=1.5)
    client = shake(server)
    assert next_frame(client) == (FIN | PING, b"")
    client.send(frame(PONG))
    assert next_frame(client) == (FIN | PING, b"")
    assert closed_with(client) == (1011, "keepalive ping timeout")
    server.until(lambda: app.seen == [(1006, "keepalive ping timeout")])


def test_infinite_patience_pings_nobody(listen: Listen, app: Sockets) -> None:
    server = listen(app, websocket_ping_interval=float("inf"), write_timeout=0.1)
    client = shake(server)
    client.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        next_frame(client)


def test_a_close_that_is_not_answered_is_cut(listen: Listen, app: Sockets) -> None:
    server = listen(app, websocket_close_timeout=0.2)
    client = shake(server, "/leave")
    assert next_frame(client) == (FIN | CLOSE, b"\x03\xe8")
    with contextlib.suppress(ConnectionError):  # so soon
        client.send(frame(TEXT, b"I go on"))
    client.is_reset()
    server.until(lambda: len(server.connections) == 0)


# --- The end ---


@pytest.mark.parametrize(
    ("payload", "seen", "answer"),
    [
        (b"", (1005, ""), b""),
        (b"\x03\xe8", (1000, ""), b"\x03\xe8"),
        (b"\x0f\xa0b\xc3\xa4", (4000, "b\u00e4"), b"\x0f\xa0"),
    ],
)
def test_a_close_is_echoed(
    server: LoopServer, app: Sockets, payload: bytes, seen: tuple[int, str], answer: bytes
) -> None:
    client = shake(server)
    client.send(frame(TEXT, b"last") + frame(CLOSE, payload) + frame(TEXT, b"too late"))
    assert next_frame(client) == (FIN | TEXT, b"last")
    assert next_frame(client) == (FIN | CLOSE, answer)
    assert client.rest() == b""
    server.until(lambda: app.seen == [seen])


def test_the_app_closes(server: LoopServer, app: Sockets) -> None:
    client = shake(server, "/close")
    first, payload = next_frame(client)
    assert (first, payload) == (FIN | CLOSE, struct.pack("!H", 4000) + "\u00e4".encode() * 61)
    client.send(frame(TEXT, b"not heard") + frame(CLOSE, payload[:2]))
    assert client.rest() == b""
    server.until(lambda: app.seen == [(None, 4000)])


def test_the_app_closes_with_a_code_that_may_be_sent(server: LoopServer) -> None:
    client = shake(server, "/code")
    client.send(frame(CLOSE, b"\x0b\xb8"))
    assert closed_with(client) == (3000, "")


def test_an_endpoint_that_ends_closes(server: LoopServer) -> None:
    with connect(server, "/leave") as client, pytest.raises(websockets.exceptions.ConnectionClosedOK):
        client.recv()


def test_an_endpoint_that_fails_closes_with_1011(
    server: LoopServer, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        connect(server, "/fail/late") as client,
        pytest.raises(websockets.exceptions.ConnectionClosedError) as caught,
    ):
        client.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1011
    server.until(server.is_idle)
    assert [record.getMessage() for record in caplog.records] == [
        "Exception in the app, in the WebSocket '/fail/late'"
    ]


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_a_client_that_just_goes_is_1006(server: LoopServer, app: Sockets, how: str) -> None:
    client = shake(server)
    if how == "half":
        client.half_close()
    else:
        if how == "reset":
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    server.until(lambda: app.seen == [(1006, "")])


@pytest.mark.parametrize("half", [False, True])
def test_a_client_may_go_before_it_is_accepted(server: LoopServer, app: Sockets, half: bool) -> None:
    client = server.connect()
    client.send(head("/early"))
    server.until(lambda: app.seen == ["waiting"])
    if half:
        client.half_close()
    else:
        client.close()
    server.until(lambda: app.seen == ["waiting", None, None])


def test_receive_can_be_given_up(server: LoopServer) -> None:
    with connect(server, "/timeout") as client:
        assert client.recv() == "now"
        client.send("after")
        assert client.recv() == "after"


@pytest.mark.parametrize("path", ["/echo", "/slow"])
def test_a_server_that_stops_says_so(listen: Listen, app: Sockets, path: str) -> None:
    server = listen(app)
    client = shake(server, path)
    server.call(server.connections.drain)
    first, payload = next_frame(client)
    assert (first, payload) == (FIN | CLOSE, struct.pack("!H", 1012) + b"Service Restart")
    app.go.set()
    server.until(lambda: app.seen)
    assert app.seen[-1] in (1012, (1012, "Service Restart"))
    client.send(frame(CLOSE, b"\x03\xf4"))
    assert client.rest() == b""
    assert server.wait(server.connections.wait_closed(20))


def test_one_that_opens_while_the_server_stops_is_told(listen: Listen, app: Sockets) -> None:
    server = listen(app)
    client = server.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.answer()
    # As `drain` does, for a connection that no sweep has closed yet.
    server.call(server.connections.stop)
    server.call(setattr, server.connections, "draining", True)
    server.call(setattr, server.connections, "leaving", True)
    client.send(head())
    client.interim()
    assert next_frame(client)[1][:2] == struct.pack("!H", 1012)
    client.close()
    server.until(lambda: app.seen)


def test_compression_as_other_clients_do_it(server: LoopServer) -> None:
    with connect(server, compression="deflate") as client:
        assert client.response is not None
        assert "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]
        for message in ("short", "long " * 1000, bytes(100_000), "long " * 1000, ""):
            client.send(message)
            assert client.recv() == message
