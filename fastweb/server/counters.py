"""Counters of all workers in shared memory: each worker writes its own row, and anybody reads them all.

    file    = header row*
    header  = "fwcount1" rows:u64 names:u64 and padding          64 bytes
    row     = pid:u64, then one u64 a name, in the order of NAMES, and padding to a multiple of 64 bytes

Numbers are native 64-bit integers at their natural alignment: one writer a row and stores that do not tear,
so there is no lock. A row belongs to one living worker; the next that gets it goes on counting where the last
one stopped, so totals survive workers. What tells of a moment (`GAUGES`) begins at 0, and is cleared by the
supervisor when its worker is gone.

The hot path counts nothing here: a worker copies what it knows every second or so, when it sweeps.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Mapping
from typing import Final

__all__ = ["GAUGES", "NAMES", "Counters", "Row", "current", "make_current"]

_MAGIC: Final = int.from_bytes(b"fwcount1", "little")
_LINE: Final = 64  # bytes of a cache line: no two workers write to one
_WORD: Final = 8

#: What is counted: answers, those of status 500 and above, connections that were accepted; and what is so at
#: this moment: open connections, requests whose coroutine waits, bytes of resident memory.
NAMES: Final = (
    "requests",
    "errors",
    "connections",
    "open_connections",
    "in_flight",
    "memory",
)
GAUGES: Final = frozenset(("open_connections", "in_flight", "memory"))

_ROW: Final = -(-(1 + len(NAMES)) * _WORD // _LINE) * _LINE // _WORD  # words
_HEADER: Final = _LINE // _WORD


class Counters:
    """The shared memory.

    Arguments:
        fd: its file, as `create` made it, in this process or another. It is not closed by this.

    Raises:
        ValueError: the file is not what this version writes.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._map = mmap.mmap(fd, 0)
        words = memoryview(self._map).cast("Q")
        size = len(words)
        good = size >= _HEADER and words[0] == _MAGIC and words[2] == len(NAMES)
        if not good or size != _HEADER + words[1] * _ROW:
            words.release()
            self._map.close()
            raise ValueError("no counters of this version of fastweb")
        self._words = words
        self.rows: int = words[1]

    @classmethod
    def create(cls, rows: int) -> Counters:
        """Make room for so many workers at a time, all counters 0."""
        size = (_HEADER + rows * _ROW) * _WORD
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("fastweb-counters")
        else:
            import tempfile  # which loads much that a supervisor needs nothing of

            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, size)
        with mmap.mmap(fd, size) as made:
            header = memoryview(made).cast("Q")
            header[0], header[1], header[2] = _MAGIC, rows, len(NAMES)
            header.release()
        return cls(fd)

    def claim(self) -> int:
        """A row that no living process has; -1 if there is none. For the one process that hands them out."""
        for number in range(self.rows):
            at = _HEADER + number * _ROW
            pid = self._words[at]
            if pid == 0 or not _lives(pid):
                self._clear(at)
                self._words[at] = os.getpid()  # Until the worker has it.
                return number
        return -1

    def give(self, number: int, pid: int) -> None:
        """A row is now this process's."""
        if number >= 0:
            self._words[_HEADER + number * _ROW] = pid

    def release(self, number: int) -> None:
        """Its process is gone."""
        if number >= 0:
            at = _HEADER + number * _ROW
            self._words[at] = 0
            self._clear(at)

    def _clear(self, at: int) -> None:
        for i, name in enumerate(NAMES):
            if name in GAUGES:
                self._words[at + 1 + i] = 0

    def row(self, number: int) -> Row:
        """A row to write to."""
        if not 0 <= number < self.rows:
            raise ValueError(f"there are {self.rows} rows: no row {number}")
        return Row(self._words, _HEADER + number * _ROW + 1)

    def totals(self) -> dict[str, int]:
        """Each counter, over all workers that have been."""
        return {
            name: sum(self._words[_HEADER + number * _ROW + 1 + i] for number in range(self.rows))
            for i, name in enumerate(NAMES)
        }

    def by_worker(self) -> dict[int, dict[str, int]]:
        """pid -> each counter, for workers that live. What earlier workers counted in a row is in it."""
        found = {}
        for number in range(self.rows):
            at = _HEADER + number * _ROW
            if self._words[at]:
                values = self._words[at + 1 : at + 1 + len(NAMES)].tolist()
                found[self._words[at]] = dict(zip(NAMES, values, strict=True))
        return found

    def close(self) -> None:
        """Unmap it and close the file."""
        self._words.release()
        self._map.close()
        with contextlib.suppress(OSError):
            os.close(self.fd)


class Row:
    """A worker's own counters."""

    def __init__(self, words: memoryview, at: int) -> None:
        self._words = words
        self._places = {name: at + i for i, name in enumerate(NAMES)}
        #: What workers before this one have counted here.
        self._before = {name: 0 if name in GAUGES else words[place] for name, place in self._places.items()}

    def write(self, values: Mapping[str, int]) -> None:
        """Write what this worker has counted since its start."""
        for name, value in values.items():
            self._words[self._places[name]] = self._before[name] + value


_current: Counters | None = None


def current() -> Counters | None:
    """The counters that this process takes part in; None where no server runs in it."""
    return _current


def make_current(counters: Counters | None) -> None:
    """Say so."""
    global _current
    _current = counters


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
