"""Plain functions, iterators and context managers, run in threads so that they do not block the event loop.

On asyncio the threads are ours: `ThreadPool`. PERF: 4 to 11 µs a call with 32 calls at once, where
`loop.run_in_executor` takes 13 to 27 and `anyio.to_thread.run_sync` 43 to 58 (uvloop to asyncio, Python
3.11). On any other loop (trio, at the ASGI door) anyio runs them. Either way:

- context variables go both ways: the function sees the caller's, and what it sets is the caller's afterwards;
- a function cannot be stopped. A caller who is cancelled waits until it has ended, and is cancelled then; but
  a function that still waits for a thread is dropped.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from contextvars import Context, ContextVar, Token, copy_context
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar

from fastweb.status import FastWebDeprecationWarning
from fastweb.types import Undefined

if TYPE_CHECKING:
    # Where it is used, it is loaded: it takes 30 ms, more than all that `import fastweb` does.
    import asyncio

    from anyio.abc import TaskGroup

__all__ = [
    "Job",
    "ThreadPool",
    "asynccontextmanager",
    "call_function",
    "collapsing_task_group",
    "contextmanager_in_threadpool",
    "is_async_callable",
    "iterate_in_threadpool",
    "loop_of_thread",
    "never_blocks",
    "own_threads",
    "run_in_own_thread",
    "run_in_threadpool",
    "run_until_first_complete",
    "thread_pool",
    "threads_at_work",
]

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")


def is_async_callable(obj: Any) -> bool:
    """Whether calling `obj` gives a coroutine: a coroutine function, a partial of one, some objects."""
    if sys.version_info >= (3, 13):
        from inspect import iscoroutinefunction
    else:
        # Up to 3.12 it alone knows the functions that were marked as coroutine functions.
        from asyncio import iscoroutinefunction

    while isinstance(obj, functools.partial):
        obj = obj.func
    return iscoroutinefunction(obj) or (callable(obj) and iscoroutinefunction(obj.__call__))


def never_blocks(function: F) -> F:
    """Mark a plain function as one that only hands something out: a dependency that is one is called on the
    event loop, and not in a thread. A method that is marked keeps that when it is bound.
    """
    function.__never_blocks__ = True  # type: ignore[attr-defined]
    return function


def loop_of_thread() -> asyncio.AbstractEventLoop | None:
    """The event loop that has a plain function run in this thread; None in any other thread."""
    return getattr(_of_thread, "loop", None)


_of_thread = threading.local()


class Job(Protocol):
    """What a `ThreadPool` runs.

    Attributes:
        context: to make the call in.
        taken: held by the thread that makes the call, or by who gave it up: whoever came first.
        anyio_way_back: what `anyio.from_thread` needs in the thread; None where nobody imported anyio.
    """

    context: Context
    taken: threading.Lock
    anyio_way_back: Any

    def call(self) -> Any:
        """Do it, in a thread."""

    def report(self, result: Any, error: BaseException | None) -> None:
        """Hear what came of it, in the thread."""


class _Job:
    """One call that a thread is to make, and the future through which its loop hears of the end."""

    __slots__ = ("anyio_way_back", "call", "context", "done", "future", "loop", "taken")

    def __init__(
        self,
        call: Callable[[], Any],
        context: Context,
        loop: asyncio.AbstractEventLoop,
        anyio_way_back: tuple[Any, Any] | None,
    ) -> None:
        self.call = call
        self.context = context
        self.loop = loop
        self.anyio_way_back = anyio_way_back
        self.future: asyncio.Future[Any] = loop.create_future()
        self.done = False
        # Held by the thread that makes the call, or by the caller who gave up: whoever came first.
        self.taken = threading.Lock()

    def start(self) -> None:
        """In the loop: have a thread make the call, if the caller has not given up."""
        if self.taken.locked():
            return
        try:
            thread_pool.submit(self)
        except RuntimeError as error:
            self.finish(None, error)

    def report(self, result: Any, error: BaseException | None) -> None:
        """In the thread: hand the outcome over to the loop."""
        try:
            self.loop.call_soon_threadsafe(self.finish, result, error)
        except RuntimeError:
            if not self.loop.is_closed():
                raise
            # Nobody is left to hear of it.

    def finish(self, result: Any, error: BaseException | None) -> None:
        """In the loop."""
        self.done = True
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
            return
        if isinstance(error, StopIteration):
            # No future, and no coroutine, may raise one (PEP 479).
            stop, error = error, RuntimeError("a function in a thread raised StopIteration")
            error.__cause__ = stop
        self.future.set_exception(error)


class ThreadPool:
    """The threads of one process: they start when they are needed, and end when they were idle for a while.

    Arguments:
        size: how many functions may run at once; others wait their turn. It may be changed at any time.
        idle_timeout: seconds after which an idle thread ends.

    Raises:
        ValueError: the size is not positive.
    """

    def __init__(self, size: int, idle_timeout: float = 10.0) -> None:
        self.idle_timeout = idle_timeout
        self._reset()
        self.size = size

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._extra: set[threading.Thread] = set()
        # Jobs that were submitted and have not ended. Unless the pool is full, there is a thread for each.
        self._busy = 0
        # Those that have ended and whose loop has still to be told.
        self._ending: set[Job] = set()

    @property
    def size(self) -> int:
        """How many functions may run at once."""
        return self._size

    @size.setter
    def size(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a thread pool needs at least one thread, not {size}")
        with self._lock:
            self._size = size
            for _ in range(size, len(self._threads)):
                self._queue.put(None)

    @property
    def busy(self) -> int:
        """How many functions run, or wait for a thread, or have ended and their loop does not know yet."""
        return self._busy + len(self._ending)

    def __len__(self) -> int:
        """How many threads there are now."""
        return len(self._threads) + len(self._extra)

    def submit(self, job: Job, *, at_once: bool = False, apart: bool = False) -> None:
        """Have a thread make the call; `at_once`: though the pool be full; `apart`: one that the pool never
        counts.

        Raises:
            RuntimeError: the system allows not even one thread.
        """
        with self._lock:
            full = self._busy >= self._size
            if apart or (at_once and full):
                thread = self._make_thread(self._work_once, job)
                self._extra.add(thread)
            else:
                self._busy += 1
                self._queue.put(job)
                if full or self._busy <= len(self._threads):
                    return
                thread = self._make_thread(self._work)
                self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            # The system has no more threads to give: those that there are will do the work.
            with self._lock:
                queued = thread in self._threads
                self._threads.discard(thread)
                self._extra.discard(thread)
                if not self._threads:
                    job.taken.acquire(blocking=False)
                    raise
                if not queued:
                    self._busy += 1
                    self._queue.put(job)

    def _make_thread(self, target: Callable[..., None], *args: Any) -> threading.Thread:
        # Daemons, so that the interpreter does not wait for idle ones; close() waits for those that work.
        options: dict[str, Any] = {"name": "fastweb thread", "daemon": True}
        if sys.version_info >= (3, 14):
            # Not the context of whoever happened to need the thread.
            options["context"] = Context()
        return threading.Thread(target=target, args=args, **options)

    def _work(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=self.idle_timeout)
            except Empty:
                with self._lock:
                    if self._busy >= len(self._threads):
                        continue  # a job is on its way
                    self._threads.discard(threading.current_thread())
                return
            if job is None:
                if self._is_surplus():
                    return
                continue
            result, error = self._call(job)
            self._ending.add(job)
            # Before the loop hears of the end, lest its next job start a thread for want of this one.
            with self._lock:
                self._busy -= 1
            try:
                job.report(result, error)
            finally:
                self._ending.discard(job)
            # An idle thread must not keep them alive.
            del job, result, error

    def _is_surplus(self) -> bool:
        """Whether this thread is to end, because the pool was closed or made smaller."""
        thread = threading.current_thread()
        with self._lock:
            if thread in self._threads and len(self._threads) <= self._size:
                return False
            self._threads.discard(thread)
            return True

    def _work_once(self, job: Job) -> None:
        outcome = self._call(job)
        with self._lock:
            self._extra.discard(threading.current_thread())
        job.report(*outcome)

    def _call(self, job: Job) -> tuple[Any, BaseException | None]:
        if not job.taken.acquire(blocking=False):
            return None, None
        if job.anyio_way_back is not None:
            local, token = job.anyio_way_back
            local.current_token = token
            local.current_cancel_scope = None
        _of_thread.loop = getattr(job, "loop", None)
        try:
            return job.context.run(job.call), None
        except BaseException as error:  # whatever it is, it belongs to the caller
            return None, error
        finally:
            # Nor is an idle thread to hold the loop.
            _of_thread.loop = None
            # The error's traceback holds this frame, and the job will hold the error.
            del job

    def close(self) -> None:
        """End the threads, after waiting for those that work."""
        with self._lock:
            threads = [*self._threads, *self._extra]
            for _ in self._threads:
                self._queue.put(None)
            self._threads = set()
        for thread in threads:
            if thread.is_alive():
                thread.join()


#: The threads that `run_in_threadpool` uses on asyncio, and through `thread_pool.size` the number of threads
#: on trio. An idle thread costs about 20 kB; what is scarce behind them, such as database connections,
#: has a limit of its own.
thread_pool: Final = ThreadPool(size=1000)
atexit.register(thread_pool.close)
if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads.
    os.register_at_fork(after_in_child=thread_pool._reset)


class OwnThreads:
    """Counts the calls that `run_in_own_thread` makes at once.

    Attributes:
        most: how many there may be, `Limits.own_threads` of the server that runs; the network pushes on it,
            since each client of a plain `def` WebSocket handler takes a thread for as long as it stays.
        count: how many there are.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        with self._lock:
            if self.count >= self.most:
                raise RuntimeError(
                    f"{self.count} threads run plain functions that last, which is the most there may be: "
                    "make these functions async, or raise Limits.own_threads"
                )
            self.count += 1

    def leave(self) -> None:
        with self._lock:
            self.count -= 1


#: The bound of `run_in_own_thread`: as `Limits` has it, before a server says otherwise.
own_threads: Final = OwnThreads(2000)


def threads_at_work() -> int:
    """How many threads run plain functions now, or wait for what those ask of an event loop."""
    return thread_pool.busy + own_threads.count


async def run_in_threadpool(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a plain function in a thread, and return what it returns.

    Raises:
        Exception: what the function raised.
        asyncio.CancelledError: the caller was cancelled; the function has ended, or was never begun.
    """
    carried = _CarriedContext()
    return await _run(carried, functools.partial(func, *args, **kwargs))


async def run_in_own_thread(func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`run_in_threadpool` for what lasts as long as a client likes, in a thread that the pool does not count:
    clients that stay must not take the threads that all others wait for.

    Raises:
        RuntimeError: there are `own_threads.most` of them already. It does not wait: nobody knows how long.
    """
    own_threads.enter()
    try:
        return await _run(_CarriedContext(), functools.partial(func, *args, **kwargs), apart=True)
    finally:
        own_threads.leave()


async def call_function(func: Callable[..., Any], *args: Any) -> Any:
    """Call a function: an async one as it is, a plain one in a thread."""
    if is_async_callable(func):
        return await func(*args)
    return await run_in_threadpool(func, *args)


async def iterate_in_threadpool(iterator: Iterable[T]) -> AsyncIterator[T]:
    """Iterate over a plain iterable, each step in a thread."""
    steps: Iterator[T] = iter(iterator)
    carried = _CarriedContext()
    step = functools.partial(next, steps, Undefined)
    while (item := await _run(carried, step)) is not Undefined:
        yield item


async def run_until_first_complete(*args: tuple[Callable[..., Awaitable[Any]], Mapping[str, Any]]) -> None:
    """Run several async functions at once, and cancel the others when one has ended.

    Arguments:
        args: each function with its keyword arguments. Deprecated: a task group says the same more plainly.

    Raises:
        ExceptionGroup: what they raised.
    """
    warnings.warn(
        "run_until_first_complete is deprecated and will be removed in a future version.",
        FastWebDeprecationWarning,
        stacklevel=2,
    )
    from anyio import create_task_group

    async with create_task_group() as group:

        async def run(func: Callable[[], Awaitable[Any]]) -> None:
            await func()
            group.cancel_scope.cancel()

        for func, kwargs in args:
            group.start_soon(run, functools.partial(func, **kwargs))


@asynccontextmanager
async def collapsing_task_group() -> AsyncGenerator[TaskGroup, None]:
    """An anyio task group out of which a single exception comes as itself, not in an ExceptionGroup."""
    from anyio import create_task_group

    try:
        async with create_task_group() as group:
            yield group
    except BaseExceptionGroup as errors:
        if len(errors.exceptions) != 1:
            raise
        error = errors.exceptions[0]
        # Its own cause, or else its context, stays what it was; the group is neither.
        context = None if error.__suppress_context__ else error.__context__
        raise error from error.__cause__ or context


class contextmanager_in_threadpool(AbstractAsyncContextManager[T, bool]):  # noqa: N801 - FastAPI's name
    """A plain context manager as an asynchronous one, entered and left in a thread.

    It is left whatever happens, even if its caller is cancelled and even if the pool is full: those who fill
    it may be waiting for what it holds, such as the last connection of a pool.
    """

    def __init__(self, cm: AbstractContextManager[T, bool | None]) -> None:
        self._cm = cm
        self._entered = False
        self._carried = _CarriedContext()

    def _enter(self) -> T:
        value = self._cm.__enter__()
        self._entered = True
        return value

    async def __aenter__(self) -> T:
        try:
            return await _run(self._carried, self._enter)
        except BaseException as error:
            # Cancelled while the thread was entering: nobody else will leave it.
            if self._entered:
                await self.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        leave = functools.partial(self._cm.__exit__, exc_type, exc, traceback)
        return bool(await _run(self._carried, leave, must=True))


async def _run(
    carried: _CarriedContext, call: Callable[[], T], *, must: bool = False, apart: bool = False
) -> T:
    """Make a call in a thread; `must`: neither a full pool nor a cancelled caller prevents it; `apart`: the
    thread does not count among the pool's.
    """
    import asyncio

    try:
        in_asyncio = asyncio.current_task() is not None
    except RuntimeError:
        in_asyncio = False
    context = carried.lend()
    try:
        if not in_asyncio:
            return await _run_by_anyio(functools.partial(context.run, call), must, apart)
        job = _Job(call, context, asyncio.get_running_loop(), _anyio_way_back())
        if must or apart:
            thread_pool.submit(job, at_once=must, apart=apart)
        else:
            # PERF: not before the loop has read all sockets that are ready, or each request would hand the
            # GIL over and back.
            job.loop.call_soon(job.start)
        try:
            result: T = await job.future
            return result
        except asyncio.CancelledError as cancelled:
            if job.done or (not must and job.taken.acquire(blocking=False)):
                raise
            await _wait_out(job, cancelled)
            raise
        finally:
            # An error's traceback holds this frame, which must not hold the error.
            del job
    finally:
        carried.take_back()


async def _wait_out(job: _Job, cancelled: asyncio.CancelledError) -> None:
    """Wait for the end of a call that cannot be stopped, however often the caller is cancelled meanwhile."""
    import asyncio

    # anyio repeats a cancellation in each turn of the loop; within a shield it does not.
    anyio = sys.modules.get("anyio")
    with contextlib.nullcontext() if anyio is None else anyio.CancelScope(shield=True):
        while not job.done:
            # Another one, since the cancellation cancelled the last.
            job.future = job.loop.create_future()
            try:
                await job.future
            except asyncio.CancelledError:
                pass
            except BaseException as error:
                raise cancelled from error


async def _run_by_anyio(call: Callable[[], T], must: bool, apart: bool) -> T:
    import anyio
    from anyio.to_thread import run_sync

    if must:
        with anyio.CancelScope(shield=True):
            return await run_sync(call, limiter=anyio.CapacityLimiter(1))
    return await run_sync(call, limiter=anyio.CapacityLimiter(1) if apart else _anyio_limiter())


def _anyio_limiter() -> Any:
    """The running loop's limiter, which counts as far as the pool's size."""
    import anyio
    from anyio.lowlevel import RunVar

    global _limiters
    if _limiters is None:
        _limiters = RunVar("fastweb_threads")
    limiter = _limiters.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(thread_pool.size)
        _limiters.set(limiter)
    elif limiter.total_tokens != thread_pool.size:
        limiter.total_tokens = thread_pool.size
    return limiter


_limiters: Any = None


def _anyio_way_back() -> tuple[Any, Any] | None:
    """What `anyio.from_thread` looks for in a thread; None where nobody imported anyio, or it is too old."""
    if "anyio" not in sys.modules:
        return None
    # The function that is to run may be the first to import from_thread.
    from anyio import from_thread
    from anyio.lowlevel import current_token

    # anyio has no public way to say it. Should this one vanish, a function can still pass `token=` itself.
    local = getattr(from_thread, "threadlocals", None)
    return None if local is None else (local, current_token())


class _CarriedContext:
    """A copy of the caller's context variables for use in a thread, kept equal in both directions.

    It is the same copy for each part of a generator or a context manager: a `Token` that one part made,
    another part can use, since `ContextVar.reset` refuses that in any other context.
    """

    __slots__ = ("_before", "_context", "_tokens")

    def __init__(self) -> None:
        self._context: Context | None = None
        self._before: Context | None = None
        self._tokens: dict[ContextVar[Any], Token[Any]] = {}

    def lend(self) -> Context:
        """The context to run in, with the caller's values of now."""
        context = self._context
        if context is None:
            context = self._context = copy_context()
        else:
            for var, value in copy_context().items():
                if _differs(context, var, value):
                    context.run(var.set, value)
        sniffio = sys.modules.get("sniffio")
        if sniffio is not None and context.get(sniffio.current_async_library_cvar) is not None:
            # There is no loop in the thread: `anyio.run` and the like must work there.
            context.run(sniffio.current_async_library_cvar.set, None)
        self._before = context.copy()
        return context

    def take_back(self) -> None:
        """Set in the caller's context what was set in the thread."""
        context, before = self._context, self._before
        assert context is not None
        assert before is not None
        for var, value in context.items():
            if _differs(before, var, value):
                token = var.set(value)
                if token.old_value is Token.MISSING:
                    self._tokens[var] = token
        for var in [var for var in self._tokens if var not in context]:
            # Reset in the thread to no value at all. Only the task that it was set in can do the same.
            with contextlib.suppress(ValueError, RuntimeError):
                var.reset(self._tokens.pop(var))


def _differs(context: Context, var: ContextVar[Any], value: object) -> bool:
    return context.get(var, Undefined) is not value
