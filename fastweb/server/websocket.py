"""A WebSocket on asyncio (RFC 6455): what of it awaits, and what is rare (the rest is
`fastweb._speedups.websocket`, `websocket_frames`).

    CONNECTING  the handshake waits for the app's answer; it is a request of the HTTP connection still
      | accept
    OPEN        ping, pong, messages
      | close, the client's Close, what breaks the protocol, the server's stop
    CLOSING     a Close was sent, the client's is waited for                  websocket_close_timeout
      |
    LINGER      nothing is read any more but the end                          websocket_close_timeout

The app hears of the end when CLOSING begins, whoever began it: what receives gets None, what sends
ClientDisconnect. The connection itself is the protocol of the transport from the handshake's turn on; until
it is accepted, it hands everything on to the HTTP connection.

Time is the hub's sweep, as with HTTP/1.1: there is no timer a connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from fastweb._speedups.response import Head
from fastweb._speedups.websocket import BaseWebSocket
from fastweb._speedups.websocket_frames import (
    CLOSE,
    FAILURE,
    PING,
    Event,
    FrameParser,
    close_payload,
    frame,
)
from fastweb.exceptions import ClientDisconnect
from fastweb.server.deflate import Deflate, Inflate
from fastweb.server.flow_control import Writers
from fastweb.server.handshake import Handshake, HandshakeError, accept_head, read_handshake

if TYPE_CHECKING:
    from fastweb.limits import Limits
    from fastweb.server.connections import Connections
    from fastweb.server.http1 import HTTP1Connection
    from fastweb.server.http1_stream import HTTP1Stream

__all__ = ["WebSocketConnection", "open_websocket"]

_logger = logging.getLogger("fastweb.error")

CONNECTING: Final = 0
OPEN: Final = 1
CLOSING: Final = 2
LINGER: Final = 3

_FORBIDDEN: Final = Head(403, ())

#: First bytes of frames that are whole: FIN and the opcode.
_CLOSE_FRAME: Final = 0x88
_PING_FRAME: Final = 0x89
_PONG_FRAME: Final = 0x8A

_MOST_REASON: Final = 123


def open_websocket(connection: HTTP1Connection, stream: HTTP1Stream, received: bytes) -> None:
    """It is the turn of a handshake: hand it to the app, or refuse it.

    Arguments:
        connection: is told to read no more requests; its transport may be paused.
        stream: the handshake.
        received: what has come behind it.
    """
    hub = connection.hub
    assert hub.open_websocket is not None
    try:
        handshake = read_handshake(stream, compression=hub.websocket_compression)
    except HandshakeError as error:
        stream.respond(error.head, error.body)
        return
    websocket = WebSocketConnection(connection, stream, handshake)
    websocket.take_over(received)
    try:
        coroutine = hub.open_websocket(websocket)
    except Exception as error:
        websocket.ended(error)
        return
    if coroutine is not None:
        hub.runner.run(coroutine, websocket)


class WebSocketConnection(BaseWebSocket, asyncio.Protocol):
    """A WebSocket: `fastweb.types.WebSocketStream`.

    Arguments:
        connection: what it was until now.
        http: the handshake.
        handshake: what that asks for.
    """

    hub: Connections

    def __init__(self, connection: HTTP1Connection, http: HTTP1Stream, handshake: Handshake) -> None:
        limits = connection.hub.limits
        super().__init__(connection.loop, connection.hub, limits.websocket_buffer)
        self.http = http
        self.subprotocols = handshake.subprotocols
        self.phase = CONNECTING
        self.since = 0.0
        self.transport = connection.transport
        self._connection = connection
        self._handshake = handshake
        agreement = handshake.agreement
        self.parser = FrameParser(
            limits.websocket_message_size, None if agreement is None else Inflate(agreement)
        )
        if agreement is not None:
            self.deflate = Deflate(agreement)
        self._writers = Writers(self.loop)
        self._early = 0
        self._pinged = False
        #: The payload of a pong that could not be written yet.
        self._pong: bytes | None = None
        self._unsent = 0
        self._unsent_since = 0.0

    # The head.

    @property
    def path(self) -> str:
        path: str = self.http.path
        return path

    @property
    def raw_path(self) -> bytes:
        raw_path: bytes = self.http.raw_path
        return raw_path

    @property
    def query_string(self) -> bytes:
        query: bytes = self.http.query_string
        return query

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return self.http.headers

    @property
    def http_version(self) -> str:
        return self.http.http_version

    @property
    def scheme(self) -> str:
        return "wss" if self.http.scheme == "https" else "ws"

    @property
    def client(self) -> tuple[str, int] | None:
        client: tuple[str, int] | None = self.http.client
        return client

    @property
    def server(self) -> tuple[str, int | None] | None:
        server: tuple[str, int | None] | None = self.http.server
        return server

    @property
    def limits(self) -> Limits:
        """The bounds that its server was given."""
        return self.hub.limits

    # The handshake.

    def take_over(self, received: bytes) -> None:
        """Be the transport's protocol from now on."""
        transport = self.transport
        transport.set_protocol(self)
        if transport.is_closing():
            return
        if received:
            self.data_received(received)
        if not self.reading_paused:
            transport.resume_reading()

    def early_data(self, size: int) -> None:
        """Bytes before the answer to the handshake: what a client may send only then waits, and not much of
        it."""
        if self.http.started:
            self.parser.stop()
            return
        self._early += size
        if self._early > self.limits.websocket_buffer and not self.reading_paused:
            self.pause_reading()

    def accept(self, subprotocol: str | None = None, headers: Iterable[Sequence[bytes]] = ()) -> None:
        """Open it; see `fastweb.types.WebSocketStream.accept`."""
        if self.accepted or self.http.started:
            raise RuntimeError("the handshake of this WebSocket has been answered already")
        fields = accept_head(self._handshake, subprotocol, headers)
        self.accepted = True
        if self.closed:
            self.transport.abort()  # the client is gone
            return
        self.phase = OPEN
        self.writing_paused = self._connection.writing_paused
        self._connection.switch_protocols(self.http, b"websocket", fields, self)
        self.heard = self.since = self.hub.now
        if self.hub.leaving:
            self.drain()
        if self._early:
            self.resume_reading()

    # Receiving and sending; `receive` and `write` are the base's.

    async def send(self, data: str | bytes) -> None:
        """Send a message; see `fastweb.types.WebSocketStream.send`."""
        if not self.write(data):
            await self.wait_writable()

    def refuse_write(self) -> None:
        """Nothing can be sent.

        Raises:
            ClientDisconnect: it is closed.
            RuntimeError: it is not open yet.
        """
        if self.closed:
            raise ClientDisconnect()
        raise RuntimeError("this WebSocket has not been accepted")

    async def wait_writable(self) -> None:
        """Wait while more than `Limits.write_buffer` is still to be taken by the client; where there is not
        so much, for a turn of the loop: one that never turns answers nobody else, and does not even hear that
        the client has left.

        Raises:
            ClientDisconnect: it was closed meanwhile.
        """
        if not self.writing_paused:
            await asyncio.sleep(0)
        while self.writing_paused and not self.closed:
            await self._writers.wait()
        if self.closed:
            raise ClientDisconnect()

    def _write_frame(self, first: int, payload: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(frame(first, payload))

    def take_event(self, event: Event) -> None:
        """A control frame, or what breaks the protocol."""
        if event.kind == PING:
            if self.closed:
                pass
            elif self.writing_paused:
                self._pong = event.data  # RFC 6455 section 5.5.3: the last of several is enough
            else:
                self._write_frame(_PONG_FRAME, event.data)
        elif event.kind == CLOSE:
            if not self.closed:
                self._end(event.code, event.reason)
                self._write_frame(_CLOSE_FRAME, close_payload(event.code, ""))
            self.phase = LINGER
            self.since = self.hub.now
            self.transport.close()
        elif event.kind == FAILURE:
            _logger.debug("closed a WebSocket of %s: %s", self.client, event.reason)
            if not self.closed:
                self._end(event.code, event.reason)
                self._write_frame(_CLOSE_FRAME, close_payload(event.code, event.reason))
            self._linger()

    def _linger(self) -> None:
        """Say that nothing more is sent, and read to the end: a reset, which the kernel answers unread bytes
        with, would overtake our Close."""
        self.phase = LINGER
        self.since = self.hub.now
        transport = self.transport
        if transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
            if self.reading_paused:
                self.resume_reading()
        else:
            transport.close()

    # Closing.

    def _end(self, code: int, reason: str) -> None:
        """Nothing is to be received or sent any more: let everybody know."""
        self.closed = True
        self.close_code = code
        self.close_reason = reason
        self.wake_waiters(False)
        self._writers.wake()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close, or refuse the handshake; see `fastweb.types.WebSocketStream.close`."""
        if self.closed:
            return
        if not self.accepted:
            if not self.http.started:
                self._end(code, reason)
                self.http.respond(_FORBIDDEN, b"")
            return
        payload = close_payload(code, _shortened(reason))
        self.forget_messages()
        self._end(code, reason)
        self._begin_close(payload)

    def _begin_close(self, payload: bytes) -> None:
        self._write_frame(_CLOSE_FRAME, payload)
        self.phase = CLOSING
        self.since = self.hub.now
        if self.reading_paused:
            self.resume_reading()

    def drain(self) -> None:
        """The worker is about to stop."""
        if not self.closed:
            self._end(1012, "Service Restart")
            self._begin_close(close_payload(1012, "Service Restart"))

    def abort(self) -> None:
        """Cut the connection at once."""
        self.transport.abort()

    def ended(self, error: BaseException | None) -> None:
        """The app's coroutine has ended: with this exception, or None."""
        if not self.accepted:
            if not self.http.started and not self.closed and error is not None:
                self._end(1006, "")
            self.http.ended(error)
            return
        if error is None:
            self.close(1000)
            return
        expected = (self.closed and isinstance(error, ClientDisconnect)) or (
            isinstance(error, asyncio.CancelledError) and (self.hub.aborting or self.closed)
        )
        if not expected:
            _logger.error(
                "Exception in the app, in the WebSocket %s",
                ascii(self.http.raw_target.decode("latin-1")),
                exc_info=error,
            )
        self.close(1011)

    # asyncio.BaseProtocol

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        if self.accepted and self.phase != CONNECTING:
            self.hub.discard(self)
        else:
            self._connection.connection_lost(exc)
        self.parser.stop()
        if not self.closed:
            self._end(1006, "")

    def eof_received(self) -> bool:
        """The client will send no more: that is its end, with or without a Close."""
        if self.phase == CONNECTING:
            self.parser.stop()
            if not self.closed:
                self._end(1006, "")
            return self._connection.eof_received()
        self.parser.stop()
        if not self.closed:
            self._end(1006, "")
        return False

    def pause_writing(self) -> None:
        """The transport holds more than `Limits.write_buffer`."""
        self.writing_paused = True
        if self.phase == CONNECTING:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        """The client has taken enough of it."""
        self.writing_paused = False
        if self.phase == CONNECTING:
            self._connection.resume_writing()
        pong, self._pong = self._pong, None
        if pong is not None and not self.closed:
            self._write_frame(_PONG_FRAME, pong)
        self._writers.wake()

    def pause_reading(self) -> None:
        """Let the client wait."""
        if not self.transport.is_closing():
            self.reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on: first, what was received already."""
        self.reading_paused = False
        self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self.heard = self.hub.now
        self._pinged = False
        self.read_events(True)
        if not self.reading_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    # Time.

    def sweep(self, now: float) -> None:
        """Enforce the time limits; called for each connection every second or so."""
        limits = self.hub.limits
        interval = self.hub.interval
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            self._unsent_since = now
        elif unsent and now - self._unsent_since >= limits.write_timeout:
            self.abort()
            return
        if self.phase in (CLOSING, LINGER):
            if now - self.since - interval >= limits.websocket_close_timeout:
                self.abort()
        elif self.reading_paused or unsent:
            self.heard = now
        elif not self._pinged:
            if now - self.heard >= limits.websocket_ping_interval:
                self._pinged = True
                self.since = now
                self._write_frame(_PING_FRAME, b"")
        elif self.heard >= self.since:
            self._pinged = False
        elif now - self.since - interval >= limits.websocket_ping_timeout:
            # It will not answer a Close either.
            self._end(1006, "keepalive ping timeout")
            self._write_frame(_CLOSE_FRAME, close_payload(1011, "keepalive ping timeout"))
            self.phase = LINGER
            self.since = now
            self.transport.close()


def _shortened(reason: str) -> str:
    """As much of a reason as a Close frame can carry: its text is often a client's."""
    words = reason.encode("utf-8", "replace")
    if len(words) <= _MOST_REASON:
        return words.decode()
    return words[:_MOST_REASON].decode("utf-8", "ignore")
