"""The head of an answer: what it is written as, and what is not let out."""

from __future__ import annotations

from typing import Any

import pytest

from fastweb._speedups.response import HAS_CLOSE, HAS_DATE, HAS_LENGTH, HAS_SERVER, Head, check_headers


@pytest.mark.parametrize(
    ("status", "headers", "http1", "flags", "length"),
    [
        (200, [], b"HTTP/1.1 200 OK\r\n", 0, -1),
        (404, (), b"HTTP/1.1 404 Not Found\r\n", 0, -1),
        (299, [], b"HTTP/1.1 299 \r\n", 0, -1),
        (599, [], b"HTTP/1.1 599 \r\n", 0, -1),
        (200, [(b"a", b"b"), (b"a", b"")], b"HTTP/1.1 200 OK\r\na: b\r\na: \r\n", 0, -1),
        (200, [(b"a", b"\xe9\t ")], b"HTTP/1.1 200 OK\r\na: \xe9\t \r\n", 0, -1),
        (200, [(b"content-length", b"07")], b"HTTP/1.1 200 OK\r\ncontent-length: 07\r\n", HAS_LENGTH, 7),
        (
            304,
            [(b"content-length", b"9" * 18)],
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: " + b"9" * 18 + b"\r\n",
            HAS_LENGTH,
            10**18 - 1,
        ),
        (204, [(b"content-length", b"5")], b"HTTP/1.1 204 No Content\r\n", 0, -1),
        (200, [(b"connection", b"Close")], b"HTTP/1.1 200 OK\r\n", HAS_CLOSE, -1),
        (200, [(b"connection", b"keep-alive")], b"HTTP/1.1 200 OK\r\n", 0, -1),
        (200, [(b"transfer-encoding", b"chunked")], b"HTTP/1.1 200 OK\r\n", 0, -1),
        (
            200,
            [(b"date", b"x"), (b"server", b"y")],
            b"HTTP/1.1 200 OK\r\ndate: x\r\nserver: y\r\n",
            HAS_DATE | HAS_SERVER,
            -1,
        ),
    ],
)
def test_what_is_written(status: int, headers: Any, http1: bytes, flags: int, length: int) -> None:
    head = Head(status, headers)
    assert (head.status, head.http1, head.flags, head.length) == (status, http1, flags, length)
    assert head.headers is headers


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 101, 103, 199, 600, 1000])
def test_only_final_statuses(status: int) -> None:
    with pytest.raises(ValueError, match="is no final status code"):
        Head(status, [])


@pytest.mark.parametrize("character", [*range(32), 127])
def test_control_characters(character: int) -> None:
    for value in (bytes([character]), b"a" + bytes([character]), bytes([character]) + b"a"):
        if character == 9:
            check_headers([(b"a", value)])
            continue
        with pytest.raises(ValueError, match="control character"):
            check_headers([(b"a", value)])
        with pytest.raises(ValueError, match="control character"):
            Head(200, [(b"a", b"b"), (b"c", value)])


def test_names_are_tokens() -> None:
    token = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for character in range(256):
        name = bytes([character])
        if name in token:
            check_headers([(name, b"")])
        else:
            with pytest.raises(ValueError, match="is not the name of a header field"):
                check_headers([(name, b"")])
    with pytest.raises(ValueError, match="is not the name of a header field"):
        check_headers([(b"", b"a")])


@pytest.mark.parametrize("field", [("a", b"b"), (b"a", "b"), (b"a", None), (b"a", bytearray(b"b"))])
def test_fields_are_bytes(field: Any) -> None:
    with pytest.raises(TypeError, match="a header field is two bytes objects"):
        Head(200, [field])


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1, 1", b"1 ", b"0x1", b"1_0", b"1" * 19, b"\xd9\xa1"])
def test_a_length_is_one_number(value: bytes) -> None:
    with pytest.raises(ValueError, match="Content-Length is one number"):
        Head(200, [(b"content-length", value)])
    with pytest.raises(ValueError, match="Content-Length is one number"):
        Head(200, [(b"content-length", b"1"), (b"content-length", value)])


def test_two_lengths() -> None:
    with pytest.raises(ValueError, match="Content-Length is one number"):
        Head(200, [(b"content-length", b"1"), (b"content-length", b"1")])
