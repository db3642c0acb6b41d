"""From a thread to an event loop and back: a thread hands a call over, and sleeps until the loop has made it.

    thread A   append a call, wake the loop   ─┐
    thread B   append a call                   ├─ the loop: starts all that are there, each as a Task
    thread C   append a call                  ─┘  a Task ends: its thread's lock is released, it wakes

One wake-up is enough for all calls that come before the loop has begun with them. The thread waits for a
lock of the operating system's, so that it alone is blocked. It does not wait for ever: now and then it looks
whether the loop is still there.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastweb.postgres.errors import InterfaceError

__all__ = ["Bridge", "bridge_to"]

T = TypeVar("T")

#: Seconds between two looks at the loop, while a thread waits.
_LOOK = 1.0
#: Seconds that a call has beyond its timeout, which the loop itself keeps: by then something blocks the loop.
_GRACE = 2.0


class _Call:
    """One call: what the thread wants, and what came of it."""

    __slots__ = ("error", "function", "given_up", "lock", "result", "task")

    def __init__(self, function: Callable[[], Awaitable[Any]]) -> None:
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None
        self.task: asyncio.Task[Any] | None = None
        self.given_up = False
        self.lock = threading.Lock()
        self.lock.acquire()

    async def run(self) -> None:
        """On the loop."""
        try:
            self.result = await self.function()
        except asyncio.CancelledError as error:
            # Of the Task, when the loop ends or nobody waits; the thread is no Task, and cannot be cancelled.
            self.error = InterfaceError("the call was cancelled on the event loop's side")
            self.error.__cause__ = error
            raise
        except BaseException as error:
            self.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            self.lock.release()


class Bridge:
    """The way to one event loop, from any other thread.

    Arguments:
        loop: it is running.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Weakly, as the loop is the key of this.
        self._loop = weakref.ref(loop)
        self._calls: deque[_Call] = deque()
        self._woken = False
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, function: Callable[[], Awaitable[T]], timeout: float | None = None) -> T:
        """Make a call on the loop, and wait for what it gives.

        Arguments:
            function: gives an awaitable; called on the loop.
            timeout: seconds; whoever is called keeps it, this is what if the loop itself is blocked.

        Raises:
            Exception: what the call raised.
            InterfaceError: the loop has ended, or this is its own thread, which must not wait.
            TimeoutError: the loop was blocked all the time.
        """
        if asyncio._get_running_loop() is not None:
            raise InterfaceError("a thread that runs an event loop must not wait: await instead")
        call = _Call(function)
        self._calls.append(call)
        # Set by the loop before it looks: a call that comes between is seen by one of the two.
        if not self._woken:
            self._woken = True
            loop = self._loop()
            try:
                if loop is None:
                    raise RuntimeError
                loop.call_soon_threadsafe(self._start_all)
            except RuntimeError:
                raise self._gone() from None
            del loop
        self._wait(call, timeout)
        error = call.error
        if error is not None:
            try:
                raise error
            finally:
                # Its traceback leads to this frame.
                del error, call
        result: T = call.result
        return result

    def _wait(self, call: _Call, timeout: float | None) -> None:
        end = None if timeout is None else time.monotonic() + timeout + _GRACE
        try:
            while not call.lock.acquire(timeout=_LOOK):
                loop = self._loop()
                if loop is None or loop.is_closed() or not loop.is_running():
                    # It may have ended this very moment, with the call done.
                    if call.lock.acquire(timeout=0.1):
                        return
                    raise self._gone()
                del loop
                if end is not None and time.monotonic() > end:
                    raise TimeoutError("the event loop was blocked for longer than the timeout")
        except BaseException:
            self._give_up(call)
            raise

    def _gone(self) -> InterfaceError:
        return InterfaceError("the event loop that this thread's call was for has ended")

    def _give_up(self, call: _Call) -> None:
        """Nobody waits any more: interrupted, timed out."""
        call.given_up = True
        task, loop = call.task, self._loop()
        if task is not None and loop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:
                pass  # closed in the meantime

    def _start_all(self) -> None:
        """On the loop."""
        self._woken = False
        loop = asyncio.get_running_loop()
        calls = self._calls
        while calls:
            call = calls.popleft()
            if not call.given_up:
                call.task = task = loop.create_task(call.run())
                # The loop holds its Tasks weakly.
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)


_bridges: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def bridge_to(loop: asyncio.AbstractEventLoop) -> Bridge:
    """The bridge to a loop; there is one."""
    found = _bridges.get(loop)
    if found is None:
        with _making:
            found = _bridges.setdefault(loop, Bridge(loop))
    return found
