"""pydantic as the oracle: the same value, or the same errors, for the same type and input."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import re
from typing import Any

import pydantic
import pytest

from fastweb.types import Undefined
from fastweb.validation.validators import Validator, validator_of

#: The errors differ a little from version to version; the tables are pydantic 2.14's.
needs_oracle = pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 14), reason="pydantic is older than the tables"
)


CRASH = "crash"


def shown(value: Any, depth: int = 0) -> Any:
    """A value and its types, in a form that compares by both, and across the two libraries."""
    if depth > 300:
        return "…"

    def inner(each: Any) -> Any:
        return shown(each, depth + 1)

    if isinstance(value, (dt.datetime, dt.time)):
        return type(value).__name__, value.replace(tzinfo=None), value.utcoffset()
    if isinstance(value, (list, tuple, collections.deque)):
        return type(value).__name__, [inner(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(repr, map(inner, value)))
    if isinstance(value, dict):
        return type(value).__name__, [(inner(key), inner(each)) for key, each in value.items()]
    if isinstance(value, type):
        return "class", value.__name__
    if isinstance(value, BaseException):
        return repr(value)
    fields: Any = getattr(type(value), "__fastweb_fields__", None) or getattr(
        type(value), "__struct_fields__", None
    )
    if isinstance(value, pydantic.BaseModel):
        fields = type(value).model_fields
    elif fields is None and dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value)]
    if fields is not None:
        return type(value).__name__, [(name, inner(getattr(value, name))) for name in fields]
    return type(value).__name__, _plain(repr(value))


def _plain(text: str) -> str:
    """Without what differs from one class or run to the next: addresses, and the functions' own names."""
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    return re.sub(r"functools\.partial\(<function (\w+)>, [^)]*\)", r"\1", text)


def _errors(errors: Any) -> list[Any]:
    return [
        (
            error["type"],
            tuple(_plain(item) if isinstance(item, str) else item for item in error["loc"]),
            error["msg"],
            shown(error["input"]),
            shown(error["ctx"]) if "ctx" in error else None,
        )
        for error in errors
    ]


def expected(adapter: pydantic.TypeAdapter[Any], value: Any) -> Any:
    """What pydantic says of it, as FastAPI asks; CRASH for what pydantic stumbles over."""
    try:
        return shown(adapter.validate_python(value, from_attributes=True))
    except pydantic.ValidationError as error:
        try:
            return _errors(error.errors(include_url=False))
        except UnicodeEncodeError:  # it cannot show its own message
            return CRASH
    except (IndexError, OverflowError):
        return CRASH


def found(validator: Validator, value: Any) -> Any:
    """What fastweb says of it."""
    errors: list[dict[str, Any]] = []
    made = validator.validate(value, (), errors)
    assert (made is Undefined) == bool(errors)
    return _errors(errors) if errors else shown(made)


def agree(annotation: Any, *values: Any, theirs: Any = None) -> None:
    """Assert that both say the same of every value.

    Arguments:
        annotation: the type for fastweb; for pydantic too, unless `theirs` is given.
    """
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation if theirs is None else theirs)
    validator = validator_of(annotation, from_attributes=True)
    for value in values:
        wanted, got = expected(adapter, value), found(validator, value)
        assert got == wanted or wanted == CRASH, (
            f"{annotation} of {value!r:.200}\n  pydantic {wanted}\n  fastweb  {got}"
        )


def validate(annotation: Any, value: Any, **options: Any) -> Any:
    """The value, or the list of (type, loc) of the errors."""
    errors: list[dict[str, Any]] = []
    made = validator_of(annotation, **options).validate(value, (), errors)
    return [(error["type"], error["loc"]) for error in errors] if errors else made
