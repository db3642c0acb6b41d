"""Servers, networks and tasks that die: the right error, no connection left, no answer to the wrong task."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from fastweb.postgres import Connection, PgPool, connect
from fastweb.postgres import errors as e
from tests.postgres.proxy import proxy
from tests.postgres.running import PATIENCE, SLOWER, Gate, SlowClock, SlowClockOfUvloop, granted, run, until
from tests.postgres.servers import OwnPostgres, PgBouncer, Postgres

#: What a client may be told when its server goes away: the server's last words, or that it is gone.
GONE = (e.ConnectionLostError, e.AdminShutdownError, e.CrashShutdownError)


async def no_connection_left(server: Postgres, name: str) -> None:
    """The server takes note of an end a moment later."""
    await until(lambda: not server.connections(name), f"connections of {name} are left")


async def busy(server: Postgres, name: str, count: int) -> None:
    """Until that many statements run."""
    asks = (
        "select count(*) from pg_stat_activity where application_name = %s and state = 'active'"
        " and datname = current_database()"
    )
    await until(lambda: server.value(asks, name) >= count, "the statements do not run")


def named(server: Postgres, name: str) -> str:
    return server.conninfo(application_name=name)


# --- The server ---


@pytest.mark.parametrize("end", ["kill", "immediate", "fast"])
def test_the_server_dies_mid_query(own_postgres: OwnPostgres, end: str) -> None:
    """Each of its tasks is told, once; when it is back, so is the pool."""

    async def main() -> None:
        async with PgPool(named(own_postgres, "died"), 1, 4) as pool:
            asked = [asyncio.ensure_future(pool.fetch("select pg_sleep(60), $1::int", n)) for n in range(4)]
            await busy(own_postgres, "died", 4)
            if end == "kill":
                own_postgres.kill()
            else:
                own_postgres.stop(end)
            for answer in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(answer, GONE), repr(answer)
            # A restart is waited for; not longer than the caller does.
            with pytest.raises((TimeoutError, e.ConnectError, *GONE)):
                await pool.fetch_value("select 1", timeout=0.3)
            own_postgres.start()
            assert await asyncio.gather(*(pool.fetch_value("select $1::int", n) for n in range(50))) == [
                *range(50)
            ]

    run(main())


def test_the_server_restarts_while_idle(own_postgres: OwnPostgres) -> None:
    async def main() -> None:
        async with PgPool(named(own_postgres, "idle"), 4, 4) as pool:
            assert await pool.fetch_value("select 1") == 1
            own_postgres.restart()
            # What a connection hears while nobody uses it is no answer to whoever is next.
            await until(lambda: pool.stats().lost == 4, "the ends were not seen")
            assert await asyncio.gather(*(pool.fetch_value("select $1::int", n) for n in range(20))) == [
                *range(20)
            ]
        await no_connection_left(own_postgres, "idle")

    run(main())


def test_terminated_while_idle(postgres: Postgres) -> None:
    async def main() -> None:
        connection = await connect(named(postgres, "ended"))
        assert await connection.fetch_value("select 1") == 1
        postgres.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'ended' and datname = current_database()"
        )
        await until(lambda: connection.is_closed, "the end was not seen")
        with pytest.raises((e.ConnectionLostError, e.InterfaceError)):
            await connection.fetch_value("select 1")
        await connection.close()

    run(main())


def test_terminated_mid_query(postgres: Postgres) -> None:
    async def main() -> None:
        connection = await connect(named(postgres, "ended"))
        asked = asyncio.ensure_future(connection.fetch("select pg_sleep(60)"))
        await busy(postgres, "ended", 1)
        postgres.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'ended' and datname = current_database()"
        )
        with pytest.raises(GONE, match="administrator command"):
            await asked
        await until(lambda: connection.is_closed, "the end was not seen")
        await connection.close()

    run(main())


def test_statement_timeout(postgres: Postgres) -> None:
    async def main() -> None:
        connection = await connect(postgres.dsn)
        await connection.execute("set statement_timeout = 50")
        with pytest.raises(e.QueryCanceledError, match="statement timeout"):
            await connection.fetch("select pg_sleep(60)")
        while True:
            try:
                await connection.execute("set statement_timeout = 0")
                break
            except e.QueryCanceledError:
                # A server that stands still takes too long for this, too.
                continue
        assert await connection.fetch_value("select 1") == 1
        await connection.close()

    run(main())


def test_idle_in_transaction_timeout(postgres: Postgres) -> None:
    async def main() -> None:
        connection = await connect(postgres.dsn)
        await connection.execute("set idle_in_transaction_session_timeout = 50")
        expected = (e.IdleInTransactionSessionTimeoutError, e.ConnectionLostError, e.InterfaceError)
        await connection.execute("begin")
        await until(lambda: connection.is_closed, "the server did not end it")
        with pytest.raises(expected):
            await connection.fetch("select 1")
        await connection.close()

    run(main())


def test_out_of_connections(start_postgres: Callable[..., OwnPostgres]) -> None:
    server = start_postgres(
        settings={"max_connections": 8, "superuser_reserved_connections": 4, "max_wal_senders": 0}
    )
    server.execute("create role plain login")

    async def main() -> None:
        dsn = server.conninfo(user="plain")
        held = [await granted(lambda: connect(dsn)) for _ in range(4)]
        with pytest.raises((e.TooManyConnectionsError, e.ConnectError)) as caught:
            await connect(dsn)
        assert "remaining connection slots" in str(caught.value) or "too many" in str(caught.value)
        await held.pop().close()
        # A pool that may have more than there are makes do with what it gets.
        pool = PgPool(dsn, 1, 10)
        await granted(pool.open)
        async with pool:
            assert pool.stats().size == 1

            async def one(number: int) -> int:
                async with pool.acquire() as connection:
                    found: int = await connection.fetch_value("select $1::int from pg_sleep(0.01)", number)
                    return found

            answers = await asyncio.gather(*map(one, range(8)), return_exceptions=True)
            for number, answer in enumerate(answers):
                assert answer == number or isinstance(answer, (e.TooManyConnectionsError, e.ConnectError)), (
                    answer
                )
            assert await pool.fetch_value("select 1") == 1
        for connection in held:
            await connection.close()

    run(main())


# --- The network ---

ROWS = "select n, repeat('x', 100) from generate_series(1, 2000) n"


@pytest.mark.parametrize("cut", ["close", "reset", "stop"])
def test_cut_mid_row(postgres: Postgres, cut: str) -> None:
    async def main() -> None:
        async with proxy(postgres) as between:
            for after in (30_000, 30_001, 30_107, 100_000):
                connection = await connect(between.dsn)
                assert await connection.fetch_value("select 1") == 1
                between.cut, between.cut_after = cut, after
                error = TimeoutError if cut == "stop" else e.ConnectionLostError
                with pytest.raises(error):
                    await connection.fetch(ROWS, timeout=0.3 if cut == "stop" else 30)
                between.cut_after = None
                await connection.close()

    run(main())


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_the_pool_outlives_a_cut(postgres: Postgres, cut: str) -> None:
    async def main() -> None:
        async with proxy(postgres) as between:
            async with PgPool(between.dsn + " application_name=cut", 2, 4) as pool:
                assert len(await pool.fetch(ROWS)) == 2000
                between.cut, between.cut_after = cut, 50_000
                answers = await asyncio.gather(*(pool.fetch(ROWS) for _ in range(6)), return_exceptions=True)
                assert any(isinstance(answer, e.ConnectionLostError) for answer in answers)
                for answer in answers:
                    if not isinstance(answer, BaseException):
                        assert len(answer) == 2000
                between.cut_after = None
                for _ in range(5):
                    assert len(await pool.fetch(ROWS)) == 2000
            await no_connection_left(postgres, "cut")

    run(main())


def test_the_network_stops(postgres: Postgres) -> None:
    """Nothing comes any more and nobody says so: time limits hold, and the pool turns to new connections."""

    async def main() -> None:
        async with proxy(postgres) as between, PgPool(between.dsn, 1, 4) as pool:
            assert await pool.fetch_value("select 1") == 1
            between.stop()
            with pytest.raises(TimeoutError):
                await pool.fetch_value("select 2", timeout=0.2)
            # Those that are made now go through.
            for number in range(5):
                assert await pool.fetch_value("select $1::int", number, timeout=60) == number

    run(main())


@pytest.mark.parametrize("silent", ["before the statement", "before COMMIT"])
def test_the_network_stops_in_a_transaction(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """Its end does not wait for as long as TCP does: for a ROLLBACK behind a statement that nobody waits for
    any more there is a limit, and for COMMIT the `command_timeout`."""
    monkeypatch.setattr("fastweb.postgres.protocol.ENDS_WITHIN", 0.3)

    async def main() -> None:
        commits = silent == "before COMMIT"
        async with proxy(postgres) as between:
            connection = await connect(between.dsn, command_timeout=0.3 if commits else None)
            with pytest.raises(e.CommitUnknownError if commits else TimeoutError):
                async with connection.transaction():
                    await connection.fetch_value("select 1", timeout=60)
                    between.stop()
                    if not commits:
                        await connection.fetch_value("select 2", timeout=0.05)
            assert connection.is_closed
            says = "not answered COMMIT in 0.3 s" if commits else "not ended a statement that was cancelled"
            with pytest.raises(e.ConnectionLostError, match=says):
                await connection.fetch_value("select 3")
            await connection.close()

    run(main())


def test_a_rollback_has_its_time_behind_a_slow_cancellation(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `command_timeout` that a statement has exceeded is not the ROLLBACK's, which waits for its end."""
    monkeypatch.setattr("fastweb.postgres.protocol.ENDS_WITHIN", PATIENCE)

    async def main() -> None:
        async with await connect(postgres.dsn, command_timeout=0.1) as connection:
            send = connection.protocol.send_cancel
            assert send is not None

            async def slow() -> None:
                await asyncio.sleep(0.3)
                await send()

            connection.protocol.send_cancel = slow
            with Gate(postgres) as gate, pytest.raises(TimeoutError):
                async with connection.transaction():
                    await connection.execute(f"select {gate.sql}")
            assert await connection.fetch_value("select 1", timeout=PATIENCE) == 1

    run(main())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_ends_does_not_wait_for_a_cancellation(
    postgres: Postgres, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> Connection:
        connection = await connect(postgres.dsn)
        begun = asyncio.Event()

        async def silent() -> None:
            begun.set()
            await asyncio.Event().wait()

        connection.protocol.send_cancel = silent
        with pytest.raises(TimeoutError):
            await connection.execute(f"select {gate.sql}", timeout=0.05)
        await begun.wait()
        return connection

    with Gate(postgres) as gate:
        with asyncio.Runner(loop_factory=loop) as runner:
            connection = runner.run(main())
        assert connection.is_closed


def test_a_slow_network(postgres: Postgres) -> None:
    async def main() -> None:
        async with proxy(postgres) as between, PgPool(between.dsn, 1, 4) as pool:
            between.delay = 0.05
            answers = await asyncio.gather(*(pool.fetch_value("select $1::int", n) for n in range(100)))
            assert answers == [*range(100)]

    run(main())


def test_nobody_listens(port_of_nobody: Callable[[], int]) -> None:
    """One clear line."""
    port = port_of_nobody()

    async def main() -> None:
        with pytest.raises(e.ConnectError, match=str(port)) as caught:
            await connect(f"host=127.0.0.1 port={port} user=ann")
        assert "\n" not in str(caught.value)
        pool = PgPool(f"host=127.0.0.1 port={port} user=ann", 0, 2)
        for _ in range(2):
            with pytest.raises(e.ConnectError, match=str(port)):
                await pool.fetch("select 1", timeout=60)
            with pytest.raises(e.ConnectError, match=str(port)):
                await pool.open()
        await pool.close()

    run(main())


# --- The tasks ---


def test_the_pool_is_exhausted(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool:
            async with pool.acquire(), pool.acquire():
                with pytest.raises(e.PoolTimeoutError, match="2"):
                    async with pool.acquire(timeout=0.05):
                        pass
            async with pool.acquire() as connection:
                assert await connection.fetch_value("select 1") == 1

    run(main())


async def after_steps(work: Callable[[], Awaitable[Any]], steps: int) -> bool:
    """Cancel it after so many turns of the loop; whether it was done before."""
    task = asyncio.ensure_future(work())
    for step in range(steps):
        # The first ones one by one; a busy server is waited for.
        await asyncio.sleep(0 if step < 300 else 0.001)
        if task.done():
            break
    early = task.done()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    return early


async def _fetch(pool: PgPool) -> None:
    await pool.fetch("select 'fetch'::text, n from generate_series(1, 5) n")


async def _write(pool: PgPool) -> None:
    await pool.execute("insert into noted values (1)")


async def _acquire(pool: PgPool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("set application_name = 'changed'")
        await connection.fetch_value("select 'acquired'::text")


async def _transaction(pool: PgPool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("begin")
        await connection.execute("insert into noted values (2)")
        await connection.fetch("select * from noted")
        await connection.execute("commit")


async def _many(pool: PgPool) -> None:
    await pool.execute_many("insert into noted values ($1)", [(n,) for n in range(20)])


@pytest.mark.parametrize("work", [_fetch, _write, _acquire, _transaction, _many])
def test_cancelled_at_every_await(postgres: Postgres, work: Callable[[PgPool], Awaitable[None]]) -> None:
    """Wherever a task is cancelled: the pool is whole, nobody gets its answer, and nothing stays open."""
    name = f"cancelled{work.__name__}"
    postgres.execute("drop table if exists noted; create table noted (x int)")

    async def main() -> None:
        async with PgPool(named(postgres, name), 0, 2) as pool:
            steps, done = 0, 0
            while done < 3:
                # At first each turn, for what opens a connection is there; then further apart.
                done += await after_steps(lambda: work(pool), steps)
                steps += 1 if steps < 60 else 7 if steps < 400 else steps // 2
                found = await asyncio.gather(*(pool.fetch_value("select $1::int", n) for n in range(4)))
                assert found == [0, 1, 2, 3], f"after {steps} steps"
                async with pool.acquire() as one, pool.acquire() as other:
                    assert not one.in_transaction
                    assert await one.fetch_value("select current_setting('application_name')") == name
                    assert await other.fetch_value("select current_setting('application_name')") == name
            await until(lambda: postgres.connections(name) <= 2, "more connections than the pool may have")
        await no_connection_left(postgres, name)

    run(main())


def test_connect_cancelled_at_every_await(postgres: Postgres) -> None:
    async def main() -> None:
        opened: list[Connection] = []

        async def work() -> None:
            opened.append(await connect(named(postgres, "half")))

        steps, done = 0, 0
        while done < 2:
            done += await after_steps(work, steps)
            steps += 1 + steps // 10
        for connection in opened:
            await connection.close()
        await no_connection_left(postgres, "half")

    run(main())


class Chances:
    """What a hundred tasks ask of a pool, by chance: each knows what its answer has to be.

    Arguments:
        pool: whose connections are killed meanwhile.
        chance: what is asked next.
    """

    def __init__(self, pool: PgPool, chance: random.Random) -> None:
        self.pool = pool
        self.chance = chance
        self.answered = 0
        #: What was inserted for certain; what was not.
        self.done: set[int] = set()
        self.undone: set[int] = set()

    async def ask(self, number: int) -> None:
        kinds = (*[self.read] * 12, self.row, self.rows, self.fails, self.is_slow)
        kinds += (self.write, self.batch, self.transaction, self.lease, self.pipeline)
        for turn in range(150):
            try:
                await self.chance.choice(kinds)(number * 10_000 + turn * 10)
                self.answered += 1
            except (TimeoutError, *GONE):
                continue

    def timeout(self) -> float | None:
        return self.chance.choice((None, None, None, None, 0.0, 0.002 / SLOWER, 1.0 / SLOWER))

    async def read(self, value: int) -> None:
        assert await self.pool.fetch_value("select $1::int", value, timeout=self.timeout()) == value

    async def row(self, value: int) -> None:
        row = await self.pool.fetch_one("select $1::int as v, $1::text as t", value, timeout=self.timeout())
        assert row == (value, str(value))

    async def rows(self, value: int) -> None:
        rows = await self.pool.fetch("select $1::int + n as v from generate_series(0, 400) n", value)
        assert [row.v for row in rows] == [*range(value, value + 401)]

    async def fails(self, value: int) -> None:
        with pytest.raises(e.InvalidTextRepresentationError, match=f'"no {value}"'):
            await self.pool.fetch_value("select ('no ' || $1::int)::int", value)

    async def is_slow(self, value: int) -> None:
        sql = "select $1::int from pg_sleep(0.002)"
        assert await self.pool.fetch_value(sql, value, timeout=self.timeout()) == value

    async def write(self, value: int) -> None:
        sql = "insert into chances values ($1) returning a + 1"
        assert await self.pool.fetch_value(sql, value, timeout=self.timeout()) == value + 1
        self.done.add(value)

    async def batch(self, value: int) -> None:
        async def later() -> AsyncIterator[tuple[int]]:
            for n in range(5):
                await asyncio.sleep(0)
                yield (value + n,)

        rows = later() if self.chance.random() < 0.5 else [(value + n,) for n in range(5)]
        await self.pool.execute_many("insert into chances values ($1)", rows)
        self.done.update(range(value, value + 5))

    async def transaction(self, value: int) -> None:
        fails = self.chance.random() < 0.3
        if fails:
            self.undone.add(value)
        try:
            async with self.pool.transaction() as connection:
                await connection.execute("insert into chances values ($1)", value)
                assert await connection.fetch_value("select a from chances where a = $1", value) == value
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            return
        self.done.add(value)

    async def lease(self, value: int) -> None:
        async with self.pool.acquire() as connection:
            assert await connection.fetch_value(f"select {value} + $1::int", 1) == value + 1

    async def pipeline(self, value: int) -> None:
        async with self.pool.pipeline() as p:
            answers = [p.fetch_value("select $1::int", value + n) for n in range(5)]
        assert [await answer for answer in answers] == [*range(value, value + 5)]


@pytest.mark.parametrize("loop_factory", [SlowClock, SlowClockOfUvloop])
def test_no_answer_to_the_wrong_task(
    postgres: Postgres, writes: list[bytes], loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """A hundred tasks, cancelled and timed out at random, over all that shares and does not, while backends
    are killed: every answer by value, every write done once, and no connection left. The clock is slow, so
    that reads count as quick on a busy machine, too: they share Syncs."""
    chance = random.Random(6)
    kill = (
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'values'"
        " and datname = current_database() order by random() limit 1"
    )

    async def main() -> None:
        async with PgPool(named(postgres, "values"), 1, 4) as pool:
            chances = Chances(pool, chance)
            tasks = [asyncio.ensure_future(chances.ask(number)) for number in range(100)]
            cancelled = killed = 0
            while not all(task.done() for task in tasks):
                await asyncio.sleep(0)
                if cancelled < chances.answered // 150:
                    cancelled += 1
                    chance.choice(tasks).cancel()
                if killed < chances.answered // 800:
                    killed += 1
                    await asyncio.to_thread(postgres.execute, kill)
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                assert ended is None or isinstance(ended, asyncio.CancelledError), repr(ended)
            await until(lambda: pool.stats().held == pool.stats().in_flight == pool.stats().waiting == 0)
            assert killed >= 5
            assert cancelled >= 30
            rows = await pool.fetch("select a, count(*) as times from chances group by a")
            counts = {row.a: row.times for row in rows}
            assert set(counts.values()) == {1}, "nothing is done twice"
            assert chances.done <= set(counts)
            assert not chances.undone & set(counts)
        await no_connection_left(postgres, "values")

    postgres.execute("create table chances (a int)")
    logging.getLogger("fastweb.postgres").setLevel(logging.ERROR)
    try:
        run(main(), loop_factory=loop_factory)
    finally:
        logging.getLogger("fastweb.postgres").setLevel(logging.NOTSET)
        postgres.execute("drop table chances")
    sent = b"".join(writes)
    executed, synced = sent.count(b"E\0\0\0\t\0\0\0\0\0"), sent.count(b"S\0\0\0\x04")
    assert synced < executed * 0.8


# --- Statements that are no longer what they were ---


def test_the_schema_changes_below_prepared_statements(postgres: Postgres) -> None:
    async def main() -> None:
        postgres.execute(
            "drop table if exists changing; create table changing (a int); insert into changing values (1)"
        )
        async with PgPool(postgres.dsn, 2, 2) as pool:
            sql = "select * from changing"
            for _ in range(5):
                assert [dict(row) for row in await pool.fetch(sql)] == [{"a": 1}]
            postgres.execute("alter table changing add column b text default 'two'")
            answers = await asyncio.gather(*(pool.fetch(sql) for _ in range(6)))
            assert [[dict(row) for row in rows] for rows in answers] == [[{"a": 1, "b": "two"}]] * 6
            postgres.execute("alter table changing alter column a type text")
            assert [dict(row) for row in await pool.fetch(sql)] == [{"a": "1", "b": "two"}]
            # In a transaction it cannot be asked again: the error is told, and what comes next is well.
            async with pool.acquire() as connection:
                # Twice: the first one on a connection has no name yet.
                await connection.fetch(sql)
                await connection.fetch(sql)
                await connection.execute("begin")
                await connection.fetch_value("select 1")
                postgres.execute("alter table changing add column c int")
                with pytest.raises(e.FeatureNotSupportedError):
                    await connection.fetch(sql)
                await connection.execute("rollback")
                assert len((await connection.fetch(sql))[0]) == 3
            postgres.execute("drop table changing")
            with pytest.raises(e.UndefinedTableError):
                await pool.fetch(sql)

    run(main())


def test_statements_are_lost(postgres: Postgres) -> None:
    """DEALLOCATE ALL behind our back: 26000, and asked again."""

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool, pool.acquire() as connection:
            for number in range(3):
                assert await connection.fetch_value("select $1::int", number) == number
            await connection.execute("do $$ begin execute 'deallocate all'; end $$")
            for number in range(3):
                assert await connection.fetch_value("select $1::int", number) == number

    run(main())


# --- pgbouncer ---


def test_prepared_statements_behind_pgbouncer(pgbouncer: PgBouncer) -> None:
    """Each statement may go to another of its servers; each client to a server that another has used."""

    async def main() -> None:
        async with PgPool(pgbouncer.dsn, 2, 6) as pool, PgPool(pgbouncer.dsn, 2, 6) as other:
            for turn in range(10):
                asked = [
                    p.fetch_value("select $1::int + $2::int", n, turn)
                    for n in range(20)
                    for p in (pool, other)
                ]
                assert await asyncio.gather(*asked) == [n + turn for n in range(20) for _ in range(2)]
                texts = [
                    p.fetch_value("select $1::text || 'x'", str(n)) for n in range(5) for p in (pool, other)
                ]
                assert await asyncio.gather(*texts) == [f"{n}x" for n in range(5) for _ in range(2)]
            async with pool.acquire() as connection:
                await connection.execute("begin")
                pids = {await connection.fetch_value("select pg_backend_pid()") for _ in range(5)}
                assert len(pids) == 1
                await connection.execute("commit")

    run(main())


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_pgbouncer_restarts(postgres: Postgres, start_pgbouncer: Callable[..., PgBouncer], mode: str) -> None:
    bouncer = start_pgbouncer(postgres, mode)

    async def main() -> None:
        async with PgPool(bouncer.dsn, 1, 4) as pool:
            assert await pool.fetch_value("select 1") == 1
            with Gate(postgres) as gate:
                asked = asyncio.ensure_future(pool.fetch_value(f"select 1 from {gate.sql}"))
                await gate.reached()
                bouncer.restart()
                with pytest.raises(GONE):
                    await asked
            for number in range(10):
                assert await pool.fetch_value("select $1::int", number) == number
            # Its own connections to the server are new, ours are not.
            before = pool.stats()
            bouncer.admin(f'kill "{bouncer.database}"')
            bouncer.admin(f'resume "{bouncer.database}"')
            await until(lambda: pool.stats().lost >= before.lost + before.size, "the ends were not seen")
            for number in range(10):
                assert await pool.fetch_value("select $1::int", number) == number

    run(main())


def test_the_servers_of_pgbouncer_restart(
    own_postgres: OwnPostgres, start_pgbouncer: Callable[..., PgBouncer]
) -> None:
    """A client of pgbouncer keeps its connection: what it had prepared is gone (26000), and prepared anew."""
    bouncer = start_pgbouncer(own_postgres, server_login_retry=0)

    async def main() -> None:
        async with PgPool(bouncer.dsn, 1, 3) as pool:
            for number in range(5):
                assert await pool.fetch_value("select $1::int", number) == number
            own_postgres.restart()
            failed = 0
            for number in range(10):
                try:
                    assert await pool.fetch_value("select $1::int", number) == number
                except (e.ConnectionLostError, e.PostgresError, e.ConnectError):
                    failed += 1
            assert failed <= 3
            for number in range(5):
                assert await pool.fetch_value("select $1::int", number) == number

    run(main())


# --- Forks ---


def test_a_fork_with_an_open_pool(postgres: Postgres) -> None:
    """The child opens its own; the parent's go on, unharmed by what the child does, and by its end."""

    async def in_child(pool: PgPool) -> None:
        for number in range(3):
            assert await pool.fetch_value("select $1::int", number) == number
        await pool.close()

    async def main() -> None:
        async with PgPool(named(postgres, "forked"), 2, 4) as pool:
            before = {await pool.fetch_value("select pg_backend_pid()") for _ in range(3)}
            child = os.fork()
            if child == 0:
                failed = 1
                try:
                    asyncio._set_running_loop(None)
                    asyncio.run(in_child(pool))
                    failed = 0
                finally:
                    os._exit(failed)
            ended: list[int] = []

            def has_ended() -> bool:
                pid, status = os.waitpid(child, os.WNOHANG)
                if pid:
                    ended.append(os.waitstatus_to_exitcode(status))
                return bool(pid)

            try:
                await until(has_ended, "the child ends")
            finally:
                if not ended:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)  # noqa: ASYNC222
            assert ended == [0]
            after = {await pool.fetch_value("select pg_backend_pid()") for _ in range(3)}
            assert before & after
        await no_connection_left(postgres, "forked")

    run(main())
