"""COPY's three formats: rows made and taken apart, whatever is in them and wherever they are cut."""

from __future__ import annotations

import csv
import datetime
import io
import struct
import time
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_copy import CopySink
from fastweb._speedups.pg_copy_binary import BINARY_HEADER, BINARY_TRAILER, BinaryReader, BinaryRows
from fastweb._speedups.pg_copy_csv import CsvReader, CsvRows
from fastweb._speedups.pg_copy_text import TextReader, TextRows, text_of
from fastweb._speedups.pg_scalar import (
    BoolCodec,
    Float4Codec,
    Float8Codec,
    Int2Codec,
    Int4Codec,
    Int8Codec,
    TextCodec,
)
from fastweb._speedups.pg_wire import Output, WireError

NONE: frozenset[int] = frozenset()


def text_rows(rows: list[Any], *, columns: int = 0, json: frozenset[int] = NONE, **options: Any) -> bytes:
    made = TextRows(columns, json, **options)
    for row in rows:
        made.add(row)
    return made.take()


def csv_rows(rows: list[Any], *, columns: int = 0, json: frozenset[int] = NONE, **options: Any) -> bytes:
    made = CsvRows(columns, json, **options)
    for row in rows:
        made.add(row)
    return made.take()


def read(reader: Any, data: bytes, cut: int = 0) -> list[Any]:
    rows = []
    for at in range(0, len(data), cut or len(data) or 1):
        rows += reader.feed(data[at : at + cut] if cut else data)
    return rows + reader.finish()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("row", "options", "line"),
    [
        (("a", 1, None), {}, "a\t1\t\\N\n"),
        (("", "\\N", "N"), {}, "\t\\\\N\tN\n"),
        (("a\tb\nc\rd\\e\bf\fg\vh",), {}, "a\\tb\\nc\\rd\\\\e\\bf\\fg\\vh\n"),
        (("\x01\x7f\x80é€😀",), {}, "\x01\x7f\x80é€😀\n"),
        ((True, False, -5, 1.5, float("nan"), float("inf")), {}, "t\tf\t-5\t1.5\tnan\tinf\n"),
        ((b"\x00\xff", bytearray(b"a"), memoryview(b"b")), {}, "\\\\x00ff\t\\\\x61\t\\\\x62\n"),
        ((Decimal("1.10"), uuid.UUID(int=1)), {}, "1.10\t00000000-0000-0000-0000-000000000001\n"),
        ((datetime.date(1, 2, 3), datetime.time(4, 5)), {}, "0001-02-03\t04:05:00\n"),
        ((datetime.timedelta(-1, 2, 3),), {}, "-1 days 2 seconds 3 microseconds\n"),
        (([1, None, ["a", 'b"\\'], True],), {}, '{"1",NULL,{"a","b\\\\"\\\\\\\\"},"t"}\n'),
        (({"a": [1, None]},), {}, '{"a":[1,null]}\n'),
        (([1, "a"], "[]", None), {"json": frozenset({0, 1, 2})}, '[1,"a"]\t[]\t\\N\n'),
        (("a|b", None), {"delimiter": "|", "null": ""}, "a\\|b\t\n".replace("\t", "|")),
        (("null", "é", "é"), {"null": "null"}, "\\x6eull\té\té\n"),
        (("é",), {"null": "é"}, "\\é\n"),
        (["a", "b"], {}, "a\tb\n"),
        (iter("ab"), {}, "a\tb\n"),
    ],
)
def test_text_rows(row: Any, options: dict[str, Any], line: str) -> None:
    assert text_rows([row], **options) == line.encode()


@pytest.mark.parametrize(
    ("row", "options", "line"),
    [
        (("a", 1, None, ""), {}, 'a,1,,""\n'),
        (("a,b", 'c"d', "e\nf", "g\rh", "\\."), {}, '"a,b","c""d","e\nf","g\rh","\\."\n'),
        (("NULL", None, ""), {"null": "NULL"}, '"NULL",NULL,\n'),
        (("a'b", "c\\d"), {"quote": "'", "escape": "\\"}, "'a\\'b',c\\d\n"),
        (("a'\\b",), {"quote": "'", "escape": "\\"}, "'a\\'\\\\b'\n".replace("\\\\b", "\\\\b")),
        (("a", "b", None), {"force_quote": frozenset({1, 2})}, 'a,"b",\n'),
        ((b"a", True, [1]), {}, '\\x61,t,"{""1""}"\n'),
    ],
)
def test_csv_rows(row: Any, options: dict[str, Any], line: str) -> None:
    assert csv_rows([row], **options) == line.encode()


@pytest.mark.parametrize("rows", [text_rows, csv_rows])
@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        (("a\0b",), ValueError, "NUL"),
        ((object(),), TypeError, "a object has no text"),
        ((1j,), TypeError, "a complex has no text"),
        ((1, 2), ValueError, "expected 1 values, got 2"),
        ((), ValueError, "expected 1 values, got 0"),
        (5, TypeError, "int"),
    ],
)
def test_wrong_rows(rows: Any, row: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rows([row], columns=1)


def test_what_cannot_be_told_from_null() -> None:
    with pytest.raises(ValueError, match="another `null`"):
        text_rows([("",)], null="")


def test_subclasses_are_written_as_what_they_are() -> None:
    class Text(str):
        def __str__(self) -> str:
            return "no"

    class Number(int):
        def __repr__(self) -> str:
            return "no"

    assert text_of(Text("a")) == "a"
    assert text_of(Number(5)) == "5"


values = st.none() | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.sampled_from(",\"'\\\n\r\t.N")
)
tables = st.lists(st.tuples(values, values), max_size=5)


@given(tables, st.integers(0, 7))
def test_text_round_trip(rows: list[Any], cut: int) -> None:
    assert read(TextReader(), text_rows(rows), cut) == rows
    assert read(TextReader("|", "ab"), text_rows(rows, delimiter="|", null="ab"), cut) == rows


@given(tables, st.integers(0, 7))
def test_csv_round_trip(rows: list[Any], cut: int) -> None:
    assert read(CsvReader(), csv_rows(rows), cut) == rows
    other = {"delimiter": ";", "null": "N", "quote": "'", "escape": "\\"}
    assert read(CsvReader(**other), csv_rows(rows, **other), cut) == rows  # type: ignore[arg-type]


@given(tables)
def test_csv_is_what_others_read(rows: list[Any]) -> None:
    found = list(csv.reader(io.StringIO(csv_rows(rows).decode(), newline="")))
    assert found == [[value or "" for value in row] for row in rows]


@given(st.text(st.sampled_from("a,\"'\\\n\t")), st.integers(0, 5))
def test_readers_read_the_same_in_any_cut(text: str, cut: int) -> None:
    for make in (TextReader, CsvReader, lambda: CsvReader(quote="'", escape="\\")):
        outcomes = []
        for at in (0, cut):
            rows: list[Any] = []
            try:
                rows = read(make(), text.encode(), at)
            except WireError as error:
                rows.append(str(error))
            outcomes.append(rows[-1:] if rows and type(rows[-1]) is str else rows)
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"a\\bc\\\\\\t\\q\t\\N\n", ("a\bc\\\tq", None)),
        (b"\n", ("",)),
    ],
)
def test_text_reader(line: bytes, row: Any) -> None:
    assert read(TextReader(), line) == [row]


def test_headers_are_left_out() -> None:
    assert read(TextReader(header=True), b"a\tb\n1\t2\n") == [("1", "2")]
    assert read(CsvReader(header=True), b'"a\n",b\n1,2\n', 1) == [("1", "2")]


@pytest.mark.parametrize(
    ("reader", "data", "message"),
    [
        (TextReader, b"a\tb", "middle of a row"),
        (TextReader, b"\xff\n", "not UTF-8"),
        (CsvReader, b'"a\n', "middle of a row"),
        (CsvReader, b"\xff\n", "not UTF-8"),
        (lambda: TextReader(most=10), b"a" * 11, "more than 10 bytes"),
        (lambda: CsvReader(most=10), b'"' + b"\n" * 11, "more than 10 bytes"),
    ],
)
def test_what_is_wrong_in_text(reader: Any, data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        read(reader(), data)
    with pytest.raises(WireError, match=message):
        read(reader(), data, 1)


# --- Binary ---


class Int4(Codec):
    def __init__(self) -> None:
        Codec.__init__(self, 23, "int4", 1)

    def encode(self, out: Any, value: Any) -> None:
        out.put_int32(value)

    def decode(self, data: bytes, at: int, end: int) -> Any:
        if end - at != 4:
            raise WireError("not four bytes")
        return struct.unpack_from("!i", data, at)[0]


class Bytes(Codec):
    def __init__(self) -> None:
        Codec.__init__(self, 17, "bytea", 1)

    def encode(self, out: Any, value: Any) -> None:
        out.put(value)

    def decode(self, data: bytes, at: int, end: int) -> Any:
        return data[at:end]


CODECS = (Int4(), Bytes())


def binary_rows(rows: list[Any]) -> bytes:
    made = BinaryRows(CODECS)
    for row in rows:
        made.add(row)
    return made.take() + BINARY_TRAILER


def test_binary_rows() -> None:
    assert binary_rows([(1, b"ab"), [None, None]]) == (
        BINARY_HEADER
        + struct.pack("!hiiI2s", 2, 4, 1, 2, b"ab")
        + struct.pack("!hii", 2, -1, -1)
        + struct.pack("!h", -1)
    )


@given(
    st.lists(st.tuples(st.none() | st.integers(-(2**31), 2**31 - 1), st.none() | st.binary()), max_size=5),
    st.integers(0, 7),
)
def test_binary_round_trip(rows: list[Any], cut: int) -> None:
    assert read(BinaryReader(CODECS), binary_rows(rows), cut) == rows


class Whole:
    def __index__(self) -> int:
        return 7


class Word(str):
    __slots__ = ()


NUMBERS = [
    0,
    -1,
    True,
    Whole(),
    *(sign * 2**bits + more for sign in (1, -1) for bits in (15, 31, 63) for more in (-1, 0)),
]
REALS = [
    0.0,
    -0.0,
    1.5,
    3,
    True,
    float("inf"),
    float("nan"),
    3.4028234663852886e38,
    3.5e38,
    -1e300,
    Decimal("1.5"),
]


@pytest.mark.parametrize(
    ("codec", "values"),
    [
        (BoolCodec(16, "bool"), [True, False, 1, "t"]),
        (Int2Codec(21, "int2"), [*NUMBERS, "5"]),
        (Int4Codec(23, "int4"), [*NUMBERS, 1.0]),
        (Int8Codec(20, "int8"), [*NUMBERS, 2**70]),
        (Float4Codec(700, "float4"), [*REALS, "1.5"]),
        (Float8Codec(701, "float8"), [*REALS, 10**400]),
        (TextCodec(25, "text"), ["", "a", "x" * 100_000, "ä", "\ud800", Word("a"), b"a"]),
    ],
    ids=lambda value: value.name if isinstance(value, Codec) else "",
)
def test_numbers_and_texts_are_what_their_codecs_write(codec: Codec, values: list[Any]) -> None:
    for value in [None, *values]:
        out = Output()
        rows = BinaryRows((codec, codec))
        rows.take()
        try:
            if value is not None:
                codec.encode(out, value)
        except (TypeError, ValueError, OverflowError) as error:
            with pytest.raises(type(error)):
                rows.add((value, None))
            assert rows.take() == b""
        else:
            data = out.take()
            field = struct.pack("!i", -1 if value is None else len(data)) + data
            rows.add((value, value))
            assert rows.take() == b"\0\2" + 2 * field


@pytest.mark.parametrize(
    ("row", "error", "column"),
    [
        ((2**31, b""), OverflowError, 1),
        ((1, "a"), TypeError, 2),
        ((1,), ValueError, 0),
        ((1, b"", 3), ValueError, 0),
        (5, TypeError, 0),
    ],
)
def test_a_wrong_row_leaves_nothing(row: Any, error: type[Exception], column: int) -> None:
    made = BinaryRows(CODECS)
    made.add((1, b""))
    with pytest.raises(error) as caught:
        made.add(row)
    notes = [f"in column {column} of the row"] if column else []
    assert getattr(caught.value, "__notes__", []) == notes
    made.add((2, b""))
    assert read(BinaryReader(CODECS), made.take() + BINARY_TRAILER) == [(1, b""), (2, b"")]


def row(count: int, *fields: tuple[int, bytes]) -> bytes:
    return struct.pack("!h", count) + b"".join(struct.pack("!i", size) + data for size, data in fields)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PGCOPX", "not in PostgreSQL's binary format"),
        (BINARY_HEADER[:11] + struct.pack("!ii", 1 << 16, 0), "flags"),
        (BINARY_HEADER[:11] + struct.pack("!ii", -1, 0), "flags"),
        (BINARY_HEADER[:11] + struct.pack("!ii", 0, -1), "extension of -1"),
        (BINARY_HEADER[:11] + struct.pack("!ii", 0, 2**31 - 1), "extension of"),
        (BINARY_HEADER + row(1), "a row of 1 fields"),
        (BINARY_HEADER + row(-2), "a row of -2 fields"),
        (BINARY_HEADER + row(32767), "a row of 32767 fields"),
        (BINARY_HEADER + row(2, (-2, b"")), "a field of -2 bytes"),
        (BINARY_HEADER + row(2, (-(2**31), b"")), "a field of -2147483648 bytes"),
        (BINARY_HEADER + row(2, (2**31 - 1, b"")), "a field of 2147483647 bytes"),
        (BINARY_HEADER + row(2, (3, b"abc"), (-1, b"")), "not four bytes"),
        (BINARY_HEADER + row(2, (-1, b""), (5, b"abc")), "middle of a row"),
        (BINARY_HEADER + row(2, (-1, b"")), "middle of a row"),
        (BINARY_HEADER, "middle of a row"),
        (BINARY_HEADER[:15], "middle of a row"),
        (b"", "middle of a row"),
        (BINARY_HEADER + BINARY_TRAILER + b"\0", "behind the end"),
    ],
)
def test_what_is_wrong_in_binary(data: bytes, message: str) -> None:
    for cut in (0, 1):
        with pytest.raises(WireError, match=message):
            read(BinaryReader(CODECS, 1 << 20), data, cut)


def test_a_header_may_have_an_extension() -> None:
    data = (
        BINARY_HEADER[:11]
        + struct.pack("!ii", 0xFF, 3)
        + b"abc"
        + row(2, (-1, b""), (-1, b""))
        + BINARY_TRAILER
    )
    assert read(BinaryReader(CODECS), data) == [(None, None)]
    assert read(BinaryReader(CODECS), data, 1) == [(None, None)]


@settings(max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 5))
def test_whatever_comes_in_binary(data: bytes, cut: int) -> None:
    try:
        read(BinaryReader(CODECS), BINARY_HEADER + data, cut)
    except WireError:
        pass


def test_many_pieces_of_one_row_are_linear() -> None:
    size = 1 << 22
    pieces = {
        TextReader: b"a" * size + b"\n",
        CsvReader: b'"' + b"\n" * size + b'"\n',
        lambda: CsvReader(quote="'", escape="\\"): b"'" + b"\\" * size + b"'\n",
        lambda: BinaryReader(CODECS): BINARY_HEADER + row(2, (-1, b""), (size, bytes(size))) + BINARY_TRAILER,
    }
    for make, data in pieces.items():
        began = time.process_time()
        assert len(read(make(), data, 256)) == 1  # type: ignore[operator]
        # Quadratic it takes minutes.
        assert time.process_time() - began < 20


def copied(*bodies: bytes) -> bytes:
    return b"".join(b"d" + (len(body) + 4).to_bytes(4, "big") + body for body in bodies)


def test_what_a_server_sends_is_put_together() -> None:
    told: list[str] = []
    sink = CopySink(8, lambda: told.append("full"))
    sink.on_data = lambda: told.append("data")
    messages = copied(b"one\n", b"", b"two\n") + b"c\x00\x00\x00\x04"
    assert sink.add_all(messages, 0, len(messages)) == len(messages) - 5
    assert told == ["data", "full"]
    assert (sink.size, sink.take(), sink.size, sink.take()) == (8, b"one\ntwo\n", 0, b"")
    half = copied(b"three\n", b"four\n")
    assert sink.add_all(half, 0, len(half) - 1) == len(copied(b"three\n"))
    assert sink.take() == b"three\n"
    assert told == ["data", "full"]


@pytest.mark.parametrize("size", [b"\x00\x00\x00\x03", b"\x80\x00\x00\x00", b"\xff\xff\xff\xff"])
def test_a_size_that_is_none(size: bytes) -> None:
    messages = copied(b"one\n") + b"d" + size + b"two\n"
    with pytest.raises(WireError):
        CopySink(1 << 20, None).add_all(messages, 0, len(messages))
