"""Delays between attempts: they double up to a bound, and are never the same for two."""

from __future__ import annotations

from fastweb.postgres.backoff import Backoff


def test_delays_double_up_to_the_most() -> None:
    backoff = Backoff(first=0.1, most=1.0)
    bounds = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    for bound in bounds:
        assert bound / 2 <= backoff.next() <= bound
    assert backoff.failures == len(bounds)
    backoff.reset()
    assert backoff.next() <= 0.1


def test_two_do_not_come_back_together() -> None:
    assert len({Backoff().next() for _ in range(20)}) == 20


def test_a_server_that_is_away_for_years_overflows_nothing() -> None:
    backoff = Backoff()
    backoff.failures = 10**6
    assert backoff.next() <= backoff.most
