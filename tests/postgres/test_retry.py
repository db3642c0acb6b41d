"""Which failures run a transaction again, how often, and after which pauses."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fastweb.postgres.errors import (
    CommitUnknownError,
    ConnectionLostError,
    DeadlockDetectedError,
    PostgresError,
    SerializationError,
    UniqueViolationError,
)
from fastweb.postgres.retry import Retry, is_transient, retrying, run_again


class Begun:
    """A stand for transactions: what was entered, and how each was left."""

    def __init__(self, at_commit: list[Exception] | None = None) -> None:
        self.left: list[BaseException | None] = []
        self.at_commit = at_commit or []

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[int]:
        try:
            yield len(self.left)
        except BaseException as error:
            self.left.append(error)
            raise
        self.left.append(None)
        if self.at_commit:
            raise self.at_commit.pop(0)


def failing(*errors: BaseException) -> Callable[[int], Coroutine[Any, Any, int]]:
    left = list(errors)

    async def function(run: int) -> int:
        if left:
            raise left.pop(0)
        return run

    return function


QUICK: dict[str, Any] = {"first_delay": 0.0001}


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (SerializationError(), True),
        (DeadlockDetectedError(), True),
        (PostgresError("", {"C": "40001"}), True),
        (PostgresError("", {"C": "40003"}), False),
        (UniqueViolationError(), False),
        (PostgresError(), False),
        (ConnectionLostError(), False),
        (CommitUnknownError(), False),
        (ValueError(), False),
    ],
)
def test_what_is_transient(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize(
    ("errors", "retry", "runs", "raised"),
    [
        ((), 3, 1, None),
        ((SerializationError(), DeadlockDetectedError()), 3, 3, None),
        ((SerializationError(),) * 3, 3, 4, None),
        ((SerializationError(),) * 4, 3, 4, SerializationError),
        ((SerializationError(),), 0, 1, SerializationError),
        ((SerializationError(), UniqueViolationError()), 3, 2, UniqueViolationError),
        ((ValueError(),), 3, 1, ValueError),
        ((ConnectionLostError(),), 3, 1, ConnectionLostError),
        ((ConnectionLostError(),), Retry(when=lambda error: True, **QUICK), 2, None),
        ((CommitUnknownError(),), Retry(when=lambda error: True, **QUICK), 1, CommitUnknownError),
        ((asyncio.CancelledError(),), Retry(when=lambda error: True, **QUICK), 1, asyncio.CancelledError),
        ((SerializationError(),) * 2, Retry(times=9, first_delay=1.0, longest_delay=0.0), 3, None),
        ((SerializationError(),) * 2, Retry(times=9, most_time=0.0), 1, SerializationError),
    ],
)
def test_runs(errors: Any, retry: Any, runs: int, raised: type[BaseException] | None) -> None:
    begin = Begun()

    async def main() -> Any:
        return await run_again(begin, failing(*errors), retry)

    if raised is None:
        assert asyncio.run(main()) == runs - 1
    else:
        with pytest.raises(raised) as caught:
            asyncio.run(main())
        assert getattr(caught.value, "__notes__", [])[:1] == (
            [f"the transaction was run {runs} times"] if runs > 1 and raised is SerializationError else []
        )
    assert len(begin.left) == runs


def test_what_fails_at_commit_is_run_again() -> None:
    begin = Begun([SerializationError()])
    assert asyncio.run(run_again(begin, failing())) == 1
    with pytest.raises(CommitUnknownError):
        asyncio.run(run_again(Begun([CommitUnknownError()]), failing(), Retry(when=lambda error: True)))


def test_the_decorator() -> None:
    begin = Begun()
    fail = failing(SerializationError())

    @retrying(begin, Retry(**QUICK))
    async def move(connection: int, amount: int, *, back: bool = False) -> tuple[int, int, bool]:
        """Move it."""
        await fail(connection)
        return connection, amount, back

    assert asyncio.run(move(5, back=True)) == (1, 5, True)  # type: ignore[arg-type]
    assert (move.__name__, move.__doc__) == ("move", "Move it.")
    assert (
        str(inspect.signature(move)) == "(amount: 'int', *, back: 'bool' = False) -> 'tuple[int, int, bool]'"
    )


def test_pauses_are_drawn_and_bounded() -> None:
    rule = Retry(first_delay=1.0, longest_delay=3.0)
    for run, bound in ((1, 1.0), (2, 2.0), (3, 3.0), (10_000, 3.0)):
        drawn = [rule.delay(run) for _ in range(200)]
        assert 0 <= min(drawn) < bound / 4
        assert bound * 0.75 < max(drawn) <= bound


def test_a_pause_may_be_cancelled() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.01):
            await run_again(Begun(), failing(SerializationError()), Retry(first_delay=1e6, longest_delay=1e6))

    with pytest.raises(TimeoutError):
        asyncio.run(main())


@pytest.mark.parametrize("name", ["times", "first_delay", "longest_delay", "most_time"])
@pytest.mark.parametrize("value", [-1, math.nan])
def test_what_is_no_policy(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        Retry(**{name: value})


@pytest.mark.parametrize("retry", [True, 1.5, "3", None])
def test_what_is_no_number_of_runs(retry: Any) -> None:
    with pytest.raises(TypeError, match="expected an int or a Retry"):
        asyncio.run(run_again(Begun(), failing(), retry))
