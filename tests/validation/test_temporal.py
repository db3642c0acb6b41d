"""Dates, times and durations, beside pydantic."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field as PydanticField

from fastweb.fields import Field
from fastweb.validation.temporal import timedelta_text
from tests.validation.oracle import agree, needs_oracle, validate
from tests.validation.samples import SCALARS

pytestmark = needs_oracle

TYPES = [dt.date, dt.datetime, dt.time, dt.timedelta]
AWARE = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
HALF_PAST = dt.timezone(dt.timedelta(hours=1, minutes=30))

#: Where pydantic itself fails with an OverflowError.
_OVERFLOWS = -86399999913601


@pytest.mark.parametrize("annotation", TYPES)
def test_lax_conversions(annotation: Any) -> None:
    agree(annotation, *SCALARS)


@pytest.mark.parametrize("base", TYPES)
def test_strict(base: Any) -> None:
    values = [
        "2020-01-01",
        1,
        dt.datetime(2020, 1, 1),
        dt.date(2020, 1, 1),
        dt.time(1),
        dt.timedelta(1),
        "P1D",
    ]
    agree(Annotated[base, Field(strict=True)], *values, theirs=Annotated[base, PydanticField(strict=True)])


@pytest.mark.parametrize(
    ("base", "constraints", "values"),
    [
        (
            dt.datetime,
            {"gt": dt.datetime(2020, 1, 1), "lt": AWARE},
            [
                "2019-01-01",
                "2019-01-01T00:00Z",
                "2022-01-01",
                "2022-01-01T00:00Z",
                "2020-06-01T00:00:00.5",
                "x",
            ],
        ),
        (dt.datetime, {"ge": dt.datetime(2020, 1, 1, 1, 2, 3, 4, HALF_PAST)}, ["2019-01-01", "2021-01-01"]),
        (dt.datetime, {"le": dt.datetime(2020, 1, 1, 1, 2, 3, 400, dt.UTC)}, ["2021-01-01", "2019-01-01"]),
        (
            dt.date,
            {"ge": dt.date(2020, 1, 1), "le": dt.date(2020, 2, 1)},
            ["2019-01-01", "2021-01-01", "2020-01-01"],
        ),
        (dt.time, {"gt": dt.time(1)}, [dt.time(0), "00:30", "00:30Z", "02:00Z", "02:00"]),
        (dt.time, {"ge": dt.time(1, 2, 3, 500000, tzinfo=dt.UTC)}, ["00:00", "02:00"]),
        (dt.timedelta, {"gt": dt.timedelta(seconds=1), "le": dt.timedelta(days=1)}, [0.5, "P2D", 10]),
        (dt.timedelta, {"gt": dt.timedelta(days=-1, seconds=1)}, [-10000000, 1]),
        (dt.timedelta, {"lt": dt.timedelta(days=40, seconds=3661, microseconds=5)}, ["P50D", 1]),
        (dt.timedelta, {"multiple_of": dt.timedelta(seconds=2)}, [3, 4]),
    ],
)
def test_constraints(base: Any, constraints: dict[str, Any], values: list[Any]) -> None:
    theirs = Annotated[base, PydanticField(**constraints)]
    agree(Annotated[base, Field(**constraints)], *values, theirs=theirs)


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_what_isoformat_writes_is_read(moment: dt.datetime) -> None:
    text = moment.isoformat()
    if moment.utcoffset() is not None and len(text.rpartition(":")[2]) != 2:
        return  # an offset with seconds, which RFC 3339 does not have
    agree(dt.datetime, text, text.replace("T", " "))


@given(st.text(alphabet="0123456789-:TZ+. ,_", max_size=32))
def test_any_text_that_is_nearly_a_time(text: str) -> None:
    for annotation in (dt.date, dt.datetime, dt.time):
        agree(annotation, text, "2020-01-02" + text, "2020-01-02T03:04" + text, "12:30" + text)


@given(st.text(alphabet="0123456789PTDHMSWY.,: days-+", max_size=24))
def test_any_text_that_is_nearly_a_duration(text: str) -> None:
    agree(dt.timedelta, text, "P" + text, "1 day" + text, "10:" + text)


@given(st.integers(-(10**15), 10**15) | st.floats(-1e15, 1e15))
def test_any_number(number: float) -> None:
    if not _OVERFLOWS - 90000 < number <= _OVERFLOWS:
        for annotation in TYPES:
            agree(annotation, number)


def test_the_longest_negative_duration_is_an_error_where_pydantic_crashes() -> None:
    assert validate(dt.timedelta, _OVERFLOWS) == [("time_delta_parsing", ())]


def test_an_offset_may_be_asked_for_or_forbidden() -> None:
    aware = Annotated[dt.datetime, msgspec.Meta(tz=True)]
    naive = Annotated[dt.time, msgspec.Meta(tz=False)]
    assert validate(aware, "2020-01-01T00:00") == [("timezone_aware", ())]
    assert validate(aware, "2020-01-01T00:00Z") == dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert validate(naive, "00:00Z") == [("timezone_naive", ())]
    assert validate(naive, "00:00") == dt.time(0)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (dt.timedelta(), "0 seconds"),
        (dt.timedelta(days=1), "1 day"),
        (dt.timedelta(days=-1, seconds=1), "-1 days and 1 second"),
        (dt.timedelta(hours=2, minutes=1, microseconds=5), "2 hours and 1 minute and 5 microseconds"),
    ],
)
def test_a_duration_in_words(span: dt.timedelta, text: str) -> None:
    assert timedelta_text(span) == text
