"""The hot path of a WebSocket between its transport and an app's coroutine: nothing that awaits.

`BaseWebSocket` keeps the messages that nobody has received yet, and frames those that are sent. Whoever waits
for one awaits a `Message`, and goes on in the callback that brings it.
"""

from collections import deque
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.arrival import Arrival
from fastweb._speedups.websocket_frames import Event, FrameParser

if cython.compiled:
    from cython.cimports.fastweb._speedups.websocket_frames import framed
else:
    from fastweb._speedups.websocket_frames import framed

__all__ = ["BaseWebSocket", "Message"]

#: What a message that waits costs beside its bytes: so that empty ones are bounded, too.
_OVERHEAD = cython.declare(cython.Py_ssize_t, 64)
#: Bytes of messages, counted likewise, that are handed out before the loop is to have a turn: a few that were
#: received may inflate to a thousand times as many.
_TURN = cython.declare(cython.Py_ssize_t, 1 << 20)
#: Messages that may be written before the loop is to have a turn.
_BURST = cython.declare(cython.int, 32)


@cython.final
@cython.cclass
class Message(Arrival):
    """The wait for a message: `await` gives it, or None where there will be none."""

    _socket: Any

    def __init__(self, socket: Any) -> None:
        Arrival.__init__(self, socket.loop)
        self._socket = socket

    def __next__(self) -> Any:
        socket: BaseWebSocket = self._socket
        message = socket.take()
        if message is not None or socket.closed:
            self._asyncio_future_blocking = None
            if socket._free is None and not self.is_taken():
                socket._free = self
            raise StopIteration(message)
        socket.add_waiter(self)
        return self.wait()

    @cython.ccall
    def forget(self) -> Any:
        socket: BaseWebSocket = self._socket
        socket.remove_waiter(self)


@cython.cclass
class BaseWebSocket:
    """The messages of one WebSocket.

    The subclass (`fastweb.server.websocket.WebSocketConnection`) has what is rare or asynchronous: the
    methods at the end.

    Arguments:
        loop: the event loop.
        hub: has `now`, the coarse clock.
        limit: bytes of messages that may wait to be received; above it, reading stops.
    """

    loop = cython.declare(object, visibility="readonly")
    hub = cython.declare(object, visibility="readonly")
    transport = cython.declare(object, visibility="public")
    parser = cython.declare(FrameParser, visibility="public")
    #: Compresses what is sent (`fastweb.server.deflate.Deflate`); None where that was not agreed upon.
    deflate = cython.declare(object, visibility="public")
    accepted = cython.declare(cython.bint, visibility="public")
    closed = cython.declare(cython.bint, visibility="public")
    close_code = cython.declare(cython.int, visibility="public")
    close_reason = cython.declare(str, visibility="public")
    reading_paused = cython.declare(cython.bint, visibility="public")
    #: The transport has more to write than Limits.write_buffer.
    writing_paused = cython.declare(cython.bint, visibility="public")
    #: When something came last.
    heard = cython.declare(cython.double, visibility="public")
    _messages: Any
    _queued: cython.Py_ssize_t
    _limit: cython.Py_ssize_t
    #: Messages that were written, modulo _BURST.
    _written: cython.int
    _waiter: Message
    _waiters: list
    #: One that was waited for, for the next.
    _free: Message

    def __init__(self, loop: Any, hub: Any, limit: cython.Py_ssize_t) -> None:
        self.loop = loop
        self.hub = hub
        self.transport: Any = None
        self.parser: Any = None
        self.deflate: Any = None
        self.accepted = False
        self.closed = False
        self.close_code = 1006
        self.close_reason = ""
        self.reading_paused = False
        self.writing_paused = False
        self.heard: float = hub.now
        self._messages = deque()
        self._queued = 0
        self._limit = limit
        self._written = 0
        self._waiter = None
        self._waiters = []
        self._free = None

    # Receiving

    def data_received(self, data: bytes) -> None:
        """Bytes of the client: the transport's callback."""
        hub = self.hub
        parser: FrameParser = self.parser
        self.heard = hub.now
        if parser._over:
            return
        parser.feed(data)
        if self.accepted:
            self.read_events(True)
        else:
            self.early_data(len(data))

    @cython.ccall
    def read_events(self, at_once: cython.bint) -> Any:
        """Make events of what has come, as far as there is room for them, and wake who waits for one."""
        parser: FrameParser = self.parser
        handed: cython.Py_ssize_t = 0
        while self._queued < self._limit:
            if handed >= _TURN:
                self.pause_reading()
                self.loop.call_soon(self.resume_reading)
                return
            event = parser.next_event()
            if event is None:
                break
            if isinstance(event, Event):
                self.take_event(event)
                continue
            if self.closed:
                continue
            self._messages.append(event)
            self._queued += len(event) + _OVERHEAD
            handed += len(event) + _OVERHEAD
            # One by one: what the app answers stands before what the next frame leads to, such as a Close.
            if self._waiter is not None:
                self.wake_waiters(at_once)
        if self._queued >= self._limit and not self.reading_paused:
            self.pause_reading()

    @cython.ccall
    def take(self) -> Any:
        """The next message, None where there is none yet."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._queued -= len(message) + _OVERHEAD
        if self.reading_paused and self._queued <= self._limit // 2:
            self.resume_reading()
        return message

    def forget_messages(self) -> None:
        """Drop what nobody will receive."""
        self._messages.clear()
        self._queued = 0

    def receive(self) -> Any:
        """What to await for the next message (`fastweb.types.WebSocketStream.receive`)."""
        message: Message = self._free
        if message is None:
            return Message(self)
        self._free = None
        return message

    @cython.ccall
    def add_waiter(self, waiter: Message) -> Any:
        if self._waiter is None:
            self._waiter = waiter
        else:
            self._waiters.append(waiter)

    @cython.ccall
    def remove_waiter(self, waiter: Message) -> Any:
        if self._waiter is waiter:
            self._waiter = None
        elif waiter in self._waiters:
            self._waiters.remove(waiter)

    @cython.ccall
    def wake_waiters(self, at_once: cython.bint) -> Any:
        """Wake who waits for a message: one that finds none waits on."""
        waiter: Message = self._waiter
        waiters: list = self._waiters
        self._waiter = None
        if waiters:
            self._waiters = []
        if waiter is not None:
            waiter.wake(at_once)
        if waiters:
            for another in waiters:
                waiter = another
                waiter.wake(False)

    # Sending

    @cython.ccall
    def write(self, data: Any) -> cython.bint:
        """Send a message (`fastweb.types.WebSocketStream.write`)."""
        if self.closed or not self.accepted:
            self.refuse_write()
        first: cython.int
        if isinstance(data, str):
            first = 0x81
        else:
            first = 0x82
            if type(data) is not bytes:
                data = bytes(memoryview(data))
        if self.deflate is not None:
            payload = self.deflate.compress(data)
            if payload is not None:
                data = payload
                first |= 0x40
        try:
            self.transport.write(framed(first, data))
        except RuntimeError:
            # The transport has failed since the loop's last turn: connection_lost comes with the next.
            if not self.transport.is_closing():
                raise
        self._written = (self._written + 1) % _BURST
        return not self.writing_paused and self._written != 0

    # What the subclass has.

    def refuse_write(self) -> None:
        raise NotImplementedError

    def early_data(self, size: int) -> None:
        raise NotImplementedError

    def take_event(self, event: Event) -> None:
        raise NotImplementedError

    def pause_reading(self) -> None:
        raise NotImplementedError

    def resume_reading(self) -> None:
        raise NotImplementedError
