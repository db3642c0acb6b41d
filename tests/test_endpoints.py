from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from fastweb.endpoints import HTTPEndpoint, WebSocketEndpoint
from fastweb.exceptions import HTTPException
from fastweb.requests import Request
from fastweb.responses import PlainTextResponse, Response
from fastweb.testclient import TestClient
from fastweb.types import Message, Receive, Scope, Send
from fastweb.websockets import WebSocket, WebSocketDisconnect

# HTTP


class Page(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse(f"{request.method} {request.url.path}", headers={"X-A": "1"})

    def post(self, request: Request) -> Response:
        return PlainTextResponse("a thread's")

    async def query(self, request: Request) -> Response:
        return PlainTextResponse((await request.body()).decode())


class Heads(HTTPEndpoint):
    async def head(self, request: Request) -> Response:
        return Response(headers={"X-Head": "1"})


@pytest.mark.parametrize(
    ("endpoint", "method", "status", "text"),
    [
        (Page, "GET", 200, "GET /a"),
        (Page, "HEAD", 200, ""),
        (Page, "POST", 200, "a thread's"),
        (Page, "QUERY", 200, "asked"),
        (Page, "DELETE", 405, "Method Not Allowed"),
        (Page, "BREW", 405, "Method Not Allowed"),
        (Page, "METHOD_NOT_ALLOWED", 405, "Method Not Allowed"),
        (Heads, "HEAD", 200, ""),
        (Heads, "GET", 405, "Method Not Allowed"),
    ],
)
def test_methods(endpoint: type[HTTPEndpoint], method: str, status: int, text: str) -> None:
    response = TestClient(endpoint).request(method, "/a", content=b"asked")
    assert (response.status_code, response.text) == (status, text)


def test_head_is_get_without_a_body_unless_there_is_a_head() -> None:
    assert TestClient(Page).head("/").headers["x-a"] == "1"
    assert TestClient(Heads).head("/").headers["x-head"] == "1"


def test_what_is_allowed() -> None:
    assert TestClient(Page).put("/").headers["allow"] == "GET, HEAD, POST, QUERY"
    assert TestClient(Heads).put("/").headers["allow"] == "HEAD"


def test_within_an_app_the_apps_handlers_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = app
        await Page(scope, receive, send)

    with pytest.raises(HTTPException) as caught:
        TestClient(app).put("/")
    assert caught.value.status_code == 405
    assert caught.value.headers == {"Allow": "GET, HEAD, POST, QUERY"}


def test_method_not_allowed_may_be_overridden() -> None:
    class Teapot(HTTPEndpoint):
        async def method_not_allowed(self, request: Request) -> Response:
            return PlainTextResponse("no tea", 418)

    assert TestClient(Teapot).get("/").status_code == 418


@pytest.mark.parametrize(("endpoint", "kind"), [(HTTPEndpoint, "websocket"), (WebSocketEndpoint, "http")])
def test_the_wrong_kind_of_connection(endpoint: Any, kind: str) -> None:
    with pytest.raises(AssertionError, match=f"'{kind}'"):
        endpoint({"type": kind}, None, None)


# WebSocket


class Recording(WebSocketEndpoint):
    """Sends back what it gets, and notes how it ends."""

    codes: list[int]

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        await websocket.send_json(repr(data))

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        self.codes.append(close_code)


def recording(encoding: Literal["text", "bytes", "json"] | None = None) -> type[Recording]:
    return type("Endpoint", (Recording,), {"encoding": encoding, "codes": []})


@pytest.mark.parametrize(
    ("encoding", "message", "expected"),
    [
        ("text", {"text": "a"}, "'a'"),
        ("text", {"text": "a", "bytes": None}, "'a'"),
        ("text", {"text": ""}, "''"),
        ("bytes", {"bytes": b"a"}, "b'a'"),
        ("bytes", {"bytes": b"", "text": None}, "b''"),
        ("json", {"text": "[1]"}, "[1]"),
        ("json", {"bytes": b"[1]"}, "[1]"),
        ("json", {"bytes": b"[1]", "text": None}, "[1]"),
        (None, {"text": "a"}, "'a'"),
        (None, {"text": ""}, "''"),
        (None, {"bytes": b"a"}, "b'a'"),
        (None, {"bytes": b"a", "text": None}, "b'a'"),
    ],
)
def test_encodings(encoding: Any, message: dict[str, Any], expected: str) -> None:
    endpoint = recording(encoding)
    with TestClient(endpoint).websocket_connect("/") as session:
        session.send({"type": "websocket.receive", **message})
        assert session.receive_json() == expected
    assert endpoint.codes == [1000]


@pytest.mark.parametrize(
    ("encoding", "message", "text"),
    [
        ("text", {"bytes": b"a"}, "Expected text websocket messages, but got bytes"),
        ("bytes", {"text": "a"}, "Expected bytes websocket messages, but got text"),
        ("bytes", {"text": "a", "bytes": None}, "Expected bytes websocket messages, but got text"),
        ("json", {"text": "{"}, "Malformed JSON data received."),
        ("json", {"bytes": b"{"}, "Malformed JSON data received."),
    ],
)
def test_messages_in_another_encoding(encoding: Any, message: dict[str, Any], text: str) -> None:
    endpoint = recording(encoding)
    with (
        pytest.raises(RuntimeError, match=text),
        TestClient(endpoint).websocket_connect("/") as session,
    ):
        session.send({"type": "websocket.receive", **message})
        with pytest.raises(WebSocketDisconnect) as caught:
            session.receive_text()
        assert caught.value.code == 1003
    assert endpoint.codes == [1011]


def test_an_encoding_that_does_not_exist() -> None:
    endpoint = recording("xml")  # type: ignore[arg-type]
    with (
        pytest.raises(AssertionError, match="not 'xml'"),
        TestClient(endpoint).websocket_connect("/") as session,
    ):
        session.send_text("a")
        session.receive_text()


@pytest.mark.parametrize(("sent", "seen"), [(1001, 1001), (None, 1000), (4000, 4000)])
def test_the_clients_close_code(sent: Any, seen: int) -> None:
    endpoint = recording()
    with TestClient(endpoint).websocket_connect("/") as session:
        session.close(sent)
    assert endpoint.codes == [seen]


def test_it_may_refuse() -> None:
    class Refusing(WebSocketEndpoint):
        async def on_connect(self, websocket: WebSocket) -> None:
            await websocket.close(1008)

    with pytest.raises(WebSocketDisconnect) as caught, TestClient(Refusing).websocket_connect("/"):
        pass
    assert caught.value.code == 1008


def test_it_may_leave_the_question_open() -> None:
    class Undecided(Recording):
        codes: list[int] = []

        async def on_connect(self, websocket: WebSocket) -> None:
            pass

    async def receive() -> Message:
        return messages.pop(0)

    async def main() -> None:
        await Undecided({"type": "websocket", "path": "/"}, receive, None)  # type: ignore[arg-type]

    messages: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": 1006},
    ]
    asyncio.run(main())
    assert Undecided.codes == [1006]
