"""A request that came by HTTP/1.1, and its answer: what of them awaits (the rest is
`fastweb._speedups.stream.BaseStream`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from fastweb._speedups.request import find_header
from fastweb._speedups.response import Head, check_trailers, interim_lines
from fastweb._speedups.stream import BaseStream
from fastweb.concurrency import run_in_threadpool
from fastweb.exceptions import ClientDisconnect
from fastweb.server import sendfile

if TYPE_CHECKING:
    from fastweb.limits import Limits
    from fastweb.server.http1 import HTTP1Connection

__all__ = ["HTTP1Stream"]

#: Bytes of a file that a thread reads at once.
_PIECE: Final = 256 * 1024

#: A piece of a file up to so many bytes is read and written.
_SMALL: Final = 16 * 1024


class HTTP1Stream(BaseStream):
    """A request that came by HTTP/1.1, and its answer: `fastweb.types.Stream`."""

    __slots__ = ("_bodiless", "_chunked", "_left")

    connection: HTTP1Connection

    @property
    def limits(self) -> Limits:
        """The bounds that its server was given."""
        return self.connection.hub.limits

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

    def inform(self, status: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send an interim answer; see `fastweb.types.Stream.inform`.

        Raises:
            RuntimeError: the answer has begun.
            ValueError: the status is none of an interim answer, or a field cannot be sent.
        """
        if self.started:
            raise RuntimeError("an interim answer comes before the answer")
        lines = interim_lines(status, headers)
        if self.takes_interim:
            if status == 100:
                self.expects_continue = False
            self.connection.write(lines)

    @property
    def tls(self) -> dict[str, Any] | None:
        """The connection's TLS as ASGI's TLS extension has it (`fastweb.server.tls.describe`)."""
        return self.connection.tls

    async def receive(self) -> bytes:
        """The next piece of the body, b"" at its end; see `fastweb.types.Stream.receive`."""
        connection = self.connection
        while True:
            if self.pending():
                data: bytes = self.take()
                connection.body_taken(self)
                return data
            if self.body_error is not None:
                raise self.body_error()
            if self.body_complete:
                return b""
            if self.finished:
                raise ClientDisconnect()
            if self.expects_continue and not self.started:
                # Asked for at last: RFC 9110 section 10.1.1.
                self.expects_continue = False
                connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.body_wanted(self)
            try:
                await self._wait()
            finally:
                connection.body_unwanted(self)

    async def drain(self) -> None:
        """Wait while more of the answer than `Limits.write_buffer` is still to be taken by the client."""
        connection = self.connection
        while connection.writing_paused and not self.gone:
            await connection.wait_writable()

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head of an answer whose body comes in pieces: of the length the headers give, else in
        chunks.

        Raises:
            RuntimeError: there has been an answer.
            ValueError: the head cannot be sent (see `fastweb._speedups.response.Head`).
        """
        if self.started:
            raise RuntimeError("this request has been answered already")
        head = Head(status, headers)
        self.started = True
        self.status = status
        self._chunked = False
        self._bodiless = self.method == "HEAD" or status in (204, 304)
        #: Bytes that the body is still to have; -1 where nobody knows.
        self._left = 0 if self._bodiless else head.length
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

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; see `fastweb.types.Stream.send`.

        Raises:
            ClientDisconnect: the client went away.
            RuntimeError: the answer has no head yet, is finished, or is longer than its Content-Length.
        """
        self._check_sending(len(data))
        connection = self.connection
        if data and not self._bodiless:
            if self._chunked:
                connection.write(b"%x\r\n%b\r\n" % (len(data), data))
            else:
                connection.write(data)
        if connection.writing_paused:
            await self.drain()
            if self.gone:
                raise ClientDisconnect()

    def _check_sending(self, size: int) -> None:
        """See whether so many bytes may be sent now, and count them."""
        if self.gone:
            raise ClientDisconnect()
        if not self.started or self.finished:
            raise RuntimeError(
                "the answer is finished" if self.started else "the answer has not been started"
            )
        if self._left >= 0 and not self._bodiless:
            if size > self._left:
                self.abort()
                raise RuntimeError("the answer's body is longer than its Content-Length")
            self._left -= size
        if not self._bodiless:
            self.sent += size

    async def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Send a piece of a file; see `fastweb.types.Stream.send_file`.

        Raises:
            ClientDisconnect: the client went away.
            RuntimeError: as `send`; or the file has fewer bytes, then the connection is cut.
            OSError: the file cannot be read.
        """
        if offset < 0 or count < 0:
            raise ValueError(f"a piece of a file is at 0 or more, and 0 bytes or more: {offset}, {count}")
        self._check_sending(count)
        if self._bodiless or not count:
            return
        connection = self.connection
        try:
            if self._chunked:
                connection.write(b"%x\r\n" % count)
            descriptor = file.fileno()
            if count > _SMALL and sendfile.AVAILABLE and connection.is_plain():
                sent = await self._send_by_kernel(descriptor, offset, count)
                offset += sent
                count -= sent
            while count:
                data = await run_in_threadpool(sendfile.read, descriptor, offset, min(count, _PIECE))
                if not data:
                    raise sendfile.ShortFileError()
                offset += len(data)
                count -= len(data)
                connection.write(data)
                await self.drain()
                if self.gone:
                    raise ClientDisconnect()
            if self._chunked:
                connection.write(b"\r\n")
        except BaseException:
            # What the client has got is neither all nor nothing: there is no way to go on.
            if not self.gone and not self.finished:
                self._left = count
                self.sent -= count
                self.abort()
            raise

    async def _send_by_kernel(self, descriptor: int, offset: int, count: int) -> int:
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
            sender = sendfile.FileSender(connection.loop, transport, descriptor, offset, count)
            connection.file_sender = sender
            connection.written += count
            await sender.send()
        except OSError as error:
            if error.errno not in sendfile.UNSUITABLE:
                raise
        finally:
            connection.file_sender = None
            if not transport.is_closing():
                transport.set_write_buffer_limits(high=self.limits.write_buffer)
        return count - sender.left

    def finish(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """End the answer; see `fastweb.types.Stream.finish`.

        Raises:
            RuntimeError: it has not begun, or its body is shorter than its Content-Length; then the
                connection is cut, so that the client knows.
            ValueError: a trailer cannot be sent.
        """
        if trailers:
            check_trailers(trailers)
        if not self.started:
            raise RuntimeError("the answer has not been started")
        if self.finished:
            return
        if self._left > 0 and not self.gone:
            self.abort()
            raise RuntimeError(f"the answer's body is {self._left} bytes shorter than its Content-Length")
        self.finished = True
        if self._chunked:
            if trailers and self.takes_trailers:
                lines = b"".join(b"%b: %b\r\n" % field for field in trailers)
                self.connection.write(b"0\r\n" + lines + b"\r\n")
            else:
                self.connection.write(b"0\r\n\r\n")
        self.connection.answered(self)

    def abort(self) -> None:
        """Cut an answer that has been started: the client sees that it is not complete."""
        self.finished = True
        self.close = True
        if self._chunked or self._left > 0:
            self.connection.answered(self)
        else:
            # Only the connection's end shows where this body ends: it must not look like one in good order.
            self.connection.reset()

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
        try:
            await waiter
        finally:
            # Cancelled: or else one that polls would leave a future each time.
            if self.waiters is not None and waiter in self.waiters:
                self.waiters.remove(waiter)
