from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from fastweb import BackgroundTasks, FastWeb, HTTPException, Request, Response
from fastweb.background import BackgroundTask
from fastweb.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from fastweb.middleware.wsgi import WSGIMiddleware
from fastweb.responses import PlainTextResponse, StreamingResponse
from fastweb.testclient import TestClient
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}
VAR: ContextVar[str] = ContextVar("VAR", default="unset")


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return functools.partial(anyio.run, backend=request.param)


def make_app() -> FastWeb:
    app = FastWeb()

    @app.get("/")
    async def home() -> str:
        return VAR.get()

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body())

    @app.post("/pieces")
    async def pieces(request: Request) -> list[str]:
        return [piece.decode() async for piece in request.stream()]

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def numbers() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d" % number

        return StreamingResponse(numbers())

    @app.get("/broken")
    async def broken() -> StreamingResponse:
        async def numbers() -> AsyncIterator[bytes]:
            yield b"half"
            raise ValueError("no more")

        return StreamingResponse(numbers())

    @app.get("/gone")
    async def gone() -> None:
        raise HTTPException(410)

    @app.get("/boom")
    async def boom() -> None:
        raise LookupError("boom")

    return app


async def passthrough(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


def client_of(dispatch: Any, app: ASGIApp | None = None, **options: Any) -> TestClient:
    return TestClient(BaseHTTPMiddleware(app or make_app(), dispatch=dispatch), **options)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/", None, 200, '"unset"'),
        ("POST", "/echo", b"abc", 200, "abc"),
        ("POST", "/pieces", b"abc", 200, '["abc",""]'),
        ("GET", "/stream", None, 200, "012"),
        ("GET", "/gone", None, 410, '{"detail":"Gone"}'),
        ("GET", "/nowhere", None, 404, '{"detail":"Not Found"}'),
    ],
)
def test_what_comes_next_is_as_it_was(
    layers: int, method: str, path: str, body: bytes | None, status: int, text: str
) -> None:
    app: ASGIApp = make_app()
    for _ in range(layers):
        app = BaseHTTPMiddleware(app, dispatch=passthrough)
    answer = TestClient(app).request(method, path, content=body)
    assert (answer.status_code, answer.text) == (status, text)


def test_dispatch_of_a_subclass_sees_request_and_response() -> None:
    class Timed(BaseHTTPMiddleware):
        def __init__(self, app: ASGIApp, header: str) -> None:
            super().__init__(app)
            self.header = header

        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            request.state.asked = request.url.path
            response = await call_next(request)
            response.headers[self.header] = request.state.asked
            response.status_code = 201
            return response

    answer = TestClient(Timed(make_app(), header="X-Path")).get("/")
    assert (answer.status_code, answer.headers["x-path"]) == (201, "/")


def test_a_subclass_without_dispatch_says_so() -> None:
    class Empty(BaseHTTPMiddleware):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no dispatch"):
        TestClient(Empty(make_app())).get("/")


def test_another_answer_takes_the_place() -> None:
    async def replace(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await call_next(request)
        return PlainTextResponse("mine", status_code=203)

    async def refuse(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return PlainTextResponse("no", status_code=403)

    for path in ("/", "/stream", "/gone"):
        assert client_of(replace).get(path).text == "mine"
    assert client_of(refuse).get("/boom").status_code == 403


def test_errors_of_the_app_can_be_caught() -> None:
    async def catch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            return await call_next(request)
        except LookupError as error:
            return PlainTextResponse(repr(error), status_code=418)

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("k")

    assert client_of(catch, asgi).get("/").text == "KeyError('k')"


def test_an_app_that_says_nothing_is_an_error() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None: ...

    with pytest.raises(RuntimeError, match="No response returned"):
        client_of(passthrough, silent).get("/")


def test_a_stream_that_breaks_off_has_no_end() -> None:
    """Half an answer must not look like a whole one."""
    sent: list[Message] = []

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("no more")

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def main() -> None:
        with pytest.raises(ValueError, match="no more"):
            await BaseHTTPMiddleware(asgi, dispatch=passthrough)(dict(SCOPE), receive, send)

    anyio.run(main)
    assert sent[-1] == {"type": "http.response.body", "body": b"half", "more_body": True}
    with pytest.raises(ValueError, match="no more"):
        client_of(passthrough).get("/broken")


@pytest.mark.parametrize("path", ["/echo", "/pieces"])
def test_a_body_read_before_is_read_again(path: str) -> None:
    seen = []

    async def read(request: Request, call_next: RequestResponseEndpoint) -> Response:
        seen.append(await request.body())
        response = await call_next(request)
        seen.append(await request.body())
        return response

    answer = client_of(read).post(path, content=b"abc")
    assert (answer.text, seen) == ("abc" if path == "/echo" else '["abc",""]', [b"abc", b"abc"])


def test_a_body_streamed_before_is_gone() -> None:
    async def consume(request: Request, call_next: RequestResponseEndpoint) -> Response:
        assert b"".join([piece async for piece in request.stream()]) == b"abc"
        return await call_next(request)

    assert client_of(consume).post("/echo", content=b"abc").content == b""


def test_a_body_that_the_app_read_cannot_be_streamed_after() -> None:
    async def late(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        with pytest.raises(RuntimeError, match="Stream consumed"):
            await request.body()
        return response

    assert client_of(late).post("/echo", content=b"abc").content == b"abc"


def test_a_large_body_goes_through_in_pieces(run: Callable[..., Any]) -> None:
    pieces = [b"a" * 1000] * 500
    held = []

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        count = 0
        while True:
            message = await receive()
            count += len(message["body"])
            held.append(len(message["body"]))
            if not message["more_body"]:
                break
        await PlainTextResponse(str(count))(scope, receive, send)

    coming = iter(pieces)

    async def receive() -> Message:
        piece = next(coming, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    run(BaseHTTPMiddleware(asgi, dispatch=passthrough), dict(SCOPE), receive, send)
    assert sent[1]["body"] == b"500000"
    assert max(held) == 1000


def test_context_variables_go_in() -> None:
    async def set_it(request: Request, call_next: RequestResponseEndpoint) -> Response:
        VAR.set("middleware's")
        return await call_next(request)

    assert client_of(set_it).get("/").json() == "middleware's"


def test_background_tasks_run_after_the_answer_and_hold_nothing_up() -> None:
    order: list[str] = []
    app = FastWeb()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> str:
        tasks.add_task(order.append, "app's")
        return "ok"

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.background = BackgroundTask(order.append, "middleware's")
        return response

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            order.append(message["type"])
            await send(message)

        await BaseHTTPMiddleware(app, dispatch=dispatch)(scope, receive, note)

    assert TestClient(noting).get("/").json() == "ok"
    assert order[-2:] == ["middleware's", "app's"]
    assert "http.response.body" in order[:-2]


def test_an_app_whose_answer_is_dropped_hears_of_it(run: Callable[..., Any]) -> None:
    heard: list[str] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (message := await receive())["type"] != "http.disconnect":
                    pass
                heard.append(message["type"])
                group.cancel_scope.cancel()

            group.start_soon(watch)
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await anyio.lowlevel.checkpoint()

    async def drop(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await call_next(request)
        return PlainTextResponse("mine")

    sent: list[Message] = []

    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await anyio.sleep_forever()
        return messages.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    async def main() -> None:
        with anyio.fail_after(30):
            await BaseHTTPMiddleware(endless, dispatch=drop)(dict(SCOPE), receive, send)

    run(main)
    assert (heard, sent[1]["body"]) == (["http.disconnect"], b"mine")


def test_an_app_that_streams_for_nobody_is_ended(run: Callable[..., Any]) -> None:
    """It takes no notice of the disconnect."""

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def drop(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await call_next(request)
        return PlainTextResponse("mine")

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    run(BaseHTTPMiddleware(endless, dispatch=drop), dict(SCOPE), receive, send)
    assert sent[1]["body"] == b"mine"


def test_a_dropped_answer_s_background_tasks_run() -> None:
    done: list[int] = []
    app = FastWeb()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> str:
        tasks.add_task(done.append, 1)
        return "ok"

    async def drop(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await call_next(request)
        return PlainTextResponse("mine")

    assert client_of(drop, app).get("/").text == "mine"
    assert done == [1]


@pytest.mark.parametrize("gone", ["send", "cancel"])
def test_an_app_in_a_thread_does_not_outlive_its_client(run: Callable[..., Any], gone: str) -> None:
    """A thread cannot be cancelled: what it sends has to fail."""
    ended = []

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x"
        finally:
            ended.append(True)

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def main() -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                if gone == "send":
                    raise OSError("the client is gone")
                limit.cancel()
                await anyio.sleep_forever()

        app = BaseHTTPMiddleware(WSGIMiddleware(wsgi), dispatch=passthrough)
        scope = {**SCOPE, "http_version": "1.1", "query_string": b""}
        with anyio.CancelScope() as limit:
            with contextlib.suppress(OSError):
                await app(scope, receive, send)
        assert limit.cancelled_caught is (gone == "cancel")

    run(main)
    assert ended == [True]


def test_a_client_that_goes_away_ends_both(run: Callable[..., Any]) -> None:
    ended: list[str] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        raise AssertionError

    async def main() -> None:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                gone.cancel()
                await anyio.sleep_forever()
            finally:
                ended.append("app")

        with anyio.CancelScope() as gone:
            await BaseHTTPMiddleware(slow, dispatch=passthrough)(dict(SCOPE), receive, send)

    run(main)
    assert ended == ["app"]


def test_timeouts_around_call_next_stop_the_app() -> None:
    async def hurry(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            async with asyncio.timeout(0.01):
                return await call_next(request)
        except TimeoutError:
            return PlainTextResponse("too slow", status_code=504)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.CancelScope():
            await receive()
            message = await receive()
        assert message["type"] == "http.disconnect"

    assert client_of(hurry, slow).get("/").status_code == 504


def test_websockets_and_lifespans_pass_by() -> None:
    seen = []

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def never(*_: Any) -> Any:
        raise AssertionError

    async def main() -> None:
        for kind in ("websocket", "lifespan"):
            await BaseHTTPMiddleware(asgi, dispatch=never)({"type": kind}, never, never)

    anyio.run(main)
    assert seen == ["websocket", "lifespan"]
