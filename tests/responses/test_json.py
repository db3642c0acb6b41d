"""JSON responses as what they send."""

from __future__ import annotations

import datetime
import json
import sys
import types
from typing import Any

import pytest

from fastweb.exceptions import FastWebDeprecationWarning
from fastweb.responses import JSONResponse, ORJSONResponse, UJSONResponse
from tests.responses.sending import sent


def test_sent() -> None:
    status, headers, pieces = sent(JSONResponse({"a": "é"}, 201, {"x": "y"}))
    assert (status, pieces) == (201, ['{"a":"é"}'.encode()])
    assert headers == [("x", "y"), ("content-length", "10"), ("content-type", "application/json")]
    assert bytes(JSONResponse(None).body) == b"null"


@pytest.mark.parametrize(
    "content",
    [
        {"a": [1, 2.5, None, True, "é\u2028"]},
        {1: 2, None: 3, False: 4, 1.5: 5},
        [2**70, -(2**63), 2**64 - 1],
        (1, (2,)),
        "text",
        {"null": "null"},
        [1e300, -0.0, 1e16],
    ],
)
def test_json_is_that_of_the_standard_library(content: Any) -> None:
    expected = json.loads(json.dumps(content))
    assert json.loads(bytes(JSONResponse(content).body)) == expected


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (float("nan"), ValueError),
        ({"a": [None, float("inf")]}, ValueError),
        (object(), TypeError),
        ({(1,): 2}, TypeError),
        (datetime.date(2020, 1, 1), TypeError),
        ({1}, TypeError),
        ("\ud800", UnicodeEncodeError),
    ],
)
def test_what_json_cannot_hold(content: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        JSONResponse(content)


def test_orjson() -> None:
    with pytest.warns(FastWebDeprecationWarning, match="ORJSONResponse is deprecated"):
        response = ORJSONResponse({1: datetime.date(2020, 1, 2)})
    assert bytes(response.body) == b'{"1":"2020-01-02"}'
    with pytest.warns(FastWebDeprecationWarning, match="ORJSONResponse is deprecated"):
        mine = type("Mine", (ORJSONResponse,), {})
    mine(1)  # the warning was given


def test_ujson(monkeypatch: pytest.MonkeyPatch) -> None:
    ujson = types.SimpleNamespace(dumps=lambda content, ensure_ascii: f"<{content}>")
    monkeypatch.setitem(sys.modules, "ujson", ujson)  # it need not be installed
    with pytest.warns(FastWebDeprecationWarning, match="UJSONResponse is deprecated"):
        assert bytes(UJSONResponse("é").body) == "<é>".encode()
