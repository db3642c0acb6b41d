"""The requests that are measured, and the answer that each of them must get."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["APPS", "ROUTES", "Route", "wrong_answer"]

APPS: Final = Path(__file__).resolve().parent / "apps"

sys.path.insert(0, str(APPS))
try:
    import data as _data  # type: ignore[import-not-found, unused-ignore]
finally:
    sys.path.remove(str(APPS))


@dataclass(frozen=True, slots=True)
class Route:
    """One request.

    Arguments:
        name: how it is chosen on the command line.
        title: how it is called in tables.
        target: path and query.
        answer: the body: text, or what its JSON must be equal to.
        body: what is posted, as JSON; None for a GET.
    """

    name: str
    title: str
    target: str
    answer: Any
    body: Any = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def payload(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body).encode()

    def request(self, port: int) -> bytes:
        """The request as it is sent; what wrk sends is the same."""
        head = f"{self.method} {self.target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        if self.body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(self.payload)}\r\n"
        return head.encode() + b"\r\n" + self.payload


ROUTES: Final = {
    route.name: route
    for route in (
        Route("plain", "plain text", "/plain", _data.TEXT),
        Route("json", "JSON", "/json", _data.MESSAGE),
        Route("params", "path + query", "/users/42/posts?limit=10&search=engines", _data.PARAMETERS),
        Route("list", "20 models", "/users", _data.USERS),
        Route("post", "POST, validated", "/users", _data.NEW_USER, body=_data.NEW_USER),
        Route("depends", "nested Depends", "/depends?region=eu&token=ada", _data.DEPENDED),
        Route("sync", "sync endpoint", "/sync", _data.MESSAGE),
    )
}


def wrong_answer(route: Route, status: int, body: bytes) -> str | None:
    """What is wrong with an answer; None where it is the right one."""
    if status != 200:
        return f"{route.method} {route.target} answered {status}: {body[:200]!r}"
    if isinstance(route.answer, str):
        right = body == route.answer.encode()
    else:
        try:
            right = json.loads(body) == route.answer
        except ValueError:
            right = False
    return None if right else f"{route.method} {route.target} answered {body[:200]!r}, not {route.answer!r}"
