"""`execute_many` with rows of an asynchronous iterable, against a real server."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastweb.postgres import Connection, PgPool, connect
from fastweb.postgres.errors import ConnectionLostError, PostgresSyntaxError, UniqueViolationError
from tests.postgres.running import PATIENCE, run, until
from tests.postgres.servers import PgBouncer, Postgres

SQL = "insert into batch values ($1, $2)"


class Rows:
    """A source that notes how far it was read, and whether it was closed."""

    def __init__(self, count: int, *, fails_at: int = -1, stops_at: int = -1, name: Any = "x" * 60) -> None:
        self.count = count
        self.fails_at = fails_at
        self.stops_at = stops_at
        self.name = name
        self.read = 0
        self.stopped = self.closed = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            for number in range(self.count):
                if number == self.fails_at:
                    raise LookupError("the source")
                if number == self.stops_at:
                    self.stopped = True
                    await asyncio.sleep(600)
                if number % 100 == 0:
                    await asyncio.sleep(0)
                self.read += 1
                yield (number, self.name)
        finally:
            self.closed = True


async def table(c: Connection) -> None:
    await c.execute("create temp table batch (id int primary key, name text)")


async def count_of(c: Connection) -> int:
    count: int = await c.fetch_value("select count(*) from batch")
    return count


def test_rows_that_come_later(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await table(c)
            many = asyncio.ensure_future(c.execute_many(SQL, Rows(5000)))
            await asyncio.sleep(0)
            # What is asked meanwhile comes behind it.
            assert await count_of(c) == 5000
            await many
            await c.execute_many(SQL, Rows(0))
            async with c.transaction():
                await c.execute_many(SQL, ((number, "y") async for number in _numbers(5000, 6000)))
            assert await count_of(c) == 6000

    run(main())


async def _numbers(start: int, end: int) -> AsyncIterator[int]:
    for number in range(start, end):
        yield number


def test_all_of_it_or_nothing(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await table(c)
            for rows, timeout, expected in (
                (Rows(3000, fails_at=2000), PATIENCE, LookupError),
                (Rows(1, name=5), PATIENCE, TypeError),
                (Rows(3000, stops_at=2000), 1.0, TimeoutError),
            ):
                with pytest.raises(expected):
                    await c.execute_many(SQL, rows, timeout=timeout)
                assert rows.closed or not rows.read
                assert await count_of(c) == 0
            await c.execute("insert into batch values (10, 'there')")
            endless = Rows(1 << 30)
            with pytest.raises(UniqueViolationError):
                await c.execute_many(SQL, endless)
            assert endless.closed
            unread = Rows(10)
            with pytest.raises(PostgresSyntaxError):
                await c.execute_many("inser into batch values ($1, $2)", unread)
            assert unread.read == 0
            assert await count_of(c) == 1

    run(main())


def test_whoever_waits_is_cancelled(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await table(c)
            for stops_at in (0, 1, 1500):
                rows = Rows(3000, stops_at=stops_at)
                task = asyncio.create_task(c.execute_many(SQL, rows))
                await until(lambda rows=rows: rows.stopped)  # type: ignore[misc]
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert rows.closed
                assert await count_of(c) == 0

    run(main())


def test_the_connection_ends_meanwhile(postgres: Postgres) -> None:
    async def main() -> None:
        c = await connect(postgres.dsn)
        await table(c)
        rows = Rows(1 << 30)
        task = asyncio.create_task(c.execute_many(SQL, rows))
        while rows.read < 1000:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        c.terminate()
        with pytest.raises(ConnectionLostError):
            await task
        assert rows.closed

    run(main())


def test_no_more_is_read_than_the_server_takes(postgres: Postgres) -> None:
    """A server that waits for a lock takes no rows: the source waits, too."""

    async def main() -> None:
        async with await connect(postgres.dsn) as c, await connect(postgres.dsn) as other:
            await c.execute("drop table if exists batch; create table batch (id int primary key, name text)")
            try:
                await c.prepare(SQL)
                async with other.transaction():
                    await other.execute("lock table batch")
                    rows = Rows(1 << 30, name="x" * 100_000)
                    task = asyncio.create_task(c.execute_many(SQL, rows))
                    before = -1
                    while rows.read == 0 or rows.read != before:
                        before = rows.read
                        await asyncio.sleep(0.2)
                    # Sockets' buffers hold some megabytes.
                    assert rows.read < 500
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                assert await count_of(c) == 0
            finally:
                await other.execute("drop table batch")

    run(main())


def test_on_a_pool(postgres: Postgres, pgbouncer: PgBouncer) -> None:
    async def main(dsn: str) -> None:
        async with PgPool(dsn, 1, 2) as pool:
            await pool.execute(
                "drop table if exists batch; create table batch (id int primary key, name text)"
            )
            rows = Rows(2000)
            await pool.execute_many(SQL, rows)
            with pytest.raises(LookupError):
                await pool.execute_many(SQL, Rows(20, fails_at=10))
            assert await pool.fetch_value("select count(*) from batch") == 2000
            assert pool.stats().held == 0
            async with pool.acquire(), pool.acquire():
                waiting = Rows(10)
                with pytest.raises(TimeoutError, match=r"no answer in 0\.05 s: insert into batch"):
                    await pool.execute_many(SQL, waiting, timeout=0.05)
                assert waiting.read == 0
            await pool.execute("drop table batch")

    for server in (postgres, pgbouncer):
        run(main(server.dsn))
        gc.collect()
