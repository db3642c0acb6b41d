from __future__ import annotations

import logging
from typing import Any

import pytest

from fastweb.server.log_cap import CAPPED, LogCap, cap_logs


def record(message: str, *args: Any, level: int = logging.WARNING, error: Any = None) -> logging.LogRecord:
    return logging.LogRecord("some", level, __file__, 1, message, args, error)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_lines_of_a_kind_pass_in_a_period() -> None:
    clock = Clock()
    cap = LogCap(3, 10.0, clock=clock)
    assert [cap.filter(record("a %s", n)) for n in range(6)] == [True] * 3 + [False] * 3
    # Another kind is another matter.
    assert cap.filter(record("b %s", 1))
    clock.now = 9.9
    assert not cap.filter(record("a %s", 7))
    clock.now = 10.0
    first = record("a %s", 8)
    assert cap.filter(first)
    assert first.getMessage() == "a 8 (and 4 more like this were not logged)"
    clock.now = 30.0
    later = record("a %s", 9)
    assert cap.filter(later)
    assert later.getMessage() == "a 9"


def test_messages_that_hold_their_values_are_one_kind() -> None:
    cap = LogCap(3)
    assert sum(cap.filter(record(f"a {n}")) for n in range(100)) == 3


def test_what_is_the_app_s_fault_always_passes() -> None:
    cap = LogCap(3)
    error = (ValueError, ValueError(), None)
    assert all(cap.filter(record("a", error=error)) for _ in range(100))
    assert all(cap.filter(record("a", level=logging.ERROR)) for _ in range(100))


def test_kinds_are_bounded() -> None:
    cap = LogCap(3, kinds=5)
    passed = sum(cap.filter(record(f"a {n} %s", 1)) for n in range(100))
    assert passed == 5 + 3
    assert len(cap._seen) == 6


@pytest.mark.parametrize("name", CAPPED)
def test_loggers_are_capped_once(name: str) -> None:
    cap_logs()
    cap_logs()
    assert sum(isinstance(item, LogCap) for item in logging.getLogger(name).filters) == 1
