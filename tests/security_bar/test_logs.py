"""Nobody fills the disk with our log: what a client can cause at will is capped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from fastweb import FastWeb, Request
from fastweb.server.config import configure_logging

Door = Callable[..., Any]

BOMBS: list[tuple[bytes, list[tuple[bytes, bytes]], bytes]] = [
    (b"/", [(b"cookie", b"=; ;;\xff=\x01; a" + b";" * 500)], b""),
    (b"/form", [(b"content-type", b"multipart/form-data; boundary=B")], b"nonsense"),
    (b"/form", [(b"content-type", b"multipart/form-data; boundary=B")], b"--B\r\nA\x01: b\r\n\r\n1\r\n--B--"),
    (b"/form", [(b"content-type", b"multipart/form-data")], b"x"),
    (b"/form", [(b"content-type", b"application/x-www-form-urlencoded")], b"%zz=%ff&\xff"),
    (b"/json", [(b"content-type", b"application/json")], b"{"),
    (b"/none", [], b""),
    (b"/?%zz=%ff", [], b""),
]


def make_app() -> FastWeb:
    app = FastWeb()

    @app.post("/")
    async def root(request: Request) -> Any:
        return [request.cookies, str(request.query_params)]

    @app.post("/form")
    async def form(request: Request) -> Any:
        return len(await request.form())

    @app.post("/json")
    async def data(value: dict[str, int]) -> Any:
        return value

    return app


def test_bad_requests_cause_no_storm_of_log_lines(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    ask = door(make_app())
    configure_logging("info")
    caplog.set_level(logging.INFO)
    for target, headers, body in BOMBS:
        caplog.clear()
        for _ in range(60):
            assert ask("POST", target, headers, body).status < 500
        ours = [record for record in caplog.records if not record.name.startswith("httpx")]
        assert len(ours) <= 25, (target, body)
        assert not any(record.levelno >= logging.ERROR for record in ours)


def test_broken_framing_causes_no_storm_either(own_server: Door, caplog: pytest.LogCaptureFixture) -> None:
    server = own_server(make_app())
    configure_logging("debug")
    caplog.set_level(logging.DEBUG, "fastweb")
    try:
        for data in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"):
            for _ in range(60):
                assert server.send(data).startswith(b"HTTP/1.1 400")
    finally:
        configure_logging("info")
    assert len(caplog.records) <= 50
