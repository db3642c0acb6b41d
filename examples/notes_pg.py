"""Notes in PostgreSQL: a pool that opens and closes with the app, and a handle in each endpoint.

    PGHOST=… PGUSER=… PGDATABASE=… fastweb run examples/notes_pg.py
    NOTES_DB=postgresql://user@host/database fastweb run …

Nothing else is to be installed or registered. Where PostgreSQL cannot be reached, the start ends with one
line that says why.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastweb import Depends, FastWeb, HTTPException, Query
from fastweb.models import BaseModel, Field
from fastweb.postgres import Handle, PgPool, UniqueViolationError

pool = PgPool(os.environ.get("NOTES_DB"), min_size=1, max_size=10)
Pg = Annotated[Handle, Depends(pool.get)]

#: Workers start at once, and `if not exists` is no lock: the first line is one, until the last has run, for
#: statements that are sent together are one transaction.
TABLES = """
select pg_advisory_xact_lock(8000);
create table if not exists notes (
    id bigint generated always as identity primary key,
    title text not null unique,
    body text not null,
    tags text[] not null default '{}',
    created timestamptz not null default now()
);
create table if not exists note_log (note bigint not null, word text not null);
"""


class NewNote(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    body: str
    tags: list[str] = Field(default_factory=list)


class Note(NewNote):
    id: int
    created: datetime


@asynccontextmanager
async def lifespan(app: FastWeb) -> AsyncIterator[None]:
    """Make the tables. The pool is open by now."""
    await pool.execute(TABLES)
    yield


app = FastWeb(title="Notes", lifespan=lifespan)


@app.post("/notes", status_code=201)
async def write(note: NewNote, pg: Pg) -> Note:
    """Both rows, or none of them."""
    try:
        made: Note = await pg.fetch_one(
            Note,
            "with made as (insert into notes (title, body, tags) values ($1, $2, $3) returning *),"
            " logged as (insert into note_log select id, 'written' from made) select * from made",
            note.title,
            note.body,
            note.tags,
        )
    except UniqueViolationError:
        raise HTTPException(409, f"there is a note {note.title!r}") from None
    return made


@app.get("/notes")
async def listed(pg: Pg, tag: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Any:
    """PostgreSQL's rows become JSON as they come, with no objects made of them."""
    return await pg.fetch_json(
        "select id, title, tags, created from notes where $1::text is null or $1 = any(tags)"
        " order by id limit $2",
        tag,
        limit,
    )


@app.get("/notes/{note_id}")
async def one(note_id: int, pg: Pg) -> Note:
    note: Note | None = await pg.fetch_one(Note, "select * from notes where id = $1", note_id)
    if note is None:
        raise HTTPException(404, f"there is no note {note_id}")
    return note


@app.get("/statistics")
def statistics(pg: Pg) -> dict[str, Any]:
    """A plain function: the same handle, which blocks this thread alone."""
    found = pg.exec("select count(*) as notes, coalesce(sum(length(body)), 0) as letters from notes").one()
    return {"notes": found.notes, "letters": found["letters"]}


@app.delete("/notes/{note_id}")
def delete(note_id: int, pg: Pg) -> dict[str, bool]:
    return {"deleted": pg.exec("delete from notes where id = $1", note_id).rowcount == 1}
