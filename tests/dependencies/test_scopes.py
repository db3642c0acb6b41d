"""OAuth2 scopes, and plans for WebSockets."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated, Any

import pytest

from fastweb import Depends, FastWeb, Header, Query, Request, Security
from fastweb.dependencies.dependant import dependant_of
from fastweb.dependencies.plan import CallPlan
from fastweb.exceptions import WebSocketRequestValidationError
from fastweb.requests import HTTPConnection
from fastweb.security import SecurityScopes
from fastweb.testclient import TestClient
from fastweb.websockets import WebSocket

calls: list[list[str]] = []


def needed(scopes: SecurityScopes) -> list[str]:
    calls.append(scopes.scopes)
    return scopes.scopes


def user(needed: Annotated[list[str], Security(needed, scopes=["me"])]) -> list[str]:
    return needed


def admin(user: Annotated[list[str], Security(user, scopes=["admin", "me"])]) -> list[str]:
    return user


def everyone(
    plain: Annotated[list[str], Depends(needed)],
    me: Annotated[list[str], Depends(user)],
    again: Annotated[list[str], Depends(user)],
    boss: Annotated[list[str], Depends(admin)],
    items: Annotated[list[str], Security(admin, scopes=["items"])],
    own: SecurityScopes,
) -> list[list[str]]:
    return [plain, me, again, boss, items, own.scopes]


def test_scopes_add_up_on_the_way_down() -> None:
    calls.clear()
    app = FastWeb()
    app.get("/")(everyone)
    boss = ["admin", "me"]
    items = ["items", "admin", "me"]
    assert TestClient(app).get("/").json() == [[], ["me"], ["me"], boss, items, []]
    assert calls == [[], ["me"], boss, items], "what needs the same scopes is called once"


def test_scopes_of_the_route_and_of_what_stands_in() -> None:
    def other(scopes: SecurityScopes) -> list[str]:
        return ["other", *scopes.scopes]

    other.__annotations__["scopes"] = SecurityScopes
    app = FastWeb()
    app.get("/", dependencies=[Security(needed, scopes=["route"])])(admin)
    calls.clear()
    assert TestClient(app).get("/").json() == ["admin", "me"]
    assert calls == [["route"], ["admin", "me"]]
    app.dependency_overrides[needed] = other
    assert TestClient(app).get("/").json() == ["other", "admin", "me"]


def test_what_the_tree_says() -> None:
    found = dependant_of(everyone, frozenset())
    items = found.dependencies[4]
    assert (items.own_oauth_scopes, items.parent_oauth_scopes) == (["items"], [])
    inner = items.dependencies[0]
    assert (inner.own_oauth_scopes, inner.parent_oauth_scopes) == (["admin", "me"], ["items"])
    assert inner.oauth_scopes == ["items", "admin", "me"]
    assert inner.security_scheme is None


# WebSockets


def shared(
    connection: HTTPConnection,
    request: Request = None,  # type: ignore[assignment]
    websocket: WebSocket = None,  # type: ignore[assignment]
) -> list[Any]:
    return [connection.url.path, request is None, websocket is None]


async def socket(
    ws: WebSocket,
    of: Annotated[list[Any], Depends(shared)],
    n: int,
    token: Annotated[str, Header()],
    tags: Annotated[list[str] | None, Query()] = None,
) -> None: ...


def solved(query: bytes, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    async def never() -> Any: ...

    async def run() -> dict[str, Any]:
        scope = {"type": "websocket", "path": "/ws", "query_string": query, "headers": headers}
        websocket = WebSocket(scope, never, never)  # type: ignore[arg-type]
        plan = CallPlan(dependant_of(socket, frozenset()), [], frozenset(), websocket=True)
        async with AsyncExitStack() as exits:
            values = (await plan.solve_websocket(websocket, exits, exits)).values
        assert values.pop("ws") is websocket
        return values

    return asyncio.run(run())


def test_a_plan_for_a_websocket() -> None:
    found = solved(b"n=3&tags=a&tags=b", [(b"host", b"x"), (b"token", b"t")])
    assert found == {"of": ["/ws", True, False], "n": 3, "token": "t", "tags": ["a", "b"]}
    with pytest.raises(WebSocketRequestValidationError) as raised:
        solved(b"n=x", [])
    assert [error["loc"] for error in raised.value.errors()] == [("query", "n"), ("header", "token")]


def test_the_same_dependency_for_http() -> None:
    app = FastWeb()
    app.get("/")(shared)
    assert TestClient(app).get("/").json() == ["/", False, True]
