"""A router within another: what `include_router` was told, and the routes that came of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastweb.datastructures import DefaultPlaceholder
from fastweb.dependencies.calls import describe
from fastweb.exceptions import FastWebError
from fastweb.params import Depends
from fastweb.paths import compile_path
from fastweb.responses import Response
from fastweb.routing.api_route import OPTIONS, APIRoute
from fastweb.routing.api_router import within
from fastweb.routing.api_websocket import APIWebSocketRoute
from fastweb.routing.base import BaseRoute, wrapped
from fastweb.routing.mount import Host, Mount
from fastweb.routing.route import Route
from fastweb.routing.router import Router
from fastweb.routing.websocket import WebSocketRoute

if TYPE_CHECKING:
    from fastweb.routing.api_router import APIRouter

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
    callbacks: list[Any]
    deprecated: bool | None
    include_in_schema: bool
    generate_unique_id_function: Any
    strict_content_type: Any
    max_body_size: int | None
    form_limits: dict[str, int]
    last: BaseRoute | None

    def add(self, route: BaseRoute) -> None:
        """Add a route of the router to the parent, behind those that came from it before."""
        parent = self.parent
        path = parent.prefix + self.prefix
        if isinstance(route, APIRoute):
            if not self.prefix and not route.path:
                raise FastWebError(
                    "Prefix and path cannot be both empty: the route of "
                    f"{describe(route.endpoint)} has neither a prefix nor a path"
                )
            options = {name: getattr(route, name) for name in OPTIONS}
            route = type(route)(path + route.path, route.endpoint, **within(parent, within(self, options)))
        elif isinstance(route, APIWebSocketRoute):
            route = type(route)(
                path + route.path,
                route.endpoint,
                name=route.name,
                dependencies=[*parent.dependencies, *self.dependencies, *route.dependencies],
                dependency_overrides_provider=parent.dependency_overrides_provider,
            )
        else:
            if path:
                route = _behind(path, route)
            limit = parent.max_body_size if self.max_body_size is None else self.max_body_size
            if limit is not None and isinstance(route, (Route, Mount)):
                route = copy.copy(route)
                route.app = wrapped(route.app, None, limit)
        parent._add(route, parent._behind(self.last))
        self.last = route


def _behind(prefix: str, route: BaseRoute) -> BaseRoute:
    """A route with a prefix before its path."""
    if isinstance(route, Host):
        return Host(route.host, Router([Mount(prefix, app=route.app)]), route.name)
    if isinstance(route, (Route, WebSocketRoute, Mount)):
        route = copy.copy(route)
        route.path = prefix + route.path
        path = route.path + "/{path:path}" if isinstance(route, Mount) else route.path
        route.path_regex, route.path_format, route.param_convertors = compile_path(path)
    return route
