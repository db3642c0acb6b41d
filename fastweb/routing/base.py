"""What a router holds, and how a path is made of a route's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastweb.datastructures import URLPath

__all__ = ["BaseRoute", "NoMatchFound"]


class NoMatchFound(Exception):  # noqa: N818 - Starlette's name for it
    """No route has this name and these parameters.

    Arguments:
        name: the route's name.
        path_params: the parameters that were given.
    """

    def __init__(self, name: str, path_params: Mapping[str, Any]) -> None:
        super().__init__(f'No route exists for name "{name}" and params "{", ".join(path_params)}".')


class BaseRoute:
    """What a router holds."""

    path: str
    name: str

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of this route with these parameters.

        Raises:
            NoMatchFound: it has another name, or other parameters.
        """
        raise NoMatchFound(name, path_params)
