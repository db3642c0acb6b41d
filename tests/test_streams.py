"""Streams made of ASGI, and ASGI made of streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import pytest

from fastweb import FastWeb, Request
from fastweb._speedups.response import Head
from fastweb.asgi import receive_of, scope_of, send_of
from fastweb.exceptions import ClientDisconnect
from fastweb.paths import without_root
from fastweb.responses import Response
from fastweb.streams import ASGIStream
from fastweb.testclient import TestClient


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/a", "", "/a"),
        ("/api/a", "/api", "/a"),
        ("/api", "/api", ""),
        ("/api/", "/api", "/"),
        ("/apis", "/api", "/apis"),
        ("/a", "/api", "/a"),
        ("/a/b/c", "/a/b", "/c"),
    ],
)
def test_without_root(path: str, root: str, expected: str) -> None:
    assert without_root(path, root) == expected


SCOPE = {"type": "http", "method": "GET", "path": "/é", "headers": [(b"a", b"1")], "client": ["h", 1]}


def stream_of(*messages: dict[str, Any], fails: bool = False) -> tuple[ASGIStream, list[Any]]:
    waiting, sent = list(messages), []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        if fails:
            raise OSError
        sent.append(message)

    return ASGIStream(SCOPE, receive, send), sent


class PlainStream:
    """A stream as a server's: without ASGI behind it."""

    def __init__(self, stream: ASGIStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def test_head() -> None:
    stream, _ = stream_of()
    assert (stream.method, stream.path, stream.raw_path, stream.query_string) == (
        "GET",
        "/é",
        "/é".encode(),
        b"",
    )
    assert (stream.client, stream.server, stream.scheme, stream.http_version) == (
        ("h", 1),
        None,
        "http",
        "1.1",
    )
    assert scope_of(stream) is SCOPE
    made = scope_of(PlainStream(stream))
    assert made["headers"] == [(b"a", b"1")]
    assert (made["type"], made["path"], made["root_path"]) == ("http", "/é", "")


async def respond(stream: Any) -> None:
    stream.respond(Head(201, [(b"x", b"y")]), b"ab")
    await stream.drain()


async def in_pieces(stream: Any) -> None:
    stream.start(201, [(b"x", b"y")])
    await stream.send(b"a")
    await stream.send(b"b")
    stream.finish()
    stream.finish()
    await stream.drain()


async def by_asgi(stream: Any) -> None:
    send = send_of(PlainStream(stream))
    await send({"type": "http.response.start", "status": 201, "headers": [(b"X", b"y")]})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body", "body": b"b"})


async def by_asgi_at_once(stream: Any) -> None:
    send = send_of(PlainStream(stream))
    await send({"type": "http.response.start", "status": 201, "headers": [(b"X", b"y")]})
    await send({"type": "http.response.body", "body": b"ab"})


@pytest.mark.parametrize(
    ("answer", "length"), [(respond, True), (in_pieces, False), (by_asgi, False), (by_asgi_at_once, True)]
)
def test_answers(answer: Callable[[Any], Any], length: bool) -> None:
    stream, sent = stream_of()
    anyio.run(answer, stream)
    assert sent[0]["status"] == 201
    assert sent[0]["headers"] == [(b"x", b"y"), *([(b"content-length", b"2")] if length else [])]
    assert b"".join(message["body"] for message in sent[1:]) == b"ab"
    assert not sent[-1].get("more_body", False)
    assert stream.started
    assert stream.finished
    with pytest.raises(RuntimeError, match="already"):
        anyio.run(answer, stream)


def test_bodies() -> None:
    pieces = [{"type": "http.request", "body": b, "more_body": b != b"c"} for b in (b"a", b"", b"c")]

    async def main() -> None:
        stream, _ = stream_of(*pieces)
        assert [await stream.receive() for _ in range(4)] == [b"a", b"c", b"", b""]
        stream, _ = stream_of(*pieces, {"type": "http.disconnect"})
        receive = receive_of(PlainStream(stream))
        found = [await receive() for _ in range(3)]
        assert [message.get("body") for message in found] == [b"a", b"c", None]
        assert [message.get("more_body") for message in found] == [True, False, None]
        stream, _ = stream_of(pieces[0], {"type": "http.disconnect"})
        await stream.wait_disconnect()
        assert stream.disconnected
        stream, _ = stream_of({"type": "http.disconnect"})
        with pytest.raises(ClientDisconnect):
            await stream.receive()
        stream, _ = stream_of({"type": "http.disconnect"})
        assert (await receive_of(PlainStream(stream))()) == {"type": "http.disconnect"}

    anyio.run(main)


def test_a_client_that_is_gone() -> None:
    async def main() -> None:
        stream, _ = stream_of(fails=True)
        await respond(stream)
        assert stream.disconnected
        stream, _ = stream_of(fails=True)
        with pytest.raises(ClientDisconnect):
            await in_pieces(stream)

    anyio.run(main)


def test_an_endpoint_may_speak_asgi() -> None:
    """Response classes of others do."""
    app = FastWeb()

    @app.get("/")
    async def endpoint(request: Request) -> Any:
        async def other_app(scope: Any, receive: Any, send: Any) -> None:
            await send(
                {"type": "http.response.start", "status": 202, "headers": [(b"x", scope["path"].encode())]}
            )
            await send({"type": "http.response.body", "body": (await receive())["body"] + b"!"})

        class Foreign(Response):
            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                await other_app(scope, receive, send)

        return Foreign()

    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.headers["x"], answer.text) == (202, "/", "!")


EXTENSIONS = ("http.response.early_hint", "http.response.trailers", "http.response.zerocopysend")


def extended(*names: str) -> tuple[ASGIStream, list[Any]]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {**SCOPE, "extensions": {name: {} for name in names}}
    return ASGIStream(scope, receive, send), sent


@pytest.mark.parametrize("names", [EXTENSIONS, ()])
def test_what_asgi_has_extensions_for(tmp_path: Path, names: tuple[str, ...]) -> None:
    stream, sent = extended(*names)
    (tmp_path / "f").write_bytes(b"0123456789")

    async def answer(file: BinaryIO) -> None:
        stream.inform(103, [(b"link", b"</a>"), (b"x", b"y")])
        stream.inform(102)
        stream.start(200, [(b"trailer", b"x-end")])
        await stream.send_file(file, 2, 3)
        stream.finish([(b"x-end", b"1")])
        await stream.drain()

    with open(tmp_path / "f", "rb") as file:
        anyio.run(answer, file)
        kinds = [message["type"] for message in sent]
        if names:
            assert kinds == [
                "http.response.early_hint",
                "http.response.start",
                "http.response.zerocopysend",
                "http.response.body",
                "http.response.trailers",
            ]
            assert sent[0]["links"] == [b"</a>"]
            assert sent[1]["trailers"] is True
            assert (sent[2]["file"], sent[2]["offset"], sent[2]["count"]) == (file, 2, 3)
            assert (sent[4]["headers"], sent[4]["more_trailers"]) == ([(b"x-end", b"1")], False)
            assert stream.takes_interim
            assert stream.takes_trailers
        else:
            assert kinds == ["http.response.start", "http.response.body", "http.response.body"]
            assert "trailers" not in sent[0]
            assert (sent[1]["body"], sent[1]["more_body"]) == (b"234", True)
            assert not stream.takes_interim
            assert not stream.takes_trailers


def test_wrong_trailers_and_interim_answers() -> None:
    stream, _ = extended(*EXTENSIONS)
    with pytest.raises(ValueError, match="101"):
        stream.inform(101)
    stream.start(200, [])
    with pytest.raises(RuntimeError, match="before the answer"):
        stream.inform(103)
    with pytest.raises(ValueError, match="belongs into"):
        stream.finish([(b"content-length", b"1")])
