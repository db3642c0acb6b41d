"""Running a transaction again: which failures are worth it, how often, and after which pause.

At the isolation levels REPEATABLE READ and SERIALIZABLE the server refuses transactions that it cannot put
in order (40001, serialization_failure), and at every level one of those that lock each other out (40P01,
deadlock_detected). Both say: nothing has happened, ask again, and the *whole* transaction, for what it has
read may be old ("Serialization Failure Handling"). Only these two are run again by default.

A pause is drawn from nothing to `first_delay` doubled at each run ("full jitter"): transactions that
collided must not collide again for having waited equally long.

Never run again: a task that was cancelled, and a COMMIT whose outcome nobody knows (`CommitUnknownError`),
whatever `when` says: it may have happened.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from fastweb.postgres.errors import CommitUnknownError, PostgresError

__all__ = ["Retry", "is_transient", "retrying", "run_again"]

C = TypeVar("C")
T = TypeVar("T")
P = ParamSpec("P")

#: serialization_failure and deadlock_detected.
TRANSIENT = frozenset({"40001", "40P01"})


def is_transient(error: Exception) -> bool:
    """Whether the server says: ask again. 40001 and 40P01."""
    return isinstance(error, PostgresError) and error.sqlstate in TRANSIENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a transaction is run again.

    Arguments:
        times: how often at most; 3 means four runs.
        first_delay: seconds; the pause before the first run again is between none and this.
        longest_delay: seconds; the bound doubles at each run, up to this.
        most_time: seconds since the first run began, after which none is begun any more.
        when: says of an exception whether it is worth another run; by default `is_transient`.

    Raises:
        ValueError: one of them is negative.
    """

    times: int = 3
    first_delay: float = 0.01
    longest_delay: float = 1.0
    most_time: float = math.inf
    when: Callable[[Exception], bool] = is_transient

    def __post_init__(self) -> None:
        for name in ("times", "first_delay", "longest_delay", "most_time"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    def delay(self, run: int) -> float:
        """Seconds to wait before the run of this number; 1 is the first that is another."""
        # 2**run overflows where somebody retries for days.
        bound = min(self.longest_delay, self.first_delay * 2.0 ** min(run - 1, 60))
        return random.uniform(0, bound)


def policy(retry: int | Retry) -> Retry:
    """A number is a policy with that many times.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(retry, Retry):
        return retry
    if isinstance(retry, bool) or not isinstance(retry, int):
        raise TypeError(f"retry: expected an int or a Retry, got {type(retry).__name__}")
    return Retry(times=retry)


async def run_again(
    begin: Callable[[], AbstractAsyncContextManager[C]],
    function: Callable[[C], Awaitable[T]],
    retry: int | Retry = 3,
) -> T:
    """What a function returns, run in a transaction, and run again as a policy says.

    Arguments:
        begin: makes the transaction; what it is entered to goes to the function.
        function: awaited once a run; what it did outside of the database it does again.
        retry: how often it is run again, or a policy.

    Raises:
        whatever the last run has raised; a note tells how many there were.
    """
    rule = policy(retry)
    started = time.monotonic()
    run = 0
    while True:
        try:
            async with begin() as connection:
                result = await function(connection)
            return result
        except CommitUnknownError:
            raise
        except Exception as error:
            run += 1
            if not rule.when(error):
                raise
            pause = rule.delay(run)
            if run > rule.times or time.monotonic() + pause - started > rule.most_time:
                if run > 1:
                    error.add_note(f"the transaction was run {run} times")
                raise
        # Outside of the except: while this waits, neither the failed run's frames nor its values are kept.
        await asyncio.sleep(pause)


def retrying(
    begin: Callable[[], AbstractAsyncContextManager[C]], retry: int | Retry = 3
) -> Callable[[Callable[Concatenate[C, P], Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """A decorator: what it decorates gets the transaction's connection first, and is called without it.

    Arguments:
        begin, retry: as for `run_again`.
    """
    rule = policy(retry)

    def decorate(function: Callable[Concatenate[C, P], Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await run_again(begin, lambda connection: function(connection, *args, **kwargs), rule)

        # Whoever inspects it, as a framework does that fills in parameters, must not see the first one.
        shown: Any = run
        signature = inspect.signature(function)
        shown.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
        return run

    return decorate
