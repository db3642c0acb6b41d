"""All connections of a worker: the sweep, the drain, the end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fastweb._speedups.response import HAS_DATE, HAS_SERVER, Head
from fastweb.limits import Limits
from fastweb.server.connections import SWEEP, Connections

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PLAIN = Head(200, ((b"content-type", b"text/plain"),))
#: Sweeps are frequent, and the time limit that this is for hits nobody here: small answers are taken at once.
OFTEN: Any = {"write_timeout": 0.2}


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


class Gate:
    """Endpoints that wait until the test lets them go on."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.log: list[str] = []

    async def wait(self, stream: Any) -> None:
        try:
            await self.event.wait()
        except asyncio.CancelledError as error:
            self.log.append(f"cancelled: {error}")
            raise
        stream.respond(PLAIN, b"waited")

    async def background(self, stream: Any) -> None:
        stream.respond(PLAIN, b"at once")
        await self.event.wait()
        self.log.append("background")


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def gated(gate: Gate, make_app: Callable[..., Any]) -> Any:
    return make_app({"/wait": gate.wait, "/background": gate.background})


def test_it_counts_connections_and_answers(listen: Listen, gated: Any) -> None:
    server = listen(gated)
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        assert client.send(GET * 2).answer().status == 200
        assert client.answer().status == 200
    assert server.call(len, server.connections) == 3
    assert server.connections.requests_total == 6
    clients[0].close()
    server.until(lambda: len(server.connections) == 2)


@pytest.mark.parametrize(
    ("limits", "interval"),
    [
        ({}, SWEEP),
        ({"header_timeout": 100.0}, SWEEP),
        ({"header_timeout": 2.0}, 0.5),
        ({"body_timeout": 0.4}, 0.1),
        ({"keep_alive_timeout": 0.4}, 0.1),
        ({"write_timeout": 0.4}, 0.1),
        ({"linger_timeout": 0.4}, 0.1),
    ],
)
def test_the_sweep_is_as_frequent_as_the_time_limits_need(
    make_app: Callable[..., Any], limits: dict[str, Any], interval: float
) -> None:
    loop = asyncio.new_event_loop()
    try:
        assert Connections(make_app({}), Limits(**limits), loop=loop).interval == interval
    finally:
        loop.close()


def test_the_fields_of_the_server_beside_those_of_an_answer(make_app: Callable[..., Any]) -> None:
    loop = asyncio.new_event_loop()
    try:
        connections = Connections(make_app({}), Limits(), loop=loop)
        date, server = connections.lines_beside(HAS_SERVER), connections.lines_beside(HAS_DATE)
        assert date.startswith(b"date: ")
        assert date.endswith(b" GMT\r\n")
        assert server == b"server: fastweb\r\n"
        assert connections.lines_beside(0) == connections.own_lines == date + server
        assert connections.lines_beside(HAS_DATE | HAS_SERVER) == b""
        assert Connections(make_app({}), Limits(), loop=loop, server_header=False).own_lines == date
    finally:
        loop.close()


def test_the_date_goes_on(listen: Listen, gated: Any) -> None:
    server = listen(gated, **OFTEN)
    first = server.connect().send(GET).answer().headers["date"]
    server.until(lambda: first.encode() not in server.connections.own_lines)
    assert server.connect().send(GET).answer().headers["date"] != first


def test_drain(listen: Listen, gated: Any, gate: Gate) -> None:
    """What is asked is answered, all of it, and the last answer says that the connection closes."""
    server = listen(gated)
    idle = server.connect().send(GET)
    idle.answer()
    fresh = server.connect()
    busy = server.connect().send(get("/wait") + get("/a") + get("/b"))
    half = server.connect().send(GET[:-2])
    body = server.connect().send(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
    server.until(lambda: gated.opened == ["/", "/wait"] and len(server.connections) == 5)
    # All that was sent has been read, too.
    server.until(lambda: sum(c.in_head or c.parsing is not None for c in server.connections._all) == 2)
    server.until(lambda: sum(len(c.queue) for c in server.connections._all) == 2)
    server.call(server.connections.drain)
    assert idle.rest() == b""
    assert fresh.rest() == b""
    server.call(gate.event.set)
    answers = [busy.answer() for _ in range(3)]
    assert [answer.body for answer in answers] == [b"waited", b"GET /a 0", b"GET /b 0"]
    assert [answer.headers.get("connection") for answer in answers] == [None, None, "close"]
    assert busy.rest() == b""
    for client, rest in ((half, b"\r\n"), (body, b"dy")):
        assert client.send(rest).answer().headers["connection"] == "close"
        assert client.rest() == b""
    assert server.wait(server.connections.wait_closed(15)) is True


def test_what_comes_after_a_drain_is_answered_once(listen: Listen, gated: Any) -> None:
    """A connection that the kernel had accepted already is served, and closed."""
    server = listen(gated)
    server.call(server.connections.stop)  # or the next sweep might close it first
    server.call(server.connections.drain)
    client = server.connect_with(GET + GET)
    assert [client.answer().headers.get("connection") for _ in range(2)] == [None, "close"]
    assert client.rest() == b""


def test_a_streamed_answer_in_a_drain(listen: Listen, make_app: Callable[..., Any]) -> None:
    async def run(stream: Any) -> None:
        stream.start(200, [])
        stream.finish()

    server = listen(make_app({"/": run}))
    client = server.connect()
    assert "connection" not in client.send(GET).answer().headers
    (connection,) = server.connections._all
    server.connections.draining = True
    assert client.send(GET).answer().headers["connection"] == "close"
    assert client.rest() == b""
    assert connection.transport.is_closing()


def test_an_early_answered_body_does_not_hold_up_a_drain(
    listen: Listen, make_app: Callable[..., Any]
) -> None:
    server = listen(make_app({}, heads=("/early",)), **OFTEN)
    client = server.connect().send(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
    assert client.answer().status == 200
    server.call(server.connections.drain)
    client.send(b"dy")
    assert client.rest() == b""


def test_waiting_for_the_end(listen: Listen, gated: Any, gate: Gate) -> None:
    server = listen(gated)
    client = server.connect().send(get("/background"))
    assert client.answer().body == b"at once"
    assert server.wait(server.connections.wait_closed(0.01)) is False
    client.close()
    server.until(lambda: len(server.connections) == 0)
    # The connection is gone, but its request still runs.
    assert server.wait(server.connections.wait_closed(0.01)) is False
    server.call(gate.event.set)
    assert server.wait(server.connections.wait_closed(15)) is True
    assert gate.log == ["background"]


def test_abort(listen: Listen, gated: Any, gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    server = listen(gated)
    clients = [server.connect().send(request) for request in (get("/wait"), GET, b"GE", b"")]
    assert clients[1].answer().status == 200
    server.until(lambda: "/wait" in gated.opened and len(server.connections) == 4)
    server.call(server.connections.abort)
    for client in clients:
        try:
            assert client.rest() == b""
        except ConnectionResetError:
            pass
    assert server.wait(server.connections.wait_closed(15)) is True
    assert gate.log == ["cancelled: the server is stopping"]
    assert not caplog.records


def test_an_app_that_will_not_end_is_not_waited_for(listen: Listen, make_app: Callable[..., Any]) -> None:
    stop = asyncio.Event()

    async def stubborn(stream: Any) -> None:
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                pass

    server = listen(make_app({"/stubborn": stubborn}))
    server.connect().send(get("/stubborn"))
    server.until(lambda: len(server.connections.runner.tasks) == 1)
    server.call(server.connections.abort)
    assert server.wait(server.connections.wait_closed(0.05)) is False
    server.call(stop.set)
    assert server.wait(server.connections.wait_closed(15)) is True


def test_the_clock_is_coarse_and_never_runs_ahead(listen: Listen, gated: Any) -> None:
    server = listen(gated, **OFTEN)
    swept: list[tuple[float, float]] = []
    server.connections.on_sweep = lambda: swept.append((server.connections.now, time.monotonic()))
    server.until(lambda: len(swept) >= 10)
    (_, real), (began, _), *_, (now, really) = swept
    # From one sweep to the last, by the clock; and from before that one to after this, in truth.
    assert 0 < now - began <= really - real


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
def test_a_unix_socket(tmp_path: Any, loop_name: str, make_app: Callable[..., Any]) -> None:
    seen: list[Any] = []

    async def look(stream: Any) -> None:
        seen.append((stream.client, stream.server))
        stream.respond(PLAIN, b"ok")

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        connections = Connections(make_app({"/": look}), Limits(), loop=loop)
        connections.start()
        server = await loop.create_unix_server(connections.make_protocol, str(tmp_path / "s"))
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(GET)
        answer = await reader.readuntil(b"ok")
        writer.close()
        await writer.wait_closed()
        server.close()
        connections.drain()
        assert await connections.wait_closed(15)
        connections.stop()
        return answer

    factory: Any = asyncio.SelectorEventLoop
    if loop_name == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(main()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert seen == [(None, (str(tmp_path / "s"), None))]  # as uvicorn has it


def test_many_connections_are_swept_a_slice_at_a_time(
    listen: Listen, gated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each of them in each sweep, but those that have gone meanwhile."""
    monkeypatch.setattr("fastweb.server.connections.SLICE", 4)
    server = listen(gated, write_timeout=0.4)
    clients = [server.connect().send(GET) for _ in range(18)]
    for client in clients:
        client.answer()
    turns: list[int] = []
    swept: set[Any] = set()

    def spy(connections: Any) -> None:
        before = len(connections._unswept)
        swept.update(connections._unswept[-4:])
        original(connections)
        turns.append(before - len(connections._unswept))

    original = Connections._sweep_some
    monkeypatch.setattr(Connections, "_sweep_some", spy)
    server.until(lambda: len(swept) == 18)
    assert 0 < max(turns) <= 4
    clients[0].close()
    server.until(lambda: len(server.connections) == 17)
    count = len(turns)
    server.until(lambda: len(turns) > count + 10)
    assert clients[1].is_open()
