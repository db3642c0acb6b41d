"""Values both ways through a real server, beside psycopg: the same query, the same value.

Bytes come and go by psycopg's libpq, so that nothing but the codecs is under test.
"""

from __future__ import annotations

import datetime
import ipaddress
import math
import struct
import uuid
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta, timezone
from decimal import Decimal, localcontext
from enum import Enum
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import pq
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range as TheirRange

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_datetime import FUTURE, PAST
from fastweb._speedups.pg_record import Columns, Record
from fastweb._speedups.pg_rows import json_sink
from fastweb._speedups.pg_wire import Output
from fastweb.postgres import PgPool, connect
from fastweb.postgres.bitstring import BitString
from fastweb.postgres.geometry import Box, Circle, Line, LineSegment, Path, Point, Polygon
from fastweb.postgres.interval import Interval
from fastweb.postgres.ranges import Range
from fastweb.postgres.types import TypeRegistry
from tests.postgres.running import run
from tests.postgres.servers import Postgres

UTC = datetime.UTC
datetime_ = datetime.datetime

MADE = """
drop schema if exists kinds cascade; create schema kinds; set search_path = kinds, public;
create type mood as enum ('sad', 'ok', 'it''s "fine"');
create domain posint as int check (value > 0);
create type pair as (a int, b text, "c d" numeric[]);
create type nest as (p pair, ps pair[], m mood);
create domain dpair as pair;
create type frange as range (subtype = float8);
create type vrange as range (subtype = tsvector);
create type empty as ();
create table tab (id int, gone int, v tsvector, name varchar(3));
alter table tab drop column gone;
create domain ints as int[];
create type altered as (a int)
"""


class Pipe:
    """A connection and the codecs of its database."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.registry = TypeRegistry()
        self.version = self.connection.info.server_version
        self.plain("set timezone = 'UTC'; set extra_float_digits = 1; set lc_monetary = 'C'")

    def plain(self, sql: str) -> list[list[str | None]]:
        """By a simple Query: text."""
        result = self.connection.pgconn.exec_(sql.encode())
        return rows_of(result)

    def ask(self, sql: str, *args: tuple[int, int, bytes | None], binary: bool = True) -> Any:
        result = self.connection.pgconn.exec_params(
            sql.encode(),
            [data for _, _, data in args],
            param_types=[oid for oid, _, _ in args],
            param_formats=[format for _, format, _ in args],
            result_format=int(binary),
        )
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise AssertionError(result.error_message.decode())
        return result

    def codec(self, oid: int) -> Codec:
        if self.registry.unknown([oid]):
            sql = self.registry.introspection_sql([oid], self.version)
            self.registry.learn(self.plain(sql), [oid])
        codec = self.registry.codec(oid)
        assert codec is not None
        return codec

    def codec_of(self, name: str) -> tuple[int, Codec]:
        (row,) = self.plain(f"select '{name}'::regtype::oid")
        return int(row[0] or 0), self.codec(int(row[0] or 0))

    def raw(self, sql: str) -> tuple[Codec, bytes]:
        """What the only value of a query is on the wire."""
        result = self.ask(sql)
        codec = self.codec(result.ftype(0))
        if codec.format == 0:
            result = self.ask(sql, binary=False)
        data = result.get_value(0, 0)
        assert data is not None
        return codec, data

    def read(self, sql: str) -> Any:
        codec, data = self.raw(sql)
        # Where it lies among others.
        return codec.decode(b"before" + data + b"after", 6, 6 + len(data))

    def understood(self, kind: str, value: Any) -> str:
        """A value's text as the server understood it."""
        oid, codec = self.codec_of(kind)
        sent = (oid, codec.format, encoded(codec, value))
        text = self.ask("select $1::text", sent, binary=False).get_value(0, 0)
        assert text is not None
        return str(text, "utf-8")

    def write(self, kind: str, value: Any) -> tuple[str, Any]:
        """The same, and what it gives back."""
        oid, codec = self.codec_of(kind)
        sent = (oid, codec.format, encoded(codec, value))
        back = self.ask("select $1", sent, binary=codec.format == 1).get_value(0, 0)
        assert back is not None
        return self.understood(kind, value), codec.decode(back, 0, len(back))


def rows_of(result: Any) -> list[list[str | None]]:
    assert result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK), result.error_message
    found = [[result.get_value(i, j) for j in range(result.nfields)] for i in range(result.ntuples)]
    return [[None if value is None else value.decode() for value in row] for row in found]


def encoded(codec: Codec, value: Any) -> bytes:
    out = Output()
    codec.encode(out, value)
    return out.take()


@pytest.fixture(scope="module")
def pipe(postgres: Postgres) -> Iterator[Pipe]:
    pipe = Pipe(postgres.dsn)
    pipe.plain(MADE)
    try:
        yield pipe
        pipe.plain("drop schema kinds cascade")
    finally:
        pipe.connection.close()


def utc(*parts: int) -> datetime_:
    return datetime_(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


NAN = float("nan")
#: A type, a value's text, and the value: what is read, and what is written again.
VALUES: list[tuple[str, str, Any]] = [
    *[("bool", "true", True), ("bool", "false", False)],
    *[("int2", str(n), n) for n in (0, -1, 32767, -32768)],
    *[("int4", str(n), n) for n in (0, 255, 256, 2**31 - 1, -(2**31))],
    *[("int8", str(n), n) for n in (0, 2**32, 2**63 - 1, -(2**63))],
    *[(kind, str(n), n) for kind in ("oid", "xid", "cid") for n in (0, 2**32 - 1)],
    *[("xid8", str(n), n) for n in (0, 2**64 - 1)],
    *[
        ("float4", "1.5", 1.5),
        ("float4", "-0", -0.0),
        ("float4", "NaN", NAN),
        ("float4", "-Infinity", -math.inf),
    ],
    *[("float8", repr(n), n) for n in (0.1, -1.5, 1e308, 5e-324, 123456.789)],
    *[("float8", "NaN", NAN), ("float8", "Infinity", math.inf), ("float8", "-Infinity", -math.inf)],
    *[
        (kind, text, text)
        for kind in ("text", "varchar", "bpchar", "name")
        for text in ("", "a", "é€\U0001f600 \\'")
    ],
    ("text", "x" * 100_000, "x" * 100_000),
    *[("char", "a", "a"), ("char", "", "")],
    *[("bytea", "\\x", b""), ("bytea", "\\x0001feff", b"\0\1\xfe\xff")],
    ("uuid", "00000000-0000-0000-0000-000000000000", uuid.UUID(int=0)),
    ("uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff", uuid.UUID(int=2**128 - 1)),
    ("uuid", "12345678-9abc-def0-1234-56789abcdef0", uuid.UUID("123456789abcdef0123456789abcdef0")),
    *[
        ("date", text, date.fromisoformat(text))
        for text in ("0001-01-01", "1999-12-31", "2000-01-01", "2000-02-29")
    ],
    *[
        ("date", text, date.fromisoformat(text))
        for text in ("1900-03-01", "2024-12-31", "9999-12-31", "0004-02-29")
    ],
    *[("date", "infinity", date.max), ("date", "-infinity", date.min)],
    *[("time", "00:00:00", time()), ("time", "23:59:59.999999", time(23, 59, 59, 999999))],
    ("timetz", "12:34:56.7+05:30", time(12, 34, 56, 700000, timezone(timedelta(hours=5, minutes=30)))),
    ("timetz", "00:00:00-15:59:59", time(tzinfo=timezone(-timedelta(hours=15, minutes=59, seconds=59)))),
    ("timetz", "01:02:03+00", time(1, 2, 3, tzinfo=UTC)),
    ("timestamp", "0001-01-01 00:00:00", datetime_(1, 1, 1)),
    ("timestamp", "1999-12-31 23:59:59.999999", datetime_(1999, 12, 31, 23, 59, 59, 999999)),
    ("timestamp", "2000-01-01 00:00:00", datetime_(2000, 1, 1)),
    ("timestamp", "9999-12-31 23:59:59.999999", datetime_(9999, 12, 31, 23, 59, 59, 999999)),
    *[("timestamp", "infinity", datetime_.max), ("timestamp", "-infinity", datetime_.min)],
    ("timestamptz", "0001-01-01 00:00:00+00", utc(1, 1, 1)),
    ("timestamptz", "2024-02-29 12:34:56.000001+00", utc(2024, 2, 29, 12, 34, 56, 1)),
    ("timestamptz", "9999-12-31 23:59:59.999999+00", utc(9999, 12, 31, 23, 59, 59, 999999)),
    *[("timestamptz", "infinity", FUTURE), ("timestamptz", "-infinity", PAST)],
    *[
        ("interval", "00:00:00", timedelta()),
        ("interval", "3 days 04:05:06.789", timedelta(3, 14706, 789000)),
    ],
    *[("interval", "-01:00:00", timedelta(hours=-1)), ("interval", "-2 days", timedelta(-2))],
    ("interval", "-1 days -00:00:00.000001", timedelta(-1, 0, -1)),
    ("interval", "1 year 2 mons 3 days", Interval(14, 3)),
    ("interval", "-1 mons +3 days -00:00:01", Interval(-1, 3, -1_000_000)),
    *[
        ("interval", "25:00:00", Interval(0, 0, 90_000_000_000)),
        ("interval", "1 day -01:00:00", Interval(0, 1, -(3600 * 10**6))),
    ],
    ("interval", "178000000 years", Interval(178_000_000 * 12)),
    *[
        ("numeric", text, Decimal(text))
        for text in ("0", "1", "-1", "0.0", "1.50", "10000", "9999", "100000000")
    ],
    *[
        ("numeric", text, Decimal(text))
        for text in ("0.0001", "0.00001", "-0.00012345", "12345678.90", "1234567890123")
    ],
    *[
        ("numeric", text, Decimal(text))
        for text in ("NaN", "Infinity", "-Infinity", "99999999.99999999", "1000000.000001")
    ],
    ("numeric", "1" + "0" * 131071, Decimal("1" + "0" * 131071)),
    ("numeric", "0." + "0" * 16382 + "1", Decimal("1E-16383")),
    (
        "numeric",
        "123456789" * 1000 + "." + "987654321" * 500,
        Decimal("123456789" * 1000 + "." + "987654321" * 500),
    ),
    *[("money", "$0.00", Decimal("0.00")), ("money", "-$12.34", Decimal("-12.34"))],
    ("money", "$92,233,720,368,547,758.07", Decimal("92233720368547758.07")),
    *[
        ("jsonb", text, msgspec.json.decode(text))
        for text in ('{"a": [1, 2.5, null, true, "é€"]}', "[]", '"x"', "1")
    ],
    ("jsonb", "123456789012345678901234567890", 123456789012345678901234567890),
    *[("json", text, msgspec.json.decode(text)) for text in ('{"a":1,"b":{"c":[]}}', "null", '"é"')],
    *[("inet", text, ipaddress.ip_interface(text)) for text in ("10.1.2.3/8", "fe80::1/64", "0.0.0.0/0")],
    *[("inet", text, ipaddress.ip_address(text)) for text in ("10.1.2.3", "::1", "255.255.255.255")],
    *[
        ("cidr", text, ipaddress.ip_network(text))
        for text in ("10.0.0.0/8", "::/0", "10.1.2.3/32", "2001:db8::/32")
    ],
    *[
        ("macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:03"),
        ("macaddr8", "08:00:2b:01:02:03:04:ff", "08:00:2b:01:02:03:04:ff"),
    ],
    *[("varbit", bits, BitString(bits)) for bits in ("", "1", "10101", "11111111", "101010101")],
    *[("bit(9)", bits, BitString(bits)) for bits in ("000000000", "101010101")],
    *[("point", "(1.5,-2)", Point(1.5, -2.0)), ("line", "{1,2,3}", Line(1.0, 2.0, 3.0))],
    ("lseg", "[(1,2),(3,4)]", LineSegment(Point(1.0, 2.0), Point(3.0, 4.0))),
    ("box", "(3,4),(1,2)", Box(Point(3.0, 4.0), Point(1.0, 2.0))),
    ("path", "[(1,2),(3,4)]", Path((1, 2), (3, 4))),
    ("path", "((1,2),(3,4))", Path((1, 2), (3, 4), is_closed=True)),
    *[
        ("polygon", "((0,0),(1,0),(0,1))", Polygon((0, 0), (1, 0), (0, 1))),
        ("circle", "<(1,2),3>", Circle(Point(1.0, 2.0), 3.0)),
    ],
    *[
        ("xml", '<a b="1">é</a>', '<a b="1">é</a>'),
        ("tsvector", "'a':1 'b':2A", "'a':1 'b':2A"),
        ("tsquery", "'a' & 'b'", "'a' & 'b'"),
    ],
    *[
        ("jsonpath", '$."a"[*]', '$."a"[*]'),
        ("pg_lsn", "16/B374D848", "16/B374D848"),
        ("tid", "(7,65535)", (7, 65535)),
    ],
    *[("regclass", "pg_class", "pg_class"), ("int2vector", "1 2", [1, 2]), ("oidvector", "1 2", [1, 2])],
    ("int4[]", "{}", []),
    *[("int4[]", "{1,NULL,3}", [1, None, 3]), ("int4[]", "{{1,2},{3,4}}", [[1, 2], [3, 4]])],
    ("int4[]", "{{{{{{1}}}}}}", [[[[[[1]]]]]]),
    ("text[]", '{a,"b c","\\"\\\\",NULL,"NULL",""}', ["a", "b c", '"\\', None, "NULL", ""]),
    *[("bool[]", "{t,f}", [True, False]), ("numeric[]", "{1.50,NaN}", [Decimal("1.50"), Decimal("NaN")])],
    *[("uuid[]", "{NULL}", [None]), ("date[]", "{infinity,2020-01-01}", [date.max, date(2020, 1, 1)])],
    ("jsonb[]", '{"[1, [2]]","{\\"a\\": 1}"}', [[1, [2]], {"a": 1}]),
    ("tsvector[]", "{\"'a' 'b'\",NULL}", ["'a' 'b'", None]),
    ("xml[]", '{{<a/>},{"<b c=\\"\\\\\\"/>"}}', [["<a/>"], ['<b c="\\"/>']]),
    ("point[]", '{"(1,2)","(3,4)"}', [Point(1.0, 2.0), Point(3.0, 4.0)]),
    ("box[]", "{(1,1),(0,0);(2,2),(0,0)}", [Box.of(1.0, 1.0, 0.0, 0.0), Box.of(2.0, 2.0, 0.0, 0.0)]),
    *[
        ("int4range", "[1,5)", Range(1, 5)),
        ("int4range", "empty", Range(empty=True)),
        ("int8range", "(,)", Range()),
    ],
    ("numrange", "(1.5,2.50]", Range(Decimal("1.5"), Decimal("2.50"), lower_inc=False, upper_inc=True)),
    ("tstzrange", '["2020-01-01 00:00:00+00",)', Range(utc(2020, 1, 1), None)),
    ("daterange", "[2020-01-01,infinity)", Range(date(2020, 1, 1), date.max)),
    ("int4range[]", '{"[1,2)",NULL,empty}', [Range(1, 2), None, Range(empty=True)]),
    *[("int4multirange", "{}", []), ("int4multirange", "{[1,2),[5,)}", [Range(1, 2), Range(5, None)])],
    ("int4multirange[]", '{"{[1,2)}","{}"}', [[Range(1, 2)], []]),
    *[
        ("kinds.mood", "sad", "sad"),
        ("kinds.mood", 'it\'s "fine"', 'it\'s "fine"'),
        ("kinds.mood[]", "{ok}", ["ok"]),
    ],
    *[("kinds.posint", "5", 5), ("kinds.posint[]", "{5}", [5]), ("kinds.ints", "{1,2}", [1, 2])],
    ("kinds.pair", "(1,x,{1.5})", Record(a=1, b="x", **{"c d": [Decimal("1.5")]})),
    ("kinds.pair", '(,"é, ""q""",)', Record(a=None, b='é, "q"', **{"c d": None})),
    *[("kinds.dpair", "(1,,)", Record(a=1, b=None, **{"c d": None})), ("kinds.empty", "()", Record())],
    (
        "kinds.nest",
        '("(1,x,)","{""(2,,)"",NULL}",ok)',
        Record(
            p=Record(a=1, b="x", **{"c d": None}), ps=[Record(a=2, b=None, **{"c d": None}), None], m="ok"
        ),
    ),
    ("kinds.pair[]", '{"(1,x,)"}', [Record(a=1, b="x", **{"c d": None})]),
    *[("kinds.frange", "[1,2.5)", Range(1.0, 2.5)), ("kinds.vrange", "[\"'a' 'b'\",)", "[\"'a' 'b'\",)")],
    ("kinds.tab", "(1,\"'a' 'b'\",x)", "(1,\"'a' 'b'\",x)"),
]

#: Where psycopg gives the text, and why fastweb does not.
TEXT_IN_PSYCOPG = {
    **dict.fromkeys(("xid", "cid", "xid8"), "numbers are numbers, as asyncpg has them"),
    **dict.fromkeys(("tid",), "a tuple of two numbers, as asyncpg has it"),
    **dict.fromkeys(
        ("varbit", "bit(9)"), "BitString, as asyncpg has it: it does not lose its length as an int"
    ),
    **dict.fromkeys(("point", "line", "lseg", "box", "path", "polygon", "circle"), "asyncpg's classes"),
    **dict.fromkeys(("point[]", "box[]"), "the same in arrays"),
    **dict.fromkeys(("money",), "a Decimal of the cents that are on the wire: text depends on the locale"),
    **dict.fromkeys(("int2vector", "oidvector"), "arrays on the wire"),
}
#: Where psycopg gives text unless the type was registered on the connection, by the start of its name.
REGISTERED_IN_PSYCOPG = "kinds."
#: What psycopg refuses.
REFUSED_BY_PSYCOPG = {("date", "infinity"), ("date", "-infinity"), ("timestamp", "infinity")} | {
    ("timestamp", "-infinity"),
    ("timestamptz", "infinity"),
    ("timestamptz", "-infinity"),
    ("date[]", "{infinity,2020-01-01}"),
    ("daterange", "[2020-01-01,infinity)"),
}


def plain(value: Any) -> Any:
    """psycopg's value in the terms of ours."""
    if isinstance(value, Multirange):
        return [plain(each) for each in value]
    if isinstance(value, TheirRange):
        if value.isempty:
            return Range(empty=True)
        return Range(value.lower, value.upper, lower_inc=value.lower_inc, upper_inc=value.upper_inc)
    return [plain(each) for each in value] if isinstance(value, list) else value


def same(one: Any, other: Any) -> bool:
    """Equal, NaN to itself, of the same type, and to the sign of zero and the exponent of a Decimal."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float | Decimal) or type(one) is int or one is None:
        return type(one) is type(other) and repr(one) == repr(other)
    return bool(one == other)


def literal(kind: str, text: str) -> str:
    # "char" in quotes is another type than char, which is text.
    named = '"char"' if kind == "char" else kind
    quoted = text.replace("'", "''")
    return f"select '{quoted}'::{named}"


def label(value: Any) -> str:
    """Of a case. pytest would write an int of any size, and Python does not."""
    return value[:30] if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize(("kind", "text", "value"), VALUES, ids=label)
def test_both_ways(pipe: Pipe, kind: str, text: str, value: Any) -> None:
    sql = literal(kind, text)
    codec, data = pipe.raw(sql)
    # Where it lies among others.
    found = codec.decode(b"before" + data + b"after", 6, 6 + len(data))
    assert same(found, value), (found, value)
    if isinstance(value, date):
        # Infinity is the very object.
        assert (found is value) == text.endswith("infinity")
    assert isinstance(value, list) or type(found) is type(value)
    as_psycopg_has_it(pipe, sql, kind, text, found)
    # In, the same text for the server, and the same value again.
    named = '"char"' if kind == "char" else kind.partition("(")[0]
    known, back = pipe.write(named, value)
    (row,) = pipe.plain(sql.replace("select ", "select (", 1) + ")::text")
    assert known == row[0]
    assert same(back, value)
    as_json(codec, data, found)


def as_psycopg_has_it(pipe: Pipe, sql: str, kind: str, text: str, found: Any) -> None:
    if (kind, text) in REFUSED_BY_PSYCOPG:
        with pytest.raises(psycopg.DataError):
            pipe.connection.execute(sql).fetchone()
        return
    theirs = pipe.connection.execute(sql).fetchone()
    assert theirs is not None
    if kind.startswith(REGISTERED_IN_PSYCOPG):
        assert isinstance(theirs[0], str | list) or theirs[0] == found
    elif kind in TEXT_IN_PSYCOPG:
        assert isinstance(theirs[0], str) or (kind.endswith("[]") and isinstance(theirs[0][0], str))
    elif isinstance(found, Interval):
        # psycopg has years of 365 days, and loses what they were.
        assert isinstance(theirs[0], timedelta)
    else:
        assert same(found, plain(theirs[0])), theirs


def as_json(codec: Codec, data: bytes, value: Any) -> None:
    """The JSON from the wire is that of the value."""
    sink = json_sink(one=True)
    sink.begin(Columns(("x",), (codec,)))
    row = struct.pack("!hi", 1, len(data)) + data
    sink.add(row, 0, len(row))
    made = sink.finish()
    assert isinstance(made, bytes)
    expected = msgspec.json.encode({"x": value}, enc_hook=in_json)
    if "json" in codec.name:
        # As the server wrote it, spaces and all.
        made, expected = (msgspec.json.encode(msgspec.json.decode(each)) for each in (made, expected))
    assert made == expected


def in_json(value: Any) -> Any:
    return dict(value) if isinstance(value, Record) else str(value)


class Markup(str):
    """As template engines have it; JSON is to have the text."""

    def __str__(self) -> str:
        return "&" + super().__str__()


class Metres(float):
    pass


class Count(int):
    pass


#: What else is taken, and what the server makes of it.
ALSO_TAKEN: list[tuple[str, Any, str]] = [
    *[("int4", True, "1"), ("float8", 3, "3"), ("float8", Decimal("1.5"), "1.5"), ("numeric", 5, "5")],
    *[
        ("numeric", 0.1, "0.1"),
        ("numeric", 10**5000, "1" + "0" * 5000),
        ("numeric", Decimal("-0.00"), "0.00"),
    ],
    *[
        ("numeric", Decimal("0E+10"), "0"),
        ("numeric", Decimal("1.2E+4"), "12000"),
        ("numeric", Decimal("sNaN"), "NaN"),
    ],
    *[("money", 5, "$5.00"), ("money", Decimal("1E+1"), "$10.00"), ("char", b"a", "a")],
    *[
        ("bytea", bytearray(b"a"), "\\x61"),
        ("bytea", memoryview(b"ab")[::2], "\\x61"),
        ("bytea", array("B", [1]), "\\x01"),
    ],
    ("uuid", "12345678-9abc-def0-1234-56789abcdef0", "12345678-9abc-def0-1234-56789abcdef0"),
    *[
        ("date", datetime_(2020, 1, 2, 3), "2020-01-02"),
        ("timestamp", date(2020, 1, 2), "2020-01-02 00:00:00"),
    ],
    (
        "timestamptz",
        datetime_(2020, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "2019-12-31 18:30:00+00",
    ),
    ("timestamptz", datetime_(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "0001-12-31 23:00:00+00 BC"),
    (
        "timestamptz",
        datetime_(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=2))),
        "10000-01-01 01:00:00+00",
    ),
    *[("timestamptz", datetime_.max, "infinity"), ("date", datetime_.max, "infinity")],
    *[
        ("jsonb", b'{"a":  1}', '{"a": 1}'),
        ("json", b"[1, 2]", "[1, 2]"),
        ("jsonb", "a", '"a"'),
        ("jsonb", NAN, "null"),
    ],
    *[
        ("jsonb", uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ("jsonb", (1, None), "[1, null]"),
    ],
    ("jsonb", Record(a=1), '{"a": 1}'),
    ("jsonb", Markup("a"), '"a"'),
    (
        "json",
        {Markup("k"): [Markup("a"), Metres(1.5), Count(2**70)]},
        '{"k":["a",1.5,1180591620717411303424]}',
    ),
    *[("inet", "10.0.0.1/8", "10.0.0.1/8"), ("inet", ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8")],
    *[("cidr", "10.0.0.0/8", "10.0.0.0/8"), ("macaddr", "0800.2B01.0203", "08:00:2b:01:02:03")],
    *[
        ("macaddr8", "08:00:2b:01:02:03", "08:00:2b:ff:fe:01:02:03"),
        ("varbit", "1 01", "101"),
        ("pg_lsn", 2**32 + 15, "1/F"),
    ],
    *[
        ("point", [1, 2], "(1,2)"),
        ("path", [(1, 2)], "[(1,2)]"),
        ("path", ((1, 2),), "((1,2))"),
        ("circle", (1, 2, 3), "<(1,2),3>"),
    ],
    *[
        ("int4[]", (1, 2), "{1,2}"),
        ("int4[]", range(2), "{0,1}"),
        ("int4[]", array("i", [1]), "{1}"),
        ("int4[]", [[], []], "{}"),
    ],
    *[
        ("int4[]", [(1, 2), [3, 4]], "{{1,2},{3,4}}"),
        ("int4[]", {5}, "{5}"),
        ("int4[]", {1: 2}.values(), "{2}"),
    ],
    *[("int4multirange", (Range(1, 2), Range(2, 3)), "{[1,3)}"), ("kinds.pair", (1, "a", None), "(1,a,)")],
    *[
        ("kinds.pair", {"c d": [1], "b": None, "a": 2}, "(2,,{1})"),
        ("kinds.pair[]", [(1, "a", None), None], '{"(1,a,)",NULL}'),
    ],
    ("kinds.nest", ((1, "x", None), [{"a": 2, "b": None, "c d": None}], None), '("(1,x,)","{""(2,,)""}",)'),
]


@pytest.mark.parametrize(("kind", "value", "text"), ALSO_TAKEN, ids=label)
def test_what_else_is_taken(pipe: Pipe, kind: str, value: Any, text: str) -> None:
    assert pipe.understood('"char"' if kind == "char" else kind, value) == text


class Colour(Enum):
    SAD = "sad"
    OK = "ok"


class Mood(Enum):
    sad = 1
    ok = 2


class Label(str, Enum):  # noqa: UP042 - as they were before StrEnum
    SAD = "sad"


@dataclass
class Pair:
    a: int
    b: str | None


class Document(msgspec.Struct):
    a: int
    at: date


@pytest.mark.parametrize("value", [Colour.SAD, Mood.sad, Label.SAD])
def test_enums(pipe: Pipe, value: Any) -> None:
    assert pipe.write("kinds.mood", value)[0] == "sad"
    assert pipe.write("kinds.mood[]", [value])[0] == "{sad}"
    if isinstance(value, str):
        assert pipe.write("text", value)[0] == "sad"


def test_objects(pipe: Pipe) -> None:
    pipe.plain("create type kinds.two as (a int, b text)")
    assert pipe.write("kinds.two", Pair(1, None))[0] == "(1,)"
    assert pipe.write("jsonb", Document(1, date(2020, 1, 1)))[0] == '{"a": 1, "at": "2020-01-01"}'
    assert pipe.write("jsonb", [Pair(1, "x")])[0] == '[{"a": 1, "b": "x"}]'


#: What is refused: the error, and words of what it says.
REFUSED: list[tuple[str, Any, type[Exception], str]] = [
    *[
        ("bool", 1, TypeError, "expected bool for bool, got int"),
        ("int4", "1", TypeError, "expected int for int4, got str"),
    ],
    *[
        ("int4", 1.0, TypeError, "got float"),
        ("int4", Decimal(1), TypeError, "got Decimal"),
        ("int4", None, TypeError, "None"),
    ],
    *[
        ("int4[]", iter([1]), TypeError, "expected list for int4[], got list_iterator"),
        ("int4multirange", iter([Range(1, 2)]), TypeError, "got list_iterator"),
    ],
    *[
        ("int2", 32768, OverflowError, "expected -32768 to 32767 for int2, got 32768"),
        ("int2", -32769, OverflowError, "int2"),
    ],
    *[
        ("int4", 2**31, OverflowError, "got 2147483648"),
        ("int8", 2**63, OverflowError, "for int8"),
        ("oid", -1, OverflowError, "oid"),
    ],
    *[
        ("int8", 10**5000, OverflowError, "an int of 16610 bits"),
        ("xid8", -1, OverflowError, "xid8"),
        ("xid8", "1", TypeError, "int"),
    ],
    *[
        ("float8", "1", TypeError, "expected float for float8, got str"),
        ("float8", 10**400, OverflowError, "float8"),
    ],
    *[("float4", 1e39, OverflowError, "a number that fits float4"), ("float8", None, TypeError, "float")],
    *[
        ("text", 1, TypeError, "expected str for text, got int"),
        ("text", b"a", TypeError, "bytes"),
        ("text", "\ud800", ValueError, ""),
    ],
    *[('"char"', "ab", ValueError, "one character"), ('"char"', "€", ValueError, "one character")],
    *[
        ("bytea", "a", TypeError, "expected bytes for bytea, got str"),
        ("uuid", "a", ValueError, "got 'a'"),
        ("uuid", 1, TypeError, "UUID"),
    ],
    *[
        ("date", "2020-01-01", TypeError, "expected date for date, got str"),
        ("timestamp", 5, TypeError, "expected datetime"),
    ],
    *[
        ("timestamp", utc(2020, 1, 1), ValueError, "without a tzinfo"),
        ("time", time(tzinfo=UTC), ValueError, "no tzinfo"),
    ],
    *[
        ("timetz", time(), ValueError, "a fixed offset"),
        ("time", "1:00", TypeError, "time"),
        ("interval", 5, TypeError, "timedelta"),
    ],
    *[
        ("numeric", "1", TypeError, "expected Decimal for numeric, got str"),
        ("numeric", True, TypeError, "bool"),
    ],
    *[
        ("numeric", Decimal("1E+131072"), OverflowError, "131072 digits"),
        ("numeric", 10**131072, OverflowError, "131072"),
    ],
    *[
        ("numeric", Decimal("1E-16384"), OverflowError, "16383"),
        ("numeric", Decimal("1E+999999999"), OverflowError, "131072"),
    ],
    *[
        ("money", Decimal("1.234"), ValueError, "2 decimals"),
        ("money", Decimal("NaN"), ValueError, ""),
        ("money", 10**20, ValueError, "64 bits"),
    ],
    *[
        ("money", 1.5, TypeError, "Decimal"),
        ("jsonb", object(), TypeError, "what JSON can hold, got object"),
        ("json", {1, object()}, TypeError, "object"),
    ],
    *[
        ("inet", "x", ValueError, "inet"),
        ("inet", 5, TypeError, "ipaddress"),
        ("inet", ipaddress.ip_address("fe80::1%eth0"), ValueError, "scope"),
    ],
    *[
        ("cidr", "10.0.0.1/8", ValueError, "host bits"),
        ("macaddr", "zz", ValueError, "6 bytes"),
        ("macaddr", 5, TypeError, "str"),
    ],
    *[
        ("varbit", "12", ValueError, "bits"),
        ("varbit", 5, TypeError, "BitString"),
        ("point", 5, TypeError, "Point"),
        ("point", (1,), ValueError, "2 coordinates"),
    ],
    *[
        ("point", ("a", "b"), ValueError, "2 coordinates"),
        ("path", [(1,)], ValueError, "two coordinates"),
        ("path", 5, TypeError, "Path"),
    ],
    *[
        ("tid", (1,), TypeError, "block"),
        ("tid", (1, 70000), OverflowError, "tid"),
        ("pg_lsn", "x", ValueError, "16/B374D848"),
        ("pg_lsn", "-1/0", ValueError, ""),
    ],
    *[
        ("int4[]", "12", TypeError, "expected list for int4[], got str"),
        ("int4[]", {"a": 1}, TypeError, "dict"),
        ("int4[]", 5, TypeError, "int"),
    ],
    *[
        ("int4[]", [[1], [2, 3]], ValueError, "lists of 1 in dimension 2 of int4[], got 2"),
        ("int4[]", [[1], 2], ValueError, "got int"),
    ],
    *[
        ("int4[]", [1, [2]], TypeError, "expected int for int4, got list"),
        ("int4[]", [[[[[[[1]]]]]]], ValueError, "6 dimensions"),
    ],
    *[
        ("int4[]", [[], [1]], ValueError, "lists of 0"),
        ("int4[]", ["a"], TypeError, "int4"),
        ("int4range", 5, TypeError, "Range"),
    ],
    *[
        ("int4range", Range("a"), TypeError, "int4"),
        ("int4multirange", Range(1), TypeError, "list of Range"),
        ("int4multirange", [None], TypeError, "Range"),
    ],
    *[
        ("kinds.mood", 5, TypeError, "str or Enum"),
        ("kinds.pair", (1,), ValueError, "expected 3 values for pair, got 1"),
    ],
    *[
        ("kinds.pair", {"a": 1}, ValueError, "none of b, c d"),
        ("kinds.pair", {"a": 1, "x": 1}, ValueError, "'x'"),
        ("kinds.pair", 5, TypeError, "tuple, dict"),
    ],
    *[("kinds.pair", object(), TypeError, "fields of pair"), ("kinds.posint", "x", TypeError, "int")],
]


@pytest.mark.parametrize(("kind", "value", "error", "words"), REFUSED, ids=label)
def test_refusals(pipe: Pipe, kind: str, value: Any, error: type[Exception], words: str) -> None:
    _, codec = pipe.codec_of(kind)
    out = Output()
    with pytest.raises(error) as caught:
        codec.encode(out, value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "'0001-01-01 BC'::date",
        "'10000-01-01'::date",
        "'4713-01-01 BC'::timestamp",
        "'10000-01-01'::timestamptz",
        "'24:00'::time",
    ],
)
def test_what_python_has_not(pipe: Pipe, sql: str) -> None:
    with pytest.raises(ValueError, match="Python"):
        pipe.read(f"select {sql}")


def test_a_zone_is_local_where_there_is_none(pipe: Pipe) -> None:
    naive = datetime_(2020, 6, 1, 12)
    assert pipe.write("timestamptz", naive)[1] == naive.astimezone(UTC)


def test_bounds_of_arrays_are_left_out(pipe: Pipe) -> None:
    assert pipe.read("select '[0:1][-5:-4]={{1,2},{3,4}}'::int[]") == [[1, 2], [3, 4]]
    assert pipe.read("select array_agg(x) from (values ('[2:3]={a,b}'::tsvector[])) t(x)") == [["'a'", "'b'"]]
    assert pipe.read("select '[2:3]={a,b}'::tsvector[]") == ["'a'", "'b'"]
    # One of no elements has a dimension nevertheless.
    assert pipe.read("select ''::oidvector") == []


def test_a_context_rounds_no_number(pipe: Pipe) -> None:
    with localcontext() as context:
        context.prec = 3
        assert pipe.read("select 1234567.891") == Decimal("1234567.891")
        assert pipe.write("numeric", Decimal("1234567.891"))[0] == "1234567.891"
        assert pipe.read("select '12345.67'::money") == Decimal("12345.67")
        assert pipe.write("money", Decimal("12345.67"))[0] == "$12,345.67"


def test_numbers_of_json_that_python_limits(pipe: Pipe) -> None:
    assert pipe.read("select '1e4400'::jsonb") == Decimal("1" + "0" * 4400)
    assert pipe.read("select '[1e400]'::json") == [math.inf]


def test_records_without_a_type(pipe: Pipe) -> None:
    assert pipe.read("select row(1, 'a'::text, null, row(true))") == (1, "a", None, (True,))
    assert pipe.read("select array[row(1, 'a'::text)]") == [(1, "a")]
    pipe.registry.forget()
    with pytest.raises(ValueError, match="cast the field to text"):
        pipe.read("select row('sad'::kinds.mood)")
    with pytest.raises(TypeError, match="named type"):
        pipe.codec(2249).encode(Output(), (1,))


def test_void_and_unknown(pipe: Pipe) -> None:
    assert pipe.read("select pg_sleep(0)") is None
    assert pipe.read("select 'a'") == "a"
    assert pipe.read("select most_common_vals from pg_stats where most_common_vals is not null limit 1") != ""


def test_a_type_that_was_altered_is_looked_up_again(pipe: Pipe) -> None:
    assert pipe.read("select row(1)::kinds.altered") == Record(a=1)
    version = pipe.registry.version
    pipe.plain("alter type kinds.altered add attribute b text")
    with pytest.raises(ValueError, match="ask again"):
        pipe.read("select row(1, 'x')::kinds.altered")
    assert pipe.registry.version > version
    assert pipe.read("select row(1, 'x')::kinds.altered") == Record(a=1, b="x")
    pipe.plain("alter type kinds.altered drop attribute b; alter type kinds.altered add attribute c int")
    with pytest.raises(ValueError, match="ask again"):
        pipe.read("select row(1, 2)::kinds.altered")
    assert pipe.read("select row(1, 2)::kinds.altered") == Record(a=1, c=2)


def test_one_query_tells_of_all(pipe: Pipe) -> None:
    registry = TypeRegistry()
    oids = [pipe.codec_of(name)[0] for name in ("kinds.nest", "kinds.frange", "kinds.ints")]
    assert registry.unknown([*oids, 23, oids[0]]) == oids
    registry.learn(pipe.plain(registry.introspection_sql([*oids, 4_000_000_000])), [*oids, 4_000_000_000])
    assert registry.unknown([*oids, 4_000_000_000]) == []
    assert (
        registry.unknown([pipe.codec_of(name)[0] for name in ("kinds.pair", "kinds.mood", "kinds.pair[]")])
        == []
    )
    nobody = registry.codec(4_000_000_000)
    assert nobody is not None
    assert (nobody.format, nobody.decode(b"ab", 0, 2)) == (0, "ab")


def test_what_every_server_has(any_postgres: Postgres) -> None:
    """The oids and names of the built-in types are those of every version's catalog."""
    registry = TypeRegistry()
    of_server = dict(any_postgres.execute("select oid::int8, typname::text from pg_type"))
    element_of = dict(any_postgres.execute("select oid::int8, typelem::int8 from pg_type"))
    for oid, codec in registry._built_in.items():
        name = of_server[oid]
        assert codec.name == (f"{name[1:]}[]" if name.startswith("_") else name)
        if hasattr(codec, "element"):
            assert element_of[oid] == codec.element.oid
    wire = Pipe(any_postgres.dsn)
    try:
        oids = [oid for oid in of_server if registry.codec(oid) is None]
        registry.learn(wire.plain(registry.introspection_sql(oids, wire.version)), oids)
        assert registry.unknown(of_server) == []
    finally:
        wire.connection.close()


def test_extensions(postgres: Postgres, pipe: Pipe) -> None:
    available = {row[0] for row in pipe.plain("select name from pg_available_extensions")}
    if not {"hstore", "citext", "ltree"} <= available:
        pytest.fail("this server has no contrib: install postgresql-contrib", pytrace=False)
    for name in ("hstore", "citext", "ltree"):
        pipe.plain(f"create extension if not exists {name} schema kinds cascade")
    pairs = {"a": "1", "é": None, "": ""}
    assert pipe.write("kinds.hstore", pairs)[1] == pairs
    assert pipe.read("select 'a=>1, b=>NULL'::kinds.hstore") == {"a": "1", "b": None}
    assert pipe.read("select array['a=>1'::kinds.hstore]") == [{"a": "1"}]
    assert pipe.write("kinds.citext", "Abc") == ("Abc", "Abc")
    assert pipe.read("select array['Abc'::kinds.citext]") == ["Abc"]
    assert pipe.write("kinds.ltree", "a.b") == ("a.b", "a.b")
    for value, words in (([1], "dict"), ({1: "a"}, "str"), ({"a": 1}, "str"), ({None: "a"}, "str")):
        with pytest.raises(TypeError, match=words):
            encoded(pipe.codec_of("kinds.hstore")[1], value)
    pipe.plain("drop extension hstore, citext, ltree")


def test_vectors(postgres_wheel: Postgres) -> None:
    pipe = Pipe(postgres_wheel.dsn)
    try:
        pipe.plain("create extension if not exists vector")
        assert pipe.read("select '[1,2.5,-3]'::vector") == [1.0, 2.5, -3.0]
        assert pipe.read("select array['[1,2]'::vector]") == [[1.0, 2.0]]
        for value in (
            [1, 2.5],
            (1, 2.5),
            array("f", [1, 2.5]),
            array("d", [1, 2.5]),
            memoryview(array("f", [1, 2.5])),
        ):
            assert pipe.write("vector", value) == ("[1,2.5]", [1.0, 2.5])
        assert pipe.write("vector[]", [[1.0], None])[1] == [[1.0], None]
        assert pipe.write("halfvec", [1, 2.5]) == ("[1,2.5]", [1.0, 2.5])
        codec = pipe.codec_of("vector")[1]
        for wrong, error in (
            ("[1]", TypeError),
            (["a"], TypeError),
            ([1e39], OverflowError),
            ([0.0] * 32768, ValueError),
        ):
            with pytest.raises(error):
                encoded(codec, wrong)
        # Version 18 has infinite intervals.
        assert str(pipe.read("select 'infinity'::interval")) == "infinity"
        assert pipe.write("interval", pipe.read("select '-infinity'::interval"))[0] == "-infinity"
    finally:
        pipe.connection.close()


def test_codecs_of_ones_own(pipe: Pipe) -> None:
    registry = pipe.registry
    registry.set_codec("mood", encoder=lambda value: value.lower(), decoder=str.upper)
    assert pipe.read("select 'sad'::kinds.mood") == "SAD"
    assert pipe.read("select array['sad'::kinds.mood]") == ["SAD"]
    assert pipe.write("kinds.mood", "OK") == ("ok", "OK")
    registry.set_codec(
        "int4",
        schema="pg_catalog",
        encoder=lambda value: struct.pack("!i", value + 1),
        decoder=lambda data: struct.unpack("!i", data)[0] - 1,
        format="binary",
    )
    assert pipe.read("select array[5, null]") == [4, None]
    assert pipe.read("select int4range(1, 5)") == Range(0, 4)
    assert pipe.write("kinds.pair", (7, None, None)) == ("(8,,)", Record(a=7, b=None, **{"c d": None}))
    registry.reset_codec("int4", "pg_catalog")
    registry.reset_codec("mood")
    registry.reset_codec("mood")
    assert pipe.read("select row(5, null, null)::kinds.pair") == Record(a=5, b=None, **{"c d": None})
    registry.set_enum("mood", Colour)
    assert pipe.read("select array['sad'::kinds.mood, 'ok']") == [Colour.SAD, Colour.OK]
    assert pipe.write("kinds.mood", Colour.OK) == ("ok", Colour.OK)
    with pytest.raises(ValueError, match="no member"):
        pipe.read("select 'it''s \"fine\"'::kinds.mood")
    registry.reset_codec("mood")
    registry.use_json_text()
    assert pipe.read("select '{\"a\": 1}'::jsonb") == '{"a": 1}'
    assert pipe.read("select array['1'::json]") == ["1"]
    assert pipe.write("jsonb", '{"a":1}') == ('{"a": 1}', '{"a": 1}')
    for name in ("json", "jsonb"):
        registry.reset_codec(name, "pg_catalog")
    with pytest.raises(ValueError, match="'text' or 'binary'"):
        registry.set_codec("x", encoder=str, decoder=str, format="other")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="can be called"):
        registry.set_codec("x", encoder=str, decoder=5)  # type: ignore[arg-type]


def test_a_codec_of_ones_own_gives_what_its_format_needs(pipe: Pipe) -> None:
    registry = TypeRegistry()
    for format, wrong, words in (("text", b"", "expected str"), ("binary", "", "expected bytes")):

        def give(_: Any, wrong: Any = wrong) -> Any:
            return wrong

        registry.set_codec("int4", encoder=give, decoder=give, format=format)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=words):
            encoded(registry._codecs[23], 1)


def test_codecs_may_be_classes(pipe: Pipe) -> None:
    class Shout(Codec):
        def encode(self, out: Output, value: Any) -> Any:
            out.put_text(value.upper())

        def decode(self, data: bytes, at: int, end: int) -> Any:
            return data[at:end].decode() + "!"

    codec = Shout(25, "text")
    assert encoded(codec, "a") == b"A"
    registry = TypeRegistry()
    registry._codecs[25] = codec
    assert repr(codec) == "<Shout text, oid 25>"


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


def is_numeric(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return not isinstance(exponent, int) or -16383 <= exponent <= 1000


numbers = st.decimals().filter(is_numeric)
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7, minutes=-30))]))
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "float4": st.floats(width=32),
    "float8": st.floats(),
    "numeric": numbers,
    "text": texts,
    "bytea": st.binary(max_size=40),
    "uuid": st.uuids(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "timestamptz": moments,
    "interval": st.one_of(
        st.timedeltas(timedelta(-(10**6)), timedelta(10**6)),
        st.builds(
            Interval,
            st.integers(-(2**31), 2**31 - 1),
            st.integers(-(2**30), 2**30),
            st.integers(-(2**62), 2**62),
        ),
    ),
    "jsonb": st.recursive(
        st.none() | st.booleans() | st.integers() | texts | st.floats(-1e15, 1e15).map(lambda n: n or 0.0),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    "inet": st.ip_addresses(),
    "varbit": st.text("01", max_size=20).map(BitString),
    "int4[]": st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=5),
    "text[]": st.lists(st.lists(st.none() | texts, min_size=2, max_size=2), max_size=3),
    "tsquery[]": st.lists(st.none() | st.from_regex(r"\A'[a-z\"{},]{1,8}'\Z"), max_size=3),
    "numrange": st.tuples(st.integers(), st.integers(), st.booleans(), st.booleans())
    .filter(lambda t: t[0] < t[1])
    .map(lambda t: Range(Decimal(t[0]), Decimal(t[1]), lower_inc=t[2], upper_inc=t[3])),
    "kinds.pair": st.builds(
        lambda a, b, c: Record(a=a, b=b, **{"c d": c}),
        st.none() | st.integers(-5, 5),
        st.none() | texts,
        st.none() | st.lists(numbers, max_size=2),
    ),
}


@given(st.fixed_dictionaries(STRATEGIES))
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_round_trips(pipe: Pipe, values: dict[str, Any]) -> None:
    args, codecs = [], []
    for kind, value in values.items():
        oid, codec = KNOWN.get(kind) or KNOWN.setdefault(kind, pipe.codec_of(kind))
        # The infinities are objects of their own.
        args.append((oid, codec.format, encoded(codec, value)))
        codecs.append(codec)
    selected = [f"${i}::text" if codec.format == 0 else f"${i}" for i, codec in enumerate(codecs, start=1)]
    result = pipe.ask(f"select {', '.join(selected)}", *args)
    for place, (kind, value) in enumerate(values.items()):
        data = result.get_value(0, place)
        assert data is not None
        back = codecs[place].decode(data, 0, len(data))
        if isinstance(value, Decimal) and value.is_finite():
            assert back == value
        elif isinstance(value, float | Decimal):
            nan = value.is_nan() if isinstance(value, Decimal) else math.isnan(value)
            assert math.isnan(back) if nan else back == value
        elif kind == "kinds.pair":
            assert repr(back["a"]) == repr(value["a"])
            assert back["b"] == value["b"]
        elif isinstance(value, Interval):
            # One that is no more than a timedelta comes as that.
            assert back == value
            assert not isinstance(back, Interval) or back.parts == value.parts
        else:
            assert back == value


KNOWN: dict[str, tuple[int, Codec]] = {}


def test_through_a_pool(postgres: Postgres, pipe: Pipe) -> None:
    """The whole way: types are looked up as they come, once for all; what changes is noticed."""

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 3) as pool:
            nested = (Record(a=1, b="x", **{"c d": [Decimal("1.5")]}), [None], Colour.OK)
            row = await pool.fetch_one("select $1::kinds.nest as n, $2::kinds.mood[] as m", nested, ["sad"])
            assert row == (Record(p=nested[0], ps=[None], m="ok"), ["sad"])
            made = await pool.fetch_json(
                "select $1::kinds.nest as n, $2::int4range as r", nested, Range(1, 2)
            )
            assert msgspec.json.decode(made) == [
                {"n": {"p": {"a": 1, "b": "x", "c d": ["1.5"]}, "ps": [None], "m": "ok"}, "r": "[1,2)"}
            ]
            with pytest.raises(TypeError, match=r"\$2 \(int4\): expected int for int4, got str"):
                await pool.fetch("select $1::text, $2::int", "a", "b")
            with pytest.raises(ValueError, match="Python"):
                await pool.fetch_value("select '24:00'::time")
            assert await pool.fetch_value("select 1") == 1
            # A codec of one's own, although the statement is known; then the type's own again.
            sql = "select 'sad'::kinds.mood"
            assert await pool.fetch_value(sql) == "sad"
            pool.types.set_enum("mood", Colour)
            assert await pool.fetch_value(sql) is Colour.SAD
            pool.types.reset_codec("mood")
            assert await pool.fetch_value(sql) == "sad"
            # A type that another connection alters.
            sql = "select null::kinds.other is null, (select o from kinds.others)"
            pipe.plain("create type kinds.other as (a int)")
            pipe.plain("create table kinds.others as select row(1)::kinds.other as o")
            row = await pool.fetch_one(sql)
            assert row is not None
            assert row[1] == Record(a=1)
            pipe.plain("alter type kinds.other add attribute b text")
            with pytest.raises(ValueError, match="ask again"):
                await pool.fetch_one(sql)
            row = await pool.fetch_one(sql)
            assert row is not None
            assert row[1] == Record(a=1, b=None)
        connection = await connect(postgres.dsn)
        try:
            connection.types.set_codec("int4", encoder=str, decoder=float)
            assert await connection.fetch_one("select array[1, 2], $1::int", 5) == ([1.0, 2.0], 5.0)
        finally:
            await connection.close()

    run(main())
