"""Middleware as a function of request and response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastweb.concurrency import call_function
from fastweb.middleware.base import Leftovers
from fastweb.requests import Request
from fastweb.responses import Response, StreamingResponse
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ResponseMiddleware"]


class ResponseMiddleware:
    """Shows every HTTP response to a function before it is sent.

    Arguments:
        app: what answers.
        function: (request, response) -> None, or another response to be sent in its place. It may change the
            status code, the headers, and the body of a response that has one; that of a stream goes by. A
            plain function is called in the thread pool.
    """

    def __init__(self, app: ASGIApp, function: Callable[[Any, Any], Any]) -> None:
        self.app = app
        self.function = function

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, its response shown to the function."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        leftovers: Leftovers | None = None

        async def show(message: Message) -> None:
            nonlocal start, leftovers
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                head, start = start, None
                response = _response(head, message)
                shown = response.body if _is_whole(message) else None
                returned = await call_function(self.function, Request(scope), response)
                if returned is not None and returned is not response:
                    leftovers = Leftovers()
                    await returned(scope, receive, send)
                    return
                if shown is not None and response.body is not shown:
                    response.headers["content-length"] = str(len(response.body))
                    message = {**message, "body": bytes(response.body)}
                await send({**head, "status": response.status_code, "headers": response.raw_headers})
            if leftovers is None:
                await send(message)
            else:
                await leftovers.take()

        try:
            await self.app(scope, receive, show)
        except Exception:
            if leftovers is None or not leftovers.interrupted:
                raise


def _is_whole(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def _response(head: Message, message: Message) -> Response:
    """The response that begins with these two messages."""
    response = Response(message.get("body", b"")) if _is_whole(message) else StreamingResponse(())
    response.status_code = head["status"]
    response.raw_headers = list(head.get("headers", ()))
    return response
