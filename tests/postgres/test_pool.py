"""The pool, through its public door, against a real server: who gets which connection, what the next one
finds in it, and who waits."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import select
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from fastweb._speedups.pg_desk import LONG
from fastweb.postgres.connection import Connection
from fastweb.postgres.errors import (
    ConnectError,
    ConnectionLostError,
    DivisionByZeroError,
    InterfaceError,
    PoolClosedError,
    PoolTimeoutError,
    PostgresError,
)
from fastweb.postgres.leases import PooledConnection
from fastweb.postgres.pool import PgPool
from tests.postgres.running import PATIENCE, SLOWER, Gate, SlowClock, SlowClockOfUvloop, run, until
from tests.postgres.servers import OwnPostgres, PgBouncer, Postgres

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop] | None] = {
    "asyncio": None,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=list(LOOPS))
def run_on(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on each kind of loop."""
    return lambda main: run(main, loop_factory=LOOPS[request.param])


@pytest.fixture
def no_answer_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the machine stands still, no statement is taken for one that the server is long at."""
    monkeypatch.setattr("fastweb.postgres.slots.LONG", PATIENCE)


# --- Sharing ---


@pytest.mark.usefixtures("no_answer_is_late")
def test_reads_share_a_connection_and_a_write(
    postgres: Postgres, writes: list[bytes], run_on: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 5) as pool:
            await pool.fetch_value("SELECT $1::int", 0)
            writes.clear()
            answers = await asyncio.gather(*[pool.fetch_value("SELECT $1::int", n) for n in range(20)])
            assert answers == list(range(20))
            # At most the first for an idle server at once, the others together.
            assert len(writes) <= 2
            stats = pool.stats()
            assert (stats.size, stats.reads, stats.statements, stats.waits) == (1, 21, 0, 0)

    run_on(main())


def test_one_failure_is_one_task_s(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            answers = await asyncio.gather(
                *[pool.fetch_value("SELECT 10 / $1::int", n % 2) for n in range(10)], return_exceptions=True
            )
            assert [getattr(answer, "sqlstate", answer) for answer in answers] == ["22012", 10] * 5

    run(main())


@pytest.mark.parametrize("loop_factory", [SlowClock, SlowClockOfUvloop])
def test_reads_that_share_a_sync_have_their_own_answers_and_failures(
    postgres: Postgres, writes: list[bytes], loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    chance = random.Random(7)

    async def ask(pool: PgPool, number: int) -> None:
        for turn in range(20):
            asked = number * 100 + turn + 1
            if chance.random() < 0.1:
                with pytest.raises(DivisionByZeroError):
                    await pool.fetch_value("SELECT $1::int / ($1::int - $1::int)", asked)
            elif chance.random() < 0.1:
                rows = await pool.fetch("SELECT generate_series($1::int, $1::int + 2000) AS n", asked)
                assert [row.n for row in rows] == [*range(asked, asked + 2001)]
            else:
                timeout = chance.choice([None, None, None, 0.0, 0.002 / SLOWER])
                with contextlib.suppress(TimeoutError):
                    assert await pool.fetch_value("SELECT $1::int", asked, timeout=timeout) == asked

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool:
            tasks = [asyncio.create_task(ask(pool, number)) for number in range(80)]
            for task in chance.sample(tasks, 10):
                await asyncio.sleep(0.002 / SLOWER)
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert outcome is None or isinstance(outcome, asyncio.CancelledError), repr(outcome)
            await until(lambda: pool.stats().in_flight == 0)
            assert pool.stats().size == pool.stats().idle

    run(main(), loop_factory=loop_factory)
    sent = b"".join(writes)
    executed, synced = sent.count(b"E\0\0\0\t\0\0\0\0\0"), sent.count(b"S\0\0\0\x04")
    assert synced < executed * 0.6


def test_every_form_of_a_statement(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn) as pool:
            assert [tuple(row) for row in await pool.fetch("SELECT 1 AS a, 'x' AS b")] == [(1, "x")]
            row = await pool.fetch_one("SELECT 1 AS a")
            assert row is not None
            assert row["a"] == 1
            assert await pool.fetch_value("SELECT 5") == 5
            assert await pool.fetch_json("SELECT 1 AS a") == b'[{"a":1}]'
            assert await pool.execute("CREATE TABLE forms (a int)") == "CREATE TABLE"
            assert await pool.execute("INSERT INTO forms VALUES ($1)", 1) == "INSERT 0 1"
            assert (
                await pool.execute("INSERT INTO forms VALUES (2); DELETE FROM forms WHERE a = 1")
                == "DELETE 1"
            )
            await pool.execute_many("INSERT INTO forms VALUES ($1)", [(n,) for n in range(3)])
            assert await pool.fetch_value("SELECT sum(a)::int FROM forms") == 5
            await pool.execute("DROP TABLE forms")
            task = asyncio.create_task(pool.fetch_value("SELECT 6"))
            assert await asyncio.wait_for(task, 5) == 6
            with pytest.raises(TimeoutError, match=r"no answer in 0\.05 s"):
                await pool.fetch("SELECT pg_sleep(600)", timeout=0.05)
            with pytest.raises(InterfaceError, match="takes 1 argument"):
                await pool.execute("SELECT $1::int", 1, 2)

    run(main())


def test_who_needs_a_connection_gets_one_to_himself(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 3) as pool:
            with Gate(postgres) as gate:
                slow = [asyncio.create_task(pool.fetch_value(f"SELECT {gate.sql}")) for _ in range(2)]
                await until(lambda: pool.stats().held == 2)
                assert await pool.fetch_value("SELECT 1") == 1
                assert pool.stats().statements == 2
            await asyncio.gather(*slow)

    run(main())


def test_nothing_is_sent_behind_a_read_that_runs_long(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool:
            await pool.fetch_value("SELECT 1")
            with Gate(postgres) as gate:
                # It looks like a plain read.
                slow = asyncio.create_task(pool.fetch_value(f"SELECT 7 FROM {gate.sql}", share=True))
                await gate.reached()
                await asyncio.sleep(2 * LONG)
                answers = await asyncio.gather(*[pool.fetch_value("SELECT $1::int", n) for n in range(9)])
                assert answers == [*range(9)]
                assert pool.stats().size == 2
                assert not slow.done()
            assert await slow == 7

    run(main())


def test_where_there_is_no_other_connection_reads_wait_in_the_pool(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            with Gate(postgres) as gate:
                slow = asyncio.create_task(pool.fetch(f"SELECT {gate.sql}", share=True))
                await gate.reached()
                await asyncio.sleep(2 * LONG)
                reads = [asyncio.create_task(pool.fetch_value("SELECT $1::int", n)) for n in range(5)]
                await until(lambda: pool.stats().waiting == 5)
                reads[2].cancel()
            answers = await asyncio.gather(*reads, return_exceptions=True)
            assert [*answers[:2], *answers[3:]] == [0, 1, 3, 4]
            assert isinstance(answers[2], asyncio.CancelledError)
            await slow
            assert pool.stats().waiting == 0

    run(main())


def test_a_loop_that_was_busy_is_no_slow_server(postgres: Postgres) -> None:
    """Answers that have come and were not read, and questions that were not written, are not late."""

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 4) as pool:
            async with pool.acquire() as connection:
                sock = connection.protocol.transport.get_extra_info("socket")
            for _ in range(3):
                await pool.fetch_value("SELECT $1::int", 0)
            for _ in range(5):
                # The server has answered long before the loop goes on.
                await asyncio.sleep(0)
                first = asyncio.ensure_future(pool.fetch_value("SELECT $1::int", 1))
                assert select.select([sock], [], [], PATIENCE)[0]
                time.sleep(0.03)  # noqa: ASYNC251 - somebody does
                second = asyncio.ensure_future(pool.fetch_value("SELECT $1::int", 2))
                assert [*await asyncio.gather(first, second)] == [1, 2]
                # Asked within the turn that has brought an answer, and written at its end.
                assert await pool.fetch_value("SELECT $1::int", 0) == 0
                third = asyncio.ensure_future(pool.fetch_value("SELECT $1::int", 3))
                time.sleep(0.03)  # noqa: ASYNC251
                fourth = asyncio.ensure_future(pool.fetch_value("SELECT $1::int", 4))
                await asyncio.sleep(0)
                assert select.select([sock], [], [], PATIENCE)[0]
                fifth = asyncio.ensure_future(pool.fetch_value("SELECT $1::int", 5))
                assert [*await asyncio.gather(third, fourth, fifth)] == [3, 4, 5]
            assert pool.stats().opened == 1

    run(main())


@pytest.mark.usefixtures("no_answer_is_late")
@pytest.mark.parametrize("size", [1, 2])
def test_reads_on_their_way_on_a_connection_are_bounded(postgres: Postgres, size: int) -> None:
    """64, then another connection; 256, where there is none; the others wait, and none is overtaken."""

    async def main() -> None:
        order: list[int] = []
        async with PgPool(postgres.dsn, size, size) as pool:
            leases = [pool.acquire() for _ in range(size)]
            for lease in leases:
                connection = await lease
                for _ in range(2):
                    await connection.fetch_value("SELECT $1::int", 0)
            for lease in leases:
                lease.release()

            async def read(number: int) -> None:
                assert await pool.fetch_value("SELECT $1::int", number) == number
                order.append(number)

            tasks = [asyncio.ensure_future(read(number)) for number in range(600)]
            # The tasks ask in one turn of the loop, in which nothing is read.
            await asyncio.sleep(0)
            stats = pool.stats()
            assert [stats.in_flight, stats.waiting, stats.shared] == [256 * size, 600 - 256 * size, size]
            await asyncio.gather(*tasks)
            if size == 1:
                assert order == [*range(600)]
            assert (pool.stats().waiting, pool.stats().in_flight) == (0, 0)

    run(main())


def test_readers_and_owners_come_in_turn(postgres: Postgres, run_on: Callable[..., Any]) -> None:
    async def main() -> None:
        order: list[str] = []
        async with PgPool(postgres.dsn, 1, 1) as pool:

            async def read(name: str) -> None:
                await pool.fetch_value("SELECT 1")
                order.append(name)

            async def write(name: str) -> None:
                await pool.execute("NOTIFY nobody")
                order.append(name)

            async def borrow(name: str) -> None:
                async with pool.acquire() as connection:
                    await connection.fetch_value("SELECT 1")
                    order.append(name)

            asked = [("a", borrow), ("b", read), ("c", write), ("d", borrow), ("e", read), ("f", write)]
            async with pool.acquire():
                tasks = []
                for name, ask in asked:
                    tasks.append(asyncio.create_task(ask(name)))
                    await asyncio.sleep(0.001)
            await asyncio.gather(*tasks)
            # Reads share: those that wait go together, when it is the first one's turn.
            assert order == ["a", "b", "e", "c", "d", "f"]

    run_on(main())


def test_what_sets_something_is_never_shared(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.execute("SET work_mem = '5MB'", share=True)
            assert await pool.fetch_value("SHOW work_mem") == "4MB"
            for share in (True, False):
                with pytest.raises(InterfaceError, match=r"pool\.transaction\(\)"):
                    await pool.execute("BEGIN", share=share)

    run(main())


def test_share_is_what_the_caller_says(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn) as pool:
            await pool.fetch("SELECT 1", share=False)
            assert (pool.stats().reads, pool.stats().statements) == (0, 1)
            await pool.fetch("SELECT pg_sleep(0)", share=True)
            assert (pool.stats().reads, pool.stats().statements) == (1, 1)

    run(main())


@pytest.mark.parametrize(
    "sql", ["BEGIN", "commit", "ROLLBACK", "savepoint x", "begin; select 1", "COPY t TO STDOUT"]
)
def test_a_pool_refuses_what_needs_a_connection_for_longer(postgres: Postgres, sql: str) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn) as pool:
            with pytest.raises(
                InterfaceError, match="copy_in" if sql[:4] == "COPY" else r"pool\.transaction\(\)"
            ):
                await pool.execute(sql)

    run(main())


# --- What a borrower leaves behind ---

#: What is done, what tells of it, what that says where nothing was done.
LEFT = [
    ("SET work_mem = '5MB'", "SHOW work_mem", "4MB"),
    ("SELECT set_config('work_mem', '5MB', false)", "SHOW work_mem", "4MB"),
    ("SET application_name = 'x'; SELECT 1", "SHOW application_name", ""),
    ("LISTEN something", "SELECT count(*) FROM pg_listening_channels()", 0),
    ("CREATE TEMP TABLE left_behind (a int)", "SELECT to_regclass('pg_temp.left_behind')::text", None),
    ("SELECT 1 AS a INTO TEMP left_behind", "SELECT to_regclass('pg_temp.left_behind')::text", None),
    (
        "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT",
        "SELECT count(*) FROM pg_cursors WHERE name = 'c'",
        0,
    ),
    (
        "SELECT pg_advisory_lock(77)",
        # Those of other databases are there as well.
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON database = d.oid"
        " WHERE locktype = 'advisory' AND datname = current_database()",
        0,
    ),
    ("SET ROLE pg_monitor", "SELECT current_user::text", "postgres"),
    ("SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user::text", "postgres"),
    ("PREPARE mine AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'", 0),
    ("DO $$ BEGIN PERFORM set_config('work_mem', '6MB', false); END $$", "SHOW work_mem", "4MB"),
    ("SET search_path = pg_catalog", "SHOW search_path", '"$user", public'),
    ("CREATE TEMP SEQUENCE numbers; SELECT nextval('numbers')", "SELECT pg_my_temp_schema() > 0", True),
]


@pytest.mark.parametrize("way", ["lease", "statement"])
@pytest.mark.parametrize(("sql", "tells", "nothing"), LEFT)
def test_nothing_leaks_to_the_next(
    postgres: Postgres, way: str, sql: str, tells: str, nothing: object
) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            if way == "lease":
                async with pool.acquire() as connection:
                    await connection.execute(sql)
                    assert nothing is True or await connection.fetch_value(tells) != nothing
            else:
                await pool.execute(sql)
            assert await pool.fetch_value(tells) == nothing
            assert pool.stats().resets == 1
            assert pool.stats().opened == 1

    run(main())


def test_the_reset_costs_no_round_trip_and_only_where_something_was_set(
    postgres: Postgres, writes: list[bytes]
) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.fetch_value("SHOW work_mem")
            async with pool.acquire() as connection:
                await connection.execute("SET work_mem = '5MB'")
            writes.clear()
            assert await pool.fetch_value("SHOW work_mem") == "4MB"
            assert len(writes) == 1
            assert b"RESET ALL" in writes[0]
            writes.clear()
            async with pool.acquire() as connection:
                await connection.fetch_value("SELECT 1")
                await connection.execute("SELECT now()")
            await pool.fetch_value("SHOW work_mem")
            assert b"RESET" not in b"".join(writes)

    run(main())


def test_an_idle_connection_is_reset_without_anybody(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool, PgPool(postgres.dsn, 1, 1) as other:
            await pool.fetch_value("SELECT pg_advisory_lock(78)")
            while not await other.fetch_value("SELECT pg_try_advisory_lock(78)"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    run(main())


def test_an_open_transaction_is_rolled_back_and_warned_of(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.execute("CREATE TABLE sloppy (a int)")
            with caplog.at_level(logging.WARNING, "fastweb.postgres"):
                async with pool.acquire() as connection:
                    await connection.execute("BEGIN")
                    await connection.execute("INSERT INTO sloppy VALUES (1)")
                assert await pool.fetch_value("SELECT count(*) FROM sloppy") == 0
            await pool.execute("DROP TABLE sloppy")
            assert pool.stats().rollbacks == 1

    run(main())
    assert [record.message for record in caplog.records if "rolled back" in record.message]
    assert "test_pool.py" in caplog.text


def test_a_connection_that_was_given_back_is_refused(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn) as pool:
            async with pool.acquire() as connection:
                assert isinstance(connection, Connection)
            for ask in (connection.fetch, connection.execute, connection.fetch_value):
                with pytest.raises(InterfaceError, match="given back"):
                    await ask("SELECT 1")
            with pytest.raises(InterfaceError, match="given back"):
                _ = connection.in_transaction
            connection = await pool.acquire()
            assert await connection.fetch_value("SELECT 1") == 1
            await pool.release(connection)
            await pool.release(connection)
            lease = pool.acquire()
            async with lease:
                with pytest.raises(InterfaceError, match="twice"):
                    await lease
            assert pool.stats().held == 0

    run(main())


def test_a_connection_that_nobody_gives_back_is_told_of(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            connection: PooledConnection | None = await pool.acquire()
            assert connection is not None
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                connection = None
                gc.collect()
            assert any("never given back: acquired at" in str(warning.message) for warning in told)
            assert await pool.fetch_value("SELECT 1") == 1

    run(main())


def test_what_is_still_asked_when_it_is_given_back_is_not_the_next_one_s(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            with Gate(postgres) as gate:
                async with pool.acquire() as connection:
                    left = asyncio.ensure_future(connection.fetch_value(f"SELECT 5 FROM {gate.sql}"))
                    await gate.reached()
                next_one = pool.acquire()
                waiting = asyncio.ensure_future(next_one.__aenter__())
                await until(lambda: pool.stats().waiting == 1)
                assert not left.done()
            connection = await waiting
            assert left.done()
            assert await connection.fetch_value("SELECT 6") == 6
            next_one.release()
            assert await left == 5

    run(main())


def test_listeners_go_with_their_borrower(postgres: Postgres) -> None:
    async def main() -> None:
        heard: list[str] = []
        async with PgPool(postgres.dsn, 1, 2) as pool:
            async with pool.acquire() as connection:
                await connection.listen("news", lambda *of: heard.append(of[-1]))
                await pool.execute("NOTIFY news, 'one'")
                await until(lambda: heard)
            await pool.execute("NOTIFY news, 'two'")
            async with pool.acquire() as one, pool.acquire() as two:
                for each in (one, two):
                    assert await each.fetch_value("SELECT count(*) FROM pg_listening_channels()") == 0
        assert heard == ["one"]

    run(main())


@pytest.mark.parametrize("how", ["transaction", "cursor"])
def test_a_generator_that_outlives_its_connection(
    postgres: Postgres, run_on: Callable[[Coroutine[Any, Any, Any]], Any], how: str
) -> None:
    """The loop closes an asynchronous generator behind the block that has lent it the connection: the pool
    has rolled back by then, and there is nothing to complain of."""

    async def main() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        ended = asyncio.Event()

        async def rows(connection: Connection) -> AsyncIterator[Any]:
            try:
                async with connection.transaction():
                    if how == "cursor":
                        async with connection.iterate("SELECT generate_series(1, 9)") as cursor:
                            yield await cursor.fetch_one()
                    else:
                        yield await connection.fetch("SELECT 1")
            finally:
                ended.set()

        async with PgPool(postgres.dsn, 1, 1) as pool:
            with pytest.raises(DivisionByZeroError):
                async with pool.acquire() as connection:
                    async for _ in rows(connection):
                        raise DivisionByZeroError("by the reader")
            gc.collect()
            await ended.wait()
            async with pool.acquire() as connection:
                assert not connection.in_transaction
        gc.collect()
        await asyncio.sleep(0)
        assert told == []

    run_on(main())


def test_what_was_given_back_is_another_s(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool, PgPool(postgres.dsn, 0, 1) as other:
            connection = await pool.acquire()
            with pytest.raises(InterfaceError, match="of another pool"):
                await other.release(connection)
            assert await connection.fetch_value("SELECT 1") == 1
            await pool.release(connection)
            assert repr(connection).endswith(", given back>")
            with Gate(postgres) as gate:
                waits = asyncio.ensure_future(pool.fetch_value(f"SELECT 1 FROM {gate.sql}"))
                await gate.reached()
                with pytest.raises(InterfaceError, match="given back"):
                    await connection.cancel()
                gate.open()
                assert await waits == 1

    run(main())


def test_a_borrowers_last_notification_is_told(postgres: Postgres) -> None:
    async def main() -> None:
        heard: list[str] = []
        noticed: list[str | None] = []
        async with PgPool(postgres.dsn, 1, 1) as pool:
            async with pool.acquire() as connection:
                await connection.listen("news", lambda *of: heard.append(of[-1]))
                connection.add_notice_listener(lambda _connection, notice: noticed.append(notice.message))
                # It goes back in the turn of the loop in which they have come.
                await connection.execute("DO $$BEGIN RAISE NOTICE 'two'; END$$; NOTIFY news, 'one'")
            await until(lambda: heard and noticed)
            assert (heard, noticed) == (["one"], ["two"])
            with pytest.raises(InterfaceError, match="given back"):
                await connection.listen("news", print)
            with pytest.raises(InterfaceError, match="given back"):
                connection.add_notice_listener(print)
            async with pool.acquire() as connection:
                protocol = connection.protocol
                assert (protocol.notification_listener, protocol.notice_listener) == (None, None)

    run(main())


# --- Waiting ---


def test_a_timeout_says_who_holds_what(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 2, 2, acquire_timeout=0.1) as pool:
            slow = asyncio.create_task(pool.fetch("SELECT pg_sleep(600) AS slowly"))
            async with pool.acquire():
                await until(lambda: pool.stats().held == 2)
                with pytest.raises(PoolTimeoutError) as caught:
                    async with pool.acquire(timeout=0.05):
                        raise AssertionError
                with pytest.raises(PoolTimeoutError, match=r"in 0\.1 s"):
                    await pool.fetch("SELECT 1")
            text = str(caught.value)
            assert "2 of 2 are open" in text
            assert "test_pool.py" in text
            assert "main" in text
            assert "Task-" in text
            assert "pg_sleep(600) AS slowly" in text
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
            assert pool.stats().timeouts == 2
            assert pool.stats().waiting == 0

    run(main())


def test_first_come_first_served(postgres: Postgres, run_on: Callable[..., Any]) -> None:
    async def main() -> None:
        order: list[int] = []
        async with PgPool(postgres.dsn, 1, 1) as pool:

            async def borrow(number: int) -> None:
                async with pool.acquire() as connection:
                    order.append(number)
                    await connection.execute("SELECT 1")

            async with pool.acquire():
                tasks = []
                for number in range(8):
                    tasks.append(asyncio.create_task(borrow(number)))
                    await asyncio.sleep(0)
                tasks[3].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert order == [0, 1, 2, 4, 5, 6, 7]
            assert pool.stats().held == 0

    run_on(main())


def test_reads_without_end_do_not_keep_an_owner_waiting(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            stop = False

            async def read() -> None:
                while not stop:
                    await pool.fetch_value("SELECT 1")

            readers = [asyncio.create_task(read()) for _ in range(10)]
            await until(lambda: pool.stats().reads >= 10)
            for _ in range(20):
                async with pool.acquire() as connection:
                    await connection.fetch_value("SELECT 2")
                await pool.execute("NOTIFY x")
            assert not any(reader.done() for reader in readers)
            stop = True
            await asyncio.gather(*readers)

    run(main())


def test_a_lease_that_comes_as_its_task_is_cancelled_goes_back(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:

            async def borrow() -> None:
                async with pool.acquire():
                    await asyncio.sleep(0)

            for turns in range(4):
                async with pool.acquire():
                    task = asyncio.create_task(borrow())
                    await asyncio.sleep(0)
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            async with pool.acquire() as connection:
                assert await connection.fetch_value("SELECT 1") == 1

    run(main())


@pytest.mark.parametrize("size", [1, 2])
def test_cancelled_at_every_await(postgres: Postgres, size: int, run_on: Callable[..., Any]) -> None:
    """A lease and a transaction, cancelled after each number of turns: all connections are free and clean,
    and nothing has failed behind anybody's back."""

    async def lease(pool: PgPool) -> None:
        async with pool.acquire() as connection:
            await connection.execute("SET work_mem = '5MB'")

    async def transaction(pool: PgPool) -> None:
        async with pool.transaction() as connection:
            await connection.fetch_value("SELECT 1")

    async def main() -> None:
        failed: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failed.append(context))
        async with PgPool(postgres.dsn, 0, size) as pool:
            for ask in (lease, transaction):
                for turns in range(16):
                    task = asyncio.ensure_future(ask(pool))
                    for _ in range(turns):
                        await asyncio.sleep(0 if turns < 10 else 0.0002)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    assert task.cancelled() or task.exception() is None
                    leases = [pool.acquire() for _ in range(size)]
                    for each in leases:
                        connection = await each
                        assert await connection.fetch_value("SHOW work_mem") == "4MB"
                        assert not connection.in_transaction
                    for each in leases:
                        each.release()
            assert (pool.stats().held, pool.stats().waiting) == (0, 0)
        assert failed == []

    run_on(main())


# --- Nobody gets another's answer ---


@pytest.mark.parametrize("fails", [False, True], ids=["commit", "rollback"])
def test_a_transaction_s_end_is_cancelled(
    postgres: Postgres, run_on: Callable[..., Any], fails: bool
) -> None:
    async def main() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        async with PgPool(postgres.dsn, 1, 1) as pool:

            async def work() -> None:
                async with pool.transaction() as connection:
                    await connection.execute("SELECT 1")
                    ending.set()
                    if fails:
                        raise ValueError("no")

            ending = asyncio.Event()
            task = asyncio.ensure_future(work())
            await ending.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await pool.fetch_value("SELECT $1::int", 7) == 7
            async with pool.transaction() as connection:
                assert await connection.fetch_value("SELECT 8") == 8
        assert told == []

    run_on(main())


def test_a_hundred_tasks_that_are_cancelled_at_random(postgres: Postgres, run_on: Callable[..., Any]) -> None:
    """Reads, writes, leases, transactions and pipelines, cancelled and out of time at random: every answer is
    that to the question, and in the end all connections are there and free."""
    chance = random.Random(6)

    async def one(pool: PgPool, number: int) -> None:
        for turn in range(12):
            asked = number * 1000 + turn
            kind = chance.random()
            timeout = chance.choice([None, None, 0.0, 0.001, 0.005, 0.05])
            if kind < 0.5:
                assert await pool.fetch_value("SELECT $1::int", asked, timeout=timeout) == asked
            elif kind < 0.6:
                sql = "SELECT $1::int FROM pg_sleep($2::float8)"
                share = chance.random() < 0.5
                seconds = chance.choice([0.0, 0.003, 0.02])
                assert await pool.fetch_value(sql, asked, seconds, timeout=timeout, share=share) == asked
            elif kind < 0.7:
                row = await pool.fetch_one(
                    "INSERT INTO chances VALUES ($1) RETURNING a, a + 1 AS b", asked, timeout=timeout
                )
                assert row is not None
                assert tuple(row) == (asked, asked + 1)
            elif kind < 0.9:
                async with pool.acquire() as connection:
                    await connection.execute("BEGIN")
                    assert (
                        await connection.fetch_value("SELECT $1::int + 1", asked, timeout=timeout)
                        == asked + 1
                    )
                    if chance.random() < 0.7:
                        await connection.execute("COMMIT")
            else:
                async with pool.pipeline() as p:
                    answers = [p.fetch_value("SELECT $1::int", asked + n) for n in range(5)]
                assert [await answer for answer in answers] == [asked + n for n in range(5)]

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 4) as pool:
            await pool.execute("CREATE TABLE IF NOT EXISTS chances (a int)")
            tasks = [asyncio.create_task(one(pool, number)) for number in range(100)]
            while not all(task.done() for task in tasks):
                await asyncio.sleep(chance.random() * 0.004)
                for task in chance.sample(tasks, 2):
                    if chance.random() < 0.3:
                        task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for outcome in outcomes:
                assert outcome is None or isinstance(outcome, asyncio.CancelledError | TimeoutError), repr(
                    outcome
                )
            await until(lambda: pool.stats().held == 0 and pool.stats().in_flight == 0)
            stats = pool.stats()
            assert stats.waiting == 0
            assert stats.size == stats.idle <= 4
            assert await asyncio.gather(*[pool.fetch_value("SELECT $1::int", n) for n in range(50)]) == [
                *range(50)
            ]
            await pool.execute("DROP TABLE chances")

    logging.getLogger("fastweb.postgres").setLevel(logging.ERROR)
    try:
        run_on(main())
    finally:
        logging.getLogger("fastweb.postgres").setLevel(logging.NOTSET)


def test_a_read_that_is_a_query_shares_a_connection(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            for _ in range(3):
                asked = [
                    pool.execute("SELECT 1") if n % 3 else pool.fetch_value("SELECT 2") for n in range(30)
                ]
                assert [await each for each in asked] == ["SELECT 1" if n % 3 else 2 for n in range(30)]

    run(main())


def test_a_pool_that_is_closed_waits_for_who_waits_for_a_description(postgres: Postgres) -> None:
    async def main() -> None:
        pool = await PgPool(postgres.dsn, 1, 1).open()
        first: Any = pool.fetch_value("SELECT $1::int", 1)
        second = pool.fetch_value("SELECT $1::int", 2)
        # It is described for who waits no longer.
        first.cancel()
        await pool.close()
        assert await second == 2

    run(main())


def test_cancelling_one_read_disturbs_no_neighbour(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.fetch_value("SELECT 0")
            sql = "SELECT $1::int FROM pg_sleep(0.02)"
            tasks = [asyncio.create_task(pool.fetch_value(sql, n, share=True)) for n in range(5)]
            await asyncio.sleep(0.001)
            tasks[0].cancel()
            tasks[3].cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert [answers[n] for n in (1, 2, 4)] == [1, 2, 4]
            assert pool.stats().opened == 1

    run(main())


def test_a_statement_of_its_own_is_cancelled_on_the_server(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            with pytest.raises(TimeoutError):
                await pool.fetch("SELECT pg_sleep(600)", timeout=0.05)
            assert await pool.fetch_value("SELECT 1") == 1
            assert pool.stats().opened == 1

    run(main())


# --- Connections that end ---


def test_a_session_that_is_killed_ends_its_statements_and_no_others(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool:
            held = asyncio.create_task(pool.fetch("SELECT pg_sleep(600) AS killed"))
            await until(lambda: pool.stats().held == 1)
            sql = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE '%AS killed' AND pid <> pg_backend_pid() AND datname = current_database()"
            )
            while not await pool.fetch_value(sql):
                pass
            with pytest.raises((ConnectionLostError, PostgresError)):
                await held
            assert await pool.fetch_value("SELECT 1") == 1
            assert pool.stats().lost == 1

    run(main())


def test_who_waits_in_line_gets_another_connection(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool, PgPool(postgres.dsn, 1, 1) as other:
            pid = await pool.fetch_value("SELECT pg_backend_pid()")
            slow = asyncio.create_task(pool.fetch("SELECT pg_sleep(600)"))
            await until(lambda: pool.stats().held == 1)
            reads = [asyncio.create_task(pool.fetch_value("SELECT $1::int", n)) for n in range(5)]
            lease = asyncio.ensure_future(pool.acquire().__aenter__())
            await until(lambda: pool.stats().waiting == 6)
            await other.fetch_value("SELECT pg_terminate_backend($1)", pid)
            assert await asyncio.gather(*reads) == [0, 1, 2, 3, 4]
            connection = await lease
            assert await connection.fetch_value("SELECT 7") == 7
            await pool.release(connection)
            await asyncio.gather(slow, return_exceptions=True)
            assert isinstance(slow.exception(), ConnectionLostError | PostgresError)

    run(main())


def test_a_server_that_is_killed_and_comes_back(own_postgres: OwnPostgres) -> None:
    async def main() -> None:
        async with PgPool(own_postgres.dsn, 2, 4, acquire_timeout=PATIENCE) as pool:
            slow = asyncio.create_task(pool.fetch("SELECT pg_sleep(600)"))
            async with pool.acquire() as connection:
                await connection.execute("BEGIN")
                await asyncio.to_thread(own_postgres.stop)
                with pytest.raises((ConnectionLostError, PostgresError)):
                    await connection.execute("SELECT 1")
            with pytest.raises((ConnectionLostError, PostgresError)):
                await slow
            await until(lambda: pool.stats().connect_failures)
            with pytest.raises(ConnectError):
                async with pool.acquire(timeout=0.3):
                    pass
            waiting = [asyncio.create_task(pool.fetch_value("SELECT $1::int", n)) for n in range(10)]
            await until(lambda: pool.stats().waiting == 10)
            assert pool.stats().connecting <= 1
            await asyncio.to_thread(own_postgres.start)
            assert await asyncio.gather(*waiting) == [*range(10)]
            assert pool.stats().held == 0

    run(main())


def test_where_there_never_was_a_server_nobody_waits(port_of_nobody: Callable[[], int]) -> None:
    async def main() -> None:
        dsn = f"postgresql://postgres@127.0.0.1:{port_of_nobody()}/postgres"
        pool = PgPool(dsn, acquire_timeout=None)
        with pytest.raises(ConnectError):
            await pool.open()
        with pytest.raises(ConnectError) as first:
            await pool.fetch("SELECT 1")
        with pytest.raises(ConnectError) as second:
            async with pool.acquire():
                pass
        assert first.value is not second.value
        await pool.close()

    run(main())


def test_a_missing_database_is_said_at_once(postgres: Postgres) -> None:
    async def main() -> None:
        pool = PgPool(postgres.conninfo(dbname="nowhere"), acquire_timeout=None)
        answers = await asyncio.gather(
            pool.fetch("SELECT 1"), pool.execute("SELECT 1"), pool.open(), return_exceptions=True
        )
        assert all("nowhere" in str(answer) for answer in answers), answers
        await pool.close()

    run(main())


# --- Opening, closing, growing ---


def test_it_opens_at_first_use_and_grows_as_it_is_needed(postgres: Postgres) -> None:
    async def main() -> None:
        pool = PgPool(postgres.dsn, 0, 3)
        assert await pool.fetch_value("SELECT 1") == 1
        assert pool.stats().size == 1
        leases = [pool.acquire() for _ in range(3)]
        for lease in leases:
            await lease
        assert pool.stats().size == pool.stats().held == 3
        for lease in leases:
            lease.release()
        await pool.close()

    run(main())


def test_close_waits_for_those_who_have_a_connection(postgres: Postgres) -> None:
    async def main() -> None:
        pool = PgPool(postgres.dsn, 1, 2)
        async with pool.acquire() as connection:
            with Gate(postgres) as gate:
                slow = asyncio.create_task(pool.fetch_value(f"SELECT 1 FROM {gate.sql}"))
                await gate.reached()
                closing = asyncio.create_task(pool.close())
                await until(lambda: pool.is_closed)
                assert not closing.done()
                with pytest.raises(PoolClosedError, match=r"^the pool is being closed$"):
                    await pool.fetch("SELECT 1")
                with pytest.raises(PoolClosedError):
                    async with pool.acquire():
                        pass
                assert await connection.fetch_value("SELECT 5") == 5
            assert await slow == 1
            assert not closing.done()
        await closing
        with pytest.raises(PoolClosedError, match=r"^the pool is closed: `await pool.open\(\)`"):
            await pool.fetch("SELECT 1")
        await pool.close()
        # It may be opened again.
        async with pool:
            assert await pool.fetch_value("SELECT 1") == 1

    run(main())


def test_close_does_not_wait_for_ever(postgres: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        pool = PgPool(postgres.dsn, 1, 1)
        async with pool.acquire() as connection:
            waits = asyncio.create_task(pool.fetch("SELECT 1"))
            await asyncio.sleep(0)
            await pool.close(0.05)
            with pytest.raises(PoolClosedError):
                await waits
            with pytest.raises(ConnectionLostError):
                await connection.fetch("SELECT 1")

    run(main())
    assert "while connections were in use" in caplog.text
    assert "test_pool.py" in caplog.text


def test_a_connection_that_is_idle_for_long_is_closed(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 3, max_idle=0.03) as pool:
            leases = [pool.acquire() for _ in range(3)]
            for lease in leases:
                await lease
            assert pool.stats().size == 3
            for lease in leases:
                lease.release()
            await until(lambda: pool.stats().size == 1)
            assert pool.stats().closed == 2
            assert await pool.fetch_value("SELECT 1") == 1

    run(main())


def test_a_connection_that_is_old_is_replaced(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1, max_age=0.03) as pool:
            first = await pool.fetch_value("SELECT pg_backend_pid()")
            while await pool.fetch_value("SELECT pg_backend_pid()") == first:
                pass
            assert pool.stats().lost == 0

    run(main())


def test_a_pool_that_is_closed_in_haste_leaves_the_server_nothing_to_do(postgres: Postgres) -> None:
    """A server sees that its client is gone when it has done what it was asked."""

    async def main() -> None:
        pool = PgPool(postgres.dsn, 1, 2)
        with Gate(postgres) as gate:
            waits = asyncio.ensure_future(pool.fetch(f"select {gate.sql}"))
            await gate.reached()
            await pool.close(timeout=0)
            with pytest.raises(ConnectionLostError):
                await waits
            await until(lambda: gate.waiting() == 0, "the statement goes on")

    run(main())


@pytest.mark.parametrize(
    ("leaves", "error", "text"),
    [
        ("closed", ConnectionLostError, "was closed"),
        ("begun", InterfaceError, "setup has left a transaction open"),
        ("cancelled", ConnectError, "was cancelled"),
    ],
)
def test_setup_leaves_what_cannot_be_lent(
    postgres: Postgres, leaves: str, error: type[Exception], text: str
) -> None:
    """Whoever waits is told, and the next one gets a connection: the pool has its place back."""

    async def main() -> None:
        calls = 0

        async def setup(connection: Connection) -> None:
            nonlocal calls
            calls += 1
            if calls > 1:
                return
            if leaves == "closed":
                await connection.close()
            elif leaves == "begun":
                await connection.execute("BEGIN")
            else:
                raise asyncio.CancelledError

        pool = PgPool(postgres.dsn, 0, 1, setup=setup)
        with pytest.raises(error, match=text):
            await pool.fetch_value("SELECT 1")
        assert await pool.fetch_value("SELECT 1") == 1
        await pool.close()

    run(main())


def test_setup_sees_each_connection_first(postgres: Postgres) -> None:
    async def main() -> None:
        seen = []

        async def setup(connection: Connection) -> None:
            seen.append(await connection.fetch_value("SELECT 1"))

        async with PgPool(postgres.dsn, 2, 2, setup=setup):
            assert seen == [1, 1]

    run(main())


@pytest.mark.parametrize("sizes", [(2, 1), (-1, 1), (0, 0)])
def test_sizes_that_cannot_be(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="min_size"):
        PgPool("host=localhost", *sizes)


def test_a_time_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="max_idle"):
        PgPool("host=localhost", max_idle=-1)


# --- Forks, loops, threads ---


def test_another_loop_begins_anew(postgres: Postgres) -> None:
    pool = PgPool(postgres.dsn, 1, 2)

    async def use() -> int:
        return await pool.fetch_value("SELECT pg_backend_pid()")  # type: ignore[no-any-return]

    async def use_and_close() -> int:
        try:
            return await use()
        finally:
            await pool.close_with_app()

    assert run(use_and_close()) != run(use_and_close(), loop_factory=uvloop.new_event_loop)
    # A loop that was closed under it, with no word to the pool.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for factory in (uvloop.new_event_loop, asyncio.new_event_loop):
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(use())
        run(use_and_close())
        gc.collect()


def test_a_pool_is_for_one_loop_at_a_time(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            caught: list[BaseException] = []

            async def use() -> None:
                await pool.fetch("SELECT 1")

            def other() -> None:
                try:
                    asyncio.run(use())
                except InterfaceError as error:
                    caught.append(error)

            thread = threading.Thread(target=other)
            thread.start()
            await asyncio.to_thread(thread.join)
            assert "another event loop" in str(caught[0])
            assert await pool.fetch_value("SELECT 1") == 1
        with pytest.raises(InterfaceError, match=r"pool\.get\(\)"):
            await asyncio.to_thread(lambda: len(str(pool.fetch("SELECT 1"))))

    run(main())


def test_a_child_leaves_its_parent_s_connections_alone(postgres: Postgres) -> None:
    """Forked with connections open, one of them held: the child's own are others, and the parent's are
    whole."""
    pool = PgPool(postgres.dsn, 1, 2)

    async def ask() -> int:
        return await pool.fetch_value("SELECT pg_backend_pid()")  # type: ignore[no-any-return]

    def child(pids: set[int]) -> int:
        async def main() -> int:
            pid = await ask()
            await pool.close()
            return pid

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A loop that runs is the parent's.
            asyncio.events._set_running_loop(None)
            return 0 if asyncio.run(main()) not in pids else 3

    async def parent() -> None:
        async with pool, pool.acquire() as connection:
            pids = {await connection.fetch_value("SELECT pg_backend_pid()"), await ask()}
            pid = os.fork()
            if pid == 0:
                code = 4
                try:
                    code = child(pids)
                finally:
                    os._exit(code)
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            assert await connection.fetch_value("SELECT pg_backend_pid()") in pids
            assert await ask() in pids
            assert pool.stats().lost == 0

    if sys.version_info >= (3, 12):
        # Forking with threads is what it warns of.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
    run(parent())


# --- Pipelines ---


def test_a_pipeline_is_one_write(postgres: Postgres, writes: list[bytes]) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.fetch_value("SELECT $1::int", 0)
            writes.clear()
            async with pool.pipeline() as p:
                answers = [p.fetch_value("SELECT $1::int", n) for n in range(10)]
            assert len(writes) == 1
            assert [await answer for answer in answers] == [*range(10)]
            async with pool.pipeline() as p:
                # Awaited within, it is sent.
                assert await p.fetch_value("SELECT 5") == 5
                tag = p.execute("SELECT 6")
                rows = p.fetch("SELECT 7 AS a")
            assert (await tag, (await rows)[0]["a"]) == ("SELECT 1", 7)
            assert pool.stats().held == 0
            with pytest.raises(InterfaceError, match="within its block"):
                pool.pipeline().fetch("SELECT 1")

    run(main())


def test_a_failure_that_was_caught_in_a_pipeline_is_not_raised_again(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            async with pool.pipeline() as p:
                with pytest.raises(PostgresError, match="nothing"):
                    await p.fetch("SELECT * FROM nothing")
                with pytest.raises(TimeoutError):
                    await p.fetch("SELECT pg_sleep(10)", timeout=0.01)
                value = p.fetch_value("SELECT 1")
            assert await value == 1
            with pytest.raises(TimeoutError):
                async with pool.pipeline() as p:
                    p.fetch("SELECT pg_sleep(10)", timeout=0.01)
            with pytest.raises(PostgresError, match="rolled back"):
                async with pool.pipeline(atomic=True) as p:
                    with pytest.raises(PostgresError, match="nothing"):
                        await p.fetch("SELECT * FROM nothing")

    run(main())


def test_a_failure_in_a_pipeline_undoes_no_other(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.execute("CREATE TABLE piped (a int PRIMARY KEY)")
            with pytest.raises(PostgresError) as caught:
                async with pool.pipeline() as p:
                    p.execute("INSERT INTO piped VALUES (1)")
                    p.execute("INSERT INTO piped VALUES (1)")
                    p.execute("INSERT INTO piped VALUES (2)")
            assert caught.value.sqlstate == "23505"
            assert await pool.fetch_value("SELECT count(*) FROM piped") == 2
            # All of it, or nothing.
            with pytest.raises(PostgresError) as caught:
                async with pool.pipeline(atomic=True) as p:
                    p.execute("INSERT INTO piped VALUES (3)")
                    p.execute("INSERT INTO piped VALUES (1)")
                    p.execute("INSERT INTO piped VALUES (4)")
            assert caught.value.sqlstate == "23505"
            async with pool.pipeline(atomic=True) as p:
                p.execute("INSERT INTO piped VALUES (5)")
            with pytest.raises(KeyError):
                async with pool.pipeline(atomic=True) as p:
                    p.execute("INSERT INTO piped VALUES (6)")
                    raise KeyError
            assert [row["a"] for row in await pool.fetch("SELECT a FROM piped ORDER BY a")] == [1, 2, 5]
            await pool.execute("DROP TABLE piped")

    run(main())


def test_statistics(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 4) as pool:
            pool.stats()
            await asyncio.gather(*[pool.fetch_value("SELECT 1") for _ in range(10)])
            async with pool.acquire():
                stats = pool.stats()
            assert stats.acquired_per_second > 0
            assert (stats.leases, stats.held, stats.reads) == (1, 1, 10)
            assert stats.as_dict()["size"] == stats.size
            assert "PgPool of" in repr(pool)
            assert "open" in repr(pool)

    run(main())


def test_what_is_no_sql(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn) as pool:
            asks: list[Callable[[], Any]] = [
                lambda: pool.fetch(5),  # type: ignore[call-overload]
                lambda: pool.fetch(dict, 5),  # type: ignore[call-overload]
                lambda: pool.fetch_one(dict),  # type: ignore[call-overload]
                lambda: pool.execute(b"SELECT 1"),  # type: ignore[arg-type]
            ]
            for ask in asks:
                with pytest.raises(TypeError, match=r"expected (SQL|str)"):
                    await ask()

    run(main())


def test_many_tasks_with_a_text_that_is_new(postgres: Postgres) -> None:
    """All wait for one description, and are spread all the same."""

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 3) as pool:
            answers = await asyncio.gather(*[pool.fetch_value("SELECT $1::int + 1", n) for n in range(2000)])
            assert answers == [n + 1 for n in range(2000)]

    run(main())


def test_through_a_pooler(pgbouncer: PgBouncer) -> None:
    async def main() -> None:
        async with PgPool(pgbouncer.dsn, 1, 4) as pool:
            answers = await asyncio.gather(*[pool.fetch_value("SELECT $1::int", n) for n in range(200)])
            assert answers == [*range(200)]
            async with pool.acquire() as connection:
                await connection.execute("BEGIN")
                assert await connection.fetch_value("SELECT 1") == 1
                await connection.execute("COMMIT")

    run(main())
