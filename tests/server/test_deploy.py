"""New code, new servers and dead workers, while clients never stop asking: nobody may notice.

The long form of this is `python -m bench.soak`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from bench.soak.load import Load
from tests.server.conftest import until

if sys.platform != "linux":
    pytest.skip("a socket a slot, preloading and hot swaps are tried on Linux", allow_module_level=True)

Serve = Callable[..., Any]


def pid_in(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def is_gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def newest_of(load: Load) -> int:
    """The process that was the last to begin to answer; it still does."""
    before = load.snapshot()

    def found() -> int:
        answering = [int(pid) for pid, count in load.snapshot().items() if count > before.get(pid, 0)]
        return answering[-1] if answering and not is_gone(answering[-1]) else 0

    return cast(int, until(found))


@pytest.fixture
def leave_nothing(app_dir: Path) -> Any:
    """What took over is no child of this process: it is stopped by its pidfile."""
    yield
    pid = pid_in(app_dir / "pid")
    if pid:
        os.kill(pid, signal.SIGTERM)
        until(lambda: is_gone(pid))


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("leave_nothing")
@pytest.mark.parametrize("preload", [True, False])
def test_a_deploy_under_load_loses_nothing(serve: Serve, app_dir: Path, preload: bool) -> None:
    server = serve(workers=2, preload=preload, access_log=False, pidfile="pid").ready()
    pidfile = app_dir / "pid"
    # Hundreds of requests a second are enough: the cores are for those that start.
    with Load(server.port, clients=4, pause=0.005) as load:
        for turn in range(10 if preload else 2):
            before = server.notes.count("down")
            os.kill(pid_in(pidfile), signal.SIGHUP)
            server.until(lambda at=before: server.notes.count("down") >= at + 2)
            if turn % 2:
                old = pid_in(pidfile)
                if turn in (1, 5):
                    os.kill(old, signal.SIGUSR2)
                    server.until(lambda pid=old: pid_in(pidfile) not in (0, pid))
                    server.until(lambda pid=old: is_gone(pid))
        assert load.lost == []
        answered = load.done
        os.kill(newest_of(load), signal.SIGKILL)
        server.until(lambda: load.done >= answered + 100)
    # A client has one request at a time.
    assert len(load.lost) <= 4
    assert "Traceback" not in server.err


@pytest.mark.usefixtures("leave_nothing")
def test_a_new_server_that_cannot_start_leaves_the_old_one(serve: Serve, app_dir: Path) -> None:
    server = serve(workers=2, pidfile="pid").ready()
    source = (app_dir / "main.py").read_text()
    (app_dir / "main.py").write_text("raise ValueError('not today')\n")
    server.process.send_signal(signal.SIGUSR2)
    server.until(lambda: "The new server could not start (exit code 1): this one goes on" in server.err)
    assert server.err.count("ValueError: not today\n") >= 1
    assert pid_in(app_dir / "pid") == server.process.pid
    assert server.get().isdigit()
    (app_dir / "main.py").write_text(source)
    server.process.send_signal(signal.SIGUSR2)
    assert server.wait() == 0
    assert "has taken over: leaving" in server.err
    assert server.get().isdigit()


@pytest.mark.usefixtures("leave_nothing")
def test_a_new_server_takes_a_unix_socket_over(serve: Serve, app_dir: Path) -> None:
    server = serve(workers=2, uds="web.sock", pidfile="pid", port=None).ready()
    server.process.send_signal(signal.SIGUSR2)
    assert server.wait() == 0
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(app_dir / "web.sock"))
        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200")


def test_a_socket_whose_worker_is_dead_is_served_by_another(serve: Serve, app_dir: Path) -> None:
    """The kernel gives half of the connections to a socket that nobody accepts from now."""
    server = serve(workers=2).ready()
    victim = server.get()
    (app_dir / "main.py").rename(app_dir / "gone.py")
    os.kill(int(victim), signal.SIGKILL)
    server.until(lambda: f"Worker {victim} died" in server.err)
    assert len({server.get() for _ in range(40)}) == 1
    (app_dir / "gone.py").rename(app_dir / "main.py")
    server.until(lambda: " is ready" in server.err)
    server.until(lambda: len({server.get() for _ in range(10)}) == 2)
    assert server.stop() == 0


def test_connections_are_balanced(serve: Serve) -> None:
    server = serve(workers=2).ready()
    pids = [server.get() for _ in range(400)]
    shares = [pids.count(pid) for pid in set(pids)]
    # 200 each with a deviation of 10; one at a time, with shared sockets one worker may get all of them.
    assert len(shares) == 2
    assert min(shares) > 120
    assert server.stop() == 0


def test_a_worker_that_has_served_long_enough_is_replaced(serve: Serve) -> None:
    server = serve(workers=1, max_requests=50).ready()
    first = server.get()
    with Load(server.port, clients=2, pause=0.005) as load:
        server.until(lambda: "it has answered" in server.err and server.notes.count("down") >= 1)
        server.until(lambda: load.snapshot().keys() - {first})
    assert load.lost == []
    assert server.stop() == 0


# --- Preload ---


def test_preloaded_workers_share_one_import(serve: Serve, app_dir: Path) -> None:
    with open(app_dir / "main.py", "a") as file:
        file.write("\nnote('imported')\n")
    server = serve(workers=3, preload=True).ready()
    pids: set[str] = set()
    server.until(lambda: _collect(server, pids, 3))
    assert server.notes.count("imported") == 1
    victim = pids.pop()
    os.kill(int(victim), signal.SIGKILL)
    server.until(lambda: f"Worker {victim} died (SIGKILL)" in server.err and " is ready" in server.err)
    assert server.notes.count("imported") == 1
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: server.notes.count("down") == 3)
    assert server.notes.count("imported") == 2
    assert server.stop() == 0
    assert children_left(server) == []


def _collect(server: Any, pids: set[str], number: int) -> bool:
    pids.add(server.get())
    return len(pids) >= number


def children_left(server: Any) -> list[str]:
    """Processes of the server's session that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == server.process.pid and fields[0] != "Z":
                found.append(entry.name)
    return found


def test_new_code_that_cannot_be_imported_leaves_the_old_workers(serve: Serve, app_dir: Path) -> None:
    server = serve(workers=2, preload=True).ready()
    source = (app_dir / "main.py").read_text()
    (app_dir / "main.py").write_text("raise ValueError('not today')\n")
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: "the old workers go on" in server.err)
    pid = server.get()
    (app_dir / "main.py").write_text(source)
    # A worker that dies now is forked from the old template.
    os.kill(int(pid), signal.SIGKILL)
    server.until(lambda: " is ready" in server.err)
    assert server.notes.count("down") == 0
    assert server.stop() == 0


def test_a_template_that_dies_is_replaced(serve: Serve, app_dir: Path) -> None:
    with open(app_dir / "main.py", "a") as file:
        file.write("\nnote(f'imported-by-{os.getpid()}')\n")
    server = serve(workers=2, preload=True).ready()
    (template,) = [int(note.rpartition("-")[2]) for note in server.notes if note.startswith("imported")]
    os.kill(template, signal.SIGKILL)
    server.until(lambda: "The template of the workers died (SIGKILL)" in server.err)
    server.until(lambda: sum(note.startswith("imported") for note in server.notes) == 2)
    os.kill(int(server.get()), signal.SIGKILL)
    server.until(lambda: " is ready" in server.err)
    assert server.stop() == 0


@pytest.mark.parametrize(("source", "code"), [("import absent", 1), ("import sys; sys.exit(4)", 1), ("", 2)])
def test_an_app_that_cannot_be_preloaded(serve: Serve, app_dir: Path, source: str, code: int) -> None:
    (app_dir / "late.py").write_text(source + "\n")
    server = serve(app="late", workers=2, preload=True)
    assert server.wait() == code
    assert [line.startswith("Error: ") for line in server.err.splitlines()].count(True) == 1


def test_threads_of_the_import_are_named(serve: Serve, app_dir: Path) -> None:
    with open(app_dir / "main.py", "a") as file:
        file.write("\nimport threading\nthreading.Thread(target=time.sleep, args=(30,), daemon=True,")
        file.write(" name='poller').start()\n")
    server = serve(workers=1, preload=True).ready()
    assert "starts threads as it is imported (poller)" in server.err
    assert server.stop() == 0


def test_nothing_of_the_server_is_imported_after_the_fork(serve: Serve, app_dir: Path) -> None:
    """What each worker imported for itself would be in each worker's memory."""
    with open(app_dir / "main.py", "a") as file:
        file.write("""
before = set()
os.register_at_fork(after_in_child=lambda: before.update(sys.modules))
class Asked(App):
    async def answer(self, stream):
        if stream.path == "/modules":
            note("new:" + ",".join(sorted(set(sys.modules) - before)))
        await super().answer(stream)
app = Asked()
""")
    server = serve(workers=1, preload=True).ready()
    server.get()
    server.get("/modules")
    assert "new:" in server.notes
    assert server.stop() == 0


# --- Start-up tasks ---


def test_start_up_tasks_run_once_and_in_order(serve: Serve, app_dir: Path) -> None:
    (app_dir / "tasks.py").write_text(
        "import main\ndef first(): main.note('first')\nasync def second(): main.note('second')\n"
    )
    server = serve(workers=2, startup_tasks=["tasks:first", "tasks:second"]).ready()
    assert server.notes == ["first", "second", "up", "up"]
    server.process.send_signal(signal.SIGHUP)
    server.until(lambda: server.notes.count("down") == 2)
    assert server.stop() == 0
    assert server.notes.count("first") == 1


@pytest.mark.parametrize(
    ("workers", "source", "code", "words"),
    [
        (2, "def task(): raise ValueError('no table')", 3, "task tasks:task failed: ValueError: no table"),
        (1, "import os\ndef task(): os._exit(5)", 3, "a start-up task ended the process: exit code 5"),
        (1, "", 2, "there is no 'task' in it"),
        (2, "task = 1", 2, "is no function, but int"),
    ],
)
def test_a_start_up_task_that_fails(
    serve: Serve, app_dir: Path, workers: int, source: str, code: int, words: str
) -> None:
    (app_dir / "tasks.py").write_text(source + "\n")
    server = serve(workers=workers, startup_tasks=["tasks:task"])
    assert server.wait() == code
    assert words in server.err
    assert [line.startswith("Error: ") for line in server.err.splitlines()].count(True) == 1
    assert server.notes == []


def test_a_start_up_task_can_be_interrupted(serve: Serve, app_dir: Path) -> None:
    (app_dir / "tasks.py").write_text("import main, time\ndef task(): main.note('began'); time.sleep(60)\n")
    server = serve(workers=2, startup_tasks=["tasks:task"])
    server.until(lambda: server.notes == ["began"])
    assert server.stop() == 0
    assert server.notes == ["began"]


# --- The supervisor itself ---


def test_the_supervisor_loads_no_loop_and_no_app(start: Serve) -> None:
    code = """
import sys, threading
from fastweb.server.supervisor import Supervisor
from fastweb.server.config import Config
class Watched(Supervisor):
    def _on_all_ready(self):
        super()._on_all_ready()
        heavy = {"asyncio", "uvloop", "main", "fastweb.applications", "httptools", "ssl"}
        print(sorted(heavy & set(sys.modules)), threading.active_count(), flush=True)
sys.exit(Watched(Config(app="main:app", app_dir=".", port=0, workers=2)).run())
"""
    server = start("-c", code).ready()
    server.until(lambda: server.out.endswith("\n"))
    assert server.out == "[] 1\n"
    assert server.stop() == 0


def test_orphans_are_waited_for(serve: Serve, app_dir: Path) -> None:
    """As process 1 of a container would have to."""
    with open(app_dir / "main.py", "a") as file:
        file.write("""
if os.fork() == 0:
    if os.fork() == 0:
        note(f"orphan-{os.getpid()}")
    os._exit(0)
""")
    server = serve(workers=2).ready()

    def orphans() -> list[int]:
        return [int(note.rpartition("-")[2]) for note in server.notes if note.startswith("orphan")]

    server.until(lambda: len(orphans()) == 2)
    server.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans()))
    assert server.stop() == 0


def test_the_pidfile(serve: Serve, app_dir: Path) -> None:
    server = serve(workers=1, pidfile="pid").ready()
    assert pid_in(app_dir / "pid") == server.process.pid
    assert server.stop() == 0
    assert not (app_dir / "pid").exists()
    server = serve(workers=1, pidfile="nowhere/pid")
    assert server.wait() == 1
    assert "cannot write the pidfile nowhere/pid: No such file" in server.err
