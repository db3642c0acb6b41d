"""Conversations with a real server, spoilt by chance: the client never hangs, and tells what it was."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from fastweb.postgres import Connection, RowError, connect
from fastweb.postgres import errors as e
from tests.postgres.replay import mutated, record, replay
from tests.postgres.running import run
from tests.postgres.servers import Postgres

#: All that a user may be given for what a server does.
DUE = (
    e.PostgresError,
    RowError,
    e.InterfaceError,
    e.ProtocolError,
    ConnectionError,
    TimeoutError,
    ValueError,
)

VALUES = (
    "select n, n::text as text, n / 7::numeric as numeric, now(), null as nothing, array[n, null], n::float8,"
    " '{\"a\": [1]}'::jsonb, '\\x0102'::bytea, int4range(1, n + 2), '1 day 2 hours'::interval,"
    " '127.0.0.1'::inet from generate_series(1, $1::int) n"
)


async def talk(dsn: str, wait: float = 20.0) -> None:
    """A bit of everything; each question may fail, with an error that is due."""
    connection: Connection
    try:
        connection = await connect(dsn, connect_timeout=wait, application_name="talk")
    except DUE:
        return
    asked: list[Any] = [
        lambda: connection.fetch(VALUES, 3, timeout=wait),
        lambda: connection.fetch(VALUES, 2, timeout=wait),
        lambda: connection.fetch_json(VALUES, 2, timeout=wait),
        lambda: connection.execute("create temporary table t (a int, b text)", timeout=wait),
        lambda: connection.execute_many("insert into t values ($1, $2)", [(1, "x"), (2, None)], timeout=wait),
        lambda: connection.fetch_one("select 1 / $1::int", 0, timeout=wait),
        lambda: connection.execute("do $$ begin raise notice 'by the way'; end $$", timeout=wait),
        lambda: asyncio.gather(
            *(connection.fetch_value("select $1::int", n, timeout=wait) for n in range(3))
        ),
        lambda: connection.execute("listen news; notify news, 'x'; select 1, 'two'", timeout=wait),
        lambda: connection.exec("select a, b from t order by a", timeout=wait),
    ]
    for ask in asked:
        try:
            await ask()
        except DUE as error:
            if connection.is_closed or isinstance(error, TimeoutError):
                break
    try:
        await connection.close(timeout=wait)
    except TimeoutError:
        pass


@pytest.mark.parametrize("seed", range(3))
def test_spoilt_conversations(postgres: Postgres, seed: int) -> None:
    chance = random.Random(seed)

    async def main() -> None:
        parts = await record(postgres, talk)
        assert len(parts) > 10

        async def one(number: int) -> None:
            async with replay(mutated(random.Random(number), parts)) as dsn:
                # Where it waits for what does not come, its time limits end it.
                await asyncio.wait_for(talk(dsn, 0.1), 60)

        for _ in range(4):
            await asyncio.gather(*(one(chance.getrandbits(32)) for _ in range(25)))

    run(main())
