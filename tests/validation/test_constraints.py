"""What stands beside a type goes into its node, inside an optional one, or around it."""

from __future__ import annotations

import collections
import datetime as dt
import uuid
from typing import Annotated, Any

import msgspec
import pytest
from annotated_types import Ge, Interval, Len, Predicate, Timezone

from fastweb.fields import Field
from fastweb.validation import nodes
from fastweb.validation.schema import schema_of


@pytest.mark.parametrize(
    ("annotation", "name", "value"),
    [
        (Annotated[int, Ge(3)], "ge", 3),
        (Annotated[int, Field(ge=3)], "ge", 3),
        (Annotated[int, msgspec.Meta(ge=3)], "ge", 3),
        (Annotated[int, Interval(gt=1, le=5)], "le", 5),
        (Annotated[str, Len(2, 5)], "max_length", 5),
        (Annotated[dt.datetime, msgspec.Meta(tz=True)], "tz", True),
        (Annotated[dict[str, int], Field(max_length=5)], "max_length", 5),
    ],
)
def test_into_the_node(annotation: Any, name: str, value: Any) -> None:
    assert getattr(schema_of(annotation), name) == value


def test_inside_an_optional() -> None:
    schema: Any = schema_of(Annotated[int | None, Field(gt=1)])
    assert schema.inner.gt == 1


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[uuid.UUID, Field(gt=uuid.UUID(int=1))],
        Annotated[int | str, Field(gt=1)],
        Annotated[Any, Field(max_length=1)],
        Annotated[int, Predicate(bool)],
        Annotated[collections.defaultdict[str, int], Field(max_length=1)],
    ],
)
def test_around_the_node(annotation: Any) -> None:
    assert isinstance(schema_of(annotation), nodes.CheckSchema)


def test_what_nobody_knows_is_kept_and_does_nothing() -> None:
    schema = schema_of(Annotated[int, "words", Timezone(None)])
    assert isinstance(schema, nodes.IntSchema)
    assert schema.metadata == ("words", Timezone(None))


def test_the_types_own_node_stays_as_it_is() -> None:
    plain: Any = schema_of(tuple[list[int], Annotated[list[int], Field(max_length=1)]])
    assert plain.items[0].max_length is None
    assert plain.items[1].max_length == 1


def test_a_bare_discriminator_says_which_field_tells() -> None:
    class A(msgspec.Struct):
        t: str

    class B(msgspec.Struct):
        t: str

    schema: Any = schema_of(Annotated[A | B | None, Field(discriminator="t")])
    assert schema.inner.discriminator == "t"
