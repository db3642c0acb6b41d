"""The process that ends a run's servers, and removes its folder, when its tests are gone: see `servers`."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path

__all__ = ["keep", "of_run"]


def keep(folder: Path) -> None:
    """The keeper's life."""
    if os.fork():
        return
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    with open(folder / "alive") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for sign in (signal.SIGQUIT, signal.SIGQUIT, signal.SIGKILL):
            for pid in of_run(folder):
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + 5
            while of_run(folder) and time.monotonic() < end:
                time.sleep(0.02)
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def of_run(folder: Path) -> list[int]:
    """The processes whose command names the run's folder; where there is no /proc, those that their files
    name."""
    if not Path("/proc/self").exists():
        files = [*folder.glob("*/data/postmaster.pid"), *folder.glob("*/pgbouncer.pid")]
        return [int(file.read_text().split()[0]) for file in files]
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
