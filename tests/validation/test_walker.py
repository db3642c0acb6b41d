"""The walker as a whole: recursion and its bounds, conditions on finished values, odd classes."""

from __future__ import annotations

import collections.abc as abc
import uuid
from typing import Annotated, Any, Literal

import annotated_types as at
import pytest
from pydantic import Field as PydanticField
from pydantic import TypeAdapter
from typing_extensions import TypeAliasType

from fastweb.exceptions import FastWebError
from fastweb.fields import Field
from fastweb.models import BaseModel
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import Validator, validator_of
from tests.validation.families import both, plain
from tests.validation.oracle import agree, expected, found, needs_oracle, validate

pytestmark = needs_oracle

THEIRS, OURS = both(plain)

Json = TypeAliasType("Json", "int | list[Json]")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_value_that_contains_itself_is_an_error() -> None:
    loop: list[Any] = []
    loop.append(loop)
    agree(Json, loop)
    node: dict[str, Any] = {"v": 1, "kids": []}
    node["kids"].append(node)
    agree(OURS.Node, node, theirs=THEIRS.Node)


def test_a_value_that_occurs_twice_is_none() -> None:
    shared = [1]
    agree(Json, [shared, shared])
    kid = {"v": 1}
    agree(OURS.Node, {"v": 1, "kids": [kid, kid], "next": kid}, theirs=THEIRS.Node)


@pytest.mark.parametrize("depth", [1, 100, 200])
def test_depth_is_no_error(depth: int) -> None:
    agree(Json, nested(depth))


def test_the_depth_is_bounded() -> None:
    value: dict[str, Any] = {"v": 1}
    for _ in range(5000):
        value = {"v": 1, "next": value}
    errors: list[dict[str, Any]] = []
    validator_of(OURS.Node).validate(value, ("body",), errors)
    assert [error["type"] for error in errors] == ["recursion_depth_exceeded"]
    assert errors[0]["loc"][0] == "body"


def is_big(value: int) -> bool:
    return value > 3


@pytest.mark.parametrize(
    "annotation",
    [
        *(Annotated[int, at.Predicate(is_big)], Annotated[int, at.Predicate(is_big), at.Gt(5)]),
        *(
            Annotated[int, at.Predicate(lambda value: value > 3)],
            Annotated[int, at.Gt(5), at.Predicate(is_big)],
        ),
    ],
)
def test_predicates(annotation: Any) -> None:
    agree(annotation, 1, 4, 6, "7", "x")


def test_the_opposite_of_a_predicate() -> None:
    annotation = Annotated[int, at.Not(is_big)]
    assert validate(annotation, "1") == 1
    assert validate(annotation, 4) == [("not_operation_failed", ())]


@pytest.mark.parametrize(
    ("base", "constraints", "values"),
    [
        (int | str, {"gt": 0}, [0, 1, None]),
        (int | float, {"multiple_of": 2, "le": 10}, [3, 12, 2.0, "x"]),
        (int | list[int], {"min_length": 2}, [[1], [1, 2]]),
        (Any, {"max_length": 1}, [[1, 2], "ab", "a"]),
        (Any, {"pattern": "^a"}, ["b", "a", b"a"]),
        (str, {"gt": "b"}, ["a", "c"]),
        (
            uuid.UUID,
            {"gt": uuid.UUID(int=5), "lt": uuid.UUID(int=9)},
            [uuid.UUID(int=3), str(uuid.UUID(int=7))],
        ),
        (int | None, {"gt": 0}, [None, 0, 1]),
        (int | str | None, {"ge": 0}, [None, 0, -1]),
        (abc.Sequence[int], {"min_length": 2}, [[1], (1, 2), "ab"]),
        (int | float, {"allow_inf_nan": False}, [1, 1.5, float("inf")]),
    ],
)
def test_conditions_that_the_type_has_no_place_for(
    base: Any, constraints: dict[str, Any], values: list[Any]
) -> None:
    theirs = Annotated[base, PydanticField(**constraints)]
    agree(Annotated[base, Field(**constraints)], *values, theirs=theirs)


@pytest.mark.parametrize(
    ("base", "constraints", "value"),
    [
        (int | str, {"gt": 0}, "a"),
        (int | list[int], {"max_length": 2}, 1),
        (Any, {"pattern": "a"}, 1),
        (int | str, {"max_digits": 1}, 1),
    ],
)
def test_a_condition_that_cannot_be_asked_is_the_apps_own_fault(
    base: Any, constraints: dict[str, Any], value: Any
) -> None:
    with pytest.raises(TypeError, match="Unable to apply constraint"):
        validate(Annotated[base, Field(**constraints)], value)


class Upload:
    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def _fastweb_validate(cls, value: Any) -> Upload:
        if not isinstance(value, Upload):
            raise ValueError(f"Expected UploadFile, received: {type(value)}")
        return value


def test_a_class_of_ours_brings_its_own_rule() -> None:
    upload = Upload("x")
    assert validate(Upload | None, upload) is upload
    assert validate(list[Upload], [upload, 1]) == [("value_error", (1,))]


class Arbitrary:
    pass


def test_an_arbitrary_class_has_to_be_allowed() -> None:
    with pytest.raises(FastWebError, match="cannot validate the type Arbitrary"):
        validator_of(Arbitrary)
    validator = Validator(Arbitrary, schema_of(Arbitrary, arbitrary_types=True))
    errors: list[dict[str, Any]] = []
    validator.validate(1, (), errors)
    assert errors[0]["type"] == "is_instance_of"
    assert isinstance(validator.validate(Arbitrary(), (), errors), Arbitrary)

    class Holder(BaseModel):
        model_config = {"arbitrary_types_allowed": True}
        a: Arbitrary

    assert validate(Holder, {"a": 1}) == [("is_instance_of", ("a",))]


@pytest.mark.parametrize("annotation", [type, type[int], type[Any], object, Any, abc.Hashable, abc.Callable])
def test_classes_and_callables(annotation: Any) -> None:
    agree(annotation, int, bool, str, 1, [], len, None)


@pytest.mark.parametrize(
    "annotation",
    [
        *(list["Json"], list[Json], Json | None),
        *(Annotated[Annotated[int, at.Gt(3)] | None, at.Lt(8)], dict[Literal["a", "b"], int | None]),
    ],
)
def test_types_in_types(annotation: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    validator = validator_of(annotation, from_attributes=True, owner=test_types_in_types)
    values: list[Any] = [
        1,
        5,
        9,
        "x",
        [],
        [1, ["x"]],
        [1, [2]],
        {"a": "1"},
        {"c": 1},
        None,
        [[[[]]]],
        [1] * 5,
    ]
    for value in values:
        assert found(validator, value) == expected(adapter, value)
