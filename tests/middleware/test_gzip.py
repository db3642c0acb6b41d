from __future__ import annotations

import random
import zlib
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from fastweb import FastWeb, Response
from fastweb.middleware.gzip import GZipMiddleware
from fastweb.responses import StreamingResponse
from fastweb.testclient import TestClient
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

TEXT = b"x" * 4000


def client_of(**options: Any) -> TestClient:
    app = FastWeb()

    @app.get("/text")
    async def text(size: int = 4000, vary: str | None = None) -> Response:
        return Response(b"x" * size, headers={"vary": vary} if vary else None, media_type="text/plain")

    @app.head("/text")
    async def head() -> Response:
        return Response(headers={"content-length": "4000"})

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse([TEXT, b"", TEXT], headers={"content-length": "8000"})

    @app.get("/status/{code}")
    async def status(code: int) -> Response:
        return Response(TEXT if code == 206 else b"", status_code=code)

    return TestClient(GZipMiddleware(app, **options))


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("br , gzip ; q=1.0", True),
        ("gzip;q=0.001", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip; q=0, deflate", False),
        ("gzipped", False),
        ("identity", False),
        ("", False),
    ],
)
def test_who_gets_it(accept: str, taken: bool) -> None:
    answer = client_of().get("/text", headers={"Accept-Encoding": accept})
    assert answer.content == TEXT
    assert answer.headers.get("content-encoding") == ("gzip" if taken else None)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (int(answer.headers["content-length"]) < 100) is taken


@pytest.mark.parametrize(
    ("options", "size", "compressed"),
    [({}, 499, False), ({}, 500, True), ({"minimum_size": 10}, 10, True), ({"minimum_size": 0}, 1, True)],
)
def test_small_answers_are_left_alone(options: dict[str, Any], size: int, compressed: bool) -> None:
    answer = client_of(**options).get("/text", params={"size": size})
    assert ("content-encoding" in answer.headers, "vary" in answer.headers) == (compressed, compressed)
    assert len(answer.content) == size


def test_vary_is_added_to() -> None:
    assert client_of().get("/text", params={"vary": "Cookie"}).headers["vary"] == "Cookie, Accept-Encoding"


def test_streams_are_compressed_piece_by_piece() -> None:
    answer = client_of().get("/stream")
    assert answer.content == TEXT * 2
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("threshold", [1, 10**9])
def test_pieces_can_be_read_as_they_come(threshold: int) -> None:
    pieces = [b"a" * 1000, b"b", b"c" * 70_000]
    sent: list[Message] = []

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    run_asgi(GZipMiddleware(asgi, thread_minimum_size=threshold), sent)
    reader = zlib.decompressobj(31)
    assert [reader.decompress(message["body"]) for message in sent[1:]] == [*pieces, b""]
    assert reader.eof


def run_asgi(app: ASGIApp, sent: list[Message]) -> None:
    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
    anyio.run(app, scope, receive, send)


@pytest.mark.parametrize("minimum", [0, 500])
@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/text"), ("GET", "/status/204"), ("GET", "/status/304")]
)
def test_no_body_stays_no_body(minimum: int, method: str, path: str) -> None:
    answer = client_of(minimum_size=minimum).request(method, path)
    assert "content-encoding" not in answer.headers
    assert answer.content == b""
    if method == "HEAD":
        assert answer.headers["content-length"] == "4000"


def test_parts_are_left_alone() -> None:
    answer = client_of().get("/status/206")
    assert (answer.content, "content-encoding" in answer.headers) == (TEXT, False)


@pytest.mark.parametrize(
    ("media_type", "excluded", "compressed"),
    [
        ("text/event-stream", None, False),
        ("Text/Event-Stream; charset=utf-8", None, False),
        ("image/png", None, False),
        ("image/svg+xml", None, True),
        ("video/mp4", None, False),
        ("application/grpc+proto", None, False),
        ("application/json", None, True),
        ("text/event-stream", [], True),
        ("application/json", ["Application/JSON; charset=x"], False),
    ],
)
def test_some_types_are_left_alone(media_type: str, excluded: list[str] | None, compressed: bool) -> None:
    options: dict[str, Any] = {} if excluded is None else {"exclude_content_types": excluded}
    app = GZipMiddleware(Response(TEXT, media_type=media_type), **options)
    answer = TestClient(app).get("/")
    assert answer.content == TEXT
    assert ("content-encoding" in answer.headers, "vary" in answer.headers) == (compressed, compressed)


def test_what_is_encoded_is_not_encoded_again() -> None:
    packed = zlib.compress(TEXT)
    app = GZipMiddleware(Response(packed, headers={"Content-Encoding": "deflate"}), minimum_size=1)
    answer = TestClient(app).get("/", headers={"Accept-Encoding": "gzip, deflate"})
    assert (answer.headers["content-encoding"], answer.content) == ("deflate", TEXT)


def test_a_file_sent_by_its_path_is_left_to_the_server() -> None:
    sent: list[Message] = []

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/x"})

    run_asgi(GZipMiddleware(asgi), sent)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.pathsend"]
    assert sent[0]["headers"] == []


def test_the_loop_is_free_while_a_large_answer_is_compressed() -> None:
    """Large pieces are compressed in a thread: another task gets its turns meanwhile."""
    # Nothing in it repeats: it takes some hundred milliseconds.
    large = random.Random(1).randbytes(4_000_000)
    turns = 0
    sent: list[Message] = []

    async def main() -> None:
        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await anyio.lowlevel.checkpoint()

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
        async with anyio.create_task_group() as group:
            group.start_soon(count)
            await anyio.lowlevel.checkpoint()
            before = turns
            await GZipMiddleware(Response(large))(scope, receive, send)
            group.cancel_scope.cancel()
            assert turns > before + 2

    anyio.run(main)
    assert zlib.decompress(sent[1]["body"], 31) == large
