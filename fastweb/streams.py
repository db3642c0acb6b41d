"""A stream made of ASGI.

The app answers streams (`fastweb.types.Stream`). Under another server it is called with an ASGI scope, and
`ASGIStream` makes a stream of that; `fastweb.asgi` goes the other way. See the ASGI specification, HTTP &
WebSocket protocol, version 2.5.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import BinaryIO, Final

from fastweb._speedups.request import find_header
from fastweb._speedups.response import Head, check_trailers, interim_fields
from fastweb.concurrency import run_in_threadpool
from fastweb.exceptions import ClientDisconnect
from fastweb.types import Message, Receive, ResponseHead, Scope, Send

__all__ = ["ASGIStream"]

#: Bytes of a file that are read at once, for a server that takes no files.
_PIECE: Final = 256 * 1024


def _read_at(descriptor: int, offset: int, count: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)  # Windows
    return os.read(descriptor, count)


class ASGIStream:
    """A stream over an ASGI connection: `fastweb.types.Stream`.

    What is sent without waiting (`respond`, `start`, `finish`) is kept until the next `send` or `drain`.
    The answer to a WebSocket's handshake refuses it (ASGI, extension "websocket.http.response").
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.asgi_receive = receive
        self.asgi_send = send
        self._kind = "websocket.http" if scope["type"] == "websocket" else "http"
        self.method: str = scope.get("method", "GET")
        self.path: str = scope.get("path", "")
        self.raw_path: bytes = scope.get("raw_path") or self.path.encode()
        self.query_string: bytes = scope.get("query_string", b"")
        self.headers: list[tuple[bytes, bytes]] = [
            (bytes(name), bytes(value)) for name, value in scope.get("headers", ())
        ]
        self.http_version: str = scope.get("http_version", "1.1")
        self.scheme: str = scope.get("scheme", "http")
        self.client = tuple(scope["client"]) if scope.get("client") else None
        self.server = tuple(scope["server"]) if scope.get("server") else None
        self.body = b""
        self.body_complete = False
        self.started = False
        self.finished = False
        self.disconnected = False
        self._unsent: list[Message] = []
        #: The server has been told that trailers will come.
        self._trailing = False
        extensions = scope.get("extensions") or {}
        is_http = scope["type"] == "http"
        #: See `fastweb.types.Stream`. ASGI knows one interim answer, 103.
        self.takes_interim = is_http and "http.response.early_hint" in extensions
        self.takes_trailers = is_http and "http.response.trailers" in extensions
        self._takes_pieces_of_files = is_http and "http.response.zerocopysend" in extensions

    @property
    def gone(self) -> bool:
        """The client is gone: a server of ASGI tells of no other way to leave."""
        return self.disconnected

    async def receive(self) -> bytes:
        """The next piece of the body, b"" at its end; see `fastweb.types.Stream.receive`."""
        while not self.body_complete:
            message = await self.asgi_receive()
            if message["type"] == "http.disconnect":
                self.disconnected = True
                raise ClientDisconnect()
            self.body_complete = not message.get("more_body", False)
            data: bytes = message.get("body", b"")
            if data:
                return data
        return b""

    def respond(self, head: ResponseHead, body: bytes) -> None:
        """Send a whole answer."""
        headers = list(head.headers)
        if head.status not in (204, 304) and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", b"%d" % len(body)))
        self._begin(head.status, headers)
        self._unsent.append({"type": f"{self._kind}.response.body", "body": body})
        self.finished = True

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head of an answer whose body comes in pieces."""
        fields = list(Head(status, headers).headers)
        self._begin(status, fields)
        if self.takes_trailers and find_header(fields, b"trailer") is not None:
            self._trailing = self._unsent[-1]["trailers"] = True

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if self.started:
            raise RuntimeError("this request has been answered already")
        self.started = True
        self._unsent.append({"type": f"{self._kind}.response.start", "status": status, "headers": headers})

    def inform(self, status: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send an interim answer: early hints, where the server takes them; its links are all it takes."""
        if self.started:
            raise RuntimeError("an interim answer comes before the answer")
        fields = interim_fields(status, headers)
        if status == 103 and self.takes_interim:
            links = [value for name, value in fields if name == b"link"]
            self._unsent.append({"type": "http.response.early_hint", "links": links})

    async def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self.drain()
        try:
            await self.asgi_send({"type": f"{self._kind}.response.body", "body": data, "more_body": True})
        except OSError:
            # ASGI, "Disconnected client - send exception".
            self.disconnected = True
            raise ClientDisconnect() from None

    async def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Send a piece of a file: as such, where the server takes it (ASGI, extension
        "http.response.zerocopysend"), else as its bytes."""
        if self._takes_pieces_of_files:
            await self.drain()
            message: Message = {"type": "http.response.zerocopysend", "file": file, "more_body": True}
            try:
                await self.asgi_send({**message, "offset": offset, "count": count})
            except OSError:
                self.disconnected = True
                raise ClientDisconnect() from None
            return
        descriptor = file.fileno()
        while count:
            data = await run_in_threadpool(_read_at, descriptor, offset, min(count, _PIECE))
            if not data:
                raise RuntimeError("the file is shorter than what was to be sent of it")
            offset += len(data)
            count -= len(data)
            await self.send(data)

    def finish(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """End the answer. Trailers are sent where the server takes them, and the head has announced them
        (RFC 9110 section 6.6.2): ASGI wants to know at once whether there will be any."""
        if trailers:
            check_trailers(trailers)
        if not self.finished:
            self.finished = True
            self._unsent.append({"type": f"{self._kind}.response.body", "body": b"", "more_body": False})
            if self._trailing:
                message: Message = {"type": "http.response.trailers", "headers": list(trailers)}
                self._unsent.append({**message, "more_trailers": False})

    async def drain(self) -> None:
        """Hand what was not sent yet to the server."""
        messages, self._unsent = self._unsent, []
        try:
            for message in messages:
                await self.asgi_send(message)
        except OSError:
            self.disconnected = True

    async def pass_on(self, message: Message) -> None:
        """Hand a message of an ASGI app to the server as it is."""
        kind: str = message["type"]
        if kind.endswith("http.response.start"):
            self.started = True
        elif kind.endswith(("http.response.body", "http.response.pathsend")):
            self.finished = not message.get("more_body", False)
        try:
            await self.asgi_send(message)
        except OSError:
            self.disconnected = True
            raise

    async def wait_disconnect(self) -> None:
        """Return when the client is gone, or the answer was sent."""
        while not self.disconnected:
            message = await self.asgi_receive()
            if message["type"] in ("http.disconnect", "websocket.disconnect"):
                self.disconnected = True
            else:
                self.body_complete = not message.get("more_body", False)
