"""The app: routes, middleware, error handlers and lifespan as one object, with two doors.

our server   open_stream(stream)              a stream a request, no scope dict, no queues
any other    __call__(scope, receive, send)   an ASGI app

Where nothing stands around the router but the handling of errors, a route is called straight away, by either
door. Else the request goes through the middleware, each an ASGI app around the next, to the router within:

    ServerErrorMiddleware( the body's limit( the user's …( ExceptionMiddleware( router ) ) ) )
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from fastweb._speedups.answer import Dispatcher
from fastweb._speedups.router import FULL
from fastweb.asgi import exchange_of, scope_of
from fastweb.concurrency import call_function
from fastweb.datastructures import Default, DefaultPlaceholder, State, URLPath
from fastweb.exception_handlers import (
    find_exception_handler,
    http_exception_handler,
    request_validation_exception_handler,
    sort_exception_handlers,
    websocket_request_validation_exception_handler,
)
from fastweb.exceptions import (
    ClientDisconnect,
    DeclarationError,
    RequestValidationError,
    StarletteHTTPException,
    WebSocketException,
    WebSocketRequestValidationError,
)
from fastweb.paths import get_route_path, without_root
from fastweb.requests import Request
from fastweb.resources import resources
from fastweb.responses import JSONResponse, PlainTextResponse, Response, send_response
from fastweb.routing.api_router import APIRouter
from fastweb.routing.base import BaseRoute
from fastweb.routing.route import Route
from fastweb.routing.router import Router
from fastweb.streams import ASGIStream
from fastweb.types import ASGIApp, Receive, Scope, Send, Stream, WebSocketStream

if TYPE_CHECKING:
    from fastweb.limits import Limits
    from fastweb.middleware import Middleware
    from fastweb.params import Depends
    from fastweb.websockets import WebSocket

__all__ = ["App", "Application", "FastAPI", "FastWeb"]

_F = TypeVar("_F", bound=Callable[..., Any])


class Application:
    """An app of routes and middleware, and no more: what Starlette's is.

    Arguments:
        debug: show errors' tracebacks to the client; never in production.
        routes: to begin with.
        middleware: around the router, the outermost first.
        exception_handlers: what answers an exception, by its class or by status code.
        lifespan: a function of the app that gives an async context manager: entered at start-up, left at
            shut-down.
        max_body_size: bytes; a larger body is answered with 413.

    Attributes:
        state: whatever the app wants to keep.
    """

    router: Router

    def __init__(
        self,
        debug: bool = False,
        routes: Sequence[BaseRoute] | None = None,
        middleware: Sequence[Middleware] | None = None,
        exception_handlers: Mapping[Any, Callable[[Any, Any], Any]] | None = None,
        lifespan: Callable[[Any], Any] | None = None,
        *,
        max_body_size: int | None = None,
    ) -> None:
        self._begin(Router(routes, lifespan=lifespan), debug, middleware, exception_handlers, max_body_size)

    def _begin(
        self,
        router: Router,
        debug: bool,
        middleware: Sequence[Middleware] | None,
        exception_handlers: Mapping[Any, Callable[[Any, Any], Any]] | None,
        max_body_size: int | None,
    ) -> None:
        self.router = router
        self.debug = debug
        self.state = State()
        if max_body_size is not None:
            from fastweb.middleware.body_limit import validate_max_body_size

            validate_max_body_size(max_body_size)
        self.max_body_size = max_body_size
        self.exception_handlers: dict[Any, Callable[[Any, Any], Any]] = dict(exception_handlers or {})
        self.user_middleware: list[Middleware] = list(middleware or ())
        self.middleware_stack: ASGIApp | None = None
        self._lifespan_state: dict[str, Any] = {}

    @property
    def routes(self) -> list[BaseRoute]:
        """All routes, in the order in which they are tried."""
        return self.router.routes

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of the route of that name; see `Router.url_path_for`."""
        return self.router.url_path_for(name, **path_params)

    # Declaring

    def mount(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        """Put an app behind a path; see `fastweb.routing.Mount`."""
        self.router.mount(path, app, name)

    def host(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        """Put an app behind a host name; see `fastweb.routing.Host`."""
        self.router.host(host, app, name)

    def add_route(
        self,
        path: str,
        route: Callable[..., Any],
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
    ) -> None:
        """Add a function of the request, or an ASGI app; see `fastweb.routing.Route`."""
        self.router.add_route(path, route, methods, name, include_in_schema)

    def add_websocket_route(self, path: str, route: Callable[..., Any], name: str | None = None) -> None:
        """Add a function of the WebSocket, or an ASGI app; see `fastweb.routing.WebSocketRoute`."""
        self.router.add_websocket_route(path, route, name)

    def add_middleware(self, middleware_class: Any, *args: Any, **kwargs: Any) -> Any:
        """Put a middleware around all that there are.

        Arguments:
            middleware_class: makes an ASGI app around another one, with these arguments; or a function
                (request, call_next) or (req, res): see `fastweb.middleware.stack.middleware_of`.

        Returns:
            the first argument, so that it may stand as a decorator.

        Raises:
            RuntimeError: the app has begun to answer.
        """
        from fastweb.middleware.stack import middleware_of

        if self.middleware_stack is not None:
            raise RuntimeError("Cannot add middleware after an application has started")
        self.user_middleware.insert(0, middleware_of(middleware_class, *args, **kwargs))
        return middleware_class

    def add_exception_handler(
        self, exc_class_or_status_code: int | type[Exception], handler: Callable[[Any, Any], Any]
    ) -> None:
        """Answer an exception with a function (request, exception) -> response.

        Arguments:
            exc_class_or_status_code: the exception's class, which stands for its subclasses, too, or a status
                code.
        """
        self.exception_handlers[exc_class_or_status_code] = handler

    # Answering

    def build_middleware_stack(self) -> ASGIApp:
        """The router with everything around it."""
        from fastweb.middleware.stack import build_middleware_stack

        return build_middleware_stack(
            self.router,
            middleware=self.user_middleware,
            exception_handlers=self.exception_handlers,
            debug=self.debug,
            max_body_size=self.max_body_size,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app as an ASGI 3 app."""
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    # Our server's door: fastweb.types.StreamApp

    def open_stream(self, stream: Any) -> Any:
        """Take a request; what is returned answers it."""
        return self._answer(stream)

    def wants_head(self, stream: Stream) -> bool:
        """Whether the request is to be taken before its body is here: what is behind middleware may read it
        in pieces.
        """
        return True

    async def _answer(self, stream: Stream) -> None:
        scope = scope_of(stream)
        scope.setdefault("state", dict(self._lifespan_state))
        if not self.user_middleware and not isinstance(stream, ASGIStream):
            # Middleware may look into the pieces of a body, and know nothing of files.
            scope["extensions"]["http.response.zerocopysend"] = {}
        await self(scope, *exchange_of(stream))

    def open_websocket(self, stream: WebSocketStream) -> Coroutine[Any, Any, None]:
        """Take a WebSocket; what is returned lasts as long as it does."""
        return self._answer_websocket(stream)

    async def _answer_websocket(self, stream: WebSocketStream) -> None:
        # Who never has a WebSocket need not load it.
        from fastweb.asgi_websocket import WebSocketExchange, websocket_scope_of
        from fastweb.websockets import WebSocketDisconnect

        scope = websocket_scope_of(stream)
        scope["state"] = dict(self._lifespan_state)
        exchange = WebSocketExchange(stream)
        try:
            await self._converse(scope, exchange.receive, exchange.send)
        except WebSocketDisconnect:
            # A client that leaves is no error, though the endpoint did not catch it.
            if not stream.closed:
                raise

    def _converse(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a WebSocket: as an ASGI app does, where there is no shorter way."""
        return self(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[dict[str, Any]]:
        """Start-up on entry, shut-down on exit; the value is the state that each request gets a copy of.

        Raises:
            ResourceError: a pool, or the like, cannot be opened.
        """
        async with resources.with_app(), self.router.lifespan_context(self) as state:
            self._lifespan_state = dict(state or {})
            await resources.open_all()
            yield self._lifespan_state


class FastWeb(Application):
    """An app.

    Arguments:
        debug: show errors' tracebacks to the client; never in production.
        title, summary, description, version, terms_of_service, contact, license_info, openapi_tags, servers,
            openapi_external_docs: for the API's description.
        openapi_url: where the API's description is; None for nowhere, which leaves out the pages, too.
        docs_url, redoc_url: where the pages of Swagger UI and ReDoc are; None for nowhere.
        swagger_ui_oauth2_redirect_url: where an OAuth2 server sends the browser back to Swagger UI.
        swagger_ui_init_oauth, swagger_ui_parameters: see `fastweb.openapi.docs.get_swagger_ui_html`.
        webhooks: a router whose routes describe what the app sends to others.
        separate_input_output_schemas: describe a model twice where what it accepts is not what it puts out.
        root_path, root_path_in_servers: the path that a proxy takes away before a request reaches the app,
            and whether it is named among the API's servers.
        routes, dependencies, default_response_class, redirect_slashes, lifespan, on_startup, on_shutdown,
            responses, callbacks, deprecated, include_in_schema, generate_unique_id_function,
            strict_content_type, form_limits: see `APIRouter`.
        middleware, exception_handlers, max_body_size: see `Application`.
        limits: bounds of the server that `run` starts.
        compression: compress answers, see `fastweb.middleware.gzip.GZipMiddleware`.
        extra: defaults of `run`, such as host, port or workers; others are kept in `extra` for whoever asks.

    Raises:
        FastWebError: the API's description has no title or no version.

    Attributes:
        dependency_overrides: functions that stand in for dependencies, for tests.
    """

    router: APIRouter
    default_title = "FastWeb"

    def __init__(
        self,
        *,
        debug: bool = False,
        routes: Sequence[BaseRoute] | None = None,
        title: str | None = None,
        summary: str | None = None,
        description: str = "",
        version: str = "0.1.0",
        openapi_url: str | None = "/openapi.json",
        openapi_tags: Sequence[Mapping[str, Any]] | None = None,
        servers: Sequence[Mapping[str, Any]] | None = None,
        dependencies: Sequence[Depends] | None = None,
        default_response_class: type[Response] | DefaultPlaceholder = Default(JSONResponse),
        redirect_slashes: bool = True,
        docs_url: str | None = "/docs",
        redoc_url: str | None = "/redoc",
        swagger_ui_oauth2_redirect_url: str | None = "/docs/oauth2-redirect",
        swagger_ui_init_oauth: dict[str, Any] | None = None,
        middleware: Sequence[Middleware] | None = None,
        exception_handlers: Mapping[Any, Callable[[Any, Any], Any]] | None = None,
        on_startup: Sequence[Callable[[], Any]] | None = None,
        on_shutdown: Sequence[Callable[[], Any]] | None = None,
        lifespan: Callable[[Any], Any] | None = None,
        terms_of_service: str | None = None,
        contact: Mapping[str, Any] | None = None,
        license_info: Mapping[str, Any] | None = None,
        openapi_prefix: str = "",
        root_path: str = "",
        root_path_in_servers: bool = True,
        responses: Mapping[int | str, Any] | None = None,
        callbacks: Sequence[BaseRoute] | None = None,
        webhooks: APIRouter | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
        swagger_ui_parameters: dict[str, Any] | None = None,
        generate_unique_id_function: Callable[[Any], str] | DefaultPlaceholder | None = Default(None),
        separate_input_output_schemas: bool = True,
        openapi_external_docs: Mapping[str, Any] | None = None,
        strict_content_type: bool = True,
        max_body_size: int | None = None,
        form_limits: Mapping[str, int] | None = None,
        limits: Limits | None = None,
        compression: bool = False,
        **extra: Any,
    ) -> None:
        router = APIRouter(
            routes=routes,
            dependencies=dependencies,
            default_response_class=default_response_class,
            redirect_slashes=redirect_slashes,
            dependency_overrides_provider=self,
            on_startup=on_startup,
            on_shutdown=on_shutdown,
            lifespan=lifespan,
            responses=responses,
            callbacks=callbacks,
            deprecated=deprecated,
            include_in_schema=include_in_schema,
            generate_unique_id_function=generate_unique_id_function,
            strict_content_type=strict_content_type,
            form_limits=form_limits,
        )
        self._begin(router, debug, middleware, exception_handlers, max_body_size)
        self.title = self.default_title if title is None else title
        self.summary = summary
        self.description = description
        self.version = version
        self.terms_of_service = terms_of_service
        self.contact = contact
        self.license_info = license_info
        self.openapi_url = openapi_url
        self.openapi_tags = openapi_tags
        self.openapi_external_docs = openapi_external_docs
        self.openapi_version = "3.1.0"
        self.openapi_schema: dict[str, Any] | None = None
        self._described_routes = 0
        self.docs_url = docs_url
        self.redoc_url = redoc_url
        self.swagger_ui_oauth2_redirect_url = swagger_ui_oauth2_redirect_url
        self.swagger_ui_init_oauth = swagger_ui_init_oauth
        self.swagger_ui_parameters = swagger_ui_parameters
        self.servers = list(servers or ())
        self.separate_input_output_schemas = separate_input_output_schemas
        self.webhooks = webhooks or APIRouter()
        self.root_path = (root_path or openapi_prefix).rstrip("/")
        self.root_path_in_servers = root_path_in_servers
        self.limits = limits
        self.extra = extra
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        for cls, handler in (
            (StarletteHTTPException, http_exception_handler),
            (RequestValidationError, request_validation_exception_handler),
            (WebSocketRequestValidationError, websocket_request_validation_exception_handler),
        ):
            self.exception_handlers.setdefault(cls, handler)
        if compression:
            from fastweb.middleware.gzip import GZipMiddleware

            self.add_middleware(GZipMiddleware)
        self._dispatcher = Dispatcher(self)
        self.open_stream = self._dispatcher.open  # type: ignore[method-assign]
        self.setup()

    # The API's description

    def setup(self) -> None:
        """Add the routes of the API's description and of the pages that show it."""
        if not self.openapi_url:
            return
        if not self.title or not self.version:
            raise DeclarationError("an API has a title and a version; or say openapi_url=None")
        from fastweb.openapi.pages import documentation_pages

        for path, endpoint in documentation_pages(self):
            self.router.routes.append(Route(path, endpoint, include_in_schema=False))

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once, and again where routes were added; kept in `openapi_schema`.

        An app may put another function in its place.
        """
        from fastweb.openapi.utils import get_openapi  # who never asks for it need not load it

        count = len(self.routes)
        if not self.openapi_schema or self._described_routes != count:
            self.openapi_schema = get_openapi(
                title=self.title,
                version=self.version,
                openapi_version=self.openapi_version,
                summary=self.summary,
                description=self.description,
                routes=self.routes,
                webhooks=self.webhooks.routes,
                tags=self.openapi_tags,
                servers=self.servers,
                terms_of_service=self.terms_of_service,
                contact=self.contact,
                license_info=self.license_info,
                separate_input_output_schemas=self.separate_input_output_schemas,
                external_docs=self.openapi_external_docs,
            )
            self._described_routes = count
        return self.openapi_schema

    # Declaring: the router's own methods, and error handlers

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route; the options are those of `APIRoute`."""
        self.router.add_api_route(path, endpoint, **options)

    def api_route(
        self, path: str, *, methods: Collection[str] | None = None, **options: Any
    ) -> Callable[[_F], _F]:
        """Declare the decorated function as an endpoint; the options are those of `APIRoute`."""
        return self.router.api_route(path, methods=methods, **options)

    def route(
        self,
        path: str,
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = False,
        **options: Any,
    ) -> Callable[[_F], _F]:
        """The same, where an unannotated parameter called `request` is the request; see `APIRouter.route`."""
        return self.router.route(path, methods, name, include_in_schema, **options)

    def websocket(
        self, path: str, name: str | None = None, *, dependencies: Sequence[Depends] | None = None
    ) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of WebSockets; see
        `fastweb.routing.APIWebSocketRoute`.
        """
        return self.router.websocket(path, name, dependencies=dependencies)

    def websocket_route(self, path: str, name: str | None = None) -> Callable[[_F], _F]:
        """Declare the decorated function of the WebSocket, or a `WebSocketEndpoint`."""
        return self.router.websocket_route(path, name)

    def add_api_websocket_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        name: str | None = None,
        *,
        dependencies: Sequence[Depends] | None = None,
    ) -> None:
        """Add a WebSocket's route; see `fastweb.routing.APIWebSocketRoute`."""
        self.router.add_api_websocket_route(path, endpoint, name, dependencies=dependencies)

    def get(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of GET; the options are those of `APIRoute`."""
        return self.router.get(path, **options)

    def post(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of POST."""
        return self.router.post(path, **options)

    def put(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of PUT."""
        return self.router.put(path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of PATCH."""
        return self.router.patch(path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of DELETE."""
        return self.router.delete(path, **options)

    def head(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of HEAD."""
        return self.router.head(path, **options)

    def options(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of OPTIONS."""
        return self.router.options(path, **options)

    def trace(self, path: str, **options: Any) -> Callable[[_F], _F]:
        """Declare the decorated function as the endpoint of TRACE."""
        return self.router.trace(path, **options)

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Add the routes of a router; see `APIRouter.include_router`."""
        self.router.include_router(router, **options)

    def on_event(self, event: str) -> Callable[[_F], _F]:
        """Declare the decorated function to be called at "startup" or "shutdown"."""
        return self.router.on_event(event)

    def add_event_handler(self, event: str, function: Callable[[], Any]) -> None:
        """Call a function at "startup" or "shutdown"."""
        self.router.add_event_handler(event, function)

    def middleware(self, middleware_type: str) -> Callable[[_F], _F]:
        """Declare the decorated function (request, call_next) -> response as middleware.

        Arguments:
            middleware_type: "http", there is no other.
        """

        def decorate(function: _F) -> _F:
            from fastweb.middleware.base import BaseHTTPMiddleware

            self.add_middleware(BaseHTTPMiddleware, dispatch=function)
            return function

        return decorate

    def exception_handler(self, key: int | type[Exception]) -> Callable[[_F], _F]:
        """Declare the decorated function (request, exception) -> response to answer an exception.

        Arguments:
            key: the exception's class, which stands for its subclasses, too, or a status code.
        """

        def decorate(handler: _F) -> _F:
            self.add_exception_handler(key, handler)
            return handler

        return decorate

    # Answering

    def build_middleware_stack(self) -> ASGIApp:
        """The router with everything around it."""
        from fastweb.middleware import Middleware
        from fastweb.middleware.asyncexitstack import AsyncExitStackMiddleware
        from fastweb.middleware.stack import build_middleware_stack

        return build_middleware_stack(
            self.router,
            middleware=self.user_middleware,
            exception_handlers=self.exception_handlers,
            debug=self.debug,
            max_body_size=self.max_body_size,
            inner=[Middleware(AsyncExitStackMiddleware)],
        )

    def is_direct(self) -> bool:
        """Whether nothing stands around the router but the handling of errors."""
        return not (
            self.user_middleware
            or self.debug
            or self.max_body_size is not None
            or self.router.middleware_stack != self.router.app
            or type(self).build_middleware_stack is not FastWeb.build_middleware_stack
            or type(self).__call__ is not FastWeb.__call__
            or "build_middleware_stack" in self.__dict__
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app as an ASGI 3 app."""
        if self.root_path:
            scope["root_path"] = self.root_path
        if scope["type"] == "http" and self.is_direct():
            status, route, params = self.router.match(scope["method"], get_route_path(scope))
            if status == FULL and route.operation is not None:
                await self._answer_directly(scope, receive, send, route, params)
                return
        await super().__call__(scope, receive, send)

    async def _answer_directly(
        self, scope: Scope, receive: Receive, send: Send, route: Any, params: dict[str, Any] | None
    ) -> None:
        stream = ASGIStream(scope, receive, send)
        params = {**scope.get("path_params", {}), **(params or {})}
        self.complete_scope(scope, route, params)
        request = Request.from_stream(stream, self, route, params)
        request.scope = scope
        try:
            await route.general(self, request, stream)
        except ClientDisconnect:
            if not stream.disconnected:
                raise
        finally:
            await stream.drain()

    def _converse(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        from fastweb.routing.api_websocket import APIWebSocketRoute
        from fastweb.websockets import WebSocket

        if self.is_direct():
            if self.root_path:
                scope["root_path"] = self.root_path
            scope["app"] = self
            route, child_scope = self.router.find(scope)
            if isinstance(route, APIWebSocketRoute) and route.is_plain():
                scope["router"] = self.router
                scope["route"] = route
                scope.update(child_scope)
                return route.converse(self, WebSocket(scope, receive, send))
        return self(scope, receive, send)

    async def handle_websocket_exception(self, websocket: WebSocket, error: Exception) -> None:
        """Answer an exception that a WebSocket's endpoint, or what stands before it, has raised; see
        `handle_exception`.

        Raises:
            Exception: the same, where nothing handles it.
        """
        by_class, by_status, _ = sort_exception_handlers(self.exception_handlers)
        by_class.setdefault(WebSocketException, _close_websocket)
        for _ in range(2):
            handler = find_exception_handler(error, by_class, by_status)
            if handler is None:
                break
            try:
                response = await call_function(handler, websocket, error)
                if response is not None:
                    await response(websocket.scope, websocket.receive, websocket.send)
            except Exception as another:
                error = another
                continue
            error.__traceback__ = None
            return
        raise error

    def undispatched(self, stream: Stream) -> Coroutine[Any, Any, None]:
        """What answers a stream that no route takes directly."""
        return self._answer(stream)

    def path_within(self, path: str) -> str:
        """What routes see of a path."""
        return without_root(path, self.root_path)

    def wants_head(self, stream: Stream) -> bool:
        """Whether the endpoint is to be called before the body is here: it takes the request, and may read it
        in pieces, or a form, which goes to disk.
        """
        status, route, _ = self._dispatcher.find(stream)
        if status != FULL or route.operation is None or not self.is_direct():
            return True
        return not route.plan.has_body or bool(route.plan.reads_form)

    async def handle_exception(self, request: Request, stream: Stream, error: Exception) -> None:
        """Answer an exception that an endpoint, or what stands before it, has raised.

        What a handler raises may be answered by a handler, too, once: FastAPI has two places that catch, one
        within the other.

        Raises:
            Exception: the same, where nothing handles it: the client has had its 500, and whoever runs this
                is to log it.
        """
        by_class, by_status, server_error = sort_exception_handlers(self.exception_handlers)
        for _ in range(2):
            handler = find_exception_handler(error, by_class, by_status)
            if handler is None:
                break
            if stream.started:
                raise RuntimeError("Caught handled exception, but response already started.") from error
            try:
                response = await call_function(handler, request, error)
                if response is not None:
                    await send_response(response, stream)
            except Exception as another:
                error = another
                continue
            # Exceptions that are raised again and again would gather tracebacks.
            error.__traceback__ = None
            return
        if not stream.started and not isinstance(error, ClientDisconnect):
            if server_error is None:
                response = PlainTextResponse("Internal Server Error", status_code=500)
            else:
                response = await call_function(server_error, request, error)
            await send_response(response, stream)
        raise error

    def complete_scope(self, scope: Scope, route: Any, path_params: dict[str, Any] | None) -> None:
        """Add to a stream's ASGI scope what the app knows of it."""
        scope["app"] = self
        scope.setdefault("router", self.router)
        scope["path_params"] = path_params if path_params is not None else {}
        if self.root_path and not scope.get("root_path"):
            scope["root_path"] = self.root_path
        scope.setdefault("state", dict(self._lifespan_state))
        if route is not None:
            scope["route"] = route
            scope["endpoint"] = route.endpoint

    def run(self, host: str | None = None, port: int | None = None, **options: Any) -> None:
        """Serve this app until SIGINT or SIGTERM.

        Arguments:
            host, port: the address to listen on; by default what the app was made with, else 127.0.0.1:8000.
            options: those of `fastweb.server.run`: workers (one by default, since small apps keep state in a
                list), reload, access_log, log_level, and every bound of `Limits` by its name.
        """
        from fastweb.server import run, run_options

        given = {"host": host, "port": port, **options}
        chosen = {name: value for name, value in given.items() if value is not None}
        run(self, **{**run_options(self.extra), **chosen})


async def _close_websocket(websocket: WebSocket, exc: WebSocketException) -> None:
    await websocket.close(code=exc.code, reason=exc.reason)


#: Its other names: short, and the one that apps bring along.
App: TypeAlias = FastWeb
FastAPI: TypeAlias = FastWeb
