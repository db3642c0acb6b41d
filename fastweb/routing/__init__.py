"""Routes and routers.

base.py           what a router holds
route.py          a path, its methods, and a function of the request
websocket.py      a path, and a function of the WebSocket
mount.py          whole apps behind a path or a host name
router.py         how one of the routes is found
api_route.py      a route whose endpoint takes parameters and dependencies, and returns values
api_websocket.py  the same for WebSockets
api_router.py     the router that declares those, and may be included in another one
inclusion.py      one router within another
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastweb.paths import compile_path as compile_path
from fastweb.routing.api_router import APIRouter as APIRouter
from fastweb.routing.base import BaseRoute as BaseRoute
from fastweb.routing.base import Match as Match
from fastweb.routing.base import NoMatchFound as NoMatchFound
from fastweb.routing.base import get_name as get_name
from fastweb.routing.mount import Host as Host
from fastweb.routing.mount import Mount as Mount
from fastweb.routing.route import Route as Route
from fastweb.routing.route import request_response as request_response
from fastweb.routing.router import Router as Router

if TYPE_CHECKING:
    from fastweb.routing.api_route import APIRoute as APIRoute
    from fastweb.routing.api_websocket import APIWebSocketRoute as APIWebSocketRoute
    from fastweb.routing.websocket import WebSocketRoute as WebSocketRoute
    from fastweb.routing.websocket import websocket_session as websocket_session

__all__ = [
    "APIRoute",
    "APIRouter",
    "APIWebSocketRoute",
    "BaseRoute",
    "Host",
    "Match",
    "Mount",
    "NoMatchFound",
    "Route",
    "Router",
    "WebSocketRoute",
    "compile_path",
    "get_name",
    "request_response",
    "websocket_session",
]

#: Imported when they are first asked for: with the first comes all of validation.
_LATER = {
    "APIRoute": "api_route",
    "APIWebSocketRoute": "api_websocket",
    "WebSocketRoute": "websocket",
    "websocket_session": "websocket",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
