"""A wait for what comes from outside (`Arrival`), with all that may stand between it and a Task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from fastweb._speedups.arrival import Arrival
from fastweb._speedups.runner import Runner
from fastweb._speedups.websocket import BaseWebSocket
from fastweb._speedups.websocket_frames import FrameParser, mask

KEY = b"abcd"
CONTEXT: ContextVar[str] = ContextVar("CONTEXT", default="none")
Endpoint = Callable[["Socket"], Coroutine[Any, Any, None]]


class Transport:
    def __init__(self, sent: list[bytes]) -> None:
        self.sent = sent

    def write(self, data: bytes) -> None:
        self.sent.append(data[2:])


class Hub:
    now = 0.0


class Socket(BaseWebSocket):
    """A WebSocket that is open, with no connection behind it."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop(), Hub(), 10_000)
        self.sent: list[bytes] = []
        self.transport = Transport(self.sent)
        self.parser = FrameParser(10_000)
        self.accepted = True
        self.outcome: Any = "none yet"

    def ended(self, error: BaseException | None) -> None:
        self.outcome = error

    async def get(self) -> Any:
        """What `WebSocket.receive_text` awaits, one coroutine deeper."""
        return await self.receive()

    async def feed(self, *texts: str) -> None:
        """Let messages come, each in a turn of the loop where no Task runs."""
        for text in texts:
            data = text.encode()
            frame = bytes((0x81, 0x80 | len(data))) + KEY + mask(data, KEY)
            self.loop.call_soon(self.data_received, frame)
            await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def rest() -> None:
    """Wait until no short time limit is still to pass, and so the endpoint for a message, or for nothing."""
    loop: Any = asyncio.get_running_loop()
    await settle()
    while any(not timer.cancelled() and timer.when() < loop.time() + 1 for timer in loop._scheduled):
        await asyncio.sleep(0.001)
        await settle()


async def echo_all(socket: Socket) -> None:
    while (text := await socket.get()) != "end":
        socket.write(text)


async def timeouts(socket: Socket) -> None:
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await socket.get()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.get(), 0.001)
        async with asyncio.timeout(10):
            socket.write(await socket.get())
        socket.write(await asyncio.wait_for(socket.get(), 10))


async def bare_waits(socket: Socket) -> None:
    for _ in range(2):
        socket.write(await asyncio.wait_for(socket.receive(), 10))
        socket.write((await asyncio.gather(socket.receive()))[0])


async def anyio_scopes(socket: Socket) -> None:
    for _ in range(2):
        with anyio.move_on_after(0.001) as scope:
            await socket.get()
        assert scope.cancelled_caught
        with anyio.CancelScope() as scope:
            socket.write(await socket.get())
            scope.cancel()
            await socket.get()
        assert scope.cancelled_caught
        socket.write(await socket.get())


async def self_cancelled(socket: Socket) -> None:
    for _ in range(2):
        socket.write(await socket.get())
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await socket.get()
        assert task.uncancel() == 0
        socket.write(await socket.get())


async def sleeps_between(socket: Socket) -> None:
    for delay in (0, 0.001, 0, 0.001):
        socket.write(await socket.get())
        await asyncio.sleep(delay)


async def groups(socket: Socket) -> None:
    async def child() -> None:
        socket.write(await socket.get())

    socket.write(await socket.get())
    async with asyncio.TaskGroup() as group:
        group.create_task(child())
        group.create_task(child())
    socket.write(await socket.get())


async def with_a_queue(socket: Socket) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def reader() -> None:
        for _ in range(3):
            queue.put_nowait(await socket.get())

    async def writer() -> None:
        for _ in range(3):
            socket.write(await queue.get())

    await asyncio.gather(reader(), writer())
    socket.write(await socket.get())


async def contexts(socket: Socket) -> None:
    CONTEXT.set("first")
    for text in "abcd":
        assert await socket.get() == text
        socket.write(text if CONTEXT.get() == ("first" if text == "a" else "later") else "lost")
        CONTEXT.set("later")
        assert asyncio.current_task() in asyncio.all_tasks()


async def two_loans(socket: Socket) -> None:
    for _ in range(2):
        one, other = socket.receive(), socket.receive()
        assert not asyncio.isfuture(one)
        socket.write(await other)
        socket.write(await one)


@pytest.mark.parametrize(
    "endpoint",
    [
        timeouts,
        bare_waits,
        anyio_scopes,
        self_cancelled,
        sleeps_between,
        groups,
        with_a_queue,
        contexts,
        two_loans,
        pytest.param(echo_all, id="echo"),
    ],
)
@pytest.mark.parametrize("own_task", [False, True])
def test_each_message_arrives_once_and_in_order(endpoint: Endpoint, own_task: bool) -> None:
    async def main() -> None:
        socket = Socket()
        if own_task:
            task = asyncio.create_task(endpoint(socket))
            task.add_done_callback(lambda task: socket.ended(task.exception()))
        else:
            asyncio.get_running_loop().call_soon(Runner(socket.loop).run, endpoint(socket), socket)
        for text in ("a", "b", "c", "d", "end"):
            await rest()
            await socket.feed(text)
        await rest()
        assert (socket.sent, socket.outcome) == ([b"a", b"b", b"c", b"d"], None)
        assert CONTEXT.get() == "none"

    asyncio.run(main())


@pytest.mark.parametrize("messages", [0, 1, 3])
def test_it_is_cancelled_from_outside_wherever_it_waits(messages: int) -> None:
    async def main() -> None:
        socket = Socket()
        runner = Runner(socket.loop)
        socket.loop.call_soon(runner.run, echo_all(socket), socket)
        await settle()
        await socket.feed(*"abc"[:messages])
        [task] = runner.tasks
        task.cancel()
        await settle()
        assert isinstance(socket.outcome, asyncio.CancelledError)
        assert (task.cancelled(), runner.tasks) == (True, {})
        # Nobody waits any more, and nothing is lost.
        await socket.feed("left")
        assert await socket.receive() == "left"

    asyncio.run(main())


@pytest.mark.parametrize("error", [ValueError("a bug"), None])
def test_what_it_ends_with_reaches_the_stream_and_the_task(error: Exception | None) -> None:
    async def endpoint(socket: Socket) -> None:
        await socket.get()
        await socket.get()
        if error is not None:
            raise error

    async def main() -> None:
        socket = Socket()
        runner = Runner(socket.loop)
        socket.loop.call_soon(runner.run, endpoint(socket), socket)
        await settle()
        [task] = runner.tasks
        await socket.feed("a", "b")
        assert socket.outcome is error
        assert task.done()
        assert task.exception() is error
        assert runner.tasks == {}

    asyncio.run(main())


class Answer(Arrival):
    """The wait for a database's answer, say: it comes once."""

    def __init__(self, value: str) -> None:
        super().__init__(asyncio.get_running_loop())
        self.value = value
        self.here = self.given_up = False
        asked.append(self)

    def __next__(self) -> Any:
        if self.here:
            raise StopIteration(self.value)
        return self.wait()

    def forget(self) -> None:
        self.given_up = True

    def come(self) -> None:
        self.here = True
        if not self.given_up:
            self.wake(True)


#: Answers that somebody has asked for.
asked: list[Answer] = []


class Request:
    """What the runner runs a coroutine for."""

    outcome: Any = "none yet"

    def ended(self, error: BaseException | None) -> None:
        self.outcome = error


async def in_turns(socket: Socket, seen: list[Any]) -> None:
    """A message, two answers, a message, one answer."""
    seen.append(await socket.get())
    seen.append(await Answer("x"))
    seen.append(await Answer("y"))
    seen.append(await socket.get())
    seen.append(await Answer("z"))


async def all_come(socket: Socket) -> None:
    await socket.feed("a")
    for _ in range(2):
        socket.loop.call_soon(asked[-1].come)
        await settle()
    await socket.feed("b")
    socket.loop.call_soon(asked[-1].come)
    await settle()


@pytest.mark.parametrize("own_task", [False, True])
def test_other_arrivals_in_turns(own_task: bool) -> None:
    async def main() -> None:
        asked.clear()
        socket, seen, request = Socket(), list[Any](), Request()
        if own_task:
            task = asyncio.create_task(in_turns(socket, seen))
        else:
            socket.loop.call_soon(Runner(socket.loop).run, in_turns(socket, seen), request)
        await settle()
        await all_come(socket)
        assert seen == ["a", "x", "y", "b", "z"]
        assert task.done() if own_task else request.outcome is None

    asyncio.run(main())


@pytest.mark.parametrize("own_task", [False, True])
@pytest.mark.parametrize("waits", range(5))
def test_it_is_cancelled_at_whichever_it_waits_for(waits: int, own_task: bool) -> None:
    async def main() -> None:
        asked.clear()
        socket, seen, request = Socket(), list[Any](), Request()
        runner = Runner(socket.loop)
        if own_task:
            task = asyncio.create_task(in_turns(socket, seen))
        else:
            socket.loop.call_soon(runner.run, in_turns(socket, seen), request)
        await settle()
        if not own_task:
            [task] = runner.tasks
        for turn in range(waits):
            if turn in (0, 3):
                await socket.feed("m")
            else:
                socket.loop.call_soon(asked[-1].come)
                await settle()
        assert len(seen) == waits
        task.cancel()
        await settle()
        assert task.cancelled()
        assert own_task or isinstance(request.outcome, asyncio.CancelledError)
        # What comes too late disturbs nobody.
        for answer in asked:
            assert answer.here or answer.given_up
            socket.loop.call_soon(answer.come)
        await settle()
        assert len(seen) == waits

    asyncio.run(main())


def test_two_that_wait_on_one_socket_while_one_has_an_answer_to_come() -> None:
    async def main() -> None:
        asked.clear()
        socket, seen, request = Socket(), list[Any](), Request()
        runner = Runner(socket.loop)
        socket.loop.call_soon(runner.run, in_turns(socket, seen), request)
        await settle()
        await socket.feed("a")
        # It waits for an answer, as far as its Task knows for the message.
        other = asyncio.create_task(socket.get())
        await settle()
        await socket.feed("for the other")
        assert other.done()
        assert await other == "for the other"
        assert seen == ["a"]
        for _ in range(2):
            socket.loop.call_soon(asked[-1].come)
            await settle()
        await socket.feed("b")
        socket.loop.call_soon(asked[-1].come)
        await settle()
        assert (seen, request.outcome) == (["a", "x", "y", "b", "z"], None)

    asyncio.run(main())


async def timed_out(seen: list[Any]) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await Answer("too late")
        with anyio.move_on_after(0.001):
            await Answer("too late")
        seen.append(await Answer("x"))
        seen.append(await Answer("y"))


def test_time_limits_around_them() -> None:
    async def main() -> None:
        asked.clear()
        seen, request = list[Any](), Request()
        loop = asyncio.get_running_loop()
        loop.call_soon(Runner(loop).run, timed_out(seen), request)
        for _ in range(500):
            await asyncio.sleep(0.002)
            if request.outcome != "none yet":
                break
            if not asked[-1].here and asked[-1].value != "too late":
                loop.call_soon(asked[-1].come)
        assert (seen, request.outcome) == (["x", "y"] * 3, None)

    asyncio.run(main())
