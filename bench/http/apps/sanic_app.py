"""Sanic, with pydantic by hand; a plain function would run in the event loop, so it is given to a thread."""

import asyncio

from data import MESSAGE, TEXT, USERS
from pydantic import BaseModel, TypeAdapter
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json as answer_json
from sanic.response import raw, text


class User(BaseModel):
    id: int
    name: str
    email: str
    active: bool
    score: float
    tags: list[str]
    bio: str | None = None


class NewUser(BaseModel):
    name: str
    email: str
    age: int
    score: float
    tags: list[str]


users = [User(**each) for each in USERS]
users_adapter = TypeAdapter(list[User])
app = Sanic("bench", configure_logging=False)
app.config.ACCESS_LOG = False
app.config.MOTD = False


@app.get("/plain")
async def plain(request: Request) -> HTTPResponse:
    return text(TEXT)


@app.get("/json")
async def json(request: Request) -> HTTPResponse:
    return answer_json(MESSAGE)


@app.get("/users/<user_id:int>/posts")
async def parameters(request: Request, user_id: int) -> HTTPResponse:
    query = request.args
    return answer_json(
        {"user_id": user_id, "limit": int(query.get("limit", 20)), "search": query.get("search", "")}
    )


@app.get("/users")
async def list_users(request: Request) -> HTTPResponse:
    return raw(users_adapter.dump_json(users), content_type="application/json")


@app.post("/users")
async def create_user(request: Request) -> HTTPResponse:
    user = NewUser.model_validate_json(request.body)
    return raw(user.model_dump_json().encode(), content_type="application/json")


async def region(request: Request) -> str:
    return str(request.args["region"][0])


async def session(request: Request) -> str:
    return f"{await region(request)}-session"


async def current_user(request: Request) -> dict[str, str]:
    return {"user": request.args["token"][0], "session": await session(request)}


@app.get("/depends")
async def depends(request: Request) -> HTTPResponse:
    return answer_json({"region": await region(request), **await current_user(request)})


def work() -> dict[str, str]:
    return MESSAGE


@app.get("/sync")
async def sync(request: Request) -> HTTPResponse:
    return answer_json(await asyncio.to_thread(work))
