"""`Depends(max_concurrency=...)`: calls of a dependency that wait for each other.

The bound is put around the dependency when the plan is made; a plan without one knows nothing of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from fastweb.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastweb.dependencies.calls import Kind
from fastweb.params import Concurrency

__all__ = ["bounded"]


def bounded(
    call: Callable[..., Any], kind: Kind, concurrency: Concurrency
) -> tuple[Callable[..., Any], Kind]:
    """A dependency, bounded, and the kind that it is then.

    Arguments:
        call, kind: the dependency.
        concurrency: what it shares the bound with.
    """
    if kind in (Kind.COROUTINE, Kind.PLAIN, Kind.AT_ONCE):

        async def wait_and_call(**values: Any) -> Any:
            async with concurrency.get_semaphore():
                if kind is Kind.COROUTINE:
                    return await call(**values)
                if kind is Kind.AT_ONCE:
                    return call(**values)
                # The thread is asked for last: those who wait hold none.
                return await run_in_threadpool(call, **values)

        return wait_and_call, Kind.COROUTINE

    async def wait_and_enter(**values: Any) -> AsyncIterator[Any]:
        entered: AbstractAsyncContextManager[Any]
        if kind is Kind.ASYNC_GENERATOR:
            entered = asynccontextmanager(call)(**values)
        else:
            entered = contextmanager_in_threadpool(contextmanager(call)(**values))
        async with concurrency.get_semaphore(), entered as value:
            yield value

    return wait_and_enter, Kind.ASYNC_GENERATOR
