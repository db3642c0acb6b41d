"""Starlette, with pydantic by hand: it has neither models nor dependencies of its own."""

from data import MESSAGE, TEXT, USERS
from pydantic import BaseModel, TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


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


async def plain(request: Request) -> Response:
    return PlainTextResponse(TEXT)


async def json(request: Request) -> Response:
    return JSONResponse(MESSAGE)


async def parameters(request: Request) -> Response:
    query = request.query_params
    return JSONResponse(
        {
            "user_id": request.path_params["user_id"],
            "limit": int(query.get("limit", 20)),
            "search": query.get("search", ""),
        }
    )


async def list_users(request: Request) -> Response:
    return Response(users_adapter.dump_json(users), media_type="application/json")


async def create_user(request: Request) -> Response:
    user = NewUser.model_validate_json(await request.body())
    return Response(user.model_dump_json(), media_type="application/json")


async def region(request: Request) -> str:
    return request.query_params["region"]


async def session(request: Request) -> str:
    return f"{await region(request)}-session"


async def current_user(request: Request) -> dict[str, str]:
    return {"user": request.query_params["token"], "session": await session(request)}


async def depends(request: Request) -> Response:
    return JSONResponse({"region": await region(request), **await current_user(request)})


def sync(request: Request) -> Response:
    return JSONResponse(MESSAGE)


app = Starlette(
    routes=[
        Route("/plain", plain),
        Route("/json", json),
        Route("/users/{user_id:int}/posts", parameters),
        Route("/users", list_users, methods=["GET"]),
        Route("/users", create_user, methods=["POST"]),
        Route("/depends", depends),
        Route("/sync", sync),
    ]
)
