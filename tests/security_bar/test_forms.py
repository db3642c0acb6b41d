"""Forms: the same limits in every parser, linear time, an end whatever was cut off."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from fastweb import FastWeb, Limits, Request

Door = Callable[..., Any]
URLENCODED = [(b"content-type", b"application/x-www-form-urlencoded")]
MULTIPART = [(b"content-type", b"multipart/form-data; boundary=B")]


def make_app(**limits: Any) -> FastWeb:
    app = FastWeb(limits=Limits(**limits))

    @app.post("/form")
    async def form(request: Request) -> Any:
        async with request.form() as found:
            names = [getattr(value, "filename", None) for value in found.values()]
            return [len(found.multi_items()), names]

    return app


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--B\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name, more, value)


END = b"--B--\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (URLENCODED, b"a=1&" * 11),
        (MULTIPART, part(b"a", b"1") * 11 + END),
        # The limit is cumulative, whatever the names are.
        (URLENCODED, b"&".join(b"a%d=1" % n for n in range(11))),
        (MULTIPART, b"".join(part(b"a%d" % n, b"1") for n in range(11)) + END),
        # One field too large, in its value or its name.
        (URLENCODED, b"a=" + b"x" * 101),
        (URLENCODED, b"x" * 101 + b"=1"),
        (MULTIPART, part(b"a", b"x" * 101) + END),
        # Too many files.
        (MULTIPART, part(b"f", b"", b'; filename="f"') * 4 + END),
        # A header block of a part.
        (
            MULTIPART,
            b"--B\r\n" + b"X: y\r\n" * 9 + b'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n' + END,
        ),
        (
            MULTIPART,
            b"--B\r\nX: " + b"y" * 2000 + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' + END,
        ),
        (
            MULTIPART,
            b"--B\r\n" + b"X" * 2000 + b': y\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' + END,
        ),
    ],
    ids=range(11),
)
def test_form_limits_are_equal_in_every_parser(door: Door, headers: Any, body: bytes) -> None:
    ask = door(
        make_app(form_fields=10, form_files=3, form_part_size=100, part_header_count=8, part_header_size=1000)
    )
    answer = ask("POST", b"/form", headers, body)
    assert answer.status == 400, answer
    assert ask("POST", b"/form", URLENCODED, b"a=1").status == 200


def test_a_million_fields_and_a_huge_one_are_refused_quickly(door: Door) -> None:
    ask = door(make_app())
    for headers, body in (
        (URLENCODED, b"a=1&" * 1_000_000),
        (URLENCODED, b"a=" + b"x" * 5_000_000),
        (MULTIPART, part(b"a", b"") * 20_000 + END),
        (MULTIPART, part(b"a", b"x" * 5_000_000) + END),
    ):
        assert ask("POST", b"/form", headers, body).status == 400


@pytest.mark.parametrize(
    "body_of",
    [
        pytest.param(lambda n: b"\r\n" * n + part(b"a", b"1") + END, id="preamble"),
        pytest.param(lambda n: part(b"a", b"1") + END + b"\r\n" * n, id="epilogue"),
        pytest.param(lambda n: part(b"a", b"1") + b"\r\n--" * n + END, id="nearly a boundary"),
        pytest.param(lambda n: part(b"f", b"\r\n--" * n, b'; filename="f"') + END, id="nearly, in a file"),
        pytest.param(
            lambda n: part(b"a", b"1", b"; x=" + b"\\" * min(n, 7000)) + END + b"\n" * n, id="options"
        ),
    ],
)
def test_multipart_takes_linear_time(asgi: Any, growth: Any, body_of: Callable[[int], bytes]) -> None:
    ask = asgi(make_app()).ask

    def work(size: int) -> None:
        assert ask("POST", b"/form", MULTIPART, body_of(size)).status in (200, 400)

    assert growth(work, 250_000) < 9


@pytest.mark.parametrize(
    "value", [b";" * 60_000, b'a="' + b"\\" * 60_000, b"=" * 60_000, b'"' * 60_001, b" ;" * 30_000]
)
def test_header_options_take_linear_time(asgi: Any, growth: Any, value: bytes) -> None:
    ask = asgi(make_app()).ask

    def work(size: int) -> None:
        headers = [(b"content-type", b"multipart/form-data; " + value[:size] + b"; boundary=B")]
        assert ask("POST", b"/form", headers, part(b"a", b"1") + END).status in (200, 400)

    assert growth(work, 15_000) < 9


@pytest.mark.parametrize("piece", [1, 7])
def test_one_byte_pieces_take_linear_time(asgi: Any, growth: Any, piece: int) -> None:
    ask = asgi(make_app(), piece).ask

    def work(size: int) -> None:
        assert ask("POST", b"/form", MULTIPART, part(b"a", b"x" * size) + END).status == 200

    assert growth(work, 8_000) < 9


def test_a_multipart_truncated_at_every_byte_ends(asgi: Any) -> None:
    body = part(b"a", b"1") + part(b"f", b"x\r\n-", b'; filename="f"\r\nContent-Type: a/b') + END
    ask = asgi(make_app()).ask_in_loop

    async def scenario() -> None:
        for size in range(len(body) + 1):
            async with asyncio.timeout(20):
                answer = await ask("POST", b"/form", MULTIPART, body[:size])
            assert answer.status in (200, 400), size

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "name",
    [b"../../etc/passwd", b"/etc/passwd", b"..\\\\..\\\\a", b"C:\\\\a", b"a\0b", b"%2e%2e%2fa", b".", b""],
)
def test_an_upload_s_file_name_is_never_a_path(
    door: Door, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    ask = door(make_app(form_spool_size=10))
    answer = ask("POST", b"/form", MULTIPART, part(b"f", b"x" * 100, b'; filename="%b"' % name) + END)
    assert answer.status in (200, 400)
    assert os.listdir(tmp_path) == []


def test_spool_rollover_does_not_block_the_loop(asgi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes to the disk goes there from a thread: the loop turns meanwhile, however slow the disk is."""
    import tempfile
    import threading

    threads: set[int] = set()
    rollover = tempfile.SpooledTemporaryFile.rollover

    def slow(self: Any) -> None:
        threads.add(threading.get_ident())
        time.sleep(0.05)
        rollover(self)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", slow)
    ask = asgi(make_app(form_spool_size=1000)).ask_in_loop
    body = part(b"f", b"x" * 300_000, b'; filename="f"') + END

    async def scenario() -> None:
        answers = await asyncio.gather(*(ask("POST", b"/form", MULTIPART, body) for _ in range(4)))
        assert [answer.status for answer in answers] == [200] * 4

    asyncio.run(scenario())
    assert threads
    assert threading.get_ident() not in threads
