from __future__ import annotations

import functools
from typing import Any

import pytest

from fastweb import FastWeb, HTTPException, Request, Response
from fastweb.exceptions import StarletteHTTPException
from fastweb.middleware import Middleware
from fastweb.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastweb.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from fastweb.middleware.gzip import GZipMiddleware
from fastweb.middleware.response import ResponseMiddleware
from fastweb.middleware.stack import build_middleware_stack, middleware_of
from fastweb.responses import JSONResponse, PlainTextResponse
from fastweb.testclient import TestClient
from fastweb.types import ASGIApp, Receive, Scope, Send


class Named:
    """Notes when it was passed on the way in."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("passed", []).append(self.name)
        await self.app(scope, receive, send)


async def router(scope: Scope, receive: Receive, send: Send) -> None:
    """An app whose path is what happens."""
    if scope["path"] == "/passed":
        await JSONResponse([scope["passed"], "files" in scope])(scope, receive, send)
    elif scope["path"] == "/body":
        await Response(await Request(scope, receive, send).body())(scope, receive, send)
    elif scope["path"] == "/key":
        raise KeyError("k")
    else:
        raise HTTPException(int(scope["path"][1:]))


def handler(text: str) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{text} {error!r}")

    return handle


def test_the_order() -> None:
    app = build_middleware_stack(
        router,
        middleware=[Middleware(Named, "first"), Middleware(Named, name="second")],
        inner=[Middleware(AsyncExitStackMiddleware, "files"), Middleware(Named, "inner")],
    )
    assert TestClient(app).get("/passed").json() == [["first", "second", "inner"], True]


def test_handlers_stand_where_they_answer() -> None:
    app = build_middleware_stack(
        router,
        exception_handlers={
            404: handler("404"),
            StarletteHTTPException: handler("http"),
            500: handler("500"),
        },
    )
    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/404").text == "404 HTTPException(status_code=404, detail='Not Found')"
    assert client.get("/410").text == "http HTTPException(status_code=410, detail='Gone')"
    assert client.get("/key").text == "500 KeyError('k')"
    with pytest.raises(KeyError):
        TestClient(app).get("/key")


def test_debug_and_the_body_s_limit() -> None:
    app = build_middleware_stack(router, debug=True, max_body_size=3)
    client = TestClient(app, raise_server_exceptions=False)
    assert "KeyError: 'k'" in client.get("/key").text
    assert client.post("/body", content=b"123").text == "123"
    assert client.post("/body", content=b"1234").status_code == 413


# --- Functions ---


def app_of(function: Any) -> TestClient:
    app = FastWeb()

    @app.get("/")
    async def home() -> str:
        return "home"

    cls, args, kwargs = middleware_of(function)
    return TestClient(cls(app, *args, **kwargs))


@pytest.mark.parametrize("name", ["call_next", "next_", "handler"])
def test_an_async_function_of_request_and_another_dispatches(name: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"async def dispatch(request, {name}):\n    return await {name}(request)", namespace)
    assert middleware_of(namespace["dispatch"]).cls is BaseHTTPMiddleware
    assert app_of(namespace["dispatch"]).get("/").json() == "home"


def test_a_method_may_be_one() -> None:
    class Counter:
        count = 0

        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            self.count += 1
            return await call_next(request)

        def see(self, req: Request, res: Response) -> None:
            self.count += 10

    counter = Counter()
    app_of(counter.dispatch).get("/")
    app_of(counter.see).get("/")
    assert counter.count == 11


def factory(app: ASGIApp, level: int = 1) -> ASGIApp:
    return GZipMiddleware(app, compresslevel=level)


def two_of_them(app: ASGIApp, name: str) -> ASGIApp:
    return Named(app, name)


@pytest.mark.parametrize(
    ("given", "args", "kwargs"),
    [
        (GZipMiddleware, (), {}),
        (GZipMiddleware, (1,), {"compresslevel": 1}),
        (factory, (), {}),
        (factory, (), {"level": 2}),
        (two_of_them, ("a",), {}),
        (functools.partial(two_of_them, name="a"), (), {}),
    ],
)
def test_classes_and_factories_are_left_as_they_are(given: Any, args: Any, kwargs: Any) -> None:
    middleware = middleware_of(given, *args, **kwargs)
    assert (middleware.cls, middleware.args, middleware.kwargs) == (given, args, kwargs)


@pytest.mark.parametrize("name", ["res", "resp", "response"])
@pytest.mark.parametrize("prefix", ["", "async "])
def test_a_function_of_request_and_response_sees_responses(name: str, prefix: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"{prefix}def see(req, {name}):\n    {name}.headers['x-a'] = '1'", namespace)
    assert middleware_of(namespace["see"]).cls is ResponseMiddleware
    assert app_of(namespace["see"]).get("/").headers["x-a"] == "1"
