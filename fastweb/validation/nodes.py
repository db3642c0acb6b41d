"""The vocabulary of schemas: one slotted class for each kind of type that fastweb validates.

A schema is a tree of these nodes, made once from an annotation by `fastweb.validation.schema.schema_of` and
read by the walker, the msgspec backend, the serializer and the JSON schema. Nodes are plain data; a recursive
type is a `RefSchema` whose `target` is filled in when the type it points to is complete.

PERF: Structs, since the classes of forty dataclasses take 8 ms to make at import, and 0.3 MiB.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from fastweb.fields import FieldInfo
from fastweb.types import Undefined

__all__ = [
    "AnySchema",
    "BoolSchema",
    "BytesSchema",
    "CallableSchema",
    "CheckSchema",
    "ComplexSchema",
    "DateSchema",
    "DatetimeSchema",
    "DecimalSchema",
    "DequeSchema",
    "DictSchema",
    "EnumSchema",
    "FieldSchema",
    "FloatSchema",
    "FractionSchema",
    "FrozenSetSchema",
    "FunctionSchema",
    "HashableSchema",
    "IPSchema",
    "InstanceSchema",
    "IntSchema",
    "IterableSchema",
    "ListSchema",
    "LiteralSchema",
    "ModelSchema",
    "NoneSchema",
    "NullableSchema",
    "PathSchema",
    "PatternSchema",
    "PydanticSchema",
    "RefSchema",
    "Schema",
    "SequenceSchema",
    "SetSchema",
    "StrSchema",
    "SubclassSchema",
    "TimeSchema",
    "TimedeltaSchema",
    "TupleSchema",
    "UUIDSchema",
    "UnionSchema",
    "UnsetSchema",
    "ZoneInfoSchema",
]


class Schema(msgspec.Struct, eq=False, kw_only=True):
    """The base of all nodes.

    Attributes:
        strict: no conversion from other types.
        metadata: what stood beside the type in `Annotated[...]` or as the field's description (`FieldInfo`,
            `msgspec.Meta` and others), in that order; the constraints among it are already in the node, words
            for the JSON schema are not.
    """

    strict: bool = False
    metadata: tuple[Any, ...] = ()


class _Bounded(Schema, kw_only=True):
    gt: Any = None
    ge: Any = None
    lt: Any = None
    le: Any = None


class _Sized(Schema, kw_only=True):
    min_length: int | None = None
    max_length: int | None = None


class AnySchema(Schema):
    """Anything at all: `Any`, `object`."""


class NoneSchema(Schema):
    """None alone."""


class BoolSchema(Schema):
    """bool."""


class IntSchema(_Bounded, kw_only=True):
    """int."""

    multiple_of: Any = None


class FloatSchema(_Bounded, kw_only=True):
    """float."""

    multiple_of: Any = None
    allow_inf_nan: bool | None = None


class ComplexSchema(Schema):
    """complex."""


class StrSchema(_Sized, kw_only=True):
    """str; `strip`, `to_lower` and `to_upper` come from a model's configuration."""

    pattern: str | None = None
    strip: bool = False
    to_lower: bool = False
    to_upper: bool = False
    coerce_numbers: bool = False


class BytesSchema(_Sized):
    """bytes."""


class DecimalSchema(_Bounded, kw_only=True):
    """decimal.Decimal."""

    multiple_of: Any = None
    max_digits: int | None = None
    decimal_places: int | None = None
    allow_inf_nan: bool | None = None


class FractionSchema(_Bounded, kw_only=True):
    """fractions.Fraction."""

    multiple_of: Any = None


class DatetimeSchema(_Bounded, kw_only=True):
    """datetime.datetime; `tz` is msgspec.Meta's: True for aware values alone, False for naive ones."""

    tz: bool | None = None


class DateSchema(_Bounded):
    """datetime.date."""


class TimeSchema(_Bounded, kw_only=True):
    """datetime.time; `tz` as for a datetime."""

    tz: bool | None = None


class TimedeltaSchema(_Bounded, kw_only=True):
    """datetime.timedelta."""

    multiple_of: dt.timedelta | None = None


class UUIDSchema(Schema, kw_only=True):
    """uuid.UUID, of any version or of the one that is named."""

    version: int | None = None


class EnumSchema(Schema, kw_only=True):
    """A member of an Enum, named by its value; `use_values` gives the value instead of the member."""

    cls: type[Any]
    use_values: bool = False


class LiteralSchema(Schema, kw_only=True):
    """One of a few values."""

    values: tuple[Any, ...]


class ListSchema(_Sized, kw_only=True):
    """list, MutableSequence."""

    item: Schema


class SequenceSchema(_Sized, kw_only=True):
    """collections.abc.Sequence and Collection: any sequence but a str or bytes; its type is kept."""

    item: Schema


class IterableSchema(_Sized, kw_only=True):
    """collections.abc.Iterable, Iterator, Generator: whatever can be iterated over; the value is a list."""

    item: Schema


class SetSchema(_Sized, kw_only=True):
    """set, MutableSet."""

    item: Schema


class FrozenSetSchema(_Sized, kw_only=True):
    """frozenset, collections.abc.Set."""

    item: Schema


class DequeSchema(_Sized, kw_only=True):
    """collections.deque."""

    item: Schema


class TupleSchema(_Sized, kw_only=True):
    """tuple: `items` are the types of its places; `variadic` means one type for all of them."""

    items: tuple[Schema, ...]
    variadic: bool = False


class DictSchema(_Sized, kw_only=True):
    """dict, Mapping, MutableMapping; `kind` names the class that is made."""

    key: Schema
    value: Schema
    kind: Literal["dict", "OrderedDict", "defaultdict", "Counter"] = "dict"
    default_factory: Callable[[], Any] | None = None


class NullableSchema(Schema, kw_only=True):
    """None or `inner`."""

    inner: Schema


class UnionSchema(Schema, kw_only=True):
    """One of several types. `discriminator` is the name of the field that tells which."""

    choices: tuple[Schema, ...]
    discriminator: str | None = None


class UnsetSchema(Schema, kw_only=True):
    """`inner`, or msgspec.UNSET: a field that was not given, and is left out of the output."""

    inner: Schema


class IPSchema(Schema, kw_only=True):
    """One of the six classes of the module ipaddress."""

    cls: type[Any]


class PathSchema(Schema, kw_only=True):
    """pathlib.Path and its kin, os.PathLike; `param` is str, bytes or Any, as in `PathLike[bytes]`."""

    cls: type[Any]
    param: Any = Any


class PatternSchema(Schema, kw_only=True):
    """re.Pattern, of str, of bytes, or (None) of either."""

    param: type[str] | type[bytes] | None = None


class ZoneInfoSchema(Schema):
    """zoneinfo.ZoneInfo."""


class CallableSchema(Schema):
    """Whatever can be called."""


class HashableSchema(Schema):
    """Whatever can be hashed."""


class InstanceSchema(Schema, kw_only=True):
    """An instance of an arbitrary class."""

    cls: type[Any]


class FunctionSchema(Schema, kw_only=True):
    """A class of ours with its own rule: the class method `_fastweb_validate(value)`, which raises
    ValueError.
    """

    cls: type[Any]
    function: Callable[[Any], Any]


class SubclassSchema(Schema, kw_only=True):
    """`type[cls]`: a subclass; `type` alone has cls None."""

    cls: type[Any] | None = None


class CheckSchema(Schema, kw_only=True):
    """`inner`, and then a condition on its value that its type has no place for: `Annotated[UUID, Gt(...)]`.

    `name` is that of the constraint, or "predicate" or "not" (`annotated_types.Predicate`, `Not`: `value` is
    the function).
    """

    inner: Schema
    name: str
    value: Any


class PydanticSchema(Schema, kw_only=True):
    """A type that pydantic validates, since it is one of pydantic's or reaches one.

    `annotation` is whole, its metadata included; `field` is the FieldInfo beside it. `extras` holds what the
    backend keeps for it (the TypeAdapter, once made).
    """

    annotation: Any
    field: FieldInfo | None = None
    extras: dict[str, Any] = msgspec.field(default_factory=dict)


class RefSchema(Schema, kw_only=True):
    """A type inside its own definition. `target` is complete by the time that `schema_of` returns."""

    name: str
    target: Schema | None = None

    def resolve(self) -> Schema:
        """The schema that is meant.

        Raises:
            RuntimeError: the definition is not complete yet.
        """
        if self.target is None:
            raise RuntimeError(f"the schema of {self.name} is not complete yet")
        return self.target


class FieldSchema(msgspec.Struct, eq=False, kw_only=True):
    """One field of a model.

    Attributes:
        name: the attribute, argument or key that it has in Python.
        alias: its name in the input: what errors and the JSON schema call it.
        lookups: every place in the input where its value may stand, in the order in which they are tried: a
            path of keys and indexes, mostly of one key.
        serialization_alias: its name in the output.
        schema: its type.
        required: it has no default (and, in a TypedDict, must be there).
        default, default_factory: one of them may be set; see `get_default`.
        validate_default: whether the default is validated as input is.
        init: whether it may be given (a dataclass field with init=False may not).
        info: its description, where there is one.
    """

    name: str
    alias: str
    lookups: tuple[tuple[str | int, ...], ...]
    serialization_alias: str
    schema: Schema
    required: bool
    default: Any = Undefined
    default_factory: Callable[[], Any] | None = None
    validate_default: bool = False
    init: bool = True
    kw_only: bool = False
    exclude: bool = False
    info: FieldInfo | None = None

    def get_default(self) -> Any:
        """The value of the field where none was given; `Undefined` where there is none."""
        if self.default_factory is not None:
            return self.default_factory()
        if isinstance(self.default, (list, dict, set, bytearray)):
            return copy.deepcopy(self.default)
        return self.default


class ModelSchema(Schema, kw_only=True):
    """A type with named fields.

    Attributes:
        cls: the class; `annotation` is what was written, the class with its type arguments if it has some.
        kind: "struct" (msgspec.Struct, fastweb's BaseModel), "dataclass", "typeddict", "namedtuple".
        is_base_model: a fastweb BaseModel, made by its `_fastweb_construct`.
        extra: what becomes of fields that it does not have.
        from_attributes: an instance of any class with these attributes is taken for input.
        tag, tag_field: of a tagged msgspec.Struct.
        array_like: a msgspec.Struct that is an array in JSON.
        config: the model's configuration, as given.
    """

    cls: type[Any]
    annotation: Any
    kind: Literal["struct", "dataclass", "typeddict", "namedtuple"]
    fields: tuple[FieldSchema, ...] = ()
    is_base_model: bool = False
    extra: Literal["ignore", "forbid", "allow"] = "ignore"
    extra_schema: Schema | None = None
    from_attributes: bool = False
    tag: str | int | None = None
    tag_field: str | None = None
    array_like: bool = False
    title: str = ""
    config: dict[str, Any] = msgspec.field(default_factory=dict)
