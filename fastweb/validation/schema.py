"""The theory of validation: what an annotation means, as a tree of schema nodes.

`schema_of` reads an annotation once. Everything that acts on types (the walker, the msgspec backend, the
serializer, the JSON schema) reads the tree and never the annotation. The reading follows pydantic's
documented conversion table (https://docs.pydantic.dev/latest/concepts/conversion_table/) and its rules for
`Annotated` metadata.
"""

from __future__ import annotations

import collections
import collections.abc
import datetime
import decimal
import enum
import fractions
import functools
import inspect
import ipaddress
import os
import pathlib
import re
import sys
import types
import typing
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

import msgspec

from fastweb.exceptions import FastWebError, PydanticV1NotSupportedError
from fastweb.fields import FieldInfo
from fastweb.validation import nodes
from fastweb.validation.annotations import (
    evaluate,
    is_type_alias,
    is_union,
    reaches_pydantic,
    substitute,
)
from fastweb.validation.constraints import apply_field, apply_metadata
from fastweb.validation.nodes import *  # noqa: F403 - the nodes are this module's vocabulary
from fastweb.validation.nodes import Schema

__all__ = ["Builder", "schema_of"]
__all__ += nodes.__all__


def schema_of(
    annotation: Any,
    *,
    field: FieldInfo | None = None,
    owner: Any = None,
    namespace: Mapping[str, Any] | None = None,
    arbitrary_types: bool = False,
) -> Schema:
    """The schema of an annotation.

    Arguments:
        annotation: a type, or the text of one.
        field: constraints and words to add, as though they stood last in `Annotated`.
        owner: the function or class in whose module names in strings are looked up.
        namespace: more names for strings.
        arbitrary_types: take classes of an unknown kind and ask for an instance of them.

    Raises:
        FastWebError: the annotation is none that fastweb can validate, or a constraint does not fit it.
    """
    annotation = evaluate(annotation, owner, namespace)
    builder = Builder(namespace=namespace, arbitrary_types=arbitrary_types)
    return builder.whole(annotation, field)


class Builder:
    """Makes the schema of one annotation; models that occur in it twice share one node."""

    def __init__(self, *, namespace: Mapping[str, Any] | None = None, arbitrary_types: bool = False) -> None:
        self.namespace = namespace
        #: The configuration of the model whose fields are being read.
        self.config: dict[str, Any] = {"arbitrary_types_allowed": True} if arbitrary_types else {}
        self._done: dict[Any, Schema] = {}
        self._pending: dict[Any, list[nodes.RefSchema]] = {}

    def whole(self, annotation: Any, field: FieldInfo | None = None) -> Schema:
        """The schema of a whole annotation: of a parameter, a body, a response or one field of a model."""
        pydantic, struct = reaches_pydantic(annotation)
        if pydantic and not struct:
            return nodes.PydanticSchema(annotation=annotation, field=field)
        schema = self.build(annotation)
        return schema if field is None else apply_field(schema, field)

    def build(self, annotation: Any) -> Schema:
        """The schema of an annotation, or of a part of one."""
        metadata: tuple[Any, ...] = ()
        while get_origin(annotation) is Annotated:
            metadata = annotation.__metadata__ + metadata
            annotation = get_args(annotation)[0]
        if metadata:
            pydantic, struct = reaches_pydantic(Annotated[(annotation, *metadata)])
            if pydantic and not struct:
                return nodes.PydanticSchema(annotation=Annotated[(annotation, *metadata)])
        schema = self._plain(annotation)
        for item in metadata:
            schema = apply_metadata(schema, item)
        return schema

    # One type, without metadata

    def _plain(self, annotation: Any) -> Schema:
        if isinstance(annotation, (str, typing.ForwardRef)):
            annotation = evaluate(annotation, None, self.namespace)
            return self.build(annotation)
        origin = get_origin(annotation)
        if is_union(origin):
            return self._union(annotation)
        if origin is typing.Literal:
            return nodes.LiteralSchema(values=_literal_values(annotation))
        plain = _as_key(annotation if origin is None else origin)
        if origin is None or not get_args(annotation):
            simple = _SIMPLE.get(plain)
            if simple is not None:
                return self._configured(simple())
        maker = _GENERIC.get(plain)
        if maker is not None:
            return maker(self, plain, get_args(annotation))
        if plain is tuple:
            return self._tuple(annotation, get_args(annotation))
        if plain is type:
            return self._subclass(get_args(annotation))
        if is_type_alias(plain):
            return self._alias(annotation, plain, get_args(annotation))
        if isinstance(annotation, TypeVar):
            return self._typevar(annotation)
        if hasattr(annotation, "__supertype__"):  # a NewType
            return self.build(annotation.__supertype__)
        if isinstance(plain, type):
            return self._class(annotation, plain)
        if annotation is Ellipsis or plain is None:
            return nodes.NoneSchema()
        if _qualified(annotation):
            return self.build(get_args(annotation)[0])
        raise _unsupported(annotation)

    def _configured(self, schema: Schema) -> Schema:
        """The node, with what the model's configuration says of all nodes of its kind."""
        config = self.config
        if not config:
            return schema
        if config.get("strict"):
            schema.strict = True
        if isinstance(schema, nodes.StrSchema):
            schema.strip = bool(config.get("str_strip_whitespace"))
            schema.to_lower = bool(config.get("str_to_lower"))
            schema.to_upper = bool(config.get("str_to_upper"))
            schema.min_length = config.get("str_min_length") or None
            schema.max_length = config.get("str_max_length")
            schema.coerce_numbers = bool(config.get("coerce_numbers_to_str"))
        elif isinstance(schema, (nodes.FloatSchema, nodes.DecimalSchema)):
            schema.allow_inf_nan = config.get("allow_inf_nan")
        return schema

    def _union(self, annotation: Any) -> Schema:
        pydantic, _ = reaches_pydantic(annotation)
        choices: list[Schema] = []
        nullable = unset = False
        for argument in get_args(annotation):
            if argument is type(None):
                nullable = True
            elif argument is msgspec.UnsetType:
                unset = True
            elif pydantic and reaches_pydantic(argument) == (True, False):
                choices.append(nodes.PydanticSchema(annotation=argument))
            else:
                choices.append(self.build(argument))
        schema: Schema
        if not choices:
            schema = nodes.NoneSchema()
            nullable = False
        elif len(choices) == 1:
            schema = choices[0]
        else:
            schema = nodes.UnionSchema(choices=tuple(choices), strict=bool(self.config.get("strict")))
        if nullable:
            schema = nodes.NullableSchema(inner=schema)
        return nodes.UnsetSchema(inner=schema) if unset else schema

    def _tuple(self, annotation: Any, arguments: tuple[Any, ...]) -> Schema:
        if not arguments:
            if annotation is tuple or annotation is typing.Tuple:  # noqa: UP006
                return nodes.TupleSchema(items=(nodes.AnySchema(),), variadic=True, strict=self._strict)
            return nodes.TupleSchema(items=(), strict=self._strict)
        if arguments[-1] is Ellipsis:
            return nodes.TupleSchema(items=(self.build(arguments[0]),), variadic=True, strict=self._strict)
        return nodes.TupleSchema(items=tuple(map(self.build, arguments)), strict=self._strict)

    @property
    def _strict(self) -> bool:
        return bool(self.config.get("strict"))

    def _subclass(self, arguments: tuple[Any, ...]) -> Schema:
        target = arguments[0] if arguments else Any
        if get_origin(target) is Annotated:
            target = get_args(target)[0]
        if isinstance(target, TypeVar):
            target = target.__bound__ or Any
        if target is Any:
            return nodes.SubclassSchema()
        if is_union(get_origin(target)):
            return nodes.UnionSchema(choices=tuple(self._subclass((each,)) for each in get_args(target)))
        if target is None:
            target = type(None)
        if not isinstance(target, type):
            raise _unsupported(type[target])
        return nodes.SubclassSchema(cls=target)

    def _alias(self, annotation: Any, alias: Any, arguments: tuple[Any, ...]) -> Schema:
        key = _key(annotation, self.config)
        found = self._begin(key, getattr(alias, "__name__", "alias"))
        if found is not None:
            return found
        module = getattr(alias, "__module__", None)
        value = evaluate(alias.__value__, types.SimpleNamespace(__module__=module), self.namespace)
        typevars = dict(zip(getattr(alias, "__type_params__", ()), arguments, strict=False))
        return self._end(key, self.build(substitute(value, typevars)))

    def _typevar(self, typevar: TypeVar) -> Schema:
        default = getattr(typevar, "__default__", None)
        if default is not None and default is not getattr(typing, "NoDefault", None):
            return self.build(default)
        if typevar.__constraints__:
            return self.build(typing.Union[typevar.__constraints__])  # noqa: UP007 - a tuple
        return nodes.AnySchema() if typevar.__bound__ is None else self.build(typevar.__bound__)

    def _class(self, annotation: Any, cls: type[Any]) -> Schema:
        from fastweb.validation import model_schema  # it builds the fields with this class

        if issubclass(cls, enum.Enum):
            if not cls.__members__:
                return nodes.InstanceSchema(cls=cls)
            return nodes.EnumSchema(
                cls=cls, strict=self._strict, use_values=bool(self.config.get("use_enum_values"))
            )
        if model_schema.is_model(cls):
            key = _key(annotation, self.config)
            found = self._begin(key, cls.__qualname__)
            return self._end(key, model_schema.build(self, annotation, cls)) if found is None else found
        rule = getattr(cls, "_fastweb_validate", None)
        if rule is not None:
            return nodes.FunctionSchema(cls=cls, function=rule)
        pydantic, _ = reaches_pydantic(annotation)
        if pydantic:
            return nodes.PydanticSchema(annotation=annotation)
        if issubclass(cls, zoneinfo.ZoneInfo):
            return nodes.ZoneInfoSchema()
        if self.config.get("arbitrary_types_allowed"):
            return nodes.InstanceSchema(cls=cls)
        raise _unsupported(annotation)

    # Definitions that may contain themselves

    def _begin(self, key: Any, name: str) -> Schema | None:
        if key in self._done:
            return self._done[key]
        if key in self._pending:
            ref = nodes.RefSchema(name=name)
            self._pending[key].append(ref)
            return ref
        self._pending[key] = []
        return None

    def _end(self, key: Any, schema: Schema) -> Schema:
        for ref in self._pending.pop(key):
            if isinstance(schema, nodes.RefSchema):
                raise FastWebError(f"the type {ref.name} is defined as itself and nothing else")
            ref.target = schema
        self._done[key] = schema
        return schema


def _key(annotation: Any, config: Mapping[str, Any]) -> Any:
    # A dataclass or TypedDict inherits the configuration of the model that it stands in.
    try:
        hash(annotation)
    except TypeError:
        annotation = id(annotation)
    return annotation, tuple(sorted((name, repr(value)) for name, value in config.items()))


def _as_key(annotation: Any) -> Any:
    try:
        hash(annotation)
    except TypeError:
        return None
    return annotation


def _qualified(annotation: Any) -> bool:
    return getattr(get_origin(annotation), "_name", None) in ("Final", "Required", "NotRequired", "ReadOnly")


def _literal_values(annotation: Any) -> tuple[Any, ...]:
    values: list[Any] = []
    for value in get_args(annotation):
        if is_type_alias(value):
            values.extend(_literal_values(value.__value__))
        elif get_origin(value) is typing.Literal:
            values.extend(_literal_values(value))
        else:
            values.append(value)
    return tuple(values)


def _unsupported(annotation: Any) -> FastWebError:
    name = annotation.__qualname__ if inspect.isclass(annotation) else repr(annotation)
    v1 = getattr(sys.modules.get("pydantic.v1"), "BaseModel", None)
    if v1 is not None and inspect.isclass(annotation) and issubclass(annotation, v1):
        return PydanticV1NotSupportedError(
            f"{name} is a model of pydantic.v1, which is not supported: derive it from pydantic.BaseModel"
        )
    return FastWebError(
        f"fastweb cannot validate the type {name}, which is no valid Pydantic field type either: use a "
        "fastweb.models.BaseModel, a msgspec.Struct, a dataclass, a TypedDict, a NamedTuple, an Enum, a "
        "pydantic model or a data type of the standard library; in a BaseModel, "
        'model_config = {"arbitrary_types_allowed": True} takes any instance of it'
    )


_Maker = Callable[[Builder, Any, tuple[Any, ...]], Schema]


def _collection(node: Callable[..., Schema]) -> _Maker:
    def make(builder: Builder, origin: Any, arguments: tuple[Any, ...]) -> Schema:
        item = builder.build(arguments[0]) if arguments else nodes.AnySchema()
        return node(item=item, strict=bool(builder.config.get("strict")))

    return make


def _mapping(kind: str) -> _Maker:
    def make(builder: Builder, origin: Any, arguments: tuple[Any, ...]) -> Schema:
        key = builder.build(arguments[0]) if arguments else nodes.AnySchema()
        if kind == "Counter":
            value: Schema = nodes.IntSchema()
        else:
            value = builder.build(arguments[1]) if len(arguments) > 1 else nodes.AnySchema()
        factory = (
            _default_factory(arguments[1] if len(arguments) > 1 else Any) if kind == "defaultdict" else None
        )
        strict = bool(builder.config.get("strict")) and origin is dict
        return nodes.DictSchema(
            key=key, value=value, kind=cast(Any, kind), default_factory=factory, strict=strict
        )

    return make


_FACTORIES: dict[Any, Callable[[], Any]] = {
    float: float,
    int: int,
    str: str,
    bool: bool,
    tuple: tuple,
    collections.abc.Sequence: tuple,
    collections.abc.MutableSequence: list,
    list: list,
    set: set,
    collections.abc.MutableSet: set,
    frozenset: frozenset,
    collections.abc.Set: frozenset,
    dict: dict,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
    collections.OrderedDict: collections.OrderedDict,
    collections.Counter: collections.Counter,
}


def _default_factory(annotation: Any) -> Callable[[], Any]:
    """What a defaultdict of such values makes for a missing key.

    Raises:
        FastWebError: it cannot be told from the type of the values.
    """
    if get_origin(annotation) is Annotated:
        for item in annotation.__metadata__:
            if isinstance(item, FieldInfo) and item.default_factory is not None:
                return item.default_factory
        annotation = get_args(annotation)[0]
    factory = _FACTORIES.get(_as_key(get_origin(annotation) or annotation))
    if factory is None:
        raise FastWebError(
            f"a defaultdict of {annotation!r} needs its default named: "
            "defaultdict[..., Annotated[..., Field(default_factory=...)]]"
        )
    return factory


def _path(builder: Builder, origin: Any, arguments: tuple[Any, ...]) -> Schema:
    return nodes.PathSchema(
        cls=origin, param=arguments[0] if arguments else Any, strict=bool(builder.config.get("strict"))
    )


def _pattern(builder: Builder, origin: Any, arguments: tuple[Any, ...]) -> Schema:
    return nodes.PatternSchema(param=arguments[0] if arguments else None)


def _callable(builder: Builder, origin: Any, arguments: tuple[Any, ...]) -> Schema:
    return nodes.CallableSchema()


_SIMPLE: dict[Any, Callable[[], Schema]] = {
    Any: nodes.AnySchema,
    object: nodes.AnySchema,
    None: nodes.NoneSchema,
    type(None): nodes.NoneSchema,
    bool: nodes.BoolSchema,
    int: nodes.IntSchema,
    float: nodes.FloatSchema,
    complex: nodes.ComplexSchema,
    str: nodes.StrSchema,
    typing.LiteralString: nodes.StrSchema,
    bytes: nodes.BytesSchema,
    decimal.Decimal: nodes.DecimalSchema,
    fractions.Fraction: nodes.FractionSchema,
    datetime.datetime: nodes.DatetimeSchema,
    datetime.date: nodes.DateSchema,
    datetime.time: nodes.TimeSchema,
    datetime.timedelta: nodes.TimedeltaSchema,
    uuid.UUID: nodes.UUIDSchema,
    zoneinfo.ZoneInfo: nodes.ZoneInfoSchema,
    collections.abc.Hashable: nodes.HashableSchema,
    **{
        cls: functools.partial(nodes.IPSchema, cls=cls)
        for cls in (
            ipaddress.IPv4Address,
            ipaddress.IPv4Interface,
            ipaddress.IPv4Network,
            ipaddress.IPv6Address,
            ipaddress.IPv6Interface,
            ipaddress.IPv6Network,
        )
    },
}

_GENERIC: dict[Any, _Maker] = {
    list: _collection(nodes.ListSchema),
    collections.abc.MutableSequence: _collection(nodes.ListSchema),
    collections.abc.Sequence: _collection(nodes.SequenceSchema),
    collections.abc.Collection: _collection(nodes.SequenceSchema),
    collections.abc.Iterable: _collection(nodes.IterableSchema),
    collections.abc.Iterator: _collection(nodes.IterableSchema),
    collections.abc.Generator: _collection(nodes.IterableSchema),
    set: _collection(nodes.SetSchema),
    collections.abc.MutableSet: _collection(nodes.SetSchema),
    frozenset: _collection(nodes.FrozenSetSchema),
    collections.abc.Set: _collection(nodes.FrozenSetSchema),
    collections.deque: _collection(nodes.DequeSchema),
    dict: _mapping("dict"),
    collections.abc.Mapping: _mapping("dict"),
    collections.abc.MutableMapping: _mapping("dict"),
    collections.OrderedDict: _mapping("OrderedDict"),
    collections.defaultdict: _mapping("defaultdict"),
    collections.Counter: _mapping("Counter"),
    collections.abc.Callable: _callable,
    os.PathLike: _path,
    pathlib.Path: _path,
    pathlib.PurePath: _path,
    pathlib.PosixPath: _path,
    pathlib.WindowsPath: _path,
    pathlib.PurePosixPath: _path,
    pathlib.PureWindowsPath: _path,
    re.Pattern: _pattern,
}
