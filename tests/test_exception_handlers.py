from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from fastweb import HTTPException, Request
from fastweb.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastweb.exceptions import RequestValidationError

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
