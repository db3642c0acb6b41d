"""What every app answers with, the same for all; standard library only, since each app has an environment of
its own."""

from __future__ import annotations

from typing import Any

TEXT = "Hello, World!"
MESSAGE = {"message": TEXT}

#: GET /users sends them all. Each app makes its own model objects of them once, and every answer is made of
#: those.
USERS: list[dict[str, Any]] = [
    {
        "id": number,
        "name": f"User Number {number}",
        "email": f"user{number}@example.com",
        "active": number % 3 != 0,
        "score": number * 1.25 + 0.5,
        "tags": ["alpha", "beta", f"tag{number}"],
        "bio": None if number % 2 else "Writes programs, and reads them too.",
    }
    for number in range(1, 21)
]

#: POST /users takes this and sends it back, validated and encoded anew.
NEW_USER: dict[str, Any] = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "age": 36,
    "score": 9.75,
    "tags": ["mathematics", "engines"],
}

#: GET /users/42/posts?limit=10&search=engines
PARAMETERS: dict[str, Any] = {"user_id": 42, "limit": 10, "search": "engines"}

#: What the three levels of dependencies come to.
DEPENDED: dict[str, Any] = {"region": "eu", "session": "eu-session", "user": "ada"}
