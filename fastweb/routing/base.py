"""What a router holds: how any route is asked whether it answers, and handed what it answers."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastweb.convertors import Convertor
from fastweb.datastructures import URLPath
from fastweb.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from fastweb.middleware import Middleware

__all__ = [
    "PATH_MATCHES",
    "BaseRoute",
    "Match",
    "NoMatchFound",
    "get_name",
    "matched_params",
    "wrapped",
]


class NoMatchFound(Exception):  # noqa: N818 - Starlette's name for it
    """No route has this name and these parameters.

    Arguments:
        name: the route's name.
        path_params: the parameters that were given.
    """

    def __init__(self, name: str, path_params: Mapping[str, Any]) -> None:
        super().__init__(f'No route exists for name "{name}" and params "{", ".join(path_params)}".')


class Match(enum.Enum):
    """Whether a route answers a request: PARTIAL is the path without the method."""

    NONE = 0
    PARTIAL = 1
    FULL = 2


#: The `matches` of routes that go by path and method alone, or take no HTTP request: the matcher may ask in
#: their stead.
PATH_MATCHES: set[Callable[..., Any]] = set()


class BaseRoute:
    """A route; an ASGI app, too."""

    path: str
    name: str | None
    #: How it is answered with no scope made for it; None where requests go through `handle`.
    operation: Any = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route answers a request, and what it adds to the request's scope."""
        raise NotImplementedError

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of this route with these parameters.

        Raises:
            NoMatchFound: it has another name, or other parameters.
        """
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matched."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A route may be used alone, as an app of one path."""
        match, child_scope = self.matches(scope)
        if match is Match.NONE:
            if scope["type"] == "http":
                from fastweb.responses import PlainTextResponse

                await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)
            elif scope["type"] == "websocket":
                from fastweb.websockets import WebSocketClose

                await WebSocketClose()(scope, receive, send)
            return
        scope.update(child_scope)
        await self.handle(scope, receive, send)


def get_name(endpoint: Callable[..., Any]) -> str:
    """What a route is called where it does not say: its endpoint's name."""
    name: str = getattr(endpoint, "__name__", type(endpoint).__name__)
    return name


def matched_params(
    regex: re.Pattern[str], convertors: Mapping[str, Convertor[Any]], text: str, scope: Scope
) -> dict[str, Any] | None:
    """The parameters of a path, or of a host, with those that a mount has found before; None where it does
    not match.
    """
    match = regex.match(text)
    if match is None:
        return None
    params = dict(scope.get("path_params", {}))
    for name, value in match.groupdict().items():
        params[name] = convertors[name].convert(value)
    return params


def wrapped(app: ASGIApp, middleware: Sequence[Middleware] | None, max_body_size: int | None) -> ASGIApp:
    """An app with middleware around it, and a limit around that."""
    for cls, args, kwargs in reversed(middleware or ()):
        app = cls(app, *args, **kwargs)
    if max_body_size is not None:
        from fastweb.middleware.body_limit import RequestBodyLimitMiddleware

        app = RequestBodyLimitMiddleware(app, max_body_size=max_body_size)
    return app
