"""The connection while it is being opened: messages one by one, and TLS put below them.

Nobody is trusted yet, so that all is small: bytes of a message, how many messages, bytes of all of them. Time
is bounded by the caller. When the session stands, its transport is handed over to the protocol that the
queries run on.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from typing import cast

from fastweb.postgres.errors import ProtocolError

__all__ = ["Channel", "ClosedBefore"]

#: Bytes of one message before the session stands: what libpq allows.
MESSAGE = 30_000
#: How many messages a server may need, notices and parameters among them.
MESSAGES = 1_000
#: Bytes of all of them.
TOTAL = 1 << 20

#: Int8 kind, Int32 length, which counts itself.
_HEAD = struct.Struct("!Bi")


class ClosedBefore(Exception):  # noqa: N818 - what happened; the caller makes the error with the address
    """The server closed the connection before the session stood."""


class Channel(asyncio.Protocol):
    """Reads and writes what comes before the session stands."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.transport: asyncio.Transport
        self.buffer = bytearray()
        #: Messages that were read, and their bytes.
        self.messages = 0
        self.total = 0
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._error: Exception | None = None
        self._paused = False

    # --- what asyncio calls
    # -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by its class.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > 2 * MESSAGE and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._closed = True
        self._wake()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._closed = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what the handshake calls
    # -------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        return self._closed

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    async def read_byte(self) -> int:
        """One byte: the answer to an SSLRequest is no message."""
        await self._fill(1)
        return self.buffer.pop(0)

    async def read_message(self) -> tuple[int, bytes]:
        """The next message: its kind and its body.

        Raises:
            ProtocolError: a bound is passed, or what came is no message.
            ClosedBefore: the server closed the connection.
        """
        await self._fill(1)
        # A server of something else answers a text, which is no length either.
        await self._fill(_HEAD.size)
        kind, length = _HEAD.unpack_from(self.buffer)
        if not 4 <= length <= MESSAGE or not 65 <= kind <= 122:
            raise ProtocolError(not_a_message(bytes(self.buffer[:80])))
        self.messages += 1
        self.total += length
        if self.messages > MESSAGES or self.total > TOTAL:
            raise ProtocolError("the server sends message after message and no session begins")
        await self._fill(1 + length)
        body = bytes(self.buffer[_HEAD.size : 1 + length])
        del self.buffer[: 1 + length]
        if self._paused and len(self.buffer) <= MESSAGE:
            self._paused = False
            self.transport.resume_reading()
        return kind, body

    async def _fill(self, size: int) -> None:
        while len(self.buffer) < size:
            if self._closed:
                raise ClosedBefore(str(self._error) if self._error else "")
            self._waiter = self.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def start_tls(self, context: ssl.SSLContext, server_name: str | None) -> ssl.SSLObject:
        """Puts TLS below this channel.

        Raises:
            ProtocolError: there are bytes that came in clear behind the server's answer. They would be read
            as if
                they had come encrypted, from whoever sits between (CVE-2021-23222).
            OSError, ssl.SSLError: the TLS handshake failed.
        """
        if self.buffer:
            raise ProtocolError(
                "the server sent more in clear when it agreed to TLS: somebody may sit between"
            )
        if self._closed:
            raise ClosedBefore
        transport = await self.loop.start_tls(
            self.transport, self, context, server_hostname=server_name, ssl_handshake_timeout=3600.0
        )
        if transport is None:  # pragma: no cover - the loop says that it was closed meanwhile
            raise ClosedBefore
        self.transport = transport
        found = transport.get_extra_info("ssl_object")
        assert found is not None
        return found  # type: ignore[no-any-return]

    def release(self) -> None:
        """The transport is another protocol's from now on."""
        self._closed = True
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    def close(self) -> None:
        """Ends the connection at once."""
        self._closed = True
        self.transport.abort()


def not_a_message(data: bytes) -> str:
    """What to say of bytes that are no message of PostgreSQL."""
    if data[:5] == b"HTTP/":
        return "what answers is an HTTP server, not PostgreSQL: check host and port"
    if data[:1] in (b"\x15", b"\x16") and data[1:2] == b"\x03":
        return "what answers speaks TLS from the first byte, not PostgreSQL: check host and port"
    if data[:4] in (b"SSH-", b"220 ", b"-ERR"):
        return "what answers is not PostgreSQL, but another kind of server: check host and port"
    return "what answers is not PostgreSQL (its first bytes are no message): check host and port"
