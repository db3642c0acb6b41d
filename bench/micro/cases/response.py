"""fastweb/_speedups/response.py"""

from __future__ import annotations

from bench.micro.case import Work, case
from fastweb._speedups.response import Head, check_headers, head_of

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
