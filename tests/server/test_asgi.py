"""ASGI apps that are not ours, through real sockets: extensions, apps that make mistakes, the lifespan."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fastweb.server.asgi import ASGIHost, LifespanProtocol
from fastweb.server.config import Config, StartupError
from fastweb.server.worker import Server

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
END = {"type": "http.response.body", "body": b"ok"}


def says(*messages: dict[str, Any]) -> Any:
    """An app that sends these messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def body(data: Any, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def start(*headers: Any, status: Any = 200, **values: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **values}


# --- The scope ---


def test_the_scope(listen: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send(START)
        await send(END)

    server = listen(ASGIHost(app, root_path="/api"))
    server.connect().send(b"GET /caf%C3%A9?q=1 HTTP/1.1\r\nHost: a\r\n\r\n").answer()
    scope = seen[0]
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/api", "/api/café", b"/api/caf%C3%A9")
    assert (scope["type"], scope["scheme"], scope["query_string"]) == ("http", "http", b"q=1")
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.3"}
    assert set(scope["extensions"]) == {
        "http.response.pathsend",
        "http.response.early_hint",
        "http.response.trailers",
        "http.response.zerocopysend",
    }


def test_what_one_request_puts_into_its_scope_the_next_does_not_see(listen: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((dict(scope["state"]), dict(scope["extensions"]), dict(scope["asgi"])))
        for name in ("state", "extensions", "asgi"):
            scope[name]["mine"] = 1
        await send(START)
        await send(END)

    client = listen(ASGIHost(app)).connect()
    for _ in range(2):
        client.send(GET).answer()
    assert seen[0] == seen[1]


async def function(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(END)


class Instance:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await function(scope, receive, send)


class Awaited:
    """A class whose instances are awaited."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.arguments = scope, receive, send

    def __await__(self) -> Any:
        return function(*self.arguments).__await__()


def returns_a_coroutine(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    return function(scope, receive, send)


def returns_a_task(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    return asyncio.ensure_future(function(scope, receive, send))


@pytest.mark.parametrize("app", [function, Instance(), Awaited, returns_a_coroutine, returns_a_task])
def test_what_an_app_may_be(listen: Any, app: Any) -> None:
    client = listen(ASGIHost(app)).connect()
    for _ in range(2):
        assert client.send(GET).answer().body == b"ok"


# --- Answers ---


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([START, END], b"ok"),
        ([START, body(bytearray(b"ok"))], b"ok"),
        ([START, body(memoryview(b"ok"))], b"ok"),
        ([START, {"type": "http.response.body"}], b""),
        ([{"type": "http.response.start", "status": 200}, END], b"ok"),
        ([start([b"X-List", b"1"], (bytearray(b"x-array"), memoryview(b"2"))), END], b"ok"),
        ([START, body(b"a", True), body(b"", True), body(b"b", True), body(b"c")], b"abc"),
        ([start((b"content-length", b"3")), body(b"a", True), body(b"bc")], b"abc"),
        ([start((b"content-length", b"3")), body(b"abc", True), body(b"")], b"abc"),
    ],
)
def test_answers(listen: Any, messages: Any, expected: bytes) -> None:
    client = listen(ASGIHost(says(*messages))).connect()
    for _ in range(2):
        assert client.send(GET).answer().body == expected


def test_the_head_does_not_wait_for_an_app_that_waits(listen: Any) -> None:
    go: list[asyncio.Event] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        go.append(asyncio.Event())
        await send(START)
        await go[-1].wait()
        await send(END)

    server = listen(ASGIHost(app))
    client = server.connect().send(GET)
    head = client.interim()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    server.call(go[0].set)
    assert client._until(b"0\r\n\r\n") == b"2\r\nok\r\n"


def test_after_its_answer_an_app_goes_on(listen: Any) -> None:
    after: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive()) == {"type": "http.request", "body": b"", "more_body": False}
        await send(START)
        await send(END)
        after.append(await receive())
        await asyncio.sleep(0)
        after.append("background")

    server = listen(ASGIHost(app))
    client = server.connect()
    for count in (1, 2):
        assert client.send(GET).answer().body == b"ok"
        server.until(lambda count=count: len(after) == 2 * count)
    assert after == [{"type": "http.disconnect"}, "background"] * 2


# --- Clients that leave ---


def test_an_app_that_waits_hears_at_once_that_its_client_has_left(listen: Any) -> None:
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        heard.append(None)
        heard.append(await receive())
        await send(START)  # nothing comes of it, and nothing is wrong with it
        await send(END)
        heard.append(await receive())

    server = listen(ASGIHost(app))
    client = server.connect().send(GET)
    server.until(lambda: heard)
    client.close()
    server.until(lambda: len(heard) == 3)
    assert heard == [None, {"type": "http.disconnect"}, {"type": "http.disconnect"}]


def test_an_app_that_sends_for_ever_stops_nobody_else(listen: Any) -> None:
    sent = 0
    stop = False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        if scope["path"] == "/forever":
            await send(START)
            while not stop:
                await send(body(b"x", True))
                sent += 1
            return
        await send(START)
        await send(END)

    server = listen(ASGIHost(app))
    client = server.connect().send(b"GET /forever HTTP/1.1\r\nHost: a\r\n\r\n")
    client.interim()
    client.close()
    before = sent
    server.until(lambda: sent > before + 1000)
    assert server.connect().send(GET).answer().body == b"ok"
    stop = True


def test_one_that_closed_its_own_side_is_answered(listen: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.sleep(0.02)
        await send(START)
        await send(body(b"a", True))
        await asyncio.sleep(0.02)
        await send(body(b"b"))

    answer = listen(ASGIHost(app)).ask(GET, half_close=True)
    assert answer.endswith(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"5\r\nhello\r\n", 413),
        (b"2\r\nhello", 400),
    ],
)
def test_a_body_that_is_refused(listen: Any, sent: bytes, status: int) -> None:
    """It is gone for the app, and the client is told why."""
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            heard.append("piece")
        heard.append(message["type"])
        await send(START)
        await send(END)

    server = listen(ASGIHost(app), body_size=4)
    client = server.connect().send(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    )
    server.until(lambda: heard)
    client.send(sent)
    assert client.answer().status == status
    server.until(lambda: "http.disconnect" in heard)


# --- Extensions ---


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 10000)
    return path


@pytest.mark.parametrize("length", [True, False])
def test_pathsend(listen: Any, file: Path, length: bool) -> None:
    fields = [(b"content-length", b"100000")] if length else []
    client = listen(
        ASGIHost(says(start(*fields), {"type": "http.response.pathsend", "path": str(file)}))
    ).connect()
    for _ in range(2):
        answer = client.send(GET).answer()
        assert answer.headers["content-length"] == "100000"
        assert answer.body == file.read_bytes()
    answer = client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer("HEAD")
    assert (answer.headers["content-length"], answer.body) == ("100000", b"")


def test_pathsend_of_what_is_not_there(listen: Any, tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        with pytest.raises(FileNotFoundError):
            await send({"type": "http.response.pathsend", "path": str(tmp_path / "none")})
        await send(body(b"none"))

    assert listen(ASGIHost(app)).connect().send(GET).answer().body == b"none"


def test_zerocopysend(listen: Any, file: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with open(file, "rb") as opened:  # noqa: ASYNC230
            await send(START)
            piece: dict[str, Any] = {"type": "http.response.zerocopysend", "file": opened, "more_body": True}
            await send({**piece, "offset": 95, "count": 10})
            await send(body(b"-", True))
            opened.seek(99990)
            await send({**piece, "count": 3})
            await send({**piece, "more_body": False})

    assert listen(ASGIHost(app)).connect().send(GET).answer().body == b"5678901234-0123456789"


def test_early_hints(listen: Any) -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]}
    client = listen(ASGIHost(says(hint, START, END))).connect().send(GET)
    assert client.interim() == (
        b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload"
    )
    assert client.answer().body == b"ok"


def test_trailers(listen: Any) -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"X-Sum", b"1")], "more_trailers": True}
    last = {"type": "http.response.trailers", "headers": [[b"x-end", b"2"]]}
    app = says(start((b"trailer", b"x-sum, x-end"), trailers=True), END, trailers, last)
    client = listen(ASGIHost(app)).connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, te\r\n\r\n")
    assert client.rest().endswith(b"2\r\nok\r\n0\r\nx-sum: 1\r\nx-end: 2\r\n\r\n")


# --- Apps that make mistakes: a line in the log, and the worker lives ---


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "did not complete its answer"),
        ([START], "did not complete its answer"),
        ([END], "expected the ASGI message 'http.response.start', got 'http.response.body'"),
        ([START, START, END], "the answer has been started already"),
        ([start(("content-type", "text/plain")), END], "a header field is two byte strings, not ('content-"),
        ([start((b"x", 5)), END], "a header field is two byte strings"),
        ([start(b"xyz"), END], "a header field is two byte strings"),
        ([start((b"x y", b"1")), END], "is not the name of a header field"),
        ([start((b"x", b"1\r\ny: 2")), END], "has a line break"),
        ([start((b"content-length", b"-1")), END], "Content-Length is one number"),
        ([start((b"content-length", b"2"), (b"content-length", b"2")), END], "Content-Length is one number"),
        ([start(status="200"), END], "the status of an answer is an integer, not '200'"),
        ([start(status=True), END], "the status of an answer is an integer"),
        ([start(status=99), END], "99 is no final status"),
        ([start(status=101), END], "101 is no final status"),
        ([start(status=10**30), END], "is no final status"),
        ([START, body("text")], "expected a byte string, got 'text'"),
        ([START, body(10**9)], "expected a byte string, got 1000000000"),
        ([START, body(None)], "expected a byte string, got None"),
        ([{"type": "http.response.nonsense"}], "an answer has no ASGI message 'http.response.nonsense'"),
        ([{"type": "websocket.accept"}], "an answer has no ASGI message 'websocket.accept'"),
        ([{"status": 200}], "KeyError: 'type'"),
        ([{"type": "http.response.start"}], "KeyError: 'status'"),
        ([None], "TypeError"),
        ([start((b"content-length", b"5")), END], "body has 2 bytes, its Content-Length is 5"),
        ([START, {"type": "http.response.trailers", "headers": []}], "'http.response.trailers' was sent"),
        (
            [{"type": "http.response.pathsend", "path": "/"}],
            "expected the ASGI message 'http.response.start'",
        ),
    ],
)
def test_mistakes_before_anything_is_sent_are_a_500(
    listen: Any, caplog: pytest.LogCaptureFixture, messages: Any, words: str
) -> None:
    server = listen(ASGIHost(says(*messages)))
    for _ in range(2):
        answer = server.connect().send(GET).answer()
        assert (answer.status, answer.body) == (500, b"Internal Server Error")
    server.until(lambda: words in caplog.text)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([START, body(b"a", True)], "did not complete its answer"),
        ([START, body(b"a", True), START], "the answer has been started already"),
        ([START, body(b"a", True), body("b")], "expected a byte string"),
        (
            [start((b"content-length", b"5")), body(b"a", True), END],
            "2 bytes shorter than its",
        ),
        ([start((b"content-length", b"2")), body(b"a", True), END], "longer than its Content-Length"),
        ([start(trailers=True), END], "did not complete its answer"),
    ],
)
def test_mistakes_in_the_middle_cut_the_answer(
    listen: Any, caplog: pytest.LogCaptureFixture, messages: Any, words: str
) -> None:
    server = listen(ASGIHost(says(*messages)))
    client = server.connect().send(GET)
    try:
        got = client.rest()
    except ConnectionResetError:
        got = b""
    assert not got.endswith(b"0\r\n\r\n")
    server.until(lambda: words in caplog.text)
    assert server.connect().send(GET).interim().startswith(b"HTTP/1.1 200 ")


def test_what_is_sent_after_the_end_is_a_line_in_the_log(
    listen: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = listen(ASGIHost(says(START, END, END)))
    client = server.connect()
    for _ in range(2):
        assert client.send(GET).answer().body == b"ok"
    server.until(lambda: caplog.text.count("was sent after the answer was complete") == 2)


# Made by the test: an exception that outlives it would hold what its traceback leads to.
@pytest.mark.parametrize(
    "make", [ValueError, asyncio.CancelledError, lambda: BaseExceptionGroup("g", [ValueError()])]
)
@pytest.mark.parametrize("late", [False, True])
def test_an_app_that_raises(
    listen: Any, caplog: pytest.LogCaptureFixture, make: Callable[[], BaseException], late: bool
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if late:
            await asyncio.sleep(0)
        raise make()

    server = listen(ASGIHost(app))
    assert server.connect().send(GET).answer().status == 500
    server.until(lambda: "Exception in the app, answering GET '/'" in caplog.text)


def test_an_app_that_is_not_awaitable(listen: Any, caplog: pytest.LogCaptureFixture) -> None:
    app: Any = lambda scope, receive, send: 5  # noqa: E731
    server = listen(ASGIHost(app))
    assert server.connect().send(GET).answer().status == 500
    assert "an ASGI app returns an awaitable when it is called; this one returned 5" in caplog.text


# --- The lifespan ---


async def with_lifespan(app: Any, mode: str = "auto") -> Any:
    host = ASGIHost(app, lifespan=mode)
    async with host.lifespan():
        return dict(host._state)


def in_lifespan(behaviour: Callable[..., Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
        await behaviour(scope, receive, send)

    return app


def test_startup_and_shutdown() -> None:
    order: list[str] = []

    @in_lifespan
    async def app(scope: Any, receive: Any, send: Any) -> None:
        order.append((await receive())["type"])
        scope["state"]["database"] = 1
        await send({"type": "lifespan.startup.complete"})
        order.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    assert asyncio.run(with_lifespan(app)) == {"database": 1}
    assert order == ["lifespan.startup", "lifespan.shutdown"]


def test_the_state_is_copied_into_each_scope(listen: Any) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["shared"] = []
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        seen.append(scope["state"])
        scope["state"]["mine"] = 1
        await send(START)
        await send(END)

    host = ASGIHost(app)
    server = listen(host)
    manager = host.lifespan()
    server.wait(manager.__aenter__())
    client = server.connect()
    client.send(GET).answer()
    client.send(GET).answer()
    server.wait(manager.__aexit__(None, None, None))
    assert seen[0] is not seen[1]
    assert seen[0]["shared"] is seen[1]["shared"]


def test_an_app_without_lifespan(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(f"no {scope['type']} here")

    async def returns(scope: Any, receive: Any, send: Any) -> None:
        return

    with caplog.at_level(logging.INFO, "fastweb.server"):
        assert asyncio.run(with_lifespan(app)) == {}
    assert "The app has no lifespan (AssertionError: no lifespan here)" in caplog.text
    assert asyncio.run(with_lifespan(returns)) == {}
    assert asyncio.run(with_lifespan(app, "off")) == {}
    with pytest.raises(AssertionError, match="no lifespan here"):
        asyncio.run(with_lifespan(app, "on"))


@pytest.mark.parametrize(
    ("said", "message", "details"),
    [
        ({}, "the app's start-up failed", ""),
        ({"message": "no database"}, "the app's start-up failed: no database", ""),
        ({"message": "Traceback:\n  x\nError"}, "the app's start-up failed", "Traceback:\n  x\nError\n"),
    ],
)
@pytest.mark.parametrize("raises", [False, True])
def test_a_startup_that_fails(said: Any, message: str, details: str, raises: bool) -> None:
    @in_lifespan
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", **said})
        if raises:  # as Starlette does
            raise ValueError("no database")

    with pytest.raises(StartupError) as caught:
        asyncio.run(with_lifespan(app))
    assert (caught.value.message, caught.value.details, caught.value.exit_code) == (message, details, 3)


def test_a_shutdown_that_fails() -> None:
    @in_lifespan
    async def says_so(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "no farewell"})

    @in_lifespan
    async def raises(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ValueError("no farewell")

    with pytest.raises(StartupError, match="the app's shut-down failed: no farewell"):
        asyncio.run(with_lifespan(says_so))
    with pytest.raises(ValueError, match="no farewell"):
        asyncio.run(with_lifespan(raises))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("lifespan.shutdown.complete", "out of turn"),
        ("lifespan.startup.perhaps", "no ASGI message"),
        ("http.response.start", "no ASGI message"),
    ],
)
def test_a_lifespan_in_the_wrong_order(message: str, words: str) -> None:
    @in_lifespan
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": message})

    with pytest.raises(RuntimeError, match=words):
        asyncio.run(with_lifespan(app, "on"))


def test_an_app_that_does_not_end_its_lifespan_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastweb.server.asgi._END_TIMEOUT", 0.01)
    ended: list[str] = []

    @in_lifespan
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        try:
            await receive()
        finally:
            ended.append("ended")

    asyncio.run(with_lifespan(app))
    assert ended == ["ended"]


def test_a_startup_that_is_given_up_is_cancelled() -> None:
    began = asyncio.Event()
    ended: list[str] = []

    @in_lifespan
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            began.set()
            await asyncio.sleep(60)
        finally:
            ended.append("ended")

    async def main() -> None:
        task = asyncio.create_task(LifespanProtocol(app).startup())
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    assert ended == ["ended"]


# --- As a process ---

APP = """
import os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        if os.environ.get("APP_FAILS"):
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await receive()
        open("notes", "a").write("down\\n")
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
"""


def test_served(serve: Any, app_dir: Path) -> None:
    (app_dir / "other.py").write_text(APP)
    server = serve(app="other:app", root_path="/api").ready()
    assert server.get("/x") == "/api/x"
    assert "asgi app" in server.err
    assert server.stop() == 0
    assert server.notes == ["down"]
    server = serve({"APP_FAILS": "1"}, app="other")
    assert server.wait() == 3
    assert server.err == "Error: the app's start-up failed: no database\n"


def test_server_takes_any_app() -> None:
    """In a loop of the user's own, too."""

    async def main() -> None:
        up = asyncio.Event()
        config = Config(app=function, port=0, access_log=False)
        server = Server(function, config, on_started=lambda _: up.set())
        serving = asyncio.create_task(server.serve())
        await up.wait()
        port = int(server.addresses[0].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await reader.read()).endswith(b"\r\n\r\nok")
        writer.close()
        server.stop()
        await serving

    asyncio.run(main())
