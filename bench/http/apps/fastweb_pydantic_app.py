"""fastweb with pydantic models."""

from data import MESSAGE, TEXT, USERS
from pydantic import BaseModel

from fastweb import Depends, FastWeb
from fastweb.responses import PlainTextResponse


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
app = FastWeb()


@app.get("/plain", response_class=PlainTextResponse)
async def plain():
    return TEXT


@app.get("/json")
async def json():
    return MESSAGE


@app.get("/users/{user_id}/posts")
async def parameters(user_id: int, limit: int = 20, search: str = ""):
    return {"user_id": user_id, "limit": limit, "search": search}


@app.get("/users", response_model=list[User])
async def list_users():
    return users


@app.post("/users", response_model=NewUser)
async def create_user(user: NewUser):
    return user


async def region(region: str) -> str:
    return region


async def session(region: str = Depends(region)) -> str:
    return f"{region}-session"


async def current_user(token: str, session: str = Depends(session)) -> dict[str, str]:
    return {"user": token, "session": session}


@app.get("/depends")
async def depends(user: dict[str, str] = Depends(current_user), region: str = Depends(region)):
    return {"region": region, **user}


@app.get("/sync")
def sync():
    return MESSAGE
