"""ASGI made of a stream: the scope and the messages that an ASGI app sees of `fastweb.types.Stream`.

A response class with a `__call__` of its own and ASGI middleware are called with these, and so is a whole
ASGI app that our server hosts. `fastweb.streams` goes the other way. See the ASGI specification, HTTP &
WebSocket protocol, version 2.5.

    NEW      http.response.start      -> HEAD      kept, so that an error may still become a 500
    HEAD     http.response.body       -> BODY      the head goes out, too; if it is the last, as one answer
    BODY     http.response.body       -> BODY
    any of them, the last message     -> DONE

Any other order is the app's mistake, and a RuntimeError in it.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from fastweb._speedups.response import Head, head_of
from fastweb.exceptions import ClientDisconnect
from fastweb.streams import ASGIStream
from fastweb.types import Message, Receive, Scope, Send, Stream

__all__ = ["Exchange", "bytes_of", "exchange_of", "receive_of", "scope_of", "send_of"]

#: Seconds after which an answer is given up whose client seems to have left, if nothing was sent meanwhile.
_STALLED: Final = 0.5
#: Seconds between two looks at whether it has.
_LOOK: Final = 0.05

NEW: Final = 0
HEAD: Final = 1
BODY: Final = 2
DONE: Final = 3

#: Heads that apps have sent last, by status and header fields as they were given.
_HEADS: dict[Any, Head] = {}
_MOST_HEADS: Final = 256
#: Fields that a head among them may have at most: one with more is seldom made twice.
_MOST_FIELDS: Final = 8


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


def exchange_of(stream: Stream) -> tuple[Receive, Send]:
    """The ASGI `receive` and `send` of a stream, which know of each other: while an answer is being taken,
    its client is there, though it has closed its own side."""
    if isinstance(stream, ASGIStream):
        return stream.asgi_receive, stream.pass_on
    exchange = Exchange(stream)
    return exchange.receive, exchange.send


def receive_of(stream: Stream) -> Receive:
    """The ASGI `receive` of a stream alone."""
    return exchange_of(stream)[0]


def send_of(stream: Stream) -> Send:
    """The ASGI `send` of a stream alone."""
    return exchange_of(stream)[1]


class Exchange:
    """One request and its answer as ASGI messages.

    Arguments:
        stream: the request; it is not answered yet.
    """

    __slots__ = ("_head", "_last_sent", "_received", "stage", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.stage = NEW
        self._head: Head | None = None
        #: The whole body was handed over.
        self._received = False
        self._last_sent = 0.0

    async def receive(self) -> Message:
        """The body's pieces, then, when the client is gone or has its answer, a disconnect."""
        stream = self.stream
        if self._received:
            await stream.wait_disconnect()
            await self._wait_stalled()
            return {"type": "http.disconnect"}
        try:
            data = await stream.receive()
        except ClientDisconnect:
            return {"type": "http.disconnect"}
        self._received = not data or (stream.body_complete and not stream.body)
        return {"type": "http.request", "body": data, "more_body": not self._received}

    async def _wait_stalled(self) -> None:
        """Return when nothing was sent for a while: a client that has closed its own side only may still read
        what it asked for; so while that is being sent, it is there."""
        import asyncio  # our server's loop

        while (rest := self._last_sent + _STALLED - monotonic()) > 0:
            # No event for each piece that is sent.
            if self.stream.gone:
                return
            await asyncio.sleep(min(rest, _LOOK))

    async def send(self, message: Message) -> None:
        """Take a message of the app's.

        Raises:
            ClientDisconnect: the client went away.
            RuntimeError: it is not this message's turn, or the body has not the length that the head
                promises.
            TypeError, ValueError: what is in it cannot be sent.
        """
        kind = message["type"]
        if kind == "http.response.body":
            await self._send_body(message)
        elif kind == "http.response.start":
            if self.stage != NEW or self.stream.started:
                raise RuntimeError("the answer has been started already")
            self._head = _head(message["status"], message.get("headers", ()))
            self.stage = HEAD
        else:
            raise RuntimeError(f"an answer has no message {kind!r}")

    async def _send_body(self, message: Message) -> None:
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = bytes_of(body)
        stream = self.stream
        if self.stage not in (HEAD, BODY):
            raise _out_of_turn(message["type"], self.stage)
        if message.get("more_body", False):
            if self.stage == HEAD:
                self.start()
            self._last_sent = monotonic()
            await stream.send(body)
            return
        stage, self.stage = self.stage, DONE
        self._last_sent = 0.0
        if stage == HEAD:
            assert self._head is not None
            stream.respond(self._head, body)
        else:
            if body:
                await stream.send(body)
            stream.finish()
        await stream.drain()

    def start(self) -> None:
        """Send the head that was kept."""
        head = self._head
        assert head is not None
        self.stage = BODY
        self.stream.start(head.status, head.headers)


def _out_of_turn(kind: str, stage: int) -> RuntimeError:
    if stage == NEW:
        return RuntimeError(f"expected the ASGI message 'http.response.start', got {kind!r}")
    return RuntimeError(f"the ASGI message {kind!r} was sent after the answer was complete")


def _head(status: Any, headers: Any) -> Head:
    """The head that a message "http.response.start" describes; one that was made before, where there is one.

    Raises:
        TypeError: the status is no integer, or a header field is not two byte strings.
        ValueError: see `fastweb._speedups.response.Head`.
    """
    key: Any = None
    if type(headers) is list and len(headers) <= _MOST_FIELDS:
        key = (status, *headers)
        try:
            found = _HEADS.get(key)
        except TypeError:  # fields that are lists, which the specification allows
            key = None
        else:
            if found is not None:
                return found
    if not isinstance(status, int) or isinstance(status, bool):
        raise TypeError(f"the status of an answer is an integer, not {status!r}")
    head = head_of(int(status), tuple([_field(field) for field in headers]))
    if key is not None and len(head.http1) <= 1024:
        if len(_HEADS) >= _MOST_HEADS:
            _HEADS.clear()
        _HEADS[key] = head
    return head


def _field(field: Any) -> tuple[bytes, bytes]:
    try:
        name, value = field
        return bytes_of(name).lower(), bytes_of(value)
    except (TypeError, ValueError):
        raise TypeError(f"a header field is two byte strings, not {field!r}") from None


def bytes_of(value: Any) -> bytes:
    """Bytes of what holds bytes.

    Raises:
        TypeError: it holds something else. (`bytes(5)` would be five zeros.)
    """
    if type(value) is bytes:
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"expected a byte string, got {value!r:.100}")
