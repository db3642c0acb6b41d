"""What a coroutine awaits for something that comes from outside: a WebSocket's message, a database's answer.

An asyncio.Future schedules the Task that waits for it, which goes on in the loop's next turn, after another
look at all sockets. An `Arrival` lets it go on at once, in the callback that brought what it waits for:

    the Task has itself called back     its callback is called, in its context
    up to Python 3.11, a request's      `Carrier.go_on` steps the coroutine alone, and the Task need not hear
    coroutine behind a `Carrier`        of it while the coroutine waits for nothing but arrivals

In the second case the Task goes on waiting for the first arrival of such a row, its *head*, whatever the
coroutine itself waits for by then: a cancel of the head is one of the arrival that is waited for *now*, which
in turn wakes the Task by the head's callback.

PERF: a message of a WebSocket that is echoed costs a third of what a Task's step and a Future cost.
"""

import asyncio
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.runner import EAGER, Carrier
from fastweb._speedups.runner import _current_tasks as _tasks_of_loops

__all__ = ["Arrival"]

_CancelledError = asyncio.CancelledError
_InvalidStateError = asyncio.InvalidStateError
_Task: Any = asyncio.Task
_current_task = asyncio.current_task
_current_tasks: dict = _tasks_of_loops
_EAGER = cython.declare(cython.bint, EAGER)


@cython.cfunc
@cython.exceptval(-1)
def is_idle(loop: Any) -> cython.bint:
    """Whether no Task runs."""
    return _current_task(loop) is None if _EAGER else loop not in _current_tasks


@cython.cclass
class Arrival:
    """A wait. A subclass has `__next__`, which raises StopIteration with what has come, or what went wrong,
    or returns `self.wait()` where it has not come yet; it is asked again after `wake`.

    An iterator that is also what it yields, a future as far as a Task is concerned
    (`_asyncio_future_blocking`; None until it waits, so that nobody else takes it for one).

    Arguments:
        loop: the event loop.
    """

    def __init__(self, loop: Any) -> None:
        self._asyncio_future_blocking: Any = None
        self._loop = loop
        self._callback: Any = None
        self._context: Any = None
        self._done = False
        self._cancelled = False
        self._words: Any = None
        self._carrier: Any = None
        self._head: Any = None
        self._now: Any = None
        self._stepping = False
        self._asked = False

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    @cython.ccall
    def wait(self) -> Any:
        """It has not come yet."""
        self._done = False
        self._asyncio_future_blocking = True
        return self

    @cython.ccall
    def forget(self) -> Any:
        """Nobody waits for it any more."""

    # asyncio's futures, as far as Tasks use them.

    def get_loop(self) -> Any:
        return self._loop

    def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
        if self._done:
            self._loop.call_soon(callback, self, context=context)
        else:
            self._callback = callback
            self._context = context
            self._carrier = _carrier_of(callback)

    def remove_done_callback(self, callback: Any) -> int:
        found = self._callback is not None and self._callback == callback
        if found:
            self._callback = None
            self._carrier = None
        return int(found)

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self, msg: Any = None) -> bool:
        if self._stepping:
            # The Task does not know that it runs, and takes it for waiting: it is to cancel its next step.
            self._asked = True
            return False
        if self._done:
            return False
        self._cancelled = True
        self._words = msg
        now: Arrival = self if self._now is None else self._now
        now.forget()
        now.wake(False)
        return True

    def exception(self) -> Any:
        return None

    def result(self) -> Any:
        if self._cancelled:
            raise _CancelledError() if self._words is None else _CancelledError(self._words)
        if not self._done:
            raise _InvalidStateError("Result is not set.")

    @cython.cfunc
    @cython.exceptval(-1)
    def is_taken(self) -> cython.bint:
        """Whether a Task has it for what it waits for, be it a head only."""
        return self._callback is not None or self._head is not None

    @cython.ccall
    def wake(self, at_once: cython.bint) -> Any:
        """It has come. Let the coroutine go on: now, where no Task runs, or in the loop's next turn."""
        loop = self._loop
        self._done = True
        head: Arrival = self
        if self._head is not None:
            head = self._head
            self._head = None
            head._done = True
        head._now = None
        carrier: Carrier = head._carrier
        at_once = at_once and is_idle(loop)
        if at_once and carrier is not None:
            head._stepping = True
            head._asked = False
            try:
                found = carrier.go_on(loop)
            finally:
                head._stepping = False
            if isinstance(found, Arrival):
                arrival: Arrival = found
                if not head._asked and (arrival is head or not arrival.is_taken()):
                    head._done = False
                    carrier._first = None
                    if arrival is not head:
                        arrival._head = head
                        head._now = arrival
                    return
                if arrival is head:
                    # It was cancelled while it ran: its Task has to hear of that, and of what it waits for.
                    head.forget()
                    head._done = True
        callback = head._callback
        context = head._context
        head._callback = None
        head._context = None
        head._carrier = None
        if callback is None:
            return
        if at_once and context is not None:
            context.run(callback, head)
        else:
            loop.call_soon(callback, head, context=context)


if not cython.compiled:
    # What asyncio.isfuture looks for in the class.
    Arrival._asyncio_future_blocking = None


def _carrier_of(callback: Any) -> Any:
    """What carries the coroutine of the Task that has itself called back so; None where nothing does."""
    task = getattr(callback, "__self__", None)
    if type(task) is not _Task:
        return None
    carrier = task.get_coro()
    return carrier if type(carrier) is Carrier and carrier.carries else None
