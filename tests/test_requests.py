"""The request, made of an ASGI scope or of a stream."""

from __future__ import annotations

import json
from typing import Any, TypedDict

import anyio
import pytest

from fastweb.exceptions import ClientDisconnect
from fastweb.requests import HTTPConnection, Request, parse_json
from fastweb.types import Message


def scope(**more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/a b",
        "query_string": b"x=1&x=2&y=%C3%A9",
        "headers": [(b"host", b"example.org"), (b"cookie", b"a=1; b=2"), (b"cookie", b"b=3")],
        "client": ("1.2.3.4", 5),
        "server": ("h", 80),
        **more,
    }


def receiving(*messages: Message) -> Any:
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    return receive


def piece(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


GONE: Message = {"type": "http.disconnect"}


def test_what_it_says() -> None:
    request = Request(scope(state={"n": 1}, app="app", path_params={"p": 1}))
    assert request.method == "GET"
    assert str(request.url) == "http://example.org/a b?x=1&x=2&y=%C3%A9"
    assert str(request.base_url) == "http://example.org/"
    assert request.query_params.getlist("x") == ["1", "2"]
    assert request.query_params["y"] == "é"
    assert request.headers["HOST"] == "example.org"
    assert request.cookies == {"a": "1", "b": "3"}
    assert request.client is not None
    assert (request.client.host, request.client.port) == ("1.2.3.4", 5)
    assert request.path_params == {"p": 1}
    assert request.state.n == 1
    assert request.app == "app"
    assert request["path"] == "/a b"
    assert set(request) == set(request.scope)
    assert len(request) == len(request.scope)
    assert request == request
    assert request != Request(scope())
    assert len({request, request}) == 1


def test_the_scope_is_the_truth() -> None:
    request = Request(scope())
    request.scope["path_params"] = {"q": 2}
    request.scope["method"] = "PUT"
    assert (request.path_params, request.method) == ({"q": 2}, "PUT")
    assert Request(scope(client=None)).client is None
    assert Request(scope()).path_params == {}


@pytest.mark.parametrize("name", ["session", "auth", "user"])
def test_what_middleware_gives(name: str) -> None:
    with pytest.raises(AssertionError, match="Middleware must be installed"):
        getattr(Request(scope()), name)
    assert getattr(Request(scope(**{name: {"a": 1}})), name) == {"a": 1}


def test_kinds() -> None:
    assert HTTPConnection(scope(type="websocket"))["type"] == "websocket"
    for make, kind in ((HTTPConnection, "lifespan"), (Request, "websocket")):
        with pytest.raises(AssertionError, match=kind):
            make(scope(type=kind))


def test_no_router() -> None:
    with pytest.raises(RuntimeError, match="inside a Starlette application"):
        Request(scope()).url_for("x")


def test_no_receive() -> None:
    with pytest.raises(RuntimeError, match="Receive channel"):
        anyio.run(Request(scope()).body)


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([piece(b"", more=False)], b""),
        ([piece(b"abc", more=False)], b"abc"),
        ([piece(b"a"), piece(b""), piece(b"bc"), piece(b"", more=False)], b"abc"),
        ([{"type": "http.request"}], b""),
    ],
)
def test_body(messages: list[Message], body: bytes) -> None:
    async def main() -> None:
        request = Request(scope(), receiving(*messages))
        assert await request.body() == body
        assert await request.body() == body
        assert [data async for data in request.stream()] == [body, b""]
        request = Request(scope(), receiving(*messages))
        assert b"".join([data async for data in request.stream()]) == body
        for again in (request.body, request.json):
            with pytest.raises(RuntimeError, match="Stream consumed"):
                await again()
        with pytest.raises(RuntimeError, match="Stream consumed"):
            [data async for data in request.stream()]

    anyio.run(main)


@pytest.mark.parametrize("messages", [[GONE], [piece(b"a"), GONE]])
def test_a_client_that_goes_away(messages: list[Message]) -> None:
    async def main() -> None:
        with pytest.raises(ClientDisconnect):
            await Request(scope(), receiving(*messages)).body()
        with pytest.raises(ClientDisconnect):
            [data async for data in Request(scope(), receiving(*messages)).stream()]

    anyio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_is_disconnected(backend: str) -> None:
    async def main() -> None:
        async def never() -> Message:
            await anyio.sleep_forever()
            raise AssertionError

        assert not await Request(scope(), never).is_disconnected()
        request = Request(scope(), receiving(GONE))
        assert await request.is_disconnected()
        assert await request.is_disconnected()

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b' {"a": [1, 2.5, "\\u00e9\xc3\xa9"]} ',
        b"NaN",
        b"[1e999]",
        "[1]".encode("utf-16"),
        b"\xef\xbb\xbf[]",
        b"9" * 40,
    ],
)
def test_parse_json(data: bytes) -> None:
    assert repr(parse_json(data)) == repr(json.loads(data))

    async def main() -> None:
        request = Request(scope(), receiving(piece(data, more=False)))
        assert repr(await request.json()) == repr(json.loads(data))
        assert await request.json() is await request.json()

    anyio.run(main)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", json.JSONDecodeError),
        (b"{", json.JSONDecodeError),
        (b"[1] 2", json.JSONDecodeError),
        (b'"\xff"', UnicodeDecodeError),
        (b"[" * 500_000, RecursionError),
    ],
)
def test_parse_json_errors(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_json(data)


@pytest.mark.parametrize("offered", [True, False])
def test_what_a_server_may_offer(offered: bool) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        extensions: Any = {"http.response.push": {}, "http.response.early_hint": {}} if offered else {}
        headers = [(b"accept", b"a/b"), (b"cookie", b"c=d")]
        request = Request(scope(headers=headers, extensions=extensions), send=send)
        await request.send_push_promise("/style.css")
        await request.send_early_hints("</a>; rel=preload", "</b>; rel=preload")

    anyio.run(main)
    expected = [
        {"type": "http.response.push", "path": "/style.css", "headers": [(b"accept", b"a/b")]},
        {"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>; rel=preload"]},
    ]
    assert sent == (expected if offered else [])


def test_another_receive() -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"again"}

    async def main() -> None:
        request: Request = Request(scope())
        request._receive = receive
        assert await request.body() == b"again"

    anyio.run(main)


def test_the_state_has_a_type() -> None:
    class Mine(TypedDict):
        user: str

    request: Request[Mine] = Request[Mine](scope(state={"user": "x"}))
    assert request.state["user"] == "x"


def test_the_rest_of_a_stream() -> None:
    async def main() -> None:
        request: Request = Request(scope(), receiving(piece(b"1"), piece(b"2"), piece(b"3", False)))
        first, second = request.stream(), request.stream()
        pieces = [await anext(each) for each in (first, second, first, first, second)]
        assert pieces == [b"1", b"2", b"3", b"", b""]
        with pytest.raises(RuntimeError, match="Stream consumed"):
            await request.body()
        request = Request(scope(), receiving(piece(b"1"), piece(b"2", False)))
        assert await anext(request.stream()) == b"1"
        assert await request.body() == b"2"

    anyio.run(main)


def test_a_subclass_may_keep_another_body() -> None:
    class Reversed(Request):
        async def body(self) -> bytes:
            if not hasattr(self, "_body"):
                self._body = (await super().body())[::-1]
            return self._body

    async def receive() -> Message:
        return {"type": "http.request", "body": b"abc", "more_body": False}

    request = Reversed({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    bodies = [anyio.run(request.body), anyio.run(request.body)]
    assert bodies == [b"cba", b"cba"]
