"""Dates, times and durations in text and as numbers, as pydantic's parser (the crate speedate) reads them.

Text is RFC 3339 with the liberties of ISO 8601 that speedate takes (https://docs.rs/speedate): `T`, `t`, `_`
or a space between date and time, seconds and fractions optional, offsets with or without a colon. Numbers are
Unix timestamps, of seconds up to 2e10 and of milliseconds beyond. Everything here is linear in its input.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta, timezone

__all__ = [
    "ParseError",
    "datetime_from_number",
    "duration_from_number",
    "parse_date",
    "parse_datetime",
    "parse_duration",
    "parse_time",
    "time_from_number",
]

#: A timestamp beyond this counts milliseconds.
_WATERSHED = 20_000_000_000
_YEAR_0 = -62_167_219_200_000
_YEAR_10000 = 253_402_300_799_999
_MAX_DAYS = 999_999_999
_U32 = 2**32

_MONTH_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DIGITS = frozenset("0123456789")


class ParseError(ValueError):
    """The text or number is no date, time or duration; `str(error)` says why."""


class YearZeroError(ParseError):
    """The input is well-formed, but Python has no year 0. `midnight` tells whether its time is zero."""

    def __init__(self, midnight: bool = True) -> None:
        super().__init__("year 0 is out of range")
        self.midnight = midnight


def _number(text: str, start: int, length: int, what: str) -> int:
    part = text[start : start + length]
    if len(part) < length or not part.isascii() or not part.isdigit():
        raise ParseError(f"invalid character in {what}")
    return int(part)


def _date_fields(text: str) -> tuple[int, int, int]:
    """YYYY-MM-DD at the start of the text."""
    # In speedate the length is that of the UTF-8 form.
    if len(text) < 10 and (text.isascii() or len(text.encode()) < 10):
        raise ParseError("input is too short")
    year = _number(text, 0, 4, "year")
    if text[4:5] != "-":
        raise ParseError("invalid date separator, expected `-`")
    month = _number(text, 5, 2, "month")
    if text[7:8] != "-":
        raise ParseError("invalid date separator, expected `-`")
    day = _number(text, 8, 2, "day")
    if not 1 <= month <= 12:
        raise ParseError("month value is outside expected range of 1-12")
    last = _MONTH_DAYS[month]
    if month == 2 and (year % 4 or (year % 100 == 0 and year % 400)):
        last = 28
    if not 1 <= day <= last:
        raise ParseError("day value is outside expected range")
    return year, month, day


def parse_date(text: str) -> date:
    """YYYY-MM-DD and nothing else.

    Raises:
        ParseError: it is not that.
    """
    year, month, day = _date_fields(text)
    if len(text) > 10:
        raise ParseError("unexpected extra characters at the end of the input")
    if year == 0:
        raise YearZeroError
    return date(year, month, day)


def _time_fields(text: str, start: int) -> tuple[int, int, int, int, int]:
    """hh:mm[:ss[.f…]] from `start`; the last of the numbers is where it ends."""
    if len(text) - start < 5 and len(text[start:].encode()) < 5:
        raise ParseError("input is too short")
    hour = _number(text, start, 2, "hour")
    if text[start + 2 : start + 3] != ":":
        raise ParseError("invalid time separator, expected `:`")
    minute = _number(text, start + 3, 2, "minute")
    if hour > 23:
        raise ParseError("hour value is outside expected range of 0-23")
    if minute > 59:
        raise ParseError("minute value is outside expected range of 0-59")
    at = start + 5
    if text[at : at + 1] != ":":
        return hour, minute, 0, 0, at
    second = _number(text, at + 1, 2, "second")
    if second > 59:
        raise ParseError("second value is outside expected range of 0-59")
    at += 3
    if text[at : at + 1] not in (".", ",") or at >= len(text):
        return hour, minute, second, 0, at
    begin = end = at + 1
    while end < len(text) and text[end] in _DIGITS:
        end += 1
    if begin == end:
        raise ParseError("second fraction digits missing after `.`")
    return hour, minute, second, int(text[begin : min(end, begin + 6)].ljust(6, "0")), end


def _offset(text: str, at: int) -> timezone | None:
    """The offset from UTC at the end of a time."""
    if at >= len(text):
        return None
    sign = text[at]
    if sign in "Zz":
        zone, end = UTC, at + 1
    else:
        if sign not in "+-\N{MINUS SIGN}":
            raise ParseError("invalid timezone sign")
        hours = (
            _number(text, at + 1, 2, "timezone hour") if _two_digits(text, at + 1) else _bad("timezone hour")
        )
        end = at + 3
        if text[end : end + 1] == ":":
            end += 1
        minutes = (
            _number(text, end, 2, "timezone minute") if _two_digits(text, end) else _bad("timezone minute")
        )
        end += 2
        if minutes > 59:
            raise ParseError("timezone minute value is outside expected range of 0-59")
        seconds = hours * 3600 + minutes * 60
        if seconds >= 86400:
            raise ParseError("timezone offset must be less than 24 hours")
        if sign != "+":
            seconds = -seconds
        zone = UTC if seconds == 0 else timezone(timedelta(seconds=seconds))
    if end < len(text):
        raise ParseError("unexpected extra characters at the end of the input")
    return zone


def _two_digits(text: str, at: int) -> bool:
    part = text[at : at + 2]
    return len(part) == 2 and part.isascii() and part.isdigit()


def _bad(what: str) -> int:
    raise ParseError(f"invalid {what}")


def parse_time(text: str) -> time:
    """A time of day, with an offset or without.

    Raises:
        ParseError: it is not that.
    """
    hour, minute, second, micro, end = _time_fields(text, 0)
    return time(hour, minute, second, micro, _offset(text, end))


# The common form whole; whatever it does not match goes through the parser, which knows what is wrong.
_COMMON = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt _]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6})[0-9]*)?)?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-5][0-9]))?"
)


def parse_datetime(text: str) -> datetime:
    """A date and a time, or a Unix timestamp.

    Raises:
        ParseError: it is neither.
    """
    match = _COMMON.fullmatch(text)
    if match is not None:
        year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = match.groups()
        zone: timezone | None = None
        if utc is not None:
            zone = UTC
        elif sign is not None:
            seconds = int(hours) * 3600 + int(minutes) * 60
            if seconds >= 86400:
                raise ParseError("timezone offset must be less than 24 hours")
            zone = timezone(timedelta(seconds=seconds if sign == "+" else -seconds)) if seconds else UTC
        try:
            return datetime(
                int(year),
                int(month),
                int(day),
                int(hour),
                int(minute),
                int(second or 0),
                int(fraction.ljust(6, "0")) if fraction else 0,
                zone,
            )
        except ValueError:
            pass  # the parser below tells which part it was
    try:
        return _parse_rfc3339(text)
    except YearZeroError:
        raise
    except ParseError:
        number = _parse_number(text)
        if number is None:
            raise
        return datetime_from_number(number)


def _parse_rfc3339(text: str) -> datetime:
    year, month, day = _date_fields(text)
    if len(text) == 10:
        raise ParseError("input is too short")
    if text[10] not in "Tt _":
        raise ParseError("invalid datetime separator, expected `T`, `t`, `_` or space")
    hour, minute, second, micro, end = _time_fields(text, 11)
    zone = _offset(text, end)
    if year == 0:
        raise YearZeroError(not (hour or minute or second or micro))
    return datetime(year, month, day, hour, minute, second, micro, zone)


_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _parse_number(text: str) -> int | float | None:
    """An int of 64 bits, or a number with a point; None where the text is neither."""
    if _INTEGER.fullmatch(text):
        if len(text.lstrip("+-0")) > 19:
            return None
        number = int(text.lstrip("+-0") or "0")
        if text[0] == "-":
            number = -number
        return number if -(2**63) <= number < 2**63 else None
    return float(text) if _FLOAT.fullmatch(text) else None


def _split(number: int | float, parts: int) -> tuple[int, int]:
    """A number as whole units, and so many parts of one; the parts may make up one more unit."""
    if isinstance(number, int):
        return number, 0
    whole = math.floor(number)
    return whole, _round((number - whole) * parts)


def _round(value: float) -> int:
    """Halves go away from zero, as in Rust's f64::round."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def datetime_from_number(number: int | float) -> datetime:
    """A Unix timestamp, of seconds or (beyond 2e10) of milliseconds.

    Raises:
        ParseError: it is not a number, or outside the years 0 to 9999.
    """
    if isinstance(number, float):
        if math.isnan(number):
            raise ParseError("NaN values not permitted")
        if math.isinf(number):
            number = 10**20 if number > 0 else -(10**20)
    if abs(number) > _WATERSHED:
        whole, micros = _split(number, 1000)
        if whole > _YEAR_10000:
            raise ParseError("dates after 9999 are not supported as unix timestamps")
        if whole < _YEAR_0:
            raise ParseError("dates before 0000 are not supported as unix timestamps")
        seconds, millis = divmod(whole, 1000)
        micros += millis * 1000
    else:
        seconds, micros = _split(number, 1_000_000)
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=micros)
    except OverflowError:
        if seconds > 0:
            raise ParseError("dates after 9999 are not supported as unix timestamps") from None
        raise YearZeroError(seconds % 86400 == 0 and micros == 0) from None


def time_from_number(number: int | float) -> time:
    """Seconds since midnight, in UTC.

    Raises:
        ParseError: it is outside a day.
    """
    if isinstance(number, float) and math.isnan(number):
        raise ParseError("NaN values not permitted")
    if number < 0:
        raise ParseError("time in seconds should be positive")
    if number >= 86400:
        raise ParseError("numeric times may not exceed 86,399 seconds")
    whole, micros = _split(number, 1_000_000)
    if micros >= 1_000_000:
        whole, micros = whole + 1, micros - 1_000_000
        if whole >= 86400:
            raise ParseError("numeric times may not exceed 86,399 seconds")
    minute, second = divmod(whole, 60)
    hour, minute = divmod(minute, 60)
    return time(hour, minute, second, micros, UTC)


def duration_from_number(number: int | float) -> timedelta:
    """Seconds.

    Raises:
        ParseError: it is not a number, or more than 999,999,999 days.
    """
    if isinstance(number, float):
        if math.isnan(number):
            raise ParseError("NaN values not permitted")
        if math.isinf(number):
            raise ParseError("durations may not exceed 999,999,999 days")
    sign = -1 if number < 0 else 1
    magnitude = abs(number)
    whole = math.floor(magnitude)
    micros = _round((magnitude - whole) * 1_000_000) if isinstance(magnitude, float) else 0
    return _duration(sign, 0, whole, micros)


def _duration(sign: int, days: int, seconds: int, micros: int) -> timedelta:
    seconds += micros // 1_000_000
    days += seconds // 86400
    if days > _MAX_DAYS:
        raise ParseError("durations may not exceed 999,999,999 days")
    span = timedelta(days=days, seconds=seconds % 86400, microseconds=micros % 1_000_000)
    try:
        return span if sign > 0 else -span
    except OverflowError:
        raise ParseError("durations may not exceed 999,999,999 days") from None


_TIME_UNITS = {"H": 3600, "M": 60, "S": 1}
_DATE_UNITS = {"Y": 365, "M": 30, "W": 7, "D": 1}


def parse_duration(text: str) -> timedelta:
    """An ISO 8601 duration (`P1DT2H`), or `[-][n days[,] ][h…:mm[:ss[.f…]]]`.

    Raises:
        ParseError: it is neither.
    """
    if not text:
        raise ParseError("input is too short")
    sign, at = (1 if text[0] == "+" else -1, 1) if text[0] in "+-" else (1, 0)
    if text[at : at + 1] == "P":
        days, seconds, micros = _iso_duration(text, at + 1)
    elif "d" in text or "D" in text or len(text[at:].encode()) < 5:
        days, seconds, micros = _days_and_time(text, at)
    else:
        days, seconds, micros = _clock(text, at)
    return _duration(sign, days, seconds, micros)


def _quantity(text: str, at: int) -> tuple[int, float | None, int]:
    """A whole number with an optional fraction."""
    end = at
    while end < len(text) and text[end] in _DIGITS:
        end += 1
    if end == at:
        raise ParseError("invalid digit in duration")
    if len(text[at:end].lstrip("0")) > 10 or (value := int(text[at:end])) >= _U32:
        raise ParseError("a numeric value in the duration is too large")
    if text[end : end + 1] not in (".", ",") or end >= len(text):
        return value, None, end
    begin = end = end + 1
    while end < len(text) and text[end] in _DIGITS:
        end += 1
    return value, float(f"0.{text[begin:end] or '0'}"), end


def _checked(value: int) -> int:
    if value >= _U32:
        raise ParseError("a numeric value in the duration is too large")
    return value


def _iso_duration(text: str, at: int) -> tuple[int, int, int]:
    days = seconds = micros = 0
    in_time = had_fraction = False
    while at < len(text):
        if text[at] == "T":
            if in_time:
                raise ParseError("`t` character repeated in duration")
            in_time = True
            at += 1
            continue
        value, fraction, at = _quantity(text, at)
        if had_fraction:
            raise ParseError("quantity fraction invalid in duration")
        had_fraction = fraction is not None
        unit = text[at : at + 1]
        factor = (_TIME_UNITS if in_time else _DATE_UNITS).get(unit)
        if factor is None:
            part = "time" if in_time else "date"
            raise ParseError(f"quantity invalid in {part} part of duration")
        if in_time:
            seconds = _checked(seconds + _checked(value * factor))
            if fraction is not None:
                extra = fraction * factor
                seconds = _checked(seconds + math.trunc(extra))
                micros += _round((extra - math.trunc(extra)) * 1_000_000)
        else:
            days = _checked(days + _checked(value * factor))
            if fraction is not None:
                extra = fraction * factor
                days = _checked(days + math.trunc(extra))
                extra = (extra - math.trunc(extra)) * 86400
                seconds = _checked(seconds + math.trunc(extra))
                micros += _round((extra - math.trunc(extra)) * 1_000_000)
        at += 1
    if at < 3:
        raise ParseError("input is too short")
    return days, seconds, micros


def _days_and_time(text: str, at: int) -> tuple[int, int, int]:
    bad = '"day" identifier in duration not correctly formatted'
    end = at
    while end < len(text) and text[end] in _DIGITS:
        end += 1
    if end == at:
        raise ParseError("input is too short" if at >= len(text) else "invalid digit in duration")
    if len(text[at:end].lstrip("0")) > 10 or (days := int(text[at:end])) >= _U32:
        raise ParseError("a numeric value in the duration is too large")
    at = end
    if text[at : at + 1] == " ":
        at += 1
    if text[at : at + 1] not in ("d", "D"):
        raise ParseError(bad)
    at += 1
    if text[at : at + 1] in ("a", "A"):
        if text[at + 1 : at + 2] not in ("y", "Y"):
            raise ParseError(bad)
        at += 3 if text[at + 2 : at + 3] == "s" else 2
    if text[at : at + 1] == ",":
        at += 1
    if text[at : at + 1] == " ":
        at += 1
    if at >= len(text):
        return days, 0, 0
    more, seconds, micros = _clock(text, at)
    if more:
        raise ParseError("durations may not exceed 999,999,999 hours")
    return days, seconds, micros


def _clock(text: str, at: int) -> tuple[int, int, int]:
    """h…:mm[:ss[.f…]]"""
    if len(text[at:].encode()) < 5:
        raise ParseError("input is too short")
    hour_part, colon, rest = text[at:].partition(":")
    if not colon:
        raise ParseError("invalid character in hour")
    if len(hour_part.encode()) > 10:
        raise ParseError("durations may not exceed 999,999,999 hours")
    if any(char not in _DIGITS for char in hour_part):
        raise ParseError("invalid character in hour")
    hours = int(hour_part or 0)
    if hours > 24 * 10**8:
        raise ParseError("durations may not exceed 999,999,999 hours")
    _, minute, second, micros, end = _time_fields(f"00:{rest}", 0)
    if end < len(rest) + 3:
        raise ParseError("unexpected extra characters at the end of the input")
    days, hours = divmod(hours, 24)
    return days, hours * 3600 + minute * 60 + second, micros
