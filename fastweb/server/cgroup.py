"""What the container allows: processor time and memory of this process's control group, as Linux tells.

    v2  /proc/self/cgroup "0::/path"             /sys/fs/cgroup/path/cpu.max            "$MAX $PERIOD"
                                                 /sys/fs/cgroup/path/memory.events      "oom_kill N"
    v1  /proc/self/cgroup "N:cpu,cpuacct:/path"  /sys/fs/cgroup/cpu/path/cpu.cfs_quota_us, cpu.cfs_period_us
                          "N:memory:/path"       /sys/fs/cgroup/memory/path/memory.oom_control "oom_kill N"

Within a container the path may be that of the host, where the mount shows only the container's own group: so
the parents of a path are looked at as well, up to the mount itself; for a quota the least of them counts.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst, Documentation/scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_quota", "oom_kills"]

_ROOT = Path("/")


def cpu_quota(root: Path = _ROOT) -> float | None:
    """The processors that this process may use, as a number of them; None where nothing bounds it.

    Arguments:
        root: where /proc and /sys are found.
    """
    quotas = []
    for group in _groups(root, ""):
        words = _read(group / "cpu.max").split()
        if len(words) == 2 and words[0] != "max":
            quotas.append((words[0], words[1]))
    for controller in ("cpu", "cpu,cpuacct"):
        quotas += [
            (_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))
            for group in _groups(root, controller)
        ]
    found = [
        int(quota) / int(period)
        for quota, period in quotas
        if quota.isdigit() and period.isdigit() and int(quota) > 0 and int(period) > 0
    ]
    return min(found, default=None)


def oom_kills(root: Path = _ROOT) -> int:
    """Processes of this control group that were killed because it had no memory left, so far."""
    for controller, name in (("", "memory.events"), ("memory", "memory.oom_control")):
        for group in _groups(root, controller):
            for line in _read(group / name).splitlines():
                words = line.split()
                if len(words) == 2 and words[0] == "oom_kill" and words[1].isdigit():
                    return int(words[1])
    return 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The directory of this process's group, and those above it, the nearest first."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller:
            if not set(controller.split(",")) <= set(names.split(",")):
                continue
            top = mount / controller
        elif number != "0":
            continue
        else:
            top = mount
        parts = [part for part in path.split("/") if part and part != ".."]
        for length in range(len(parts), -1, -1):
            yield top.joinpath(*parts[:length])


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
