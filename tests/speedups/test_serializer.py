"""Proofs: true only for what is exactly declared. The suite runs compiled and pure, with the same tables."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweb.models import BaseModel, Field
from fastweb.validation.proofs import proof_of, prover_of
from fastweb.validation.schema import schema_of
from fastweb.validation.serializer import serializer_of

nan, inf = float("nan"), float("inf")
UTC = datetime.timezone.utc  # noqa: UP017 - the very object that the proof knows
EAST = datetime.timezone(datetime.timedelta(hours=5))


T = TypeVar("T")


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


class Box(BaseModel, Generic[T]):
    content: T
    tags: list[str] = Field(default_factory=lambda: ["a"])


class Base(msgspec.Struct):
    a: int


class Mixin:
    note = "not a field"


class Derived(Mixin, Base):
    b: float = 0.5


class Omitting(msgspec.Struct, omit_defaults=True):
    x: int = 1
    y: int = 2


class Tagged(msgspec.Struct, tag="t"):
    x: int = 1


class Row(msgspec.Struct, array_like=True):
    x: int = 1


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str = 'a "b"'


class Empty(BaseModel):
    pass


class Posing(BaseModel):
    """Says that its fields are others than those that msgspec finds in it."""

    x: int = 1

    def __getattribute__(self, name: str) -> Any:
        return 5 if name == "x" else object.__getattribute__(self, name)


class Masked(msgspec.Struct):
    x: int = 1
    y: int = 1


class Liar:
    """Claims to be an Item."""

    id = 1
    name = None

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return Item

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Mapped(dict[str, Any]):
    pass


@dataclasses.dataclass
class PosingPoint:
    x: int

    def __getattribute__(self, name: str) -> Any:
        return {"x": 5} if name == "__dict__" else object.__getattribute__(self, name)


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
    (
        Item,
        [Item(id=-(2**63))],
        [Liar(), with_attribute(Item(id=1), id=2**63), with_attribute(Item(id=1), id=True)],
    ),
    (Item, [with_attribute(Item(id=1), name="é\u2028\x7f")], [with_attribute(Item(id=1), name=Text("a"))]),
    (Derived, [Derived(1), Derived(a=1, b=nan)], [Base(1), Derived(1, 2)]),
    (Omitting, [Omitting(), Omitting(1, 3)], [Omitting("1")]),  # type: ignore[arg-type]
    (Tagged, [Tagged()], [Tagged(True), Tagged(None)]),  # type: ignore[arg-type]
    (Row, [Row()], [Row(1.0)]),  # type: ignore[arg-type]
    (Renamed, [Renamed(), Renamed('"')], [Renamed(b"a")]),  # type: ignore[arg-type]
    (Empty, [Empty()], [Item(id=1), {}]),
    (
        Box[int],
        [Box[int](content=1)],
        [Box[str](content="a"), with_attribute(Box[int](content=1), content="1")],
    ),
    (Box[Box[str]], [Box[Box[str]](content=Box[str](content="a"))], [Box[str](content="a")]),
    (
        Box[list[Item]],
        [Box[list[Item]](content=[Item(id=1)])],
        [
            with_attribute(Box[list[Item]](content=[]), content=[More(id=1)]),
            with_attribute(Box[list[Item]](content=[]), tags=("a",)),
        ],
    ),
    (dict[str, Item], [{}, {'a"': Item(id=1), "b": Item(id=2)}], [Mapped(a=Item(id=1)), {"a": More(id=1)}]),
    (list[list[str]], [[], [[]], [["a", "bcdefgh", "\n"], ["x" * 100]]], [[["a"], [1]], [("a",)]]),
    (list[float], [[], [0.5, nan]], [[1], [0.5, True]]),
    (list[bool | None], [[True, None, False]], [[1], [0]]),
    (Item | list[Item] | None, [None, [Item(id=1)], Item(id=1)], [[More(id=1)], [None], Liar()]),
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
    Posing,
    PosingPoint,
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


def prover_for(annotation: Any) -> Any:
    prover = prover_of(schema_of(annotation))
    assert prover is not None
    return prover


@pytest.mark.parametrize(("annotation", "exact", "other"), TABLE)
def test_only_what_is_exact_is_proven(annotation: Any, exact: list[Any], other: list[Any]) -> None:
    proof = proof_for(annotation)
    assert [value for value in exact if proof.proves(value) is not True] == []
    assert [value for value in other if proof.proves(value) is not False] == []


@pytest.mark.parametrize(("annotation", "exact", "other"), TABLE)
def test_a_dump_is_what_msgspec_makes_byte_for_byte(
    annotation: Any, exact: list[Any], other: list[Any]
) -> None:
    for dump in (proof_for(annotation).dump, prover_for(annotation).dump):
        assert [dump(value) for value in exact] == [msgspec.json.encode(value) for value in exact]
        assert [dump(value) for value in other] == [None] * len(other)
        # What was given up half way leaves nothing in the next one.
        assert [dump(value) for value in exact] == [msgspec.json.encode(value) for value in exact]


@pytest.mark.parametrize(("annotation", "exact", "other"), TABLE)
def test_the_prover_agrees_with_the_proof(annotation: Any, exact: list[Any], other: list[Any]) -> None:
    proves = prover_for(annotation).proves
    assert [value for value in exact if proves(value) is not True] == []
    assert [value for value in other if proves(value) is not False] == []


class Wide(msgspec.Struct):
    a: int = 1
    b: int = 1
    x: int = 1


@pytest.mark.parametrize("mask", [property(lambda self: 5), 5, Wide.__dict__["x"], Masked.__dict__["y"]])
def test_a_class_that_masks_a_field_has_no_proof(mask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Masked, "x", mask)
    assert proof_of(schema_of(Masked)) is None


def test_a_long_document_is_written_whole() -> None:
    items = [Item(id=number, name="n" * (number % 50)) for number in range(3000)]
    dump = prover_for(list[Item]).dump
    for count in (3000, 1, 0, 2000, 3000):
        assert dump(items[:count]) == msgspec.json.encode(items[:count])
    assert dump([*items, More(id=1)]) is None


def test_half_of_a_surrogate_pair_is_an_error_as_it_is_for_msgspec() -> None:
    with pytest.raises(UnicodeEncodeError):
        proof_for(list[str]).dump(["a", "\ud800"])


@given(st.floats())
def test_a_float_is_written_as_msgspec_does(value: float) -> None:
    assert proof_for(float).dump(value) == msgspec.json.encode(value)


@given(st.integers(-(10**15), 10**15), st.integers(0, 9))
def test_a_decimal_fraction_is_written_as_msgspec_does(whole: int, places: int) -> None:
    for value in (whole / 10**places, math.nextafter(whole / 10**places, 0), whole * 10.0**-places):
        assert proof_for(float).dump(value) == msgspec.json.encode(value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_int_is_written_as_msgspec_does(value: int) -> None:
    assert proof_for(int).dump(value) == msgspec.json.encode(value)


@given(st.text() | st.text(st.characters(max_codepoint=127)))
def test_a_str_is_written_as_msgspec_does(value: str) -> None:
    for text in (value, value * 3, "abc" + value, "abcdefgh" + value + "ij"):
        assert proof_for(str).dump(text) == msgspec.json.encode(text)


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
    branch = Tree()
    for _ in range(250):
        branch = Tree(kids=[branch])
    for find in (proof_for, prover_for):
        for annotation, value in (
            (Any, loop),
            (Any, ring),
            (Tree, tree),
            (Any, nested(100_000)),
            (Tree, branch),
        ):
            assert not find(annotation).proves(value)
            assert find(annotation).dump(value) is None
        assert find(Any).proves(nested(150))
        assert find(Tree).dump(branch.kids[0].kids[0]) is None


def test_a_field_without_a_value_is_not_proven() -> None:
    assert not proof_for(Item).proves(Item.model_construct(name="a"))


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
