"""The hot path of a connection, call by call; all that a client can see of it is tests/server's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fastweb.limits import Limits
from fastweb.server.connections import Connections


class Transport(asyncio.Transport):
    """One that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: Any) -> None:
        if self.closing:
            raise RuntimeError("the handler is closed")  # so does uvloop's
        self.written.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


@pytest.fixture
def connect(make_stream_app: Callable[[], Any]) -> Iterator[Callable[[], tuple[Any, Transport]]]:
    loop = asyncio.SelectorEventLoop()

    def connect() -> tuple[Any, Transport]:
        connection = Connections(make_stream_app(), Limits(), loop=loop).make_protocol()
        transport = Transport()
        connection.connection_made(transport)
        return connection, transport

    yield connect
    loop.close()


@pytest.fixture
def make_stream_app() -> Callable[[], Any]:
    from fastweb._speedups.response import Head

    head = Head(200, ())

    class App:
        """It answers as it is called, with no coroutine."""

        def open_stream(self, stream: Any) -> None:
            stream.respond(head, stream.raw_target)

        def wants_head(self, stream: Any) -> bool:
            return False

    return App


def test_a_whole_answer_is_one_write(connect: Callable[[], tuple[Any, Transport]]) -> None:
    connection, transport = connect()
    connection.data_received(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    (answer,) = transport.written
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\ncontent-length: 2\r\n\r\n/a")
    connection.connection_lost(None)


def test_nothing_is_written_to_who_is_gone(connect: Callable[[], tuple[Any, Transport]]) -> None:
    for lost in (False, True):
        connection, transport = connect()
        streams: list[Any] = []
        connection.hub.app.open_stream = streams.append
        connection, transport = type(connection)(connection.hub), Transport()
        connection.connection_made(transport)
        connection.data_received(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        transport.closing = True
        if lost:
            connection.connection_lost(None)
        from fastweb._speedups.response import Head

        streams[0].respond(Head(200, ()), b"")
        assert transport.written == []
        with pytest.raises(RuntimeError, match="answered already"):
            streams[0].respond(Head(200, ()), b"")
