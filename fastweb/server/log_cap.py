"""A cap on log lines that a client can cause at will, so that nobody fills a disk with them (aiohttp
CVE-2025-69230).

Requests that are refused, forms that python-multipart warns of: of one kind (a logger and its message before
the values are put in), so many lines a period pass; the next period begins with how many did not. What has a
traceback is the app's own fault, and always passes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

__all__ = ["CAPPED", "LogCap", "cap_logs"]

#: The loggers whose lines a client can cause.
CAPPED: Final = ("fastweb.error", "python_multipart", "python_multipart.multipart", "multipart", "asyncio")


class LogCap(logging.Filter):
    """Passes so many records of a kind in a period.

    Arguments:
        lines: of each kind.
        period: seconds.
        kinds: that are told apart; beyond them all others are one.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        lines: int = 20,
        period: float = 10.0,
        *,
        kinds: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._lines = lines
        self._period = period
        self._kinds = kinds
        self._clock = clock
        #: kind -> when its period began, how many records it has had.
        self._seen: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is written; where some before it were not, it says how many."""
        if record.exc_info or record.levelno >= logging.ERROR:
            return True
        kind: object = (record.name, record.msg if record.args else record.levelno)
        if kind not in self._seen and len(self._seen) >= self._kinds:
            kind = None
        now = self._clock()
        begin, count = self._seen.get(kind, (now, 0))
        if now - begin >= self._period:
            if count > self._lines:
                record.msg = f"{record.msg} (and {count - self._lines} more like this were not logged)"
            begin, count = now, 0
        self._seen[kind] = begin, count + 1
        return count < self._lines


def cap_logs() -> None:
    """Cap the loggers of `CAPPED`, once."""
    for name in CAPPED:
        logger = logging.getLogger(name)
        if not any(isinstance(item, LogCap) for item in logger.filters):
            logger.addFilter(LogCap())
