from __future__ import annotations

import asyncio
import io

import pytest

from fastweb.server.access_log import AccessLog, escape

CLIENT = ("127.0.0.1", 5123)


def written(method: str, target: bytes, *, client: tuple[str, int] | None = CLIENT, status: int = 200) -> str:
    stream = io.StringIO()
    log = AccessLog(stream)
    log(client, method, target, "1.1", status)
    log.flush()
    return stream.getvalue()


def test_a_line_a_request() -> None:
    assert written("GET", b"/a?b=c") == 'INFO:     127.0.0.1:5123 - "GET /a?b=c HTTP/1.1" 200 OK\n'
    assert (
        written("GET", b"/", client=None, status=404) == 'INFO:     unix - "GET / HTTP/1.1" 404 Not Found\n'
    )
    assert written("GET", b"/", status=799) == 'INFO:     127.0.0.1:5123 - "GET / HTTP/1.1" 799\n'


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("", ""),
        ("/plain path~", "/plain path~"),
        ("\r\nINFO: forged", "\\x0d\\x0aINFO: forged"),
        ("\x1b[2J\x00\x7f", "\\x1b[2J\\x00\\x7f"),
        ("\x80\x9b\xff", "\\x80\\x9b\\xff"),
        ("\x85\u2028", "\\x85\\u2028"),
        ("\U0001f600", "\\U0001f600"),
        ('" 200 OK', '\\" 200 OK'),
        ("\\x0a", "\\\\x0a"),
    ],
)
def test_what_came_from_the_network_is_escaped(text: str, safe: str) -> None:
    assert escape(text) == safe


def test_every_byte_of_a_target_stays_on_its_line() -> None:
    line = written("G\nT", bytes(range(256)), client=("\x1b[1m", 1))
    assert line.count("\n") == 1
    assert line[:-1].isascii()
    assert line[:-1].isprintable()


def test_lines_are_written_together() -> None:
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    log = AccessLog(Stream())
    for _ in range(255):
        log(CLIENT, "GET", b"/", "1.1", 200)
    assert writes == []
    log(CLIENT, "GET", b"/", "1.1", 200)
    # A pipe takes 4096 bytes in one piece: other workers' lines do not come in between.
    assert all(len(text) <= 4096 and text.endswith("\n") for text in writes)
    assert 1 < len(writes) < 10
    assert "".join(writes).count("\n") == 256


def test_a_line_does_not_wait_for_others_for_long() -> None:
    lines: list[str] = []

    async def scenario() -> None:
        written = asyncio.Event()

        class Stream(io.StringIO):
            def write(self, text: str) -> int:
                lines.append(text)
                written.set()
                return len(text)

        log = AccessLog(Stream(), loop=asyncio.get_running_loop())
        log(CLIENT, "GET", b"/", "1.1", 200)
        assert lines == []
        await asyncio.wait_for(written.wait(), 10)

    asyncio.run(scenario())
    assert len(lines) == 1


def test_a_log_that_cannot_be_written_costs_no_request() -> None:
    stream = io.StringIO()
    stream.close()
    log = AccessLog(stream)
    log(CLIENT, "GET", b"/", "1.1", 200)
    log.flush()
    log.flush()
