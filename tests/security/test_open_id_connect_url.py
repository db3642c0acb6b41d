from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastweb.encoders import jsonable_encoder
from fastweb.security import OpenIdConnect

URL = "/.well-known/openid-configuration"


def test_the_field(ask: Callable[..., Any]) -> None:
    given = {"headers": {"Authorization": "Other abc"}}
    assert ask(OpenIdConnect(openIdConnectUrl=URL), **given) == (200, "Other abc", None)
    assert ask(OpenIdConnect(openIdConnectUrl=URL)) == (401, {"detail": "Not authenticated"}, "Bearer")
    assert ask(OpenIdConnect(openIdConnectUrl=URL, auto_error=False)) == (200, None, None)


def test_the_scheme_for_openapi() -> None:
    scheme = OpenIdConnect(openIdConnectUrl=URL, description="Words")
    assert scheme.scheme_name == "OpenIdConnect"
    assert jsonable_encoder(scheme.model, exclude_none=True) == {
        "type": "openIdConnect",
        "description": "Words",
        "openIdConnectUrl": URL,
    }
