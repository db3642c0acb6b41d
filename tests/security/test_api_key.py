from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastweb.encoders import jsonable_encoder
from fastweb.security import APIKeyCookie, APIKeyHeader, APIKeyQuery

REFUSED = (401, {"detail": "Not authenticated"}, "APIKey")

CASES = [
    (APIKeyQuery, "query", {"url": "/?key=abc"}, {"url": "/?key="}),
    (APIKeyHeader, "header", {"headers": {"KEY": "abc"}}, {"headers": {"key": ""}}),
    (APIKeyCookie, "cookie", {"headers": {"cookie": "key=abc"}}, {"headers": {"cookie": "other=abc"}}),
]


@pytest.mark.parametrize(("scheme", "location", "given", "empty"), CASES)
def test_the_key(
    ask: Callable[..., Any], scheme: Any, location: str, given: dict[str, Any], empty: dict[str, Any]
) -> None:
    assert ask(scheme(name="key"), **given) == (200, "abc", None)
    assert ask(scheme(name="key")) == REFUSED
    assert ask(scheme(name="key"), **empty) == REFUSED
    assert ask(scheme(name="key", auto_error=False), **given) == (200, "abc", None)
    assert ask(scheme(name="key", auto_error=False), **empty) == (200, None, None)


@pytest.mark.parametrize(("scheme", "location", "given", "empty"), CASES)
def test_the_scheme_for_openapi(scheme: Any, location: str, given: object, empty: object) -> None:
    made = scheme(name="key")
    assert made.scheme_name == scheme.__name__
    assert jsonable_encoder(made.model, exclude_none=True) == {
        "type": "apiKey",
        "in": location,
        "name": "key",
    }
    named = scheme(name="key", scheme_name="Mine", description="Words")
    assert (named.scheme_name, named.model.description, named.model.name) == ("Mine", "Words", "key")
