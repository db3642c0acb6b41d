from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.soak.load import PROMPT

if os.name != "posix":
    pytest.skip("the supervisor hands sockets to its workers, which needs POSIX", allow_module_level=True)

Serve = Callable[..., Any]


def answers(server: Any, number: int) -> set[str]:
    """Ask until that many different processes have answered."""
    pids: set[str] = set()

    def enough() -> bool:
        # Several at once, so that one process cannot be first at all of them.
        connections = [server.connect() for _ in range(8)]
        for connection in connections:
            connection.request("GET", "/", headers={"connection": "close"})
        for connection in connections:
            pids.add(connection.getresponse().read().decode())
            connection.close()
        return len(pids) >= number

    server.until(enough)
    return pids


class Load:
    """Clients that ask until told to stop, half of them on connections that they keep; what went wrong is
    kept, but where this machine was too busy to ask in time (see `bench.soak.load.PROMPT`)."""

    def __init__(self, server: Any, clients: int) -> None:
        self.server = server
        self.done = 0
        self.refused = 0
        self.lost: list[str] = []
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(number % 2 == 0,)) for number in range(clients)
        ]

    def run(self, keep: bool) -> None:
        port = self.server.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {} if keep else {"connection": "close"}
        since = asked = 0.0
        while not self.stopping.is_set():
            try:
                if connection.sock is None:
                    since = time.monotonic()
                    connection.connect()
            except OSError:
                self.refused += 1
                continue
            try:
                asked = 0.0
                connection.request("GET", "/", headers=headers)
                asked = time.monotonic()
                assert connection.getresponse().read().isdigit()
                # It may have come long before this thread took it.
                since = asked
                self.done += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                late = (asked or time.monotonic()) - since > PROMPT
                if not (late and isinstance(error, ConnectionError)):
                    self.lost.append(repr(error))
                connection.close()
        connection.close()

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def more(self, number: int = 200) -> None:
        goal = self.done + number
        self.server.until(lambda: self.done >= goal)


def test_workers_answer_and_leave(serve: Serve) -> None:
    server = serve(workers=2).ready()
    pids = answers(server, 2)
    assert len(pids) == 2
    assert str(server.process.pid) not in pids
    assert "2 workers" in server.err
    assert server.stop() == 0
    assert sorted(server.notes) == ["down", "down", "up", "up"]
    assert server.refuses()


def test_a_slow_answer_is_finished(serve: Serve) -> None:
    server = serve(workers=2).ready()
    connection = server.connect()
    connection.request("GET", "/slow")
    server.until(lambda: "slow" in server.notes)
    assert server.stop() == 0
    assert connection.getresponse().read() == b"slow"
    assert server.notes.count("down") == 2


def test_nothing_is_lost_but_what_a_killed_worker_had(serve: Serve) -> None:
    server = serve(workers=2, access_log=False).ready()
    pids = answers(server, 2)
    with Load(server, clients=4) as load:
        load.more()
        victim = pids.pop()
        os.kill(int(victim), signal.SIGKILL)
        load.more()
        # A client has one request at a time, and only one worker of two was killed.
        assert len(load.lost) <= 4
        assert load.refused == 0
        server.until(lambda: f"Worker {victim} died (SIGKILL)" in server.err and " is ready" in server.err)
        assert victim not in answers(server, 2)
        load.lost.clear()
        load.more()
        assert server.stop() == 0
    assert load.lost == []


def test_a_rolling_restart_loses_nothing(serve: Serve) -> None:
    server = serve(workers=2, access_log=False).ready()
    before = answers(server, 2)
    with Load(server, clients=2) as load:
        load.more(50)
        server.process.send_signal(signal.SIGHUP)
        server.until(lambda: server.notes.count("down") == 2)
        load.more(50)
    assert load.lost == []
    assert load.refused == 0
    assert not before & answers(server, 2)
    assert server.stop() == 0


def test_a_worker_that_is_told_to_leave_is_replaced(serve: Serve) -> None:
    server = serve(workers=2).ready()
    first = answers(server, 2)
    leaving = first.pop()
    os.kill(int(leaving), signal.SIGTERM)
    server.until(lambda: " is ready" in server.err)
    assert leaving not in answers(server, 2)
    assert server.stop() == 0


def test_the_workers_leave_when_their_supervisor_is_killed(serve: Serve) -> None:
    server = serve(workers=2).ready()
    connection = server.connect()
    connection.request("GET", "/slow")
    server.until(lambda: "slow" in server.notes)
    server.stop(signal.SIGKILL)
    assert connection.getresponse().read() == b"slow"
    server.until(lambda: server.notes.count("down") == 2)
    server.until(server.refuses)


@pytest.mark.parametrize("again", [True, False])
def test_a_worker_that_does_not_leave_is_killed(start: Serve, app_dir: Path, again: bool) -> None:
    with open(app_dir / "main.py", "a") as file:
        file.write("\nApp.answer = lambda self, stream: note('blocked') or time.sleep(3600)\n")
    code = f"""
import sys
from fastweb.server.config import Config
from fastweb.server.supervisor import Supervisor
config = Config(app="main:app", app_dir=".", port=0, workers=2, graceful_timeout={60 if again else 0.1})
Supervisor.margin = 0.5
sys.exit(Supervisor(config).run())
"""
    server = start("-c", code).ready()
    connection = server.connect()
    connection.request("GET", "/")
    server.until(lambda: "blocked" in server.notes)
    server.process.send_signal(signal.SIGINT)
    server.until(lambda: "down" in server.notes)
    if again:
        server.process.send_signal(signal.SIGINT)
    assert server.wait() == 0
    connection.close()


def test_a_start_up_that_fails_is_told_once(serve: Serve) -> None:
    server = serve({"APP_FAILS": "1"}, workers=2)
    assert server.wait() == 3
    assert server.err.count("ValueError: no database\n") == 2  # In the traceback, and in the line.
    assert server.err.count("Error: the app's start-up failed") == 1


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("nothing", 2, "Error: late has no app"),
        ("import absent", 1, "No module named 'absent'\n"),
        ("import os; os._exit(7)", 1, "exit code 7, 5 times in a row: giving up\n"),
        ("import os; os.kill(os.getpid(), 9)", 1, "SIGKILL, 5 times in a row: giving up\n"),
    ],
)
def test_workers_that_cannot_start(serve: Serve, app_dir: Path, source: str, code: int, words: str) -> None:
    (app_dir / "late.py").write_text(f"nothing = None\n{source}\n")
    server = serve(app="late", workers=2)
    assert server.wait() == code
    assert words in server.err
    assert "supervisor.py" not in server.err


def test_a_worker_that_cannot_start_again_leaves_the_others_alone(serve: Serve, app_dir: Path) -> None:
    server = serve(workers=2).ready()
    first, second = sorted(answers(server, 2))
    (app_dir / "main.py").rename(app_dir / "gone.py")
    os.kill(int(first), signal.SIGKILL)
    server.until(lambda: server.err.count("no module named 'main'") >= 2)
    assert answers(server, 1) == {second}
    (app_dir / "gone.py").rename(app_dir / "main.py")
    server.until(lambda: " is ready" in server.err)
    assert server.stop() == 0


def test_a_port_in_use(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = serve(workers=2, port=other.getsockname()[1])
        assert server.wait() == 1
    assert "is in use by" in server.err
    assert server.err.count("\n") == 1
    assert server.notes == []


def test_a_unix_socket(serve: Serve, app_dir: Path) -> None:
    server = serve(workers=2, uds="web.sock").ready()
    path = app_dir / "web.sock"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200")
    assert server.stop() == 0
    assert not path.exists()


def test_the_interpreters_options_reach_the_workers(start: Serve) -> None:
    code = """
import sys
from fastweb.server import serve
from fastweb.server.config import Config
sys.exit(serve(Config(app="main:app", app_dir=".", port=0, workers=2)))
"""
    server = start("-X", "utf8", "-c", code).ready()
    assert server.get("/options") == "['error'] {'utf8': True}"
    assert server.stop() == 0


def test_nothing_of_the_order_is_left_in_the_environment(serve: Serve, app_dir: Path) -> None:
    with open(app_dir / "main.py", "a") as file:
        file.write("\nnote(str([name for name in os.environ if name.startswith('FASTWEB_W')]))\n")
    server = serve(workers=2).ready()
    assert server.notes.count("[]") == 2
    assert server.stop() == 0
