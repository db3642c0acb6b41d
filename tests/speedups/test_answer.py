"""Answering a request step by step: what a route does, seen by whoever drives its coroutine."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from fastweb import APIRouter, Depends, FastWeb, HTTPException, Request
from fastweb._speedups.answer import DONE, Answer
from fastweb._speedups.router import FULL, NONE
from fastweb.models import BaseModel
from fastweb.responses import PlainTextResponse


class Item(BaseModel):
    name: str
    price: float


class Stream:
    """A request that came whole, and its answer."""

    started = False
    disconnected = False
    http_version = "1.1"
    scheme = "http"
    client = server = None

    def __init__(self, method: str, target: str, body: bytes = b"", content_type: bytes = b"") -> None:
        self.method = method
        self.path, _, query = target.partition("?")
        self.raw_path = self.path.encode()
        self.query_string = query.encode()
        self.headers = [] if not content_type else [(b"content-type", content_type)]
        self.body = body
        self.body_complete = True
        self.answer: tuple[int, bytes] | None = None

    def respond(self, head: Any, body: bytes) -> None:
        assert not self.started
        self.started = True
        self.answer = head.status, body

    async def receive(self) -> bytes:
        body, self.body = self.body, b""
        return body

    async def drain(self) -> None:
        pass


app = FastWeb()
calls: list[str] = []


async def number(n: int) -> int:
    calls.append("number")
    return n


async def doubled(n: int = Depends(number)) -> int:
    await asyncio.sleep(0)
    return 2 * n


async def refuses() -> None:
    raise HTTPException(403, "no")


@app.get("/plain")
async def plain() -> Any:
    return {"a": 1}


@app.get("/waits")
async def waits() -> Any:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return "waited"


@app.get("/depends")
async def depends(twice: int = Depends(doubled), once: int = Depends(number)) -> Any:
    calls.append("endpoint")
    return [twice, once]


@app.get("/refused", dependencies=[Depends(refuses)])
async def refused() -> Any:
    calls.append("endpoint")


@app.get("/teapot")
async def teapot() -> Any:
    await asyncio.sleep(0)
    raise HTTPException(418)


@app.get("/boom")
async def boom() -> Any:
    raise RuntimeError("boom")


@app.get("/text", response_class=PlainTextResponse)
async def text() -> Any:
    return "text"


@app.get("/response")
async def response() -> Any:
    return PlainTextResponse("response", 202)


@app.get("/request")
async def request(request: Request) -> Any:
    return [request.method, request.url.path]


@app.post("/items", response_model=Item)
async def create(item: Item) -> Any:
    calls.append(item.name)
    return item


def begin(stream: Stream) -> Any:
    calls.clear()
    answering = app.open_stream(stream)
    assert type(answering) is Answer
    return answering


def drive(answering: Any) -> int:
    """Step it to its end; how often it waited."""
    waited = 0
    step = answering.begin()
    while step is not DONE:
        waited += 1
        try:
            step = answering.send(None)
        except StopIteration:
            break
    return waited


@pytest.mark.parametrize(
    ("stream", "waited", "status", "body"),
    [
        (Stream("GET", "/plain"), 0, 200, b'{"a":1}'),
        (Stream("GET", "/waits"), 2, 200, b'"waited"'),
        (Stream("GET", "/depends?n=4"), 1, 200, b"[8,4]"),
        (Stream("GET", "/refused"), 0, 403, b'{"detail":"no"}'),
        (Stream("GET", "/teapot"), 1, 418, b'{"detail":"I\'m a Teapot"}'),
        (Stream("GET", "/text"), 0, 200, b"text"),
        (Stream("GET", "/response"), 0, 202, b"response"),
        (Stream("GET", "/request"), 0, 200, b'["GET","/request"]'),
        (
            Stream("POST", "/items", b'{"name":"a","price":1}', b"application/json"),
            0,
            200,
            b'{"name":"a","price":1.0}',
        ),
        # The general way reads it: the body is the same.
        (
            Stream("POST", "/items", b'{"name":"b","price":2}', b"application/json; charset=utf-8"),
            0,
            200,
            b'{"name":"b","price":2.0}',
        ),
    ],
    ids=lambda value: value.path if isinstance(value, Stream) else None,
)
def test_answers(stream: Stream, waited: int, status: int, body: bytes) -> None:
    assert drive(begin(stream)) == waited
    assert stream.answer == (status, body)


def test_a_dependency_is_called_once() -> None:
    drive(begin(Stream("GET", "/depends?n=1")))
    assert calls == ["number", "endpoint"]


@pytest.mark.parametrize(
    "stream",
    [
        Stream("GET", "/depends?n=x"),
        Stream("POST", "/items", b'{"name":"a"}', b"application/json"),
        Stream("POST", "/items", b'{"name":', b"application/json"),
        Stream("POST", "/items", b"", b"application/json"),
        Stream("POST", "/items", b'{"name":"a","price":1}'),
    ],
    ids=["query", "field", "json", "empty", "type"],
)
def test_what_does_not_fit_calls_nothing(stream: Stream) -> None:
    drive(begin(stream))
    assert stream.answer is not None
    assert stream.answer[0] == 422
    assert calls == []


def test_an_exception_that_nobody_handles_is_raised_when_it_has_been_answered() -> None:
    stream = Stream("GET", "/boom")
    with pytest.raises(RuntimeError, match="boom"):
        drive(begin(stream))
    assert stream.answer == (500, b"Internal Server Error")


def test_an_exception_is_thrown_into_what_waits() -> None:
    answering = begin(Stream("GET", "/waits"))
    assert answering.begin() is None
    with pytest.raises(asyncio.CancelledError):
        answering.throw(asyncio.CancelledError())

    stream = Stream("GET", "/waits")
    answering = begin(stream)
    assert answering.begin() is None
    with pytest.raises(StopIteration):
        answering.throw(HTTPException(409))
    assert stream.answer == (409, b'{"detail":"Conflict"}')


def test_it_is_a_coroutine() -> None:
    async def main() -> None:
        stream = Stream("GET", "/waits")
        task = asyncio.create_task(begin(stream))
        assert "Answer" in repr(task) or "waits" in repr(task)
        await task
        assert stream.answer == (200, b'"waited"')
        stream = Stream("GET", "/plain")
        await begin(stream)
        assert stream.answer == (200, b'{"a":1}')

    asyncio.run(main())


def test_closed_before_its_end() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("endless")

    other = FastWeb()
    other.add_api_route("/", endless)

    async def main() -> None:
        answering: Any = other.open_stream(Stream("GET", "/"))
        answering.begin()
        answering.close()

    asyncio.run(main())
    assert ended == ["endless"]


def test_a_route_that_is_added_later() -> None:
    other = FastWeb()
    other.add_api_route("/one", plain)
    drive(other.open_stream(Stream("GET", "/one")))
    other.add_api_route("/two", waits)
    stream = Stream("GET", "/two")
    drive(other.open_stream(stream))
    assert stream.answer == (200, b'"waited"')


def answer_of(other: FastWeb, target: str) -> tuple[int, Any]:
    stream = Stream("GET", target)
    answering: Any = other.open_stream(stream)
    if type(answering) is not Answer:
        answering.close()
        return 404, None
    drive(answering)
    assert stream.answer is not None
    return stream.answer[0], json.loads(stream.answer[1])


def test_settings_that_change_between_requests() -> None:
    async def one() -> int:
        return 1

    async def of_m(m: int) -> int:
        return m

    other, another = FastWeb(), APIRouter()
    other.add_api_route("/{n}", depends)
    another.add_api_route("/{n}", plain)
    assert answer_of(other, "/7") == (200, [14, 7])
    other.dependency_overrides[number] = one
    assert answer_of(other, "/7") == (200, [2, 1])
    other.dependency_overrides = {number: of_m}
    assert answer_of(other, "/7?m=5") == (200, [10, 5])
    other.dependency_overrides.clear()
    assert answer_of(other, "/7?m=5") == (200, [14, 7])
    for round_ in range(40):  # what sets an attribute this often is specialised (PEP 659)
        other.root_path = f"/r{round_}"
        assert answer_of(other, f"/r{round_}/7") == (200, [14, 7])
    other.__dict__["root_path"] = ""
    assert answer_of(other, "/r1/7") == (404, None)
    first = other.router
    other.router = another
    assert answer_of(other, "/7") == (200, {"a": 1})
    other.router = first
    assert answer_of(other, "/7") == (200, [14, 7])
    first.routes = list(another.routes)
    assert answer_of(other, "/7") == (200, {"a": 1})
    first.routes.clear()
    assert answer_of(other, "/7") == (404, None)


def test_routes_that_cannot_be_read_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception while the first request has them read does not leave the next without any."""
    other = FastWeb()
    other.add_api_route("/", plain)

    def broken() -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(other.router, "matcher", broken)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                other.open_stream(Stream("GET", "/"))
    assert answer_of(other, "/") == (200, {"a": 1})


def test_requests_of_other_threads_while_routes_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    other = FastWeb()
    read = other.router.matcher
    found: list[Any] = []

    def ask() -> None:
        found.append(answer_of(other, "/plain"))
        found.append(other.router.match("GET", "/plain")[0])

    def slow() -> Any:
        monkeypatch.setattr(other.router, "matcher", read)
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return read()

    other.add_api_route("/plain", plain)
    monkeypatch.setattr(other.router, "matcher", slow)
    assert answer_of(other, "/plain") == (200, {"a": 1})
    other.router.routes.clear()
    assert other.router.match("GET", "/plain")[0] == NONE
    other.add_api_route("/plain", plain)
    monkeypatch.setattr(other.router, "matcher", slow)
    assert other.router.match("GET", "/plain")[0] == FULL
    assert found == [(200, {"a": 1}), FULL] * 2
