"""What settings are read as (`fastweb.config`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

__all__ = ["CommaSeparatedStrings", "Secret"]


class Secret:
    """A string that tracebacks and logs do not show; `str()` gives it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}('**********')"

    def __str__(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)


class CommaSeparatedStrings(Sequence[str]):
    """The items of "a, b, 'c, d'", or of a sequence."""

    def __init__(self, value: str | Sequence[str]) -> None:
        if isinstance(value, str):
            import shlex  # seldom needed

            splitter = shlex.shlex(value, posix=True)
            splitter.whitespace = ","
            splitter.whitespace_split = True
            self._items = [item.strip() for item in splitter]
        else:
            self._items = list(value)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._items[index]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"

    def __str__(self) -> str:
        return ", ".join(repr(item) for item in self._items)
