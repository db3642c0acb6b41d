"""The fields of models: their names in the input and the output, their defaults, and extra ones."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, NamedTuple, NotRequired, Required

import msgspec
import pydantic
from typing_extensions import ReadOnly, TypedDict

from fastweb.fields import Field
from fastweb.models import BaseModel
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.schema import schema_of


class Aliased(BaseModel):
    model_config = {"populate_by_name": True, "extra": "forbid", "title": "T"}
    a: int = Field(alias="A", description="the a")
    b: list[int] = Field(default_factory=list, validation_alias="in", serialization_alias="out", exclude=True)
    c: int = Field(1, validation_alias=pydantic.AliasChoices("x", pydantic.AliasPath("y", 0)))


class Plain(msgspec.Struct, rename="camel", tag="p", forbid_unknown_fields=True):
    some_name: int
    more: list[int] = []
    other: Annotated[str, Field(description="words", max_length=3)] = "x"


@dataclasses.dataclass
class Data:
    a: int
    b: int = dataclasses.field(default=2, init=False)
    c: Annotated[int, Field(gt=1)] = dataclasses.field(default=3, kw_only=True)
    d: list[int] = dataclasses.field(default_factory=list)


class Shape(TypedDict, total=False):
    a: Required[int]
    b: str
    c: NotRequired[Annotated[int, Field(gt=1)]]
    d: ReadOnly[int]


class Point(NamedTuple):
    a: int
    b: int = 2


def fields_of(annotation: Any) -> dict[str, nodes.FieldSchema]:
    schema = schema_of(annotation)
    assert isinstance(schema, nodes.ModelSchema)
    return {field.name: field for field in schema.fields}


def test_a_base_model() -> None:
    schema = schema_of(Aliased)
    assert isinstance(schema, nodes.ModelSchema)
    assert (schema.kind, schema.is_base_model, schema.extra, schema.title) == ("struct", True, "forbid", "T")
    fields = fields_of(Aliased)
    assert fields["a"].lookups == (("A",), ("a",))
    assert (fields["a"].alias, fields["a"].serialization_alias, fields["a"].required) == ("A", "A", True)
    assert fields["a"].info is not None
    assert fields["a"].info.description == "the a"
    assert fields["b"].lookups == (("in",), ("b",))
    assert (fields["b"].serialization_alias, fields["b"].exclude) == ("out", True)
    assert fields["b"].get_default() == []
    assert fields["c"].lookups == (("x",), ("y", 0), ("c",))


def test_a_struct() -> None:
    schema = schema_of(Plain)
    assert isinstance(schema, nodes.ModelSchema)
    assert (schema.extra, schema.tag, schema.tag_field, schema.is_base_model) == (
        "forbid",
        "p",
        "type",
        False,
    )
    fields = fields_of(Plain)
    assert fields["some_name"].lookups == (("someName",),)
    assert fields["some_name"].serialization_alias == "someName"
    assert fields["more"].get_default() == []
    assert fields["more"].get_default() is not fields["more"].get_default()
    assert fields["other"].get_default() == "x"
    assert fields["other"].info is not None
    assert isinstance(fields["other"].schema, nodes.StrSchema)
    assert fields["other"].schema.max_length == 3


def test_a_dataclass() -> None:
    fields = fields_of(Data)
    assert not fields["b"].init
    assert fields["c"].kw_only
    assert fields["d"].get_default() == []
    assert fields["a"].get_default() is Undefined


def test_a_typed_dict_of_strings() -> None:
    fields = fields_of(Shape)
    assert [name for name, field in fields.items() if field.required] == ["a"]
    assert isinstance(fields["c"].schema, nodes.IntSchema)
    assert isinstance(fields["d"].schema, nodes.IntSchema)


def test_a_named_tuple() -> None:
    assert [field.required for field in fields_of(Point).values()] == [True, False]
    schema = schema_of(Point)
    assert isinstance(schema, nodes.ModelSchema)
    assert schema.extra == "forbid"
