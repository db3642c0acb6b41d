"""The fast path for Python values: msgspec converts them where that is exact.

What `fastweb.validation.msgspec_backend` says of JSON documents holds for Python objects too, but for what
JSON does not have: floats that are not finite, objects that fit several members of a union, and instances of
subclasses of str and the like, which msgspec keeps. So what it made has still to be proven
(`fastweb.validation.proofs`). What it refuses goes to the walker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.msgspec_backend import decoder_of
from fastweb.validation.nodes import Schema
from fastweb.validation.proofs import prover_of

__all__ = ["converter_of"]


def converter_of(schema: Schema) -> Callable[[Any], Any] | None:
    """A function that gives what the walker gives for this schema, or Undefined where it does not know; None
    if it never does.
    """
    prover = prover_of(schema)
    if prover is None or not _suits(schema, set()):
        return None
    decoder = decoder_of(schema)
    if decoder is None:
        return None
    target, convert, proves = decoder.type, msgspec.convert, prover.proves

    def converted(value: Any) -> Any:
        try:
            made = convert(value, target)
        except (
            Exception
        ):  # msgspec's own errors, and whatever the value's methods raise: the walker will say it
            return Undefined
        return made if proves(made) else Undefined

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
    return isinstance(
        schema, (nodes.StrSchema, nodes.IntSchema, nodes.BoolSchema, nodes.NoneSchema, nodes.UUIDSchema)
    )
