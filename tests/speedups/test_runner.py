"""Requests without a scheduled Task: each has, from its first line, a Task of its own, and nothing of one
reaches the next."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import anyio
import pytest

from fastweb._speedups.runner import Runner

BASES: list[type[asyncio.AbstractEventLoop]] = [asyncio.SelectorEventLoop]
try:
    import uvloop
except ImportError:  # Windows has none.
    pass
else:
    BASES.append(uvloop.Loop)

Request = Callable[[], Coroutine[Any, Any, None]]
var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")


def counting(base: type[Any]) -> Any:
    """A loop that counts what is scheduled on it."""

    class CountingLoop(base):  # type: ignore[misc]
        scheduled = 0

        def call_soon(self, *args: Any, **options: Any) -> Any:
            self.scheduled += 1
            return super().call_soon(*args, **options)

        def call_at(self, *args: Any, **options: Any) -> Any:
            self.scheduled += 1
            return super().call_at(*args, **options)

    return CountingLoop()


class Ended:
    """What the runner tells of a request's end."""

    def __init__(self) -> None:
        self.times = 0
        self.error: BaseException | None = None

    def ended(self, error: BaseException | None) -> None:
        self.times += 1
        self.error = error


class Bench:
    """A runner on a loop."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.runner = Runner(loop)
        self.complaints: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _loop, context: self.complaints.append(context))

    def begin(self, *requests: Request) -> list[Ended]:
        """Run the first steps of requests, one after the other in one callback, as a connection does."""
        results = [Ended() for _ in requests]
        failure: list[BaseException] = []

        def begin() -> None:
            try:
                for request, result in zip(requests, results, strict=True):
                    self.runner.run(request(), result)
            except BaseException as error:
                failure.append(error)

        self.call(begin)
        if failure:
            raise failure[0]
        return results

    def run(self, *requests: Request) -> list[Ended]:
        """Run requests until all have ended."""
        return self.end(self.begin(*requests))

    def end(self, results: list[Ended]) -> list[Ended]:
        """Run requests that were begun until all have ended."""
        for _ in range(1000):
            if all(result.times for result in results):
                break
            self.spin()
        self.spin()
        assert [result.times for result in results] == [1] * len(results)
        return results

    def call(self, function: Callable[[], None]) -> None:
        """Call a function in the loop, outside of any Task."""

        def called() -> None:
            try:
                function()
            finally:
                self.loop.stop()

        self.loop.call_soon(called)
        self.loop.run_forever()

    def spin(self, turns: int = 5) -> None:
        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0.0001)

        self.loop.run_until_complete(turn())


@pytest.fixture(scope="module", autouse=True)
def nothing_of_others() -> None:
    """What other tests of this process have left is collected now, or it would complain in one of these."""
    gc.collect()


@pytest.fixture(params=BASES, ids=lambda base: base.__module__.split(".")[0])
def bench(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Bench]:
    bench = Bench(counting(request.param))
    yield bench
    bench.runner.close()
    bench.spin()
    assert not bench.runner.tasks
    assert not [task for task in asyncio.all_tasks(bench.loop) if not task.done()]
    bench.loop.close()
    del bench.runner
    gc.collect()
    # "Task exception was never retrieved", "Task was destroyed but it is pending!" …
    assert bench.complaints == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def errors_of(results: list[Ended]) -> list[str]:
    return [type(result.error).__name__ if result.error is not None else "" for result in results]


# A Task of its own, and yet none is scheduled


def test_an_endpoint_that_never_suspends_schedules_nothing(bench: Bench) -> None:
    made: list[Any] = []
    bench.loop.set_task_factory(lambda loop, coro, **options: made.append(coro))
    counts: list[int] = []

    async def request() -> None:
        current()

    def begin() -> None:
        ended = Ended()
        bench.runner.run(request(), ended)  # On 3.11 the first one makes the spare.
        before = bench.loop.scheduled
        for _ in range(100):
            bench.runner.run(request(), ended)
        counts.append(bench.loop.scheduled - before)
        assert ended.times == 101

    bench.call(begin)
    bench.loop.set_task_factory(None)
    assert counts == [0]
    assert made == []


def test_the_current_task_is_real_and_stays_the_same(bench: Bench) -> None:
    seen: list[asyncio.Task[Any]] = []

    async def request() -> None:
        task = current()
        assert isinstance(task, asyncio.Task)
        assert not task.done()
        assert task.get_loop() is asyncio.get_running_loop() is bench.loop
        assert task in asyncio.all_tasks()
        assert "request" in repr(task)
        assert task.get_name()
        seen.append(task)
        await asyncio.sleep(0)
        seen.append(current())
        assert task in asyncio.all_tasks()
        assert "request" in repr(task)
        assert task.get_stack()
        await asyncio.sleep(0.001)
        seen.append(current())

    assert errors_of(bench.run(request)) == [""]
    assert seen[0] is seen[1] is seen[2]
    assert seen[0].done()
    assert seen[0].result() is None


def test_all_tasks_shows_a_request_and_nothing_between_two(bench: Bench) -> None:
    async def request() -> None:
        assert asyncio.all_tasks() == {current()}

    async def other() -> None:
        assert asyncio.all_tasks(bench.loop) == {current()}
        await asyncio.sleep(0)
        assert asyncio.all_tasks(bench.loop) == {current()}

    assert errors_of(bench.run(request, request, request)) == [""] * 3
    shown: list[set[asyncio.Task[Any]]] = []
    bench.call(lambda: shown.append(asyncio.all_tasks(bench.loop)))
    assert shown == [set()]
    bench.begin(other)
    bench.call(lambda: None)
    bench.call(lambda: None)


def test_there_is_no_current_task_outside(bench: Bench) -> None:
    seen: list[Any] = []
    bench.run(nothing)
    bench.call(lambda: seen.append(asyncio.current_task(bench.loop)))
    assert seen == [None]


async def nothing() -> None:
    pass


# Nothing of one request in the next


def keep_strongly(kept: list[Any]) -> None:
    kept.append(current())


def keep_weakly(kept: list[Any]) -> None:
    kept.append(weakref.ref(current()))


def keep_by_key(kept: list[Any]) -> None:
    keys: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
    keys[current()] = "first"
    kept.append(keys)


def keep_in_callback(kept: list[Any]) -> None:
    current().add_done_callback(kept.append)


def keep_name(kept: list[Any]) -> None:
    current().set_name("first")


def keep_cancel(kept: list[Any]) -> None:
    current().cancel()


def keep_cancel_undone(kept: list[Any]) -> None:
    current().cancel()
    current().uncancel()


def keep_bound_cancel(kept: list[Any]) -> None:
    kept.append(current().cancel)


KEEPERS = (
    keep_strongly,
    keep_weakly,
    keep_by_key,
    keep_in_callback,
    keep_name,
    keep_cancel,
    keep_cancel_undone,
    keep_bound_cancel,
)


@pytest.mark.parametrize("after_a_turn", [False, True], ids=["fresh", "parked"])
@pytest.mark.parametrize("keep", KEEPERS, ids=lambda keep: keep.__name__)
def test_a_task_that_anybody_kept_is_not_shared(
    bench: Bench, keep: Callable[[list[Any]], None], after_a_turn: bool
) -> None:
    kept: list[Any] = []
    log: list[str] = []

    async def first() -> None:
        keep(kept)
        log.append("first")

    async def second() -> None:
        assert current().get_name() != "first"
        assert current().cancelling() == 0
        for thing in kept:
            assert thing is not current()
            if isinstance(thing, weakref.ref):
                assert thing() is not current()
            if isinstance(thing, weakref.WeakKeyDictionary):
                assert current() not in thing
            if callable(thing) and getattr(thing, "__name__", "") == "cancel":
                thing()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append("second")

    if after_a_turn:
        bench.run(nothing)
        bench.spin()
    results = bench.run(first, second, second)
    assert log == ["first", "second", "second"]
    assert errors_of(results)[1:] == ["", ""]
    if keep is keep_in_callback:
        assert len(kept) == 1
        assert kept[0].done()
        kept.clear()
    if keep is keep_strongly:
        assert kept[0].done(), "who waits for the Task of a request hears of its end"


def test_suspended_requests_have_tasks_of_their_own(bench: Bench) -> None:
    seen: list[asyncio.Task[Any]] = []

    async def request() -> None:
        seen.append(current())
        await asyncio.sleep(0.001)

    bench.run(*[request] * 10)
    assert len({id(task) for task in seen}) == 10


@pytest.mark.parametrize("suspends", [False, True])
def test_context_variables_end_with_the_request(bench: Bench, suspends: bool) -> None:
    seen: list[str] = []

    async def request() -> None:
        seen.append(var.get())
        token = var.set("mine")
        if suspends:
            await asyncio.sleep(0)
        assert var.get() == "mine"
        assert contextvars.copy_context()[var] == "mine"
        inner = asyncio.get_running_loop().create_task(child())
        await inner
        var.reset(token)
        var.set("left behind")

    async def quick() -> None:
        seen.append(var.get())
        var.set("left behind")

    async def child() -> None:
        assert var.get() == "mine"
        var.set("child's")

    assert errors_of(bench.run(request, quick, request, quick)) == [""] * 4
    assert seen == ["unset"] * 4


def test_waiting_for_a_task_of_a_request_that_never_suspended(bench: Bench) -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def fails() -> None:
        tasks.append(current())
        raise LookupError("it")

    async def ends() -> None:
        tasks.append(current())

    async def waits() -> None:
        outcomes = await asyncio.gather(*tasks[:2], return_exceptions=True)
        assert repr(outcomes) == "[LookupError('it'), None]"

    assert errors_of(bench.run(fails, ends, waits)) == ["LookupError", "", ""]


# Cancelling


@pytest.mark.parametrize("turns", range(8))
def test_a_cancel_from_outside_at_every_await(bench: Bench, turns: int) -> None:
    log: list[str] = []
    tasks: list[asyncio.Task[Any]] = []

    async def request() -> None:
        tasks.append(current())
        for step in range(3):
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0.0001)
            except asyncio.CancelledError as error:
                log.append(f"cancelled in {step}: {error}")
                assert current().cancelling() == 1
                raise
        log.append("ended")

    result = bench.begin(request)[0]
    for _ in range(turns):
        bench.call(lambda: None)
    tasks[0].cancel("stop")
    bench.end([result])
    assert len(log) == 1
    if log != ["ended"]:
        assert log[0].startswith("cancelled in ")
        assert log[0].endswith(": stop")
        assert errors_of([result]) == ["CancelledError"]
        assert tasks[0].cancelled()
    tasks.clear()


def test_a_cancel_before_and_after_the_hand_over(bench: Bench) -> None:
    """Before: the Task has not taken its first step; after: it waits for what the coroutine waits for."""

    async def request() -> None:
        waits = bench.loop.create_future()
        try:
            await waits
        except asyncio.CancelledError:
            assert waits.cancelled()
            assert current().uncancel() == 0
        await asyncio.sleep(0)

    for turns in (0, 1, 5):
        result = bench.begin(request)[0]
        for _ in range(turns):
            bench.call(lambda: None)
        (task,) = bench.runner.tasks
        assert task.cancel()
        bench.spin()
        assert (result.times, result.error) == (1, None)
        assert task.done()
        assert not task.cancelled()


@pytest.mark.parametrize(
    "wait", ["sleep0", "sleep", "future", "done", "event", "task"], ids=lambda name: name
)
def test_cancelling_oneself_hits_the_next_await(bench: Bench, wait: str) -> None:
    async def request() -> None:
        current().cancel("me")
        with pytest.raises(asyncio.CancelledError, match="me"):
            await waiting(bench, wait)
        assert current().uncancel() == 0
        await asyncio.sleep(0)

    assert errors_of(bench.run(request, nothing)) == ["", ""]


async def waiting(bench: Bench, kind: str) -> None:
    if kind == "sleep0":
        await asyncio.sleep(0)
    elif kind == "sleep":
        await asyncio.sleep(60)
    elif kind == "future":
        await bench.loop.create_future()
    elif kind == "done":
        future = bench.loop.create_future()
        bench.loop.call_soon(lambda: future.done() or future.set_result(None))
        await future
    elif kind == "event":
        await asyncio.Event().wait()
    elif kind == "task":
        await asyncio.create_task(asyncio.sleep(60))


def test_a_timeout_of_nothing(bench: Bench) -> None:
    log: list[str] = []

    async def request() -> None:
        for kind in ("sleep", "future", "event", "task"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await waiting(bench, kind)
            assert current().cancelling() == 0
        async with asyncio.timeout(0):  # noqa: ASYNC100
            pass
        log.append("ended")

    async def first() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(60)

    async def with_wait_for() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(60), 0)

    assert errors_of(bench.run(request, first, with_wait_for, nothing)) == ["", "TimeoutError", "", ""]
    assert log == ["ended"]


def test_a_timeout_in_the_first_step(bench: Bench) -> None:
    async def request() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)
        async with asyncio.timeout(60):
            await asyncio.sleep(0)

    assert errors_of(bench.run(request, request)) == ["", ""]


def test_shield(bench: Bench) -> None:
    log: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.02)
        log.append("worked")

    async def request() -> None:
        inner = asyncio.create_task(work())
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            log.append("cancelled")
            await inner
            raise

    for turns in (0, 3):
        log.clear()
        results = bench.begin(request)
        for _ in range(turns):
            bench.call(lambda: None)
        (task,) = bench.runner.tasks
        task.cancel()
        assert errors_of(bench.end(results)) == ["CancelledError"]
        assert log == ["cancelled", "worked"]


def test_task_groups_and_children_from_the_first_step(bench: Bench) -> None:
    log: list[str] = []

    async def child(name: str) -> None:
        assert current() not in bench.runner.tasks
        await asyncio.sleep(0)
        log.append(name)

    async def fails() -> None:
        raise ValueError("child")

    async def request() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child("a"))
            group.create_task(child("b"))
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await asyncio.sleep(60)
        assert current().cancelling() == 0
        await asyncio.create_task(child("c"))

    async def leaves_a_child() -> None:
        children.append(asyncio.create_task(child("orphan")))

    children: list[asyncio.Task[None]] = []
    assert errors_of(bench.run(request, leaves_a_child)) == ["", ""]
    assert sorted(log) == ["a", "b", "c", "orphan"]


def test_anyio_scopes(bench: Bench) -> None:
    log: list[str] = []

    async def request() -> None:
        with anyio.move_on_after(0) as scope:
            await anyio.sleep(60)
        assert scope.cancelled_caught
        with pytest.raises(TimeoutError):
            with anyio.fail_after(0.001):
                await anyio.sleep(60)
        with anyio.CancelScope() as outer:
            outer.cancel()
            await anyio.sleep(60)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 60)
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        assert current().cancelling() == 0
        await asyncio.sleep(0)
        log.append("ended")

    async def scope_without_a_wait() -> None:
        with anyio.CancelScope():  # noqa: ASYNC100
            pass
        assert anyio.get_current_task().id == id(current())

    results = bench.run(request, scope_without_a_wait, request, scope_without_a_wait)
    assert errors_of(results) == [""] * 4
    assert log == ["ended"] * 2


# Ends


def test_errors_reach_the_stream_and_nobody_else(bench: Bench) -> None:
    async def at_once() -> None:
        raise ValueError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    async def cancelled() -> None:
        raise asyncio.CancelledError("by itself")

    async def cancelled_later() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError("by itself")

    async def of_a_kept_task() -> None:
        kept.append(current())
        raise ValueError("kept")

    kept: list[Any] = []
    results = bench.run(at_once, later, cancelled, cancelled_later, of_a_kept_task, nothing)
    assert errors_of(results) == [
        "ValueError",
        "ValueError",
        "CancelledError",
        "CancelledError",
        "ValueError",
        "",
    ]
    kept.clear()


def test_what_is_to_end_the_process_ends_it_after_the_stream_has_heard(bench: Bench) -> None:
    class Stop(KeyboardInterrupt):
        pass

    async def request() -> None:
        raise Stop

    ended = Ended()

    def begin() -> None:
        with pytest.raises(Stop):
            bench.runner.run(request(), ended)

    bench.call(begin)
    assert (ended.times, type(ended.error)) == (1, Stop)
    assert errors_of(bench.run(nothing)) == [""]
    # An eager Task lets it through and is gone, and asyncio says so, as it does for every Task.
    ended.error = None
    gc.collect()
    bench.complaints.clear()


def test_a_coroutine_that_yields_what_is_no_future(bench: Bench) -> None:
    class Odd:
        def __await__(self) -> Generator[Any, Any, Any]:
            yield "no future"

    async def request() -> None:
        with pytest.raises(RuntimeError, match="Task got bad yield"):
            await Odd()

    assert errors_of(bench.run(request)) == [""]


def test_within_a_task_the_first_step_waits_its_turn(bench: Bench) -> None:
    """As where a test, or a protocol within a protocol, calls a connection from a coroutine."""
    ended = Ended()
    seen: list[Any] = []

    async def request() -> None:
        seen.append(current())
        await asyncio.sleep(0)

    async def caller() -> None:
        bench.runner.run(request(), ended)
        await asyncio.sleep(0.001)
        assert current() not in seen

    bench.loop.run_until_complete(caller())
    bench.spin()
    assert ended.times == 1
    assert len(seen) == 1


def test_suspended_requests_are_known_and_can_be_ended(bench: Bench) -> None:
    log: list[str] = []

    async def request() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            log.append("cleaned up")

    results = bench.begin(*[request] * 5)
    assert len(bench.runner.tasks) == 5
    for task in list(bench.runner.tasks):
        task.cancel("the server is stopping")
    bench.spin()
    assert errors_of(results) == ["CancelledError"] * 5
    assert log == ["cleaned up"] * 5


def test_a_loop_that_is_closed_with_a_spare_complains_of_nothing() -> None:
    loop = asyncio.SelectorEventLoop()
    bench = Bench(loop)
    bench.run(nothing)
    loop.close()
    bench.runner.close()
    del bench.runner
    gc.collect()
    assert bench.complaints == []


def test_errors_leave_no_garbage(bench: Bench) -> None:
    class Marker(Exception):
        pass

    async def request() -> None:
        raise Marker

    async def later() -> None:
        await asyncio.sleep(0)
        raise Marker

    kinds: list[Any] = []

    class Forgets:
        def ended(self, error: BaseException | None) -> None:
            kinds.append(type(error))

    def begin() -> None:
        for _ in range(20):
            bench.runner.run(request(), Forgets())
            bench.runner.run(later(), Forgets())

    bench.run(nothing)
    gc.collect()
    gc.disable()
    try:
        bench.call(begin)
        bench.spin()
        left = [thing for thing in gc.get_objects() if type(thing) is Marker]
    finally:
        gc.enable()
    assert kinds == [Marker] * 40
    assert len(left) <= 1
