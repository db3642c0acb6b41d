from __future__ import annotations

import os
import time

import pytest

from fastweb.server.config import Config
from fastweb.server.retirement import Retirement, memory_in_use


def test_without_bounds_nobody_retires() -> None:
    assert Retirement(Config(app="a")).why(10**12, 10**15) is None


@pytest.mark.parametrize(("requests", "words"), [(99, None), (100, "answered 100 requests"), (101, "101")])
def test_requests(requests: int, words: str | None) -> None:
    why = Retirement(Config(app="a", max_requests=100)).why(requests, 0)
    assert (why is None) if words is None else (why is not None and words in why)


def test_jitter_spreads() -> None:
    config = Config(app="a", max_requests=100, max_requests_jitter=50)
    assert all(Retirement(config).why(99, 0) is None for _ in range(50))
    assert all(Retirement(config).why(150, 0) is not None for _ in range(50))
    assert len({Retirement(config).why(125, 0) is None for _ in range(100)}) == 2


def test_memory_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Retirement(Config(app="a", max_worker_memory=1 << 20)).why(0, (1 << 20) - 1) is None
    assert "uses 1 MiB" in str(Retirement(Config(app="a", max_worker_memory=1 << 20)).why(0, 1 << 20))
    old = Retirement(Config(app="a", max_worker_age=100))
    assert old.why(0, 0) is None
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 111)
    assert "seconds old" in str(old.why(0, 0))


@pytest.mark.skipif(os.name != "posix", reason="workers are replaced on POSIX")
def test_the_memory_of_this_process() -> None:
    assert 1 << 20 < memory_in_use() < 1 << 36
