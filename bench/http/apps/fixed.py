"""The answers as bytes, made beforehand: for those that have no framework."""

from __future__ import annotations

import json
from typing import Any

from data import DEPENDED, MESSAGE, NEW_USER, PARAMETERS, TEXT, USERS

JSON = "application/json"
PLAIN = "text/plain; charset=utf-8"


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


#: By method and path: media type, body.
ANSWERS: dict[tuple[str, str], tuple[str, bytes]] = {
    ("GET", "/plain"): (PLAIN, TEXT.encode()),
    ("GET", "/json"): (JSON, _json(MESSAGE)),
    ("GET", "/users/42/posts"): (JSON, _json(PARAMETERS)),
    ("GET", "/users"): (JSON, _json(USERS)),
    ("POST", "/users"): (JSON, _json(NEW_USER)),
    ("GET", "/depends"): (JSON, _json(DEPENDED)),
    ("GET", "/sync"): (JSON, _json(MESSAGE)),
}
