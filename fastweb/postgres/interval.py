"""What an interval of PostgreSQL is where it is more than a timedelta.

Source: https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-INTERVAL-INPUT
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

__all__ = ["Interval", "IntervalParts"]

_DAY = 86_400_000_000


class IntervalParts(NamedTuple):
    """What PostgreSQL keeps of an interval: three numbers, none of which becomes another."""

    months: int
    days: int
    microseconds: int


class Interval(timedelta):
    """An interval with months, or with hours that are not to become days.

    It is a timedelta, with 30 days for a month, as PostgreSQL itself compares intervals; one beyond the range
    of timedeltas is the greatest or the least of them. `parts` has what it is exactly, and what is written.

    Arguments:
        months, days, microseconds: of either sign.
    """

    parts: IntervalParts

    def __new__(cls, months: int = 0, days: int = 0, microseconds: int = 0) -> Interval:
        more, rest = divmod(microseconds, _DAY)
        whole = months * 30 + days + more
        if whole > 999_999_999:
            made = super().__new__(cls, 999_999_999, 86399, 999_999)
        elif whole < -999_999_999:
            made = super().__new__(cls, -999_999_999)
        else:
            made = super().__new__(cls, whole, 0, rest)
        made.parts = IntervalParts(months, days, microseconds)
        return made

    def __reduce__(self) -> Any:
        return Interval, tuple(self.parts)

    def __repr__(self) -> str:
        months, days, microseconds = self.parts
        return f"Interval(months={months}, days={days}, microseconds={microseconds})"

    def __str__(self) -> str:
        """ISO 8601, as PostgreSQL writes it with `SET intervalstyle = iso_8601`: P1Y2M3DT4H5M6.5S."""
        months, days, microseconds = self.parts
        if (months, days) == (0x7FFFFFFF, 0x7FFFFFFF) and microseconds == 0x7FFFFFFFFFFFFFFF:
            return "infinity"
        if (months, days) == (-0x80000000, -0x80000000) and microseconds == -0x8000000000000000:
            return "-infinity"
        text = "P"
        for count, unit in ((int(months / 12), "Y"), (months - 12 * int(months / 12), "M"), (days, "D")):
            if count:
                text += f"{count}{unit}"
        if microseconds:
            sign = "-" if microseconds < 0 else ""
            seconds, rest = divmod(abs(microseconds), 1_000_000)
            text += "T"
            if seconds // 3600:
                text += f"{sign}{seconds // 3600}H"
            if seconds // 60 % 60:
                text += f"{sign}{seconds // 60 % 60}M"
            if seconds % 60 or rest:
                fraction = f".{rest:06}".rstrip("0") if rest else ""
                text += f"{sign}{seconds % 60}{fraction}S"
        return "PT0S" if text == "P" else text
