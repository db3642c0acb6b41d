"""Which codec a type's oid has: those that every server knows, and those that a database has made.

The first are in `_BUILT_IN`, by the oids of PostgreSQL's pg_type.dat, which never change. Of the others a
server tells only the oid; what they consist of is asked of its catalog, in one query for all the oids that a
statement has and everything that these are made of:

    codec = registry.codec(oid)                     None: it has to be looked up
    sql = registry.introspection_sql([oid, ...])    for a simple Query: each value is text, or None for NULL
    registry.learn(rows, [oid, ...])                now there is one: at worst the type's text

A registry belongs to a pool: its connections have one database. `version` tells that codecs have changed,
since a user has set one or the database has changed its types; what is made of codecs is then made anew.

Source: https://www.postgresql.org/docs/current/catalog-pg-type.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastweb._speedups.pg_codec import (
    BoolCodec,
    ByteaCodec,
    CharCodec,
    Codec,
    Float4Codec,
    Float8Codec,
    Int2Codec,
    Int4Codec,
    Int8Codec,
    JsonCodec,
    TextCodec,
    UintCodec,
    UuidCodec,
    VoidCodec,
)
from fastweb._speedups.pg_datetime import DateCodec, IntervalCodec, TimeCodec, TimestampCodec
from fastweb._speedups.pg_numeric import MoneyCodec, NumericCodec
from fastweb.postgres.interval import Interval

__all__ = ["TypeRegistry"]

#: Types by oid and name: what every database has.
_BUILT_IN: tuple[Codec, ...] = (
    BoolCodec(16, "bool"),
    ByteaCodec(17, "bytea"),
    CharCodec(18, "char"),
    TextCodec(19, "name"),
    Int8Codec(20, "int8"),
    Int2Codec(21, "int2"),
    Int4Codec(23, "int4"),
    TextCodec(25, "text"),
    UintCodec(26, "oid"),
    UintCodec(28, "xid"),
    UintCodec(29, "cid"),
    JsonCodec(114, "json"),
    TextCodec(142, "xml", 0),
    Float4Codec(700, "float4"),
    Float8Codec(701, "float8"),
    TextCodec(705, "unknown", 0),
    MoneyCodec(790, "money"),
    TextCodec(1042, "bpchar"),
    TextCodec(1043, "varchar"),
    DateCodec(1082, "date"),
    TimeCodec(1083, "time", False),
    TimestampCodec(1114, "timestamp", False),
    TimestampCodec(1184, "timestamptz", True),
    IntervalCodec(1186, "interval", Interval),
    TimeCodec(1266, "timetz", True),
    NumericCodec(1700, "numeric"),
    VoidCodec(2278, "void"),
    TextCodec(2275, "cstring"),
    UuidCodec(2950, "uuid"),
    TextCodec(3614, "tsvector", 0),
    TextCodec(3615, "tsquery", 0),
    JsonCodec(3802, "jsonb", True),
    TextCodec(4072, "jsonpath", 0),
    UintCodec(5069, "xid8", 8),
)


class TypeRegistry:
    """The codecs of one database's types.

    Arguments:
        money_places: decimals of the server's `lc_monetary`: 2 of most, 0 of yen.
    """

    def __init__(self, *, money_places: int = 2) -> None:
        #: Changes whenever a codec may be another.
        self.version = 0
        self._codecs: dict[int, Codec] = {codec.oid: codec for codec in _BUILT_IN}
        if money_places != 2:
            self._codecs[790] = MoneyCodec(790, "money", money_places)

    def codec(self, oid: int) -> Codec | None:
        """The codec of a type; None where it has to be looked up."""
        return self._codecs.get(oid)

    def unknown(self, oids: Iterable[int]) -> list[int]:
        """Those of them that have to be looked up."""
        return [oid for oid in dict.fromkeys(oids) if oid not in self._codecs]

    def introspection_sql(self, oids: Iterable[int]) -> str:
        """The query that tells of types, and of those that they are made of."""
        return f"select null where 0 in ({', '.join(map(str, oids))})"

    def learn(self, rows: Iterable[Sequence[Any]], asked: Iterable[int] = ()) -> None:
        """Take what the query gave.

        Arguments:
            rows: its rows; each value a str or None.
            asked: what was asked for: an oid of which the server says nothing is text from then on.
        """
        for oid in asked:
            self._codecs.setdefault(oid, TextCodec(oid, f"type {oid}", 0))
