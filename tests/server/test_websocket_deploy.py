"""WebSockets of an app of fastweb's, under `fastweb run`: with workers that come and go, with TLS, behind
middleware. The protocol itself: test_websocket.py."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

APP = """
import asyncio
import os
from contextlib import asynccontextmanager

from fastweb import FastWeb, WebSocket, WebSocketDisconnect

@asynccontextmanager
async def lifespan(app):
    yield
    print("down", flush=True)


app = FastWeb(lifespan=lifespan)
left = []


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(str(os.getpid()))
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as end:
        left.append(end.code)
        print("left", end.code, flush=True)


@app.websocket("/clock")
async def clock(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("tick")
            await asyncio.sleep(0.01)
    except WebSocketDisconnect:
        print("nobody looks", flush=True)


class Outer:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def sending(message):
            if message["type"] == "websocket.send":
                message = {**message, "text": message["text"].upper()}
            await send(message)

        await self.app(scope, receive, sending)


behind = FastWeb()
behind.add_middleware(Outer)
behind.add_api_websocket_route("/echo", echo)
"""

Start = Callable[..., Any]


@pytest.fixture
def serve(start: Start, app_dir: Path) -> Start:
    """`fastweb run` of one of the apps above, with more options."""
    (app_dir / "main.py").write_text(APP)

    def serve(app: str = "app", *options: str) -> Any:
        return start("-m", "fastweb", "run", f"main:{app}", "--port", "0", *options)

    return serve


def opened(server: Any, path: str = "/echo") -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}{path}", proxy=None)


def ending(client: ClientConnection) -> tuple[int, str]:
    """Read to the end: with what it was closed."""
    with pytest.raises(ConnectionClosed) as end:
        while True:
            client.recv(20)
    assert end.value.rcvd is not None
    return end.value.rcvd.code, end.value.rcvd.reason


@pytest.mark.parametrize("options", [["--workers", "1"], ["--workers", "2"], ["--workers", "2", "--preload"]])
def test_a_stop_closes_them_with_1012_at_once(serve: Start, options: list[str]) -> None:
    server = serve("app", *options).ready()
    with ExitStack() as stack:
        clients = [stack.enter_context(opened(server)) for _ in range(4)]
        clock = stack.enter_context(opened(server, "/clock"))
        for client in clients:
            assert client.recv(20).isdigit()
        server.process.send_signal(signal.SIGTERM)
        assert [ending(client)[0] for client in clients] == [1012] * 4
        assert ending(clock)[0] == 1012
    assert server.wait() == 0
    assert server.out.count("left 1012") == 4
    assert server.out.count("nobody looks") == 1


def test_a_rolling_restart_moves_them_to_new_workers(serve: Start) -> None:
    server = serve("app", "--workers", "2").ready()
    with opened(server) as client:
        before = client.recv(20)
        server.process.send_signal(signal.SIGHUP)
        assert ending(client)[0] == 1012
    # Not to the other old worker, which is the next to leave.
    server.until(lambda: server.out.count("down") == 2)
    with opened(server) as client:
        assert client.recv(20) != before
        client.send("still there")
        assert client.recv(20) == "still there"
    assert server.stop() == 0


def test_behind_middleware(serve: Start) -> None:
    server = serve("behind", "--workers", "1").ready()
    with opened(server) as client:
        client.recv(20)
        client.send("loud")
        assert client.recv(20) == "LOUD"
    server.until(lambda: "left 1000" in server.out)
    assert server.stop() == 0


def test_over_tls(serve: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    both = tmp_path / "both.pem"
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(both))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    server = serve("app", "--workers", "1", "--ssl-certfile", str(both))
    server.until(lambda: "https://127.0.0.1:" in server.err)
    port = server.err.partition("https://127.0.0.1:")[2].split()[0]
    with connect(f"wss://localhost:{port}/echo", ssl=context, proxy=None) as client:
        client.recv(20)
        client.send("secret" * 100_000)
        assert client.recv(20) == "secret" * 100_000
    assert server.stop() == 0


def test_the_access_log_tells_of_the_handshake(serve: Start) -> None:
    server = serve("app", "--workers", "1").ready()
    with opened(server) as client:
        client.recv(20)
    server.until(lambda: '"GET /echo HTTP/1.1" 101 Switching Protocols' in server.out)
    assert server.stop() == 0
