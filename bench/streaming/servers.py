"""`python -m bench.streaming.servers NAME FILE`: one of the servers, on a free port, which it prints."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import uvloop

from fastweb import FastWeb, Request
from fastweb.limits import Limits
from fastweb.responses import FileResponse, StreamingResponse
from fastweb.server.connections import Connections

#: Bytes of a body, of each piece of it, and what a piece is made of.
SIZE: Final = 1024 * 1024 * 1024
PIECE: Final = 64 * 1024
DATA: Final = bytes(PIECE)


class Copy(asyncio.Protocol):
    """The reference: bytes from and to a transport, with as little HTTP as a client needs."""

    def __init__(self) -> None:
        self.left_in = 0
        self.left_out = 0
        self.chunked = False
        self.paused = False
        self.sending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.left_in:
            self.left_in -= len(data)
        else:
            head, _, rest = data.partition(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            path = lines[0].split(b" ")[1]
            for line in lines[1:]:
                if line.lower().startswith(b"content-length:"):
                    self.left_in = int(line[15:]) - len(rest)
            if path != b"/in":
                self.chunked = path == b"/chunked"
                framing = b"transfer-encoding: chunked" if self.chunked else b"content-length: %d" % SIZE
                self.transport.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
                self.left_out = SIZE
                self._send()
                return
        if not self.left_in:
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    def _send(self) -> None:
        self.sending = True
        turn = 16  # and then somebody else's
        while self.left_out and not self.paused and turn:
            turn -= 1
            if self.chunked:
                self.transport.writelines((b"%x\r\n" % PIECE, DATA, b"\r\n"))
            else:
                self.transport.write(DATA)
            self.left_out -= PIECE
        self.sending = False
        if not self.left_out:
            if self.chunked:
                self.transport.write(b"0\r\n\r\n")
        elif not self.paused:
            asyncio.get_running_loop().call_soon(self._send)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.left_out and not self.sending:
            self._send()


def make_app(file: str) -> Any:
    """The same in fastweb."""
    app = FastWeb()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(SIZE // PIECE):
            yield DATA

    @app.get("/out")
    async def out() -> StreamingResponse:
        return StreamingResponse(pieces(), headers={"content-length": str(SIZE)})

    @app.get("/chunked")
    async def chunked() -> StreamingResponse:
        return StreamingResponse(pieces())

    @app.post("/in")
    async def take(request: Request) -> str:
        async for _ in request.stream():
            pass
        return "ok"

    @app.get("/file")
    async def send() -> FileResponse:
        return FileResponse(file)

    return app


async def serve(name: str, sock: socket.socket, file: str) -> None:
    loop = asyncio.get_running_loop()
    if name == "raw":
        await loop.create_server(Copy, sock=sock)
    else:
        connections = Connections(make_app(file), Limits(body_size=2 * SIZE), loop=loop)
        connections.start()
        await loop.create_server(connections.make_protocol, sock=sock)
    print(sock.getsockname()[1], os.getpid(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], listening, sys.argv[2]))
