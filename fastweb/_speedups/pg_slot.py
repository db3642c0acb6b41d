"""One connection of a pool: its state, and the steps of it that nobody waits for.

What the states are, and all that follows from what the server answers, is `fastweb.postgres.slots`'s.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_queue import OperationQueue

__all__ = ["BaseSlot"]


@cython.cclass
class BaseSlot:
    """See above.

    Arguments:
        desk: hands it out.
        connection: open.
        session: the connection's.
        retire_at: the loop's time at which it is too old.
    """

    def __init__(self, desk: Any, connection: Any, session: OperationQueue, retire_at: cython.double) -> None:
        #: None when it is out of the pool.
        self.desk = desk
        self.connection = connection
        self.session: Any = session
        #: The operations on their way.
        self.flight: Any = session.in_flight
        #: Those that will be, when their text is described.
        self.coming: Any = session.described_first
        #: A Holding, the Operation that has it for itself, or the Future of a lease that has just got it;
        #: False while it is leaving.
        self.holder: Any = None
        self.reserved = False
        #: Something was set that others must not meet; `prepared`: by PREPARE.
        self.dirty = False
        self.prepared = False
        self.retire_at = retire_at
        self.idle_since: float = session.loop.time()
        self.timer: Any = None
        #: When the operation began that was found slow.
        self.slow = 0.0

    @property
    def is_idle(self) -> bool:
        """The server has nothing to do for it."""
        return self.rests()

    @cython.cfunc
    @cython.exceptval(-1)
    def rests(self) -> cython.bint:
        session: OperationQueue = self.session
        return session.holds == 0 and not (session.in_flight or session.held or session._waiting)

    @cython.cfunc
    @cython.exceptval(-1)
    def is_untouched(self) -> cython.bint:
        """Whether its holder has left nothing to do behind him: no answer to wait for, no transaction, no
        state of the session."""
        session: OperationQueue = self.session
        return (
            not self.dirty
            and session.lost is None
            and session.transaction_status == "I"
            and not session.first
            and self.rests()
            and self.timer is None
        )

    @cython.ccall
    def hold(self, holder: Any) -> Any:
        """Let it be somebody's own."""
        session: OperationQueue = self.session
        session.shared = False
        session.ordered = True
        self.holder = holder

    @cython.ccall
    def rest(self) -> Any:
        """Nobody holds it any more."""
        session: OperationQueue = self.session
        session.watched = False
        session.shared = True
        session.ordered = False
        session.marker = None
        self.holder = None

    # What the subclass has.

    def is_slow(self, now: float) -> bool:
        """Whether the server is at its first operation for long."""
        raise NotImplementedError

    def mark(self, sql: str) -> None:
        """Note what a holder's statement leaves behind."""
        raise NotImplementedError

    def leave(self, what: str) -> bool:
        """The holder has given it back; whether it is free at once."""
        raise NotImplementedError
