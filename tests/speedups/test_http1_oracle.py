"""A second opinion on what is accepted: llhttp, as httptools has it, reads it the same.

A request that one reader cuts differently from the next is what smuggling is made of. Nobody but us decides
what is refused, and llhttp lets more pass; but what we accept, it must accept, and find the same in it.
"""

from __future__ import annotations

import re
from typing import Any

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweb._speedups.http1_parser import BODY, END, HEAD, MORE, Refusal, RequestParser
from fastweb.limits import Limits

Message = tuple[str, bytes, list[tuple[bytes, bytes]], str, bytes]

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET /a?b=c&d HTTP/1.1\r\nhost:a\r\nX-Empty:\r\nX-Space: \t b c \t\r\n\r\n",
    b"HEAD /%00%2f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /x HTTP/1.1\r\nHost: a:80\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n",
    b"PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b'00a;x="y;\\"z"\r\n0123456789\r\n0\r\nT: u\r\n\r\n',
    b"DELETE /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=d\r\nCookie: e\r\nAccept: \xff\r\n\r\n",
]
#: What is put into a request somewhere.
BITS = [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\0", b"\x0b", b";", b",", b"0", b"a", b"\xff", b"chunked"]
BITS += [b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"HTTP/1.0", b"-", b"+"]
LIMITS = Limits(head_size=4096, body_size=4096)


def ours(data: bytes) -> list[Message]:
    """The whole messages that are read of some bytes before the end or a refusal."""
    parser = RequestParser(LIMITS)
    parser.feed(data)
    messages: list[Message] = []
    body = b""
    head: Any = None
    while True:
        try:
            event = parser.next_event()
        except Refusal:
            return messages
        if event == MORE:
            return messages
        if event == HEAD:
            head = (parser.method, parser.target, list(parser.headers), parser.http_version)
            body = b""
            if parser.upgrade:
                return messages  # llhttp reads no further there
        elif event == BODY:
            body += parser.piece
        else:
            assert event == END
            messages.append((*head, body))
            if not parser.keep_alive:
                return messages


#: In the extensions of a chunk.
BAD_WHITESPACE = re.compile(rb"\r\n[0-9A-Fa-f]+(?=[^\r\n]*;)[^\r\n]*[ \t][^\r\n]*\r\n")


class Listener:
    """llhttp's callbacks."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.messages: list[Message] = []
        self.in_head = True

    def on_message_begin(self) -> None:
        self.target = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # trailers come here, too
            self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.in_head = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode()
        version = self.parser.get_http_version()
        self.messages.append((method, self.target, self.headers, version, self.body))


def theirs(data: bytes) -> list[Message]:
    listener = Listener()
    try:
        listener.parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        pass
    return listener.messages


def check(data: bytes) -> None:
    found = ours(data)
    # Methods that llhttp does not know are the app's business, and absolute-form replaces Host.
    for number, message in enumerate(found):
        if message[0] not in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            found = found[:number]
            break
        if message[1][:1] not in (b"/", b"*"):
            found = found[:number]
            break
    expected = theirs(data)
    if BAD_WHITESPACE.search(data):
        # A recipient must parse it (RFC 9110 section 5.6.3); llhttp refuses it, and reads nothing behind it.
        found = found[: len(expected)]
    assert found == expected[: len(found)]


@pytest.mark.parametrize("data", REQUESTS, ids=range(len(REQUESTS)))
def test_it_reads_the_same(data: bytes) -> None:
    assert len(ours(data)) == (0 if b"\xc3" in data else 1)
    check(data)
    check(data + data)


@given(
    st.sampled_from(REQUESTS),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(BITS), st.integers(0, 3)), max_size=3),
    st.sampled_from(REQUESTS),
)
@settings(max_examples=1500)
def test_it_reads_the_same_of_whatever_is_accepted(
    data: bytes, changes: list[tuple[int, bytes, int]], behind: bytes
) -> None:
    for at, bit, removed in changes:
        data = data[:at] + bit + data[at + removed :]
    check(data + behind)
