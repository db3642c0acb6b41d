from __future__ import annotations

from fastweb.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastweb.responses import PlainTextResponse
from fastweb.testclient import TestClient
from fastweb.types import Receive, Scope, Send


def test_the_stack_is_closed_after_the_answer() -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["files"].callback(order.append, "closed")
        await PlainTextResponse("ok")(scope, receive, send)
        order.append("answered")

    assert TestClient(AsyncExitStackMiddleware(app, "files")).get("/").text == "ok"
    assert order == ["answered", "closed"]
