"""Answer exceptions by their handlers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastweb.exception_handlers import (
    HANDLERS_SCOPE_KEY,
    ExceptionHandler,
    ExceptionHandlers,
    StatusHandlers,
    wrap_app_handling_exceptions,
)
from fastweb.exceptions import StarletteHTTPException, WebSocketException
from fastweb.requests import HTTPConnection, Request
from fastweb.responses import PlainTextResponse, Response
from fastweb.types import ASGIApp, Receive, Scope, Send

__all__ = ["ExceptionMiddleware"]


class ExceptionMiddleware:
    """Answers the exceptions that have a handler, and leaves the handlers in the scope for the routes.

    Arguments:
        app: what raises.
        handlers: by exception class or status code. Where they say nothing else, an HTTPException is
            answered as plain text and a WebSocketException closes its WebSocket.
        debug: kept for whoever asks; it changes nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        handlers: Mapping[Any, ExceptionHandler] | None = None,
        debug: bool = False,
    ) -> None:
        self.app = app
        self.debug = debug
        self._status_handlers: StatusHandlers = {}
        self._exception_handlers: ExceptionHandlers = {
            StarletteHTTPException: self.http_exception,
            WebSocketException: self.websocket_exception,
        }
        for key, handler in (handlers or {}).items():
            self.add_exception_handler(key, handler)

    def add_exception_handler(
        self, exc_class_or_status_code: int | type[Exception], handler: ExceptionHandler
    ) -> None:
        """Answer exceptions of a class, or an HTTPException of a status code, with a function.

        Raises:
            TypeError: it is neither.
        """
        if isinstance(exc_class_or_status_code, int):
            self._status_handlers[exc_class_or_status_code] = handler
        elif isinstance(exc_class_or_status_code, type) and issubclass(exc_class_or_status_code, Exception):
            self._exception_handlers[exc_class_or_status_code] = handler
        else:
            raise TypeError(
                f"a handler answers a status code or a class of exceptions, not {exc_class_or_status_code!r}"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, its exceptions answered."""
        connection: HTTPConnection
        if scope["type"] == "http":
            connection = Request(scope, receive, send)
        elif scope["type"] == "websocket":
            from fastweb.websockets import WebSocket

            connection = WebSocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)
            return
        scope[HANDLERS_SCOPE_KEY] = (self._exception_handlers, self._status_handlers)
        await wrap_app_handling_exceptions(self.app, connection)(scope, receive, send)

    async def http_exception(self, request: Request, exc: StarletteHTTPException) -> Response:
        """Answer with the detail as text; 204 and 304 have none."""
        if exc.status_code in (204, 304):
            return Response(status_code=exc.status_code, headers=exc.headers)
        return PlainTextResponse(exc.detail, status_code=exc.status_code, headers=exc.headers)

    async def websocket_exception(self, websocket: Any, exc: WebSocketException) -> None:
        """Close the WebSocket with the exception's code and reason."""
        await websocket.close(code=exc.code, reason=exc.reason)
