"""The app: routes, error handlers and lifespan as one object, with two doors.

our server   open_stream(stream)              a stream a request, no scope dict, no queues
any other    __call__(scope, receive, send)   an ASGI app; the same streams are made of its scopes
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fastweb._speedups.answer import Dispatcher
from fastweb._speedups.router import FULL, NONE
from fastweb.concurrency import is_async_callable, run_in_threadpool
from fastweb.datastructures import URL, Default, DefaultPlaceholder, State, URLPath
from fastweb.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastweb.exceptions import ClientDisconnect, HTTPException, RequestValidationError
from fastweb.requests import Request
from fastweb.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, send_response
from fastweb.routing import APIRouter, BaseRoute
from fastweb.streams import ASGIStream, without_root
from fastweb.types import Receive, Scope, Send, Stream

if TYPE_CHECKING:
    from fastweb.limits import Limits
    from fastweb.params import Depends

__all__ = ["FastWeb"]

_F = TypeVar("_F", bound=Callable[..., Any])


class FastWeb:
    """An app.

    Arguments:
        debug: show errors' tracebacks to the client; never in production.
        title, summary, description, version, terms_of_service, contact, license_info, openapi_tags, servers:
            for the API's description.
        routes: routes to begin with.
        dependencies: called before every endpoint.
        default_response_class: what answers are made with where the route does not say.
        redirect_slashes: see `APIRouter`.
        lifespan, on_startup, on_shutdown: see `APIRouter`.
        exception_handlers: what answers an exception, by its class or by status code.
        responses, deprecated, include_in_schema: of every route, for the API's description.
        root_path: the path that a proxy takes away before a request reaches the app.
        limits: bounds of the server that `run` starts.

    Attributes:
        state: whatever the app wants to keep.
        dependency_overrides: functions that stand in for dependencies, for tests.
    """

    def __init__(
        self,
        *,
        debug: bool = False,
        title: str = "FastWeb",
        summary: str | None = None,
        description: str = "",
        version: str = "0.1.0",
        terms_of_service: str | None = None,
        contact: Mapping[str, Any] | None = None,
        license_info: Mapping[str, Any] | None = None,
        openapi_tags: Sequence[Mapping[str, Any]] | None = None,
        servers: Sequence[Mapping[str, Any]] | None = None,
        routes: Sequence[BaseRoute] | None = None,
        dependencies: Sequence[Depends] | None = None,
        default_response_class: type[Response] | DefaultPlaceholder = Default(JSONResponse),
        redirect_slashes: bool = True,
        lifespan: Callable[[Any], Any] | None = None,
        on_startup: Sequence[Callable[[], Any]] | None = None,
        on_shutdown: Sequence[Callable[[], Any]] | None = None,
        exception_handlers: Mapping[int | type[Exception], Callable[[Any, Any], Any]] | None = None,
        responses: Mapping[int | str, Any] | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
        root_path: str = "",
        limits: Limits | None = None,
    ) -> None:
        self.debug = debug
        self.title = title
        self.summary = summary
        self.description = description
        self.version = version
        self.terms_of_service = terms_of_service
        self.contact = contact
        self.license_info = license_info
        self.openapi_tags = openapi_tags
        self.servers = servers
        self.root_path = root_path.rstrip("/")
        self.limits = limits
        self.state = State()
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.router = APIRouter(
            routes=routes,
            dependencies=dependencies,
            default_response_class=default_response_class,
            redirect_slashes=redirect_slashes,
            lifespan=lifespan,
            on_startup=on_startup,
            on_shutdown=on_shutdown,
            responses=responses,
            deprecated=deprecated,
            include_in_schema=include_in_schema,
        )
        self.exception_handlers: dict[int | type[Exception], Callable[[Any, Any], Any]] = {
            HTTPException: http_exception_handler,
            RequestValidationError: request_validation_exception_handler,
            **(exception_handlers or {}),
        }
        self._lifespan_state: dict[str, Any] = {}
        self._dispatcher = Dispatcher(self)
        self.open_stream = self._dispatcher.open

    # Declaring: the router's own methods, and error handlers

    @property
    def routes(self) -> list[BaseRoute]:
        """All routes, in the order in which they are tried."""
        return self.router.routes

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route; the options are those of `APIRoute`."""
        self.router.add_api_route(path, endpoint, **options)

    def api_route(
        self, path: str, *, methods: Collection[str] | None = None, **options: Any
    ) -> Callable[[_F], _F]:
        """Declare the decorated function as an endpoint; the options are those of `APIRoute`."""
        return self.router.api_route(path, methods=methods, **options)

    def route(self, path: str, methods: Collection[str] | None = None, **options: Any) -> Callable[[_F], _F]:
        """The same, where an unannotated parameter called `request` is the request."""
        return self.router.route(path, methods, **options)

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

    def exception_handler(self, key: int | type[Exception]) -> Callable[[_F], _F]:
        """Declare the decorated function (request, exception) -> response to answer an exception.

        Arguments:
            key: the exception's class, which stands for its subclasses, too, or a status code.
        """

        def decorate(handler: _F) -> _F:
            self.add_exception_handler(key, handler)
            return handler

        return decorate

    def add_exception_handler(self, key: int | type[Exception], handler: Callable[[Any, Any], Any]) -> None:
        """Answer an exception with a function; see `exception_handler`."""
        self.exception_handlers[key] = handler

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of the route of that name; see `APIRouter.url_path_for`."""
        return self.router.url_path_for(name, **path_params)

    # Our server's door: fastweb.types.StreamApp; open_stream is the dispatcher's

    def wants_head(self, stream: Stream) -> bool:
        """Whether the endpoint is to be called before the body is here: it takes the request, and may read it
        in pieces.
        """
        status, route, _ = self._dispatcher.find(stream)
        return status != FULL or not route.plan.has_body

    def undispatched(self, stream: Stream, found: tuple[int, Any, Any]) -> Coroutine[Any, Any, None]:
        """What answers a stream that no route takes."""
        status, route, params = found
        request = Request.from_stream(stream, self, route, params)
        return self._not_found(request, stream, status, route, self.path_within(stream.path))

    def path_within(self, path: str) -> str:
        """What routes see of a path."""
        return without_root(path, self.root_path)

    async def _not_found(self, request: Request, stream: Stream, status: int, route: Any, path: str) -> None:
        if status != NONE:
            error = HTTPException(405, headers={"Allow": ", ".join(sorted(route.methods))})
        else:
            other = self.router.other_slash(stream.method, path)
            if other is not None:
                url = request.url
                await send_response(RedirectResponse(url.replace(path=_same_side(url, path, other))), stream)
                return
            error = HTTPException(404)
        await self.handle_exception(request, stream, error)

    async def handle_exception(self, request: Request, stream: Stream, error: Exception) -> None:
        """Answer an exception that an endpoint, or what stands before it, has raised.

        What a handler raises may be answered by a handler, too, once: FastAPI has two places that catch, one
            within the other.

        Raises:
            Exception: the same, where nothing handles it: the client has had its 500, and whoever runs this
                is to log it.
        """
        for _ in range(2):
            handler = self._handler_of(error)
            if handler is None:
                break
            if stream.started:
                raise RuntimeError("Caught handled exception, but response already started.") from error
            try:
                response = await _handled(handler, request, error)
                if response is not None:
                    await send_response(response, stream)
            except Exception as another:
                error = another
                continue
            # Exceptions that are raised again and again would gather tracebacks.
            error.__traceback__ = None
            return
        if not stream.started and not isinstance(error, ClientDisconnect):
            await self._server_error(request, stream, error)
        raise error

    def _handler_of(self, error: Exception) -> Callable[[Any, Any], Any] | None:
        """What answers an exception. Those for 500 and Exception do not: they say what a 500 looks like."""
        handlers = self.exception_handlers
        if isinstance(error, HTTPException) and error.status_code in handlers and error.status_code != 500:
            return handlers[error.status_code]
        for cls in type(error).__mro__:
            if cls in handlers and cls is not Exception:
                return handlers[cls]
        return None

    async def _server_error(self, request: Request, stream: Stream, error: Exception) -> None:
        """The answer to what nothing handles."""
        handler = self.exception_handlers.get(500) or self.exception_handlers.get(Exception)
        response: Any
        if handler is not None:
            response = await _handled(handler, request, error)
        elif self.debug:
            import traceback  # not loaded with every app

            response = PlainTextResponse("".join(traceback.format_exception(error)), status_code=500)
        else:
            response = PlainTextResponse("Internal Server Error", status_code=500)
        await send_response(response, stream)

    def complete_scope(self, scope: Scope, route: Any, path_params: dict[str, Any] | None) -> None:
        """Add to a stream's ASGI scope what the app knows of it."""
        scope["app"] = self
        scope["router"] = self.router
        scope["path_params"] = path_params if path_params is not None else {}
        if self.root_path and not scope.get("root_path"):
            scope["root_path"] = self.root_path
        scope.setdefault("state", dict(self._lifespan_state))
        if route is not None:
            scope["route"] = route
            scope["endpoint"] = route.endpoint

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[dict[str, Any]]:
        """Start-up on entry, shut-down on exit; the value is the state that each request gets a copy of."""
        async with self.router.lifespan_context(self) as state:
            self._lifespan_state = state
            yield state

    # The other door: ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app as an ASGI 3 app."""
        if scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._serve_lifespan(scope, receive, send)
        elif scope["type"] == "websocket":
            # No route takes a WebSocket yet: it is refused, as one to an unknown path will be.
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            raise ValueError(f"an app has no connections of the type {scope['type']!r}")

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.root_path:
            scope["root_path"] = self.root_path
        stream = ASGIStream(scope, receive, send)
        path = without_root(stream.path, scope.get("root_path", ""))
        status, route, params = self.router.match(stream.method, path)
        self.complete_scope(scope, route, params)
        request = Request.from_stream(stream, self, route, params)
        request.scope = scope
        try:
            if status == FULL:
                await route.general(self, request, stream)
            else:
                await self._not_found(request, stream, status, route, path)
        except ClientDisconnect:
            if not stream.disconnected:
                raise
        finally:
            await stream.drain()

    async def _serve_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        await receive()
        try:
            async with self.lifespan() as state:
                if state:
                    if "state" not in scope:
                        raise RuntimeError("this server does not support a lifespan with a state")
                    scope["state"].update(state)
                await send({"type": "lifespan.startup.complete"})
                started = True
                await receive()
        except BaseException:
            import traceback

            phase = "shutdown" if started else "startup"
            await send({"type": f"lifespan.{phase}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    def run(self, host: str = "127.0.0.1", port: int = 8000, **options: Any) -> None:
        """Serve this app until SIGINT or SIGTERM.

        Arguments:
            host, port: the address to listen on.
            options: those of `fastweb.server.run`: workers (one by default, since small apps keep state in a
                list), reload, access_log, log_level, and every bound of `Limits` by its name.
        """
        from fastweb.server import run

        run(self, host=host, port=port, **options)


async def _handled(handler: Callable[[Any, Any], Any], request: Request, error: Exception) -> Any:
    if is_async_callable(handler):
        return await handler(request, error)
    return await run_in_threadpool(handler, request, error)


def _same_side(url: URL, path: str, other: str) -> str:
    """The URL's path (percent-encoded, with what stands before the route's) with its last slash as the other
    path has it.
    """
    return url.path + "/" if other.endswith("/") and not path.endswith("/") else url.path.rstrip("/")
