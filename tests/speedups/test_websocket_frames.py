"""Frames: what the parser makes of them, however they are cut, and what it refuses."""

from __future__ import annotations

import os
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from fastweb._speedups.websocket_frames import (
    CLOSE,
    FAILURE,
    PING,
    PONG,
    Event,
    FrameParser,
    close_payload,
    frame,
    is_close_code,
    mask,
)


def sent(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    """A frame as another implementation's client sends it."""
    return Frame(Opcode(opcode), data, fin=fin).serialize(mask=True)


def events(data: bytes, *, step: int | None = None, max_size: int = 1 << 20) -> list[Any]:
    """What a parser finds in some bytes that come in pieces."""
    parser = FrameParser(max_size)
    found: list[Any] = []
    for i in range(0, len(data), step or len(data) or 1):
        parser.feed(data[i : i + (step or len(data))])
        while (event := parser.next_event()) is not None:
            if isinstance(event, Event):
                event = (event.kind, event.data, event.code)
            found.append(event)
    return found


@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 125, 126, 1000])
def test_masking_twice_is_nothing(size: int) -> None:
    data, key = os.urandom(size), os.urandom(4)
    masked = mask(data, key)
    assert masked == bytes(byte ^ key[i % 4] for i, byte in enumerate(data))
    assert mask(masked, key) == data


def test_a_key_has_four_bytes() -> None:
    with pytest.raises(ValueError, match="4 bytes, not 3"):
        mask(b"a", b"abc")


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frames_are_written_as_others_write_them(size: int) -> None:
    assert frame(0x82, bytes(size)) == Frame(Opcode.BINARY, bytes(size)).serialize(mask=False)
    text = "\u00e4" * (size // 2)
    assert frame(0x81, text) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


@pytest.mark.parametrize("value", [None, 1, bytearray(b"a")])
def test_a_payload_is_str_or_bytes(value: Any) -> None:
    with pytest.raises(TypeError):
        frame(0x81, value)


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 9, 10]), st.binary(max_size=100)), max_size=6),
    st.integers(1, 40),
)
@settings(max_examples=60)
def test_the_cut_does_not_matter(items: list[tuple[int, bytes]], step: int) -> None:
    data = b"".join(sent(opcode, payload.hex().encode()[:125]) for opcode, payload in items)
    expected: list[Any] = []
    for opcode, payload in items:
        text = payload.hex().encode()[:125]
        expected.append(text.decode() if opcode == 1 else text if opcode == 2 else (opcode, text, 0))
    assert events(data) == expected
    assert events(data, step=step) == expected


@pytest.mark.parametrize("step", [None, 1, 2, 3, 5])
def test_fragments_and_control_frames_between_them(step: int | None) -> None:
    data = (
        sent(1, b"\xc3", fin=False)
        + sent(9, b"p")
        + sent(0, b"", fin=False)
        + sent(0, b"\xa4")
        + sent(10, b"")
    )
    assert events(data, step=step) == [(PING, b"p", 0), "\u00e4", (PONG, b"", 0)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x00", 1002),  # not masked: known after two bytes
        (b"\xc1\x80", 1002),
        (b"\x83\x80", 1002),
        (b"\x80\x80", 1002),
        (b"\x09\x80", 1002),
        (b"\x89\xfe", 1002),
        (b"\x82\xfe\x00\x7d" + bytes(4), 1002),
        (b"\x82\xff" + struct.pack("!Q", 65535) + bytes(4), 1002),
        (b"\x82\xff" + struct.pack("!Q", 1 << 63) + bytes(4), 1002),
        (b"\x82\xff" + struct.pack("!Q", (1 << 63) - 1) + bytes(4), 1009),
        (sent(1, b"\xf4\x90", fin=False), 1007),
        (sent(1, b"\xed\xa0\x80", fin=False), 1007),
        (sent(8, b"\x03"), 1002),
        (sent(8, b"\x03\xee"), 1002),
    ],
    # Masks are random, and every process of the tests must call a test the same.
    ids=[
        *("not masked", "RSV1", "opcode 3", "nothing continued", "a ping in two", "a long ping"),
        *("125 in 16 bits", "65535 in 64 bits", "a negative length", "the largest length"),
        *("beyond Unicode", "a surrogate", "half a code", "code 1006"),
    ],
)
def test_what_breaks_the_protocol(data: bytes, code: int) -> None:
    for step in (None, 1):
        (found,) = events(data + b"behind", step=step)
        assert (found[0], found[2]) == (FAILURE, code)


def test_a_close_is_the_last() -> None:
    assert events(sent(8, b"\x03\xe8bye") + sent(1, b"a")) == [(CLOSE, b"", 1000)]


@pytest.mark.parametrize("size", [10, 11, 12])
def test_the_largest_message(size: int) -> None:
    for data in (sent(2, bytes(size)), sent(2, bytes(5), fin=False) + sent(0, bytes(size - 5))):
        found = events(data, max_size=10)
        assert found == [bytes(10)] if size == 10 else found[0][2] == 1009


def test_close_codes() -> None:
    assert [code for code in range(6000) if is_close_code(code)] == [
        *range(1000, 1004),
        *range(1007, 1015),
        *range(3000, 5000),
    ]
    assert close_payload(1005, "") == b""
    assert close_payload(1000, "a") == b"\x03\xe8a"
    for code, reason in ((1006, ""), (1005, "a"), (1000, "a" * 124)):
        with pytest.raises(ValueError):
            close_payload(code, reason)
