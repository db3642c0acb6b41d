"""OAuth 2.0 (RFC 6749) with bearer tokens (RFC 6750), and the form of its password flow."""

# ruff: noqa: N803 - OpenAPI's names
from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastweb.openapi.models import OAuth2 as OAuth2Model
from fastweb.openapi.models import OAuthFlowAuthorizationCode, OAuthFlowPassword, OAuthFlows
from fastweb.params import Form
from fastweb.requests import HTTPConnection
from fastweb.security.base import SecurityBase
from fastweb.security.utils import get_authorization_scheme_param

__all__ = [
    "OAuth2",
    "OAuth2AuthorizationCodeBearer",
    "OAuth2PasswordBearer",
    "OAuth2PasswordRequestForm",
    "OAuth2PasswordRequestFormStrict",
    "SecurityScopes",
]


class OAuth2PasswordRequestForm:
    """The form of the password flow: `form: Annotated[OAuth2PasswordRequestForm, Depends()]`.

    Arguments:
        grant_type: "password", if it is given at all; `OAuth2PasswordRequestFormStrict` asks for it.
        username, password: the user's.
        scope: the scopes that are asked for, with spaces between them; the attribute `scopes` is a list.
        client_id, client_secret: the client's, where it does not send them by HTTP Basic.

    Source: RFC 6749, section 4.3.2.
    """

    def __init__(
        self,
        *,
        grant_type: Annotated[str | None, Form(pattern="^password$")] = None,
        username: Annotated[str, Form()],
        password: Annotated[str, Form(json_schema_extra={"format": "password"})],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
    ) -> None:
        self.grant_type = grant_type
        self.username = username
        self.password = password
        self.scopes = scope.split()
        self.client_id = client_id
        self.client_secret = client_secret


class OAuth2PasswordRequestFormStrict(OAuth2PasswordRequestForm):
    """The form of the password flow, whose `grant_type` must be there, as RFC 6749 has it.

    Arguments:
        grant_type: "password".
        username, password, scope, client_id, client_secret: as in `OAuth2PasswordRequestForm`.
    """

    def __init__(
        self,
        grant_type: Annotated[str, Form(pattern="^password$")],
        username: Annotated[str, Form()],
        password: Annotated[str, Form()],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form()] = None,
    ) -> None:
        super().__init__(
            grant_type=grant_type,
            username=username,
            password=password,
            scope=scope,
            client_id=client_id,
            client_secret=client_secret,
        )


class OAuth2(SecurityBase):
    """OAuth 2.0 with any flows: gives the Authorization field as it is.

    Arguments:
        flows: the flows, as OpenAPI has them.
        scheme_name: its name among the OpenAPI document's schemes; by default the class's.
        description: for the OpenAPI document.
        auto_error: refuse a request without the field with 401; else give None.
    """

    def __init__(
        self,
        *,
        flows: OAuthFlows | Mapping[str, Mapping[str, Any]] | None = None,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        if not isinstance(flows, OAuthFlows):
            flows = OAuthFlows.model_validate(flows or {})
        self.model = OAuth2Model(flows=flows, description=description)
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self._or_refused(request.headers.get("Authorization") or None)

    def _token(self, request: HTTPConnection) -> str | None:
        """The bearer token."""
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        return self._or_refused(token if scheme.lower() == "bearer" else None)


class OAuth2PasswordBearer(OAuth2):
    """A bearer token of the password flow: gives the token.

    Arguments:
        tokenUrl: where a name and a password are exchanged for a token; a relative URL works behind proxies.
        scheme_name: its name among the OpenAPI document's schemes; by default the class's.
        scopes: what each scope means.
        description: for the OpenAPI document.
        auto_error: refuse a request without a token with 401; else give None.
        refreshUrl: where a new token is had.
    """

    def __init__(
        self,
        tokenUrl: str,
        scheme_name: str | None = None,
        scopes: dict[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
        refreshUrl: str | None = None,
    ) -> None:
        flow = OAuthFlowPassword(tokenUrl=tokenUrl, refreshUrl=refreshUrl, scopes=scopes or {})
        super().__init__(
            flows=OAuthFlows(password=flow),
            scheme_name=scheme_name,
            description=description,
            auto_error=auto_error,
        )

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self._token(request)


class OAuth2AuthorizationCodeBearer(OAuth2):
    """A bearer token of the authorization code flow: gives the token.

    Arguments:
        authorizationUrl: where the user agrees.
        tokenUrl: where the code is exchanged for a token.
        refreshUrl: where a new token is had.
        scheme_name: its name among the OpenAPI document's schemes; by default the class's.
        scopes: what each scope means.
        description: for the OpenAPI document.
        auto_error: refuse a request without a token with 401; else give None.
    """

    def __init__(
        self,
        authorizationUrl: str,
        tokenUrl: str,
        refreshUrl: str | None = None,
        scheme_name: str | None = None,
        scopes: dict[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        flow = OAuthFlowAuthorizationCode(
            authorizationUrl=authorizationUrl, tokenUrl=tokenUrl, refreshUrl=refreshUrl, scopes=scopes or {}
        )
        super().__init__(
            flows=OAuthFlows(authorizationCode=flow),
            scheme_name=scheme_name,
            description=description,
            auto_error=auto_error,
        )

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self._token(request)


class SecurityScopes:
    """The scopes that the endpoint and the dependencies on the way to this one ask for with `Security`.

    Arguments:
        scopes: their names; `scope_str` has them with spaces between them, as a challenge does.
    """

    def __init__(self, scopes: list[str] | None = None) -> None:
        self.scopes: list[str] = scopes or []
        self.scope_str: str = " ".join(self.scopes)
