"""A request that came by HTTP/1.1, and its answer as HTTP/1.1 writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from fastweb._speedups.request import find_header
from fastweb._speedups.response import Head, interim_lines
from fastweb.exceptions import ClientDisconnect
from fastweb.server import sendfile
from fastweb.server.stream import ServerStream

if TYPE_CHECKING:
    from fastweb.server.http1 import HTTP1Connection

__all__ = ["HTTP1Stream"]

#: A piece of a file up to so many bytes is read and written.
_SMALL: Final = 16 * 1024


class HTTP1Stream(ServerStream):
    """A request that came by HTTP/1.1, and its answer: `fastweb.types.Stream`."""

    __slots__ = ("_chunked", "_events")

    connection: HTTP1Connection

    @property
    def takes_interim(self) -> bool:
        """Whether the client knows interim answers (RFC 9110 section 15.2: not one of HTTP/1.0)."""
        return bool(self.http_version == "1.1")

    @property
    def takes_trailers(self) -> bool:
        """Whether the client has said that it wants trailers (RFC 9110 section 10.1.4)."""
        if self.http_version != "1.1":
            return False
        field: bytes = find_header(self.headers, b"te") or b""
        return b"trailers" in [coding.strip().lower() for coding in field.split(b",")]

    def is_paused(self) -> bool:
        """Whether the transport holds more than `Limits.write_buffer`."""
        return bool(self.connection.writing_paused)

    async def drain(self) -> None:
        """Wait while more of the answer than `Limits.write_buffer` is still to be taken by the client."""
        connection = self.connection
        while connection.writing_paused and not self.gone:
            await connection.wait_writable()

    def write_interim(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """An interim answer (RFC 9112 section 4)."""
        self.connection.write(interim_lines(status, fields))

    def write_head(self, head: Head) -> None:
        """The head: of the length that its fields give, else of a body in chunks (RFC 9112 section 6)."""
        self._chunked = False
        #: Server-sent events: an answer that has no end of its own, and whose client comes again by itself.
        self._events = self._left == -1 and (find_header(head.headers, b"content-type") or b"").startswith(
            b"text/event-stream"
        )
        connection = self.connection
        connection.decide_close(self, head.flags)
        lines = [head.http1, connection.hub.lines_beside(head.flags)]
        if self._left == -1:
            if self.http_version == "1.1":
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.close = True  # RFC 9112 section 6.3, rule 8: HTTP/1.0 reads to the end of the connection
        if self.close:
            lines.append(b"connection: close\r\n\r\n")
        elif self.http_version == "1.0":
            lines.append(b"connection: keep-alive\r\n\r\n")
        else:
            lines.append(b"\r\n")
        connection.write(b"".join(lines))

    def write_piece(self, data: bytes) -> None:
        """A piece of the body: a chunk (RFC 9112 section 7.1), or as it is."""
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.connection.write(data)

    async def write_file(self, file: int, offset: int, count: int) -> None:
        """A piece of a file: one chunk, or as it is; by the kernel alone where that can be."""
        connection = self.connection
        if count <= _SMALL or not (sendfile.AVAILABLE and connection.is_plain()):
            await super().write_file(file, offset, count)
            return
        if self._chunked:
            connection.write(b"%x\r\n" % count)
        sent = await self._send_by_kernel(file, offset, count)
        if sent < count:
            # The rest is of the same chunk.
            chunked, self._chunked = self._chunked, False
            try:
                await super().write_file(file, offset + sent, count - sent)
            finally:
                self._chunked = chunked
        if self._chunked:
            connection.write(b"\r\n")

    async def _send_by_kernel(self, file: int, offset: int, count: int) -> int:
        """Send a piece of a file by sendfile, once the transport has nothing left to write; returns how many
        bytes were sent: fewer where this file is none for sendfile."""
        connection = self.connection
        transport = connection.transport
        if self.gone or transport.is_closing():
            raise ClientDisconnect()
        transport.set_write_buffer_limits(high=0)
        try:
            await self.drain()
            if self.gone or transport.is_closing():
                raise ClientDisconnect()
            sender = sendfile.FileSender(connection.loop, transport, file, offset, count)
            connection.file_sender = sender
            connection.written += count
            await sender.send()
        except OSError as error:
            if error.errno not in sendfile.UNSUITABLE:
                raise
            connection.written -= sender.left
        finally:
            connection.file_sender = None
            if not transport.is_closing():
                transport.set_write_buffer_limits(high=self.limits.write_buffer)
        return count - sender.left

    def write_end(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """The last chunk and the trailer section (RFC 9112 section 7.1.2), where there are chunks."""
        if self._chunked:
            if trailers and self.takes_trailers:
                lines = b"".join(b"%b: %b\r\n" % field for field in trailers)
                self.connection.write(b"0\r\n" + lines + b"\r\n")
            else:
                self.connection.write(b"0\r\n\r\n")
        self.connection.answered(self)

    def end_early(self, *, events_alone: bool) -> None:
        """The worker is leaving: end an answer that may be endless, so that it does not hold up a deploy. Its
        endpoint sees that the client is gone.

        Arguments:
            events_alone: only if it is of server-sent events.
        """
        if not self.started or self.finished or self.gone or self._left != -1:
            return
        if self._events or not events_alone:
            self.gone = self.disconnected = True
            self.wake()

    def abort(self) -> None:
        """Cut an answer that has been started: the client sees that it is not complete."""
        self.finished = True
        self.close = True
        if self._chunked and self._events and self.connection.hub.draining:
            self.connection.write(b"0\r\n\r\n")  # It has lasted as long as it could: that is no error.
        if self._chunked or self._left > 0:
            self.connection.answered(self)
        else:
            # Only the connection's end shows where this body ends: it must not look like one in good order.
            self.connection.reset()
