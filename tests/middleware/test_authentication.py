from __future__ import annotations

from typing import Any

import anyio

from fastweb import FastWeb, Request, Response
from fastweb.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
)
from fastweb.middleware.authentication import AuthenticationMiddleware
from fastweb.requests import HTTPConnection
from fastweb.responses import JSONResponse
from fastweb.testclient import TestClient
from fastweb.types import Message


class ByHeader(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        name = conn.headers.get("x-user")
        if name is None:
            return None
        if name == "wrong":
            raise AuthenticationError("no such user")
        return AuthCredentials(["known"]), SimpleUser(name)


def client_of(**options: Any) -> TestClient:
    app = FastWeb()

    @app.get("/")
    async def read(request: Request) -> list[Any]:
        user = request.user
        return [user.is_authenticated, user.display_name, user.identity, request.auth.scopes]

    return TestClient(AuthenticationMiddleware(app, backend=ByHeader(), **options))


def test_who_is_known_and_who_is_not() -> None:
    client = client_of()
    assert client.get("/").json() == [False, "", "", []]
    assert client.get("/", headers={"x-user": "zoe"}).json() == [True, "zoe", "zoe", ["known"]]


def test_who_is_wrong_is_refused() -> None:
    answer = client_of().get("/", headers={"x-user": "wrong"})
    assert (answer.status_code, answer.text) == (400, "no such user")


def test_the_refusal_may_be_another() -> None:
    def refuse(conn: HTTPConnection, error: AuthenticationError) -> Response:
        return JSONResponse([conn.url.path, str(error)], status_code=401)

    answer = client_of(on_error=refuse).get("/", headers={"x-user": "wrong"})
    assert (answer.status_code, answer.json()) == (401, ["/", "no such user"])


def test_a_websocket_of_the_wrong_is_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError

    scope = {"type": "websocket", "path": "/", "headers": [(b"x-user", b"wrong")]}
    anyio.run(AuthenticationMiddleware(app, backend=ByHeader()), scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]


def test_a_lifespan_passes_by() -> None:
    with TestClient(AuthenticationMiddleware(FastWeb(), backend=ByHeader())):
        pass
