"""Find out who the client is before anything else looks at the request."""

from __future__ import annotations

from collections.abc import Callable

from fastweb.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    UnauthenticatedUser,
)
from fastweb.requests import HTTPConnection
from fastweb.responses import PlainTextResponse, Response
from fastweb.types import ASGIApp, Receive, Scope, Send

__all__ = ["AuthenticationMiddleware"]


class AuthenticationMiddleware:
    """Sets `request.auth` and `request.user`.

    Arguments:
        app: what asks for them.
        backend: recognises clients. One that it does not know has no scopes, and is an `UnauthenticatedUser`.
        on_error: makes the answer to an AuthenticationError; by default a 400 with its text. A WebSocket is
            closed.
    """

    def __init__(
        self,
        app: ASGIApp,
        backend: AuthenticationBackend,
        on_error: Callable[[HTTPConnection, AuthenticationError], Response] | None = None,
    ) -> None:
        self.app = app
        self.backend = backend
        self.on_error: Callable[[HTTPConnection, AuthenticationError], Response] = (
            self.default_on_error if on_error is None else on_error
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, for clients of whom nothing is known to be wrong."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            found = await self.backend.authenticate(connection)
        except AuthenticationError as error:
            response = self.on_error(connection, error)
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            else:
                await response(scope, receive, send)
            return
        scope["auth"], scope["user"] = found or (AuthCredentials(), UnauthenticatedUser())
        await self.app(scope, receive, send)

    @staticmethod
    def default_on_error(conn: HTTPConnection, exc: Exception) -> Response:
        """400, with the error's text."""
        return PlainTextResponse(str(exc), status_code=400)
