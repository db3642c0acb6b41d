"""Responses as what they send; Starlette 1.10 sends the same."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from fastweb.exceptions import ClientDisconnect
from fastweb.responses import (
    HTMLResponse,
    JSONResponse,
    ORJSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
    is_body_allowed,
)

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


def sent(response: Any) -> tuple[int, list[tuple[str, str]], list[bytes]]:
    """Status, header fields and pieces that are not empty."""
    messages: list[Any] = []

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        messages.append(message)

    anyio.run(response, SCOPE, receive, send)
    start, *pieces = messages
    assert start["type"] == "http.response.start"
    assert [bool(message.get("more_body")) for message in pieces] == [True] * (len(pieces) - 1) + [False]
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return start["status"], headers, [message["body"] for message in pieces if message["body"]]


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
            JSONResponse({"a": "é"}),
            200,
            [("content-length", "10"), ("content-type", "application/json")],
            '{"a":"é"}'.encode(),
        ),
        (ORJSONResponse(None), 200, [("content-length", "4"), ("content-type", "application/json")], b"null"),
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


@pytest.mark.parametrize(
    "content",
    [
        {"a": [1, 2.5, None, True, "é\u2028"]},
        {1: 2, None: 3, False: 4, 1.5: 5},
        [2**70, -(2**63), 2**64 - 1],
        (1, (2,)),
        "text",
        {"null": "null"},
        [1e300, -0.0, 1e16],
    ],
)
def test_json_is_that_of_the_standard_library(content: Any) -> None:
    expected = json.loads(json.dumps(content))
    assert json.loads(bytes(JSONResponse(content).body)) == expected


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (float("nan"), ValueError),
        ({"a": [None, float("inf")]}, ValueError),
        (object(), TypeError),
        ({(1,): 2}, TypeError),
        (datetime.date(2020, 1, 1), TypeError),
        ({1}, TypeError),
        ("\ud800", UnicodeEncodeError),
    ],
)
def test_what_json_cannot_hold(content: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        JSONResponse(content)


async def pieces() -> AsyncIterator[Any]:
    for each in (b"a", "é", bytearray(b"b"), memoryview(b"c"), b""):
        yield each


def test_streaming() -> None:
    status, headers, found = sent(StreamingResponse(pieces(), 201, {"X-A": "1"}, "text/plain"))
    assert (status, headers, found) == (201, [("x-a", "1"), TEXT], [b"a", "é".encode(), b"b", b"c"])
    assert sent(StreamingResponse(iter(["a", b"b"])))[1:] == ([], [b"a", b"b"])
    with pytest.raises(AttributeError):
        sent(StreamingResponse([5]))


def test_a_client_that_goes_away_ends_the_iteration() -> None:
    ended: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            ended.append("ended")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError

    async def main() -> None:
        with pytest.raises(ClientDisconnect):
            await StreamingResponse(endless())(SCOPE, send, send)  # type: ignore[arg-type]
        assert ended == ["ended"]

    anyio.run(main)


def test_background() -> None:
    order: list[str] = []

    async def later() -> None:
        order.append("background")

    class Noted(Response):
        async def answer(self, stream: Any) -> None:
            await super().answer(stream)
            order.append("sent")

    sent(Noted("x", background=later))
    assert order == ["sent", "background"]


def test_headers_can_be_changed() -> None:
    response = Response("x", headers={"a": "1"})
    response.headers["A"] = "2"
    response.headers.append("b", "3")
    del response.headers["content-length"]
    assert response.raw_headers == [(b"a", b"2"), (b"b", b"3")]
    # Whoever answers knows the length.
    assert sent(response)[1] == [("a", "2"), ("b", "3"), ("content-length", "1")]


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
    with pytest.raises(ValueError, match="samesite"):
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
