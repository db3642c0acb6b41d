"""A client that leaves while its answer is a stream: the endpoint hears of it, and nothing is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

from fastweb import Depends, FastWeb, Request
from fastweb.middleware import Middleware
from fastweb.middleware.base import BaseHTTPMiddleware
from fastweb.middleware.gzip import GZipMiddleware
from fastweb.responses import FileResponse, StreamingResponse
from fastweb.sse import EventStreamResponse
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]


@pytest.fixture
def notes() -> list[str]:
    return []


class Passing:
    """An ASGI middleware that adds a field to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-passed", b"1")]
            await send(message)

        await self.app(scope, receive, sender)


async def dispatch(request: Request, call_next: Any) -> Any:
    return await call_next(request)


AROUND = {
    "nothing": [],
    "ASGI": [Middleware(Passing)],
    "BaseHTTPMiddleware": [Middleware(BaseHTTPMiddleware, dispatch=dispatch)],
    "both": [Middleware(GZipMiddleware), Middleware(BaseHTTPMiddleware, dispatch=dispatch)],
}


@pytest.fixture(params=AROUND)
def app(notes: list[str], tmp_path: Any, request: pytest.FixtureRequest) -> FastWeb:
    app = FastWeb(middleware=AROUND[request.param])
    (tmp_path / "large").write_bytes(b"x" * 20_000_000)

    async def endless(waits: bool) -> Any:
        try:
            while True:
                yield b"x"
                if waits:
                    await asyncio.Event().wait()
        finally:
            notes.append("ended")

    async def later() -> None:
        notes.append("background")

    async def opened() -> AsyncIterator[None]:
        yield
        notes.append("closed")

    @app.get("/stream", dependencies=[Depends(opened)])
    async def stream(waits: bool) -> StreamingResponse:
        return StreamingResponse(endless(waits), background=later)

    @app.get("/slow")
    async def slow() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"one", b"two", b"three"):
                yield piece
                await asyncio.sleep(0.01)

        return StreamingResponse(pieces())

    @app.get("/events", dependencies=[Depends(opened)])
    async def events(waits: bool) -> StreamingResponse:
        return EventStreamResponse(endless(waits), lambda item: item, background=later)

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(tmp_path / "large", background=later)

    return app


@pytest.mark.parametrize("path", ["/stream", "/events"])
@pytest.mark.parametrize("waits", [True, False])
def test_a_stream_ends(
    listen: Listen, app: FastWeb, notes: list[str], path: str, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = listen(app)
    with caplog.at_level(logging.INFO):
        client = server.connect()
        client.send(f"GET {path}?waits={waits} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert client.interim().startswith(b"HTTP/1.1 200 OK\r\n")
        client._until(b"x")
        assert notes == []
        client.close()
        server.until(lambda: len(notes) == 3)
        server.until(server.is_idle)
    assert notes == ["ended", "background", "closed"]
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_client_that_only_ends_its_side_gets_its_answer(listen: Listen, app: FastWeb) -> None:
    client = listen(app).connect().send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client._until(b"one").startswith(b"HTTP/1.1 200 OK\r\n")
    client.half_close()
    assert client.rest().endswith(b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")


def test_a_file_ends(listen: Listen, app: FastWeb, caplog: pytest.LogCaptureFixture) -> None:
    server = listen(app)
    with caplog.at_level(logging.INFO):
        with server.connect(receive_buffer=4096) as client:
            client.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client._until(b"xxxx").startswith(b"HTTP/1.1 200 OK\r\n")
        server.until(server.is_idle)
        answer = server.connect().send(b"GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=-5\r\n\r\n").answer()
    assert (answer.status, answer.body) == (206, b"xxxxx")
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
