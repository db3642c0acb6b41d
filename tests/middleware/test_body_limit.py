from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from fastweb import FastWeb, Request, Response
from fastweb.exceptions import StarletteHTTPException
from fastweb.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from fastweb.middleware.body_limit import (
    MAX_BODY_SIZE_SCOPE_KEY,
    RequestBodyLimitMiddleware,
    RequestBodyTooLarge,
    body_limit_error,
    validate_max_body_size,
)
from fastweb.middleware.errors import ServerErrorMiddleware
from fastweb.middleware.exceptions import ExceptionMiddleware
from fastweb.responses import PlainTextResponse
from fastweb.testclient import TestClient
from fastweb.types import ASGIApp, Message, Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive, send)
    await Response(await request.body())(scope, receive, send)


async def read_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("read nothing")(scope, receive, send)


def post(app: ASGIApp, *pieces: bytes, headers: Any = ()) -> tuple[int, bytes]:
    """Send a body in these pieces, which TestClient would join."""
    coming = [
        {"type": "http.request", "body": piece, "more_body": place + 1 < len(pieces)}
        for place, piece in enumerate(pieces)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [*headers]}
    anyio.run(app, scope, receive, send)
    assert "fastweb.body_count" not in scope
    assert MAX_BODY_SIZE_SCOPE_KEY not in scope
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("length", [None, b"exact", b"0", b"1", b"-1", b"x", b"", b"\xb2", b"5, 5"])
@pytest.mark.parametrize(
    ("limit", "pieces", "status"),
    [
        (5, [b""], 200),
        (5, [b"12345"], 200),
        (5, [b"123456"], 413),
        (5, [b"123", b"45"], 200),
        (5, [b"123", b"456"], 413),
        (5, [b"1"] * 5 + [b""], 200),
        (5, [b"1"] * 6, 413),
        (0, [b""], 200),
        (0, [b"1"], 413),
    ],
)
def test_the_bytes_that_come_count(
    limit: int, pieces: list[bytes], status: int, length: bytes | None
) -> None:
    body = b"".join(pieces)
    if limit == 0 and length == b"1":
        status = 413  # announced, if not sent
    if length == b"exact":
        length = b"%d" % len(body)
    headers = [] if length is None else [(b"content-length", length)]
    # A smaller Content-Length than the body is a lie that a server would have caught.
    answer = post(RequestBodyLimitMiddleware(echo, limit), *pieces, headers=headers)
    assert answer == (status, body if status == 200 else b"Content Too Large")


@pytest.mark.parametrize("length", [b"6", b"99999999999999999999999999999999999999", b"0006"])
@pytest.mark.parametrize("app", [echo, read_nothing])
def test_an_announced_body_is_refused_before_it_comes(app: ASGIApp, length: bytes) -> None:
    answer = post(RequestBodyLimitMiddleware(app, 5), headers=[(b"content-length", length)])
    assert answer == (413, b"Content Too Large")


@pytest.mark.parametrize(
    ("outer", "inner", "status"), [(5, 10, 200), (10, 5, 413), (6, 6, 200), (5, 0, 413), (0, 6, 200)]
)
@pytest.mark.parametrize("announced", [True, False])
def test_the_innermost_limit_counts(outer: int, inner: int, status: int, announced: bool) -> None:
    app = RequestBodyLimitMiddleware(RequestBodyLimitMiddleware(echo, inner), outer)
    headers = [(b"content-length", b"6")] if announced else []
    assert post(app, b"123", b"456", headers=headers)[0] == status


def test_a_limit_further_in_counts_what_was_read_before() -> None:
    async def read(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await request.body()
        return await call_next(request)

    inner = RequestBodyLimitMiddleware(echo, 5)
    app = RequestBodyLimitMiddleware(BaseHTTPMiddleware(inner, dispatch=read), 10)
    assert post(app, b"123456")[0] == 413
    assert post(app, b"12345") == (200, b"12345")


def test_each_request_has_its_own_count() -> None:
    app = RequestBodyLimitMiddleware(echo, 5)
    for _ in range(3):
        assert post(app, b"12345")[0] == 200


def test_too_much_after_the_answer_was_begun_is_raised() -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await receive()

    with pytest.raises(StarletteHTTPException, match="413: Content Too Large"):
        post(RequestBodyLimitMiddleware(early, 1), b"12")


def test_out_of_a_task_group_it_is_a_413_still() -> None:
    async def grouped(scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(echo, scope, receive, send)

    assert post(RequestBodyLimitMiddleware(grouped, 1), b"12")[0] == 413
    nested = RequestBodyLimitMiddleware(RequestBodyLimitMiddleware(grouped, 1), 5)
    assert post(nested, b"12")[0] == 413


def test_a_group_with_other_errors_is_not_ours() -> None:
    ours = RequestBodyTooLarge()
    assert body_limit_error(ours) is ours
    assert body_limit_error(ExceptionGroup("g", [ExceptionGroup("h", [ours])])) is ours
    assert body_limit_error(ExceptionGroup("g", [ours, ValueError()])) is None
    assert body_limit_error(ValueError()) is None


def test_a_mounted_app_leaves_the_413_to_its_parent() -> None:
    async def read(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await request.body()
        return await call_next(request)

    child = ServerErrorMiddleware(BaseHTTPMiddleware(ExceptionMiddleware(echo), dispatch=read), debug=True)
    parent = RequestBodyLimitMiddleware(ExceptionMiddleware(child), 5)
    assert post(parent, b"123456") == (413, b"Content Too Large")


def test_through_an_app() -> None:
    app = FastWeb()

    @app.post("/")
    async def size(request: Request) -> int:
        return len(await request.body())

    client = TestClient(RequestBodyLimitMiddleware(app, max_body_size=10))

    def pieces() -> Iterator[bytes]:
        yield from [b"1234"] * 3

    assert client.post("/", content=b"1" * 10).json() == 10
    assert client.post("/", content=b"1" * 11).status_code == 413
    assert client.post("/", content=pieces()).status_code == 413


@pytest.mark.parametrize("value", [None, 0, 1, 2**40])
def test_limits(value: int | None) -> None:
    assert validate_max_body_size(value) == value


@pytest.mark.parametrize("value", [-1, True, False, 1.5, "5"])
def test_what_is_no_limit(value: Any) -> None:
    with pytest.raises(ValueError, match="non-negative integer"):
        RequestBodyLimitMiddleware(echo, value)
