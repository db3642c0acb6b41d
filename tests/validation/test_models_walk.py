"""Models, dataclasses, TypedDicts and NamedTuples, beside pydantic models of the same shape."""

from __future__ import annotations

import collections.abc as abc
import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, NotRequired, Required

import msgspec
import pytest
from typing_extensions import TypedDict

from fastweb.fields import Field
from fastweb.models import BaseModel
from tests.validation.families import Anything, Failing, both, configured, plain
from tests.validation.oracle import agree, needs_oracle, validate

pytestmark = needs_oracle

THEIRS, OURS = both(plain)
THEIR_CONFIGURED, OUR_CONFIGURED = both(configured)


class MyMapping(abc.Mapping[str, Any]):
    def __init__(self, **values: Any) -> None:
        self.values_ = values

    def __getitem__(self, key: str) -> Any:
        return self.values_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)

    def __repr__(self) -> str:
        return f"MyMapping({self.values_})"


INPUTS: list[Any] = [
    *({"a": "1"}, {"a": "x", "b": 1}, {}, {"a": 1, "z": 2}, {1: 2, "a": 1}, {"a": 1, "b": "y"}, {"a": None}),
    *(
        MyMapping(a=1),
        MyMapping(a=1, b=2),
        Anything(a=1),
        Anything(b=1),
        Anything(),
        Anything(a="x", b=2, c=3),
    ),
    *(
        Failing(ValueError("boo")),
        Failing(AttributeError("boo")),
        [1],
        (1, "q"),
        [("a", 1)],
        1,
        None,
        "x",
        b"x",
    ),
    *(
        [],
        (1, 2, 3),
        1.5,
        True,
        object(),
        len,
        {1},
        dt.date(2020, 1, 1),
        {"A": 1},
        {"A": "x", "C": "y"},
        {"a": "x"},
    ),
    *(
        {"a": 1, "A": 2},
        {"a": 1, "b": 2, 3: 4},
        {"b": 1},
        {"a": 1, 3: 4, None: 1},
        {"x": 1, "y": "2"},
        {"C": 2},
    ),
    *(
        {"x": [1], "p": 1},
        {"x": [], "q": 1},
        {"x": ["z"], "r": {"s": "w"}},
        {"x": "ab", "q": "t"},
        {"x": {0: 1}},
    ),
    *(
        {"a": {"a": "x"}},
        {"a": 1, "m": [{"a": "y"}, 1], "d": {"k": {}}},
        {"v": 1, "kids": [{"v": "x"}, {"v": 2}]},
    ),
    *(
        {"v": 1, "next": {"v": 2, "next": None, "kids": [3]}},
        {"x": {"a": 1, "b": 2}},
        {"x": {"a": 1}},
        {"x": {}},
    ),
    *(
        {"a": " AB "},
        {"a": " a "},
        {"a": "\x1c\u200bab\x85"},
        {"a": "straße"},
        {"a": "red"},
        {"a": 1.5},
        {"a": True},
    ),
    *(
        {"a": 1, "l": (1,), "t": [1], "f": 1},
        {"a": 1, "l": ["1"], "u": 1.0},
        {"a": float("inf")},
        {"a": "inf"},
    ),
    *({"a": 0, "b": "abc", "c": [0], "d": 7}, {"a": 1, "c": [1, 2, 3], "d": None}, {"a": 1, "d": "4"}),
]


@pytest.mark.parametrize("name", [name for name in vars(OURS) if not name.startswith(("Base", "Field"))])
def test_models(name: str) -> None:
    agree(getattr(OURS, name), *INPUTS, theirs=getattr(THEIRS, name))


@pytest.mark.parametrize(
    "name", [name for name in vars(OUR_CONFIGURED) if not name.startswith(("Base", "Field"))]
)
def test_configurations(name: str) -> None:
    agree(getattr(OUR_CONFIGURED, name), *INPUTS, theirs=getattr(THEIR_CONFIGURED, name))


def test_instances_are_taken_as_they_are() -> None:
    needs: Any = OURS.SubNeeds(a=1)
    model: Any = OURS.Needs
    assert validate(model, needs) is needs
    assert validate(tuple[model, int], (needs, 1))[0] is needs
    assert validate(model, OURS.Other(a=1), from_attributes=True) == OURS.Needs(a=1)


def test_what_was_given_is_known() -> None:
    assert validate(OURS.Needs, {"a": 1}).model_fields_set == {"a"}
    assert validate(OURS.Needs, Anything(a=1, b="y"), from_attributes=True).model_fields_set == {"a", "b"}
    assert validate(OUR_CONFIGURED.Allows, {"a": 1, "b": 2}).model_extra == {"b": 2}


def test_attributes_are_read_where_they_are_asked_for() -> None:
    class Reads(BaseModel):
        model_config = {"from_attributes": True}
        a: int

    assert validate(Reads, Anything(a="1")).a == 1
    assert validate(OURS.Needs, Anything(a=1)) == [("model_type", ())]
    assert validate(OURS.Needs, 1) == [("model_type", ())]


class Plain(msgspec.Struct):
    a: int
    b: str = "x"


class Renamed(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    some_name: int


class Tagged(msgspec.Struct, tag="t", tag_field="kind"):
    a: int = 1


class Row(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    a: int
    b: str = "x"


class Checked(msgspec.Struct):
    a: int
    b: list[int] = msgspec.field(default_factory=lambda: [1])

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("negative")
        if self.a == 100:
            raise TypeError("hundred")


class Patch(msgspec.Struct):
    a: int | msgspec.UnsetType = msgspec.UNSET


def test_a_struct_is_like_a_model() -> None:
    class Needs(msgspec.Struct):
        a: int
        b: str = "x"

    agree(Needs, *INPUTS, theirs=THEIRS.Needs)
    assert validate(Plain, {"a": "1", "z": 2}) == Plain(1)
    assert validate(Plain, {"b": 1}) == [("missing", ("a",)), ("string_type", ("b",))]
    assert validate(Plain, Anything(a="1"), from_attributes=True) == Plain(1)
    assert validate(Plain, 5, from_attributes=True) == [("model_attributes_type", ())]


def test_structs_of_all_kinds() -> None:
    assert validate(Renamed, {"someName": "1"}) == Renamed(1)
    assert validate(Renamed, {"some_name": 1}) == [
        ("missing", ("someName",)),
        ("extra_forbidden", ("some_name",)),
    ]
    assert validate(Tagged, {"kind": "t"}) == Tagged()
    assert validate(Tagged, {}) == Tagged()
    assert validate(Tagged, {"kind": "x", "a": "y"}) == [
        ("literal_error", ("kind",)),
        ("int_parsing", ("a",)),
    ]
    assert validate(Row, ["1"]) == Row(1)
    assert validate(Row, []) == [("missing", (0,))]
    assert validate(Row, [1, 2]) == [("string_type", (1,))]
    assert validate(Row, [1, "x", 3]) == [("too_long", ())]
    assert validate(Row, {"a": 1}) == [("list_type", ())]
    assert validate(Patch, {}).a is msgspec.UNSET
    assert validate(Patch, {"a": "5"}) == Patch(5)
    assert validate(Patch, {"a": "x"}) == [("int_parsing", ("a",))]


def test_what_a_struct_raises_is_an_error_of_its_input() -> None:
    assert validate(Checked, {"a": -1}) == [("value_error", ())]
    assert validate(list[Checked], [{"a": 100}]) == [("value_error", (0,))]
    assert validate(Checked, {"a": 1}).b == [1]


@dataclasses.dataclass
class Data:
    a: int
    b: str = "x"
    c: int = dataclasses.field(default=3, init=False)
    d: int = dataclasses.field(default=4, kw_only=True)
    e: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class SubData(Data):
    f: int = 5


@dataclasses.dataclass
class Posted:
    a: int

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("negative")
        assert self.a != 100, "hundred"
        self.a += 1


@dataclasses.dataclass
class WithInitVar:
    a: int
    x: dataclasses.InitVar[int] = 2

    def __post_init__(self, x: int) -> None:
        self.a += x


@dataclasses.dataclass(slots=True, frozen=True)
class Slotted:
    a: int
    kids: list[Slotted] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(init=False)
class OwnInit:
    a: int
    b: int = 2

    def __init__(self, whatever: str) -> None:
        raise RuntimeError("not called")


@dataclasses.dataclass
class Closed:
    __pydantic_config__ = {"extra": "forbid"}
    a: int
    c: int = dataclasses.field(default=3, init=False)


@dataclasses.dataclass
class Open:
    __pydantic_config__ = {"extra": "allow"}
    a: int


class Shape(TypedDict):
    a: int
    b: NotRequired[str]


class Part(TypedDict, total=False):
    a: int
    b: Required[int]


class ClosedShape(TypedDict):
    __pydantic_config__ = {"extra": "forbid"}  # type: ignore[misc]
    a: int


class OpenShape(TypedDict):
    __pydantic_config__ = {"extra": "allow"}  # type: ignore[misc]
    a: int


class Point(NamedTuple):
    a: int
    b: str = "x"


@pytest.mark.parametrize(
    "annotation",
    [
        *(Data, SubData, Posted, WithInitVar, Slotted, Closed, Open, OwnInit),
        *(Shape, Part, ClosedShape, OpenShape, Point, list[Point], dict[str, Data], list[Shape | None]),
    ],
)
def test_classes_of_the_standard_library(annotation: Any) -> None:
    more: list[Any] = [
        *({"a": -1}, {"a": 100}, {"a": 1, "c": 5}, {"a": 1, "d": "9"}, {"a": 1, "c": "x"}, {"a": 1, "x": 5}),
        *(
            {"a": 1, "kids": [{"a": "x"}, 3]},
            Data(1),
            SubData(1),
            Posted(1),
            Point(1),
            (1,),
            [1, "b"],
            [1, 2],
        ),
        *(("x", 1), [1, "a", 3, 4], {"a": 1, "b": "c", "z": 1}, [{"a": 1}], [None], {"k": {"a": "x"}}),
    ]
    agree(annotation, *INPUTS, *more)


def test_defaults_are_new_each_time() -> None:
    first, second = validate(Data, {"a": 1}), validate(Data, {"a": 1})
    first.e.append(1)
    assert second.e == []


@dataclasses.dataclass
class Described:
    a: int = Field(3, gt=2)
    b: Annotated[str, Field(max_length=2, alias="B")] = "x"


def test_a_field_may_stand_in_a_dataclass() -> None:
    assert validate(Described, {}) == Described(3, "x")
    assert validate(Described, {"a": 1, "B": "abc"}) == [
        ("greater_than", ("a",)),
        ("string_too_long", ("B",)),
    ]
