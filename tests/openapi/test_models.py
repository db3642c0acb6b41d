from __future__ import annotations

from typing import Any

import pytest

from fastweb.encoders import jsonable_encoder
from fastweb.openapi import models

#: Not checked by mypy: the tests give dicts for models.
m: Any = models


@pytest.mark.parametrize(
    ("made", "document"),
    [
        (
            m.APIKey(**{"in": m.APIKeyIn.header}, name="key"),
            {"type": "apiKey", "in": "header", "name": "key"},
        ),
        (m.HTTPBase(scheme="basic"), {"type": "http", "scheme": "basic"}),
        (
            m.HTTPBearer(bearerFormat="JWT", description="d"),
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "d"},
        ),
        (
            m.OAuth2(flows=m.OAuthFlows(password=m.OAuthFlowPassword(tokenUrl="/t"))),
            {"type": "oauth2", "flows": {"password": {"tokenUrl": "/t", "scopes": {}}}},
        ),
        (m.OAuth2(flows={"implicit": {"authorizationUrl": "/a", "scopes": {"x": "y"}}}), None),
        (
            m.OpenIdConnect(openIdConnectUrl="/o", **{"x-more": [1]}),
            {"type": "openIdConnect", "openIdConnectUrl": "/o", "x-more": [1]},
        ),
        (
            m.Schema(**{"type": ["string", "null"], "not": {"const": 1}, "$ref": "#"}),
            {"type": ["string", "null"], "not": {"const": 1}, "$ref": "#"},
        ),
        (m.Tag(name="t", externalDocs={"url": "/"}), {"name": "t", "externalDocs": {"url": "/"}}),
    ],
)
def test_as_a_document(made: Any, document: Any) -> None:
    found = jsonable_encoder(made, by_alias=True, exclude_none=True)
    assert found == (
        document
        or {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "/a", "scopes": {"x": "y"}}}}
    )


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="2 validation errors for Schema"):
        m.Schema(type=True)
