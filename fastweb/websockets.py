"""The WebSocket as the app sees it (RFC 6455; the ASGI specification, "WebSocket").

Both sides have a state. The client's follows what is received, the app's what is sent:

    client  CONNECTING --connect--> CONNECTED --disconnect--> DISCONNECTED
    app     CONNECTING --accept--> CONNECTED --close--> DISCONNECTED
            CONNECTING --close--> DISCONNECTED                             refused: the client sees a 403
            CONNECTING --response start--> RESPONSE --last body--> DISCONNECTED          refused in words

`WebSocket` is for `async def`, `BlockingWebSocket` for plain functions, which run in threads.
"""

from __future__ import annotations

import enum
import inspect
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from fastweb.asgi_websocket import WebSocketExchange
from fastweb.concurrency import run_in_own_thread
from fastweb.exceptions import ClientDisconnect
from fastweb.requests import HTTPConnection, parse_json
from fastweb.types import ASGIApp, Message, Receive, Scope, Send, WebSocketStream

if TYPE_CHECKING:
    import anyio

__all__ = [
    "BlockingWebSocket",
    "WebSocket",
    "WebSocketClose",
    "WebSocketDisconnect",
    "WebSocketDisconnected",
    "WebSocketState",
    "run_blocking_endpoint",
]

T = TypeVar("T")

_NOT_CONNECTED = 'WebSocket is not connected. Need to call "accept" first.'


class WebSocketState(enum.Enum):
    """How far one side of a WebSocket has come."""

    CONNECTING = 0
    CONNECTED = 1
    DISCONNECTED = 2
    RESPONSE = 3


class WebSocketDisconnect(Exception):  # noqa: N818 - FastAPI's name for it
    """The other side is gone.

    Arguments:
        code: its close code (RFC 6455 section 7.4); 1006 where it sent none.
        reason: its words.
    """

    def __init__(self, code: int = 1000, reason: str | None = None) -> None:
        self.code = code
        self.reason = reason or ""


class WebSocketDisconnected(RuntimeError):  # noqa: N818 - Starlette's name for it
    """A WebSocket was used that is not connected: not yet, or no longer."""


class WebSocket(HTTPConnection):
    """A WebSocket.

    Arguments:
        scope, receive, send: its ASGI connection.

    Attributes:
        client_state, application_state: how far either side has come.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        assert scope["type"] == "websocket", f"a WebSocket does not come by {scope['type']!r}"
        self._receive = receive
        self._send = send
        self.client_state = WebSocketState.CONNECTING
        self.application_state = WebSocketState.CONNECTING
        #: The stream, where nothing stands between it and this: messages need no ASGI then.
        self._direct = _stream_behind(self, receive, send)

    async def receive(self) -> Message:
        """The next ASGI message from the client.

        Raises:
            WebSocketDisconnected: there will be none: the last was a disconnect.
            RuntimeError: the server sent one out of its turn.
        """
        if self.client_state is WebSocketState.CONNECTED:
            message = await self._receive()
            kind = message["type"]
            if kind == "websocket.disconnect":
                self.client_state = WebSocketState.DISCONNECTED
            elif kind != "websocket.receive":
                _unexpected('"websocket.receive" or "websocket.disconnect"', kind)
            return message
        if self.client_state is WebSocketState.CONNECTING:
            message = await self._receive()
            if message["type"] != "websocket.connect":
                _unexpected('"websocket.connect"', message["type"])
            self.client_state = WebSocketState.CONNECTED
            return message
        raise WebSocketDisconnected('Cannot call "receive" once a disconnect message has been received.')

    async def send(self, message: Message) -> None:
        """Send an ASGI message to the client.

        Raises:
            WebSocketDisconnect: the client is gone.
            WebSocketDisconnected: a close was sent before.
            RuntimeError: it is not the message's turn.
        """
        kind = message["type"]
        if self.application_state is WebSocketState.CONNECTED:
            if kind == "websocket.close":
                self.application_state = WebSocketState.DISCONNECTED
            elif kind != "websocket.send":
                _unexpected('"websocket.send" or "websocket.close"', kind)
            try:
                await self._send(message)
            except OSError:
                # ASGI, "Disconnected client - send exception".
                self.application_state = WebSocketState.DISCONNECTED
                raise WebSocketDisconnect(code=1006) from None
        elif self.application_state is WebSocketState.CONNECTING:
            if kind == "websocket.accept":
                self.application_state = WebSocketState.CONNECTED
            elif kind == "websocket.close":
                self.application_state = WebSocketState.DISCONNECTED
            elif kind == "websocket.http.response.start":
                self.application_state = WebSocketState.RESPONSE
            else:
                _unexpected('"websocket.accept", "websocket.close" or "websocket.http.response.start"', kind)
            await self._send(message)
        elif self.application_state is WebSocketState.RESPONSE:
            if kind != "websocket.http.response.body":
                _unexpected('"websocket.http.response.body"', kind)
            if not message.get("more_body", False):
                self.application_state = WebSocketState.DISCONNECTED
            await self._send(message)
        else:
            raise WebSocketDisconnected('Cannot call "send" once a close message has been sent.')

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Open the WebSocket.

        Arguments:
            subprotocol: one of those that the client offers, `scope["subprotocols"]`.
            headers: header fields to add to the handshake's answer.
        """
        if self.client_state is WebSocketState.CONNECTING:
            await self.receive()
        await self.send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers or []})

    async def _received(self) -> Message:
        if self.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected(_NOT_CONNECTED)
        message = await self.receive()
        self._raise_on_disconnect(message)
        return message

    def _closed(self, stream: WebSocketStream) -> NoReturn:
        self.client_state = WebSocketState.DISCONNECTED
        raise WebSocketDisconnect(stream.close_code, stream.close_reason)

    def _raise_on_disconnect(self, message: Message) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))

    async def receive_text(self) -> str:
        """The next message, a text.

        Raises:
            WebSocketDisconnect: the client is gone.
            WebSocketDisconnected: the WebSocket is not open.
        """
        stream = self._direct
        if (
            stream is None
            or self.client_state is not WebSocketState.CONNECTED
            or self.application_state is not WebSocketState.CONNECTED
        ):
            return cast(str, (await self._received())["text"])
        data = await stream.receive()
        if data.__class__ is str:
            return data
        if data is None:
            self._closed(stream)
        raise KeyError("text")

    async def receive_bytes(self) -> bytes:
        """The next message, binary; errors as `receive_text` has them."""
        stream = self._direct
        if (
            stream is None
            or self.client_state is not WebSocketState.CONNECTED
            or self.application_state is not WebSocketState.CONNECTED
        ):
            return cast(bytes, (await self._received())["bytes"])
        data = await stream.receive()
        if data.__class__ is bytes:
            return data
        if data is None:
            self._closed(stream)
        raise KeyError("bytes")

    async def receive_json(self, mode: str = "text") -> Any:
        """The next message, read as JSON; errors as `receive_text` has them.

        Arguments:
            mode: what kind of message carries it, "text" or "binary".

        Raises:
            json.JSONDecodeError: it is not JSON.
        """
        _check_mode(mode)
        message = await self._received()
        return parse_json(message["text"].encode() if mode == "text" else message["bytes"])

    async def iter_text(self) -> AsyncIterator[str]:
        """Every text message until the client is gone."""
        try:
            while True:
                yield await self.receive_text()
        except WebSocketDisconnect:
            pass

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """Every binary message until the client is gone."""
        try:
            while True:
                yield await self.receive_bytes()
        except WebSocketDisconnect:
            pass

    async def iter_json(self) -> AsyncIterator[Any]:
        """Every text message, read as JSON, until the client is gone."""
        try:
            while True:
                yield await self.receive_json()
        except WebSocketDisconnect:
            pass

    async def send_text(self, data: str) -> None:
        """Send a text message; errors as `send` has them."""
        stream = self._direct
        if (
            stream is None
            or self.application_state is not WebSocketState.CONNECTED
            or not isinstance(data, str)
        ):
            await self.send({"type": "websocket.send", "text": data})
            return
        try:
            if not stream.write(data):
                await stream.wait_writable()
        except ClientDisconnect:
            self.application_state = WebSocketState.DISCONNECTED
            raise WebSocketDisconnect(code=1006) from None

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message; errors as `send` has them."""
        stream = self._direct
        if (
            stream is None
            or self.application_state is not WebSocketState.CONNECTED
            or not isinstance(data, bytes)
        ):
            await self.send({"type": "websocket.send", "bytes": data})
            return
        try:
            if not stream.write(data):
                await stream.wait_writable()
        except ClientDisconnect:
            self.application_state = WebSocketState.DISCONNECTED
            raise WebSocketDisconnect(code=1006) from None

    async def send_json(self, data: Any, mode: str = "text") -> None:
        """Send a value as JSON; errors as `send` has them.

        Arguments:
            mode: what kind of message carries it, "text" or "binary".

        Raises:
            TypeError: JSON has no form for it.
        """
        _check_mode(mode)
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        if mode == "text":
            await self.send_text(text)
        else:
            await self.send_bytes(text.encode())

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket, or refuse it where it was not accepted.

        Arguments:
            code: a close code (RFC 6455 section 7.4; `fastweb.status.WS_…`).
            reason: words for the client.
        """
        await self.send({"type": "websocket.close", "code": code, "reason": reason or ""})

    async def send_denial_response(self, response: ASGIApp) -> None:
        """Refuse the WebSocket with a response.

        Raises:
            RuntimeError: the server has no extension "websocket.http.response" (ASGI).
        """
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            raise RuntimeError("The server doesn't support the Websocket Denial Response extension.")
        await response(self.scope, self.receive, self.send)


def _stream_behind(websocket: WebSocket, receive: Receive, send: Send) -> WebSocketStream | None:
    """The stream that an ASGI connection is made of, where no middleware has put itself between, and no
    subclass would miss what goes past it.
    """
    exchange = getattr(receive, "__self__", None)
    cls = type(websocket)
    if (
        cls.receive is WebSocket.receive
        and cls.send is WebSocket.send
        and getattr(send, "__self__", None) is exchange
        and isinstance(exchange, WebSocketExchange)
    ):
        return exchange.stream
    return None


def _unexpected(expected: str, kind: str) -> NoReturn:
    raise RuntimeError(f"Expected ASGI message {expected}, but got {kind!r}")


def _check_mode(mode: str) -> None:
    if mode not in ("text", "binary"):
        raise RuntimeError('The "mode" argument should be "text" or "binary".')


class WebSocketClose:
    """An ASGI app that refuses a WebSocket; see `WebSocket.close`."""

    def __init__(self, code: int = 1000, reason: str | None = None) -> None:
        self.code = code
        self.reason = reason or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": self.code, "reason": self.reason})


class BlockingWebSocket(HTTPConnection):
    """A WebSocket for plain functions: what `WebSocket` awaits, this waits for, in the calling thread.

    Any thread may call it but the event loop's own, several at once as well.

    Arguments:
        websocket: what it stands for.

    Attributes:
        websocket: the same, for async functions.
    """

    def __init__(self, websocket: WebSocket) -> None:
        from anyio.lowlevel import current_token

        super().__init__(websocket.scope)
        self.websocket = websocket
        self._loop = current_token()
        self._loop_thread = threading.get_ident()
        self._waiting: set[anyio.CancelScope] = set()
        self._over = False
        #: What is raised after `end`.
        self.interruption = WebSocketDisconnect(1001, "The endpoint was cancelled or has ended.")

    @property
    def client_state(self) -> WebSocketState:
        """How far the client has come."""
        return self.websocket.client_state

    @property
    def application_state(self) -> WebSocketState:
        """How far the app has come."""
        return self.websocket.application_state

    def _wait(self, method: Callable[..., Awaitable[T]], *args: Any) -> T:
        from anyio import from_thread

        if threading.get_ident() == self._loop_thread:
            raise RuntimeError(
                "a BlockingWebSocket blocks its thread, but this is the event loop's:"
                " await the methods of its `websocket` here"
            )
        return from_thread.run(self._call, method, args, token=self._loop)

    async def _call(self, method: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> T:
        """In the loop: make a call that `end` can interrupt."""
        import anyio

        if not self._over:
            with anyio.CancelScope() as scope:
                self._waiting.add(scope)
                try:
                    return await method(*args)
                finally:
                    self._waiting.discard(scope)
        raise self.interruption

    def end(self) -> None:
        """In the loop: let every call, waiting or to come, raise WebSocketDisconnect."""
        self._over = True
        for scope in self._waiting:
            scope.cancel()

    def receive(self) -> Message:
        """See `WebSocket.receive`."""
        return self._wait(self.websocket.receive)

    def send(self, message: Message) -> None:
        """See `WebSocket.send`."""
        self._wait(self.websocket.send, message)

    def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] | None = None
    ) -> None:
        """See `WebSocket.accept`."""
        self._wait(self.websocket.accept, subprotocol, headers)

    def receive_text(self) -> str:
        """See `WebSocket.receive_text`."""
        return self._wait(self.websocket.receive_text)

    def receive_bytes(self) -> bytes:
        """See `WebSocket.receive_bytes`."""
        return self._wait(self.websocket.receive_bytes)

    def receive_json(self, mode: str = "text") -> Any:
        """See `WebSocket.receive_json`."""
        return self._wait(self.websocket.receive_json, mode)

    def iter_text(self) -> Iterator[str]:
        """See `WebSocket.iter_text`."""
        try:
            while True:
                yield self.receive_text()
        except WebSocketDisconnect:
            pass

    def iter_bytes(self) -> Iterator[bytes]:
        """See `WebSocket.iter_bytes`."""
        try:
            while True:
                yield self.receive_bytes()
        except WebSocketDisconnect:
            pass

    def iter_json(self) -> Iterator[Any]:
        """See `WebSocket.iter_json`."""
        try:
            while True:
                yield self.receive_json()
        except WebSocketDisconnect:
            pass

    def send_text(self, data: str) -> None:
        """See `WebSocket.send_text`."""
        self._wait(self.websocket.send_text, data)

    def send_bytes(self, data: bytes) -> None:
        """See `WebSocket.send_bytes`."""
        self._wait(self.websocket.send_bytes, data)

    def send_json(self, data: Any, mode: str = "text") -> None:
        """See `WebSocket.send_json`."""
        self._wait(self.websocket.send_json, data, mode)

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """See `WebSocket.close`."""
        self._wait(self.websocket.close, code, reason)

    def send_denial_response(self, response: ASGIApp) -> None:
        """See `WebSocket.send_denial_response`."""
        self._wait(self.websocket.send_denial_response, response)


async def run_blocking_endpoint(
    websocket: WebSocket, function: Callable[..., Any], /, *args: Any, **values: Any
) -> None:
    """Run a plain function as a WebSocket's endpoint, in a thread of its own.

    When the caller is cancelled (the server stops), what the function waits for raises
    WebSocketDisconnect, and the function is waited for.

    Arguments:
        websocket: among the arguments, a BlockingWebSocket takes its place.
        function: the endpoint.
        args, values: what to call it with.

    Raises:
        Exception: what the function raised.
        RuntimeError: it returned a coroutine.
    """
    import anyio

    blocking = BlockingWebSocket(websocket)
    args = tuple(blocking if value is websocket else value for value in args)
    values = {name: blocking if value is websocket else value for name, value in values.items()}
    errors: list[Exception] = []
    ended = anyio.Event()

    def call() -> None:
        try:
            result = function(*args, **values)
            if inspect.iscoroutine(result):
                result.close()
                raise RuntimeError(
                    f"{function!r} is a plain function that returns a coroutine: make it async"
                )
        except Exception as error:
            errors.append(error)

    async def run() -> None:
        try:
            await run_in_own_thread(call)
        finally:
            ended.set()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            try:
                await ended.wait()
            finally:
                blocking.end()
    except anyio.get_cancelled_exc_class():
        # An error that the function did not make of the cancellation itself is worth more.
        if not errors or errors[0] is blocking.interruption:
            raise
    for error in errors:
        raise error
