"""Calls from threads to an event loop: several at once, timed out, interrupted, to a loop that ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fastweb.postgres import bridge
from fastweb.postgres.bridge import Bridge, bridge_to
from fastweb.postgres.errors import InterfaceError


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def stop(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()


@pytest.fixture
def running() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.stop()


async def give(value: Any, seconds: float = 0) -> Any:
    await asyncio.sleep(seconds)
    return value


def test_what_a_call_gives_and_raises(running: Loop) -> None:
    bridge = bridge_to(running.loop)
    assert bridge is bridge_to(running.loop)
    assert bridge.call(lambda: give(1)) == 1

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        bridge.call(fail)

    def not_even_begun() -> Awaitable[None]:
        raise KeyError("here")

    with pytest.raises(KeyError):
        bridge.call(not_even_begun)
    assert bridge.call(lambda: give(2)) == 2


def test_many_threads_get_each_its_own(running: Loop) -> None:
    wake_ups = 0
    original = running.loop.call_soon_threadsafe

    def counted(function: Callable[..., Any], *args: Any) -> Any:
        nonlocal wake_ups
        wake_ups += 1
        return original(function, *args)

    running.loop.call_soon_threadsafe = counted  # type: ignore[assignment, method-assign]
    bridge = bridge_to(running.loop)

    def work(number: int) -> list[int]:
        return [bridge.call(lambda i=i: give(number * 100 + i)) for i in range(50)]  # type: ignore[misc]

    with ThreadPoolExecutor(16) as threads:
        for number, found in enumerate(threads.map(work, range(16))):
            assert found == [number * 100 + i for i in range(50)]
    assert wake_ups <= 800


def test_those_that_come_while_the_loop_is_busy_share_a_wake_up(running: Loop) -> None:
    wake_ups: list[Any] = []
    gate = threading.Event()
    running.loop.call_soon_threadsafe(gate.wait)
    original = running.loop.call_soon_threadsafe
    bridge = bridge_to(running.loop)
    running.loop.call_soon_threadsafe = lambda *args: wake_ups.append(original(*args))  # type: ignore[assignment, method-assign]
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(bridge.call, lambda: give(1)) for _ in range(8)]
        while len(bridge._calls) < 8:
            time.sleep(0.001)
        gate.set()
        assert [call.result() for call in calls] == [1] * 8
    assert len(wake_ups) == 1


def test_on_a_loop_s_own_thread_it_says_to_await(running: Loop) -> None:
    async def call() -> None:
        with pytest.raises(InterfaceError, match="await instead"):
            bridge_to(running.loop).call(lambda: give(1))

    asyncio.run(call())
    asyncio.run_coroutine_threadsafe(call(), running.loop).result()


def test_a_blocked_loop_is_given_up(running: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_GRACE", 0.05)
    monkeypatch.setattr(bridge, "_LOOK", 0.05)
    gate = threading.Event()
    running.loop.call_soon_threadsafe(gate.wait)
    called: list[str] = []

    async def late() -> None:
        called.append("late")

    with pytest.raises(TimeoutError, match="blocked"):
        bridge_to(running.loop).call(late, 0.01)
    gate.set()
    assert bridge_to(running.loop).call(lambda: give(3)) == 3
    assert called == [], "who gave up before it began has begun nothing"


def test_who_is_interrupted_cancels_the_call(running: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_LOOK", 0.02)
    began, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        began.set()
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    looks = 0

    def interrupt() -> bool:
        nonlocal looks
        looks += began.is_set()
        if looks == 3:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(running.loop, "is_closed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bridge_to(running.loop).call(wait)
    assert ended.wait(60)


@pytest.mark.parametrize("begun", [False, True])
def test_a_loop_that_ends(running: Loop, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_LOOK", 0.05)
    way = bridge_to(running.loop)
    started = threading.Event()

    async def wait() -> None:
        started.set()
        await asyncio.sleep(600)

    if not begun:
        gate = threading.Event()
        running.loop.call_soon_threadsafe(gate.wait)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(way.call, wait)
        if begun:
            started.wait()
        else:
            while not way._calls:
                time.sleep(0.001)
            running.loop.call_soon_threadsafe(running.loop.stop)
            gate.set()
        running.stop()
        with pytest.raises(InterfaceError, match=r"has ended|was cancelled"):
            call.result(60)
    with pytest.raises(InterfaceError, match="has ended"):
        way.call(wait)


def test_a_loop_is_not_held() -> None:
    loop = Loop()
    way = bridge_to(loop.loop)
    assert way.call(lambda: give(1)) == 1
    loop.stop()
    assert isinstance(way, Bridge)
    del loop
    import gc

    gc.collect()
    with pytest.raises(InterfaceError, match="has ended"):
        way.call(lambda: give(1))
