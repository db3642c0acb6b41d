"""How tests run what is asynchronous: on a loop of their own, and nothing may be left behind.

A machine that is busy stands still for a second or two, wherever it is: nothing here hopes that something has
happened by now, but waits until it has (`until`, `Gate`), for as long as a test may take.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self, TypeVar

import uvloop

from fastweb.postgres.errors import TooManyConnectionsError
from tests.postgres.servers import Postgres

__all__ = ["PATIENCE", "SLOWER", "Gate", "SlowClock", "SlowClockOfUvloop", "granted", "run", "until"]

T = TypeVar("T")

#: Seconds that anything may take: less than pytest gives a test.
PATIENCE = 100.0


def run(
    main: Coroutine[Any, Any, T],
    *,
    seconds: float = PATIENCE,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """What the coroutine gives; within `seconds`, and no exception that nobody took and no task are left."""
    told: list[dict[str, Any]] = []
    left: set[asyncio.Task[Any]] = set()

    async def bounded() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        async with asyncio.timeout(seconds):
            result = await main
        # What closes may take some turns, and a server's answer.
        own = asyncio.current_task()
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            left.clear()
            left.update(task for task in asyncio.all_tasks() if task is not own)
            if not left:
                break
            await asyncio.sleep(0.01)
        gc.collect()
        await asyncio.sleep(0)
        return result

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        result = runner.run(bounded())
    assert not told, told
    assert not left, left
    return result


async def until(holds: Callable[[], object], what: str = "what is due", seconds: float = 60.0) -> None:
    """Wait until it holds: what nothing tells of, on a server, in a pool, in a thread."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(0.005)


async def granted(ask: Callable[[], Awaitable[T]]) -> T:
    """What it gives once the server has room: a process of it that ends keeps its place for a moment."""
    end = time.monotonic() + 60.0
    while True:
        try:
            return await ask()
        except TooManyConnectionsError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.01)


#: How many of a machine's seconds are one of a slow clock's.
SLOWER = 100


class SlowClock(asyncio.SelectorEventLoop):
    """A loop on which every server is quick."""

    def time(self) -> float:
        return super().time() / SLOWER


class SlowClockOfUvloop(uvloop.Loop):
    def time(self) -> float:
        return super().time() / SLOWER


_keys = itertools.count(1000)


class Gate:
    """A lock of a server that statements wait for until the test lets them: `with Gate(postgres) as gate`.
    A `pg_sleep` in its place is over too soon, or has not begun yet.

    Arguments:
        server: its database is this process's alone, as are the locks in it.

    Attributes:
        sql: what a statement calls to wait, as an expression or in FROM: `pg_advisory_xact_lock_shared(…)`.
    """

    def __init__(self, server: Postgres) -> None:
        import psycopg

        self._server = server
        self._key = next(_keys)
        self._keeper = psycopg.connect(server.dsn, autocommit=True, connect_timeout=60)
        self._keeper.execute(f"select pg_advisory_lock({self._key})")
        self.sql = f"pg_advisory_xact_lock_shared({self._key})"

    def waiting(self) -> int:
        """How many statements stand before it."""
        found: int = self._server.value(
            "select count(*) from pg_locks where locktype = 'advisory' and not granted and objid = %s"
            " and database = (select oid from pg_database where datname = current_database())",
            self._key,
        )
        return found

    async def reached(self, count: int = 1) -> None:
        """Wait until so many statements stand before it."""
        await until(lambda: self.waiting() >= count, "the statements do not run")

    def open(self) -> None:
        """Let all of them go on, and whoever comes later."""
        self._keeper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.open()
