"""The ways through a pool on which nobody has to wait: which connection takes a plain read, and which one is
lent and given back.

Most of what an app asks is a plain read: it goes to the first connection that has nothing on its way, or
little, and whose server is not at something slow. A holder gets one with nothing on its way, and mostly
leaves nothing behind. All else, and whoever has to wait, is `fastweb.postgres.desk`'s.

PERF: compiled, a read through the pool costs 29,300 instructions instead of 32,300.
"""

from threading import get_ident
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_operation import Operation
from fastweb._speedups.pg_queue import OperationQueue
from fastweb._speedups.pg_slot import BaseSlot

__all__ = ["ENOUGH", "LONG", "MOST", "BaseDesk"]

#: Reads on their way on a connection before another one is taken, or opened.
ENOUGH = 64
#: The most of them.
MOST = 256
#: Seconds that the server may be at a statement before nothing is sent behind it any more.
LONG = 0.005

_ENOUGH = cython.declare(cython.Py_ssize_t, ENOUGH)
_MOST = cython.declare(cython.Py_ssize_t, MOST)
_LONG = cython.declare(cython.double, LONG)


@cython.cfunc
@cython.inline
def _is_old(operation: Operation, now: cython.double) -> cython.bint:
    return now - operation.started >= _LONG


@cython.cclass
class BaseDesk:
    """See above. The subclass has the methods at its end.

    Arguments:
        kinds: SQL text -> what it is, as far as that is known.
        read: what a plain read is there.
        command_timeout: seconds for an answer, where none are said; None: for ever.
    """

    def __init__(self, kinds: dict, read: Any, command_timeout: Any) -> None:
        self._kinds = kinds
        self._read = read
        self.command_timeout = command_timeout
        self.reads = 0
        #: Where something may be asked at the moment: the event loop, and the thread that it runs in.
        self.home: Any = None
        self.thread = 0
        #: The connections that reads may go to, the first of them first.
        self.free: list = []
        #: The reads that wait for one; its `count` is how many.
        self.reading: Any = None
        #: Those who wait for a connection to themselves, in the same way.
        self.owning: Any = None
        #: How many connections were lent.
        self.leases = 0

    @cython.ccall
    @cython.exceptval(-1)
    def is_here(self) -> cython.bint:
        """Whether something may be asked in this thread, at this moment.

        PERF: up to Python 3.11 asyncio's own answer costs a getpid.
        """
        return self.home is not None and get_ident() == self.thread and self.home.is_running()

    def ask(self, operation: Operation, timeout: Any, share: Any) -> Any:
        """Send an operation on a connection, or let it wait for one.

        Arguments:
            operation: with no session yet.
            timeout: seconds for the answer; None: `command_timeout`.
            share: whether it may share a connection, where its text is not to tell (None).
        """
        if not self.is_here():
            self.enter()
        limited: cython.bint = timeout is not None or self.command_timeout is not None
        if limited and self.is_over(operation, timeout):
            return operation
        if share is None and self._kinds.get(operation.sql) is self._read:
            operation.plain_read = True
            self.read(operation)
        else:
            self.place(operation, share)
        if limited:
            self.limit(operation, timeout)
        return operation

    @cython.ccall
    def read(self, operation: Operation) -> Any:
        """Send an operation on a connection that others use, too, or let it wait for one."""
        slot = None if self.reading.count else self.slot_for_read()
        if slot is None:
            self.wait_to_read(operation)
            return
        self.reads += 1
        session: OperationQueue = slot.session
        operation.session = session
        session.submit(operation)

    @cython.ccall
    def slot_for_read(self) -> Any:
        """The first connection with nothing to do, or little; else the one with the fewest reads on their
        way; None where all have too many."""
        best: Any = None
        least: cython.Py_ssize_t = _MOST
        now: cython.double = 0.0
        count: cython.Py_ssize_t
        for each in self.free:
            slot: BaseSlot = each
            session: OperationQueue = slot.session
            flight = session.in_flight
            count = len(flight) + len(session._waiting)
            if count == 0:
                return slot
            if session.pooled is True:
                continue  # It takes one after the other.
            if count < least:
                if now == 0.0:
                    now = self.home.time()
                if not flight or not _is_old(flight[0], now) or not slot.is_slow(now):
                    if count < _ENOUGH:
                        return slot
                    best = slot
                    least = count
        self.grow()
        return best

    @cython.ccall
    def take(self) -> Any:
        """A connection with nothing to do, for its next holder; None where there is none, or others wait."""
        slot: BaseSlot
        if not self.is_here():
            self.enter()
        if self.owning.count and self.owning.first() is not None:
            return None
        free = self.free
        at: cython.Py_ssize_t = len(free)
        while at > 0:
            at -= 1
            slot = free[at]
            if slot.rests():
                del free[at]
                return slot
        return None

    @cython.ccall
    def give_back(self, slot: BaseSlot) -> Any:
        """A holder does not need a connection any more."""
        if slot.desk is not self:
            return
        if self.home is not None and not self.owning.count and not self.reading.count and slot.is_untouched():
            now: cython.double = self.home.time()
            if now < slot.retire_at:
                slot.rest()
                slot.idle_since = now
                self.free.append(slot)
                return
        if slot.leave(""):
            self.freed(slot)

    # What the subclass has.

    def enter(self) -> None:
        """Be used on the running loop, or raise an exception."""
        raise NotImplementedError

    def place(self, operation: Operation, share: Any) -> None:
        """Find a connection for what is no plain read, or not known for one."""
        raise NotImplementedError

    def wait_to_read(self, operation: Operation) -> None:
        """Let a read wait for a connection."""
        raise NotImplementedError

    def is_over(self, operation: Operation, timeout: Any) -> bool:
        """Whether its time has gone by before it is asked; it has failed then."""
        raise NotImplementedError

    def limit(self, operation: Operation, timeout: Any) -> None:
        """Let it wait no longer than that."""
        raise NotImplementedError

    def grow(self) -> None:
        """All connections have enough to do."""
        raise NotImplementedError

    def freed(self, slot: Any) -> None:
        """A connection has nothing to do and no holder: the next one gets it."""
        raise NotImplementedError
