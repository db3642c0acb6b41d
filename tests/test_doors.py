"""The same requests through every door, with the same answers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from fastweb import FastWeb
from fastweb.server import Config, Server
from fastweb.testclient import TestClient
from tests.doors import TABLE, Row, make_app

#: What a server adds by itself.
OF_THE_SERVER = {"date", "server", "connection", "transfer-encoding"}


@contextlib.contextmanager
def client_of(port: int) -> Iterator[httpx.Client]:
    # A connection for each request: uvicorn closes it after a 500, and the client may not have heard of it.
    limits = httpx.Limits(max_keepalive_connections=0)
    headers = {"host": "testserver", "user-agent": "testclient"}
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers=headers, limits=limits, timeout=30
    ) as client:
        yield client


@contextlib.contextmanager
def own_server(app: FastWeb) -> Iterator[httpx.Client]:
    server = Server(app, Config(app=app, port=0, access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        assert server.started.wait(30)
        with client_of(int(server.addresses[0].rpartition(":")[2])) as client:
            yield client
    finally:
        server.stop()
        thread.join(30)
    assert not thread.is_alive()


@contextlib.contextmanager
def under_uvicorn(app: FastWeb) -> Iterator[httpx.Client]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="on", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: server.run([listening]))
    thread.start()
    try:
        with client_of(listening.getsockname()[1]) as client:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield client
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
    assert not thread.is_alive()


@contextlib.contextmanager
def in_process(app: FastWeb, backend: Any) -> Iterator[httpx.Client]:
    with TestClient(app, raise_server_exceptions=False, backend=backend) as client:
        yield client


DOORS: dict[str, Callable[[FastWeb], contextlib.AbstractContextManager[httpx.Client]]] = {
    "own server": own_server,
    "uvicorn": under_uvicorn,
    "TestClient on asyncio": functools.partial(in_process, backend="asyncio"),
    "TestClient on trio": functools.partial(in_process, backend="trio"),
}


@pytest.fixture(params=DOORS, scope="module")
def door(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of the app behind one of the doors."""
    # Errors of the app are logged, with their tracebacks: they are meant.
    logging.disable(logging.CRITICAL)
    try:
        with DOORS[request.param](make_app()) as client:
            yield client
    finally:
        logging.disable(logging.NOTSET)


def ask(door: httpx.Client, row: Row, content: Any = None) -> httpx.Response:
    door.cookies.clear()
    return door.request(
        row.method,
        row.path,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in row.sent.items()],
        content=row.body if content is None else content,
        follow_redirects=False,
    )


def shown(answer: httpx.Response, row: Row) -> tuple[Any, ...]:
    """Status, body and header fields, as a row has them."""
    headers = sorted((k, v) for k, v in answer.headers.multi_items() if k not in OF_THE_SERVER)
    body: Any = answer.text
    if body and ("content-type", "application/json") in headers:
        body = json.loads(body)
        headers.remove(("content-type", "application/json"))
    if answer.content:
        with contextlib.suppress(ValueError):
            headers.remove(("content-length", str(len(answer.content))))
    return answer.status_code, body, headers


@pytest.mark.parametrize("row", TABLE, ids=repr)
def test_answers(door: httpx.Client, row: Row) -> None:
    status, body, headers = shown(ask(door, row), row)
    assert (status, body) == (row.status, row.answer)
    # Of an answer without a body, Content-Length says what GET would have had, or nothing.
    assert [field for field in headers if field[0] != "content-length"] == sorted(row.headers)


@pytest.mark.parametrize("row", [row for row in TABLE if row.body], ids=repr)
def test_bodies_in_pieces(door: httpx.Client, row: Row) -> None:
    body = row.body or b""
    pieces = (body[at : at + len(body) // 3 + 1] for at in range(0, len(body), len(body) // 3 + 1))
    status, answer, _ = shown(ask(door, row, pieces), row)
    assert (status, answer) == (row.status, row.answer)


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        (
            "/yield",
            200,
            ["a opens", "plain opens", "c opens", "endpoint", "c closes", "task", "plain closes", "a closes"],
        ),
        ("/yield/error", 404, ["a opens", "a sees HTTPException", "a closes"]),
        ("/yield/invalid", 422, ["a opens", "a sees RequestValidationError", "a closes"]),
    ],
)
def test_order_of_what_is_called(door: httpx.Client, path: str, status: int, expected: list[str]) -> None:
    door.delete("/events")
    assert door.get(path).status_code == status
    # What comes after the answer may come after the client has it.
    deadline = time.monotonic() + 60
    while len(events := door.get("/events").json()) < len(expected):
        assert time.monotonic() < deadline, events
        time.sleep(0.01)
    assert events == expected


@pytest.mark.parametrize("open_door", DOORS.values(), ids=DOORS)
def test_start_up(open_door: Any) -> None:
    with open_door(make_app()) as client:
        assert client.get("/events").json() == ["up", "started"]
