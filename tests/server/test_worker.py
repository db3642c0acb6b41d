from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fastweb import FastWeb, Limits
from fastweb.concurrency import own_threads
from fastweb.server import Server, StartupError, run
from fastweb.server.config import Config
from fastweb.server.worker import run_server

posix = pytest.mark.skipif(os.name != "posix", reason="signals between processes")


class App:
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def answer(self, stream: Any) -> None:
        self.seen.append(stream.path)
        stream.start(200, [(b"content-length", b"5")])
        await stream.send(b"hello")
        stream.finish()

    def open_stream(self, stream: Any) -> Any:
        return self.answer(stream)

    def wants_head(self, stream: Any) -> bool:
        return False

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        self.seen.append("up")
        yield
        self.seen.append("down")


@pytest.mark.parametrize("loop", ["auto", "asyncio"])
def test_a_server_in_a_thread(loop: str) -> None:
    app = App()
    server = Server(app, Config(app=app, port=0, loop=loop, access_log=False))
    thread = threading.Thread(target=run_server, args=(server,))
    thread.start()
    try:
        assert server.started.wait(20)
        assert not server.should_exit
        (address,) = server.addresses
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
        connection.request("GET", "/there")
        assert connection.getresponse().read() == b"hello"
        # Kept alive and idle: it must not hold up the end.
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()
    connection.close()
    assert server.exit_code == 0
    assert app.seen == ["up", "/there", "down"]
    with pytest.raises(ValueError, match="does not start again"):
        server.should_exit = False
    server.stop()


def test_a_server_that_is_stopped_before_it_starts() -> None:
    app = App()
    server = Server(app, Config(app=app, port=0))
    server.stop()
    assert run_server(server) == 0
    assert not server.started.is_set()
    assert app.seen == []


def test_what_waits_in_the_queue_at_the_end_is_answered() -> None:
    """A connection that the kernel has made, and whose request is there, is not reset because the server
    stops."""
    app = App()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        async def scenario() -> list[bytes]:
            started = asyncio.Event()
            config = Config(app=app, access_log=False)
            server = Server(app, config, sockets=[listener], on_started=lambda _: started.set())
            serving = asyncio.create_task(server.serve())
            await started.wait()
            clients = [socket.create_connection(address, 20) for _ in range(20)]
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            # In this same turn of the loop: none of them is accepted yet.
            server.stop()
            await serving
            answers = []
            for client in clients:
                with client:
                    client.settimeout(20)
                    answer = b""
                    while data := client.recv(1000):
                        answer += data
                    answers.append(answer)
            return answers

        answers = asyncio.run(scenario())
    assert all(answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello") for answer in answers)
    assert app.seen == ["up", *["/"] * 20, "down"]


def test_a_loop_that_runs_already() -> None:
    async def scenario() -> None:
        with pytest.raises(StartupError, match="an event loop runs in this thread already"):
            run_server(Server(App(), Config(app="a", port=0)))

    asyncio.run(scenario())


def test_run_reports_and_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(SystemExit) as caught:
        run(App(), port=other.getsockname()[1])
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert "is in use by" in error
    assert error.count("\n") == 1
    with pytest.raises(SystemExit) as caught:
        run(App(), port=-1)
    assert caught.value.code == 2
    with pytest.raises(TypeError, match="no option 'prot'"):
        run(App(), prot=1)


def test_run_needs_to_find_the_app_again(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(App(), workers=2)
    assert "make it a variable of the script" in capsys.readouterr().err


# --- In a process of its own ---

Serve = Callable[..., Any]


@posix
@pytest.mark.parametrize(("number", "loop"), [(signal.SIGTERM, "auto"), (signal.SIGINT, "asyncio")])
def test_a_slow_answer_is_finished(serve: Serve, number: int, loop: str) -> None:
    server = serve(loop=loop).ready()
    idle = server.connect()
    connection = server.connect()
    connection.request("GET", "/slow")
    server.until(lambda: "slow" in server.notes)
    assert server.stop(number) == 0
    assert connection.getresponse().read() == b"slow"
    assert server.notes == ["up", "slow", "down"]
    assert '"GET /slow HTTP/1.1" 200 OK\n' in server.out
    idle.close()


@posix
def test_what_takes_longer_than_the_grace_is_cut_off(serve: Serve) -> None:
    server = serve(graceful_timeout=0.2).ready()
    connection = server.connect()
    connection.request("GET", "/forever")
    server.until(lambda: "forever" in server.notes)
    assert server.stop() == 0
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    assert server.notes == ["up", "forever", "down"]


@posix
def test_a_second_interrupt_forces(serve: Serve) -> None:
    server = serve(graceful_timeout=60).ready()
    connection = server.connect()
    connection.request("GET", "/forever")
    server.until(lambda: "forever" in server.notes)
    server.process.send_signal(signal.SIGINT)
    server.until(server.refuses)
    assert server.stop(signal.SIGINT) == 1
    connection.close()


@posix
@pytest.mark.parametrize(("workers", "preload"), [(1, False), (2, False), (2, True)])
def test_who_rotates_logs_ends_nobody(serve: Serve, workers: int, preload: bool) -> None:
    server = serve(workers=workers, preload=preload).ready()
    before = {server.get() for _ in range(40)}
    os.killpg(server.process.pid, signal.SIGUSR1)
    assert {server.get() for _ in range(40)} == before
    assert server.stop() == 0
    assert "Worker" not in server.err


@posix
def test_a_start_up_that_fails(serve: Serve) -> None:
    server = serve({"APP_FAILS": "1"})
    assert server.wait() == 3
    assert "ValueError: no database" in server.err
    assert "contextlib" not in server.err
    assert server.err.endswith("Error: the app's start-up failed: ValueError: no database\n")


@posix
def test_a_shut_down_that_fails(serve: Serve) -> None:
    server = serve({"APP_FAILS_AT_END": "1"}).ready()
    assert server.stop() == 1
    assert "ValueError: no farewell" in server.err


@posix
def test_a_unix_socket(serve: Serve, app_dir: Path) -> None:
    server = serve(uds="web.sock").ready()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(app_dir / "web.sock"))
        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert client.makefile("rb").read().endswith(str(server.process.pid).encode())
    assert f"unix:{app_dir / 'web.sock'}" in server.err
    assert server.stop() == 0
    assert not (app_dir / "web.sock").exists()
    assert 'unix - "GET / HTTP/1.1" 200' in server.out


@posix
def test_no_access_log(serve: Serve) -> None:
    server = serve(access_log=False).ready()
    server.get()
    assert server.stop() == 0
    assert server.out == ""


@posix
def test_a_thread_that_never_ends_does_not_hold_up_the_process(serve: Serve) -> None:
    server = serve().ready()
    server.get("/thread")
    assert server.stop() == 0
    assert server.notes == ["up", "thread", "down"]


SCRIPT = """
import sys
from main import App
from fastweb.server import run

web = App()
print(f"name {__name__} {sys.argv[1:]}\\n", end="", flush=True)  # in one piece, beside other workers'

if __name__ == "__main__":
    run(web, port=0, workers=int(sys.argv[1]), access_log=False)
    print("after", flush=True)
"""


@posix
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_script_that_runs_its_app(start: Serve, app_dir: Path, workers: str) -> None:
    (app_dir / "script.py").write_text(SCRIPT)
    server = start("script.py", workers).ready()
    assert (server.get() == str(server.process.pid)) is (workers == "1")
    again = [f"name __mp_main__ ['{workers}']"] * (2 if workers == "2" else 0)
    # The first worker answers while the second may still be loading the script.
    server.until(lambda: server.out.count(f"__mp_main__ ['{workers}']\n") >= len(again))
    assert server.stop() == 0
    assert server.out.splitlines() == [f"name __main__ ['{workers}']", *again, "after"]


@posix
def test_a_module_that_runs_its_app(start: Serve, app_dir: Path) -> None:
    (app_dir / "package").mkdir()
    (app_dir / "package" / "script.py").write_text(SCRIPT)
    server = start("-m", "package.script", "2").ready()
    assert server.get() != str(server.process.pid)
    assert server.stop() == 0
    assert "name package.script ['2']" in server.out


def test_the_bound_of_threads_that_last_is_that_of_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_threads, "most", own_threads.most)
    seen: list[int] = []

    def started(server: Server) -> None:
        seen.append(own_threads.most)
        server.stop()

    app = FastWeb(limits=Limits(own_threads=3))
    run_server(Server(app, Config(app=app, port=0, access_log=False), on_started=started))
    assert seen == [3]
