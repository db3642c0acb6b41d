"""The processes of a supervisor: how they are started, told, and found dead.

A worker's stages:

    starting -- says that it is ready --> ready -- SIGTERM --> leaving --> gone
       |                                    |
       |                                    +-- dies --> its slot gets another, after a pause that doubles
       |
       +-- says why not, or dies: before any worker was ready, the server ends with that error;
           later, as if a ready one had died
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from fastweb.server.channel import Channel
from fastweb.server.order import ORDER_VARIABLE, Order

__all__ = [
    "Process",
    "Worker",
    "adopt_orphans",
    "children",
    "how_it_ended",
    "interpreter_options",
    "reap_orphans",
    "start_command",
    "start_module",
]

#: sys/prctl.h
_PR_SET_CHILD_SUBREAPER = 36


class Process:
    """A child, or an orphan that became one.

    Attributes:
        returncode: its exit code, or the negated number of the signal that ended it; None while it runs.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Look whether it has ended."""
        if self.returncode is None:
            self._wait(os.WNOHANG)
        return self.returncode

    def wait(self) -> None:
        """Wait until it has."""
        if self.returncode is None:
            self._wait(0)

    def _wait(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:
            self.returncode = 255  # Somebody else has asked: nobody knows.
            return
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)

    def send_signal(self, number: int) -> None:
        # Until it was waited for, its number is nobody else's.
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Worker:
    """A worker as its supervisor sees it.

    Attributes:
        process: None until the template has said which one it is: before that it may be no child of ours.
        announced: its number, as it says itself.
        replaces: the one that leaves once this is ready.
        kill_at: when it is killed, if it has not left by then.
        retire_at: when it is to get a successor, since it asked for one.
        row: of the counters.
    """

    def __init__(self, slot: int, channel: Channel, row: int = -1) -> None:
        self.slot = slot
        self.channel = channel
        self.row = row
        self.process: Process | None = None
        self.announced = 0
        self.stage = "starting"
        self.ready_since = 0.0
        self.replaces: Worker | None = None
        self.retire_at = float("inf")
        self.retiring = False
        self.kill_at = float("inf")

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else self.announced

    def leave(self, within: float) -> None:
        """Tell it to; after so many seconds, it is to be killed."""
        self.stage = "leaving"
        self.kill_at = time.monotonic() + within
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.kill_at = float("inf")
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)


def interpreter_options() -> list[str]:
    """-X, -W and the like, as multiprocessing hands them on, and -P, unless fastweb itself is in the current
    directory: a file of the user's there could stand before the standard library's of that name."""
    options: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    if "-P" not in options and Path(__file__).parent.parent.parent != Path.cwd():
        options.append("-P")
    return options


def start_module(name: str, order: Order) -> Process:
    """Start an interpreter that runs a module, with its order in the environment and SIGINT blocked."""
    command = [sys.executable, *interpreter_options(), "-m", name]
    environment = {**os.environ, ORDER_VARIABLE: order.to_json()}
    return start_command(command, environment, order.descriptors())


def start_command(
    command: list[str], environment: dict[str, str], descriptors: list[int], directory: str | None = None
) -> Process:
    """Start a program that inherits some files, with SIGINT blocked: Ctrl+C in a terminal goes to every
    process, and one that has no handler for it yet would die of it, noisily."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        popen = subprocess.Popen(command, env=environment, pass_fds=descriptors, cwd=directory)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    # `Process` waits for it; this object must neither do so, nor complain that nobody has.
    popen.returncode = 0
    return Process(popen.pid)


def adopt_orphans() -> bool:
    """Make descendants whose parent has ended this process's children: the workers of a template, among
    others. Whether the system can do that (Linux can: PR_SET_CHILD_SUBREAPER, prctl(2))."""
    if sys.platform != "linux":
        return False
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return bool(prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def children() -> set[int]:
    """This process's children, dead ones that nobody has waited for among them, as far as Linux shows
    them."""
    with contextlib.suppress(OSError):
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    return set()


def reap_orphans(known: set[int]) -> dict[int, int]:
    """Wait for every dead child that is not one of these: as process 1 of a container, a supervisor gets all
    processes that lost their parents, and would keep them as zombies.

    Returns:
        The exit code of each.
    """
    found: dict[int, int] = {}
    for pid in children() - known:
        with contextlib.suppress(ChildProcessError):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone:
                found[pid] = os.waitstatus_to_exitcode(status)
    return found


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
