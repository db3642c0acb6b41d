"""Messages in the making, by a table of boundary values; tests/speedups runs in both modes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from fastweb._speedups.pg_wire import Output

GOOD: list[tuple[str, Any, bytes]] = [
    ("put_int8", 0, b"\x00"),
    ("put_int8", 255, b"\xff"),
    ("put_int8", -128, b"\x80"),
    ("put_int16", 0x7FFF, b"\x7f\xff"),
    ("put_int16", -0x8000, b"\x80\x00"),
    ("put_uint16", 0xFFFF, b"\xff\xff"),
    ("put_int32", 0x7FFFFFFF, b"\x7f\xff\xff\xff"),
    ("put_int32", -1, b"\xff\xff\xff\xff"),
    ("put_uint32", 0xFFFFFFFF, b"\xff\xff\xff\xff"),
    ("put_int64", -(1 << 63), b"\x80" + bytes(7)),
    ("put_int64", (1 << 63) - 1, b"\x7f" + b"\xff" * 7),
    ("put_float4", 1.5, struct.pack("!f", 1.5)),
    ("put_float8", -0.1, struct.pack("!d", -0.1)),
    ("put", b"", b""),
    ("put", b"a\x00b", b"a\x00b"),
    ("put_text", "", b""),
    ("put_text", "aé\U0001f600", "aé\U0001f600".encode()),
    ("put_cstring", "ab", b"ab\x00"),
]

BAD: list[tuple[str, Any, type[Exception]]] = [
    ("put_int8", 256, OverflowError),
    ("put_int8", -129, OverflowError),
    ("put_int16", 0x8000, OverflowError),
    ("put_int16", -0x8001, OverflowError),
    ("put_uint16", -1, OverflowError),
    ("put_uint16", 0x10000, OverflowError),
    ("put_int32", 1 << 31, OverflowError),
    ("put_uint32", 1 << 32, OverflowError),
    ("put_uint32", -1, OverflowError),
    ("put_int64", 1 << 63, OverflowError),
    ("put_int64", 1 << 200, OverflowError),
    ("put_float4", 1e300, OverflowError),
    ("put_text", "\ud800", ValueError),
    ("put_cstring", "a\x00b", ValueError),
    ("put_text", None, TypeError),
    ("put", None, TypeError),
    ("truncate", 8, IndexError),
    ("truncate", -1, IndexError),
]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_what_is_put(name: str, value: Any, expected: bytes) -> None:
    out = Output()
    out.put(b"before")
    put: Callable[[Any], object] = getattr(out, name)
    put(value)
    assert out.size == len(out) == 6 + len(expected)
    assert out.take() == b"before" + expected
    assert out.size == 0


@pytest.mark.parametrize(("name", "value", "error"), BAD)
def test_what_is_refused_leaves_nothing_behind(name: str, value: Any, error: type[Exception]) -> None:
    out = Output()
    out.put(b"before")
    with pytest.raises(error):
        getattr(out, name)(value)
    assert out.take()[:6] == b"before"


def test_a_length_is_written_when_it_is_known() -> None:
    out = Output()
    out.put_int32(0)
    out.put(b"abc")
    out.set_int32(0, out.size)
    assert out.take() == b"\x00\x00\x00\x07abc"
    for at in (-1, 0, 1):
        with pytest.raises(IndexError):
            out.set_int32(at, 0)


def test_a_large_one_is_given_away_whole_and_another_begun() -> None:
    out = Output()
    for _ in range(100):
        out.put(b"x" * 5000)
    assert out.take() == b"x" * 500_000
    out.put(b"y")
    assert out.take() == b"y"


def test_what_was_begun_can_be_forgotten() -> None:
    out = Output()
    out.put(b"abc")
    out.truncate(1)
    out.put(b"d")
    assert out.take() == b"ad"
