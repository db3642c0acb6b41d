"""A connection lent: every way to await it, with one there and with none, and what is left of it after."""

from __future__ import annotations

import asyncio
import gc
import sys
import types
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from fastweb.postgres.errors import InterfaceError, PoolTimeoutError
from fastweb.postgres.leases import Lease, PooledConnection
from fastweb.postgres.pool import PgPool
from tests.postgres.running import run, until
from tests.postgres.servers import Postgres

loops = pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


async def _awaited(lease: Lease) -> PooledConnection:
    return await lease


@types.coroutine
def _yielded_from(lease: Lease) -> Any:
    return (yield from lease.__await__())


#: Ways to have what a lease lends.
WAYS: dict[str, Callable[[Lease], Any]] = {
    "await": _awaited,
    "aenter": lambda lease: asyncio.ensure_future(lease.__aenter__()),
    "task": asyncio.ensure_future,
    "wait_for": lambda lease: asyncio.wait_for(lease, 100.0),
    "gather": lambda lease: _first(asyncio.gather(lease)),
    "shield": asyncio.shield,
    "yield from": lambda lease: asyncio.ensure_future(_yielded_from(lease)),
}


async def _first(several: Any) -> PooledConnection:
    found: PooledConnection = (await several)[0]
    return found


def test_it_is_not_iterated_over(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            for misuse in (list, iter, next, dict):
                with pytest.raises(TypeError, match="`async with"):
                    misuse(pool.acquire())
            assert pool.stats().held == 0
            lease = pool.acquire()
            connection = await lease
            with pytest.raises(TypeError, match="connection = await"):
                list(lease)
            assert await connection.fetch_value("SELECT 1") == 1
            await pool.release(connection)

    run(main())


@pytest.mark.parametrize("there", [True, False], ids=["there", "waited for"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_await_one(postgres: Postgres, way: str, there: bool) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            held = None if there else await pool.acquire()
            asked = asyncio.ensure_future(WAYS[way](pool.acquire()))
            if held is not None:
                await until(lambda: pool.stats().waiting == 1)
                await pool.release(held)
            connection = await asked
            assert await connection.fetch_value("SELECT 1") == 1
            assert pool.stats().held == 1
            await pool.release(connection)
            assert pool.stats().held == 0
            assert pool.stats().leases == (1 if there else 2)

    run(main())


def test_two_tasks_wait_for_what_one_lease_lends(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool:
            held = [await pool.acquire(), await pool.acquire()]
            lease = pool.acquire()
            tasks = [asyncio.create_task(_awaited(lease)) for _ in range(2)]
            await until(lambda: pool.stats().waiting == 2)
            for connection in held:
                await pool.release(connection)
            got, refused = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(got, PooledConnection)
            assert isinstance(refused, InterfaceError)
            assert await got.fetch_value("SELECT 1") == 1
            assert pool.stats().held == 1
            await pool.release(got)

    run(main())


def test_a_connection_that_was_given_back_is_not_its_next_borrower_s(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            async with pool.acquire() as first:
                number = first.process_id
            async with pool.acquire() as second:
                assert second.process_id == number
                assert second is not first
                with pytest.raises(InterfaceError, match="given back"):
                    await first.fetch_value("SELECT 1")
                await pool.release(first)
                assert pool.stats().held == 1
                assert await second.fetch_value("SELECT 2") == 2

    run(main())


def test_what_was_lent_is_freed_with_no_garbage_collection(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            gc.disable()
            try:
                async with pool.acquire() as connection:
                    await connection.fetch_value("SELECT 1")
                    kept = weakref.ref(connection)
                del connection
                assert kept() is None
            finally:
                gc.enable()

    run(main())


def test_the_place_is_where_it_was_asked_for(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:

            async def said_by_others() -> str:
                with pytest.raises(PoolTimeoutError) as caught:
                    await pool.acquire(timeout=0.0)
                return str(caught.value)

            async with pool.acquire():
                assert f"{_place_above()} in test_the_place" in await said_by_others()
            async with pool.transaction():
                assert f"{_place_above()} in test_the_place" in await said_by_others()
            async with pool.pipeline():
                assert f"{_place_above()} in test_the_place" in await said_by_others()
            connection = (
                # On a line of its own.
                await pool.acquire()
            )
            assert f"{_place_above(2)} in test_the_place" in await said_by_others()
            await pool.release(connection)
            rows = pool.iterate("SELECT generate_series(1, 9)", prefetch=1)
            async for _ in rows:
                assert f"{_place_above(2)} in test_the_place" in await said_by_others()
                break
            await rows.aclose()

    run(main())


@loops
@pytest.mark.parametrize("timeout", ["1", float("nan"), True, object()], ids=lambda each: f"{each!r:.7}")
def test_a_timeout_that_is_none_takes_nothing_with_it(
    postgres: Postgres, loop_factory: Any, timeout: Any
) -> None:
    """It has once stayed in line with nobody behind it, and got the next connection that was given back."""

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            async with pool.acquire():
                with pytest.raises((TypeError, ValueError)):
                    await pool.acquire(timeout=timeout)
                with pytest.raises((TypeError, ValueError)):
                    async with pool.transaction(timeout=timeout):
                        pass
                assert pool.stats().waiting == 0
            async with asyncio.timeout(60.0), pool.acquire() as connection:
                assert await connection.fetch_value("SELECT 1") == 1

    run(main(), loop_factory=loop_factory)


@loops
def test_a_time_that_is_past_is_a_timeout(postgres: Postgres, loop_factory: Any) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool, pool.acquire():
            with pytest.raises(PoolTimeoutError):
                await pool.acquire(timeout=-1.0)

    run(main(), loop_factory=loop_factory)


def test_a_forgotten_connection_is_the_pool_s_again_where_warnings_are_errors(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await pool.acquire()
                gc.collect()
            async with asyncio.timeout(60.0), pool.acquire() as connection:
                assert await connection.fetch_value("SELECT 1") == 1

    run(main())
    assert [each.exc_type for each in raised] == [ResourceWarning]


def _place_above(lines: int = 1) -> str:
    """The place so many lines above the one that calls this."""
    frame = sys._getframe(1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno - lines}"
