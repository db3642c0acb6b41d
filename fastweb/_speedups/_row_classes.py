"""How the rows of a statement become objects of a class: worked out once for each pair of them.

For every column there is a `Place`: the field that it fills, the exact type that the field is declared with,
and what converts values of other types. What is worked out here is followed, row by row, by
`pg_objects.ClassSink`; it is plain Python, and loaded when a class is first asked for.

A column fills the field of its name. A field that has another name in JSON (`msgspec.field(name=...)`,
`rename="camel"`, an alias) is found by either: what the alias is for may be the API and not the table.
"""

from __future__ import annotations

import dataclasses
import datetime
import types
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import msgspec

from fastweb._speedups.pg_objects import (
    CALL,
    COMPILED,
    DICT,
    OBJECT,
    SCALAR,
    TUPLE,
    Place,
    Plan,
    offset_of,
)
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_rows import RowError

__all__ = ["plan_of"]

#: Values of exactly these types are what an annotation that names them asks for.
_PLAIN: tuple[Any, ...] = (
    *(int, str, float, bool, bytes, Decimal, UUID),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
)
#: What a `msgspec.Meta` may ask of a value.
_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
#: What a field of a `fastweb.BaseModel` may ask that its annotation does not tell: the model checks it.
_OF_THE_FIELD = ("gt", "ge", "lt", "le", "multiple_of", "max_digits", "decimal_places", "allow_inf_nan")
_NONE = type(None)
_MISSING: Any = object()
#: The settings of a `fastweb.BaseModel` that do not change what a value of the declared type becomes.
_HARMLESS = frozenset(
    {
        *("title", "extra", "frozen", "populate_by_name", "validate_by_name", "validate_by_alias"),
        *("serialize_by_alias", "from_attributes", "alias_generator", "coerce_numbers_to_str", "strict"),
        *("validate_assignment", "arbitrary_types_allowed", "json_schema_extra", "use_attribute_docstrings"),
        "protected_namespaces",
    }
)


@dataclasses.dataclass(slots=True)
class Field:
    """A field of a class, whatever the kind of class.

    Arguments:
        name: its name in the class.
        alias: its other name, or the same.
        annotation: its type.
        default, factory: what it is where there is no column for it; `_MISSING` for none.
        given: false where it is no argument of the class's __init__.
        late: it is handed to __post_init__, and not kept.
    """

    name: str
    alias: str
    annotation: Any
    default: Any = _MISSING
    factory: Any = _MISSING
    given: bool = True
    late: bool = False

    @property
    def required(self) -> bool:
        return self.given and self.default is _MISSING and self.factory is _MISSING


def name_of(cls: Any) -> str:
    """A class or another annotation, in an error."""
    return cls.__qualname__ if isinstance(cls, type) and get_origin(cls) is None else str(cls)


# Annotations


def bare(annotation: Any) -> Any:
    """An annotation without the names that stand for it."""
    while True:
        if isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif get_origin(annotation) in (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar):
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) is Annotated and not any(map(_counts, annotation.__metadata__)):
            annotation = get_args(annotation)[0]
        else:
            return annotation


def _counts(item: Any) -> bool:
    """Whether a part of Annotated[...] says something of the value, as far as msgspec knows."""
    return isinstance(item, msgspec.Meta) and any(getattr(item, each) is not None for each in _CONSTRAINTS)


def _is_null(item: Any) -> bool:
    return item is _NONE or item is None or item is msgspec.UnsetType


def without_none(annotation: Any) -> tuple[Any, bool]:
    """An annotation without its None, and whether there was one."""
    annotation = bare(annotation)
    if annotation is _NONE or annotation is None:
        return _NONE, True
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, annotation in (Any, object)
    parts = get_args(annotation)
    rest = tuple(part for part in parts if not _is_null(part))
    nullable = any(part is _NONE for part in parts)
    if len(rest) == 1:
        inner, also = without_none(rest[0])
        return inner, nullable or also
    nullable = nullable or any(without_none(part)[1] for part in rest)
    return Union[rest] if rest else _NONE, nullable


def place_of(owner: str, field: str, column: str, annotation: Any, codec: Any) -> Place:
    """The place that a column has in an object."""
    inner, nullable = without_none(annotation)
    place = Place(owner, field, column)
    place.nullable = nullable
    place.expected = name_of(annotation)
    if inner in (Any, object):
        place.anything = True
    elif inner in _PLAIN:
        place.want = inner
        place.convert = _converter(inner)
    else:
        decoder = _json_decoder(annotation, codec)
        if decoder is not None:
            place.decoder, place.skip = decoder
        if isinstance(inner, type) and get_origin(inner) is None:
            place.want = inner
        place.convert = _converter(inner)
    return place


def _converter(annotation: Any) -> Callable[[Any], Any]:
    convert = msgspec.convert

    def converted(value: Any) -> Any:
        return convert(value, annotation, from_attributes=True, dec_hook=_made_by)

    return converted


def _made_by(cls: Any, value: Any) -> Any:
    """What msgspec asks for a class that it does not know."""
    if isinstance(value, cls):
        return value
    if hasattr(cls, "model_validate"):
        return cls.model_validate(value)
    raise ValueError(f"expected {name_of(cls)}, got {type(value).__name__}")


def _json_decoder(annotation: Any, codec: Any) -> tuple[Any, int] | None:
    """What decodes a document straight to its type, and how many bytes stand before the text; None where
    the value is not one of json or jsonb.
    """
    if type(codec).__name__ != "JsonCodec" or not type(codec).__module__.startswith("fastweb._speedups."):
        return None
    try:
        decoder = msgspec.json.Decoder(annotation, dec_hook=_made_by)
    except TypeError:
        return None
    return decoder.decode, 1 if codec.oid == 3802 and codec.format == 1 else 0


# Classes


def plan_of(cls: Any, columns: Columns) -> Plan:
    """How rows with these columns become objects of a class.

    Raises:
        RowError: they cannot.
    """
    cls = bare(cls)
    plan = _plan_of(cls, columns)
    plan.settle(columns)
    return plan


def _plan_of(cls: Any, columns: Columns) -> Plan:
    # `User | None` is what `fetch_one` gives: a row is a User.
    plan = _plan_class(cls, columns) or _plan_class(without_none(cls)[0], columns)
    return plan or _plan_scalar(cls, columns, name_of(cls))


def _plan_class(cls: Any, columns: Columns) -> Plan | None:
    """How rows become objects of a class of rows; None where it is none."""
    origin = get_origin(cls) or cls
    name = name_of(cls)
    if origin is dict:
        return _plan_dict(cls, columns, name)
    if origin is tuple:
        return _plan_tuple(cls, columns, name)
    if typing.is_typeddict(origin):
        return _plan_typed_dict(cls, columns, name)
    if isinstance(origin, type):
        if issubclass(origin, tuple) and hasattr(origin, "_fields"):
            return _plan_named_tuple(cls, columns, name)
        if issubclass(origin, msgspec.Struct):
            return _plan_struct(cls, origin, columns, name)
        if hasattr(origin, "__pydantic_validator__") and hasattr(origin, "model_validate"):
            return _plan_validated(origin, columns, name)
        if dataclasses.is_dataclass(origin):
            return _plan_dataclass(cls, origin, columns, name)
        if hasattr(origin, "__attrs_attrs__"):
            return _plan_converted(cls, columns, name)
    if _is_rows_union(cls):
        return _plan_converted(cls, columns, name)
    return None


def _is_rows_union(cls: Any) -> bool:
    """A union of Structs, told apart by their tags."""
    parts = get_args(cls) if get_origin(cls) in (Union, types.UnionType) else ()
    return bool(parts) and all(isinstance(part, type) and issubclass(part, msgspec.Struct) for part in parts)


def _twice(columns: Columns, name: str) -> None:
    if len(columns.index) != columns.count:
        twice = next(each for each in columns.names if columns.names.count(each) > 1)
        raise RowError(f"{name}: two columns are named {twice!r}; give one another name with AS")


def _hints(cls: Any) -> dict[str, Any]:
    """The types of a class's fields, type variables put in.

    Raises:
        RowError: an annotation names what is not defined.
    """
    origin = get_origin(cls) or cls
    try:
        hints = typing.get_type_hints(origin, include_extras=True)
    except NameError as error:
        raise RowError(f"{name_of(cls)}: an annotation names {error.name!r}, which is not defined") from error
    variables = dict(zip(getattr(origin, "__parameters__", ()), get_args(cls), strict=False))
    if variables:
        hints = {key: _put_in(hint, variables) for key, hint in hints.items()}
    return hints


def _put_in(hint: Any, variables: dict[Any, Any]) -> Any:
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, hint)
    inside = getattr(hint, "__parameters__", ())
    return hint[tuple(variables.get(each, each) for each in inside)] if inside else hint


def _match(
    fields: list[Field], columns: Columns, name: str, strict: bool, ignored: Any = None
) -> list[Field | None]:
    """The field for each column; None for a column that is no field's.

    Arguments:
        strict: whether each column must be a field's: for classes that forbid what they do not know. Others
            leave it out, as when they are made of JSON: so a deploy may add columns before the code has them.
        ignored: the name of a column that need not be, even so.

    Raises:
        RowError: a column has no field where it must, two have one, or a field has no column and no default.
    """
    _twice(columns, name)
    by_name = {field.name: field for field in fields if field.given}
    by_alias = {field.alias: field for field in fields if field.given}
    found: list[Field | None] = []
    for column in columns.names:
        field = by_alias.get(column) or by_name.get(column)
        if field is None and strict and column != ignored:
            raise RowError(
                f"{name} has no field for the column {column!r}; its fields are {_listed(by_name)}: "
                "select what it has, or name the column with AS"
            )
        if field is not None and any(each is field for each in found):
            raise RowError(f"{name}: two columns are for the field {field.name!r}")
        found.append(field)
    for field in fields:
        if field.required and not any(each is field for each in found):
            also = f" (nor {field.alias!r})" if field.alias != field.name else ""
            raise RowError(
                f"{name}.{field.name} has no default, and there is no column {field.name!r}{also}; "
                f"the columns are {_listed(columns.names)}"
            )
    return found


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "none"


def _codec(columns: Columns, place: int) -> Any:
    return columns.codecs[place] if place < len(columns.codecs) else None


def _fill(
    plan: Plan, fields: list[Field], columns: Columns, strict: bool = False, ignored: Any = None
) -> list[Field | None]:
    found = _match(fields, columns, plan.name, strict, ignored)
    for place, (column, field) in enumerate(zip(columns.names, found, strict=True)):
        codec = _codec(columns, place)
        if field is None:
            made = Place(plan.name, column, column)
            made.anything = True
            made.nullable = True
            made.dropped = True
        else:
            made = place_of(plan.name, field.name, column, field.annotation, codec)
        plan.places.append(made)
    return found


def _plan_scalar(cls: Any, columns: Columns, name: str) -> Plan:
    if not isinstance(cls, type) and get_origin(cls) is None and bare(cls) not in (Any, None):
        raise RowError(f"rows are made objects of a class or another type, and this is none: {cls!r:.100}")
    if columns.count != 1:
        inside = get_args(cls)
        hint = (
            f"; a row is {name_of(inside[0])}, and `fetch` gives a list of them"
            if get_origin(cls) is list
            else ""
        )
        raise RowError(
            f"{name} is made of one column, and there are {columns.count}: {_listed(columns.names)}{hint}"
        )
    plan = Plan(SCALAR, cls, name)
    inner = without_none(cls)[0]
    if isinstance(inner, type) and inner not in _PLAIN and get_origin(inner) is None:
        try:
            msgspec.inspect.type_info(inner)
        except TypeError as error:
            raise RowError(f"rows cannot be made {name}: {error}") from error
    plan.places.append(place_of(name, "", columns.names[0], cls, _codec(columns, 0)))
    return plan


def _plan_dict(cls: Any, columns: Columns, name: str) -> Plan:
    _twice(columns, name)
    plan = Plan(DICT, dict, name)
    annotation = (get_args(cls) or (Any, Any))[1]
    for place, column in enumerate(columns.names):
        plan.places.append(place_of(name, column, column, annotation, _codec(columns, place)))
    return plan


def _plan_tuple(cls: Any, columns: Columns, name: str) -> Plan:
    plan = Plan(TUPLE, tuple, name)
    annotations = get_args(cls) or (Any, ...)
    if len(annotations) == 2 and annotations[1] is Ellipsis:
        annotations = annotations[:1] * columns.count
    if len(annotations) != columns.count:
        raise RowError(
            f"{name} is made of {len(annotations)} columns, and there are {columns.count}: "
            f"{_listed(columns.names)}"
        )
    for place, column in enumerate(columns.names):
        plan.places.append(place_of(name, column, column, annotations[place], _codec(columns, place)))
    return plan


def _plan_typed_dict(cls: Any, columns: Columns, name: str) -> Plan:
    origin = get_origin(cls) or cls
    plan = Plan(DICT, dict, name)
    fields = [
        Field(key, key, hint, default=_MISSING if key in origin.__required_keys__ else None)
        for key, hint in _hints(cls).items()
    ]
    _fill(plan, fields, columns)
    return plan


def _plan_named_tuple(cls: Any, columns: Columns, name: str) -> Plan:
    origin = get_origin(cls) or cls
    hints = _hints(cls)
    fields = [
        Field(key, key, hints.get(key, Any), default=origin._field_defaults.get(key, _MISSING))
        for key in origin._fields
    ]
    plan = Plan(CALL, origin, name)
    found = _fill(plan, fields, columns)
    if "__new__" in origin.__dict__ and [each and each.name for each in found] == [*origin._fields]:
        # PERF: the columns stand in the order of the fields, and `_make` takes them as they are.
        plan.kind = TUPLE
        plan.made_of = origin._make
    return plan


def _plan_converted(cls: Any, columns: Columns, name: str) -> Plan:
    """Left to msgspec, as a dict."""
    _twice(columns, name)
    plan = Plan(DICT, dict, name)
    for column in columns.names:
        place = Place(name, column, column)
        place.anything = True
        plan.places.append(place)
    plan.made_of = _converter(cls)
    return plan


def _plan_validated(cls: Any, columns: Columns, name: str) -> Plan:
    """Left to `model_validate`, as a dict: pydantic's models, and ours where more than types is asked for."""
    plan = _plan_converted(cls, columns, name)
    plan.made_of = cls.model_validate
    return plan


def _plan_struct(cls: Any, origin: Any, columns: Columns, name: str) -> Plan:
    is_model = hasattr(origin, "model_validate") and hasattr(origin, "model_fields")
    if is_model:
        # Annotations that name what was defined later are looked up by this.
        origin.model_fields  # noqa: B018
    fields = []
    for info in msgspec.structs.fields(cls):
        field = Field(info.name, info.encode_name, info.type)
        if info.default is not msgspec.NODEFAULT:
            field.default = info.default
        if info.default_factory is not msgspec.NODEFAULT:
            field.factory = info.default_factory
        fields.append(field)
    tag = origin.__struct_config__.tag_field
    strict = origin.__struct_config__.forbid_unknown_fields
    if is_model:
        strict = origin.model_config.get("extra") == "forbid"
    if is_model and not (COMPILED and _is_plain_model(origin, fields)):
        plan = _plan_validated(origin, columns, name)
        for place, known in zip(plan.places, _match(fields, columns, name, strict, tag), strict=True):
            place.field = place.column if known is None else known.alias
        return plan
    plan = Plan(OBJECT, origin, name)
    found = _fill(plan, fields, columns, strict, tag)
    if tag is not None:
        _check_tag(plan, columns, found, origin.__struct_config__)
    if is_model:
        # Values of other types than the declared are converted as the model does it.
        plan.otherwise = origin.model_validate
        plan.names = tuple(
            column if known is None else known.alias
            for column, known in zip(columns.names, found, strict=True)
        )
    offsets = _slots(origin, [field.name for field in fields])
    if offsets is None:
        plan.kind = CALL
        # Not the class itself: a model's validates what it is called with.
        plan.made_by = msgspec.StructMeta.__call__
        return plan
    plan.untracked = True
    _default(plan, fields, found, offsets)
    plan.post_init = getattr(origin, "__post_init__", None)
    return plan


def _is_plain_model(cls: Any, fields: list[Field]) -> bool:
    """Whether a value of the exact type of its field is all that a `fastweb.BaseModel` asks for."""
    if not _HARMLESS >= {key for key, value in cls.model_config.items() if value is not None}:
        return False
    if cls.model_config.get("extra") == "allow":
        return False
    for field in fields:
        inner = without_none(field.annotation)[0]
        info = cls.model_fields[field.name]
        if inner not in _PLAIN and inner not in (Any, object):
            return False
        if any(getattr(info, each) is not None for each in _OF_THE_FIELD):
            return False
        if bare(info.annotation) is not inner and without_none(info.annotation)[0] is not inner:
            return False
    return True


def _check_tag(plan: Plan, columns: Columns, found: list[Field | None], config: Any) -> None:
    """The column that says which of several classes a row is of must name this one."""
    for place, field in enumerate(found):
        if field is None and columns.names[place] == config.tag_field:
            literal: Any = typing.Literal
            plan.places[place].anything = False
            plan.places[place].nullable = False
            plan.places[place].convert = _converter(literal[config.tag])
            plan.places[place].expected = repr(config.tag)


def _default(plan: Plan, fields: list[Field], found: list[Field | None], offsets: dict[str, int]) -> None:
    """Where in an instance the values of the columns and the defaults of the other fields stand."""
    for field, place in zip(found, plan.places, strict=True):
        if field is not None and not field.late:
            place.offset = offsets.get(field.name, -1)
    for field in fields:
        if field.late or any(each is field for each in found):
            continue
        if field.default is _MISSING and field.factory is _MISSING:
            continue
        place = Place(plan.name, field.name, "")
        place.offset = offsets.get(field.name, -1)
        if field.factory is not _MISSING:
            place.convert = field.factory
        else:
            place.value = field.default
        plan.defaults.append(place)


def _slots(cls: type, names: list[str]) -> dict[str, int] | None:
    """Where the fields stand in an instance; None where that is not to be known."""
    if not COMPILED:
        return None
    offsets = {}
    for name in names:
        slot = next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)
        if (
            type(slot) is not types.MemberDescriptorType
            or slot.__name__ != name
            or slot.__objclass__ not in cls.__mro__
        ):
            return None
        offset = offset_of(slot)
        if offset < 0:
            return None
        offsets[name] = offset
    return offsets


def _plan_dataclass(cls: Any, origin: Any, columns: Columns, name: str) -> Plan:
    hints = _hints(cls)
    fields = []
    for each in origin.__dataclass_fields__.values():
        kind = each._field_type.name
        if kind == "_FIELD_CLASSVAR":
            continue
        hint = hints.get(each.name, each.type)
        if isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        field = Field(each.name, each.name, hint, given=each.init, late=kind == "_FIELD_INITVAR")
        if each.default is not dataclasses.MISSING:
            field.default = each.default
        if each.default_factory is not dataclasses.MISSING:
            field.factory = each.default_factory
        fields.append(field)
    validates = hasattr(origin, "__pydantic_validator__")
    plan = Plan(OBJECT, origin, name)
    found = _fill(plan, fields, columns)
    if validates or not _is_plain_dataclass(origin, fields):
        plan.kind = CALL
        if validates:
            for place in plan.places:
                place.anything = True
        return plan
    kept = [field.name for field in fields if not field.late]
    offsets = _slots(origin, kept) or {}
    _default(plan, fields, found, offsets)
    plan.post_init = getattr(origin, "__post_init__", None)
    plan.late = tuple(field.name for field in fields if field.late)
    plan.late_defaults = {field.name: field.default for field in fields if field.late}
    return plan


def _is_plain_dataclass(cls: Any, fields: list[Field]) -> bool:
    """Whether an instance may be filled without its __init__: that is the one that `dataclass` made, and does
    nothing else.
    """
    owner = next((base for base in cls.__mro__ if "__init__" in base.__dict__), object)
    params = owner.__dict__.get("__dataclass_params__")
    code = getattr(owner.__dict__["__init__"], "__code__", None)
    if params is None or not params.init or code is None or code.co_filename != "<string>":
        return False
    if owner.__dict__.get("__dataclass_fields__") is not cls.__dataclass_fields__:
        return False
    if type(cls).__call__ is not type.__call__ or cls.__new__ is not object.__new__:
        return False
    if cls.__setattr__ is not object.__setattr__ and not cls.__dataclass_params__.frozen:
        return False
    for field in fields:
        static = next(
            (base.__dict__[field.name] for base in cls.__mro__ if field.name in base.__dict__), None
        )
        if hasattr(type(static), "__set__") and type(static) is not types.MemberDescriptorType:
            return False
    return True
