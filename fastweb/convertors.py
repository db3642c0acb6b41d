"""Types of path parameters: what `{id:int}` matches, what it becomes, and how a URL is made of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from uuid import UUID

__all__ = [
    "CONVERTOR_TYPES",
    "Convertor",
    "FloatConvertor",
    "IntegerConvertor",
    "InvalidPathValue",
    "PathConvertor",
    "StringConvertor",
    "UUIDConvertor",
    "register_url_convertor",
]

T = TypeVar("T")


class InvalidPathValue(ValueError, AssertionError):  # noqa: N818 - no fault of the framework's
    """No path can hold this value. Starlette's convertors raise AssertionError, which apps may catch."""


class Convertor(Generic[T]):
    """One type of path parameter. Subclass it, and register an instance with `register_url_convertor`.

    `regex` is what the parameter matches. `convert` may still raise ValueError: the path then does not match.
    """

    regex: ClassVar[str] = ""

    def convert(self, value: str) -> T:
        """The value of a piece of the path, percent-decoded, which `regex` matched in full."""
        raise NotImplementedError

    def to_string(self, value: T) -> str:
        """The piece of a path for a value.

        Raises:
            InvalidPathValue: a ValueError, and an AssertionError: no path can hold this value.
        """
        raise NotImplementedError


class StringConvertor(Convertor[str]):
    """Anything without a slash."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        value = str(value)
        if not value:
            raise InvalidPathValue("Must not be empty")
        if "/" in value:
            raise InvalidPathValue(f"May not contain path separators: {value!r}")
        return value


class PathConvertor(Convertor[str]):
    """The rest of the path, slashes and all; it may be empty."""

    regex = ".*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return str(value)


class IntegerConvertor(Convertor[int]):
    """Decimal digits. Python refuses to read more than 4,300 of them (`sys.set_int_max_str_digits`)."""

    regex = "[0-9]+"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        value = int(value)
        if value < 0:
            raise InvalidPathValue(f"Negative integers are not supported: {value}")
        return str(value)


class FloatConvertor(Convertor[float]):
    """Decimal digits, with a decimal part or without."""

    regex = r"[0-9]+(\.[0-9]+)?"

    def convert(self, value: str) -> float:
        return float(value)

    def to_string(self, value: float) -> str:
        value = float(value)
        if math.isnan(value):
            raise InvalidPathValue("NaN values are not supported")
        if math.isinf(value):
            raise InvalidPathValue("Infinite values are not supported")
        if value < 0:
            raise InvalidPathValue(f"Negative floats are not supported: {value}")
        # Never an exponent, which the regex does not match, nor the sign of a negative zero.
        return f"{abs(value):.20f}".rstrip("0").rstrip(".")


class UUIDConvertor(Convertor["UUID"]):
    """A UUID (RFC 9562, section 4), its hyphens optional."""

    regex = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"

    def convert(self, value: str) -> UUID:
        from uuid import UUID  # not loaded with every app

        return UUID(value)

    def to_string(self, value: UUID) -> str:
        return str(value)


#: The convertors by the name that stands behind the colon.
CONVERTOR_TYPES: dict[str, Convertor[Any]] = {
    "str": StringConvertor(),
    "path": PathConvertor(),
    "int": IntegerConvertor(),
    "float": FloatConvertor(),
    "uuid": UUIDConvertor(),
}


def register_url_convertor(key: str, convertor: Convertor[Any]) -> None:
    """Make `{name:key}` known to routes that are made from now on."""
    CONVERTOR_TYPES[key] = convertor
