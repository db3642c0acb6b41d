from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastweb import _speedups
from fastweb.cli import main
from fastweb.cli.options import cores, size
from fastweb.limits import Limits
from fastweb.server.config import option_name

ROOT = str(Path(_speedups.__file__).parent.parent.parent)

APP = """
from contextlib import asynccontextmanager


class App:
    def __init__(self, body=b"hello"):
        self.body = body

    async def answer(self, stream):
        stream.start(200, [(b"content-length", str(len(self.body)).encode())])
        await stream.send(self.body)
        stream.finish()

    def open_stream(self, stream):
        return self.answer(stream)

    def wants_head(self, stream):
        return False

    @asynccontextmanager
    async def lifespan(self):
        yield


app = App()
number = 1


def make():
    return App(b"made")
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "broken.py").write_text("def f():\n    return 1 / 0\n\nf()\n")
    return tmp_path


def fastweb(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "fastweb", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": ROOT, "WEB_CONCURRENCY": ""},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["run", "mian:app"], 2, "did you mean 'main'?"),
        (["run", "main:ap", "--workers", "2"], 2, "main has no attribute 'ap'; did you mean 'app'?"),
        (["run", "main:number"], 2, "main:number is an int, not an app"),
        (["run", "main:make"], 2, "add --factory"),
        (["run", "nowhere.py"], 2, "there is no file nowhere.py"),
        (["run", "main:app", "--limit-header-count", "0"], 2, "Limits.header_count must be positive, not 0"),
        (["run", "main:app", "--uds", "web.sock", "--fd", "3"], 2, "uds and fd exclude each other"),
        (["run", "main:app", "--fd", "77", "--workers", "1"], 2, "file descriptor 77 is no socket"),
        (["routes", "main:ap"], 2, "main has no attribute 'ap'"),
        (["dev", "main:ap", "--no-reload"], 2, "main has no attribute 'ap'"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    directory: Path, arguments: list[str], code: int, line: str
) -> None:
    if "routes" not in arguments:
        arguments = [*arguments, "--port", "0"]
    if "run" in arguments and "--workers" not in arguments:
        arguments = [*arguments, "--workers", "1"]
    process = fastweb(directory, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert err.startswith("Error: ")
    assert line in err
    assert err.count("\n") == 1


def test_a_port_in_use(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        for workers in ("1", "2"):
            process = fastweb(
                directory, "run", "main:app", "--workers", workers, "--port", str(other.getsockname()[1])
            )
            _, err = process.communicate(timeout=60)
            assert process.returncode == 1
            assert re.fullmatch(r"Error: 127\.0\.0\.1:\d+ is in use by .*--port\n", err)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_users_own_error_is_shown_with_its_traceback(directory: Path, workers: str) -> None:
    process = fastweb(directory, "run", "broken:app", "--workers", workers, "--port", "0")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "line 2, in f" in err
    assert "Error: importing broken failed: ZeroDivisionError: division by zero\n" in err
    assert str(Path("fastweb", "server")) not in err
    assert err.count("Traceback") == 1


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["run", "main:app", "--workers", "2", "--no-access-log"], b"hello"),
        (
            ["run", "main.py", "--workers", "1", "--limit-head-size", "8K", "--timeout-keep-alive", "5"],
            b"hello",
        ),
        (["run", "main:make", "--factory", "--workers", "1"], b"made"),
        (["dev"], b"hello"),
        (["dev", "main:app", "--no-reload", "--loop", "asyncio"], b"hello"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="ended by a signal")
def test_an_app_is_served(directory: Path, arguments: list[str], answer: bytes) -> None:
    process = fastweb(directory, *arguments, "--port", "0")
    assert process.stderr is not None
    try:
        deadline = time.monotonic() + 60
        shown = ""
        while "Ctrl+C" not in shown:
            assert time.monotonic() < deadline
            line = process.stderr.readline()
            assert line, shown
            shown += line
        found = re.search(r"http://127\.0\.0\.1:\d+", shown)
        assert found is not None
        with urllib.request.urlopen(found[0] + "/some?thing=1", timeout=60) as response:
            assert response.read() == answer
        assert "\x1b" not in shown
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        logged = '"GET /some?thing=1 HTTP/1.1" 200 OK\n' in out
        assert logged is ("--no-access-log" not in arguments)
    finally:
        process.kill()
        process.communicate()


def test_every_limit_has_an_option() -> None:
    result = CliRunner().invoke(main, ["run", "--help"])
    for item in fields(Limits):
        assert "--" + option_name(item.name).replace("_", "-") in result.output
    assert "--limit-head-size" in result.output
    assert "--timeout-keep-alive" in result.output
    assert "Seconds that a connection may stay open" in re.sub(r"\s+", " ", result.output)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("65536", 65536), ("64k", 65536), ("64 KiB", 65536), ("10M", 10 << 20), ("1gb", 1 << 30)],
)
def test_sizes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "main:app", "--limit-body-size", "big"], "'big' is no size"),
        (["run", "main:app", "--limit-body-size", "-1"], "'-1' is no size"),
        (["run", "main:app", "--port", "65536"], "65536"),
        (["run", "main:app", "--workers", "0"], "--workers"),
        (["run", "main:app", "--workers", "2", "--reload"], "exclude each other"),
        (["run", "main:app", "--log-level", "loud"], "--log-level"),
        (["run", "main:app", "--reload-dir", "nowhere"], "nowhere"),
        (["fly"], "fly"),
    ],
)
def test_a_wrong_option(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_no_app_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["run"])
    assert result.exit_code == 2
    assert result.output.startswith("Error: name the app: ")


def test_as_many_workers_as_cores() -> None:
    assert cores() >= 1
    if sys.platform == "linux":
        assert cores() == len(os.sched_getaffinity(0))
