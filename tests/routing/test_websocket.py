import functools
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Annotated, Any

import pytest

from fastweb import APIRouter, Body, Cookie, Depends, FastWeb, Header, HTTPException, Query, WebSocket
from fastweb.endpoints import WebSocketEndpoint
from fastweb.exceptions import FastWebError, WebSocketException, WebSocketRequestValidationError
from fastweb.middleware import Middleware
from fastweb.requests import HTTPConnection
from fastweb.responses import PlainTextResponse
from fastweb.routing import APIWebSocketRoute, WebSocketRoute
from fastweb.testclient import TestClient, WebSocketDenialResponse
from fastweb.types import ASGIApp, Message, Receive, Scope, Send
from fastweb.websockets import BlockingWebSocket, WebSocketDisconnect


def asked(app: FastWeb, url: str, **options: Any) -> Any:
    """What a WebSocket sends first, as JSON."""
    with TestClient(app).websocket_connect(url, **options) as session:
        return session.receive_json()


def refused(app: FastWeb, url: str, **options: Any) -> WebSocketDisconnect:
    with pytest.raises(WebSocketDisconnect) as caught, TestClient(app).websocket_connect(url, **options):
        pass
    return caught.value


async def say(websocket: WebSocket, value: Any) -> None:
    await websocket.accept()
    await websocket.send_json(value)
    await websocket.close()


# Paths


def test_paths() -> None:
    app = FastWeb()
    router = APIRouter(prefix="/router")

    @app.websocket("/")
    async def root(websocket: WebSocket) -> None:
        await say(websocket, "root")

    @app.websocket("/int/{number:int}")
    async def number(websocket: WebSocket, number: int) -> None:
        await say(websocket, [number, websocket.path_params])

    @router.websocket("/files/{path:path}", name="file")
    async def path(websocket: WebSocket, path: str) -> None:
        await say(websocket, path)

    app.include_router(router, prefix="/outer")
    assert asked(app, "/") == "root"
    assert asked(app, "/int/3") == [3, {"number": 3}]
    assert asked(app, "/outer/router/files/a/b.txt") == "a/b.txt"
    for url in ("/nothing", "/int/three", "/int/3/"):
        assert refused(app, url).code == 1000
    assert app.url_path_for("file", path="a/b") == "/outer/router/files/a/b"
    assert str(app.url_path_for("root").make_absolute_url("http://h.example")) == "ws://h.example/"


def test_an_http_request_is_not_for_it_nor_a_websocket_for_a_path_of_http() -> None:
    app = FastWeb()

    @app.websocket("/ws")
    async def endpoint(websocket: WebSocket) -> None:
        await say(websocket, "hello")

    @app.get("/http")
    async def http() -> str:
        return "hello"

    assert TestClient(app).get("/ws").status_code == 404
    assert refused(app, "/http").code == 1000


# Parameters and dependencies


def test_parameters_come_from_everywhere_but_a_body() -> None:
    app = FastWeb()

    @app.websocket("/{item}")
    async def endpoint(
        websocket: WebSocket,
        item: str,
        limit: int = 10,
        tags: Annotated[list[str] | None, Query(alias="tag")] = None,
        x_token: Annotated[str | None, Header()] = None,
        session: Annotated[str | None, Cookie()] = None,
    ) -> None:
        await say(websocket, [item, limit, tags, x_token, session])

    assert asked(app, "/a") == ["a", 10, None, None, None]
    assert asked(app, "/a?limit=3&tag=b&tag=c", headers={"X-Token": "t", "Cookie": "session=s"}) == [
        "a",
        3,
        ["b", "c"],
        "t",
        "s",
    ]


@pytest.mark.parametrize("name", ["websocket", "ws", "socket"])
def test_an_unannotated_websocket(name: str) -> None:
    app = FastWeb()
    names: dict[str, Any] = {"say": say}
    exec(f"async def endpoint({name}, q: int): await say({name}, q)", names)
    app.websocket("/")(names["endpoint"])
    assert asked(app, "/?q=1") == 1


def test_dependencies_in_order() -> None:
    calls: list[str] = []

    def noting(name: str) -> Any:
        return Depends(lambda: calls.append(name))

    app = FastWeb(dependencies=[noting("app")])
    router = APIRouter(dependencies=[noting("router")])

    @router.websocket("/", dependencies=[noting("route")])
    async def endpoint(websocket: WebSocket, own: Annotated[None, noting("own")]) -> None:
        await say(websocket, calls)

    app.include_router(router, dependencies=[noting("inclusion")])
    assert asked(app, "/") == ["app", "inclusion", "router", "route", "own"]


def test_dependencies_may_take_the_websocket() -> None:
    app = FastWeb()

    def path_of(connection: HTTPConnection) -> str:
        return str(connection["path"])

    async def protocols_of(websocket: WebSocket) -> list[str]:
        return websocket["subprotocols"]  # type: ignore[no-any-return]

    @app.websocket("/a")
    async def endpoint(
        websocket: WebSocket,
        path: Annotated[str, Depends(path_of)],
        offered: list[str] = Depends(protocols_of),
    ) -> None:
        await say(websocket, [path, offered])

    assert asked(app, "/a", subprotocols=["soap"]) == ["/a", ["soap"]]


@pytest.mark.parametrize("plain", [True, False])
def test_dependencies_end_with_the_endpoint(plain: bool) -> None:
    app = FastWeb()
    events: list[str] = []
    value = ContextVar("value", default="unset")

    async def outer() -> AsyncIterator[str]:
        value.set("set")
        try:
            yield "o"
        finally:
            events.append("outer ended")

    def inner(o: Annotated[str, Depends(outer)]) -> Iterator[str]:
        try:
            yield o + "i"
        except WebSocketDisconnect as error:
            events.append(f"inner saw {error.code}")
            raise
        finally:
            events.append("inner ended")

    Inner = Annotated[str, Depends(inner)]

    async def endpoint(websocket: WebSocket, i: Inner) -> None:
        await websocket.accept()
        await websocket.send_json([i, value.get(), events])
        await websocket.receive_text()

    def plain_endpoint(websocket: BlockingWebSocket, i: Inner) -> None:
        websocket.accept()
        websocket.send_json([i, value.get(), events])
        websocket.receive_text()

    app.websocket("/")(plain_endpoint if plain else endpoint)
    with pytest.raises(WebSocketDisconnect), TestClient(app).websocket_connect("/") as session:
        assert session.receive_json() == ["oi", "set", []]
        session.close(1001)
    assert events == ["inner saw 1001", "inner ended", "outer ended"]


def test_overrides() -> None:
    app = FastWeb()

    def user() -> str:
        return "real"

    @app.websocket("/")
    async def endpoint(websocket: WebSocket, name: Annotated[str, Depends(user)]) -> None:
        await say(websocket, name)

    assert asked(app, "/") == "real"
    app.dependency_overrides[user] = lambda: "fake"
    assert asked(app, "/") == "fake"
    app.dependency_overrides.clear()
    assert asked(app, "/") == "real"


def test_plain_endpoints() -> None:
    app = FastWeb()
    threads: list[int] = []

    @app.websocket("/{name}")
    def endpoint(ws, name: str, loud: bool = False):  # type: ignore[no-untyped-def]
        threads.append(threading.get_ident())
        ws.accept()
        for text in ws.iter_text():
            ws.send_text(f"{name}: {text.upper() if loud else text}")

    with TestClient(app).websocket_connect("/ada?loud=1") as session:
        session.send_text("hi")
        assert session.receive_text() == "ada: HI"
    assert threads[0] != threading.get_ident()


# Errors


def test_what_does_not_fit() -> None:
    app = FastWeb()
    seen: list[WebSocketRequestValidationError] = []

    def token(x_token: Annotated[str, Header()]) -> str:
        return x_token

    @app.websocket("/{number}")
    async def endpoint(websocket: WebSocket, number: int, token: Annotated[str, Depends(token)]) -> None:
        raise AssertionError

    error = refused(app, "/three")
    assert error.code == 1008
    locations = [("header", "x-token"), ("path", "number")]
    assert [tuple(item["loc"]) for item in error.reason] == locations  # type: ignore[index]

    # As in Starlette, handlers are settled with the first request.
    app.middleware_stack = None

    @app.exception_handler(WebSocketRequestValidationError)
    async def handle(websocket: WebSocket, error: WebSocketRequestValidationError) -> None:
        seen.append(error)
        await websocket.close(4000, "mine")

    assert (refused(app, "/three").code, refused(app, "/three").reason) == (4000, "mine")
    assert seen[0].endpoint_path == "WS /{number}"
    assert seen[0].endpoint_function == "endpoint"
    assert [item["loc"] for item in seen[0].errors()] == locations


def test_a_body_is_missing() -> None:
    app = FastWeb()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket, item: Annotated[dict[str, str], Body()]) -> None:
        raise AssertionError

    assert refused(app, "/").code == 1008


class OutOfTea(Exception):
    pass


def broken(where: str) -> FastWeb:
    """An app whose WebSocket raises what its path says, in a dependency or in the endpoint."""
    app = FastWeb()
    errors = {
        "http": HTTPException(418, "no tea", {"X-A": "1"}),
        "websocket": WebSocketException(4001, "no tea"),
        "tea": OutOfTea(),
        "other": KeyError("mine"),
    }

    def depended(error: str) -> None:
        if where == "dependency":
            raise errors[error]

    @app.websocket("/{error}", dependencies=[Depends(depended)])
    async def endpoint(websocket: WebSocket, error: str) -> None:
        if where == "open":
            await websocket.accept()
        raise errors[error]

    @app.exception_handler(OutOfTea)
    async def handle(websocket: WebSocket, error: OutOfTea) -> None:
        await websocket.close(4002, "out of tea")

    return app


@pytest.mark.parametrize("where", ["dependency", "endpoint"])
def test_what_is_raised_before_it_is_accepted(where: str) -> None:
    app = broken(where)
    response = refused(app, "/http")
    assert isinstance(response, WebSocketDenialResponse)
    assert (response.status_code, response.json(), response.headers["x-a"]) == (
        418,
        {"detail": "no tea"},
        "1",
    )
    assert (refused(app, "/websocket").code, refused(app, "/websocket").reason) == (4001, "no tea")
    assert (refused(app, "/tea").code, refused(app, "/tea").reason) == (4002, "out of tea")
    with pytest.raises(KeyError, match="mine"), TestClient(app).websocket_connect("/other"):
        pass


def test_what_is_raised_by_an_open_websocket() -> None:
    for url, code in [("/websocket", 4001), ("/tea", 4002)]:
        with TestClient(broken("open")).websocket_connect(url) as session:
            with pytest.raises(WebSocketDisconnect) as caught:
                session.receive_text()
            assert caught.value.code == code
    with pytest.raises(KeyError, match="mine"), TestClient(broken("open")).websocket_connect("/other"):
        pass


def test_a_handler_may_refuse_in_words() -> None:
    app = broken("endpoint")

    @app.exception_handler(KeyError)
    def handle(websocket: WebSocket, error: KeyError) -> PlainTextResponse:
        return PlainTextResponse("broken", 503)

    response = refused(app, "/other")
    assert isinstance(response, WebSocketDenialResponse)
    assert (response.status_code, response.text) == (503, "broken")


# The plain route


class Sum(WebSocketEndpoint):
    encoding = "json"

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        await websocket.send_json(sum(data))


class Prefixed:
    """An ASGI middleware that says so before anything else is sent."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def prefixed(message: Message) -> None:
            await send(message)
            if message["type"] == "websocket.accept":
                await send({"type": "websocket.send", "text": f'"{self.prefix}"'})

        await self.app(scope, receive, prefixed)


async def path_params(websocket: WebSocket) -> None:
    await say(websocket, websocket.path_params)


def plain_path_params(websocket: BlockingWebSocket) -> None:
    websocket.accept()
    websocket.send_json(websocket.path_params)


async def partial_path_params(nothing: None, websocket: WebSocket) -> None:
    await path_params(websocket)


@pytest.mark.parametrize(
    "endpoint", [path_params, plain_path_params, functools.partial(partial_path_params, None)]
)
def test_plain_routes(endpoint: Any) -> None:
    app = FastWeb(routes=[WebSocketRoute("/{number:int}/{text}", endpoint, name="mine")])
    assert asked(app, "/3/a") == {"number": 3, "text": "a"}
    assert app.url_path_for("mine", number=3, text="a") == "/3/a"
    assert refused(app, "/three/a").code == 1000


def test_a_class_as_an_endpoint_and_middleware_around_it() -> None:
    route = WebSocketRoute(
        "/", Sum, middleware=[Middleware(Prefixed, prefix="outer"), Middleware(Prefixed, "inner")]
    )
    with TestClient(FastWeb(routes=[route])).websocket_connect("/") as session:
        assert [session.receive_json(), session.receive_json()] == ["outer", "inner"]
        session.send_json([1, 2])
        assert session.receive_json() == 3


def test_plain_routes_are_equal_where_path_and_endpoint_are() -> None:
    route = WebSocketRoute("/a", path_params)
    assert route == WebSocketRoute("/a", path_params, name="other")
    assert route != WebSocketRoute("/b", path_params)
    assert route != WebSocketRoute("/a", Sum)
    assert repr(route) == "WebSocketRoute(path='/a', name='path_params')"
    with pytest.raises(AssertionError, match="must start with '/'"):
        WebSocketRoute("a", path_params)


# Mistakes


@pytest.mark.parametrize(
    ("path", "source", "text"),
    [
        ("ws", "async def endpoint(websocket: WebSocket): ...", "begins with a slash"),
        ("/", "async def endpoint(websocket: WebSocket): yield", "has a yield in it"),
    ],
)
def test_mistakes_are_found_at_once(path: str, source: str, text: str) -> None:
    names: dict[str, Any] = {"WebSocket": WebSocket}
    exec(source, names)
    with pytest.raises(FastWebError, match=text):
        FastWeb().websocket(path)(names["endpoint"])


def test_the_route_itself() -> None:
    async def endpoint(websocket: WebSocket) -> None:
        await say(websocket, "hello")

    route = APIWebSocketRoute("/a/{b}", endpoint, name="mine")
    assert (route.path, route.name, route.endpoint, route.path_format) == (
        "/a/{b}",
        "mine",
        endpoint,
        "/a/{b}",
    )
    assert asked(FastWeb(routes=[APIWebSocketRoute("/", endpoint)]), "/") == "hello"
