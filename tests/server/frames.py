"""A protocol in memory, with nothing of HTTP/1 in it: many streams at once on one connection, as frames.

    frame = stream-id (4 bytes) kind (1 byte) length (4 bytes) payload

    HEADERS   {"method", "target", "fields"} of a request, {"status", "fields"} of an answer, as JSON
    INTERIM   the same for an interim answer
    DATA      a piece of the body
    END       the body's end; the trailers, as JSON, if there are any
    RESET     the stream's end, before its end
    WINDOW    so many more bytes of the answer's body may be sent (4 bytes)

It stands for HTTP/2 and HTTP/3: flow control for each stream, resets of one stream, answers in any order.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from fastweb._speedups.response import HAS_LENGTH, Head
from fastweb._speedups.stream import StreamOwner
from fastweb.exceptions import ClientDisconnect, HTTPException
from fastweb.server.connections import Connections
from fastweb.server.stream import ServerStream

HEADERS: Final = 0
INTERIM: Final = 1
DATA: Final = 2
END: Final = 3
RESET: Final = 4
WINDOW: Final = 5

_FRAME: Final = struct.Struct("!IBI")

_logger = logging.getLogger("fastweb.error")


def frame(number: int, kind: int, payload: bytes = b"") -> bytes:
    return _FRAME.pack(number, kind, len(payload)) + payload


class Frames:
    """Cuts bytes into frames, however they come."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        self._data += data
        found = []
        while len(self._data) >= _FRAME.size:
            number, kind, length = _FRAME.unpack_from(self._data)
            end = _FRAME.size + length
            if len(self._data) < end:
                break
            found.append((number, kind, bytes(self._data[_FRAME.size : end])))
            del self._data[:end]
        return found


def _as_json(fields: Sequence[tuple[bytes, bytes]], **others: Any) -> bytes:
    pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in fields]
    return json.dumps({**others, "fields": pairs}).encode()


def fields_of(document: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in document["fields"]]


class FrameStream(ServerStream):
    """One stream: `fastweb.types.Stream`."""

    __slots__ = ("number", "window")

    connection: FrameConnection
    number: int
    window: int
    takes_interim = True
    takes_trailers = True

    def is_paused(self) -> bool:
        return bool(self.window <= 0)

    async def drain(self) -> None:
        while self.window <= 0 and not self.gone:
            await self.wait()

    def write_interim(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        self.connection.write(self, INTERIM, _as_json(fields, status=status))

    def write_head(self, head: Head) -> None:
        self.connection.write(self, HEADERS, _as_json(head.headers, status=head.status))

    def write_piece(self, data: bytes) -> None:
        self.window -= len(data)
        self.connection.write(self, DATA, data)

    def write_end(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        self.connection.write(self, END, _as_json(trailers) if trailers else b"")
        self.connection.ended(self)

    def abort(self) -> None:
        self.finished = True
        self.connection.write(self, RESET)
        self.connection.ended(self)


class FrameConnection(StreamOwner):
    """The server's end. What it writes is in `output`.

    Arguments:
        hub: the worker's connections.
        window: bytes of each answer's body that may be sent before the client has asked for more.
    """

    scheme = "https"
    client = ("192.0.2.1", 5)
    server = ("192.0.2.2", 443)
    tls = None

    def __init__(self, hub: Connections, window: int = 65536) -> None:
        self.hub = hub
        self.loop = hub.loop
        self.window = window
        self.streams: dict[int, FrameStream] = {}
        self.output = bytearray()
        self.most_at_once = 0
        self.lost = False
        self._frames = Frames()

    # Bytes in, bytes out

    def data_received(self, data: bytes) -> None:
        for number, kind, payload in self._frames.feed(data):
            if kind == HEADERS:
                self._begin(number, json.loads(payload))
            elif (stream := self.streams.get(number)) is None:
                continue  # it has ended, and the client does not know yet
            elif kind == DATA:
                self._add(stream, payload)
            elif kind == END:
                stream.complete()
                if not stream.opened:
                    self._open(stream)
            elif kind == RESET:
                self._reset(stream)
            elif kind == WINDOW:
                stream.window += int.from_bytes(payload)
                stream.wake()

    def connection_lost(self) -> None:
        self.lost = True
        for stream in list(self.streams.values()):
            self._reset(stream)

    def write(self, stream: FrameStream, kind: int, payload: bytes = b"") -> None:
        if not self.lost and not stream.gone:
            self.output += frame(stream.number, kind, payload)

    # Streams

    def _begin(self, number: int, head: dict[str, Any]) -> None:
        headers = fields_of(head)
        stream = FrameStream(self, head["method"], head["target"].encode(), headers, "2", False)
        stream.number = number
        stream.window = self.window
        self.streams[number] = stream
        self.most_at_once = max(self.most_at_once, len(self.streams))
        stream.expects_continue = (b"expect", b"100-continue") in headers
        if head.get("end"):
            stream.complete()
        if stream.body_complete or stream.expects_continue or self.hub.app.wants_head(stream):
            self._open(stream)

    def _open(self, stream: FrameStream) -> None:
        stream.opened = True
        try:
            coroutine = self.hub.app.open_stream(stream)
        except Exception as error:
            self.app_ended(stream, error)
            return
        if coroutine is not None:
            self.hub.runner.run(coroutine, stream)

    def _add(self, stream: FrameStream, data: bytes) -> None:
        if not stream.feed(data, self.hub.limits.body_size):
            stream.body_error = partial(HTTPException, 413, "Request body too large.")
        if stream.opened:
            stream.wake()
        elif stream.body_error is not None:
            stream.opened = True
            stream.respond(Head(413, ()), b"Request body too large.")

    def _reset(self, stream: FrameStream) -> None:
        stream.gone = stream.disconnected = True
        if not stream.body_complete:
            stream.body_error = ClientDisconnect
        self.streams.pop(stream.number, None)
        stream.wake()

    def ended(self, stream: FrameStream) -> None:
        self.hub.requests_total += 1
        self.streams.pop(stream.number, None)
        stream.wake()

    # What a stream asks of its owner

    def write_answer(self, stream: Any, head: Head, flags: int, body: Any) -> None:
        headers = list(head.headers)
        if not flags & HAS_LENGTH and head.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(body)))
        stream.status = head.status
        self.write(stream, HEADERS, _as_json(headers, status=head.status))
        if body and stream.method != "HEAD" and head.status not in (204, 304):
            stream.window -= len(body)
            self.write(stream, DATA, bytes(body))
        self.write(stream, END)
        self.ended(stream)

    def app_ended(self, stream: Any, error: BaseException | None) -> None:
        if not (
            stream.gone and (error is None or isinstance(error, asyncio.CancelledError | ClientDisconnect))
        ):
            _logger.error("Exception in the app", exc_info=error)
        if stream.finished or stream.gone:
            return
        if stream.started:
            stream.abort()
        else:
            stream.respond(Head(500, ()), b"Internal Server Error")

    def body_wanted(self, stream: FrameStream) -> None:
        """There is no time limit here."""

    def body_unwanted(self, stream: FrameStream) -> None:
        """There is no time limit here."""

    def body_taken(self, stream: FrameStream) -> None:
        self.write(stream, WINDOW, (65536).to_bytes(4))


class FrameClient:
    """The client's end: what it knows of each stream."""

    def __init__(self, connection: FrameConnection) -> None:
        self.connection = connection
        self._frames = Frames()
        self.order: list[tuple[int, int]] = []
        self.heads: dict[int, dict[str, Any]] = {}
        self.interim: dict[int, list[dict[str, Any]]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.trailers: dict[int, Any] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.credit: dict[int, int] = {}

    def send(self, *frames: bytes, cut: int = 0) -> None:
        """Send frames, in pieces of so many bytes."""
        data = b"".join(frames)
        size = cut or len(data) or 1
        for at in range(0, len(data), size):
            self.connection.data_received(data[at : at + size])

    def request(self, number: int, method: str, target: str, end: bool = True, **fields: str) -> bytes:
        pairs = [
            ["host", "frames.example"],
            *([name.replace("_", "-"), value] for name, value in fields.items()),
        ]
        document = {"method": method, "target": target, "fields": pairs, "end": end}
        return frame(number, HEADERS, json.dumps(document).encode())

    def read(self) -> None:
        """Take what the server has written."""
        data = bytes(self.connection.output)
        self.connection.output.clear()
        for number, kind, payload in self._frames.feed(data):
            self.order.append((number, kind))
            assert number not in self.ended | self.reset, "there is more behind a stream's end"
            if kind == HEADERS:
                self.heads[number] = json.loads(payload)
            elif kind == INTERIM:
                self.interim.setdefault(number, []).append(json.loads(payload))
            elif kind == DATA:
                self.bodies.setdefault(number, bytearray()).extend(payload)
            elif kind == END:
                self.ended.add(number)
                if payload:
                    self.trailers[number] = json.loads(payload)["fields"]
            elif kind == RESET:
                self.reset.add(number)
            elif kind == WINDOW:
                self.credit[number] = self.credit.get(number, 0) + int.from_bytes(payload)

    async def until(self, condition: Any) -> None:
        """Let the server work until this holds."""
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)
                self.read()

    def status(self, number: int) -> int:
        return int(self.heads[number]["status"])

    def body(self, number: int) -> bytes:
        return bytes(self.bodies.get(number, b""))
