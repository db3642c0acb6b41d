"""Between streams and ASGI, in both directions.

The app answers streams (`fastweb.types.Stream`). Under another server it is called with an ASGI scope, and
`ASGIStream` makes a stream of that; where a piece of code speaks ASGI (a response class with a `__call__` of
its own), `scope_of`, `receive_of` and `send_of` make ASGI of a stream. See the ASGI specification, HTTP &
WebSocket protocol, version 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from fastweb._speedups.response import HAS_LENGTH, Head
from fastweb.exceptions import ClientDisconnect
from fastweb.types import Message, Receive, ResponseHead, Scope, Send, Stream

__all__ = ["ASGIStream", "Traffic", "receive_of", "scope_of", "send_of"]

#: Seconds after which an answer is given up whose client seems to have left, if nothing was sent meanwhile.
_STALLED = 0.5


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


def scope_of(stream: Stream) -> Scope:
    """The ASGI scope of a stream, without what the app adds to it."""
    if isinstance(stream, ASGIStream):
        return stream.scope
    return {
        "type": "http",
        # Not 2.4, with which nobody would listen for a disconnect while there is nothing to send.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": stream.http_version,
        "method": stream.method,
        "scheme": stream.scheme,
        "path": stream.path,
        "raw_path": stream.raw_path,
        "query_string": stream.query_string,
        "root_path": "",
        "headers": stream.headers,
        "client": stream.client,
        "server": stream.server,
        "extensions": {},
    }


class Traffic:
    """When a piece of an answer was last sent, told by an ASGI `send` to the `receive` beside it."""

    def __init__(self) -> None:
        self.last_sent = 0.0

    async def wait_stalled(self) -> None:
        """Return when nothing was sent for a while."""
        import asyncio  # our server's loop

        while (rest := self.last_sent + _STALLED - monotonic()) > 0:  # noqa: ASYNC110 - no event for each piece
            await asyncio.sleep(rest)


def receive_of(stream: Stream, traffic: Traffic | None = None) -> Receive:
    """The ASGI `receive` of a stream: the body's pieces, then, when the client is gone or has its answer, a
    disconnect.

    Arguments:
        traffic: of the `send` beside it. A client that has closed its own side only may still read what it
            asked for: so while that is being sent, it is there.
    """
    if isinstance(stream, ASGIStream):
        return stream.asgi_receive
    ended = False

    async def receive() -> Message:
        nonlocal ended
        if ended:
            await stream.wait_disconnect()
            if traffic is not None:
                await traffic.wait_stalled()
            return {"type": "http.disconnect"}
        try:
            data = await stream.receive()
        except ClientDisconnect:
            return {"type": "http.disconnect"}
        ended = not data or (stream.body_complete and not stream.body)
        return {"type": "http.request", "body": data, "more_body": not ended}

    return receive


def send_of(stream: Stream, traffic: Traffic | None = None) -> Send:
    """The ASGI `send` of a stream.

    Arguments:
        traffic: of the `receive` beside it.
    """
    if isinstance(stream, ASGIStream):
        return stream.pass_on
    status = 200
    headers: list[tuple[bytes, bytes]] = []
    waiting = False

    async def send(message: Message) -> None:
        nonlocal status, headers, waiting
        if message["type"] == "http.response.start":
            if waiting or stream.started:
                raise RuntimeError("the answer has been started already")
            status = message["status"]
            headers = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())]
            waiting = True
        elif message["type"] == "http.response.body":
            body = bytes(message.get("body", b""))
            more = message.get("more_body", False)
            if waiting:
                waiting = False
                head = Head(status, headers)
                if not more and not head.flags & HAS_LENGTH:
                    stream.respond(head, body)
                    await stream.drain()
                    return
                stream.start(status, headers)
            if traffic is not None and more:
                traffic.last_sent = monotonic()
            await stream.send(body)
            if not more:
                if traffic is not None:
                    traffic.last_sent = 0.0
                stream.finish()
                await stream.drain()

    return send
