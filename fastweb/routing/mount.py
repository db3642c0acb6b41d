"""Whole apps behind a path or a host name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastweb.datastructures import Headers, URLPath, parse_host
from fastweb.exceptions import DeclarationError
from fastweb.paths import compile_host, compile_path, fill_path, get_route_path
from fastweb.routing.base import PATH_MATCHES, BaseRoute, Match, NoMatchFound, matched_params, wrapped
from fastweb.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from fastweb.middleware import Middleware

__all__ = ["Host", "Mount"]


class Mount(BaseRoute):
    """An app behind a path: it sees what follows as its own path, and `root_path` tells it the rest.

    Arguments:
        path: a prefix, "" or beginning with a slash; it may have parameters.
        app: an ASGI app.
        routes: instead of an app.
        name: of the group: `url_path_for("name:route")`.
        middleware: around the app.
        max_body_size: bytes; a larger body is answered with 413.

    Raises:
        FastWebError: the path is none, or there is nothing to mount.
    """

    app: ASGIApp

    def __init__(
        self,
        path: str,
        app: ASGIApp | None = None,
        routes: Sequence[BaseRoute] | None = None,
        name: str | None = None,
        *,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        if path and not path.startswith("/"):
            raise DeclarationError(f"Routed paths must start with '/', which {path!r} does not")
        if app is None:
            if routes is None:
                raise DeclarationError(f"nothing is mounted at {path!r}: say app=... or routes=...")
            from fastweb.routing.router import Router

            app = Router(routes=routes)
        self.path = path.rstrip("/")
        self._base_app = app
        self.app = wrapped(app, middleware, max_body_size)
        self.name = name
        self.path_regex, self.path_format, self.param_convertors = compile_path(self.path + "/{path:path}")

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes of what is mounted, where it has any."""
        routes: list[BaseRoute] = getattr(self._base_app, "routes", [])
        return routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `BaseRoute.matches`."""
        if scope["type"] not in ("http", "websocket"):
            return Match.NONE, {}
        route_path = get_route_path(scope)
        params = matched_params(self.path_regex, self.param_convertors, route_path, scope)
        if params is None:
            return Match.NONE, {}
        root_path = scope.get("root_path", "")
        rest = "/" + params.pop("path")
        return Match.FULL, {
            "path_params": params,
            # What stood before the outermost mount: the root that url_for counts from.
            "app_root_path": scope.get("app_root_path", root_path),
            "root_path": root_path + route_path[: -len(rest)],
            "endpoint": self.app,
        }

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of what is mounted, by the mount's name and `path`; or that of one of its routes."""
        if self.name is not None and name == self.name and "path" in path_params:
            values = {**path_params, "path": path_params["path"].lstrip("/")}
            if values.keys() == self.param_convertors.keys():
                return URLPath(path=fill_path(self.path_format, self.param_convertors, values))
        inner = _name_within(self.name, name)
        if inner is not None:
            own = {key: value for key, value in path_params.items() if key in self.param_convertors}
            # "path" is what the mount calls what follows; a route within may have a parameter of that name.
            rest = {key: value for key, value in path_params.items() if key not in own or key == "path"}
            prefix = fill_path(self.path_format, self.param_convertors, {**own, "path": ""}).rstrip("/")
            url = _url_of(self.routes, inner, rest)
            if url is not None:
                return URLPath(path=prefix + str(url), protocol=url.protocol)
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the app."""
        await self.app(scope, receive, send)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mount) and self.path == other.path and self.app == other.app

    __hash__ = BaseRoute.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r}, name={self.name or ''!r}, app={self.app!r})"


PATH_MATCHES.add(Mount.matches)


class Host(BaseRoute):
    """An app for a host name.

    Arguments:
        host: such as "api.example.org" or "{name}.example.org"; a port is not looked at.
        app: an ASGI app.
        name: of the group: `url_path_for("name:route")`.

    Raises:
        FastWebError: it is no host, but a path.
    """

    def __init__(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        if host.startswith("/"):
            raise DeclarationError(f"Host must not start with '/', as {host!r} does")
        self.host = host
        self.app = app
        self.name = name
        self.host_regex, self.host_format, self.param_convertors = compile_host(host)

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes of the app, where it has any."""
        routes: list[BaseRoute] = getattr(self.app, "routes", [])
        return routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `BaseRoute.matches`."""
        if scope["type"] not in ("http", "websocket"):
            return Match.NONE, {}
        parsed = parse_host(Headers(scope=scope).get("host", ""))
        if parsed is None:
            return Match.NONE, {}
        host = parsed[0].lower()
        params = matched_params(self.host_regex, self.param_convertors, host, scope)
        if params is None:
            return Match.NONE, {}
        return Match.FULL, {"path_params": params, "endpoint": self.app}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of the app, by the name and `path`; or that of one of its routes."""
        own = {key: value for key, value in path_params.items() if key in self.param_convertors}
        rest = {key: value for key, value in path_params.items() if key not in own}
        host = fill_path(self.host_format, self.param_convertors, own)
        if self.name is not None and name == self.name and rest.keys() == {"path"}:
            return URLPath(path=rest["path"], host=host)
        inner = _name_within(self.name, name)
        url = None if inner is None else _url_of(self.routes, inner, rest)
        if url is not None:
            return URLPath(path=str(url), protocol=url.protocol, host=host)
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the app."""
        await self.app(scope, receive, send)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Host) and self.host == other.host and self.app == other.app

    __hash__ = BaseRoute.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}(host={self.host!r}, name={self.name or ''!r}, app={self.app!r})"


def _name_within(group: str | None, name: str) -> str | None:
    """The name of a route within a group: "name:route" is "route"; a group without a name hides none."""
    if group is None:
        return name
    return name[len(group) + 1 :] if name.startswith(group + ":") else None


def _url_of(routes: Sequence[BaseRoute], name: str, path_params: dict[str, Any]) -> URLPath | None:
    for route in routes or ():
        try:
            return route.url_path_for(name, **path_params)
        except NoMatchFound:
            continue
    return None
