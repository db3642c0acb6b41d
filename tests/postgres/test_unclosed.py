"""Connections and pools that nobody closes: one warning each, with the place where they were made."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from fastweb.postgres import PgPool, connect
from tests.postgres.running import until
from tests.postgres.servers import Postgres

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def warned(main: Callable[[], Coroutine[Any, Any, object]], loop: str) -> list[str]:
    """What is warned of while it runs, and when all of it is collected after the loop was closed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            kept = runner.run(main())
        del kept, runner
        gc.collect()
    assert all(each.category is ResourceWarning for each in caught)
    return [str(each.message) for each in caught]


def _without_uvloop_s_own(found: list[str]) -> list[str]:
    """As it closes, uvloop tells of all that is open then, whoever still has it."""
    return [words for words in found if not words.startswith("unclosed resource <TCPTransport")]


async def all_closed(postgres: Postgres) -> None:
    """As the server sees it: asking takes the loop some turns, in which a transport ends, too."""
    await until(lambda: not postgres.connections(), "connections are left")
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("loop", list(LOOPS))
@pytest.mark.parametrize("kept", [False, True], ids=["on-the-loop", "after-it"])
def test_a_connection(postgres: Postgres, loop: str, kept: bool) -> None:
    async def main() -> object:
        connection = await connect(postgres.dsn)
        assert await connection.fetch_value("select 1") == 1
        return connection if kept else None

    [words] = _without_uvloop_s_own(warned(main, loop))
    assert words.startswith("a connection was never closed: <Connection to ")
    assert "; made at " in words
    assert "test_unclosed.py:" in words


@pytest.mark.parametrize("loop", list(LOOPS))
@pytest.mark.parametrize("kept", [False, True], ids=["on-the-loop", "after-it"])
def test_a_pool(postgres: Postgres, loop: str, kept: bool) -> None:
    async def main() -> object:
        pool = PgPool(postgres.dsn, 2, 4)
        await pool.open()
        assert await pool.fetch_value("select 1") == 1
        return pool if kept else None

    [words] = _without_uvloop_s_own(warned(main, loop))
    assert words.startswith("a pool was never closed: <PgPool of ")
    assert "test_unclosed.py:" in words


@pytest.mark.parametrize("loop", list(LOOPS))
def test_what_was_asked_is_answered_first(postgres: Postgres, loop: str) -> None:
    async def main() -> None:
        assert await (await connect(postgres.dsn)).fetch_value("select 1 from pg_sleep(0.05)") == 1
        assert await PgPool(postgres.dsn).fetch_value("select 2 from pg_sleep(0.05)") == 2
        lent = await PgPool(postgres.dsn).acquire()
        await asyncio.sleep(0.1)
        assert await lent.fetch_value("select 3") == 3
        lent.lease.release()
        del lent
        await all_closed(postgres)

    assert len(warned(main, loop)) == 3


@pytest.mark.parametrize("loop", list(LOOPS))
def test_what_is_closed_is_not_told(postgres: Postgres, loop: str) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn), PgPool(postgres.dsn):
            PgPool(postgres.dsn)
        (await connect(postgres.dsn)).terminate()
        await all_closed(postgres)

    assert warned(main, loop) == []
