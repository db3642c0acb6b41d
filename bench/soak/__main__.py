"""`python -m bench.soak`: a server under constant load that is restarted, replaced and killed all the time.

Every `--every` seconds, in turn: SIGHUP, `kill -9` of a worker, SIGUSR2. At the end it tells how many
requests were answered, how many were lost (no more than a killed worker may have had in hand), and the memory
of all processes, minute by minute. Linux alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.soak.load import Load

APP = """
import os
from fastweb import FastWeb

app = FastWeb()


@app.get("/")
async def root() -> int:
    return os.getpid()
"""


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def memory(pid: int) -> tuple[int, int, int]:
    """Proportional memory of a server's processes, resident memory of the largest (bytes), and their
    number."""
    total = largest = count = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
            sizes = dict(re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE))
            total += int(sizes["Pss"]) * 1024
            largest = max(largest, int(sizes["Rss"]) * 1024)
            count += 1
    return total, largest, count


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    add = parser.add_argument
    add("--minutes", type=float, default=10.0)
    add("--every", type=float, default=5.0, help="seconds between two disturbances [5]")
    add("--workers", type=int, default=2)
    add("--clients", type=int, default=6)
    add("--pause", type=float, default=0.0, help="seconds between two requests of a client [0]")
    add("--preload", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fastweb-soak-") as folder:
        Path(folder, "soaked.py").write_text(APP)
        pidfile = Path(folder, "pid")
        log = Path(folder, "log")
        command = [sys.executable, "-m", "fastweb", "run", "soaked:app", "--port", "0", "--no-access-log"]
        command += ["--workers", str(options.workers), "--pidfile", str(pidfile)]
        with log.open("wb") as output:
            subprocess.Popen(
                command + ["--preload"] * options.preload,
                cwd=folder,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), folder])},
            )
        deadline = time.monotonic() + 30
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())):
            if time.monotonic() > deadline:
                print(log.read_text())
                return 1
            time.sleep(0.05)
        try:
            return soak(options, int(found[1]), pidfile, log)
        finally:
            for pid in family(int(pidfile.read_text())):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)


def soak(options: argparse.Namespace, port: int, pidfile: Path, log: Path) -> int:
    start = time.monotonic()
    # The busiest worker is killed, and when.
    kills: list[float] = []
    counts = {"SIGHUP": 0, "SIGKILL": 0, "SIGUSR2": 0}
    next_turn, next_minute = start + options.every, start + 60
    with Load(port, options.clients, options.pause) as load:
        while (now := time.monotonic()) < start + options.minutes * 60:
            time.sleep(0.1)
            pid = int(pidfile.read_text())
            if now >= next_turn:
                next_turn = now + options.every
                name = ("SIGHUP", "SIGKILL", "SIGUSR2")[sum(counts.values()) % 3]
                counts[name] += 1
                if name == "SIGKILL":
                    before = load.snapshot()
                    time.sleep(0.3)
                    after = load.snapshot()
                    recent = {each: after[each] - before.get(each, 0) for each in after}
                    victim = max(recent, key=lambda each: recent[each], default=None)
                    kills.append(time.monotonic())
                    if victim is not None:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(int(victim), signal.SIGKILL)
                else:
                    os.kill(pid, getattr(signal, name))
            if now >= next_minute:
                next_minute += 60
                total, largest, processes = memory(pid)
                print(
                    f"minute {(now - start) / 60:3.0f}: {load.done:9} answers, {len(load.lost)} lost,"
                    f" {total >> 10} KiB together, {largest >> 10} KiB the largest, {processes} processes",
                    flush=True,
                )
    # Within a second of a kill, of the requests that the process had.
    faults = [lost for lost in load.lost if not any(at - 0.1 <= lost[0] <= at + 1.5 for at in kills)]
    print(f"{load.done} answers; {counts}; {len(load.lost)} lost, {len(faults)} of them without a kill")
    print(f"{load.late} closed to clients who were not prompt")
    for when, kept, error in faults[:20]:
        print(f"  at {when - start:.1f} s, {'kept' if kept else 'fresh'}: {error}")
    errors = [line for line in log.read_text().splitlines() if line.startswith(("ERROR", "Traceback"))]
    print(*errors[:20], sep="\n")
    return 1 if faults or len(load.lost) > options.clients * counts["SIGKILL"] else 0


if __name__ == "__main__":
    sys.exit(main())
