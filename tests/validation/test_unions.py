# mypy: disable-error-code="name-defined, operator, valid-type"
"""Unions: pydantic's smart mode and its discriminators, beside pydantic."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import fractions
import ipaddress
import pathlib
import re
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from fastweb.exceptions import FastWebError
from fastweb.fields import Field
from fastweb.validation.validators import validator_of
from tests.validation.families import Anything, Colour, Kind, both, plain, tagged
from tests.validation.oracle import agree, needs_oracle, validate
from tests.validation.samples import Index, Mixed, MyFloat, MyInt, MyStr, Number, Word

pytestmark = needs_oracle

THEIRS, OURS = both(plain)
THEIR_TAGGED, OUR_TAGGED = both(tagged)

VALUES: list[Any] = [
    *(
        1,
        0,
        2,
        -1,
        True,
        False,
        1.0,
        1.5,
        0.5,
        0.0,
        "1",
        "1.5",
        "a",
        "x",
        "true",
        "yes",
        "on",
        "9",
        "12",
        "",
        None,
    ),
    *(
        b"1",
        b"a",
        bytearray(b"a"),
        Decimal(1),
        Decimal("1.5"),
        fractions.Fraction(1, 2),
        "1/2",
        [],
        [1],
        ["1"],
        ["a"],
    ),
    *(
        [1, "a"],
        [1.5],
        ["1", 1.5],
        [None],
        (1,),
        ("1",),
        (1, "1"),
        (1.0, "1"),
        ("1", "1"),
        ("1", 1),
        {1},
        frozenset([1]),
    ),
    *(
        collections.deque([1]),
        {},
        {"a": 1},
        {"a": "1"},
        {"a": "x"},
        {"b": 1},
        {"a": 1, "b": 2},
        {"a": 1.0},
        {"a": True},
    ),
    *(
        collections.OrderedDict(a=1),
        "2020-01-01",
        "2020-01-01T00:00:00",
        86400.0,
        dt.date(2020, 1, 1),
        "P1D",
        "0",
    ),
    *(
        dt.datetime(2020, 1, 1),
        str(uuid.UUID(int=1)),
        uuid.UUID(int=1),
        uuid.UUID(int=1).bytes,
        "1.2.3.4",
        "::1",
    ),
    *(
        ipaddress.IPv4Address(1),
        pathlib.Path("a"),
        re.compile("x"),
        len,
        int,
        MyInt(1),
        MyFloat(1.0),
        MyStr("a"),
    ),
    *(Word.one, Word.x, Number.one, Mixed.one, Index(), 10**30, float("inf"), "inf", object()),
]


@dataclasses.dataclass
class DataWhole:
    a: int


@dataclasses.dataclass
class DataReal:
    a: float


class DictWhole(TypedDict):
    a: int


class DictReal(TypedDict, total=False):
    a: float
    b: int


class TupleWhole(NamedTuple):
    a: int


class TupleText(NamedTuple):
    a: str
    b: int = 0


@pytest.mark.parametrize(
    "annotation",
    [
        *(
            int | str,
            str | int,
            int | float,
            float | int,
            int | bool,
            bool | int,
            bool | str,
            str | bytes,
            bytes | str,
        ),
        *(
            bool | float,
            int | str | float,
            int | None | str,
            int | None,
            None | int,
            float | str,
            complex | float,
        ),
        *(
            dt.datetime | dt.date,
            dt.date | dt.datetime,
            int | dt.date,
            dt.date | int,
            dt.timedelta | int,
            dt.time | int,
        ),
        *(
            uuid.UUID | str,
            str | uuid.UUID,
            uuid.UUID | int,
            uuid.UUID | bytes,
            bytes | uuid.UUID,
            uuid.UUID | dt.date,
        ),
        *(
            Mixed | str,
            Word | str,
            str | Word,
            Number | int,
            int | Number,
            Number | float,
            float | Number,
            Mixed | int,
        ),
        *(Literal["a"] | str, str | Literal["a"], Literal[1] | bool, bool | Literal[1], Literal["1"] | int),
        *(
            Literal[1] | Literal["1"],
            Literal[1] | float,
            float | Literal[1],
            int | Literal["a"] | None,
            str | Literal[1],
        ),
        *(list[int] | list[str], list[str] | list[int], set[int] | list[int], tuple[int, ...] | list[int]),
        *(
            list[int] | int,
            int | list[int | str],
            list[int | str] | list[float],
            frozenset[int] | set[int],
            list | set,
        ),
        *(list | list[int], list[int] | list[Any], list[Any] | tuple[int, ...], list[float] | list[int]),
        *(dict[str, int] | dict[str, str], dict | dict[str, int], dict[str, Any] | dict[str, int]),
        *(tuple[int, int | str] | tuple[float, Any], tuple[int, int | str] | tuple[str, float]),
        *(Decimal | float, float | Decimal, Decimal | str, Decimal | int, fractions.Fraction | int | float),
        *(
            ipaddress.IPv4Address | str,
            str | ipaddress.IPv4Address,
            ipaddress.IPv4Address | ipaddress.IPv6Address,
        ),
        *(pathlib.Path | str, str | pathlib.Path, re.Pattern | str, re.Pattern[str] | re.Pattern[bytes]),
        *(Callable | int, Callable | Any, type[int] | int, type[int | str], int | Hashable, Hashable | int),
        *(
            Sequence[int] | str,
            list[int] | Sequence[str],
            Sequence[int] | list[int],
            Any | float,
            float | Any,
        ),
        *(Mapping[str, int] | dict[str, str], collections.OrderedDict[str, int] | dict[str, int]),
        *(collections.deque[int] | list[int], collections.defaultdict[str, int] | dict[str, int]),
        *(
            collections.Counter[str] | dict[str, int],
            collections.OrderedDict[str, int] | collections.defaultdict[str, int],
        ),
        *(DataWhole | DataReal, DataReal | DataWhole, DictWhole | DictReal, DictReal | DictWhole),
        *(TupleWhole | TupleText, TupleText | TupleWhole, DataWhole | DictWhole, DictWhole | DataWhole),
        *(
            TupleWhole | tuple[int],
            tuple[int] | TupleWhole,
            TupleWhole | DictWhole,
            DictWhole | dict[str, int],
        ),
    ],
)
def test_the_member_that_fits_best(annotation: Any) -> None:
    agree(annotation, *VALUES)


@pytest.mark.parametrize(
    "union",
    [
        *(lambda m: m.A | m.B, lambda m: m.B | m.A, lambda m: m.Text | m.Whole, lambda m: m.Whole | m.Text),
        *(lambda m: m.Whole | m.Real, lambda m: m.Real | m.Whole, lambda m: m.HoldsA | m.HoldsB),
        *(
            lambda m: m.A | dict,
            lambda m: dict | m.A,
            lambda m: m.A | Any,
            lambda m: Any | m.A,
            lambda m: m.A | int | None,
        ),
        *(lambda m: m.Loose | m.Tight, lambda m: m.Tight | m.Loose, lambda m: m.A | None | m.B),
        *(
            lambda m: list[m.Whole] | list[m.Real],
            lambda m: m.Whole | DictWhole,
            lambda m: DataWhole | m.Whole,
        ),
        *(
            lambda m: m.Whole | Literal["x"],
            lambda m: dict[str, int] | m.Whole,
            lambda m: m.Needs | m.SubNeeds,
        ),
    ],
)
def test_unions_of_models(union: Any) -> None:
    more: list[Any] = [
        *(
            Anything(a=1),
            Anything(a=1, b=2),
            Anything(a=1.0),
            Anything(a="x", b="y"),
            {"x": {"a": 1, "b": 2}},
        ),
        *(
            {"x": {"a": 1}},
            {"x": {}},
            {"x": "1", "y": 1},
            {"x": 1, "y": 1},
            {"x": "a", "y": "1"},
            [{"a": 1}],
            [{"a": 1.0}],
        ),
    ]
    agree(union(OURS), *VALUES, *more, theirs=union(THEIRS))


def test_an_instance_of_a_member_is_taken_as_it_is() -> None:
    value = OURS.B()
    assert validate(OURS.A | OURS.B, value) is value


@pytest.mark.parametrize(
    "name",
    ["Pet", "Pets", "WithNumber", "WithEnum", "WithKind", "Maybe", "Aliased", "WithData", "Nested", "Home"],
)
def test_discriminated_unions(name: str) -> None:
    values: list[Any] = [
        *(
            {"t": "cat", "n": "1"},
            {"t": "dog", "n": "x"},
            {"t": "doggo", "n": 1},
            {"t": "q"},
            {},
            {"n": 1},
            1,
            None,
        ),
        *(
            Anything(t="cat", n=1),
            Anything(t="z"),
            Anything(),
            {"t": None, "n": "x"},
            {"t": 1, "n": "x"},
            {"t": ["a"]},
        ),
        *(
            {"t": b"cat"},
            [],
            "x",
            {"t": 1.0, "n": 1},
            {"t": True, "n": 1},
            {"t": 2},
            {"t": "red"},
            {"t": Colour.red},
        ),
        *({"t": Kind.x, "n": "x"}, {"t": "x"}, {"T": "cat", "n": 1}, {"T": "q"}, {"t": "data", "n": "z"}),
        *(
            [{"t": "cat", "n": "x"}, {"t": "q"}, {}],
            {"p": {"t": "cat", "n": "x"}, "q": {"t": "zz"}, "r": [{}]},
        ),
    ]
    agree(getattr(OUR_TAGGED, name), *values, theirs=getattr(THEIR_TAGGED, name))


class Circle(msgspec.Struct, tag=True):
    r: int


class Square(msgspec.Struct, tag="sq"):
    side: int


def test_tagged_structs_are_told_apart_by_their_tags() -> None:
    shape = Circle | Square
    assert validate(shape, {"type": "sq", "side": "2"}) == Square(2)
    assert validate(shape, {"type": "sq"}) == [("missing", ("sq", "side"))]
    assert validate(shape, {"type": "x"}) == [("union_tag_invalid", ())]
    assert validate(shape, {"r": 1}) == [("union_tag_not_found", ())]
    assert validate(shape, 1) == [("model_attributes_type", ())]
    circle = Circle(1)
    assert validate(shape, circle, from_attributes=True) is circle
    assert validate(list[shape | None], [None, {"type": "Circle", "r": 1}]) == [None, Circle(1)]


def test_a_discriminator_needs_literals() -> None:
    with pytest.raises(FastWebError, match="needs a field 'a' of a Literal type"):
        validator_of(Annotated[OURS.A | OURS.B, Field(discriminator="a")])
    with pytest.raises(FastWebError, match="int is none"):
        validator_of(Annotated[OUR_TAGGED.Cat | int, Field(discriminator="t")])


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.booleans() | st.text(max_size=3), st.lists, max_leaves=5
    )
)
def test_any_value(value: Any) -> None:
    agree(int | str | list[int | list[str] | None] | float, value)
    agree(list[bool | int] | list[float | str] | str | None, value)
