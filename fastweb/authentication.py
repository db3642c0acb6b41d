"""Who the client is and what it may do: found out by `AuthenticationMiddleware`, asked for by endpoints."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec
from urllib.parse import urlencode

from fastweb.concurrency import is_async_callable
from fastweb.exceptions import StarletteHTTPException
from fastweb.requests import HTTPConnection, Request
from fastweb.responses import RedirectResponse

__all__ = [
    "AuthCredentials",
    "AuthenticationBackend",
    "AuthenticationError",
    "BaseUser",
    "SimpleUser",
    "UnauthenticatedUser",
    "has_required_scope",
    "requires",
]

P = ParamSpec("P")


class AuthenticationError(Exception):
    """The client says who it is, and that is wrong; raised by a backend's `authenticate`."""


class AuthenticationBackend:
    """How a client is recognised; subclasses write `authenticate`."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """What the client may do, and who it is; None where it does not say.

        Raises:
            AuthenticationError: what it says is wrong.
        """
        raise NotImplementedError(f"{type(self).__name__} has no authenticate()")


class AuthCredentials:
    """What a client may do: `request.auth`.

    Arguments:
        scopes: names of what it may do.
    """

    def __init__(self, scopes: Sequence[str] | None = None) -> None:
        self.scopes = [] if scopes is None else list(scopes)


class BaseUser:
    """Who a client is: `request.user`; subclasses say it."""

    @property
    def is_authenticated(self) -> bool:
        raise NotImplementedError(f"{type(self).__name__} has no is_authenticated")

    @property
    def display_name(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no display_name")

    @property
    def identity(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no identity")


class SimpleUser(BaseUser):
    """Somebody with a name."""

    def __init__(self, username: str) -> None:
        self.username = username

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.username

    @property
    def identity(self) -> str:
        return self.username


class UnauthenticatedUser(BaseUser):
    """Nobody in particular."""

    @property
    def is_authenticated(self) -> bool:
        return False

    @property
    def display_name(self) -> str:
        return ""

    @property
    def identity(self) -> str:
        return ""


def has_required_scope(conn: HTTPConnection, scopes: Sequence[str]) -> bool:
    """Whether the client has all of these scopes."""
    return all(scope in conn.auth.scopes for scope in scopes)


def requires(
    scopes: str | Sequence[str], status_code: int = 403, redirect: str | None = None
) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Let an endpoint be called only for clients that have these scopes.

    Arguments:
        scopes: one scope or several, all of which are needed.
        status_code: the answer to others. A WebSocket is closed.
        redirect: the name of a route that others are sent to instead, with this URL as its `next`.

    Raises:
        TypeError: the endpoint has no parameter called `request` or `websocket`.
    """
    needed = [scopes] if isinstance(scopes, str) else list(scopes)

    def refusal(request: Request) -> RedirectResponse | None:
        if has_required_scope(request, needed):
            return None
        if redirect is None:
            raise StarletteHTTPException(status_code)
        query = urlencode({"next": str(request.url)})
        return RedirectResponse(f"{request.url_for(redirect)}?{query}", status_code=303)

    def decorate(func: Callable[P, Any]) -> Callable[P, Any]:
        names = list(inspect.signature(func).parameters)
        name = next((name for name in names if name in ("request", "websocket")), None)
        if name is None:
            raise TypeError(f'No "request" or "websocket" argument on function "{func}"')
        at = names.index(name)

        def connection(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return kwargs[name] if name in kwargs else args[at] if at < len(args) else None

        if name == "websocket":
            from fastweb.websockets import WebSocket

            @functools.wraps(func)
            async def websocket_wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
                websocket = connection(args, kwargs)
                _check(name, websocket, WebSocket)
                if has_required_scope(websocket, needed):
                    await func(*args, **kwargs)
                else:
                    await websocket.close()

            return websocket_wrapper

        if is_async_callable(func):

            @functools.wraps(func)
            async def async_wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                request = connection(args, kwargs)
                _check(name, request, Request)
                return refusal(request) or await func(*args, **kwargs)

            return async_wrapper

        @functools.wraps(func)
        def sync_wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            request = connection(args, kwargs)
            _check(name, request, Request)
            return refusal(request) or func(*args, **kwargs)

        return sync_wrapper

    return decorate


def _check(name: str, value: object, cls: type[HTTPConnection]) -> None:
    if not isinstance(value, cls):
        raise TypeError(
            f"Parameter with name '{name}' is required to be of type '{cls.__name__}'"
            f" not '{type(value).__name__}'"
        )
