"""Targets, hosts, lengths and pieces: what a client says of its request before the app sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fastweb import FastWeb, Request

Door = Callable[..., Any]
Own = Callable[..., Any]


def make_app() -> FastWeb:
    app = FastWeb()

    @app.api_route("/{rest:path}", methods=["GET", "POST"])
    async def url(request: Request, rest: str) -> Any:
        size = 0
        async for data in request.stream():
            size += len(data)
        client = request.client.host if request.client else None
        return [request.url.path, rest, request.url.hostname, client, size]

    return app


@pytest.mark.parametrize(
    "host",
    [
        b"a/b?x=",
        b"a/../b",
        b"a?b",
        b"a#b",
        b"a@b",
        b"a b",
        b"a\\b",
        b"a,b",
        b"[::1",
        b"a:b",
        b"a:1/x",
        b"<a>",
        b"\xff",
    ],
)
def test_a_malformed_host_never_changes_the_path(door: Door, host: bytes) -> None:
    answer = door(make_app())("GET", b"/admin", [(b"host", host)])
    # Our server refuses it; other servers let some through.
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert json.loads(answer.body)[:2] == ["/admin", "admin"]


@pytest.mark.parametrize("host", [b"a/b?x=", b"a@b", b"a#b", b"a b", b"[::1", b"\xff"])
def test_our_server_refuses_a_malformed_host(own_server: Own, host: bytes) -> None:
    assert own_server(make_app()).ask("GET", b"/admin", [(b"host", host)]).status == 400


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"@evil.example/", None),
        (b"evil.example/", None),
        (b"evil.example:80", None),
        (b"*", None),
        (b"//evil.example/a", ["//evil.example/a", "testserver"]),
        (b"/@evil.example", ["/@evil.example", "testserver"]),
        (b"/\\\\evil.example", ["/%5C%5Cevil.example", "testserver"]),
        # RFC 9112 section 3.2.2: the target's host counts, and it is one.
        (b"http://other.example/a", ["/a", "other.example"]),
        (b"http://user@evil.example/a", None),
        (b"http:///a", None),
        (b"ftp://a/b", None),
    ],
)
def test_no_target_poisons_the_host_name(own_server: Own, target: bytes, found: Any) -> None:
    answer = own_server(make_app()).ask("GET", target)
    if found is None:
        assert answer.status == 400
    else:
        path, _, host, _, _ = json.loads(answer.body)
        assert [path, host] == found


@pytest.mark.parametrize(
    "length", [b"-1", b"+1", b"1,1", b"1 1", b"0x1", b"1_0", b"\xb2", b"1.0", b"", b"9" * 40]
)
def test_a_content_length_is_one_number(own_server: Own, length: bytes) -> None:
    request = (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\nxGET /second HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    answers = own_server(make_app()).send(request % length)
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))
    assert answers.count(b"HTTP/1.1 ") == 1


def test_many_one_byte_chunks_take_linear_time(own_server: Own, growth: Any) -> None:
    server = own_server(make_app())

    def work(count: int) -> None:
        body = b"1\r\nx\r\n" * count + b"0\r\n\r\n"
        answer = server.ask("POST", b"/", [(b"transfer-encoding", b"chunked")], body)
        assert json.loads(answer.body)[-1] == count

    assert growth(work, 60_000) < 9


@pytest.mark.parametrize("field", [b"x-forwarded-for", b"forwarded", b"x-real-ip", b"client-ip"])
def test_nobody_forges_his_address(asgi: Any, own_server: Own, field: bytes) -> None:
    value = b"for=6.6.6.6" if field == b"forwarded" else b"6.6.6.6"
    # Only a proxy that is listed says who the client is (tests/server/test_proxy.py).
    for ask in (own_server(make_app(), forwarded_allow_ips="192.0.2.1").ask, asgi(make_app()).ask):
        answer = ask("GET", b"/", [(field, value)])
        assert json.loads(answer.body)[3] == "127.0.0.1"
