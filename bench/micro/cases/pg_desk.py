"""pg_desk, pg_slot, pg_lease: a plain read on its way through a pool, asked and answered in process; a
connection that is lent and taken back."""

from __future__ import annotations

import sys
from threading import get_ident
from types import SimpleNamespace
from typing import Any

from bench.micro.case import Work, case
from bench.micro.cases import pg_session
from fastweb._speedups.pg_desk import BaseDesk
from fastweb._speedups.pg_lease import BaseLease
from fastweb._speedups.pg_objects import one_sink
from fastweb._speedups.pg_operation import QUERY, Operation
from fastweb._speedups.pg_slot import BaseSlot

TIMES = 50


class Loop(pg_session.Loop):
    def is_running(self) -> bool:
        return True


class Slot(BaseSlot):
    """A connection of the pool."""

    def is_slow(self, _now: float) -> bool:
        return False

    def mark(self, _sql: str) -> None:
        raise AssertionError("nothing is asked of a connection that is lent")


class Line:
    """Nobody waits in it."""

    count = 0


def make_desk() -> tuple[BaseDesk, pg_session.Session]:
    session = pg_session.Session()
    session.pooled = False
    # Each has a Sync, so that the answers are the same each time.
    session.statements[pg_session.SQL].pace = -(1 << 30)
    desk = BaseDesk({pg_session.SQL: "read"}, "read", None)
    desk.home = Loop()
    desk.thread = get_ident()
    desk.reading = desk.owning = Line()
    desk.free = [Slot(desk, None, session, float("inf"))]
    return desk, session


@case("PostgreSQL select through the pool, in process", "pg_desk.BaseDesk")
def read() -> Work:
    desk, session = make_desk()
    answers = pg_session.ANSWER * TIMES

    def work() -> None:
        asked = [
            desk.ask(Operation(None, QUERY, pg_session.SQL, (5,), one_sink()), None, None)
            for _ in range(TIMES)
        ]
        session.feed(answers)
        assert asked[-1].result()["id"] == 5

    return work, TIMES


class Connection:
    """What a borrower gets, of which he has made no use."""

    def give_back(self) -> bool:
        return False


class Lease(BaseLease):
    connection = Connection()

    def connection_of(self, slot: Any) -> Any:
        return self.connection


@case(
    "PostgreSQL connection lent and taken back", "pg_lease.BaseLease", "pg_lease.Holding", "pg_slot.BaseSlot"
)
def lease() -> Work:
    desk, _session = make_desk()
    pool, frame = SimpleNamespace(_desk=desk), sys._getframe()

    async def leases() -> None:
        for _ in range(TIMES):
            async with Lease(pool, None, frame):
                pass

    def work() -> None:
        try:
            leases().send(None)
        except StopIteration:
            pass
        assert len(desk.free) == 1

    return work, TIMES
