from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastweb.server.access_log import _JSON_FIELDS, FIELDS, AccessLog, escape, formatter
from fastweb.server.config import Config, ConfigError
from tests.server.conftest import until

Serve = Callable[..., Any]
posix = pytest.mark.skipif(os.name != "posix", reason="several workers, files that are moved")

CLIENT = ("127.0.0.1", 5123)
#: A time with milliseconds, UTC.
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
CLF = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000"


class Answered:
    """What the log reads of a stream."""

    def __init__(self, method: str = "GET", raw_target: bytes = b"/", **attributes: Any) -> None:
        self.method = method
        self.raw_target = raw_target
        self.client: tuple[str, int] | None = CLIENT
        self.http_version = "1.1"
        self.status = 200
        self.sent = 5
        self.began = time.monotonic() - 0.25
        self.scheme = "http"
        self.headers: list[tuple[bytes, bytes]] = []
        for name, value in attributes.items():
            setattr(self, name, value)


def written(form: str = "default", **attributes: Any) -> str:
    stream = io.StringIO()
    log = AccessLog(stream, form=form)
    log(Answered(**attributes))
    log.close()
    return stream.getvalue()


FULL: dict[str, Any] = {
    "raw_target": b"/a/%2F?b=c?d",
    "headers": [(b"host", b"example.com:80"), (b"referer", b"http://r/"), (b"user-agent", b"curl/8")],
}


def test_a_line_a_request() -> None:
    assert written(raw_target=b"/a?b=c") == 'INFO:     127.0.0.1:5123 - "GET /a?b=c HTTP/1.1" 200 OK\n'
    assert written(client=None, status=404) == 'INFO:     unix - "GET / HTTP/1.1" 404 Not Found\n'
    assert written(status=799) == 'INFO:     127.0.0.1:5123 - "GET / HTTP/1.1" 799\n'
    assert written(raw_target=b"", status=400) == 'INFO:     127.0.0.1:5123 - "-" 400 Bad Request\n'


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("common", rf'127\.0\.0\.1 - - \[{CLF}\] "GET /a/%2F\?b=c\?d HTTP/1\.1" 200 5'),
        (
            "combined",
            rf'127\.0\.0\.1 - - \[{CLF}\] "GET /a/%2F\?b=c\?d HTTP/1\.1" 200 5 "http://r/" "curl/8"',
        ),
        ("{time} {client}:{client_port}", rf"{ISO} 127\.0\.0\.1:5123"),
        ("{method} {path} {query} {version}", r"GET /a/%2F b=c\?d 1\.1"),
        ("{{{duration_ms}}} {pid}", r"{\d{3,}\.\d+} \d+"),
        ("{scheme}://{host} {header:USER-Agent} {header:x-none}", r"http://example\.com:80 curl/8 -"),
    ],
)
def test_formats(form: str, line: str) -> None:
    assert re.fullmatch(line + "\n", written(form, **FULL))


def test_json() -> None:
    entry = json.loads(written("json", **FULL))
    assert re.fullmatch(ISO, entry.pop("time"))
    assert 250 <= entry.pop("duration_ms") < 10_000
    assert entry == {
        "client": "127.0.0.1",
        "client_port": 5123,
        "method": "GET",
        "path": "/a/%2F",
        "query": "b=c?d",
        "version": "1.1",
        "status": 200,
        "bytes": 5,
        "referer": "http://r/",
        "user_agent": "curl/8",
        "scheme": "http",
        "host": "example.com:80",
        "pid": os.getpid(),
    }


def test_what_was_refused_before_its_head_was_known() -> None:
    refused = {"raw_target": b"", "status": 431, "began": 0.0, "client": None}
    assert re.fullmatch(rf'unix - - \[{CLF}\] "-" 431 5 "-" "-"\n', written("combined", **refused))
    entry = json.loads(written("json", **refused))
    assert (entry["method"], entry["path"], entry["query"], entry["host"]) == (None, None, "", None)
    assert (entry["client"], entry["client_port"], entry["duration_ms"]) == ("unix", None, 0.0)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("{nonsense}", r"no field \{nonsense\}: it knows time, client, .* and header:NAME"),
        ("{}", r"no field \{\}"),
        ("{client!r}", r"no field \{client!r\}"),
        ("{status:>9}", r"no field \{status:>9\}"),
        ("{header}", r"no field \{header\}"),
        ("{client.__class__}", r"no field"),
        ("{client", "is broken: expected '}'"),
        ("combine", "must be one of default, common, combined, json, or text with {fields}, not 'combine'"),
        ("", "must be one of"),
        ("{client}\n{status}", "one line"),
        ("\x1b[1m{client}", "one line"),
        (7, "must be text, not 7"),
    ],
)
def test_a_format_that_is_none(form: Any, words: str) -> None:
    with pytest.raises(ConfigError, match="access_log_format .*" + words):
        Config(app="main:app", access_log_format=form)


@pytest.mark.parametrize("path", ["", ".", "no/such/directory/access.log"])
def test_a_file_that_cannot_be(path: str) -> None:
    with pytest.raises(ConfigError, match="access_log_file must be a file in a directory that exists"):
        Config(app="main:app", access_log_file=path)


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


@pytest.mark.parametrize(
    "form", ["default", "common", "combined", "json", *(f"{{{name}}}" for name in FIELDS)]
)
def test_every_byte_stays_on_its_line(form: str) -> None:
    every = bytes(range(256))
    fields = [(name, every) for name in (b"host", b"referer", b"user-agent")]
    line = written(form, method="G\nT\x1b", raw_target=every, client=("\x1b[1m\n", 1), headers=fields)
    assert line.count("\n") == 1
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    if form == "json":
        assert json.loads(line)["referer"][:60] == every.decode("latin-1")[:60]


@pytest.mark.parametrize("form", ["default", "combined", "json"])
@pytest.mark.parametrize("byte", [b"a", b"\xff", b"\\", b'"'])
def test_a_line_fits_into_what_a_pipe_takes_at_once(form: str, byte: bytes) -> None:
    long = byte * 20_000
    fields = [(name, long) for name in (b"host", b"referer", b"user-agent")]
    line = written(form, raw_target=b"/" + long + b"?" + long, headers=fields)
    assert len(line) <= 4096
    if form == "json":
        json.loads(line)
    else:
        # The quotation marks still pair.
        assert re.sub(r"\\.", "", line).count('"') == (2 if form == "default" else 6)


def test_lines_are_written_together() -> None:
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    log = AccessLog(Stream())
    for _ in range(255):
        log(Answered())
    assert writes == []
    log(Answered())
    log.flush()
    # A pipe takes 4096 bytes in one piece: other workers' lines do not come in between.
    assert all(len(text) <= 4096 and text.endswith("\n") for text in writes)
    assert 1 < len(writes) < 10
    assert "".join(writes).count("\n") == 256
    log.close()


def test_a_line_does_not_wait_for_others_for_long() -> None:
    written = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.set()
            return len(text)

    async def scenario() -> None:
        log = AccessLog(Stream(), loop=asyncio.get_running_loop())
        log(Answered())
        assert not written.is_set()
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if written.is_set():
                break
        log.close()

    asyncio.run(scenario())
    assert written.is_set()


def test_a_log_that_cannot_be_written_costs_no_request() -> None:
    stream = io.StringIO()
    stream.close()
    log = AccessLog(stream)
    log(Answered())
    log.flush()
    log.flush()
    log.close()


def test_a_destination_that_takes_nothing_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()
    lines: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            go_on.wait(60)
            lines.append(text)
            return len(text)

    log = AccessLog(Stream())
    # Whole batches: what is left of one is handed over by `close`, and is lost or not, as it comes.
    for _ in range(80 * 256):
        log(Answered())
    assert log.dropped == 16 * 256
    assert "takes nothing: lines are dropped" in caplog.text
    go_on.set()
    # Longer than `close` waits for a destination, if need be.
    until(lambda: "4096 lines were dropped" in caplog.text)
    log.close()
    assert "".join(lines).count("\n") == 64 * 256


@posix
def test_a_file_that_is_moved_away(tmp_path: Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    log = AccessLog(path=str(path), form="{path}")
    log(Answered(raw_target=b"/1"))
    log.flush()
    path.rename(moved)
    log(Answered(raw_target=b"/2"))
    log.flush()
    (tmp_path / "access.log").unlink()
    log(Answered(raw_target=b"/3"))
    log.close()
    assert moved.read_text() == "/1\n"
    assert path.read_text() == "/3\n"


@posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.touch(0o444)
    with pytest.raises(ConfigError, match="cannot be written: check its permissions"):
        Config(app="main:app", access_log_file=str(path))


@posix
def test_lines_of_several_workers_do_not_mix(serve: Serve, tmp_path: Path) -> None:
    server = serve(workers=2, access_log_file="access.log", access_log_format="json").ready()

    def ask(number: int) -> None:
        for each in range(25):
            connection = server.connect()
            connection.request("GET", f"/{number}/{each}?" + "q" * 1000, headers={"connection": "close"})
            connection.getresponse().read()
            connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.stop() == 0
    entries = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    expected = [f"/{a}/{b}" for a in range(4) for b in range(25)]
    assert sorted(entry["path"] for entry in entries) == sorted(expected)
    assert set(entries[0]) == set(_JSON_FIELDS)
    assert server.out == ""


@posix
def test_refused_requests_are_in_it(serve: Serve) -> None:
    server = serve(access_log_format="{status} {request} {bytes}", bounds={"body_size": 10}).ready()
    for text in (
        b"nonsense\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n",
    ):
        connection = server.connect()
        connection.sock.sendall(text)
        while connection.sock.recv(1000):
            pass
        connection.close()
    assert server.stop() == 0
    lines = [line for line in server.out.splitlines() if not line.startswith("200 GET /")]
    assert lines == ["400 - 30", "413 POST /x HTTP/1.1 23", "400 - 30"]


@posix
def test_a_closed_pipe_costs_no_request(app_dir: Path) -> None:
    command = [sys.executable, "-m", "fastweb", "run", "main:app", "--port", "0", "--workers", "1"]
    with subprocess.Popen(
        command, cwd=app_dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            found = re.search(r":(\d+)", process.stderr.readline())
            assert found is not None
            import http.client

            for _ in range(3):
                connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
                connection.request("GET", "/")
                assert connection.getresponse().read() == str(process.pid).encode()
                connection.close()
                time.sleep(0.1)
            process.terminate()
            assert "Traceback" not in process.stderr.read()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_what_makes_a_line() -> None:
    # Each name, once, so that a field that is added is tested above.
    assert callable(formatter("".join(f"{{{name}}}" for name in FIELDS)))
