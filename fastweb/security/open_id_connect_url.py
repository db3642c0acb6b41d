"""OpenID Connect, by its discovery document."""

from __future__ import annotations

from fastweb.openapi.models import OpenIdConnect as OpenIdConnectModel
from fastweb.requests import HTTPConnection
from fastweb.security.base import SecurityBase

__all__ = ["OpenIdConnect"]


class OpenIdConnect(SecurityBase):
    """OpenID Connect: gives the Authorization field as it is. The app checks the token.

    Arguments:
        openIdConnectUrl: where the discovery document is.
        scheme_name: its name among the OpenAPI document's schemes; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without the field with 401; else give None.
    """

    def __init__(
        self,
        *,
        openIdConnectUrl: str,  # noqa: N803 - OpenAPI's name
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self.model = OpenIdConnectModel(openIdConnectUrl=openIdConnectUrl, description=description)
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self._or_refused(request.headers.get("Authorization") or None)
