"""The vocabulary of schemas: one slotted class for each kind of type that fastweb validates.

A schema is a tree of these nodes, made once from an annotation by `fastweb.validation.schema.schema_of` and
read by the walker, the msgspec backend, the serializer and the JSON schema. Nodes are plain data; a recursive
type is a `RefSchema` whose `target` is filled in when the type it points to is complete.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as _new
from typing import Any, Literal

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


@dataclass(slots=True, eq=False, kw_only=True)
class Schema:
    """The base of all nodes.

    Attributes:
        strict: no conversion from other types.
        metadata: what stood beside the type in `Annotated[...]` or as the field's description (`FieldInfo`,
            `msgspec.Meta` and others), in that order; the constraints among it are already in the node, words
            for the JSON schema are not.
    """

    strict: bool = False
    metadata: tuple[Any, ...] = ()


@dataclass(slots=True, eq=False, kw_only=True)
class _Bounded(Schema):
    gt: Any = None
    ge: Any = None
    lt: Any = None
    le: Any = None


@dataclass(slots=True, eq=False, kw_only=True)
class _Sized(Schema):
    min_length: int | None = None
    max_length: int | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class AnySchema(Schema):
    """Anything at all: `Any`, `object`."""


@dataclass(slots=True, eq=False, kw_only=True)
class NoneSchema(Schema):
    """None alone."""


@dataclass(slots=True, eq=False, kw_only=True)
class BoolSchema(Schema):
    """bool."""


@dataclass(slots=True, eq=False, kw_only=True)
class IntSchema(_Bounded):
    """int."""

    multiple_of: Any = None


@dataclass(slots=True, eq=False, kw_only=True)
class FloatSchema(_Bounded):
    """float."""

    multiple_of: Any = None
    allow_inf_nan: bool | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class ComplexSchema(Schema):
    """complex."""


@dataclass(slots=True, eq=False, kw_only=True)
class StrSchema(_Sized):
    """str; `strip`, `to_lower` and `to_upper` come from a model's configuration."""

    pattern: str | None = None
    strip: bool = False
    to_lower: bool = False
    to_upper: bool = False
    coerce_numbers: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class BytesSchema(_Sized):
    """bytes."""


@dataclass(slots=True, eq=False, kw_only=True)
class DecimalSchema(_Bounded):
    """decimal.Decimal."""

    multiple_of: Any = None
    max_digits: int | None = None
    decimal_places: int | None = None
    allow_inf_nan: bool | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class FractionSchema(_Bounded):
    """fractions.Fraction."""

    multiple_of: Any = None


@dataclass(slots=True, eq=False, kw_only=True)
class DatetimeSchema(_Bounded):
    """datetime.datetime; `tz` is msgspec.Meta's: True for aware values alone, False for naive ones."""

    tz: bool | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class DateSchema(_Bounded):
    """datetime.date."""


@dataclass(slots=True, eq=False, kw_only=True)
class TimeSchema(_Bounded):
    """datetime.time; `tz` as for a datetime."""

    tz: bool | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class TimedeltaSchema(_Bounded):
    """datetime.timedelta."""

    multiple_of: dt.timedelta | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class UUIDSchema(Schema):
    """uuid.UUID, of any version or of the one that is named."""

    version: int | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class EnumSchema(Schema):
    """A member of an Enum, named by its value; `use_values` gives the value instead of the member."""

    cls: type[Any]
    use_values: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class LiteralSchema(Schema):
    """One of a few values."""

    values: tuple[Any, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class ListSchema(_Sized):
    """list, MutableSequence."""

    item: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class SequenceSchema(_Sized):
    """collections.abc.Sequence and Collection: any sequence but a str or bytes; its type is kept."""

    item: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class IterableSchema(_Sized):
    """collections.abc.Iterable, Iterator, Generator: whatever can be iterated over; the value is a list."""

    item: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class SetSchema(_Sized):
    """set, MutableSet."""

    item: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class FrozenSetSchema(_Sized):
    """frozenset, collections.abc.Set."""

    item: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class DequeSchema(_Sized):
    """collections.deque."""

    item: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class TupleSchema(_Sized):
    """tuple: `items` are the types of its places; `variadic` means one type for all of them."""

    items: tuple[Schema, ...]
    variadic: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class DictSchema(_Sized):
    """dict, Mapping, MutableMapping; `kind` names the class that is made."""

    key: Schema
    value: Schema
    kind: Literal["dict", "OrderedDict", "defaultdict", "Counter"] = "dict"
    default_factory: Callable[[], Any] | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class NullableSchema(Schema):
    """None or `inner`."""

    inner: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class UnionSchema(Schema):
    """One of several types. `discriminator` is the name of the field that tells which."""

    choices: tuple[Schema, ...]
    discriminator: str | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class UnsetSchema(Schema):
    """`inner`, or msgspec.UNSET: a field that was not given, and is left out of the output."""

    inner: Schema


@dataclass(slots=True, eq=False, kw_only=True)
class IPSchema(Schema):
    """One of the six classes of the module ipaddress."""

    cls: type[Any]


@dataclass(slots=True, eq=False, kw_only=True)
class PathSchema(Schema):
    """pathlib.Path and its kin, os.PathLike; `param` is str, bytes or Any, as in `PathLike[bytes]`."""

    cls: type[Any]
    param: Any = Any


@dataclass(slots=True, eq=False, kw_only=True)
class PatternSchema(Schema):
    """re.Pattern, of str, of bytes, or (None) of either."""

    param: type[str] | type[bytes] | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class ZoneInfoSchema(Schema):
    """zoneinfo.ZoneInfo."""


@dataclass(slots=True, eq=False, kw_only=True)
class CallableSchema(Schema):
    """Whatever can be called."""


@dataclass(slots=True, eq=False, kw_only=True)
class HashableSchema(Schema):
    """Whatever can be hashed."""


@dataclass(slots=True, eq=False, kw_only=True)
class InstanceSchema(Schema):
    """An instance of an arbitrary class."""

    cls: type[Any]


@dataclass(slots=True, eq=False, kw_only=True)
class FunctionSchema(Schema):
    """A class of ours with its own rule: the class method `_fastweb_validate(value)`, which raises
    ValueError.
    """

    cls: type[Any]
    function: Callable[[Any], Any]


@dataclass(slots=True, eq=False, kw_only=True)
class SubclassSchema(Schema):
    """`type[cls]`: a subclass; `type` alone has cls None."""

    cls: type[Any] | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class CheckSchema(Schema):
    """`inner`, and then a condition on its value that its type has no place for: `Annotated[UUID, Gt(...)]`.

    `name` is that of the constraint, or "predicate" or "not" (`annotated_types.Predicate`, `Not`: `value` is
    the function).
    """

    inner: Schema
    name: str
    value: Any


@dataclass(slots=True, eq=False, kw_only=True)
class PydanticSchema(Schema):
    """A type that pydantic validates, since it is one of pydantic's or reaches one.

    `annotation` is whole, its metadata included; `field` is the FieldInfo beside it. `extras` holds what the
    backend keeps for it (the TypeAdapter, once made).
    """

    annotation: Any
    field: FieldInfo | None = None
    extras: dict[str, Any] = _new(default_factory=dict)


@dataclass(slots=True, eq=False, kw_only=True)
class RefSchema(Schema):
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


@dataclass(slots=True, eq=False, kw_only=True)
class FieldSchema:
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


@dataclass(slots=True, eq=False, kw_only=True)
class ModelSchema(Schema):
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
    config: dict[str, Any] = _new(default_factory=dict)
