"""The desk of a pool: who gets which connection, and who waits for one.

What a SQL text is (`statements.kind_of`) decides:

    a plain read     shares a connection. It goes behind the reads that are on their way, in one write with
                     what else is asked in this turn of the loop; not behind a statement that the server has
                     been at for more than 5 ms (`Slot.is_slow`), and not behind too many
    anything else    has one to itself until the server has answered, and so has whoever acquires one

Reads and owners, which is what the others are called here, wait in two lines, each first come first served; a
connection that becomes free goes to whoever has waited longest. An owner for whom there is none with nothing
on its way has one *reserved*: it takes no more reads. There are no locks and no task: what happens follows
from what the server answers (`Slot.ready`), in the same turn.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any

from fastweb._speedups.pg_desk import ENOUGH, LONG, BaseDesk
from fastweb._speedups.pg_operation import Operation
from fastweb.postgres.deadline import is_over, limit
from fastweb.postgres.errors import InterfaceError, PoolTimeoutError
from fastweb.postgres.lines import Line, Waiter, copy_of
from fastweb.postgres.slots import Slot
from fastweb.postgres.statements import Kind, kind_of, known
from fastweb.postgres.supply import CLOSING, Supply

__all__ = ["Desk"]


class Desk(BaseDesk):
    """See above. What need not wait is `BaseDesk`'s.

    Arguments:
        supply: has the connections.
        enter: called where the running loop is not the one that something may be asked on; `begin` comes of
            it, or an exception.
        acquire_timeout: seconds to wait for a connection; None: for ever.
        command_timeout: seconds for an answer, where none are said; None: for ever.
    """

    def __init__(
        self,
        supply: Supply,
        enter: Callable[[], None],
        acquire_timeout: float | None,
        command_timeout: float | None,
    ) -> None:
        super().__init__(known, Kind.READ, command_timeout)
        self.supply = supply
        supply.desk = self
        self._enter = enter
        self.acquire_timeout = acquire_timeout
        self.statements = 0
        self.waits = self.timeouts = self.rollbacks = 0
        self.wait_time = self.longest_wait = 0.0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everybody."""
        self.loop: Any = None
        self.home = None
        self.free: list[Slot] = []
        self.reading = Line(None)
        self.owning = Line(None)
        #: A future, where somebody waits until nothing is used.
        self.all_done: Any = None

    def begin(self, loop: Any) -> None:
        """Be used on a loop."""
        self.loop = self.home = self.reading.loop = self.owning.loop = loop
        self.thread = get_ident()

    def enter(self) -> None:
        self._enter()

    def place(self, operation: Operation, share: bool | None) -> None:
        """Send an operation on a connection, or let it wait for one."""
        kind = kind_of(operation.sql)
        if kind is Kind.READ:
            if share is None:
                share = operation.plain_read = True
        elif kind is Kind.TRANSACTION or kind is Kind.COPY:
            raise _refused(operation.sql, kind)
        elif kind is Kind.SESSION:
            # Nobody else is to meet what it sets, whatever the caller says.
            share = False
        if share:
            self.read(operation)
        else:
            slot = self.take()
            if slot is not None:
                self._own(slot, operation)
            else:
                self._wait(self.owning, operation)

    def wait_to_read(self, operation: Operation) -> None:
        self._wait(self.reading, operation)

    def is_over(self, operation: Operation, timeout: float | None) -> bool:
        operation.session = self.reading
        return is_over(operation, self.command_timeout if timeout is None else timeout)

    def limit(self, operation: Operation, timeout: float | None) -> None:
        limit(operation, self.loop, self.command_timeout if timeout is None else timeout)

    def _own(self, slot: Slot, operation: Operation) -> None:
        """Let a statement have a connection to itself."""
        self.statements += 1
        session = slot.session
        slot.hold(operation)
        slot.mark(operation.sql)
        session.watched = True
        operation.session = session
        session.submit(operation)
        if operation.done():
            # It could not be sent.
            slot.ready()

    def grow(self) -> None:
        """Open one more, where the pool may have more and none is being opened."""
        supply = self.supply
        if len(supply.slots) < supply.max_size and not supply.opening:
            supply.start(1)

    async def wait_for_slot(self, timeout: float | None) -> Slot:  # noqa: ASYNC109 - as everywhere
        """Wait in line for one."""
        waiter = self.loop.create_future()
        self._wait(self.owning, waiter, self.acquire_timeout if timeout is None else timeout)
        try:
            slot: Slot = await waiter
        except BaseException:
            if waiter.cancelled() or waiter.cancel():
                self.owning.forget()
            elif waiter.exception() is None:
                self.give_back(waiter.result())
            raise
        return slot

    def _wait(self, line: Line, what: Any, timeout: float | None = None) -> None:
        """Put an operation, or the future of a lease, in line."""
        if timeout is None:
            timeout = self.acquire_timeout
        if isinstance(what, Operation):
            what.session = line
        waiter = Waiter(what, self.loop.time(), self.waits)
        if timeout is not None:
            # At first: of a time that it does not understand, the loop raises an exception.
            waiter.timer = self.loop.call_later(max(timeout, 0.0), self._too_late, line, waiter, timeout)
        line.add(waiter)
        self.waits += 1
        self.watch(True)
        self.supply.grow()
        if line is self.owning:
            self.reserve()

    def _too_late(self, line: Line, waiter: Waiter, timeout: float) -> None:
        waiter.timer = None
        if waiter.is_gone:
            return
        self.timeouts += 1
        if self.supply.failure is not None and not self.supply.slots:
            error = copy_of(self.supply.failure)
        else:
            error = PoolTimeoutError(self._why_none(timeout))
        line.fail(waiter, error)

    def _why_none(self, timeout: float) -> str:
        now = self.loop.time()
        supply = self.supply
        before = self.reading.count + self.owning.count - 1
        lines = [
            f"no connection of the pool became free in {timeout:g} s:"
            f" {len(supply.slots)} of {supply.max_size} are open"
            + (f", {len(supply.opening)} are being opened" if supply.opening else "")
            + (f", {before} others wait" if before > 0 else "")
        ]
        lines += [f"- {slot.described(now)}" for slot in supply.slots[:20]]
        if len(supply.slots) > 20:
            lines.append(f"- and {len(supply.slots) - 20} more")
        if supply.failure is not None:
            lines.append(f"- no other could be opened: {supply.failure}")
        return "\n".join(lines)

    def holders(self) -> str:
        now = self.loop.time()
        return "; ".join(
            slot.described(now) for slot in self.supply.slots if not slot.is_idle or slot.holder is not None
        )

    @property
    def wanted(self) -> int:
        """How many connections would do for those who wait."""
        owners: int = self.owning.count
        return owners + (1 if self.reading.count else 0)

    @property
    def is_waited_for(self) -> bool:
        return bool(self.reading.count or self.owning.count)

    @property
    def is_watched(self) -> bool:
        """Whether a free connection has to tell what the server has answered."""
        return self.supply.state == CLOSING or self.is_waited_for

    def watch(self, on: bool) -> None:
        """Have the free connections tell what the server has answered, as long as somebody waits."""
        for slot in self.free:
            slot.session.watched = on

    def reserve(self) -> None:
        """Let some connections take no more reads, as many as there are owners who wait, where the pool can
        grow no more."""
        missing = self.owning.count - sum(slot.reserved for slot in self.supply.slots)
        free = self.free
        supply = self.supply
        is_full = len(supply.slots) >= supply.max_size or supply.failure is not None
        while missing > 0 and free and (is_full or len(free) > 1):
            slot = min(free, key=_reads_of)
            free.remove(slot)
            slot.reserved = True
            slot.session.watched = True
            missing -= 1

    def freed(self, slot: Slot) -> None:
        """A connection has nothing to do and no holder: the next one gets it."""
        now = self.loop.time()
        reading, owning = self.reading, self.owning
        slot.idle_since = now
        if slot.session.lost is not None:
            return
        if now >= slot.retire_at or (self.supply.state == CLOSING and not self.is_waited_for):
            self.supply.retire(slot)
            self.check_done()
            return
        owner = owning.first()
        reader = reading.first()
        if owner is not None and (reader is None or owner.number < reader.number):
            owning.pop(owner)
            self._count_wait(now - owner.since)
            if isinstance(owner.what, Operation):
                self._own(slot, owner.what)
            else:
                # Nobody else's, until the task runs.
                slot.hold(owner.what)
                slot.session.watched = False
                owner.what.set_result(slot)
            return
        self.free.append(slot)
        if reader is not None:
            self._send_reads(slot, now)
            if owning.count:
                self.reserve()
        self.check_done()

    def has_room(self, slot: Slot) -> None:
        """A connection that reads share has answered one."""
        if self.owning.count and slot.is_idle:
            self.free.remove(slot)
            self.freed(slot)
        elif self.reading.count:
            self._send_reads(slot, self.loop.time())
        elif self.supply.state == CLOSING:
            self.check_done()
        elif not self.owning.count:
            self.watch(False)

    def _send_reads(self, slot: Slot, now: float) -> None:
        """Let reads that wait go, as many as may be on their way at once."""
        line = self.reading
        flight = slot.flight
        session = slot.session
        most = 1 if session.pooled else ENOUGH
        while len(flight) + len(slot.coming) < most and (reader := line.first()) is not None:
            if flight and now - flight[0].started > LONG and slot.is_slow(now):
                return
            line.pop(reader)
            self._count_wait(now - reader.since)
            self.reads += 1
            operation = reader.what
            operation.session = session
            session.submit(operation)
        session.watched = self.is_watched

    def lost(self, slot: Slot) -> None:
        """A connection has ended, by whomever."""
        slot.desk = None
        supply = self.supply
        supply.forget(slot)
        if slot in self.free:
            self.free.remove(slot)
        if slot.holder is None:
            for operation in slot.session.take_unsent():
                self._wait(self.reading, operation)
        supply.make_up()
        self.check_done()

    def fail_all(self, error: BaseException) -> None:
        """All wait in vain."""
        self.reading.fail_all(error)
        self.owning.fail_all(error)

    def _count_wait(self, seconds: float) -> None:
        self.wait_time += seconds
        if seconds > self.longest_wait:
            self.longest_wait = seconds

    @property
    def is_used(self) -> bool:
        return self.is_waited_for or any(slot.is_awaited for slot in self.supply.slots)

    def check_done(self) -> None:
        if self.all_done is not None and not self.is_used:
            if not self.all_done.done():
                self.all_done.set_result(None)
            self.all_done = None


def _reads_of(slot: Slot) -> int:
    return len(slot.flight)


def _refused(sql: str, kind: Kind) -> InterfaceError:
    text = " ".join(sql[:200].split())
    if kind is Kind.COPY:
        return InterfaceError(f"COPY talks in its own way: use pool.copy_in and pool.copy_out: {text}")
    return InterfaceError(
        "a pool gives each statement a connection of its choice, so a transaction cannot be begun or ended"
        " with one:"
        f" use `async with pool.transaction()`, or acquire a connection: {text}"
    )
