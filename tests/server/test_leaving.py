"""A client that leaves while its answer is a stream: the endpoint hears of it, and nothing is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fastweb import FastWeb
from fastweb.responses import FileResponse, StreamingResponse
from fastweb.sse import EventStreamResponse

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def app(notes: list[str], tmp_path: Any) -> FastWeb:
    app = FastWeb()
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

    @app.get("/stream")
    async def stream(waits: bool) -> StreamingResponse:
        return StreamingResponse(endless(waits), background=later)

    @app.get("/events")
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
        assert client._until(b"x").startswith(b"HTTP/1.1 200 OK\r\n")
        assert notes == []
        client.close()
        server.until(lambda: len(notes) == 2)
        server.until(server.is_idle)
    assert notes == ["ended", "background"]
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


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
