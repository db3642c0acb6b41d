"""uvicorn as the reference for ASGI: the same bytes are sent to it and to our server, around the same app,
and what the app saw and what the client got are compared.

The app writes down its scope and each message. What differs on purpose is in `DIFFERENCES`, with the reason;
that table is held, too: what no longer differs fails. What is never compared: Date and Server, the order of
header fields, ports, how a body was cut into messages.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from fastweb.limits import Limits
from fastweb.server.asgi import ASGIHost
from fastweb.server.connections import Connections
from tests.server.conftest import until

HEAD = b"Host: example.org\r\n"
LAST = HEAD + b"Connection: close\r\n"


class Recorder:
    """An ASGI app that writes down what it sees of a request, and answers as the path says."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.busy = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        seen: dict[str, Any] = {"scope": scope, "messages": [], "errors": []}
        self.seen.append(seen)
        self.busy += 1

        async def noting() -> Any:
            message = await receive()
            seen["messages"].append(message)
            return message

        if scope["type"] == "websocket":
            try:
                await self.websocket(scope["path"].rpartition("/")[2], scope, noting, send)
            finally:
                self.busy -= 1
            return

        async def sending(kind: str, **values: Any) -> None:
            try:
                await send({"type": f"http.response.{kind}", **values})
            except Exception as error:
                seen["errors"].append(type(error).__name__)
                raise

        try:
            handler = getattr(self, "on_" + scope["path"].strip("/").partition("/")[0], self.on_echo)
            await handler(seen, noting, sending)
        finally:
            self.busy -= 1

    async def lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["from"] = "lifespan"
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        await send({"type": "lifespan.shutdown.complete"})

    async def websocket(self, what: str, scope: Any, receive: Any, send: Any) -> None:
        """A WebSocket, by the last part of its path."""
        assert (await receive()) == {"type": "websocket.connect"}
        if what == "deny":
            await send({"type": "websocket.close"})
        elif what == "refuse":
            fields = [(b"content-length", b"2"), (b"x-a", b"1")]
            await send({"type": "websocket.http.response.start", "status": 401, "headers": fields})
            await send({"type": "websocket.http.response.body", "body": b"no"})
        elif what == "raise":
            raise ValueError("of the app")
        if what in ("deny", "refuse", "silent"):
            return
        subprotocol = scope["subprotocols"][-1] if scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": [(b"x-a", b"1")]})
        if what == "close":
            await send({"type": "websocket.close", "code": 3001, "reason": "bye"})
        elif what == "raise_late":
            raise ValueError("of the app")
        elif what == "return":
            return
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})

    async def read(self, receive: Any) -> bytes | None:
        body = b""
        while True:
            message: dict[str, Any] = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += bytes(message["body"])
            if not message["more_body"]:
                return body

    async def on_echo(self, seen: Any, receive: Any, send: Any) -> None:
        """The body, with its length."""
        body = await self.read(receive)
        if body is None:
            return
        headers = [(b"Content-Length", b"%d" % len(body)), (b"X-Name", b"caf\xe9")]
        await send("start", status=200, headers=headers)
        await send("body", body=body)

    async def on_stream(self, seen: Any, receive: Any, send: Any) -> None:
        """In pieces, of a length that nobody knows."""
        await self.read(receive)
        await send("start", status=200, headers=[])
        await send("body", body=b"first", more_body=True)
        await send("body", more_body=True)
        await send("body", body=b"second", more_body=True)
        await send("body")

    async def on_head_only(self, seen: Any, receive: Any, send: Any) -> None:
        """A head that waits for its body."""
        await send("start", status=200, headers=[(b"content-length", b"2")])
        await asyncio.sleep(0.05)
        await send("body", body=b"ok")

    async def on_unread(self, seen: Any, receive: Any, send: Any) -> None:
        """An answer to what was not read."""
        await send("start", status=413, headers=[(b"content-length", b"2")])
        await send("body", body=b"no")

    async def on_status(self, seen: Any, receive: Any, send: Any) -> None:
        await send("start", status=int(seen["scope"]["path"].rpartition("/")[2]), headers=[])
        await send("body", body=b"")

    async def on_after(self, seen: Any, receive: Any, send: Any) -> None:
        """What comes after the answer."""
        await self.on_echo(seen, receive, send)
        seen["after"] = await receive()

    async def on_wait(self, seen: Any, receive: Any, send: Any) -> None:
        """Wait for the client to leave."""
        await self.read(receive)
        seen["after"] = await receive()

    async def on_forever(self, seen: Any, receive: Any, send: Any) -> None:
        """Send until the client leaves."""
        await send("start", status=200, headers=[])
        gone = asyncio.ensure_future(self.until_gone(receive))
        while not gone.done():
            await send("body", body=b"tick", more_body=True)
            await asyncio.sleep(0.01)
        seen["after"] = gone.result()
        await send("body", body=b"after the end", more_body=True)  # does nothing

    async def until_gone(self, receive: Any) -> Any:
        while (message := await receive())["type"] == "http.request":
            pass
        return message

    async def on_raise(self, seen: Any, receive: Any, send: Any) -> None:
        raise ValueError("of the app")

    async def on_raise_late(self, seen: Any, receive: Any, send: Any) -> None:
        await send("start", status=200, headers=[(b"content-length", b"10")])
        await send("body", body=b"half", more_body=True)
        raise ValueError("of the app")

    async def on_silent(self, seen: Any, receive: Any, send: Any) -> None:
        """No answer at all."""

    async def on_short(self, seen: Any, receive: Any, send: Any) -> None:
        await send("start", status=200, headers=[(b"content-length", b"10")])
        await send("body", body=b"five!", more_body=True)
        await send("body")

    async def on_long(self, seen: Any, receive: Any, send: Any) -> None:
        await send("start", status=200, headers=[(b"content-length", b"4")])
        await send("body", body=b"four", more_body=True)
        await send("body", body=b"more")

    async def on_twice(self, seen: Any, receive: Any, send: Any) -> None:
        await self.on_echo(seen, receive, send)
        await send("body", body=b"again")

    async def on_bodyfirst(self, seen: Any, receive: Any, send: Any) -> None:
        await send("body", body=b"no head")

    async def on_badheader(self, seen: Any, receive: Any, send: Any) -> None:
        await send("start", status=200, headers=[(b"x", b"split\r\nset-cookie: a=b")])
        await send("body", body=b"")


class Reference:
    """uvicorn, in a thread of this process."""

    def __init__(self, app: Recorder) -> None:
        self.app = app
        config = uvicorn.Config(
            app, http="httptools", ws="websockets-sansio", loop="asyncio", lifespan="on", log_config=None
        )
        self._server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, args=([listening],))
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


class Ours:
    """Our server, likewise."""

    def __init__(self, app: Recorder) -> None:
        self.app = app
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._up.wait(20)

    async def _serve(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        host = ASGIHost(self.app, lifespan="on")
        async with host.lifespan():
            connections = Connections(host, Limits(), loop=loop)
            connections.start()
            server = await loop.create_server(connections.make_protocol, "127.0.0.1", 0)
            self.port: int = server.sockets[0].getsockname()[1]
            self._up.set()
            await self._stop.wait()
            server.close()
            connections.abort()
            await connections.wait_closed(5)
            connections.stop()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Ours, Reference]]:
    """Both of them, each around a recorder."""
    ours, reference = Ours(Recorder()), Reference(Recorder())
    try:
        yield ours, reference
    finally:
        ours.stop()
        reference.stop()


@dataclass
class Case:
    """What is sent: pieces, with a pause between two; then what the client does."""

    pieces: tuple[bytes, ...]
    #: "read": all there is, until the server closes. "leave": close once `until` has come. "half": close the
    #: writing half, then read.
    then: str = "read"
    until: bytes = b""
    #: What has to have come back before the second piece is sent, unless the server closes: a pattern.
    first: bytes = b""


def get(target: bytes, fields: bytes = b"", then: str = "read", until: bytes = b"") -> Case:
    return Case((b"GET " + target + b" HTTP/1.1\r\n" + fields + LAST + b"\r\n",), then, until)


def post(path: bytes, *pieces: bytes, then: str = "read") -> Case:
    head = b"POST " + path + b" HTTP/1.1\r\n" + LAST
    return Case((head, *pieces) if pieces else (head + b"\r\n",), then)


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def frame(opcode: int, data: bytes, final: bool = True) -> bytes:
    """A frame of a client's, with a mask that changes nothing (RFC 6455 section 5.2)."""
    return bytes([opcode | (0x80 if final else 0), 0x80 | len(data), 0, 0, 0, 0]) + data


def websocket(what: bytes, *frames: bytes, fields: bytes = b"", then: str = "read") -> Case:
    handshake = (
        b"GET /ws/" + what + b" HTTP/1.1\r\n" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields + b"\r\n"
    )
    # The answer; and where the app closes by itself, its Close.
    first = rb"(?s)\r\n\r\n." if what in (b"close", b"raise_late", b"return") else rb"\r\n\r\n"
    return Case((handshake, *frames), then, b"\r\n\r\n" if then == "leave" else b"", first)


CLOSE = frame(8, b"\x03\xe8")

CASES: dict[str, Case] = {
    # WebSockets
    "ws echo": websocket(b"echo?q=1", frame(1, b"text"), frame(2, b"\x00\xff"), frame(1, b""), CLOSE),
    "ws fragments": websocket(b"echo", frame(1, b"a", False), frame(0, b"b", False) + frame(0, b"c"), CLOSE),
    "ws ping": websocket(b"echo", frame(9, b"ping"), frame(10, b"pong"), CLOSE),
    "ws close with a reason": websocket(b"echo", frame(8, b"\x0b\xb8bye")),
    "ws close without a code": websocket(b"echo", frame(8, b"")),
    "ws leaves": websocket(b"echo", then="leave"),
    "ws subprotocols": websocket(b"echo", CLOSE, fields=b"Sec-WebSocket-Protocol: a, b\r\n"),
    "ws denied": websocket(b"deny"),
    "ws refused in words": websocket(b"refuse"),
    "ws app raises": websocket(b"raise"),
    "ws app returns without an answer": websocket(b"silent"),
    "ws app closes": websocket(b"close", frame(8, b"\x0b\xb9bye")),
    "ws app raises late": websocket(b"raise_late", frame(8, b"\x03\xf3")),
    "ws app returns": websocket(b"return", frame(8, b"\x03\xe8")),
    "ws bad UTF-8": websocket(b"echo", frame(1, b"\xff")),
    "ws another version": Case(
        (
            b"GET /ws/echo HTTP/1.1\r\n" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
    ),
    # Targets
    "plain": get(b"/"),
    "query": get(b"/a/b?x=1&y=%20z&x=2"),
    "empty query": get(b"/a?"),
    "escapes": get(b"/caf%C3%A9/%2Fslash/%20space/a%2Bb+c"),
    "not UTF-8": get(b"/%ff%fe"),
    "no escape": get(b"/100%/%zz/%4"),
    "double slash": get(b"//a//b"),
    "dots": get(b"/a/../b/./c"),
    "semicolon": get(b"/a;v=1/b;v=2?c;d"),
    "question mark in the query": get(b"/a?b?c"),
    "absolute form": get(b"http://example.org/a/b?c=d"),
    "absolute form, another host": get(b"http://other.org/a"),
    "asterisk form": Case((b"OPTIONS * HTTP/1.1\r\n" + LAST + b"\r\n",)),
    # Methods
    **{
        f"method {name}": Case((name.encode() + b" /x HTTP/1.1\r\n" + LAST + b"\r\n",))
        for name in ("HEAD", "DELETE", "OPTIONS", "PATCH", "PUT", "PROPFIND")
    },
    # Header fields
    "fields": get(
        b"/", b"X-A: 1\r\nx-a: 2\r\nX-Latin: caf\xe9\r\nX-Empty:\r\nX-Space:   a b  \r\nCookie: a=b\r\n"
    ),
    # Bodies
    "length": post(b"/", b"Content-Length: 5\r\n\r\nhello"),
    "length in pieces": post(b"/", b"Content-Length: 10\r\n\r\nhel", b"lo", b" you!"),
    "length 0": post(b"/", b"Content-Length: 0\r\n\r\n"),
    "no body": post(b"/"),
    "chunked": post(b"/", CHUNKED + b"5\r\nhello\r\n4\r\n you\r\n0\r\n\r\n"),
    "chunked in pieces": post(b"/", CHUNKED + b"5\r\nhe", b"llo\r\n4", b"\r\n you\r\n", b"0\r\n", b"\r\n"),
    "chunked, empty": post(b"/", CHUNKED + b"0\r\n\r\n"),
    "chunk extension": post(b"/", CHUNKED + b"5;name=value\r\nhello\r\n0\r\n\r\n"),
    "large": post(b"/", b"Content-Length: 300000\r\n\r\n" + b"x" * 300000),
    "GET with a body": Case((b"GET / HTTP/1.1\r\n" + LAST + b"Content-Length: 2\r\n\r\nab",)),
    "expect": Case(
        (b"POST / HTTP/1.1\r\n" + LAST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", b"ab"),
        first=rb" 100 .*\r\n\r\n",
    ),
    "expect, unread": post(b"/unread", b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
    # Answers
    "stream": get(b"/stream"),
    "HEAD of a stream": Case((b"HEAD /stream HTTP/1.1\r\n" + LAST + b"\r\n",)),
    "head before the body": get(b"/head_only"),
    "unread body": post(b"/unread", b"Content-Length: 5\r\n\r\nhello"),
    "status 204": get(b"/status/204"),
    "status 304": get(b"/status/304"),
    "status 299": get(b"/status/299"),
    "after the answer": get(b"/after"),
    # Connections
    "keep-alive": Case(
        (
            b"GET /1 HTTP/1.1\r\n" + HEAD + b"\r\n",
            b"POST /2 HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\n\r\nab",
            b"GET /3 HTTP/1.1\r\n" + LAST + b"\r\n",
        )
    ),
    "pipelined": Case(
        (
            b"GET /1 HTTP/1.1\r\n"
            + HEAD
            + b"\r\nPOST /2 HTTP/1.1\r\n"
            + HEAD
            + b"Content-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\n"
            + LAST
            + b"\r\n",
        )
    ),
    "HTTP/1.0": Case((b"GET / HTTP/1.0\r\n" + HEAD + b"\r\n",)),
    "HTTP/1.0, keep-alive": Case(
        (
            b"GET /1 HTTP/1.0\r\n" + HEAD + b"Connection: keep-alive\r\n\r\n",
            b"GET /2 HTTP/1.0\r\n" + HEAD + b"\r\n",
        )
    ),
    "HTTP/1.0, a stream": Case((b"GET /stream HTTP/1.0\r\n" + HEAD + b"\r\n",)),
    "upgrade to what nobody speaks": Case(
        (b"GET / HTTP/1.1\r\n" + HEAD + b"Connection: upgrade, close\r\nUpgrade: h2c\r\n\r\n",)
    ),
    # Clients that leave
    "leaves before the end of its body": post(b"/", b"Content-Length: 10\r\n\r\nhel", then="leave"),
    "leaves within a chunk": post(b"/", CHUNKED + b"5\r\nhel", then="leave"),
    "leaves while the app waits": get(b"/wait", then="leave"),
    "leaves in the middle of a stream": get(b"/forever", then="leave", until=b"tick"),
    "closes its side, and reads on": get(b"/head_only", then="half"),
    # Apps that fail
    "app raises": get(b"/raise"),
    "app raises late": get(b"/raise_late"),
    "app returns without an answer": get(b"/silent"),
    "body shorter than its length": get(b"/short"),
    "body longer than its length": get(b"/long"),
    "answers twice": get(b"/twice"),
    "body before the head": get(b"/bodyfirst"),
    "a header that would split the answer": get(b"/badheader"),
    # Requests that are none
    "no Host": Case((b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",)),
    "no version": Case((b"GET /\r\n\r\n",)),
    "a space before the colon": get(b"/", b"X-A : 1\r\n"),
    "two lengths": post(b"/", b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "length and chunked": post(b"/", b"Content-Length: 1\r\n" + CHUNKED + b"0\r\n\r\n"),
    "bad chunk": post(b"/", CHUNKED + b"xyz\r\n"),
}

#: What differs, and why: (what, reason). "app" is what the app saw, "client" what came back.
BOTH = {"app", "client"}
DIFFERENCES: dict[str, tuple[set[str], str]] = {
    "ws close with a reason": ({"client"}, "a reason is not sent back"),
    "ws leaves": ({"app"}, "1006, closed without a close frame (RFC 6455 section 7.1.5), not 1005"),
    "ws denied": ({"client"}, "no Content-Type of an empty body"),
    "ws refused in words": ({"client"}, "no Content-Type that the app has not sent"),
    "ws app raises late": ({"client"}, "a close frame, 1011"),
    "ws app returns": ({"client"}, "a close frame, 1000"),
    "ws bad UTF-8": (BOTH, "the close frame says why"),
    "ws another version": ({"client"}, "426 with the version (RFC 6455 section 4.4)"),
    "fields": ({"app"}, "the whitespace behind a value is no part of it (RFC 9112 section 5.1)"),
    "absolute form, another host": ({"app"}, "the target's host replaces the field (RFC 9112 section 3.2.2)"),
    "status 299": ({"client"}, "an answer that is sent at once has a Content-Length"),
    "HTTP/1.0, keep-alive": (BOTH, "a client of HTTP/1.0 may keep its connection (RFC 9112 section 9.3)"),
    "HTTP/1.0, a stream": ({"client"}, "HTTP/1.0 knows no chunks (RFC 9112 section 6.1)"),
    "closes its side, and reads on": ({"client"}, "who has closed one side only may still read the other"),
    "body longer than its length": ({"client"}, "the connection is cut, so that the mistake is seen"),
    "a header that would split the answer": (BOTH, "the app is told before anything is sent: 500"),
    "no Host": (BOTH, "a request of HTTP/1.1 has a Host (RFC 9112 section 3.2)"),
    "no version": (BOTH, "HTTP/0.9 is not spoken"),
    "bad chunk": ({"app"}, "what is refused with its first bytes does not reach the app"),
}


def ask(server: Ours | Reference, case: Case) -> bytes:
    """What comes back."""
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(case.pieces):
            if number:
                time.sleep(0.02)
                while not re.search(case.first, got) and (data := client.recv(65536)):
                    got += data
            client.sendall(piece)
        if case.then == "leave":
            while case.until not in got:
                got += client.recv(65536)
            until(lambda: server.app.busy)
            if not case.until:
                until(lambda: server.app.seen[-1]["messages"])
                time.sleep(0.05)  # until it waits again
            return b""
        if case.then == "half":
            client.shutdown(socket.SHUT_WR)
        try:
            while data := client.recv(65536):
                got += data
        except ConnectionResetError:
            got += b"RESET"
    return got


def answers(data: bytes) -> list[Any]:
    """Status, fields and body of each answer; the rest as it is."""
    found: list[Any] = []
    while data:
        head, empty, rest = data.partition(b"\r\n\r\n")
        if not empty or not head.startswith(b"HTTP/1."):
            found.append(data)
            break
        line, *lines = head.split(b"\r\n")
        pairs = [item.split(b": ", 1) for item in lines]
        fields = sorted((pair[0].lower(), pair[-1]) for pair in pairs)
        names = dict(fields)
        status = int(line.split(b" ")[1])
        body = b""
        if status >= 200 and names.get(b"transfer-encoding") == b"chunked":
            while match := re.match(rb"([0-9a-f]+)\r\n", rest):
                size = int(match[1], 16)
                body += rest[match.end() : match.end() + size]
                rest = rest[match.end() + size + 2 :]
                if not size:
                    break
            else:
                body += b" CUT " + rest
                rest = b""
        elif status >= 200:
            length = int(names.get(b"content-length", len(rest)))
            body, rest = rest[:length], rest[length:]
        kept = [item for item in fields if item[0] not in (b"date", b"server")]
        found.append((status, kept, body))
        data = rest
    return found


def observed(server: Ours | Reference, case: Case) -> dict[str, Any]:
    """What one server makes of a case."""
    app = server.app
    app.seen.clear()
    got = ask(server, case)
    until(lambda: not app.busy)
    return {"client": answers(got), "app": [_seen(item) for item in app.seen]}


def _seen(seen: dict[str, Any]) -> dict[str, Any]:
    scope = dict(seen["scope"])
    scope.pop("extensions", None)
    for name in ("client", "server"):
        scope[name] = (type(scope[name]), scope[name][0], type(scope[name][1]))
    scope["headers"] = [(type(item), *item) for item in scope["headers"]]
    messages = seen["messages"]
    pieces = [message for message in messages if message["type"] == "http.request"]
    return {
        "scope": {name: (type(value), value) for name, value in scope.items()},
        "body": b"".join(message["body"] for message in pieces),
        "bytes": {type(message["body"]) for message in pieces},
        "keys": {tuple(sorted(message)) for message in messages},
        "complete": [message["more_body"] for message in pieces][-1:],
        "others": [message for message in messages if message["type"] != "http.request"],
        "errors": seen["errors"],
        "after": seen.get("after"),
    }


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", CASES)
def test_as_uvicorn(servers: tuple[Ours, Reference], name: str) -> None:
    ours, reference = (observed(server, CASES[name]) for server in servers)
    different = {part for part in ours if ours[part] != reference[part]}
    expected, reason = DIFFERENCES.get(name, (set(), ""))
    for part in sorted(different - expected):
        assert ours[part] == reference[part], f"{part} differs"
    assert different == expected, f"it no longer differs: {reason}"
