"""The protocol in its right use, and apps in their wrong use of it; clients' wrong use is test_hostile's."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fastweb._speedups.response import Head
from fastweb.exceptions import ClientDisconnect

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]
PLAIN = Head(200, ((b"content-type", b"text/plain"),))


def get(path: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: a", *fields, "", ""]).encode()


def post(path: str, body: bytes, *fields: str) -> bytes:
    return get(path, f"Content-Length: {len(body)}", *fields, method="POST") + body


def chunked(path: str, *pieces: bytes, fields: tuple[str, ...] = (), trailers: bytes = b"") -> bytes:
    head = get(path, "Transfer-Encoding: chunked", *fields, method="POST")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + chunks + b"0\r\n" + trailers + b"\r\n"


async def hello(stream: Any) -> None:
    stream.respond(PLAIN, f"{stream.method} {stream.path} {len(stream.body)}".encode())


async def slow(stream: Any) -> None:
    await asyncio.sleep(0.005)
    await hello(stream)


async def boom(stream: Any) -> None:
    raise LookupError("boom")


async def pieces(stream: Any) -> None:
    stream.start(200, [])
    for piece in (b"one", b"", b"two"):
        await stream.send(piece)
        await asyncio.sleep(0)
    stream.finish()


async def measured(stream: Any) -> None:
    stream.start(200, [(b"content-length", b"6")])
    await stream.send(b"one")
    await stream.send(b"two")
    stream.finish()


async def digest(stream: Any) -> None:
    """Read the body in pieces."""
    digest, size, count = hashlib.sha256(), 0, 0
    while data := await stream.receive():
        digest.update(data)
        size += len(data)
        count += 1
    assert await stream.receive() == b""
    stream.respond(PLAIN, f"{size} {digest.hexdigest()}".encode())


async def whole(stream: Any) -> None:
    assert stream.body_complete
    stream.respond(PLAIN, f"{len(stream.body)} {hashlib.sha256(stream.body).hexdigest()}".encode())


def digest_of(body: bytes) -> bytes:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


HANDLERS = {
    "/slow": slow,
    "/boom": boom,
    "/pieces": pieces,
    "/measured": measured,
    "/digest": digest,
    "/whole": whole,
}


@pytest.fixture
def app(make_app: Callable[..., Any]) -> Any:
    return make_app(HANDLERS, heads=("/digest", "/early"))


# One after the other


def test_keep_alive(listen: Listen, app: Any) -> None:
    server = listen(app)
    client = server.connect()
    for number in range(5):
        assert client.send(get(f"/{number}")).answer().body == f"GET /{number} 0".encode()
    assert server.call(len, server.connections) == 1
    assert server.connections.requests_total == 5


def test_date_and_server(listen: Listen, app: Any, make_app: Callable[..., Any]) -> None:
    headers = listen(app).connect().send(get()).answer().headers
    assert headers["server"] == "fastweb"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
    assert "server" not in listen(app, server_header=False).connect().send(get()).answer().headers

    async def own(stream: Any) -> None:
        stream.respond(Head(200, [(b"date", b"yesterday"), (b"server", b"mine")]), b"")

    async def own_pieces(stream: Any) -> None:
        stream.start(200, [(b"server", b"mine")])
        stream.finish()

    client = listen(make_app({"/own": own, "/pieces": own_pieces})).connect()
    assert client.send(get("/own")).answer().headers == {
        "date": "yesterday",
        "server": "mine",
        "content-length": "0",
    }
    headers = client.send(get("/pieces")).answer().headers
    assert headers["server"] == "mine"
    assert "date" in headers


def test_pipelined_requests_are_answered_in_order(
    listen: Listen, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = listen(app)
    kinds: list[tuple[bytes, int, bytes]] = [
        (get("/fast"), 200, b"GET /fast 0"),
        (get("/slow"), 200, b"GET /slow 0"),
        (get("/pieces"), 200, b"onetwo"),
        (get("/measured"), 200, b"onetwo"),
        (post("/whole", b"body" * 100), 200, digest_of(b"body" * 100)),
        (chunked("/digest", b"a", b"bc", b"d" * 5000), 200, digest_of(b"abc" + b"d" * 5000)),
        (get("/fast"), 200, b"GET /fast 0"),
    ]
    rounds = 60
    client = server.connect()
    client.send(b"".join(request for request, _, _ in kinds) * rounds)
    for _ in range(rounds):
        for _, status, body in kinds:
            answer = client.answer()
            assert (answer.status, answer.body) == (status, body)
    assert client.is_open()
    assert not caplog.records


def test_an_error_in_between_is_answered_in_its_turn_and_ends_the_connection(
    listen: Listen, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = listen(app)
    client = server.connect().send(get("/slow") + get("/boom") + get("/never"))
    assert client.answer().body == b"GET /slow 0"
    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (500, "close")
    assert client.rest() == b""
    assert app.opened == ["/slow", "/boom"]
    (record,) = caplog.records
    assert record.name == "fastweb.error"
    assert record.getMessage() == "Exception in the app, answering GET '/boom'"
    assert "LookupError: boom" in caplog.text


@pytest.mark.timeout(600)
def test_hundreds_of_pipelined_requests_wait_outside(listen: Listen, make_app: Callable[..., Any]) -> None:
    gate = asyncio.Event()

    async def wait(stream: Any) -> None:
        await gate.wait()
        await hello(stream)

    app = make_app({"/wait": wait})
    server = listen(app, pipelined_requests=8)
    client = server.connect()
    client.socket.setblocking(False)
    data = get("/wait") + get("/x") * 200_000
    sent = 0
    try:
        while sent < len(data):
            sent += client.socket.send(data[sent : sent + 100_000])
    except BlockingIOError:
        pass
    client.socket.settimeout(20)
    server.until(lambda: app.opened == ["/wait"])
    (connection,) = server.connections._all
    server.until(lambda: connection.reading_paused)
    # What is parsed at once is a slice of what the transport brings.
    assert len(connection.queue) <= 8 + 16 * 1024 // len(get("/x"))
    assert app.opened == ["/wait"]
    server.call(gate.set)
    whole_requests = (sent - len(get("/wait"))) // len(get("/x"))
    assert client.answer().body == b"GET /wait 0"
    most = 0
    for _ in range(whole_requests):
        assert client.answer().body == b"GET /x 0"
        most = max(most, len(connection.queue))
    assert most <= 8 + 16 * 1024 // len(get("/x"))


@pytest.mark.parametrize("pause", [1, 7])
def test_any_delivery_gives_the_same(listen: Listen, app: Any, pause: int) -> None:
    requests = (
        get("/a?b=c", "X-Empty:", "X-Spaces:   v a l  ", "X-Tab:\tv\t")
        + post("/whole", b"body")
        + chunked("/digest", b"12345", b"6", trailers=b"X-Trailer: t\r\n")
        + get("/b", "Connection: close")
    )
    client = listen(app).connect()
    for at in range(0, len(requests), pause):
        client.send(requests[at : at + pause])
    bodies = [client.answer().body for _ in range(4)]
    assert bodies == [b"GET /a 0", digest_of(b"body"), digest_of(b"123456"), b"GET /b 0"]
    assert client.rest() == b""


def test_what_the_app_sees_of_a_head(listen: Listen, make_app: Callable[..., Any]) -> None:
    seen: list[Any] = []

    async def look(stream: Any) -> None:
        seen.append(
            (
                stream.method,
                stream.path,
                stream.raw_path,
                stream.query_string,
                stream.headers,
                stream.http_version,
                stream.scheme,
            )
        )
        assert stream.client[0] == stream.server[0] == "127.0.0.1"
        stream.respond(PLAIN, b"")

    server = listen(make_app({"/é/x": look, "/x": look, "/": look, "*": look}))
    client = server.connect()
    client.send(get("/%C3%A9/x?q=%20&&", "X-A:   v a l \t ", "x-a:", "X-B: \xe9")).answer()
    client.send(b"GET http://other.example:80/x?y HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n").answer()
    client.send(b"GET HTTP://[::1]?y HTTP/1.1\r\nHost: a\r\n\r\n").answer()
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").answer()
    client.send(b"GET /x HTTP/1.0\r\n\r\n").answer()
    host = (b"host", b"a")
    assert seen == [
        (
            "GET",
            "/é/x",
            b"/%C3%A9/x",
            b"q=%20&&",
            [host, (b"x-a", b"v a l"), (b"x-a", b""), (b"x-b", "\xe9".encode())],
            "1.1",
            "http",
        ),
        ("GET", "/x", b"/x", b"y", [(b"host", b"other.example:80"), (b"a", b"b")], "1.1", "http"),
        ("GET", "/", b"/", b"y", [(b"host", b"[::1]")], "1.1", "http"),
        ("OPTIONS", "*", b"*", b"", [host], "1.1", "http"),
        ("GET", "/x", b"/x", b"", [], "1.0", "http"),
    ]


# Bodies that come


def test_bodies_whole_and_in_pieces(listen: Listen, app: Any) -> None:
    client = listen(app).connect()
    large = bytes(range(256)) * 8192
    for body in (b"", b"x", large):
        for path in ("/whole", "/digest"):
            assert client.send(post(path, body)).answer().body == digest_of(body)
            parts = [body[at : at + 70_000] for at in range(0, len(body), 70_000)]
            assert client.send(chunked(path, *parts)).answer().body == digest_of(body)
    assert client.is_open()


@pytest.mark.parametrize("path", ["/whole", "/digest"])
def test_a_body_of_one_byte_chunks_is_read_in_linear_time(listen: Listen, app: Any, path: str) -> None:
    # Quadratic, this would be 10^11 bytes copied, and the client's time limit long past.
    count = 300_000
    client = listen(app).connect()
    assert client.send(chunked(path, *[b"x"] * count)).answer().body == digest_of(b"x" * count)


def test_continue_is_said_when_the_app_reads(listen: Listen, app: Any) -> None:
    client = listen(app).connect()
    for path in ("/digest", "/other"):
        client.send(get(path, "Content-Length: 4", "Expect: 100-Continue", method="POST"))
        if path == "/digest":
            assert client.interim() == b"HTTP/1.1 100 Continue"
            assert client.send(b"body").answer().body == digest_of(b"body")
    # Nobody reads it: the answer comes at once, and says that the body is not wanted.
    answer = client.answer()
    assert answer.body == b"POST /other 0"
    assert answer.headers["connection"] == "close"
    assert client.half_close().rest() == b""


def test_continue_in_its_turn(listen: Listen, app: Any) -> None:
    client = listen(app).connect()
    expecting = get("/digest", "Content-Length: 4", "Expect: 100-continue", method="POST")
    client.send(get("/slow") + get("/a") + expecting)
    assert client.answer().body == b"GET /slow 0"
    assert client.answer().body == b"GET /a 0"
    assert client.interim() == b"HTTP/1.1 100 Continue"
    assert client.send(b"body").answer().body == digest_of(b"body")
    assert client.is_open()


def test_continue_is_not_said_to_who_did_not_wait_or_does_not_know_it(listen: Listen, app: Any) -> None:
    client = listen(app, body_size=10).connect()
    assert client.send(post("/digest", b"body", "Expect: 100-continue")).answer().body == digest_of(b"body")
    assert client.send(get("/x", "Expect: 100-continue")).answer().status == 200
    head = get("/digest", "Content-Length: 4", "Expect: 100-continue", method="POST", version="1.0")
    client.send(head, b"body")
    assert client.answer().body == digest_of(b"body")
    # HTTP/1.0 knew no Expect, whatever it says.
    client = listen(app).connect()
    client.send(head.replace(b"100-continue", b"more"), b"body")
    assert client.answer().body == digest_of(b"body")
    refused = listen(app, body_size=10).connect()
    refused.send(get("/digest", "Content-Length: 11", "Expect: 100-continue", method="POST"))
    assert refused.answer().status == 413
    assert refused.half_close().rest() == b""


@pytest.mark.parametrize("fields", [("more",), ("",), ("100-continue, more",), ("100-continue", "more")])
def test_no_other_expectation_can_be_met(listen: Listen, app: Any, fields: tuple[str, ...]) -> None:
    """RFC 9110 section 10.1.1."""
    expect = [f"Expect: {field}" for field in fields]
    client = listen(app).connect()
    answer = client.send(get("/digest", "Content-Length: 4", *expect, method="POST"), b"body").answer()
    assert (answer.status, answer.headers["connection"]) == (417, "close")
    assert client.half_close().rest() == b""


def test_an_endpoint_may_begin_at_the_end_of_the_head(listen: Listen, make_app: Callable[..., Any]) -> None:
    events: list[str] = []

    async def early(stream: Any) -> None:
        events.append(f"complete: {stream.body_complete}")
        while data := await stream.receive():
            events.append(data.decode())
        await hello(stream)

    client = listen(make_app({"/early": early}, heads=("/early",))).connect()
    server = listen(make_app({"/early": early}, heads=("/early",)))
    client = server.connect().send(get("/early", "Content-Length: 6", method="POST"))
    server.until(lambda: events == ["complete: False"])
    client.send(b"abc")
    server.until(lambda: events == ["complete: False", "abc"])
    client.send(b"def")
    assert client.answer().status == 200
    assert events == ["complete: False", "abc", "def"]
    assert client.send(post("/early", b"xyz")).answer().status == 200
    assert events[3:] in (["complete: True", "xyz"], ["complete: False", "xyz"])


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_an_answer_while_the_body_still_comes(listen: Listen, app: Any, framing: str) -> None:
    """The rest of the body is read to its end and thrown away; what follows it is the next request."""
    server = listen(app, body_timeout=1.0, keep_alive_timeout=60)
    client = server.connect()
    if framing == "length":
        parts = [get("/early", "Content-Length: 600000", method="POST") + b"x" * 100_000, b"x" * 500_000]
    else:
        data = chunked("/early", *[b"x" * 1000] * 600)
        parts = [data[:100_000], data[100_000:]]
    client.send(parts[0])
    answer = client.answer()
    assert answer.status == 200
    assert "connection" not in answer.headers
    client.send(parts[1] + get("/next"))
    assert client.answer().body == b"GET /next 0"
    assert client.is_open()
    client.send(parts[0])
    assert client.answer().status == 200
    client.send(parts[1])
    server.until(lambda: all(c.parsing is None for c in server.connections._all))
    # Idle now, and no longer measured by the body's time limit.
    server.wait(asyncio.sleep(1.6))
    assert client.is_open()


def test_an_upload_waits_for_who_reads_it(listen: Listen, make_app: Callable[..., Any]) -> None:
    gate = asyncio.Event()
    held: list[int] = []

    async def upload(stream: Any) -> None:
        await gate.wait()
        size = 0
        while data := await stream.receive():
            size += len(data)
            held.append(len(data))
            await asyncio.sleep(0)
        stream.respond(PLAIN, str(size).encode())

    server = listen(make_app({"/upload": upload}, heads=("/upload",)))
    client = server.connect()
    total = 24 * 1024 * 1024
    client.send(get("/upload", f"Content-Length: {total}", method="POST"))
    client.socket.setblocking(False)
    sent = 0
    data = bytes(1024 * 1024)
    try:
        while sent < total:
            sent += client.socket.send(data)
    except BlockingIOError:
        pass
    server.until(lambda: any(c.reading_paused for c in server.connections._all))
    (connection,) = server.connections._all
    assert sent < total
    assert connection.parsing.pending() <= 2 * 256 * 1024
    server.call(gate.set)
    client.socket.settimeout(20)
    while sent < total:
        sent += client.socket.send(data[: total - sent])
    assert client.answer().body == str(total).encode()
    assert max(held) <= 2 * 256 * 1024
    assert client.is_open()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_what_an_endpoint_left_unread_holds_up_nothing(
    listen: Listen, make_app: Callable[..., Any], framing: str
) -> None:
    """Reading has stopped, since it took nothing of the body; then it answers, and still takes nothing."""
    gate = asyncio.Event()

    async def late(stream: Any) -> None:
        await gate.wait()
        stream.respond(PLAIN, b"late")

    server = listen(make_app({"/late": late}, heads=("/late",)))
    client = server.connect()
    size = 16 * 1024 * 1024
    if framing == "length":
        data = get("/late", f"Content-Length: {size}", method="POST") + bytes(size)
    else:
        data = chunked("/late", *[bytes(size // 64)] * 64)
    client.socket.setblocking(False)
    sent = 0
    try:
        while sent < len(data):
            sent += client.socket.send(data[sent : sent + 1024 * 1024])
    except BlockingIOError:
        pass
    server.until(lambda: any(c.reading_paused for c in server.connections._all))
    assert sent < len(data)
    server.call(gate.set)
    client.socket.settimeout(20)
    client.send(data[sent:] + get("/next"))
    assert client.answer().body == b"late"
    assert client.answer().body == b"GET /next 0"
    assert client.is_open()


def test_a_body_waits_for_its_turn(listen: Listen, make_app: Callable[..., Any]) -> None:
    gate = asyncio.Event()

    async def wait(stream: Any) -> None:
        await gate.wait()
        await hello(stream)

    server = listen(make_app({"/wait": wait, "/whole": whole}))
    client = server.connect()
    body = bytes(8 * 1024 * 1024)
    data = get("/wait") + post("/whole", body)
    client.socket.setblocking(False)
    sent = 0
    try:
        while sent < len(data):
            sent += client.socket.send(data[sent : sent + 1024 * 1024])
    except BlockingIOError:
        pass
    server.until(lambda: any(c.reading_paused for c in server.connections._all))
    (connection,) = server.connections._all
    assert connection.parsing.pending() <= 2 * 256 * 1024
    server.call(gate.set)
    client.socket.settimeout(20)
    client.send(data[sent:])
    assert client.answer().body == b"GET /wait 0"
    assert client.answer().body == digest_of(body)


def test_a_client_that_goes_within_its_body(
    listen: Listen, make_app: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[Any] = []

    async def upload(stream: Any) -> None:
        try:
            while await stream.receive():
                pass
        except ClientDisconnect:
            ends.append(stream.disconnected)
            raise

    server = listen(make_app({"/upload": upload}, heads=("/upload",)))
    head = get("/upload", "Content-Length: 6", method="POST")
    assert server.ask(head + b"abc", half_close=True) == b""
    server.connect().send(head + b"abc").close()
    server.until(lambda: ends == [True, True])
    server.until(server.is_idle)
    assert not caplog.records


def test_trailers_are_read_and_not_added_to_the_head(listen: Listen, make_app: Callable[..., Any]) -> None:
    seen: list[Any] = []

    async def look(stream: Any) -> None:
        seen.append(stream.headers)
        await hello(stream)

    client = listen(make_app({"/look": look})).connect()
    trailers = b"X-Trailer: t\r\nX-Forwarded-For: evil\r\nAuthorization: x\r\n"
    assert client.send(chunked("/look", b"abc", trailers=trailers)).answer().body == b"POST /look 3"
    assert client.is_open()
    assert [name for name, _ in seen[0]] == [b"host", b"transfer-encoding"]


# Answers


def test_head(listen: Listen, app: Any) -> None:
    client = listen(app).connect()
    answer = client.send(get("/abc", method="HEAD")).answer("HEAD")
    assert answer.headers["content-length"] == str(len("HEAD /abc 0"))
    assert client.send(get("/pieces", method="HEAD")).answer("HEAD").status == 200
    answer = client.send(get("/measured", method="HEAD")).answer("HEAD")
    assert answer.headers["content-length"] == "6"
    assert client.is_open()


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(listen: Listen, make_app: Callable[..., Any], status: int) -> None:
    async def respond(stream: Any) -> None:
        stream.respond(Head(status, []), b"not to be sent")

    async def in_pieces(stream: Any) -> None:
        stream.start(status, [(b"content-length", b"3")])
        await stream.send(b"not")
        stream.finish()

    client = listen(make_app({"/respond": respond, "/pieces": in_pieces})).connect()
    answer = client.send(get("/respond")).answer()
    assert (answer.status, set(answer.headers)) == (status, {"date", "server"})
    answer = client.send(get("/pieces")).answer()
    # RFC 9110 section 8.6: a 304 may say how long the body would have been, a 204 must not.
    assert answer.headers.get("content-length") == (None if status == 204 else "3")
    assert "transfer-encoding" not in answer.headers
    assert client.is_open()


def test_a_length_that_the_app_gives_is_kept_and_framing_fields_are_not(
    listen: Listen, make_app: Callable[..., Any]
) -> None:
    async def respond(stream: Any) -> None:
        fields = [
            (b"transfer-encoding", b"chunked"),
            (b"connection", b"keep-alive"),
            (b"content-length", b"3"),
        ]
        stream.respond(Head(200, fields), b"abc")

    async def in_pieces(stream: Any) -> None:
        stream.start(200, [(b"transfer-encoding", b"gzip")])
        await stream.send(b"abc")
        stream.finish()

    client = listen(make_app({"/respond": respond, "/pieces": in_pieces})).connect()
    answer = client.send(get("/respond")).answer()
    assert (answer.body, answer.headers["content-length"]) == (b"abc", "3")
    assert "transfer-encoding" not in answer.headers
    assert client.send(get("/pieces")).answer().body == b"abc"
    assert client.is_open()


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 5_000_000])
def test_answers_of_any_size(listen: Listen, make_app: Callable[..., Any], size: int) -> None:
    body = bytes(size)

    async def respond(stream: Any) -> None:
        stream.respond(PLAIN, body)
        await stream.drain()

    client = listen(make_app({"/respond": respond})).connect()
    client.send(get("/respond") * 2)
    assert client.answer().body == body
    assert client.answer().body == body


def test_http_1_0(listen: Listen, app: Any) -> None:
    server = listen(app)
    for fields in ([], ["Connection: close"]):
        answer = server.ask(get("/x", *fields, version="1.0"))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nconnection: close\r\n" in answer
        assert answer.endswith(b"GET /x 0")
    client = server.connect()
    for path in ("/x", "/measured"):
        answer_ = client.send(get(path, "Connection: keep-alive", version="1.0")).answer()
        assert answer_.headers["connection"] == "keep-alive"
    assert client.is_open()
    # With no length, only the end of the connection ends it; HTTP/1.0 knows no chunks.
    answer_ = client.send(get("/pieces", "Connection: keep-alive", version="1.0")).answer()
    assert answer_.body == b"onetwo"
    assert answer_.headers["connection"] == "close"
    assert "transfer-encoding" not in answer_.headers


def test_close_by_the_client_s_wish_and_by_the_app_s(listen: Listen, make_app: Callable[..., Any]) -> None:
    async def close(stream: Any) -> None:
        stream.respond(Head(200, [(b"connection", b"close")]), b"")

    async def close_pieces(stream: Any) -> None:
        stream.start(200, [(b"connection", b"Close")])
        stream.finish()

    app = make_app({"/close": close, "/close-pieces": close_pieces, "/pieces": pieces})
    server = listen(app)
    for path, *fields in [
        ("/x", "Connection: close"),
        ("/pieces", "connection: Keep-Alive, CLOSE"),
        ("/close",),
        ("/close-pieces",),
    ]:
        client = server.connect().send(get(path, *fields))
        assert client.answer().headers["connection"] == "close"
        assert client.rest() == b""
    # What follows is not answered.
    client = server.connect().send(get("/slow", "Connection: close") + get("/never") * 3)
    assert client.answer().status == 200
    assert client.rest() == b""
    assert "/never" not in app.opened


def test_an_upgrade_is_not_taken_and_harms_nothing(listen: Listen, app: Any) -> None:
    client = listen(app).connect()
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAA")
    # A body that looks like a request is a body.
    body = get("/smuggled")
    with_bodies = post("/whole", body, *fields) + chunked("/digest", body, b"x", fields=fields)
    client.send(get("/slow") + get("/a", *fields) * 50 + with_bodies + get("/b"))
    assert client.answer().body == b"GET /slow 0"
    for _ in range(50):
        answer = client.answer()
        assert (answer.status, answer.body) == (200, b"GET /a 0")
    assert client.answer().body == digest_of(body)
    assert client.answer().body == digest_of(body + b"x")
    assert client.answer().body == b"GET /b 0"
    assert client.is_open()
    client.send(*[bytes([byte]) for byte in with_bodies])
    assert client.answer().body == digest_of(body)
    assert client.answer().body == digest_of(body + b"x")
    assert client.is_open()


def test_a_half_closed_client_is_answered(listen: Listen, make_app: Callable[..., Any]) -> None:
    notices: list[str] = []

    async def watch(stream: Any) -> None:
        await stream.wait_disconnect()
        assert stream.disconnected
        notices.append("left")
        await hello(stream)

    app = make_app({"/slow": slow, "/pieces": pieces, "/watch": watch})
    server = listen(app)
    answer = server.ask(get("/slow") + get("/pieces") + get("/x"), half_close=True)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.endswith(b"GET /x 0")
    assert server.ask(get("/x"), half_close=True).endswith(b"GET /x 0")
    assert server.ask(b"", half_close=True) == b""
    # Seldom is anybody still there: so the app hears of it, and what it says all the same is sent.
    assert server.ask(get("/watch"), half_close=True).endswith(b"GET /watch 0")
    assert notices == ["left"]


def test_waiting_for_the_client_s_leave(listen: Listen, make_app: Callable[..., Any]) -> None:
    events: list[str] = []

    async def watch(stream: Any) -> None:
        for _ in range(50):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.0001):
                    await stream.wait_disconnect()
        assert not stream.waiters, "who gave up has left nothing behind"
        events.append("waiting")
        await stream.wait_disconnect()
        events.append("left")

    async def answered(stream: Any) -> None:
        waiter = asyncio.create_task(stream.wait_disconnect())
        await asyncio.sleep(0)
        await hello(stream)
        await waiter
        events.append("answered")

    server = listen(make_app({"/watch": watch, "/answered": answered}))
    client = server.connect().send(get("/answered"))
    assert client.answer().status == 200
    server.until(lambda: events == ["answered"])
    client.send(get("/watch"))
    server.until(lambda: events[1:] == ["waiting"])
    client.close()
    server.until(lambda: events[1:] == ["waiting", "left"])


def test_a_slow_reader_makes_the_endpoint_wait(listen: Listen, make_app: Callable[..., Any]) -> None:
    sent = 0

    async def pour(stream: Any) -> None:
        nonlocal sent
        stream.start(200, [])
        piece = bytes(16 * 1024)
        for _ in range(512):
            await stream.send(piece)
            sent += len(piece)
        stream.finish()

    server = listen(make_app({"/pour": pour}))
    client = server.connect(receive_buffer=65536).send(get("/pour"))
    server.until(lambda: any(c.writing_paused for c in server.connections._all))
    (connection,) = server.connections._all
    assert connection.transport.get_write_buffer_size() <= 64 * 1024 + 2 * 16 * 1024
    assert server.settled(lambda: sent) < 8 * 1024 * 1024
    assert len(client.answer().body) == 8 * 1024 * 1024
    assert client.is_open()


def test_a_slow_reader_of_pipelined_answers(listen: Listen, make_app: Callable[..., Any]) -> None:
    """Answers that nobody takes do not pile up, and neither do the requests."""
    body = bytes(100_000)

    async def respond(stream: Any) -> None:
        stream.respond(PLAIN, body)

    app = make_app({"/respond": respond})
    server = listen(app, pipelined_requests=4)
    client = server.connect(receive_buffer=65536)
    client.send(get("/respond") * 500)
    server.until(lambda: any(c.writing_paused for c in server.connections._all))
    (connection,) = server.connections._all
    assert connection.transport.get_write_buffer_size() <= 64 * 1024 + 2 * len(body)
    assert len(app.opened) < 500
    assert len(connection.queue) <= 4 + 16 * 1024 // len(get("/respond"))
    for _ in range(500):
        assert client.answer().body == body
    assert client.is_open()


def test_the_access_log(listen: Listen, app: Any) -> None:
    server = listen(app)
    client = server.connect()
    client.send(get("/a?b"), get("/pieces", version="1.0"))
    client.answer()
    client.answer()
    assert server.ask(b"nonsense\r\n\r\n")
    assert [entry[1:] for entry in server.log] == [
        ("GET", b"/a?b", "1.1", 200, 8),
        ("GET", b"/pieces", "1.0", 200, 6),
        ("GET", b"", "1.1", 400, 30),
    ]
    assert server.log[0][0] == client.socket.getsockname()


# What the app does wrong


async def nothing(stream: Any) -> None:
    pass


async def not_finished(stream: Any) -> None:
    stream.start(200, [])
    await stream.send(b"abc")


async def fails_later(stream: Any) -> None:
    stream.start(200, [])
    await stream.send(b"abc")
    raise LookupError("boom")


async def too_short(stream: Any) -> None:
    stream.start(200, [(b"content-length", b"6")])
    await stream.send(b"abc")
    stream.finish()


async def too_long(stream: Any) -> None:
    stream.start(200, [(b"content-length", b"4")])
    await stream.send(b"abc")
    await stream.send(b"defg")


async def wrong_length(stream: Any) -> None:
    stream.respond(Head(200, [(b"content-length", b"4")]), b"abc")


async def twice(stream: Any) -> None:
    stream.respond(PLAIN, b"once")
    stream.respond(PLAIN, b"twice")


async def send_first(stream: Any) -> None:
    await stream.send(b"abc")


async def finish_first(stream: Any) -> None:
    stream.finish()


async def after_the_end(stream: Any) -> None:
    stream.respond(PLAIN, b"once")
    await stream.send(b"more")


async def cancels(stream: Any) -> None:
    raise asyncio.CancelledError


async def interim_status(stream: Any) -> None:
    stream.start(103, [])


WRONG: tuple[tuple[Any, bytes, str], ...] = (
    (nothing, b"500", "did not complete"),
    (not_finished, b"cut", "did not complete"),
    (fails_later, b"cut", "LookupError: boom"),
    (too_short, b"cut", "3 bytes shorter than its Content-Length"),
    (too_long, b"cut", "longer than its Content-Length"),
    (wrong_length, b"500", "the answer's body has 3 bytes, its Content-Length is 4"),
    (twice, b"once", "this request has been answered already"),
    (send_first, b"500", "has not been started"),
    (finish_first, b"500", "has not been started"),
    (after_the_end, b"once", "is finished"),
    (cancels, b"500", "CancelledError"),
    (interim_status, b"500", "103 is no final status"),
    (boom, b"500", "LookupError: boom"),
)


@pytest.mark.parametrize("suspends", [False, True], ids=["at-once", "later"])
@pytest.mark.parametrize(("handler", "outcome", "words"), WRONG, ids=lambda v: getattr(v, "__name__", ""))
def test_an_app_s_mistake_is_logged_once_and_the_client_knows(
    listen: Listen,
    make_app: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    handler: Callable[[Any], Any],
    outcome: bytes,
    words: str,
    suspends: bool,
) -> None:
    async def run(stream: Any) -> None:
        if suspends:
            await asyncio.sleep(0)
        await handler(stream)

    server = listen(make_app({"/wrong": run}))
    client = server.connect().send(get("/wrong"))
    if outcome == b"cut":
        answer = client.rest()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"abc" in answer
        assert not answer.endswith(b"0\r\n\r\n"), "it would look complete"
    elif outcome == b"once":
        assert client.answer().body == b"once"
        assert client.is_open()
    else:
        answer_ = client.answer()
        assert (answer_.status, answer_.body) == (500, b"Internal Server Error")
        assert client.rest() == b""
    server.until(lambda: caplog.records)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert words in caplog.text


def test_an_app_that_fails_as_it_is_called(
    listen: Listen, make_app: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app({})

    def fails(stream: Any) -> Any:
        raise LookupError("boom")

    app.open_stream = fails
    server = listen(app)
    assert server.connect().send(get("/") * 3).answer().status == 500
    app.wants_head = fails
    assert server.connect().send(post("/", b"body")[:-1]).answer().status == 500
    assert caplog.text.count("LookupError: boom") == 2


def test_an_unframed_answer_that_fails_does_not_look_complete(
    listen: Listen, make_app: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    client = listen(make_app({"/fails": fails_later})).connect().send(get("/fails", version="1.0"))
    assert client.is_reset()
    assert "LookupError: boom" in caplog.text


SPLITTING: tuple[tuple[bytes, bytes], ...] = (
    (b"x-a", b"a\r\nset-cookie: b=c"),
    (b"x-a", b"a\nb"),
    (b"x-a", b"a\rb"),
    (b"x-a", b"a\0b"),
    (b"x-a", b"\x1b[31m"),
    (b"x-a", b"a\x7f"),
    (b"x\r\na", b"a"),
    (b"x a", b"a"),
    (b"x:a", b"a"),
    (b"", b"a"),
    (b"x\xe9", b"a"),
    (b"set-cookie", b"a=b\r\n\r\nbody"),
    (b"location", b"/a\r\nx: y"),
    (b"content-length", b"1, 2"),
    (b"content-length", b"-1"),
    (b"content-length", b"+1"),
    (b"content-length", b""),
)


@pytest.mark.parametrize("way", ["respond", "start"])
def test_no_header_splits_an_answer(
    listen: Listen, make_app: Callable[..., Any], caplog: pytest.LogCaptureFixture, way: str
) -> None:
    async def run(stream: Any) -> None:
        field = SPLITTING[int(stream.query_string)]
        if way == "respond":
            stream.respond(Head(200, [field]), b"")
        else:
            stream.start(200, [field])
            stream.finish()

    server = listen(make_app({"/split": run}))
    for number, field in enumerate(SPLITTING):
        caplog.clear()
        answer = server.ask(get(f"/split?{number}"))
        assert answer.startswith(b"HTTP/1.1 500 "), field
        assert answer.count(b"\r\n\r\n") == 1
        assert b"set-cookie" not in answer
        assert len(caplog.records) == 1, field
        assert "ValueError" in caplog.text
