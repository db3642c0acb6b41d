"""fastweb/_speedups/pg_rows.py, pg_objects.py, pg_record.py

1,000 rows of (int4, text, timestamptz, bool), and of (int4, text, int4, float8), as they stand in what was
received.
"""

from __future__ import annotations

import dataclasses
import datetime
import struct
from collections.abc import Callable

import msgspec

from bench.micro.case import Work, case
from fastweb._speedups.pg_datetime import TimestampCodec
from fastweb._speedups.pg_objects import class_sink, one_sink
from fastweb._speedups.pg_record import Columns, Record
from fastweb._speedups.pg_rows import RowSink, json_sink, records_sink, tuples_sink, value_sink
from fastweb._speedups.pg_scalar import BoolCodec, Float8Codec, Int4Codec, TextCodec
from fastweb.encoders import dump_untyped

COLUMNS = Columns(
    ("id", "name", "at", "ok"),
    (
        Int4Codec(23, "int4"),
        TextCodec(25, "text"),
        TimestampCodec(1184, "timestamptz", True),
        BoolCodec(16, "bool"),
    ),
)


NUMBERS = Columns(
    ("id", "name", "age", "score"),
    (
        Int4Codec(23, "int4"),
        TextCodec(25, "text"),
        Int4Codec(23, "int4"),
        Float8Codec(701, "float8"),
    ),
)


def numbers(count: int) -> bytes:
    """The DataRow messages of so many rows of `NUMBERS`."""
    made = []
    for number in range(count):
        name = b"user number %d" % number
        head, tail = (
            struct.pack("!hiii", 4, 4, number, len(name)),
            struct.pack("!iiid", 4, number % 90, 8, number / 8),
        )
        body = head + name + tail
        made.append(b"D" + struct.pack("!i", len(body) + 4) + body)
    return b"".join(made)


def rows(count: int) -> bytes:
    """The DataRow messages of so many rows of `COLUMNS`."""
    made = []
    for number in range(count):
        values = (
            struct.pack("!i", number),
            b"user %d" % number,
            struct.pack("!q", 800_000_000_000_000 + number * 3_600_000_000),
            bytes([number % 2]),
        )
        body = struct.pack("!h", 4) + b"".join(struct.pack("!i", len(value)) + value for value in values)
        made.append(b"D" + struct.pack("!i", len(body) + 4) + body)
    return b"".join(made)


class User(msgspec.Struct):
    id: int
    name: str
    at: datetime.datetime
    ok: bool


@dataclasses.dataclass
class UserData:
    id: int
    name: str
    at: datetime.datetime
    ok: bool


class Scored(msgspec.Struct):
    id: int
    name: str
    age: int
    score: float


def taken(make: Callable[[], RowSink], count: int = 1000, columns: Columns = COLUMNS) -> Work:
    data = numbers(count) if columns is NUMBERS else rows(count)

    def take() -> object:
        sink = make()
        sink.begin(columns)
        sink.add_all(data, 0, len(data))
        return sink.finish()

    return take, 1


@case("1,000 rows, records", "pg_rows.records_sink", "pg_rows.RecordsSink", "pg_record.make_record")
def records() -> Work:
    return taken(records_sink)


@case("1,000 rows, tuples", "pg_rows.tuples_sink", "pg_rows.TuplesSink", "pg_rows.RowSink")
def tuples() -> Work:
    return taken(tuples_sink)


@case("1,000 rows, Structs", "pg_objects.class_sink")
def structs() -> Work:
    return taken(lambda: class_sink(User))


@case("1,000 rows, dataclasses", "pg_rows.RowError")
def data() -> Work:
    return taken(lambda: class_sink(UserData))


@case("1,000 rows, JSON", "pg_rows.json_sink", "pg_rows.JSONSink", "untyped.JSONBytes")
def json() -> Work:
    return taken(json_sink)


@case("1,000 rows of numbers and text, records", "pg_scalar.kinds_of")
def records_of_numbers() -> Work:
    return taken(records_sink, columns=NUMBERS)


@case("1,000 rows of numbers and text, Structs")
def structs_of_numbers() -> Work:
    return taken(lambda: class_sink(Scored), columns=NUMBERS)


@case("1,000 rows of numbers and text, JSON")
def json_of_numbers() -> Work:
    return taken(json_sink, columns=NUMBERS)


@case("1 row, a record", "pg_objects.one_sink", "pg_record.Columns")
def one() -> Work:
    return taken(one_sink, 1)


@case("1 row, a value", "pg_rows.value_sink", "pg_rows.ValueSink")
def value() -> Work:
    return taken(value_sink, 1)


@case("a record's value by name", "pg_record.Record")
def by_name() -> Work:
    record = Record(id=1, name="a")
    return lambda: record["name"], 1


@case("1,000 records to JSON, as a handler returns them")
def to_json() -> Work:
    made = taken(records_sink)[0]()
    return lambda: dump_untyped(made), 1
