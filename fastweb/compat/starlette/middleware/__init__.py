"""`starlette.middleware`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol

from fastweb.compat.naming import named
from fastweb.types import ASGIApp

P = ParamSpec("P")


class _MiddlewareFactory(Protocol[P]):
    """Private there, but the annotation of every function that takes a middleware class."""

    def __call__(self, app: ASGIApp, /, *args: P.args, **kwargs: P.kwargs) -> ASGIApp: ...


__getattr__: Callable[[str], Any] = named(__name__, {}, rest="fastweb.middleware")
