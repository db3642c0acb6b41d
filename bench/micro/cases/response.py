"""fastweb/_speedups/response.py"""

from __future__ import annotations

from bench.micro.case import Work, case
from fastweb._speedups.response import (
    Head,
    check_headers,
    check_trailers,
    head_of,
    interim_lines,
)

HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-request-id", b"0123456789abcdef"),
)


@case("check_headers, 3 fields", "response.check_headers")
def check() -> Work:
    return lambda: check_headers(HEADERS), 1


@case("Head, 3 fields", "response.Head")
def head() -> Work:
    return lambda: Head(200, HEADERS), 1


@case("head_of, 3 fields that it had before", "response.head_of")
def again() -> Work:
    return lambda: head_of(200, HEADERS), 1


@case("check_trailers, 1 field", "response.check_trailers")
def trailers() -> Work:
    fields = ((b"server-timing", b"db;dur=3"),)
    return lambda: check_trailers(fields), 1


@case("early hints, 1 field", "response.interim_fields", "response.interim_lines")
def hints() -> Work:
    fields = ((b"link", b"</style.css>; rel=preload; as=style"),)
    return lambda: interim_lines(103, fields), 1
