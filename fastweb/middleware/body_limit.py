"""Bound the size of request bodies.

The limit holds for the bytes that come, whatever Content-Length says. Several limits may stand one within the
other (the app's, a router's, a route's): the innermost one that a request has reached counts, whether it is
smaller or larger. All share one count, which the outermost keeps.
"""

from __future__ import annotations

from typing import Final

from fastweb.datastructures import Headers
from fastweb.exceptions import StarletteHTTPException
from fastweb.responses import PlainTextResponse
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "MAX_BODY_SIZE_SCOPE_KEY",
    "RequestBodyLimitMiddleware",
    "RequestBodyTooLarge",
    "body_limit_error",
    "validate_max_body_size",
]

#: Where in a scope the limit in force is found. Starlette's key, which others read.
MAX_BODY_SIZE_SCOPE_KEY: Final = "starlette.max_body_size"
_COUNT_SCOPE_KEY: Final = "fastweb.body_count"


class RequestBodyTooLarge(StarletteHTTPException):
    """The body is larger than it may be."""

    def __init__(self) -> None:
        super().__init__(413, "Content Too Large")


class _ResponseSent(Exception):  # noqa: N818 - it is no error
    """The answer was a 413: the app's own is not wanted any more."""


def validate_max_body_size(max_body_size: int | None) -> int | None:
    """Return a limit, if it is one.

    Raises:
        ValueError: it is neither None nor a number of bytes.
    """
    if max_body_size is not None:
        # A bool is an int to Python, and a mistake here.
        if not isinstance(max_body_size, int) or isinstance(max_body_size, bool) or max_body_size < 0:
            raise ValueError(f"max_body_size must be a non-negative integer or None, not {max_body_size!r}")
    return max_body_size


def body_limit_error(error: BaseException) -> Exception | None:
    """The one of ours that an exception is, or that a group holds which holds no others."""
    if isinstance(error, BaseExceptionGroup):
        ours, others = error.split((RequestBodyTooLarge, _ResponseSent))
        if ours is None or others is not None:
            return None
        # Where the 413 was sent already, that is what to know.
        found: BaseException = ours.subgroup(_ResponseSent) or ours
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        error = found
    return error if isinstance(error, (RequestBodyTooLarge, _ResponseSent)) else None


class RequestBodyLimitMiddleware:
    """Answers 413 where a body is larger than it may be, before the app has seen more than that.

    Arguments:
        app: what reads the body.
        max_body_size: bytes; 0 allows none.

    Raises:
        ValueError: the limit is not a number of bytes.
        RequestBodyTooLarge: the answer had been started already.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        validate_max_body_size(max_body_size)
        self.max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, with a bounded body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        count: _Count | None = scope.get(_COUNT_SCOPE_KEY)
        if count is None:
            await self._count(scope, receive, send)
            return
        scope[MAX_BODY_SIZE_SCOPE_KEY] = count.limit = self.max_body_size
        if count.received > count.limit:
            raise RequestBodyTooLarge()
        try:
            await self.app(scope, receive, send)
        except BaseExceptionGroup as group:
            if (error := body_limit_error(group)) is not None:
                raise error from group
            raise

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        count = _Count(self.max_body_size, scope, receive, send)
        outer = scope.get(MAX_BODY_SIZE_SCOPE_KEY)
        scope[_COUNT_SCOPE_KEY] = count
        scope[MAX_BODY_SIZE_SCOPE_KEY] = self.max_body_size
        try:
            await self.app(scope, count.receive, count.send)
        except Exception as error:
            found = body_limit_error(error)
            if isinstance(found, _ResponseSent):
                return
            if found is not None and not count.started:
                await _refuse(scope, receive, send)
            elif found is None or found is error:
                raise
            else:
                raise found from error
        finally:
            scope.pop(_COUNT_SCOPE_KEY, None)
            scope.pop(MAX_BODY_SIZE_SCOPE_KEY, None)
            if outer is not None:
                scope[MAX_BODY_SIZE_SCOPE_KEY] = outer


class _Count:
    """What has come of one request's body, and what may come."""

    def __init__(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        self.limit = limit
        self.received = 0
        self.started = False
        self._scope = scope
        self._receive = receive
        self._send = send
        length = Headers(raw=list(scope.get("headers", ()))).get("content-length", "")
        # What is no length says nothing: what comes is counted. Twenty digits are too large in any case.
        self._announced = int(length[:20]) if length.isascii() and length.isdigit() else 0

    async def receive(self) -> Message:
        if self._announced > self.limit:
            raise RequestBodyTooLarge()
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            if self.received > self.limit:
                raise RequestBodyTooLarge()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            if self._announced > self.limit:
                # The app did not read the body; the client is told all the same.
                await _refuse(self._scope, self._receive, self._send)
                raise _ResponseSent()
        await self._send(message)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("Content Too Large", status_code=413)(scope, receive, send)
