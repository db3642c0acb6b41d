"""The bound of open files, in processes of their own: it is theirs to raise, and not to lower again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.server.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bound")

CODE = """
import logging, resource
from fastweb.server.capacity import connections_within_files
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(connections_within_files({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def ask(soft: int, hard: int, wanted: int) -> tuple[int, int, str]:
    """How many connections, the soft bound afterwards, and what the log says."""
    code = CODE.format(soft=soft, hard=hard, wanted=wanted)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    most, files = done.stdout.split()
    return int(most), int(files), done.stderr


def test_enough_is_left_as_it_is() -> None:
    assert ask(900, 900, 100) == (100, 900, "")


def test_it_is_raised_as_far_as_is_needed() -> None:
    most, files, log = ask(100, 1000, 500)
    assert (most, log) == (500, "")
    assert 500 < files <= 1000


def test_where_it_cannot_be_raised_there_are_fewer_connections() -> None:
    most, files, log = ask(100, 800, 16384)
    assert files == 800
    assert 400 < most < 800
    assert log.startswith(f"This process may have 800 open files: it takes {most} connections")


@pytest.mark.parametrize("files", [40, 64, 128, 256])
def test_of_a_small_bound_something_is_left(files: int) -> None:
    most, _, _ = ask(files, files, 16384)
    assert files // 2 <= most <= files * 7 // 8
