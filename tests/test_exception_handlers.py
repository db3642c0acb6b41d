from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from fastweb import HTTPException, Request
from fastweb.exception_handlers import (
    find_exception_handler,
    http_exception_handler,
    request_validation_exception_handler,
    sort_exception_handlers,
    websocket_request_validation_exception_handler,
    wrap_app_handling_exceptions,
)
from fastweb.exceptions import (
    RequestValidationError,
    StarletteHTTPException,
    WebSocketException,
    WebSocketRequestValidationError,
)
from fastweb.requests import HTTPConnection
from fastweb.responses import PlainTextResponse
from fastweb.types import Message, Receive, Scope, Send

REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})


@pytest.mark.parametrize(
    ("error", "body", "headers"),
    [
        (HTTPException(404), b'{"detail":"Not Found"}', {"content-type": "application/json"}),
        (
            HTTPException(400, ["a"], {"X-A": "1"}),
            b'{"detail":["a"]}',
            {"x-a": "1", "content-type": "application/json"},
        ),
        (HTTPException(304, headers={"X-A": "1"}), b"", {"x-a": "1"}),
        (HTTPException(204, "unheard"), b"", {}),
    ],
)
def test_http_exception(error: HTTPException, body: bytes, headers: dict[str, str]) -> None:
    response = anyio.run(http_exception_handler, REQUEST, error)
    assert (response.status_code, response.body) == (error.status_code, body)
    assert {name: value for name, value in response.headers.items() if name != "content-length"} == headers


def test_validation_error() -> None:
    class Strange:
        def __init__(self) -> None:
            self.a = 1

    errors: list[Any] = [
        {"type": "t", "loc": ("body", 0), "msg": "m", "input": Strange(), "ctx": {"error": {1}}}
    ]
    response = anyio.run(request_validation_exception_handler, REQUEST, RequestValidationError(errors))
    assert response.status_code == 422
    assert bytes(response.body) == (
        b'{"detail":[{"type":"t","loc":["body",0],"msg":"m","input":{"a":1},"ctx":{"error":[1]}}]}'
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (float("nan"), '"nan"'),
        ({"a": [float("-inf")]}, '{"a": ["-inf"]}'),
        (b"\xff", '"�"'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_input_that_json_cannot_hold(given: Any, shown: str) -> None:
    """FastAPI answers 500 here."""
    errors = [{"type": "t", "loc": ("body",), "msg": "m", "input": given}]
    response = anyio.run(request_validation_exception_handler, REQUEST, RequestValidationError(errors))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/json"
    assert json.loads(bytes(response.body))["detail"][0]["input"] == json.loads(shown)


class Socket:
    """What a WebSocket does when it is closed."""

    closed: Any = None

    async def close(self, code: int = 1000, reason: Any = None) -> None:
        self.closed = (code, reason)


def test_input_that_is_nested_too_deeply_is_left_out() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    error = {"type": "missing", "loc": ("body", "a"), "msg": "Field required", "input": {"b": deep}}

    async def answer() -> Any:
        return await request_validation_exception_handler(REQUEST, RequestValidationError([error]))

    response = anyio.run(answer)
    assert response.status_code == 422
    assert json.loads(bytes(response.body)) == {
        "detail": [{"type": "missing", "loc": ["body", "a"], "msg": "Field required"}]
    }


def test_websocket_validation_error() -> None:
    socket = Socket()
    error = WebSocketRequestValidationError([{"type": "t", "loc": ("query", "a"), "input": b"\xff"}])
    anyio.run(websocket_request_validation_exception_handler, socket, error)
    assert socket.closed == (1008, [{"type": "t", "loc": ["query", "a"], "input": "\ufffd"}])


# --- Which handler answers ---


def by_name(name: str) -> Any:
    def handler(request: Any, error: Any) -> PlainTextResponse:
        return PlainTextResponse(f"{name} {error}")

    handler.__name__ = name
    return handler


HANDLERS = {
    key: by_name(str(key) if isinstance(key, int) else key.__name__)
    for key in (404, 500, 503, LookupError, KeyError, StarletteHTTPException)
}


def test_handlers_are_sorted() -> None:
    sorted_ = sort_exception_handlers(HANDLERS)
    assert set(sorted_.by_class) == {LookupError, KeyError, StarletteHTTPException}
    assert set(sorted_.by_status) == {404, 503}
    assert sorted_.server_error is HANDLERS[500]
    assert sort_exception_handlers({Exception: HANDLERS[404]}).server_error is HANDLERS[404]
    assert sort_exception_handlers({}) == ({}, {}, None)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (HTTPException(404), "404"),
        (StarletteHTTPException(503), "503"),
        (HTTPException(500), "HTTPException"),
        (KeyError(), "KeyError"),
        (IndexError(), "LookupError"),
        (ValueError(), None),
    ],
)
def test_the_nearest_handler_is_found(error: Exception, name: str | None) -> None:
    by_class, by_status, _ = sort_exception_handlers(HANDLERS)
    handler = find_exception_handler(error, by_class, by_status)
    assert getattr(handler, "__name__", None) == name


def run_wrapped(error: Exception, *, begun: bool = False, kind: str = "http") -> list[Message]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200})
        raise error

    async def receive() -> Message:
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    handlers = sort_exception_handlers({**HANDLERS, WebSocketException: close_websocket})
    scope: Scope = {
        "type": kind,
        "method": "GET",
        "path": "/",
        "headers": [],
        "starlette.exception_handlers": (handlers.by_class, handlers.by_status),
    }
    anyio.run(wrap_app_handling_exceptions(app, HTTPConnection(scope)), scope, receive, send)
    return sent


async def close_websocket(websocket: HTTPConnection, error: WebSocketException) -> None:
    websocket.scope["closed"] = error.code


def test_a_route_s_exceptions_are_answered() -> None:
    assert [message.get("body") for message in run_wrapped(KeyError("k"))] == [None, b"KeyError 'k'"]


def test_a_handler_may_answer_nothing() -> None:
    assert run_wrapped(WebSocketException(1008), kind="websocket") == []


def test_what_has_no_handler_goes_on() -> None:
    with pytest.raises(ValueError, match="v"):
        run_wrapped(ValueError("v"))


def test_an_answer_is_not_begun_twice() -> None:
    with pytest.raises(RuntimeError, match="Caught handled exception, but response already started"):
        run_wrapped(KeyError("k"), begun=True)


def test_without_handlers_nothing_is_caught() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("k")

    async def never(*_: Any) -> Any:
        raise AssertionError

    scope: Scope = {"type": "http"}
    with pytest.raises(KeyError):
        anyio.run(wrap_app_handling_exceptions(app, HTTPConnection(scope)), scope, never, never)
