from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastweb import Depends, FastWeb
from fastweb.encoders import jsonable_encoder
from fastweb.params import Security
from fastweb.security import (
    OAuth2,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OAuth2PasswordRequestForm,
    OAuth2PasswordRequestFormStrict,
    SecurityScopes,
)
from fastweb.testclient import TestClient

REFUSED = (401, {"detail": "Not authenticated"}, "Bearer")


def field(value: str) -> dict[str, Any]:
    return {"headers": {"Authorization": value}}


@pytest.mark.parametrize(
    ("scheme", "request_", "answer"),
    [
        (OAuth2(), field("Other abc"), (200, "Other abc", None)),
        (OAuth2(), {}, REFUSED),
        (OAuth2(auto_error=False), {}, (200, None, None)),
        (OAuth2PasswordBearer("token"), field("bearer  abc "), (200, "abc", None)),
        (OAuth2PasswordBearer("token"), field("Bearer"), (200, "", None)),
        (OAuth2PasswordBearer("token"), field("Basic abc"), REFUSED),
        (OAuth2PasswordBearer("token"), {}, REFUSED),
        (OAuth2PasswordBearer("token", auto_error=False), field("Basic abc"), (200, None, None)),
        (OAuth2AuthorizationCodeBearer("auth", "token"), field("Bearer abc"), (200, "abc", None)),
        (OAuth2AuthorizationCodeBearer("auth", "token"), {}, REFUSED),
        (OAuth2AuthorizationCodeBearer("auth", "token", auto_error=False), {}, (200, None, None)),
    ],
)
def test_tokens(ask: Callable[..., Any], scheme: Any, request_: dict[str, Any], answer: object) -> None:
    assert ask(scheme, **request_) == answer


@pytest.mark.parametrize(
    ("scheme", "flows"),
    [
        (OAuth2(), {}),
        (
            OAuth2(flows={"password": {"tokenUrl": "t", "scopes": {"a": "A"}}}),
            {"password": {"tokenUrl": "t", "scopes": {"a": "A"}}},
        ),
        (
            OAuth2PasswordBearer("t", scopes={"a": "A"}, refreshUrl="r"),
            {"password": {"tokenUrl": "t", "scopes": {"a": "A"}, "refreshUrl": "r"}},
        ),
        (
            OAuth2AuthorizationCodeBearer("a", "t"),
            {"authorizationCode": {"authorizationUrl": "a", "tokenUrl": "t", "scopes": {}}},
        ),
    ],
)
def test_the_scheme_for_openapi(scheme: Any, flows: dict[str, Any]) -> None:
    assert scheme.scheme_name == type(scheme).__name__
    assert jsonable_encoder(scheme.model, exclude_none=True) == {"type": "oauth2", "flows": flows}


FORM = {"username": "u", "password": "p"}
READ: dict[str, Any] = {"grant_type": None, **FORM, "scopes": [], "client_id": None, "client_secret": None}


@pytest.mark.parametrize(
    ("form", "data", "status", "answer"),
    [
        (OAuth2PasswordRequestForm, FORM, 200, READ),
        (OAuth2PasswordRequestForm, {**FORM, "scope": "a b"}, 200, {**READ, "scopes": ["a", "b"]}),
        (
            OAuth2PasswordRequestForm,
            {**FORM, "grant_type": "password"},
            200,
            {**READ, "grant_type": "password"},
        ),
        (OAuth2PasswordRequestForm, {**FORM, "grant_type": "other"}, 422, ["grant_type"]),
        (OAuth2PasswordRequestForm, {}, 422, ["username", "password"]),
        (OAuth2PasswordRequestFormStrict, FORM, 422, ["grant_type"]),
        (
            OAuth2PasswordRequestFormStrict,
            {**FORM, "grant_type": "password", "client_id": "i", "client_secret": "s"},
            200,
            {**READ, "grant_type": "password", "client_id": "i", "client_secret": "s"},
        ),
    ],
)
def test_the_password_form(form: Any, data: dict[str, str], status: int, answer: Any) -> None:
    app = FastWeb()

    @app.post("/token")
    def token(given: Any = Depends(form)) -> dict[str, Any]:
        return {**vars(given)}

    with TestClient(app) as client:
        got = client.post("/token", data=data)
    assert got.status_code == status
    body = got.json()
    assert (body if status == 200 else [error["loc"][1] for error in body["detail"]]) == answer


def test_scopes_add_up_on_the_way_down() -> None:
    app = FastWeb()

    def inner(scopes: SecurityScopes) -> list[Any]:
        return [scopes.scopes, scopes.scope_str]

    def outer(found: list[Any] = Security(inner, scopes=["b"])) -> list[Any]:
        return found

    @app.get("/")
    def read(found: list[Any] = Security(outer, scopes=["a"])) -> list[Any]:
        return found

    with TestClient(app) as client:
        assert client.get("/").json() == [["a", "b"], "a b"]
    assert (SecurityScopes().scopes, SecurityScopes().scope_str) == ([], "")
