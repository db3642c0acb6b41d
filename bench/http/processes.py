"""Processes: on which core they run, what they have used, and that they end.

A server is started as the leader of a session, and everything it starts stays in that session; so all of it
is found in /proc, and stopped, without knowing how the server is made. Where there is no /proc (macOS),
usage and memory are not known, and are None.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "Cores",
    "Memory",
    "choose_cores",
    "cpu_seconds",
    "end_session",
    "memory",
    "on_core",
    "session_processes",
    "signal_session",
]

_PROC: Final = Path("/proc")
_TICK: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

#: Seconds that a server may take to end by itself.
GRACE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server and the load run; None where that cannot be chosen."""

    server: int | None
    load: int | None


def choose_cores() -> Cores:
    """Two cores for one each, which are not two threads of one, as far as this machine has that."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None)
    free = sorted(os.sched_getaffinity(0))
    if len(free) < 2:
        return Cores(None, None)
    server = free[0]
    siblings = {server}
    with contextlib.suppress(OSError, ValueError):
        text = Path(f"/sys/devices/system/cpu/cpu{server}/topology/thread_siblings_list").read_text()
        for part in text.strip().split(","):
            low, _, high = part.partition("-")
            siblings |= set(range(int(low), int(high or low) + 1))
    others = [core for core in free if core not in siblings]
    return Cores(server, others[0] if others else free[1])


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started within runs on this core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name (proc_pid_stat(5)): state is 0, session 3, utime 11,
    stime 12."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def session_processes(leader: int) -> list[int]:
    """The processes of a session, without those that have ended."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(_PROC):
            if name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    fields = _stat(int(name))
                    if int(fields[3]) == leader and fields[0] not in "ZX":
                        found.append(int(name))
    return found


def cpu_seconds(leader: int) -> float | None:
    """Processor time, user and system, that a session's living processes have used."""
    total: float | None = None
    for pid in session_processes(leader):
        with contextlib.suppress(OSError, IndexError):
            fields = _stat(pid)
            total = (total or 0.0) + (int(fields[11]) + int(fields[12])) / _TICK
    return total


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a session's processes: `rss` counts shared pages in each, `pss` divides them among those that
    share."""

    rss: int
    pss: int
    processes: int


def memory(leader: int) -> Memory | None:
    """What a session's processes have in memory (/proc/PID/smaps_rollup)."""
    rss = pss = processes = 0
    for pid in session_processes(leader):
        with contextlib.suppress(OSError):
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            sizes = {
                line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines[1:] if len(line.split()) > 2
            }
            rss += sizes["Rss"]
            pss += sizes["Pss"]
            processes += 1
    return Memory(rss, pss, processes) if processes else None


def signal_session(leader: int, number: int) -> None:
    """Send a signal to all of a session, or, where it cannot be seen, to the leader's group."""
    pids = session_processes(leader)
    if not pids and not _PROC.exists():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, number)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its session: asked first, then killed."""
    # Stopped processes do not hear SIGTERM.
    signal_session(process.pid, signal.SIGCONT)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    while time.monotonic() < deadline and session_processes(process.pid):
        time.sleep(0.01)
    signal_session(process.pid, signal.SIGKILL)
    process.wait()
