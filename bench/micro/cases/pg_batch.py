"""Rows of `execute_many` (pg_batch), alone and in groups: written, and their answers read, in process."""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from bench.micro.cases.pg_session import CODECS, Loop, Types
from fastweb._speedups.pg_batch import BatchQueue, NotYet
from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_operation import BATCH, SIMPLE, Description, Operation, Statement
from fastweb._speedups.pg_session import BaseSession

COUNT = 1000
SQL = "insert into users values ($1, $2)"
ROWS = [(number, "name") for number in range(COUNT)]
READY = b"Z\x00\x00\x00\x05I"
DONE = b"2\x00\x00\x00\x04C\x00\x00\x00\x0fINSERT 0 1\x00"
ANSWER = b"2\x00\x00\x00\x04D\x00\x00\x00\x0b\x00\x01\x00\x00\x00\x01tC\x00\x00\x00\x0dSELECT 1\x00"


class Insert:
    """What is known of the text."""

    parameters = 2
    question = "?"

    def group(self, rows: int) -> str:
        return f"{SQL} * {rows}"


class Session(BaseSession):
    """One with nothing behind it, and statements that are known."""

    def __init__(self, insert: Insert | None) -> None:
        super().__init__(Loop(), Types(), {}, 256, 1 << 20)
        self.insert = insert
        self.pooled = False
        one = Description((23, 25), CODECS, None, b"")
        group = Description((23, 25) * 32, CODECS * 32, None, b"")
        for sql, description in ((SQL, one), ("?", None), (f"{SQL} * 32", group)):
            statement = Statement(sql)
            statement.description = description
            statement.name = b"fastweb_1"
            statement.parsed = True
            self.statements[sql] = statement
        self.statements[f"{SQL} * 32"].base = one
        self.submit(Operation(self, SIMPLE, "select 1"))
        self.feed(b"C\x00\x00\x00\x0dSELECT 1\x00" + READY)

    def insert_of(self, sql: str) -> Any:
        return self.insert

    def rows_of(self, args: Any) -> Any:
        return iter(args)

    def text_codec(self) -> Codec:
        return CODECS[1]

    def write(self, data: bytes) -> None:
        pass

    def drained(self, operation: Operation) -> None:
        pass


def _of(insert: Insert | None, answers: bytes) -> Work:
    session = Session(insert)
    assert isinstance(session, BatchQueue)

    def work() -> None:
        operation = Operation(session, BATCH, SQL, ROWS)
        session.submit(operation)
        session.feed(answers)
        assert operation.done()

    return work, COUNT


@case("PostgreSQL rows of a batch, in groups, in process", "pg_batch.BatchQueue")
def groups() -> Work:
    return _of(Insert(), DONE + ANSWER + DONE * 31 + DONE * 7 + READY)


@case("PostgreSQL rows of a batch, each alone, in process", "pg_batch.BatchQueue")
def alone() -> Work:
    return _of(None, DONE * COUNT + READY)


class Stream:
    """Rows that come one at a time."""

    def __init__(self) -> None:
        self.rows = list(ROWS)
        self.here = False

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> tuple[int, str]:
        if not self.rows:
            raise StopIteration
        if not self.here:
            raise NotYet
        self.here = False
        return self.rows.pop()


@case("PostgreSQL rows of a batch, as they come, in process", "pg_batch.NotYet")
def stream() -> Work:
    session = Session(None)

    def work() -> None:
        source = Stream()
        operation = Operation(session, BATCH, SQL, source)
        session.submit(operation)
        while source.rows:
            source.here = True
            session.feed_batch()
        session.feed_batch()
        session.feed(DONE * COUNT + READY)
        assert operation.done()

    return work, COUNT
