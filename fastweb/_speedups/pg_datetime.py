"""PostgreSQL's dates and times. All count from 2000-01-01 (src/backend/utils/adt/date.c, timestamp.c):

    date          Int32 days; the greatest and the least are infinity and -infinity
    time          Int64 microseconds since midnight; 24:00:00 too
    timetz        the same, and Int32 seconds west of UTC
    timestamp     Int64 microseconds; the greatest and the least are infinity and -infinity
    timestamptz   the same, in UTC
    interval      Int64 microseconds, Int32 days, Int32 months; all greatest or all least: infinity (since 17)

Infinity is `date.max` and `datetime.max`, -infinity their `min`, as asyncpg has it; but it is that very
object. Another date of 9999-12-31 is just this day, so that what was read can be written again as it was.
For timestamptz they are `FUTURE` and `PAST`, which are those in UTC.

An interval is a timedelta; one that a timedelta would change (months, hours beyond a day, days and hours of
different signs) is of its subclass `fastweb.postgres.interval.Interval`.
"""

import datetime
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_wire import Output, WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.cpython.datetime import (
        PyDate_Check,
        PyDateTime_Check,
        date_day,
        date_month,
        date_new,
        date_year,
        datetime_day,
        datetime_hour,
        datetime_microsecond,
        datetime_minute,
        datetime_month,
        datetime_new,
        datetime_second,
        datetime_year,
        import_datetime,
        time_new,
    )
    from cython.cimports.fastweb._speedups.pg_codec import Codec, misfit, put_value, unexpected
    from cython.cimports.fastweb._speedups.pg_wire import Output, int32_at, int64_at
    from cython.cimports.fastweb._speedups.writer import Writer

    import_datetime()
else:
    from fastweb._speedups.pg_codec import misfit, put_value, unexpected
    from fastweb._speedups.pg_wire import int32_at, int64_at

__all__ = [
    "FUTURE",
    "PAST",
    "DateCodec",
    "IntervalCodec",
    "TimeCodec",
    "TimestampCodec",
]

_date: Any = datetime.date
_datetime: Any = datetime.datetime
_time: Any = datetime.time
_timedelta: Any = datetime.timedelta
_UTC: Any = datetime.timezone.utc
_DATE_MAX: Any = datetime.date.max
_DATE_MIN: Any = datetime.date.min
_MAX: Any = datetime.datetime.max
_MIN: Any = datetime.datetime.min
#: infinity and -infinity of timestamptz.
FUTURE: Any = _MAX.replace(tzinfo=_UTC)
PAST: Any = _MIN.replace(tzinfo=_UTC)

#: The ordinal of 2000-01-01 in Python, whose first day, 0001-01-01, is 1; and the last that it has.
_EPOCH = cython.declare(cython.int, 730120)
_LAST = cython.declare(cython.int, 3652059)
_DAY = cython.declare(cython.longlong, 86_400_000_000)
_INT32_MAX = cython.declare(cython.longlong, 0x7FFFFFFF)
_INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
_INT64_MIN = cython.declare(cython.longlong, -_INT64_MAX - 1)


@cython.cfunc
@cython.inline
@cython.cdivision(True)
@cython.exceptval(check=False)
def _civil(days: cython.int) -> cython.int:
    """Year, month and day of a day since 2000-01-01 that Python has, as year << 9 | month << 5 | day.

    Counted from 0000-03-01: leap days end a year, 146,097 days are 400 years
    (https://howardhinnant.github.io/date_algorithms.html#civil_from_days).
    """
    days += 730425
    era: cython.int = days // 146097
    rest: cython.int = days - era * 146097
    year: cython.int = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
    rest -= 365 * year + year // 4 - year // 100
    month: cython.int = (5 * rest + 2) // 153
    day: cython.int = rest - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year += era * 400 + (1 if month <= 2 else 0)
    return (year << 9) | (month << 5) | day


@cython.cfunc
@cython.inline
@cython.cdivision(True)
@cython.exceptval(check=False)
def _days(year: cython.int, month: cython.int, day: cython.int) -> cython.longlong:
    """Days since 2000-01-01: the other way round."""
    year -= 1 if month <= 2 else 0
    era: cython.int = year // 400
    of_era: cython.int = year - era * 400
    of_year: cython.int = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 730425


@cython.cfunc
def _beyond(what: str) -> Any:
    raise ValueError(f"the {what} is beyond those of Python, which has the years 1 to 9999")


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _put_two(to: cython.p_char, value: cython.int) -> cython.bint:
    to[0] = 48 + value // 10
    to[1] = 48 + value % 10
    return True


@cython.cfunc
@cython.cdivision(True)
@cython.exceptval(check=False)
def _put_date(to: cython.p_char, days: cython.int) -> cython.bint:
    """1999-12-31, of ten characters."""
    civil: cython.int = _civil(days)
    year: cython.int = civil >> 9
    _put_two(to, year // 100)
    _put_two(to + 2, year % 100)
    to[4] = 45
    _put_two(to + 5, (civil >> 5) & 15)
    to[7] = 45
    _put_two(to + 8, civil & 31)
    return True


@cython.cfunc
@cython.cdivision(True)
@cython.exceptval(check=False)
def _put_time(to: cython.p_char, rest: cython.longlong) -> cython.int:
    """23:59:59 or 23:59:59.999999; how many characters that was."""
    micros: cython.int = rest % 1000000
    seconds: cython.int = rest // 1000000
    _put_two(to, seconds // 3600)
    to[2] = 58
    _put_two(to + 3, seconds // 60 % 60)
    to[5] = 58
    _put_two(to + 6, seconds % 60)
    if micros == 0:
        return 8
    to[8] = 46
    _put_two(to + 9, micros // 10000)
    _put_two(to + 11, micros // 100 % 100)
    _put_two(to + 13, micros % 100)
    return 15


@cython.final
@cython.cclass
class DateCodec(Codec):
    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if value is _DATE_MAX or value is _MAX:
            out.put_int32(0x7FFFFFFF)
        elif value is _DATE_MIN or value is _MIN:
            out.put_int32(-0x80000000)
        elif cython.compiled:
            if not PyDate_Check(value):
                unexpected("date", self.name, value)
            out.put_int32(_days(date_year(value), date_month(value), date_day(value)))
        else:
            if not isinstance(value, _date):
                unexpected("date", self.name, value)
            out.put_int32(value.toordinal() - _EPOCH)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 4:
            misfit(self.name, 4, end - at)
        days: cython.longlong = int32_at(data, at)
        if days <= -_EPOCH or days > _LAST - _EPOCH:
            if days == _INT32_MAX:
                return _DATE_MAX
            if days == -_INT32_MAX - 1:
                return _DATE_MIN
            _beyond("date")
        if cython.compiled:
            civil: cython.int = _civil(cython.cast(cython.int, days))
            return date_new(civil >> 9, (civil >> 5) & 15, civil & 31)
        return _date.fromordinal(days + _EPOCH)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if cython.compiled and end - at == 4:
            days: cython.longlong = int32_at(data, at)
            if -_EPOCH < days <= _LAST - _EPOCH:
                if out.room - out.size < 12:
                    out.grow(12)
                to: cython.p_char = out.text + out.size
                to[0] = 34
                _put_date(to + 1, cython.cast(cython.int, days))
                to[11] = 34
                out.size += 12
                return
        put_value(out, self.decode(data, at, end))


@cython.cfunc
@cython.exceptval(-1, check=True)
def _micros_of(value: Any) -> cython.longlong:
    """Microseconds from 2000-01-01 to a datetime, or to a date's midnight, whatever its zone."""
    if cython.compiled:
        days: cython.longlong
        if not PyDateTime_Check(value):
            days = _days(date_year(value), date_month(value), date_day(value))
            return days * _DAY
        days = _days(datetime_year(value), datetime_month(value), datetime_day(value))
        of_day: cython.longlong = datetime_hour(value) * 3600 + datetime_minute(value) * 60
        of_day += datetime_second(value)
        micros: cython.longlong = datetime_microsecond(value)
        return days * _DAY + of_day * 1000000 + micros
    count: int = (value.toordinal() - _EPOCH) * _DAY
    if not isinstance(value, _datetime):
        return count
    seconds: int = value.hour * 3600 + value.minute * 60 + value.second
    return count + seconds * 1000000 + int(value.microsecond)


@cython.cfunc
@cython.exceptval(-1, check=True)
def _micros_in(delta: Any) -> cython.longlong:
    """A timedelta in microseconds: at most 999,999,999 days, which 64 bits do not hold all."""
    days: cython.longlong = delta.days
    if days > 100_000_000 or days < -100_000_000:
        raise OverflowError("expected a timedelta within 100 million days where it is not an interval")
    seconds: cython.longlong = delta.seconds
    micros: cython.longlong = delta.microseconds
    return days * _DAY + seconds * 1000000 + micros


@cython.final
@cython.cclass
class TimestampCodec(Codec):
    """timestamp, a naive datetime; timestamptz, one in UTC."""

    aware: cython.bint

    def __init__(self, oid: int, name: str, aware: bool) -> None:
        Codec.__init__(self, oid, name)
        self.aware = aware

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if value is _MAX or value is FUTURE:
            out.put_int64(_INT64_MAX)
            return
        if value is _MIN or value is PAST:
            out.put_int64(_INT64_MIN)
            return
        if not isinstance(value, _datetime):
            if not isinstance(value, _date):
                unexpected("datetime", self.name, value)
            if self.aware:
                value = _datetime(value.year, value.month, value.day)
        if self.aware:
            zone = value.tzinfo
            if zone is _UTC:
                out.put_int64(_micros_of(value))
                return
            offset = None if zone is None else value.utcoffset()
            if offset is None:
                # As Python has it, and asyncpg: local time.
                try:
                    value = value.astimezone(_UTC)
                except (OverflowError, OSError):
                    raise ValueError(
                        f"expected a datetime with a tzinfo for {self.name}, got {value}"
                    ) from None
                out.put_int64(_micros_of(value))
            else:
                out.put_int64(_micros_of(value) - _micros_in(offset))
            return
        if isinstance(value, _datetime) and value.tzinfo is not None:
            raise ValueError(
                f"expected a datetime without a tzinfo for {self.name}, got one with {value.tzinfo}"
            )
        out.put_int64(_micros_of(value))

    @cython.ccall
    @cython.cdivision(True)
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8:
            misfit(self.name, 8, end - at)
        micros: cython.longlong = int64_at(data, at)
        # In whole days rounded down, from 0001-01-01 on.
        if micros < -(_EPOCH - 1) * _DAY or micros >= (_LAST - _EPOCH + 1) * _DAY:
            if micros == _INT64_MAX:
                return FUTURE if self.aware else _MAX
            if micros == _INT64_MIN:
                return PAST if self.aware else _MIN
            _beyond(self.name)
        if cython.compiled:
            since: cython.longlong = micros + (_EPOCH - 1) * _DAY
            days: cython.longlong = since // _DAY
            rest: cython.longlong = since - days * _DAY
            civil: cython.int = _civil(cython.cast(cython.int, days - (_EPOCH - 1)))
            seconds: cython.int = cython.cast(cython.int, rest // 1000000)
            return datetime_new(
                civil >> 9,
                (civil >> 5) & 15,
                civil & 31,
                seconds // 3600,
                seconds // 60 % 60,
                seconds % 60,
                cython.cast(cython.int, rest % 1000000),
                _UTC if self.aware else None,
            )
        return (_AWARE_EPOCH if self.aware else _NAIVE_EPOCH) + _timedelta(0, 0, micros)

    @cython.ccall
    @cython.cdivision(True)
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if cython.compiled and end - at == 8:
            micros: cython.longlong = int64_at(data, at)
            if -(_EPOCH - 1) * _DAY <= micros < (_LAST - _EPOCH + 1) * _DAY:
                if out.room - out.size < 30:
                    out.grow(30)
                to: cython.p_char = out.text + out.size
                since: cython.longlong = micros + (_EPOCH - 1) * _DAY
                days: cython.longlong = since // _DAY
                to[0] = 34
                _put_date(to + 1, cython.cast(cython.int, days - (_EPOCH - 1)))
                to[11] = 84  # T
                size: cython.int = 12 + _put_time(to + 12, since - days * _DAY)
                if self.aware:
                    to[size] = 90  # Z
                    size += 1
                to[size] = 34
                out.size += size + 1
                return
        put_value(out, self.decode(data, at, end))


_NAIVE_EPOCH: Any = datetime.datetime(2000, 1, 1)
_AWARE_EPOCH: Any = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


@cython.final
@cython.cclass
class TimeCodec(Codec):
    """time, and timetz: with a tzinfo of a fixed offset."""

    aware: cython.bint

    def __init__(self, oid: int, name: str, aware: bool) -> None:
        Codec.__init__(self, oid, name)
        self.aware = aware

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, _time):
            unexpected("time", self.name, value)
        offset: Any = value.utcoffset()
        if self.aware != (offset is not None):
            wanted = "a fixed offset as its tzinfo" if self.aware else "no tzinfo"
            raise ValueError(f"expected a time with {wanted} for {self.name}, got {value!r}")
        hour: cython.longlong = value.hour
        minute: cython.longlong = value.minute
        second: cython.longlong = value.second
        micros: cython.longlong = value.microsecond
        out.put_int64((hour * 3600 + minute * 60 + second) * 1000000 + micros)
        if self.aware:
            out.put_int32(-(offset.days * 86400 + offset.seconds))

    @cython.ccall
    @cython.cdivision(True)
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != (12 if self.aware else 8):
            misfit(self.name, 12 if self.aware else 8, end - at)
        micros: cython.longlong = int64_at(data, at)
        if micros < 0 or micros > _DAY:
            raise WireError(f"a {self.name} of {micros} microseconds")
        zone: Any = None
        if self.aware:
            west: cython.int = int32_at(data, at + 8)
            if west <= -86400 or west >= 86400:
                raise WireError(f"a {self.name} of {west} seconds west")
            zone = _UTC if west == 0 else datetime.timezone(_timedelta(0, -west))
        if micros == _DAY:
            raise ValueError(f"the {self.name} 24:00:00 is beyond those of Python")
        seconds: cython.int = cython.cast(cython.int, micros // 1000000)
        if cython.compiled:
            rest: cython.int = cython.cast(cython.int, micros % 1000000)
            return time_new(seconds // 3600, seconds // 60 % 60, seconds % 60, rest, zone)
        return _time(seconds // 3600, seconds // 60 % 60, seconds % 60, micros % 1000000, zone)


@cython.final
@cython.cclass
class IntervalCodec(Codec):
    """
    Arguments:
        made: makes an Interval of months, days and microseconds; its `parts` are those.
    """

    interval: Any

    def __init__(self, oid: int, name: str, interval: Any) -> None:
        Codec.__init__(self, oid, name)
        self.interval = interval

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if isinstance(value, self.interval):
            months, days, micros = value.parts
        elif isinstance(value, _timedelta):
            # Days and microseconds of one sign, as PostgreSQL subtracts: -1 hour is not -1 day and 23 hours.
            months = 0
            days = value.days
            micros = value.seconds * 1000000 + value.microseconds
            if days < 0 and micros:
                days += 1
                micros -= 86_400_000_000
        else:
            unexpected("timedelta", self.name, value)
        out.put_int64(micros)
        out.put_int32(days)
        out.put_int32(months)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 16:
            misfit(self.name, 16, end - at)
        micros: cython.longlong = int64_at(data, at)
        days: cython.longlong = int32_at(data, at + 8)
        months: cython.int = int32_at(data, at + 12)
        if months == 0 and -_DAY < micros < _DAY and not (days < 0 < micros or micros < 0 < days):
            if -999_999_999 < days < 999_999_999:
                return _timedelta(days, 0, micros)
        return self.interval(months, days, micros)
