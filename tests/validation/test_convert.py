"""msgspec's conversion of Python values gives what the walker gives, or nothing."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import types
import uuid
from typing import Annotated, Any

import msgspec
import pytest

from fastweb.models import BaseModel, Field
from fastweb.types import Undefined
from fastweb.validation.convert import converter_of
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import validator_of


class Sub(BaseModel):
    x: int


class SubSub(Sub):
    y: int = 1


class Struct(msgspec.Struct):
    x: int


class SubStruct(Struct):
    y: int = 2


class Outer(BaseModel):
    s: Sub
    o: int | None = None
    items: list[Sub] = []


class Text(str):
    pass


class Number(int):
    pass


class Word(str, enum.Enum):  # noqa: UP042 - the older kind
    A = "a"


class Index(enum.IntEnum):
    A = 1


class Odd:
    @property
    def x(self) -> int:
        raise KeyError("x")


VALUES: list[Any] = [
    *(0, 1, True, None, 1.0, 1.5, 1e20, 2.0**63, -1e30, float("nan"), float("inf"), 2**63, 2**64, -(2**70)),
    *("a", "1", " 1 ", "", "yes", "1.0", b"a", bytearray(b"a"), Text("q"), Number(4), Word.A, Index.A),
    *(decimal.Decimal("1"), fractions.Fraction(1, 2), datetime.date(2020, 1, 1), datetime.timedelta(1)),
    *(uuid.UUID(int=1), str(uuid.UUID(int=1)), uuid.UUID(int=1).hex, uuid.UUID(int=1).bytes),
    *(
        [1],
        (1,),
        {1},
        frozenset({1}),
        collections.deque([1]),
        range(2),
        [None],
        [[1]],
        ["1"],
        [Text("a")],
        [],
    ),
    *({"x": 1}, {"x": "1"}, {"x": 1, "zz": 2}, {"x": 1, 2: 3}, {Text("x"): 1}, {1: 1}, {"1": 1}, {None: 1}),
    *({"x": 1.0}, {"x": True}, {"x": Index.A}, {"a": None}, {"": 1}, {1.0: 1}),
    *(types.MappingProxyType({"x": 1}), collections.OrderedDict(x=1), collections.UserDict(x=1)),
    *(
        Sub(x=1),
        SubSub(x=1),
        Struct(1),
        SubStruct(1),
        Outer(s=Sub(x=1)),
        [Sub(x=1)],
        [SubSub(x=2)],
        [{"x": 1}],
    ),
    *({"s": {"x": 1}}, {"s": Sub(x=1)}, {"s": SubSub(x=1)}, {"s": {"x": 1}, "o": 1.0}, {"s": Struct(1)}),
    *({"s": {"x": 1}, "items": ({"x": 2}, Sub(x=3))}, object(), Odd(), int, lambda: 1),
]
TYPES: list[Any] = [
    *(
        int,
        float,
        str,
        bool,
        None,
        uuid.UUID,
        list[int],
        list[str],
        dict[str, int],
        dict[int, int],
        Sub,
        Struct,
    ),
    *(Outer, list[Sub], list[Struct], int | None, Sub | None, dict[str, Sub], list[list[int]], list[float]),
    *(
        Annotated[int, Field(gt=0)],
        Annotated[str, Field(min_length=1)],
        Annotated[list[int], Field(max_length=1)],
    ),
    *(dict[str, int | None], list[int | None]),
]


@pytest.mark.parametrize("annotation", TYPES)
def test_it_gives_what_the_walker_gives(annotation: Any) -> None:
    convert = converter_of(schema_of(annotation))
    assert convert is not None
    validator = validator_of(annotation, from_attributes=True)
    taken = 0
    for value in VALUES:
        made = convert(value)
        if made is Undefined:
            continue
        taken += 1
        errors: list[dict[str, Any]] = []
        expected = validator.validate(value, (), errors)
        assert errors == []
        assert (type(made), repr(made)) == (type(expected), repr(expected))
        assert (made is value) == (expected is value) or not isinstance(value, msgspec.Struct)
    assert taken > 0


@pytest.mark.parametrize(
    "annotation",
    [int | str, Sub | Struct, bytes, datetime.datetime, Annotated[float, Field(gt=0)], Any, dict[float, int]],
)
def test_what_is_not_exact_has_no_converter(annotation: Any) -> None:
    assert converter_of(schema_of(annotation)) is None
