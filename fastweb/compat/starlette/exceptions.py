"""`starlette.exceptions`: here `HTTPException` is what the router itself raises, the base of FastAPI's."""

from __future__ import annotations

from fastweb.compat.naming import named

_HOMES = {
    "HTTPException": "fastweb.exceptions:StarletteHTTPException",
    "StarletteDeprecationWarning": "fastweb.exceptions",
    "WebSocketException": "fastweb.exceptions",
}

__getattr__ = named(__name__, _HOMES)
