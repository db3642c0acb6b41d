"""FileResponse and StaticFiles on our server: large files go by sendfile, whatever stands around them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fastweb import FastWeb, Request
from fastweb.middleware import Middleware
from fastweb.middleware.gzip import GZipMiddleware
from fastweb.responses import FileResponse
from fastweb.server import sendfile
from fastweb.staticfiles import StaticFiles

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]
SIZE = 2 * 1024 * 1024 + 5

pytestmark = pytest.mark.skipif(not sendfile.AVAILABLE, reason="no sendfile here")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that each call of sendfile has sent."""
    counts: list[int] = []
    real = os.sendfile

    def spy(*args: int) -> int:
        counts.append(real(*args))
        return counts[-1]

    monkeypatch.setattr(os, "sendfile", spy)
    return counts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "large.bin").write_bytes(os.urandom(SIZE))
    (tmp_path / "small.bin").write_bytes(b"small")
    return tmp_path


def make(folder: Path, **options: Any) -> FastWeb:
    app = FastWeb(**options)

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(folder / "large.bin")

    @app.get("/hints")
    async def hints(request: Request) -> str:
        await request.send_early_hints("</a.css>; rel=preload")
        return "hinted"

    app.mount("/static", StaticFiles(directory=folder))
    return app


@pytest.mark.parametrize("path", ["/file", "/static/large.bin"])
@pytest.mark.parametrize(
    ("options", "fields", "start", "end"),
    [
        ({}, "", 0, SIZE),
        ({}, "Range: bytes=5-1500000\r\n", 5, 1_500_001),
        ({}, "Range: bytes=-100000\r\n", SIZE - 100_000, SIZE),
        ({"middleware": [Middleware(GZipMiddleware)]}, "", 0, SIZE),
    ],
)
def test_large_files(
    listen: Listen, folder: Path, sent: list[int], path: str, options: Any, fields: str, start: int, end: int
) -> None:
    server = listen(make(folder, **options))
    client = server.connect()
    client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    assert client.answer().body == (folder / "large.bin").read_bytes()[start:end]
    # Middleware sees pieces.
    by_kernel = 0 if options else end - start
    server.until(lambda: sum(sent) == by_kernel)
    client.send(f"HEAD /static/large.bin HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    assert client.answer("HEAD").headers["content-length"] == str(end - start)
    client.send(b"GET /static/small.bin HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.answer().body == b"small"
    assert sum(sent) == by_kernel


def test_several_ranges(listen: Listen, folder: Path, sent: list[int]) -> None:
    server = listen(make(folder))
    client = server.connect()
    client.send(b"GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=0-99999,200000-299999\r\n\r\n")
    answer = client.answer()
    data = (folder / "large.bin").read_bytes()
    assert answer.status == 206
    assert data[:100_000] in answer.body
    assert data[200_000:300_000] in answer.body
    server.until(lambda: sum(sent) == 200_000)


def test_early_hints(listen: Listen, folder: Path) -> None:
    client = listen(make(folder)).connect().send(b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.interim() == b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload"
    assert client.answer().body == b'"hinted"'
