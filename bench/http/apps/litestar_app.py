"""Litestar with msgspec models, which it is built on."""

from data import MESSAGE, TEXT, USERS
from litestar import Litestar, MediaType, get, post
from litestar.di import Provide
from msgspec import Struct


class User(Struct):
    id: int
    name: str
    email: str
    active: bool
    score: float
    tags: list[str]
    bio: str | None = None


class NewUser(Struct):
    name: str
    email: str
    age: int
    score: float
    tags: list[str]


users = [User(**each) for each in USERS]


@get("/plain", media_type=MediaType.TEXT)
async def plain() -> str:
    return TEXT


@get("/json")
async def json() -> dict[str, str]:
    return MESSAGE


@get("/users/{user_id:int}/posts")
async def parameters(user_id: int, limit: int = 20, search: str = "") -> dict[str, int | str]:
    return {"user_id": user_id, "limit": limit, "search": search}


@get("/users")
async def list_users() -> list[User]:
    return users


@post("/users", status_code=200)
async def create_user(data: NewUser) -> NewUser:
    return data


async def provide_region(region: str) -> str:
    return region


async def provide_session(area: str) -> str:
    return f"{area}-session"


async def provide_user(token: str, session: str) -> dict[str, str]:
    return {"user": token, "session": session}


@get(
    "/depends",
    dependencies={
        "area": Provide(provide_region),
        "session": Provide(provide_session),
        "user": Provide(provide_user),
    },
)
async def depends(user: dict[str, str], area: str) -> dict[str, str]:
    return {"region": area, **user}


@get("/sync", sync_to_thread=True)
def sync() -> dict[str, str]:
    return MESSAGE


app = Litestar([plain, json, parameters, list_users, create_user, depends, sync], openapi_config=None)
