"""Running a request's coroutine with no Task scheduled for it, and yet with a Task of its own.

A Task costs more than most endpoints do, and most of that is scheduling its first step. So the first step
runs at once, here, in the callback that brought the request, and `asyncio.current_task()` is right from
the first line:

    3.12 and later   an eager Task (`eager_start=True`): the same thing, done by asyncio itself
    3.11             a *spare* Task, made beforehand, is entered as the current one and the coroutine is
                     sent its first None in a fresh context. If it ends there, the spare serves the next
                     request. If it suspends, the spare becomes its Task until it ends, and a new spare is
                     made for the next.

The spare is an ordinary Task that runs a `Carrier`, which stands between the Task and the coroutine:

    PARKED      no coroutine; the Task waits for `_wake`
      | attach  the coroutine has yielded its first future, `_first`; `_wake` is set
    CARRYING    send, throw and close go to the coroutine, in its own context
      |
    done        what the coroutine returned or raised is what the Task ends with

A cancel may fall between attach and the Task's next step (`asyncio.timeout(0)` does that): it meets the
carrier, not the coroutine, so the carrier does what Task.cancel would have done, it cancels `_first` and
hands it to the Task.

Nothing of one request may reach the next: the context is a fresh copy for each, and a spare that was
cancelled, renamed, given a callback, or is still referred to by anybody, strongly or weakly, is not used
again; it ends as the Task of that request.
`asyncio.all_tasks()` shows the spare while a request runs on it, and at no other time.
"""

import asyncio
import sys
from asyncio import tasks as _tasks
from contextvars import copy_context
from functools import partial
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount, ref

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.answer import DONE, Answer

__all__ = ["Runner"]

#: Eager tasks do it all from 3.12 on.
EAGER: cython.bint = sys.version_info >= (3, 12)

_enter_task = _tasks._enter_task
_leave_task = _tasks._leave_task
_unregister_task = _tasks._unregister_task
#: What `asyncio.all_tasks()` goes through on 3.11, a WeakSet: to add and discard one and the same
#: reference in the set behind it costs a fifth of what its methods do.
_all_tasks: Any = None if EAGER else getattr(_tasks, "_all_tasks")  # noqa: B009 - later Pythons have none
_CancelledError = asyncio.CancelledError
_Task: Any = asyncio.Task


@cython.cclass
class Carrier:
    """The coroutine of a spare Task: waits until it is given one to carry, then is that one."""

    _runner: Any
    _wake: Any
    _coroutine: Any
    _context: Any
    _first: Any
    _task: Any
    _stream: Any
    _outcome: Any
    _parked: cython.bint
    _attached: cython.bint
    _ended: cython.bint

    def __init__(self, runner: Any, wake: Any) -> None:
        self._runner = runner
        self._wake = wake
        self._coroutine = None
        self._context = None
        self._first = None
        self._task = None
        self._stream = None
        self._outcome = None
        self._parked = False
        self._attached = False
        self._ended = False

    def attach(self, task: Any, context: Any, first: Any, stream: Any) -> None:
        """Carry a coroutine whose first step has run and yielded `first`."""
        self._task = task
        self._context = context
        self._first = first
        self._stream = stream
        self._attached = True
        if not self._wake.done():
            self._wake.set_result(None)

    def end(self, outcome: Any) -> None:
        """End the Task with nothing to carry: `outcome` is what the coroutine raised, None if it returned."""
        self._outcome = outcome
        self._ended = True
        if not self._wake.done():
            self._wake.set_result(None)

    def send(self, value: Any) -> Any:
        """One step (PEP 342)."""
        if self._attached:
            if self._first is not None:
                first = self._first
                self._first = None
                if first is not _NOTHING:
                    return first
                return None
            return self._step(self._coroutine.send, value)
        if self._ended:
            if self._outcome is not None:
                raise self._outcome
            raise StopIteration
        self._parked = True
        self._wake._asyncio_future_blocking = True
        return self._wake

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """An exception, usually a cancel, for the coroutine."""
        error = value if value is not None else kind
        if isinstance(error, type):
            error = error()
        if not self._attached:
            if self._outcome is not None:
                raise self._outcome
            raise error
        first = self._first
        if first is not None:
            self._first = None
            if first is not _NOTHING and isinstance(error, _CancelledError) and _cancel(first, error):
                return first
        return self._step(self._coroutine.throw, error)

    @cython.cfunc
    def _step(self, step: Any, value: Any) -> Any:
        try:
            return self._context.run(step, value)
        except StopIteration:
            self._finished(None)
            raise
        except BaseException as error:
            self._finished(error)
            raise

    @cython.cfunc
    def _finished(self, error: Any) -> cython.bint:
        task = self._task
        stream = self._stream
        self._task = None
        self._stream = None
        self._runner.tasks.discard(task)
        if error is not None:
            task.add_done_callback(_retrieve)
        stream.ended(error)
        return True

    def close(self) -> None:
        """As coroutines have it."""
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        # The Task's repr and get_stack look at cr_code, cr_frame, __qualname__ …
        if name.startswith(("cr_", "gi_")) or name in ("__name__", "__qualname__"):
            return getattr(self._coroutine, name, None)
        raise AttributeError(name)


#: Stands for a bare yield (`asyncio.sleep(0)`) in `Carrier._first`, where None means that nothing is left.
_NOTHING = object()


def _retrieve(task: Any) -> None:
    """Whoever ran the request has seen the error; asyncio is not to report it as never retrieved."""
    if not task.cancelled():
        task.exception()


def _cancel(future: Any, error: Any) -> Any:
    cancel = getattr(future, "cancel", None)
    if cancel is None:
        return False
    return cancel(msg=error.args[0] if error.args else None)


@cython.cclass
class Runner:
    """Runs the coroutines of requests on one event loop.

    Attributes:
        tasks: the Tasks of the requests that have suspended and not ended, for whoever has to wait for
            them or cancel them.
    """

    tasks = cython.declare(set, visibility="readonly")
    _loop: Any
    _spare: Any
    _reference: Any
    _shown: set
    _carrier: Carrier
    _name: Any

    def __init__(self, loop: Any) -> None:
        self.tasks = set()
        self._loop = loop
        self._spare = None
        self._reference = None
        self._shown = set() if EAGER else _all_tasks.data
        self._carrier = None
        self._name = None

    def run(self, coroutine: Any, stream: Any) -> None:
        """Run a coroutine's first step now, and the rest of it as a Task.

        `stream.ended(error)` is called when it has ended, with what it raised, or None. Within the step of
        a Task, where no other can begin, the first step waits for the loop's next turn.
        """
        if EAGER:
            self._run_eager(coroutine, stream)
        else:
            self._run_spare(coroutine, stream)

    @cython.cfunc
    def _run_eager(self, coroutine: Any, stream: Any) -> cython.bint:
        try:
            task = _Task(coroutine, loop=self._loop, eager_start=True)
        except BaseException as error:  # KeyboardInterrupt, SystemExit: they go through a Task
            stream.ended(error)
            raise
        if task.done():
            self._eager_ended(stream, task)
        else:
            self.tasks.add(task)
            task.add_done_callback(partial(self._eager_ended, stream))
        # An error's traceback leads to this frame (where it is one of Python's), which must not lead to
        # the error.
        task = None
        return True

    def _eager_ended(self, stream: Any, task: Any) -> None:
        self.tasks.discard(task)
        stream.ended(_CancelledError() if task.cancelled() else task.exception())

    @cython.cfunc
    def _run_spare(self, coroutine: Any, stream: Any) -> cython.bint:
        task = self._spare
        if task is None or task.done():
            self._make_spare()
            task = self._spare
        carrier: Carrier = self._carrier
        context = copy_context()
        loop = self._loop
        error = None
        ended: cython.bint = True
        first = None
        references: cython.Py_ssize_t = getrefcount(task)
        try:
            _enter_task(loop, task)
        except RuntimeError:
            loop.call_soon(self.run, coroutine, stream)
            return True
        carrier._coroutine = coroutine
        self._shown.add(self._reference)
        try:
            if type(coroutine) is Answer:
                first = context.run(coroutine.begin)
                ended = first is DONE
            else:
                first = context.run(coroutine.send, None)
                ended = False
        except StopIteration:
            pass
        except BaseException as raised:
            error = raised
        finally:
            _leave_task(loop, task)
        if not ended:
            self._spare = None
            task._log_destroy_pending = True
            self.tasks.add(task)
            carrier.attach(task, context, _NOTHING if first is None else first, stream)
            return True
        self._shown.discard(self._reference)
        carrier._coroutine = None
        if (
            getrefcount(task) != references
            or getweakrefcount(task) != 1
            # Not cancelling(), which uncancel() sets back though the cancel is on its way.
            or (carrier._wake.done() if carrier._parked else task._must_cancel)
            or task._callbacks
            or task.get_name() is not self._name
        ):
            self._spare = None
            if error is not None:
                task.add_done_callback(_retrieve)
            carrier.end(error)
        try:
            stream.ended(error)
            if error is not None and not isinstance(error, (Exception, _CancelledError)):
                raise error
        finally:
            # As above.
            error = None
        return True

    @cython.cfunc
    def _make_spare(self) -> cython.bint:
        carrier = Carrier(self, self._loop.create_future())
        task = _Task(carrier, loop=self._loop)
        # Nobody's task yet, and nobody's loss.
        _unregister_task(task)
        task._log_destroy_pending = False
        self._reference = ref(task, _all_tasks._remove)
        self._carrier = carrier
        self._spare = task
        self._name = task.get_name()
        return True

    def close(self) -> None:
        """End the spare, when the loop is about to stop."""
        if self._spare is not None:
            self._spare = None
            self._reference = None
            if not self._loop.is_closed():
                self._carrier.end(None)
