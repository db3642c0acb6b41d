"""The two doors of a validator: a Python value, and a JSON document. They agree."""

from __future__ import annotations

import dataclasses
import enum
import json
import uuid
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from fastweb.exceptions import FastWebError
from fastweb.fields import Field
from fastweb.models import BaseModel
from fastweb.types import Undefined
from fastweb.validation.validators import Validator, validator_of, validator_of_schema
from tests.validation.oracle import shown


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Level(enum.IntEnum):
    low = 1
    high = 2


class Item(msgspec.Struct):
    name: str
    price: float = 0.0
    tags: set[str] = set()


class Order(BaseModel):
    number: int = Field(gt=0)
    items: list[Item] = Field([], max_length=3)
    note: Annotated[str, Field(max_length=5)] | None = None
    colour: Colour = Colour.red
    level: Level | None = None
    id: uuid.UUID | None = None
    extra: dict[str, int] = {}
    parent: Order | None = None


class Closed(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    first_name: str
    kind: Literal["a", "b"] = "a"


class Cat(msgspec.Struct, tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, tag="dog"):
    good: bool = True


class Pair(NamedTuple):
    a: int
    b: str = "x"


@dataclasses.dataclass
class Data:
    a: int
    b: list[str] = dataclasses.field(default_factory=list)


class Shape(TypedDict, total=False):
    a: int
    b: str


EXACT: list[Any] = [
    *(
        int,
        float,
        bool,
        str,
        None,
        Any,
        list[int],
        dict[str, float],
        dict[int, str],
        tuple[int, str],
        tuple[int, ...],
    ),
    *(
        set[int],
        frozenset[str],
        int | None,
        int | str | None,
        int | float,
        uuid.UUID,
        Colour,
        Level,
        Literal["a", "b"],
    ),
    *(
        Item,
        Order,
        Closed,
        Cat | Dog,
        Cat | Dog | None,
        Pair,
        Data,
        list[Item | None],
        dict[str, list[Order]],
    ),
    *(Annotated[int, Field(ge=0, lt=10)], Annotated[str, Field(min_length=1, pattern="^a.*$")]),
    *(Annotated[list[int], Field(max_length=2)], bool | list[int] | Item, Annotated[float, Field(gt=0)]),
]
#: What msgspec reads otherwise, so that the walker alone may.
WALKED: list[Any] = [
    Shape,
    Annotated[int, Field(multiple_of=3)],
    int | Colour,
    Annotated[set[int], Field(max_length=1)],
]

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 11),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(["a", "red", "cat", "dog", "1", " 1 ", "yes", "aé", "x\n", str(uuid.UUID(int=7))]),
)
_KEYS = (
    "name price tags number items note colour level id extra parent firstName kind type lives good a b 1 -0 é"
)
KEYS = st.sampled_from(_KEYS.split())
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)


def outcome(validator: Validator, value: Any, *, as_json: bytes | None = None) -> Any:
    errors: list[dict[str, Any]] = []
    if as_json is None:
        made = validator.validate(value, ("body",), errors)
    else:
        made = validator.validate_json(as_json, ("body",), errors)
    assert (made is Undefined) == bool(errors)
    return errors or shown(made)


def same(annotation: Any, value: Any) -> None:
    validator = validator_of(annotation, from_attributes=True)
    data = json.dumps(value).encode()
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    expected = outcome(validator, json.loads(data))
    assert outcome(validator, None, as_json=data) == expected
    assert outcome(validator, None, as_json=raw) == expected


@given(VALUES)
def test_both_doors_agree(value: Any) -> None:
    for annotation in EXACT + WALKED:
        same(annotation, value)


ORDERS = st.fixed_dictionaries(
    {"number": st.integers(-1, 5) | st.sampled_from(["1", 1.0, 2.5, True])},
    optional={
        "items": st.lists(
            st.fixed_dictionaries(
                {"name": st.text(max_size=3)},
                optional={"price": SCALARS, "tags": st.lists(st.text(max_size=2), max_size=3), "é": SCALARS},
            ),
            max_size=4,
        ),
        "note": st.none() | st.text(max_size=7),
        "colour": st.sampled_from(["red", "blue", "green"]),
        "level": st.sampled_from([1, 2, 3, "1", None, 1.0]),
        "id": st.uuids().map(str) | st.uuids().map(lambda value: value.hex) | st.just("x"),
        "extra": st.dictionaries(st.text(max_size=3), st.integers() | st.just("1"), max_size=3),
        "unknown": SCALARS,
    },
)


@given(ORDERS)
def test_both_doors_agree_on_what_is_nearly_right(value: Any) -> None:
    same(Order, value)
    same(list[Order], [value, value])
    same(Order, {"number": 1, "parent": value})


@pytest.mark.parametrize(
    "text",
    [
        *(
            '{"number": 1, "number": 2}',
            '{"number": "x", "number": 2}',
            '{"number": 2, "number": "x"}',
            "NaN",
            "[NaN]",
        ),
        *(
            '{"number": 1e2}',
            '{"number": 1e400}',
            '{"number": NaN}',
            '{"number": 100000000000000000000000}',
            "-0",
        ),
        *(
            '{"number": 1, "x": Infinity}',
            '{"number": 1, "note": "\\ud800"}',
            '{"number": 1, "x": "\\ud800"}',
            "1e400",
        ),
        *(
            '{"number": 1, "extra": {"a": 1, "a": 2}}',
            "[1, 1.0, 1e0]",
            '{"a": 1, "a": "2"}',
            "9" * 30,
            "-0.0",
            "1.0",
        ),
        *(
            '{"type": "cat", "type": "dog"}',
            '{"type": "dog", "lives": 1}',
            '  {"type": "dog"} \r\n\t',
            "18446744073709551616",
        ),
        *(
            '"\\ud83d\\ude00"',
            '"\\u0000"',
            "[]",
            "{}",
            "null",
            "true",
            '""',
            "[[[[1]]]]",
            '{"1": "a", "-0": "b"}',
        ),
    ],
)
def test_documents_with_an_edge(text: str) -> None:
    for annotation in EXACT + WALKED:
        validator = validator_of(annotation, from_attributes=True)
        expected = outcome(validator, json.loads(text))
        assert outcome(validator, None, as_json=text.encode()) == expected, (annotation, text)


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b" ",
            b"{",
            b"[1,]",
            b'{"a":1,}',
            b"{'a':1}",
            b"01",
            b"1.",
            b"+1",
            b".5",
            b"0x1",
            b"tru",
            b"nul",
            b"1 2",
        ),
        *(b'"\x01"', b'"\\q"', b'"\\u12"', b'{"number": 1} x', b"[1", b'{"number"', b"\x0c1", b'{"a": 01}'),
    ],
)
def test_what_is_not_json_is_said_as_json_says_it(data: bytes) -> None:
    for annotation in (int, Item, Order, Any, Shape):
        with pytest.raises(json.JSONDecodeError) as wanted:
            json.loads(data)
        with pytest.raises(json.JSONDecodeError) as got:
            validator_of(annotation).validate_json(data, (), [])
        assert (got.value.msg, got.value.pos) == (wanted.value.msg, wanted.value.pos)


@pytest.mark.parametrize(
    "data",
    [
        b'{"name": "a", "x": "\xff"}',
        b'{"name": "a", "\xff": 1}',
        b'{"name": "\xc3"}',
        b'{"name": "a", "x": "\xc0\x80"}',
    ],
)
def test_invalid_utf8_is_refused_even_where_nobody_reads_it(data: bytes) -> None:
    for annotation in (Item, Order, Any, Shape):
        with pytest.raises(UnicodeDecodeError):
            validator_of(annotation).validate_json(data, (), [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_the_encodings_that_json_knows(encoding: str) -> None:
    errors: list[dict[str, Any]] = []
    made = validator_of(Item).validate_json('{"name": "é"}'.encode(encoding), (), errors)
    assert made == Item("é")
    assert not errors


def test_depth_is_bounded_as_in_json() -> None:
    data = b'{"name": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(RecursionError):
        validator_of(Item).validate_json(data, (), [])


def test_the_place_of_the_value_begins_the_place_of_the_error() -> None:
    errors: list[dict[str, Any]] = []
    validator_of(list[int]).validate_json(b'[1, "x"]', ("body", "numbers"), errors)
    assert errors == [
        {
            "type": "int_parsing",
            "loc": ("body", "numbers", 1),
            "msg": "Input should be a valid integer, unable to parse string as an integer",
            "input": "x",
        }
    ]


def test_errors_are_added_to_those_of_others() -> None:
    errors: list[dict[str, Any]] = [
        {"type": "missing", "loc": ("query", "q"), "msg": "Field required", "input": None}
    ]
    assert validator_of(int).validate("1", (), errors) == 1
    assert validator_of(int).validate("x", (), errors) is Undefined
    assert len(errors) == 2


def test_the_same_annotation_has_one_validator_and_an_equal_one_has_not() -> None:
    first: Any = int | str
    second: Any = str | int
    assert first == second
    assert validator_of(first) is validator_of(first)
    assert validator_of(first).validate(b"1", (), []) == 1
    assert validator_of(second).validate(b"1", (), []) == "1"
    assert validator_of(Item) is not validator_of(Item, from_attributes=True)
    assert validator_of(int, Field(gt=1)) is not validator_of(int)


def test_one_name_means_what_it_means_to_its_owner() -> None:
    class Here:
        __module__ = __name__

    class There:
        __module__ = "decimal"

    assert validator_of("Item | None", owner=Here).validate({"name": "a"}, (), []) == Item("a")
    assert str(validator_of("Decimal", owner=There).validate("1", (), [])) == "1"
    with pytest.raises(FastWebError, match="'Decimal', which is not defined"):
        validator_of("Decimal", owner=Here)


def test_a_field_beside_the_type() -> None:
    field = Field(gt=5, description="words")
    errors: list[dict[str, Any]] = []
    validator_of(int, field).validate("5", ("query", "q"), errors)
    assert errors == [
        {
            "type": "greater_than",
            "loc": ("query", "q"),
            "msg": "Input should be greater than 5",
            "input": "5",
            "ctx": {"gt": 5},
        }
    ]


def test_a_part_of_a_schema_validates_too() -> None:
    schema: Any = validator_of(Order).schema
    part = next(field.schema for field in schema.fields if field.name == "number")
    assert validator_of_schema(part).validate("3", (), []) == 3
