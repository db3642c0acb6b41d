"""One request and its answer, between the protocol that carries them and the app: the hot half of
`fastweb.types.Stream`, with nothing that awaits.

A stream is made of a parsed head; the protocol feeds it the body, the app reads that and responds. What an
answer is on the wire only the protocol knows: it is the stream's `connection`, a `StreamOwner`. The path and
the query are cut out of the target when they are asked for.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.request import unquote
from fastweb._speedups.response import HAS_LENGTH, Head

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = ["BaseStream", "StreamOwner"]

_FLAG_LENGTH = cython.declare(cython.int, HAS_LENGTH)

#: A piece of a body that is as large as this is handed on as it came; smaller ones are put together.
_PIECE = cython.declare(cython.Py_ssize_t, 16 * 1024)


@cython.cclass
class BaseStream:
    """One request and its answer; see `fastweb.types.Stream`."""

    def __init__(
        self,
        connection: Any,
        method: str,
        target: bytes,
        headers: list,
        http_version: str,
        close: cython.bint,
    ) -> None:
        self.begin(connection, method, target, headers, http_version, close)

    @cython.cfunc
    @cython.exceptval(-1)
    def begin(
        self,
        connection: Any,
        method: str,
        target: bytes,
        headers: list,
        http_version: str,
        close: cython.bint,
    ) -> cython.bint:
        """`__init__`, without the call of it: an instance is all zeros and None when it is made."""
        self.connection = connection
        self.method = method
        self.raw_target = target
        self.headers = headers
        self.http_version = http_version
        self.close = close
        self._buffer: Any = b""
        if not cython.compiled:
            self.body_complete = False
            self.started = False
            self.finished = False
            self.disconnected = False
            self.gone = False
            self.opened = False
            self.expects_continue = False
            self.asked = False
            self.body_error: Any = None
            self.waiters: Any = None
            self.forwarded: Any = None
            self.status = 0
            self.sent = 0
            self.began = 0.0
            self._path: Any = None
            self._raw_path: Any = None
            self._query: Any = None
            self._pieces: Any = None
            self._pending = 0
            self._size = 0
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _split(self) -> cython.bint:
        target: bytes = self.raw_target
        if not target or target[0] != 47:  # "/"
            # absolute-form (RFC 9112 section 3.2.2): its authority goes; asterisk-form stays as it is.
            scheme: cython.Py_ssize_t = target.find(b"://")
            if scheme >= 0:
                slash: cython.Py_ssize_t = target.find(b"/", scheme + 3)
                query: cython.Py_ssize_t = target.find(b"?", scheme + 3)
                if slash >= 0 and (query < 0 or slash < query):
                    target = target[slash:]
                else:
                    target = b"/" + (target[query:] if query >= 0 else b"")
        # A fragment is no part of a target, and stays where it is.
        mark: cython.Py_ssize_t
        if cython.compiled:
            mark = capi.find_byte(target, 0, 63)
        else:
            mark = target.find(b"?") if 63 in target else -1
        if mark < 0:
            self._raw_path = target
            self._query = b""
        elif cython.compiled:
            self._raw_path = capi.part(target, 0, mark)
            self._query = capi.part(target, mark + 1, len(target))
        else:
            self._raw_path = target[:mark]
            self._query = target[mark + 1 :]
        return True

    @cython.cfunc
    def text(self) -> str:
        """`path`."""
        if self._path is None:
            # PERF: of a target with nothing encoded in it no bytes are cut out first.
            stop: cython.Py_ssize_t = capi.plain_path(self.raw_target) if cython.compiled else 0
            if stop > 0:
                self._path = capi.utf8(capi.text_of(self.raw_target), stop)
            else:
                self._path = unquote(self.raw())
        path: str = self._path
        return path

    @cython.cfunc
    def query(self) -> bytes:
        """`query_string`."""
        if self._query is None:
            if cython.compiled and capi.plain_path(self.raw_target) > 0:
                self._query = capi.query_of(self.raw_target)
            else:
                self._split()
        query: bytes = self._query
        return query

    @property
    def path(self) -> Any:
        return self.text()

    @cython.cfunc
    def raw(self) -> bytes:
        """`raw_path`."""
        if self._raw_path is None:
            self._split()
        path: bytes = self._raw_path
        return path

    @property
    def raw_path(self) -> Any:
        return self.raw()

    @property
    def query_string(self) -> Any:
        return self.query()

    @property
    def body(self) -> Any:
        """What has come of the body and was not taken."""
        return self.whole()

    @cython.cfunc
    def whole(self) -> Any:
        """`body`."""
        if self._pieces is not None:
            self._buffer = b"".join([self._buffer, *self._pieces])
            self._pieces = None
        elif type(self._buffer) is bytearray:
            self._buffer = bytes(self._buffer)
        return self._buffer

    @property
    def scheme(self) -> Any:
        return self.connection.scheme if self.forwarded is None else self.forwarded[1]

    @property
    def client(self) -> Any:
        return self.connection.client if self.forwarded is None else self.forwarded[0]

    @property
    def server(self) -> Any:
        return self.connection.server

    @cython.ccall
    @cython.exceptval(-1)
    def feed(self, data: bytes, limit: cython.Py_ssize_t) -> cython.bint:
        """Add a piece of the body; False where the body is larger than limit now."""
        self._size += len(data)
        if self._size > limit:
            return False
        if self.finished:
            return True  # answered already: the rest of the body is read to find its end, and thrown away
        size: cython.Py_ssize_t = len(data)
        self._pending += size
        if not self._buffer:
            self._buffer = data
        elif size >= _PIECE or self._pieces is not None:
            self._add_piece(data)
        elif type(self._buffer) is bytearray:
            self._buffer += data
        else:
            # A bytearray grows in linear time, however small the pieces are.
            self._buffer = bytearray(self._buffer)
            self._buffer += data
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _add_piece(self, data: bytes) -> cython.bint:
        """Keep a large piece as it came. PERF: to join pieces, and then take them, copies them twice."""
        if self._pieces is None:
            self._pieces = [data]
            return True
        last = self._pieces[len(self._pieces) - 1]
        if len(last) >= _PIECE:
            self._pieces.append(data)
        elif type(last) is bytearray:
            last += data
        else:
            self._pieces[len(self._pieces) - 1] = bytearray(last)
            self._pieces[len(self._pieces) - 1] += data
        return True

    def take(self) -> Any:
        """Some of what has come of the body, once: the first piece."""
        piece = self._buffer
        self._pending -= len(piece)
        pieces: list = self._pieces
        if pieces is None:
            self._buffer = b""
        else:
            self._buffer = pieces.pop(0)
            if not pieces:
                self._pieces = None
        return bytes(piece) if type(piece) is bytearray else piece

    def pending(self) -> int:
        """Bytes of the body that have come and were not taken."""
        return self._pending

    @cython.ccall
    def complete(self) -> Any:
        """The body is all here."""
        self.body_complete = True
        if self.waiters is not None:
            self.wake()

    def wake(self) -> None:
        """Wake whoever waits for the body or for the end."""
        waiters = self.waiters
        self.waiters = None
        if waiters is not None:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    @cython.ccall
    def respond(self, head: Head, body: Any) -> Any:
        """Send a whole answer (`fastweb.types.Stream.respond`).

        Raises:
            RuntimeError: there has been an answer, or the body has not the length that the head promises.
        """
        if self.started:
            raise RuntimeError("this request has been answered already")
        flags: cython.int = head.flags
        if flags & _FLAG_LENGTH:
            if head.length != len(body) and self.method != "HEAD" and head.status != 304:
                raise RuntimeError(
                    f"the answer's body has {len(body)} bytes, its Content-Length is {head.length}"
                )
        self.started = True
        self.finished = True
        connection: StreamOwner = self.connection
        connection.write_answer(self, head, flags, body)

    def ended(self, error: Any) -> None:
        """The app's coroutine has ended: with this exception, or None."""
        if error is not None or not self.finished:
            self.connection.app_ended(self, error)


@cython.cclass
class StreamOwner:
    """What carries streams: one connection of one protocol."""

    @cython.ccall
    def write_answer(self, stream: BaseStream, head: Head, flags: cython.int, body: Any) -> Any:
        """Write a whole answer and go on to the next request."""
        raise NotImplementedError
