from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import json
import os
import subprocess
import sys
import threading
from typing import Any, Literal

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx2 as httpx
import pytest

from fastweb.status import FastWebDeprecationWarning
from fastweb.testclient import TestClient, WebSocketDenialResponse
from fastweb.types import ASGIApp, Message, Receive, Scope, Send
from fastweb.websockets import WebSocketDisconnect

Backend = Literal["asyncio", "trio"]
BACKENDS: list[Backend] = ["asyncio", "trio"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    name: Backend = request.param
    return name


async def answer(
    send: Send, *pieces: bytes, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers or []})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked."""
    assert scope["type"] == "http"
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query_string": scope["query_string"].decode(),
        "root_path": scope["root_path"],
        "scheme": scope["scheme"],
        "http_version": scope["http_version"],
        "client": list(scope["client"]),
        "server": list(scope["server"]),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": (await read(receive)).decode(),
    }
    await answer(send, json.dumps(seen).encode(), headers=[(b"content-type", b"application/json")])


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_methods(method: str, backend: Backend) -> None:
    response = TestClient(echo, backend=backend).request(method, "/a")
    assert response.status_code == 200
    assert response.json()["method"] == method


def test_shortcuts() -> None:
    client = TestClient(echo)
    assert client.get("/").json()["method"] == "GET"
    assert client.options("/").json()["method"] == "OPTIONS"
    assert client.post("/", content=b"x").json()["body"] == "x"
    assert client.put("/", json={"a": 1}).json()["body"] == '{"a":1}'
    assert client.patch("/", data={"a": "1 2"}).json()["body"] == "a=1+2"
    assert client.delete("/").json()["method"] == "DELETE"
    assert client.head("/").status_code == 200


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "/",
            {
                "path": "/",
                "raw_path": "/",
                "query_string": "",
                "scheme": "http",
                "server": ["testserver", 80],
            },
        ),
        (
            "/a%20b/%C3%A4?x=1&y=%20",
            {"path": "/a b/ä", "raw_path": "/a%20b/%C3%A4", "query_string": "x=1&y=%20"},
        ),
        ("/a%2Fb%2525", {"path": "/a/b%25", "raw_path": "/a%2Fb%2525"}),
        ("https://h.example/a", {"path": "/a", "scheme": "https", "server": ["h.example", 443]}),
        ("http://h.example:8000/a", {"server": ["h.example", 8000]}),
        ("http://[::1]:8000/a", {"server": ["::1", 8000]}),
    ],
)
def test_what_a_url_becomes(url: str, expected: dict[str, Any]) -> None:
    seen = TestClient(echo).get(url).json()
    assert {name: seen[name] for name in expected} == expected


def test_the_rest_of_the_scope() -> None:
    client = TestClient(
        echo, base_url="https://b.example/v1/", root_path="/root", client=("1.2.3.4", 5), headers={"X-A": "1"}
    )
    seen = client.get("users", params={"a": "1"}, headers={b"X-B": "ä".encode("latin-1")}).json()
    assert seen["path"] == "/v1/users"
    assert seen["query_string"] == "a=1"
    assert seen["root_path"] == "/root"
    assert seen["client"] == ["1.2.3.4", 5]
    assert seen["http_version"] == "1.1"
    headers = dict(seen["headers"])
    assert headers["host"] == "b.example"
    assert headers["user-agent"] == "testclient"
    assert headers["x-a"] == "1"
    assert headers["x-b"] == "ä"
    assert dict(TestClient(echo).get("/").json())["client"] == ["testclient", 50000]


def test_headers_are_not_changed_for_the_caller() -> None:
    headers = {"User-Agent": "mine"}
    client = TestClient(echo, headers=headers)
    assert dict(client.get("/").json()["headers"])["user-agent"] == "mine"
    assert headers == {"User-Agent": "mine"}


def test_bodies() -> None:
    client = TestClient(echo)
    assert client.post("/", content=b"abc").json()["body"] == "abc"
    assert client.post("/", content="ä").json()["body"] == "ä"
    assert client.post("/", content=iter([b"a", b"", b"b"])).json()["body"] == "ab"
    assert client.get("/").json()["body"] == ""
    headers = dict(client.post("/", json=[1]).json()["headers"])
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == "3"


def test_header_fields_come_as_they_were_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, headers=[(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-a", b"\xe4")])

    response = TestClient(app).get("/")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (b"x-a", b"\xe4") in response.headers.raw


def test_cookies_are_kept() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cookie = dict(scope["headers"]).get(b"cookie", b"")
        await answer(send, cookie, headers=[(b"set-cookie", b"seen=1; Path=/")])

    client = TestClient(app, cookies={"mine": "2"})
    assert client.get("/").text == "mine=2"
    assert sorted(client.get("/").text.split("; ")) == ["mine=2", "seen=1"]
    assert client.cookies["seen"] == "1"


async def redirecting(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/old":
        await answer(send, status=307, headers=[(b"location", b"/new?a=1")])
    else:
        await answer(send, scope["path"].encode())


def test_redirects() -> None:
    assert TestClient(redirecting).get("/old").text == "/new"
    assert TestClient(redirecting).get("/old", follow_redirects=False).status_code == 307
    client = TestClient(redirecting, follow_redirects=False)
    assert client.get("/old").headers["location"] == "/new?a=1"
    assert client.get("/old", follow_redirects=True).text == "/new"


def test_head_has_no_body(backend: Backend) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"abc", b"def", headers=[(b"content-length", b"6")])

    response = TestClient(app, backend=backend).head("/")
    assert (response.content, response.headers["content-length"]) == (b"", "6")


def test_a_body_in_many_pieces(backend: Backend) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, *[bytes([65 + i]) for i in range(20)], b"")

    assert TestClient(app, backend=backend).get("/").text == "ABCDEFGHIJKLMNOPQRST"


# Streams and the client going away


@pytest.mark.parametrize("entered", [False, True])
def test_an_endless_answer_is_read_as_it_comes(backend: Backend, entered: bool) -> None:
    events: list[str] = []
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        if scope["type"] == "lifespan":
            return await lifespan(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                sent += 1
        finally:
            events.append("app ended")

    client = TestClient(app, backend=backend)
    with client if entered else contextlib.nullcontext():
        with client.stream("GET", "/") as response:
            pieces = response.iter_raw()
            assert [next(pieces) for _ in range(3)] == [b"x"] * 3
            assert events == []
        assert events == ["app ended"]
        assert sent <= 3
        with client.stream("GET", "/"):
            pass
        assert events == ["app ended"] * 2


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    assert await receive() == {"type": "lifespan.startup"}
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    await send({"type": "lifespan.shutdown.complete"})


def test_after_the_answer_the_client_is_gone(backend: Backend) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            seen.append(await receive())
            seen.append(await receive())

        await read(receive)
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.lowlevel.checkpoint()
            assert seen == []
            await answer(send, b"abc")

    assert TestClient(app, backend=backend).get("/").text == "abc"
    assert seen == [{"type": "http.disconnect"}] * 2


def test_the_answer_is_there_when_the_app_has_ended(backend: Backend) -> None:
    done: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"abc")
        await anyio.sleep(0.01)
        done.append(True)

    client = TestClient(app, backend=backend)
    assert client.get("/").text == "abc"
    assert done == [True]
    with client.stream("GET", "/") as response:
        assert response.read() == b"abc"
    assert done == [True, True]


def test_work_after_a_complete_answer_is_not_cancelled(backend: Backend) -> None:
    done: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        await anyio.sleep(0.01)
        done.append(True)

    with TestClient(app, backend=backend).stream("GET", "/"):
        pass
    assert done == [True]


def test_the_body_is_not_read_before_the_app_asks() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"unread")

    assert TestClient(app).post("/", content=b"abc").text == "unread"


def test_closing_the_client_ends_what_was_left_open() -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await lifespan(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await anyio.sleep_forever()
        finally:
            events.append("ended")

    with TestClient(app) as client:
        client.send(client.build_request("GET", "/"), stream=True)
        client.send(client.build_request("GET", "/"), stream=True)
        assert events == []
    assert events == ["ended"] * 2
    client = TestClient(app)
    client.send(client.build_request("GET", "/"), stream=True)
    client.close()
    assert events == ["ended"] * 3


def test_closing_the_client_ends_work_after_an_answer(backend: Backend) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"abc")
        await anyio.sleep_forever()

    client = TestClient(app, backend=backend)
    response = client.send(client.build_request("GET", "/"), stream=True)
    pieces = response.iter_raw()
    assert next(pieces) == b"abc"
    client.close()


def test_after_its_answer_an_app_hears_of_the_end_at_once(backend: Backend) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read(receive)
        await answer(send)
        with anyio.CancelScope() as cancelled:
            cancelled.cancel()
            assert await receive() == {"type": "http.disconnect"}

    assert TestClient(app, backend=backend).get("/").status_code == 200


# Errors of the app


def failing(*, after: int) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if after > 0:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if after > 1:
            await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        if after > 2:
            await send({"type": "http.response.body"})
        raise ValueError("broken")

    return app


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_errors_are_raised(after: int, backend: Backend) -> None:
    with pytest.raises(ValueError, match="broken"):
        TestClient(failing(after=after), backend=backend).get("/")


@pytest.mark.parametrize(
    ("after", "expected"), [(0, (500, b"")), (1, (200, b"")), (2, (200, b"abc")), (3, (200, b"abc"))]
)
def test_errors_are_not_raised_on_demand(after: int, expected: tuple[int, bytes], backend: Backend) -> None:
    client = TestClient(failing(after=after), raise_server_exceptions=False, backend=backend)
    response = client.get("/")
    assert (response.status_code, response.content) == expected
    assert client.get("/").status_code == expected[0]


def test_an_error_while_streaming_is_raised_where_it_is_read() -> None:
    with TestClient(failing(after=2)).stream("GET", "/") as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"abc"
        with pytest.raises(ValueError, match="broken"):
            next(pieces)


@pytest.mark.parametrize(
    ("messages", "error", "text"),
    [
        ([], AssertionError, "did not receive any response"),
        ([{"type": "http.response.body"}], AssertionError, 'without "http.response.start"'),
        ([{"type": "http.response.start", "status": 200}] * 2, AssertionError, "multiple"),
        ([{"type": "websocket.accept"}], AssertionError, 'sent "websocket.accept", which is no part'),
        (
            [{"type": "http.response.start", "status": 200}, *[{"type": "http.response.body"}] * 2],
            AssertionError,
            '"http.response.body" after body completed',
        ),
        ([{"type": "http.response.start", "status": 200, "headers": [("a", "b")]}], TypeError, "encoding"),
        ([{"type": "http.response.trailers"}], AssertionError, "without declaring trailers"),
    ],
)
def test_apps_that_break_the_protocol(messages: list[Message], error: type[Exception], text: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(error, match=text):
        TestClient(app).get("/")


def test_an_app_that_does_not_answer_is_a_500_on_demand() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    assert TestClient(app, raise_server_exceptions=False).get("/").status_code == 500


def test_what_is_no_app_and_what_is_no_http() -> None:
    with pytest.raises(TypeError, match="takes an ASGI app, not 'app'"):
        TestClient("app")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="http, https, ws and wss URLs, not 'ftp://testserver/'"):
        TestClient(echo).get("ftp://testserver/")


# Lifespan


class Recording:
    """An app that records what happens to it, in the manner of Starlette's."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            assert scope["asgi"]["version"] == "3.0"
            scope["state"]["pool"] = ["open"]
            self.events.append("startup")
            await lifespan(scope, receive, send)
            self.events.append("shutdown")
        else:
            scope["state"]["of the request"] = True
            self.events.append(f"{scope['path']} {scope['state']['pool']}")
            await answer(send, b"ok")


def test_lifespan(backend: Backend) -> None:
    app = Recording()
    client = TestClient(app, backend=backend)
    for _ in range(2):
        with client as entered:
            assert entered is client
            assert app.events == ["startup"]
            assert client.get("/a").text == "ok"
            assert client.get("/b").text == "ok"
            assert client.app_state == {"pool": ["open"]}
        assert app.events == ["startup", "/a ['open']", "/b ['open']", "shutdown"]
        app.events.clear()


def test_without_a_context_manager_there_is_no_lifespan() -> None:
    TestClient(echo).get("/")
    app = Recording()
    client = TestClient(app)
    client.app_state["pool"] = "mine"
    client.get("/a")
    assert app.events == ["/a mine"]


def test_lifespan_and_requests_share_a_loop(backend: Backend) -> None:
    threads: list[threading.Thread] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        threads.append(threading.current_thread())
        await (lifespan if scope["type"] == "lifespan" else echo)(scope, receive, send)

    async def name() -> str:
        await anyio.lowlevel.checkpoint()
        return threading.current_thread().name

    with TestClient(app, backend=backend) as client:
        client.get("/")
        client.get("/")
        assert client.portal is not None
        assert client.portal.call(name) == threads[0].name
    assert client.portal is None
    assert len(threads) == 3
    assert len(set(threads)) == 1
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize(
    ("messages", "error", "text"),
    [
        (["lifespan.startup.failed"], RuntimeError, "startup failed: no database"),
        (["lifespan.startup.failed", ValueError("broken")], ValueError, "broken"),
        ([ValueError("broken")], ValueError, "broken"),
        ([], RuntimeError, 'ended before it sent "lifespan.startup.complete"'),
        (["lifespan.other"], RuntimeError, 'sent "lifespan.other" instead'),
        (
            ["lifespan.startup.complete", "lifespan.shutdown.failed"],
            RuntimeError,
            "shutdown failed: no database",
        ),
        (["lifespan.startup.complete", ValueError("broken")], ValueError, "broken"),
        (["lifespan.startup.complete"], RuntimeError, 'ended before it sent "lifespan.shutdown.complete"'),
    ],
)
def test_lifespans_that_fail(
    messages: list[str | Exception], error: type[Exception], text: str, backend: Backend
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await receive()
            if isinstance(message, Exception):
                raise message
            await send({"type": message, "message": "no database"})

    client = TestClient(app, backend=backend)
    with pytest.raises(error, match=text), client:
        pass
    assert client.portal is None


def test_an_error_in_the_block_is_not_hidden() -> None:
    app = Recording()
    with pytest.raises(KeyError, match="mine"), TestClient(app):
        raise KeyError("mine")
    assert app.events == ["startup", "shutdown"]


# What extensions of ASGI send


def test_trailers(backend: Backend) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "http.response.trailers" in scope["extensions"]
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"abc"})
        trailers = {"type": "http.response.trailers", "headers": [[b"x-a", b"1"]]}
        await send({**trailers, "more_trailers": True})
        await send(trailers)

    response = TestClient(app, backend=backend).get("/")
    assert response.text == "abc"
    assert response.extensions["http.response.trailers"] == [(b"x-a", b"1")] * 2
    assert "http.response.trailers" not in TestClient(echo).get("/").extensions


@pytest.mark.parametrize(
    ("trailers", "messages", "text"),
    [
        (False, ["body", "trailers"], "after body completed"),
        (False, ["trailers"], "without declaring trailers"),
        (True, ["trailers"], "before body completed"),
        (True, ["body", "body"], "after body completed"),
        (True, ["body", "trailers", "trailers"], "after response completed"),
    ],
)
def test_trailers_out_of_place(trailers: bool, messages: list[str], text: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "trailers": trailers})
        for message in messages:
            await send({"type": f"http.response.{message}"})

    with pytest.raises(AssertionError, match=text):
        TestClient(app).get("/")


@pytest.mark.parametrize("before", [True, False])
def test_debug_information(before: bool, backend: Backend) -> None:
    info = {"template": "a.html", "context": {"name": "world"}}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = [
            {"type": "http.response.debug", "info": info},
            {"type": "http.response.start", "status": 200},
        ]
        for message in messages if before else reversed(messages):
            await send(message)
        await send({"type": "http.response.body"})

    response = TestClient(app, backend=backend).get("/")
    assert response.extensions["http.response.debug"] == info
    assert (response.template, response.context) == ("a.html", {"name": "world"})  # type: ignore[attr-defined]
    assert not hasattr(TestClient(echo).get("/"), "template")


def test_messages_of_extensions_that_the_app_itself_declares() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"]["http.response.push"] = {}
        await send({"type": "http.response.push", "path": "/a", "headers": []})
        await answer(send, b"ok")

    assert TestClient(app).get("/").text == "ok"


# WebSockets; test_websockets.py has more


async def websocket_echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts, and sends what it was asked."""
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})
    seen = {
        name: scope[name]
        for name in ("path", "query_string", "root_path", "scheme", "client", "server", "subprotocols")
    }
    seen["headers"] = {name.decode(): value.decode() for name, value in scope["headers"]}
    await send({"type": "websocket.send", "text": repr(seen)})
    assert (await receive())["type"] == "websocket.disconnect"


def asked(client: TestClient, url: str, *args: Any, **options: Any) -> dict[str, Any]:
    with client.websocket_connect(url, *args, **options) as session:
        seen: dict[str, Any] = ast.literal_eval(session.receive_text())
        return seen


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "/a%20b?c=1",
            {"path": "/a b", "query_string": b"c=1", "scheme": "ws", "server": ["testserver", 80]},
        ),
        ("a", {"path": "/a"}),
        ("wss://h.example/a", {"path": "/a", "scheme": "wss", "server": ["h.example", 443]}),
        ("ws://h.example:8000/", {"server": ["h.example", 8000]}),
    ],
)
def test_what_a_websockets_url_becomes(url: str, expected: dict[str, Any]) -> None:
    seen = asked(TestClient(websocket_echo, base_url="https://b.example/v1"), url)
    assert {name: seen[name] for name in expected} == expected


def test_the_rest_of_a_websockets_scope() -> None:
    client = TestClient(websocket_echo, root_path="/root", client=("1.2.3.4", 5), headers={"X-A": "1"})
    client.cookies.set("c", "2")
    headers = {"X-B": "3"}
    seen = asked(client, "/", ["soap", "wamp"], params={"d": "4"}, headers=headers)
    assert (seen["root_path"], seen["client"], seen["query_string"]) == ("/root", ("1.2.3.4", 5), b"d=4")
    assert seen["subprotocols"] == ["soap", "wamp"]
    assert (
        seen["headers"]
        | {
            "connection": "upgrade",
            "sec-websocket-key": "testserver==",
            "sec-websocket-version": "13",
            "sec-websocket-protocol": "soap, wamp",
            "cookie": "c=2",
            "x-a": "1",
            "x-b": "3",
        }
        == seen["headers"]
    )
    assert headers == {"X-B": "3"}
    assert (
        asked(client, "/", headers=[("connection", "Upgrade"), ("x-c", "5")])["headers"]["connection"]
        == "Upgrade"
    )


def test_what_is_no_websocket() -> None:
    with pytest.raises(ValueError, match="begins with ws:// or wss://"):
        TestClient(echo).websocket_connect("http://testserver/")


@pytest.mark.parametrize("entered", [False, True])
def test_several_websockets_at_once(entered: bool, backend: Backend) -> None:
    client = TestClient(websocket_echo, backend=backend)
    with (
        client if entered else contextlib.nullcontext(),
        client.websocket_connect("/a") as a,
        client.websocket_connect("/b") as b,
    ):
        assert "'/b'" in b.receive_text()
        assert "'/a'" in a.receive_text()
        assert (a.portal is b.portal) is entered


def websocket_app(*steps: Message | Exception | None, wait: bool = False) -> ASGIApp:
    """Sends and raises in this order; None is to wait for the client."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "websocket.connect"}
        for step in steps:
            if isinstance(step, Exception):
                raise step
            await (receive() if step is None else send(step))
        if wait:
            await anyio.sleep_forever()

    return app


ACCEPT: Message = {"type": "websocket.accept"}


@pytest.mark.parametrize(
    ("steps", "error", "text"),
    [
        ([], WebSocketDisconnect, None),
        ([ValueError("broken")], ValueError, "broken"),
        ([{"type": "websocket.close", "code": 1008}], WebSocketDisconnect, None),
        ([{"type": "websocket.close"}, ValueError("broken")], ValueError, "broken"),
        ([ACCEPT, ValueError("broken")], ValueError, "broken"),
        ([ACCEPT, None, ValueError("broken")], ValueError, "broken"),
        (
            [{"type": "websocket.http.response.start", "status": 400}, ValueError("broken")],
            ValueError,
            "broken",
        ),
    ],
)
def test_websockets_that_fail(
    steps: list[Message | Exception | None], error: type[Exception], text: str | None, backend: Backend
) -> None:
    client = TestClient(websocket_app(*steps), backend=backend)
    with pytest.raises(error, match=text), client.websocket_connect("/"):
        pass


def test_after_the_apps_end(backend: Backend) -> None:
    with TestClient(websocket_app(ACCEPT), backend=backend).websocket_connect("/") as session:
        for _ in range(2):
            with pytest.raises(WebSocketDisconnect) as caught:
                session.receive_text()
            assert caught.value.code == 1006
        session.send_text("to nobody")


def test_an_app_that_does_not_end_is_cancelled(backend: Backend) -> None:
    with TestClient(websocket_app(ACCEPT, wait=True), backend=backend).websocket_connect("/"):
        pass


def test_an_app_may_tidy_up(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastweb.testclient._TIDY_UP_WAITS", 3000)
    done: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await websocket_echo(scope, receive, send)
        await anyio.to_thread.run_sync(threading.Event().wait, 0.05)
        done.append(True)

    with TestClient(app, backend=backend).websocket_connect("/"):
        pass
    assert done == [True]


def test_a_denial_in_pieces(backend: Backend) -> None:
    kind = "websocket.http.response"
    app = websocket_app(
        {"type": f"{kind}.start", "status": 403, "headers": [(b"x-a", b"1")]},
        {"type": f"{kind}.body", "body": b"a", "more_body": True},
        {"type": f"{kind}.body", "body": b"b"},
    )
    with pytest.raises(WebSocketDenialResponse) as caught:
        TestClient(app, backend=backend).websocket_connect("/").__enter__()
    assert (caught.value.status_code, caught.value.text, caught.value.headers["x-a"]) == (403, "ab", "1")
    assert (caught.value.code, caught.value.reason) == (1006, "")


# Where it is used


def test_within_a_running_loop() -> None:
    async def main() -> None:
        with TestClient(Recording()) as client:
            assert client.get("/").text == "ok"

    asyncio.run(main())


def test_from_several_threads() -> None:
    results: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (lifespan if scope["type"] == "lifespan" else echo)(scope, receive, send)

    with TestClient(app) as client:

        def work(i: int) -> None:
            results.append(client.get(f"/{i}").json()["path"])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == sorted(f"/{i}" for i in range(20))


def test_backend_options(backend: Backend) -> None:
    if backend == "trio":
        pytest.skip("one backend is enough")
    made: list[Any] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]  # type: ignore[no-any-return]

    assert TestClient(echo, backend_options={"loop_factory": factory}).get("/").status_code == 200
    assert len(made) == 1


def test_it_is_an_httpx_client() -> None:
    client = TestClient(echo)
    assert isinstance(client, httpx.Client)
    assert TestClient.__test__ is False
    response = client.get("/", auth=("user", "password"))
    assert dict(response.json()["headers"])["authorization"].startswith("Basic ")
    assert response.request.url == "http://testserver/"
    assert response.elapsed.total_seconds() >= 0


def test_asgi_2() -> None:
    def app(scope: Scope) -> Any:
        async def instance(receive: Receive, send: Send) -> None:
            await answer(send, scope["path"].encode())

        return instance

    class App:
        def __init__(self, scope: Scope) -> None:
            self.scope = scope

        async def __call__(self, receive: Receive, send: Send) -> None:
            await answer(send, self.scope["path"].encode())

    assert TestClient(app).get("/a").text == "/a"
    assert TestClient(App).get("/a").text == "/a"


def test_apps_of_every_shape() -> None:
    class App:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await echo(scope, receive, send)

    class Awaitable:
        def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.answer = echo(scope, receive, send)

        def __await__(self) -> Any:
            return self.answer.__await__()

    apps: list[Any] = [
        App(),
        App().__call__,
        Awaitable,
        functools.partial(echo),
        lambda scope, receive, send: echo(scope, receive, send),
        lambda *args: echo(*args),
    ]
    for app in apps:
        assert TestClient(app).get("/a").json()["path"] == "/a"


def test_timeouts_have_no_effect() -> None:
    client = TestClient(echo)
    with pytest.warns(
        FastWebDeprecationWarning, match="should not use the 'timeout' argument with the TestClient"
    ):
        assert client.get("/", timeout=1).status_code == 200


@pytest.fixture
def without() -> Any:
    """Runs a script in an interpreter where some modules are not installed."""

    def run(script: str, *modules: str) -> subprocess.CompletedProcess[str]:
        blocked = f"import sys\nfor name in {modules!r}: sys.modules[name] = None\n"
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", blocked + script],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


SCRIPT = """
from fastweb.testclient import TestClient
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"hello"})
response = TestClient(app).get("/")
print(type(response).__module__.split(".")[0], response.text, response.headers["a"])
with TestClient(app).stream("GET", "/") as response:
    print(response.read())
with TestClient(app).websocket_connect("/", params={"a": "b"}) as websocket:
    print(websocket.receive_text())
"""


def test_it_prefers_httpx2(without: Any) -> None:
    done = without(SCRIPT)
    assert (done.stdout, done.stderr) == ("httpx2 hello b\nb'hello'\nhello\n", "")


def test_httpx_does_as_well(without: Any) -> None:
    pytest.importorskip("httpx")
    done = without(SCRIPT, "httpx2")
    assert (done.stdout, done.stderr) == ("httpx hello b\nb'hello'\nhello\n", "")


def test_without_either_it_says_what_to_install(without: Any) -> None:
    done = without(SCRIPT, "httpx2", "httpx")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: fastweb.testclient needs an HTTP client")
    assert last.endswith("pip install 'fastweb[testclient]'")
