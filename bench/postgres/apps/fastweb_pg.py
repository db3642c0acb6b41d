"""fastweb with its own client."""

import os
from itertools import count
from typing import Annotated

from fastweb import Depends, FastWeb
from fastweb.models import BaseModel
from fastweb.postgres import Handle, PgPool

pool = PgPool(os.environ["BENCH_DSN"], 1, 10)
app = FastWeb()
ids = count()

Pg = Annotated[Handle, Depends(pool.get)]
SELECT = "select id, name, age, score from bench_users where id = $1"
INSERT = "insert into bench_rows (id, name, age, score) values ($1, $2, $3, $4)"
UPDATE = "update bench_users set score = $2 where id = $1 returning id, name, age, score"


class User(BaseModel):
    id: int
    name: str
    age: int
    score: float


class NewUser(BaseModel):
    name: str
    age: int
    score: float


class Score(BaseModel):
    score: float


@app.get("/users/{user_id}")
async def user(user_id: int, pg: Pg) -> User:
    return await pg.fetch_one(User, SELECT, user_id)


@app.get("/twenty")
async def twenty(pg: Pg) -> list[User]:
    return [await pg.fetch_one(User, SELECT, 1 + number) for number in range(20)]


@app.post("/users")
async def insert(new: NewUser, pg: Pg) -> NewUser:
    await pg.execute(INSERT, next(ids), new.name, new.age, new.score)
    return new


@app.post("/scores")
async def update(new: Score, pg: Pg) -> Score:
    # Another row each time: those who change the same one wait for each other.
    found = await pg.fetch_one(User, UPDATE, 101 + next(ids) % 900, new.score)
    return Score(score=found.score)
