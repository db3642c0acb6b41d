"""The parts of a session (pg_wire, pg_operation, pg_session ...): a select asked and answered, in process."""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_messages import error_fields
from fastweb._speedups.pg_objects import one_sink
from fastweb._speedups.pg_operation import SIMPLE, Description, Operation, Statement, formats
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_rows import TextSink
from fastweb._speedups.pg_scalar import Int4Codec, TextCodec
from fastweb._speedups.pg_session import BaseSession
from fastweb._speedups.pg_wire import Output, WireError

TIMES = 100
SQL = "select id, name from users where id = $1"
CODECS: tuple[Codec, ...] = (Int4Codec(23, "int4"), TextCodec(25, "text"))
ROW = b"D\x00\x00\x00\x16\x00\x02\x00\x00\x00\x04\x00\x00\x00\x05\x00\x00\x00\x04name"
ANSWER = b"2\x00\x00\x00\x04" + ROW + b"C\x00\x00\x00\x0dSELECT 1\x00Z\x00\x00\x00\x05I"


class Loop:
    """One whose clock stands."""

    def time(self) -> float:
        return 0.0

    def call_soon(self, *_args: Any, **_options: Any) -> None:
        pass


class Types:
    """A registry in which nothing changes."""

    version = 0


class Session(BaseSession):
    """One with nothing behind it, and a statement that is known."""

    def __init__(self) -> None:
        super().__init__(Loop(), Types(), {}, 256, 1 << 20)
        statement = Statement(SQL)
        names = Columns(("id", "name"), CODECS)
        statement.description = Description((23,), CODECS[:1], names, b"")
        statement.name = b"fastweb_1"
        statement.parsed = True
        self.statements[SQL] = statement
        self.submit(Operation(self, SIMPLE, "select 1"))
        self.feed(b"C\x00\x00\x00\x0dSELECT 1\x00Z\x00\x00\x00\x05I")

    def write(self, data: bytes) -> None:
        pass


@case(
    "PostgreSQL select of one row, in process",
    *(
        "pg_outcome.Outcomes",
        "pg_session.BaseSession",
        "pg_queue.OperationQueue",
        "pg_frontend.Frontend",
        "pg_operation.Operation",
        "pg_operation.Statement",
        "pg_operation.Description",
    ),
    *("pg_operation.SIMPLE", "pg_operation.QUERY", "pg_operation.BATCH", "pg_operation.PREPARE"),
    *(
        "pg_operation.OPEN_PORTAL",
        "pg_operation.FETCH_PORTAL",
        "pg_operation.CLOSE_PORTAL",
        "pg_operation.COPY",
    ),
)
def select() -> Work:
    session = Session()
    answers = ANSWER * TIMES

    def work() -> None:
        asked = [session.query(SQL, (5,), one_sink()) for _ in range(TIMES)]
        session.feed(answers)
        assert asked[-1].result()["id"] == 5

    return work, TIMES


@case("PostgreSQL messages written", "pg_wire.Output")
def writing() -> Work:
    out = Output()

    def work() -> None:
        for _ in range(TIMES):
            out.put_int8(66)
            at = out.size
            out.put_int32(0)
            out.put_cstring("fastweb_1")
            out.put_int16(1)
            out.put_int32(4)
            out.set_int32(at, out.size - at)
        out.take()

    return work, TIMES


@case("PostgreSQL error, its fields", "pg_messages.error_fields", "pg_wire.WireError")
def errors() -> Work:
    data = b"SERROR\x00VERROR\x00C22012\x00Mdivision by zero\x00Fint.c\x00L841\x00Rint4div\x00\x00"

    def work() -> None:
        try:
            error_fields(data, 0, len(data))
        except WireError:
            raise AssertionError("it is well made") from None

    return work, 1


@case("PostgreSQL row of text", "pg_rows.TextSink", "pg_operation.formats")
def text() -> Work:
    row = ROW[5:]

    def work() -> None:
        sink = TextSink()
        for _ in range(TIMES):
            sink.add(row, 0, len(row))
        formats(CODECS)

    return work, TIMES
