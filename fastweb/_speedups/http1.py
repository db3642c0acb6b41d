"""One HTTP/1.1 connection, between the transport's callbacks and the app's coroutines: the hot path, and
nothing that awaits.

The parser (`http1_parser`) cuts the bytes; what it finds becomes streams, one a request, in the order they
came:

    data_received -> parser -> HEAD, BODY … END     the stream being *parsed*
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
    BODY     its body is coming, and waited for         body_timeout, from the last piece; body_rate
    BUSY     the app is at work                         no limit of ours
    LINGER   closed for writing, read and thrown away   linger_timeout
    CLOSING  closed, as soon as the answer is taken     write_timeout and write_rate, as in each other phase

What a client may make us hold is bounded: the streams that wait for their turn, by
`Limits.pipelined_requests`; a body that the app is slow to take, or whose turn has not come, by
BODY_BUFFER; what is neither body nor head (chunk extensions, trailers), by the parser. Beyond these,
reading stops, and what was received already waits in the parser.
"""

from sys import intern
from time import monotonic
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.answer import Dispatcher
from fastweb._speedups.http1_parser import BODY as _BODY_EVENT
from fastweb._speedups.http1_parser import END as _END_EVENT
from fastweb._speedups.http1_parser import HEAD as _HEAD_EVENT
from fastweb._speedups.http1_parser import Refusal, RequestParser
from fastweb._speedups.response import HAS_CLOSE, HAS_DATE, HAS_LENGTH, HAS_SERVER, Head
from fastweb._speedups.runner import Runner
from fastweb._speedups.stream import BaseStream, StreamOwner

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = [
    "BODY",
    "BODY_BUFFER",
    "BUSY",
    "CLOSING",
    "HEAD",
    "IDLE",
    "LINGER",
    "MOST_BODY_BUFFER",
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

_IDLE = cython.declare(cython.int, 0)
_HEAD = cython.declare(cython.int, 1)
_BODY = cython.declare(cython.int, 2)
_BUSY = cython.declare(cython.int, 3)

_EVENT_HEAD = cython.declare(cython.int, _HEAD_EVENT)
_EVENT_BODY = cython.declare(cython.int, _BODY_EVENT)
_EVENT_END = cython.declare(cython.int, _END_EVENT)

_FLAG_LENGTH = cython.declare(cython.int, HAS_LENGTH)
_FLAG_CLOSE = cython.declare(cython.int, HAS_CLOSE)
_FLAG_DATE = cython.declare(cython.int, HAS_DATE)
_FLAG_SERVER = cython.declare(cython.int, HAS_SERVER)

#: Bytes of a body that wait for its turn, or for an app which reads it in pieces, before the client has to
#: wait.
BODY_BUFFER = 256 * 1024

#: The same for an app that has taken all there was, which it doubles each time. PERF: one call of libuv may
#: bring 8 MiB, before any app has its turn; each pause costs two system calls and a turn of the loop, which
#: with 256 KiB is a third of the time that a large body takes.
MOST_BODY_BUFFER = 1024 * 1024

#: An answer larger than this is not copied together with its head.
_LARGE = cython.declare(cython.Py_ssize_t, 64 * 1024)


#: PERF: most are the same object as the parser's, and need not be compared.
_GET = cython.declare(str, intern("GET"))
_RECENT = cython.declare(str, intern("1.1"))

#: Content-Length fields of short bodies, each made once: to write a number costs as much as to join a head.
_LENGTH_LINES = cython.declare(list, [b""] * 2048)


@cython.cfunc
@cython.inline
def _length_line(size: cython.Py_ssize_t) -> bytes:
    if size >= 2048:
        return b"content-length: %d\r\n" % size
    line: bytes = _LENGTH_LINES[size]
    if not line:
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
    errors_total = cython.declare(cython.longlong, visibility="public")

    def lines_beside(self, flags: int) -> bytes:
        raise NotImplementedError


@cython.cclass
class BaseConnection(StreamOwner):
    """What the parser finds, the queue, and whole answers.

    The subclass has what is rare or asynchronous: the methods at the end.
    """

    hub = cython.declare(BaseHub, visibility="readonly")
    loop = cython.declare(object, visibility="readonly")
    parser = cython.declare(RequestParser, visibility="readonly")
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
    queue = cython.declare(list, visibility="readonly")
    access_log = cython.declare(object, visibility="readonly")
    #: A listed proxy has connected: what it says of its client counts.
    proxied = cython.declare(cython.bint, visibility="public")
    #: Bytes that were written: how quickly the client takes them, the sweep sees.
    written = cython.declare(cython.longlong, visibility="public")
    #: Seconds that a body, the one that is parsed, was waited for.
    body_waited = cython.declare(cython.double, visibility="public")
    _make_stream: Any
    #: What makes a stream has nothing to do beside it.
    _plain_stream: cython.bint
    _open: Any
    _run: Any
    #: Whose `open` and `run` these are, where they are the usual ones: what is called without a look-up.
    _dispatcher: Dispatcher
    _runner: Runner
    _write: Any
    _pumping: cython.bint
    _max_body: cython.Py_ssize_t
    _max_queue: cython.Py_ssize_t

    def __init__(
        self, hub: Any, loop: Any, limits: Any, make_stream: Any, open_stream: Any, run: Any, access_log: Any
    ) -> None:
        self.hub = hub
        self.loop = loop
        self.parser = RequestParser(limits)
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
        #: PERF: a deque of none takes 760 bytes, of 4,000 that an idle connection has.
        self.queue = []
        self.access_log = access_log
        self.proxied = False
        self.written = 0
        self.body_waited = 0.0
        self._make_stream = make_stream
        self._plain_stream = make_stream.__init__ is BaseStream.__init__
        self._open = open_stream
        self._run = run
        dispatcher = getattr(open_stream, "__self__", None)
        usual = type(dispatcher) is Dispatcher and open_stream == dispatcher.open
        self._dispatcher = dispatcher if usual else None
        runner = getattr(run, "__self__", None)
        self._runner = runner if type(runner) is Runner and run == runner.run else None
        self._write = None
        self._pumping = False
        self._max_body = limits.body_size
        self._max_queue = limits.pipelined_requests

    def attach(self, transport: Any) -> None:
        """Write to this transport."""
        self.transport = transport
        self._write = transport.write

    def detach(self) -> None:
        """The transport is closed: let go of what refers to this connection, or only the garbage collector
        would free it."""
        self.reading_over = True
        self.parser.take_rest()
        self.current = None
        self.parsing = None
        self.queue.clear()

    # The transport's callback, and what the parser makes of the bytes.

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if not self.reading_over:
            self.parser.feed(data)
            self._read()

    def read_on(self) -> None:
        """Read what has been received already, as far as there is room for it, then more."""
        if not self.reading_paused:
            self._read()
            if not (self.reading_paused or self.reading_over):
                self.resume_reading()

    @cython.cfunc
    @cython.exceptval(-1)
    def _read(self) -> cython.bint:
        parser: RequestParser = self.parser
        stream: BaseStream
        event: cython.int
        while not (self.reading_over or self.reading_paused):
            try:
                event = parser.next_event()
                if event == _EVENT_HEAD:
                    self._head_ended(parser)
                elif event == _EVENT_BODY:
                    stream = self.parsing
                    if stream.body_error is None and not stream.feed(parser.piece, self._max_body):
                        raise Refusal(413, f"the body is larger than {self._max_body} bytes")
                elif event != _EVENT_END:
                    break
            except Exception as error:
                self.refuse(error)
                break
            if event == _EVENT_END:
                stream = self.parsing
                if (
                    self.current is None
                    and not stream.opened
                    and not self.writing_paused
                    and not self.queue
                    and len(parser._data) == 0
                    and not parser.upgrade
                ):
                    # PERF: one request by itself, as most are, needs no queue: 0.1 µs of 2.
                    self.parsing = None
                    stream.complete()
                    self._pumping = True
                    try:
                        self._open_stream(stream)
                    finally:
                        self._pumping = False
                    if self.parsing is None and not self.queue:
                        return True
                else:
                    self._message_ended()
        if not self.reading_over:
            self.in_head = parser.in_head
            if self.in_head and self.phase == _IDLE:
                self.phase = _HEAD
                self.since = self.hub.now
            if self.parsing is not None:
                self.body_waiting(self.parsing)
        if self.current is None:
            self._pump()
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _head_ended(self, parser: RequestParser) -> cython.bint:
        stream: BaseStream
        if cython.compiled and self._plain_stream:
            stream = capi.new_instance(self._make_stream)
            stream.begin(
                self, parser.method, parser.target, parser.headers, parser.http_version, not parser.keep_alive
            )
        else:
            stream = self._make_stream(
                self, parser.method, parser.target, parser.headers, parser.http_version, not parser.keep_alive
            )
        self.in_head = False
        self.body_waited = 0.0
        self.parsing = stream
        if self.access_log is not None:
            stream.began = monotonic()
        if parser.forwarded and self.proxied:
            self.read_forwarded(stream)
        if parser.expect:
            self.check_expectation(stream)
        if self.phase <= _HEAD:
            self.phase = _BODY
            self.since = self.hub.now
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _message_ended(self) -> cython.bint:
        stream: BaseStream = self.parsing
        self.parsing = None
        stream.complete()
        if not stream.opened:
            self.queue.append(stream)
            parser: RequestParser = self.parser
            if parser.upgrade:
                self.check_upgrade(stream)
            if len(self.queue) >= self._max_queue and not self.reading_paused:
                self.pause_reading()
        elif stream is not self.current:
            # It was answered before its body had ended.
            self.phase = _IDLE
            self.since = self.hub.now
        return True

    def pump(self) -> None:
        """Open the streams whose turn it is, one after the other."""
        self._pump()

    @cython.cfunc
    @cython.exceptval(-1)
    def _pump(self) -> cython.bint:
        self._pumping = True
        try:
            while self.current is None and self.queue and not self.writing_paused:
                self._open_stream(self.queue.pop(0))
            if (
                self.parsing is not None
                and self.current is None
                and not self.writing_paused
                and not self.queue
            ):
                self.head_waiting(self.parsing)
        finally:
            self._pumping = False
        return True

    def open(self, stream: BaseStream) -> None:
        """Hand a stream to the app; it is the current one until it has been answered."""
        self._open_stream(stream)

    @cython.cfunc
    @cython.exceptval(-1)
    def _open_stream(self, stream: BaseStream) -> cython.bint:
        self.current = stream
        self.phase = _BUSY
        stream.opened = True
        if stream.status != 0:
            self.send_refusal(stream)
            return True
        try:
            if self._dispatcher is not None:
                coroutine = self._dispatcher.open(stream)
            else:
                coroutine = self._open(stream)
        except Exception as error:
            self.app_ended(stream, error)
            return True
        if coroutine is not None:
            if self._runner is not None:
                self._runner.run(coroutine, stream)
            else:
                self._run(coroutine, stream)
        return True

    @cython.ccall
    def write_answer(self, stream: BaseStream, head: Head, flags: cython.int, body: Any) -> Any:
        """Write a whole answer and go on to the next request."""
        status: cython.int = head.status
        hub: BaseHub = self.hub
        stream.status = status
        if flags & _FLAG_CLOSE or hub.draining or stream.expects_continue:
            self.decide_close(stream, flags)
        bodiless: cython.bint = status == 204 or status == 304
        size: cython.Py_ssize_t = len(body)
        own: bytes = hub.own_lines if flags & (_FLAG_DATE | _FLAG_SERVER) == 0 else hub.lines_beside(flags)
        length: bytes = b"" if bodiless or flags & _FLAG_LENGTH else _length_line(size)
        if stream.close:
            last: bytes = b"connection: close\r\n\r\n"
        elif stream.http_version is _RECENT or stream.http_version == "1.1":
            last = b"\r\n"
        else:
            last = b"connection: keep-alive\r\n\r\n"
        content: bytes = b""
        large: cython.bint = False
        if size > 0 and not bodiless and (stream.method is _GET or stream.method != "HEAD"):
            stream.sent = size
            if size <= _LARGE:
                content = body if type(body) is bytes else bytes(body)
            else:
                large = True
        if not stream.gone and not (self.reading_over and self.transport.is_closing()):
            try:
                answer: bytes
                if cython.compiled:
                    answer = capi.joined(head.http1, own, length, last, content)
                else:
                    answer = b"".join((head.http1, own, length, last, content))
                self.written += len(answer)
                self._write(answer)
                if large:
                    self.written += size
                    self._write(body)
            except RuntimeError:
                # The transport has failed since the loop's last turn: connection_lost comes with the next.
                if not self.transport.is_closing():
                    raise
        self._end_answer(stream)

    def decide_close(self, stream: BaseStream, flags: cython.int) -> None:
        """Whether the connection ends with an answer, for the reasons that are rare."""
        if (
            flags & _FLAG_CLOSE
            or (self.hub.draining and not self.queue)
            # Told to wait, then told no: nobody knows whether the body will come (RFC 9110 section 10.1.1).
            or (stream.expects_continue and not stream.body_complete)
        ):
            stream.close = True

    def answered(self, stream: BaseStream) -> None:
        """An answer is complete: log it, then close, or turn to the next request."""
        self._end_answer(stream)

    @cython.cfunc
    @cython.exceptval(-1)
    def _end_answer(self, stream: BaseStream) -> cython.bint:
        hub: BaseHub = self.hub
        hub.requests_total += 1
        if stream.status >= 500:
            hub.errors_total += 1
        if self.access_log is not None:
            self.access_log(stream)
        if stream.waiters is not None:
            stream.wake()
        if stream is not self.current:
            return True
        self.current = None
        if stream.close:
            self.close_after(stream)
            return True
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
        return True

    def pump_later(self) -> None:
        """The same as `pump`, as a callback of the loop."""
        if self.current is None:
            self.pump()

    # What the subclass has.

    def read_forwarded(self, stream: BaseStream) -> None:
        raise NotImplementedError

    def check_expectation(self, stream: BaseStream) -> None:
        raise NotImplementedError

    def refuse(self, error: Exception) -> None:
        raise NotImplementedError

    def check_upgrade(self, stream: BaseStream) -> None:
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
