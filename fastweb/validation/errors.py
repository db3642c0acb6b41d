"""What validation finds wrong, and the state that one validation carries with it.

The types and texts are pydantic's (https://docs.pydantic.dev/latest/errors/validation_errors/), since clients
of FastAPI read them.
"""

from __future__ import annotations

from typing import Any, Final

from fastweb.types import Undefined

__all__ = ["EXACT", "LAX", "MAX_ERRORS", "STRICT", "Problem", "State", "error_dicts", "location", "plural"]

#: How well a value fitted the type, worst first; a union chooses by it.
LAX: Final = 0
STRICT: Final = 1
EXACT: Final = 2

#: Recursive types may nest as deeply as in pydantic.
MAX_DEPTH: Final = 255

#: A list or dict with so many errors is looked at no further: each takes a hundred times the memory of the
#: item that it is about.
MAX_ERRORS: Final = 10_000


class Problem:
    """One error. `loc` is kept from the inside out, for it grows as the walk returns."""

    __slots__ = ("ctx", "input", "loc", "msg", "type")

    def __init__(self, kind: str, msg: str, value: Any, ctx: dict[str, Any] | None = None) -> None:
        self.type = kind
        self.msg = msg
        self.input = value
        self.ctx = ctx
        self.loc: list[int | str] = []

    def as_dict(self, prefix: tuple[int | str, ...] = ()) -> dict[str, Any]:
        """The error as FastAPI shows it."""
        found: dict[str, Any] = {
            "type": self.type,
            "loc": (*prefix, *reversed(self.loc)),
            "msg": self.msg,
            "input": self.input,
        }
        if self.ctx is not None:
            found["ctx"] = self.ctx
        return found


class State:
    """What goes along through one validation: the errors so far, and how exact the match has been.

    `exactness` and `fields_set` are what a union compares its choices by: the worst conversion on the way,
    and how many fields of models were given (None where no model was met). `from_attributes` is True where
    any object may stand for a model, as FastAPI has it, and None where each model's own configuration tells.
    """

    __slots__ = ("depth", "errors", "exactness", "fields_set", "from_attributes", "seen")

    def __init__(self, from_attributes: bool | None = True) -> None:
        self.from_attributes = from_attributes
        self.errors: list[Problem] = []
        self.exactness = EXACT
        self.fields_set: int | None = None
        self.depth = 0
        self.seen: set[tuple[int, int]] = set()

    def fail(self, kind: str, msg: str, value: Any, ctx: dict[str, Any] | None = None) -> Any:
        """Note an error; the walk returns what this returns."""
        self.errors.append(Problem(kind, msg, value, ctx))
        return Undefined

    def outer(self, start: int, *items: int | str) -> Any:
        """Put these items (the innermost first) around the errors from index `start` on."""
        for problem in self.errors[start:]:
            problem.loc.extend(items)
        return Undefined

    def lax(self) -> None:
        """The value was converted."""
        self.exactness = LAX

    def strict(self) -> None:
        """The value was accepted as it is, though it is not of the very type."""
        if self.exactness > STRICT:
            self.exactness = STRICT


def error_dicts(problems: list[Problem], prefix: tuple[int | str, ...] = ()) -> list[dict[str, Any]]:
    """The errors as FastAPI shows them, their places below `prefix`."""
    return [problem.as_dict(prefix) for problem in problems]


def location(key: Any) -> int | str:
    """A dict's key as an item of a location."""
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, int):
        return int(key)
    return str(key)


def plural(count: int) -> str:
    """The letter that a noun after this count needs."""
    return "" if count == 1 else "s"
