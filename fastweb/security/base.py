"""What all security schemes are."""

from __future__ import annotations

from typing import Any, TypeVar

from fastweb.exceptions import HTTPException
from fastweb.status import HTTP_401_UNAUTHORIZED

__all__ = ["SecurityBase"]

T = TypeVar("T")


class SecurityBase:
    """A security scheme: a dependency that gives the request's credentials.

    A subclass sets `model` and `scheme_name` and has a `__call__` that takes the request.
    """

    #: The scheme as OpenAPI describes it, one of `fastweb.openapi.models`.
    model: Any
    #: Its name among the document's security schemes.
    scheme_name: str
    #: Whether a request without credentials is refused; else the dependency gives None.
    auto_error: bool = True

    def make_authenticate_headers(self) -> dict[str, str]:
        """The challenge that a 401 must carry (RFC 9110, section 11.6.1)."""
        return {"WWW-Authenticate": "Bearer"}

    def make_not_authenticated_error(self) -> HTTPException:
        """What a request without credentials is refused with."""
        return HTTPException(
            HTTP_401_UNAUTHORIZED, detail="Not authenticated", headers=self.make_authenticate_headers()
        )

    def _or_refused(self, credentials: T | None) -> T | None:
        """The credentials; for a request that has none the error, or None."""
        if credentials is None and self.auto_error:
            raise self.make_not_authenticated_error()
        return credentials
