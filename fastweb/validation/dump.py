"""Values as pydantic puts them out: plain Python data, or data that JSON can hold, with nothing that the
schema does not declare.

This is the slow and exact way; `fastweb.validation.serializer` takes it for what is not proven to need less.
The forms are those of pydantic's documentation (https://docs.pydantic.dev/latest/concepts/serialization/): a
timedelta is an ISO 8601 duration, a Decimal a string, bytes are UTF-8.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import math
import pathlib
import re
import types
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.nodes import FieldSchema, Schema

__all__ = [
    "Dumper",
    "SerializationError",
    "filter_of",
    "instead_of",
    "is_to_come",
    "json_key",
    "to_iso_datetime",
    "to_iso_duration",
    "to_iso_time",
]

#: What include and exclude come down to: nothing said, everything, or something said of each name.
Filter = Mapping[Any, Any] | bool | None


class SerializationError(ValueError):
    """A value that cannot be put out: JSON has no form for its type, or it contains itself."""


class _MismatchError(Exception):
    """Inside a union: the value is not of this choice."""


def is_to_come(value: object) -> bool:
    """Whether it is no data, but what data are awaited from."""
    return hasattr(type(value), "__await__") or hasattr(type(value), "__aiter__")


def instead_of(value: object) -> str:
    """What to return in the place of a value that JSON has no form for: the end of an error's message."""
    if hasattr(type(value), "__await__"):
        return f"await it for what it gives: {value!r:.200}"
    if is_to_come(value):
        return "it is iterated over with `async for`: return a list of what it gives, or a StreamingResponse"
    return "return data (a dict, a list, a model …) or a Response"


def filter_of(value: Any) -> Filter:
    """An include or exclude in one form: names with what is said of their values.

    Raises:
        TypeError: it is neither a set nor a mapping.
    """
    if value is None or isinstance(value, bool):
        return value
    if value is ...:
        return True
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (set, frozenset, list, tuple)) or type(value).__name__ == "dict_keys":
        return dict.fromkeys(value, True)
    raise TypeError(f"include and exclude take a set of names or a dict, not {value!r}")


def _said(given: Filter, key: Any, size: int = -1) -> Any:
    """What is said of one key, item `key` of `size` if it is an index: None for nothing."""
    if given is None or isinstance(given, bool):
        return None
    found = given.get(key)
    if size >= 0 and found is None:
        found = given.get(key - size)
    every = given.get("__all__")
    if found is None or every is None:
        return found if every is None else every
    if found in (True, ...) or every in (True, ...):
        return True
    return {**(filter_of(every) or {}), **(filter_of(found) or {})}  # type: ignore[dict-item]


def to_iso_datetime(value: datetime.datetime) -> str:
    """ISO 8601 with Z for UTC; seconds of an offset are cut off."""
    return value.replace(tzinfo=None).isoformat() + _offset(value.utcoffset())


def to_iso_time(value: datetime.time) -> str:
    """As `to_iso_datetime`, of a time of day."""
    return value.replace(tzinfo=None).isoformat() + _offset(value.utcoffset())


def _offset(offset: datetime.timedelta | None) -> str:
    if offset is None:
        return ""
    if not offset:
        return "Z"
    minutes = int(abs(offset).total_seconds()) // 60
    return f"{'-' if offset.days < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def to_iso_duration(value: datetime.timedelta) -> str:
    """An ISO 8601 duration; a year has 365 days."""
    sign, value = ("-", -value) if value.days < 0 else ("", value)
    years, days = divmod(value.days, 365)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    date = (f"{years}Y" if years else "") + (f"{days}D" if days else "")
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if value.microseconds:
        time += f"{seconds}.{value.microseconds:06}".rstrip("0") + "S"
    elif seconds:
        time += f"{seconds}S"
    if not date and not time:
        time = "0S"
    return f"{sign}P{date}" + (f"T{time}" if time else "")


def _complex(value: complex) -> str:
    return str(value).strip("()")


#: The types that JSON holds as a string, and how it is made.
_TEXT: dict[type[Any], Callable[[Any], str]] = {
    datetime.datetime: to_iso_datetime,
    datetime.date: datetime.date.isoformat,
    datetime.time: to_iso_time,
    datetime.timedelta: to_iso_duration,
    decimal.Decimal: str,
    uuid.UUID: str,
    bytes: bytes.decode,
    bytearray: bytearray.decode,
    pathlib.PurePath: str,
    ipaddress.IPv4Address: str,
    ipaddress.IPv6Address: str,
    ipaddress.IPv4Interface: str,
    ipaddress.IPv6Interface: str,
    ipaddress.IPv4Network: str,
    ipaddress.IPv6Network: str,
    complex: _complex,
    fractions.Fraction: str,
    re.Pattern: lambda value: str(value.pattern),
    zoneinfo.ZoneInfo: str,
}
_PLAIN = frozenset({str, int, bool, type(None)})


def json_key(value: Any) -> str:
    """The text that stands for a key of a dict.

    Raises:
        SerializationError: there is none for its type.
    """
    if isinstance(value, enum.Enum):
        return json_key(value.value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "None"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, tuple):
        return ",".join(map(json_key, value))
    for cls in type(value).__mro__:
        if cls in _TEXT:
            return _TEXT[cls](value)
    raise SerializationError(f"Unable to serialize unknown type as a key: {type(value)}")


class Dumper:
    """One way of putting values out; it serves one call.

    Arguments:
        json: data that JSON can hold; else values are kept, and models become dicts.
        by_alias: name fields by their serialization aliases.
        exclude_unset, exclude_defaults, exclude_none: fields to leave out.
        finite: floats that are not finite become None, as JSON's text has it.
        fallback: what is called with a value of an unknown type.
        mend: what is called with a value that is not of its schema, which validation would not have let
            through (a field that was assigned to); by default such a value is put out by its own type.
    """

    __slots__ = (
        "by_alias",
        "depth",
        "exact",
        "exclude_defaults",
        "exclude_none",
        "exclude_unset",
        "fallback",
        "finite",
        "json",
        "mend",
        "trying",
    )

    def __init__(
        self,
        *,
        json: bool = True,
        by_alias: bool = True,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        finite: bool = False,
        fallback: Callable[[Any], Any] | None = None,
        mend: Callable[[Schema, Any], Any] | None = None,
    ) -> None:
        self.json = json
        self.by_alias = by_alias
        self.exclude_unset = exclude_unset
        self.exclude_defaults = exclude_defaults
        self.exclude_none = exclude_none
        self.finite = finite
        self.fallback = fallback
        self.mend = mend
        self.trying = 0  # unions that we are inside of
        self.exact = False  # in a union: subclasses are not of the choice
        self.depth = 0

    def dump(self, schema: Schema, value: Any, include: Filter = None, exclude: Filter = None) -> Any:
        """The value as its schema has it.

        Raises:
            SerializationError: JSON cannot hold it.
        """
        return _BY_SCHEMA[type(schema)](self, schema, value, include, exclude)

    def _amiss(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        """A value that is not what its schema says."""
        if self.trying:
            raise _MismatchError
        if self.mend is None:
            return self.infer(value, include, exclude)
        mended = self.mend(schema, value)
        # The same again: it is valid, and only unlike what is expected of its kind (a generator for a
        # Sequence).
        return (
            self.infer(value, include, exclude)
            if mended is value
            else self.dump(schema, mended, include, exclude)
        )

    # One kind of schema each

    def _any(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        return self.infer(value, include, exclude)

    def _none(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        return None if value is None else self._amiss(schema, value, include, exclude)

    def _bool(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        return value if isinstance(value, bool) else self._amiss(schema, value, include, exclude)

    def _int(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        if type(value) is int:
            return value
        if not isinstance(value, int) or isinstance(value, bool):
            return self._amiss(schema, value, include, exclude)
        return int(value) if self.json else value

    def _float(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        if not isinstance(value, float):
            if type(value) is int and not self.trying:
                return value
            return self._amiss(schema, value, include, exclude)
        if self.finite and not math.isfinite(value):
            return None
        return value

    def _str(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        if type(value) is str:
            return value
        if not isinstance(value, str):
            return self._amiss(schema, value, include, exclude)
        return str.__str__(value) if self.json else value

    def _text(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        kind = _TEXT_TYPES[type(schema)]
        if not isinstance(value, kind) or (kind is datetime.date and isinstance(value, datetime.datetime)):
            return self._amiss(schema, value, include, exclude)
        return self._as_text(value) if self.json else value

    def _ip(self, schema: nodes.IPSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        if not isinstance(value, schema.cls):
            return self._amiss(schema, value, include, exclude)
        return str(value) if self.json else value

    def _path(self, schema: nodes.PathSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        if not isinstance(value, schema.cls):
            return self._amiss(schema, value, include, exclude)
        return str(value) if self.json else value

    def _enum(self, schema: nodes.EnumSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        if not isinstance(value, schema.cls):
            if schema.use_values and any(value == each.value for each in schema.cls):
                return self.infer(value) if self.json else value
            return self._amiss(schema, value, include, exclude)
        return self.infer(value.value) if self.json else value

    def _literal(self, schema: nodes.LiteralSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        if not any(value == each for each in schema.values):
            return self._amiss(schema, value, include, exclude)
        return self.infer(value) if self.json else value

    def _items(self, schema: Any, value: Any, include: Filter, exclude: Filter) -> Any:
        kind = _COLLECTIONS[type(schema)]
        if not isinstance(value, kind) or isinstance(value, (str, bytes)):
            return self._amiss(schema, value, include, exclude)
        made: list[Any] = []
        item = schema.item
        if isinstance(value, (set, frozenset)):  # their items have no names
            include = exclude = None
        if include is None and exclude is None:
            made = [self.dump(item, each) for each in value]
        else:
            values = list(value)
            for place, each in enumerate(values):
                taken, inner_include, inner_exclude = _taken(include, exclude, place, len(values))
                if taken:
                    made.append(self.dump(item, each, inner_include, inner_exclude))
        if self.json or isinstance(schema, (nodes.ListSchema, nodes.IterableSchema)):
            return made
        return _same_collection(value, made)

    def _tuple(self, schema: nodes.TupleSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        if not isinstance(value, tuple) or (not schema.variadic and len(value) != len(schema.items)):
            return self._amiss(schema, value, include, exclude)
        made = []
        for place, each in enumerate(value):
            taken, inner_include, inner_exclude = _taken(include, exclude, place, len(value))
            if taken:
                item = schema.items[0 if schema.variadic else place]
                made.append(self.dump(item, each, inner_include, inner_exclude))
        return made if self.json else tuple(made)

    def _dict(self, schema: nodes.DictSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        if not isinstance(value, Mapping):
            return self._amiss(schema, value, include, exclude)
        made: dict[Any, Any] = {}
        for key, each in value.items():
            taken, inner_include, inner_exclude = _taken(include, exclude, key)
            if not taken:
                continue
            name = self._key(schema.key, key)
            made[name] = self.dump(schema.value, each, inner_include, inner_exclude)
        return made

    def _key(self, schema: Schema, key: Any) -> Any:
        if type(key) is str and type(schema) is nodes.StrSchema:
            return key
        checked = self.dump(schema, key)
        if not self.json:
            return checked
        # A list is a tuple put out, None may stand for a float: what a key looks like is another matter.
        return json_key(key if isinstance(checked, (list, bool, float)) or checked is None else checked)

    def _nullable(self, schema: nodes.NullableSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        return None if value is None else self.dump(schema.inner, value, include, exclude)

    def _unset(self, schema: nodes.UnsetSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        return value if value is msgspec.UNSET else self.dump(schema.inner, value, include, exclude)

    def _inner(self, schema: nodes.CheckSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        return self.dump(schema.inner, value, include, exclude)

    def _ref(self, schema: nodes.RefSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        return self.dump(schema.resolve(), value, include, exclude)

    def _union(self, schema: nodes.UnionSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        # The choice that the value is of: first by its very class, then as a subclass.
        outer = self.exact
        for exact in (True,) if outer and self.trying else (True, False):
            for choice in schema.choices:
                self.trying += 1
                self.exact = exact
                try:
                    return self.dump(choice, value, include, exclude)
                except _MismatchError:
                    continue
                finally:
                    self.trying -= 1
                    self.exact = outer
        return self._amiss(schema, value, include, exclude)

    def _instance(self, schema: Schema, value: Any, include: Filter, exclude: Filter) -> Any:
        if isinstance(schema, nodes.InstanceSchema) and not isinstance(value, schema.cls):
            return self._amiss(schema, value, include, exclude)
        return self.infer(value, include, exclude)

    def _pydantic(self, schema: nodes.PydanticSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        from fastweb.validation.pydantic_backend import adapter_of, dump_declared

        dump = adapter_of(schema).dump_python
        options: dict[str, Any] = {
            "mode": "json" if self.json else "python",
            "include": include,
            "exclude": exclude,
            "by_alias": self.by_alias,
            "exclude_unset": self.exclude_unset,
            "exclude_defaults": self.exclude_defaults,
            "exclude_none": self.exclude_none,
            "fallback": self.fallback,
        }
        if self.mend is None:
            return dump(value, **options, warnings=False)
        return dump_declared(schema, dump, value, **options)

    # Models

    def _model(self, schema: nodes.ModelSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        typed_dict = schema.kind == "typeddict"
        if not isinstance(value, dict if typed_dict else schema.cls):
            return self._amiss(schema, value, include, exclude)
        if self.trying and self.exact and not typed_dict and type(value) is not schema.cls:
            raise _MismatchError
        if (
            typed_dict
            and self.trying
            and any(field.required and field.name not in value for field in schema.fields)
        ):
            raise _MismatchError
        if schema.kind == "namedtuple":
            return self._named_tuple(schema, value, include, exclude)
        self.depth += 1
        try:
            return self._fields(schema, value, include, exclude, typed_dict)
        finally:
            self.depth -= 1

    def _fields(
        self, schema: nodes.ModelSchema, value: Any, include: Filter, exclude: Filter, typed_dict: bool
    ) -> Any:
        made: dict[str, Any] = {}
        given = value.model_fields_set if self.exclude_unset and schema.is_base_model else None
        options = getattr(schema.cls, "__struct_config__", None)
        omit_defaults = self.exclude_defaults or (
            options is not None and options.omit_defaults and not schema.is_base_model
        )
        if schema.tag_field is not None:
            made[schema.tag_field] = schema.tag
        for field in schema.fields:
            name = field.name
            if field.exclude or (given is not None and name not in given):
                continue
            taken, inner_include, inner_exclude = _taken(include, exclude, name)
            if not taken:
                continue
            each = value.get(name, msgspec.UNSET) if typed_dict else getattr(value, name, msgspec.UNSET)
            if each is msgspec.UNSET or (each is None and self.exclude_none):
                continue
            if omit_defaults and not field.required and _is_default(field, each):
                continue
            key = field.serialization_alias if self.by_alias else name
            made[key] = self.dump(field.schema, each, inner_include, inner_exclude)
        if schema.extra == "allow":
            self._extra(schema, value, include, exclude, made)
        if schema.array_like:
            return list(made.values())
        return made

    def _extra(
        self, schema: nodes.ModelSchema, value: Any, include: Filter, exclude: Filter, made: dict[str, Any]
    ) -> None:
        names = {field.name for field in schema.fields}
        if schema.kind == "typeddict":
            extra = {key: each for key, each in value.items() if key not in names}
        elif schema.is_base_model:
            extra = value.model_extra or {}
        else:
            extra = {key: each for key, each in vars(value).items() if key not in names}
        for key, each in extra.items():
            taken, inner_include, inner_exclude = _taken(include, exclude, key)
            if taken and not (each is None and self.exclude_none):
                made[key] = (
                    self.infer(each, inner_include, inner_exclude)
                    if schema.extra_schema is None
                    else self.dump(schema.extra_schema, each, inner_include, inner_exclude)
                )

    def _named_tuple(self, schema: nodes.ModelSchema, value: Any, include: Filter, exclude: Filter) -> Any:
        made = []
        for place, (field, each) in enumerate(zip(schema.fields, value, strict=True)):
            taken, inner_include, inner_exclude = _taken(include, exclude, place, len(value))
            if taken:
                made.append(self.dump(field.schema, each, inner_include, inner_exclude))
        return made if self.json else tuple(made)

    # No schema

    def infer(self, value: Any, include: Filter = None, exclude: Filter = None) -> Any:
        """A value of a type that is not declared, by the type that it has.

        Raises:
            SerializationError: JSON has no form for this type, or the value contains itself.
        """
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is float:
            return None if self.json and not math.isfinite(value) else value
        self.depth += 1
        if self.depth > 255:
            raise SerializationError("Circular reference detected (depth exceeded)")
        try:
            return self._inferred(kind, value, include, exclude)
        finally:
            self.depth -= 1

    def _inferred(self, kind: type[Any], value: Any, include: Filter, exclude: Filter) -> Any:
        if isinstance(value, enum.Enum):
            return self.infer(value.value) if self.json else value
        if isinstance(value, Mapping):
            made: dict[Any, Any] = {}
            for key, each in value.items():
                taken, inner_include, inner_exclude = _taken(include, exclude, key)
                if taken:
                    made[json_key(key) if self.json else key] = self.infer(each, inner_include, inner_exclude)
            return made
        if isinstance(value, (list, tuple, set, frozenset, deque, types.GeneratorType)):
            if not self.json and isinstance(value, types.GeneratorType):
                return value
            values = list(value)
            listed: list[Any] = []
            for place, each in enumerate(values):
                taken, inner_include, inner_exclude = _taken(include, exclude, place, len(values))
                if taken:
                    listed.append(self.infer(each, inner_include, inner_exclude))
            return listed if self.json else _same_collection(value, listed)
        if isinstance(value, msgspec.Struct) or (
            dataclasses.is_dataclass(value) and not isinstance(value, type)
        ):
            from fastweb.validation.schema import schema_of

            outer, self.trying = self.trying, 0
            try:
                return self.dump(schema_of(kind, arbitrary_types=True), value, include, exclude)
            finally:
                self.trying = outer
        if hasattr(kind, "__pydantic_serializer__"):
            return kind.__pydantic_serializer__.to_python(
                value,
                mode="json" if self.json else "python",
                include=include,
                exclude=exclude,
                by_alias=self.by_alias,
                exclude_unset=self.exclude_unset,
                exclude_defaults=self.exclude_defaults,
                exclude_none=self.exclude_none,
            )
        if not self.json:
            return value
        as_data = getattr(kind, "__json_data__", None)
        if as_data is not None:
            return self.infer(as_data(value))
        for base, convert in ((str, str.__str__), (int, int), (float, float)):
            if isinstance(value, base):
                return convert(value)
        if any(cls in _TEXT for cls in kind.__mro__):
            return self._as_text(value)
        if kind.__module__.partition(".")[0] in ("pydantic", "pydantic_core"):
            return str(value)
        if self.fallback is not None:
            return self.infer(self.fallback(value), include, exclude)
        raise SerializationError(f"Unable to serialize unknown type: {kind}; {instead_of(value)}")

    def _as_text(self, value: Any) -> str:
        try:
            return next(_TEXT[cls](value) for cls in type(value).__mro__ if cls in _TEXT)
        except UnicodeDecodeError as error:
            raise SerializationError(
                f"bytes that are not UTF-8 cannot be put out as JSON: {error}"
            ) from error


def _taken(include: Filter, exclude: Filter, key: Any, size: int = -1) -> tuple[bool, Any, Any]:
    """Whether a field, item or key is put out, and what is said of its own parts."""
    if include is None and exclude is None:
        return True, None, None
    inner_exclude = _said(exclude, key, size)
    if inner_exclude is True or inner_exclude is ...:
        return False, None, None
    inner_include = None
    if include is not None and not isinstance(include, bool):
        inner_include = _said(include, key, size)
        if inner_include is None or inner_include is False:
            return False, None, None
        if inner_include is ... or inner_include is True:
            inner_include = None
    return True, filter_of(inner_include), filter_of(inner_exclude)


def _is_default(field: FieldSchema, value: Any) -> bool:
    default = field.get_default()
    return default is not Undefined and bool(value == default)


def _same_collection(value: Iterable[Any], made: list[Any]) -> Any:
    for kind in (list, tuple, set, frozenset, deque):
        if isinstance(value, kind):
            if kind in (set, frozenset):
                try:
                    return kind(made)
                except TypeError:  # models that became dicts
                    return made
            return kind(made)
    return made


_TEXT_TYPES: dict[type[Schema], Any] = {
    nodes.BytesSchema: (bytes, bytearray),
    nodes.DecimalSchema: decimal.Decimal,
    nodes.FractionSchema: fractions.Fraction,
    nodes.ComplexSchema: complex,
    nodes.DatetimeSchema: datetime.datetime,
    nodes.DateSchema: datetime.date,
    nodes.TimeSchema: datetime.time,
    nodes.TimedeltaSchema: datetime.timedelta,
    nodes.UUIDSchema: uuid.UUID,
    nodes.PatternSchema: re.Pattern,
    nodes.ZoneInfoSchema: zoneinfo.ZoneInfo,
}
_COLLECTIONS: dict[type[Schema], Any] = {
    nodes.ListSchema: list,
    nodes.SequenceSchema: Iterable,
    nodes.IterableSchema: Iterable,
    nodes.SetSchema: set,
    nodes.FrozenSetSchema: frozenset,
    nodes.DequeSchema: deque,
}
_BY_SCHEMA: dict[type[Schema], Callable[..., Any]] = {
    nodes.AnySchema: Dumper._any,
    nodes.NoneSchema: Dumper._none,
    nodes.BoolSchema: Dumper._bool,
    nodes.IntSchema: Dumper._int,
    nodes.FloatSchema: Dumper._float,
    nodes.StrSchema: Dumper._str,
    nodes.IPSchema: Dumper._ip,
    nodes.PathSchema: Dumper._path,
    nodes.EnumSchema: Dumper._enum,
    nodes.LiteralSchema: Dumper._literal,
    nodes.TupleSchema: Dumper._tuple,
    nodes.DictSchema: Dumper._dict,
    nodes.NullableSchema: Dumper._nullable,
    nodes.UnsetSchema: Dumper._unset,
    nodes.CheckSchema: Dumper._inner,
    nodes.RefSchema: Dumper._ref,
    nodes.UnionSchema: Dumper._union,
    nodes.ModelSchema: Dumper._model,
    nodes.PydanticSchema: Dumper._pydantic,
    nodes.CallableSchema: Dumper._instance,
    nodes.HashableSchema: Dumper._instance,
    nodes.InstanceSchema: Dumper._instance,
    nodes.FunctionSchema: Dumper._instance,
    nodes.SubclassSchema: Dumper._instance,
    **dict.fromkeys(_TEXT_TYPES, Dumper._text),
    **dict.fromkeys(_COLLECTIONS, Dumper._items),
}
