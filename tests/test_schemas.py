from __future__ import annotations

from typing import Any

import pytest

from fastweb.endpoints import HTTPEndpoint
from fastweb.exceptions import FastWebError
from fastweb.requests import Request
from fastweb.responses import Response
from fastweb.routing import Host, Mount, Route, Router, WebSocketRoute
from fastweb.schemas import EndpointInfo, OpenAPIResponse, SchemaGenerator
from fastweb.websockets import WebSocket

yaml = pytest.importorskip("yaml")


def users(request: Request) -> Response:
    """Everybody.

    ---
    responses:
      200:
        description: users
    """
    return Response()


async def words(request: Request) -> Response:
    """Words alone."""
    return Response()


async def silent(request: Request) -> Response:
    return Response()


async def socket(websocket: WebSocket) -> None: ...


class Things(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        """{summary: read}"""
        return Response()

    async def query(self, request: Request) -> Response:
        """{summary: ask}"""
        return Response()


generator = SchemaGenerator({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}})


app = Router(
    [
        Route("/users/{name:path}", users, methods=["GET", "POST"]),
        Route("/words", words),
        Route("/silent", silent),
        Route("/hidden", users, include_in_schema=False),
        WebSocketRoute("/socket", socket),
        Mount("/inner/{id:int}", routes=[Route("/things", Things)]),
        Host("example.org", Router([Route("/hosted", users)])),
    ]
)

OPERATION = {"responses": {200: {"description": "users"}}}


def paths(openapi: str) -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator({"openapi": openapi}).get_schema(app.routes)["paths"]
    return found


def test_the_operations() -> None:
    assert paths("3.1.0") == {
        "/users/{name}": {"get": OPERATION, "post": OPERATION},
        "/inner/{id}/things": {"get": {"summary": "read"}},
        "/hosted": {"get": OPERATION},
    }
    assert paths("3.2")["/inner/{id}/things"] == {"get": {"summary": "read"}, "query": {"summary": "ask"}}
    assert EndpointInfo("/words", "get", words) in generator.get_endpoints(app.routes)


def test_the_response() -> None:
    schema: dict[str, Any] = {"paths": {"/": {}}}
    made = OpenAPIResponse(schema)
    assert (made.media_type, yaml.safe_load(made.body)) == ("application/vnd.oai.openapi", schema)
    with pytest.raises(FastWebError, match="a dict, not list"):
        OpenAPIResponse([])
