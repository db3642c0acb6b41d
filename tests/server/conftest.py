"""Servers in processes of their own, around an app that is nothing but what the server asks for
(`StreamApp`)."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweb import _speedups

#: Where the fastweb under test is.
ROOT = str(Path(_speedups.__file__).parent.parent.parent)

APP = """
import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager


def note(words):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "notes"), "a") as file:
        file.write(words + "\\n")


class App:
    async def answer(self, stream):
        body = str(os.getpid())
        if stream.path == "/slow":
            note("slow")
            await asyncio.sleep(0.5)
            body = "slow"
        elif stream.path == "/forever":
            note("forever")
            await asyncio.sleep(3600)
        elif stream.path == "/thread":
            note("thread")
            asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
        elif stream.path == "/options":
            body = f"{sys.warnoptions} {sys._xoptions}"
        stream.start(200, [(b"content-length", str(len(body)).encode())])
        await stream.send(body.encode())
        stream.finish()

    def open_stream(self, stream):
        return self.answer(stream)

    def wants_head(self, stream):
        return False

    @asynccontextmanager
    async def lifespan(self):
        task = asyncio.current_task()
        note("up")
        if os.environ.get("APP_FAILS"):
            raise ValueError("no database")
        yield
        assert asyncio.current_task() is task
        if os.environ.get("APP_FAILS_AT_END"):
            raise ValueError("no farewell")
        note("down")


app = App()


def make_app():
    return App()
"""


class ServerProcess:
    """A server that a test has started: its output, its answers, its end."""

    def __init__(self, command: list[str], directory: Path, number: int, **environment: str) -> None:
        self.directory = directory
        self._files = directory / f"stdout{number}", directory / f"stderr{number}"
        variables = {key: value for key, value in os.environ.items() if key != "WEB_CONCURRENCY"}
        with open(self._files[0], "wb") as stdout, open(self._files[1], "wb") as stderr:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                stdout=stdout,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                env={**variables, "PYTHONPATH": ROOT, **environment},
                start_new_session=True,
            )

    @property
    def out(self) -> str:
        return self._files[0].read_text()

    @property
    def err(self) -> str:
        return self._files[1].read_text()

    @property
    def notes(self) -> list[str]:
        """What the app has noted of itself."""
        path = self.directory / "notes"
        return path.read_text().split() if path.exists() else []

    def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait for a condition, however long the machine takes, within reason."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"it did not come\n{self.out}\n{self.err}"
            time.sleep(0.01)
        return value

    def ready(self) -> ServerProcess:
        """Wait for the banner."""

        def shown() -> bool:
            assert self.process.poll() is None, f"it ended\n{self.out}\n{self.err}"
            return "fastweb   " in self.err

        self.until(shown)
        return self

    @property
    def port(self) -> int:
        found = re.search(r"http://[^ ]+:(\d+)", self.err)
        assert found is not None
        return int(found[1])

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.connect()
        return connection

    def get(self, path: str = "/") -> str:
        connection = self.connect()
        try:
            connection.request("GET", path, headers={"connection": "close"})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def refuses(self) -> bool:
        """Whether nobody listens any more."""
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) != 0

    def wait(self) -> int:
        return self.process.wait(30)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def kill_all(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    """A directory with main.py, which has an app."""
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


@pytest.fixture
def start(app_dir: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start Python with some arguments beside main.py; what is still there in the end is killed."""
    started: list[ServerProcess] = []

    def start(*arguments: str, **environment: str) -> ServerProcess:
        command = [sys.executable, "-W", "error", *arguments]
        started.append(ServerProcess(command, app_dir, len(started), **environment))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.kill_all()


@pytest.fixture
def serve(start: Callable[..., ServerProcess]) -> Callable[..., ServerProcess]:
    """Start `serve(Config(...))` with main:app on a free port; keywords are `Config`'s."""

    def serve(environment: dict[str, str] | None = None, **options: Any) -> ServerProcess:
        options = {"app": "main:app", "app_dir": ".", "port": 0, **options}
        code = f"""
import sys
from fastweb.server.config import Config, StartupError, report
from fastweb.server import serve

options = {options!r}
try:
    sys.exit(serve(Config.from_options(options.pop("app"), options), own_process=True))
except StartupError as error:
    report(error)
    sys.exit(error.exit_code)
"""
        return start("-c", code, **(environment or {}))

    return serve
