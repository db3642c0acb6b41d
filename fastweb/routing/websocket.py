"""A path that WebSockets connect to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from fastweb.concurrency import is_async_callable
from fastweb.datastructures import URLPath
from fastweb.exception_handlers import wrap_app_handling_exceptions
from fastweb.paths import compile_path, fill_path, get_route_path
from fastweb.routing.base import (
    PATH_MATCHES,
    BaseRoute,
    Match,
    NoMatchFound,
    get_name,
    matched_params,
    wrapped,
)
from fastweb.routing.route import check_path, is_function
from fastweb.types import ASGIApp, Receive, Scope, Send
from fastweb.websockets import WebSocket, run_blocking_endpoint

if TYPE_CHECKING:
    from fastweb.middleware import Middleware

__all__ = ["WebSocketRoute", "websocket_session"]


def websocket_session(func: Callable[[WebSocket], Any]) -> ASGIApp:
    """An ASGI app of a function of a WebSocket. A plain one runs in a thread of its own, where the methods of
    the WebSocket block; see `fastweb.websockets.BlockingWebSocket`.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async with AsyncExitStack() as request_exits:
                scope["fastapi_inner_astack"] = request_exits
                async with AsyncExitStack() as function_exits:
                    scope["fastapi_function_astack"] = function_exits
                    await call(websocket)

        await wrap_app_handling_exceptions(answer, websocket)(scope, receive, send)

    call = func if is_async_callable(func) else functools.partial(_in_thread, func)
    return app


async def _in_thread(func: Callable[[Any], Any], websocket: WebSocket) -> None:
    await run_blocking_endpoint(websocket, func, websocket)


class WebSocketRoute(BaseRoute):
    """A path and what answers the WebSockets that connect to it.

    Arguments:
        path: begins with a slash; `{name}` and `{name:convertor}` are its parameters.
        endpoint: a function of the WebSocket, async or plain; or an ASGI app, such as a `WebSocketEndpoint`.
        name: for `url_path_for`; by default the endpoint's.
        middleware: around this route alone.

    Raises:
        FastWebError: the path is none.
    """

    app: ASGIApp

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        name: str | None = None,
        middleware: Sequence[Middleware] | None = None,
    ) -> None:
        check_path(path)
        self.path = path
        self.endpoint = endpoint
        self.name = get_name(endpoint) if name is None else name
        app: Any = websocket_session(endpoint) if is_function(endpoint) else endpoint
        self.app = wrapped(app, middleware, None)
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `BaseRoute.matches`."""
        if scope["type"] != "websocket":
            return Match.NONE, {}
        params = matched_params(self.path_regex, self.param_convertors, get_route_path(scope), scope)
        if params is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": params}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of this route with these parameters; see `BaseRoute.url_path_for`."""
        if name != self.name or path_params.keys() != self.param_convertors.keys():
            raise NoMatchFound(name, path_params)
        path = fill_path(self.path_format, self.param_convertors, path_params)
        return URLPath(path=path, protocol="websocket")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a WebSocket that matched."""
        await self.app(scope, receive, send)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, WebSocketRoute) and self.path == other.path and self.endpoint == other.endpoint
        )

    __hash__ = BaseRoute.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r}, name={self.name!r})"


PATH_MATCHES.add(WebSocketRoute.matches)
