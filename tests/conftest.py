"""What every test run says and holds: which fastweb is tested, and in which mode."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Last, so that an installed fastweb goes before the one beside these tests.
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from fastweb import _speedups  # noqa: E402


def mode() -> str:
    return "compiled" if _speedups.is_compiled() else "pure"


def stale() -> list[str]:
    """The hot modules whose source is newer than what was compiled of it, in a working tree."""
    folder = Path(_speedups.__file__).parent
    if folder != ROOT / "fastweb" / "_speedups":
        return []
    names = [name.rpartition(".")[2] for name in _speedups.hot_modules()]
    return [
        name
        for name in names
        for built in [*folder.glob(f"{name}.*.so"), *folder.glob(f"{name}.*.pyd")]
        if (folder / f"{name}.py").stat().st_mtime > built.stat().st_mtime
    ]


def same_examples(config: pytest.Config) -> None:
    """Of properties, each run tries the same examples: what fails by chance refuses what is not to blame.
    Others come with a seed, `--hypothesis-seed=7`. None is wrong because the machine stood still."""
    try:
        from hypothesis import HealthCheck, settings
    except ModuleNotFoundError:  # tests/extensions is run where it is not installed.
        return
    settings.register_profile(
        "fastweb",
        deadline=None,
        derandomize=config.getoption("hypothesis_seed", None) is None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("fastweb")


def pytest_configure(config: pytest.Config) -> None:
    same_examples(config)
    expected = os.environ.get("FASTWEB_EXPECT_MODE") or mode()
    if expected != mode():
        found = f"{_speedups.__file__} is {mode()}"
        raise pytest.UsageError(f"FASTWEB_EXPECT_MODE={expected}, but {found}")


#: Pools and the like that were there after the last test: of modules, which keep them.
_kept = 0


def pytest_runtest_logfinish() -> None:
    """The pools of a test end with it: one that waits for the collector would be opened by the next app."""
    global _kept
    found = sys.modules.get("fastweb.resources")
    if found is not None and len(found.resources) > _kept:
        gc.collect()
        _kept = len(found.resources)


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = [f"fastweb: {mode()}, from {Path(_speedups.__file__).parent.parent}"]
    if found := sorted(set(stale())):
        lines.append(f"fastweb: compiled from an older source, `make build` it: {', '.join(found)}")
    return lines
