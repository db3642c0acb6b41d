"""What a response sends as an ASGI app."""

from __future__ import annotations

from typing import Any

import anyio

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}
#: The server's `send` raises OSError when the client is gone.
SCOPE_24 = {**SCOPE, "asgi": {"version": "3.0", "spec_version": "2.4"}}

Sent = tuple[int, list[tuple[str, str]], list[bytes]]


def messages_of(response: Any, messages: list[Any] | None = None, **scope: Any) -> list[Any]:
    """Every message that is sent; they come into `messages` one by one."""
    messages = [] if messages is None else messages

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        messages.append(message)

    anyio.run(response, {**SCOPE, **scope}, receive, send)
    return messages


def sent(response: Any, messages: list[Any] | None = None, **scope: Any) -> Sent:
    """Status, header fields and pieces that are not empty."""
    start, *pieces = messages_of(response, messages, **scope)
    assert start["type"] == "http.response.start"
    assert [bool(message.get("more_body")) for message in pieces] == [True] * (len(pieces) - 1) + [False]
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return start["status"], headers, [bytes(message["body"]) for message in pieces if message["body"]]
