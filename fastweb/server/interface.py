"""What an app speaks, and the adapter that makes of it what the server calls.

    fastweb   `fastweb.types.StreamApp`: fastweb's own apps         open_stream, wants_head, lifespan
    asgi      ASGI 3: Django, FastAPI, Starlette, Quart, Litestar   async app(scope, receive, send)
    wsgi      PEP 3333: Flask, Django, Bottle, Pyramid              app(environ, start_response)

A callable is looked at, never called: it is ASGI if what it does is a coroutine function, or takes three
arguments; WSGI if it takes two.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from fastweb.types import StreamApp

if TYPE_CHECKING:
    from fastweb.server.config import Config

__all__ = ["adapt", "interface_name", "interface_of", "is_app"]

#: What is called has these, where it is one of ours.
_STREAM_APP = ("open_stream", "wants_head", "lifespan")


def is_app(value: object) -> bool:
    """Whether the server can serve it as it is: it has what `fastweb.types.StreamApp` asks for."""
    if isinstance(value, type):
        return False
    return all(callable(getattr(value, name, None)) for name in _STREAM_APP)


def interface_name(app: StreamApp) -> str:
    """What stands behind an adapter, "asgi" or "wsgi"; "" for one of ours."""
    name: str = getattr(app, "interface", "")
    return name


def interface_of(value: Any) -> str | None:
    """What an object speaks: "fastweb", "asgi", "wsgi"; "asgi2" for what nobody should still be; None where
    it is no app."""
    if is_app(value):
        return "fastweb"
    if isinstance(value, type):
        return _interface_of_class(value)
    if not callable(value):
        return None
    function = value
    while isinstance(function, functools.partial):
        function = function.func
    if not (inspect.isroutine(function) or isinstance(value, functools.partial)):
        function = type(function).__call__
    count = _count(value)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inspect.unwrap(function)):
        return "asgi" if count in (3, None) else None
    return {3: "asgi", 2: "wsgi", 1: "asgi2", None: "wsgi"}.get(count)


def _interface_of_class(value: type) -> str | None:
    """A class whose instances are awaited, each for one connection, is an ASGI 3 app; called for a connection
    and then called again, an ASGI 2 one."""
    count = _count(value)
    if count == 3 and hasattr(value, "__await__"):
        return "asgi"
    if count == 1 and inspect.iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
        return "asgi2"
    return None


def _count(value: Any) -> int | None:
    """The arguments that a callable must be given, at least; None where it takes any, or does not tell."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    if not required and any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return len(required)


def adapt(app: Any, interface: str, config: Config) -> StreamApp:
    """What the server calls, of an app that speaks an interface.

    Arguments:
        interface: "fastweb", "asgi" or "wsgi".
        config: its root_path, lifespan and threads are for the adapter.
    """
    if interface == "asgi":
        from fastweb.server.asgi import ASGIHost

        return ASGIHost(app, lifespan=config.lifespan, root_path=config.root_path)
    if interface == "wsgi":
        from fastweb.server.wsgi import WSGIHost

        return WSGIHost(
            app, threads=config.threads, root_path=config.root_path, multiprocess=config.workers > 1
        )
    if config.root_path and not getattr(app, "root_path", None):
        app.root_path = config.root_path
    found: StreamApp = app
    return found
