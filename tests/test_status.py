from __future__ import annotations

from http import HTTPStatus

import pytest

from fastweb import status
from fastweb.exceptions import FastWebDeprecationWarning


def test_every_name_begins_with_its_code() -> None:
    for name in status.__all__:
        kind, code, words = name.split("_", 2)
        assert kind in ("HTTP", "WS")
        assert getattr(status, name) == int(code)
        assert words


def test_every_registered_http_status_has_a_name() -> None:
    codes = {getattr(status, name) for name in status.__all__ if name.startswith("HTTP_")}
    assert {int(code) for code in HTTPStatus} <= codes
    assert codes - {int(code) for code in HTTPStatus} == {306}  # "(Unused)" in the registry


def test_websocket_close_codes() -> None:
    codes = [getattr(status, name) for name in status.__all__ if name.startswith("WS_")]
    assert codes == [1000, 1001, 1002, 1003, *range(1005, 1016)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HTTP_413_REQUEST_ENTITY_TOO_LARGE", "HTTP_413_CONTENT_TOO_LARGE"),
        ("HTTP_414_REQUEST_URI_TOO_LONG", "HTTP_414_URI_TOO_LONG"),
        ("HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE", "HTTP_416_RANGE_NOT_SATISFIABLE"),
        ("HTTP_422_UNPROCESSABLE_ENTITY", "HTTP_422_UNPROCESSABLE_CONTENT"),
    ],
)
def test_old_names_work_and_warn(old: str, new: str) -> None:
    with pytest.warns(
        FastWebDeprecationWarning, match=f"'{old}' is deprecated. Use '{new}' instead"
    ) as caught:
        assert getattr(status, old) == getattr(status, new)
    assert caught[0].filename == __file__
    assert old in dir(status)
    assert old not in status.__all__


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="HTTP_999_NONSENSE"):
        status.__getattr__("HTTP_999_NONSENSE")
    assert not hasattr(status, "HTTP_999_NONSENSE")
