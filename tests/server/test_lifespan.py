from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from fastweb.server.lifespan import Lifespan


class App:
    def __init__(self, lifespan: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self.lifespan = lifespan

    def open_stream(self, stream: Any) -> None:
        raise AssertionError

    def wants_head(self, stream: Any) -> bool:
        return False


def test_it_is_entered_and_left_in_one_task() -> None:
    seen: list[object] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        # A cancel scope may only be left by the task that entered it.
        async with anyio.create_task_group() as group:
            seen.append(asyncio.current_task())
            yield
            group.cancel_scope.cancel()
        seen.append(asyncio.current_task())

    async def scenario() -> None:
        lifetime = Lifespan(App(lifespan))
        await asyncio.create_task(lifetime.startup())
        assert len(seen) == 1
        await asyncio.create_task(lifetime.shutdown())
        await lifetime.shutdown()

    asyncio.run(scenario())
    assert len(seen) == 2
    assert seen[0] is seen[1]


def test_what_the_start_up_raises_comes_out() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        raise ValueError("no database")
        yield

    async def scenario() -> None:
        lifetime = Lifespan(App(lifespan))
        with pytest.raises(ValueError, match="no database"):
            await lifetime.startup()
        await lifetime.shutdown()

    asyncio.run(scenario())


def test_what_the_shut_down_raises_comes_out() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        yield
        raise ValueError("no farewell")

    async def scenario() -> None:
        lifetime = Lifespan(App(lifespan))
        await lifetime.startup()
        with pytest.raises(ValueError, match="no farewell"):
            await lifetime.shutdown()

    asyncio.run(scenario())


def test_a_start_up_can_be_cancelled() -> None:
    began = asyncio.Event()
    ended: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        try:
            began.set()
            await asyncio.sleep(3600)
            yield
        finally:
            ended.append("cleaned up")

    async def scenario() -> None:
        lifetime = Lifespan(App(lifespan))
        task = asyncio.create_task(lifetime.startup())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await lifetime.shutdown()

    asyncio.run(scenario())
    assert ended == ["cleaned up"]


def test_a_lifespan_that_swallows_its_start() -> None:
    class Odd:
        async def __aenter__(self) -> None:
            raise asyncio.CancelledError

        async def __aexit__(self, *_: object) -> None: ...

    async def scenario() -> None:
        with pytest.raises(asyncio.CancelledError):
            await Lifespan(App(Odd)).startup()

    asyncio.run(scenario())
