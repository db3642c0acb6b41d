"""What stands beside a type: constraints in `Annotated[...]` and in a FieldInfo, put into its node.

A constraint goes into a node that has a place for it (`IntSchema.gt`). Into `X | None` it goes inside.
Anything else is wrapped in a `CheckSchema`, which looks at the finished value, as pydantic does.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import msgspec

from fastweb.exceptions import FastWebError
from fastweb.fields import CONSTRAINTS, FieldInfo
from fastweb.validation import nodes
from fastweb.validation.nodes import Schema

__all__ = ["apply_field", "apply_metadata", "constrain"]

_S = TypeVar("_S", bound=Schema)

_BOUNDS = ("gt", "ge", "lt", "le")
_LENGTHS = ("min_length", "max_length")
#: What these types can never satisfy; said at startup and not by the first request.
_MEANINGLESS: dict[type[Schema], tuple[str, ...]] = {
    nodes.IntSchema: (*_LENGTHS, "pattern", "max_digits", "decimal_places"),
    nodes.FloatSchema: (*_LENGTHS, "pattern", "max_digits", "decimal_places"),
    nodes.BoolSchema: (*_LENGTHS, "pattern", "max_digits", "decimal_places"),
    nodes.StrSchema: ("multiple_of", "max_digits", "decimal_places"),
    nodes.DecimalSchema: (*_LENGTHS, "pattern"),
    nodes.DatetimeSchema: (*_LENGTHS, "pattern", "multiple_of", "max_digits", "decimal_places"),
    nodes.DateSchema: (*_LENGTHS, "pattern", "multiple_of", "max_digits", "decimal_places"),
    nodes.TimeSchema: (*_LENGTHS, "pattern", "multiple_of", "max_digits", "decimal_places"),
    nodes.TimedeltaSchema: (*_LENGTHS, "pattern", "max_digits", "decimal_places"),
    nodes.UUIDSchema: (*_LENGTHS, "pattern", "multiple_of", "max_digits", "decimal_places"),
    nodes.ListSchema: ("pattern", "multiple_of", "max_digits", "decimal_places"),
    nodes.DictSchema: ("pattern", "multiple_of", "max_digits", "decimal_places"),
    nodes.ModelSchema: ("pattern", "multiple_of", "max_digits", "decimal_places"),
}


def apply_field(schema: Schema, field: FieldInfo) -> Schema:
    """The schema with a field's constraints and discriminator, and the field among its metadata."""
    given = field.constraints()
    for name in CONSTRAINTS:
        if name in given:
            value = given[name]
            if name == "decimal_places" and not isinstance(_not_null(schema), nodes.DecimalSchema):
                value = (value, given.get("max_digits"))
            schema = constrain(schema, name, value)
    if field.discriminator is not None:
        schema = _discriminate(schema, field.discriminator)
    return _with_metadata(schema, field)


def _not_null(schema: Schema) -> Schema:
    while isinstance(schema, (nodes.NullableSchema, nodes.UnsetSchema)):
        schema = schema.inner
    return schema


def apply_metadata(schema: Schema, item: Any) -> Schema:
    """The schema with one item of `Annotated`: a FieldInfo, msgspec.Meta or one of annotated_types; others
    are kept, unread.
    """
    if item is None:
        return schema
    if isinstance(item, FieldInfo):
        return apply_field(schema, item)
    if isinstance(item, msgspec.Meta):
        for name in (*_BOUNDS, "multiple_of", *_LENGTHS, "pattern"):
            value = getattr(item, name)
            if value is not None:
                schema = constrain(schema, name, value)
        if item.tz is not None:
            schema = constrain(schema, "tz", item.tz)
        return _with_metadata(schema, item)
    if getattr(item, "__is_annotated_types_grouped_metadata__", False) is True:
        for each in item:
            schema = apply_metadata(schema, each)
        return schema
    # Known by their names: annotated_types is not a dependency.
    if type(item).__module__ == "annotated_types":
        known = {
            "Gt": "gt",
            "Ge": "ge",
            "Lt": "lt",
            "Le": "le",
            "MultipleOf": "multiple_of",
            "MinLen": "min_length",
            "MaxLen": "max_length",
        }.get(type(item).__name__)
        if known is not None:
            return constrain(schema, known, getattr(item, known))
        if type(item).__name__ in ("Predicate", "Not"):
            return nodes.CheckSchema(inner=schema, name=type(item).__name__.lower(), value=item.func)
    return _with_metadata(schema, item)


def _with_metadata(schema: Schema, item: Any) -> Schema:
    schema = _copied(schema)
    schema.metadata = (*schema.metadata, item)
    return schema


def _copied(schema: _S) -> _S:
    if isinstance(schema, nodes.RefSchema) and schema.target is None:
        return schema  # it will be completed in place, so there must be no second one
    return copy.copy(schema)


def constrain(schema: Schema, name: str, value: Any) -> Schema:
    """The schema with one constraint.

    Raises:
        FastWebError: the type can never satisfy it.
    """
    if isinstance(schema, (nodes.NullableSchema, nodes.UnsetSchema)):
        schema = _copied(schema)
        schema.inner = constrain(schema.inner, name, value)
        return schema
    if name in _MEANINGLESS.get(type(schema), ()):
        kind = type(schema).__name__.removesuffix("Schema").lower()
        raise FastWebError(f"the constraint {name}={value!r} does not apply to the type {kind}; remove it")
    if name == "strict":
        return _strict(schema, bool(value))
    if name in _slots(schema):
        schema = _copied(schema)
        setattr(schema, name, value)
        return schema
    if name == "allow_inf_nan" and value:
        return schema
    if name == "tz":
        raise FastWebError("msgspec.Meta(tz=...) applies to datetime and time alone; remove it")
    return nodes.CheckSchema(inner=schema, name=name, value=value)


def _slots(schema: Schema) -> frozenset[str]:
    if isinstance(schema, (nodes.CheckSchema, nodes.SequenceSchema)):
        return frozenset()
    if isinstance(schema, nodes.DictSchema) and schema.kind == "defaultdict":
        return frozenset()
    return frozenset(schema.__struct_fields__) & {*CONSTRAINTS, "tz"}


def _strict(schema: Schema, value: bool) -> Schema:
    schema = _copied(schema)
    if isinstance(schema, nodes.CheckSchema):
        schema.inner = _strict(schema.inner, value)
    schema.strict = value
    return schema


def _discriminate(schema: Schema, discriminator: Any) -> Schema:
    if isinstance(schema, (nodes.NullableSchema, nodes.UnsetSchema)):
        schema = _copied(schema)
        schema.inner = _discriminate(schema.inner, discriminator)
        return schema
    if not isinstance(discriminator, str):
        raise FastWebError(
            "a discriminator that is a function works with pydantic's models alone; name a field instead"
        )
    if isinstance(schema, nodes.UnionSchema):
        schema = _copied(schema)
        schema.discriminator = discriminator
    return schema
