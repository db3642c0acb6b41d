"""A request and its answer, whatever protocol carries them: what every protocol's streams have in common.

    BaseStream     _speedups.stream    the head, the body's buffer, the flags
      ServerStream                     what awaits: receive, send, send_file, wait_disconnect; the order of an
        |                              answer, and its promised length
      HTTP1Stream  http1_stream        how HTTP/1.1 writes that down

The protocol's connection is the stream's owner (`_speedups.stream.StreamOwner`). It makes the stream of a
parsed head, feeds it the body, opens it with the app, and is asked for this:

    hub, loop                       what it shares with the other connections, and the event loop
    scheme, client, server, tls     the two ends
    write_answer, app_ended         a whole answer; the end of the app's coroutine
    body_wanted, body_unwanted      the app begins to wait for more of the body, and no longer waits
    body_taken                      the app has taken some: there is room for more

A protocol's own stream has the methods at the end of `ServerStream`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from fastweb._speedups.response import Head, check_trailers, interim_fields
from fastweb._speedups.stream import BaseStream
from fastweb.concurrency import run_in_threadpool
from fastweb.exceptions import ClientDisconnect
from fastweb.server import sendfile

if TYPE_CHECKING:
    from fastweb.limits import Limits

__all__ = ["ServerStream"]

#: Bytes of a file that a thread reads at once.
PIECE: Final = 256 * 1024
#: Pieces of an answer that may be sent in one turn of the loop.
_BURST: Final = 32


class ServerStream(BaseStream):
    """What a server hands to an app: `fastweb.types.Stream`."""

    __slots__ = ("_bodiless", "_left", "_sendings")

    connection: Any

    @property
    def limits(self) -> Limits:
        """The bounds that its server was given."""
        limits: Limits = self.connection.hub.limits
        return limits

    @property
    def tls(self) -> dict[str, Any] | None:
        """The connection's TLS as ASGI's TLS extension has it (`fastweb.server.tls.describe`)."""
        tls: dict[str, Any] | None = self.connection.tls
        return tls

    # The request

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
                self.write_interim(100, [])
            connection.body_wanted(self)
            try:
                await self.wait()
            finally:
                connection.body_unwanted(self)

    async def wait_disconnect(self) -> None:
        """Return when the client is gone, or the answer was sent."""
        while not (self.disconnected or self.finished):
            await self.wait()

    async def wait(self) -> None:
        """Wait until something happens to this stream (`BaseStream.wake`)."""
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

    # The answer

    def inform(self, status: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send an interim answer; see `fastweb.types.Stream.inform`.

        Raises:
            RuntimeError: the answer has begun.
            ValueError: the status is none of an interim answer, or a field cannot be sent.
        """
        if self.started:
            raise RuntimeError("an interim answer comes before the answer")
        fields = interim_fields(status, headers)
        if self.takes_interim:
            if status == 100:
                self.expects_continue = False
            self.write_interim(status, fields)

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head of an answer whose body comes in pieces.

        Raises:
            RuntimeError: there has been an answer.
            ValueError: the head cannot be sent (see `fastweb._speedups.response.Head`).
        """
        if self.started:
            raise RuntimeError("this request has been answered already")
        head = Head(status, headers)
        self.started = True
        self.status = status
        #: RFC 9110 section 6.4.1.
        self._bodiless = self.method == "HEAD" or status in (204, 304)
        #: Bytes that the body is still to have; -1 where nobody knows.
        self._left: int = 0 if self._bodiless else head.length
        self._sendings = 0
        self.write_head(head)

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; see `fastweb.types.Stream.send`.

        Raises:
            ClientDisconnect: the client went away.
            RuntimeError: the answer has no head yet, is finished, or is longer than its Content-Length.
        """
        self._check_sending(len(data))
        if data and not self._bodiless:
            self.write_piece(data)
        if self.is_paused():
            await self.drain()
            if self.gone:
                raise ClientDisconnect()
        elif self._sendings % _BURST == 0:
            await self._give_way()

    async def _give_way(self) -> None:
        """Let the loop have a turn: while the client takes all of it nothing else here waits, and a loop that
        never turns answers nobody else, and does not even hear that the client has left."""
        await asyncio.sleep(0)
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
        self._sendings += 1
        if not self._bodiless:
            if self._left >= 0:
                if size > self._left:
                    self.abort()
                    raise RuntimeError("the answer's body is longer than its Content-Length")
                self._left -= size
            self.sent += size

    async def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Send a piece of a file; see `fastweb.types.Stream.send_file`.

        Raises:
            ClientDisconnect: the client went away.
            RuntimeError: as `send`; or the file has fewer bytes, then the answer is cut.
            OSError: the file cannot be read.
        """
        if offset < 0 or count < 0:
            raise ValueError(f"a piece of a file is at 0 or more, and 0 bytes or more: {offset}, {count}")
        self._check_sending(count)
        if self._bodiless or not count:
            return
        try:
            await self.write_file(file.fileno(), offset, count)
        except BaseException:
            # What the client has got is neither all nor nothing: there is no way to go on.
            if not self.gone and not self.finished:
                if self._left >= 0:
                    self._left += count
                self.sent -= count
                self.abort()
            raise
        if self._sendings % _BURST == 0:
            await self._give_way()

    def finish(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """End the answer; see `fastweb.types.Stream.finish`.

        Raises:
            RuntimeError: it has not begun, or its body is shorter than its Content-Length; then it is cut, so
                that the client knows.
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
        self.write_end(trailers)

    # What the protocol has.

    @property
    def takes_interim(self) -> bool:
        """Whether interim answers reach the client."""
        raise NotImplementedError

    @property
    def takes_trailers(self) -> bool:
        """Whether trailers do."""
        raise NotImplementedError

    def is_paused(self) -> bool:
        """Whether so much of the answer is to be taken that the app has to wait."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Wait while it is so, and the client is there."""
        raise NotImplementedError

    def abort(self) -> None:
        """Cut an answer that has been started: the client sees that it is not complete."""
        raise NotImplementedError

    def write_interim(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """An interim answer."""
        raise NotImplementedError

    def write_head(self, head: Head) -> None:
        """The head; `_bodiless` and `_left` say what will come."""
        raise NotImplementedError

    def write_piece(self, data: bytes) -> None:
        """A piece of the body, not empty."""
        raise NotImplementedError

    async def write_file(self, file: int, offset: int, count: int) -> None:
        """A piece of a file, not empty: read by a thread, where the protocol knows no better."""
        while count:
            data = await run_in_threadpool(sendfile.read, file, offset, min(count, PIECE))
            if not data:
                raise sendfile.ShortFileError()
            offset += len(data)
            count -= len(data)
            self.write_piece(data)
            await self.drain()
            if self.gone:
                raise ClientDisconnect()

    def write_end(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        """The end of the body, and what comes behind it."""
        raise NotImplementedError
