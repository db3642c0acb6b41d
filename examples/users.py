"""A typed JSON API over a file: create users, list them, fetch one.

    fastweb run examples/users.py            serves on http://127.0.0.1:8000, one worker a core
    USERS_DB=/tmp/users.db fastweb run …     keeps its data there

The users are in a SQLite file, through the standard library: they survive a restart, and all workers see
the same.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastweb import Depends, FastWeb, HTTPException, Path, Query
from fastweb.models import BaseModel, Field

DATABASE = os.environ.get("USERS_DB", "users.db")
MAX_ID = 2**63 - 1  # SQLite's integers are no larger.


class NewUser(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    age: int = Field(ge=0, le=150)
    email: str | None = None


class User(NewUser):
    id: int


class Problem(BaseModel):
    detail: str


@asynccontextmanager
async def lifespan(app: FastWeb) -> AsyncIterator[None]:
    """Make the table, once, before the first request."""
    connection = sqlite3.connect(DATABASE)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS users "
        "(id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER NOT NULL, email TEXT)"
    )
    # WAL: readers and the writer do not wait for each other, whichever worker they are in. It is kept in the
    # file. Where this is locked, another worker is at it.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    yield


def database() -> Iterator[sqlite3.Connection]:
    """A connection for one request."""
    connection = sqlite3.connect(DATABASE, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


Database = Annotated[sqlite3.Connection, Depends(database)]

app = FastWeb(title="Users", version="1.0.0", lifespan=lifespan)


@app.post("/users", status_code=201, responses={400: {"model": Problem}})
def create_user(user: NewUser, db: Database) -> User:
    values = user.model_dump()
    cursor = db.execute("INSERT INTO users (name, age, email) VALUES (:name, :age, :email)", values)
    db.commit()
    assert cursor.lastrowid is not None
    return User(id=cursor.lastrowid, **values)


@app.get("/users")
def list_users(
    db: Database,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
) -> list[User]:
    rows = db.execute("SELECT * FROM users ORDER BY id LIMIT ? OFFSET ?", (limit, offset))
    return [User(**row) for row in rows]


@app.get("/users/{user_id}", responses={404: {"model": Problem}})
def read_user(user_id: Annotated[int, Path(le=MAX_ID)], db: Database) -> User:
    row = db.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    if row is None:
        raise HTTPException(404, f"There is no user {user_id}")
    return User(**row)


if __name__ == "__main__":
    app.run()
