"""One connection of a pool, and what it is used for at the moment.

    free      plain reads share it, as many as there are; whoever needs one to himself takes one with none
    reserved  takes no more reads: when those on their way are answered, somebody who waits gets it
    held      has a holder: a lease, or one statement
    leaving   given back, but the server still has something to answer, or a transaction to roll back
    closed    out of the pool

What a holder leaves in the session is found by the texts of his statements (`statements.kind_of`), and reset
by SQL that travels before the first statement of the next one.
"""

from __future__ import annotations

import logging
import select
from typing import TYPE_CHECKING, Any, Final

from fastweb._speedups.pg_desk import LONG
from fastweb._speedups.pg_lease import Holding
from fastweb._speedups.pg_operation import SIMPLE, Operation
from fastweb._speedups.pg_slot import BaseSlot
from fastweb.postgres.statements import Kind, kind_of

if TYPE_CHECKING:
    from fastweb.postgres.connection import Connection
    from fastweb.postgres.desk import Desk

__all__ = ["RESET", "Slot"]

logger = logging.getLogger("fastweb.postgres")

#: What DISCARD ALL does, but for the prepared statements, which stay.
RESET: Final = (
    "CLOSE ALL; UNLISTEN *; SET SESSION AUTHORIZATION DEFAULT; RESET ALL;"
    " SELECT pg_catalog.pg_advisory_unlock_all();"
    " DISCARD TEMP; DISCARD SEQUENCES"
)
#: The same where somebody has used PREPARE himself.
RESET_PREPARED: Final = RESET + "; DEALLOCATE ALL"

#: Seconds that the server may take to end what a holder has left behind; then the connection is closed.
LEAVING: Final = 10.0


class Slot(BaseSlot):
    """See above; the steps that nobody waits for are `BaseSlot`'s.

    Arguments:
        desk: hands it out.
        connection: open.
        retire_at: the loop's time at which it is too old.
    """

    __slots__ = ()

    def __init__(self, desk: Desk, connection: Connection, retire_at: float) -> None:
        session = connection.protocol
        super().__init__(desk, connection, session, retire_at)
        # The pool tells, of all of them.
        connection.guard = None
        session.owner = self
        session.shared = True
        session.ordered = False

    @property
    def is_awaited(self) -> bool:
        """Somebody waits for something of it: more than answers that are drained and dropped."""
        session = self.session
        if self.holder is not None or not self.flight:
            return self.holder is not None or not session.is_idle
        asked = (*session.unit, *self.flight, *self.coming, *session.held)
        return any(not each.dropped and not each.internal for each in asked)

    def is_slow(self, now: float) -> bool:
        """Whether the server is at its first operation for longer than `LONG`, as far as the loop has seen.
        While that was busy with something else, an answer may have come that it has not read."""
        session = self.session
        started = self.flight[0].started
        if now - started <= LONG:
            return False
        if session.now - started > LONG or self.slow == started:
            # Something of it was read, or was to be read, that late, and it was not its end.
            return True
        if session.out.size or _is_readable(session.transport):
            return False
        self.slow = started
        return True

    def is_stuck(self, now: float) -> bool:
        """What it does is for nobody any more, and does not end: the network may be gone."""
        return bool(self.flight) and now - self.flight[0].started >= LEAVING and not self.is_awaited

    # Held

    def mark(self, sql: str) -> None:
        """Note what a holder's statement leaves behind."""
        kind = kind_of(sql)
        if kind is Kind.SESSION:
            self.dirty = True
            if "prepare" in sql[:200].lower():
                self.prepared = True
            elif not self.prepared:
                # Another one may be a PREPARE.
                return
            self.session.marker = None

    def leave(self, what: str) -> bool:
        """The holder has given it back; whether it is free at once, or later, when `desk.freed` is called.

        Arguments:
            what: the holder, for a warning; "" for what the slot knows of him.
        """
        session = self.session
        session.marker = None
        if session.lost is not None:
            return False
        if first := getattr(session, "first", None):
            # A transaction that was begun, and for which nothing was asked.
            first.clear()
        if self.is_idle and session.transaction_status == "I":
            self._clean()
            return True
        what = what or str(self.holder)
        self.holder = False
        session.watched = True
        if self.timer is None:
            self.timer = session.loop.call_later(LEAVING, self._stuck)
        if self.is_idle:
            self._roll_back(what)
        return False

    def ready(self) -> None:
        """The server has answered something: the session calls this, where it is watched."""
        holder = self.holder
        desk = self.desk
        session = self.session
        if desk is None:
            return
        if holder is None:
            if self.reserved:
                if self.is_idle:
                    self.reserved = False
                    session.watched = desk.is_watched
                    desk.freed(self)
            else:
                desk.has_room(self)
        elif self.is_idle:
            if holder is not False:
                # A statement that had it for itself.
                if session.transaction_status != "I":
                    self.leave(holder.sql)
                    return
            elif session.transaction_status != "I":
                self._roll_back("")
                return
            self._clean()
            desk.freed(self)

    def gone(self) -> None:
        """The connection has ended: the session calls this, before it tells those who wait."""
        self._stop_timer()
        desk = self.desk
        if desk is not None:
            desk.lost(self)

    def discard(self) -> None:
        """It is out of the pool."""
        self.desk = None
        self.session.owner = None
        self.session.watched = False
        self.session.marker = None
        self._stop_timer()

    def _clean(self) -> None:
        """Nobody holds it any more."""
        session = self.session
        self._stop_timer()
        self.rest()
        if self.dirty:
            session.reset_first = RESET_PREPARED if self.prepared else RESET
            self.dirty = self.prepared = False
            if self.desk is not None:
                self.desk.supply.soiled()

    def _roll_back(self, what: str) -> None:
        session = self.session
        if self.desk is not None and what:
            self.desk.rollbacks += 1
            logger.warning(
                "a connection was given back to the pool with a transaction open, which was rolled back: %s",
                what,
            )
        operation = Operation(session, SIMPLE, "ROLLBACK")
        operation.internal = True
        session.submit(operation)

    def _stuck(self) -> None:
        self.timer = None
        self.session.terminate()

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    # For the pool's messages

    def described(self, now: float) -> str:
        """Who holds it, for how long, and what the server does for him."""
        holder = self.holder
        doing = self.flight[0].sql if self.flight else ""
        if isinstance(holder, Holding):
            text = f"{holder}, for {now - holder.since:.1f} s"
            return f"{text}: {_short(doing)}" if doing else f"{text}, idle"
        if isinstance(holder, Operation):
            return f"a statement, for {now - (holder.started or now):.1f} s: {_short(holder.sql)}"
        if holder is False:
            return f"given back, still busy: {_short(doing)}"
        return f"{len(self.flight)} reads: {_short(doing)}"


def _is_readable(transport: Any) -> bool:
    """Whether something has come that was not read yet."""
    found = transport.get_extra_info("socket")
    if found is None or (number := found.fileno()) < 0 or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


def _short(sql: str) -> str:
    text = " ".join(sql[:400].split())
    return text if len(text) <= 100 else text[:99] + "…"
