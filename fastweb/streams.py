"""A stream made of ASGI.

The app answers streams (`fastweb.types.Stream`). Under another server it is called with an ASGI scope, and
`ASGIStream` makes a stream of that; `fastweb.asgi` goes the other way. See the ASGI specification, HTTP &
WebSocket protocol, version 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastweb._speedups.response import Head
from fastweb.exceptions import ClientDisconnect
from fastweb.types import Message, Receive, ResponseHead, Scope, Send

__all__ = ["ASGIStream"]


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
        self._begin(status, list(Head(status, headers).headers))

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if self.started:
            raise RuntimeError("this request has been answered already")
        self.started = True
        self._unsent.append({"type": f"{self._kind}.response.start", "status": status, "headers": headers})

    async def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self.drain()
        try:
            await self.asgi_send({"type": f"{self._kind}.response.body", "body": data, "more_body": True})
        except OSError:
            # ASGI, "Disconnected client - send exception".
            self.disconnected = True
            raise ClientDisconnect() from None

    def finish(self) -> None:
        """End the answer."""
        if not self.finished:
            self.finished = True
            self._unsent.append({"type": f"{self._kind}.response.body", "body": b"", "more_body": False})

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
