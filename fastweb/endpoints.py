"""Class-based views: an endpoint whose methods answer the HTTP methods, or a WebSocket's events."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any, Literal

from fastweb import status
from fastweb.concurrency import is_async_callable, run_in_threadpool
from fastweb.exceptions import HTTPException
from fastweb.requests import Request, parse_json
from fastweb.responses import PlainTextResponse, Response
from fastweb.types import Message, Receive, Scope, Send
from fastweb.websockets import WebSocket

__all__ = ["HTTPEndpoint", "WebSocketEndpoint"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")


class HTTPEndpoint:
    """An endpoint for several methods: subclasses have a `get`, `post`, … `(self, request) -> response`,
    plain or async.

    Arguments:
        scope, receive, send: the ASGI connection; to await the instance is to answer it.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", f"an HTTPEndpoint does not answer {scope['type']!r}"
        self.scope = scope
        self.receive = receive
        self.send = send
        self._allowed_methods = [
            method
            for method in _METHODS
            if getattr(self, method.lower(), None) is not None
            or (method == "HEAD" and getattr(self, "get", None) is not None)
        ]

    def __await__(self) -> Generator[Any, None, None]:
        return self.dispatch().__await__()

    async def dispatch(self) -> None:
        """Answer with the method of the request's."""
        request = Request(self.scope, receive=self.receive, send=self.send)
        handler: Callable[[Request], Any]
        if request.method not in self._allowed_methods:
            handler = self.method_not_allowed
        elif request.method == "HEAD" and getattr(self, "head", None) is None:
            handler = getattr(self, "get")  # noqa: B009 - there is one, as its being allowed says
        else:
            handler = getattr(self, request.method.lower())
        if is_async_callable(handler):
            response = await handler(request)
        else:
            response = await run_in_threadpool(handler, request)
        await response(self.scope, self.receive, self.send)

    async def method_not_allowed(self, request: Request) -> Response:
        """The answer to any other method.

        Raises:
            HTTPException: 405, within an app: its handlers say what it looks like.
        """
        headers = {"Allow": ", ".join(self._allowed_methods)}
        if "app" in self.scope:
            raise HTTPException(status_code=405, headers=headers)
        return PlainTextResponse("Method Not Allowed", status_code=405, headers=headers)


class WebSocketEndpoint:
    """An endpoint for a WebSocket: subclasses override `on_connect`, `on_receive` and `on_disconnect`.

    Arguments:
        scope, receive, send: the ASGI connection; to await the instance is to serve it.

    Attributes:
        encoding: the only messages to take: "text", "bytes" or "json"; None takes texts and bytes.
    """

    encoding: Literal["text", "bytes", "json"] | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket", f"a WebSocketEndpoint does not serve {scope['type']!r}"
        self.scope = scope
        self.receive = receive
        self.send = send

    def __await__(self) -> Generator[Any, None, None]:
        return self.dispatch().__await__()

    async def dispatch(self) -> None:
        """Serve the WebSocket until one side closes it."""
        websocket = WebSocket(self.scope, receive=self.receive, send=self.send)
        await self.on_connect(websocket)
        close_code = status.WS_1000_NORMAL_CLOSURE
        try:
            # An `on_connect` that neither accepts nor refuses leaves the connect message to be received here.
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await self.on_receive(websocket, await self.decode(websocket, message))
            close_code = int(message.get("code") or status.WS_1000_NORMAL_CLOSURE)
        except Exception:
            close_code = status.WS_1011_INTERNAL_ERROR
            raise
        finally:
            await self.on_disconnect(websocket, close_code)

    async def decode(self, websocket: WebSocket, message: Message) -> Any:
        """What `on_receive` gets of a message.

        Raises:
            RuntimeError: it is not in the endpoint's encoding; the WebSocket was closed with 1003.
            AssertionError: there is no such encoding.
        """
        text = message.get("text")
        if self.encoding is None:
            return message["bytes"] if text is None else text
        if self.encoding == "text":
            if text is None:
                await websocket.close(code=status.WS_1003_UNSUPPORTED_DATA)
                raise RuntimeError("Expected text websocket messages, but got bytes")
            return text
        if self.encoding == "bytes":
            if message.get("bytes") is None:
                await websocket.close(code=status.WS_1003_UNSUPPORTED_DATA)
                raise RuntimeError("Expected bytes websocket messages, but got text")
            return message["bytes"]
        if self.encoding == "json":
            try:
                return parse_json(message["bytes"] if text is None else text.encode())
            except json.JSONDecodeError:
                await websocket.close(code=status.WS_1003_UNSUPPORTED_DATA)
                raise RuntimeError("Malformed JSON data received.") from None
        raise AssertionError(f"an encoding is 'text', 'bytes', 'json' or None, not {self.encoding!r}")

    async def on_connect(self, websocket: WebSocket) -> None:
        """Called first: accept the WebSocket, or refuse it."""
        await websocket.accept()

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        """Called with each message's data."""

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        """Called at the end, with the client's close code; 1011 after an error."""
