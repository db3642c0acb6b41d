"""Bytes that no honest server sends: each codec refuses them with an error of its own, and makes little.

That both modes make the same of them is what the fuzz targets show.
"""

from __future__ import annotations

import random
import struct
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_container import CompositeCodec, HstoreCodec, VectorCodec
from fastweb._speedups.pg_network import VersionedTextCodec
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_rows import json_sink
from fastweb._speedups.pg_wire import Output, WireError
from fastweb.postgres.types import TypeRegistry

REGISTRY = TypeRegistry()
CODECS: list[Codec] = [
    *REGISTRY._built_in.values(),
    HstoreCodec(90001, "hstore", REGISTRY._built_in[25]),
    VectorCodec(90002, "vector"),
    VectorCodec(90003, "halfvec", "e"),
    VersionedTextCodec(90004, "ltree"),
    CompositeCodec(
        90005,
        "pair",
        ("a", "b"),
        (23, 1009),
        (REGISTRY._built_in[23], REGISTRY._built_in[1009]),
        lambda: None,
    ),
]
BY_NAME = {codec.name: codec for codec in CODECS}


def ints(*values: int) -> bytes:
    return b"".join(struct.pack("!i", value) for value in values)


#: Honest values, to be cut and changed.
HONEST: dict[str, list[bytes]] = {
    "int4": [ints(5)],
    "bool": [b"\1"],
    "text": ["aé".encode()],
    "numeric": [struct.pack("!hhHh3H", 3, 1, 0, 2, 1, 2, 3400), struct.pack("!hhHh", 0, 0, 0xC000, 0)],
    "timestamptz": [struct.pack("!q", 2**63 - 1), struct.pack("!q", 5)],
    "timetz": [struct.pack("!qi", 5, -3600)],
    "interval": [struct.pack("!qii", 5, 1, 2)],
    "uuid": [bytes(range(16))],
    "jsonb": [b'\1{"a": [1, 2]}'],
    "inet": [b"\2\x20\0\4\x0a\0\0\1", b"\3\x80\0\x10" + bytes(16)],
    "cidr": [b"\2\x08\1\4\x0a\0\0\0"],
    "varbit": [ints(9) + b"\xff\x80"],
    "path": [b"\1" + ints(1) + bytes(16)],
    "polygon": [ints(2) + bytes(32)],
    "int4[]": [ints(1, 1, 23, 2, 1, 4, 7, -1), ints(2, 0, 23, 1, 1, 2, 1, 4, 1, 4, 2), ints(0, 0, 23)],
    "tsvector[]": [b'{a,"b c",NULL,{x}}', b"[0:1]={a,b}", b"{}"],
    "int4range": [b"\2" + ints(4, 1, 4, 9), b"\1", b"\x18"],
    "int4multirange": [ints(1, 17) + b"\2" + ints(4, 1, 4, 9)],
    "record": [ints(2, 23, 4, 5, 25, -1)],
    "pair": [ints(2, 23, 4, 5, 1009, 12, 0, 0, 25), ints(2, 23, -1, 1009, -1)],
    "hstore": [ints(2, 1) + b"a" + ints(-1, 1) + b"b" + ints(1) + b"c"],
    "vector": [struct.pack("!hh2f", 2, 0, 1.0, 2.0)],
    "tid": [bytes(6)],
}


def decoded(codec: Codec, data: bytes) -> Any:
    """The value, or the error that may be."""
    try:
        return codec.decode(b"\xff" * 3 + data + b"\xff" * 20, 3, 3 + len(data))
    except (WireError, ValueError) as error:
        return error


def in_json(codec: Codec, data: bytes) -> Any:
    sink = json_sink(one=True)
    sink.begin(Columns(("x",), (codec,)))
    row = struct.pack("!hi", 1, len(data)) + data
    try:
        sink.add(row, 0, len(row))
        return sink.finish()
    except (WireError, ValueError) as error:
        return error


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_bytes_by_chance(codec: Codec) -> None:
    chance = random.Random(codec.oid)
    for size in [*range(40), 100, 1000]:
        for data in (bytes(size), b"\xff" * size, chance.randbytes(size), b"\x7f" + bytes(max(size - 1, 0))):
            found = decoded(codec, data)
            written = in_json(codec, data)
            # What the value cannot be, its JSON is not.
            if isinstance(found, WireError):
                assert isinstance(written, Exception), (data, written)


@pytest.mark.parametrize("name", HONEST)
def test_what_was_cut_or_changed(name: str) -> None:
    codec = BY_NAME[name]
    for data in HONEST[name]:
        assert not isinstance(decoded(codec, data), Exception)
        for size in range(len(data)):
            decoded(codec, data[:size])
            in_json(codec, data[:size])
            for byte in (0, 1, 0x7F, 0x80, 0xFF):
                changed = data[:size] + bytes([byte]) + data[size + 1 :]
                decoded(codec, changed)
                in_json(codec, changed)
        if codec.name not in ("text", "jsonb"):
            assert isinstance(decoded(codec, data + b"\0"), Exception)


@given(st.sampled_from(CODECS), st.binary(max_size=60))
@settings(max_examples=300)
def test_any_bytes(codec: Codec, data: bytes) -> None:
    decoded(codec, data)
    in_json(codec, data)


MUCH = 2**31 - 1
#: Small messages that announce much.
ANNOUNCED: list[tuple[str, bytes]] = [
    ("int4[]", ints(1, 0, 23, MUCH, 1)),
    ("int4[]", ints(2, 0, 23, MUCH, 1, MUCH, 1, 4, 1)),
    ("int4[]", ints(6, 0, 23, *[1000, 1] * 6) + bytes(100)),
    ("int4[]", ints(2, 0, 23, MUCH, 1, 0, 1)),
    ("int4[]", ints(MUCH, 0, 23)),
    ("int4[]", ints(-1, 0, 23)),
    ("int4[]", ints(1, 0, 23, -5, 1) + bytes(40)),
    ("int4[]", ints(1, 0, 23, 1, 1, MUCH) + bytes(40)),
    ("int4[]", ints(1, 0, 23, 1, 1, -2) + bytes(40)),
    ("hstore", ints(MUCH)),
    ("hstore", ints(-1)),
    ("hstore", ints(1, -1, -1)),
    ("record", ints(MUCH)),
    ("record", ints(1, 23, MUCH)),
    ("pair", ints(2, 23, MUCH, 0, 0, 0)),
    ("int4range", b"\2" + ints(MUCH)),
    ("int4range", b"\2" + ints(-1)),
    ("int4multirange", ints(MUCH)),
    ("vector", b"\x7f\xff\0\0"),
    ("vector", b"\xff\xff\0\0"),
    ("polygon", ints(MUCH)),
    ("path", b"\0" + ints(-1)),
    ("varbit", ints(MUCH)),
    ("varbit", ints(-1)),
    ("numeric", struct.pack("!hhHh", 0x7FFF, 0, 0, 0)),
    ("numeric", struct.pack("!hhHh", 0, 0, 0, 0x7FFF)),
    ("numeric", struct.pack("!hhHh", -1, 0, 0, 0)),
    ("numeric", struct.pack("!hhHh", 0, 0, 0x1234, 0)),
    ("numeric", struct.pack("!hhHhH", 1, 0, 0, 0, 10000)),
    ("numeric", struct.pack("!hhHhH", 1, 0, 0, 0, 0xFFFF)),
    ("time", struct.pack("!q", -1)),
    ("time", struct.pack("!q", 86_400_000_001)),
    ("timetz", struct.pack("!qi", 0, 86400)),
    ("inet", b"\2\x21\0\4" + bytes(4)),
    ("inet", b"\2\x20\0\x10" + bytes(16)),
    ("inet", b"\4\x20\0\4" + bytes(4)),
    ("cidr", b"\2\x08\1\4\x0a\0\0\1"),
    ("jsonb", b""),
    ("jsonb", b"\2{}"),
    ("jsonb", b"\1{"),
    ("json", b""),
    ("tsvector[]", b"{" * 7 + b"}" * 7),
    *[
        ("tsvector[]", text)
        for text in (b"", b"{", b"a", b"{a", b"{a,}", b"{,a}", b"{a}}", b'{"a}', b'{"a"b}', b"[", b"[1:2]")
    ],
    *[
        ("tsvector[]", text)
        for text in (b"{a}b", b"{{a},b}}", b'{"a\\', b'{"a\\"', b"{}{}", b"[1]{a}", b"[x]={a}", b"{a b\\}")
    ],
]


@pytest.mark.parametrize(("name", "data"), ANNOUNCED)
def test_what_is_announced_is_not_believed(name: str, data: bytes) -> None:
    codec = BY_NAME[name]
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            codec.decode(data, 0, len(data))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 200_000
    assert isinstance(in_json(codec, data), WireError)


def test_a_broken_document_stays_out_of_the_others() -> None:
    for data in (b'1},{"x":2', b'"a', b"", b"{} {}", b"\xff", b'"\xff"', b"[" * 100_000):
        assert isinstance(in_json(BY_NAME["json"], data), Exception), data
    assert in_json(BY_NAME["json"], b'{"a":\n 1}') == b'{"x":{"a":\n 1}}'
    assert in_json(BY_NAME["text"], b'a"\n\0\x7f') == b'{"x":"a\\"\\n\\u0000\x7f"}'
    assert isinstance(in_json(BY_NAME["text"], b"abcdefghijkl\xff"), UnicodeDecodeError)


@pytest.mark.parametrize("size", [*range(20), 100])
def test_text_in_json(size: int) -> None:
    """Every place of every word is looked at."""
    plain = b"x" * size
    assert in_json(BY_NAME["text"], plain) == b'{"x":"' + plain + b'"}'
    for place in range(size):
        for byte in (b'"', b"\\", b"\0", b"\x1f", b"\xc3", b"\x80", b"\xff"):
            data = plain[:place] + byte + plain[place + 1 :]
            found = in_json(BY_NAME["text"], data)
            if byte < b"\x80":
                assert found == b'{"x":"%b"}' % data.replace(
                    byte, {b'"': b'\\"', b"\\": b"\\\\", b"\0": b"\\u0000", b"\x1f": b"\\u001f"}[byte]
                )
            else:
                assert isinstance(found, UnicodeDecodeError)


def test_large_numbers_are_linear() -> None:
    """The most that a numeric may have, both ways: through an int, this would be refused, or last."""
    codec = BY_NAME["numeric"]
    count = 131072 // 4 - 1
    data = struct.pack("!hhHh", count, count - 1, 0, 0) + b"\x27\x0f" * count
    value = codec.decode(data, 0, len(data))
    assert value == Decimal("9999" * count)
    out = Output()
    codec.encode(out, value)
    assert out.take() == data


def test_what_failed_half_way_can_be_taken_back() -> None:
    out = Output()
    out.put_int32(7)
    with pytest.raises(TypeError):
        BY_NAME["int4[]"].encode(out, [1, 2, "x"])
    out.truncate(4)
    assert out.take() == ints(7)


def test_a_list_in_itself() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="6 dimensions"):
        BY_NAME["int4[]"].encode(Output(), endless)


def test_a_catalog_that_makes_no_sense() -> None:
    registry = TypeRegistry()
    row = ["5000", "s", "loop", "c", "record_send", "0", ",", "0", None, None, '[["a", 5000]]']
    registry.learn([row], [5000])
    assert registry.codec(5000) is not None
    domains = [
        [str(n), "s", "d", "d", "x", "0", ",", str(n + 1), None, None, None] for n in range(6000, 6300)
    ]
    registry.learn(domains)
    assert registry.codec(6000) is not None
    for wrong in (row[:3], ["x", *row[1:]], [*row[:-1], "{}"], [None, *row[1:]], [*row[:-1], '[["a"]]']):
        with pytest.raises(ValueError, match="catalog"):
            TypeRegistry().learn([wrong])
