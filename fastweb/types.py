"""Types and sentinels that every floor may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, BinaryIO, Final, Protocol, TypeAlias, final

__all__ = [
    "ASGIApp",
    "Message",
    "Receive",
    "ResponseHead",
    "Scope",
    "Send",
    "Stream",
    "StreamApp",
    "Undefined",
    "UndefinedType",
    "WebSocketApp",
    "WebSocketStream",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


@final
class UndefinedType:
    """The type of `Undefined`: "no value was given", where None is a value like any other."""

    __slots__ = ()

    def __new__(cls) -> UndefinedType:
        return Undefined

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "Undefined"

    def __copy__(self) -> UndefinedType:
        return self

    def __deepcopy__(self, memo: Any) -> UndefinedType:
        return self

    def __reduce__(self) -> str:
        return "Undefined"


Undefined: Final[UndefinedType] = object.__new__(UndefinedType)


class ResponseHead(Protocol):
    """Status and header fields of an answer, made once, used for many (`fastweb._speedups.response.Head`)."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]


class Stream(Protocol):
    """One request and its answer, whatever protocol carries them: all that stands between server and app.

    A server makes one for each request; nothing in it knows HTTP/1. The head is parsed: names of header
    fields are lower case, `path` is percent-decoded, `raw_path` is as it came, without the query.
    """

    method: str
    path: str
    raw_path: bytes
    query_string: bytes
    headers: list[tuple[bytes, bytes]]
    http_version: str
    scheme: str
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    #: The whole body, once `body_complete`; else what has come and was not received yet.
    body: bytes
    body_complete: bool
    #: The answer's head has gone out (an error can no longer become a 500).
    started: bool
    #: The client is gone, or has ended its side; what it asked for in full is still answered.
    disconnected: bool
    #: `inform` reaches the client; where it does not, what it is given is dropped.
    takes_interim: bool
    #: `finish(trailers)` reaches the client (it has said `TE: trailers`); else they are dropped.
    takes_trailers: bool

    @property
    def gone(self) -> bool:
        """The client is gone for good: nothing that is sent now arrives."""

    async def receive(self) -> bytes:
        """The next piece of the body, b"" at its end.

        Raises:
            fastweb.exceptions.ClientDisconnect: the client went away before the end.
            fastweb.exceptions.HTTPException: 413, the body is larger than `Limits.body_size`; 400, its
                framing is broken.
        """

    def respond(self, head: ResponseHead, body: bytes) -> None:
        """Send a whole answer; Content-Length is added. It never waits: what is not taken is buffered."""

    def inform(self, status: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send an interim answer before the answer (RFC 9110 section 15.2), such as 103, early hints.

        Arguments:
            status: 100 to 199, but not 101.
            headers: as in `start`; fields that frame a body are left out.

        Raises:
            RuntimeError: the answer has begun.
            ValueError: the status is another one, or a field cannot be sent.
        """

    async def drain(self) -> None:
        """Wait while too much of the answer is still to be taken by the client."""

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send the head of an answer whose body comes in pieces."""

    async def send(self, data: bytes) -> None:
        """Send a piece of the body, waiting while too much of it is buffered.

        Raises:
            fastweb.exceptions.ClientDisconnect: the client went away.
        """

    async def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Send a piece of the body that is a piece of a file; it is sent when this returns, or the client
        has all but little of it. The file's own position is neither used nor moved.

        Arguments:
            file: a regular file, open for reading, unbuffered or not. It stays open.
            offset: the first byte.
            count: how many bytes.

        Raises:
            fastweb.exceptions.ClientDisconnect: the client went away.
            RuntimeError: the file has fewer bytes; the answer is cut.
            OSError: it cannot be read.
        """

    def finish(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """End the answer.

        Arguments:
            trailers: fields behind the body (RFC 9110 section 6.5), dropped where `takes_trailers` is False
                or the protocol has no place for them.

        Raises:
            ValueError: a field cannot be sent, or not behind a body (RFC 9110 section 6.5.1).
        """

    async def wait_disconnect(self) -> None:
        """Return when the client is gone, or the answer was sent."""


class WebSocketStream(Protocol):
    """One WebSocket, whatever protocol carries it (RFC 6455; RFC 8441 over HTTP/2), from its handshake on.

    The head is as `Stream` has it. Until `accept`, the handshake is a request: an answer to `http` refuses
    the WebSocket.
    """

    path: str
    raw_path: bytes
    query_string: bytes
    headers: list[tuple[bytes, bytes]]
    http_version: str
    #: "ws" or "wss".
    scheme: str
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    #: What the client offers, in its order.
    subprotocols: list[str]
    #: The handshake.
    http: Stream
    #: The handshake was accepted.
    accepted: bool
    #: Nothing more is received or sent, but for what was received before.
    closed: bool
    #: What it was closed with, once it is: the client's code, else ours, 1006 where there was neither
    #: (RFC 6455 section 7.4).
    close_code: int
    close_reason: str

    def accept(self, subprotocol: str | None, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Open the WebSocket.

        Raises:
            RuntimeError: it was accepted or refused before.
            ValueError: the subprotocol is no token, or a header field cannot be sent.
        """

    def receive(self) -> Awaitable[str | bytes | None]:
        """The next message, None where there will be none: `close_code` and `close_reason` say why.

        Before `accept` there is none but the last.
        """

    def write(self, data: str | bytes) -> bool:
        """Send a message, and wait for nothing.

        Returns:
            False where too much is buffered, or others are to have their turn: `wait_writable` before the
            next.

        Raises:
            fastweb.exceptions.ClientDisconnect: it is closed.
        """

    async def wait_writable(self) -> None:
        """Wait while too much is buffered, and at least for one turn of the loop.

        Raises:
            fastweb.exceptions.ClientDisconnect: it was closed meanwhile.
        """

    async def send(self, data: str | bytes) -> None:
        """Send a message, waiting while too much is buffered.

        Raises:
            fastweb.exceptions.ClientDisconnect: it is closed.
        """

    def close(self, code: int, reason: str) -> None:
        """Begin to close; nothing where that has begun before.

        Raises:
            ValueError: no endpoint may send such a code. A reason is cut to 123 bytes.
        """


class StreamApp(Protocol):
    """What a server calls: `fastweb.FastWeb`, or an adapter of something else."""

    def open_stream(self, stream: Any) -> Coroutine[Any, Any, None] | None:
        """Take a request. What is returned, if anything, the server runs until it ends; it answers."""

    def wants_head(self, stream: Any) -> bool:
        """Whether this request is to be opened at the end of its head, its body still coming."""

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """Start-up on entry and shut-down on exit, both in the loop that the requests run in."""


class WebSocketApp(StreamApp, Protocol):
    """An app that takes WebSockets, too: any `StreamApp` that has this method. To one that has not, the
    handshake comes as a request."""

    def open_websocket(self, stream: Any) -> Coroutine[Any, Any, None] | None:
        """Take a WebSocket (`WebSocketStream`), as `open_stream` takes a request."""
