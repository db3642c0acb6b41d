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
    CARRYING    send, throw and close go to the coroutine, in its own context; while the Task waits for a
      |         future that knows of this, `go_on` steps the coroutine, too
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
from fastweb._speedups.stream import BaseStream

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = ["Runner"]

#: Eager tasks do it all from 3.12 on.
EAGER = sys.version_info >= (3, 12)
_EAGER = cython.declare(cython.bint, EAGER)

#: Which Task runs in which loop: what `asyncio.current_task()` looks at on 3.11, C's or Python's.
_current_tasks: dict = {} if EAGER else getattr(_tasks, "_current_tasks")  # noqa: B009 - as below
_unregister_task = _tasks._unregister_task
#: What `asyncio.all_tasks()` goes through on 3.11, a WeakSet: to add and discard one and the same
#: reference in the set behind it costs a fifth of what its methods do.
_all_tasks: Any = None if EAGER else getattr(_tasks, "_all_tasks")  # noqa: B009 - later Pythons have none
_CancelledError = asyncio.CancelledError
_Task: Any = asyncio.Task
_Future: Any = asyncio.Future


def _size_of(kind: Any) -> int:
    """Bytes of an instance all of whose state is in them or hangs on pointers in them; else 0."""
    return (
        0 if EAGER or not kind.__module__.startswith("_") or kind.__flags__ & (1 << 9) else kind.__basicsize__
    )


#: What a spare and its future are, byte by byte, is kept over a request: see `Runner._is_as_it_was`. The room
#: for it is runner.pxd's.
_TASK_SIZE = cython.declare(cython.Py_ssize_t, _size_of(_Task))
_WAKE_SIZE = cython.declare(cython.Py_ssize_t, _size_of(_Future))
_COMPARABLE = cython.declare(cython.bint, 0 < _TASK_SIZE <= 256 and 0 < _WAKE_SIZE <= 256)


@cython.cclass
class Carrier:
    """The coroutine of a spare Task: waits until it is given one to carry, then is that one."""

    def __init__(self, runner: Any, wake: Any) -> None:
        self._runner = runner
        self._wake = wake
        self._coroutine: Any = None
        self._context: Any = None
        self._first: Any = None
        self._task: Any = None
        self._stream: Any = None
        self._outcome: Any = None
        #: What the coroutine raised in a step that the Task knows nothing of yet.
        self._raised: Any = None
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
            if self._raised is not None:
                return self._raise()
            return self._step(self._coroutine.send, value)
        if self._ended:
            if self._outcome is not None:
                raise self._outcome
            raise StopIteration
        self._parked = True
        self._wake._asyncio_future_blocking = True
        return self._wake

    @property
    def carries(self) -> bool:
        """Whether it is a Task's coroutine that it carries."""
        return self._attached and not self._ended

    @cython.ccall
    def go_on(self, loop: Any) -> Any:
        """Step the coroutine while its Task waits, and need not hear of it.

        PERF: the step costs a third of one of the Task's, which takes the result of what it waited for, asks
        what it waits for next, and has itself called back.

        Returns:
            What the coroutine waits for now. If the Task is woken, it finds that, or what was raised (None).
        """
        task = self._task
        found = None
        # What asyncio's _enter_task and _leave_task do.
        _current_tasks[loop] = task
        try:
            if cython.compiled:
                capi.PyContext_Enter(self._context)
                try:
                    found = self._coroutine.send(None)
                finally:
                    capi.PyContext_Exit(self._context)
            else:
                found = self._context.run(self._coroutine.send, None)
        except BaseException as error:
            self._raised = error
            return None
        finally:
            del _current_tasks[loop]
        self._first = _NOTHING if found is None else found
        return found

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
        if self._raised is not None:
            return self._raise()
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

    def _raise(self) -> Any:
        """Let the Task have what the coroutine raised in `go_on`."""
        error = self._raised
        self._raised = None
        try:
            self._finished(None if isinstance(error, StopIteration) else error)
            raise error
        finally:
            # Its traceback leads to this frame.
            error = None

    @cython.cfunc
    @cython.exceptval(-1)
    def _finished(self, error: Any) -> cython.bint:
        task = self._task
        stream = self._stream
        self._task = None
        self._stream = None
        self._runner.tasks.pop(task, None)
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
            them or cancel them, and the stream of each.
    """

    def __init__(self, loop: Any) -> None:
        self.tasks: dict = {}
        #: The stream whose first step runs now.
        self._opening: Any = None
        self._loop = loop
        self._spare: Any = None
        self._reference: Any = None
        self._shown: set = set() if EAGER else _all_tasks.data
        self._carrier: Any = None
        self._name: Any = None
        #: Images of the spare and its future have been made.
        self._imaged = False

    @cython.ccall
    def run(self, coroutine: Any, stream: Any) -> Any:
        """Run a coroutine's first step now, and the rest of it as a Task.

        `stream.ended(error)` is called when it has ended, with what it raised, or None. Within the step of
        a Task, where no other can begin, the first step waits for the loop's next turn.
        """
        before = self._opening
        self._opening = stream
        try:
            if _EAGER:
                self._run_eager(coroutine, stream)
            else:
                self._run_spare(coroutine, stream)
        finally:
            self._opening = before

    def stream_of(self, task: Any) -> Any:
        """The request that a Task answers: one of `tasks`, or the current one, whose first step runs; None
        for any other. From any thread."""
        found = self.tasks.get(task)
        return self._opening if found is None else found

    @cython.cfunc
    @cython.exceptval(-1)
    def _run_eager(self, coroutine: Any, stream: Any) -> cython.bint:
        try:
            task = _Task(coroutine, loop=self._loop, eager_start=True)
        except BaseException as error:  # KeyboardInterrupt, SystemExit: they go through a Task
            stream.ended(error)
            raise
        if task.done():
            self._eager_ended(stream, task)
        else:
            self.tasks[task] = stream
            task.add_done_callback(partial(self._eager_ended, stream))
        # An error's traceback leads to this frame (where it is one of Python's), which must not lead to
        # the error.
        task = None
        return True

    def _eager_ended(self, stream: Any, task: Any) -> None:
        self.tasks.pop(task, None)
        stream.ended(_CancelledError() if task.cancelled() else task.exception())

    @cython.cfunc
    @cython.exceptval(-1)
    def _run_spare(self, coroutine: Any, stream: Any) -> cython.bint:
        task = self._spare
        loop = self._loop
        running: dict = _current_tasks
        carrier: Carrier = self._carrier
        error = None
        ended: cython.bint = True
        first = None
        references: cython.Py_ssize_t = 0
        # PERF: one that is still what it was after the last request is not asked whether it is done.
        if not (cython.compiled and self._imaged and self._is_as_it_was(task, carrier)):
            if task is None or task.done():
                self._make_spare()
                task = self._spare
                carrier = self._carrier
            if cython.compiled and _COMPARABLE:
                capi.copy_object(self._task_image, task, _TASK_SIZE)  # type: ignore[attr-defined]
                capi.copy_object(self._wake_image, carrier._wake, _WAKE_SIZE)  # type: ignore[attr-defined]
                self._imaged = True
            else:
                references = getrefcount(task)
        # What asyncio's _enter_task and _leave_task do.
        if running.setdefault(loop, task) is not task:
            loop.call_soon(self.run, coroutine, stream)
            return True
        context = capi.PyContext_CopyCurrent() if cython.compiled else copy_context()
        carrier._coroutine = coroutine
        self._shown.add(self._reference)
        try:
            if cython.compiled:
                capi.PyContext_Enter(context)
                try:
                    if type(coroutine) is Answer:
                        answer: Answer = coroutine
                        first = answer.begin()
                        ended = first is DONE
                    else:
                        first = coroutine.send(None)
                        ended = False
                finally:
                    capi.PyContext_Exit(context)
            elif type(coroutine) is Answer:
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
            del running[loop]
        if not ended:
            self._spare = None
            self._imaged = False
            task._log_destroy_pending = True
            self.tasks[task] = stream
            carrier.attach(task, context, _NOTHING if first is None else first, stream)
            return True
        self._shown.discard(self._reference)
        carrier._coroutine = None
        if cython.compiled and _COMPARABLE:
            reusable: cython.bint = self._is_as_it_was(task, carrier)
        else:
            reusable = getrefcount(task) == references and self._is_fresh(task, carrier)
        if not reusable:
            self._spare = None
            self._imaged = False
            if error is not None:
                task.add_done_callback(_retrieve)
            carrier.end(error)
        if error is None and isinstance(stream, BaseStream):
            answered: BaseStream = stream
            if answered.finished:
                return True
        try:
            stream.ended(error)
            if error is not None and not isinstance(error, (Exception, _CancelledError)):
                raise error
        finally:
            # As above.
            error = None
        return True

    @cython.cfunc
    @cython.inline
    @cython.exceptval(-1)
    def _is_as_it_was(self, task: Any, carrier: Carrier) -> cython.bint:
        """Whether nobody has touched the spare since a request began.

        PERF: whatever is done to one of C's Tasks changes the bytes that it consists of: its count of
        references, the heads of its lists of callbacks and of weak references, the pointers to its name and
        its attributes, its flags. Where these are what they were, and so are those of the future that it
        waits for (which a cancel reaches first, and `uncancel` does not set back), it is as it was. To
        compare 304 bytes takes 10 ns, to ask for all of that by name 200.
        """
        task_image: cython.p_char = self._task_image  # type: ignore[attr-defined]
        wake_image: cython.p_char = self._wake_image  # type: ignore[attr-defined]
        same: cython.bint = capi.same_object(task_image, task, _TASK_SIZE)
        if same:
            same = capi.same_object(wake_image, carrier._wake, _WAKE_SIZE)
        return same

    @cython.cfunc
    @cython.exceptval(-1)
    def _is_fresh(self, task: Any, carrier: Carrier) -> cython.bint:
        """The same, beside its references, for a Task that is not C's."""
        return (
            getweakrefcount(task) == 1
            # Not cancelling(), which uncancel() sets back though the cancel is on its way.
            and not (carrier._wake.done() if carrier._parked else task._must_cancel)
            and not task._callbacks
            and task.get_name() is self._name
        )

    @cython.cfunc
    @cython.exceptval(-1)
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
            self._imaged = False
            self._reference = None
            if not self._loop.is_closed():
                self._carrier.end(None)
