"""ASGI without a framework: what a server alone costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fixed import ANSWERS

HEADED = {
    key: ([(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))], body)
    for key, (media_type, body) in ANSWERS.items()
}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    headers, body = HEADED[scope["method"], scope["path"]]
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
