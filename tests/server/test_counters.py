from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fastweb.server import counters
from fastweb.server.counters import GAUGES, NAMES, Counters


@pytest.fixture
def shared() -> Iterator[Counters]:
    made = Counters.create(3)
    try:
        yield made
    finally:
        made.close()


def test_nothing_is_counted_before_a_server_runs(shared: Counters) -> None:
    assert counters.current() is None
    assert shared.totals() == dict.fromkeys(NAMES, 0)
    assert shared.by_worker() == {}


def test_totals_go_on_and_gauges_do_not(shared: Counters) -> None:
    row = shared.claim()
    shared.give(row, os.getpid())
    shared.row(row).write({"requests": 5, "open_connections": 2})
    shared.row(row).write({"requests": 7, "open_connections": 1})
    # Each `row` is a new worker's view: it adds to what was there.
    assert shared.totals()["requests"] == 12
    shared.release(row)
    assert shared.totals()["open_connections"] == 0
    assert shared.by_worker() == {}
    again = shared.claim()
    assert again == row
    successor = shared.row(again)
    successor.write({"requests": 1})
    successor.write({"requests": 2})
    assert shared.totals()["requests"] == 14


def test_two_workers_of_a_slot_have_a_row_each(shared: Counters) -> None:
    rows = [shared.claim() for _ in range(4)]
    assert rows == [0, 1, 2, -1]
    for row in rows:
        shared.give(row, os.getpid())
    shared.row(0).write({"requests": 1})
    shared.row(1).write({"requests": 2})
    assert shared.totals()["requests"] == 3
    for row in rows:
        shared.release(row)
    assert shared.claim() == 0


def test_the_row_of_a_dead_process_is_free(shared: Counters) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    for row in range(3):
        shared.give(row, done.pid)
    shared.row(1).write({"requests": 9, "in_flight": 4})
    assert [shared.claim() for _ in range(3)] == [0, 1, 2]
    assert shared.totals()["requests"] == 9
    assert all(shared.totals()[name] == 0 for name in GAUGES)


@pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX")
def test_another_process_writes_and_this_one_reads(shared: Counters) -> None:
    code = (
        "import sys; from fastweb.server.counters import Counters\n"
        "Counters(int(sys.argv[1])).row(2).write({'requests': 2**63, 'errors': 1})"
    )
    subprocess.run([sys.executable, "-c", code, str(shared.fd)], pass_fds=[shared.fd], check=True)
    assert (shared.totals()["requests"], shared.totals()["errors"]) == (2**63, 1)


@pytest.mark.parametrize("content", [b"x" * 8, b"\0" * 64, b"fwcount1" + b"\xff" * 56])
def test_a_file_of_another_version_is_refused(content: bytes, tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "file")
    with open(path, "wb+") as file:
        file.write(content)
        file.flush()
        with pytest.raises(ValueError, match="no counters of this version"):
            Counters(file.fileno())


def test_a_row_that_is_not_there(shared: Counters) -> None:
    for number in (-1, 3):
        with pytest.raises(ValueError, match="there are 3 rows"):
            shared.row(number)
