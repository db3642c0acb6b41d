"""The time within which an operation has to be answered."""

from __future__ import annotations

from typing import Any

from fastweb._speedups.pg_operation import Operation
from fastweb.postgres.options import check_timeout

__all__ = ["is_over", "limit"]


def is_over(operation: Operation, seconds: Any) -> bool:
    """Whether the time has gone by before the operation is asked, which then is never sent: it has failed.

    Arguments:
        operation: of a session, or of what stands for one.
        seconds: 0 and less where it has.

    Raises:
        TypeError, ValueError: they are no number.
    """
    check_timeout(seconds)
    if seconds > 0:
        return False
    operation.settle(None, _late(operation, seconds))
    return True


def limit(operation: Operation, loop: Any, seconds: Any) -> None:
    """Have an operation end with a TimeoutError where it is not answered in time.

    Arguments:
        operation: submitted.
        loop: its event loop.
        seconds: more than 0.
    """
    if not operation.done():
        operation.timer = loop.call_later(seconds, operation.expire, _late(operation, seconds))


def _late(operation: Operation, seconds: float) -> TimeoutError:
    return TimeoutError(f"no answer in {seconds:g} s: {operation.sql}")
