"""Which codec a type's oid has: those that every server knows, and those that a database has made.

The first are in `_SCALARS` and the tables behind it, by the oids of PostgreSQL's pg_type.dat, which never
change. Of the others a server tells only the oid; what they consist of is asked of its catalog, in one query
for all the oids that a statement has and everything that these are made of:

    codec = registry.codec(oid)                     None: it has to be looked up
    sql = registry.introspection_sql([oid, ...])    for a simple Query: each value is text, or None for NULL
    registry.learn(rows, [oid, ...])                now there is one: at worst the type's text

A registry belongs to a pool: its connections have one database. `version` tells that codecs have changed,
since a user has set one or the database has changed its types; what is made of codecs is then made anew.

Source: https://www.postgresql.org/docs/current/catalog-pg-type.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Literal

import msgspec

from fastweb._speedups.pg_array import ArrayCodec
from fastweb._speedups.pg_codec import Codec, UserCodec
from fastweb._speedups.pg_container import (
    CompositeCodec,
    HstoreCodec,
    MultirangeCodec,
    RangeCodec,
    RecordCodec,
    VectorCodec,
)
from fastweb._speedups.pg_datetime import DateCodec, IntervalCodec, TimeCodec, TimestampCodec
from fastweb._speedups.pg_geometry import BitCodec, PathCodec, ShapeCodec
from fastweb._speedups.pg_json import JsonCodec
from fastweb._speedups.pg_network import InetCodec, LsnCodec, MacCodec, TidCodec, VersionedTextCodec
from fastweb._speedups.pg_numeric import MoneyCodec, NumericCodec
from fastweb._speedups.pg_scalar import (
    BoolCodec,
    ByteaCodec,
    CharCodec,
    EnumCodec,
    Float4Codec,
    Float8Codec,
    Int2Codec,
    Int4Codec,
    Int8Codec,
    TextCodec,
    UintCodec,
    UuidCodec,
    VoidCodec,
)
from fastweb.postgres.bitstring import BitString
from fastweb.postgres.geometry import Box, Circle, Line, LineSegment, Path, Point, Polygon
from fastweb.postgres.interval import Interval
from fastweb.postgres.ranges import Range

__all__ = ["Codec", "TypeRegistry"]

_TEXT = TextCodec(25, "text")
_INT2 = Int2Codec(21, "int2")
_OID = UintCodec(26, "oid")

#: Single values. The text format is for those whose binary one is not text, and not worth reading (tsvector),
#: or means another encoding than was sent (xml).
_SCALARS: tuple[Codec, ...] = (
    BoolCodec(16, "bool"),
    ByteaCodec(17, "bytea"),
    CharCodec(18, "char"),
    TextCodec(19, "name"),
    Int8Codec(20, "int8"),
    _INT2,
    Int4Codec(23, "int4"),
    _TEXT,
    _OID,
    TidCodec(27, "tid"),
    UintCodec(28, "xid"),
    UintCodec(29, "cid"),
    JsonCodec(114, "json"),
    TextCodec(142, "xml", 0),
    ShapeCodec(600, "point", 2, Point),
    ShapeCodec(601, "lseg", 4, LineSegment.of),
    PathCodec(602, "path", True, Path, Point),
    ShapeCodec(603, "box", 4, Box.of),
    PathCodec(604, "polygon", False, Polygon, Point),
    ShapeCodec(628, "line", 3, Line),
    InetCodec(650, "cidr", True),
    Float4Codec(700, "float4"),
    Float8Codec(701, "float8"),
    TextCodec(705, "unknown"),
    ShapeCodec(718, "circle", 3, Circle.of),
    MacCodec(774, "macaddr8", 8),
    MoneyCodec(790, "money"),
    MacCodec(829, "macaddr", 6),
    InetCodec(869, "inet", False),
    TextCodec(1042, "bpchar"),
    TextCodec(1043, "varchar"),
    DateCodec(1082, "date"),
    TimeCodec(1083, "time", False),
    TimestampCodec(1114, "timestamp", False),
    TimestampCodec(1184, "timestamptz", True),
    IntervalCodec(1186, "interval", Interval),
    TimeCodec(1266, "timetz", True),
    BitCodec(1560, "bit", BitString),
    BitCodec(1562, "varbit", BitString),
    NumericCodec(1700, "numeric"),
    TextCodec(2275, "cstring"),
    VoidCodec(2278, "void"),
    UuidCodec(2950, "uuid"),
    LsnCodec(3220, "pg_lsn"),
    TextCodec(3614, "tsvector", 0),
    TextCodec(3615, "tsquery", 0),
    JsonCodec(3802, "jsonb", True),
    VersionedTextCodec(4072, "jsonpath"),
    UintCodec(5069, "xid8", 8),
)
#: range -> its subtype, its multirange, the name of both
_RANGES = {
    3904: (23, 4451, "int4"),
    3906: (1700, 4532, "num"),
    3908: (1114, 4533, "ts"),
    3910: (1184, 4534, "tstz"),
    3912: (1082, 4535, "date"),
    3926: (20, 4536, "int8"),
}
#: array -> its elements
_ARRAY_TABLE = """
    22:21 30:26 143:142 199:114 271:5069 629:628 651:650 719:718 775:774 791:790 1000:16 1001:17 1002:18
    1003:19 1005:21 1007:23 1009:25 1010:27 1011:28 1012:29 1014:1042 1015:1043 1016:20 1017:600
    1018:601 1019:602 1020:603 1021:700 1022:701 1027:604 1028:26 1040:829 1041:869 1115:1114 1182:1082
    1183:1083 1185:1184 1187:1186 1231:1700 1263:2275 1270:1266 1561:1560 1563:1562 2287:2249 2951:2950
    3221:3220 3643:3614 3645:3615 3807:3802 3905:3904 3907:3906 3909:3908 3911:3910 3913:3912 3927:3926
    4073:4072 6150:4451 6151:4532 6152:4533 6153:4534 6155:4535 6157:4536
"""
_ARRAYS = {int(oid): int(element) for oid, element in (pair.split(":") for pair in _ARRAY_TABLE.split())}
#: Types of extensions, by the functions that send them.
_BY_SEND: dict[str, Callable[[int, str], Codec]] = {
    "citextsend": TextCodec,
    "textsend": TextCodec,
    "hstore_send": lambda oid, name: HstoreCodec(oid, name, _TEXT),
    "vector_send": VectorCodec,
    "halfvec_send": lambda oid, name: VectorCodec(oid, name, "e"),
    "ltree_send": VersionedTextCodec,
    "lquery_send": VersionedTextCodec,
    "ltxtq_send": VersionedTextCodec,
}

#: One row a type. The first part follows what types consist of, the second tells of each. All is named in
#: full: the search path is the user's.
_INTROSPECTION = """\
with recursive found(oid) as (
    select t.oid from pg_catalog.pg_type t where t.oid in ({oids})
  union
    select part.oid
    from found
    join pg_catalog.pg_type t on t.oid = found.oid
    cross join lateral (
        select t.typelem where t.typelem <> 0
        union all select t.typbasetype where t.typbasetype <> 0
        union all select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid
        union all {ranges}
        union all select a.atttypid from pg_catalog.pg_attribute a
            where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) part(oid)
)
select t.oid, n.nspname, t.typname, t.typtype, p.proname,
    case when p.proname in ('array_send', 'int2vectorsend', 'oidvectorsend') then t.typelem else 0 end,
    t.typdelim,
    t.typbasetype,
    (select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid),
    ({ranges}),
    case when t.typtype = 'c' then (
        select pg_catalog.json_agg(
            pg_catalog.json_build_array(a.attname, a.atttypid::pg_catalog.int8) order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) end
from found
join pg_catalog.pg_type t on t.oid = found.oid
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
left join pg_catalog.pg_proc p on p.oid = t.typsend::pg_catalog.oid
"""
_RANGE_OF_MULTIRANGE = "select r.rngtypid from pg_catalog.pg_range r where r.rngmultitypid = t.oid"

#: What types are made of may be as deep as this; a composite cannot have itself as a part.
_DEPTH = 32

Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]


class _Known(msgspec.Struct, frozen=True):
    """What the catalog tells of a type; 0 for no oid."""

    oid: int
    schema: str
    name: str
    kind: str
    send: str
    element: int
    delimiter: str
    base: int
    subtype: int
    range: int
    fields: list[tuple[str, int]]


class TypeRegistry:
    """The codecs of one database's types.

    Arguments:
        money_places: decimals of the server's `lc_monetary`: 2 of most, 0 of yen.
    """

    def __init__(self, *, money_places: int = 2) -> None:
        #: Changes whenever a codec may be another.
        self.version = 0
        self._money_places = money_places
        #: A user's, by name and by schema and name: what makes them of an oid.
        self._users: dict[tuple[str | None, str], Callable[[int, str], Codec]] = {}
        self._codecs: dict[int, Codec] = {}
        self._built_in: dict[int, Codec] = {}
        #: What the catalog has told.
        self._found: dict[int, _Known] = {}
        self._begin()

    def codec(self, oid: int) -> Codec | None:
        """The codec of a type; None where it has to be looked up."""
        return self._codecs.get(oid)

    def unknown(self, oids: Iterable[int]) -> list[int]:
        """Those of them that have to be looked up."""
        return [oid for oid in dict.fromkeys(oids) if oid not in self._codecs]

    def introspection_sql(self, oids: Iterable[int], server_version: int = 150000) -> str:
        """The query that tells of types, and of those that they are made of.

        Arguments:
            server_version: as `server_version_num`; before 14 there are no multiranges.
        """
        ranges = (
            _RANGE_OF_MULTIRANGE if server_version >= 140000 else "select null::pg_catalog.oid where false"
        )
        listed = ", ".join(str(int(oid)) for oid in oids) or "0"
        return _INTROSPECTION.replace("{oids}", listed).replace("{ranges}", ranges)

    def learn(self, rows: Iterable[Sequence[Any]], asked: Iterable[int] = ()) -> None:
        """Take what the query gave.

        Arguments:
            rows: its rows; each value a str or None.
            asked: what was asked for: an oid of which the server says nothing is text from then on.

        Raises:
            ValueError: they are not what the query gives.
        """
        known: dict[int, _Known] = {}
        for row in rows:
            found = _known_of(row)
            known[found.oid] = found
        if any(self._found.get(oid, found) != found for oid, found in known.items()):
            # One was altered, and others may be made of it.
            self.forget()
        self._found.update(known)
        for oid in known:
            self._build(oid, known, 0)
        for oid in asked:
            if oid not in self._codecs:
                self._codecs[oid] = TextCodec(oid, f"type {oid}", 0)

    def forget(self) -> None:
        """Look all types of this database up again: they have changed."""
        self._codecs = dict(self._built_in)
        self._found.clear()
        self.version += 1

    def doubt(self, oids: Iterable[int]) -> None:
        """Look these types up when a statement that has them is next described: they may have changed."""
        for oid in oids:
            if oid not in self._built_in:
                self._codecs.pop(oid, None)

    def set_codec(
        self,
        name: str,
        *,
        encoder: Encoder,
        decoder: Decoder,
        schema: str | None = None,
        format: Literal["text", "binary"] = "text",  # noqa: A002
    ) -> None:
        """Use functions of one's own for a type, and for what is made of it.

        Arguments:
            name: the type's, as in pg_type: "int4" and not "integer".
            encoder: makes what is sent of a value: a str, in the binary format bytes.
            decoder: makes a value of what has come: of a str, in the binary format of bytes.
            schema: the type's; None for a type of this name in any.
            format: "text", as psql shows values, or "binary", as the type's send function makes them.

        Raises:
            TypeError: what is to be called cannot be.
            ValueError: there is no such format.
        """
        if format not in ("text", "binary"):
            raise ValueError(f"expected 'text' or 'binary' as the format, got {format!r}")
        if not callable(encoder) or not callable(decoder):
            raise TypeError("expected an encoder and a decoder that can be called")
        number = 1 if format == "binary" else 0
        self._set(name, schema, lambda oid, full: UserCodec(oid, full, number, encoder, decoder))

    def set_enum(self, name: str, cls: type[Enum], schema: str | None = None) -> None:
        """Give the values of an enum as members of a Python Enum: whose value is the label, or whose name is.

        Arguments:
            name: the type's.
            cls: the Enum.
            schema: the type's; None for a type of this name in any.
        """
        members = {each.value if isinstance(each.value, str) else each.name: each for each in cls}
        self._set(name, schema, lambda oid, full: EnumCodec(oid, full, members))

    def use_json_text(self) -> None:
        """Give json and jsonb as the text that they are, and take them as text."""
        for name in ("json", "jsonb"):
            self.set_codec(name, schema="pg_catalog", encoder=_json_text, decoder=_same)

    def reset_codec(self, name: str, schema: str | None = None) -> None:
        """Use the type's own codec again."""
        if self._users.pop((schema, name), None) is not None:
            self._begin()
            self.forget()

    # --- How codecs are made ---

    def _set(self, name: str, schema: str | None, make: Callable[[int, str], Codec]) -> None:
        self._users[schema, name] = make
        self._begin()
        self.forget()

    def _user(self, schema: str, name: str) -> Callable[[int, str], Codec] | None:
        return self._users.get((schema, name)) or self._users.get((None, name))

    def _begin(self) -> None:
        """Make what every database has."""
        made: dict[int, Codec] = {codec.oid: codec for codec in _SCALARS}
        made[790] = MoneyCodec(790, "money", self._money_places)
        made[2249] = RecordCodec(2249, "record", self.codec)
        for codec in list(made.values()):
            self._take_user(made, codec.oid, codec.name)
        for oid, (subtype, multirange, name) in _RANGES.items():
            made[oid] = self._range(oid, f"{name}range", made[subtype])
            self._take_user(made, oid, f"{name}range")
            made[multirange] = self._multirange(multirange, f"{name}multirange", made[oid])
            self._take_user(made, multirange, f"{name}multirange")
        for oid, element in _ARRAYS.items():
            name = {22: "int2vector", 30: "oidvector"}.get(oid, f"_{made[element].name}")
            delimiter, first = ";" if element == 603 else ",", 0 if oid in (22, 30) else 1
            made[oid] = ArrayCodec(oid, _shown(name), made[element], delimiter, element, first)
            self._take_user(made, oid, name)
        self._built_in = made
        self._codecs = dict(made)

    def _take_user(self, made: dict[int, Codec], oid: int, name: str) -> None:
        user = self._user("pg_catalog", name)
        if user is not None:
            made[oid] = user(oid, name)

    @staticmethod
    def _range(oid: int, name: str, subtype: Codec) -> Codec:
        return RangeCodec(oid, name, subtype, Range) if subtype.format == 1 else TextCodec(oid, name, 0)

    @staticmethod
    def _multirange(oid: int, name: str, of: Codec) -> Codec:
        return MultirangeCodec(oid, name, of) if of.format == 1 else TextCodec(oid, name, 0)

    def _build(self, oid: int, known: dict[int, _Known], depth: int) -> Codec:
        """The codec of a type, and before it those of what it is made of."""
        codec = self._codecs.get(oid)
        if codec is not None:
            return codec
        found = known.get(oid)
        if found is None or depth > _DEPTH:
            return TextCodec(oid, f"type {oid}", 0)
        codec = self._codecs[oid] = self._make(found, known, depth + 1)
        return codec

    def _make(self, found: _Known, known: dict[int, _Known], depth: int) -> Codec:
        oid, name = found.oid, found.name
        user = self._user(found.schema, name)
        if user is not None:
            return user(oid, name)
        if found.element:
            element = self._build(found.element, known, depth)
            delimiter = known[found.element].delimiter if found.element in known else ","
            return ArrayCodec(oid, _shown(name), element, delimiter, found.element)
        match found.kind:
            case "e":
                return EnumCodec(oid, name)
            case "d":
                return self._build(found.base, known, depth)
            case "r":
                return self._range(oid, name, self._build(found.subtype, known, depth))
            case "m":
                return self._multirange(oid, name, self._build(found.range, known, depth))
            case "c":
                codecs = tuple(self._build(part, known, depth) for _, part in found.fields)
                # A part that is only known as text makes all of it text.
                if all(codec.format == 1 for codec in codecs):
                    names = tuple(name for name, _ in found.fields)
                    oids = tuple(part for _, part in found.fields)
                    return CompositeCodec(oid, name, names, oids, codecs, self.forget)
            case "b" if found.send in _BY_SEND:
                return _BY_SEND[found.send](oid, name)
        return TextCodec(oid, name, 0)


def _known_of(row: Sequence[Any]) -> _Known:
    """A row of the catalog, each value of which is text."""
    try:
        oid, schema, name, kind, send, element, delimiter, base, subtype, of, fields = row
        return _Known(
            oid=int(oid),
            schema=schema,
            name=name,
            kind=kind,
            send=send or "",
            element=int(element),
            delimiter=delimiter,
            base=int(base),
            subtype=int(subtype or 0),
            range=int(of or 0),
            fields=msgspec.json.decode(fields or "[]", type=list[tuple[str, int]]),
        )
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise ValueError(
            f"the server's catalog tells of a type in a way that nobody knows: {error}"
        ) from None


def _shown(name: str) -> str:
    """The name of an array's type, as SQL writes it: "text[]", which the catalog calls "_text"."""
    return f"{name[1:]}[]" if name.startswith("_") else name


def _json_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError(f"expected the text of JSON, got {type(value).__name__}")
    return value


def _same(value: Any) -> Any:
    return value
