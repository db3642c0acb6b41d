"""fastweb/_speedups/http1.py: bytes in, an answer out, on a transport that throws it away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from bench.micro.case import Work, case
from fastweb import FastWeb
from fastweb._speedups.http1_parser import END, RequestParser
from fastweb._speedups.response import Head
from fastweb.limits import Limits
from fastweb.models import BaseModel
from fastweb.server.access_log import AccessLog
from fastweb.server.connections import Connections

SMALL = b"GET /json HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
BROWSER = b"""GET /json HTTP/1.1
Host: example.com
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Accept-Language: en-US,en;q=0.5
Accept-Encoding: gzip, deflate, br, zstd
Connection: keep-alive
Referer: https://example.com/
Cookie: session=0123456789abcdef; theme=dark
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
Priority: u=0, i

""".replace(b"\n", b"\r\n")
PARAMETERS = b"GET /users/42/posts?limit=10&search=engines HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
BODY = json.dumps({"name": "Ada", "age": 36, "tags": ["a", "b"]}).encode()
POST = b"POST /users HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: application/json\r\n"
POST += b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class NullTransport(asyncio.Transport):
    """Counts what is written, and forgets it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.last: Any = b""

    def write(self, data: Any) -> None:
        self.writes += 1
        self.last = data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 8000) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class NullApp:
    """Answers everything with the same few bytes: what is left is the connection's own work."""

    head = Head(200, ((b"content-type", b"text/plain"),))

    def open_stream(self, stream: Any) -> Coroutine[Any, Any, None]:
        return self._answer(stream)

    async def _answer(self, stream: Any) -> None:
        stream.respond(self.head, b"Hello, World!")

    def wants_head(self, stream: Any) -> bool:
        return False


class NewUser(BaseModel):
    name: str
    age: int
    tags: list[str]


def make_app() -> FastWeb:
    app = FastWeb()

    @app.get("/json")
    async def plain() -> Any:
        return {"message": "Hello, World!"}

    @app.get("/users/{user_id}/posts")
    async def parameters(user_id: int, limit: int = 20, search: str = "") -> Any:
        return {"user_id": user_id, "limit": limit, "search": search}

    @app.post("/users", response_model=NewUser)
    async def create(user: NewUser) -> Any:
        return user

    return app


def _exchange(app: Any, data: bytes, requests: int = 1, access_log: Any = None) -> Work:
    connections = Connections(app, Limits(), loop=asyncio.get_running_loop(), access_log=access_log)
    connection = connections.make_protocol()
    transport = NullTransport()
    connection.connection_made(transport)
    connection.data_received(data)
    assert bytes(transport.last).startswith(b"HTTP/1.1 200"), transport.last
    receive = connection.data_received
    return lambda: receive(data), requests


_BASES = ("http1.BaseConnection", "http1.BaseHub", "stream.BaseStream", "stream.StreamOwner")


@case("connection, small head, no app", *_BASES)
def small() -> Work:
    return _exchange(NullApp(), SMALL)


class NotedOnly(AccessLog):
    """Notes requests, and leaves out what a thread does with them."""

    def _hand_over(self) -> None:
        self._entries.clear()


@case("connection, small head, no app, access log", *_BASES)
def small_logged() -> Work:
    return _exchange(NullApp(), SMALL, access_log=NotedOnly())


@case("connection, browser's head, no app", *_BASES)
def browser() -> Work:
    return _exchange(NullApp(), BROWSER)


@case("connection, POST, no app", *_BASES)
def post() -> Work:
    return _exchange(NullApp(), POST)


@case("request to answer, JSON", *_BASES)
def whole_json() -> Work:
    return _exchange(make_app(), SMALL)


@case("request to answer, path + query", *_BASES)
def whole_parameters() -> Work:
    return _exchange(make_app(), PARAMETERS)


@case("request to answer, POST, validated", *_BASES)
def whole_post() -> Work:
    return _exchange(make_app(), POST)


def _heads(data: bytes, *, again: bool) -> Work:
    parser = RequestParser(Limits())

    def read() -> None:
        if not again:
            parser.forget()
        parser.feed(data)
        while parser.next_event() != END:
            pass

    return read, 1


@case("parser, browser's head", "http1_parser.RequestParser")
def browser_head() -> Work:
    return _heads(BROWSER, again=False)


@case("parser, browser's head once more", "http1_parser.RequestParser")
def browser_head_again() -> Work:
    return _heads(BROWSER, again=True)
