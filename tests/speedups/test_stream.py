"""A stream by itself: its target's parts and its body, which no protocol has a hand in."""

from __future__ import annotations

import pytest

from fastweb._speedups.stream import BaseStream


def stream_of(target: bytes = b"/", method: str = "GET") -> BaseStream:
    return BaseStream(None, method, target, [], "1.1", False)


@pytest.mark.parametrize(
    ("target", "path", "raw_path", "query"),
    [
        (b"/", "/", b"/", b""),
        (b"/a%20b?c=%20", "/a b", b"/a%20b", b"c=%20"),
        (b"//a/b", "//a/b", b"//a/b", b""),
        (b"/?", "/", b"/", b""),
        (b"/a?b?c", "/a", b"/a", b"b?c"),
        (b"/%ff", "/�", b"/%ff", b""),
        (b"/http://b/c", "/http://b/c", b"/http://b/c", b""),
        (b"*", "*", b"*", b""),
        (b"http://a", "/", b"/", b""),
        (b"http://a/", "/", b"/", b""),
        (b"http://a/b?c", "/b", b"/b", b"c"),
        (b"http://a?b/c", "/", b"/", b"b/c"),
        (b"HTTPS://[::1]:8/b%2Fc", "/b/c", b"/b%2Fc", b""),
    ],
)
def test_targets(target: bytes, path: str, raw_path: bytes, query: bytes) -> None:
    stream = stream_of(target)
    assert (stream.path, stream.raw_path, stream.query_string) == (path, raw_path, query)
    stream = stream_of(target)
    assert (stream.query_string, stream.path) == (query, path)


def test_a_body_is_gathered_and_taken() -> None:
    stream = stream_of()
    assert (stream.pending(), stream.take(), stream.body) == (0, b"", b"")
    for piece in (b"a", b"b", b"", b"cd"):
        assert stream.feed(piece, 10)
    assert stream.pending() == 4
    assert stream.body == stream.body == b"abcd"
    assert type(stream.body) is bytes
    assert stream.take() == b"abcd"
    assert stream.pending() == 0
    assert stream.feed(b"efghij", 10)
    # The bound is for the whole of it, whatever was taken already.
    assert not stream.feed(b"k", 10)


def test_the_rest_of_a_body_that_was_answered_is_not_kept() -> None:
    stream = stream_of()
    stream.finished = True
    assert stream.feed(b"abc", 4)
    assert stream.pending() == 0
    assert not stream.feed(b"de", 4)
