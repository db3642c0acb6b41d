"""WSGI apps (PEP 3333), through real sockets: the environ, the body, answers in pieces, clients that leave,
apps that make mistakes."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from fastweb.server.wsgi import WSGIHost
from fastweb.wsgi import FileWrapper

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def app_of(
    answer: Any, status: str = "200 OK", headers: Any = (("Content-Type", "text/plain"),)
) -> Callable[..., Any]:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, list(headers))
        return answer(environ) if callable(answer) else answer

    return app


def echo(environ: Any) -> list[bytes]:
    return [environ["wsgi.input"].read()]


def post(*pieces: bytes, fields: bytes = b"") -> bytes:
    body = b"".join(pieces)
    return b"POST / HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body)


# --- The environ ---


def test_the_environ(listen: Any) -> None:
    seen: list[dict[str, Any]] = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append(environ)
        start_response("200 OK", [])
        return []

    server = listen(WSGIHost(app, root_path="/mounted", multiprocess=True))
    client = server.connect()
    client.send(
        b"POST /caf%C3%A9/a%2Fb?q=%20&r HTTP/1.1\r\nHost: example.org:81\r\nX-Two-Words: caf\xe9\r\n"
        b"X-Twice: 1\r\nX-Twice: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX_Under: evil\r\nProxy: evil\r\n"
        b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nab"
    ).answer()
    environ = seen[0]
    assert type(environ) is dict
    assert {name: value for name, value in environ.items() if not name.startswith("wsgi.")} == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/mounted",
        "PATH_INFO": "/caf\xc3\xa9/a/b",
        "QUERY_STRING": "q=%20&r",
        "RAW_URI": "/caf%C3%A9/a%2Fb?q=%20&r",
        "REQUEST_URI": "/caf%C3%A9/a%2Fb?q=%20&r",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(server.port),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(client.socket.getsockname()[1]),
        "HTTP_HOST": "example.org:81",
        "HTTP_X_TWO_WORDS": "caf\xe9",
        "HTTP_X_TWICE": "1,2",
        "HTTP_COOKIE": "a=1; b=2",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "2",
    }
    assert (environ["wsgi.version"], environ["wsgi.url_scheme"]) == ((1, 0), "http")
    assert (environ["wsgi.multithread"], environ["wsgi.multiprocess"]) == (True, True)
    assert (environ["wsgi.run_once"], environ["wsgi.input_terminated"]) == (False, True)
    assert environ["wsgi.errors"] is sys.stderr
    assert environ["wsgi.file_wrapper"] is FileWrapper


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "request_",
    [
        GET,
        b"GET /a/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
        b"DELETE /%ff HTTP/1.1\r\nHost: a\r\n\r\n",
        post(b"hello"),
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_the_validator_has_nothing_to_say(listen: Any, request_: bytes, whole: bool) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"].read(10)
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"][:3])])
        return [body + b"!"] if whole else iter([body, b"", b"!"])

    client = listen(WSGIHost(validator(app))).connect()
    for _ in range(2):
        answer = client.send(request_).answer()
        assert answer.status == 200
        assert answer.body == (b"hello!" if b"hello" in request_ else b"!")


# --- The body ---


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda file: file.read(), b"one\ntwo\nthree"),
        (lambda file: file.read(-1), b"one\ntwo\nthree"),
        (lambda file: b"|".join(iter(lambda: file.read(5), b"")), b"one\nt|wo\nth|ree"),
        (lambda file: b"|".join(file), b"one\n|two\n|three"),
        (lambda file: b"|".join(file.readlines()), b"one\n|two\n|three"),
        (lambda file: file.readline() + b"|" + file.readline(2) + b"|" + file.read(), b"one\n|tw|o\nthree"),
        (lambda file: file.read(1000) + file.read(1000) + file.readline(), b"one\ntwo\nthree"),
        (lambda file: b"", b""),
    ],
)
@pytest.mark.parametrize("way", ["whole", "chunked", "expected"])
def test_the_body_as_a_file(listen: Any, read: Any, expected: bytes, way: str) -> None:
    client = listen(WSGIHost(app_of(lambda environ: [read(environ["wsgi.input"])]))).connect()
    for _ in range(2):
        if way == "whole":
            client.send(post(b"one\ntwo\nthree"))
        elif way == "chunked":
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(b"5\r\none\nt\r\n", b"8\r\nwo\nthree\r\n", b"0\r\n\r\n")
        else:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 13\r\n\r\n")
            if expected:
                assert client.interim() == b"HTTP/1.1 100 Continue"
                client.send(b"one\ntwo\nthree")
        answer = client.answer()
        assert answer.body == expected
        if not expected and way == "expected":
            return  # nobody knows whether the body will come: it was closed


def test_a_large_body_is_read_as_it_comes(listen: Any) -> None:
    held = threading.Event()

    def app(environ: Any, start_response: Any) -> Any:
        first = environ["wsgi.input"].read(1000)
        held.set()
        total = len(first)
        while piece := environ["wsgi.input"].read(100_000):
            total += len(piece)
        start_response("200 OK", [])
        return [b"%d" % total]

    size = 10_000_000
    client = listen(WSGIHost(app)).connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size, b"x" * 2000)
    assert held.wait(20)
    client.send(b"x" * (size - 2000))
    assert client.answer().body == b"%d" % size


def test_small_bodies_take_no_thread_before_they_are_here(listen: Any) -> None:
    host = WSGIHost(app_of(echo), threads=1)
    server = listen(host)
    slow = [server.connect() for _ in range(5)]
    for client in slow:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
    assert server.connect().send(GET).answer().body == b""
    for client in slow:
        assert client.send(b"lo").answer().body == b"hello"


def test_a_client_that_leaves_before_the_end_of_its_body(listen: Any, caplog: Any) -> None:
    raised: list[BaseException] = []

    def app(environ: Any, start_response: Any) -> Any:
        try:
            return [environ["wsgi.input"].read()]
        except OSError as error:
            raised.append(error)
            raise

    server = listen(WSGIHost(app))
    client = server.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
    server.until(lambda: server.connections.runner.tasks)
    client.close()
    server.until(lambda: raised)
    server.until(server.is_idle)
    assert caplog.text == ""


@pytest.mark.parametrize(("sent", "status"), [(b"5\r\nhello\r\n", 413), (b"xyz\r\n", 400)])
def test_a_body_that_is_refused(listen: Any, sent: bytes, status: int) -> None:
    server = listen(WSGIHost(app_of(echo)), body_size=4)
    client = server.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    server.until(lambda: server.connections.runner.tasks)
    time.sleep(0.02)
    client.send(sent)
    assert client.answer().status == status


# --- Answers ---


class Closing:
    """An iterable that says when it was closed."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = iter(pieces)
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece: bytes = next(self.pieces)
        return piece

    def close(self) -> None:
        assert not self.closed.is_set()
        self.closed.set()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], b""),
        ([b""], b""),
        ([b"ok"], b"ok"),
        ((b"a", b"b"), b"ab"),
        (lambda environ: iter([b"a", b"", b"b"]), b"ab"),
        (lambda environ: (b"%d" % number for number in range(5)), b"01234"),
        (lambda environ: io.BytesIO(b"a\nb\n"), b"a\nb\n"),
        (lambda environ: environ["wsgi.file_wrapper"](io.BytesIO(b"x" * 100_000)), b"x" * 100_000),
        (lambda environ: (b"x" * 10_000 for _ in range(100)), b"x" * 1_000_000),
    ],
)
def test_answers(listen: Any, answer: Any, expected: bytes) -> None:
    client = listen(WSGIHost(app_of(answer))).connect()
    for _ in range(2):
        found = client.send(GET).answer()
        assert (found.status, found.body) == (200, expected)
        assert found.headers["content-type"] == "text/plain"
    found = client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer("HEAD")
    assert (found.status, found.body) == (200, b"")
    assert client.send(GET).answer().body == expected


@pytest.mark.parametrize(("status", "number"), [("204 No Content", 204), ("304 Not Modified", 304)])
def test_answers_that_have_no_body(listen: Any, status: str, number: int) -> None:
    client = listen(WSGIHost(app_of([b"not sent"], status))).connect()
    for _ in range(2):
        found = client.send(GET).answer()
        assert (found.status, found.body) == (number, b"")


def test_each_piece_goes_out_at_once(listen: Any) -> None:
    go = threading.Event()

    def pieces(environ: Any) -> Iterator[bytes]:
        yield b"first"
        assert go.wait(20)
        yield b"second"

    client = listen(WSGIHost(app_of(pieces))).connect().send(GET)
    assert b"transfer-encoding: chunked" in client.interim()
    assert client._exactly(10) == b"5\r\nfirst\r\n"
    go.set()
    assert client._until(b"0\r\n\r\n") == b"6\r\nsecond\r\n"


def test_write(listen: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [("Content-Length", "6")])
        write(b"ab")
        write(b"")
        write(b"cd")
        return [b"ef"]

    assert listen(WSGIHost(app)).connect().send(GET).answer().body == b"abcdef"


def test_iterables_are_closed(listen: Any) -> None:
    made: list[Closing] = []

    def pieces(environ: Any) -> Closing:
        made.append(Closing([b"a", b"b"] if environ["PATH_INFO"] == "/" else [b"a", 5]))
        return made[-1]

    server = listen(WSGIHost(app_of(pieces)))
    server.connect().send(GET).answer()
    server.connect().send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer("HEAD")
    server.connect().send(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n").interim()
    assert all(item.closed.wait(20) for item in made)
    assert len(made) == 3


def test_a_slow_client_makes_the_app_wait(listen: Any) -> None:
    given = 0
    left = Closing([])

    def endless() -> Iterator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield b"x" * 10_000

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        left.pieces = endless()
        return left

    server = listen(WSGIHost(app))
    client = server.connect(receive_buffer=4096).send(GET)
    client.interim()
    before = -1
    while before != given:
        before = given
        time.sleep(0.1)
    assert given < 2000
    # And one that leaves ends it.
    client.close()
    assert left.closed.wait(20)


@pytest.mark.parametrize("length", [None, "100000", "10"])
def test_files_are_sent_as_such(listen: Any, tmp_path: Path, length: str | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 10001)
    opened: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", length)] if length else [])
        opened.append(path.open("rb"))
        opened[-1].read(10)
        return environ["wsgi.file_wrapper"](opened[-1])

    server = listen(WSGIHost(app))
    client = server.connect()
    for _ in range(2):
        answer = client.send(GET).answer()
        assert answer.body == path.read_bytes()[10 : 10 + int(length or 100000)]
        assert answer.headers["content-length"] == (length or "100000")
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer("HEAD")
    server.until(lambda: all(file.closed for file in opened))


# --- start_response ---


def test_an_error_that_replaces_the_answer(listen: Any, caplog: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("X-A", "1")])
        try:
            raise ValueError("of the app")
        except ValueError:
            start_response("500 Oops", [("X-B", "2")], sys.exc_info())
        return [b"sorry"]

    server = listen(WSGIHost(app))
    answer = server.connect().send(GET).answer()
    assert (answer.status, answer.headers.get("x-a"), answer.headers["x-b"]) == (500, None, "2")
    assert answer.body == b"sorry"
    server.until(lambda: "ValueError: of the app" in caplog.text)


def test_an_error_that_comes_too_late_to_replace_it(listen: Any, caplog: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])(b"half")
        try:
            raise ValueError("of the app")
        except ValueError:
            start_response("500 Oops", [], sys.exc_info())

    server = listen(WSGIHost(app))
    client = server.connect().send(GET)
    assert not _rest(client).endswith(b"0\r\n\r\n")
    server.until(lambda: "ValueError: of the app" in caplog.text)


def _rest(client: Any) -> bytes:
    try:
        return bytes(client.rest())
    except ConnectionResetError:
        return b"cut"


# --- Apps that make mistakes ---


def does(*calls: Any, answer: Any = (b"ok",)) -> Callable[..., Any]:
    def app(environ: Any, start_response: Any) -> Any:
        for arguments in calls:
            start_response(*arguments)
        return answer

    return app


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (does(), "without having called start_response"),
        (does(answer=[]), "without having called start_response"),
        (does(("200 OK", []), ("200 OK", [])), "start_response was called a second time"),
        (does((200, [])), "the status of a WSGI answer is a str such as '200 OK', not 200"),
        (does((b"200 OK", [])), "the status of a WSGI answer is a str"),
        (does(("OK", [])), "is three digits and a reason, not 'OK'"),
        (does(("2000 OK", [])), "is three digits and a reason"),
        (does(("101 Switching", [])), "101 is no final status"),
        (does(("999 What", [])), "999 is no final status"),
        (does(("200 OK", [("x", 1)])), "a header field of a WSGI answer is two str"),
        (does(("200 OK", [(b"x", b"1")])), "a header field of a WSGI answer is two str"),
        (does(("200 OK", [("x", "\u20ac")])), "a header field of a WSGI answer is two str of latin-1"),
        (does(("200 OK", ["x: 1"])), "a header field of a WSGI answer is two str"),
        (does(("200 OK", [("x", "1\r\ny: 2")])), "has a line break"),
        (does(("200 OK", [("x y", "1")])), "is not the name of a header field"),
        (does(("200 OK", [("Content-Length", "5")])), "body has 2 bytes, its Content-Length is 5"),
        (does(("200 OK", []), answer=["text"]), "a WSGI answer is made of bytes, not 'text'"),
        (does(("200 OK", []), answer="text"), "a WSGI answer is made of bytes, not 't'"),
        (does(("200 OK", []), answer=[5]), "a WSGI answer is made of bytes, not 5"),
        (does(("200 OK", []), answer=None), "'NoneType' object is not iterable"),
        (does(answer=5), "'int' object is not iterable"),
        (lambda: None, "takes 0 positional arguments"),
        (lambda environ, start_response: 1 / 0, "ZeroDivisionError"),
        (lambda environ, start_response: sys.exit("bye"), "SystemExit: bye"),
    ],
)
def test_mistakes_before_anything_is_sent_are_a_500(listen: Any, caplog: Any, app: Any, words: str) -> None:
    server = listen(WSGIHost(app))
    for _ in range(2):
        answer = server.connect().send(GET).answer()
        assert (answer.status, answer.body) == (500, b"Internal Server Error")
    server.until(lambda: words in caplog.text)


@pytest.mark.parametrize(
    ("pieces", "length", "words"),
    [
        ([b"x" * 100_000, 5], None, "a WSGI answer is made of bytes, not 5"),
        ([b"x" * 100_000], "100001", "1 bytes shorter than its Content-Length"),
        ([b"x" * 100_000, b"x"], "100000", "longer than its Content-Length"),
    ],
)
def test_mistakes_in_the_middle_cut_the_answer(
    listen: Any, caplog: Any, pieces: Any, length: str | None, words: str
) -> None:
    headers = [("Content-Length", length)] if length else []
    server = listen(WSGIHost(app_of(lambda environ: iter(pieces), headers=headers)))
    assert not _rest(server.connect().send(GET)).endswith(b"0\r\n\r\n")
    server.until(lambda: words in caplog.text)


# --- Threads ---


def test_threads_are_bounded(listen: Any) -> None:
    gate = threading.Barrier(3, timeout=20)
    most = now = 0
    lock = threading.Lock()

    def app(environ: Any, start_response: Any) -> Any:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        gate.wait()
        with lock:
            now -= 1
        start_response("200 OK", [])
        return [b"ok"]

    server = listen(WSGIHost(app, threads=3))
    clients = [server.connect().send(GET) for _ in range(9)]
    assert [client.answer().body for client in clients] == [b"ok"] * 9
    assert most == 3


def test_context_variables_do_not_leak(listen: Any) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")

    def app(environ: Any, start_response: Any) -> Any:
        found = variable.get()
        variable.set(environ["PATH_INFO"])
        start_response("200 OK", [])

        def pieces() -> Iterator[bytes]:
            yield f"{found} {variable.get()}".encode()

        return pieces()

    client = listen(WSGIHost(app, threads=1)).connect()
    for path in (b"/a", b"/b"):
        answer = client.send(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n").answer()
        assert answer.body == b"none " + path


# --- Frameworks, and a process ---


def test_flask(listen: Any, tmp_path: Path) -> None:
    import flask

    (tmp_path / "file.txt").write_bytes(b"0123456789" * 1000)
    app = flask.Flask("app")

    @app.post("/echo/<name>")
    def echoes(name: str) -> Any:
        return {"name": name, "json": flask.request.get_json(), "url": flask.request.url}

    @app.get("/file")
    def file() -> Any:
        return flask.send_file(tmp_path / "file.txt", conditional=True)

    @app.get("/stream")
    def stream() -> Any:
        return flask.Response((f"{number}\n" for number in range(3)), mimetype="text/plain")

    @app.post("/form")
    def form() -> Any:
        return {**flask.request.form, "file": flask.request.files["file"].read().decode()}

    server = listen(WSGIHost(app, root_path="/api"))
    client = server.connect()
    body = b'{"a": 1}'
    client.send(
        b"POST /echo/caf%%C3%%A9?x HTTP/1.1\r\nHost: example.org\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    answer = client.answer()
    assert answer.status == 200, answer.body
    assert flask.json.loads(answer.body) == {
        "name": "café",
        "json": {"a": 1},
        "url": "http://example.org/api/echo/café?x",
    }
    assert client.send(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n").answer().body == b"0123456789" * 1000
    answer = client.send(b"GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=5-14\r\n\r\n").answer()
    assert (answer.status, answer.body) == (206, b"5678901234")
    assert client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").answer().body == b"0\n1\n2\n"
    form_data = (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n%b\r\n--b--\r\n'
        % (b"x" * 70000)
    )
    client.send(
        b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(form_data), form_data)
    )
    assert flask.json.loads(client.answer().body) == {"a": "1", "file": "x" * 70000}


APP = """
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["SCRIPT_NAME"].encode(), b" ", environ["PATH_INFO"].encode()]
def make():
    return app
"""


def test_served(serve: Any, app_dir: Path) -> None:
    (app_dir / "other.py").write_text(APP)
    server = serve(app="other:app", root_path="/api", threads=2).ready()
    assert server.get("/x") == "/api /x"
    assert server.stop() == 0
    server = serve(app="other:make", factory=True, workers=2).ready()
    assert server.get("/x") == " /x"
    assert "wsgi app" in server.err
    assert server.stop() == 0
