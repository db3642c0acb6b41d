"""How exceptions become answers: the handlers where the app has none, and how the right one is found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from fastweb.concurrency import call_function
from fastweb.exceptions import RequestValidationError, StarletteHTTPException, WebSocketRequestValidationError
from fastweb.requests import HTTPConnection, Request
from fastweb.responses import JSONResponse, Response, is_body_allowed
from fastweb.status import WS_1008_POLICY_VIOLATION
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "ExceptionHandler",
    "ExceptionHandlers",
    "Handlers",
    "StatusHandlers",
    "find_exception_handler",
    "http_exception_handler",
    "request_validation_exception_handler",
    "sort_exception_handlers",
    "websocket_request_validation_exception_handler",
    "wrap_app_handling_exceptions",
]

#: A function (request or WebSocket, exception) -> response; it may be plain or async. That of a WebSocket
#: returns nothing.
ExceptionHandler: TypeAlias = Callable[[Any, Any], Any]
ExceptionHandlers: TypeAlias = dict[Any, ExceptionHandler]
StatusHandlers: TypeAlias = dict[int, ExceptionHandler]

#: Where in a scope the handlers are that `ExceptionMiddleware` was given. Starlette's key, which others read.
HANDLERS_SCOPE_KEY: Final = "starlette.exception_handlers"


async def http_exception_handler(request: HTTPConnection, exc: StarletteHTTPException) -> Response:
    """An `HTTPException`: its status, its headers, and `{"detail": …}`."""
    headers = getattr(exc, "headers", None)  # a subclass may have none
    if not is_body_allowed(exc.status_code):
        return Response(status_code=exc.status_code, headers=headers)
    return JSONResponse({"detail": exc.detail}, status_code=exc.status_code, headers=headers)


async def request_validation_exception_handler(request: Request, exc: RequestValidationError) -> Response:
    """A request that does not fit the endpoint: 422, with every error."""
    errors = exc.errors()
    try:
        return _unprocessable(errors)
    except RecursionError:
        # The input is nested so deeply that it could be read, and cannot be written: it is left out.
        return _unprocessable([{key: error[key] for key in error if key != "input"} for error in errors])


def _unprocessable(errors: Sequence[Any]) -> Response:
    # With it comes all of validation, which an app has loaded by now, and `import fastweb` has not.
    from fastweb.encoders import dump_untyped, jsonable_encoder

    try:
        # PERF: the client's own input is in it, megabytes maybe, and the loop waits.
        return Response(dump_untyped({"detail": errors}), status_code=422, media_type="application/json")
    except ValueError:
        import json

        # An error shows the input, which may be what no JSON text can hold; that is not to become a 500.
        detail = json.dumps({"detail": jsonable_encoder(errors, custom_encoder=_LOSSY)}, ensure_ascii=True)
        return Response(detail, status_code=422, media_type="application/json")


#: Bytes that are no UTF-8, and floats that are no numbers. Lone surrogates are left: escaped, they are JSON.
_LOSSY: Final[dict[Any, Any]] = {
    bytes: lambda value: value.decode("utf-8", "replace"),
    float: lambda value: value if math.isfinite(value) else str(value),
}


async def websocket_request_validation_exception_handler(
    websocket: Any, exc: WebSocketRequestValidationError
) -> None:
    """A WebSocket whose opening request does not fit the endpoint: closed with 1008 and the errors."""
    from fastweb.encoders import jsonable_encoder

    errors = jsonable_encoder(exc.errors(), custom_encoder=_LOSSY)
    await websocket.close(code=WS_1008_POLICY_VIOLATION, reason=errors)


# --- Which handler answers ---


class Handlers(NamedTuple):
    """An app's exception handlers, each where it is looked for."""

    by_class: ExceptionHandlers
    by_status: StatusHandlers
    #: The one for 500 or Exception: it says what the answer to an error looks like that nobody handles.
    server_error: ExceptionHandler | None


def sort_exception_handlers(handlers: Mapping[Any, ExceptionHandler]) -> Handlers:
    """Sort what `exception_handlers` of an app holds, by exception class and by status code."""
    by_class: ExceptionHandlers = {}
    by_status: StatusHandlers = {}
    server_error = None
    for key, handler in handlers.items():
        if key in (500, Exception):
            server_error = handler
        elif isinstance(key, int):
            by_status[key] = handler
        else:
            by_class[key] = handler
    return Handlers(by_class, by_status, server_error)


def find_exception_handler(
    error: Exception, by_class: Mapping[Any, ExceptionHandler], by_status: Mapping[int, ExceptionHandler]
) -> ExceptionHandler | None:
    """What answers an exception: the handler of its status code, else that of the nearest of its classes."""
    if isinstance(error, StarletteHTTPException) and error.status_code in by_status:
        return by_status[error.status_code]
    for cls in type(error).__mro__:
        if cls in by_class:
            return by_class[cls]
    return None


def wrap_app_handling_exceptions(app: ASGIApp, connection: HTTPConnection) -> ASGIApp:
    """An ASGI app whose exceptions are answered by the handlers that `ExceptionMiddleware` left in the scope.

    Arguments:
        app: raises them.
        connection: the request or WebSocket that the handlers are given.

    Raises:
        RuntimeError: an exception with a handler came when the answer had been started already.
        Exception: what has no handler.
    """
    by_class, by_status = connection.scope.get(HANDLERS_SCOPE_KEY, ({}, {}))

    async def wrapped_app(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
            await send(message)

        # What a WebSocket sends is nothing to watch for, and its own `send` is the quickest.
        sender = send if scope["type"] == "websocket" else watch
        try:
            await app(scope, receive, sender)
        except Exception as error:
            handler = find_exception_handler(error, by_class, by_status)
            if handler is None:
                raise
            if started:
                raise RuntimeError("Caught handled exception, but response already started.") from error
            response = await call_function(handler, connection, error)
            if response is not None:
                await response(scope, receive, sender)
            # Exceptions that are raised again and again would gather tracebacks.
            error.__traceback__ = None

    return wrapped_app
