"""Validators of dates, times and durations."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fastweb.types import Undefined
from fastweb.validation import iso8601, nodes
from fastweb.validation.errors import LAX, State
from fastweb.validation.scalars import Check, Walk, bounds_check, text_of

__all__ = ["date_walk", "datetime_walk", "time_walk", "timedelta_text", "timedelta_walk"]

#: What is beyond it is no float, and pydantic reads a number of seconds as one.
_LARGEST = int(sys.float_info.max)
_UTF8 = ("string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string")


def _text(value: Any) -> str | None:
    """The text; None where it cannot be UTF-8. Bytes that are not UTF-8 become text that no parser takes."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    text = text_of(value)
    if text is not None and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return None
    return text


def _number(value: Any) -> int | float | None:
    """A number that may stand for a time; bool may not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value) if -_LARGEST <= value <= _LARGEST else None
    if isinstance(value, (float, Decimal, Fraction)) or hasattr(type(value), "__index__"):
        number = float(value)
        # A whole number is taken as an int, which has no rounding.
        return int(number) if number.is_integer() and abs(number) < 2**63 else number
    return None


def _iso(value: Any) -> str:
    text: str = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _compare_aware(operator: Callable[[Any, Any], bool], value: Any, bound: Any) -> bool:
    """Where only one of the two has an offset, what they show is compared."""
    if (value.tzinfo is None) != (bound.tzinfo is None):
        value, bound = value.replace(tzinfo=None), bound.replace(tzinfo=None)
    return operator(value, bound)


def _zone_check(schema: nodes.DatetimeSchema | nodes.TimeSchema) -> Check | None:
    wanted = schema.tz
    if wanted is None:
        return None

    def check(value: Any, source: Any, state: State) -> bool:
        if wanted and value.tzinfo is None:
            state.fail("timezone_aware", "Input should have timezone info", source)
            return False
        if not wanted and value.tzinfo is not None:
            state.fail("timezone_naive", "Input should not have timezone info", source)
            return False
        return True

    return check


def _checked(convert: Walk, *checks: Check | None) -> Walk:
    present = [check for check in checks if check is not None]
    if not present:
        return convert

    def walk(value: Any, state: State) -> Any:
        made = convert(value, state)
        if made is Undefined:
            return Undefined
        for check in present:
            if not check(made, value, state):
                return Undefined
        return made

    return walk


def datetime_walk(schema: nodes.DatetimeSchema) -> Walk:
    """datetime.datetime."""
    strict = schema.strict

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, dt.datetime):
            return value
        if strict:
            return state.fail("datetime_type", "Input should be a valid datetime", value)
        state.exactness = LAX
        return _to_datetime(value, state)

    return _checked(walk, _zone_check(schema), bounds_check(schema, lambda b: b, _iso, _iso, _compare_aware))


def _to_datetime(value: Any, state: State) -> Any:
    if isinstance(value, (str, bytes)):
        text = _text(value)
        if text is None:
            return state.fail(*_UTF8, value)
        try:
            return iso8601.parse_datetime(text)
        except iso8601.YearZeroError as error:
            kind, words = "datetime_parsing", f"Input should be a valid datetime, {error}"
            return state.fail(kind, words, value, {"error": str(error)})
        except iso8601.ParseError as error:
            problem = error
        try:
            day = iso8601.parse_date(text)
        except iso8601.YearZeroError as error:
            return state.fail(
                "datetime_parsing", f"Input should be a valid datetime, {error}", value, {"error": str(error)}
            )
        except iso8601.ParseError as error:
            # Digits alone are a timestamp to the second parser too, and it is out of range.
            if "timestamps" not in str(problem) or "." in text:
                problem = error
            return state.fail(
                "datetime_from_date_parsing",
                f"Input should be a valid datetime or date, {problem}",
                value,
                {"error": str(problem)},
            )
        return dt.datetime(day.year, day.month, day.day)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)
    number = _number(value)
    if number is None:
        return state.fail("datetime_type", "Input should be a valid datetime", value)
    try:
        return iso8601.datetime_from_number(number)
    except iso8601.ParseError as error:
        return state.fail(
            "datetime_parsing", f"Input should be a valid datetime, {error}", value, {"error": str(error)}
        )


def date_walk(schema: nodes.DateSchema) -> Walk:
    """datetime.date; a datetime will do if its time is zero."""
    strict = schema.strict

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            return value
        if strict:
            return state.fail("date_type", "Input should be a valid date", value)
        state.exactness = LAX
        return _to_date(value, state)

    return _checked(walk, bounds_check(schema, lambda b: b, str, str))


def _to_date(value: Any, state: State) -> Any:
    if isinstance(value, dt.datetime):
        moment = value
    elif isinstance(value, (str, bytes)):
        text = _text(value)
        if text is None:
            return state.fail(*_UTF8, value)
        try:
            return iso8601.parse_date(text)
        except iso8601.YearZeroError as error:
            return _year_zero(value, state, error)
        except iso8601.ParseError:
            pass
        try:
            moment = iso8601.parse_datetime(text)
        except iso8601.YearZeroError as error:
            return _year_zero(value, state, error)
        except iso8601.ParseError as error:
            return _no_date(value, state, error)
    else:
        number = _number(value)
        if number is None:
            return state.fail("date_type", "Input should be a valid date", value)
        try:
            moment = iso8601.datetime_from_number(number)
        except iso8601.YearZeroError as error:
            return _year_zero(value, state, error)
        except iso8601.ParseError as error:
            return _no_date(value, state, error)
    if moment.hour or moment.minute or moment.second or moment.microsecond:
        return _inexact(value, state)
    return moment.date()


def _inexact(value: Any, state: State) -> Any:
    message = "Datetimes provided to dates should have zero time - e.g. be exact dates"
    return state.fail("date_from_datetime_inexact", message, value)


def _year_zero(value: Any, state: State, error: iso8601.YearZeroError) -> Any:
    if not error.midnight:
        return _inexact(value, state)
    message = f"Input should be a valid date in the format YYYY-MM-DD, {error}"
    return state.fail("date_parsing", message, value, {"error": str(error)})


def _no_date(value: Any, state: State, error: Exception) -> Any:
    message = f"Input should be a valid date or datetime, {error}"
    return state.fail("date_from_datetime_parsing", message, value, {"error": str(error)})


def time_walk(schema: nodes.TimeSchema) -> Walk:
    """datetime.time."""
    strict = schema.strict

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, dt.time):
            return value
        if strict:
            return state.fail("time_type", "Input should be a valid time", value)
        state.exactness = LAX
        try:
            if isinstance(value, (str, bytes)):
                text = _text(value)
                return state.fail(*_UTF8, value) if text is None else iso8601.parse_time(text)
            number = _number(value)
            if number is not None:
                return iso8601.time_from_number(number)
        except iso8601.ParseError as error:
            message = f"Input should be in a valid time format, {error}"
            return state.fail("time_parsing", message, value, {"error": str(error)})
        return state.fail("time_type", "Input should be a valid time", value)

    return _checked(walk, _zone_check(schema), bounds_check(schema, lambda b: b, _iso, _iso, _compare_aware))


def timedelta_text(span: dt.timedelta) -> str:
    """A duration in a message: `1 day and 2 hours`."""
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = []
    for count, unit in (
        (span.days, "day"),
        (hours, "hour"),
        (minutes, "minute"),
        (seconds, "second"),
        (span.microseconds, "microsecond"),
    ):
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " and ".join(parts) or "0 seconds"


def timedelta_walk(schema: nodes.TimedeltaSchema) -> Walk:
    """datetime.timedelta."""
    strict = schema.strict

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, dt.timedelta):
            return value
        if strict:
            return state.fail("time_delta_type", "Input should be a valid timedelta", value)
        state.exactness = LAX
        try:
            if isinstance(value, (str, bytes)):
                text = _text(value)
                return state.fail(*_UTF8, value) if text is None else iso8601.parse_duration(text)
            number = int(value) if isinstance(value, bool) else _number(value)
            if number is not None:
                return iso8601.duration_from_number(number)
        except iso8601.ParseError as error:
            message = f"Input should be a valid timedelta, {error}"
            return state.fail("time_delta_parsing", message, value, {"error": str(error)})
        return state.fail("time_delta_type", "Input should be a valid timedelta", value)

    bounds = bounds_check(schema, lambda b: b, timedelta_text, timedelta_text)
    checks = [check for check in (_multiple_check(schema), bounds) if check is not None]

    def checked(value: Any, state: State) -> Any:
        made = walk(value, state)
        # The input of these errors is the duration, and not what it was made of.
        if made is Undefined or all(check(made, made, state) for check in checks):
            return made
        return Undefined

    return checked if checks else walk


def _multiple_check(schema: nodes.TimedeltaSchema) -> Check | None:
    multiple = schema.multiple_of
    if multiple is None:
        return None
    text = timedelta_text(multiple)

    def check(value: Any, source: Any, state: State) -> bool:
        if value % multiple:
            state.fail("multiple_of", f"Input should be a multiple of {text}", source, {"multiple_of": text})
            return False
        return True

    return check
