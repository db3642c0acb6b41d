"""Server-sent events: from what an endpoint yields to what an EventSource reads.

    stream        = *event
    event         = *( comment / field ) end-of-line
    comment       = ":" *any-char end-of-line
    field         = name [ ":" [ " " ] *any-char ] end-of-line

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastweb.jsonl import encode_each, encode_untyped
from fastweb.models import BaseModel, Field
from fastweb.responses import EventSourceResponse

__all__ = [
    "KEEPALIVE_COMMENT",
    "EventSourceResponse",
    "EventStreamResponse",
    "ServerSentEvent",
    "encode_event",
    "format_sse_event",
]

#: Sent while there is no event, so that no proxy closes the connection.
KEEPALIVE_COMMENT = b": ping\n\n"

# Seconds between keep-alive comments; under this name because FastAPI's tests change it.
_PING_INTERVAL: float = 15.0


class ServerSentEvent(BaseModel):
    """One event, for endpoints that say more of it than its data.

    Arguments:
        data: what JSON can hold, a model for one. A string is written as JSON, too: in quotes.
        raw_data: the data as it is, of one line or more; instead of `data`.
        event: its type, for `addEventListener`; "message" to the browser where there is none.
        id: what the browser sends as Last-Event-ID when it connects again.
        retry: milliseconds after which it is to connect again.
        comment: lines that the browser ignores.

    Raises:
        ValidationError: `event` or `id` has a line break in it, `id` a NUL, `retry` is negative, or there are
            both `data` and `raw_data`. It is a ValueError.
    """

    data: Any = None
    raw_data: str | None = None
    event: str | None = None
    id: str | None = None
    retry: int | None = Field(default=None, ge=0)
    comment: str | None = None

    def model_post_init(self, context: Any) -> None:
        """Check what would change the meaning of the lines."""
        _check_line("event", self.event)
        _check_line("id", self.id)
        if self.data is not None and self.raw_data is not None:
            raise ValueError(
                "Cannot set both 'data' and 'raw_data' on the same ServerSentEvent: "
                "'data' is written as JSON, 'raw_data' as it is"
            )


def format_sse_event(
    *,
    data_str: str | None = None,
    event: str | None = None,
    id: str | None = None,  # noqa: A002 - the field's name
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """One event as it is sent.

    Arguments:
        data_str: its data, which may have several lines.
        event, id, retry, comment: see `ServerSentEvent`.

    Raises:
        ValueError: `event` or `id` has a line break in it, or `id` a NUL: it would be read as another field.
    """
    _check_line("event", event)
    _check_line("id", id)
    lines: list[str] = []
    if comment is not None:
        lines.extend(f": {line}" for line in _lines(comment))
    if event is not None:
        lines.append(f"event: {event}")
    if data_str is not None:
        lines.extend(f"data: {line}" for line in _lines(data_str))
    if id is not None:
        lines.append(f"id: {id}")
    if retry is not None:
        lines.append(f"retry: {retry}")
    return "\n".join([*lines, "", ""]).encode()


def _check_line(name: str, value: str | None) -> None:
    if value is None:
        return
    if name == "id" and "\0" in value:
        raise ValueError("SSE 'id' must not contain null characters")
    if "\r" in value or "\n" in value:
        raise ValueError(f"SSE '{name}' must be a single line")


def _lines(text: str) -> list[str]:
    # Not splitlines(), which knows more line ends than the standard, and drops an empty last line.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def encode_event(item: Any, encode_item: Callable[[Any], bytes]) -> bytes:
    """The event for what an endpoint has yielded.

    Arguments:
        item: a `ServerSentEvent`, or the data of an event.
        encode_item: makes JSON of data. What is in a ServerSentEvent does not go through it: an endpoint may
            send events of many types.
    """
    if not isinstance(item, ServerSentEvent):
        return format_sse_event(data_str=encode_item(item).decode())
    data = item.raw_data
    if data is None and item.data is not None:
        dump = getattr(item.data, "model_dump_json", None)
        data = encode_untyped(item.data).decode() if dump is None else dump()
    return format_sse_event(
        data_str=data, event=item.event, id=item.id, retry=item.retry, comment=item.comment
    )


class EventStreamResponse(EventSourceResponse):
    """The answer of an endpoint with a yield in it and `response_class=EventSourceResponse`: an event for
    each item, and a comment whenever there was none for a while.

    The endpoint's generator runs in a task of its own, one from its beginning to its end, so that an event
    which takes long is not cancelled for the sake of a comment.

    Arguments:
        items: what calling the endpoint gave: an async generator or a plain one.
        encode_item: see `encode_event`.
        ping_interval: seconds until a comment; by default 15.
    """

    def __init__(
        self,
        items: AsyncIterable[Any] | Iterable[Any],
        encode_item: Callable[[Any], bytes] = encode_untyped,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
        *,
        ping_interval: float | None = None,
    ) -> None:
        events = encode_each(items, lambda item: encode_event(item, encode_item))
        super().__init__(events, status_code, headers, None, background)
        self.ping_interval = _PING_INTERVAL if ping_interval is None else ping_interval
        self.headers.setdefault("cache-control", "no-cache")
        # Nginx would wait until it has a buffer full of events.
        self.headers.setdefault("x-accel-buffering", "no")

    async def _send_pieces(self, send: Callable[[Any], Awaitable[None]]) -> None:
        import anyio

        events, made = anyio.create_memory_object_stream[bytes](1)
        errors: list[Exception] = []

        async def make() -> None:
            with events:
                try:
                    await super(EventStreamResponse, self)._send_pieces(events.send)
                except Exception as error:
                    # Not raised in here: the group would wrap it.
                    errors.append(error)

        async def forward() -> None:
            while True:
                event = KEEPALIVE_COMMENT
                with anyio.move_on_after(self.ping_interval):
                    try:
                        event = await made.receive()
                    except anyio.EndOfStream:
                        return
                await send(event)

        with made:
            async with anyio.create_task_group() as group:
                group.start_soon(make)
                try:
                    await forward()
                except Exception as error:
                    errors.insert(0, error)
                group.cancel_scope.cancel()
        if errors:
            raise errors[0]
