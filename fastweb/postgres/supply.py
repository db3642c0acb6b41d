"""The connections of a pool: opened as somebody waits for them, replaced when they are old or lost, closed
when nobody has needed them for long.

Where nothing can be opened, attempts go on with growing delays, one at a time, and who waits gets the reason
when his time is over. Nothing is asked to find out whether a connection is alive: that shows when it ends, or
when it is used. The tasks that open connections are the only ones that a pool has.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from fastweb.postgres.backoff import Backoff
from fastweb.postgres.connection import Connection, Shared
from fastweb.postgres.errors import ConnectError, InterfaceError
from fastweb.postgres.options import Options
from fastweb.postgres.slots import Slot
from fastweb.postgres.types import TypeRegistry
from fastweb.postgres.unclosed import end_of

if TYPE_CHECKING:
    from fastweb.postgres.desk import Desk

__all__ = ["CLOSED", "CLOSING", "NEW", "OPEN", "Supply"]

#: What a pool is, in this order.
NEW, OPEN, CLOSING, CLOSED = range(4)

#: Seconds after which something that was left in a session is reset although nobody has come who takes the
#: reset along: locks and temporary tables are not to wait for that.
SOILED: Final = 0.1


class Supply:
    """See above. The arguments are those of `PgPool`.

    Arguments:
        types: the database's types.
    """

    #: Who hands them out; a desk says so itself.
    desk: Desk

    def __init__(
        self,
        options: Options,
        types: TypeRegistry,
        min_size: int,
        max_size: int,
        max_idle: float | None,
        max_age: float | None,
        connect: Callable[..., Awaitable[Connection]],
        setup: Callable[[Connection], Awaitable[object]] | None,
    ) -> None:
        self.options = options
        self.types = types
        self.min_size = min_size
        self.max_size = max_size
        self.max_idle = max_idle
        self.max_age = max_age
        self._connect = connect
        self._setup = setup
        self.state = NEW
        #: Nobody has the pool any more, and it was never closed.
        self.forsaken = False
        self.opened = self.ended = self.losses = self.connect_failures = self.resets = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all connections."""
        self.loop: Any = None
        #: All that are open.
        self.slots: list[Slot] = []
        self.opening: set[asyncio.Task[None]] = set()
        self._backoff = Backoff()
        #: Why the last one could not be opened.
        self.failure: BaseException | None = None
        #: A connection was open once: the server is there, or will be again.
        self.was_open = False
        self._retry: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._reset: asyncio.TimerHandle | None = None
        self.shared = Shared(self.types)

    @property
    def is_refused(self) -> bool:
        """The last attempt has failed, and the next one is not due."""
        return self.failure is not None and self._retry is not None

    async def open(self, count: int) -> None:
        """Open connections until there are so many, or one could not be opened (`is_refused`)."""
        if not self.opening:
            self.start(count - len(self.slots))
        await asyncio.wait(self.opening, return_when=asyncio.FIRST_COMPLETED)

    def begin(self, loop: Any) -> None:
        """Be used on a loop."""
        self.loop = loop
        self.state = OPEN
        if self.min_size:
            self.start(self.min_size)

    async def close(self) -> None:
        """Close all connections."""
        for timer in (self._retry, self._sweep, self._reset):
            if timer is not None:
                timer.cancel()
        opening = list(self.opening)
        for task in opening:
            task.cancel()
        slots, self.slots = self.slots, []
        for slot in slots:
            slot.discard()
        self.ended += len(slots)
        connections = [slot.session.close(5.0, cancel=True) for slot in slots]
        await asyncio.gather(*opening, *connections, return_exceptions=True)

    def grow(self) -> None:
        """Open connections for those who wait."""
        wanted = self.desk.wanted - len(self.opening)
        if wanted > 0:
            self.start(wanted)

    def start(self, wanted: int) -> None:
        """Open connections, as many as may be."""
        room = self.max_size - len(self.slots) - len(self.opening)
        if self.state > CLOSING:
            return
        if self._backoff.failures:
            if self._retry is not None:
                return
            # One, to see whether it can be done again.
            room = min(room, 1 - len(self.opening))
        for _ in range(min(wanted, room)):
            task = self.loop.create_task(self._open_one(), name="fastweb.postgres: opens a connection")
            self.opening.add(task)

    async def _open_one(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        opening = self.opening
        connection: Connection | None = None
        try:
            connection = await self._connect(self.options, self.shared)
            if self._setup is not None:
                await self._setup(connection)
            _check(connection)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            opening.discard(task)
            if opening is self.opening and self.state <= CLOSING:
                if isinstance(error, asyncio.CancelledError):
                    # By somebody else than `close`: who waits for a connection was not cancelled.
                    self._not_opened(ConnectError("the opening of a connection was cancelled"))
                else:
                    self._not_opened(error)
            if not isinstance(error, Exception):
                raise
        else:
            opening.discard(task)
            if opening is self.opening and self.state <= CLOSING:
                self._add(connection)
            else:
                # The pool was closed meanwhile.
                connection.terminate()

    def _add(self, connection: Connection) -> None:
        self.opened += 1
        self.failure = None
        self.was_open = True
        self._backoff.reset()
        now = self.loop.time()
        age = float("inf") if self.max_age is None else self.max_age * random.uniform(0.9, 1.1)
        slot = Slot(self.desk, connection, now + age)
        self.slots.append(slot)
        if self._sweep is None:
            self._sweep_later()
        self.desk.freed(slot)
        if self.forsaken:
            end_of([slot.session], lambda: self.desk.is_used)
        if self.desk.is_waited_for:
            self.grow()

    def _not_opened(self, error: BaseException) -> None:
        self.connect_failures += 1
        self.failure = error
        if self._retry is None:
            self._retry = self.loop.call_later(self._backoff.next(), self._try_again)
        if not self.slots and (not self.was_open or _is_final(error)):
            # There has never been a server, or it will not have us: waiting would help nobody.
            self.desk.fail_all(error)
        elif self.desk.owning.count:
            self.desk.reserve()
        self.desk.check_done()

    def _try_again(self) -> None:
        self._retry = None
        if self.desk.is_waited_for:
            self.grow()
        elif len(self.slots) < self.min_size and self.was_open and self.state == OPEN:
            self.start(1)

    def forget(self, slot: Slot) -> None:
        """A connection has ended, by whomever."""
        if slot in self.slots:
            self.slots.remove(slot)
            self.losses += 1

    def make_up(self) -> None:
        """Open another one for what was lost, where somebody waits, or fewer are left than are to be open."""
        if self.state != OPEN or self.forsaken:
            return
        if self.desk.is_waited_for:
            self.grow()
        elif len(self.slots) < self.min_size and self._retry is None:
            # Not at once: who is restarted does not need all its clients in the same moment.
            self._retry = self.loop.call_later(random.uniform(0.05, 0.2), self._try_again)

    def retire(self, slot: Slot) -> None:
        """Close a connection that nobody uses."""
        slot.discard()
        if slot in self.slots:
            self.slots.remove(slot)
            self.ended += 1
        if slot in self.desk.free:
            self.desk.free.remove(slot)
        slot.session.hang_up()
        if self.state == OPEN and (self.desk.is_waited_for or len(self.slots) < self.min_size):
            self.start(1)

    def _sweep_later(self) -> None:
        times = [seconds for seconds in (self.max_idle, self.max_age) if seconds is not None]
        if times:
            self._sweep = self.loop.call_later(min(30.0, max(0.02, min(times) / 4)), self._sweep_now)

    def _sweep_now(self) -> None:
        """Close what is too old, or was idle for too long."""
        self._sweep = None
        now = self.loop.time()
        for slot in list(self.desk.free):
            if slot.is_stuck(now):
                slot.session.terminate()
            elif now >= slot.retire_at:
                if slot.is_idle:
                    self.retire(slot)
                elif not slot.reserved:
                    # It takes no more reads, and goes when these are answered.
                    self.desk.free.remove(slot)
                    slot.reserved = True
                    slot.session.watched = True
            elif (
                self.max_idle is not None
                and len(self.slots) > self.min_size
                and slot.is_idle
                and now - slot.idle_since >= self.max_idle
                and now - slot.session.now >= self.max_idle
            ):
                self.retire(slot)
        if self.slots:
            self._sweep_later()

    def soiled(self) -> None:
        """Something was left behind in a session."""
        self.resets += 1
        if self._reset is None:
            self._reset = self.loop.call_later(SOILED, self._reset_all)

    def _reset_all(self) -> None:
        self._reset = None
        for slot in self.desk.free:
            slot.session.reset()


def _check(connection: Connection) -> None:
    """Whether a connection that was set up can be lent."""
    if connection.is_closed:
        lost = connection.protocol.lost
        raise type(lost)(*lost.args)
    if connection.in_transaction:
        raise InterfaceError("the pool's setup has left a transaction open: end it there")


def _is_final(error: BaseException) -> bool:
    """Whether no other attempt will do: wrong password, no such database, a wrong configuration."""
    if isinstance(error, InterfaceError):
        return True
    found = [error, *getattr(error, "errors", ())]
    return any(str(getattr(each, "sqlstate", ""))[:2] in ("28", "3D") for each in found)
