"""JSON Lines: what is written for what is yielded."""

from __future__ import annotations

import collections.abc
import threading
import typing
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from fastweb.jsonl import JSONLinesResponse, encode_untyped, stream_item_type
from fastweb.models import BaseModel
from tests.responses.sending import sent


class Item(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("annotation", "item"),
    [
        *((getattr(collections.abc, name)[int], int) for name in ("AsyncIterable", "AsyncIterator")),
        *((getattr(collections.abc, name)[int], int) for name in ("Iterable", "Iterator")),
        (collections.abc.AsyncGenerator[int, None], int),
        (collections.abc.Generator[int, None, None], int),
        (typing.AsyncIterable[int], int),
        (typing.AsyncIterable, Any),
        (list[int], None),
        (int, None),
        (None, None),
        (Any, None),
    ],
)
def test_item_type(annotation: Any, item: Any) -> None:
    assert stream_item_type(annotation) is item


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"a": [1, Item(name="x")]}, b'{"a": [1, {"name": "x"}]}'),
        ([float("nan"), {"b": float("-inf")}, 1.5], b'[null, {"b": null}, 1.5]'),
        ("é\n", b'"\\u00e9\\n"'),
        (None, b"null"),
    ],
)
def test_encode_untyped(item: Any, expected: bytes) -> None:
    assert encode_untyped(item) == expected


def test_sent() -> None:
    threads: list[threading.Thread] = []

    async def items() -> AsyncIterator[Any]:
        yield Item(name="x")
        yield 2

    def plain() -> Iterator[Any]:
        threads.append(threading.current_thread())
        yield from [1, 2]

    def encode(item: Any) -> bytes:
        threads.append(threading.current_thread())
        return b"%d" % item

    status, headers, lines = sent(JSONLinesResponse(items(), status_code=201, headers={"a": "b"}))
    assert (status, lines) == (201, [b'{"name": "x"}\n', b"2\n"])
    assert headers == [("a", "b"), ("content-type", "application/jsonl")]
    assert sent(JSONLinesResponse(plain(), encode))[2] == [b"1\n", b"2\n"]
    assert threading.current_thread() not in threads


def test_errors() -> None:
    closed: list[str] = []

    async def items() -> AsyncIterator[Any]:
        try:
            yield 1
            yield object()
        finally:
            closed.append("closed")

    with pytest.raises(ZeroDivisionError):
        sent(JSONLinesResponse(items(), lambda item: b"%d" % (1 / 0)))
    assert closed == ["closed"]
