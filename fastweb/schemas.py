"""OpenAPI documents from docstrings, for apps whose routes have no types to read: Starlette's `schemas`.

What is behind the last `---` in an endpoint's docstring is YAML, and becomes the operation of its path and
method. Apps of `FastWeb` do not need this: `fastweb.openapi` makes their document from the routes' types.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from fastweb.exceptions import FastWebError
from fastweb.requests import Request
from fastweb.responses import Response
from fastweb.routing import BaseRoute, Host, Mount, Route

__all__ = ["BaseSchemaGenerator", "EndpointInfo", "OpenAPIResponse", "SchemaGenerator"]

#: The operations of a Path Item Object; `query` since OpenAPI 3.2.
_METHODS = ("get", "post", "put", "patch", "delete", "options", "query")


def _yaml() -> Any:
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError:
        raise FastWebError("schemas are written in YAML, which needs pyyaml: pip install pyyaml") from None
    return yaml


class OpenAPIResponse(Response):
    """A document as YAML."""

    media_type = "application/vnd.oai.openapi"

    def render(self, content: Any) -> bytes:
        if not isinstance(content, dict):
            raise FastWebError(f"an OpenAPI document is a dict, not {type(content).__name__}")
        text: str = _yaml().dump(content, default_flow_style=False)
        return text.encode()


class EndpointInfo(NamedTuple):
    """One operation: its path, its method in lower case, and the function whose docstring describes it."""

    path: str
    http_method: str
    func: Callable[..., Any]


class BaseSchemaGenerator:
    """What a generator of one's own is made of."""

    def get_schema(self, routes: list[BaseRoute]) -> dict[str, Any]:
        """The document for these routes."""
        raise NotImplementedError

    def get_endpoints(self, routes: Iterable[BaseRoute]) -> list[EndpointInfo]:
        """The operations of these routes and of those that are mounted among them, HEAD left out."""
        return list(self._endpoints(routes, ""))

    def _endpoints(self, routes: Iterable[BaseRoute], prefix: str) -> Iterator[EndpointInfo]:
        for route in routes:
            if isinstance(route, Mount):
                yield from self._endpoints(route.routes, prefix + _without_convertors(route.path))
            elif isinstance(route, Host):
                yield from self._endpoints(route.routes, prefix)
            elif isinstance(route, Route) and route.include_in_schema:
                path = prefix + _without_convertors(route.path)
                endpoint = route.endpoint
                if inspect.isfunction(endpoint) or inspect.ismethod(endpoint):
                    methods = [method for method in route.methods or ("GET",) if method != "HEAD"]
                    yield from (EndpointInfo(path, method.lower(), endpoint) for method in methods)
                else:  # A class, with a method for each.
                    present = [method for method in _METHODS if hasattr(endpoint, method)]
                    yield from (EndpointInfo(path, method, getattr(endpoint, method)) for method in present)

    def parse_docstring(self, func_or_method: Callable[..., Any]) -> dict[str, Any]:
        """The YAML of a docstring, behind its `---` if it has one; {} where there is none."""
        docstring = func_or_method.__doc__
        if not docstring:
            return {}
        parsed = _yaml().safe_load(docstring.split("---")[-1])
        # Of plain words YAML makes a string.
        return parsed if isinstance(parsed, dict) else {}

    def OpenAPIResponse(self, request: Request) -> Response:  # noqa: N802 - Starlette's name for it
        """An endpoint's answer: the document of the request's app."""
        return OpenAPIResponse(self.get_schema(routes=request.app.routes))


class SchemaGenerator(BaseSchemaGenerator):
    """Fills a document with the operations that docstrings describe.

    Arguments:
        base_schema: the rest of the document: `openapi`, `info` and so on.
    """

    def __init__(self, base_schema: dict[str, Any]) -> None:
        self.base_schema = base_schema

    def get_schema(self, routes: list[BaseRoute]) -> dict[str, Any]:
        schema = {**self.base_schema}
        paths = schema.setdefault("paths", {})
        version = re.match(r"(\d+)\.(\d+)", str(schema.get("openapi", "")))
        has_query = version is not None and (int(version[1]), int(version[2])) >= (3, 2)
        for path, method, function in self.get_endpoints(routes):
            if (has_query or method != "query") and (operation := self.parse_docstring(function)):
                paths.setdefault(path, {})[method] = operation
        return schema


def _without_convertors(path: str) -> str:
    """/users/{id:int} -> /users/{id}"""
    return re.sub(r":\w+}", "}", path)
