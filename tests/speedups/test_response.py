"""The head of an answer: what it is written as, and what is not let out."""

from __future__ import annotations

from typing import Any

import pytest

from fastweb._speedups.response import (
    HAS_CLOSE,
    HAS_DATE,
    HAS_LENGTH,
    HAS_SERVER,
    Head,
    check_headers,
    head_of,
)


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


def test_a_head_is_made_once() -> None:
    fields = [(b"content-length", b"2"), (b"x-once", b"a")]
    head = head_of(200, fields)
    assert head_of(200, list(fields)) is head
    assert (head.status, head.length) == (200, 2)
    fields[1] = (b"x-once", b"b")
    assert b"x-once: b" in head_of(200, fields).http1
    assert b"x-once: a" in head.http1
    assert head_of(201, list(head.headers)).status == 201


def test_heads_that_are_kept_are_few_and_small() -> None:
    long = [(b"x-long", b"a" * 1000)]
    assert head_of(200, long) is not head_of(200, long)
    many = [(b"x-%d" % number, b"a") for number in range(20)]
    assert head_of(200, many) is not head_of(200, many)
    first = [(b"x-first", b"a")]
    head = head_of(200, first)
    for number in range(300):
        head_of(200, [(b"x-number", b"%d" % number)])
    assert head_of(200, first) is not head


@pytest.mark.parametrize(
    ("field", "error"),
    [
        ((b"x-a", b"b\r\nx-c: d"), ValueError),
        ((b"x a", b"b"), ValueError),
        (("x-a", "b"), TypeError),
        ([b"x-a", bytearray(b"b")], TypeError),
    ],
)
def test_no_head_is_kept_that_cannot_be_sent(field: Any, error: type[Exception]) -> None:
    for _ in range(2):
        with pytest.raises(error):
            head_of(200, [field])


def test_fields_that_are_lists_are_sent_as_tuples_are() -> None:
    fields: Any = [[b"x-a", b"b"]]
    assert head_of(200, fields).http1 == head_of(200, [(b"x-a", b"b")]).http1
