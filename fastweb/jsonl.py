"""JSON Lines: one JSON document a line, as an endpoint yields them.

Source: https://jsonlines.org
"""

from __future__ import annotations

import collections.abc
import json
import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from fastweb.encoders import jsonable_encoder
from fastweb.responses import StreamingResponse

__all__ = ["JSONLinesResponse", "encode_each", "encode_untyped", "stream_item_type"]

_STREAMS = frozenset(
    getattr(collections.abc, kind + name)
    for kind in ("", "Async")
    for name in ("Iterable", "Iterator", "Generator")
)


def stream_item_type(annotation: Any) -> Any:
    """The type of what a generator yields, by its return annotation: Item, where that is
    `AsyncIterable[Item]`, and so with Iterable, Iterator and Generator; Any, where it does not say; None,
    where it is no such type.
    """
    origin = get_origin(annotation)
    if origin not in _STREAMS:
        return None
    arguments = get_args(annotation)
    return arguments[0] if arguments else Any


def encode_untyped(item: Any) -> bytes:
    """What an endpoint of no declared type has yielded, as one line of JSON; a float that JSON cannot hold is
    null.

    Raises:
        ValueError: an object is of an unknown type.
    """
    return json.dumps(_finite(jsonable_encoder(item))).encode()


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return data


def encode_each(
    items: AsyncIterable[Any] | Iterable[Any], encode: Callable[[Any], bytes]
) -> AsyncIterator[bytes] | Iterator[bytes]:
    """What an endpoint yields, encoded: as an async generator, or as a plain one where `items` is plain, so
    that items are made and encoded in the thread pool.
    """
    return _encode_async(items, encode) if isinstance(items, AsyncIterable) else map(encode, items)


async def _encode_async(items: AsyncIterable[Any], encode: Callable[[Any], bytes]) -> AsyncIterator[bytes]:
    try:
        async for item in items:
            yield encode(item)
    except BaseException:
        if hasattr(items, "aclose"):
            await items.aclose()
        raise


class JSONLinesResponse(StreamingResponse):
    """The answer of an endpoint with a yield in it and no `response_class`: an item a line.

    Arguments:
        items: what calling the endpoint gave: an async generator or a plain one.
        encode_item: makes JSON, without a line break in it, of one item.
    """

    media_type = "application/jsonl"

    def __init__(
        self,
        items: AsyncIterable[Any] | Iterable[Any],
        encode_item: Callable[[Any], bytes] = encode_untyped,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        lines = encode_each(items, lambda item: encode_item(item) + b"\n")
        super().__init__(lines, status_code, headers, None, background)
