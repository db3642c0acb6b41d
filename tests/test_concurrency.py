from __future__ import annotations

import asyncio
import functools
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any
from unittest.mock import AsyncMock

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from fastweb import concurrency
from fastweb.concurrency import (
    ThreadPool,
    call_function,
    collapsing_task_group,
    contextmanager_in_threadpool,
    is_async_callable,
    iterate_in_threadpool,
    run_in_own_thread,
    run_in_threadpool,
    run_until_first_complete,
    thread_pool,
)
from fastweb.exceptions import FastWebDeprecationWarning

VAR: ContextVar[str] = ContextVar("VAR")
OTHER: ContextVar[str] = ContextVar("OTHER", default="default")


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return functools.partial(anyio.run, backend=request.param)


@pytest.fixture
def pool_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_pool, "size", 1)


def wait_for(event: threading.Event) -> None:
    assert event.wait(30), "nobody set the event"


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until another thread has got somewhere."""
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - no thread can set an anyio.Event
            await anyio.sleep(0.001)


async def never() -> None: ...


class Asynchronous:
    async def __call__(self) -> None: ...


class Plain:
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (never, True),
        (functools.partial(functools.partial(never)), True),
        (Asynchronous(), True),
        (functools.partial(Asynchronous()), True),
        (Asynchronous().__call__, True),
        (AsyncMock(), True),
        (print, False),
        (Plain(), False),
        (functools.partial(print), False),
        (5, False),
    ],
)
def test_is_async_callable(obj: Any, expected: bool) -> None:
    assert is_async_callable(obj) is expected


# What is run in a thread


def test_arguments_result_and_thread(run: Callable[..., Any]) -> None:
    def work(a: int, *rest: int, b: int) -> tuple[Any, ...]:
        return a, rest, b, threading.current_thread() is threading.main_thread()

    async def main() -> None:
        assert await run_in_threadpool(work, 1, 2, 3, b=4) == (1, (2, 3), 4, False)

    run(main)


@pytest.mark.parametrize("error", [ValueError("broken"), KeyError("a"), BaseException("b")])
def test_errors_are_the_callers(run: Callable[..., Any], error: BaseException) -> None:
    def work() -> None:
        raise error

    async def main() -> None:
        with pytest.raises(type(error)) as caught:
            await run_in_threadpool(work)
        assert caught.value is error

    run(main)


def test_stop_iteration_becomes_a_runtime_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await run_in_threadpool(next, iter(()))

    run(main)


def test_nothing_keeps_an_error_or_a_result_alive() -> None:
    class Thing:
        pass

    things: list[weakref.ref[Thing]] = []

    def work(fail: bool) -> Thing:
        thing = Thing()
        things.append(weakref.ref(thing))
        if fail:
            raise ValueError("broken")
        return thing

    async def main() -> None:
        await run_in_threadpool(work, False)
        try:
            await run_in_threadpool(work, True)
        except ValueError:
            pass
        # A thread lets go of its job just after it has reported the end.
        await until(lambda: all(thing() is None for thing in things))

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_many_run_at_once(run: Callable[..., Any]) -> None:
    # More than the 40 that anyio would let run; each waits for all the others.
    barrier = threading.Barrier(100)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(run_in_threadpool, barrier.wait, 30)

    run(main)


def test_the_size_is_an_option(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    running = 0
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(30)  # for so many that are at work
        with lock:
            running -= 1

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(18):
                group.start_soon(run_in_threadpool, work)

    for size in (3, 1, 2):
        monkeypatch.setattr(thread_pool, "size", size)
        together = threading.Barrier(size)
        most = 0
        run(main)
        assert most == size


@pytest.mark.usefixtures("pool_of_one")
def test_a_thread_of_ones_own_is_none_of_the_pool(run: Callable[..., Any]) -> None:
    """Two that stay, and a pool of one thread, which others use meanwhile."""
    begun, go_on = threading.Semaphore(0), threading.Event()

    def stay(value: int) -> None:
        begun.release()
        wait_for(go_on)
        results.append(value)

    results: list[int] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(run_in_own_thread, stay, 1)
            group.start_soon(run_in_own_thread, stay, 1)
            for _ in range(2):
                await until(lambda: begun.acquire(blocking=False))
            assert await run_in_threadpool(int) == 0
            go_on.set()
        assert results == [1, 1]

    run(main)


@pytest.mark.parametrize("size", [0, -1])
def test_a_pool_has_threads(size: int) -> None:
    with pytest.raises(ValueError, match=f"at least one thread, not {size}"):
        ThreadPool(size=size)


def test_one_call_after_the_other_needs_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ThreadPool(size=10)
    monkeypatch.setattr("fastweb.concurrency.thread_pool", pool)

    async def main() -> None:
        for _ in range(50):
            await run_in_threadpool(int)

    asyncio.run(main())
    assert len(pool) == 1
    pool.close()


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ThreadPool(size=10, idle_timeout=0.01)
    monkeypatch.setattr("fastweb.concurrency.thread_pool", pool)
    barrier = threading.Barrier(5)

    async def main() -> None:
        await asyncio.gather(*[run_in_threadpool(barrier.wait, 30) for _ in range(5)])
        await until(lambda: len(pool) == 0)
        assert await run_in_threadpool(int) == 0

    asyncio.run(main())
    pool.close()


def test_without_threads_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ThreadPool(size=10)
    monkeypatch.setattr("fastweb.concurrency.thread_pool", pool)

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def none_at_all() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                await run_in_threadpool(int)
        assert await run_in_threadpool(int) == 0

    async def no_more() -> None:
        begun, go_on = threading.Event(), threading.Event()

        def first() -> None:
            begun.set()
            wait_for(go_on)

        task = asyncio.create_task(run_in_threadpool(first))
        await until(begun.is_set)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            others = [asyncio.create_task(run_in_threadpool(int)) for _ in range(3)]
            await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(*others) == [0, 0, 0]
        await task

    asyncio.run(none_at_all())
    pool.close()
    asyncio.run(no_more())
    pool.close()


# Context variables


def test_context_goes_both_ways(run: Callable[..., Any]) -> None:
    def work() -> tuple[str, str]:
        seen = (VAR.get(), OTHER.get())
        VAR.set("of the thread")
        OTHER.set("too")
        return seen

    async def main() -> None:
        VAR.set("of the caller")
        assert await run_in_threadpool(work) == ("of the caller", "default")
        assert (VAR.get(), OTHER.get()) == ("of the thread", "too")

    run(main)


def test_context_comes_back_from_a_function_that_fails(run: Callable[..., Any]) -> None:
    def work() -> None:
        VAR.set("of the thread")
        raise ValueError("broken")

    async def main() -> None:
        VAR.set("of the caller")
        with pytest.raises(ValueError, match="broken"):
            await run_in_threadpool(work)
        assert VAR.get() == "of the thread"

    run(main)


def test_what_a_function_leaves_alone_is_left_alone(run: Callable[..., Any]) -> None:
    class Odd:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise AssertionError("values are told apart by identity")

    odd: ContextVar[Odd] = ContextVar("odd")

    async def main() -> None:
        value = Odd()
        odd.set(value)
        await run_in_threadpool(OTHER.set, "x")
        assert odd.get() is value

    run(main)


def test_calls_do_not_see_each_others_context() -> None:
    def work(value: str) -> str:
        seen = VAR.get("unset")
        VAR.set(value)
        return seen

    async def main() -> None:
        assert await asyncio.gather(*[run_in_threadpool(work, str(i)) for i in range(50)]) == ["unset"] * 50
        assert VAR.get("unset") == "unset"

    asyncio.run(main())


# Iterators


def test_iterate(run: Callable[..., Any]) -> None:
    threads = set()

    def numbers() -> Iterator[int]:
        token = VAR.set("inside")
        for i in range(3):
            threads.add(threading.current_thread() is threading.main_thread())
            yield i
        VAR.reset(token)

    async def main() -> None:
        VAR.set("outside")
        assert [i async for i in iterate_in_threadpool(numbers())] == [0, 1, 2]
        assert VAR.get() == "outside"
        assert [i async for i in iterate_in_threadpool([None, 1])] == [None, 1]
        assert [i async for i in iterate_in_threadpool(list[int]())] == []

    run(main)
    assert threads == {False}


def test_iterate_over_what_fails(run: Callable[..., Any]) -> None:
    def numbers() -> Iterator[int]:
        yield from [1]
        raise ValueError("broken")

    async def main() -> None:
        seen: list[int] = []
        with pytest.raises(ValueError, match="broken"):
            async for i in iterate_in_threadpool(numbers()):
                seen.append(i)  # noqa: PERF401
        assert seen == [1]

    run(main)


# Context managers


class Recorder:
    """A context manager that records what happens to it."""

    def __init__(self, *, suppress: bool = False) -> None:
        self.events: list[Any] = []
        self.suppress = suppress

    def __enter__(self) -> str:
        self.events.append("enter")
        return "value"

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        self.events.append(exc_type)
        return self.suppress


def test_context_manager(run: Callable[..., Any]) -> None:
    recorder = Recorder()

    async def main() -> None:
        async with contextmanager_in_threadpool(recorder) as value:
            assert value == "value"
            assert recorder.events == ["enter"]
        async with AsyncExitStack() as stack:
            assert await stack.enter_async_context(contextmanager_in_threadpool(recorder)) == "value"

    run(main)
    assert recorder.events == ["enter", None, "enter", None]


def test_context_manager_sees_errors_and_may_suppress_them(run: Callable[..., Any]) -> None:
    strict, lax = Recorder(), Recorder(suppress=True)

    async def main() -> None:
        with pytest.raises(ValueError, match="broken"):
            async with contextmanager_in_threadpool(strict):
                raise ValueError("broken")
        async with contextmanager_in_threadpool(lax):
            raise ValueError("broken")

    run(main)
    assert strict.events == lax.events == ["enter", ValueError]


def test_context_manager_may_replace_an_error(run: Callable[..., Any]) -> None:
    @contextmanager
    def replacing() -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise KeyError("other") from error

    async def main() -> None:
        with pytest.raises(KeyError, match="other") as caught:
            async with contextmanager_in_threadpool(replacing()):
                raise ValueError("broken")
        assert isinstance(caught.value.__cause__, ValueError)

    run(main)


def test_context_manager_that_cannot_be_entered_is_not_left(run: Callable[..., Any]) -> None:
    left = []

    class Broken:
        def __enter__(self) -> None:
            raise ValueError("broken")

        def __exit__(self, *args: object) -> None:
            left.append(True)

    async def main() -> None:
        with pytest.raises(ValueError, match="broken"):
            async with contextmanager_in_threadpool(Broken()):
                raise AssertionError("entered")

    run(main)
    assert left == []


def test_tokens_of_a_context_manager_can_be_reset(run: Callable[..., Any]) -> None:
    @contextmanager
    def setting(var: ContextVar[str]) -> Iterator[None]:
        token = var.set("inside")
        try:
            yield
        finally:
            assert OTHER.get() == "set meanwhile"
            var.reset(token)

    async def main() -> None:
        VAR.set("outside")
        fresh: ContextVar[str] = ContextVar("fresh")
        for var in (VAR, fresh):
            async with contextmanager_in_threadpool(setting(var)):
                assert var.get() == "inside"
                OTHER.set("set meanwhile")
            OTHER.set("set later")
        assert VAR.get() == "outside"
        assert fresh.get("unset") == "unset"

    run(main)


@pytest.mark.usefixtures("pool_of_one")
def test_context_manager_is_left_though_the_pool_be_full(run: Callable[..., Any]) -> None:
    # The one thread waits for what only the context manager's exit gives.
    begun, released = threading.Event(), threading.Event()

    @contextmanager
    def resource() -> Iterator[None]:
        yield
        released.set()

    def waiting() -> None:
        begun.set()
        wait_for(released)

    async def main() -> None:
        async with anyio.create_task_group() as group, contextmanager_in_threadpool(resource()):
            group.start_soon(run_in_threadpool, waiting)
            await until(begun.is_set)

    run(main)


# Cancellation


def test_a_cancelled_caller_waits_for_the_end(run: Callable[..., Any]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    events = []

    def work() -> None:
        begun.set()
        wait_for(go_on)
        events.append("function ended")

    async def caller(scope: anyio.CancelScope) -> None:
        with scope:
            await run_in_threadpool(work)
            await anyio.lowlevel.checkpoint()
            events.append("not cancelled")
        events.append("caller ended")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(caller, scope)
            await until(begun.is_set)
            scope.cancel()
            for _ in range(5):
                await anyio.sleep(0.001)
            assert events == []
            go_on.set()

    run(main)
    assert events == ["function ended", "caller ended"]


def test_waiting_for_the_end_does_not_keep_the_loop_busy() -> None:
    # anyio asks a cancelled task to end in each turn of the loop, until it does.
    asked = 0

    class CountingTask(asyncio.Task[None]):
        def cancel(self, msg: Any = None) -> bool:
            nonlocal asked
            asked += 1
            return super().cancel(msg)

    async def cancelled() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await run_in_threadpool(time.sleep, 0.05)

    async def main() -> None:
        await CountingTask(cancelled())

    asyncio.run(main())
    assert 0 < asked < 5


def test_native_cancellation_waits_too() -> None:
    begun, go_on = threading.Event(), threading.Event()
    events = []

    def work() -> None:
        begun.set()
        wait_for(go_on)
        events.append("function ended")

    async def main() -> None:
        task = asyncio.create_task(run_in_threadpool(work))
        await until(begun.is_set)
        for _ in range(3):
            task.cancel("please")
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError, match="please"):
            await task
        assert task.cancelled()
        assert task.cancelling() == 3

    asyncio.run(main())
    assert events == ["function ended"]


def test_timeouts_take_effect_at_the_end() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ended = []

        def work(*limits: asyncio.Timeout) -> None:
            for limit in limits:  # The time is up when a thread is at work, not before.
                loop.call_soon_threadsafe(limit.reschedule, 0)
            time.sleep(0.05)
            ended.append(True)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await run_in_threadpool(work, limit)
        assert ended == [True]
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as outer, asyncio.timeout(None) as inner:
                await run_in_threadpool(work, outer, inner)
        assert task.cancelling() == 0

        begun = threading.Event()

        def work_until_cancelled() -> None:
            begun.set()
            deadline = time.monotonic() + 30
            while not work_begun.cancelling() and time.monotonic() < deadline:
                time.sleep(0.001)
            ended.append(True)

        work_begun = asyncio.create_task(run_in_threadpool(work_until_cancelled))
        await until(begun.is_set)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(work_begun, 0.01)
        assert ended == [True] * 3

    asyncio.run(main())


def test_an_error_after_the_cancellation_is_its_cause() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        wait_for(go_on)
        raise ValueError("broken")

    async def main() -> None:
        task = asyncio.create_task(run_in_threadpool(work))
        await until(begun.is_set)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        causes = []
        error: BaseException | None = caught.value
        while error is not None:
            causes.append(type(error))
            error = error.__cause__ or error.__context__
        assert ValueError in causes

    asyncio.run(main())


@pytest.mark.usefixtures("pool_of_one")
def test_a_function_that_still_waits_for_a_thread_is_dropped(run: Callable[..., Any]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    called: list[int] = []

    def first() -> None:
        begun.set()
        wait_for(go_on)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(run_in_threadpool, first)
            await until(begun.is_set)
            with anyio.move_on_after(0.01) as scope:
                await run_in_threadpool(called.append, 1)
            assert scope.cancelled_caught
            go_on.set()
        assert await run_in_threadpool(int) == 0

    run(main)
    assert called == []


def test_cancelled_while_entering_a_context_manager_it_is_left(run: Callable[..., Any]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    recorder = Recorder()

    class Slow:
        def __enter__(self) -> None:
            begun.set()
            wait_for(go_on)
            recorder.__enter__()

        def __exit__(self, *args: Any) -> None:
            recorder.__exit__(*args)

    async def enter(scope: anyio.CancelScope) -> None:
        with scope:
            async with contextmanager_in_threadpool(Slow()):
                await anyio.lowlevel.checkpoint()
                raise AssertionError("not cancelled")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(enter, scope)
            await until(begun.is_set)
            scope.cancel()
            await anyio.sleep(0.001)
            go_on.set()
        assert recorder.events == ["enter", anyio.get_cancelled_exc_class()]

    run(main)


def test_cancelled_within_a_context_manager_it_is_left(run: Callable[..., Any]) -> None:
    recorder = Recorder()

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with contextmanager_in_threadpool(recorder):
                scope.cancel()
                await anyio.sleep(1)
        assert scope.cancelled_caught
        assert recorder.events == ["enter", anyio.get_cancelled_exc_class()]

    run(main)


# Living with others


def test_anyio_finds_its_way_back_to_the_loop(run: Callable[..., Any]) -> None:
    async def in_the_loop(value: str) -> tuple[str, bool, str]:
        await anyio.lowlevel.checkpoint()
        return value, threading.current_thread() is threading.main_thread(), VAR.get()

    def work() -> tuple[str, bool, str]:
        anyio.from_thread.check_cancelled()
        VAR.set("of the thread")
        assert anyio.from_thread.run_sync(threading.current_thread) is threading.main_thread()
        return anyio.from_thread.run(in_the_loop, "x")

    async def main() -> None:
        assert await run_in_threadpool(work) == ("x", True, "of the thread")

    run(main)


def test_a_thread_may_run_a_loop_of_its_own(run: Callable[..., Any]) -> None:
    async def answer() -> int:
        await anyio.lowlevel.checkpoint()
        return 42

    def work() -> list[int]:
        return [anyio.run(answer), anyio.run(answer, backend="trio"), asyncio.run(answer())]

    def twice() -> Iterator[list[int]]:
        yield work()
        yield work()

    async def main() -> None:
        assert await run_in_threadpool(work) == [42] * 3
        assert [item async for item in iterate_in_threadpool(twice())] == [[42] * 3] * 2
        # The caller's own library is still known.
        await anyio.lowlevel.checkpoint()

    run(main)


def test_loops_in_several_threads_share_the_pool() -> None:
    results: list[int] = []

    async def main() -> None:
        results.extend(await asyncio.gather(*[run_in_threadpool(int) for _ in range(100)]))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0] * 400


def script(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_asyncio_needs_no_anyio() -> None:
    out = script("""
import asyncio, sys, threading
from fastweb.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastweb.background import BackgroundTask

begun, go_on = threading.Event(), threading.Event()
def work():
    begun.set()
    go_on.wait()

async def main():
    await BackgroundTask(print, "ran")()
    async with contextmanager_in_threadpool(threading.Lock()):
        pass
    task = asyncio.create_task(run_in_threadpool(work))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    go_on.set()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")

asyncio.run(main())
assert "anyio" not in sys.modules
""")
    assert out == "ran\ncancelled\n"


def test_the_interpreter_waits_for_what_runs_but_not_for_idle_threads() -> None:
    out = script("""
import asyncio, threading, time
from fastweb.concurrency import run_in_threadpool

begun, closed = threading.Event(), threading.Event()
def work():
    begun.set()
    closed.wait()
    time.sleep(0.1)
    print("ended")

async def main():
    await run_in_threadpool(int)
    coroutine = run_in_threadpool(work)
    coroutine.send(None)
    while not begun.is_set():
        await asyncio.sleep(0.001)
    coroutine.close()

asyncio.run(main())
print("loop closed")
closed.set()
""")
    assert out == "loop closed\nended\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    out = script("""
import asyncio, os, threading, warnings
from fastweb.concurrency import run_in_threadpool, thread_pool

async def main():
    return await run_in_threadpool(int, "7")

print(asyncio.run(main()), len(thread_pool), flush=True)
warnings.simplefilter("ignore")  # 3.12+: forking with threads about
pid = os.fork()
if pid == 0:
    print(len(thread_pool), asyncio.run(main()), len(thread_pool), flush=True)
else:
    assert os.waitpid(pid, 0)[1] == 0
""")
    assert out == "7 1\n0 7 1\n"


# --- Functions of either kind, and several at once ---


def test_a_function_is_called_in_its_own_way(run: Callable[..., Any]) -> None:
    def plain(value: int) -> tuple[int, threading.Thread]:
        return value, threading.current_thread()

    async def asynchronous(value: int) -> tuple[int, threading.Thread]:
        return plain(value)

    async def main() -> None:
        here = threading.current_thread()
        assert await call_function(asynchronous, 1) == (1, here)
        value, thread = await call_function(plain, 2)
        assert value == 2
        assert thread is not here

    run(main)


def test_the_first_to_end_ends_the_others(run: Callable[..., Any]) -> None:
    ended = []

    async def first(name: str) -> None:
        ended.append(name)

    async def second() -> None:
        await anyio.sleep_forever()

    async def main() -> None:
        with pytest.warns(FastWebDeprecationWarning, match="run_until_first_complete is deprecated"):
            await run_until_first_complete((second, {}), (first, {"name": "first"}))

    run(main)
    assert ended == ["first"]


async def fail(error: BaseException) -> None:
    raise error


def test_one_error_comes_out_of_a_task_group_as_itself(run: Callable[..., Any]) -> None:
    cause = ValueError("cause")
    error = KeyError("k")
    error.__cause__ = cause

    async def main() -> None:
        async with collapsing_task_group() as group:
            group.start_soon(fail, error)

    with pytest.raises(KeyError) as caught:
        run(main)
    assert caught.value is error
    assert error.__cause__ is cause


def test_several_errors_stay_a_group(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with collapsing_task_group() as group:
            group.start_soon(fail, KeyError("a"))
            group.start_soon(fail, KeyError("b"))

    with pytest.raises(ExceptionGroup) as caught:
        run(main)
    assert sorted(str(error) for error in caught.value.exceptions) == ["'a'", "'b'"]


def test_fastapi_has_asynccontextmanager_here() -> None:
    assert concurrency.asynccontextmanager is asynccontextmanager


def test_threads_of_their_own_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastweb.concurrency import own_threads, run_in_own_thread

    monkeypatch.setattr(own_threads, "most", 2)
    leave = threading.Event()

    async def main() -> None:
        running = [asyncio.ensure_future(run_in_own_thread(leave.wait, 20)) for _ in range(2)]
        await asyncio.sleep(0)
        assert own_threads.count == 2
        with pytest.raises(RuntimeError, match="most there may be"):
            await run_in_own_thread(int)
        leave.set()
        assert await asyncio.gather(*running) == [True, True]
        assert await run_in_own_thread(int) == 0
        assert own_threads.count == 0

    asyncio.run(main())
