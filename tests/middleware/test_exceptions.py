from __future__ import annotations

from typing import Any

import pytest

from fastweb import HTTPException, Request, Response
from fastweb.exception_handlers import http_exception_handler
from fastweb.exceptions import StarletteHTTPException, WebSocketException
from fastweb.middleware.exceptions import ExceptionMiddleware
from fastweb.responses import PlainTextResponse
from fastweb.testclient import TestClient
from fastweb.types import Receive, Scope, Send
from fastweb.websockets import WebSocket, WebSocketDisconnect


def client_of(error: Exception, handlers: Any = None, *, after: bool = False) -> TestClient:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if after:
            await PlainTextResponse("done")(scope, receive, send)
        raise error

    return TestClient(ExceptionMiddleware(app, handlers=handlers))


def answer_with(text: str) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{text}: {error}", status_code=418)

    return handler


@pytest.mark.parametrize(
    ("error", "status", "text", "headers"),
    [
        (StarletteHTTPException(404), 404, "Not Found", {}),
        (HTTPException(400, "bad", {"X-A": "1"}), 400, "bad", {"x-a": "1"}),
        (HTTPException(204), 204, "", {}),
        (HTTPException(304), 304, "", {}),
        (StarletteHTTPException(499), 499, "", {}),
    ],
)
def test_http_exceptions_are_text(error: Exception, status: int, text: str, headers: dict[str, str]) -> None:
    answer = client_of(error).get("/")
    assert (answer.status_code, answer.text) == (status, text)
    assert headers.items() <= dict(answer.headers).items()


@pytest.mark.parametrize(
    ("error", "keys", "chosen"),
    [
        (KeyError("k"), [LookupError], "LookupError"),
        (KeyError("k"), [LookupError, KeyError], "KeyError"),
        (HTTPException(404), [HTTPException], "HTTPException"),
        (HTTPException(404), [StarletteHTTPException, 404], "404"),
        (HTTPException(404), [404], "404"),
        (StarletteHTTPException(404), [404], "404"),
        (ValueError("v"), [Exception], "Exception"),
    ],
)
def test_the_nearest_handler_answers(error: Exception, keys: list[Any], chosen: str) -> None:
    handlers = {key: answer_with(getattr(key, "__name__", str(key))) for key in keys}
    answer = client_of(error, handlers).get("/")
    assert (answer.status_code, answer.text) == (418, f"{chosen}: {error}")


def test_plain_handlers_and_those_that_are_added_later() -> None:
    def plain(request: Request, error: Exception) -> Response:
        return PlainTextResponse("plain")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("k")

    middleware = ExceptionMiddleware(app)
    middleware.add_exception_handler(KeyError, plain)
    assert TestClient(middleware).get("/").text == "plain"


@pytest.mark.parametrize("key", ["404", int, None, KeyError("an instance")])
def test_what_no_handler_can_answer(key: Any) -> None:
    with pytest.raises(TypeError, match="a handler answers a status code or a class of exceptions"):
        ExceptionMiddleware(PlainTextResponse(""), handlers={key: http_exception_handler})


def test_without_a_handler_it_goes_on() -> None:
    with pytest.raises(KeyError):
        client_of(KeyError("k"), {ValueError: answer_with("v")}).get("/")


def test_a_handled_exception_after_the_answer_is_an_error_of_its_own() -> None:
    with pytest.raises(RuntimeError, match="Caught handled exception, but response already started"):
        client_of(HTTPException(404), after=True).get("/")


def test_a_handled_exception_gathers_no_tracebacks() -> None:
    error = HTTPException(404)
    client = client_of(error)
    for _ in range(2):
        client.get("/")
        assert error.__traceback__ is None


def test_the_handlers_are_there_for_routes() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        by_class, by_status = scope["starlette.exception_handlers"]
        text = f"{sorted(cls.__name__ for cls in by_class)} {list(by_status)}"
        await PlainTextResponse(text)(scope, receive, send)

    client = TestClient(ExceptionMiddleware(app, handlers={404: http_exception_handler}))
    assert client.get("/").text == "['HTTPException', 'WebSocketException'] [404]"


def test_a_websocket_exception_closes_its_websocket() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        raise WebSocketException(1008, "not you")

    client = TestClient(ExceptionMiddleware(app))
    with client.websocket_connect("/") as session, pytest.raises(WebSocketDisconnect) as caught:
        session.receive_text()
    assert (caught.value.code, caught.value.reason) == (1008, "not you")
