"""A router: routes, how one of them is found, and how routers are put together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fastweb._speedups.router import NONE, Matcher
from fastweb.datastructures import Default, DefaultPlaceholder, URLPath
from fastweb.exceptions import FastWebError
from fastweb.lifespan import event_context, lifespan_context
from fastweb.paths import matcher_parts
from fastweb.responses import JSONResponse, Response
from fastweb.routing.base import BaseRoute, NoMatchFound

if TYPE_CHECKING:
    # Loaded with the first route: with it come dependencies and validation, most of what there is to load.
    from fastweb.params import Depends
    from fastweb.routing.inclusion import Inclusion

__all__ = ["APIRouter", "within"]

_F = TypeVar("_F", bound=Callable[..., Any])


class APIRouter:
    """Routes, to be included in an app or in another router.

    Arguments:
        prefix: stands before the path of every route; begins with a slash and does not end with one.
        tags, responses, deprecated, include_in_schema: of every route.
        dependencies: called before every endpoint.
        default_response_class: what answers are made with where the route does not say.
        redirect_slashes: answer "/users/" with a redirect where only "/users" is a route, and the other way
            round.
        routes: routes to begin with.
        lifespan: a function of the app that gives an async context manager: entered at start-up, left at
            shut-down.
        on_startup, on_shutdown: functions to be called then; the older way.

    Raises:
        FastWebError: the prefix is not one.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        tags: Sequence[Any] | None = None,
        dependencies: Sequence[Depends] | None = None,
        default_response_class: type[Response] | DefaultPlaceholder = Default(JSONResponse),
        responses: Mapping[int | str, Any] | None = None,
        routes: Sequence[BaseRoute] | None = None,
        redirect_slashes: bool = True,
        lifespan: Callable[[Any], Any] | None = None,
        on_startup: Sequence[Callable[[], Any]] | None = None,
        on_shutdown: Sequence[Callable[[], Any]] | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
    ) -> None:
        _check_prefix(prefix)
        self.prefix = prefix
        self.tags = list(tags or ())
        self.dependencies = list(dependencies or ())
        self.default_response_class = default_response_class
        self.responses = dict(responses or {})
        self.routes: list[BaseRoute] = list(routes or ())
        self.redirect_slashes = redirect_slashes
        self.deprecated = deprecated
        self.include_in_schema = include_in_schema
        self.on_startup = list(on_startup or ())
        self.on_shutdown = list(on_shutdown or ())
        self._lifespan = lifespan
        self._included: list[APIRouter] = []
        self._inclusions: list[Inclusion] = []
        self._matcher = Matcher()
        self._matched: list[BaseRoute] = []

    # Finding

    def match(self, method: str, path: str) -> tuple[int, Any, dict[str, Any] | None]:
        """Which route answers; see `fastweb._speedups.router.Matcher.match`."""
        if len(self._matched) != len(self.routes):
            self._matched = list(self.routes)
            self._matcher = self.matcher()
        found: tuple[int, Any, dict[str, Any] | None] = self._matcher.match(method, path)
        return found

    def other_slash(self, method: str, path: str) -> str | None:
        """The path with a slash at its end, or without it, where a route has that; None where none does."""
        if not self.redirect_slashes or path == "/":
            return None
        other = path.rstrip("/") if path.endswith("/") else path + "/"
        return other if self.match(method, other)[0] != NONE else None

    def matcher(self) -> Matcher:
        """What finds the routes that there are now."""
        matcher = Matcher()
        if self.routes:
            from fastweb.routing.route import APIRoute

            for route in self.routes:
                if isinstance(route, APIRoute):
                    matcher.add(matcher_parts(route.path), route.methods, route, route.path_regex)
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

    # Declaring

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route; the options are those of `APIRoute`, beside what the router says of all of them."""
        from fastweb.routing.route import APIRoute

        self._add(APIRoute(self.prefix + path, endpoint, **within(self, options)), len(self.routes))

    def _add(self, route: BaseRoute, place: int) -> None:
        """Put a route among those that there are, here and wherever this router was included."""
        self.routes.insert(place, route)
        for inclusion in self._inclusions:
            inclusion.add(route)

    def _behind(self, route: BaseRoute | None) -> int:
        """The place behind a route: the first for None, the last where the route is gone."""
        if route is None:
            return 0
        count = len(self.routes)
        return next((place for place in range(count, 0, -1) if self.routes[place - 1] is route), count)

    def api_route(
        self, path: str, *, methods: Collection[str] | None = None, **options: Any
    ) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of a path; the options are those of `APIRoute`."""

        def decorate(endpoint: _F) -> _F:
            self.add_api_route(path, endpoint, methods=methods, **options)
            return endpoint

        return decorate

    def route(self, path: str, methods: Collection[str] | None = None, **options: Any) -> Callable[[_F], _F]:
        """The same, where an unannotated parameter called `request` is the request, and GET stands for HEAD,
        too.
        """
        chosen = {method.upper() for method in (methods or ("GET",))}
        if "GET" in chosen:
            chosen.add("HEAD")  # as in Starlette, where this method is from
        return self.api_route(path, methods=chosen, bare_request=True, **options)

    def get(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of GET; the options are those of `APIRoute`."""
        return self.api_route(path, methods=("GET",), **options)

    def post(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of POST."""
        return self.api_route(path, methods=("POST",), **options)

    def put(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of PUT."""
        return self.api_route(path, methods=("PUT",), **options)

    def patch(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of PATCH."""
        return self.api_route(path, methods=("PATCH",), **options)

    def delete(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of DELETE."""
        return self.api_route(path, methods=("DELETE",), **options)

    def head(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of HEAD."""
        return self.api_route(path, methods=("HEAD",), **options)

    def options(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of OPTIONS."""
        return self.api_route(path, methods=("OPTIONS",), **options)

    def trace(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of TRACE."""
        return self.api_route(path, methods=("TRACE",), **options)

    def include_router(
        self,
        router: APIRouter,
        *,
        prefix: str = "",
        tags: Sequence[Any] | None = None,
        dependencies: Sequence[Depends] | None = None,
        default_response_class: type[Response] | DefaultPlaceholder = Default(JSONResponse),
        responses: Mapping[int | str, Any] | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
    ) -> None:
        """Add the routes of a router, those that it gets later, too, and its lifespan.

        Arguments:
            router: another one.
            prefix: stands before its own.
            tags, dependencies, responses, deprecated, include_in_schema: added to those of its routes.
            default_response_class: for its routes that do not say.

        Raises:
            FastWebError: the prefix is not one, the router is or includes this one, or one of its routes has
                neither a prefix nor a path.
        """
        if router is self or router._includes(self):
            raise FastWebError("a router cannot include itself, nor one that includes it")
        from fastweb.routing.inclusion import Inclusion

        _check_prefix(prefix)
        inclusion = Inclusion(
            self,
            prefix,
            list(tags or ()),
            list(dependencies or ()),
            default_response_class,
            dict(responses or {}),
            deprecated,
            include_in_schema,
            self.routes[-1] if self.routes else None,
        )
        for route in router.routes:
            inclusion.add(route)
        router._inclusions.append(inclusion)
        self._included.append(router)

    def _includes(self, other: APIRouter) -> bool:
        return any(router is other or router._includes(other) for router in self._included)

    # Start and end

    def on_event(self, event: str) -> Callable[[_F], _F]:
        """Declare the decorated function to be called at "startup" or "shutdown".

        Raises:
            FastWebError: there is no such event.
        """
        if event not in ("startup", "shutdown"):
            raise FastWebError(f'there are the events "startup" and "shutdown", and no {event!r}')

        def decorate(function: _F) -> _F:
            self.add_event_handler(event, function)
            return function

        return decorate

    def add_event_handler(self, event: str, function: Callable[[], Any]) -> None:
        """Call a function at "startup" or "shutdown"."""
        (self.on_startup if event == "startup" else self.on_shutdown).append(function)

    @asynccontextmanager
    async def lifespan_context(self, app: Any) -> AsyncIterator[dict[str, Any]]:
        """Start up on entry and shut down on exit; the value is what the lifespans yielded, merged.

        A router with a lifespan does not call its `on_startup` and `on_shutdown`, as in FastAPI; those it
        includes do, or have their own. What an outer router yields goes before what an included one does.
        """
        state: dict[str, Any] = {}
        async with AsyncExitStack() as stack:
            own: AbstractAsyncContextManager[Mapping[str, Any] | None]
            if self._lifespan is None:
                own = event_context(self.on_startup, self.on_shutdown)
            else:
                own = lifespan_context(self._lifespan, app)
            outer = await stack.enter_async_context(own)
            state.update(outer or {})
            for router in self._included:
                inner = await stack.enter_async_context(router.lifespan_context(app))
                state = {**inner, **state}
            yield state


def within(outer: APIRouter | Inclusion, options: dict[str, Any]) -> dict[str, Any]:
    """A route's options, with what a router, or the inclusion of one, says of all its routes."""
    chosen = options.get("response_class", Default(JSONResponse))
    return {
        **options,
        "tags": [*outer.tags, *(options.get("tags") or ())],
        "dependencies": [*outer.dependencies, *(options.get("dependencies") or ())],
        "responses": {**outer.responses, **(options.get("responses") or {})},
        "deprecated": options.get("deprecated") or outer.deprecated,
        "include_in_schema": options.get("include_in_schema", True) and outer.include_in_schema,
        "response_class": outer.default_response_class if isinstance(chosen, DefaultPlaceholder) else chosen,
    }


def _check_prefix(prefix: str) -> None:
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise FastWebError(f"the prefix {prefix!r} has to begin with a slash, and may not end with one")
