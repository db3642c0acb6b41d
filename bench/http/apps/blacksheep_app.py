"""BlackSheep, with pydantic models and its services, which are found by their type."""

import asyncio

from blacksheep import Application, FromJSON, FromQuery, get, post
from blacksheep import json as answer_json
from blacksheep import text as answer_text
from blacksheep.messages import Request, Response
from data import MESSAGE, TEXT, USERS
from pydantic import BaseModel


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
app = Application()


@get("/plain")
async def plain() -> Response:
    return answer_text(TEXT)


@get("/json")
async def json() -> Response:
    return answer_json(MESSAGE)


@get("/users/{user_id}/posts")
async def parameters(user_id: int, limit: FromQuery[int], search: FromQuery[str]) -> Response:
    return answer_json({"user_id": user_id, "limit": limit.value, "search": search.value})


@get("/users")
async def list_users() -> Response:
    return answer_json(users)


@post("/users")
async def create_user(user: FromJSON[NewUser]) -> Response:
    return answer_json(user.value)


class Region:
    def __init__(self, request: Request) -> None:
        self.name = request.query["region"][0]


class Session:
    def __init__(self, region: Region) -> None:
        self.name = f"{region.name}-session"


class CurrentUser:
    def __init__(self, request: Request, session: Session) -> None:
        self.values = {"user": request.query["token"][0], "session": session.name}


async def make_region(request: Request) -> Region:
    return Region(request)


async def make_session(request: Request) -> Session:
    return Session(await make_region(request))


async def make_user(request: Request) -> CurrentUser:
    return CurrentUser(request, await make_session(request))


@get("/depends")
async def depends(request: Request) -> Response:
    # Its services are made by plain constructors, and so cannot await: called by hand.
    user = await make_user(request)
    return answer_json({"region": (await make_region(request)).name, **user.values})


def work() -> dict[str, str]:
    return MESSAGE


@get("/sync")
async def sync() -> Response:
    # A plain function would run in the event loop.
    return answer_json(await asyncio.to_thread(work))
