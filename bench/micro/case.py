"""A case: something small to be done over and over, and the time that it takes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, Final

__all__ = ["CASES", "Case", "Work", "case", "time_of"]

#: What is timed, and how many operations one call of it is.
Work = tuple[Callable[[], Any], int]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to be timed.

    Arguments:
        name: as the table shows it.
        covers: the public names of fastweb/_speedups that it measures, as "module.name".
        make: makes the function to be timed.
    """

    name: str
    covers: tuple[str, ...]
    make: Callable[[], Work]


CASES: Final[dict[str, Case]] = {}


def case(name: str, *covers: str) -> Callable[[Callable[[], Work]], Callable[[], Work]]:
    """Declare the decorated function as what makes a case ready."""

    def declare(make: Callable[[], Work]) -> Callable[[], Work]:
        if name in CASES:
            raise ValueError(f"there are two cases called {name!r}")
        CASES[name] = Case(name, covers, make)
        return make

    return declare


def time_of(work: Work, seconds: float) -> float:
    """Seconds that one operation takes: the least of about ten runs, for whatever disturbs a run makes it
    longer."""
    function, operations = work
    function()
    calls = 1
    while True:
        taken = _run(function, calls)
        if taken >= seconds / 10 or calls >= 1 << 30:
            break
        calls = max(calls * 2, min(calls * 100, int(calls * seconds / 10 / max(taken, 1e-9))))
    gc.collect()
    best = taken
    end = perf_counter() + seconds
    while perf_counter() < end:
        best = min(best, _run(function, calls))
    return best / calls / operations


def _run(function: Callable[[], Any], calls: int) -> float:
    repeat = range(calls)
    # Processor time: on a busy machine, what others take is none of the case's. No case waits for anything.
    begin = process_time()
    for _ in repeat:
        function()
    return process_time() - begin
