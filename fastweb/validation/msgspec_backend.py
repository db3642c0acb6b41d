"""The fast path: which schemas msgspec decodes exactly as fastweb validates, and the decoders for them.

A schema is *exact* when every JSON document that msgspec's strict mode accepts for it is one that the walker
accepts too, with the same value. What msgspec rejects is of no account: the walker has the last word on it.
So the question is never whether msgspec is liberal enough, only whether it is ever too liberal or gives
another value:

* It reads what the class says, and the schema says more (a Field's alias, a discriminator): the two are
  compared, node by node.
* datetime, Decimal, bytes and timedelta have other rules or ranges there.
* A TypedDict keeps the order of the input there, and the order of its fields here.
* In a union the first member that a lax conversion reaches may win, so its members must differ in their JSON
  kind.
"""

from __future__ import annotations

import types
import uuid
from typing import Annotated, Any, Literal, Optional, Union, get_origin

import msgspec
from msgspec import inspect

from fastweb.validation import nodes
from fastweb.validation.named import has_own_missing
from fastweb.validation.scalars import compile_pattern

__all__ = ["decoder_of", "is_exact"]


def decoder_of(schema: nodes.Schema) -> msgspec.json.Decoder[Any] | None:
    """A decoder that gives what the walker gives, for all that it accepts; None where there is none."""
    try:
        target = _type_of(schema)
        if not _agree(schema, inspect.type_info(target), set()):
            return None
        return msgspec.json.Decoder(target)
    except (_NotExactError, TypeError, ValueError, NameError, AttributeError, RecursionError):
        return None  # msgspec does not support the type


def is_exact(schema: nodes.Schema) -> bool:
    """Whether msgspec decodes this schema exactly."""
    return decoder_of(schema) is not None


class _NotExactError(Exception):
    pass


def _meta(schema: nodes.Schema, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(schema, name)) is not None}


def _generic(origin: Any, *arguments: Any) -> Any:
    return types.GenericAlias(origin, arguments)


def _with(base: Any, constraints: dict[str, Any]) -> Any:
    return Annotated[base, msgspec.Meta(**constraints)] if constraints else base


def _type_of(schema: nodes.Schema) -> Any:
    """The type that stands for the schema in msgspec; classes stand for themselves."""
    if isinstance(schema, nodes.RefSchema):
        schema = schema.resolve()
    if isinstance(schema, nodes.ModelSchema):
        return schema.annotation
    if isinstance(schema, nodes.AnySchema):
        return Any
    if isinstance(schema, nodes.NoneSchema):
        return None
    if isinstance(schema, nodes.BoolSchema):
        return bool
    if isinstance(schema, nodes.IntSchema):
        return _with(int, _meta(schema, "gt", "ge", "lt", "le"))
    if isinstance(schema, nodes.FloatSchema):
        return _with(float, _meta(schema, "gt", "ge", "lt", "le"))
    if isinstance(schema, nodes.StrSchema):
        constraints = _meta(schema, "min_length", "max_length", "pattern")
        if "pattern" in constraints:
            constraints["pattern"] = compile_pattern(constraints["pattern"]).pattern
        return _with(str, constraints)
    if isinstance(schema, nodes.UUIDSchema):
        return uuid.UUID
    if isinstance(schema, nodes.EnumSchema):
        return schema.cls
    if isinstance(schema, nodes.LiteralSchema):
        return Literal[schema.values]
    if isinstance(schema, nodes.NullableSchema):
        return Optional[_type_of(schema.inner)]  # noqa: UP045 - a value
    if isinstance(schema, nodes.UnionSchema):
        return Union[tuple(map(_type_of, schema.choices))]  # noqa: UP007 - a value
    if isinstance(schema, nodes.TupleSchema):
        items = tuple(map(_type_of, schema.items))
        if schema.variadic:
            return _with(_generic(tuple, items[0], ...), _meta(schema, "min_length", "max_length"))
        return _generic(tuple, *items)
    if isinstance(schema, nodes.DictSchema):
        base = _generic(dict, _type_of(schema.key), _type_of(schema.value))
        return _with(base, _meta(schema, "min_length", "max_length"))
    if isinstance(schema, nodes.ListSchema | nodes.SequenceSchema):
        return _with(_generic(list, _type_of(schema.item)), _meta(schema, "min_length", "max_length"))
    if isinstance(schema, nodes.SetSchema | nodes.FrozenSetSchema):
        return _generic(set if isinstance(schema, nodes.SetSchema) else frozenset, _type_of(schema.item))
    raise _NotExactError


_MODELS = (inspect.StructType, inspect.DataclassType, inspect.NamedTupleType)


def _agree(schema: nodes.Schema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    """Whether msgspec, which reads its own `kind`, does what the schema says."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(schema, nodes.RefSchema):
        schema = schema.resolve()
    if isinstance(schema, nodes.UnsetSchema):
        return _agree(schema.inner, kind, seen)
    if schema.strict:
        return False  # strict in Python: a JSON array is no tuple, text is no UUID
    mark = (id(schema), id(kind))
    if mark in seen:
        return True
    seen.add(mark)
    check = _CHECKS.get(type(schema))
    return check is not None and bool(check(schema, kind, seen))


def _bounds(schema: Any, kind: Any, *names: str) -> bool:
    return all(getattr(schema, name) == getattr(kind, name) for name in names)


def _any(schema: nodes.Schema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return isinstance(kind, inspect.AnyType)


def _none(schema: nodes.Schema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return isinstance(kind, inspect.NoneType)


def _bool(schema: nodes.Schema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return isinstance(kind, inspect.BoolType)


def _int(schema: nodes.IntSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    # msgspec does not look at multiple_of beyond 64 bits.
    return (
        isinstance(kind, inspect.IntType)
        and schema.multiple_of is None
        and kind.multiple_of is None
        and _bounds(schema, kind, "gt", "ge", "lt", "le")
    )


def _float(schema: nodes.FloatSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    # JSON has no NaN, and msgspec rejects what overflows: allow_inf_nan is always kept.
    return (
        isinstance(kind, inspect.FloatType)
        and schema.multiple_of is None
        and kind.multiple_of is None
        and _bounds(schema, kind, "gt", "ge", "lt", "le")
    )


def _str(schema: nodes.StrSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    if schema.strip or schema.to_lower or schema.to_upper or not isinstance(kind, inspect.StrType):
        return False
    if (schema.pattern is None) != (kind.pattern is None):
        return False
    if schema.pattern is not None and compile_pattern(schema.pattern).pattern != kind.pattern:
        return False
    return _bounds(schema, kind, "min_length", "max_length")


def _uuid(schema: nodes.UUIDSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return isinstance(kind, inspect.UUIDType) and schema.version is None


def _enum(schema: nodes.EnumSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    cls = schema.cls
    values = [member.value for member in cls.__members__.values()]
    return (
        isinstance(kind, inspect.EnumType)
        and kind.cls is cls
        and not has_own_missing(cls)
        and not schema.use_values
        and (all(type(value) is str for value in values) or all(type(value) is int for value in values))
    )


def _literal(schema: nodes.LiteralSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return (
        isinstance(kind, inspect.LiteralType)
        and all(type(value) in (int, str) for value in schema.values)
        and sorted(map(repr, kind.values)) == sorted(map(repr, schema.values))
    )


def _list(schema: nodes.ListSchema | nodes.SequenceSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return (
        isinstance(kind, inspect.ListType)
        and _bounds(schema, kind, "min_length", "max_length")
        and _agree(schema.item, kind.item_type, seen)
    )


def _set(schema: nodes.SetSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    wanted = inspect.SetType if isinstance(schema, nodes.SetSchema) else inspect.FrozenSetType
    # msgspec counts items before it puts equal ones together, so it knows no length of a set.
    return (
        isinstance(kind, wanted)
        and schema.min_length is schema.max_length is kind.min_length is kind.max_length is None
        and _agree(schema.item, kind.item_type, seen)
    )


def _tuple(schema: nodes.TupleSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    if schema.variadic:
        return (
            isinstance(kind, inspect.VarTupleType)
            and _bounds(schema, kind, "min_length", "max_length")
            and _agree(schema.items[0], kind.item_type, seen)
        )
    return (
        isinstance(kind, inspect.TupleType)
        and schema.min_length is None
        and schema.max_length is None
        and len(kind.item_types) == len(schema.items)
        and all(_agree(a, b, seen) for a, b in zip(schema.items, kind.item_types, strict=True))
    )


def _dict(schema: nodes.DictSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return (
        isinstance(kind, inspect.DictType)
        and schema.kind == "dict"
        and _bounds(schema, kind, "min_length", "max_length")
        and isinstance(schema.key, (nodes.StrSchema, nodes.IntSchema, nodes.AnySchema))
        and _agree(schema.key, kind.key_type, seen)
        and _agree(schema.value, kind.value_type, seen)
    )


def _nullable(schema: nodes.NullableSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    if isinstance(kind, inspect.AnyType):
        return _agree(schema.inner, kind, seen)
    if not isinstance(kind, inspect.UnionType):
        return False
    rest = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    if len(rest) == len(kind.types) or not rest:
        return False
    if len(rest) > 1:
        return isinstance(schema.inner, nodes.UnionSchema) and _members(schema.inner, rest, seen)
    return _agree(schema.inner, rest[0], seen)


def _union(schema: nodes.UnionSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    return isinstance(kind, inspect.UnionType) and _members(schema, list(kind.types), seen)


def _members(schema: nodes.UnionSchema, kinds: list[Any], seen: set[tuple[int, int]]) -> bool:
    choices = [
        choice.resolve() if isinstance(choice, nodes.RefSchema) else choice for choice in schema.choices
    ]
    if len(choices) != len(kinds):
        return False
    tagged = all(
        isinstance(choice, nodes.ModelSchema) and choice.tag_field is not None and not choice.array_like
        for choice in choices
    )
    if tagged:
        fields = {choice.tag_field for choice in choices if isinstance(choice, nodes.ModelSchema)}
        if len(fields) != 1 or schema.discriminator not in (None, *fields):
            return False
    else:
        json_kinds = [_json_kind(choice) for choice in choices]
        if schema.discriminator is not None or None in json_kinds or len(set(json_kinds)) != len(json_kinds):
            return False
    left = list(kinds)
    for choice in choices:
        for index, kind in enumerate(left):
            if _same_kind(choice, kind):
                if not _agree(choice, kind, seen):
                    return False
                del left[index]
                break
        else:
            return False
    return True


def _json_kind(schema: nodes.Schema) -> str | None:
    """What a member of a union is in JSON; None for one that may not stand beside others.

    Only those that pydantic takes for an exact match, or that nothing else can be made of, stand.
    """
    if isinstance(schema, nodes.ModelSchema):
        return "object" if schema.kind in ("struct", "dataclass") and not schema.array_like else None
    return {
        nodes.BoolSchema: "boolean",
        nodes.IntSchema: "integer",
        nodes.FloatSchema: "number",
        nodes.StrSchema: "string",
        nodes.ListSchema: "array",
        nodes.DictSchema: "object",
    }.get(type(schema))


_KIND_OF: dict[type[nodes.Schema], type[Any]] = {
    nodes.BoolSchema: inspect.BoolType,
    nodes.IntSchema: inspect.IntType,
    nodes.FloatSchema: inspect.FloatType,
    nodes.StrSchema: inspect.StrType,
    nodes.ListSchema: inspect.ListType,
    nodes.DictSchema: inspect.DictType,
}


def _same_kind(schema: nodes.Schema, kind: Any) -> bool:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(schema, nodes.ModelSchema):
        return isinstance(kind, _MODELS) and _same_class(schema, kind)
    wanted = _KIND_OF.get(type(schema))
    return wanted is not None and isinstance(kind, wanted)


def _same_class(schema: nodes.ModelSchema, kind: Any) -> bool:
    return (get_origin(kind.cls) or kind.cls) is schema.cls


def _model(schema: nodes.ModelSchema, kind: Any, seen: set[tuple[int, int]]) -> bool:
    if (
        not isinstance(kind, _MODELS)
        or not _same_class(schema, kind)
        or len(kind.fields) != len(schema.fields)
    ):
        return False
    if isinstance(kind, inspect.StructType):
        if schema.kind != "struct" or kind.array_like != schema.array_like or kind.tag != schema.tag:
            return False
        if schema.extra == "allow" or (schema.extra == "forbid") != kind.forbid_unknown_fields:
            return False
    elif isinstance(kind, inspect.DataclassType):
        params = getattr(schema.cls, "__dataclass_params__", None)
        if schema.kind != "dataclass" or schema.extra != "ignore" or params is None or not params.init:
            return False
    elif schema.kind != "namedtuple":
        return False
    for field, other in zip(schema.fields, kind.fields, strict=True):
        if field.name != other.name or field.required != other.required or not field.init:
            return False
        first = field.lookups[0]
        # Another name that might have the value is of no account where msgspec insists on the first.
        if first != (other.encode_name,) or (len(field.lookups) > 1 and not field.required):
            return False
        if field.validate_default and not field.required:
            return False
        if not schema.is_base_model and not _same_default(field, other):
            return False
        if not _agree(field.schema, other.type, seen):
            return False
    return True


def _same_default(field: nodes.FieldSchema, other: Any) -> bool:
    if field.required:
        return True
    if other.default is msgspec.NODEFAULT and other.default_factory is msgspec.NODEFAULT:
        return isinstance(field.schema, nodes.UnsetSchema)
    return other.default is msgspec.NODEFAULT or other.default is field.default


_CHECKS: dict[type[nodes.Schema], Any] = {
    nodes.AnySchema: _any,
    nodes.NoneSchema: _none,
    nodes.BoolSchema: _bool,
    nodes.IntSchema: _int,
    nodes.FloatSchema: _float,
    nodes.StrSchema: _str,
    nodes.UUIDSchema: _uuid,
    nodes.EnumSchema: _enum,
    nodes.LiteralSchema: _literal,
    nodes.ListSchema: _list,
    nodes.SequenceSchema: _list,
    nodes.SetSchema: _set,
    nodes.FrozenSetSchema: _set,
    nodes.TupleSchema: _tuple,
    nodes.DictSchema: _dict,
    nodes.NullableSchema: _nullable,
    nodes.UnionSchema: _union,
    nodes.ModelSchema: _model,
}
