from __future__ import annotations

from typing import Any

import anyio
import pytest

from fastweb import FastWeb, Request
from fastweb.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
    UnauthenticatedUser,
    has_required_scope,
    requires,
)
from fastweb.middleware.authentication import AuthenticationMiddleware
from fastweb.requests import HTTPConnection
from fastweb.testclient import TestClient
from fastweb.types import Receive, Scope, Send
from fastweb.websockets import WebSocket, WebSocketDisconnect


class ByQuery(AuthenticationBackend):
    """?scopes=a,b"""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        scopes = conn.query_params.get("scopes")
        return None if scopes is None else (AuthCredentials(scopes.split(",")), SimpleUser("zoe"))


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastWeb()

    @app.get("/login")
    async def login() -> str:
        return "log in"

    @app.get("/async")
    @requires("a")
    async def asynchronous(request: Request) -> str:
        return "ok"

    @app.get("/plain/{number}")
    @requires(["a", "b"], status_code=401)
    def plain(number: int, request: Request) -> int:
        return number

    @app.get("/redirect")
    @requires("a", redirect="login")
    def redirect(request: Request) -> str:
        return "ok"

    return TestClient(AuthenticationMiddleware(app, backend=ByQuery()))


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/async", 403, {"detail": "Forbidden"}),
        ("/async?scopes=b", 403, {"detail": "Forbidden"}),
        ("/async?scopes=a", 200, "ok"),
        ("/plain/5?scopes=a", 401, {"detail": "Unauthorized"}),
        ("/plain/5?scopes=b,a", 200, 5),
        ("/redirect?scopes=a", 200, "ok"),
    ],
)
def test_endpoints_require_scopes(client: TestClient, path: str, status: int, body: Any) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (status, body)


def test_others_are_sent_elsewhere(client: TestClient) -> None:
    answer = client.get("/redirect?scopes=b&next=http://evil.example", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        "http://testserver/login?next=http%3A%2F%2Ftestserver%2Fredirect"
        "%3Fscopes%3Db%26next%3Dhttp%3A%2F%2Fevil.example"
    )


def test_mistakes_in_code_are_named() -> None:
    with pytest.raises(TypeError, match='No "request" or "websocket" argument'):

        @requires("a")
        def no_request(number: int) -> None: ...

    @requires("a")
    def endpoint(request: Request) -> None: ...

    with pytest.raises(TypeError, match="'request' is required to be of type 'Request' not 'str'"):
        endpoint("no request")  # type: ignore[arg-type]


def test_scopes() -> None:
    conn = HTTPConnection({"type": "http", "auth": AuthCredentials(["a", "b"])})
    assert has_required_scope(conn, [])
    assert has_required_scope(conn, ["b"])
    assert not has_required_scope(conn, ["b", "c"])
    assert AuthCredentials().scopes == []


def test_users() -> None:
    zoe = SimpleUser("zoe")
    assert (zoe.is_authenticated, zoe.display_name, zoe.identity) == (True, "zoe", "zoe")
    nobody = UnauthenticatedUser()
    assert (nobody.is_authenticated, nobody.display_name, nobody.identity) == (False, "", "")


@pytest.mark.parametrize("name", ["is_authenticated", "display_name", "identity"])
def test_what_a_subclass_leaves_out_is_named(name: str) -> None:
    class User(BaseUser):
        pass

    with pytest.raises(NotImplementedError, match=f"User has no {name}"):
        getattr(User(), name)
    with pytest.raises(NotImplementedError, match=r"AuthenticationBackend has no authenticate\(\)"):
        anyio.run(AuthenticationBackend().authenticate, HTTPConnection({"type": "http"}))


@pytest.mark.parametrize(("scopes", "opened"), [("a", True), ("b", False)])
def test_websockets_require_scopes(scopes: str, opened: bool) -> None:
    @requires("a")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.user.display_name)
        await websocket.close()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await endpoint(WebSocket(scope, receive, send))

    client = TestClient(AuthenticationMiddleware(app, backend=ByQuery()))
    if opened:
        with client.websocket_connect(f"/?scopes={scopes}") as session:
            assert session.receive_text() == "zoe"
    else:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"/?scopes={scopes}"):
            raise AssertionError
