"""A router: routes, and how one of them is found."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastweb._speedups.router import FULL, Matcher
from fastweb.datastructures import URL, URLPath
from fastweb.exceptions import StarletteHTTPException
from fastweb.lifespan import lifespan_context
from fastweb.paths import get_route_path, matcher_parts
from fastweb.resources import ResourceError, resources
from fastweb.routing.base import PATH_MATCHES, BaseRoute, Match, NoMatchFound, wrapped
from fastweb.routing.mount import Host, Mount
from fastweb.routing.route import Route
from fastweb.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from fastweb.middleware import Middleware

__all__ = ["Router"]


class Router:
    """Routes; an ASGI app.

    Arguments:
        routes: in the order in which they are tried.
        redirect_slashes: answer "/users/" with a redirect where only "/users" is a route, and the other way
            round.
        default: an ASGI app for what no route takes; by default that is answered with 404.
        lifespan: a function of the app that gives an async context manager: entered at start-up, left at
            shut-down.
        middleware: around all of them.
        max_body_size: bytes; a larger body is answered with 413.
    """

    def __init__(
        self,
        routes: Sequence[BaseRoute] | None = None,
        redirect_slashes: bool = True,
        default: ASGIApp | None = None,
        lifespan: Callable[[Any], Any] | None = None,
        *,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        self.routes: list[BaseRoute] = list(routes or ())
        self.redirect_slashes = redirect_slashes
        self.default: ASGIApp = self.not_found if default is None else default
        self.middleware_stack = wrapped(self.app, middleware, max_body_size)
        self._lifespan = lifespan
        self._replaced_lifespan: Callable[[Any], Any] | None = None
        self._matcher = Matcher()
        #: Which list of routes it has, and how many it had then.
        self._matched: tuple[list[BaseRoute] | None, int] = (None, 0)

    # Finding

    def match(self, method: str, path: str) -> tuple[int, Any, dict[str, Any] | None]:
        """Which route answers an HTTP request; see `fastweb._speedups.router.Matcher.match`. A route that
        only knows by itself what it answers, and all behind it, are left out.
        """
        routes, count = self._matched
        if routes is not self.routes or count != len(self.routes):
            # In this order: another thread may ask meanwhile.
            matched = self.routes, len(self.routes)
            self._matcher = self.matcher()
            self._matched = matched
        found: tuple[int, Any, dict[str, Any] | None] = self._matcher.match(method, path)
        return found

    def matcher(self) -> Matcher:
        """What finds the routes that there are now, as far as `match` says."""
        matcher = Matcher()
        for route in self.routes:
            if type(route).matches in PATH_MATCHES:
                if isinstance(route, Mount):
                    matcher.add(matcher_parts(route.path + "/{path:path}"), None, route, route.path_regex)
                elif isinstance(route, Route):
                    matcher.add(matcher_parts(route.path), route.methods or None, route, route.path_regex)
            else:
                break
        matcher.freeze()
        return matcher

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of the route of that name.

        Raises:
            NoMatchFound: there is none, or it has other parameters.
        """
        for route in self.routes:
            with contextlib.suppress(NoMatchFound):
                return route.url_path_for(name, **path_params)
        raise NoMatchFound(name, path_params)

    # Answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The router as an ASGI 3 app."""
        await self.middleware_stack(scope, receive, send)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The router within its middleware."""
        kind = scope["type"]
        if kind not in ("http", "websocket", "lifespan"):
            raise ValueError(f"an app has no connections of the type {kind!r}")
        scope.setdefault("router", self)
        if kind == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        route, child_scope = self.find(scope)
        if route is not None:
            scope["route"] = route
            scope.update(child_scope)
            await route.handle(scope, receive, send)
        elif kind == "http" and self.redirect_slashes and (url := self._other_slash(scope)) is not None:
            from fastweb.responses import RedirectResponse

            await RedirectResponse(url)(scope, receive, send)
        else:
            await self.default(scope, receive, send)

    def find(self, scope: Scope) -> tuple[BaseRoute | None, Scope]:
        """The route that answers: in full, or else the first whose path it is."""
        if scope["type"] == "http":
            status, route, _ = self.match(scope["method"], get_route_path(scope))
            if status == FULL:
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    return route, child_scope
        partial: tuple[BaseRoute | None, Scope] = None, {}
        for route in self.routes:
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return route, child_scope
            if match is Match.PARTIAL and partial[0] is None:
                partial = route, child_scope
        return partial

    def _other_slash(self, scope: Scope) -> URL | None:
        """The URL with a slash at its end, or without it, where a route has that."""
        route_path = get_route_path(scope)
        if route_path == "/":
            return None
        path = scope["path"]
        other = {**scope, "path": path.rstrip("/") if route_path.endswith("/") else path + "/"}
        if all(route.matches(other)[0] is Match.NONE for route in self.routes):
            return None
        return URL(scope=other)

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what no route takes.

        Raises:
            StarletteHTTPException: 404, within an app, whose handlers answer it.
        """
        if scope["type"] == "websocket":
            from fastweb.websockets import WebSocketClose

            await WebSocketClose()(scope, receive, send)
            return
        if "app" in scope:
            raise StarletteHTTPException(404)
        from fastweb.responses import PlainTextResponse

        await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)

    # Start and end

    @asynccontextmanager
    async def _lifespans(self, app: Any) -> AsyncIterator[dict[str, Any]]:
        """Start up on entry and shut down on exit, with the apps that are mounted; the value is what the
        lifespans yielded, merged.
        """
        async with AsyncExitStack() as stack:
            state: dict[str, Any] = {}
            if self._lifespan is not None:
                own = lifespan_context(self._lifespan, app)
                state.update(await stack.enter_async_context(own) or {})
            yield await self._enter_inner(stack, app, state)

    async def _enter_inner(self, stack: AsyncExitStack, app: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Enter the lifespans of what is mounted. Its state is its own."""
        for route in self.routes:
            if isinstance(route, Mount):
                inner = route._base_app
                router = getattr(inner, "router", inner)
                if isinstance(router, Router):
                    await stack.enter_async_context(router.lifespan_context(inner))
        return state

    @property
    def lifespan_context(self) -> Callable[[Any], Any]:
        """A function of the app: start-up on entry and shut-down on exit. One that is set stands for all of
        it, what is included and mounted too, and may call the one that was there.
        """
        return self._replaced_lifespan or self._lifespans

    @lifespan_context.setter
    def lifespan_context(self, lifespan: Callable[[Any], Any]) -> None:
        self._replaced_lifespan = lifespan

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the ASGI lifespan protocol."""
        started = False
        await receive()
        try:
            async with resources.with_app(), self.lifespan_context(scope.get("app")) as state:
                await resources.open_all()
                if state:
                    if "state" not in scope:
                        raise RuntimeError('The server does not support "state" in the lifespan scope.')
                    scope["state"].update(state)
                await send({"type": "lifespan.startup.complete"})
                started = True
                await receive()
        except BaseException as error:
            import traceback  # not loaded with every app

            phase = "shutdown" if started else "startup"
            message = str(error) if isinstance(error, ResourceError) else traceback.format_exc()
            await send({"type": f"lifespan.{phase}.failed", "message": message})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Router) and self.routes == other.routes

    __hash__ = object.__hash__

    # Declaring

    def mount(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        """Put an app behind a path; see `Mount`."""
        self.routes.append(Mount(path, app=app, name=name))

    def host(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        """Put an app behind a host name; see `Host`."""
        self.routes.append(Host(host, app=app, name=name))

    def add_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
    ) -> None:
        """Add a function of the request; see `Route`."""
        self.routes.append(
            Route(path, endpoint, methods=methods, name=name, include_in_schema=include_in_schema)
        )

    def add_websocket_route(self, path: str, endpoint: Callable[..., Any], name: str | None = None) -> None:
        """Add a function of the WebSocket; see `WebSocketRoute`."""
        from fastweb.routing.websocket import WebSocketRoute

        self.routes.append(WebSocketRoute(path, endpoint, name=name))
