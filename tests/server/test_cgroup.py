from __future__ import annotations

from pathlib import Path

import pytest

from fastweb.cli import options
from fastweb.server import cgroup

V2 = {"proc/self/cgroup": "0::/box\n"}
V1 = {"proc/self/cgroup": "12:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box\n"}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        (V2, None),
        ({**V2, "sys/fs/cgroup/box/cpu.max": "150000 100000\n"}, 1.5),
        ({**V2, "sys/fs/cgroup/box/cpu.max": "max 100000\n"}, None),
        ({**V2, "sys/fs/cgroup/box/cpu.max": "0 100000\n"}, None),
        ({**V2, "sys/fs/cgroup/box/cpu.max": "what\n"}, None),
        # Within a container: the path is the host's, the mount is the container's own group.
        ({**V2, "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        # The least of those above it counts.
        ({**V2, "sys/fs/cgroup/box/cpu.max": "400000 100000\n", "sys/fs/cgroup/cpu.max": "2 1\n"}, 2.0),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_the_quota(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    assert cgroup.cpu_quota(tree(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({}, 0),
        ({**V2, "sys/fs/cgroup/box/memory.events": "low 0\noom 4\noom_kill 3\n"}, 3),
        ({**V1, "sys/fs/cgroup/memory/box/memory.oom_control": "under_oom 0\noom_kill 2\n"}, 2),
    ],
)
def test_the_processes_that_were_out_of_memory(tmp_path: Path, files: dict[str, str], kills: int) -> None:
    assert cgroup.oom_kills(tree(tmp_path, files)) == kills


@pytest.mark.parametrize(
    ("quota", "workers"), [(None, 4), (0.2, 1), (1.0, 1), (1.1, 2), (3.0, 3), (4.5, 4), (64.0, 4)]
)
def test_the_default_number_of_workers(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, workers: int
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.name", "posix")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cgroup, "cpu_quota", lambda: quota)
    assert options.cores() == workers
