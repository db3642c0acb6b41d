"""A connection of a pool for oneself, `async with pool.acquire()`, as far as nobody need wait for it.

What a lease awaits at its start is mostly there, and at its end always: it is its own awaitable and the
awaitable's iterator (PEP 492), with no coroutine. Where there is something to wait for, the subclass has one
(`fastweb.postgres.leases`).

PERF: `async with pool.acquire(): pass` costs 26,100 instructions instead of 48,000.
"""

import asyncio
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_desk import BaseDesk
from fastweb._speedups.pg_slot import BaseSlot
from fastweb._speedups.runner import EAGER, _current_tasks

__all__ = ["BaseLease", "Holding"]

_current_task = asyncio.current_task
_tasks_of_loops: dict = _current_tasks
_EAGER = cython.declare(cython.bint, EAGER)

_NOT_ITERATED = (
    "acquire() gives a connection, and nothing to iterate over: `async with pool.acquire() as connection`,"
    " or `connection = await pool.acquire()`"
)


@cython.cclass
class Holding:
    """Who has a connection for himself, since when, and where he has asked for it: for the pool's messages.

    Arguments:
        task: the Task, or None.
        code, at: the code that has called `acquire`, and the offset of the instruction there.
        since: the loop's time.
    """

    def __init__(self, task: Any, code: Any, at: cython.int, since: cython.double) -> None:
        self.task = task
        self._code = code
        self._at = at
        self.since = since

    def __str__(self) -> str:
        name = "no task" if self.task is None else self.task.get_name()
        return f"{name} at {place_of(self._code, self._at)} in {self._code.co_qualname}"


def place_of(code: Any, at: int) -> str:
    """The file and line of an instruction. PERF: a frame's own `f_lineno` looks through all lines at once."""
    for start, stop, line in code.co_lines():
        if start <= at < stop and line is not None:
            return f"{code.co_filename}:{line}"
    return f"{code.co_filename}:{code.co_firstlineno}"


@cython.cclass
class BaseLease:
    """See above. It lends a connection once. The subclass has the methods at its end.

    Arguments:
        pool: whose connection it is to be (`fastweb.postgres.PgPool`); it lives as long as this.
        timeout: seconds to wait for a connection; None: the pool's `acquire_timeout`.
        frame: of who asks for it.
    """

    def __init__(self, pool: Any, timeout: Any, frame: Any) -> None:
        self._pool = pool
        self.desk: Any = pool._desk
        self.timeout = timeout
        self._code = frame.f_code
        self._at: int = frame.f_lasti
        #: That whose connection it has lent, or has had; None before.
        self.slot: Any = None
        self._connection: Any = None
        #: `__await__` has given it for its own iterator, which has not ended.
        self._awaited = False

    @property
    def place(self) -> str:
        """Where it was asked for."""
        return place_of(self._code, self._at)

    def __aenter__(self) -> Any:
        return self

    def __await__(self) -> Any:
        desk: BaseDesk = self.desk
        if self.slot is not None:
            raise self.twice()
        slot: BaseSlot = desk.take()
        if slot is None:
            return self.wait().__await__()
        self.lend(slot)
        self._awaited = True
        return self

    def __iter__(self) -> Any:
        # Of whoever awaits it by `yield from`; `for x in pool.acquire()` would be silently empty.
        if not self._awaited:
            raise TypeError(_NOT_ITERATED)
        return self

    def __next__(self) -> Any:
        if not self._awaited:
            raise TypeError(_NOT_ITERATED)
        self._awaited = False
        raise StopIteration(self._connection)

    def __aexit__(self, *_error: object) -> Any:
        self.release()
        return _DONE

    def __del__(self) -> None:
        if self._connection is not None:
            self.forgotten()

    @cython.ccall
    def lend(self, slot: BaseSlot) -> Any:
        """Have this connection, and give it."""
        desk: BaseDesk = self.desk
        if self.slot is not None:
            # By two tasks, of which both have waited.
            desk.give_back(slot)
            raise self.twice()
        self.slot = slot
        desk.leases += 1
        session = slot.session
        loop = session.loop
        task = _current_task(loop) if _EAGER else _tasks_of_loops.get(loop)
        session.marker = slot.mark
        slot.hold(Holding(task, self._code, self._at, loop.time()))
        self._connection = connection = self.connection_of(slot)
        return connection

    @cython.ccall
    def release(self) -> Any:
        """Give the connection back; a second time does nothing. It is the next one's as soon as the server
        has answered what was asked, and nobody need wait for that."""
        connection = self._connection
        if connection is None:
            return
        slot = self.slot
        self._connection = None
        if connection.give_back():
            slot.dirty = True
        desk: BaseDesk = self.desk
        desk.give_back(slot)

    # What the subclass has.

    def connection_of(self, slot: Any) -> Any:
        """Make what its borrower gets."""
        raise NotImplementedError

    def wait(self) -> Any:
        """Wait for a connection, and lend it."""
        raise NotImplementedError

    def twice(self) -> Exception:
        """What is raised where it is to lend a second one."""
        raise NotImplementedError

    def forgotten(self) -> None:
        """Nobody has it any more, and the connection was not given back."""
        raise NotImplementedError


@cython.cclass
class Done:
    """Awaited, it has nothing to wait for."""

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise StopIteration


_DONE = Done()
