"""The time within which an operation has to be answered."""

from __future__ import annotations

from typing import Any

from fastweb._speedups.pg_operation import Operation
from fastweb.postgres.options import check_timeout

__all__ = ["limit"]


def limit(operation: Operation, loop: Any, seconds: Any) -> None:
    """Have an operation end with a TimeoutError where it is not answered in time.

    Arguments:
        operation: submitted.
        loop: its event loop.
        seconds: 0 and less where the time has gone by: it ends at once, and is not sent where it was not yet.

    Raises:
        TypeError, ValueError: they are no number; the operation is cancelled.
    """
    try:
        check_timeout(seconds)
    except (TypeError, ValueError):
        operation.cancel()
        raise
    if operation.done():
        return
    error = TimeoutError(f"no answer in {seconds:g} s: {operation.sql}")
    if seconds > 0:
        operation.timer = loop.call_later(seconds, operation.expire, error)
    else:
        operation.expire(error)
