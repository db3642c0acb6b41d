from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fastweb.server import Server, StartupError, run
from fastweb.server.config import Config, ConfigError
from fastweb.server.worker import is_app, load_app, run_server

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


@pytest.fixture
def imports() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    path, modules = sys.path[:], set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith("fastweb"):
            del sys.modules[name]


# --- Finding the app ---


@pytest.mark.usefixtures("imports")
@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("main:app", {}),
        ("main", {}),
        ("main:make_app", {"factory": True}),
        ("main:App", {"factory": True}),
        ("{dir}/main.py", {}),
        ("{dir}/main.py:app", {}),
        ("package.inner:thing.app", {}),
        ("{dir}/package/inner.py:thing.app", {}),
        ("{dir}/package/one.py", {}),
    ],
)
def test_the_ways_to_name_an_app(app_dir: Path, target: str, options: dict[str, Any]) -> None:
    package = app_dir / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("from . import one\nclass thing:\n    app = one.web\n")
    (package / "one.py").write_text("from main import app as web\n")
    named = target.format(dir=app_dir)
    if os.name == "nt" and os.sep not in named:
        named = named.replace("/", os.sep)
    assert is_app(load_app(Config(app=named, app_dir=str(app_dir), **options)))


def test_an_object_is_its_own_name() -> None:
    app = App()
    assert load_app(Config(app=app)) is app
    made = load_app(Config(app=App, factory=True))
    assert isinstance(made, App)


@pytest.mark.usefixtures("imports")
@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("mian:app", "no module named 'mian' .*; did you mean 'main'"),
        ("main.inner:app", "'main' is not a package"),
        ("main:ap", "main has no attribute 'ap'; did you mean 'app'"),
        ("main:nothing", "main has no attribute 'nothing'; it has the app 'app'"),
        ("main:app.inner", "main:app has no attribute 'inner'"),
        ("main:number", "main:number is an int, not an app"),
        ("main:App", "is the class App, not an app: if calling it makes the app, add --factory"),
        ("main:make_app", "is a function, not an app: if calling it makes the app, add --factory"),
        ("main:none", "is None, not an app"),
        ("empty", "empty has no app"),
        ("several", "several apps: say which one, such as several:first"),
        ("main:", "expected module:attribute"),
        (":app", "expected module:attribute"),
        ("main:a b", "expected module:attribute"),
        ("ma-in:app", "'ma-in' is no module's name"),
        ("..main:app", "is no module's name"),
        ("mian.py", "there is no file mian.py"),
        ("./main.txt:app", "there is no file"),
        ("./notes.txt:app", "is no Python file"),
    ],
)
def test_a_name_that_leads_to_no_app_is_one_line(
    app_dir: Path, monkeypatch: pytest.MonkeyPatch, target: str, words: str
) -> None:
    monkeypatch.chdir(app_dir)
    with open(app_dir / "main.py", "a") as file:
        file.write("\nnumber = 1\nnone = None\n")
    (app_dir / "empty.py").write_text("import main\n")
    (app_dir / "several.py").write_text(
        "from main import make_app\nfirst = make_app()\nsecond = make_app()\n"
    )
    (app_dir / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match=words) as caught:
        load_app(Config(app=target, app_dir=str(app_dir)))
    assert caught.value.exit_code == 2
    assert caught.value.details == ""
    assert "\n" not in caught.value.message


@pytest.mark.usefixtures("imports")
@pytest.mark.parametrize(
    ("source", "message", "details"),
    [
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'", "line 1"),
        ("x = 1\ndef f():\n    return 1 / 0\nf()", "ZeroDivisionError", "line 3, in f"),
        ("def f(:\n    pass", "SyntaxError", "broken.py"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines", "line 1"),
        ("import sys; sys.exit(4)", r"called sys.exit\(4\)", ""),
    ],
)
def test_an_error_in_the_users_module_is_shown_as_theirs(
    app_dir: Path, source: str, message: str, details: str
) -> None:
    (app_dir / "broken.py").write_text(source)
    with pytest.raises(StartupError, match=message) as caught:
        load_app(Config(app="broken:app", app_dir=str(app_dir)))
    error = caught.value
    assert error.exit_code == 1
    assert "\n" not in error.message
    assert details in error.details
    assert str(Path("fastweb", "server")) not in error.details
    assert "importlib" not in error.details


@pytest.mark.usefixtures("imports")
def test_an_error_in_a_factory(app_dir: Path) -> None:
    (app_dir / "made.py").write_text(
        "def bad():\n    raise KeyError('x')\nasync def slow(): ...\nplain = 1\n"
    )
    with pytest.raises(StartupError, match="the factory made:bad failed: KeyError: 'x'") as caught:
        load_app(Config(app="made:bad", app_dir=str(app_dir), factory=True))
    assert "line 2, in bad" in caught.value.details
    for name, words in (("slow", "is async"), ("plain", "is an int, not an app")):
        with pytest.raises(ConfigError, match=words):
            load_app(Config(app=f"made:{name}", app_dir=str(app_dir), factory=True))
    with pytest.raises(ConfigError, match="name the factory"):
        load_app(Config(app="made", app_dir=str(app_dir), factory=True))


@pytest.mark.usefixtures("imports")
def test_an_app_that_runs_itself_when_it_is_imported(app_dir: Path) -> None:
    with open(app_dir / "main.py", "a") as file:
        file.write("\nfrom fastweb.server import run\nrun(app)\n")
    with pytest.raises(StartupError, match='put it below `if __name__ == "__main__":`'):
        load_app(Config(app="main:app", app_dir=str(app_dir)))


# --- Serving in a thread ---


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
            server = Server(app, Config(app=app, access_log=False), sockets=[listener])
            serving = asyncio.create_task(server.serve())
            while not server.started.is_set():
                await asyncio.sleep(0.01)
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
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(SystemExit) as caught:
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
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", ["auto", "asyncio"])
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
print("name", __name__, sys.argv[1:], flush=True)

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
    assert server.stop() == 0
    again = [f"name __mp_main__ ['{workers}']"] * (2 if workers == "2" else 0)
    assert server.out.splitlines() == [f"name __main__ ['{workers}']", *again, "after"]


@posix
def test_a_module_that_runs_its_app(start: Serve, app_dir: Path) -> None:
    (app_dir / "package").mkdir()
    (app_dir / "package" / "script.py").write_text(SCRIPT)
    server = start("-m", "package.script", "2").ready()
    assert server.get() != str(server.process.pid)
    assert server.stop() == 0
    assert "name package.script ['2']" in server.out
