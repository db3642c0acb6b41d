"""Fields that come again, byte by byte, are not read again: nobody sees a difference."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweb._speedups.http1_parser import BODY, END, HEAD, MORE, Refusal, RequestParser
from fastweb.limits import Limits

FIELDS = [
    b"Host: a\r\n",
    b"Host: b\r\n",
    b"Host: a\r\nAccept: */*\r\n",
    b"host:a \r\nX-Forwarded-For: 1.2.3.4\r\n",
    b"Host: a\r\nContent-Length: 3\r\n",
    b"Host: a\r\nContent-Length: 0\r\n",
    b"Host: a\r\nConnection: close\r\n",
    b"Host: a\r\nConnection: keep-alive\r\n",
    b"Host: a\r\nTransfer-Encoding: chunked\r\n",
    b"Host: a\r\nExpect: 100-continue\r\n",
    b"Host: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n",
    b"Host: a\r\nHost: a\r\n",
    b"Accept: */*\r\n",
    b"Host: a\r\n folded\r\n",
    b"Host: a\nAccept: */*\r\n",
    b"Host: a\r\nX: " + b"x" * 3000 + b"\r\n",
    b"",
]
LINES = [
    b"GET / HTTP/1.1\r\n",
    b"GET /b?c HTTP/1.1\r\n",
    b"POST /d HTTP/1.1\r\n",
    b"HEAD / HTTP/1.0\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://c/d HTTP/1.1\r\n",
    b"\r\nGET / HTTP/1.1\r\n",
    b"GET /" + b"x" * 200 + b" HTTP/1.1\r\n",
]
LIMITS = Limits(head_size=4096, target_size=150)


def read(parser: RequestParser, pieces: list[bytes]) -> list[Any]:
    """All that a parser says of some bytes."""
    said: list[Any] = []
    for piece in pieces:
        parser.feed(piece)
        while True:
            try:
                event = parser.next_event()
            except Refusal as refusal:
                return [*said, refusal.args]
            if event == MORE:
                break
            if event == HEAD:
                said.append(
                    (
                        parser.method,
                        parser.target,
                        list(parser.headers),
                        parser.http_version,
                        parser.keep_alive,
                        parser.expect,
                        parser.upgrade,
                        parser.forwarded,
                    )
                )
            elif event == BODY:
                # A body's pieces are as they came.
                if said and type(said[-1]) is bytes:
                    said[-1] += parser.piece
                else:
                    said.append(parser.piece)
            else:
                assert event == END
                said.append((END, parser.in_head))
    return said


def forgetful(requests: list[bytes]) -> list[Any]:
    """What a parser says that knows nothing of the request before."""
    parser = RequestParser(LIMITS)
    said: list[Any] = []
    for request in requests:
        parser.forget()
        found = read(parser, [request])
        said += found
        if found and type(found[-1][0]) is int and found[-1][0] >= 400:
            break
    return said


def request_of(line: bytes, fields: bytes) -> bytes:
    body = b""
    if b"Content-Length: 3" in fields:
        body = b"abc"
    elif b"chunked" in fields:
        body = b"3\r\nabc\r\n0\r\n\r\n"
    return line + fields + b"\r\n" + body


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("fields", FIELDS)
def test_the_second_request_is_read_as_the_first(line: bytes, fields: bytes) -> None:
    first = request_of(LINES[0], fields)
    second = request_of(line, fields)
    expected = forgetful([first, second, first])
    whole = first + second + first
    assert read(RequestParser(LIMITS), [first, second, first]) == expected
    assert read(RequestParser(LIMITS), [whole]) == expected
    for cut in range(len(whole) if len(whole) < 400 else 0):
        assert read(RequestParser(LIMITS), [whole[:cut], whole[cut:]]) == expected, cut


@given(
    st.lists(st.tuples(st.sampled_from(LINES[:6]), st.sampled_from(FIELDS)), min_size=1, max_size=6),
    st.lists(st.integers(0, 600), max_size=8),
)
def test_any_requests_in_any_pieces(asked: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    requests = [request_of(line, fields) for line, fields in asked]
    whole = b"".join(requests)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[start:stop] for start, stop in pairwise(bounds) if start < stop]
    assert read(RequestParser(LIMITS), pieces) == forgetful(requests)


def test_what_is_known_is_nobody_elses_list() -> None:
    parser = RequestParser(Limits())
    request = b"GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"
    for _ in range(3):
        parser.feed(request)
        assert parser.next_event() == HEAD
        headers = parser.headers
        assert headers == [(b"host", b"a"), (b"accept", b"*/*")]
        headers.clear()
        assert parser.next_event() == END


def test_a_head_may_be_as_large_as_before_and_no_larger() -> None:
    fields = b"Host: a\r\nX: " + b"x" * 1000 + b"\r\n\r\n"
    lines = [b"GET /%b HTTP/1.1\r\n" % (b"y" * size) for size in (0, 10, 11)]
    parser = RequestParser(Limits(head_size=len(lines[1] + fields)))
    assert len(read(parser, [lines[0] + fields, lines[1] + fields])) == 4
    (refused,) = read(parser, [lines[2] + fields])
    assert refused[0] == 431
