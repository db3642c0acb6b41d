"""What a figure was measured on: without it, it is none."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["busy", "commit", "machine", "now", "remarks", "stalls"]

#: Reads the clock, and prints for how long it did, and for how long it could not, all in all and at most, in
#: gaps above 0.5 ms.
_READ_THE_CLOCK = """
import sys
from time import perf_counter as now
whole = longest = 0.0
begin = last = now()
end = begin + float(sys.argv[1])
while last < end:
    time = now()
    if time - last > 0.0005:
        whole += time - last
        longest = max(longest, time - last)
    last = time
print(last - begin, whole, longest)
"""


def _cpu() -> str:
    with contextlib.suppress(OSError):
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if match:
            return match[1].strip()
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """CPU, cores, memory, kernel and Python, as JSON holds them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = None
    with contextlib.suppress(ValueError, OSError, AttributeError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu(),
        "cores": cores,
        "memory": memory,
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def busy() -> float:
    """How many processes want to run, on the average of the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def stalls(seconds: float = 2.0) -> dict[str, float]:
    """How long a core stands still while all work: the share of the time, and the longest, in seconds.

    Arguments:
        seconds: of looking.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    words = [sys.executable, "-S", "-c", _READ_THE_CLOCK, str(seconds)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    found = [tuple(map(float, each.communicate()[0].split())) for each in running]
    return {
        "share": sum(whole for _, whole, _ in found) / sum(looked for looked, _, _ in found),
        "longest": max(longest for _, _, longest in found),
    }


def commit(root: Path) -> str:
    """The checkout's commit, with a "+" where files are changed; empty where there is none."""
    with contextlib.suppress(OSError):
        words = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--exclude=*"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return ""


def now() -> str:
    """Date and time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def remarks(about: dict[str, Any]) -> list[str]:
    """What makes figures less sure, a sentence each.

    Arguments:
        about: `load_average` and `stalls`, as results hold them.
    """
    said = []
    if about["load_average"] > 0.7:
        said.append(
            f"The machine was busy before this run began (load average {about['load_average']:.1f}): the"
            " figures are low, and the ratios less sure."
        )
    found = about.get("stalls")
    if found and found["share"] > 0.001:
        said.append(
            f"While all cores worked they stood still for {found['share']:.1%} of the time, up to"
            f" {found['longest'] * 1e3:.1f} ms: the host's doing, and in every p99."
        )
    return said
