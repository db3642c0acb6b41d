"""Validators of types with named fields: Structs and BaseModels, dataclasses, TypedDicts, NamedTuples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fastweb.types import Undefined
from fastweb.validation.containers import items_of, too_long
from fastweb.validation.errors import LAX, State, location
from fastweb.validation.nodes import FieldSchema, ModelSchema, Schema
from fastweb.validation.scalars import Walk

__all__ = ["ABSENT", "FieldWalk", "find_path", "model_walk", "takes_attributes"]

Compile: TypeAlias = Callable[[Schema], Walk]

#: What stands where nothing was given.
ABSENT: Any = object()
#: Objects of these modules' types have attributes, but none that anyone means as fields.
_NO_FIELDS = frozenset({"builtins", "datetime", "collections"})


class FieldWalk:
    """One field, ready to be looked up and validated. `key` is its only key, where it has but one."""

    __slots__ = ("field", "key", "lookups", "missing", "name", "required", "validate_default", "walk")

    def __init__(self, field: FieldSchema, walk: Walk) -> None:
        self.field = field
        self.name = field.name
        self.walk = walk
        self.required = field.required
        self.validate_default = field.validate_default
        self.lookups = field.lookups
        only = field.lookups[0]
        self.key = only[0] if len(field.lookups) == 1 and len(only) == 1 else None
        self.missing = tuple(reversed(only))


def takes_attributes(value: Any) -> bool:
    """Whether fields may be read from the attributes of this object."""
    return type(value).__module__ not in _NO_FIELDS


def find_path(value: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at a path of keys and indexes, or `ABSENT`."""
    for key in path:
        if isinstance(value, Mapping):
            if key not in value:
                return ABSENT
            value = value[key]
        elif isinstance(key, int) and isinstance(value, (list, tuple)):
            if not -len(value) <= key < len(value):
                return ABSENT
            value = value[key]
        else:
            return ABSENT
    return value


def _find_attribute(value: Any, path: tuple[str | int, ...]) -> Any:
    for depth, key in enumerate(path):
        if isinstance(key, str):
            if depth and isinstance(value, Mapping):
                if key not in value:
                    return ABSENT
                value = value[key]
                continue
            try:
                value = getattr(value, key)
            except AttributeError:
                return ABSENT
        else:
            try:
                value = value[key]
            except (LookupError, TypeError):
                return ABSENT
    return value


def _lookup(field: FieldWalk, value: Any) -> tuple[Any, tuple[str | int, ...]]:
    for path in field.lookups:
        found = find_path(value, path)
        if found is not ABSENT:
            return found, path
    return ABSENT, field.lookups[0]


def _default(field: FieldWalk, state: State) -> Any:
    """The default of a field that was not given; `Undefined` if it fails its own validation."""
    made = field.field.get_default()
    if field.validate_default and made is not Undefined:
        start = len(state.errors)
        made = field.walk(made, state)
        if made is Undefined:
            state.outer(start, *field.missing)
    return made


class _Reader:
    """Reads the fields of one model from a mapping or from attributes."""

    def __init__(self, schema: ModelSchema, walk_of: Compile, *, extra_type: str = "extra_forbidden") -> None:
        self.fields = [FieldWalk(field, walk_of(field.schema)) for field in schema.fields if field.init]
        self.simple = all(field.key is not None for field in self.fields)
        self.extra = schema.extra
        self.extra_walk = None if schema.extra_schema is None else walk_of(schema.extra_schema)
        self.keys = {field.key for field in self.fields}
        self.known: set[Any] = set() if schema.tag_field is None else {schema.tag_field}
        self.extra_type = extra_type
        self.extra_message = (
            "Extra inputs are not permitted"
            if extra_type == "extra_forbidden"
            else "Unexpected keyword argument"
        )
        self.keys_checked = schema.extra != "ignore" or schema.kind == "dataclass"

    def from_mapping(
        self, value: Any, state: State, fill: bool
    ) -> tuple[dict[str, Any], set[str], dict[str, Any] | None] | None:
        """(values by name, names that were given, extra values); None after errors.

        `fill` puts defaults among the values; else only those that had to be validated.
        """
        values: dict[str, Any] = {}
        given: set[str] = set()
        used: set[Any] = set() if self.keys_checked else _UNUSED
        errors = state.errors
        begin = start = len(errors)
        for field in self.fields:
            key = field.key
            if key is not None:
                if key in value:
                    found = value[key]
                    if self.keys_checked:
                        used.add(key)
                    result = field.walk(found, state)
                    if result is Undefined:
                        state.outer(start, key)
                        start = len(errors)
                    else:
                        values[field.name] = result
                        given.add(field.name)
                    continue
            else:
                found, path = _lookup(field, value)
                if found is not ABSENT:
                    if self.keys_checked:
                        used.add(path[0])
                    result = field.walk(found, state)
                    if result is Undefined:
                        state.outer(start, *reversed(path))
                        start = len(errors)
                    else:
                        values[field.name] = result
                        given.add(field.name)
                    continue
            start = self._absent(field, value, state, start, values, fill)
        extra = None
        if self.keys_checked:
            extra = self._extras(value, used | self.known, state)
            start = len(errors)
        if start != begin:
            return None
        state.fields_set = (state.fields_set or 0) + len(given)
        return values, given, extra

    def _absent(
        self, field: FieldWalk, value: Any, state: State, start: int, values: dict[str, Any], fill: bool
    ) -> int:
        if field.required:
            state.fail("missing", "Field required", value)
            state.outer(start, *field.missing)
        elif fill or field.validate_default:
            made = _default(field, state)
            if made is not Undefined:
                values[field.name] = made
        return len(state.errors)

    def _extras(self, value: Any, used: set[Any], state: State) -> dict[str, Any] | None:
        extra: dict[str, Any] = {}
        start = len(state.errors)
        for key in value:
            if isinstance(key, str):
                if key in used or self.extra == "ignore":
                    continue
                if self.extra == "forbid":
                    state.fail(self.extra_type, self.extra_message, value[key])
                elif self.extra_walk is None:
                    extra[key] = value[key]
                    continue
                else:
                    extra[key] = self.extra_walk(value[key], state)
            else:
                state.fail("invalid_key", "Keys should be strings", key)
            state.outer(start, location(key))
            start = len(state.errors)
        return extra if self.extra == "allow" else None

    def from_attributes(
        self, value: Any, state: State, fill: bool
    ) -> tuple[dict[str, Any], set[str], dict[str, Any] | None] | None:
        """The same from an object's attributes, among which there is nothing extra."""
        values: dict[str, Any] = {}
        given: set[str] = set()
        begin = start = len(state.errors)
        for field in self.fields:
            found = ABSENT
            path = field.lookups[0]
            try:
                for path in field.lookups:
                    found = _find_attribute(value, path)
                    if found is not ABSENT:
                        break
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                message = f"Error extracting attribute: {text}"
                state.fail("get_attribute_error", message, value, {"error": text})
                state.outer(start, *reversed(path))
                start = len(state.errors)
                continue
            if found is ABSENT:
                start = self._absent(field, value, state, start, values, fill)
                continue
            result = field.walk(found, state)
            if result is Undefined:
                state.outer(start, *reversed(path))
                start = len(state.errors)
            else:
                values[field.name] = result
                given.add(field.name)
        if start != begin:
            return None
        state.fields_set = (state.fields_set or 0) + len(given)
        return values, given, None


_UNUSED: set[Any] = set()


def user_error(state: State, value: Any, error: Exception) -> Any:
    """Note what a model's own code raised."""
    if isinstance(error, AssertionError):
        return state.fail("assertion_error", f"Assertion failed, {error}", value, {"error": error})
    return state.fail("value_error", f"Value error, {error}", value, {"error": error})


def model_walk(schema: ModelSchema, walk_of: Compile) -> Walk:
    """The validator of a model, by its kind."""
    if schema.kind == "struct":
        return _array_walk(schema, walk_of) if schema.array_like else _struct_walk(schema, walk_of)
    if schema.kind == "dataclass":
        return _dataclass_walk(schema, walk_of)
    if schema.kind == "typeddict":
        return _typed_dict_walk(schema, walk_of)
    return _named_tuple_walk(schema, walk_of)


def _struct_walk(schema: ModelSchema, walk_of: Compile) -> Walk:
    cls, name = schema.cls, schema.cls.__name__
    reader = _Reader(schema, walk_of)
    own_attributes = schema.from_attributes
    construct = cls._fastweb_construct if schema.is_base_model else None
    tag, tag_field = schema.tag, schema.tag_field
    mapping: type[Any] = dict if schema.config.get("strict") else Mapping

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, cls):
            return value
        if isinstance(value, mapping):
            read = reader.from_mapping
        else:
            allowed = own_attributes if state.from_attributes is None else state.from_attributes
            if not allowed:
                message = f"Input should be a valid dictionary or instance of {name}"
                return state.fail("model_type", message, value, {"class_name": name})
            if not takes_attributes(value):
                message = "Input should be a valid dictionary or object to extract fields from"
                return state.fail("model_attributes_type", message, value)
            read = reader.from_attributes
        begin = len(state.errors)
        if tag_field is not None and isinstance(value, Mapping):
            _check_tag(value, tag_field, tag, state)
        read_fields = read(value, state, construct is not None)
        if read_fields is None or len(state.errors) > begin:
            return Undefined
        values, given, extra = read_fields
        state.strict()
        try:
            return cls(**values) if construct is None else construct(values, given, extra)
        except (ValueError, AssertionError) as error:
            return user_error(state, value, error)
        except TypeError as error:
            # msgspec takes it for bad input where __post_init__ raises it; without one it is a bug.
            if construct is not None or not hasattr(cls, "__post_init__"):
                raise
            return user_error(state, value, error)

    return walk


def _check_tag(value: Any, tag_field: str, tag: Any, state: State) -> None:
    found = value.get(tag_field, ABSENT)
    if found is not ABSENT and (found != tag or type(found) is not type(tag)):
        start = len(state.errors)
        state.fail("literal_error", f"Input should be {tag!r}", found, {"expected": repr(tag)})
        state.outer(start, tag_field)


def _array_walk(schema: ModelSchema, walk_of: Compile) -> Walk:
    """A msgspec.Struct with array_like=True: a list of its fields' values, its tag first where it has one."""
    cls = schema.cls
    fields = [FieldWalk(field, walk_of(field.schema)) for field in schema.fields]
    tag, skip = schema.tag, int(schema.tag_field is not None)

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, (list, tuple)):
            return state.fail("list_type", "Input should be a valid list", value)
        begin = start = len(state.errors)
        if skip and (not value or value[0] != tag):
            state.fail("literal_error", f"Input should be {tag!r}", value, {"expected": repr(tag)})
            return state.outer(start, 0)
        if schema.extra == "forbid" and len(value) > len(fields) + skip:
            return too_long(state, value, "List", len(fields) + skip, len(value))
        values: dict[str, Any] = {}
        for index, field in enumerate(fields, skip):
            if index < len(value):
                result = field.walk(value[index], state)
                if result is not Undefined:
                    values[field.name] = result
                    continue
            elif field.required:
                state.fail("missing", "Field required", value)
            else:
                continue
            state.outer(start, index)
            start = len(state.errors)
        if start != begin:
            return Undefined
        state.fields_set = (state.fields_set or 0) + len(values)
        try:
            return cls(**values)
        except (ValueError, TypeError, AssertionError) as error:
            return user_error(state, value, error)

    return walk


def _dataclass_walk(schema: ModelSchema, walk_of: Compile) -> Walk:
    cls, name = schema.cls, schema.cls.__name__
    reader = _Reader(schema, walk_of, extra_type="unexpected_keyword_argument")
    message = f"Input should be a dictionary or an instance of {name}"
    own_init = _has_own_init(cls)

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            return state.fail("dataclass_type", message, value, {"class_name": name})
        # Defaults too: `Field(3)` stands where a dataclass keeps its own.
        read_fields = reader.from_mapping(value, state, True)
        if read_fields is None:
            return Undefined
        values, _, extra = read_fields
        state.strict()
        try:
            made = _without_init(schema, values) if own_init else cls(**values)
        except (ValueError, AssertionError) as error:
            return user_error(state, value, error)
        if extra:
            for key, each in extra.items():
                object.__setattr__(made, key, each)
        return made

    return walk


def _has_own_init(cls: type[Any]) -> bool:
    params = getattr(cls, "__dataclass_params__", None)
    return params is not None and not params.init


def _without_init(schema: ModelSchema, values: dict[str, Any]) -> Any:
    """An instance of a dataclass with an __init__ of its author's, which pydantic does not call either."""
    made: Any = object.__new__(schema.cls)
    for field in schema.fields:
        if field.name in values:
            object.__setattr__(made, field.name, values[field.name])
        elif (default := field.get_default()) is not Undefined:
            object.__setattr__(made, field.name, default)
    if hasattr(made, "__post_init__"):
        init_vars = [
            values.get(name)
            for name, field in schema.cls.__dataclass_fields__.items()
            if field._field_type.name == "_FIELD_INITVAR"
        ]
        made.__post_init__(*init_vars)
    return made


def _typed_dict_walk(schema: ModelSchema, walk_of: Compile) -> Walk:
    reader = _Reader(schema, walk_of)

    def walk(value: Any, state: State) -> Any:
        if not isinstance(value, dict):
            if schema.strict or not isinstance(value, Mapping):
                return state.fail("dict_type", "Input should be a valid dictionary", value)
        read_fields = reader.from_mapping(value, state, True)
        if read_fields is None:
            return Undefined
        values, _, extra = read_fields
        return {**values, **extra} if extra else values

    return walk


def _named_tuple_walk(schema: ModelSchema, walk_of: Compile) -> Walk:
    cls, name = schema.cls, schema.cls.__name__
    reader = _Reader(schema, walk_of)
    fields = reader.fields
    message = f"Input should be a tuple, list, dictionary or an instance of {name}"

    def walk(value: Any, state: State) -> Any:
        state.strict()
        if isinstance(value, Mapping):
            read_fields = reader.from_mapping(value, state, True)
            return Undefined if read_fields is None else cls(**read_fields[0])
        items = items_of(value)
        if items is None:
            return state.fail("named_tuple_type", message, value, {"class_name": name})
        if not isinstance(value, tuple):
            state.exactness = LAX
        given = list(items)
        if len(given) > len(fields):
            return too_long(state, value, "NamedTuple", len(fields), len(given))
        made = []
        begin = start = len(state.errors)
        for index, field in enumerate(fields):
            if index < len(given):
                result = field.walk(given[index], state)
            elif field.required:
                result = state.fail("missing", "Field required", value)
            else:
                result = _default(field, state)
            if len(state.errors) != start:
                state.outer(start, index)
                start = len(state.errors)
            made.append(result)
        if start != begin:
            return Undefined
        state.fields_set = (state.fields_set or 0) + len(given)
        return cls(*made)

    return walk
