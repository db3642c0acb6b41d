"""FastAPI with asyncpg's pool."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

SELECT = "select id, name, age, score from bench_users where id = $1"
INSERT = "insert into bench_rows (id, name, age, score) values ($1, $2, $3, $4)"
UPDATE = "update bench_users set score = $2 where id = $1 returning id, name, age, score"

ids = count()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


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
async def user(user_id: int) -> User:
    async with app.state.pool.acquire() as connection:
        row = await connection.fetchrow(SELECT, user_id)
    return User(**row)


@app.get("/twenty")
async def twenty() -> list[User]:
    async with app.state.pool.acquire() as connection:
        return [User(**await connection.fetchrow(SELECT, 1 + number)) for number in range(20)]


@app.post("/users")
async def insert(new: NewUser) -> NewUser:
    async with app.state.pool.acquire() as connection:
        await connection.execute(INSERT, next(ids), new.name, new.age, new.score)
    return new


@app.post("/scores")
async def update(new: Score) -> Any:
    async with app.state.pool.acquire() as connection:
        found = await connection.fetchrow(UPDATE, 101 + next(ids) % 900, new.score)
    return Score(score=found["score"])
