"""The documents that everybody reads and writes; standard library only."""

from __future__ import annotations

import json
from typing import Any

COUNT = 10_000


def users(count: int = COUNT) -> list[dict[str, Any]]:
    """User objects as plain data."""
    return [
        {
            "id": number,
            "name": f"User Number {number}",
            "email": f"user{number}@example.com",
            "active": number % 3 != 0,
            "score": number * 1.25 + 0.5,
            "tags": ["alpha", "beta", f"tag{number % 100}"],
            "bio": None if number % 2 else "Writes programs, and reads them too.",
        }
        for number in range(1, count + 1)
    ]


def document(count: int = COUNT) -> bytes:
    """The same as JSON."""
    return json.dumps(users(count), separators=(",", ":")).encode()


def route_paths(count: int) -> list[str]:
    """The paths of `count` routes: half of them fixed, half with a parameter, as in an application with many
    resources."""
    paths = []
    for number in range(count // 2):
        paths += [f"/api/v1/resource{number}", f"/api/v1/resource{number}/items/{{item_id}}"]
    return paths


def asked_paths(count: int) -> list[str]:
    """Twenty paths to be matched, spread evenly over the routes."""
    paths = route_paths(count)
    step = max(1, len(paths) // 20)
    return [path.replace("{item_id}", "42") for path in paths[::step][:20]]
