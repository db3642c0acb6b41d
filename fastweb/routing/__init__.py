"""Routes and routers.

base.py        what a router holds
route.py       one path, its methods and the endpoint that answers them
router.py      routes, to be included in an app or in another router
inclusion.py   one router within another
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastweb.paths import compile_path as compile_path
from fastweb.routing.base import BaseRoute as BaseRoute
from fastweb.routing.base import NoMatchFound as NoMatchFound
from fastweb.routing.router import APIRouter as APIRouter

if TYPE_CHECKING:
    from fastweb.routing.route import APIRoute as APIRoute

__all__ = ["APIRoute", "APIRouter", "BaseRoute", "NoMatchFound", "compile_path"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """`APIRoute`, imported when the first route is made: see `fastweb.routing.router`."""
        if name == "APIRoute":
            from fastweb.routing.route import APIRoute

            return APIRoute
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
