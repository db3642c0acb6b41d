from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from fastweb.encoders import jsonable_encoder
from fastweb.security import HTTPBasic, HTTPBasicCredentials, HTTPBearer, HTTPDigest
from fastweb.security.http import HTTPBase

ABSENT = {"detail": "Not authenticated"}


def field(value: str) -> dict[str, Any]:
    return {"headers": {"Authorization": value}}


def basic(text: str | bytes) -> dict[str, Any]:
    data = text.encode() if isinstance(text, str) else text
    return field(f"Basic {b64encode(data).decode()}")


def pair(scheme: str, credentials: str) -> tuple[int, dict[str, str], None]:
    return 200, {"scheme": scheme, "credentials": credentials}, None


@pytest.mark.parametrize(
    ("scheme", "request_", "answer"),
    [
        (HTTPBase(scheme="other"), field("Other abc"), pair("Other", "abc")),
        (HTTPBase(scheme="other"), field("Any a b "), pair("Any", "a b")),
        (HTTPBase(scheme="other"), field("Other"), (401, ABSENT, "Other")),
        (HTTPBase(scheme="other"), {}, (401, ABSENT, "Other")),
        (HTTPBase(scheme="other", auto_error=False), {}, (200, None, None)),
        (HTTPBearer(), field("Bearer abc"), pair("Bearer", "abc")),
        (HTTPBearer(), field("bearer abc"), pair("bearer", "abc")),
        (HTTPBearer(), field("Bearer"), (401, ABSENT, "Bearer")),
        (HTTPBearer(), field("Basic abc"), (401, ABSENT, "Bearer")),
        (HTTPBearer(), {}, (401, ABSENT, "Bearer")),
        (HTTPBearer(auto_error=False), {}, (200, None, None)),
        (HTTPBearer(auto_error=False), field("Basic abc"), (200, None, None)),
        (HTTPDigest(), field('Digest username="a"'), pair("Digest", 'username="a"')),
        (HTTPDigest(), field("Bearer abc"), (401, ABSENT, "Digest")),
        (HTTPDigest(), {}, (401, ABSENT, "Digest")),
        (HTTPDigest(auto_error=False), field("Bearer abc"), (200, None, None)),
        (HTTPBasic(), basic("a:b:c"), (200, {"username": "a", "password": "b:c"}, None)),
        (HTTPBasic(), basic(":"), (200, {"username": "", "password": ""}, None)),
        (HTTPBasic(), {}, (401, ABSENT, "Basic")),
        (HTTPBasic(realm="r"), {}, (401, ABSENT, 'Basic realm="r"')),
        (HTTPBasic(), field("Bearer abc"), (401, ABSENT, "Basic")),
        (HTTPBasic(auto_error=False), {}, (200, None, None)),
        (HTTPBasic(auto_error=False), field("Bearer abc"), (200, None, None)),
        # What is there and broken is refused, whatever auto_error says.
        (HTTPBasic(auto_error=False), basic("no colon"), (401, ABSENT, "Basic")),
        (HTTPBasic(auto_error=False), basic(b"\xff:a"), (401, ABSENT, "Basic")),
        (HTTPBasic(auto_error=False), field("Basic abc"), (401, ABSENT, "Basic")),
    ],
)
def test_credentials(ask: Callable[..., Any], scheme: Any, request_: dict[str, Any], answer: object) -> None:
    assert ask(scheme, **request_) == answer


@pytest.mark.parametrize(
    ("scheme", "model"),
    [
        (HTTPBase(scheme="other"), {"type": "http", "scheme": "other"}),
        (HTTPBasic(description="Words"), {"type": "http", "scheme": "basic", "description": "Words"}),
        (HTTPBearer(bearerFormat="JWT"), {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
        (HTTPDigest(), {"type": "http", "scheme": "digest"}),
    ],
)
def test_the_scheme_for_openapi(scheme: Any, model: dict[str, str]) -> None:
    assert scheme.scheme_name == type(scheme).__name__
    assert jsonable_encoder(scheme.model, exclude_none=True) == model


def test_a_subclass_says_what_it_is_refused_with(ask: Callable[..., Any]) -> None:
    class Mine(HTTPBearer):
        def make_authenticate_headers(self) -> dict[str, str]:
            return {"WWW-Authenticate": "Mine"}

    assert ask(Mine()) == (401, ABSENT, "Mine")
    assert Mine().scheme_name == "Mine"


def test_credentials_are_models() -> None:
    made = HTTPBasicCredentials(username="a", password="b")
    assert (made.model_dump(), made == HTTPBasicCredentials(username="a", password="b")) == (
        {"username": "a", "password": "b"},
        True,
    )
