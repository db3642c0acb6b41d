"""The schemes of the Authorization header field: Basic (RFC 7617), Bearer (RFC 6750), Digest (RFC 7616)."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from fastweb.models import BaseModel
from fastweb.openapi.models import HTTPBase as HTTPBaseModel
from fastweb.openapi.models import HTTPBearer as HTTPBearerModel
from fastweb.requests import HTTPConnection
from fastweb.security.base import SecurityBase
from fastweb.security.utils import get_authorization_scheme_param

__all__ = [
    "HTTPAuthorizationCredentials",
    "HTTPBase",
    "HTTPBasic",
    "HTTPBasicCredentials",
    "HTTPBearer",
    "HTTPDigest",
]


class HTTPBasicCredentials(BaseModel):
    """A user's name and password, as `HTTPBasic` gives them.

    Compare them with `secrets.compare_digest`, whose time does not tell how much of a guess was right.
    """

    username: str
    password: str


class HTTPAuthorizationCredentials(BaseModel):
    """The scheme and the rest of an Authorization field: of `Bearer abc`, "Bearer" and "abc"."""

    scheme: str
    credentials: str


class HTTPBase(SecurityBase):
    """Any scheme of the Authorization field.

    Arguments:
        scheme: its name (RFC 9110, section 11.1), for the challenge and the OpenAPI document.
        scheme_name: its name among the document's schemes; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without credentials with 401; else give None.
    """

    model: HTTPBaseModel

    def __init__(
        self,
        *,
        scheme: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self.model = HTTPBaseModel(scheme=scheme, description=description)
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    def make_authenticate_headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": self.model.scheme.title()}

    async def __call__(self, request: HTTPConnection) -> Any:
        return self._credentials(request)

    def _credentials(
        self, request: HTTPConnection, scheme: str | None = None
    ) -> HTTPAuthorizationCredentials | None:
        """What the field has, of this scheme or of any."""
        given, credentials = get_authorization_scheme_param(request.headers.get("Authorization"))
        if not given or not credentials or (scheme is not None and given.lower() != scheme):
            return self._or_refused(None)
        return HTTPAuthorizationCredentials(scheme=given, credentials=credentials)


class HTTPBasic(HTTPBase):
    """HTTP Basic authentication (RFC 7617): gives `HTTPBasicCredentials`.

    Arguments:
        scheme_name: its name among the OpenAPI document's schemes; by default the class's.
        realm: what browsers show when they ask for the password.
        description: for the OpenAPI document.
        auto_error: refuse a request without credentials with 401; else give None. Broken ones are
            refused in any case.
    """

    def __init__(
        self,
        *,
        scheme_name: str | None = None,
        realm: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(
            scheme="basic", scheme_name=scheme_name, description=description, auto_error=auto_error
        )
        self.realm = realm

    def make_authenticate_headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": f'Basic realm="{self.realm}"' if self.realm else "Basic"}

    async def __call__(self, request: HTTPConnection) -> HTTPBasicCredentials | None:
        scheme, param = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "basic":
            return self._or_refused(None)
        try:
            username, separator, password = b64decode(param).decode("ascii").partition(":")
        except ValueError as error:  # Of base64, or of ASCII.
            raise self.make_not_authenticated_error() from error
        if not separator:
            raise self.make_not_authenticated_error()
        return HTTPBasicCredentials(username=username, password=password)


class HTTPBearer(HTTPBase):
    """A bearer token (RFC 6750): gives `HTTPAuthorizationCredentials`.

    Arguments:
        bearerFormat: what the token is, such as "JWT", for the OpenAPI document.
        scheme_name: its name among the document's schemes; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without a token with 401; else give None.
    """

    def __init__(
        self,
        *,
        bearerFormat: str | None = None,  # noqa: N803 - OpenAPI's name
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self.model = HTTPBearerModel(bearerFormat=bearerFormat, description=description)
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        return self._credentials(request, "bearer")


class HTTPDigest(HTTPBase):
    """HTTP Digest authentication (RFC 7616): gives `HTTPAuthorizationCredentials`, not yet verified.

    Nonces and the digest itself are for a subclass to make and to check.

    Arguments:
        scheme_name: its name among the OpenAPI document's schemes; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without credentials with 401; else give None.
    """

    def __init__(
        self, *, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        super().__init__(
            scheme="digest", scheme_name=scheme_name, description=description, auto_error=auto_error
        )

    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        return self._credentials(request, "digest")
