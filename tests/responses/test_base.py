"""Responses as what they send; Starlette 1.10 sends the same."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import pytest

from fastweb.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
    is_body_allowed,
)
from tests.responses.sending import messages_of, sent

TEXT = ("content-type", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("response", "status", "headers", "body"),
    [
        (Response(), 200, [("content-length", "0")], b""),
        (Response(b"ab"), 200, [("content-length", "2")], b"ab"),
        (
            Response("é", media_type="text/x"),
            200,
            [("content-length", "2"), ("content-type", "text/x; charset=utf-8")],
            "é".encode(),
        ),
        (
            Response("a", media_type="text/x; CHARSET=ascii"),
            200,
            [("content-length", "1"), ("content-type", "text/x; CHARSET=ascii")],
            b"a",
        ),
        (Response(memoryview(b"abcd")[::2]), 200, [("content-length", "2")], b"ac"),
        (Response(status_code=204), 204, [], b""),
        (Response(status_code=304), 304, [], b""),
        (
            Response("a", headers={"X-A": "é", "Content-Type": "b/c"}),
            200,
            [("x-a", "é"), ("content-type", "b/c"), ("content-length", "1")],
            b"a",
        ),
        (PlainTextResponse("a", 201), 201, [("content-length", "1"), TEXT], b"a"),
        (
            HTMLResponse("<p>"),
            200,
            [("content-length", "3"), ("content-type", "text/html; charset=utf-8")],
            b"<p>",
        ),
        (
            RedirectResponse("/a b?é=1#x"),
            307,
            [("content-length", "0"), ("location", "/a%20b?%C3%A9=1#x")],
            b"",
        ),
        (
            RedirectResponse("https://x/%20", 301),
            301,
            [("content-length", "0"), ("location", "https://x/%20")],
            b"",
        ),
    ],
)
def test_sent(response: Response, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    found = sent(response)
    assert (found[0], sorted(found[1]), b"".join(found[2])) == (status, sorted(headers), body)


def test_background() -> None:
    order: list[str] = []

    async def later() -> None:
        order.append("background")

    async def pieces() -> Any:
        yield b"x"
        order.append("made")

    sent(StreamingResponse(pieces(), background=later))
    sent(Response("x", background=later))
    assert order == ["made", "background", "background"]


def test_a_websocket_is_denied() -> None:
    start, body = messages_of(PlainTextResponse("no", 403), type="websocket")
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert body == {"type": "websocket.http.response.body", "body": b"no"}


def test_headers_can_be_changed() -> None:
    response = Response("x", headers={"a": "1"})
    response.headers["A"] = "2"
    response.headers.append("b", "3")
    del response.headers["content-length"]
    assert response.raw_headers == [(b"a", b"2"), (b"b", b"3")]
    assert sent(response)[1] == [("a", "2"), ("b", "3")]


@pytest.mark.parametrize(
    "headers", [{"a": "b\r\nset-cookie: x"}, {"a": "b\n"}, {"a": "\0"}, {"a b": "c"}, {"a:": "c"}, {"": "c"}]
)
def test_an_answer_cannot_be_split(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        sent(Response(headers=headers))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "a=b; Path=/; SameSite=lax"),
        ({"value": "b c"}, 'a="b c"; Path=/; SameSite=lax'),
        (
            {"max_age": 0, "expires": "soon", "domain": "d"},
            "a=b; Domain=d; expires=soon; Max-Age=0; Path=/; SameSite=lax",
        ),
        (
            {"secure": True, "httponly": True, "samesite": "strict"},
            "a=b; HttpOnly; Path=/; SameSite=strict; Secure",
        ),
        ({"path": None, "samesite": None}, "a=b"),
        (
            {"expires": datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)},
            "a=b; expires=Thu, 02 Jan 2020 00:00:00 GMT; Path=/; SameSite=lax",
        ),
    ],
)
def test_set_cookie(options: dict[str, Any], expected: str) -> None:
    response = Response()
    response.set_cookie("a", **{"value": "b", **options})
    assert response.headers["set-cookie"] == expected


def test_more_cookies() -> None:
    response = Response()
    response.set_cookie("a", "1")
    response.delete_cookie("b", domain="d")
    first, second = response.headers.getlist("set-cookie")
    assert first.startswith("a=1;")
    assert second.startswith('b="";')
    assert "Max-Age=0" in second
    with pytest.raises(AssertionError, match="samesite"):
        response.set_cookie("c", samesite="loose")  # type: ignore[arg-type]
    if sys.version_info < (3, 14):
        with pytest.raises(ValueError, match=r"3\.14"):
            response.set_cookie("c", partitioned=True)


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(None, True), (200, True), (100, False), (204, False), (205, False), (304, False), (404, True)],
)
def test_is_body_allowed(status: int | None, allowed: bool) -> None:
    assert is_body_allowed(status) is allowed
