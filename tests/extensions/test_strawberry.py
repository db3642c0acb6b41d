"""strawberry-graphql's FastAPI router: queries, a context from dependencies, subscriptions over WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import strawberry
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from strawberry.fastapi import GraphQLRouter


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, info: strawberry.Info, name: str = "world") -> str:
        return f"{info.context['greeting']} {name}"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number


def greeting() -> str:
    return "hello"


async def get_context(greeting: str = Depends(greeting)) -> dict[str, Any]:
    return {"greeting": greeting}


app = FastAPI()
schema = strawberry.Schema(Query, subscription=Subscription)
app.include_router(GraphQLRouter(schema, context_getter=get_context), prefix="/graphql")


def test_a_query() -> None:
    with TestClient(app) as client:
        answer = client.post("/graphql", json={"query": '{ hello(name: "you") }'})
        assert answer.json() == {"data": {"hello": "hello you"}}
        assert client.post("/graphql", json={"query": "{ nope }"}).json()["data"] is None
        page = client.get("/graphql", headers={"accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")


def test_a_subscription() -> None:
    with (
        TestClient(app) as client,
        client.websocket_connect("/graphql", subprotocols=["graphql-transport-ws"]) as socket,
    ):
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json()["type"] == "connection_ack"
        query = "subscription { count(to: 2) }"
        socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        received = [socket.receive_json() for _ in range(3)]
    assert [message.get("payload", {}).get("data", {}).get("count") for message in received] == [0, 1, None]
    assert received[-1]["type"] == "complete"
