"""Transactions: what is written for them, how they end, and that they always do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import pytest
import uvloop

from fastweb.postgres.connection import Connection, connect
from fastweb.postgres.errors import (
    CommitUnknownError,
    ConnectionLostError,
    DivisionByZeroError,
    ForeignKeyViolationError,
    InFailedSQLTransactionError,
    InterfaceError,
    PostgresError,
    PostgresSyntaxError,
    ReadOnlySQLTransactionError,
    SerializationError,
    UniqueViolationError,
)
from fastweb.postgres.protocol import Protocol
from fastweb.postgres.retry import run_again
from fastweb.postgres.transaction import Isolation, Rollback, begin_statement
from tests.postgres.proxy import proxy
from tests.postgres.running import Gate, run
from tests.postgres.servers import PgBouncer, Postgres

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=list(LOOPS))
def on(request: pytest.FixtureRequest, postgres: Postgres) -> Callable[..., Any]:
    """Run a coroutine function with a connection that has an empty temporary table t."""

    def runs(main: Callable[[Connection], Coroutine[Any, Any, Any]], dsn: str | None = None) -> Any:
        async def whole() -> Any:
            async with await connect(dsn or postgres.dsn) as connection:
                await connection.execute("CREATE TEMPORARY TABLE t (id int PRIMARY KEY)")
                return await main(connection)

        return run(whole(), loop_factory=LOOPS[request.param])

    return runs


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What connections write, a write each."""
    writes: list[bytes] = []
    original = Protocol.write

    def write(self: Protocol, data: bytes) -> None:
        writes.append(data)
        original(self, data)

    monkeypatch.setattr(Protocol, "write", write)
    return writes


async def ids(connection: Connection) -> list[int]:
    return [row[0] for row in await connection.fetch("SELECT id FROM t ORDER BY id")]


async def insert(connection: Connection, *values: int) -> None:
    for value in values:
        await connection.fetch("INSERT INTO t VALUES ($1)", value)


# --- What is said ---


@pytest.mark.parametrize(
    ("arguments", "sql"),
    [
        ((), "BEGIN"),
        (("serializable",), "BEGIN ISOLATION LEVEL SERIALIZABLE"),
        (("Repeatable Read", False), "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE"),
        (("read_committed", None, False), "BEGIN ISOLATION LEVEL READ COMMITTED NOT DEFERRABLE"),
        ((None, True, True), "BEGIN READ ONLY DEFERRABLE"),
    ],
)
def test_begin(arguments: Any, sql: str) -> None:
    assert begin_statement(*arguments) == sql


@pytest.mark.parametrize("level", ["snapshot", "", 5, "serializable; DROP TABLE t"])
def test_no_such_level(level: Any) -> None:
    with pytest.raises(InterfaceError, match="isolation: expected one of"):
        begin_statement(level)


def test_a_block_costs_one_more_round_trip(on: Any, written: list[bytes]) -> None:
    async def main(connection: Connection) -> None:
        await insert(connection, 1)
        written.clear()
        async with connection.transaction():
            assert written == []
            await insert(connection, 2)
            async with connection.transaction():
                await insert(connection, 3)
            async with connection.transaction():
                pass
            await insert(connection, 4)
        assert [len(data) > 0 for data in written] == [True] * 4
        assert b"BEGIN" in written[0]
        assert b"SAVEPOINT fastweb_1" in written[1]
        assert b"RELEASE SAVEPOINT fastweb_1" in written[2]
        assert written[3] == b"Q\x00\x00\x00\x0bCOMMIT\x00"
        written.clear()
        async with connection.transaction():
            pass
        async with connection.transaction(), connection.transaction():
            pass
        assert written == []
        assert await ids(connection) == [1, 2, 3, 4]

    on(main)


# --- How it ends ---


def test_it_happens_or_not(on: Any) -> None:
    async def main(connection: Connection) -> None:
        async with connection.transaction():
            assert not connection.in_transaction
            await insert(connection, 1)
            assert connection.in_transaction
        assert not connection.in_transaction
        with pytest.raises(ZeroDivisionError):
            async with connection.transaction():
                await insert(connection, 2)
                1 / 0  # noqa: B018
        async with connection.transaction():
            await insert(connection, 3)
            raise Rollback
        async with connection.transaction() as transaction:
            await insert(connection, 4)
            await transaction.rollback()
            assert await ids(connection) == [1]
            await insert(connection, 5)
        assert await ids(connection) == [1]
        assert not connection.in_transaction

    on(main)


def test_the_first_statement_may_be_anything(on: Any) -> None:
    async def main(connection: Connection) -> None:
        firsts: dict[str, Callable[[], Awaitable[Any]]] = {
            "execute": lambda: connection.execute("INSERT INTO t VALUES (1); SELECT 1"),
            "execute with arguments": lambda: connection.execute("INSERT INTO t VALUES ($1)", 1),
            "fetch": lambda: connection.fetch("INSERT INTO t VALUES (1) RETURNING id"),
            "execute_many": lambda: connection.execute_many("INSERT INTO t VALUES ($1)", [(1,), (2,)]),
            "copy_in": lambda: connection.copy_in("t", b"1\n"),
            "copy_out": lambda: connection.copy_out("t"),
            "prepare": lambda: connection.prepare("INSERT INTO t VALUES (7)"),
            "iterate": lambda: anext(connection.iterate("SELECT 1")),
        }
        for how, first in firsts.items():
            for nested in (False, True):
                with pytest.raises(KeyError):
                    async with connection.transaction():
                        if nested:
                            async with connection.transaction():
                                await first()
                        else:
                            await first()
                        assert connection.in_transaction or how == "prepare", how
                        raise KeyError
                assert not connection.in_transaction
                assert await ids(connection) == [], how

    on(main)


def test_errors_of_the_first_statement_are_its_own(on: Any) -> None:
    async def main(connection: Connection) -> None:
        for ask in (connection.execute, connection.fetch):
            with pytest.raises(PostgresSyntaxError) as caught:
                async with connection.transaction():
                    await ask("SELEC 1")
            assert (caught.value.position, caught.value.query) == (1, "SELEC 1")
            with pytest.raises(DivisionByZeroError):
                async with connection.transaction():
                    await ask("SELECT 1/0")
            with pytest.raises(TypeError):
                async with connection.transaction():
                    await insert(connection, "a")  # type: ignore[arg-type]
            assert not connection.in_transaction

    on(main)


def test_where_begin_fails_nothing_is_done(on: Any) -> None:
    # No level is called so; the client never says that, and no other BEGIN fails so easily.
    async def main(connection: Connection) -> None:
        protocol = connection.protocol
        transaction = connection.transaction()
        transaction._begin = "BEGIN ISOLATION LEVEL NONSENSE"
        with pytest.raises(ValueError, match="seen"):
            async with transaction:
                for ask in (connection.fetch, connection.execute):
                    with pytest.raises(PostgresSyntaxError, match=r"(?i)nonsense"):
                        await ask("INSERT INTO t VALUES (1)")
                    assert protocol.first == [transaction._begin]
                outcomes = await asyncio.gather(
                    *(connection.fetch(f"INSERT INTO t VALUES ({place})") for place in range(5)),
                    return_exceptions=True,
                )
                assert {type(outcome) for outcome in outcomes} == {PostgresSyntaxError}
                raise ValueError("seen")
        assert protocol.first == []
        assert await ids(connection) == []

    on(main)


def test_what_failed_within_is_not_committed(on: Any) -> None:
    async def main(connection: Connection) -> None:
        with pytest.raises(InFailedSQLTransactionError, match="rolled back, not committed"):
            async with connection.transaction():
                await insert(connection, 1)
                with pytest.raises(UniqueViolationError):
                    await insert(connection, 1)
        assert await ids(connection) == []
        async with connection.transaction():
            await insert(connection, 1)
            with pytest.raises(InFailedSQLTransactionError, match="rolled back, not committed"):
                async with connection.transaction():
                    with pytest.raises(UniqueViolationError):
                        await insert(connection, 1)
            with pytest.raises(UniqueViolationError):
                async with connection.transaction():
                    await insert(connection, 2, 1)
            await insert(connection, 3)
        assert await ids(connection) == [1, 3]

    on(main)


def test_what_fails_at_commit(on: Any) -> None:
    async def main(connection: Connection) -> None:
        await connection.execute(
            "CREATE TEMPORARY TABLE u (id int REFERENCES t DEFERRABLE INITIALLY DEFERRED)"
        )
        with pytest.raises(ForeignKeyViolationError):
            async with connection.transaction():
                await connection.execute("INSERT INTO u VALUES (5)")
        assert not connection.in_transaction
        assert await ids(connection) == []

    on(main)


def test_nested(on: Any) -> None:
    async def main(connection: Connection) -> None:
        async with connection.transaction():
            await insert(connection, 1)
            async with connection.transaction():
                await insert(connection, 2)
                with pytest.raises(KeyError):
                    async with connection.transaction():
                        await insert(connection, 3)
                        raise KeyError
                async with connection.transaction() as inner:
                    await insert(connection, 4)
                    await inner.rollback()
                    assert await ids(connection) == [1, 2]
                    await insert(connection, 5)
                with pytest.raises(KeyError):
                    async with connection.transaction():
                        async with connection.transaction():
                            await insert(connection, 6)
                        raise KeyError
                await insert(connection, 7)
            assert await ids(connection) == [1, 2, 7]
            with pytest.raises(UniqueViolationError):
                async with connection.transaction(), connection.transaction():
                    await insert(connection, 1)
            with pytest.raises(UniqueViolationError):
                async with connection.transaction():
                    await insert(connection, 1)
        assert await ids(connection) == [1, 2, 7]

    on(main)


def test_by_hand(on: Any) -> None:
    async def main(connection: Connection) -> None:
        transaction = connection.transaction("repeatable_read")
        for end in (transaction.commit, transaction.rollback):
            with pytest.raises(InterfaceError, match="has not begun"):
                await end()
        await transaction.start()
        with pytest.raises(InterfaceError, match="begun once"):
            await transaction.start()
        assert await connection.fetch_value("SHOW transaction_isolation") == "repeatable read"
        await insert(connection, 1)
        inner = connection.transaction()
        await inner.start()
        await insert(connection, 2)
        await inner.rollback()
        await transaction.commit()
        for end in (transaction.commit, transaction.rollback):
            with pytest.raises(InterfaceError, match="has ended"):
                await end()
        transaction = connection.transaction()
        await transaction.start()
        await insert(connection, 3)
        await transaction.rollback()
        assert await ids(connection) == [1]
        assert repr(transaction) == "<Transaction BEGIN, ended>"

    on(main)


@pytest.mark.parametrize("level", ["read_committed", "repeatable_read", "serializable"])
def test_what_a_transaction_is_like(on: Any, level: Isolation) -> None:
    async def main(connection: Connection) -> None:
        async with connection.transaction(level, read_only=True, deferrable=True):
            shown = [
                await connection.fetch_value(f"SHOW transaction_{what}")
                for what in ("isolation", "read_only", "deferrable")
            ]
            assert shown == [level.replace("_", " "), "on", "on"]
            with pytest.raises(InterfaceError, match="a nested transaction is a savepoint"):
                async with connection.transaction(level):
                    pass
            # The same again is a savepoint in it.
            again = connection.transaction(level, read_only=True, deferrable=True)
            async with connection.transaction(), again:
                assert await connection.fetch_value("SHOW transaction_read_only") == "on"
        with pytest.raises(ReadOnlySQLTransactionError):
            async with connection.transaction(read_only=True):
                await connection.execute("CREATE TABLE never (id int)")

    on(main)


def test_misuse(on: Any) -> None:
    async def main(connection: Connection) -> None:
        with pytest.raises(InterfaceError, match="has ended it"):
            async with connection.transaction():
                await insert(connection, 1)
                await connection.execute("COMMIT")
        await connection.execute("BEGIN")
        with pytest.raises(InterfaceError, match="a statement has begun a transaction"):
            async with connection.transaction():
                pass
        await connection.execute("ROLLBACK")
        async with connection.transaction() as transaction:
            with pytest.raises(InterfaceError, match="leave it"):
                await transaction.commit()
            await insert(connection, 2)
        with pytest.raises(KeyError):
            async with connection.transaction():
                await insert(connection, 3)
                await connection.execute("ROLLBACK")
                raise KeyError
        assert await ids(connection) == [1, 2]

    on(main)


# --- Several tasks ---


def test_statements_of_several_tasks_are_done_in_their_order(on: Any) -> None:
    async def main(connection: Connection) -> None:
        async with connection.transaction():
            await asyncio.gather(*(insert(connection, place) for place in range(20)))
            late = asyncio.create_task(ids(connection))
            await asyncio.sleep(0)
            assert not late.done()
        # It was asked before the end, and so it was within.
        assert await late == list(range(20))
        with pytest.raises(UniqueViolationError):
            async with connection.transaction():
                await asyncio.gather(*(insert(connection, place) for place in (30, 1, 31)))
        await asyncio.sleep(0.01)
        assert await ids(connection) == list(range(20))

    on(main)


def test_an_end_stands_behind_what_is_in_flight(on: Any) -> None:
    async def main(connection: Connection) -> None:
        for error in (None, KeyError()):
            await insert(connection, 0)
            slow: Any = None
            try:
                async with connection.transaction():
                    await insert(connection, 1)
                    slow = asyncio.ensure_future(
                        connection.fetch("INSERT INTO t SELECT 2 FROM pg_sleep(0.05)")
                    )
                    async with connection.transaction():
                        await asyncio.sleep(0)
                        other = asyncio.ensure_future(connection.fetch("INSERT INTO t VALUES (3)"))
                        await asyncio.sleep(0)
                    if error is not None:
                        raise error
            except KeyError:
                pass
            assert (slow.done(), other.done()) == (True, True)
            assert await ids(connection) == ([0] if error else [0, 1, 2, 3])
            await connection.execute("TRUNCATE t")

    on(main)


def test_blocks_of_several_tasks_that_cross(on: Any) -> None:
    async def main(connection: Connection) -> None:
        first_in, second_in, first_out = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def first() -> None:
            try:
                async with connection.transaction():
                    await insert(connection, 1)
                    first_in.set()
                    await second_in.wait()
            finally:
                first_out.set()

        async def second() -> None:
            await first_in.wait()
            async with connection.transaction():
                await insert(connection, 2)
                second_in.set()
                await first_out.wait()

        outcomes = await asyncio.gather(first(), second(), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [InterfaceError, InterfaceError]
        assert "still open" in str(outcomes[0])
        assert "ended before it" in str(outcomes[1])
        assert (await ids(connection), connection.in_transaction, connection.transactions) == ([], False, [])

    on(main)


# --- Cancellation ---


async def cancelled_at(step: int, main: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
    """Cancel a coroutine when it awaits for the n-th time; whether it came to that."""
    task = asyncio.ensure_future(main())
    for _ in range(step):
        await asyncio.sleep(0)
        if task.done():
            break
    came = not task.done()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    return came


@pytest.mark.parametrize("swallow", [False, True])
def test_cancelled_at_every_turn(on: Any, swallow: bool) -> None:
    """Of the loop: all of the block has happened or nothing, and the connection is good."""

    async def main(connection: Connection) -> None:
        seen = set()

        async def block() -> None:
            async with connection.transaction():
                await insert(connection, 1)
                try:
                    async with connection.transaction():
                        await insert(connection, 2)
                except asyncio.CancelledError:
                    if not swallow:
                        raise
                await insert(connection, 3)

        step = 0
        idle = 0
        while idle < 3:
            came = await cancelled_at(step, block)
            idle = 0 if came else idle + 1
            # Turns alike in which the server is waited for are many where it is slow.
            step += 1 + step // 40
            found = tuple(await ids(connection))
            seen.add(found)
            assert found in {(), (1, 2, 3)} | ({(1, 3)} if swallow else set())
            assert (connection.in_transaction, connection.transactions) == (False, [])
            await connection.execute("TRUNCATE t")
        assert step > 5
        assert {(), (1, 2, 3)} <= seen

    on(main)


def test_cancelled_while_the_server_works(on: Any) -> None:
    async def main(connection: Connection) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), connection.transaction():
                await insert(connection, 1)
                await connection.fetch("SELECT pg_sleep(600)")
        assert await ids(connection) == []

    on(main)


@pytest.mark.parametrize("sql", ["SELECT id FROM t", "INSERT INTO t VALUES (2); SELECT 1"])
def test_cancelled_before_there_is_a_savepoint(on: Any, postgres: Postgres, sql: str) -> None:
    """No CancelRequest goes out until the server has made it: the block around it could not go on."""

    async def turns(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def main(_unused: Connection) -> None:
        async with proxy(postgres) as between, await connect(between.dsn) as connection:
            await connection.execute("CREATE TEMPORARY TABLE t (id int PRIMARY KEY)")
            cancel = connection.protocol.send_cancel
            assert cancel is not None
            requests = 0

            async def counted() -> None:
                nonlocal requests
                requests += 1
                await cancel()

            connection.protocol.send_cancel = counted

            async def nested() -> None:
                async with connection.transaction():
                    await connection.execute(sql)

            async with connection.transaction():
                await insert(connection, 1)
                between.stop()
                task = asyncio.ensure_future(nested())
                await turns(5)
                assert connection.protocol.in_flight
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await turns(50)
                early = requests
                between.go_on()
                await insert(connection, 3)
            assert early == 0
            assert await ids(connection) == [1, 3]

    on(main)


def test_cancelled_behind_a_savepoint(on: Any, postgres: Postgres) -> None:
    """There is one as soon as the server has made it, however long its first statement takes."""

    def over(limit: asyncio.Timeout, _reached: object) -> None:
        limit.reschedule(0)

    async def main(connection: Connection) -> None:
        with Gate(postgres) as gate:
            async with connection.transaction():
                waits = f"SELECT {gate.sql} WHERE $1"
                await connection.fetch(waits, False)
                for sql, *values in ((f"INSERT INTO t VALUES (2); SELECT {gate.sql}",), (waits, True)):
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(None) as limit, connection.transaction():
                            reached = asyncio.ensure_future(gate.reached())
                            reached.add_done_callback(partial(over, limit))
                            await connection.execute(sql, *values)
                    await insert(connection, 3 + len(values))
            assert await ids(connection) == [3, 4]

    on(main)


def test_cancelled_behind_a_pooler(postgres: Postgres, pgbouncer: PgBouncer) -> None:
    async def main() -> None:
        with Gate(postgres) as gate:
            async with await connect(pgbouncer.dsn) as connection, connection.transaction():
                await connection.execute("CREATE TEMPORARY TABLE t (id int PRIMARY KEY) ON COMMIT DROP")

                async def nested() -> None:
                    async with connection.transaction():
                        await insert(connection, 2)
                        await connection.fetch(f"SELECT {gate.sql}")

                for value in (1, 3):
                    task = asyncio.ensure_future(nested())
                    await gate.reached()
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    await insert(connection, value)
                assert await ids(connection) == [1, 3]

    run(main())


def test_a_savepoint_that_fails(on: Any) -> None:
    """What is said later is why: the transaction around it had failed."""

    async def main(connection: Connection) -> None:
        with pytest.raises(InFailedSQLTransactionError, match="rolled back, not committed"):
            async with connection.transaction():
                with pytest.raises(DivisionByZeroError):
                    await connection.fetch("SELECT 1/0")
                for _ in range(2):
                    with pytest.raises(InFailedSQLTransactionError, match="aborted"):
                        async with connection.transaction(), connection.transaction():
                            await insert(connection, 2)
                    with pytest.raises(InFailedSQLTransactionError, match="aborted"):
                        await insert(connection, 3)
        async with connection.transaction(), connection.transaction():
            await insert(connection, 4)
        assert await ids(connection) == [4]

    on(main)


# --- The connection ends ---


def test_a_connection_that_is_lost(on: Any, postgres: Postgres) -> None:
    async def main(connection: Connection) -> None:
        with pytest.raises(PostgresError) as caught:
            async with connection.transaction():
                await insert(connection, 1)
                try:
                    await connection.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
                except ConnectionLostError:
                    # As servers of version 15 and later do.
                    raise KeyError from None
        raise caught.value

    with pytest.raises((PostgresError, ConnectionLostError, KeyError)):
        on(main)


def test_lost_in_a_block_that_goes_on(on: Any, postgres: Postgres) -> None:
    async def main(connection: Connection) -> None:
        pid = connection.process_id
        with pytest.raises(ConnectionLostError) as caught:
            async with connection.transaction():
                await insert(connection, 1)
                await asyncio.to_thread(postgres.execute, "SELECT pg_terminate_backend(%s)", pid)
                while not connection.is_closed:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        assert not isinstance(caught.value, CommitUnknownError)
        with pytest.raises(KeyError):
            async with connection.transaction():
                raise KeyError

    with pytest.raises(ConnectionLostError):
        on(main)


def test_lost_at_commit(on: Any, postgres: Postgres) -> None:
    async def main(connection: Connection) -> None:
        runs = 0
        async with proxy(postgres) as between, await connect(between.dsn) as other:
            await other.execute("CREATE TEMPORARY TABLE v (id int)")

            async def move(_connection: Any) -> None:
                nonlocal runs
                runs += 1
                await other.fetch("INSERT INTO v VALUES (1)")
                between.cut_after, between.cut = 0, "reset"

            with pytest.raises(CommitUnknownError, match="not known whether"):
                await run_again(other.transaction, move)
            assert runs == 1

    on(main)


# --- Run again ---


def test_serialization_failures_are_run_again(on: Any, postgres: Postgres) -> None:
    async def main(connection: Connection) -> None:
        await connection.execute("CREATE TABLE IF NOT EXISTS tx_counters (id int PRIMARY KEY, value int)")
        try:
            await connection.execute("INSERT INTO tx_counters VALUES (1, 0)")
            others = [await connect(postgres.dsn) for _ in range(3)]
            failures = 0
            all_have_read = asyncio.Barrier(3)
            first = True

            async def add(one: Connection) -> None:
                async def body(_transaction: Any) -> None:
                    nonlocal failures, first
                    try:
                        value = await one.fetch_value("SELECT value FROM tx_counters WHERE id = 1")
                        if first:
                            await all_have_read.wait()
                            first = False
                        await one.fetch("UPDATE tx_counters SET value = $1 WHERE id = 1", value + 1)
                    except SerializationError:
                        failures += 1
                        raise

                for _ in range(5):
                    await run_again(lambda: one.transaction("serializable"), body, 100)

            await asyncio.gather(*map(add, others))
            assert await connection.fetch_value("SELECT value FROM tx_counters") == 15
            assert failures
            for one in others:
                await one.close()
        finally:
            await connection.execute("DROP TABLE tx_counters")

    on(main)
