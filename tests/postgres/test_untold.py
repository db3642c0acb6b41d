"""A statement that fails and that nobody awaits: said once, by the loop's exception handler, as asyncio says
it of a future; and what is got, or cancelled, is not."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from fastweb.postgres.connection import connect
from fastweb.postgres.errors import ConnectionLostError, DivisionByZeroError, PostgresError
from fastweb.postgres.pool import PgPool
from tests.postgres.running import run, until
from tests.postgres.servers import Postgres

WRONG = "SELECT 1 / 0"

loops = pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


def _listen() -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    return told


@loops
@pytest.mark.parametrize("kept", [False, True], ids=["dropped at once", "kept"])
def test_it_is_told_with_its_sql(postgres: Postgres, loop_factory: Any, kept: bool) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            told = _listen()
            operation = pool.execute(WRONG)
            if not kept:
                del operation
            # It shares nothing: this comes behind it.
            assert await pool.execute("SELECT 2 FOR UPDATE") == "SELECT 1"
            if kept:
                assert told == []
                del operation
            gc.collect()
            assert [each["message"] for each in told] == [
                f"a statement has failed, and nobody has awaited it: {WRONG}"
            ]
            assert isinstance(told[0]["exception"], DivisionByZeroError)

    run(main(), loop_factory=loop_factory)


async def _awaited(operation: Any) -> None:
    with pytest.raises(DivisionByZeroError):
        await operation


async def _awaited_late(operation: Any) -> None:
    await until(operation.done)
    with pytest.raises(DivisionByZeroError):
        await operation


async def _asked_for_its_error(operation: Any) -> None:
    await until(operation.done)
    assert isinstance(operation.exception(), DivisionByZeroError)


async def _asked_for_its_result(operation: Any) -> None:
    await until(operation.done)
    with pytest.raises(DivisionByZeroError):
        operation.result()


async def _gathered(operation: Any) -> None:
    found: Any = await asyncio.gather(operation, return_exceptions=True)
    assert isinstance(found[0], DivisionByZeroError)


async def _cancelled(operation: Any) -> None:
    operation.cancel()


async def _closed(operation: Any) -> None:
    operation.close()


async def _out_of_time(operation: Any) -> None:
    operation.expire(TimeoutError())


@loops
@pytest.mark.parametrize(
    "get",
    [
        _awaited,
        _awaited_late,
        _asked_for_its_error,
        _asked_for_its_result,
        _gathered,
        _cancelled,
        _closed,
        _out_of_time,
    ],
)
def test_what_somebody_has_got_or_does_not_want_is_not(
    postgres: Postgres, loop_factory: Any, get: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            told = _listen()
            await get(pool.execute(WRONG))
            assert await pool.execute("SELECT 2 FOR UPDATE") == "SELECT 1"
            gc.collect()
            assert told == []

    run(main(), loop_factory=loop_factory)


def test_a_pipeline_tells_the_first_error_only(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            told = _listen()
            for atomic in (False, True):
                with pytest.raises(PostgresError):
                    async with pool.pipeline(atomic=atomic) as p:
                        for _ in range(3):
                            p.execute(WRONG)
                with pytest.raises(KeyError):
                    async with pool.pipeline(atomic=atomic) as p:
                        p.execute(WRONG)
                        await asyncio.gather(p.execute(WRONG), return_exceptions=True)
                        raise KeyError
            gc.collect()
            assert told == []

    run(main())


def test_a_connection_that_ends_is_told_of_what_nobody_awaits(postgres: Postgres) -> None:
    async def main() -> None:
        told = _listen()
        connection = await connect(postgres.dsn)
        asked: Any = connection.execute("SELECT pg_sleep(60)")
        del asked
        await asyncio.sleep(0)
        connection.terminate()
        await connection.close()
        gc.collect()
        assert [type(each["exception"]) for each in told] == [ConnectionLostError]

    run(main())
