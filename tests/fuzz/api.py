"""The app behind the fuzzed connections: a bit of everything that a request can reach."""

from __future__ import annotations

from typing import Any

from fastweb import FastWeb, Header, Request, WebSocket
from fastweb.models import BaseModel, Field

__all__ = ["Item", "make_api"]


class Item(BaseModel):
    name: str = Field(max_length=40)
    price: float = Field(1.0, gt=0)
    count: int = Field(0, ge=-5)
    flag: bool = False
    tags: list[str] = []
    one: str | int | None = None
    parts: list[Item] = []
    by: dict[str, float] = {}


def make_api() -> FastWeb:
    app = FastWeb()

    @app.get("/")
    async def root() -> Any:
        return {"message": "Hello"}

    @app.get("/items/{item_id}")
    async def read(item_id: int, q: str | None = None, n: float = 0) -> Any:
        return [item_id, q, n]

    @app.post("/items")
    async def create(item: Item) -> Item:
        return item

    @app.post("/stream")
    async def stream(request: Request) -> Any:
        return len(await request.body())

    @app.get("/head")
    async def head(request: Request, x: str = Header("")) -> Any:
        return [x, request.cookies, str(request.url), dict(request.query_params)]

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            message = await websocket.receive()
            if message["type"] != "websocket.receive":
                return
            await websocket.send_text(repr(message.get("text", message.get("bytes")))[:200])

    return app
