"""A router within another: what `include_router` was told, and the routes that came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastweb.datastructures import DefaultPlaceholder
from fastweb.dependencies.calls import describe
from fastweb.exceptions import FastWebError
from fastweb.params import Depends
from fastweb.responses import Response
from fastweb.routing.base import BaseRoute
from fastweb.routing.route import OPTIONS, APIRoute
from fastweb.routing.router import within

if TYPE_CHECKING:
    from fastweb.routing.router import APIRouter

__all__ = ["Inclusion"]


@dataclass(slots=True)
class Inclusion:
    """One router within another, as `include_router` was told; the next route goes behind `last`."""

    parent: APIRouter
    prefix: str
    tags: list[Any]
    dependencies: list[Depends]
    default_response_class: type[Response] | DefaultPlaceholder
    responses: dict[int | str, Any]
    deprecated: bool | None
    include_in_schema: bool
    last: BaseRoute | None

    def add(self, route: BaseRoute) -> None:
        """Add a route of the router to the parent, behind those that came from it before."""
        parent = self.parent
        if isinstance(route, APIRoute):
            if not self.prefix and not route.path:
                raise FastWebError(f"the route of {describe(route.endpoint)} has neither a prefix nor a path")
            options = {name: getattr(route, name) for name in OPTIONS}
            path = parent.prefix + self.prefix + route.path
            route = type(route)(path, route.endpoint, **within(parent, within(self, options)))
        parent._add(route, parent._behind(self.last))
        self.last = route
