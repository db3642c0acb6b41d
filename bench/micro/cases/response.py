"""fastweb/_speedups/response.py"""

from __future__ import annotations

from bench.micro.case import Work, case
from fastweb._speedups.response import Head, check_headers

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
