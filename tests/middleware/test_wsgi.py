from __future__ import annotations

import functools
import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anyio
import pytest

from fastweb.middleware.wsgi import WSGIMiddleware, build_environ
from fastweb.testclient import TestClient
from fastweb.types import Message

Environ = dict[str, Any]
Start = Callable[..., Any]


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return functools.partial(anyio.run, backend=request.param)


def scope_of(**options: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [],
        **options,
    }


def answering(body: Iterable[bytes], status: str = "200 OK", headers: Any = ()) -> Any:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response(status, [*headers])
        return body

    return app


@pytest.mark.parametrize(
    ("body", "text"),
    [([b"a", b"", b"b"], "ab"), ([], ""), ((b"%d" % n for n in range(3)), "012"), ([b""], "")],
)
def test_answers(body: Iterable[bytes], text: str) -> None:
    app = answering(body, "201 Created", [("X-A", "1"), ("X-A", "2"), ("X-Latin", "caf\xe9")])
    answer = TestClient(WSGIMiddleware(app)).get("/")
    assert (answer.status_code, answer.text) == (201, text)
    assert answer.headers.get_list("x-a") == ["1", "2"]
    assert answer.headers.raw[-1] == (b"x-latin", b"caf\xe9")


@pytest.mark.parametrize("status", ["204", "204 No Content", "204 "])
def test_a_status_may_lack_its_phrase(status: str) -> None:
    assert TestClient(WSGIMiddleware(answering([], status))).get("/").status_code == 204


def test_write_is_the_older_way() -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"first ")
        return [b"second"]

    assert TestClient(WSGIMiddleware(app)).get("/").text == "first second"


READS: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda file: file.read(), b"one\ntwo\nthree"),
    (lambda file: file.read(5), b"one\nt"),
    (lambda file: [file.read(4), file.read(100), file.read(1)], [b"one\n", b"two\nthree", b""]),
    (lambda file: file.readline(), b"one\n"),
    (lambda file: file.readlines(), [b"one\n", b"two\n", b"three"]),
    (list, [b"one\n", b"two\n", b"three"]),
]


@pytest.mark.parametrize(("read", "expected"), READS)
def test_the_body_is_a_file(run: Callable[..., Any], read: Callable[[Any], Any], expected: Any) -> None:
    found = []

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        found.append(read(environ["wsgi.input"]))
        start_response("200 OK", [])
        return []

    exchange(run, app, [b"on", b"e\ntwo", b"", b"\nthr", b"ee"])
    assert found == [expected]


def exchange(run: Callable[..., Any], app: Any, pieces: list[bytes | None], **options: Any) -> list[Message]:
    """Run an app with a body that comes in pieces; None is a client that goes away."""
    sent: list[Message] = []
    coming = iter(pieces)
    left = len(pieces)

    async def receive() -> Message:
        nonlocal left
        left -= 1
        piece = next(coming)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": left > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    run(WSGIMiddleware(app), scope_of(**options), receive, send)
    return sent


def test_neither_body_is_held_whole(run: Callable[..., Any]) -> None:
    """An app that copies its input reads no more than it has written."""
    ahead: list[int] = []
    taken = 0

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        while piece := environ["wsgi.input"].read(10_000):
            yield piece

    async def main() -> None:
        given = 0

        async def receive() -> Message:
            nonlocal given
            given += 10_000
            ahead.append(given - taken)
            return {"type": "http.request", "body": b"x" * 10_000, "more_body": given < 2_000_000}

        async def send(message: Message) -> None:
            nonlocal taken
            taken += len(message.get("body", b""))

        await WSGIMiddleware(app)(scope_of(), receive, send)

    run(main)
    assert taken == 2_000_000
    assert max(ahead) <= 30_000


def test_a_client_that_goes_away_is_an_error_of_the_input(run: Callable[..., Any]) -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    with pytest.raises(ConnectionResetError, match="went away"):
        exchange(run, app, [b"half", None])


def test_a_cancelled_request_waits_for_no_client(run: Callable[..., Any]) -> None:
    """Its thread cannot be cancelled, but what it waits for."""
    ended = []

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield environ["wsgi.input"].read(1) or b"x"
        finally:
            ended.append(True)

    async def main() -> None:
        for slow in (True, False):

            async def receive(slow: bool = slow) -> Message:
                if slow:
                    gone.cancel()
                    await anyio.sleep_forever()
                return {"type": "http.request"}

            async def send(message: Message) -> None:
                if message["type"] == "http.response.body":
                    gone.cancel()
                    await anyio.sleep_forever()

            with anyio.CancelScope() as gone:
                await WSGIMiddleware(app)(scope_of(), receive, send)

    run(main)
    assert ended == [True, True]


def test_errors_reach_the_server_and_the_iterable_is_closed() -> None:
    class Broken:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            yield b"half"
            raise ValueError("broken")

        def close(self) -> None:
            type(self).closed = True

    with pytest.raises(ValueError, match="broken"):
        TestClient(WSGIMiddleware(answering(Broken()))).get("/")
    assert Broken.closed


def test_exc_info_replaces_a_head_that_has_not_gone_out() -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [("X-A", "1")])
        try:
            raise ValueError("went wrong")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())
        return [b"sorry"]

    answer = TestClient(WSGIMiddleware(app), raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.text, "x-a" in answer.headers) == (500, "sorry", False)
    with pytest.raises(ValueError, match="went wrong"):
        TestClient(WSGIMiddleware(app)).get("/")


def test_exc_info_after_the_head_is_raised() -> None:
    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        try:
            raise ValueError("too late")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())

    with pytest.raises(ValueError, match="too late"):
        TestClient(WSGIMiddleware(app)).get("/")


def test_mistakes_of_the_app_are_named() -> None:
    def twice(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    def never(environ: Environ, start_response: Start) -> Iterable[bytes]:
        return [b"body"]

    for app, words in ((twice, "a second time"), (never, "without having called start_response")):
        with pytest.raises(RuntimeError, match=words):
            TestClient(WSGIMiddleware(app)).get("/")


def test_the_app_runs_in_a_thread() -> None:
    threads = []

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        threads.append(threading.current_thread())
        start_response("200 OK", [])
        return []

    async def main() -> None:
        threads.append(threading.current_thread())
        await WSGIMiddleware(app)(scope_of(), nothing, ignore)

    async def nothing() -> Message:
        raise AssertionError

    async def ignore(message: Message) -> None: ...

    anyio.run(main)
    assert len(set(threads)) == 2


def test_a_websocket_is_refused() -> None:
    sent: list[Message] = []

    async def nothing() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    app = WSGIMiddleware(answering([]))
    anyio.run(app, {"type": "websocket"}, nothing, send)
    assert sent == [{"type": "websocket.close", "code": 1000, "reason": ""}]
    with pytest.raises(RuntimeError, match="no connections of the type 'lifespan'"):
        anyio.run(app, {"type": "lifespan"}, nothing, send)


# --- The environ ---


def test_an_environ() -> None:
    environ = build_environ(
        scope_of(
            scheme="https",
            path="/sub/p\xe4th",
            root_path="/sub",
            query_string=b"a=%20&b=\xff",
            headers=[
                (b"host", b"a.example"),
                (b"content-type", b"text/plain"),
                (b"content-length", b"2"),
                (b"accept", b"a/b"),
                (b"accept", b"c/d"),
                (b"x-latin", b"\xe9"),
            ],
            client=("10.0.0.1", 5),
            server=("a.example", 443),
        ),
        b"ab",
    )
    body = environ.pop("wsgi.input")
    assert isinstance(body, io.BytesIO)
    assert body.read() == b"ab"
    assert environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/sub",
        "PATH_INFO": "/p\xc3\xa4th",
        "QUERY_STRING": "a=%20&b=\xff",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "a.example",
        "SERVER_PORT": 443,
        "REMOTE_ADDR": "10.0.0.1",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "2",
        "HTTP_HOST": "a.example",
        "HTTP_ACCEPT": "a/b,c/d",
        "HTTP_X_LATIN": "\xe9",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.errors": sys.stdout,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        (b"x-forwarded-for", True),
        # A proxy sets the one with hyphens, and lets this one through.
        (b"x_forwarded_for", False),
        (b"x-forwarded_for", False),
    ],
)
def test_a_header_cannot_pass_for_another(name: bytes, is_there: bool) -> None:
    environ = build_environ(scope_of(headers=[(name, b"1")]), b"")
    assert ("HTTP_X_FORWARDED_FOR" in environ) is is_there


def test_a_header_cannot_set_a_proxy() -> None:
    assert "HTTP_PROXY" not in build_environ(scope_of(headers=[(b"proxy", b"evil:80")]), b"")


@pytest.mark.parametrize(
    ("root", "path", "info"),
    [("", "/a", "/a"), ("/a", "/a", ""), ("/a", "/ab", "/ab"), ("/a", "/a/b", "/b"), ("/a/", "/a/b", "b")],
)
def test_the_path_behind_the_root(root: str, path: str, info: str) -> None:
    environ = build_environ(scope_of(root_path=root, path=path), b"")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (root, info)


def test_what_the_app_gets_besides() -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [repr([environ["SERVER_PORT"], environ["wsgi.input_terminated"]]).encode()]

    assert TestClient(WSGIMiddleware(app)).get("/").text == "['80', True]"
