"""fastweb/_speedups/websocket.py: frames read and written, payloads unmasked."""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from fastweb._speedups.websocket import BaseWebSocket, Message
from fastweb._speedups.websocket_frames import (
    FrameParser,
    close_payload,
    frame,
    is_close_code,
    mask,
)


class Nothing:
    """A transport that takes all, and a hub whose clock stands."""

    now = 0.0

    def write(self, data: bytes) -> None:
        pass


KEY = b"\x12\x34\x56\x78"
TIMES = 100


def _texts(size: int) -> Work:
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE)) + size.to_bytes(2, "big")
    data = (head + KEY + mask(b"a" * size, KEY)) * TIMES
    parser = FrameParser(1 << 20)

    def work() -> None:
        parser.feed(data)
        while parser.next_event() is not None:
            pass

    return work, TIMES


@case("WebSocket parser, texts of 64 bytes", "websocket_frames.FrameParser")
def small() -> Work:
    return _texts(64)


@case("WebSocket parser, texts of 16 KiB", "websocket_frames.FrameParser")
def large() -> Work:
    return _texts(1 << 14)


@case("WebSocket parser, pings", "websocket_frames.FrameParser", "websocket_frames.Event")
def pings() -> Work:
    data = (b"\x89\x84" + KEY + b"ping") * TIMES
    parser = FrameParser(1 << 20)

    def work() -> None:
        parser.feed(data)
        while parser.next_event() is not None:
            pass

    return work, TIMES


@case("WebSocket mask, 16 KiB", "websocket_frames.mask")
def masking() -> Work:
    data = bytes(1 << 14)
    return lambda: mask(data, KEY), 1


@case("WebSocket frame, text of 64 bytes", "websocket_frames.frame")
def framing() -> Work:
    text = "a" * 64
    return lambda: frame(0x81, text), 1


@case("WebSocket Close", "websocket_frames.close_payload", "websocket_frames.is_close_code")
def closing() -> Work:
    return lambda: is_close_code(1000) and close_payload(1000, "bye"), 1


@case(
    "WebSocket echo of 64 bytes, in process",
    "websocket.BaseWebSocket",
    "websocket.Message",
    "arrival.Arrival",
)
def echo() -> Work:
    socket = BaseWebSocket(None, Nothing(), 1 << 20)
    socket.transport = Nothing()
    socket.parser = FrameParser(1 << 20)
    socket.accepted = True
    data = (b"\x81\xc0" + KEY + mask(b"a" * 64, KEY)) * TIMES

    def work() -> None:
        socket.data_received(data)
        for _ in range(TIMES):
            arrival: Message = socket.receive()
            text: Any = None
            try:
                next(iter(arrival))
            except StopIteration as stop:
                text = stop.value
            socket.write(text)

    return work, TIMES
