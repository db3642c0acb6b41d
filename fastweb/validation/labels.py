"""The names of schemas in the locations of errors: which member of a union it was that failed, as in
`("body", "list[int]")`.
"""

from __future__ import annotations

import enum
import os
from typing import Any

from fastweb.validation import nodes

__all__ = ["label_of"]

_PLAIN: dict[type[nodes.Schema], str] = {
    nodes.AnySchema: "any",
    nodes.NoneSchema: "none",
    nodes.BoolSchema: "bool",
    nodes.IntSchema: "int",
    nodes.FloatSchema: "float",
    nodes.ComplexSchema: "complex",
    nodes.StrSchema: "str",
    nodes.BytesSchema: "bytes",
    nodes.DecimalSchema: "decimal",
    nodes.FractionSchema: "fraction",
    nodes.DatetimeSchema: "datetime",
    nodes.DateSchema: "date",
    nodes.TimeSchema: "time",
    nodes.TimedeltaSchema: "timedelta",
    nodes.UUIDSchema: "uuid",
    nodes.CallableSchema: "callable",
    nodes.ZoneInfoSchema: "function-plain[validate_str_is_valid_iana_tz()]",
    nodes.HashableSchema: (
        "custom-error[json-or-python[json=chain[any,is-instance[Hashable]],python=is-instance[Hashable]]]"
    ),
}
_COLLECTIONS: dict[type[nodes.Schema], str] = {
    nodes.ListSchema: "list",
    nodes.SetSchema: "set",
    nodes.FrozenSetSchema: "frozenset",
    nodes.DequeSchema: "deque",
    nodes.IterableSchema: "generator",
}
_CONSTRAINED = (nodes.IntSchema, nodes.FloatSchema, nodes.StrSchema, nodes.BytesSchema)
_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
_CHECKS = {
    "gt": "greater_than_validator",
    "ge": "greater_than_or_equal_validator",
    "lt": "less_than_validator",
    "le": "less_than_or_equal_validator",
    "predicate": "val_func",
    "not": "val_func",
}


def label_of(schema: nodes.Schema, open_refs: tuple[int, ...] = ()) -> str:
    """The name of a schema, pydantic's for the same type; types inside themselves are `...`."""
    kind = type(schema)
    plain = _PLAIN.get(kind)
    if plain is not None:
        if isinstance(schema, _CONSTRAINED) and any(
            getattr(schema, name, None) is not None for name in _CONSTRAINTS
        ):
            return f"constrained-{plain}"
        return plain
    inside = (*open_refs, id(schema))

    def of(inner: nodes.Schema) -> str:
        return label_of(inner, inside)

    if isinstance(schema, nodes.RefSchema):
        target = schema.resolve()
        if isinstance(target, nodes.ModelSchema):
            return target.cls.__name__
        return "..." if id(target) in open_refs else label_of(target, open_refs)
    if kind in _COLLECTIONS:
        item: Any = schema
        return f"{_COLLECTIONS[kind]}[{of(item.item)}]"
    if isinstance(schema, nodes.TupleSchema):
        inner = ", ".join(map(of, schema.items))
        return f"tuple[{inner}, ...]" if schema.variadic else f"tuple[{inner}]"
    if isinstance(schema, nodes.DictSchema):
        name = {"OrderedDict": "ordered-dict", "Counter": "counter"}.get(schema.kind, "dict")
        label = f"{name}[{of(schema.key)},{of(schema.value)}]"
        if schema.kind == "defaultdict":
            wrap = "function-wrap[defaultdict_validator()]"
            strict = f"chain[json-or-python[json={label},python=is-instance[defaultdict]],{wrap}]"
            label = f"lax-or-strict[lax={wrap},strict={strict}]"
        return label
    if isinstance(schema, nodes.ModelSchema):
        return schema.cls.__name__
    if isinstance(schema, nodes.EnumSchema):
        prefix = "int-" if issubclass(schema.cls, int) else "str-" if issubclass(schema.cls, str) else ""
        prefix = "float-" if not prefix and issubclass(schema.cls, float) else prefix
        return f"{prefix}enum[{schema.cls.__name__}]"
    if isinstance(schema, nodes.LiteralSchema):
        return f"literal[{','.join(map(repr, schema.values))}]"
    if isinstance(schema, nodes.NullableSchema):
        return f"nullable[{of(schema.inner)}]"
    if isinstance(schema, nodes.UnsetSchema):
        return of(schema.inner)
    if isinstance(schema, nodes.UnionSchema):
        name = "union" if schema.discriminator is None else "tagged-union"
        return f"{name}[{','.join(map(of, schema.choices))}]"
    if isinstance(schema, nodes.SequenceSchema):
        item_label = of(schema.item)
        python = "is-instance[Sequence]"
        if not isinstance(schema.item, nodes.AnySchema):
            python = f"chain[{python},function-wrap[sequence_validator()]]"
        return f"json-or-python[json=list[{item_label}],python={python}]"
    if isinstance(schema, nodes.CheckSchema):
        return f"function-after[{_CHECKS.get(schema.name, f'{schema.name}_validator')}(), {of(schema.inner)}]"
    return _special(schema)


def _special(schema: nodes.Schema) -> str:
    if isinstance(schema, nodes.IPSchema):
        name = schema.cls.__name__
        function = f"ip_v{name[3]}_{name[4:].lower()}_validator"
        strict = f"json-or-python[json=function-after[{name}(), str],python=is-instance[{name}]]"
        return f"lax-or-strict[lax=function-plain[{function}()],strict={strict}]"
    if isinstance(schema, nodes.PathSchema):
        inner = "bytes" if schema.param is bytes else "str"
        name = "PathLike" if schema.cls is os.PathLike else schema.cls.__name__
        after = f"function-after[path_validator(), {inner}]"
        strict = f"json-or-python[json={after},python=is-instance[{name}]]"
        return f"lax-or-strict[lax=union[{strict},{after}],strict={strict}]"
    if isinstance(schema, nodes.PatternSchema):
        which = "either" if schema.param is None else schema.param.__name__
        return f"function-plain[pattern_{which}_validator()]"
    if isinstance(schema, nodes.SubclassSchema):
        return (
            "custom-error[is-instance[type]]" if schema.cls is None else f"is-subclass[{schema.cls.__name__}]"
        )
    if isinstance(schema, (nodes.InstanceSchema, nodes.FunctionSchema)):
        return f"is-instance[{schema.cls.__name__}]"
    if isinstance(schema, nodes.PydanticSchema):
        return getattr(schema.annotation, "__name__", None) or repr(schema.annotation)
    return type(schema).__name__.removesuffix("Schema").lower()


def tag_label(tag: Any) -> int | str:
    """A discriminator's value as an item of a location."""
    if isinstance(tag, enum.Enum) and isinstance(tag, (int, str)):
        tag = tag.value
    if isinstance(tag, str) or (isinstance(tag, int) and not isinstance(tag, bool)):
        return tag
    return repr(tag) if isinstance(tag, enum.Enum) else str(tag)
