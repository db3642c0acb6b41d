from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from fastweb import exceptions
from fastweb.exceptions import (
    DependencyScopeError,
    EndpointContext,
    FastAPIDeprecationWarning,
    FastAPIError,
    FastWebDeprecationWarning,
    FastWebError,
    HTTPException,
    PydanticV1NotSupportedError,
    RequestValidationError,
    ResponseValidationError,
    StarletteDeprecationWarning,
    StarletteHTTPException,
    ValidationException,
    WebSocketException,
    WebSocketRequestValidationError,
)


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        (404, None, "Not Found"),
        (418, None, "I'm a Teapot"),
        (599, None, ""),
        (404, "no such user", "no such user"),
        (404, "", ""),
        (400, {"a": [1]}, {"a": [1]}),
        (400, 0, 0),
    ],
)
def test_detail_is_the_phrase_unless_given(status: int, detail: Any, expected: Any) -> None:
    error = HTTPException(status, detail)
    assert (error.status_code, error.detail, error.headers) == (status, expected, None)


def test_http_exception_shows_status_and_detail() -> None:
    class Custom(HTTPException):
        pass

    error = Custom(status_code=404, detail="gone", headers={"x": "1"})
    assert str(error) == "404: gone"
    assert repr(error) == "Custom(status_code=404, detail='gone')"
    assert error.headers == {"x": "1"}


def test_every_http_exception_is_a_starlette_one() -> None:
    assert issubclass(HTTPException, StarletteHTTPException)
    assert not issubclass(StarletteHTTPException, HTTPException)
    assert repr(StarletteHTTPException(404)) == "HTTPException(status_code=404, detail='Not Found')"


@pytest.mark.parametrize("kind", [HTTPException, StarletteHTTPException])
def test_http_exception_can_be_copied_and_pickled(kind: type[StarletteHTTPException]) -> None:
    error = kind(status_code=409, detail={"a": 1}, headers={"x": "1"})
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(same) is kind
        assert (same.status_code, same.detail, same.headers) == (409, {"a": 1}, {"x": "1"})


@pytest.mark.parametrize(
    ("reason", "expected", "shown"), [(None, "", "1008: "), ("no token", "no token", "1008: no token")]
)
def test_websocket_exception(reason: str | None, expected: str, shown: str) -> None:
    error = WebSocketException(1008, reason)
    assert (error.code, error.reason, str(error)) == (1008, expected, shown)
    assert repr(error) == f"WebSocketException(code=1008, reason={expected!r})"


ERROR = {"type": "missing", "loc": ("body", "a"), "msg": "Field required", "input": None}
FULL: EndpointContext = {"function": "read", "path": "GET /a", "file": "app.py", "line": 7}


@pytest.mark.parametrize(
    ("errors", "context", "expected"),
    [
        ([], None, "0 validation errors:"),
        ([ERROR], None, f"1 validation error:\n  {ERROR}"),
        ([ERROR, ERROR], None, f"2 validation errors:\n  {ERROR}\n  {ERROR}"),
        ([ERROR], {"path": "GET /a"}, f"1 validation error:\n  {ERROR}\n\n  Endpoint: GET /a"),
        ([ERROR], FULL, f'1 validation error:\n  {ERROR}\n\n  File "app.py", line 7, in read\n    GET /a'),
        (
            [ERROR],
            {"function": "read", "file": "app.py", "line": 7},
            f'1 validation error:\n  {ERROR}\n\n  File "app.py", line 7, in read',
        ),
        ([ERROR], {"function": "read", "line": 7}, f"1 validation error:\n  {ERROR}"),
    ],
)
def test_validation_errors_are_shown_with_their_endpoint(
    errors: list[Any], context: EndpointContext | None, expected: str
) -> None:
    error = ValidationException(errors, endpoint_ctx=context)
    assert str(error) == expected
    assert error.errors() is errors


def test_validation_errors_know_where_they_happened() -> None:
    error = WebSocketRequestValidationError([ERROR], endpoint_ctx=FULL)
    assert error.endpoint_ctx == FULL
    shown = (error.endpoint_function, error.endpoint_path, error.endpoint_file, error.endpoint_line)
    assert shown == ("read", "GET /a", "app.py", 7)


@pytest.mark.parametrize("kind", [RequestValidationError, ResponseValidationError])
def test_request_and_response_errors_keep_the_body(
    kind: type[RequestValidationError] | type[ResponseValidationError],
) -> None:
    assert kind([ERROR], body={"a": 1}).body == {"a": 1}
    assert kind([ERROR]).body is None
    assert isinstance(kind([]), ValidationException)


def test_mistakes_in_code_are_runtime_errors() -> None:
    assert issubclass(FastWebError, RuntimeError)
    assert issubclass(DependencyScopeError, FastWebError)
    assert issubclass(PydanticV1NotSupportedError, FastWebError)


def test_names_of_fastapi_and_starlette() -> None:
    assert FastAPIError is FastWebError
    assert FastAPIDeprecationWarning is StarletteDeprecationWarning is FastWebDeprecationWarning


@pytest.mark.parametrize("name", ["Request", "WebSocket"])
def test_models_that_fastapi_has_here(name: str) -> None:
    model = getattr(exceptions, f"{name}ErrorModel")
    assert model.__name__ == name
    assert getattr(exceptions, f"{name}ErrorModel") is model
    with pytest.raises(AttributeError, match="has no attribute 'NoErrorModel'"):
        _ = exceptions.NoErrorModel
