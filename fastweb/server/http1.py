"""HTTP/1.1 on asyncio: what of a connection awaits, and what is rare (the rest is `fastweb._speedups.http1`,
and the grammar is `fastweb._speedups.http1_parser`).

After anything that the parser refuses, the connection says so and closes: nobody knows where the next request
would begin.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, cast

from fastweb._speedups.http1 import (
    BODY,
    BODY_BUFFER,
    BUSY,
    CLOSING,
    HEAD,
    IDLE,
    LINGER,
    MOST_BODY_BUFFER,
    BaseConnection,
)
from fastweb._speedups.http1_parser import Refusal
from fastweb._speedups.response import Head
from fastweb._speedups.stream import BaseStream
from fastweb.exceptions import ClientDisconnect, HTTPException
from fastweb.server.flow_control import Writers
from fastweb.server.http1_stream import HTTP1Stream
from fastweb.server.proxy import unmapped

try:
    import fcntl
    from termios import TIOCOUTQ
except ImportError:  # Windows
    _UNSENT: int | None = None
else:
    _UNSENT = TIOCOUTQ

if TYPE_CHECKING:
    from fastweb.server.connections import Connections
    from fastweb.server.proxy_protocol import Origin
    from fastweb.server.sendfile import FileSender
    from fastweb.server.websocket import WebSocketConnection

__all__ = ["HTTP1Connection"]

_logger = logging.getLogger("fastweb.error")

_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)

#: What the refused are told, beside the status.
_REASONS: Final = {
    400: b"Invalid HTTP request received.",
    408: b"Request timeout.",
    413: b"Request body too large.",
    414: b"Request target too long.",
    417: b"Expectation failed.",
    431: b"Request header fields too large.",
    500: b"Internal Server Error",
    503: b"Too many connections.",
}
_REFUSALS: Final = {status: Head(status, _TEXT) for status in _REASONS}
_REFUSALS[503] = Head(503, (*_TEXT, (b"retry-after", b"1")))

#: `struct linger`: on, for no time.
_LINGER_NOT: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

#: Seconds in which a client that got an answer is taken to be about to ask again.
_LATELY: Final = 1.0


class HTTP1Connection(BaseConnection, asyncio.Protocol):
    """The protocol that `loop.create_server` makes for each client."""

    hub: Connections

    def __init__(self, hub: Connections) -> None:
        super().__init__(
            hub, hub.loop, hub.limits, HTTP1Stream, hub.app.open_stream, hub.runner.run, hub.access_log
        )
        self._writers = Writers(self.loop)
        #: Bytes that the client had taken when it was last seen to take enough, and when that was; -1 while
        #: nothing waits for it.
        self._taken = -1
        self._taken_since = 0.0
        #: At work while a file is sent beside the transport.
        self.file_sender: FileSender | None = None
        self._body_buffer = BODY_BUFFER
        self._half_closed = False
        self._refused = False
        #: What has come behind the request for a WebSocket whose turn has not come.
        self._after_upgrade = b""
        #: What the PROXY protocol has said before this connection was made.
        self.origin: Origin | None = None

    # asyncio.BaseProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self.attach(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=self.hub.limits.write_buffer)
        listening = transport.get_extra_info("sockname")
        self.client = _address(transport.get_extra_info("peername"))
        # A Unix socket's name is its path, as uvicorn has it; who connects to it has none.
        self.server = (listening, None) if isinstance(listening, str) and listening else _address(listening)
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
        proxies = self.hub.proxies
        origin = self.origin
        if origin is not None:
            if not origin.own:
                self.client, self.server = origin.client, origin.server
            if origin.tls:
                self.scheme = "https"
            # Behind such a proxy may be anybody: only an address that is listed as such counts.
            self.proxied = proxies is not None and not origin.own and proxies.lists(self.client)
        elif proxies is not None:
            self.proxied = proxies.trusts(self.client, listening)
        self.hub.add(self)
        if len(self.hub) > self.hub.most and not self.hub.make_room():
            self._turn_away()

    def _turn_away(self) -> None:
        """There are too many connections: say so before anything is asked, and close."""
        if len(self.hub) > self.hub.most + self.hub.spare:
            self.reset()
            return
        self.refuse(Refusal(503, "there are too many connections"))
        self.pump()

    def close_idle(self) -> bool:
        """Close where nothing is asked; whether it was so. A client that asks just now asks again (RFC 9112
        section 9.3.1)."""
        if self.phase != IDLE or self.transport.is_closing():
            return False
        self.reading_over = True
        self.phase = CLOSING
        self.transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        streams = self._opened_and_waiting()
        self.detach()
        self.hub.discard(self)
        for stream in streams:
            stream.gone = True
            self._client_left(stream)
        if self.file_sender is not None:
            self.file_sender.stop()
        self._writers.wake()

    def _opened_and_waiting(self) -> list[BaseStream]:
        streams: list[BaseStream] = list(self.queue)
        if self.parsing is not None:
            streams.append(self.parsing)
        if self.current is not None and self.current is not self.parsing:
            streams.append(self.current)
        return streams

    def _client_left(self, stream: BaseStream) -> None:
        stream.disconnected = True
        if not stream.body_complete and stream.body_error is None:
            stream.body_error = ClientDisconnect
        stream.wake()

    def eof_received(self) -> bool:
        """The client will send no more. It may still read: what it asked for in full is answered (RFC 9112
        section 9.6). But seldom is that why: so the app hears that the client has left."""
        self._half_closed = True
        if self.phase in (LINGER, CLOSING):
            return False
        parsing = self.parsing
        if not self.reading_over:
            if self.in_head if parsing is None else not parsing.opened:
                self.refuse(Refusal(400, "the request is incomplete"))
            self.reading_over = True
        for stream in self._opened_and_waiting():
            self._client_left(stream)
        if parsing is not None and parsing.opened:
            # Its body will not be completed.
            return False
        if self.current is None:
            self.pump()
        # TLS has no half-closed connection (asyncio's transport closes it, and warns of True).
        return bool(self.current or self.queue) and self.is_plain()

    def pause_writing(self) -> None:
        """The transport holds more than `Limits.write_buffer`."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """The client has taken enough of it."""
        self.writing_paused = False
        self._writers.wake()
        if self.current is None:
            self.loop.call_soon(self.pump_later)

    async def wait_writable(self) -> None:
        """Wait for `resume_writing`, or the end."""
        await self._writers.wait()

    def write(self, data: bytes) -> None:
        """Write, where there is still somebody to read it."""
        if not self.transport.is_closing():
            self.written += len(data)
            self.transport.write(data)

    def is_plain(self) -> bool:
        """Whether the bytes on the socket are those that are written: no TLS."""
        return self.transport.get_extra_info("sslcontext") is None

    @cached_property
    def tls(self) -> dict[str, Any] | None:
        """What ASGI's TLS extension tells of this connection; None without TLS."""
        if self.is_plain():
            return None
        from fastweb.server.tls import describe

        return describe(self.transport)

    def _unacknowledged(self) -> int:
        """Bytes that the kernel still has to send: megabytes, perhaps, so that a slow client takes some for
        a long time before there is room for more (tcp(7), SIOCOUTQ)."""
        sock = self.transport.get_extra_info("socket")
        if sock is None or _UNSENT is None:
            return 0
        count = bytearray(4)
        try:
            fcntl.ioctl(sock.fileno(), _UNSENT, count)
        except OSError:
            return 0
        return int.from_bytes(count, sys.byteorder)

    # What the parser found.

    def read_forwarded(self, stream: BaseStream) -> None:
        """A listed proxy has sent a request with fields that tell of its client."""
        if self.hub.proxies is not None:
            stream.forwarded = self.hub.proxies.forwarded(stream.headers, self.client, self.scheme)

    def check_expectation(self, stream: BaseStream) -> None:
        """A head with an Expect field (RFC 9110 section 10.1.1).

        Raises:
            Refusal: 417, it is not "100-continue".
        """
        if stream.http_version == "1.0":
            return  # to be ignored
        for name, value in stream.headers:
            if name == b"expect" and value.lower() != b"100-continue":
                raise Refusal(417, "the only expectation is 100-continue")
        stream.expects_continue = True

    def check_upgrade(self, stream: BaseStream) -> None:
        """A request is complete that has an Upgrade field: where it asks for a WebSocket, it is the last of
        this connection, and what follows waits for its turn. No other is offered here, so any other is
        answered as if it had not asked (RFC 9110 section 7.8)."""
        if self.hub.open_websocket is None:
            return
        from fastweb.server.handshake import is_handshake  # who never needs it need not load it

        if is_handshake(stream):
            stream.status = 101
            stream.close = True
            self._after_upgrade = self.parser.take_rest()
            self.reading_over = True
            self.transport.pause_reading()

    def switch_protocols(
        self,
        stream: BaseStream,
        protocol: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        successor: WebSocketConnection,
    ) -> None:
        """Answer 101 (RFC 9110 section 15.2.2): this connection is its successor's from now on."""
        hub = self.hub
        lines = [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: ", protocol, b"\r\nconnection: Upgrade\r\n"]
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        lines += (hub.own_lines, b"\r\n")
        self.write(b"".join(lines))
        stream.started = stream.finished = True
        self.current = None  # or the connection would close after it
        self.answered(stream)
        self.detach()
        hub.add(successor)
        hub.connections_total -= 1  # it is the same connection
        hub.discard(self)

    def refuse(self, error: Exception) -> None:
        """Read no more: answer what was asked before, then say what was wrong, then close."""
        if isinstance(error, Refusal):
            refusal = error
        else:
            _logger.error("Reading a request failed", exc_info=error)
            refusal = Refusal(400, str(error))
        status, why = refusal.args
        _logger.debug("refused a request of %s: %s", self.client, why)
        self.reading_over = True
        self._refused = True
        stream, self.parsing = self.parsing, None
        if stream is not None and stream.opened:
            stream.close = True
            if self.current is stream:
                stream.body_error = partial(HTTPException, status, _REASONS[status].decode())
                self.body_unwanted(stream)
                stream.wake()
            else:
                self.close_after(stream)  # it was answered before its body had ended
            return
        if stream is None:
            # What is known of it, for the log: its target is empty before the request line is complete.
            parser = self.parser
            method = parser.method if parser.target else "GET"
            stream = HTTP1Stream(self, method, parser.target, [], "1.1", True)
        stream.status = status
        stream.close = True
        stream.expects_continue = False
        self.queue.append(stream)

    def send_refusal(self, stream: BaseStream) -> None:
        """The turn of a request that the server refuses itself, or of one that asks for a WebSocket."""
        if stream.status == 101:
            from fastweb.server.websocket import open_websocket

            received, self._after_upgrade = self._after_upgrade, b""
            open_websocket(self, cast(HTTP1Stream, stream), received)
            return
        stream.respond(_REFUSALS[stream.status], _REASONS[stream.status])

    def head_waiting(self, stream: BaseStream) -> None:
        """It is the turn of a request whose body is not complete."""
        if stream.opened or stream.asked or self.reading_over:
            return
        stream.asked = True
        if self.reading_paused:
            self.resume_reading()  # it was to wait for its turn
        try:
            wanted = stream.expects_continue or self.hub.app.wants_head(stream)
        except Exception as error:
            stream.opened = True
            self.current = stream
            self.app_ended(stream, error)
            return
        if wanted:
            self.open(stream)

    def body_waiting(self, stream: BaseStream) -> None:
        """More of a body has come, which is not complete yet."""
        if stream.opened:
            if stream.pending():
                stream.wake()
        if self.phase != BUSY:
            self.since = self.hub.now
        # Where the app waits for it all, it is read to its end; else no more than the next reader may want.
        # Behind an answer it is thrown away: what the app left of it waits for nobody.
        if stream.finished:
            return
        if stream.opened or self.current is not None or self.queue:
            if stream.pending() >= self._body_buffer and not self.reading_paused:
                self.pause_reading()

    def body_wanted(self, stream: BaseStream) -> None:
        """The app waits for more of the body: from now on, so does the body's time limit."""
        if self.current is stream and self.phase == BUSY:
            self.phase = BODY
            self.since = self.hub.now

    def body_unwanted(self, stream: BaseStream) -> None:
        """It waits no longer."""
        if self.current is stream and self.phase == BODY:
            self.phase = BUSY

    def body_taken(self, stream: BaseStream) -> None:
        """The app has taken some of what there was."""
        if self.reading_paused and self.parsing is stream and stream.pending() <= self._body_buffer // 2:
            if self._body_buffer < MOST_BODY_BUFFER:
                self._body_buffer *= 2
            self.resume_reading()

    def pause_reading(self) -> None:
        """Let the client wait."""
        if not self.reading_over and not self.transport.is_closing():
            self.reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on: first, what was received already."""
        self.reading_paused = False
        if self.parser.has_rest() and not self.reading_over:
            self.loop.call_soon(self.read_on)
        elif not self.transport.is_closing():
            self.transport.resume_reading()

    # The end of a request.

    def app_ended(self, stream: BaseStream, error: BaseException | None) -> None:
        """The app's coroutine ended with an error, or without an answer."""
        if stream.gone:
            expected = error is None or isinstance(error, (asyncio.CancelledError, ClientDisconnect))
        else:
            expected = isinstance(error, asyncio.CancelledError) and (self.hub.aborting or stream.finished)
            # An answer that the app gave up because the client left is no fault of the app's.
            left = error is None or isinstance(error, ClientDisconnect)
            expected = expected or (left and stream.disconnected)
        if not expected:
            what = (
                "The app did not complete its answer to"
                if error is None
                else "Exception in the app, answering"
            )
            _logger.error(
                "%s %s %s", what, stream.method, ascii(stream.raw_target.decode("latin-1")), exc_info=error
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

        Where the client may still be sending, the kernel would answer that with a reset, and the answer would
        be lost with it: so only the writing half is closed, and the rest is read and thrown away for a while
        (RFC 9112 section 9.6).
        """
        sending = bool(
            self._refused
            or not stream.body_complete
            or self.queue
            or self.in_head
            or self.parsing is not None
            or self.parser.has_rest()
        )
        self.reading_over = True
        self.parser.take_rest()
        self.parsing = None
        self.queue.clear()
        transport = self.transport
        if transport.is_closing():
            return
        self.since = self.hub.now
        if not sending or self._half_closed or not transport.can_write_eof():
            self.phase = CLOSING
            transport.close()
            return
        self.phase = LINGER
        if self.reading_paused:
            self.resume_reading()
        transport.write_eof()

    def reset(self) -> None:
        """Cut the connection at once, with an RST: the client sees an error, and not an end."""
        if self.transport.is_closing():
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None and self.client is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.abort()

    def abort(self) -> None:
        """Cut the connection at once."""
        self.reading_over = True
        self.queue.clear()
        self.transport.abort()

    def is_expected(self, now: float) -> bool:
        """Whether a request is about to come: the last answer was a moment ago."""
        return self.phase == IDLE and now - self.since <= _LATELY and not self.transport.is_closing()

    def drain(self) -> None:
        """The worker is about to stop: no more than what is asked already, and no stream without an end."""
        stream = self.current
        if isinstance(stream, HTTP1Stream):
            stream.end_early(events_alone=self.hub.now < self.hub.streams_until)
        if self.parsing is not None or self.in_head or self.phase in (LINGER, CLOSING):
            return
        self.reading_over = True
        if self.current is None and not self.queue:
            self.phase = CLOSING
            self.transport.close()

    def sweep(self, now: float) -> None:
        """Enforce the time limits; called for each connection every second or so.

        `since` may be as old as the sweep before the event, so a limit is reached when it has passed by as
        much.
        """
        limits = self.hub.limits
        phase = self.phase
        unsent = self.transport.get_write_buffer_size()
        if self.file_sender is not None:
            unsent += self.file_sender.left
        if unsent:
            if not self._takes_enough(now, self.written - unsent - self._unacknowledged()):
                self.abort()
                return
            if self.writing_paused or phase not in (HEAD, BODY):
                self.since = now
                return
        else:
            self._taken = -1
        if self.hub.leaving:
            self.drain()
        if phase in (BUSY, CLOSING):
            return
        waited = now - self.since - self.hub.interval
        if phase == IDLE:
            if waited >= limits.keep_alive_timeout:
                self.close_idle()
            elif waited >= 0:
                self.parser.forget()  # of 10,000 that are idle, each is to keep little
        elif phase == LINGER:
            if waited >= limits.linger_timeout:
                self.abort()
        elif phase == HEAD:
            if waited >= limits.header_timeout:
                if self.in_head:
                    self._time_is_up()
                else:
                    self.reading_over = True
                    self.phase = CLOSING
                    self.transport.close()  # it has sent nothing at all
        else:
            self.body_waited += self.hub.interval
            grace = limits.body_timeout + self.hub.interval
            if waited >= limits.body_timeout or (
                self.body_waited >= grace + self.parser.body_size / limits.body_rate
            ):
                self._time_is_up()

    def _takes_enough(self, now: float, taken: int) -> bool:
        """Whether a client, for whom some of an answer waits, takes it quickly enough; looked at once in each
        `Limits.write_timeout`."""
        limits = self.hub.limits
        passed = now - self._taken_since
        if self._taken >= 0:
            if passed < limits.write_timeout:
                return True
            if taken - self._taken < max(limits.write_rate * passed, 1):
                return False
        self._taken = max(taken, 0)
        self._taken_since = now
        return True

    def _time_is_up(self) -> None:
        self.refuse(Refusal(408, "the request was not completed in time"))
        if self.current is None:
            self.pump()


def _address(value: Any) -> tuple[str, int] | None:
    """(host, port) of a socket's name; None for a Unix socket's."""
    if isinstance(value, tuple) and len(value) >= 2:
        return unmapped(str(value[0])), int(value[1])
    return None
