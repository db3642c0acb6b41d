"""The seam between protocol and app: a hundred streams at once on one connection of a protocol that has
nothing of HTTP/1 (`tests.server.frames`), through the whole app."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fastweb import Depends, FastWeb, Request, asgi
from fastweb.exceptions import ClientDisconnect, HTTPException
from fastweb.limits import Limits
from fastweb.middleware import Middleware
from fastweb.models import BaseModel
from fastweb.responses import FileResponse, StreamingResponse
from fastweb.server.connections import Connections
from tests.server.frames import DATA, END, HEADERS, RESET, WINDOW, FrameClient, FrameConnection, frame

MANY = 100


class Item(BaseModel):
    name: str
    price: float


class Log:
    """What the endpoints have seen."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.gate = asyncio.Event()
        self.sent: dict[str, int] = {}
        self.scopes = 0


def make_app(log: Log, file: str = "", middleware: list[Any] | None = None) -> FastWeb:
    app = FastWeb(middleware=middleware or [])

    def header(request: Request) -> str:
        return str(request.headers.get("x-number", ""))

    @app.get("/items/{number}")
    async def item(number: int, q: str = "", x_number: str = Depends(header)) -> dict[str, Any]:
        return {"number": number, "q": q, "header": x_number}

    @app.get("/wait/{number}")
    async def wait(number: int) -> dict[str, int]:
        await log.gate.wait()
        return {"number": number}

    @app.post("/items")
    async def add(item: Item) -> Item:
        return Item(name=item.name.upper(), price=item.price * 2)

    @app.post("/digest")
    async def digest(request: Request) -> dict[str, Any]:
        found, pieces = hashlib.sha256(), 0
        try:
            async for piece in request.stream():
                found.update(piece)
                pieces += bool(piece)
        except ClientDisconnect:
            log.events.append("left " + request.headers["x-number"])
            raise
        return {"digest": found.hexdigest(), "pieces": pieces}

    @app.get("/pieces/{number}")
    async def pieces(number: int, count: int = 5, size: int = 10) -> StreamingResponse:
        async def made() -> AsyncIterator[bytes]:
            try:
                for at in range(count):
                    await asyncio.sleep(0)
                    log.sent[str(number)] = at
                    yield bytes([number % 256]) * size
            finally:
                log.events.append(f"closed {number}")

        return StreamingResponse(made())

    @app.get("/boom/{number}")
    async def boom(number: int) -> None:
        await asyncio.sleep(0)
        raise LookupError(number) if number % 2 else HTTPException(418, "teapot")

    @app.get("/half/{number}")
    async def half(number: int) -> StreamingResponse:
        async def made() -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(0)
            raise LookupError(number)

        return StreamingResponse(made())

    @app.get("/file")
    async def send() -> FileResponse:
        return FileResponse(file)

    return app


class Rig:
    """An app, one connection, and its client."""

    def __init__(self, app: Any, **options: Any) -> None:
        window = options.pop("window", 65536)
        self.hub = Connections(app, Limits(**options), loop=asyncio.get_running_loop())
        self.connection = FrameConnection(self.hub, window)
        self.client = FrameClient(self.connection)

    async def idle(self) -> None:
        await self.client.until(lambda: not self.hub.runner.tasks)
        self.hub.stop()


def run(test: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


def with_end(client: FrameClient, number: int, body: bytes) -> bytes:
    return frame(number, DATA, body) + frame(number, END)


@pytest.mark.parametrize("cut", [0, 1, 7])
def test_a_hundred_at_once(cut: int) -> None:
    """All of them wait within their endpoints before any is answered; each gets its own answer."""

    async def test() -> None:
        log = Log()
        rig = Rig(make_app(log))
        client, numbers = rig.client, range(1, MANY + 1)
        client.send(*(client.request(n, "GET", f"/wait/{n}") for n in numbers), cut=cut)
        assert rig.connection.most_at_once == MANY
        await asyncio.sleep(0)
        assert len(rig.hub.runner.tasks) == MANY
        # One that comes later is not kept waiting by those before it.
        client.send(client.request(500, "GET", "/items/7?q=a%20b", x_number="five"))
        await client.until(lambda: 500 in client.ended)
        assert json.loads(client.body(500)) == {"number": 7, "q": "a b", "header": "five"}
        assert client.ended == {500}
        log.gate.set()
        await client.until(lambda: len(client.ended) == MANY + 1)
        for n in numbers:
            assert client.status(n) == 200
            assert json.loads(client.body(n)) == {"number": n}
        assert not rig.connection.streams
        await rig.idle()

    run(test)


def test_bodies_interleaved_in_and_out() -> None:
    async def test() -> None:
        rig = Rig(make_app(Log()))
        client, numbers = rig.client, range(1, MANY + 1)
        bodies = {n: os.urandom(1000 + 37 * n) for n in numbers}
        client.send(*(client.request(n, "POST", "/digest", end=False) for n in numbers))
        for at in range(0, 5000, 500):
            client.send(
                *(frame(n, DATA, bodies[n][at : at + 500]) for n in reversed(numbers) if bodies[n][at:])
            )
            await asyncio.sleep(0)
            # Others come and go meanwhile, out in pieces.
            client.send(client.request(1000 + at, "GET", f"/pieces/{at % 250}"))
        client.send(*(frame(n, END) for n in numbers))
        await client.until(lambda: len(client.ended) == MANY + 10)
        for n in numbers:
            answer = json.loads(client.body(n))
            assert answer["digest"] == hashlib.sha256(bodies[n]).hexdigest()
            assert answer["pieces"] > 1
            assert client.credit[n] > 0
        for at in range(0, 5000, 500):
            assert client.body(1000 + at) == bytes([at % 250]) * 50
        await rig.idle()

    run(test)


def test_streaming_answers_take_turns() -> None:
    async def test() -> None:
        rig = Rig(make_app(Log()))
        client, numbers = rig.client, range(1, MANY + 1)
        client.send(*(client.request(n, "GET", f"/pieces/{n}") for n in numbers))
        await client.until(lambda: len(client.ended) == MANY)
        assert [client.body(n) for n in numbers] == [bytes([n]) * 50 for n in numbers]
        data = [number for number, kind in client.order if kind == DATA]
        assert data != sorted(data)
        await rig.idle()

    run(test)


def test_a_body_is_awaited_where_the_endpoint_wants_it_whole() -> None:
    """A model is validated when its body is here, a stream is handed out at the end of its head; what says
    Expect is asked to go on."""

    async def test() -> None:
        rig = Rig(make_app(Log()))
        client = rig.client
        kind = {"content_type": "application/json"}
        client.send(client.request(1, "POST", "/items", end=False, **kind))
        client.send(client.request(2, "POST", "/digest", end=False))
        client.send(client.request(3, "POST", "/digest", end=False, expect="100-continue"))
        await client.until(lambda: client.interim)
        assert [rig.connection.streams[n].opened for n in (1, 2, 3)] == [False, True, True]
        assert [head["status"] for head in client.interim[3]] == [100]
        assert client.interim.keys() == {3}
        body = b'{"name": "pen", "price": 1.5}'
        client.send(*(with_end(client, n, body) for n in (3, 2, 1)))
        await client.until(lambda: client.ended == {1, 2, 3})
        assert json.loads(client.body(1)) == {"name": "PEN", "price": 3.0}
        client.send(
            client.request(4, "POST", "/items", end=False, **kind), with_end(client, 4, b'{"name": 1}')
        )
        await client.until(lambda: 4 in client.ended)
        assert client.status(4) == 422
        await rig.idle()

    run(test)


def test_resets_are_disconnects() -> None:
    """Of the one stream: the others go on."""

    async def test() -> None:
        log = Log()
        rig = Rig(make_app(log), window=20)
        client = rig.client
        for n in range(1, 11):
            client.send(client.request(n, "POST", "/digest", end=False, x_number=str(n)))
            client.send(client.request(100 + n, "GET", f"/pieces/{n}?count=50"))
            client.send(frame(n, DATA, b"some"))
        client.send(client.request(50, "GET", "/wait/1"))
        # All of them are at work: "some" has been taken, and the first piece made.
        await client.until(lambda: not any(rig.connection.streams[n].pending() for n in range(1, 11)))
        await client.until(lambda: len(log.sent) == 10)
        client.send(*(frame(n + more, RESET) for n in range(1, 10) for more in (0, 100)))
        # Late frames of streams that are no more.
        client.send(
            frame(1, DATA, b"more"), frame(1, END), frame(1, RESET), frame(101, WINDOW, (9).to_bytes(4))
        )
        await client.until(lambda: len(log.events) == 18)
        assert sorted(log.events) == sorted(
            [*(f"left {n}" for n in range(1, 10)), *(f"closed {n}" for n in range(1, 10))]
        )
        assert not client.ended
        client.send(frame(10, END), frame(110, WINDOW, (10_000).to_bytes(4)))
        log.gate.set()
        await client.until(lambda: client.ended == {10, 50, 110})
        assert json.loads(client.body(10))["digest"] == hashlib.sha256(b"some").hexdigest()
        assert client.body(110) == bytes([10]) * 500
        await rig.idle()

    run(test)


def test_the_end_of_the_connection_is_the_end_of_all() -> None:
    async def test() -> None:
        log = Log()
        rig = Rig(make_app(log), window=20)
        client = rig.client
        client.send(*(client.request(n, "GET", f"/pieces/{n}?count=50") for n in range(1, MANY + 1)))
        await client.until(lambda: len(log.sent) == MANY)
        rig.connection.connection_lost()
        await client.until(lambda: len(log.events) == MANY)
        await rig.idle()

    run(test)


def test_flow_control_is_each_streams_own() -> None:
    """A client that takes nothing of one answer stops that one alone."""

    async def test() -> None:
        log = Log()
        rig = Rig(make_app(log), window=100)
        client = rig.client
        client.send(
            client.request(1, "GET", "/pieces/1?count=50"), client.request(2, "GET", "/pieces/2?count=50")
        )
        for _ in range(12):
            client.send(frame(2, WINDOW, (100).to_bytes(4)))
        await client.until(lambda: 2 in client.ended and len(client.body(1)) == 100)
        await asyncio.sleep(0.02)
        client.read()
        assert client.body(2) == bytes([2]) * 500
        assert len(client.body(1)) == 100
        assert log.sent["1"] == 9
        client.send(frame(1, WINDOW, (1000).to_bytes(4)))
        await client.until(lambda: 1 in client.ended)
        assert client.body(1) == bytes([1]) * 500
        await rig.idle()

    run(test)


def test_errors_are_each_streams_own(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        rig = Rig(make_app(Log()))
        client = rig.client
        for n in range(1, 31):
            path = (f"/items/{n}", f"/boom/{n}", f"/half/{n}", "/nowhere", "/items/x")[n % 5]
            client.send(client.request(n, "GET", path))
        await client.until(lambda: len(client.ended | client.reset) == 30)
        for n in range(1, 31):
            if n % 5 == 2:
                assert n in client.reset
                assert client.body(n) == b"half"
            else:
                assert client.status(n) == (200, 418 if n % 2 == 0 else 500, 0, 404, 422)[n % 5]
        await rig.idle()

    run(test)
    assert len([r for r in caplog.records if r.exc_info and r.exc_info[0] is LookupError]) == 9


def test_a_body_that_is_too_large() -> None:
    async def test() -> None:
        rig = Rig(make_app(Log()), body_size=1000)
        client = rig.client
        for n, path in ((1, "/digest"), (2, "/items"), (3, "/digest")):
            client.send(client.request(n, "POST", path, end=False, content_type="application/json"))
            client.send(*(frame(n, DATA, bytes(500)) for _ in range(2 if n == 3 else 3)), frame(n, END))
        await client.until(lambda: client.ended == {1, 2, 3})
        assert [client.status(n) for n in (1, 2, 3)] == [413, 413, 200]
        await rig.idle()

    run(test)


def test_middleware_and_files(tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(os.urandom(300_000))

    class Tag:
        """Pure ASGI."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def tagged(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], (b"x-tag", b"1")]}
                await send(message)

            await self.app(scope, receive, tagged)

    async def test() -> None:
        rig = Rig(make_app(Log(), str(tmp_path / "file"), [Middleware(Tag)]), window=10_000_000)
        client = rig.client
        for n in range(1, 41):
            client.send(client.request(n, "GET", "/file" if n % 4 == 0 else f"/items/{n}"))
        await client.until(lambda: len(client.ended) == 40)
        for n in range(1, 41):
            assert ["x-tag", "1"] in client.heads[n]["fields"]
            if n % 4 == 0:
                assert client.body(n) == (tmp_path / "file").read_bytes()
            else:
                assert json.loads(client.body(n))["number"] == n
        await rig.idle()

    run(test)


def test_all_that_a_stream_can() -> None:
    """Interim answers and trailers, through a bare app of streams."""

    class Bare:
        def open_stream(self, stream: Any) -> Any:
            return self.answer(stream)

        def wants_head(self, stream: Any) -> bool:
            return True

        async def answer(self, stream: Any) -> None:
            stream.inform(103, [(b"link", b"</a>")])
            stream.start(200, [(b"trailer", b"x-end")])
            await stream.send(f"{stream.scheme} {stream.client} {stream.path} {stream.http_version}".encode())
            stream.finish([(b"x-end", b"1")])

    async def test() -> None:
        rig = Rig(Bare())
        client = rig.client
        client.send(*(client.request(n, "GET", f"/{n}?q") for n in range(1, MANY + 1)))
        await client.until(lambda: len(client.ended) == MANY)
        for n in range(1, MANY + 1):
            assert client.interim[n] == [{"status": 103, "fields": [["link", "</a>"]]}]
            assert client.body(n) == f"https ('192.0.2.1', 5) /{n} 2".encode()
            assert client.trailers[n] == [["x-end", "1"]]
        assert not rig.hub.runner.tasks
        rig.hub.stop()

    run(test)


def test_nothing_of_an_answer_is_of_http_1() -> None:
    async def test() -> None:
        rig = Rig(make_app(Log()))
        client = rig.client
        client.send(client.request(1, "GET", "/items/1"), client.request(2, "GET", "/pieces/1"))
        await client.until(lambda: client.ended == {1, 2})
        names = {name for n in (1, 2) for name, _ in client.heads[n]["fields"]}
        assert names.isdisjoint({"connection", "transfer-encoding", "keep-alive", "upgrade"})
        assert client.order.count((1, HEADERS)) == 1
        await rig.idle()

    run(test)


def test_the_scope_is_made_when_it_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    original = asgi.scope_of

    def counted(stream: Any) -> Any:
        made.append(stream.path)
        return original(stream)

    monkeypatch.setattr("fastweb.requests.scope_of", counted)

    async def test() -> None:
        app = FastWeb()

        @app.get("/plain/{number}")
        async def plain(number: int, q: str = "") -> int:
            return number

        @app.get("/request")
        async def look(request: Request) -> str:
            return request.method + request.headers["host"] + request.url.path

        @app.get("/scope")
        async def touch(request: Request) -> str:
            return str(request.scope["type"])

        rig = Rig(app)
        client = rig.client
        for n, path in enumerate(("/plain/1?q=a", "/scope", "/plain/2"), 1):
            client.send(client.request(n, "GET", path))
        await client.until(lambda: client.ended == {1, 2, 3})
        assert [client.status(n) for n in (1, 2, 3)] == [200, 200, 200]
        assert made == ["/scope"]
        await rig.idle()

    run(test)
