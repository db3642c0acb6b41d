"""fastweb/_speedups/pg_codec.py, pg_array.py, pg_container.py, pg_datetime.py, pg_geometry.py, pg_json.py,
pg_network.py, pg_numeric.py, pg_scalar.py: values written, and read again, in PostgreSQL's formats.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from bench.micro.case import Work, case
from fastweb._speedups.pg_codec import Codec, UserCodec, plain
from fastweb._speedups.pg_container import CompositeCodec, HstoreCodec, VectorCodec
from fastweb._speedups.pg_scalar import EnumCodec, TextCodec
from fastweb._speedups.pg_wire import Output
from fastweb.postgres.bitstring import BitString
from fastweb.postgres.geometry import Path, Point
from fastweb.postgres.ranges import Range
from fastweb.postgres.types import TypeRegistry

TIMES = 100
TYPES = TypeRegistry()


def known(oid: int) -> Codec:
    codec = TYPES.codec(oid)
    assert codec is not None
    return codec


def there_and_back(*pairs: tuple[Codec, Any]) -> Work:
    """Each value with its codec; the time is that of a value."""
    out = Output()
    for codec, value in pairs:
        codec.encode(out, value)
        data = out.take()
        codec.decode(data, 0, len(data))

    def work() -> None:
        for codec, value in pairs:
            for _ in range(TIMES):
                codec.encode(out, value)
                data = out.take()
                codec.decode(data, 0, len(data))

    return work, TIMES * len(pairs)


@case(
    "PostgreSQL values: numbers",
    *(f"pg_scalar.{name}Codec" for name in ("Bool", "Int2", "Int4", "Int8", "Uint", "Float4", "Float8")),
)
def numbers() -> Work:
    values = {16: True, 21: 5, 23: 70_000, 20: 1 << 40, 26: 5, 700: 1.5, 701: 2.5}
    return there_and_back(*((known(oid), value) for oid, value in values.items()))


@case("PostgreSQL values: numeric and money", "pg_numeric.NumericCodec", "pg_numeric.MoneyCodec")
def decimals() -> Work:
    return there_and_back((known(1700), Decimal("12345.67890")), (known(790), Decimal("12.50")))


@case(
    "PostgreSQL values: text, bytes, JSON",
    *(f"pg_scalar.{name}Codec" for name in ("Text", "Char", "Bytea", "Uuid", "Enum", "Void")),
    "pg_codec.Codec",
    "pg_codec.UserCodec",
    "pg_codec.plain",
    "pg_json.JsonCodec",
)
def texts() -> Work:
    return there_and_back(
        (known(25), "a name"),
        (known(18), "a"),
        (known(17), b"bytes"),
        (known(2950), UUID(int=5)),
        (known(3802), {"a": [1, 2]}),
        (EnumCodec(100_000, "mood"), "sad"),
        (UserCodec(100_001, "upper", 0, str.upper, str.lower), "a name"),
    )


@case("PostgreSQL values: what JSON does not know", "pg_codec.plain")
def plain_values() -> Work:
    value = Range(1, 5)
    return lambda: plain(value), 1


@case(
    "PostgreSQL values: dates and times",
    *(f"pg_datetime.{name}Codec" for name in ("Date", "Time", "Timestamp", "Interval")),
)
def times() -> Work:
    return there_and_back(
        (known(1082), date(2026, 1, 2)),
        (known(1083), time(1, 2, 3)),
        (known(1184), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (known(1186), timedelta(days=1, seconds=5)),
    )


@case(
    "PostgreSQL values: networks and places",
    *(f"pg_network.{name}Codec" for name in ("Inet", "Mac", "Lsn", "Tid", "VersionedText")),
)
def networks() -> Work:
    return there_and_back(
        (known(869), IPv4Address("10.0.0.1")),
        (known(829), "08:00:2b:01:02:03"),
        (known(3220), "16/B374D848"),
        (known(27), (5, 6)),
        (known(4072), "$.a"),
    )


@case("PostgreSQL values: geometry", *(f"pg_geometry.{name}Codec" for name in ("Shape", "Path", "Bit")))
def shapes() -> Work:
    return there_and_back(
        (known(600), Point(1.0, 2.0)),
        (known(602), Path(Point(0.0, 0.0), Point(1.0, 1.0))),
        (known(1560), BitString("10101")),
    )


@case("PostgreSQL values: an array of 100", "pg_array.ArrayCodec")
def arrays() -> Work:
    return there_and_back((known(1007), list(range(100))))


@case(
    "PostgreSQL values: of parts",
    *(
        f"pg_container.{name}Codec"
        for name in ("Composite", "Hstore", "Multirange", "Range", "Record", "Vector")
    ),
)
def containers() -> Work:
    text = TextCodec(25, "text")
    composite = CompositeCodec(100_002, "pair", ("a", "b"), (23, 25), (known(23), text), TYPES.forget)
    out = Output()
    composite.encode(out, (1, "b"))
    record = out.take()
    work, count = there_and_back(
        (composite, (1, "b")),
        (HstoreCodec(100_003, "hstore", text), {"a": "b"}),
        (known(3904), Range(1, 5)),
        (known(4451), [Range(1, 5)]),
        (VectorCodec(100_004, "vector"), [1.0, 2.0, 3.0]),
    )
    anonymous = known(2249)

    def with_record() -> None:
        work()
        anonymous.decode(record, 0, len(record))

    return with_record, count
