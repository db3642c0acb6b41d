from __future__ import annotations

import asyncio
import functools
import threading

import pytest

from fastweb.background import BackgroundTask, BackgroundTasks


def test_plain_functions_run_in_a_thread_and_coroutines_do_not() -> None:
    seen: list[tuple[str, bool]] = []

    def plain(name: str, *, end: str = "") -> None:
        seen.append((name + end, threading.current_thread() is threading.main_thread()))

    async def coroutine(name: str, *, end: str = "") -> None:
        plain(name, end=end)

    class Callable:
        async def __call__(self, name: str) -> None:
            plain(name)

    tasks = BackgroundTasks([BackgroundTask(plain, "a")])
    tasks.add_task(coroutine, "b", end="!")
    tasks.add_task(plain, "c", end="!")
    tasks.add_task(functools.partial(coroutine, "d"))
    tasks.add_task(Callable(), "e")
    assert [task.is_async for task in tasks.tasks] == [False, True, False, True, True]
    asyncio.run(tasks())
    assert seen == [("a", False), ("b!", True), ("c!", False), ("d", True), ("e", True)]


def test_an_error_ends_them() -> None:
    seen: list[int] = []

    async def fail() -> None:
        raise ValueError("broken")

    tasks = BackgroundTasks()
    tasks.add_task(seen.append, 1)
    tasks.add_task(fail)
    tasks.add_task(seen.append, 2)
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(tasks())
    assert seen == [1]


def test_no_tasks() -> None:
    asyncio.run(BackgroundTasks()())


def test_one_task_keeps_what_it_was_given() -> None:
    task = BackgroundTask(print, 1, sep="-")
    assert (task.func, task.args, task.kwargs, task.is_async) == (print, (1,), {"sep": "-"}, False)
