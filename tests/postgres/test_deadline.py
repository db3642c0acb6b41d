"""The time for an answer, against a real server: through a connection and through a pool."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastweb.postgres import PgPool, connect
from tests.postgres.running import run
from tests.postgres.servers import Postgres

METHODS = ("fetch", "fetch_one", "fetch_value", "fetch_json", "execute", "exec")


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
def test_a_time_that_has_gone_by(postgres: Postgres, seconds: float) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool, pool.acquire() as connection:
            await connection.execute("drop table if exists gone; create table gone (n int)")
            for who in (pool, connection):
                for name in METHODS:
                    with pytest.raises(TimeoutError, match=f"no answer in {seconds:g} s: insert"):
                        await getattr(who, name)("insert into gone values (1) returning n", timeout=seconds)
                with pytest.raises(TimeoutError, match="no answer in"):
                    await who.execute_many("insert into gone values ($1)", [(1,)], timeout=seconds)
                # Nothing of it was sent.
                await asyncio.sleep(0.05)
                assert await who.fetch_value("select count(*) from gone") == 0

    run(main())


@pytest.mark.parametrize(
    ("seconds", "error"), [("1", TypeError), (True, TypeError), (float("nan"), ValueError)]
)
def test_what_is_no_time(postgres: Postgres, seconds: Any, error: type[Exception]) -> None:
    async def later() -> Any:
        yield (1,)

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool, pool.acquire() as connection:
            await connection.execute("drop table if exists times; create table times (n int)")
            for who in (pool, connection):
                for name in METHODS:
                    with pytest.raises(error, match=r"^timeout"):
                        await getattr(who, name)("insert into times values (1) returning n", timeout=seconds)
                with pytest.raises(error, match=r"^timeout"):
                    await who.execute_many("insert into times values ($1)", later(), timeout=seconds)
                with pytest.raises(error, match=r"^timeout"):
                    await who.copy_in("times", [(1,)], timeout=seconds)
                with pytest.raises(error, match=r"^timeout"):
                    await who.copy_out("times", timeout=seconds)
                assert await who.fetch_value("select 2") == 2
            assert await connection.fetch_value("select count(*) from times") == 0

    run(main())


def test_an_answer_in_time(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn, command_timeout=90) as connection:
            assert await connection.fetch_value("select 1", timeout=float("inf")) == 1
            assert await connection.fetch_value("select 2") == 2

    run(main())
