"""pg_desk: a plain read on its way through a pool, asked and answered in process."""

from __future__ import annotations

from threading import get_ident
from typing import Any

from bench.micro.case import Work, case
from bench.micro.cases import pg_session
from fastweb._speedups.pg_desk import BaseDesk
from fastweb._speedups.pg_objects import one_sink
from fastweb._speedups.pg_operation import QUERY, Operation

TIMES = 50


class Loop(pg_session.Loop):
    def is_running(self) -> bool:
        return True


class Slot:
    """A connection of the pool."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def is_slow(self, _now: float) -> bool:
        return False


class Line:
    """Nobody waits in it."""

    count = 0


@case("PostgreSQL select through the pool, in process", "pg_desk.BaseDesk")
def read() -> Work:
    session = pg_session.Session()
    session.pooled = False
    # Each has a Sync, so that the answers are the same each time.
    session.statements[pg_session.SQL].pace = -(1 << 30)
    desk = BaseDesk({pg_session.SQL: "read"}, "read", None)
    desk.home = Loop()
    desk.thread = get_ident()
    desk.reading = Line()
    desk.free = [Slot(session)]
    answers = pg_session.ANSWER * TIMES

    def work() -> None:
        asked = [
            desk.ask(Operation(None, QUERY, pg_session.SQL, (5,), one_sink()), None, None)
            for _ in range(TIMES)
        ]
        session.feed(answers)
        assert asked[-1].result()["id"] == 5

    return work, TIMES
