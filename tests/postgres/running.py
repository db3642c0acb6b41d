"""How tests run what is asynchronous: on a loop of their own, and nothing may be left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["run"]

T = TypeVar("T")


def run(
    main: Coroutine[Any, Any, T],
    *,
    seconds: float = 60.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """What the coroutine gives; within `seconds`, and no exception that nobody took and no task are left."""
    told: list[dict[str, Any]] = []
    left: set[asyncio.Task[Any]] = set()

    async def bounded() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        async with asyncio.timeout(seconds):
            result = await main
        # What closes may take some turns.
        own = asyncio.current_task()
        for _ in range(20):
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
