"""What a report says of the machine that its figures are from."""

from __future__ import annotations

from bench.machine import remarks, stalls


def test_how_long_the_cores_stood_still() -> None:
    found = stalls(0.1)
    assert 0 <= found["share"] <= 1
    assert found["longest"] == 0 or found["longest"] > 0.0005


def test_a_quiet_machine_needs_no_remark() -> None:
    assert remarks({"load_average": 0.1, "stalls": {"share": 0.0, "longest": 0.0}}) == []
    assert remarks({"load_average": 0.1}) == []


def test_what_makes_figures_less_sure_is_said() -> None:
    busy, stood_still = remarks({"load_average": 1.5, "stalls": {"share": 0.0061, "longest": 0.00539}})
    assert "(load average 1.5)" in busy
    assert "0.6% of the time, up to 5.4 ms" in stood_still
