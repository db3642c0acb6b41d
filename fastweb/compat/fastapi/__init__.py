"""`fastapi`."""

from __future__ import annotations

from fastweb.compat.finder import ANSWERED
from fastweb.compat.naming import named

_HOMES = {
    "APIRouter": "fastweb.routing",
    "BackgroundTasks": "fastweb.background",
    "Body": "fastweb.params",
    "Cookie": "fastweb.params",
    "Depends": "fastweb.params",
    "FastAPI": "fastweb.compat.fastapi.applications",
    "File": "fastweb.params",
    "Form": "fastweb.params",
    "HTTPException": "fastweb.exceptions",
    "Header": "fastweb.params",
    "Path": "fastweb.params",
    "Query": "fastweb.params",
    "Request": "fastweb.requests",
    "Response": "fastweb.responses",
    "Security": "fastweb.params",
    "UploadFile": "fastweb.datastructures",
    "WebSocket": "fastweb.websockets",
    "WebSocketDisconnect": "fastweb.websockets",
    "WebSocketException": "fastweb.exceptions",
    "status": "fastweb:status",
}

__version__ = ANSWERED["fastapi"]
__getattr__ = named(__name__, _HOMES)
