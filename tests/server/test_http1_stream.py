"""What a stream can do beside a plain answer: interim answers, trailers, files."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from fastweb._speedups.http1 import MOST_BODY_BUFFER
from fastweb._speedups.response import Head
from fastweb.exceptions import ClientDisconnect
from fastweb.server import sendfile

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]
PLAIN = Head(200, ((b"content-type", b"text/plain"),))


def get(path: str = "/", *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: a", *fields, "", ""]).encode()


# Pieces


def turns_within(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Set in the loop's next turn."""
    turned = asyncio.Event()
    loop.call_soon(turned.set)
    return turned


@pytest.mark.parametrize("path", ["/pieces", "/files", "/empty"])
def test_who_never_waits_gives_others_their_turn(
    listen: Listen, make_app: Callable[..., Any], large: BinaryIO, path: str
) -> None:
    """The client takes all that comes, so there is nothing to wait for."""
    sent: list[int] = []

    async def pour(stream: Any) -> None:
        stream.start(200, [])
        turned = turns_within(asyncio.get_running_loop())
        while not turned.is_set() and len(sent) < 1000:
            sent.append(1)
            if path == "/files" and sys.platform == "linux":
                await stream.send_file(large, 0, 20_000)
            else:
                await stream.send(b"" if path == "/empty" else b"piece")
        stream.finish()

    client = listen(make_app({path: pour}), write_buffer=1 << 30).connect().send(get(path))
    client.answer()
    assert len(sent) < 1000


# Interim answers


async def hints(stream: Any) -> None:
    stream.inform(103, [(b"link", b"</a.css>; rel=preload"), (b"content-length", b"9")])
    stream.inform(102)
    stream.respond(PLAIN, f"{stream.takes_interim}".encode())


def test_interim_answers(listen: Listen, make_app: Callable[..., Any]) -> None:
    client = listen(make_app({"/": hints})).connect().send(get())
    assert client.interim() == b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload"
    assert client.interim() == b"HTTP/1.1 102 Processing"
    assert client.answer().body == b"True"
    assert client.is_open()


def test_a_client_of_http_1_0_gets_no_interim_answer(listen: Listen, make_app: Callable[..., Any]) -> None:
    client = listen(make_app({"/": hints})).connect().send(get(version="1.0"))
    assert client.answer().body == b"False"


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (101, [], ValueError),
        (99, [], ValueError),
        (200, [], ValueError),
        (103, [(b"link", b"</a>\r\nset-cookie: a=b")], ValueError),
        (103, [(b"li nk", b"</a>")], ValueError),
        (103, [("link", b"</a>")], TypeError),
    ],
)
def test_interim_answers_that_are_none(
    listen: Listen, make_app: Callable[..., Any], status: int, headers: Any, error: type[Exception]
) -> None:
    async def inform(stream: Any) -> None:
        with pytest.raises(error):
            stream.inform(status, headers)
        stream.respond(PLAIN, b"fine")
        with pytest.raises(RuntimeError, match="before the answer"):
            stream.inform(103)

    client = listen(make_app({"/": inform})).connect().send(get())
    assert client.answer().head.startswith(b"HTTP/1.1 200 ")
    assert client.is_open()


# Trailers


async def trailing(stream: Any) -> None:
    stream.start(200, [(b"trailer", b"x-digest")])
    await stream.send(b"body")
    stream.finish([(b"x-digest", b"1234")])


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ((), False),
        (("TE: trailers",), True),
        (("TE: gzip;q=0.5, Trailers",), True),
        (("TE: gzip",), False),
    ],
)
def test_trailers(listen: Listen, make_app: Callable[..., Any], fields: tuple[str, ...], sent: bool) -> None:
    client = listen(make_app({"/": trailing})).connect().send(get("/", *fields))
    assert b"transfer-encoding: chunked" in client.interim()
    end = b"0\r\nx-digest: 1234" if sent else b"0"
    assert client.interim() == b"4\r\nbody\r\n" + end
    assert client.is_open()


def test_no_trailers_where_there_is_no_place_for_them(listen: Listen, make_app: Callable[..., Any]) -> None:
    async def measured(stream: Any) -> None:
        stream.start(200, [(b"content-length", b"4")])
        await stream.send(b"body")
        stream.finish([(b"x-digest", b"1234")])

    server = listen(make_app({"/": measured, "/chunked": trailing}))
    client = server.connect().send(get("/", "TE: trailers"))
    assert client.answer().body == b"body"
    assert client.send(get("/chunked", "TE: trailers", method="HEAD")).answer("HEAD").body == b""
    assert client.is_open()
    client = server.connect().send(get("/chunked", "TE: trailers", version="1.0"))
    assert client.answer().body == b"body"


@pytest.mark.parametrize(
    "field",
    [
        (b"content-length", b"4"),
        (b"Transfer-Encoding", b"chunked"),
        (b"set-cookie", b"a=b"),
        (b"x", b"a\r\n\r\nHTTP/1.1 200 OK"),
        (b"x\r\ny", b"z"),
        (b"", b"z"),
    ],
)
def test_trailers_that_are_refused(
    listen: Listen,
    make_app: Callable[..., Any],
    field: tuple[bytes, bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def trail(stream: Any) -> None:
        stream.start(200, [])
        await stream.send(b"body")
        stream.finish([field])

    client = listen(make_app({"/": trail})).connect().send(get("/", "TE: trailers"))
    client.interim()
    assert client.rest() == b"4\r\nbody\r\n"  # no end: the client knows
    assert caplog.records[0].exc_info[0] is ValueError  # type: ignore[index]


# Files


@pytest.fixture
def large(tmp_path: Path) -> Iterator[BinaryIO]:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(3 * 1024 * 1024 + 17))
    with open(path, "rb") as file:
        yield file


def data_of(file: BinaryIO) -> bytes:
    return Path(file.name).read_bytes()


def sending(file: BinaryIO, *parts: tuple[int, int], headers: Any = ()) -> Any:
    async def send(stream: Any) -> None:
        stream.start(200, headers)
        for offset, count in parts:
            await stream.send(b"<")
            await stream.send_file(file, offset, count)
            await stream.send(b">")
        stream.finish()

    return send


def test_pieces_of_a_file(listen: Listen, make_app: Callable[..., Any], large: BinaryIO) -> None:
    data = data_of(large)
    parts = ((5, len(data) - 5), (0, 1), (7, 0), (100, 2_000_000))
    body = b"".join(b"<" + data[offset : offset + count] + b">" for offset, count in parts)
    headers = [(b"content-length", b"%d" % len(body))]
    app = make_app({"/chunked": sending(large, *parts), "/measured": sending(large, *parts, headers=headers)})
    client = listen(app).connect()
    client.send(get("/chunked") + get("/measured") + get("/chunked", method="HEAD") + get("/"))
    assert client.answer().body == body
    assert client.answer().body == body
    assert client.answer("HEAD").body == b""
    assert client.answer().body == b"GET / 0"
    assert client.is_open()


def test_a_file_that_is_too_short(
    listen: Listen, make_app: Callable[..., Any], large: BinaryIO, caplog: pytest.LogCaptureFixture
) -> None:
    size = os.fstat(large.fileno()).st_size
    server = listen(
        make_app(
            {
                "/chunked": sending(large, (0, size + 1)),
                "/measured": sending(large, (0, size + 1), headers=[(b"content-length", b"%d" % (size + 3))]),
            }
        )
    )
    for path in ("/chunked", "/measured"):
        client = server.connect().send(get(path))
        client.interim()
        assert size <= len(client.rest()) < size + 20
    server.until(lambda: len(caplog.records) == 2)
    assert [record.exc_info[0] for record in caplog.records] == [sendfile.ShortFileError] * 2  # type: ignore[index]


def test_wrong_pieces_of_a_file(listen: Listen, make_app: Callable[..., Any], large: BinaryIO) -> None:
    async def send(stream: Any) -> None:
        with pytest.raises(RuntimeError, match="not been started"):
            await stream.send_file(large, 0, 1)
        stream.start(200, [(b"content-length", b"2")])
        for offset, count in ((-1, 1), (0, -1)):
            with pytest.raises(ValueError, match="0 or more"):
                await stream.send_file(large, offset, count)
        await stream.send_file(large, 0, 2)
        stream.finish()

    client = listen(make_app({"/": send})).connect().send(get())
    assert client.answer().body == data_of(large)[:2]
    assert client.is_open()


# Large bodies of a declared length, which go past the parser


async def take(stream: Any) -> None:
    digest = hashlib.sha256()
    while data := await stream.receive():
        digest.update(data)
    stream.respond(PLAIN, digest.hexdigest().encode())


async def whole(stream: Any) -> None:
    stream.respond(PLAIN, hashlib.sha256(stream.body).hexdigest().encode())


@pytest.mark.parametrize("path", ["/take", "/whole"])
def test_a_large_body_and_what_is_behind_it(listen: Listen, make_app: Callable[..., Any], path: str) -> None:
    server = listen(make_app({"/take": take, "/whole": whole}, heads=("/take",)))
    client = server.connect()
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\n"
    for size in (65535, 65536, 65537, 131072, 300_001, 2_000_000):
        body = os.urandom(size)
        expected = hashlib.sha256(body).hexdigest().encode()
        measured = f"{head}Content-Length: {size}\r\n\r\n".encode() + body
        in_chunks = f"{head}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        # What is behind a body is the next request, whatever the two look like.
        client.send(measured + get("/1") + measured + in_chunks + measured + get("/2"))
        bodies = [client.answer().body for _ in range(6)]
        assert bodies == [expected, b"GET /1 0", expected, expected, expected, b"GET /2 0"]
        for at in (1, len(measured) - 1, len(measured), len(measured) + 1):
            wire = measured + get("/3")
            client.send(wire[:at])
            server.until(lambda: True)
            client.send(wire[at:])
            assert [client.answer().body for _ in range(2)] == [expected, b"GET /3 0"]


def test_what_is_behind_a_large_body_and_no_request(listen: Listen, make_app: Callable[..., Any]) -> None:
    server = listen(make_app({"/whole": whole}))
    body = bytes(100_000)
    head = b"POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
    client = server.connect().send(head + b"\r\n" + body + b"\0\0\0\0")
    assert [client.answer().status for _ in range(2)] == [200, 400]
    assert client.rest() == b""
    # The last request that the client wants to make is the last that is answered.
    client = server.connect().send(head + b"Connection: close\r\n\r\n" + body + get("/smuggled"))
    assert client.answer().headers["connection"] == "close"
    assert b"200 OK" not in client.rest()


def test_a_client_that_leaves_within_a_large_body(listen: Listen, make_app: Callable[..., Any]) -> None:
    errors: list[type[BaseException]] = []

    async def look(stream: Any) -> None:
        try:
            await take(stream)
        except ClientDisconnect as error:
            errors.append(type(error))
            raise

    server = listen(make_app({"/look": look}, heads=("/look",)))
    client = server.connect().send(b"POST /look HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    client.send(bytes(200_000))
    client.close()
    server.until(lambda: errors == [ClientDisconnect])


def test_an_app_that_is_slow_to_take_a_large_body(listen: Listen, make_app: Callable[..., Any]) -> None:
    """The client waits: what is held of the body stays bounded; and it grows for an app that keeps up."""
    sizes: list[int] = []

    async def slowly(stream: Any) -> None:
        while True:
            await asyncio.sleep(0.02)
            sizes.append(stream.pending())
            if not await stream.receive():
                break
        stream.respond(PLAIN, b"done")

    server = listen(make_app({"/slowly": slowly}, heads=("/slowly",)))
    body = bytes(6 * 1024 * 1024)
    client = server.connect()
    client.send(b"POST /slowly HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert client.answer().body == b"done"
    assert max(sizes) <= MOST_BODY_BUFFER + 256 * 1024
