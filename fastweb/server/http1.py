"""HTTP/1.1 on asyncio: what of a connection awaits, and what is rare (the rest is `fastweb._speedups.http1`).

The framing is RFC 9112's; anything that two readers could cut differently is refused with 400 and the connection closes, since that is
what request smuggling is made of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import httptools

from fastweb._speedups.http1 import BODY, BUSY, HEAD, IDLE, LINGER, BaseConnection, BaseStream, Refusal
from fastweb._speedups.request import find_header
from fastweb._speedups.response import HAS_CLOSE, HAS_LENGTH, Head
from fastweb.exceptions import ClientDisconnect, HTTPException

if TYPE_CHECKING:
    from fastweb.server.connections import Connections

__all__ = ["HTTP1Connection", "HTTP1Stream"]

_logger = logging.getLogger("fastweb.error")

_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)

#: What the refused are told, beside the status.
_REASONS: Final = {
    400: b"Invalid HTTP request received.",
    408: b"Request timeout.",
    413: b"Request body too large.",
    414: b"Request target too long.",
    431: b"Request header fields too large.",
    500: b"Internal Server Error",
    501: b"Not Implemented",
}
_REFUSALS: Final = {status: Head(status, _TEXT) for status in _REASONS}

_HIGH_WATER: Final = 256 * 1024


class HTTP1Stream(BaseStream):
    """A request that came by HTTP/1.1, and its answer: `fastweb.types.Stream`."""

    __slots__ = ("_chunked", "_length")

    connection: HTTP1Connection

    async def receive(self) -> bytes:
        """The next piece of the body, b"" at its end; see `fastweb.types.Stream.receive`."""
        while True:
            if self.pending():
                data: bytes = self.take()
                self.connection.body_taken()
                return data
            if self.body_error is not None:
                raise self.body_error
            if self.body_complete:
                self.connection.body_taken()
                return b""
            if self.finished:
                raise ClientDisconnect()
            if self.expects_continue and not self.started:
                # Asked for at last: RFC 9110 section 10.1.1.
                self.expects_continue = False
                self.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.connection.body_wanted()
            await self._wait()

    async def drain(self) -> None:
        """Wait while more of the answer than `Limits.write_buffer` is still to be taken by the client."""
        connection = self.connection
        while connection.writing_paused and not self.disconnected:
            await connection.wait_writable()

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head of an answer whose body comes in pieces: with the length the headers give, else in chunks."""
        if self.started:
            raise RuntimeError("this request has been answered already")
        head = Head(status, headers)
        self.started = True
        self.status = status
        self._length = -1
        self._chunked = False
        connection = self.connection
        if head.flags & HAS_CLOSE or connection.hub.draining:
            self.close = True
        lines = [head.http1, connection.hub.lines_beside(head.flags)]
        if status in (204, 304):
            self._length = 0
        elif head.flags & HAS_LENGTH:
            self._length = int(find_header(headers, b"content-length"))
        elif self.http_version == "1.1":
            self._chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        else:
            self.close = True  # RFC 9112 section 6.3, rule 8: HTTP/1.0 reads to the end of the connection
        if self.method == "HEAD":
            self._length = 0
            self._chunked = False
        if self.close:
            lines.append(b"connection: close\r\n\r\n")
        elif self.http_version == "1.0":
            lines.append(b"connection: keep-alive\r\n\r\n")
        else:
            lines.append(b"\r\n")
        connection.write(b"".join(lines))

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; see `fastweb.types.Stream.send`.

        Raises:
            ClientDisconnect: the client went away.
            RuntimeError: the answer has no head yet, is finished, or is longer than its Content-Length.
        """
        if not self.started or self.finished:
            raise RuntimeError("the answer has not been started" if not self.started else "the answer is finished")
        if self.disconnected:
            raise ClientDisconnect()
        if data and self.method != "HEAD":
            if self._chunked:
                self.connection.write(b"%x\r\n%b\r\n" % (len(data), data))
            elif self._length == -1:
                self.connection.write(data)
            else:
                self._length -= len(data)
                if self._length < 0:
                    self.abort()
                    raise RuntimeError("the answer's body is longer than its Content-Length")
                self.connection.write(data)
        if self.connection.writing_paused:
            await self.drain()
            if self.disconnected:
                raise ClientDisconnect()

    def finish(self) -> None:
        """End the answer.

        Raises:
            RuntimeError: its body is shorter than its Content-Length; the connection is cut, so that the client knows.
        """
        if not self.started:
            raise RuntimeError("the answer has not been started")
        if self.finished:
            return
        if self._length > 0 and not self.disconnected:
            self.abort()
            raise RuntimeError(f"the answer's body is {self._length} bytes shorter than its Content-Length")
        self.finished = True
        if self._chunked:
            self.connection.write(b"0\r\n\r\n")
        self.connection.answered(self)

    def abort(self) -> None:
        """Cut the connection: the answer cannot be completed."""
        self.finished = True
        self.connection.abort()

    async def wait_disconnect(self) -> None:
        """Return when the client is gone, or the answer was sent."""
        while not (self.disconnected or self.finished):
            await self._wait()

    async def _wait(self) -> None:
        waiter = self.connection.loop.create_future()
        if self.waiters is None:
            self.waiters = [waiter]
        else:
            self.waiters.append(waiter)
        await waiter


class HTTP1Connection(BaseConnection, asyncio.Protocol):
    """The protocol that `loop.create_server` makes for each client."""

    hub: Connections

    def __init__(self, hub: Connections) -> None:
        super().__init__(
            hub, hub.loop, hub.limits, HTTP1Stream, hub.app.open_stream, hub.runner.run, hub.access_log
        )
        self._drain_waiters: list[asyncio.Future[None]] = []
        self._refusal: Refusal | None = None
        self._unsent = 0

    # asyncio.BaseProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.attach(transport, httptools.HttpRequestParser(self))
        transport.set_write_buffer_limits(high=self.hub.limits.write_buffer)  # type: ignore[attr-defined]
        self.client = _address(transport.get_extra_info("peername"))
        self.server = _address(transport.get_extra_info("sockname"))
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
        self.hub.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        self.reading_over = True
        self.hub.discard(self)
        streams = [*self.queue, self.current, self.parsing]
        self.queue.clear()
        for stream in streams:
            if stream is not None:
                stream.disconnected = True
                if not stream.body_complete and stream.body_error is None:
                    stream.body_error = ClientDisconnect()
                stream.wake()
        self._wake_writers()

    def eof_received(self) -> bool:
        """The client will send no more. It may still read: what it asked for in full is answered (RFC 9112 section 9.6)."""
        if self.phase == LINGER:
            return False
        if self.reading_over:
            return bool(self.current or self.queue)
        stream = self.parsing
        if stream is not None and stream.opened:
            # Its body will not be completed, and nobody can say whether anyone is still there.
            stream.disconnected = True
            stream.body_error = ClientDisconnect()
            stream.wake()
            self.reading_over = True
            return False
        if stream is not None or self.in_head:
            self.refuse(Refusal(400, "the request is incomplete"))
            if self.current is None:
                self.pump()
            return True
        self.reading_over = True
        return bool(self.current or self.queue)

    def pause_writing(self) -> None:
        """The transport holds more than `Limits.write_buffer`."""
        self.writing_paused = True
        self._unsent = -1
        self.since = self.hub.now

    def resume_writing(self) -> None:
        """The client has taken enough of it."""
        self.writing_paused = False
        self.since = self.hub.now
        self._wake_writers()
        if self.queue and self.current is None:
            self.pump()

    def _wake_writers(self) -> None:
        waiters, self._drain_waiters = self._drain_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_writable(self) -> None:
        """Wait for `resume_writing`, or the end."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._drain_waiters.append(waiter)
        await waiter

    def write(self, data: bytes) -> None:
        """Write, where there is still somebody to read it."""
        if not self.transport.is_closing():
            self.transport.write(data)

    # What the parser found.

    def check_head(self, stream: BaseStream, hosts: int) -> None:
        """A head that is not the plain GET of an origin-form target.

        Raises:
            Refusal: RFC 9112 section 3.2 (one Host, the forms of a target), section 6 (the body's length).
        """
        if hosts > 1 or (hosts == 0 and stream.http_version == "1.1"):
            raise Refusal(400, "a request has one Host field")
        target = stream.raw_target
        if not target.startswith(b"/"):
            absolute = target[:8].lower().startswith((b"http://", b"https://"))
            if not absolute and not (target == b"*" and stream.method == "OPTIONS"):
                raise Refusal(400, "the request target has none of the forms of RFC 9112 section 3.2")
        length = find_header(stream.headers, b"content-length")
        coding = find_header(stream.headers, b"transfer-encoding")
        if coding is not None:
            if length is not None or stream.http_version == "1.0":
                raise Refusal(400, "a body is framed by Transfer-Encoding or by Content-Length, not both")
            if coding.strip().lower() != b"chunked" or _count(stream.headers, b"transfer-encoding") > 1:
                raise Refusal(501, "the only transfer coding is chunked")
        if length is not None:
            if not length.isdigit() or len(length) > 19 or _count(stream.headers, b"content-length") > 1:
                raise Refusal(400, "Content-Length is one number")
            if int(length) > self.hub.limits.body_size:
                raise Refusal(413, f"the body is larger than {self.hub.limits.body_size} bytes")
        expect = find_header(stream.headers, b"expect")
        if expect is not None and expect.lower() == b"100-continue" and stream.http_version == "1.1":
            stream.expects_continue = True

    def refuse(self, error: Exception) -> None:
        """Read no more: answer what was asked before, then say what was wrong, then close."""
        if isinstance(error, httptools.HttpParserUpgrade):
            # No upgrade is offered here: the request is answered as it stands, and what follows it is in another protocol.
            self.reading_over = True
            for stream in (*self.queue, self.current):
                if stream is not None:
                    stream.close = True
            return
        refusal = error if isinstance(error, Refusal) else error.__context__
        if not isinstance(refusal, Refusal):
            refusal = Refusal(400, str(error))
        self.reading_over = True
        stream, self.parsing = self.parsing, None
        if stream is not None and stream.opened:
            status, why = refusal.args
            stream.close = True
            stream.body_error = HTTPException(status, _REASONS[status].decode())
            stream.wake()
            if self.current is not stream:
                self.close_after(stream)  # it was answered before its body had ended
            return
        if stream is None:
            stream = HTTP1Stream(self, "GET", b"", [], "1.1", True)
        stream.status = refusal.args[0]
        stream.close = True
        self.queue.append(stream)
        _logger.debug("refused a request of %s: %s", self.client, refusal.args[1])

    def send_refusal(self, stream: BaseStream) -> None:
        """The turn of a request that the server refuses itself."""
        stream.respond(_REFUSALS[stream.status], _REASONS[stream.status])

    def body_waiting(self, stream: BaseStream) -> None:
        """A body is on its way, and more of it has come."""
        if stream.opened:
            if stream.pending():
                stream.wake()
                if stream.pending() > _HIGH_WATER and not self.reading_paused:
                    self.pause_reading()
        elif self.current is None and not self.queue:
            if stream.expects_continue or self.hub.app.wants_head(stream):
                self.open(stream)
        if self.phase != BUSY:
            self.since = self.hub.now

    def body_wanted(self) -> None:
        """The app waits for more of the body: from now on, so does the body's time limit."""
        if self.phase == BUSY:
            self.phase = BODY
            self.since = self.hub.now

    def body_taken(self) -> None:
        """The app has taken what there was."""
        if self.phase == BODY and self.current is not None:
            self.phase = BUSY
        if self.reading_paused:
            self.resume_reading()

    def pause_reading(self) -> None:
        """Let the client wait."""
        if not self.reading_over and not self.transport.is_closing():
            self.reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self.reading_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    # The end of a request.

    def app_ended(self, stream: BaseStream, error: BaseException | None) -> None:
        """The app's coroutine ended with an error, or without an answer."""
        if error is not None and not isinstance(error, (asyncio.CancelledError, ClientDisconnect)):
            _logger.error(
                "Exception in the app, answering %s %s",
                stream.method,
                ascii(stream.raw_target.decode("latin-1")),
                exc_info=error,
            )
        elif error is None and not stream.disconnected:
            _logger.error(
                "The app did not complete its answer to %s %s",
                stream.method,
                ascii(stream.raw_target.decode("latin-1")),
            )
        if stream.finished:
            return
        if stream.started:
            stream.abort()  # type: ignore[attr-defined]
        else:
            stream.close = True
            stream.respond(_REFUSALS[500], _REASONS[500])

    def close_after(self, stream: BaseStream) -> None:
        """Close when what was written is sent.

        Where the client may still be sending, the kernel would answer that with a reset, and the answer would be lost with it: so
        only the writing half is closed, and the rest is read and thrown away for a while.
        """
        self.reading_over = True
        self.queue.clear()
        transport = self.transport
        if transport.is_closing():
            return
        if stream.body_complete or not transport.can_write_eof():
            transport.close()
            return
        self.phase = LINGER
        self.since = self.hub.now
        if self.reading_paused:
            self.resume_reading()
        transport.write_eof()

    def abort(self) -> None:
        """Cut the connection at once."""
        self.reading_over = True
        self.transport.abort()

    def drain(self) -> None:
        """The worker is about to stop: no more than what is asked already."""
        if self.current is None and not self.queue and self.parsing is None and not self.in_head:
            self.reading_over = True
            if self.phase != LINGER:
                self.transport.close()

    def sweep(self, now: float) -> None:
        """Enforce the time limits; called for each connection every second or so."""
        limits = self.hub.limits
        waited = now - self.since
        if self.writing_paused:
            unsent = self.transport.get_write_buffer_size()
            if unsent < self._unsent or self._unsent < 0:
                self.since = now
            elif waited > limits.write_timeout:
                self.abort()
            self._unsent = unsent
            return
        phase = self.phase
        if phase == BUSY:
            return
        if phase == IDLE:
            if waited > limits.keep_alive_timeout:
                self.transport.close()
        elif phase == LINGER:
            if waited > limits.linger_timeout:
                self.abort()
        elif waited > (limits.header_timeout if phase == HEAD else limits.body_timeout):
            if phase == HEAD and not self.in_head:
                self.transport.close()  # it has sent nothing at all
            else:
                self.refuse(Refusal(408, "the request was not completed in time"))
                if self.current is None:
                    self.pump()


def _address(value: Any) -> tuple[str, int] | None:
    """(host, port) of a socket's name; None for a Unix socket's."""
    if isinstance(value, tuple) and len(value) >= 2:
        return str(value[0]), int(value[1])
    return None


def _count(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> int:
    return sum(1 for field in headers if field[0] == name)
