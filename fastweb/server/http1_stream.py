"""A request that came by HTTP/1.1, and its answer: what of them awaits (the rest is
`fastweb._speedups.stream.BaseStream`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastweb._speedups.response import Head
from fastweb._speedups.stream import BaseStream
from fastweb.exceptions import ClientDisconnect

if TYPE_CHECKING:
    from fastweb.limits import Limits
    from fastweb.server.http1 import HTTP1Connection

__all__ = ["HTTP1Stream"]


class HTTP1Stream(BaseStream):
    """A request that came by HTTP/1.1, and its answer: `fastweb.types.Stream`."""

    __slots__ = ("_bodiless", "_chunked", "_left")

    connection: HTTP1Connection

    @property
    def limits(self) -> Limits:
        """The bounds that its server was given."""
        return self.connection.hub.limits

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
        if self.gone:
            raise ClientDisconnect()
        if not self.started or self.finished:
            raise RuntimeError(
                "the answer is finished" if self.started else "the answer has not been started"
            )
        connection = self.connection
        if data and not self._bodiless:
            if self._chunked:
                connection.write(b"%x\r\n%b\r\n" % (len(data), data))
            elif self._left == -1:
                connection.write(data)
            else:
                if len(data) > self._left:
                    self.abort()
                    raise RuntimeError("the answer's body is longer than its Content-Length")
                self._left -= len(data)
                connection.write(data)
        if connection.writing_paused:
            await self.drain()
            if self.gone:
                raise ClientDisconnect()

    def finish(self) -> None:
        """End the answer.

        Raises:
            RuntimeError: it has not begun, or its body is shorter than its Content-Length; then the
                connection is cut, so that the client knows.
        """
        if not self.started:
            raise RuntimeError("the answer has not been started")
        if self.finished:
            return
        if self._left > 0 and not self.gone:
            self.abort()
            raise RuntimeError(f"the answer's body is {self._left} bytes shorter than its Content-Length")
        self.finished = True
        if self._chunked:
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
