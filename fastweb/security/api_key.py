"""API keys: in the query string, in a header field or in a cookie."""

from __future__ import annotations

from fastweb.openapi.models import APIKey, APIKeyIn
from fastweb.requests import HTTPConnection
from fastweb.security.base import SecurityBase

__all__ = ["APIKeyCookie", "APIKeyHeader", "APIKeyQuery"]


class APIKeyBase(SecurityBase):
    """What the three share.

    Arguments:
        location: where the key stands.
        name: of the query parameter, field or cookie.
        description: for the OpenAPI document.
        scheme_name: the scheme's name there; by default the class's.
        auto_error: refuse a request without a key; else give None.
    """

    model: APIKey

    def __init__(
        self,
        location: APIKeyIn,
        name: str,
        description: str | None,
        scheme_name: str | None,
        auto_error: bool,
    ) -> None:
        self.model = APIKey(**{"in": location}, name=name, description=description)  # type: ignore[arg-type]
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    def make_authenticate_headers(self) -> dict[str, str]:
        """No challenge is registered for API keys, but a 401 must carry one."""
        return {"WWW-Authenticate": "APIKey"}

    def check_api_key(self, api_key: str | None) -> str | None:
        """The key, if there is one; it is the app that knows whether it is valid."""
        return self._or_refused(api_key or None)


class APIKeyQuery(APIKeyBase):
    """An API key in the query string, where logs and browser histories keep it: the others are safer.

    Arguments:
        name: the query parameter.
        scheme_name: the scheme's name in the OpenAPI document; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without the key with 401; else give None.
    """

    def __init__(
        self,
        *,
        name: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(APIKeyIn.query, name, description, scheme_name, auto_error)

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self.check_api_key(request.query_params.get(self.model.name))


class APIKeyHeader(APIKeyBase):
    """An API key in a header field.

    Arguments:
        name: the field.
        scheme_name: the scheme's name in the OpenAPI document; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without the key with 401; else give None.
    """

    def __init__(
        self,
        *,
        name: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(APIKeyIn.header, name, description, scheme_name, auto_error)

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self.check_api_key(request.headers.get(self.model.name))


class APIKeyCookie(APIKeyBase):
    """An API key in a cookie. A browser sends it with requests from other sites, too: guard against those.

    Arguments:
        name: the cookie.
        scheme_name: the scheme's name in the OpenAPI document; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without the key with 401; else give None.
    """

    def __init__(
        self,
        *,
        name: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(APIKeyIn.cookie, name, description, scheme_name, auto_error)

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self.check_api_key(request.cookies.get(self.model.name))
