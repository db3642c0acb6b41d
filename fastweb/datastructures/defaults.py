"""Options that nobody chose."""

from __future__ import annotations

from typing import Any, TypeVar, cast

__all__ = ["Default", "DefaultPlaceholder", "value_of"]

T = TypeVar("T")


class DefaultPlaceholder:
    """A default that nobody chose: it tells an option left alone from one set to the same value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefaultPlaceholder) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]  # its value may have none

    def __repr__(self) -> str:
        return f"Default({self.value!r})"


def Default(value: T) -> T:  # noqa: N802 - FastAPI's name for it
    """Mark a value as a default that nobody chose. It is typed as the value, so that it can stand for it."""
    return cast(T, DefaultPlaceholder(value))


def value_of(option: Any) -> Any:
    """An option's value, whether somebody chose it or not."""
    return option.value if isinstance(option, DefaultPlaceholder) else option
