"""Streams as what they send, and when they end."""

from __future__ import annotations

import contextvars
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from fastweb.exceptions import ClientDisconnect
from fastweb.responses import EventSourceResponse, StreamingResponse
from tests.responses.sending import SCOPE, SCOPE_24, messages_of, sent

TEXT = ("content-type", "text/plain; charset=utf-8")

both_backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def pieces() -> AsyncIterator[Any]:
    for each in (b"a", "é", bytearray(b"b"), memoryview(b"c"), b""):
        yield each


async def never() -> Any:
    await anyio.sleep_forever()


def test_sent() -> None:
    status, headers, found = sent(StreamingResponse(pieces(), 201, {"X-A": "1"}, "text/plain"))
    assert (status, headers, found) == (201, [("x-a", "1"), TEXT], [b"a", "é".encode(), b"b", b"c"])
    assert sent(StreamingResponse(iter(["a", b"b"])))[1:] == ([], [b"a", b"b"])
    assert sent(EventSourceResponse(iter([])))[1] == [("content-type", "text/event-stream; charset=utf-8")]
    with pytest.raises(AttributeError):
        sent(StreamingResponse([5]))
    types = [message["type"] for message in messages_of(StreamingResponse(iter("a")), type="websocket")]
    assert types == ["websocket.http.response.start", *["websocket.http.response.body"] * 2]


class Endless:
    """A stream that notes how it ended: with awaits of its own, or with none at all."""

    def __init__(self, waits: bool) -> None:
        self.waits = waits
        self.ended = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                if self.waits:
                    await anyio.sleep_forever()
        finally:
            self.ended += 1


@both_backends
@pytest.mark.parametrize("waits", [True, False])
def test_it_ends_when_the_client_is_gone(backend: str, waits: bool) -> None:
    async def main() -> None:
        gone = anyio.Event()
        endless = Endless(waits)
        later: list[str] = []

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                gone.set()

        async def background() -> None:
            later.append("background")

        with anyio.fail_after(10):
            await StreamingResponse(endless.__aiter__(), background=background)(SCOPE, receive, send)
        assert (endless.ended, later) == (1, ["background"])

    anyio.run(main, backend=backend)


@both_backends
def test_it_ends_when_the_server_refuses_to_send(backend: str) -> None:
    async def main() -> None:
        endless = Endless(waits=False)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                raise OSError

        with pytest.raises(ClientDisconnect):
            await StreamingResponse(endless.__aiter__())(SCOPE_24, never, send)
        assert endless.ended == 1

    anyio.run(main, backend=backend)


@both_backends
@pytest.mark.parametrize("scope", [SCOPE, SCOPE_24])
def test_it_can_be_cancelled(backend: str, scope: Any) -> None:
    async def main() -> None:
        for waits in (True, False):
            endless = Endless(waits)

            async def send(message: Any) -> None:
                pass

            with anyio.move_on_after(0.01) as cancelled:
                await StreamingResponse(endless.__aiter__())(scope, never, send)
            assert cancelled.cancelled_caught
            assert endless.ended == 1

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("scope", [SCOPE, SCOPE_24])
def test_errors_come_out_as_they_are(scope: Any) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("mine")

    async def receive() -> Any:
        raise RuntimeError("theirs")

    async def send(message: Any) -> None:
        pass

    async def main() -> None:
        with pytest.raises(KeyError, match="mine") as caught:
            await StreamingResponse(broken())(scope, never, send)
        assert caught.value.__cause__ is caught.value.__context__ is None

    anyio.run(main)
    with pytest.raises(RuntimeError, match="theirs"):
        anyio.run(StreamingResponse(Endless(True).__aiter__()), SCOPE, receive, send)


def test_a_plain_iterator_keeps_the_context() -> None:
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=0)

    def count() -> Iterator[str]:
        for _ in range(3):
            var.set(var.get() + 1)
            time.sleep(0)
            yield str(var.get())

    assert sent(StreamingResponse(count()))[2] == [b"1", b"2", b"3"]
