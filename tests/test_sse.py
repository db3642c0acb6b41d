"""Server-sent events: what is written for what is yielded."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pydantic
import pytest

from fastweb.models import BaseModel
from fastweb.sse import (
    KEEPALIVE_COMMENT,
    EventStreamResponse,
    ServerSentEvent,
    encode_event,
    format_sse_event,
)
from tests.responses.sending import SCOPE, sent


class Item(BaseModel):
    name: str
    price: float = 1.5


class Modern(pydantic.BaseModel):
    name: str


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, b"\n"),
        ({"data_str": ""}, b"data: \n\n"),
        ({"data_str": "a\nb\r\nc\rd\n"}, b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        ({"data_str": "a\u2028b\vc"}, "data: a\u2028b\vc\n\n".encode()),
        ({"comment": "a\nb"}, b": a\n: b\n\n"),
        (
            {"data_str": "d", "event": "e", "id": "i", "retry": 5, "comment": "c"},
            b": c\nevent: e\ndata: d\nid: i\nretry: 5\n\n",
        ),
        ({"event": "", "id": "", "retry": 0}, b"event: \nid: \nretry: 0\n\n"),
    ],
)
def test_format(fields: dict[str, Any], expected: bytes) -> None:
    assert format_sse_event(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"event": "a\nb"}, "SSE 'event' must be a single line"),
        ({"event": "a\r"}, "SSE 'event' must be a single line"),
        ({"id": "a\r\nb"}, "SSE 'id' must be a single line"),
        ({"id": "a\0"}, "null"),
    ],
)
def test_no_field_becomes_another(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ServerSentEvent(**fields)
    with pytest.raises(ValueError, match=message):
        format_sse_event(**fields)


@pytest.mark.parametrize(
    "fields", [{"retry": -1}, {"retry": 1.5}, {"data": 1, "raw_data": "x"}, {"event": 1}]
)
def test_events_are_valid(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ServerSentEvent(**fields)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (1, b"data: <1>\n\n"),
        (ServerSentEvent(data="a\nb", event="e"), b'event: e\ndata: "a\\nb"\n\n'),
        (ServerSentEvent(data={"a": float("nan")}, id="1"), b'data: {"a": null}\nid: 1\n\n'),
        (ServerSentEvent(data=Item(name="x")), b'data: {"name":"x","price":1.5}\n\n'),
        (ServerSentEvent(data=Modern(name="x")), b'data: {"name":"x"}\n\n'),
        (ServerSentEvent(data=[Item(name="x")]), b'data: [{"name": "x", "price": 1.5}]\n\n'),
        (ServerSentEvent(raw_data="a,1"), b"data: a,1\n\n"),
        (ServerSentEvent(comment="c"), b": c\n\n"),
    ],
)
def test_encode(item: Any, expected: bytes) -> None:
    assert encode_event(item, lambda data: f"<{data}>".encode()) == expected


async def slow(messages: list[Any], until: int) -> AsyncIterator[Any]:
    yield 1
    with anyio.fail_after(60):
        while len(messages) < until:  # noqa: ASYNC110 - nothing tells
            await anyio.sleep(0.001)
    yield ServerSentEvent(data=2)


def slow_in_a_thread(messages: list[Any], until: int) -> Iterator[Any]:
    yield 1
    end = time.monotonic() + 60
    while len(messages) < until and time.monotonic() < end:
        time.sleep(0.001)
    yield ServerSentEvent(data=2)


@pytest.mark.parametrize("endpoint", [slow, slow_in_a_thread])
def test_keep_alive(endpoint: Any) -> None:
    messages: list[Any] = []
    # The start, what is yielded first, and two signs of life.
    response = EventStreamResponse(endpoint(messages, 4), ping_interval=0.02)
    status, headers, events = sent(response, messages=messages)
    assert (status, dict(headers)) == (
        200,
        {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
        },
    )
    assert [event for event in events if event != KEEPALIVE_COMMENT] == [b"data: 1\n\n", b"data: 2\n\n"]
    assert KEEPALIVE_COMMENT in events
    messages = []
    assert KEEPALIVE_COMMENT not in sent(EventStreamResponse(endpoint(messages, 2)), messages=messages)[2]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_how_it_ends(backend: str) -> None:
    ended: list[str] = []

    async def endless() -> AsyncIterator[Any]:
        try:
            async with anyio.create_task_group():  # a cancel scope that is open while it yields
                yield 1
                await anyio.sleep_forever()
        finally:
            ended.append("ended")

    async def broken() -> AsyncIterator[Any]:
        yield 1
        raise KeyError("mine")

    async def main() -> None:
        gone = anyio.Event()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message.get("body") == KEEPALIVE_COMMENT:
                gone.set()

        with anyio.fail_after(60):
            await EventStreamResponse(endless(), ping_interval=0.01)(SCOPE, receive, send)
        assert ended == ["ended"]
        gone = anyio.Event()
        with pytest.raises(KeyError, match="mine"):
            await EventStreamResponse(broken())(SCOPE, receive, send)

    anyio.run(main, backend=backend)
