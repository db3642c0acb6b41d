"""One HTTP/1.1 connection, between the transport's callbacks and the app's coroutines: the hot path, and
nothing that awaits.

httptools (llhttp) cuts the bytes; what it reports becomes streams, one a request, in the order they came:

    data_received -> parser -> on_url, on_header … on_message_complete     the stream being *parsed*
                       |
                     queue      streams whose turn has not come
                       |
                     current    the stream being *answered*: the only one that may write, so answers
                                keep their order

A stream is opened when its turn comes and its request is complete, or when its head is and the app wants
it then. What is left to `fastweb.server.http1`, which subclasses both classes: everything with `async` in
it, and the rare cases.

Time is the worker's coarse clock, `hub.now`, which its sweep advances; `phase` and `since` are all a
connection keeps of it.

    IDLE     between requests                           keep_alive_timeout
    HEAD     a request's head is coming                 header_timeout, from its first byte
    BODY     its body is coming, and waited for         body_timeout, from the last piece
    BUSY     the app is at work                         no limit of ours
    LINGER   closed for writing, read and thrown away   linger_timeout
    CLOSING  closed, as soon as the answer is taken     write_timeout, which goes for every other phase, too

What a client may make us hold is bounded: the streams that wait for their turn, by
`Limits.pipelined_requests`; a body that the app is slow to take, or whose turn has not come, by
BODY_BUFFER; what is neither body nor head (chunk sizes, trailers), by `Limits.head_size`. Beyond these,
reading stops. One call of the transport may bring hundreds of kilobytes, so they are read in slices, and
what must wait is kept as it came.
"""

from collections import deque
from time import monotonic
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.response import HAS_CLOSE, HAS_DATE, HAS_LENGTH, HAS_SERVER, Head
from fastweb._speedups.stream import BaseStream, StreamOwner

__all__ = [
    "BODY",
    "BODY_BUFFER",
    "BUSY",
    "CLOSING",
    "HEAD",
    "IDLE",
    "LINGER",
    "BaseConnection",
    "BaseHub",
    "Refusal",
]

IDLE = 0
HEAD = 1
BODY = 2
BUSY = 3
LINGER = 4
CLOSING = 5

_IDLE: cython.int = 0
_HEAD: cython.int = 1
_BODY: cython.int = 2
_BUSY: cython.int = 3

_FLAG_LENGTH: cython.int = HAS_LENGTH
_FLAG_CLOSE: cython.int = HAS_CLOSE
_FLAG_DATE: cython.int = HAS_DATE
_FLAG_SERVER: cython.int = HAS_SERVER

#: Methods as str, once each; a head with another is looked at twice.
_METHODS = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
}

#: Bytes of a body that wait for its turn, or for an app which reads it in pieces, before the client has to
#: wait.
BODY_BUFFER = 256 * 1024

#: Bytes that are read at once: what bounds the streams that one call of `data_received` can make.
_SLICE: cython.Py_ssize_t = 16 * 1024

#: Bytes of chunk sizes and the like that a byte of the body may cost; in a chunk of one, "1\r\na\r\n", it
#: is 6.
_FRAMING: cython.Py_ssize_t = 16

#: An answer larger than this is not copied together with its head.
_LARGE: cython.Py_ssize_t = 64 * 1024


class Refusal(Exception):  # noqa: N818 - it is the client's error
    """A request that is not handed to the app: (status, why)."""


#: Content-Length fields of short bodies, each made once: to write a number costs as much as to join a head.
_LENGTH_LINES: list = [None] * 2048


@cython.cfunc
@cython.inline
def _length_line(size: cython.Py_ssize_t) -> bytes:
    if size >= 2048:
        return b"content-length: %d\r\n" % size
    line: bytes = _LENGTH_LINES[size]
    if line is None:
        line = b"content-length: %d\r\n" % size
        _LENGTH_LINES[size] = line
    return line


@cython.cclass
class BaseHub:
    """What a worker's connections share, as far as the hot path looks at it: see
    `fastweb.server.connections.Connections`.
    """

    now = cython.declare(cython.double, visibility="public")
    draining = cython.declare(cython.bint, visibility="public")
    own_lines = cython.declare(bytes, visibility="public")
    requests_total = cython.declare(cython.longlong, visibility="public")

    def lines_beside(self, flags: int) -> bytes:
        raise NotImplementedError


@cython.cclass
class BaseConnection(StreamOwner):
    """The parser's callbacks, the queue, and whole answers.

    The subclass has what is rare or asynchronous: the methods at the end.
    """

    hub = cython.declare(BaseHub, visibility="readonly")
    loop = cython.declare(object, visibility="readonly")
    parser = cython.declare(object, visibility="public")
    transport = cython.declare(object, visibility="public")
    scheme = cython.declare(object, visibility="public")
    client = cython.declare(object, visibility="public")
    server = cython.declare(object, visibility="public")
    phase = cython.declare(cython.int, visibility="public")
    since = cython.declare(cython.double, visibility="public")
    #: Nothing more is read: an error, a close, or the client's end.
    reading_over = cython.declare(cython.bint, visibility="public")
    reading_paused = cython.declare(cython.bint, visibility="public")
    #: The transport has more to write than Limits.write_buffer.
    writing_paused = cython.declare(cython.bint, visibility="public")
    in_head = cython.declare(cython.bint, visibility="readonly")
    current = cython.declare(object, visibility="public")
    parsing = cython.declare(object, visibility="public")
    queue = cython.declare(object, visibility="readonly")
    access_log = cython.declare(object, visibility="readonly")
    #: A listed proxy has connected: what it says of its client counts.
    proxied = cython.declare(cython.bint, visibility="public")
    #: The last Host field that was found valid, so that its like needs no second look.
    valid_host = cython.declare(bytes, visibility="public")
    #: The field that frames the body of a request which asks for an upgrade: the parser leaves such a body
    #: out.
    upgrade_body = cython.declare(object, visibility="public")
    #: What was received and must wait until there is room for more streams, or for more of a body.
    unread = cython.declare(object, visibility="public")
    _make_stream: Any
    _open: Any
    _run: Any
    _write: Any
    _target: bytes
    _headers: list
    _head_size: cython.Py_ssize_t
    _head_read: cython.Py_ssize_t
    _begun: cython.int
    _body_read: cython.Py_ssize_t
    _hosts: cython.int
    _lengths: cython.int
    _unusual: cython.bint
    _connection_seen: cython.bint
    _forwarded: cython.bint
    _pumping: cython.bint
    _max_head: cython.Py_ssize_t
    _max_target: cython.Py_ssize_t
    _max_count: cython.Py_ssize_t
    _max_body: cython.Py_ssize_t
    _max_queue: cython.Py_ssize_t

    def __init__(
        self, hub: Any, loop: Any, limits: Any, make_stream: Any, open_stream: Any, run: Any, access_log: Any
    ) -> None:
        self.hub = hub
        self.loop = loop
        self.parser = None
        self.transport = None
        self.scheme = "http"
        self.client = None
        self.server = None
        self.phase = _HEAD
        self.since = hub.now
        self.reading_over = False
        self.reading_paused = False
        self.writing_paused = False
        self.in_head = False
        self.current = None
        self.parsing = None
        self.queue = deque()
        self.access_log = access_log
        self.proxied = False
        self.valid_host = None
        self.unread = None
        self.upgrade_body = None
        self._make_stream = make_stream
        self._open = open_stream
        self._run = run
        self._write = None
        self._target = b""
        self._headers = []
        self._head_size = 0
        self._head_read = 0
        self._begun = 0
        self._body_read = 0
        self._hosts = 0
        self._lengths = 0
        self._unusual = False
        self._connection_seen = False
        self._forwarded = False
        self._pumping = False
        self._max_head = limits.head_size
        self._max_target = limits.target_size
        self._max_count = limits.header_count
        self._max_body = limits.body_size
        self._max_queue = limits.pipelined_requests

    def attach(self, transport: Any, parser: Any) -> None:
        """Write to this transport, read with this parser (`httptools.HttpRequestParser`)."""
        self.transport = transport
        self.parser = parser
        self._write = transport.write

    def detach(self) -> None:
        """The transport is closed: let go of what refers to this connection, or only the garbage collector
        would free it."""
        self.reading_over = True
        self.parser = None
        self.unread = None
        self.current = None
        self.parsing = None
        self.queue.clear()

    # The parser's callbacks, in the order it makes them.

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._head_size = 0
        self._head_read = 0
        self._begun += 1
        self._hosts = 0
        self._lengths = 0
        self._unusual = False
        self._connection_seen = False
        self._forwarded = False
        self.in_head = True
        if self.phase == _IDLE:
            self.phase = _HEAD
            self.since = self.hub.now

    def on_url(self, url: bytes) -> None:
        self._target = self._target + url if self._target else url
        if len(self._target) > self._max_target:
            raise Refusal(414, f"the request target is longer than {self._max_target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        # The colon, the space and the line's end come to 4.
        self._head_size += len(name) + len(value) + 4
        if self._head_size + len(self._target) > self._max_head:
            raise Refusal(431, f"the header fields are larger than {self._max_head} bytes")
        headers = self._headers
        if len(headers) >= self._max_count:
            raise Refusal(431, f"there are more than {self._max_count} header fields")
        name = name.lower()
        if value and value[-1] in (32, 9):
            value = value.rstrip(b" \t")  # llhttp leaves the whitespace behind a value (RFC 9112 section 5.1)
        size: cython.Py_ssize_t = len(name)
        if size == 4:
            if name == b"host":
                self._hosts += 1
                if value != self.valid_host:
                    self._unusual = True
        elif size == 6:
            if name == b"expect":
                self._unusual = True
        elif size == 7:
            if name == b"upgrade":
                self._unusual = True
        elif size == 9:
            if name == b"forwarded":
                self._forwarded = True
        elif size == 10:
            if name == b"connection":
                self._connection_seen = True
        elif size == 14:
            if name == b"content-length":
                self._lengths += 1
                if self._lengths > 1 or not self._is_short_length(value):
                    self._unusual = True
        elif size == 15:
            if name == b"x-forwarded-for":
                self._forwarded = True
        elif size == 16:
            if name == b"proxy-connection":
                self._connection_seen = True  # llhttp heeds it, too
        elif size == 17:
            if name == b"transfer-encoding":
                self._unusual = True
            elif name == b"x-forwarded-proto":
                self._forwarded = True
        headers.append((name, value))

    @cython.cfunc
    def _is_short_length(self, value: bytes) -> cython.bint:
        """A number of bytes that a body may have; what is not, `check_head` looks at."""
        i: cython.Py_ssize_t
        n: cython.Py_ssize_t = len(value)
        if n == 0 or n > 15:
            return False
        length: cython.longlong = 0
        for i in range(n):
            digit: cython.int = value[i] - 48
            if digit < 0 or digit > 9:
                return False
            length = length * 10 + digit
        return length <= self._max_body

    def on_headers_complete(self) -> None:
        self.in_head = False
        parser = self.parser
        keep_alive: cython.bint = parser.should_keep_alive()
        # With no Connection field, only HTTP/1.1 is kept alive (RFC 9112 section 9.3).
        version: str = "1.1" if keep_alive and not self._connection_seen else parser.get_http_version()
        method: str = _METHODS.get(parser.get_method())
        if method is None:
            self._unusual = True
            method = parser.get_method().decode("ascii")
        stream = self._make_stream(self, method, self._target, self._headers, version, not keep_alive)
        self.parsing = stream
        if self.access_log is not None:
            stream.began = monotonic()
        if self._forwarded and self.proxied:
            self.read_forwarded(stream)
        if (
            self._unusual
            or self._hosts != 1
            or version != "1.1"
            or not self._target.startswith(b"/")
            or 35 in self._target  # "#"
        ):
            self.check_head(stream, self._hosts)
        if self.phase == _HEAD:
            self.phase = _BODY
        # Trailer fields come through on_header, too: they are bounded like a head, and not kept.
        self._headers = []
        self._head_size = 0
        self._body_read = 0

    def on_body(self, data: bytes) -> None:
        stream: BaseStream = self.parsing
        if stream.body_error is None and not stream.feed(data, self._max_body):
            raise Refusal(413, f"the body is larger than {self._max_body} bytes")

    def on_message_complete(self) -> None:
        if self.upgrade_body is not None:
            return
        stream: BaseStream = self.parsing
        self.parsing = None
        stream.complete()
        if not stream.opened:
            self.queue.append(stream)
        elif stream is not self.current:
            # It was answered before its body had ended.
            self.phase = _IDLE
            self.since = self.hub.now

    # The transport's callback.

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self.reading_over:
            return
        if len(data) > _SLICE:
            self.unread = memoryview(data)
            self.read_on()
            return
        self._feed(data)
        if self.current is None:
            self.pump()
        if self.queue:
            self._check_queue()

    def read_on(self) -> None:
        """Read what has been received already, as far as there is room for it."""
        while self.unread is not None and not self.reading_paused and not self.reading_over:
            piece = self.unread
            self.unread = piece[_SLICE:] if len(piece) > _SLICE else None
            self._feed(piece[:_SLICE])
            if self.current is None:
                self.pump()
            self._check_queue()
        if self.reading_over:
            self.unread = None
        elif self.unread is None and not self.reading_paused:
            self.resume_reading()

    @cython.cfunc
    def _feed(self, data: Any) -> cython.bint:
        in_head: cython.bint = self.in_head
        before = self.parsing
        self._begun = 0
        while True:
            try:
                self.parser.feed_data(data)
                break
            except Exception as error:
                data = self.parse_failed(error, data)
                if data is None:
                    return True
        parsing: BaseStream = self.parsing
        if parsing is not None:
            if parsing is before:
                self._body_read += len(data)
                if self._body_read > self._max_head + _FRAMING * parsing._size:
                    self.refuse(Refusal(431, "chunk sizes and extensions, or trailers, are too large"))
                    return True
            self.body_waiting(parsing)
        elif self.in_head:
            # The parser hoards an incomplete field; on_header sees it only when it ends.
            # Where it began somewhere behind another request, only the bytes that follow these are counted.
            if self._begun == 0 or (self._begun == 1 and before is None and not in_head):
                self._head_read += len(data)
                if self._head_read > self._max_head:
                    self.refuse(Refusal(431, f"the request's head is larger than {self._max_head} bytes"))
        return True

    @cython.cfunc
    def _check_queue(self) -> cython.bint:
        if len(self.queue) >= self._max_queue and not self.reading_paused:
            self.pause_reading()
        return True

    @cython.ccall
    def pump(self) -> Any:
        """Open the streams whose turn it is, one after the other."""
        self._pumping = True
        try:
            while self.current is None and self.queue and not self.writing_paused:
                self.open(self.queue.popleft())
            if (
                self.parsing is not None
                and self.current is None
                and not self.writing_paused
                and not self.queue
            ):
                self.head_waiting(self.parsing)
        finally:
            self._pumping = False

    @cython.ccall
    def open(self, stream: BaseStream) -> Any:
        """Hand a stream to the app; it is the current one until it has been answered."""
        self.current = stream
        self.phase = _BUSY
        stream.opened = True
        if stream.status != 0:
            self.send_refusal(stream)
            return
        try:
            coroutine = self._open(stream)
        except Exception as error:
            self.app_ended(stream, error)
            return
        if coroutine is not None:
            self._run(coroutine, stream)

    @cython.ccall
    def write_answer(self, stream: BaseStream, head: Head, flags: cython.int, body: Any) -> Any:
        """Write a whole answer and go on to the next request."""
        status: cython.int = head.status
        hub: BaseHub = self.hub
        stream.status = status
        if flags & _FLAG_CLOSE or hub.draining or stream.expects_continue:
            self.decide_close(stream, flags)
        parts: list = [head.http1]
        if flags & (_FLAG_DATE | _FLAG_SERVER) == 0:
            parts.append(hub.own_lines)
        else:
            parts.append(hub.lines_beside(flags))
        bodiless: cython.bint = status == 204 or status == 304
        size: cython.Py_ssize_t = len(body)
        if flags & _FLAG_LENGTH == 0 and not bodiless:
            parts.append(_length_line(size))
        if stream.close:
            parts.append(b"connection: close\r\n\r\n")
        elif stream.http_version == "1.1":
            parts.append(b"\r\n")
        else:
            parts.append(b"connection: keep-alive\r\n\r\n")
        large: cython.bint = False
        if size > 0 and not bodiless and stream.method != "HEAD":
            stream.sent = size
            if size <= _LARGE:
                parts.append(body)
            else:
                large = True
        if not stream.gone and not (self.reading_over and self.transport.is_closing()):
            try:
                self._write(b"".join(parts))
                if large:
                    self._write(body)
            except RuntimeError:
                # The transport has failed since the loop's last turn: connection_lost comes with the next.
                if not self.transport.is_closing():
                    raise
        self.answered(stream)

    def decide_close(self, stream: BaseStream, flags: cython.int) -> None:
        """Whether the connection ends with an answer, for the reasons that are rare."""
        if (
            flags & _FLAG_CLOSE
            or (self.hub.draining and not self.queue)
            # Told to wait, then told no: nobody knows whether the body will come (RFC 9110 section 10.1.1).
            or (stream.expects_continue and not stream.body_complete)
        ):
            stream.close = True

    @cython.ccall
    def answered(self, stream: BaseStream) -> Any:
        """An answer is complete: log it, then close, or turn to the next request."""
        hub: BaseHub = self.hub
        hub.requests_total += 1
        if self.access_log is not None:
            self.access_log(stream)
        if stream.waiters is not None:
            stream.wake()
        if stream is not self.current:
            return
        self.current = None
        if stream.close:
            self.close_after(stream)
            return
        self.since = hub.now
        if self.parsing is not None:
            self.phase = _BODY
        elif self.in_head:
            self.phase = _HEAD
        else:
            self.phase = _IDLE
        if self.reading_paused and len(self.queue) < self._max_queue:
            self.resume_reading()
        if self.queue or (self.parsing is not None and self.parsing is not stream):
            if self.transport.is_closing():
                self.queue.clear()
            elif not self._pumping:
                # Not from here: this may be within the step of a Task, and the next request is not part of
                # it.
                self.loop.call_soon(self.pump_later)
        elif self.reading_over:
            self.close_after(stream)

    def pump_later(self) -> None:
        """The same as `pump`, as a callback of the loop."""
        if self.current is None:
            self.pump()

    # What the subclass has.

    def read_forwarded(self, stream: BaseStream) -> None:
        raise NotImplementedError

    def check_head(self, stream: BaseStream, hosts: int) -> None:
        raise NotImplementedError

    def parse_failed(self, error: Exception, data: Any) -> Any:
        raise NotImplementedError

    def refuse(self, error: Exception) -> None:
        raise NotImplementedError

    def send_refusal(self, stream: BaseStream) -> None:
        raise NotImplementedError

    def head_waiting(self, stream: BaseStream) -> None:
        raise NotImplementedError

    def body_waiting(self, stream: BaseStream) -> None:
        raise NotImplementedError

    def app_ended(self, stream: BaseStream, error: Any) -> None:
        raise NotImplementedError

    def close_after(self, stream: BaseStream) -> None:
        raise NotImplementedError

    def pause_reading(self) -> None:
        raise NotImplementedError

    def resume_reading(self) -> None:
        raise NotImplementedError
