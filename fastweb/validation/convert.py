"""The fast path for Python values: msgspec converts them where that is exact.

What `fastweb.validation.msgspec_backend` says of JSON documents holds for Python objects too, but for what JSON does not have: floats
that are not finite, and objects that fit several members of a union. What msgspec refuses goes to the walker, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from fastweb.validation import nodes
from fastweb.validation.msgspec_backend import decoder_of
from fastweb.validation.nodes import Schema

__all__ = ["REFUSED", "converter_of"]

#: What a converter raises for a value that is for the walker to judge.
REFUSED = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)


def converter_of(schema: Schema) -> Callable[[Any], Any] | None:
    """A function that gives, or raises one of `REFUSED`, what the walker gives for this schema; None where there is none."""
    if not _suits(schema, set()):
        return None
    decoder = decoder_of(schema)
    if decoder is None:
        return None
    target, convert = decoder.type, msgspec.convert

    def converted(value: Any) -> Any:
        return convert(value, target)

    return converted


def _suits(schema: Schema, seen: set[int]) -> bool:
    if isinstance(schema, nodes.RefSchema):
        schema = schema.resolve()
    if id(schema) in seen:
        return True
    seen.add(id(schema))
    if isinstance(schema, nodes.FloatSchema):
        bounds = (schema.gt, schema.ge, schema.lt, schema.le, schema.multiple_of)
        return schema.allow_inf_nan is not False and all(bound is None for bound in bounds)
    if isinstance(schema, nodes.ModelSchema):
        # Objects may stand for a Struct alone: others have more ways of being made.
        return schema.kind == "struct" and all(_suits(field.schema, seen) for field in schema.fields)
    if isinstance(schema, nodes.NullableSchema):
        return _suits(schema.inner, seen)
    if isinstance(schema, nodes.ListSchema):
        return _suits(schema.item, seen)
    if isinstance(schema, nodes.DictSchema):
        return _suits(schema.key, seen) and _suits(schema.value, seen)
    return isinstance(schema, (nodes.StrSchema, nodes.IntSchema, nodes.BoolSchema, nodes.NoneSchema, nodes.UUIDSchema))
