"""`python -m bench.connections`: see the package."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.machine import busy, commit, machine, now
from fastweb import FastWeb, WebSocket, is_compiled

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "bench" / "results" / "connections.json"
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
#: RFC 6455 section 1.2; the frame is the text "hello", masked with nothing.
UPGRADE: Final = (
    b"GET /ws HTTP/1.1\r\nHost: bench.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HELLO: Final = b"\x81\x85\0\0\0\0hello"
BUSY: Final = 64
#: Connections from one address of the loopback network: fewer than it has ports.
PER_ADDRESS: Final = 20_000


def serve() -> None:
    """The server, on a free port, which it prints."""
    import uvloop

    from fastweb.limits import Limits
    from fastweb.server.connections import Connections

    app = FastWeb()

    @app.get("/")
    async def root() -> dict[str, str]:
        return {"message": "Hello"}

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text(await websocket.receive_text())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        limits = Limits(keep_alive_timeout=3600.0, websocket_ping_interval=3600.0)
        connections = Connections(app, limits, loop=loop)
        connections.start()
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        await loop.create_server(connections.make_protocol, sock=sock, backlog=4096)
        print(sock.getsockname()[1], os.getpid(), flush=True)
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def raise_limit() -> int:
    """As many open files as may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def anonymous(pid: int) -> int:
    """Bytes of memory that are the process's alone (proc_pid_status(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell RssAnon")


def connect(port: int, number: int) -> socket.socket:
    sock = socket.socket()
    sock.bind((f"127.0.0.{2 + number // PER_ADDRESS}", 0))
    sock.connect(("127.0.0.1", port))
    return sock


def open_idle(port: int, count: int) -> list[socket.socket]:
    """Connections that have each made one request."""
    idle = []
    for number in range(count):
        sock = connect(port, number)
        sock.sendall(REQUEST)
        idle.append(sock)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    return idle


def open_websockets(port: int, count: int) -> list[socket.socket]:
    """WebSockets that have each sent one text and got it back."""
    idle = []
    for number in range(count):
        sock = connect(port, number)
        sock.sendall(UPGRADE)
        idle.append(sock)
        assert sock.recv(4096).startswith(b"HTTP/1.1 101 ")
        sock.sendall(HELLO)
        assert sock.recv(4096) == b"\x81\x05hello"
    return idle


def latencies(port: int, seconds: float) -> dict[str, float]:
    """Milliseconds of the requests of the busy."""
    selector = selectors.DefaultSelector()
    began: dict[int, float] = {}
    taken: list[float] = []
    socks = [connect(port, number) for number in range(BUSY)]
    for sock in socks:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        began[sock.fileno()] = time.perf_counter()
        sock.sendall(REQUEST)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(1.0):
            sock = key.fileobj  # type: ignore[assignment]
            assert sock.recv(4096), "the server has closed"
            at = time.perf_counter()
            taken.append(at - began[key.fd])
            began[key.fd] = at
            sock.sendall(REQUEST)
    selector.close()
    for sock in socks:
        sock.close()
    taken.sort()
    names = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    figures = {name: taken[int(len(taken) * share)] * 1000 for name, share in names.items()}
    return {**figures, "longest": taken[-1] * 1000, "requests": len(taken) / seconds}


@contextlib.contextmanager
def server() -> Iterator[tuple[int, int]]:
    """A server, warm: its port, and its process."""
    words = [sys.executable, "-m", "bench.connections", "--serve"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port, pid = map(int, process.stdout.readline().split())
        latencies(port, 1.0)
        yield port, pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def measure_websockets(count: int) -> dict[str, Any]:
    with server() as (port, pid):
        for sock in open_websockets(port, 1):
            sock.close()
        before = anonymous(pid)
        idle = open_websockets(port, count)
        memory = (anonymous(pid) - before) / count
        for sock in idle:
            sock.close()
        time.sleep(0.5)
        left = anonymous(pid) - before
    return {"count": count, "bytes_each": memory, "left_behind": left}


def measure(count: int, seconds: float) -> dict[str, Any]:
    with server() as (port, pid):
        alone = latencies(port, seconds)
        before = anonymous(pid)
        idle = open_idle(port, count)
        memory = (anonymous(pid) - before) / count
        beside = latencies(port, seconds)
        for sock in idle:
            sock.close()
        time.sleep(0.5)
        left = anonymous(pid) - before
    return {"count": count, "bytes_each": memory, "left_behind": left, "alone": alone, "beside": beside}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.connections", description="Idle connections.")
    parser.add_argument("--count", type=int, default=10_000, help="idle connections (default: 10000)")
    parser.add_argument("--websockets", type=int, default=5000, help="idle WebSockets (default: 5000)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of the busy ones, each time (default: 8)")
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.relative_to(ROOT)}")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    most = raise_limit()
    if options.serve:
        serve()
        return
    count = max(options.count, options.websockets)
    if count + 2 * BUSY + 100 > most:
        parser.error(f"{most} open files are allowed: too few for {count} connections")
    load = busy()
    result = measure(options.count, options.seconds)
    print(f"{options.count} idle connections: {result['bytes_each'] / 1024:.2f} KiB each")
    for name in ("alone", "beside"):
        figures = ", ".join(f"{key} {value:.2f}" for key, value in result[name].items())
        print(f"64 busy ones, {name:6}: {figures}  (ms; a second)")
    websockets = measure_websockets(options.websockets)
    print(f"{options.websockets} idle WebSockets: {websockets['bytes_each'] / 1024:.2f} KiB each")
    if options.save:
        document = {"when": now(), "commit": commit(ROOT), "machine": machine(), "busy": load}
        document = {**document, "compiled": is_compiled(), "idle": result, "websockets": websockets}
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
