"""Robyn, with pydantic by hand. Plain functions run in its own threads."""

import sys

from data import MESSAGE, TEXT, USERS
from pydantic import BaseModel, TypeAdapter
from robyn import Headers, Request, Response, Robyn


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
app = Robyn(__file__)
json_headers = Headers({"content-type": "application/json"})


@app.get("/plain")
async def plain(request: Request):
    return TEXT


@app.get("/json")
async def json(request: Request):
    return MESSAGE


@app.get("/users/:user_id/posts")
async def parameters(request: Request):
    query = request.query_params
    return {
        "user_id": int(request.path_params["user_id"]),
        "limit": int(query.get("limit", "20")),
        "search": query.get("search", ""),
    }


@app.get("/users")
async def list_users(request: Request):
    return Response(200, json_headers, users_adapter.dump_json(users))


@app.post("/users")
async def create_user(request: Request):
    user = NewUser.model_validate_json(request.body)
    return Response(200, json_headers, user.model_dump_json())


async def region(request: Request) -> str:
    return request.query_params.get("region", "")


async def session(request: Request) -> str:
    return f"{await region(request)}-session"


async def current_user(request: Request) -> dict[str, str]:
    return {"user": request.query_params.get("token", ""), "session": await session(request)}


@app.get("/depends")
async def depends(request: Request):
    return {"region": await region(request), **await current_user(request)}


@app.get("/sync")
def sync(request: Request):
    return MESSAGE


if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(sys.argv[-1]))
