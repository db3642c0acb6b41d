"""fastweb: FastAPI's API, its own server, many times as fast.

`import fastweb` loads nothing else: each public name is imported from its module when it is first used, so
that a program pays for what it takes. A new name goes into the block that type checkers and editors read,
and into the table below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastweb import status as status
    from fastweb._speedups import is_compiled as is_compiled
    from fastweb.applications import App as App
    from fastweb.applications import FastAPI as FastAPI
    from fastweb.applications import FastWeb as FastWeb
    from fastweb.background import BackgroundTasks as BackgroundTasks
    from fastweb.datastructures import UploadFile as UploadFile
    from fastweb.exceptions import HTTPException as HTTPException
    from fastweb.exceptions import WebSocketException as WebSocketException
    from fastweb.limits import Limits as Limits
    from fastweb.params import Body as Body
    from fastweb.params import Cookie as Cookie
    from fastweb.params import Depends as Depends
    from fastweb.params import File as File
    from fastweb.params import Form as Form
    from fastweb.params import Header as Header
    from fastweb.params import Path as Path
    from fastweb.params import Query as Query
    from fastweb.params import Security as Security
    from fastweb.requests import Request as Request
    from fastweb.responses import Response as Response
    from fastweb.routing import APIRouter as APIRouter
    from fastweb.websockets import WebSocket as WebSocket
    from fastweb.websockets import WebSocketDisconnect as WebSocketDisconnect

__version__ = "0.1.0"

#: Public name -> the module of fastweb that has it; None where it is a module itself.
_MODULES = {
    "APIRouter": "routing",
    "App": "applications",
    "BackgroundTasks": "background",
    "Body": "params",
    "Cookie": "params",
    "Depends": "params",
    "FastAPI": "applications",
    "FastWeb": "applications",
    "File": "params",
    "Form": "params",
    "HTTPException": "exceptions",
    "Header": "params",
    "Limits": "limits",
    "Path": "params",
    "Query": "params",
    "Request": "requests",
    "Response": "responses",
    "Security": "params",
    "UploadFile": "datastructures",
    "WebSocket": "websockets",
    "WebSocketDisconnect": "websockets",
    "WebSocketException": "exceptions",
    "is_compiled": "_speedups",
    "status": None,
}

__all__ = list(_MODULES)

# To a type checker, a module with a __getattr__ has every name there is.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """A public name, or a module: `import fastweb` is enough for `fastweb.responses.HTMLResponse`."""
        from importlib import import_module

        module = _MODULES.get(name)
        if module is not None:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            # The next time it is an attribute like any other.
            globals()[name] = value
            return value
        full = f"{__name__}.{name}"
        try:
            if not name.startswith("_"):
                return import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
