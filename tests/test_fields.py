from __future__ import annotations

import pytest

from fastweb.fields import CONSTRAINTS, Field, FieldInfo
from fastweb.types import Undefined


@pytest.mark.parametrize(
    ("field", "required"),
    [
        (FieldInfo(), True),
        (FieldInfo(...), True),
        (FieldInfo(None), False),
        (FieldInfo(0), False),
        (FieldInfo(default_factory=list), False),
    ],
)
def test_what_is_required(field: FieldInfo, required: bool) -> None:
    assert field.is_required() is required
    assert (field.default is Undefined) is (required or field.default_factory is not None)


def test_a_default_is_not_shared() -> None:
    given: list[list[int]] = [[1]]
    field = FieldInfo(given)
    field.get_default()[0].append(2)
    assert given == [[1]]
    made = FieldInfo(default_factory=list)
    assert made.get_default() is not made.get_default()
    shared = ("a", 1)
    assert FieldInfo(shared).get_default() is shared


def test_a_default_and_a_factory() -> None:
    with pytest.raises(TypeError, match="not both"):
        FieldInfo(1, default_factory=int)


def test_an_alias_names_both_sides_where_neither_is_named() -> None:
    field = FieldInfo(alias="a")
    assert (field.validation_alias, field.serialization_alias) == ("a", "a")
    field = FieldInfo(alias="a", validation_alias="in", serialization_alias="out")
    assert (field.validation_alias, field.serialization_alias) == ("in", "out")


def test_constraints_are_those_that_were_set() -> None:
    field = Field(gt=0, max_length=5, pattern="^a", description="words")
    assert field.constraints() == {"gt": 0, "max_length": 5, "pattern": "^a"}
    assert repr(field) == "FieldInfo(gt=0, max_length=5, pattern='^a')"
    assert FieldInfo().constraints() == {}
    assert all(hasattr(FieldInfo(), name) for name in CONSTRAINTS)
