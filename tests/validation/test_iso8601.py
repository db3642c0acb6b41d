"""The parser of dates and times by itself; test_temporal.py compares it with pydantic at length."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from fastweb.validation import iso8601


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (iso8601.parse_date, "2024-02-29", dt.date(2024, 2, 29)),
        (iso8601.parse_time, "12:30:15.5", dt.time(12, 30, 15, 500_000)),
        (iso8601.parse_time, "12:30Z", dt.time(12, 30, tzinfo=dt.UTC)),
        (iso8601.parse_datetime, "2024-02-29T12:30", dt.datetime(2024, 2, 29, 12, 30)),
        (iso8601.parse_datetime, "1700000000", dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)),
        (iso8601.parse_duration, "P1DT2H", dt.timedelta(days=1, hours=2)),
        (iso8601.parse_duration, "-1 day 02:00", -dt.timedelta(days=1, hours=2)),
        (iso8601.datetime_from_number, 0, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        (iso8601.time_from_number, 61.5, dt.time(0, 1, 1, 500_000, dt.UTC)),
        (iso8601.duration_from_number, -1.5, dt.timedelta(seconds=-1.5)),
    ],
)
def test_values(parse: Callable[[Any], Any], text: Any, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (iso8601.parse_date, "2024-02-30", "day value is outside expected range"),
        (iso8601.parse_date, "0000-01-01", "year 0 is out of range"),
        (iso8601.parse_time, "24:00", "hour value is outside expected range of 0-23"),
        (iso8601.parse_datetime, "", "input is too short"),
        (iso8601.parse_datetime, "2024-01-01T00:00+24:00", "timezone offset must be less than 24 hours"),
        (iso8601.parse_duration, "P1X", "quantity invalid in date part of duration"),
        (iso8601.datetime_from_number, float("nan"), "NaN values not permitted"),
        (iso8601.time_from_number, 86400, "numeric times may not exceed 86,399 seconds"),
        (iso8601.duration_from_number, 1e300, "durations may not exceed 999,999,999 days"),
    ],
)
def test_what_is_wrong(parse: Callable[[Any], Any], text: Any, words: str) -> None:
    with pytest.raises(iso8601.ParseError, match=words):
        parse(text)


@pytest.mark.parametrize(
    "text", ["0" * 1_000_000, "1" * 1_000_000, "P" + "1" * 1_000_000, "1 d" * 300_000, "9:" * 400_000]
)
def test_long_input_is_no_burden(text: str) -> None:
    for parse in (iso8601.parse_date, iso8601.parse_time, iso8601.parse_datetime, iso8601.parse_duration):
        try:
            parse(text)
        except iso8601.ParseError:
            pass
