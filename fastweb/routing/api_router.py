"""The router of an API: how its routes are declared, and how routers are put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastweb.datastructures import Default, DefaultPlaceholder
from fastweb.exceptions import DeclarationError, FastWebError
from fastweb.lifespan import event_context, lifespan_context
from fastweb.responses import JSONResponse, Response
from fastweb.routing.base import BaseRoute
from fastweb.routing.mount import Host, Mount
from fastweb.routing.route import Route, is_function
from fastweb.routing.router import Router
from fastweb.types import ASGIApp

if TYPE_CHECKING:
    # Loaded with the first route: with it come dependencies and validation, most of what there is to load.
    from fastweb.params import Depends
    from fastweb.routing.api_route import APIRoute
    from fastweb.routing.inclusion import Inclusion

__all__ = ["APIRouter", "within"]

_F = TypeVar("_F", bound=Callable[..., Any])


class APIRouter(Router):
    """Routes whose endpoints take parameters and dependencies, to be included in an app or in another router.

    Arguments:
        prefix: stands before the path of every route; begins with a slash and does not end with one.
        tags, responses, callbacks, deprecated, include_in_schema: of every route.
        dependencies: called before every endpoint.
        default_response_class: what answers are made with where the route does not say.
        routes: routes to begin with.
        redirect_slashes, default, lifespan: see `Router`.
        dependency_overrides_provider: see `APIRoute`.
        route_class: what routes are made of, a subclass of `APIRoute`.
        on_startup, on_shutdown: functions to be called then; the older way.
        generate_unique_id_function, strict_content_type, max_body_size, form_limits: of every route that does
            not say; see `APIRoute`.

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
        callbacks: Sequence[BaseRoute] | None = None,
        routes: Sequence[BaseRoute] | None = None,
        redirect_slashes: bool = True,
        default: ASGIApp | None = None,
        dependency_overrides_provider: Any = None,
        route_class: type[APIRoute] | None = None,
        on_startup: Sequence[Callable[[], Any]] | None = None,
        on_shutdown: Sequence[Callable[[], Any]] | None = None,
        lifespan: Callable[[Any], Any] | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
        generate_unique_id_function: Callable[[Any], str] | DefaultPlaceholder | None = Default(None),
        strict_content_type: bool | DefaultPlaceholder = Default(True),
        max_body_size: int | None = None,
        form_limits: Mapping[str, int] | None = None,
    ) -> None:
        _check_prefix(prefix)
        super().__init__(routes, redirect_slashes, default, lifespan)
        self.prefix = prefix
        self.tags = list(tags or ())
        self.dependencies = list(dependencies or ())
        self.default_response_class = default_response_class
        self.responses = dict(responses or {})
        self.callbacks = list(callbacks or ())
        self.dependency_overrides_provider = dependency_overrides_provider
        self._route_class = route_class
        self.deprecated = deprecated
        self.include_in_schema = include_in_schema
        self.generate_unique_id_function = generate_unique_id_function
        self.strict_content_type = strict_content_type
        self.max_body_size = _checked_size(max_body_size)
        self.form_limits = _checked(form_limits)
        self.on_startup = list(on_startup or ())
        self.on_shutdown = list(on_shutdown or ())
        self._included: list[APIRouter] = []
        self._inclusions: list[Inclusion] = []

    @property
    def route_class(self) -> type[APIRoute]:
        """What routes are made of."""
        if self._route_class is None:
            from fastweb.routing.api_route import APIRoute

            self._route_class = APIRoute
        return self._route_class

    @route_class.setter
    def route_class(self, route_class: type[APIRoute]) -> None:
        self._route_class = route_class

    # Declaring

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route; the options are those of `APIRoute`, beside what the router says of all of them.

        Arguments:
            route_class_override: what it is made of, instead of the router's `route_class`.
        """
        route_class = options.pop("route_class_override", None) or self.route_class
        self._add(route_class(self.prefix + path, endpoint, **within(self, options)), len(self.routes))

    def _add(self, route: BaseRoute, place: int) -> None:
        """Put a route among those that there are, here and wherever this router was included."""
        if self.dependency_overrides_provider is not None and not isinstance(route, Host):
            # An app's own: those of callbacks and webhooks have paths of other kinds.
            if route.path and not route.path.startswith("/"):
                from fastweb.dependencies.calls import describe

                owner = describe(getattr(route, "endpoint", route))
                raise DeclarationError(f"the path of {owner} is {route.path!r}; a path begins with a slash")
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

    def add_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
    ) -> None:
        """Add a function of the request, or an ASGI app; see `Route`."""
        route = Route(path, endpoint, methods=methods, name=name, include_in_schema=include_in_schema)
        self._add(route, len(self.routes))

    def route(
        self,
        path: str,
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = False,
        **options: Any,
    ) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of a path. An unannotated parameter called `request`
        is the request, GET stands for HEAD, too, and the API's description leaves it out. A class, such as an
        `HTTPEndpoint`, is an ASGI app.
        """

        def decorate(endpoint: _F) -> _F:
            if not is_function(endpoint):
                self.add_route(path, endpoint, methods, name, include_in_schema)
                return endpoint
            chosen = {method.upper() for method in (methods or ("GET",))}
            if "GET" in chosen:
                chosen.add("HEAD")  # as in Starlette, where this method is from
            options.update(name=name, include_in_schema=include_in_schema, bare_request=True)
            self.add_api_route(path, endpoint, methods=chosen, **options)
            return endpoint

        return decorate

    def add_api_websocket_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        name: str | None = None,
        *,
        dependencies: Sequence[Depends] | None = None,
    ) -> None:
        """Add a WebSocket's route; see `APIWebSocketRoute`."""
        from fastweb.routing.api_websocket import APIWebSocketRoute

        route = APIWebSocketRoute(
            self.prefix + path,
            endpoint,
            name=name,
            dependencies=[*self.dependencies, *(dependencies or ())],
            dependency_overrides_provider=self.dependency_overrides_provider,
        )
        self._add(route, len(self.routes))

    def websocket(
        self, path: str, name: str | None = None, *, dependencies: Sequence[Depends] | None = None
    ) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of WebSockets; see `APIWebSocketRoute`."""

        def decorate(endpoint: _F) -> _F:
            self.add_api_websocket_route(path, endpoint, name, dependencies=dependencies)
            return endpoint

        return decorate

    def add_websocket_route(self, path: str, endpoint: Callable[..., Any], name: str | None = None) -> None:
        """Add a function of the WebSocket, or an ASGI app; see `WebSocketRoute`."""
        from fastweb.routing.websocket import WebSocketRoute

        self._add(WebSocketRoute(path, endpoint, name=name), len(self.routes))

    def websocket_route(self, path: str, name: str | None = None) -> Callable[[_F], _F]:
        """Declare the decorated function of the WebSocket, or a `WebSocketEndpoint`; see `WebSocketRoute`."""

        def decorate(endpoint: _F) -> _F:
            self.add_websocket_route(path, endpoint, name)
            return endpoint

        return decorate

    def mount(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        """Put an app behind a path; see `Mount`."""
        self._add(Mount(path, app=app, name=name), len(self.routes))

    def host(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        """Put an app behind a host name; see `Host`."""
        self._add(Host(host, app=app, name=name), len(self.routes))

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
        callbacks: Sequence[BaseRoute] | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
        generate_unique_id_function: Callable[[Any], str] | DefaultPlaceholder | None = Default(None),
        strict_content_type: bool | DefaultPlaceholder = Default(True),
        max_body_size: int | None = None,
        form_limits: Mapping[str, int] | None = None,
    ) -> None:
        """Add the routes of a router, those that it gets later, too, and its lifespan.

        Arguments:
            router: another one.
            prefix: stands before its own.
            tags, dependencies, responses, callbacks, deprecated, include_in_schema: added to those of its
                routes.
            default_response_class, generate_unique_id_function, strict_content_type, max_body_size,
                form_limits: for its routes that do not say.

        Raises:
            FastWebError: the prefix is not one, the router is or includes this one, or one of its routes has
                neither a prefix nor a path.
        """
        if router is self:
            # FastAPI's words.
            raise DeclarationError(
                "Cannot include the same APIRouter instance into itself. "
                "Did you mean to include a different router?"
            )
        if router._includes(self):
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
            list(callbacks or ()),
            deprecated,
            include_in_schema,
            generate_unique_id_function,
            strict_content_type,
            _checked_size(max_body_size),
            _checked(form_limits),
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
    async def _lifespans(self, app: Any) -> AsyncIterator[dict[str, Any]]:
        """Start up on entry and shut down on exit; the value is what the lifespans yielded, merged.

        A router with a lifespan does not call its `on_startup` and `on_shutdown`, as in FastAPI; those it
        includes do, or have their own. What an outer router yields goes before what an included one does.
        """
        state: dict[str, Any] = {}
        async with AsyncExitStack() as stack:
            if self._lifespan is None:
                await stack.enter_async_context(event_context(self.on_startup, self.on_shutdown))
            else:
                own = lifespan_context(self._lifespan, app)
                state.update(await stack.enter_async_context(own) or {})
            for router in self._included:
                inner = await stack.enter_async_context(router.lifespan_context(app))
                state = {**inner, **state}
            yield await self._enter_inner(stack, app, state)


#: Options of a route that it may leave to what it is in: their names there.
_CHOSEN: Final = {
    "response_class": "default_response_class",
    "generate_unique_id_function": "generate_unique_id_function",
    "strict_content_type": "strict_content_type",
}


def within(outer: APIRouter | Inclusion, options: dict[str, Any]) -> dict[str, Any]:
    """A route's options, with what a router, or the inclusion of one, says of all its routes."""
    chosen = {name: options.get(name, Default(None)) for name in _CHOSEN}
    chosen_size = options.get("max_body_size")
    return {
        **options,
        "tags": [*outer.tags, *(options.get("tags") or ())],
        "dependencies": [*outer.dependencies, *(options.get("dependencies") or ())],
        "responses": {**outer.responses, **(options.get("responses") or {})},
        "callbacks": [*outer.callbacks, *(options.get("callbacks") or ())],
        "deprecated": options.get("deprecated") or outer.deprecated,
        "include_in_schema": options.get("include_in_schema", True) and outer.include_in_schema,
        "form_limits": {**outer.form_limits, **(options.get("form_limits") or {})},
        "max_body_size": outer.max_body_size if chosen_size is None else chosen_size,
        **{
            name: getattr(outer, attribute) if isinstance(chosen[name], DefaultPlaceholder) else chosen[name]
            for name, attribute in _CHOSEN.items()
        },
    }


def _checked(form_limits: Mapping[str, int] | None) -> dict[str, int]:
    if not form_limits:
        return {}
    from fastweb.dependencies.forms import form_limits_of

    return form_limits_of(form_limits)


def _checked_size(max_body_size: int | None) -> int | None:
    if max_body_size is None:
        return None
    from fastweb.middleware.body_limit import validate_max_body_size

    return validate_max_body_size(max_body_size)


def _check_prefix(prefix: str) -> None:
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise FastWebError(f"the prefix {prefix!r} has to begin with a slash, and may not end with one")
