from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_worker() -> None:
    """Every case can be run, and no public name of the hot modules is without one."""
    cases = sorted(path.stem for path in (ROOT / "bench" / "micro" / "cases").glob("[!_]*.py"))
    order = {
        "root": str(ROOT),
        "in_place": False,
        "modules": [f"bench.micro.cases.{name}" for name in cases],
        "only": None,
        "seconds": 0.0,
    }
    words = [sys.executable, "-P", str(ROOT / "bench" / "micro" / "worker.py"), json.dumps(order)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["problems"] == {}
    assert all(seconds > 0 for seconds in found["times"].values())
    covered = {name for names in found["covers"].values() for name in names}
    assert set(found["public"]) <= covered
