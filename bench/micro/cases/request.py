"""fastweb/_speedups/request.py"""

from __future__ import annotations

from bench.micro.case import Work, case
from fastweb._speedups.request import find_header, parse_cookies, parse_query, unquote

HEADERS = [
    (b"host", b"example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"connection", b"keep-alive"),
    (b"cookie", b"session=0123456789abcdef; theme=dark"),
    (b"authorization", b"Bearer abcdef"),
]


@case("unquote, nothing to do", "request.unquote")
def unquote_plain() -> Work:
    return lambda: unquote(b"/users/42/posts"), 1


@case("unquote, 4 escapes", "request.unquote")
def unquote_escaped() -> Work:
    return lambda: unquote(b"/caf%C3%A9/a%20b%2Fc"), 1


@case("parse_query, 3 plain pairs", "request.parse_query")
def query_plain() -> Work:
    return lambda: parse_query(b"limit=10&offset=20&search=engines"), 1


@case("parse_query, 10 pairs, escapes", "request.parse_query")
def query_escaped() -> Work:
    query = b"&".join(b"name%d=a+b%%20c%%C3%%A9" % number for number in range(10))
    return lambda: parse_query(query), 1


@case("find_header, the last of 8", "request.find_header")
def header() -> Work:
    return lambda: find_header(HEADERS, b"authorization"), 1


@case("parse_cookies, 5 cookies", "request.parse_cookies")
def cookies() -> Work:
    text = 'session=0123456789abcdef; theme=dark; lang=en; csrf="abc def"; seen=1'
    return lambda: parse_cookies(text), 1
