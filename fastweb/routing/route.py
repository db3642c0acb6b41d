"""A path, its methods, and a function of the request that answers them."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from fastweb.concurrency import is_async_callable, run_in_threadpool
from fastweb.datastructures import URLPath
from fastweb.exceptions import DeclarationError, FastWebError, StarletteHTTPException
from fastweb.paths import compile_path, fill_path, get_route_path
from fastweb.requests import Request
from fastweb.routing.base import (
    PATH_MATCHES,
    BaseRoute,
    Match,
    NoMatchFound,
    get_name,
    matched_params,
    wrapped,
)
from fastweb.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from fastweb.middleware import Middleware

__all__ = ["Route", "check_path", "is_function", "request_response"]


def request_response(func: Callable[[Request], Any]) -> ASGIApp:
    """An ASGI app of a function (request) -> response, plain or async.

    Two exit stacks are in the scope while it runs, where dependencies with a yield are: one that closes
    before the answer is sent, and one that closes after it.
    """
    # Not before the first route: not every app has one of these.
    from fastweb.exception_handlers import wrap_app_handling_exceptions

    call: Callable[[Request], Any] = (
        func if is_async_callable(func) else functools.partial(run_in_threadpool, func)  # type: ignore[call-arg]
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            sent = False
            async with AsyncExitStack() as request_exits:
                scope["fastapi_inner_astack"] = request_exits
                response = None
                async with AsyncExitStack() as function_exits:
                    scope["fastapi_function_astack"] = function_exits
                    response = await call(request)
                if response is not None:
                    await response(scope, receive, send)
                    sent = True
            if not sent:
                raise FastWebError(UNANSWERED)

        await wrap_app_handling_exceptions(answer, request)(scope, receive, send)

    return app


#: FastAPI begins its message with the same words.
UNANSWERED = (
    "Response not awaited. There's a high chance that the application code is raising an exception and a "
    "dependency with yield catches it, and raises neither it nor another one: there is nothing to answer with"
)


def check_path(path: str) -> None:
    """Refuse a path that does not begin with a slash.

    Raises:
        FastWebError: it does not.
    """
    if path and not path.startswith("/"):
        raise DeclarationError(f"Routed paths must start with '/': a path begins with a slash, {path!r} not")


def is_function(endpoint: Any) -> bool:
    """Whether an endpoint is called with the request; any other one is an ASGI app."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    return isinstance(endpoint, (types.FunctionType, types.MethodType))


class Route(BaseRoute):
    """A path and what answers it.

    Arguments:
        path: begins with a slash; `{name}` and `{name:convertor}` are its parameters.
        endpoint: a function (request) -> response, plain or async; or an ASGI app, such as an `HTTPEndpoint`.
        methods: by default GET, for functions; an app takes them all. GET stands for HEAD, too.
        name: for `url_path_for`; by default the endpoint's.
        include_in_schema: of no meaning to OpenAPI, which describes `APIRoute`s.
        middleware: around this route alone.
        max_body_size: bytes; a larger body is answered with 413.

    Raises:
        FastWebError: the path is none.
    """

    name: str
    app: ASGIApp

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        check_path(path)
        self.path = path
        self.endpoint = endpoint
        self.name = get_name(endpoint) if name is None else name
        self.include_in_schema = include_in_schema
        app: Any = endpoint
        if is_function(endpoint):
            app = request_response(endpoint)
            methods = ("GET",) if methods is None else methods
        self.app = wrapped(app, middleware, max_body_size)
        self.methods: set[str] | None = None
        if methods is not None:
            self.methods = {method.upper() for method in methods}
            if "GET" in self.methods:
                self.methods.add("HEAD")
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `BaseRoute.matches`."""
        if scope["type"] != "http":
            return Match.NONE, {}
        params = matched_params(self.path_regex, self.param_convertors, get_route_path(scope), scope)
        if params is None:
            return Match.NONE, {}
        fits = not self.methods or scope["method"] in self.methods
        return (Match.FULL if fits else Match.PARTIAL), {"endpoint": self.endpoint, "path_params": params}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of this route with these parameters; see `BaseRoute.url_path_for`."""
        if name != self.name or path_params.keys() != self.param_convertors.keys():
            raise NoMatchFound(name, path_params)
        return URLPath(path=fill_path(self.path_format, self.param_convertors, path_params), protocol="http")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of this path: with 405, where the method is another."""
        if not self.methods or scope["method"] in self.methods:
            await self.app(scope, receive, send)
            return
        headers = {"Allow": ", ".join(sorted(self.methods))}
        if "app" in scope:
            raise StarletteHTTPException(405, headers=headers)
        from fastweb.responses import PlainTextResponse

        response = PlainTextResponse("Method Not Allowed", status_code=405, headers=headers)
        await response(scope, receive, send)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Route)
            and self.path == other.path
            and self.endpoint == other.endpoint
            and self.methods == other.methods
        )

    __hash__ = BaseRoute.__hash__

    def __repr__(self) -> str:
        methods = sorted(self.methods or ())
        return f"{type(self).__name__}(path={self.path!r}, name={self.name!r}, methods={methods!r})"


PATH_MATCHES.add(Route.matches)
