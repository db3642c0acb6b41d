"""A WSGI app (PEP 3333), served by threads behind the event loop: `fastweb.types.StreamApp`.

A request goes to a thread when a small body is here, or when the head of a long one is. Its coroutine stays
in the loop and sends what the thread gives out:

    the thread                                      the loop
    app(environ, start_response)                    waits for a piece
      wsgi.input.read()         <- a piece <-         stream.receive()
      for piece in iterable     -> pieces ->        stream.start, stream.send
      waits above OUTBOX bytes  <- taken  <-          waits for the client
    iterable.close()            -> the end ->       stream.finish

What the app is done with before the loop has looked goes out as one answer with its Content-Length. So a
slow client costs a thread only while the app still has something to give it; a client that has left ends the
iteration.
"""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, Final

from fastweb._speedups.request import find_header
from fastweb._speedups.response import Head
from fastweb.concurrency import ThreadPool
from fastweb.exceptions import ClientDisconnect, HTTPException
from fastweb.types import Stream
from fastweb.wsgi import BodyInput, FileWrapper, StartResponse, WSGIApp, make_environ

__all__ = ["WSGIHost"]

#: Bytes of a body that are read before a thread is taken for them.
_WHOLE: Final = 256 * 1024
#: Bytes of an answer that a thread may be ahead of what was sent.
_OUTBOX: Final = 64 * 1024
_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"))


class WSGIHost:
    """Serves a WSGI app.

    Arguments:
        app: called with environ and start_response.
        threads: how many requests it may be at, at once; others wait.
        root_path: where the app is mounted, for a proxy that takes this prefix away: SCRIPT_NAME.
        multiprocess: other processes run it, too.
    """

    #: What the server says that it serves.
    interface = "wsgi"

    def __init__(
        self, app: WSGIApp, *, threads: int = 32, root_path: str = "", multiprocess: bool = False
    ) -> None:
        self.app = app
        self.root_path = root_path
        self.multiprocess = multiprocess
        self.pool = ThreadPool(threads, idle_timeout=60.0)

    # fastweb.types.StreamApp

    def open_stream(self, stream: Any) -> Coroutine[Any, Any, None]:
        """Have a thread call the app for a request."""
        return _Call(self, stream).answer()

    def wants_head(self, stream: Any) -> bool:
        """A body that is long, or of which nobody knows the length, is read as it comes."""
        length = find_header(stream.headers, b"content-length")
        return length is None or int(length) > _WHOLE

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """WSGI has none."""
        yield


class _Call:
    """One request: what a thread runs (`fastweb.concurrency.Job`), and the coroutine that it meets.

    `_changed` guards what both of them touch.
    """

    def __init__(self, host: WSGIHost, stream: Stream) -> None:
        self._host = host
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._start = StartResponse(self._write)
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        #: Bytes of them.
        self._size = 0
        #: A file that is to be sent, from where, and how much of it.
        self._file: tuple[Any, int, int] | None = None
        #: The loop has been told that there is something.
        self._told = False
        #: Nobody wants any more of the answer.
        self._over = False
        self._done = False
        self._error: BaseException | None = None
        #: Why the body could not be read.
        self._refusal: HTTPException | None = None
        self._waiter: asyncio.Future[None] | None = None
        # Of fastweb.concurrency.Job
        self.context = copy_context()
        self.taken = threading.Lock()
        self.anyio_way_back = None

    # In the loop

    async def answer(self) -> None:
        """Answer the request.

        Raises:
            BaseException: what the app raised, or gave to start_response as its exc_info.
        """
        # PERF: not before the loop has read all sockets that are ready, or each request would hand the GIL
        # over and back: 52 µs of CPU a request instead of 93.
        self._loop.call_soon(self._submit)
        try:
            await self._send_all()
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
        if self._start.error is not None:
            raise self._start.error

    def _submit(self) -> None:
        if self._over:
            return
        try:
            self._host.pool.submit(self)
        except RuntimeError as error:  # the system has no thread to give
            self.report(None, error)

    async def _send_all(self) -> None:
        stream = self._stream
        while True:
            await self._wait()
            with self._changed:
                data = b"".join(self._pieces)
                self._pieces.clear()
                self._size = 0
                file = self._file
                self._told = False
                done = self._done
            if done:
                break
            if data or file is not None:
                self._send_head()
            if data:
                await stream.send(data)
            if file is not None and stream.method != "HEAD":
                await stream.send_file(*file)
            with self._changed:
                if file is not None:
                    self._file = None
                self._changed.notify_all()
        error = self._error
        self._error = None
        if self._refusal is not None and not stream.started:
            refusal = self._refusal
            stream.respond(Head(refusal.status_code, _TEXT), str(refusal.detail).encode())
        elif error is not None:
            raise error
        elif stream.started:
            if data:
                await stream.send(data)
            stream.finish()
        else:
            self._start.check()
            stream.respond(Head(self._start.status, self._start.headers), data)
        await stream.drain()

    def _send_head(self) -> None:
        if not self._stream.started:
            self._stream.start(self._start.status, self._start.headers)

    async def _wait(self) -> None:
        """Wait for the thread to tell of something."""
        with self._changed:
            if self._told:
                return
            self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # In the thread

    def call(self) -> None:
        """Call the app, and go through its answer."""
        start = self._start
        answer: Any = self._host.app(self._environ(), start)
        try:
            if isinstance(answer, FileWrapper) and (region := answer.region()) is not None:
                start.check()
                self._put_file(answer.filelike, *region)
                return
            if isinstance(answer, list | tuple):
                self._put_whole(answer)
                return
            for piece in answer:
                if not self._put(piece) or (piece and self._stream.method == "HEAD"):
                    break
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    def _environ(self) -> dict[str, Any]:
        stream, host = self._stream, self._host
        body: Any
        if stream.body_complete:
            body = io.BytesIO(stream.body)
        else:
            body = io.BufferedReader(BodyInput(self._next_piece))
        environ = make_environ(
            method=stream.method,
            path=host.root_path + stream.path,
            root_path=host.root_path,
            query_string=stream.query_string,
            http_version=stream.http_version,
            scheme=stream.scheme,
            headers=stream.headers,
            client=stream.client,
            server=stream.server,
            body=body,
        )
        environ["SERVER_PORT"] = str(environ["SERVER_PORT"])
        if stream.client is not None:
            environ["REMOTE_PORT"] = str(stream.client[1])
        target = stream.raw_path + (b"?" + stream.query_string if stream.query_string else b"")
        # Names that others have for the request target as it came.
        environ["RAW_URI"] = environ["REQUEST_URI"] = target.decode("latin-1")
        environ["wsgi.errors"] = sys.stderr
        environ["wsgi.multithread"] = True
        environ["wsgi.multiprocess"] = host.multiprocess
        environ["wsgi.input_terminated"] = True
        environ["wsgi.file_wrapper"] = FileWrapper
        return environ

    def _next_piece(self) -> bytes:
        """The next piece of the body.

        Raises:
            ConnectionResetError: there will be none, and the body is not complete.
        """
        if self._over:
            raise ConnectionResetError("the client went away")
        try:
            return asyncio.run_coroutine_threadsafe(self._stream.receive(), self._loop).result()
        except ClientDisconnect:
            self._over = True
        except HTTPException as error:
            self._refusal = error
        raise ConnectionResetError("the request's body did not come to its end")

    def _write(self, data: bytes) -> None:
        """What start_response returns.

        Raises:
            ConnectionResetError: the client has left.
        """
        if not self._put(data):
            raise ConnectionResetError("the client went away")

    def _put(self, data: bytes) -> bool:
        """Have a piece of the answer sent, and wait while too many wait; whether somebody wants more."""
        if not isinstance(data, bytes):
            raise _not_bytes(data)
        start = self._start
        start.check()
        if not data:
            return not self._over
        with self._changed:
            start.sent = True
            self._pieces.append(data)
            self._size += len(data)
            self._tell()
            while self._size > _OUTBOX and not self._over:
                self._changed.wait()
            return not self._over

    def _put_whole(self, pieces: Iterable[bytes]) -> None:
        """Have what is left of the answer sent at the end of the call, which comes at once."""
        self._start.check()
        for data in pieces:
            if not isinstance(data, bytes):
                raise _not_bytes(data)
        with self._changed:
            self._pieces.extend(pieces)

    def _put_file(self, filelike: Any, offset: int, count: int) -> None:
        """Have a file sent, and wait until it is."""
        length = next((int(value) for name, value in self._start.headers if name == b"content-length"), count)
        if not any(name == b"content-length" for name, _ in self._start.headers):
            self._start.headers.append((b"content-length", b"%d" % count))
        if not min(count, length):
            return
        with self._changed:
            self._start.sent = True
            self._file = (filelike, offset, min(count, length))
            self._tell()
            while self._file is not None and not self._over:
                self._changed.wait()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._wake)

    def report(self, _result: Any, error: BaseException | None) -> None:
        """The end of `call`."""
        with self._changed:
            if self._over and isinstance(error, ConnectionError):
                error = ClientDisconnect()
            elif error is not None and not isinstance(error, Exception):
                # In the loop, a SystemExit would end the worker.
                raised, error = error, RuntimeError(f"the WSGI app raised {error!r}")
                error.__cause__ = raised
            self._error = error
            self._done = True
            try:
                self._tell()
            except RuntimeError:
                if not self._loop.is_closed():
                    raise


def _not_bytes(data: Any) -> TypeError:
    return TypeError(f"a WSGI answer is made of bytes, not {data!r:.100}")
