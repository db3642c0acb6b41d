from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Literal

import anyio
import pytest
import uvicorn
import websockets.exceptions
import websockets.sync.client
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from fastweb import concurrency
from fastweb.concurrency import is_async_callable, run_in_threadpool, thread_pool
from fastweb.responses import PlainTextResponse, StreamingResponse
from fastweb.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from fastweb.types import ASGIApp, Message, Receive, Scope, Send
from fastweb.websockets import (
    BlockingWebSocket,
    WebSocket,
    WebSocketClose,
    WebSocketDisconnect,
    WebSocketDisconnected,
    WebSocketState,
    run_blocking_endpoint,
)

Backend = Literal["asyncio", "trio"]
Handler = Callable[[Any], Any]

CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}
START: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}
BODY: Message = {"type": "websocket.http.response.body", "body": b""}
TEXT: Message = {"type": "websocket.send", "text": "a"}
CLOSE: Message = {"type": "websocket.close"}
RECEIVE: Message = {"type": "websocket.receive", "text": "a"}
DISCONNECT: Message = {"type": "websocket.disconnect", "code": 1001, "reason": "bye"}


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> Backend:
    name: Backend = request.param
    return name


def serving(handler: Handler) -> ASGIApp:
    """An app with one endpoint, async or plain."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        websocket = WebSocket(scope, receive, send)
        if is_async_callable(handler):
            await handler(websocket)
        else:
            await run_blocking_endpoint(websocket, handler, websocket)

    return app


def connect(
    handler: Handler, backend: Backend = "asyncio", url: str = "/", **options: Any
) -> WebSocketTestSession:
    return TestClient(serving(handler), backend=backend).websocket_connect(url, **options)


class Script:
    """A server that has some messages, and notes what is sent."""

    def __init__(self, *messages: Message, **scope: Any) -> None:
        self.messages = list(messages)
        self.sent: list[Message] = []
        self.websocket = WebSocket({"type": "websocket", "path": "/", **scope}, self.receive, self.send)

    async def receive(self) -> Message:
        return self.messages.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def run(self, call: Callable[[WebSocket], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            return await call(self.websocket)

        return asyncio.run(main())


# The states


@pytest.mark.parametrize(
    ("sent", "wrong", "error", "text"),
    [
        (
            [],
            TEXT,
            RuntimeError,
            'Expected ASGI message "websocket.accept", "websocket.close" or "websocket.http.response.start",'
            " but got 'websocket.send'",
        ),
        ([], BODY, RuntimeError, "but got 'websocket.http.response.body'"),
        (
            [ACCEPT],
            ACCEPT,
            RuntimeError,
            'Expected ASGI message "websocket.send" or "websocket.close", but got \'websocket.accept\'',
        ),
        ([ACCEPT, TEXT], START, RuntimeError, "but got 'websocket.http.response.start'"),
        (
            [ACCEPT, CLOSE],
            TEXT,
            WebSocketDisconnected,
            'Cannot call "send" once a close message has been sent.',
        ),
        ([CLOSE], CLOSE, WebSocketDisconnected, 'Cannot call "send" once a close message has been sent.'),
        (
            [START],
            START,
            RuntimeError,
            "Expected ASGI message \"websocket.http.response.body\", but got 'websocket.http.response.start'",
        ),
        ([START, {**BODY, "more_body": True}], CLOSE, RuntimeError, "but got 'websocket.close'"),
        ([START, BODY], BODY, WebSocketDisconnected, 'Cannot call "send"'),
    ],
)
def test_what_may_not_be_sent(sent: list[Message], wrong: Message, error: type[Exception], text: str) -> None:
    script = Script()

    async def call(websocket: WebSocket) -> None:
        for message in sent:
            await websocket.send(message)
        with pytest.raises(error) as caught:
            await websocket.send(wrong)
        assert text in str(caught.value)

    script.run(call)
    assert script.sent == sent


@pytest.mark.parametrize(
    ("received", "wrong", "error", "text"),
    [
        (
            [],
            RECEIVE,
            RuntimeError,
            "Expected ASGI message \"websocket.connect\", but got 'websocket.receive'",
        ),
        (
            [CONNECT],
            CONNECT,
            RuntimeError,
            'Expected ASGI message "websocket.receive" or "websocket.disconnect",'
            " but got 'websocket.connect'",
        ),
        (
            [CONNECT, RECEIVE, DISCONNECT],
            DISCONNECT,
            WebSocketDisconnected,
            'Cannot call "receive" once a disconnect message has been received.',
        ),
    ],
)
def test_what_may_not_be_received(
    received: list[Message], wrong: Message, error: type[Exception], text: str
) -> None:
    script = Script(*received, wrong)

    async def call(websocket: WebSocket) -> None:
        for message in received:
            assert await websocket.receive() == message
        with pytest.raises(error) as caught:
            await websocket.receive()
        assert str(caught.value) == text

    script.run(call)


def test_the_states_of_both_sides() -> None:
    seen: list[tuple[WebSocketState, WebSocketState]] = []
    script = Script(CONNECT, DISCONNECT)

    async def call(websocket: WebSocket) -> None:
        def note() -> None:
            seen.append((websocket.client_state, websocket.application_state))

        note()
        await websocket.accept()
        note()
        await websocket.receive()
        note()
        await websocket.close()
        note()

    script.run(call)
    assert [(client.name, app.name) for client, app in seen] == [
        ("CONNECTING", "CONNECTING"),
        ("CONNECTED", "CONNECTED"),
        ("DISCONNECTED", "CONNECTED"),
        ("DISCONNECTED", "DISCONNECTED"),
    ]


@pytest.mark.parametrize("method", ["receive_text", "receive_bytes", "receive_json"])
def test_nothing_is_received_before_it_is_accepted(method: str) -> None:
    script = Script(CONNECT, RECEIVE)
    with pytest.raises(WebSocketDisconnected, match='Need to call "accept" first'):
        script.run(lambda websocket: getattr(websocket, method)())
    assert len(script.messages) == 2


@pytest.mark.parametrize("method", ["receive_text", "receive_bytes", "receive_json"])
def test_a_client_that_leaves(method: str) -> None:
    async def call(websocket: WebSocket) -> None:
        await websocket.accept()
        await getattr(websocket, method)()

    with pytest.raises(WebSocketDisconnect) as caught:
        Script(CONNECT, DISCONNECT).run(call)
    assert (caught.value.code, caught.value.reason) == (1001, "bye")
    with pytest.raises(WebSocketDisconnect) as caught:
        Script(CONNECT, {"type": "websocket.disconnect", "code": 1006}).run(call)
    assert (caught.value.code, caught.value.reason) == (1006, "")


def test_sending_to_a_client_that_is_gone() -> None:
    async def send(message: Message) -> None:
        if message["type"] != "websocket.accept":
            raise OSError

    async def call() -> None:
        websocket = WebSocket({"type": "websocket", "path": "/"}, Script(CONNECT).receive, send)
        await websocket.accept()
        with pytest.raises(WebSocketDisconnect) as caught:
            await websocket.send_text("a")
        assert caught.value.code == 1006
        assert websocket.application_state is WebSocketState.DISCONNECTED

    asyncio.run(call())


def test_what_is_no_websocket() -> None:
    script = Script()
    with pytest.raises(AssertionError, match="does not come by 'http'"):
        WebSocket({"type": "http"}, script.receive, script.send)


@pytest.mark.parametrize("mode", ["receive", "send"])
def test_unknown_modes_of_json(mode: str) -> None:
    async def call(websocket: WebSocket) -> None:
        await websocket.accept()
        if mode == "receive":
            await websocket.receive_json(mode="csv")
        else:
            await websocket.send_json(1, mode="csv")

    with pytest.raises(RuntimeError, match='"mode" argument should be "text" or "binary"'):
        Script(CONNECT, RECEIVE).run(call)


def test_what_is_no_json() -> None:
    async def call(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_json()

    with pytest.raises(json.JSONDecodeError):
        Script(CONNECT, RECEIVE).run(call)
    with pytest.raises(TypeError, match="not JSON serializable"):
        Script(CONNECT).run(lambda websocket: websocket.send_json(object()))


# The same, async and blocking


async def async_echo(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol=(websocket["subprotocols"] or [None])[0], headers=[(b"x-a", b"1")])
    assert websocket.client_state is websocket.application_state is WebSocketState.CONNECTED
    await websocket.send_text(await websocket.receive_text())
    await websocket.send_bytes(await websocket.receive_bytes())
    await websocket.send_json(await websocket.receive_json())
    await websocket.send_json(await websocket.receive_json(mode="binary"), mode="binary")
    message = await websocket.receive()
    await websocket.send({"type": "websocket.send", "text": message["text"]})
    await websocket.close(1001, "bye")


def blocking_echo(websocket: BlockingWebSocket) -> None:
    websocket.accept(subprotocol=(websocket["subprotocols"] or [None])[0], headers=[(b"x-a", b"1")])
    assert websocket.client_state is websocket.application_state is WebSocketState.CONNECTED
    websocket.send_text(websocket.receive_text())
    websocket.send_bytes(websocket.receive_bytes())
    websocket.send_json(websocket.receive_json())
    websocket.send_json(websocket.receive_json(mode="binary"), mode="binary")
    message = websocket.receive()
    websocket.send({"type": "websocket.send", "text": message["text"]})
    websocket.close(1001, "bye")


@pytest.mark.parametrize("handler", [async_echo, blocking_echo])
def test_every_kind_of_message(handler: Handler, backend: Backend) -> None:
    with connect(handler, backend, subprotocols=["soap", "wamp"]) as session:
        assert session.accepted_subprotocol == "soap"
        assert session.extra_headers == [(b"x-a", b"1")]
        session.send_text("ä")
        assert session.receive_text() == "ä"
        session.send_bytes(b"\xff")
        assert session.receive_bytes() == b"\xff"
        session.send_json({"ä": [1, None]})
        assert session.receive() == {"type": "websocket.send", "text": '{"ä":[1,null]}'}
        session.send_json(["ä"], mode="binary")
        assert session.receive_json(mode="binary") == ["ä"]
        session.send_text("raw")
        assert session.receive_text() == "raw"
        with pytest.raises(WebSocketDisconnect) as caught:
            session.receive_text()
        assert (caught.value.code, caught.value.reason) == (1001, "bye")


async def async_iteration(websocket: WebSocket) -> None:
    await websocket.accept()
    kind = websocket.query_params["kind"]
    found = [item async for item in getattr(websocket, f"iter_{kind}")()]
    websocket.state.found += found


def blocking_iteration(websocket: BlockingWebSocket) -> None:
    websocket.accept()
    kind = websocket.query_params["kind"]
    for item in getattr(websocket, f"iter_{kind}")():
        websocket.state.found.append(item)


@pytest.mark.parametrize("handler", [async_iteration, blocking_iteration])
@pytest.mark.parametrize(
    ("kind", "items"), [("text", ["a", ""]), ("bytes", [b"a", b""]), ("json", [1, {"a": None}])]
)
def test_iteration_ends_when_the_client_leaves(
    handler: Handler, kind: str, items: list[Any], backend: Backend
) -> None:
    client = TestClient(serving(handler), backend=backend)
    found: list[Any] = []
    client.app_state["found"] = found
    with client.websocket_connect(f"/?kind={kind}") as session:
        for item in items:
            getattr(session, f"send_{kind}")(item)
    assert found == items


def slow_blocking_iteration(websocket: BlockingWebSocket) -> None:
    websocket.accept()
    time.sleep(0.05)
    websocket.state.found.extend(websocket.iter_text())


async def slow_iteration(websocket: WebSocket) -> None:
    await websocket.accept()
    await run_in_threadpool(time.sleep, 0.05)
    websocket.state.found.extend([text async for text in websocket.iter_text()])


@pytest.mark.parametrize("handler", [slow_iteration, slow_blocking_iteration])
def test_a_slow_thread_still_receives_what_was_sent_before_the_client_left(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastweb.testclient._TIDY_UP_WAITS", 3000)
    client = TestClient(serving(handler))
    found: list[str] = []
    client.app_state["found"] = found
    with client.websocket_connect("/") as session:
        session.send_text("a")
    assert found == ["a"]


def test_so_does_one_that_has_ended_and_not_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    report = concurrency._Job.report

    def late(*args: Any) -> None:
        time.sleep(0.1)
        report(*args)

    monkeypatch.setattr("fastweb.concurrency._Job.report", late)
    test_a_slow_thread_still_receives_what_was_sent_before_the_client_left(slow_iteration, monkeypatch)


async def async_refusal(websocket: WebSocket) -> None:
    await websocket.close(1013, "later")


def blocking_refusal(websocket: BlockingWebSocket) -> None:
    websocket.close(1013, "later")


@pytest.mark.parametrize("handler", [async_refusal, blocking_refusal])
def test_refusals(handler: Handler, backend: Backend) -> None:
    with pytest.raises(WebSocketDisconnect) as caught, connect(handler, backend):
        pass
    assert (caught.value.code, caught.value.reason) == (1013, "later")


async def pieces() -> AsyncIterator[bytes]:
    yield b"no "
    yield b"tea"


async def async_denial(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("no tea", 418, {"X-A": "1"}))


async def streamed_denial(websocket: WebSocket) -> None:
    await websocket.send_denial_response(StreamingResponse(pieces(), 418, {"X-A": "1"}))


def blocking_denial(websocket: BlockingWebSocket) -> None:
    websocket.send_denial_response(PlainTextResponse("no tea", 418, {"X-A": "1"}))


@pytest.mark.parametrize("handler", [async_denial, streamed_denial, blocking_denial])
def test_refusals_in_words(handler: Handler, backend: Backend) -> None:
    with pytest.raises(WebSocketDenialResponse) as caught, connect(handler, backend):
        pass
    response = caught.value
    assert (response.status_code, response.text, response.headers["x-a"]) == (418, "no tea", "1")
    assert isinstance(response, WebSocketDisconnect)


def test_a_server_that_cannot_refuse_in_words() -> None:
    script = Script(CONNECT, extensions={})
    with pytest.raises(
        RuntimeError, match="The server doesn't support the Websocket Denial Response extension"
    ):
        script.run(lambda websocket: websocket.send_denial_response(PlainTextResponse("no")))
    assert script.sent == []


def test_websocket_close_is_an_app() -> None:
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        TestClient(WebSocketClose(1008, "no")).websocket_connect("/"),
    ):
        pass
    assert (caught.value.code, caught.value.reason) == (1008, "no")


def test_it_is_a_connection() -> None:
    seen: dict[str, Any] = {}

    async def handler(websocket: WebSocket) -> None:
        seen.update(
            url=str(websocket.url),
            path=websocket["path"],
            header=websocket.headers["x-a"],
            query=dict(websocket.query_params),
            cookies=websocket.cookies,
            client=websocket.client,
            equal=websocket == WebSocket(websocket.scope, websocket.receive, websocket.send),
            known=websocket in {websocket},
        )
        await websocket.close()

    session = connect(handler, url="/a?b=1", headers={"X-A": "1", "Cookie": "c=2"})
    with pytest.raises(WebSocketDisconnect), session:
        pass
    assert seen == {
        "url": "ws://testserver/a?b=1",
        "path": "/a",
        "header": "1",
        "query": {"b": "1"},
        "cookies": {"c": "2"},
        "client": ("testclient", 50000),
        "equal": False,
        "known": True,
    }


# Plain functions


def test_a_plain_handler_blocks_a_thread_of_its_own(backend: Backend) -> None:
    here = threading.get_ident()
    threads: list[int] = []
    value = ContextVar("value", default="unset")

    def handler(websocket: BlockingWebSocket, prefix: str) -> None:
        threads.append(threading.get_ident())
        websocket.accept()
        for text in websocket.iter_text():
            websocket.send_text(f"{prefix} {text} {value.get()}")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        threads.append(threading.get_ident())
        value.set("set")
        websocket = WebSocket(scope, receive, send)
        await run_blocking_endpoint(websocket, handler, websocket=websocket, prefix="you said")

    with TestClient(app, backend=backend).websocket_connect("/") as session:
        session.send_text("hello")
        assert session.receive_text() == "you said hello set"
    assert len({here, *threads}) == 3


def test_plain_handlers_take_no_thread_that_others_wait_for(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clients that stay, where the pool has one thread."""
    monkeypatch.setattr(thread_pool, "size", 1)

    def shout(websocket: BlockingWebSocket) -> None:
        websocket.accept()
        for text in websocket.iter_text():
            websocket.send_text(text.upper())

    with connect(shout, backend) as first, connect(shout, backend) as second:
        for session in (first, second, first):
            session.send_text("a")
            assert session.receive_text() == "A"


def test_a_plain_handlers_error_is_the_endpoints(backend: Backend) -> None:
    def handler(websocket: BlockingWebSocket) -> None:
        websocket.accept()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), connect(handler, backend) as session:
        session.receive_text()


def test_a_plain_handler_that_returns_a_coroutine() -> None:
    def handler(websocket: BlockingWebSocket) -> Any:
        return async_echo(websocket.websocket)

    with pytest.raises(RuntimeError, match="returns a coroutine: make it async"), connect(handler):
        pass


def test_a_plain_handler_that_is_cancelled_loses_its_client(backend: Backend) -> None:
    seen: list[Any] = []

    def handler(websocket: BlockingWebSocket) -> None:
        websocket.accept()
        try:
            websocket.receive_text()
        except WebSocketDisconnect as error:
            seen.append(error.code)
        try:
            websocket.send_text("too late")
        except WebSocketDisconnect as error:
            seen.append(error.code)

    async def main() -> None:
        async def receive() -> Message:
            if not seen:
                seen.append("connected")
                return CONNECT
            scope.cancel()
            await anyio.sleep_forever()
            return DISCONNECT

        script = Script()
        websocket = WebSocket({"type": "websocket", "path": "/"}, receive, script.send)
        with anyio.CancelScope() as scope:
            await run_blocking_endpoint(websocket, handler, websocket)
        assert scope.cancelled_caught
        assert len(script.sent) == 1

    anyio.run(main, backend=backend)
    assert seen == ["connected", 1001, 1001]


@pytest.mark.parametrize("error", [None, KeyError("mine")])
def test_what_a_cancelled_handler_raises_itself(error: Exception | None, backend: Backend) -> None:
    def handler(websocket: BlockingWebSocket) -> None:
        try:
            websocket.accept()
        finally:
            if error is not None:
                raise error

    async def main() -> None:
        async def receive() -> Message:
            scope.cancel()
            await anyio.sleep_forever()
            return DISCONNECT

        websocket = WebSocket({"type": "websocket", "path": "/"}, receive, Script().send)
        with anyio.CancelScope() as scope:
            await run_blocking_endpoint(websocket, handler, websocket)
        assert scope.cancelled_caught

    with contextlib.nullcontext() if error is None else pytest.raises(KeyError, match="mine"):
        anyio.run(main, backend=backend)


def test_cancelled_as_asyncio_does_it() -> None:
    seen: list[int] = []
    waiting = threading.Event()

    def handler(websocket: BlockingWebSocket) -> None:
        with pytest.raises(WebSocketDisconnect) as caught:
            websocket.receive()
        seen.append(caught.value.code)

    async def main() -> None:
        async def receive() -> Message:
            waiting.set()
            await asyncio.sleep(3600)
            return CONNECT

        websocket = WebSocket({"type": "websocket", "path": "/"}, receive, Script().send)
        task = asyncio.create_task(run_blocking_endpoint(websocket, handler, websocket))
        await asyncio.to_thread(waiting.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == [1001]


def test_one_thread_may_send_while_another_receives(backend: Backend) -> None:
    def handler(websocket: BlockingWebSocket) -> None:
        websocket.accept()
        receiver = threading.Thread(target=lambda: websocket.send_text(websocket.receive_text()))
        receiver.start()
        websocket.send_text("first")
        receiver.join()

    with connect(handler, backend) as session:
        assert session.receive_text() == "first"
        session.send_text("second")
        assert session.receive_text() == "second"


def test_it_is_not_for_the_event_loop() -> None:
    async def handler(websocket: WebSocket) -> None:
        BlockingWebSocket(websocket).accept()

    with pytest.raises(RuntimeError, match="await the methods of its `websocket`"), connect(handler):
        pass


# What everybody writes


class ConnectionManager:
    def __init__(self) -> None:
        self.active: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active.remove(websocket)

    async def broadcast(self, message: dict[str, Any]) -> None:
        for connection in self.active:
            await connection.send_json(message)


class BlockingConnectionManager:
    def __init__(self) -> None:
        self.active: list[BlockingWebSocket] = []

    def connect(self, websocket: BlockingWebSocket) -> None:
        websocket.accept()
        self.active.append(websocket)

    def disconnect(self, websocket: BlockingWebSocket) -> None:
        self.active.remove(websocket)

    def broadcast(self, message: dict[str, Any]) -> None:
        # A copy: who joins in another thread after the last of these was sent to would get it, too.
        for connection in list(self.active):
            connection.send_json(message)


def chat() -> Handler:
    manager = ConnectionManager()

    async def handler(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        try:
            while True:
                await manager.broadcast({"from": websocket["path"], "text": await websocket.receive_text()})
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            await manager.broadcast({"left": websocket["path"]})

    return handler


def blocking_chat() -> Handler:
    manager = BlockingConnectionManager()

    def handler(websocket: BlockingWebSocket) -> None:
        manager.connect(websocket)
        try:
            while True:
                manager.broadcast({"from": websocket["path"], "text": websocket.receive_text()})
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            manager.broadcast({"left": websocket["path"]})

    return handler


@pytest.mark.parametrize("make", [chat, blocking_chat])
@pytest.mark.parametrize("leave", ["close", "exit"])
def test_a_connection_manager(make: Callable[[], Handler], leave: str, backend: Backend) -> None:
    with TestClient(serving(make()), backend=backend) as client, client.websocket_connect("/a") as a:
        a.send_text("hello")
        assert a.receive_json() == {"from": "/a", "text": "hello"}
        with client.websocket_connect("/b") as b:
            b.send_text("hi")
            assert [a.receive_json(), b.receive_json()] == [{"from": "/b", "text": "hi"}] * 2
            if leave == "close":
                b.close()
                assert a.receive_json() == {"left": "/b"}
        if leave == "exit":
            assert a.receive_json() == {"left": "/b"}
        a.send_text("alone")
        assert a.receive_json() == {"from": "/a", "text": "alone"}


# A real server and a real client


@contextlib.contextmanager
def under_uvicorn(app: ASGIApp) -> Iterator[str]:
    """The app's address, as ws://…"""
    config = uvicorn.Config(app, port=0, log_config=None, ws="wsproto", lifespan="on", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"ws://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def open_websocket(url: str, **options: Any) -> AbstractContextManager[ClientConnection]:
    client: AbstractContextManager[ClientConnection] = websockets.sync.client.connect(
        url, proxy=None, open_timeout=20, close_timeout=20, **options
    )
    return client


@pytest.mark.parametrize("handler", [async_echo, blocking_echo])
def test_under_a_real_server(handler: Handler) -> None:
    with under_uvicorn(serving(handler)) as address:
        offered = [Subprotocol("soap"), Subprotocol("wamp")]
        with open_websocket(address, subprotocols=offered) as client:
            assert client.subprotocol == "soap"
            assert client.response is not None
            assert client.response.headers["x-a"] == "1"
            client.send("ä" * 100_000)
            assert client.recv(20) == "ä" * 100_000
            client.send(b"\xff")
            assert client.recv(20) == b"\xff"
            client.send('{"a":1}')
            assert client.recv(20) == '{"a":1}'
            client.send(b"[2]")
            assert client.recv(20) == b"[2]"
            client.send("raw")
            assert client.recv(20) == "raw"
            with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
                client.recv(20)
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1001, "bye")


@pytest.mark.parametrize(
    ("handler", "status", "body"),
    [
        (async_refusal, 403, b""),
        (async_denial, 418, b"no tea"),
        (streamed_denial, 418, b"no tea"),
        (blocking_denial, 418, b"no tea"),
    ],
)
def test_refusals_by_a_real_server(handler: Handler, status: int, body: bytes) -> None:
    with under_uvicorn(serving(handler)) as address:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught, open_websocket(address):
            pass
        assert (caught.value.response.status_code, caught.value.response.body) == (status, body)


@pytest.mark.parametrize("make", [chat, blocking_chat])
def test_a_connection_manager_on_a_real_server(make: Callable[[], Handler]) -> None:
    with under_uvicorn(serving(make())) as address, open_websocket(address + "/a") as a:
        a.send("hello")
        assert json.loads(a.recv(20)) == {"from": "/a", "text": "hello"}
        with open_websocket(address + "/b") as b:
            b.send("hi")
            assert [json.loads(a.recv(20)), json.loads(b.recv(20))] == [{"from": "/b", "text": "hi"}] * 2
        assert json.loads(a.recv(20)) == {"left": "/b"}


@pytest.mark.parametrize("make", [chat, blocking_chat])
def test_a_server_that_stops_ends_its_websockets(make: Callable[[], Handler]) -> None:
    with contextlib.ExitStack() as server:
        address = server.enter_context(under_uvicorn(serving(make())))
        with open_websocket(address + "/a") as client:
            client.send("hi")
            assert json.loads(client.recv(20))["text"] == "hi"
            server.close()
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                client.recv(20)
