"""Routes and routers, as in FastAPI 0.165; matching is in test_router.py, answers are in test_doors.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastweb import APIRouter, Depends, FastWeb, HTTPException, Request, Response
from fastweb.exceptions import FastWebError, RequestValidationError, ResponseValidationError
from fastweb.models import BaseModel
from fastweb.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastweb.routing import APIRoute, NoMatchFound
from fastweb.testclient import TestClient


class Opaque:
    pass


def answers(app: FastWeb, *requests: str) -> list[Any]:
    """What each "METHOD path" is answered with: JSON or text, and the status where it is not 200."""
    client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    found = []
    for each in requests:
        method, path = each.split()
        answer = client.request(method, path)
        is_json = answer.headers.get("content-type") == "application/json" and answer.content
        found.append(
            (answer.json() if is_json else answer.text) if answer.status_code == 200 else answer.status_code
        )
    return found


def say(word: Any) -> Any:
    return lambda: word


def refuse() -> None:
    raise HTTPException(403)


def test_included_routers() -> None:
    inner = APIRouter(prefix="/inner")
    inner.get("")(say("root"))
    inner.get("/a")(say("a"))
    empty = APIRouter()
    empty.get("")(say("empty"))
    outer = APIRouter(prefix="/outer", dependencies=[Depends(refuse)])
    outer.include_router(inner, prefix="/more")
    app = FastWeb()
    app.include_router(inner)
    app.include_router(inner, prefix="/v2", dependencies=[Depends(refuse)])
    app.include_router(outer)
    app.include_router(empty, prefix="/empty")
    assert answers(
        app, "GET /inner", "GET /inner/a", "GET /v2/inner", "GET /outer/more/inner/a", "GET /empty"
    ) == [
        "root",
        "a",
        403,
        403,
        "empty",
    ]
    app.dependency_overrides[refuse] = lambda: None
    assert answers(app, "GET /v2/inner", "GET /outer/more/inner/a") == ["root", "a"]


def test_routes_that_come_later() -> None:
    """They are added where the router was included, in front of what came after it."""
    inner, outer, app = APIRouter(prefix="/inner"), APIRouter(prefix="/outer"), FastWeb()
    app.get("/before")(say("before"))
    app.include_router(outer)
    app.get("/{rest:path}")(say("rest"))
    outer.get("/a")(say("a"))
    outer.include_router(inner)
    inner.get("/b")(say("b"))
    outer.get("/before")(say("never"))
    assert answers(app, "GET /outer/a", "GET /outer/inner/b", "GET /before", "GET /else") == [
        "a",
        "b",
        "before",
        "rest",
    ]
    inner.get("/c")(say("c"))
    assert answers(app, "GET /outer/inner/c") == ["c"]
    assert [route.path for route in app.routes][-1] == "/{rest:path}"


def test_as_many_other_routes() -> None:
    app, other = FastWeb(), FastWeb()
    app.get("/a")(say("a"))
    other.get("/a")(say("other"))
    assert answers(app, "GET /a") == ["a"]
    first = app.router.routes
    app.router.routes = [*first[:-1], other.router.routes[-1]]
    assert answers(app, "GET /a") == ["other"]
    app.router.routes = first
    assert answers(app, "GET /a") == ["a"]


def test_what_a_router_says_of_its_routes() -> None:
    inner = APIRouter(tags=["i"], responses={404: {"description": "i"}}, deprecated=True)
    inner.get("/a", tags=["r"], responses={404: {"description": "r"}, 409: {}})(say(1))
    app = FastWeb(responses={500: {}}, openapi_url=None)
    app.include_router(
        inner, tags=["n"], responses={404: {"description": "n"}, 401: {}}, include_in_schema=False
    )
    route: Any = app.routes[0]
    assert route.tags == ["n", "i", "r"]
    assert route.responses == {500: {}, 404: {"description": "r"}, 401: {}, 409: {}}
    assert (route.deprecated, route.include_in_schema) == (True, False)


def test_response_classes() -> None:
    plain = APIRouter(default_response_class=PlainTextResponse)
    plain.get("/plain")(say("x"))
    other = APIRouter()
    other.get("/other")(say("x"))
    other.get("/html", response_class=HTMLResponse)(say("x"))
    app = FastWeb(default_response_class=HTMLResponse)
    app.get("/own")(say("x"))
    app.include_router(plain)
    app.include_router(other)
    app.include_router(other, prefix="/p", default_response_class=PlainTextResponse)
    client = TestClient(app)
    types = [
        client.get(path).headers["content-type"][:10]
        for path in ("/own", "/plain", "/other", "/p/other", "/p/html")
    ]
    assert types == ["text/html;", "text/plain", "text/html;", "text/plain", "text/html;"]


@pytest.mark.parametrize(
    ("path", "redirected"),
    [
        ("/a/", "/a"),
        ("/b", "/b/"),
        ("/a//", "/a"),
        ("/c", None),
        ("/", None),
        ("/b?x=%20", "/b/?x=%20"),
        ("/é", "/%C3%A9/"),
    ],
)
def test_redirect_slashes(path: str, redirected: str | None) -> None:
    for on in (True, False):
        app = FastWeb(redirect_slashes=on)
        app.get("/a")(say(1))
        app.post("/b/")(say(1))
        app.get("/é/")(say(1))
        answer = TestClient(app, follow_redirects=False).get(path)
        if redirected is None or not on:
            assert answer.status_code == 404
        else:
            assert (answer.status_code, answer.headers["location"]) == (307, "http://testserver" + redirected)


def test_route_takes_a_bare_request() -> None:
    app = FastWeb()

    @app.route("/r", ["GET", "POST"])
    async def bare(request):  # type: ignore[no-untyped-def]
        return PlainTextResponse(request.method)

    assert answers(app, "GET /r", "POST /r", "HEAD /r", "PUT /r") == ["GET", "POST", "", 405]


def test_url_path_for() -> None:
    app = FastWeb()
    router = APIRouter(prefix="/r")
    router.get("/{a}/{b:path}", name="files")(say(1))
    app.get("/{n:int}", name="number")(say(1))
    app.include_router(router, prefix="/p")
    assert app.url_path_for("number", n=5) == "/5"
    assert app.url_path_for("files", a="x", b="y/z") == "/p/r/x/y/z"
    assert str(app.url_path_for("number", n=5).make_absolute_url("http://h/base/")) == "http://h/base/5"
    for name, params in (("number", {}), ("number", {"n": 1, "m": 2}), ("none", {})):
        with pytest.raises(NoMatchFound, match=name):
            app.url_path_for(name, **params)
    for value in (-1, "x"):
        with pytest.raises(ValueError):
            app.url_path_for("number", n=value)


def returns_opaque() -> Opaque:
    return Opaque()


def returns_response() -> Response:
    return Response("x")


def returns_union() -> Response | dict[str, Any]:
    return {}


def returns_nothing() -> None: ...


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (
            lambda app: app.get("/", status_code=204, response_model=int)(refuse),
            ["refuse()", "204", "no body"],
        ),
        (lambda app: app.get("/")(returns_opaque), ["returns_opaque()", "Opaque", "response_model=None"]),
        (lambda app: app.get("/")(returns_union), ["returns_union()", "response_model=None"]),
        (lambda app: app.get("/", dependencies=[Depends()])(refuse), ["'/'", "Depends()"]),
        (lambda app: app.get("users")(refuse), ["refuse()", "'users'", "slash"]),
        (lambda app: app.include_router(APIRouter(), prefix="x"), ["'x'", "slash"]),
        (lambda app: app.include_router(APIRouter(), prefix="/x/"), ["'/x/'", "slash"]),
        (lambda app: APIRouter(prefix="x/"), ["'x/'", "slash"]),
        (lambda app: app.include_router(app.router), ["itself"]),
        (lambda app: app.on_event("lunch")(refuse), ["'lunch'", '"startup"']),
        (lambda app: include_empty(app), ["refuse()", "neither a prefix nor a path"]),
        (lambda app: include_circle(), ["itself"]),
    ],
)
def test_mistakes(declare: Any, words: list[str]) -> None:
    with pytest.raises(FastWebError) as raised:
        declare(FastWeb())
    assert all(word in str(raised.value) for word in words), raised.value


def include_empty(app: FastWeb) -> None:
    router = APIRouter()
    router.get("")(refuse)
    app.include_router(router)


def include_circle() -> None:
    a, b, c = APIRouter(), APIRouter(), APIRouter()
    a.include_router(b)
    b.include_router(c)
    c.include_router(a)


def test_return_annotations() -> None:
    app = FastWeb()
    for call in (returns_response, returns_nothing):
        app.get(f"/{call.__name__}")(call)
    app.get("/union", response_model=None)(returns_union)
    assert answers(app, "GET /returns_response", "GET /returns_nothing", "GET /union") == ["x", None, {}]


class Model(BaseModel):
    a: int


def test_validation_errors_say_where() -> None:
    """`str()` of them is what ends up in a log."""
    app = FastWeb()
    seen: list[Any] = []

    @app.exception_handler(RequestValidationError)
    def handler(request: Request, error: RequestValidationError) -> Any:
        seen.append(error)
        return JSONResponse(None, 422)

    @app.get("/items/{n}")
    def read_item(n: int) -> None: ...

    @app.get("/bad", response_model=Model)
    def bad() -> Any:
        return {"a": "x"}

    client = TestClient(app)
    client.get("/items/x")
    assert "in read_item" in str(seen[0])
    assert "GET /items/{n}" in str(seen[0])
    with pytest.raises(Exception, match="in bad") as raised:
        client.get("/bad")
    assert raised.value.body == {"a": "x"}  # type: ignore[attr-defined]


def test_a_swallowed_exception_is_told() -> None:
    async def swallows() -> AsyncIterator[None]:
        try:
            yield
        except ValueError:
            pass

    def endpoint() -> None:
        raise ValueError

    for scope in ("function", "request"):
        app = FastWeb()
        app.get("/", dependencies=[Depends(swallows, scope=scope)])(endpoint)
        with pytest.raises(FastWebError, match="nothing to answer with"):
            TestClient(app).get("/")


def test_routes_as_objects() -> None:
    route = APIRoute("/a/{n:int}", say(1), methods=["get", "Post"], name="a")
    assert repr(route) == "APIRoute(path='/a/{n:int}', name='a', methods=['GET', 'POST'])"
    app = FastWeb(routes=[route])
    router = APIRouter(routes=[route])
    app.include_router(router, prefix="/p")
    assert answers(app, "GET /a/1", "POST /p/a/1", "PUT /a/1") == [1, 1, 405]


def test_a_dependency_may_set_a_status_with_a_body_where_the_route_has_none() -> None:
    app = FastWeb()

    def fails(response: Response) -> None:
        response.status_code = 400

    @app.get("/", status_code=204, dependencies=[Depends(fails)])
    def nothing() -> None:
        return None

    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.content) == (400, b"null")


@pytest.mark.parametrize("model", [Opaque, list[Opaque]])
def test_a_model_in_responses_is_looked_at_when_it_is_declared(model: Any) -> None:
    with pytest.raises(FastWebError, match=r"the model of the response 500 of .*Opaque"):
        FastWeb().get("/", responses={500: {"model": model}})(refuse)


def test_a_router_cannot_include_itself() -> None:
    router = APIRouter()
    with pytest.raises(AssertionError, match="Cannot include the same APIRouter instance into itself"):
        router.include_router(router)


def test_a_mount_within_an_included_router_has_its_limit() -> None:
    async def echo(request: Request) -> Response:
        return Response(await request.body())

    inner = FastWeb()
    inner.post("/")(echo)
    router = APIRouter()
    router.mount("/inner", inner)
    app = FastWeb()
    app.include_router(router, prefix="/outer", max_body_size=5)
    client = TestClient(app)
    statuses = [client.post("/outer/inner/", content=b"x" * size).status_code for size in (5, 6)]
    assert statuses == [200, 413]


@pytest.mark.parametrize("size", [-1, True, 1.5, "5"])
def test_a_limit_is_a_number_of_bytes(size: Any) -> None:
    with pytest.raises(ValueError, match="non-negative integer"):
        APIRouter(max_body_size=size)
    with pytest.raises(ValueError, match="non-negative integer"):
        FastWeb().include_router(APIRouter(), max_body_size=size)


def test_a_validation_error_tells_the_path_with_what_the_app_is_mounted_at() -> None:
    inner = FastWeb()
    inner.get("/items", response_model=int)(say("no number"))
    app = FastWeb()
    app.mount("/sub", inner)
    with pytest.raises(ResponseValidationError, match="GET /sub/items"):
        TestClient(app).get("/sub/items")
