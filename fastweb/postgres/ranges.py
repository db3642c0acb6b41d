"""Range: what PostgreSQL's range types hold. A multirange is a list of them.

Source: https://www.postgresql.org/docs/current/rangetypes.html
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

__all__ = ["Range"]

T = TypeVar("T")


class Range(Generic[T]):
    """Values between two bounds. It cannot be changed.

    Ranges compare as what was given: PostgreSQL itself writes [1,5] of integers as [1,6), and so it is read.

    Arguments:
        lower, upper: the bounds; None for a range without one.
        lower_inc, upper_inc: whether the bound itself is in it; a bound that is not there never is.
        empty: nothing is in it.
    """

    __slots__ = ("_key",)
    _key: tuple[Any, Any, bool, bool, bool]

    def __init__(
        self,
        lower: T | None = None,
        upper: T | None = None,
        *,
        lower_inc: bool = True,
        upper_inc: bool = False,
        empty: bool = False,
    ) -> None:
        if empty:
            key: tuple[Any, Any, bool, bool, bool] = (None, None, False, False, True)
        else:
            key = (lower, upper, lower_inc and lower is not None, upper_inc and upper is not None, False)
        object.__setattr__(self, "_key", key)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Range cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Range cannot be changed: {name}")

    @property
    def lower(self) -> T | None:
        """The lower bound; None where there is none."""
        bound: T | None = self._key[0]
        return bound

    @property
    def upper(self) -> T | None:
        """The upper bound; None where there is none."""
        bound: T | None = self._key[1]
        return bound

    @property
    def lower_inc(self) -> bool:
        """Whether the lower bound is in it."""
        return self._key[2]

    @property
    def upper_inc(self) -> bool:
        """Whether the upper bound is in it."""
        return self._key[3]

    @property
    def lower_inf(self) -> bool:
        """Whether it has no lower bound."""
        return self._key[0] is None and not self._key[4]

    @property
    def upper_inf(self) -> bool:
        """Whether it has no upper bound."""
        return self._key[1] is None and not self._key[4]

    @property
    def isempty(self) -> bool:
        """Whether nothing is in it."""
        return self._key[4]

    def __contains__(self, value: Any) -> bool:
        lower, upper, lower_inc, upper_inc, empty = self._key
        if empty:
            return False
        if lower is not None and not (value >= lower if lower_inc else value > lower):
            return False
        return upper is None or bool(value <= upper if upper_inc else value < upper)

    def issubset(self, other: Range[T]) -> bool:
        """Whether all that is in it is in the other."""
        lower, upper, lower_inc, upper_inc, empty = self._key
        if empty:
            return True
        low, up, low_inc, up_inc, nothing = other._key
        if nothing:
            return False
        if low is not None:
            if lower is None or lower < low or (lower == low and lower_inc and not low_inc):
                return False
        if up is not None:
            if upper is None or upper > up or (upper == up and upper_inc and not up_inc):
                return False
        return True

    def issuperset(self, other: Range[T]) -> bool:
        """Whether all that is in the other is in it."""
        return other.issubset(self)

    def __bool__(self) -> bool:
        return not self._key[4]

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Range) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> Any:
        return _restore, self._key

    def __repr__(self) -> str:
        if self._key[4]:
            return "Range(empty=True)"
        return (
            f"Range({self.lower!r}, {self.upper!r}, lower_inc={self.lower_inc}, upper_inc={self.upper_inc})"
        )

    def __json_data__(self) -> str:
        """What it is in JSON (`fastweb.encoders`): its text, as in `fetch_json`."""
        return str(self)

    def __str__(self) -> str:
        """As PostgreSQL writes it: [1,5)."""
        lower, upper, lower_inc, upper_inc, empty = self._key
        if empty:
            return "empty"
        first = "" if lower is None else _quoted(str(lower))
        last = "" if upper is None else _quoted(str(upper))
        return f"{'[' if lower_inc else '('}{first},{last}{']' if upper_inc else ')'}"


def _quoted(text: str) -> str:
    if text and not any(sign in text for sign in '"\\(),[] '):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '""')
    return f'"{escaped}"'


def _restore(lower: Any, upper: Any, lower_inc: bool, upper_inc: bool, empty: bool) -> Range[Any]:
    return Range(lower, upper, lower_inc=lower_inc, upper_inc=upper_inc, empty=empty)
