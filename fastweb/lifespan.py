"""Start-up and shut-down, in each of the forms that an app may write them, as one async context manager."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any

__all__ = ["event_context", "lifespan_context"]


def lifespan_context(lifespan: Callable[[Any], Any], app: Any) -> AbstractAsyncContextManager[Any]:
    """What a lifespan function gives; it may also be a bare generator function, async or plain."""
    import inspect  # not loaded with every app

    if inspect.isasyncgenfunction(lifespan):
        return asynccontextmanager(lifespan)(app)
    if inspect.isgeneratorfunction(lifespan):
        return _lifted(contextlib.contextmanager(lifespan)(app))
    context: AbstractAsyncContextManager[Any] = lifespan(app)
    return context


@asynccontextmanager
async def _lifted(context: AbstractContextManager[Any]) -> AsyncIterator[Any]:
    with context as state:
        yield state


@asynccontextmanager
async def event_context(
    on_startup: Sequence[Callable[[], Any]], on_shutdown: Sequence[Callable[[], Any]]
) -> AsyncIterator[None]:
    """The older way: functions, plain or async, that are called at start-up and at shut-down."""
    for function in on_startup:
        await _call(function)
    try:
        yield
    finally:
        for function in on_shutdown:
            await _call(function)


async def _call(function: Callable[[], Any]) -> None:
    import inspect

    result = function()
    if inspect.isawaitable(result):
        await result
