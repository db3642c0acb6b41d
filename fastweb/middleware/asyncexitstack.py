"""An exit stack that lives as long as the request."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastweb.types import ASGIApp, Receive, Scope, Send

__all__ = ["AsyncExitStackMiddleware"]


class AsyncExitStackMiddleware:
    """Puts an `AsyncExitStack` into the scope, and closes it when the request has ended: for its files.

    Arguments:
        app: what fills the stack.
        context_name: the scope's key for it.
    """

    def __init__(self, app: ASGIApp, context_name: str = "fastapi_middleware_astack") -> None:
        self.app = app
        self.context_name = context_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, within the stack."""
        async with AsyncExitStack() as stack:
            scope[self.context_name] = stack
            await self.app(scope, receive, send)
