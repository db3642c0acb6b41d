from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from fastweb.server.config import Config, ConfigError
from fastweb.server.watchdog import Watchdog

Serve = Callable[..., Any]

APP = """
import asyncio
import os
import time

from fastweb import FastWeb, Request

app = FastWeb()


def work_hard(until):
    while not os.path.exists(until):
        time.sleep(0.01)


@app.get("/report/{number}")
async def report(number: int) -> str:
    work_hard("told of report")
    return "done"


@app.get("/later")
async def later(request: Request) -> str:
    await asyncio.sleep(0.01)
    work_hard("told of later")
    return "done"


@app.get("/fine")
def fine() -> str:
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        time.sleep(0.01)
    return "done"


@app.get("/short")
async def short() -> str:
    time.sleep(0.8)
    return "done"
"""


def nobody(task: Any) -> None:
    return None


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_blocks_the_loop_is_named_with_his_stack(serve: Serve, app_dir: Path, loop: str) -> None:
    (app_dir / "main.py").write_text(APP)
    server = serve(loop=loop, block_threshold=0.3).ready()
    assert server.get("/fine") == '"done"'

    def told_of(path: str, what: str) -> str:
        """What is said of a request that blocks the loop until it was told of."""
        with closing(server.connect()) as connection:
            connection.request("GET", what)
            server.until(lambda: f" by GET {path}: " in server.err)
            (app_dir / f"told of {path.split('/')[1]}").touch()
            assert connection.getresponse().read() == b'"done"'
        # On a busy machine there may be others: of the interpreter as it loads, say.
        pattern = rf"The event loop has been blocked for [\d.]+ s by GET {path}: .*?The event loop goes on"
        found: re.Match[str] = server.until(lambda: re.search(pattern, server.err, re.DOTALL))
        return found[0]

    first = told_of("/report/7", "/report/7?secret=1")
    second = told_of("/later", "/later")
    assert "by GET /fine" not in server.err
    assert "secret" not in server.err
    assert "by GET /report/7: no other request is answered" in first
    for stack, name in ((first, "report"), (second, "later")):
        lines = [line.split(", ", 1)[1] for line in stack.splitlines() if line.startswith("  File ")]
        assert [line.split(" in ")[1] for line in lines] == [name, "work_hard"]
        assert "a plain `def` endpoint, which runs in a thread" in stack
    assert server.stop(signal.SIGTERM if os.name == "posix" else signal.SIGINT) == 0


def test_a_block_is_told_once_and_how_long_it_was(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "fastweb.server")

    told: list[str] = []

    def block() -> None:
        """Until it is told of, and for longer."""
        while not any("in block\n" in words for words in said()[len(told) :]):
            time.sleep(0.01)
        time.sleep(0.7)

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    async def blocked() -> None:
        """And until its end is told."""
        while not said()[len(told) :] or "goes on" not in said()[-1]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        watchdog = Watchdog(0.3, asyncio.get_running_loop(), nobody)
        watchdog.start()
        await asyncio.sleep(0)
        block()
        await blocked()
        told.extend(said())
        asyncio.get_running_loop().call_soon(block)
        await asyncio.sleep(0.01)
        await blocked()
        watchdog.stop()

    asyncio.run(scenario())
    first, second = said()[: len(told)], said()[len(told) :]
    for words in (first, second):
        # Where the machine starves the loop's thread alone, that is told, too.
        assert [each for each in words if "in block\n" in each] == words[-2:-1]
        assert "the event loop goes on: it was blocked for" in words[-1].lower()
    assert re.search(r"the task 'Task-\d+'", first[-2])
    assert "in scenario" in first[-2]
    assert "by a callback" in second[-2]


def test_a_process_that_was_stopped_is_not_blocked(tmp_path: Path, start: Serve) -> None:
    if os.name != "posix":
        return
    code = """
import asyncio, logging, sys
from fastweb.server.watchdog import Watchdog
logging.basicConfig(stream=sys.stderr)

async def main():
    Watchdog(1.0, asyncio.get_running_loop(), lambda task: None).start()
    await asyncio.sleep(0.5)
    print("up", flush=True)
    await asyncio.sleep(4)
    print("end", flush=True)

asyncio.run(main())
"""
    process = start("-c", code)
    process.until(lambda: "up" in process.out)
    process.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.process.send_signal(signal.SIGCONT)
    process.until(lambda: "end" in process.out)
    assert process.wait() == 0
    assert process.err == ""


def test_it_ends_with_the_loop() -> None:
    watchdogs: list[Watchdog] = []

    async def scenario() -> None:
        watchdogs.append(Watchdog(0.05, asyncio.get_running_loop(), nobody))
        watchdogs[0].start()
        await asyncio.sleep(0.1)

    asyncio.run(scenario())
    watchdogs[0]._thread.join(20)
    assert not watchdogs[0]._thread.is_alive()


def test_it_ends_with_a_loop_that_left_a_ping_unanswered() -> None:
    class Closed:
        """A loop that takes a call and is closed before it makes it."""

        def call_soon_threadsafe(self, *_: Any) -> None:
            pass

        def is_closed(self) -> bool:
            return True

    watchdog = Watchdog(0.05, cast(asyncio.AbstractEventLoop, Closed()), nobody)
    watchdog.start()
    watchdog._thread.join(20)
    assert not watchdog._thread.is_alive()


def test_who_debugs_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()
    module: dict[str, Any] = {"__name__": "pdb", "wait": go_on.wait}
    exec("def interaction():\n    wait(1)", module)

    async def scenario() -> None:
        watchdog = Watchdog(0.3, asyncio.get_running_loop(), nobody)
        watchdog.start()
        module["interaction"]()
        await asyncio.sleep(0)
        watchdog.stop()

    asyncio.run(scenario())
    assert not caplog.records


@pytest.mark.parametrize("value", [-1, "5", 1e9, None])
def test_thresholds(value: Any) -> None:
    with pytest.raises(ConfigError, match="block_threshold must be seconds, 0 for never"):
        Config(app="main:app", block_threshold=value)


def test_none_is_watched_where_it_is_off(serve: Serve, app_dir: Path) -> None:
    (app_dir / "main.py").write_text(APP)
    server = serve(block_threshold=0).ready()
    assert server.get("/short") == '"done"'
    assert server.stop(signal.SIGTERM if sys.platform != "win32" else signal.SIGINT) == 0
    assert "blocked" not in server.err
