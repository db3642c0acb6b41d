"""What a pool gives bit by bit, against a real server: each has a connection of its own, and returns it."""

from __future__ import annotations

import asyncio
import gc
import io
from typing import Any

import pytest

from fastweb.postgres import PgPool
from fastweb.postgres.errors import (
    DivisionByZeroError,
    InterfaceError,
    PoolTimeoutError,
    UndefinedTableError,
)
from tests.postgres.running import run
from tests.postgres.servers import Postgres

SERIES = "select n, n::text as name from generate_series(1, $1::int) as n"


async def all_free(pool: PgPool) -> None:
    """The next one gets the only connection, with no transaction in it."""
    async with pool.acquire() as connection:
        assert not connection.in_transaction
        assert await connection.fetch_value("select 1") == 1


async def none_is_free(pool: PgPool) -> None:
    """Somebody here has the only connection."""
    with pytest.raises(PoolTimeoutError, match="test_pool_streams"):
        async with pool.acquire(timeout=0.05):
            raise AssertionError


def test_rows_a_few_at_a_time(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            rows = [(row.n, row["name"]) async for row in pool.iterate(SERIES, 120)]
            assert rows == [(n, str(n)) for n in range(1, 121)]
            await all_free(pool)
            assert [n async for n in pool.iterate(int, "select 5 as n", prefetch=1)] == [5]
            # Broken off: with a block, without one, by an exception, by the server's.
            async with pool.iterate(SERIES, 1000) as some:
                async for row in some:
                    assert row.n == 1
                    break
                await none_is_free(pool)
            await all_free(pool)
            async for _ in pool.iterate(SERIES, 1000):
                break
            await all_free(pool)
            with pytest.raises(LookupError):
                async for _ in pool.iterate(SERIES, 1000):
                    raise LookupError
            await all_free(pool)
            seen = 0
            with pytest.raises(DivisionByZeroError):
                async for _ in pool.iterate("select 1 / (3 - n) from generate_series(1, 5) as n", prefetch=1):
                    seen += 1
            assert seen == 2
            await all_free(pool)
            with pytest.raises(UndefinedTableError):
                await anext(pool.iterate("select * from nowhere"))
            with pytest.raises(InterfaceError, match="prefetch"):
                await anext(pool.iterate("select 1", prefetch=0))
            with pytest.raises(TypeError, match="expected SQL as a str"):
                pool.iterate(5)  # type: ignore[call-overload]
            await all_free(pool)

    run(main())


def test_whoever_reads_is_cancelled(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:

            async def read(first: asyncio.Event) -> None:
                async for _ in pool.iterate(
                    "select pg_sleep(n * 600) from generate_series(0, 1) as n", prefetch=1
                ):
                    first.set()

            first = asyncio.Event()
            task = asyncio.create_task(read(first))
            await first.wait()
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await all_free(pool)

    run(main())


def test_what_is_written_by_what_is_iterated_over(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool:
            await pool.execute("drop table if exists streamed; create table streamed (n int)")
            sql = "insert into streamed select generate_series(1, 100) returning n"
            async for _ in pool.iterate(sql, prefetch=10):
                break
            await all_free(pool)
            assert await pool.fetch_value("select count(*) from streamed") == 0
            assert len([row async for row in pool.iterate(sql)]) == 100
            assert await pool.fetch_value("select count(*) from streamed") == 100
            await pool.execute("drop table streamed")

    run(main())


def test_copy_in_and_out(postgres: Postgres, tmp_path: Any) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.execute("drop table if exists copied; create table copied (id int, name text)")
            try:
                assert await pool.copy_in("copied", [(n, "x" * 100) for n in range(20_000)]) == 20_000
                assert await pool.copy_in("copied", b"-1,Eve\n", format="csv", columns=["id", "name"]) == 1
                with pytest.raises(TypeError, match="in row 2"):
                    await pool.copy_in("copied", [(1, "a"), ("b", "c")])
                await all_free(pool)
                with pytest.raises(TimeoutError):
                    async with pool.acquire():
                        await pool.copy_in("copied", [(1, "a")], timeout=0.05)
                sql = "select * from copied where id < $1"
                assert await pool.copy_out(sql, args=[0], format="csv") == b"-1,Eve\n"
                file = io.BytesIO()
                out = pool.copy_out("copied", file, format="csv")
                assert await out == out.count == 20_001
                assert len(file.getvalue().splitlines()) == 20_001
                await all_free(pool)
                pieces = [piece async for piece in pool.copy_out("copied")]
                assert b"".join(pieces).count(b"\n") == 20_001
                rows = [row async for row in pool.copy_out("copied").rows()]
                assert len(rows) == 20_001
                assert rows[-1] == (-1, "Eve")
                # Broken off.
                async with pool.copy_out("copied") as some:
                    assert await anext(some)
                    await none_is_free(pool)
                await all_free(pool)
                async for _ in pool.copy_out("copied"):
                    break
                await all_free(pool)
                async for _ in pool.copy_out("copied").rows():
                    break
                await all_free(pool)
                with pytest.raises(InterfaceError):
                    pool.copy_out("copied", args=[1])
                with pytest.raises(UndefinedTableError):
                    await pool.copy_out("nowhere")
                await all_free(pool)
            finally:
                await pool.execute("drop table copied")

    run(main())


def test_what_is_begun_and_never_read_holds_nothing(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            pool.iterate("select 1")
            pool.copy_out("select 1")
            pool.copy_out("select 1").rows()
            gc.collect()
            await all_free(pool)

    run(main())


def test_a_handle_has_them_too(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool:
            pg = pool.get()
            await pg.execute("drop table if exists handled; create table handled (n int)")
            assert await pg.copy_in("handled", [(n,) for n in range(200)]) == 200
            assert [row.n async for row in pg.iterate("select n from handled order by n")] == list(range(200))
            async with pg.transaction():
                await pg.execute("delete from handled where n > 2")
                assert [row.n async for row in pg.iterate("select n from handled")] == [0, 1, 2]
                assert await pg.copy_out("select count(*) from handled") == b"3\n"

            def in_a_thread() -> list[int]:
                assert pg.copy_in("handled", [(n,) for n in range(3, 200)]) == 197
                assert pg.copy_out("select count(*) from handled") == b"200\n"
                for row in pg.iterate("select n from handled order by n", prefetch=7):
                    assert row.n == 0
                    break
                with pg.transaction():
                    pg.execute("delete from handled where n > 99")
                    assert len(list(pg.iterate("select n from handled"))) == 100
                return [row.n for row in pg.iterate("select n from handled order by n", prefetch=7)]

            assert await asyncio.to_thread(in_a_thread) == list(range(100))
            await all_free(pool)
            await pg.execute("drop table handled")

    run(main())
