"""ASGI made of a stream: the scope and the messages that an ASGI app sees of `fastweb.types.Stream`.

A response class with a `__call__` of its own and ASGI middleware are called with these, and so is a whole
ASGI app that our server hosts (`fastweb.server.asgi`). `fastweb.streams` goes the other way. See the ASGI
specification, HTTP & WebSocket protocol, version 2.5, and its extensions.

    stage      message                          next
    NEW        http.response.early_hint         NEW
    NEW        http.response.start              HEAD, kept, so that an error may still become a 500
    HEAD       http.response.body               BODY; if it is the last, all goes out as one answer: DONE
    BODY       http.response.body               BODY; if it is the last, DONE
    HEAD BODY  http.response.zerocopysend       as http.response.body, its bytes from a file
    HEAD       http.response.pathsend           DONE
    BODY       http.response.trailers           the start has announced them: TRAILERS, after the last DONE

Any other order is the app's mistake, and a RuntimeError in it.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Any, Final

from fastweb._speedups.response import HAS_LENGTH, Head, head_of
from fastweb.concurrency import run_in_threadpool
from fastweb.exceptions import ClientDisconnect, HTTPException
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
TRAILERS: Final = 3
DONE: Final = 4
#: The client has been told that its request is none, and is waited for no more.
GONE: Final = 5

#: Heads that apps have sent last, by status and header fields as they were given.
_HEADS: dict[Any, Head] = {}
_MOST_HEADS: Final = 256
#: Fields that a head among them may have at most: one with more is seldom made twice.
_MOST_FIELDS: Final = 8


def scope_of(stream: Stream) -> Scope:
    """The ASGI scope of a stream, without what the app adds to it."""
    if isinstance(stream, ASGIStream):
        return stream.scope
    extensions: dict[str, Any] = {}
    tls = getattr(stream, "tls", None)
    if tls is not None:
        extensions["tls"] = tls
    if getattr(stream, "takes_interim", False):
        extensions["http.response.early_hint"] = {}
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
        "extensions": extensions,
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

    Attributes:
        stage: how far the answer is: NEW, HEAD, BODY, TRAILERS or DONE.
    """

    __slots__ = ("_head", "_last_sent", "_received", "_trailers", "stage", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.stage: int = NEW
        self._head: Head | None = None
        #: The whole body was handed over.
        self._received = False
        self._last_sent = 0.0
        #: Those that were sent, where the start has announced them.
        self._trailers: list[tuple[bytes, bytes]] | None = None

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
        except HTTPException as error:
            return await self.body_failed(error)
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
            OSError: a file cannot be read.
        """
        if self.stage == GONE:
            await self.client_left()
            return
        kind = message["type"]
        try:
            if kind == "http.response.body":
                await self._send_body(message)
            elif kind == "http.response.start":
                if self.stage != NEW or self.stream.started:
                    raise RuntimeError("the answer has been started already")
                self._head = _head(message["status"], message.get("headers", ()))
                if message.get("trailers", False):
                    self._trailers = []
                self.stage = HEAD
                self.head_kept()
            else:
                await self._send_other(kind, message)
        except ClientDisconnect:
            await self.client_left()

    # For subclasses

    def head_kept(self) -> None:
        """The head waits for the body."""

    async def body_failed(self, error: HTTPException) -> Message:
        """The body is too large, or its framing is broken: what `receive` is to do."""
        raise error

    async def client_left(self) -> None:
        """The client is gone: what `send` is to do."""
        raise ClientDisconnect() from None

    def start(self) -> None:
        """Send the head that was kept."""
        head = self._head
        assert head is not None
        self.stage = BODY
        self.stream.start(head.status, head.headers)

    async def _send_body(self, message: Message) -> None:
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = bytes_of(body)
        stream = self.stream
        stage = self.stage
        if stage != HEAD and stage != BODY:
            raise _out_of_turn(message["type"], stage)
        if message.get("more_body", False):
            if stage == HEAD:
                self.start()
            self._last_sent = monotonic()
            await stream.send(body)
        elif stage == HEAD and self._trailers is None:
            self.stage = DONE
            assert self._head is not None
            stream.respond(self._head, body)
            await stream.drain()
        else:
            if stage == HEAD:
                self.start()
            if body:
                await stream.send(body)
            await self._end_body()

    async def _end_body(self) -> None:
        self._last_sent = 0.0
        if self._trailers is not None:
            self.stage = TRAILERS
            return
        self.stage = DONE
        self.stream.finish()
        await self.stream.drain()

    async def _send_other(self, kind: str, message: Message) -> None:
        """The messages of the extensions."""
        stream = self.stream
        if kind == "http.response.zerocopysend":
            await self._send_piece_of_file(message)
        elif kind == "http.response.pathsend":
            if self.stage != HEAD:
                raise _out_of_turn(kind, self.stage)
            await self._send_path(message["path"])
        elif kind == "http.response.trailers":
            if self.stage != TRAILERS or self._trailers is None:
                raise _out_of_turn(kind, self.stage)
            self._trailers += [_field(field) for field in message.get("headers", ())]
            if not message.get("more_trailers", False):
                self.stage = DONE
                stream.finish(self._trailers)
                await stream.drain()
        elif kind == "http.response.early_hint":
            if self.stage != NEW:
                raise _out_of_turn(kind, self.stage)
            stream.inform(103, [(b"link", bytes_of(link)) for link in message.get("links", ())])
            await stream.drain()
        else:
            raise RuntimeError(f"an answer has no ASGI message {kind!r}")

    async def _send_path(self, path: Any) -> None:
        self.stage = BODY  # the head waits for this
        try:
            file, size = await run_in_threadpool(_open_file, path)
        except OSError:
            self.stage = HEAD
            raise
        try:
            head = self._head
            assert head is not None
            if head.flags & HAS_LENGTH:
                # What the app has promised: a file that has become shorter cuts the answer.
                size = head.length
            else:
                self._head = Head(head.status, (*head.headers, (b"content-length", b"%d" % size)))
            self.start()
            if self.stream.method != "HEAD" and size > 0:
                self._last_sent = monotonic()
                await self.stream.send_file(file, 0, size)
            await self._end_body()
        finally:
            file.close()

    async def _send_piece_of_file(self, message: Message) -> None:
        if self.stage != HEAD and self.stage != BODY:
            raise _out_of_turn(message["type"], self.stage)
        file = message["file"]
        offset, count = message.get("offset"), message.get("count")
        start = file.tell() if offset is None else offset
        if count is None:
            count = os.fstat(file.fileno()).st_size - start
        if offset is None:
            file.seek(start + count)
        if self.stage == HEAD:
            self.start()
        if self.stream.method != "HEAD" and count > 0:
            self._last_sent = monotonic()
            await self.stream.send_file(file, start, count)
        if not message.get("more_body", False):
            await self._end_body()


def _open_file(path: Any) -> tuple[Any, int]:
    """A file and its size.

    Raises:
        OSError: there is none that can be read.
    """
    file = open(path, "rb", buffering=0)  # noqa: SIM115 - the caller closes it
    return file, os.fstat(file.fileno()).st_size


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
    if not 200 <= status <= 599:
        raise ValueError(f"{status:.9g} is no final status code (200 to 599)")
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
