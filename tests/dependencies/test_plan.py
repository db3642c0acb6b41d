"""What a plan calls, in which order, and what it says of a request that does not fit; see test_doors.py, too.

What is expected is FastAPI 0.165's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

import anyio
import anyio.lowlevel
import pytest

from fastweb import Body, Cookie, Depends, FastWeb, Header, HTTPException, Query
from fastweb.models import BaseModel
from fastweb.testclient import TestClient
from fastweb.types import Message


class Item(BaseModel):
    name: str
    price: float


class User(BaseModel):
    user: str


def number(q: int) -> int:
    return q


def word(h: Annotated[str, Header()]) -> str:
    return h


def nested(a: Annotated[int, Depends(number)], b: Annotated[str, Depends(word)], z: int = 1) -> list[Any]:
    return [a, b, z]


def item_name(item: Item) -> str:
    return item.name


def item_size(item: dict[str, Any]) -> int:
    return len(item)


def user_name(user: User) -> str:
    return user.user


def errors_of(endpoint: Callable[..., Any], body: str | None = None, query: str = "", **sent: str) -> Any:
    """The errors of a request as (type, loc), or what was answered."""
    app = FastWeb()
    app.post("/", response_model=None)(endpoint)
    headers = {"content-type": "application/json", **sent}
    answer = TestClient(app).post("/" + query, content=body, headers=headers).json()
    if isinstance(answer, dict) and isinstance(answer.get("detail"), list):
        return [(error["type"], ".".join(map(str, error["loc"]))) for error in answer["detail"]]
    return answer


def in_order(w: int, n: Any = Depends(nested), m: str = Depends(word), again: Any = Depends(nested)) -> Any:
    return [w, n, m, again]


def bodies(item: Item, n: int = Depends(item_size), m: str = Depends(item_name)) -> Any:
    return [item.price, n, m]


def two_bodies(item: Item, n: str = Depends(user_name)) -> Any:
    return [item.price, n]


def optional(item: Annotated[Item | None, Body()] = None, n: Annotated[int, Body(gt=0)] = 4) -> Any:
    return [item, n]


def embedded(n: Annotated[int, Body(embed=True)] = 3) -> Any:
    return n


def mutable(values: Annotated[list[int], Body()] = [1], q: Annotated[list[int], Query()] = [5]) -> Any:  # noqa: B006
    values.append(2)
    q.append(6)
    return [values, q]


def cookies(a: Annotated[list[str], Cookie()]) -> Any:
    return a


def made(n: Annotated[int, Query(default_factory=lambda: 42)]) -> Any:
    return n


def checked(n: Annotated[int, Query(validate_default=True)] = "7") -> Any:  # type: ignore[assignment]
    return n


MISSING = "missing"
ITEM = '{"name":"a","price":1}'


@pytest.mark.parametrize(
    ("endpoint", "body", "query", "sent", "expected"),
    [
        # Errors of dependencies first, once for each that needs them; then a dependant's own, kind by kind.
        (
            in_order,
            None,
            "?z=x",
            {},
            [
                (MISSING, "query.q"),
                (MISSING, "header.h"),
                ("int_parsing", "query.z"),
                (MISSING, "header.h"),
                (MISSING, "query.q"),
                (MISSING, "header.h"),
                ("int_parsing", "query.z"),
                (MISSING, "query.w"),
            ],
        ),
        (in_order, None, "?q=1&w=2", {"h": "x"}, [2, [1, "x", 1], "x", [1, "x", 1]]),
        # One body, asked for three times under one name, each time as another type.
        (bodies, ITEM, "", {}, [1.0, 2, "a"]),
        (bodies, '{"name":1}', "", {}, [("string_type", "body.name"), (MISSING, "body.price")] * 2),
        (
            bodies,
            "null",
            "",
            {},
            [("dict_type", "body"), ("model_attributes_type", "body"), ("model_attributes_type", "body")],
        ),
        (bodies, "", "", {}, [(MISSING, "body")] * 3),
        (bodies, "x", "", {}, [("json_invalid", "body.0")]),
        # Two names make an object of both.
        (two_bodies, f'{{"item":{ITEM},"user":{{"user":"u"}}}}', "", {}, [1.0, "u"]),
        (two_bodies, ITEM, "", {}, [(MISSING, "body.user"), (MISSING, "body.item")]),
        (two_bodies, "[]", "", {}, [(MISSING, "body.user"), (MISSING, "body.item")]),
        # No default helps where the body is JSON and no object.
        (optional, "", "", {}, [None, 4]),
        (optional, "{}", "", {}, [None, 4]),
        (optional, '{"n":5,"item":null}', "", {}, [None, 5]),
        (optional, '{"n":0}', "", {}, [("greater_than", "body.n")]),
        (optional, "null", "", {}, [(MISSING, "body.item"), (MISSING, "body.n")]),
        (optional, "5", "", {}, [(MISSING, "body.item"), (MISSING, "body.n")]),
        (optional, "x", "", {"content-type": "text/plain"}, [None, 4]),
        (embedded, '{"n":"5"}', "", {}, 5),
        (embedded, "5", "", {}, [(MISSING, "body.n")]),
        (embedded, "", "", {}, 3),
        (mutable, "", "", {}, [[1, 2], [5, 6]]),
        (mutable, "", "?q=1&q=2", {}, [[1, 2], [1, 2, 6]]),
        # FastAPI has no way to send a list in a cookie.
        (cookies, None, "", {"cookie": "a=1"}, [("list_type", "cookie.a")]),
        (cookies, None, "", {"cookie": "a="}, [(MISSING, "cookie.a")]),
        (made, None, "", {}, 42),
        (made, None, "?n=1", {}, 1),
        (checked, None, "", {}, 7),
    ],
)
def test_values_and_errors(
    endpoint: Callable[..., Any], body: str | None, query: str, sent: dict[str, str], expected: Any
) -> None:
    for _ in range(2):
        assert errors_of(endpoint, body, query, **sent) == expected


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("APPLICATION/JSON", True),
        ("application/json; charset=utf-8", True),
        ("application/json;", True),
        (" application/json ", True),
        ("application/vnd.api+json", True),
        ("application/problem+json;x=y", True),
        ("application/jsonx", False),
        ("application/json, text/plain", False),
        ("text/json", False),
        ("image/x+json", False),
        ("text/plain", False),
        ("application", False),
        ("json", False),
        ("", False),
    ],
)
def test_content_types(content_type: str, is_json: bool) -> None:
    def endpoint(item: Item) -> str:
        return item.name

    app = FastWeb()
    app.add_api_route("/", endpoint_with(Item, endpoint), methods=["POST"])
    answer = TestClient(app).post("/", content=ITEM, headers={"content-type": content_type})
    assert answer.json() == "a" if is_json else answer.json()["detail"][0]["type"] == "model_attributes_type"


def endpoint_with(cls: type, function: Callable[..., Any]) -> Callable[..., Any]:
    """A local function, its annotations being strings, with real ones."""
    function.__annotations__ = {"item": cls, "return": str}
    return function


def test_what_fails_is_not_called() -> None:
    called: list[str] = []

    def first() -> None:
        called.append("first")

    def bad(q: int) -> None:
        called.append("bad")

    def refuses() -> None:
        called.append("refuses")
        raise HTTPException(403)

    def never() -> None:
        called.append("never")

    def needs_bad(a: None = Depends(bad)) -> None:
        called.append("needs_bad")

    app = FastWeb()
    marks = [Depends(call) for call in (first, needs_bad, refuses, never)]

    @app.get("/", dependencies=marks)
    def endpoint() -> None:
        called.append("endpoint")

    # What a dependency raises goes before the errors that were found so far.
    assert TestClient(app).get("/").status_code == 403
    assert called == ["first", "refuses"]
    del called[:]
    app.dependency_overrides[refuses] = lambda: None
    assert TestClient(app).get("/").status_code == 422
    assert called == ["first", "never"]
    del called[:]
    assert TestClient(app).get("/?q=1").status_code == 200
    assert called == ["first", "bad", "needs_bad", "never", "endpoint"]


def test_overrides_come_and_go() -> None:
    app = FastWeb()

    async def original() -> int:
        return 1

    async def outer(a: int = Depends(original)) -> int:
        return a * 10

    @app.get("/")
    async def endpoint(a: int = Depends(original), b: int = Depends(outer)) -> list[int]:
        return [a, b]

    async def generated() -> AsyncIterator[int]:
        yield 3

    client = TestClient(app)
    assert client.get("/").json() == [1, 10]
    app.dependency_overrides[original] = lambda z=2: z
    assert client.get("/").json() == [2, 20]
    app.dependency_overrides[original] = generated
    assert client.get("/").json() == [3, 30]
    app.dependency_overrides[outer] = original
    assert client.get("/").json() == [3, 1]
    app.dependency_overrides.clear()
    assert client.get("/").json() == [1, 10]


@pytest.mark.parametrize("scope", ["function", "request"])
def test_a_cancelled_request_waits_until_its_dependencies_are_closed(
    scope: Literal["function", "request"],
) -> None:
    app = FastWeb()
    events: list[str] = []
    state: dict[str, anyio.CancelScope] = {}

    async def dependency() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await anyio.lowlevel.checkpoint()
            events.append("closed")

    @app.get("/", dependencies=[Depends(dependency, scope=scope)])
    async def endpoint() -> None:
        state["request"].cancel()
        await anyio.lowlevel.checkpoint()
        events.append("never")

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        events.append(message["type"])

    async def main() -> bool:
        with anyio.CancelScope() as state["request"]:
            await app({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
        return bool(state["request"].cancelled_caught)

    assert anyio.run(main)
    assert events == ["closed"]
