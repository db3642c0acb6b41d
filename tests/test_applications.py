"""The app as a whole: error handlers, root path, lifespans. What is expected is FastAPI 0.165's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

from fastweb import APIRouter, FastWeb, HTTPException, Request
from fastweb.exceptions import RequestValidationError
from fastweb.responses import JSONResponse, PlainTextResponse
from fastweb.testclient import TestClient


class Outer(Exception):
    pass


class Inner(Outer):
    pass


def raising(error: BaseException) -> Callable[[], Any]:
    def endpoint() -> None:
        raise error

    return endpoint


def named(word: str, status: int = 418) -> Callable[[Any, Any], Any]:
    async def handler(request: Request, error: Exception) -> Any:
        return JSONResponse([word, type(error).__name__], status)

    return handler


def named_plain(word: str, status: int = 418) -> Callable[[Any, Any], Any]:
    def handler(request: Request, error: Exception) -> Any:
        return JSONResponse([word, type(error).__name__], status)

    return handler


async def nothing(request: Request, error: Exception) -> Any:
    return None


@pytest.mark.parametrize(
    ("handlers", "error", "status", "answer"),
    [
        ({}, HTTPException(404, "no"), 404, {"detail": "no"}),
        ({}, HTTPException(402), 402, {"detail": "Payment Required"}),
        ({}, HTTPException(204), 204, None),
        ({}, Outer(), 500, None),
        ({Outer: named("outer")}, Inner(), 418, ["outer", "Inner"]),
        ({Outer: named("outer"), Inner: named_plain("inner")}, Inner(), 418, ["inner", "Inner"]),
        ({404: named("404", 404)}, HTTPException(404), 404, ["404", "HTTPException"]),
        (
            {404: named("404", 404), HTTPException: named("http")},
            HTTPException(404),
            404,
            ["404", "HTTPException"],
        ),
        ({HTTPException: named("http")}, HTTPException(403), 418, ["http", "HTTPException"]),
        # Those of a 500 say what it looks like, and handle nothing.
        ({500: named("500", 500)}, Outer(), 500, ["500", "Outer"]),
        ({500: named("500", 500)}, HTTPException(500, "mine"), 500, {"detail": "mine"}),
        ({Exception: named_plain("any", 500)}, Outer(), 500, ["any", "Outer"]),
        ({Exception: named("any", 500)}, HTTPException(400, "mine"), 400, {"detail": "mine"}),
        ({Exception: named("any", 500), Outer: named("outer")}, Inner(), 418, ["outer", "Inner"]),
        # What a handler raises is handled, once.
        (
            {Outer: lambda request, error: raising(HTTPException(410, "gone"))()},
            Outer(),
            410,
            {"detail": "gone"},
        ),
        ({Outer: lambda request, error: raising(Outer())()}, Outer(), 500, None),
        ({Outer: lambda request, error: "no response"}, Outer(), 500, None),
        ({Outer: nothing}, Outer(), 500, None),
        (
            {RequestValidationError: named("invalid")},
            RequestValidationError([]),
            418,
            ["invalid", "RequestValidationError"],
        ),
    ],
)
def test_exception_handlers(handlers: Any, error: Exception, status: int, answer: Any) -> None:
    for declared_late in (False, True):
        app = FastWeb(exception_handlers={} if declared_late else handlers)
        for key, handler in handlers.items() if declared_late else ():
            app.exception_handler(key)(handler)
        app.get("/", response_model=None)(raising(error))
        found = TestClient(app, raise_server_exceptions=False).get("/")
        assert found.status_code == status
        assert (found.json() if answer is not None else None) == answer


@pytest.mark.parametrize(("handled", "raised"), [(False, Outer), (True, None)])
def test_who_runs_the_app_hears_of_what_nobody_handles(handled: bool, raised: Any) -> None:
    app = FastWeb(exception_handlers={Outer: named("outer")} if handled else {Exception: named("any", 500)})
    app.get("/", response_model=None)(raising(Outer()))
    with pytest.raises(raised) if raised else contextlib.nullcontext():
        TestClient(app).get("/")


def test_debug_shows_the_traceback() -> None:
    app = FastWeb(debug=True)
    app.get("/", response_model=None)(raising(Outer("why")))
    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert "Outer: why" in answer.text
    assert "in endpoint" in answer.text


def test_an_error_after_the_answer_began() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise Outer

    from fastweb.responses import StreamingResponse

    cases: list[tuple[Any, Any]] = [({}, Outer), ({Outer: named("outer")}, RuntimeError)]
    for handlers, raised in cases:
        app = FastWeb(exception_handlers=handlers)
        app.get("/", response_model=None)(lambda: StreamingResponse(pieces()))
        with pytest.raises(raised):
            TestClient(app).get("/")


def tell(request: Request) -> Any:
    return [
        str(request.url),
        str(request.base_url),
        request.scope["root_path"],
        request.scope["path"],
        str(request.url_for("tell")),
    ]


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        (
            "/u",
            200,
            ["http://testserver/u", "http://testserver/api/", "/api", "/u", "http://testserver/api/u"],
        ),
        (
            "/api/u",
            200,
            [
                "http://testserver/api/u",
                "http://testserver/api/",
                "/api",
                "/api/u",
                "http://testserver/api/u",
            ],
        ),
        ("/api", 404, {"detail": "Not Found"}),
        ("/apiu", 404, {"detail": "Not Found"}),
        ("/api/api/u", 404, {"detail": "Not Found"}),
        ("/s", 307, "http://testserver/s/"),
        ("/api/s", 307, "http://testserver/api/s/"),
        ("/api/u/", 307, "http://testserver/api/u"),
    ],
)
def test_root_path(path: str, status: int, answer: Any) -> None:
    app = FastWeb(root_path="/api/" if path == "/u" else "/api")
    app.get("/u", response_model=None)(tell)
    app.get("/s/")(lambda: 1)
    found = TestClient(app, follow_redirects=False).get(path)
    assert (found.status_code, found.headers.get("location") or found.json()) == (status, answer)


def test_lifespans_and_events() -> None:
    """A lifespan takes the place of its own router's events; what an outer one yields goes first."""
    seen: list[str] = []

    def lifespan_of(name: str) -> Any:
        @contextlib.asynccontextmanager
        async def lifespan(app: FastWeb) -> AsyncIterator[dict[str, Any]]:
            seen.append(f"{name}+")
            yield {"who": name, name: app.title}
            seen.append(f"{name}-")

        return lifespan

    inner = APIRouter(lifespan=lifespan_of("inner"), on_startup=[lambda: seen.append("never")])
    events = APIRouter(
        on_startup=[lambda: seen.append("events+")], on_shutdown=[lambda: seen.append("events-")]
    )

    @events.on_event("startup")
    async def more() -> None:
        seen.append("more+")

    app = FastWeb(title="T", lifespan=lifespan_of("app"))
    app.on_event("startup")(lambda: seen.append("never"))
    inner.include_router(events)
    app.include_router(inner)

    @app.get("/")
    async def state(request: Request) -> Any:
        return [request.state.who, request.state.app, request.state.inner]

    with TestClient(app) as client:
        assert client.get("/").json() == ["app", "T", "T"]
        assert seen == ["app+", "inner+", "events+", "more+"]
    assert seen[4:] == ["events-", "inner-", "app-"]


def bare_async(seen: list[str]) -> Any:
    async def lifespan(app: FastWeb) -> AsyncIterator[dict[str, int]]:
        seen.append("up")
        yield {"n": 1}
        seen.append("down")

    return lifespan


def bare_plain(seen: list[str]) -> Any:
    def lifespan(app: FastWeb) -> Iterator[dict[str, int]]:
        seen.append("up")
        yield {"n": 1}
        seen.append("down")

    return lifespan


@pytest.mark.parametrize("make", [bare_async, bare_plain])
def test_bare_lifespans(make: Any) -> None:
    seen: list[str] = []
    app = FastWeb(lifespan=make(seen))
    app.get("/", response_model=None)(read_n)
    with TestClient(app) as client:
        assert client.get("/").json() == 1
    assert seen == ["up", "down"]


def read_n(request: Request) -> Any:
    return request.state.n


def test_state_is_each_requests_own() -> None:
    app = FastWeb()

    @app.get("/")
    def count(request: Request) -> Any:
        request.state.n = getattr(request.state, "n", 0) + 1
        request.app.state.n = getattr(request.app.state, "n", 0) + 1
        return [request.state.n, request.app.state.n]

    with TestClient(app) as client:
        assert [client.get("/").json() for _ in range(2)] == [[1, 1], [1, 2]]


def test_other_connections() -> None:
    async def call(scope: dict[str, Any]) -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await FastWeb()(scope, receive, send)
        return sent

    assert anyio.run(call, {"type": "websocket", "path": "/"})[0]["type"] == "websocket.close"
    with pytest.raises(ValueError, match="carrier pigeon"):
        anyio.run(call, {"type": "carrier pigeon"})


def test_the_names_of_fastapi() -> None:
    app = FastWeb()
    for method in ("get", "post", "put", "patch", "delete", "head", "options", "trace"):
        getattr(app, method)(f"/{method}", name=method)(lambda: PlainTextResponse("x"))
    app.add_api_route("/more", lambda: 1, methods=["GET"], name="more")
    client = TestClient(app)
    for method in ("get", "post", "put", "patch", "delete", "head", "options", "trace"):
        assert client.request(method.upper(), f"/{method}").status_code == 200
        assert app.url_path_for(method) == f"/{method}"
    assert [route.name for route in app.routes][-1] == "more"
