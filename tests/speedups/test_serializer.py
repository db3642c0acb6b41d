"""Proofs: true only for what is exactly declared. The suite runs compiled and pure, with the same tables."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweb._speedups import serializer as proofs
from fastweb.models import BaseModel, Field
from fastweb.validation.proofs import proof_of
from fastweb.validation.schema import schema_of
from fastweb.validation.serializer import serializer_of

nan, inf = float("nan"), float("inf")
UTC = datetime.timezone.utc  # noqa: UP017 - the very object that the proof knows
EAST = datetime.timezone(datetime.timedelta(hours=5))


class Item(BaseModel):
    id: int
    name: str | None = None


class More(Item):
    secret: str = "s"


class Bounded(BaseModel):
    x: int = Field(gt=0)
    y: str = Field(default="a", pattern="^a")


class Tree(BaseModel):
    kids: list[Tree] = []


class Struct(msgspec.Struct):
    x: int
    y: Annotated[int, msgspec.Meta(gt=0)] = 1


class SubStruct(Struct):
    z: int = 1


class Split(BaseModel):
    x: int = Field(1, serialization_alias="y")


class Hiding(BaseModel):
    x: int = Field(1, exclude=True)


class Lax(BaseModel, extra="allow"):
    x: int = 1


@dataclasses.dataclass
class Point:
    x: int


@dataclasses.dataclass
class Point3(Point):
    z: int = 1


@dataclasses.dataclass(slots=True)
class Slotted:
    x: int


class Typed(TypedDict, total=False):
    x: int
    y: str


class Pair(NamedTuple):
    x: int
    y: str


class Color(enum.Enum):
    RED = "r"
    ONE = 1


class Odd(enum.Enum):
    T = (1, 2)


class Text(str):
    pass


class Number(int):
    pass


class Listing(list[Any]):
    pass


def with_attribute(model: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


# A type, what is proven, and what is not.
TABLE: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [0, -5, 2**63 - 1, -(2**63)], [2**63, -(2**63) - 1, 2**70, True, 1.0, "1", Number(1), None]),
    (float, [0.0, -1.5, nan, inf, 1e308], [1, True, "1", decimal.Decimal(1), None]),
    (str, ["", "é"], [Text("a"), b"a", 1, None, Color.RED]),
    (bool, [True, False], [1, 0, "true", None]),
    (None, [None], [0, False, ""]),
    (
        Any,
        [1, "a", None, [1, {"a": [1.5, True]}], nan],
        [2**70, {1: 2}, (1,), Item(id=1), [Text("a")], {"a": {1}}],
    ),
    (list[int], [[], [1, 2]], [[1, "2"], (1,), Listing([1]), [True], None]),
    (tuple[int, str], [(1, "a")], [(1,), (1, "a", 2), [1, "a"], ("1", "a")]),
    (tuple[int, ...], [(), (1, 2)], [(1, "a"), [1]]),
    (set[int], [set(), {1}], [{"a"}, frozenset({1}), [1]]),
    (frozenset[str], [frozenset({"a"})], [{"a"}]),
    (dict[str, int], [{}, {"a": 1}], [{"a": "1"}, {1: 1}, {Text("a"): 1}]),
    (dict[int, str], [{1: "a"}], [{"1": "a"}, {True: "a"}, {2**70: "a"}]),
    (int | None, [1, None], ["1", True]),
    (int | str, [1, "a"], [1.5, None, True]),
    (list[int] | Item, [[1], Item(id=1)], [["a"], More(id=1), {"id": 1}]),
    (bytes | int, [1], [b"a"]),
    (Literal["a", 1, None], ["a", 1, None], [True, "b", 1.0, Text("a")]),
    (Color, [Color.RED, Color.ONE], ["r", 1, Odd.T]),
    (uuid.UUID, [uuid.UUID(int=1)], [str(uuid.UUID(int=1))]),
    (
        datetime.datetime,
        [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=UTC)],
        [datetime.datetime(2020, 1, 1, tzinfo=EAST), datetime.date(2020, 1, 1), "2020-01-01"],
    ),
    (datetime.date, [datetime.date(2020, 1, 1)], [datetime.datetime(2020, 1, 1)]),
    (datetime.time, [datetime.time(1, 2)], [datetime.time(1, 2, tzinfo=UTC)]),
    (
        Item,
        [Item(id=1), Item(id=1, name="a")],
        [More(id=1), {"id": 1}, with_attribute(Item(id=1), name=5), None],
    ),
    (
        list[Item],
        [[], [Item(id=1)]],
        [[More(id=1)], [Item(id=1), {"id": 1}], [with_attribute(Item(id=1), id="1")]],
    ),
    # A model's constraints were looked at when it was made, as in pydantic; those of other types are here.
    (Bounded, [Bounded(x=1), with_attribute(Bounded(x=1), x=-1)], [with_attribute(Bounded(x=1), x="1")]),
    (Struct, [Struct(1), Struct(1, 2)], [Struct(1, 0), SubStruct(1), Struct("1")]),  # type: ignore[arg-type]
    (Tree, [Tree(), Tree(kids=[Tree(kids=[Tree()])])], [with_attribute(Tree(), kids=[{}])]),
    (
        Point,
        [Point(1)],
        [Point3(1), with_attribute(Point(1), x="1"), with_attribute(Point(1), z=2), {"x": 1}],
    ),
    (Typed, [{}, {"x": 1}, {"x": 1, "y": "a"}], [{"z": 1}, {"x": "1"}, {"x": 1, "z": 2}, {Text("x"): 1}]),
    (Pair, [Pair(1, "a")], [(1, "a"), Pair("1", "a")]),  # type: ignore[arg-type]
    (Annotated[int, Field(gt=0, le=5)], [1, 5], [0, 6, True]),
    (Annotated[int, Field(ge=0, lt=5)], [0, 4], [-1, 5]),
    (Annotated[float, Field(gt=0)], [0.5], [0.0, nan]),
    (Annotated[str, Field(min_length=1, max_length=2)], ["a", "ab"], ["", "abc"]),
    (Annotated[list[int], Field(max_length=1)], [[], [1]], [[1, 2]]),
]
UNPROVABLE: list[Any] = [
    bytes,
    datetime.timedelta,
    Odd,
    Split,
    Hiding,
    Lax,
    Slotted,
    decimal.Decimal,
    dict[float, int],
    Annotated[str, Field(pattern="^a")],
    Annotated[int, Field(multiple_of=2)],
    Annotated[float, Field(allow_inf_nan=False)],
]


def proof_for(annotation: Any) -> Any:
    proof = proof_of(schema_of(annotation))
    assert proof is not None
    return proof


@pytest.mark.parametrize(("annotation", "exact", "other"), TABLE)
def test_only_what_is_exact_is_proven(annotation: Any, exact: list[Any], other: list[Any]) -> None:
    proof = proof_for(annotation)
    assert [value for value in exact if proof.proves(value) is not True] == []
    assert [value for value in other if proof.proves(value) is not False] == []


@pytest.mark.parametrize("annotation", UNPROVABLE)
def test_what_msgspec_writes_otherwise_has_no_proof(annotation: Any) -> None:
    assert proof_of(schema_of(annotation)) is None


@pytest.mark.parametrize(("annotation", "exact", "other"), TABLE)
def test_what_is_proven_is_encoded_as_the_slow_way_does(
    annotation: Any, exact: list[Any], other: list[Any]
) -> None:
    serializer = serializer_of(annotation)
    for value in exact:
        slow = serializer.dump_valid(value, finite=True)
        assert json.loads(msgspec.json.encode(value)) == slow
        assert json.loads(serializer.dump_json(value)) == slow


def test_what_contains_itself_or_is_too_deep_is_not_proven() -> None:
    loop: list[Any] = []
    loop.append(loop)
    ring: dict[str, Any] = {}
    ring["a"] = ring
    tree = Tree()
    tree.kids = [tree]
    assert not proof_for(Any).proves(loop)
    assert not proof_for(Any).proves(ring)
    assert not proof_for(Tree).proves(tree)
    assert proof_for(Any).proves(nested(150))
    assert not proof_for(Any).proves(nested(100_000))


def test_a_field_without_a_value_is_not_proven() -> None:
    assert not proof_for(Item).proves(Item.model_construct(name="a"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, True),
        (nan, False),
        (inf, False),
        ([1.5, [None, "a"], {"a": (1.0,)}], True),
        ([1.5, {"a": (1.0, -inf)}], False),
        ({"a": {"b": [nan]}}, False),
        ("NaN", True),
        (object(), True),
        (nested(100_000), False),
    ],
)
def test_all_finite(value: Any, expected: bool) -> None:
    assert proofs.all_finite(value) is expected


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=10,
)


def without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(plain)
def test_any_value_is_proven_only_if_json_gives_it_back(value: Any) -> None:
    if proof_for(Any).proves(value):
        assert json.loads(msgspec.json.encode(value)) == without_nan(value)


@given(plain)
def test_no_proof_fails_on_any_value(value: Any) -> None:
    for annotation, _, _ in TABLE:
        assert proof_for(annotation).proves(value) in (True, False)
