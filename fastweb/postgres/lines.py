"""Those who wait for a connection of a pool, first come first served.

What waits is an `Operation` that was not sent yet, for which the line is the session meanwhile, or the future
of a lease. Whoever goes away by himself stays in the queue as one that is gone, until it is his turn.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from typing import Any

from fastweb._speedups.pg_operation import Operation

__all__ = ["Line", "Waiter", "copy_of"]


class Waiter:
    """One of them.

    Arguments:
        what: an Operation, or a Future.
        since: the loop's time.
        number: who has come before whom, in any line: a loop's time may be the same for many.
    """

    __slots__ = ("number", "since", "timer", "what")

    def __init__(self, what: Any, since: float, number: int) -> None:
        self.what = what
        self.since = since
        self.number = number
        self.timer: asyncio.TimerHandle | None = None

    @property
    def is_gone(self) -> bool:
        done: bool = self.what.done()
        return done


class Line:
    """All of a kind.

    Arguments:
        loop: the event loop.
    """

    __slots__ = ("_queue", "count", "loop")

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self._queue: deque[Waiter] = deque()
        #: How many really wait.
        self.count = 0

    def add(self, waiter: Waiter) -> None:
        self._queue.append(waiter)
        self.count += 1

    def first(self) -> Waiter | None:
        """Whose turn it is; he stays."""
        queue = self._queue
        while queue:
            waiter = queue[0]
            if not waiter.is_gone:
                return waiter
            queue.popleft()
            self._stop(waiter)
        return None

    def pop(self, waiter: Waiter) -> None:
        """It was the first one's turn."""
        self._queue.popleft()
        self.count -= 1
        self._stop(waiter)

    def fail(self, waiter: Waiter, error: BaseException) -> None:
        """He waits in vain."""
        self._stop(waiter)
        what = waiter.what
        if isinstance(what, Operation):
            # Counted by `abandon`.
            what.expire(error)
        else:
            self.count -= 1
            what.set_exception(error)

    def fail_all(self, error: BaseException) -> None:
        while (waiter := self.first()) is not None:
            self.fail(waiter, copy_of(error))

    def forget(self) -> None:
        """A lease's task waits no longer."""
        self.count -= 1
        self._clear()

    # What an operation asks of its session.

    def abandon(self, operation: Operation) -> None:
        """Nobody waits for it any more: it is not sent at all."""
        operation.dropped = True
        self.count -= 1
        self._clear()

    def _clear(self) -> None:
        if not self.count:
            self.first()

    @staticmethod
    def _stop(waiter: Waiter) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
            waiter.timer = None


def copy_of(error: BaseException) -> BaseException:
    """Each has an exception, and a traceback, of his own."""
    try:
        new = copy.copy(error)
    except Exception:
        return error
    new.__cause__ = error
    return new
