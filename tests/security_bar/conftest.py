"""The doors of an app: our server, any ASGI server, the TestClient; and how time grows with the input."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from fastweb import FastWeb
from fastweb.server import Config, Server
from fastweb.testclient import TestClient

Fields = Sequence[tuple[bytes, bytes]]


@dataclass
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        found = [value for each, value in self.headers if each == name]
        assert len(found) < 2
        return found[0] if found else None


class OwnServer:
    """An app on our server, in a thread."""

    def __init__(self, app: FastWeb, **options: Any) -> None:
        self.server: Server
        self._options = options
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(app,))
        self._thread.start()
        assert self._up.wait(60)

    def _run(self, app: FastWeb) -> None:
        async def serve() -> None:
            config = Config(app=app, port=0, access_log=False, graceful_timeout=1, **self._options)
            self.server = Server(app, config, on_started=lambda _: self._up.set())
            await self.server.serve()

        try:
            asyncio.run(serve())
        finally:
            self._up.set()

    def send(self, data: bytes) -> bytes:
        """All that comes back; the server closes, or the client does when nothing more is to come."""
        port = int(self.server.addresses[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sender = threading.Thread(target=_send, args=(sock, data))
            sender.start()
            found = b""
            while piece := sock.recv(1 << 16):
                found += piece
            sender.join(30)
        return found

    def ask(self, method: str, target: bytes, headers: Fields = (), body: bytes = b"") -> Answer:
        fields = list(headers)
        if not any(name == b"host" for name, _ in fields):
            fields.insert(0, (b"host", b"testserver"))
        if body and not any(name == b"transfer-encoding" for name, _ in fields):
            fields.append((b"content-length", b"%d" % len(body)))
        fields.append((b"connection", b"close"))
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        return parse(self.send(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method.encode(), target, head, body)))

    def close(self) -> None:
        self.server.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()


def _send(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
    except OSError:
        pass  # It was refused before its end.


def parse(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    headers = []
    for field in fields:
        name, colon, value = field.partition(b": ")
        assert colon, data
        headers.append((name, value))
    if (b"transfer-encoding", b"chunked") in headers:
        whole = b""
        while True:
            size, _, body = body.partition(b"\r\n")
            if int(size, 16) == 0:
                break
            whole += body[: int(size, 16)]
            body = body[int(size, 16) + 2 :]
        body = whole
    return Answer(int(line.split(b" ")[1]), headers, body)


class ASGIDoor:
    """An app as any ASGI server calls it, with a body in pieces."""

    def __init__(self, app: FastWeb, piece: int = 65536) -> None:
        self.app = app
        self.piece = piece

    def ask(self, method: str, target: bytes, headers: Fields = (), body: bytes = b"") -> Answer:
        return asyncio.run(self.ask_in_loop(method, target, headers, body))

    async def ask_in_loop(
        self, method: str, target: bytes, headers: Fields = (), body: bytes = b""
    ) -> Answer:
        from urllib.parse import unquote_to_bytes

        path, _, query = target.partition(b"?")
        fields = [(name.lower(), value) for name, value in headers]
        if not any(name == b"host" for name, _ in fields):
            fields.append((b"host", b"testserver"))
        if body:
            fields.append((b"content-length", b"%d" % len(body)))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "surrogateescape"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": fields,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        at = 0
        answer = Answer(0, [], b"")

        async def receive() -> dict[str, Any]:
            nonlocal at
            if at > len(body):
                await asyncio.sleep(3600)
            piece = body[at : at + self.piece]
            at += self.piece
            return {"type": "http.request", "body": piece, "more_body": at < len(body)}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        try:
            await self.app(scope, receive, send)  # type: ignore[arg-type]
        except ValueError:
            # A server answers what its app raises, unless the app has.
            answer.status = answer.status or 500
        return answer


class TestDoor:
    """An app in the TestClient."""

    __test__ = False

    def __init__(self, app: FastWeb) -> None:
        self._client = TestClient(app, raise_server_exceptions=False)

    def ask(self, method: str, target: bytes, headers: Fields = (), body: bytes = b"") -> Answer:
        answer = self._client.request(
            method,
            "http://testserver" + target.decode("ascii"),
            headers=list(headers),
            content=body,
            follow_redirects=False,
        )
        return Answer(answer.status_code, answer.headers.raw, answer.content)


Ask = Callable[..., Answer]


@pytest.fixture(params=["server", "asgi", "testclient"])
def door(request: pytest.FixtureRequest) -> Iterator[Callable[..., Ask]]:
    """Give an app a door, and get what asks it there: (method, target, headers, body) -> Answer."""
    opened: list[OwnServer] = []

    def open_door(app: FastWeb) -> Ask:
        if request.param == "asgi":
            return ASGIDoor(app).ask
        if request.param == "testclient":
            return TestDoor(app).ask
        opened.append(OwnServer(app))
        return opened[-1].ask

    try:
        yield open_door
    finally:
        for server in opened:
            server.close()


@pytest.fixture
def own_server() -> Iterator[Callable[..., OwnServer]]:
    """Serve an app on our server."""
    opened: list[OwnServer] = []

    def serve(app: FastWeb, **options: Any) -> OwnServer:
        opened.append(OwnServer(app, **options))
        return opened[-1]

    try:
        yield serve
    finally:
        for server in opened:
            server.close()


@pytest.fixture
def asgi() -> type[ASGIDoor]:
    return ASGIDoor


@pytest.fixture
def growth() -> Callable[[Callable[[int], Any], int], float]:
    """How many times as long a function takes for four times the input: linear is 4, quadratic is 16."""

    def measure(function: Callable[[int], Any], size: int) -> float:
        def seconds(size: int) -> float:
            begin = time.process_time()
            function(size)
            return time.process_time() - begin

        # What is measured beside a busy neighbour is too long by chance; what is quadratic, always.
        small, large = [seconds(size)], [seconds(4 * size)]
        for _ in range(12):
            # A few milliseconds of what does not depend on the size.
            ratio = min(large) / max(min(small), 0.005)
            if ratio < 7 and len(small) >= 3:
                break
            small.append(seconds(size))
            large.append(seconds(4 * size))
        return ratio

    return measure
