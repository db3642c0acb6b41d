"""RSGI, Granian's own interface, without a framework."""

from __future__ import annotations

from typing import Any

from fixed import ANSWERS

HEADED = {key: ([("content-type", media_type)], body) for key, (media_type, body) in ANSWERS.items()}


async def app(scope: Any, protocol: Any) -> None:
    headers, body = HEADED[scope.method, scope.path]
    if scope.method == "POST":
        await protocol()
    protocol.response_bytes(200, headers, body)
