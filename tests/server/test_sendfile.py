"""Files sent by the kernel: slow clients, clients that leave, files that change, what sendfile cannot do."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from fastweb.exceptions import ClientDisconnect
from fastweb.server import sendfile

if TYPE_CHECKING:
    from tests.server.conftest import LoopServer

Listen = Callable[..., "LoopServer"]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#: More than the kernel's buffers of both ends of a connection hold.
SIZE = 12 * 1024 * 1024 + 17

pytestmark = pytest.mark.skipif(not sendfile.AVAILABLE, reason="no sendfile here")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BinaryIO]:
    path = tmp_path_factory.mktemp("files") / "large"
    path.write_bytes(os.urandom(1024 * 1024) * 12 + b"the end of a file")
    with open(path, "rb") as file:
        yield file


class Sending:
    """An endpoint that sends a file, and what became of it."""

    def __init__(self, file: BinaryIO, count: int = SIZE, promised: int | None = None) -> None:
        self.file = file
        self.count = count
        self.promised = count if promised is None else promised
        self.ended: list[BaseException | None] = []
        self.task: asyncio.Task[Any] | None = None

    async def __call__(self, stream: Any) -> None:
        self.task = asyncio.current_task()
        stream.start(200, [(b"content-length", b"%d" % self.promised)])
        try:
            await stream.send_file(self.file, 0, self.count)
            stream.finish()
        except BaseException as error:
            self.ended.append(error)
            raise
        self.ended.append(None)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def senders(server: LoopServer) -> list[Any]:
    return [c.file_sender for c in server.connections._all if c.file_sender is not None]


def test_the_kernel_sends_it(listen: Listen, make_app: Any, large: BinaryIO, monkeypatch: Any) -> None:
    asked: list[int] = []

    def spy(out: int, file: int, offset: int, count: int) -> int:
        asked.append(count)
        return real(out, file, offset, count)

    real = os.sendfile
    monkeypatch.setattr(os, "sendfile", spy)
    server = listen(make_app({"/": Sending(large)}))
    client = server.connect()
    assert client.is_open()
    before = server.call(descriptors)
    # The next request waits until the file is sent.
    client.send(GET + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    assert client.answer().body == Path(large.name).read_bytes()
    assert client.answer().body == b"GET /next 0"
    assert len(client.answer().body) == SIZE
    assert max(asked) == sendfile.PIECE
    assert client.is_open()
    server.until(lambda: descriptors() <= before)


@pytest.mark.parametrize(
    "count", [0, 1, 16 * 1024, 16 * 1024 + 1, 64 * 1024, sendfile.PIECE, sendfile.PIECE + 1]
)
def test_sizes(listen: Listen, make_app: Any, large: BinaryIO, count: int) -> None:
    client = listen(make_app({"/": Sending(large, count)})).connect().send(GET)
    assert client.answer().body == Path(large.name).read_bytes()[:count]
    assert client.is_open()


def test_what_is_not_in_memory_is_read_by_a_thread(
    listen: Listen, make_app: Any, large: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sendfile, "_NOWAIT", None)
    client = listen(make_app({"/": Sending(large)})).connect().send(GET)
    assert client.answer().body == Path(large.name).read_bytes()


@pytest.mark.parametrize("after", [0, 1])
def test_a_file_that_sendfile_does_not_take(
    listen: Listen, make_app: Any, large: BinaryIO, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    calls = 0

    def refuse(*args: int) -> int:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(errno.EINVAL, "no")
        return real(*args)

    real = os.sendfile
    monkeypatch.setattr(os, "sendfile", refuse)
    client = listen(make_app({"/": Sending(large)})).connect().send(GET)
    assert client.answer().body == Path(large.name).read_bytes()
    assert client.is_open()


def test_a_file_that_cannot_be_read(
    listen: Listen, make_app: Any, large: BinaryIO, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: int) -> int:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "sendfile", fail)
    server = listen(make_app({"/": Sending(large)}))
    client = server.connect().send(GET)
    client.interim()
    assert client.rest() == b""
    server.until(lambda: caplog.records)
    assert "the disk is broken" in str(caplog.records[0].exc_info)


def test_a_file_that_becomes_shorter(
    listen: Listen, make_app: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(bytes(SIZE))
    with open(path, "rb") as file:
        server = listen(make_app({"/": Sending(file)}))
        client = server.connect(receive_buffer=4096).send(GET)
        server.until(lambda: senders(server) and senders(server)[0].left < SIZE)
        os.truncate(path, 4096)
        client.interim()
        assert len(client.rest()) < SIZE
        server.until(lambda: caplog.records)
        assert "the file is shorter" in str(caplog.records[0].exc_info)


def test_a_client_that_leaves(listen: Listen, make_app: Any, large: BinaryIO) -> None:
    sending = Sending(large)
    server = listen(make_app({"/": sending}))
    client = server.connect(receive_buffer=4096).send(GET)
    server.until(lambda: senders(server))
    client.close()
    server.until(lambda: sending.ended)
    assert isinstance(sending.ended[0], ClientDisconnect)


def test_a_client_that_closes_its_own_side_gets_it_all(
    listen: Listen, make_app: Any, large: BinaryIO
) -> None:
    client = listen(make_app({"/": Sending(large)})).connect().send(GET).half_close()
    assert client.answer().body[-17:] == b"the end of a file"
    assert client.rest() == b""


def test_a_client_that_takes_nothing(listen: Listen, make_app: Any, large: BinaryIO) -> None:
    sending = Sending(large)
    server = listen(make_app({"/": sending}), write_timeout=0.2)
    client = server.connect(receive_buffer=4096).send(GET)
    server.until(lambda: sending.ended)
    assert isinstance(sending.ended[0], ClientDisconnect)
    client.close()


def test_a_client_that_takes_little_at_a_time(listen: Listen, make_app: Any, large: BinaryIO) -> None:
    """The kernel has room for more only after a while; what it has sent counts, too."""
    sending = Sending(large)
    server = listen(make_app({"/": sending}), write_timeout=0.4)
    client = server.connect(receive_buffer=16384).send(GET)
    server.until(lambda: senders(server))

    async def take() -> None:
        began = server.connections.now
        while server.connections.now < began + 1.2:
            await server.receive(client, 8192)
            await asyncio.sleep(0.01)

    server.wait(take())
    assert not sending.ended
    client.close()


def test_a_cancelled_endpoint(listen: Listen, make_app: Any, large: BinaryIO) -> None:
    sending = Sending(large)
    server = listen(make_app({"/": sending}))
    before = descriptors()
    client = server.connect(receive_buffer=4096).send(GET)
    server.until(lambda: senders(server))
    assert sending.task is not None
    server.call(sending.task.cancel)
    client.interim()
    assert len(client.rest()) < SIZE
    server.until(lambda: sending.ended)
    assert isinstance(sending.ended[0], asyncio.CancelledError)
    server.until(lambda: not len(server.connections))
    client.close()
    server.until(lambda: descriptors() <= before)


def test_too_much_and_too_little(
    listen: Listen, make_app: Any, large: BinaryIO, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app({"/": Sending(large, 100_000, 99_999), "/little": Sending(large, 100_000, 100_001)})
    server = listen(app)
    client = server.connect().send(GET)
    client.interim()
    assert client.rest() == b""
    client = server.connect().send(GET.replace(b"/", b"/little", 1))
    client.interim()
    assert len(client.rest()) == 100_000
    server.until(lambda: len(caplog.records) == 2)
    assert ["longer" in str(r.exc_info) or "shorter" in str(r.exc_info) for r in caplog.records] == [True] * 2


def test_the_loop_is_free_meanwhile(listen: Listen, make_app: Any, large: BinaryIO) -> None:
    """Clients that take nothing cost no thread and no turn of the loop."""
    server = listen(make_app({"/": Sending(large)}))
    clients = [server.connect(receive_buffer=4096).send(GET) for _ in range(8)]
    server.until(lambda: len(senders(server)) == 8)
    assert server.connect().send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").answer().status == 200
    for client in clients:
        client.close()
