"""Answers that may be endless, when the worker leaves: they must not hold up a deploy."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if os.name != "posix":
    pytest.skip("signals between processes", allow_module_level=True)

APP = """
import asyncio
from fastweb import FastWeb
from fastweb.responses import EventSourceResponse, StreamingResponse

app = FastWeb()


def note(words):
    with open("notes", "a") as file:
        file.write(words + "\\n")


async def endless(busy):
    try:
        while True:
            yield b"data: x\\n\\n"
            await asyncio.sleep(0.01 if busy else 3600)
    finally:
        note("ended")


@app.get("/events")
async def events(busy: bool) -> EventSourceResponse:
    return EventSourceResponse(endless(busy))


@app.get("/stream")
async def stream(busy: bool) -> StreamingResponse:
    return StreamingResponse(endless(busy), media_type="text/plain")


@app.get("/file")
async def file() -> StreamingResponse:
    async def pieces():
        yield b"a"
        await asyncio.sleep(1.5)
        yield b"b"

    return StreamingResponse(pieces(), headers={"content-length": "2"})
"""


#: However late this process is, the worker's half a second is not over.
PATIENT = """
from fastweb.server import connections, http1

settle = connections.Connections.settle
connections.Connections.settle = lambda self, least, most: settle(self, least, 20.0)
http1._LATELY = 20.0
"""


@pytest.mark.parametrize("busy", [True, False])
@pytest.mark.parametrize("path", ["/events", "/stream"])
def test_an_endless_stream_ends_early(
    serve: Callable[..., Any], app_dir: Path, path: str, busy: bool
) -> None:
    (app_dir / "main.py").write_text(APP)
    # An hour for whatever ends by itself: the test would run into its own time limit.
    server = serve(graceful_timeout=3600 if path == "/events" else 8).ready()
    connection = server.connect()
    connection.request("GET", f"{path}?busy={busy}")
    answer = connection.getresponse()
    assert answer.read(9) == b"data: x\n\n"
    assert server.stop() == 0
    assert server.notes == ["ended"]
    if path == "/events":
        answer.read()  # In good order: who listens connects again.
    else:
        with pytest.raises(http.client.IncompleteRead):
            answer.read()  # It must not pass for the whole.
    assert "Traceback" not in server.err
    assert "cut off" not in server.err
    connection.close()


def test_what_has_a_length_is_finished(serve: Callable[..., Any], app_dir: Path) -> None:
    (app_dir / "main.py").write_text(APP)
    server = serve(graceful_timeout=20).ready()
    connection = server.connect()
    connection.request("GET", "/file")
    answer = connection.getresponse()
    assert answer.read(1) == b"a"
    assert server.stop() == 0
    assert answer.read() == b"b"
    connection.close()


def test_who_has_just_asked_may_ask_again(serve: Callable[..., Any], app_dir: Path) -> None:
    """However the worker's own sweeps fall: his next answer says that the connection closes."""
    (app_dir / "main.py").write_text(APP + PATIENT)
    server = serve(write_timeout=0.2).ready()  # it sweeps every 50 ms
    connection = server.connect()
    for closes in (None, "close"):
        connection.request("GET", "/nowhere")
        answer = connection.getresponse()
        answer.read()
        assert answer.getheader("connection") == closes
        if closes is None:
            server.process.terminate()
            time.sleep(0.2)
    assert server.wait() == 0
    connection.close()
