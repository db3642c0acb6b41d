"""An app's middleware, put one around the other; and functions as middleware."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastweb.concurrency import is_async_callable
from fastweb.exception_handlers import ExceptionHandler, sort_exception_handlers
from fastweb.middleware import Middleware
from fastweb.types import ASGIApp

__all__ = ["build_middleware_stack", "middleware_of"]


def build_middleware_stack(
    app: ASGIApp,
    *,
    middleware: Sequence[Middleware] = (),
    exception_handlers: Mapping[Any, ExceptionHandler] | None = None,
    debug: bool = False,
    max_body_size: int | None = None,
    inner: Sequence[Middleware] = (),
) -> ASGIApp:
    """Everything that an app puts around its router.

    Arguments:
        app: the router.
        middleware: what the app's user added, the outermost first.
        exception_handlers: by class or status code; that for 500 or Exception makes the answer to what no
            other one handles.
        debug: see `ServerErrorMiddleware`.
        max_body_size: see `RequestBodyLimitMiddleware`; None for no limit.
        inner: what goes within the handling of exceptions.
    """
    from fastweb.middleware.errors import ServerErrorMiddleware
    from fastweb.middleware.exceptions import ExceptionMiddleware

    by_class, by_status, server_error = sort_exception_handlers(exception_handlers or {})
    around = [Middleware(ServerErrorMiddleware, handler=server_error, debug=debug)]
    if max_body_size is not None:
        from fastweb.middleware.body_limit import RequestBodyLimitMiddleware

        around.append(Middleware(RequestBodyLimitMiddleware, max_body_size=max_body_size))
    around += middleware
    around.append(Middleware(ExceptionMiddleware, handlers={**by_class, **by_status}, debug=debug))
    around += inner
    for cls, args, kwargs in reversed(around):
        app = cls(app, *args, **kwargs)
    return app


def middleware_of(factory: Callable[..., Any], *args: Any, **kwargs: Any) -> Middleware:
    """What `add_middleware` was given, as a `Middleware`.

    Arguments:
        factory: a class, or a function, that makes an ASGI app around another one; or a function of two
            parameters: (request, call_next), which is a `dispatch`, or (req, res), which sees every response
            (`ResponseMiddleware`). The second parameter's name tells the two apart: res, resp or response.
        args, kwargs: what the class or function is given beside the app.
    """
    if not args and not kwargs and inspect.isroutine(factory):
        names = [
            parameter.name
            for parameter in inspect.signature(factory).parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            and parameter.default is parameter.empty
        ]
        if len(names) == 2 and names[1] in ("res", "resp", "response"):
            from fastweb.middleware.response import ResponseMiddleware

            return Middleware(ResponseMiddleware, factory)
        # No factory is async: it would have to be awaited for the app that it makes.
        if len(names) == 2 and (names[1] == "call_next" or is_async_callable(factory)):
            from fastweb.middleware.base import BaseHTTPMiddleware

            return Middleware(BaseHTTPMiddleware, dispatch=factory)
    return Middleware(factory, *args, **kwargs)
