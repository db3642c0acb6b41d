"""FastAPI with SQLAlchemy's ORM on asyncpg: an engine, a session a request."""

import os
from collections.abc import AsyncIterator
from itertools import count
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["BENCH_URL"], pool_size=10, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
ids = count()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


class Base(DeclarativeBase):
    pass


class UserRow(Base):
    __tablename__ = "bench_users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int]
    score: Mapped[float]


class Row(Base):
    __tablename__ = "bench_rows"
    # The table has none; the ORM wants one.
    serial: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int]
    name: Mapped[str]
    age: Mapped[int]
    score: Mapped[float]


class User(BaseModel):
    model_config = ConfigDict(from_attributes=True)

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


@app.get("/users/{user_id}", response_model=User)
async def user(user_id: int, session: Session) -> Any:
    return await session.get(UserRow, user_id)


@app.get("/twenty", response_model=list[User])
async def twenty(session: Session) -> Any:
    return [await session.get(UserRow, 1 + number) for number in range(20)]


@app.post("/users")
async def insert(new: NewUser, session: Session) -> NewUser:
    session.add(Row(id=next(ids), name=new.name, age=new.age, score=new.score))
    await session.commit()
    return new


@app.post("/scores")
async def update(new: Score, session: Session) -> Score:
    found = await session.get(UserRow, 101 + next(ids) % 900)
    assert found is not None
    found.score = new.score
    await session.commit()
    return Score(score=found.score)
