"""The class of model classes: how a class body becomes a msgspec.Struct that validates, and a generic model a
concrete one.
"""

from __future__ import annotations

import copy
import json
import sys
import threading
import types
import typing
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    TypedDict,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

import msgspec

from fastweb._speedups.models import UNSET_BITS, make_post_init, set_field
from fastweb.exceptions import FastWebError
from fastweb.fields import Field, FieldInfo
from fastweb.model_fields import (
    KEPT,
    PrivateAttr,
    PrivateAttribute,
    annotations_of,
    describe,
    for_msgspec,
    holds_name,
    is_class_var,
    is_pydantic,
    look_up,
    read_field,
    refuse_pydantic,
    substitute,
    unannotated,
)
from fastweb.types import Undefined
from fastweb.validation.convert import converter_of
from fastweb.validation.schema import schema_of
from fastweb.validation.serializer import to_jsonable
from fastweb.validation.validators import validator_of, validator_of_schema

__all__ = ["ConfigDict", "ModelMeta", "ValidationError"]

new: Callable[..., Any] = msgspec.StructMeta.__call__
#: The key in an instance's `__dict__` under which the fields stand that its class does not have.
EXTRA = "__fastweb_extra__"
_UNSET = msgspec.UNSET
_IMMUTABLE = (type(None), bool, int, float, str, bytes)


class ConfigDict(TypedDict, total=False):
    """The settings of a model: `model_config = ConfigDict(extra="forbid")`. The names are pydantic's.

    Source: https://docs.pydantic.dev/latest/api/config/
    """

    title: str | None
    extra: Literal["allow", "ignore", "forbid"] | None
    frozen: bool
    populate_by_name: bool
    validate_by_name: bool
    validate_by_alias: bool
    serialize_by_alias: bool
    from_attributes: bool
    alias_generator: Callable[[str], str] | None
    str_strip_whitespace: bool
    str_to_lower: bool
    str_to_upper: bool
    str_min_length: int
    str_max_length: int | None
    coerce_numbers_to_str: bool
    strict: bool
    allow_inf_nan: bool
    use_enum_values: bool
    validate_assignment: bool
    validate_default: bool
    arbitrary_types_allowed: bool
    json_schema_extra: dict[str, Any] | Callable[[dict[str, Any]], None] | None
    use_attribute_docstrings: bool
    protected_namespaces: tuple[str, ...]


#: The names of these settings in pydantic's first version, for `class Config:`.
_OLDER_SETTINGS = {
    "orm_mode": "from_attributes",
    "allow_population_by_field_name": "populate_by_name",
    "anystr_strip_whitespace": "str_strip_whitespace",
    "anystr_lower": "str_to_lower",
    "anystr_upper": "str_to_upper",
    "min_anystr_length": "str_min_length",
    "max_anystr_length": "str_max_length",
    "schema_extra": "json_schema_extra",
    "validate_all": "validate_default",
}


class ValidationError(ValueError):
    """Data that does not fit a model.

    Arguments:
        title: the model's name.
        errors: what is wrong, each with "type", "loc", "msg", "input" and sometimes "ctx".
    """

    def __init__(self, title: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(title, errors)
        self.title = title
        self._errors = errors

    def errors(
        self, *, include_url: bool = False, include_context: bool = True, include_input: bool = True
    ) -> list[dict[str, Any]]:
        """What is wrong, in the order of the model's fields. There are no links: `include_url` does
        nothing.
        """
        left_out = set() if include_context else {"ctx"}
        if not include_input:
            left_out.add("input")
        return [{key: value for key, value in error.items() if key not in left_out} for error in self._errors]

    def error_count(self) -> int:
        """How many errors there are."""
        return len(self._errors)

    def json(
        self,
        *,
        indent: int | None = None,
        include_url: bool = False,
        include_context: bool = True,
        include_input: bool = True,
    ) -> str:
        """The errors as JSON."""
        errors = self.errors(include_context=include_context, include_input=include_input)
        document = to_jsonable(errors, fallback=str)
        separators = (",", ":") if indent is None else None
        return json.dumps(document, indent=indent, separators=separators, ensure_ascii=False)

    def __str__(self) -> str:
        count = len(self._errors)
        lines = [f"{count} validation error{'' if count == 1 else 's'} for {self.title}"]
        for error in self._errors:
            if error["loc"]:
                lines.append(".".join(map(str, error["loc"])))
            shown = repr(error.get("input"))
            if len(shown) > 50:
                shown = f"{shown[:25]}...{shown[-24:]}"
            kind = type(error.get("input")).__name__
            lines.append(f"  {error['msg']} [type={error['type']}, input_value={shown}, input_type={kind}]")
        return "\n".join(lines)

    __repr__ = __str__


def _configured(
    model: str, bases: tuple[type, ...], namespace: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    """The settings of a new class: its bases', then its own."""
    config: dict[str, Any] = {}
    for base in reversed(bases):
        config.update(getattr(base, "__fastweb_config__", {}))
    older = namespace.pop("Config", None)
    if older is not None:
        for name, value in vars(older).items():
            if not name.startswith("_"):
                config[_OLDER_SETTINGS.get(name, name)] = value
        if config.pop("allow_mutation", True) is False:
            config["frozen"] = True
    config.update(namespace.pop("model_config", {}))
    unknown = options.keys() - ConfigDict.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"{model}: unknown class keywords {sorted(unknown)}; ConfigDict names those that there are"
        )
    config.update(options)
    return config


def unset_bits(model: Any) -> int:
    """The bits of the fields that were not given."""
    return int(model.__dict__.get(UNSET_BITS, 0))


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, PrivateAttr))
class ModelMeta(msgspec.StructMeta):
    """The class of model classes: it reads the fields, and makes a call of a model validate its arguments."""

    __fastweb_config__: dict[str, Any]
    __fastweb_state__: ClassState

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        if not any(isinstance(base, ModelMeta) for base in bases):
            return super().__new__(mcls, name, bases, namespace, kw_only=True, dict=True, weakref=True)
        return _make(mcls, name, bases, dict(namespace), options, sys._getframe(1))

    if not TYPE_CHECKING:  # the signature is that of the fields

        def __call__(cls, /, *args, **data):
            if args:
                raise TypeError(
                    f"{cls.__name__}() takes keywords alone: {cls.__name__}(name=value); "
                    f"for a dict there is {cls.__name__}.model_validate(...)"
                )
            return validate(cls, data)

    @property
    def __fastweb_fields__(cls) -> dict[str, FieldInfo]:
        """The fields by name, their annotations resolved.

        Raises:
            FastWebError: an annotation names what is not defined (yet).
        """
        state = cls.__fastweb_state__
        if not state.complete:
            complete(cls, None)
        return state.fields

    @property
    def model_fields(cls) -> dict[str, FieldInfo]:
        """The fields by name."""
        return cls.__fastweb_fields__

    @property
    def __fields__(cls) -> dict[str, FieldInfo]:
        """The older name of `model_fields`."""
        return cls.__fastweb_fields__

    @property
    def __pydantic_complete__(cls) -> bool:
        return cls.__fastweb_state__.complete

    @property
    def __signature__(cls) -> Any:
        from inspect import Parameter, Signature

        parameters = []
        for name, info in cls.__fastweb_fields__.items():
            alias = info.alias if isinstance(info.alias, str) and info.alias.isidentifier() else name
            default = Parameter.empty if info.is_required() else info.default
            parameters.append(
                Parameter(alias, Parameter.KEYWORD_ONLY, default=default, annotation=info.annotation)
            )
        return Signature(parameters, return_annotation=None)


class ClassState:
    """What is kept of a model class beside its fields."""

    __slots__ = ("bits", "complete", "convert", "fields", "frozen", "locals", "own", "private", "specials")

    def __init__(self) -> None:
        self.fields: dict[str, FieldInfo] = {}
        #: The names of the fields whose annotations this class itself has.
        self.own: tuple[str, ...] = ()
        self.bits: dict[str, int] = {}
        self.private: dict[str, PrivateAttribute] = {}
        self.complete = True
        self.locals: dict[str, Any] | None = None
        self.frozen = False
        #: The fast way of validating; Undefined until it is asked for, None where there is none.
        self.convert: Any = Undefined
        #: Some field cannot be set by a plain assignment.
        self.specials = False


def _make(
    mcls: type[ModelMeta],
    name: str,
    bases: tuple[type, ...],
    namespace: dict[str, Any],
    options: dict[str, Any],
    frame: types.FrameType,
) -> Any:
    config = _configured(name, bases, namespace, options)
    annotations = annotations_of(namespace)
    state = ClassState()
    fields: dict[str, FieldInfo] = {}
    private: dict[str, PrivateAttribute] = {}
    for base in reversed(bases):
        if isinstance(base, ModelMeta):
            inherited = base.__fastweb_state__
            if not inherited.complete:
                try_complete(base)
            fields.update({key: copy.copy(info) for key, info in inherited.fields.items()})
            private.update(inherited.private)
    if config.get("alias_generator") is not None:
        for key, info in fields.items():
            fields[key] = describe(key, info.annotation, info, config)

    for key, value in list(namespace.items()):
        refuse_pydantic(name, key, value)
        if key.startswith("__") or (key in annotations and not key.startswith("_")):
            continue
        if isinstance(value, FieldInfo):
            raise FastWebError(
                f"{name}.{key} has a Field(...) and no annotation; write `{key}: type = Field(...)`"
            )
        if key.startswith("_"):
            if isinstance(value, PrivateAttribute) or not (
                isinstance(value, KEPT) or hasattr(value, "__get__")
            ):
                made = value if isinstance(value, PrivateAttribute) else PrivateAttribute(value, None)
                private[key] = made
                del namespace[key]
        elif key in fields and not isinstance(value, KEPT):
            raise FastWebError(
                f"{name}.{key} is a field of a base class; write its annotation again: `{key}: type = ...`"
            )
        elif not isinstance(value, KEPT) and not hasattr(value, "__get__"):
            raise FastWebError(
                f"{name}.{key} has no annotation; write `{key}: type = ...` for a field, "
                f"`{key}: ClassVar[...]` for none"
            )

    plain: dict[str, Any] = {}
    rename: dict[str, str] = {}
    for key, annotation in annotations.items():
        if is_class_var(annotation) or key == "model_config":
            continue
        if key.startswith("_"):
            if not key.startswith("__"):
                private.setdefault(key, PrivateAttribute(Undefined, None))
            continue
        default = namespace.pop(key, Undefined)
        shadowed = next((base for base in bases if hasattr(base, key) and key not in fields), None)
        if shadowed is not None:
            warnings.warn(
                f'Field name "{key}" in "{name}" shadows an attribute in parent "{shadowed.__name__}"',
                UserWarning,
                stacklevel=3,
            )
        for item in getattr(annotation, "__metadata__", ()):
            if type(item).__name__ == "FieldInfo" and is_pydantic(item):
                refuse_pydantic(name, key, item)
        info = read_field(key, annotation, default, config, namespace, frame)
        fields[key] = info
        plain[key] = annotation
        if not info.is_required():
            namespace[key] = _UNSET

    for key, info in fields.items():
        alias = info.validation_alias
        if isinstance(alias, str) and alias != key:
            rename[key] = alias
        elif config.get("alias_generator") is not None and key not in plain:
            plain[key] = info.annotation
    bits = {key: 1 << place for place, key in enumerate(fields)}
    state.fields, state.private, state.bits, state.own = fields, private, bits, tuple(plain)
    state.frozen = bool(config.get("frozen"))
    state.specials = (
        state.frozen
        or bool(config.get("validate_assignment"))
        or any(info.frozen for info in fields.values())
    )
    _add_methods(namespace, bases, state, config)
    namespace["__annotations__"] = plain
    namespace["model_config"] = config
    namespace["__fastweb_config__"] = config
    namespace["__fastweb_state__"] = state
    try:
        cls = msgspec.StructMeta.__new__(
            mcls,
            name,
            bases,
            namespace,
            kw_only=True,
            rename=rename or None,
            forbid_unknown_fields=config.get("extra") == "forbid",
        )
    except TypeError as error:
        if "lay-out conflict" in str(error):
            named = ", ".join(base.__name__ for base in bases)
            raise FastWebError(
                f"{name} has two base models with fields of their own ({named}); "
                "let one of them derive from the other"
            ) from error
        raise
    if any(map(holds_name, (info.annotation for info in fields.values()))):
        state.complete = False
        state.locals = dict(frame.f_locals) if frame.f_locals is not frame.f_globals else None
        try_complete(cls)
    else:
        _show_msgspec(cls)
    return cls


def _add_methods(
    namespace: dict[str, Any], bases: tuple[type, ...], state: ClassState, config: Mapping[str, Any]
) -> None:
    """The methods that only some models need."""
    for name in ("__init__", "__new__"):
        if name in namespace:
            raise FastWebError(
                f"{namespace.get('__qualname__')} defines {name}; a model is made by its fields alone: "
                "use model_post_init(self, context) for what is to be done afterwards"
            )
    optional = {key: info for key, info in state.fields.items() if not info.is_required()}
    steps: list[Callable[[Any], Any]] = []
    if optional:
        plain = {
            key: info.default_factory is None and isinstance(info.default, _IMMUTABLE)
            for key, info in optional.items()
        }
        steps.append(
            make_post_init(
                tuple(optional),
                tuple(info.default if plain[key] else None for key, info in optional.items()),
                tuple(None if plain[key] else info.get_default for key, info in optional.items()),
                tuple(state.bits[key] for key in optional),
            )
        )
    made: dict[str, PrivateAttribute] = {}
    for key, private in state.private.items():
        if private.default_factory is None and isinstance(private.default, _IMMUTABLE):
            namespace.setdefault(key, private.default)  # it is found in the class until it is set
        elif private.default_factory is not None or private.default is not Undefined:
            made[key] = private
    if made:

        def add_private(self: Any) -> None:
            for key, private in made.items():
                set_field(self, key, private.make())

        steps.append(add_private)
    if "model_post_init" in namespace or any(map(_has_post_init, bases)):
        steps.append(lambda self: self.model_post_init(None))
    if len(steps) == 1:
        namespace["__post_init__"] = steps[0]
    elif steps:

        def __post_init__(self: Any) -> None:  # noqa: N807
            for step in steps:
                step(self)

        namespace["__post_init__"] = __post_init__
    if config.get("extra") == "allow":
        namespace.setdefault("__getattr__", _get_extra)
    if state.frozen:
        namespace.setdefault("__hash__", _hash_fields)
    if "__eq__" not in namespace:
        namespace["__eq__"] = _equal
        namespace.setdefault("__hash__", None)


def _root(cls: Any) -> Any:
    """BaseModel itself."""
    return next(base for base in reversed(cls.__mro__) if isinstance(base, ModelMeta))


def _has_post_init(base: Any) -> bool:
    if not isinstance(base, ModelMeta):
        return hasattr(base, "model_post_init")
    return bool(getattr(base, "model_post_init", None) is not getattr(_root(base), "model_post_init", None))


def _get_extra(self: Any, name: str) -> Any:
    extra = self.__dict__.get(EXTRA)
    if extra is not None and name in extra:
        return extra[name]
    raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _hash_fields(self: Any) -> int:
    return hash((type(self), *(getattr(self, name) for name in type(self).__fastweb_state__.fields)))


def _equal(self: Any, other: Any) -> Any:
    if not isinstance(type(other), ModelMeta):
        return NotImplemented
    if _origin(type(self)) is not _origin(type(other)):
        return False
    state = type(self).__fastweb_state__
    missing = object()
    for name in (*state.fields, *state.private):
        if getattr(self, name, missing) != getattr(other, name, missing):
            return False
    return bool((self.__dict__.get(EXTRA) or {}) == (other.__dict__.get(EXTRA) or {}))


def _origin(cls: Any) -> Any:
    generic = cls.__dict__.get("__fastweb_generic__")
    return cls if generic is None else generic[0]


def rest_of(model: Any) -> dict[str, Any]:
    """Private attributes and extra fields, without what functools.cached_property keeps."""
    return {key: value for key, value in model.__dict__.items() if key.startswith("_") and key != UNSET_BITS}


# Names in annotations


def try_complete(cls: Any) -> None:
    try:
        complete(cls, None)
    except FastWebError:
        pass  # it is tried again when the fields are first asked for


def complete(cls: Any, namespace: Mapping[str, Any] | None) -> None:
    """Look up the names in a model's annotations.

    Raises:
        FastWebError: one of them is not defined.
    """
    state: ClassState = cls.__fastweb_state__
    for key, info in state.fields.items():
        if not holds_name(info.annotation):
            continue
        owner = next(base for base in cls.__mro__ if key in getattr(base, "__fastweb_state__", state).own)
        names = {
            **(owner.__fastweb_state__.locals or {}),
            **(state.locals or {}),
            **{each.__name__: each for each in getattr(owner, "__type_params__", ())},
            owner.__name__: owner,
            cls.__name__: cls,
            **(namespace or {}),
        }
        try:
            info.annotation = unannotated(look_up(info.annotation, owner.__module__, names))[0]
        except NameError as error:
            raise FastWebError(
                f"{cls.__name__}.{key}: the annotation {info.annotation!r} names {error.name!r}, "
                "which is not defined; "
                f"define it, and where it is local to a function call {cls.__name__}.model_rebuild()"
            ) from error
    state.complete = True
    state.locals = None
    state.convert = Undefined
    _show_msgspec(cls)


def _show_msgspec(cls: Any) -> None:
    """Give msgspec, which reads annotations when it first needs them, the field's types with their
    constraints.
    """
    state: ClassState = cls.__fastweb_state__
    cls.__annotations__ = {
        key: for_msgspec(state.fields[key].annotation, state.fields[key]) for key in state.own
    }


# Making models


def validate(cls: Any, value: Any, from_attributes: bool | None = None) -> Any:
    state: ClassState = cls.__fastweb_state__
    if state.convert is Undefined:
        state.convert = converter_of(schema_of(cls))
    if state.convert is not None:
        model = state.convert(value)
        if model is not Undefined:
            return model
    errors: list[dict[str, Any]] = []
    model = validator_of(cls, from_attributes=from_attributes).validate(value, (), errors)
    if errors:
        raise ValidationError(title_of(cls), errors)
    return model


def title_of(cls: Any) -> str:
    return cls.__fastweb_config__.get("title") or str(cls.__name__)


def frozen_error(model: Any, kind: str, message: str, name: str, value: Any) -> ValidationError:
    return ValidationError(
        title_of(type(model)), [{"type": kind, "loc": (name,), "msg": message, "input": value}]
    )


def checked_assignment(model: Any, name: str, value: Any) -> Any:
    """The value that may be assigned to a field.

    Raises:
        ValidationError: none may, or this one does not fit.
    """
    cls = type(model)
    if cls.__fastweb_state__.frozen:
        raise frozen_error(model, "frozen_instance", "Instance is frozen", name, value)
    info = cls.__fastweb_fields__[name]
    if info.frozen:
        raise frozen_error(model, "frozen_field", "Field is frozen", name, value)
    if cls.__fastweb_config__.get("validate_assignment"):
        schema: Any = schema_of(cls)
        field = next(each for each in schema.fields if each.name == name)
        errors: list[dict[str, Any]] = []
        value = validator_of_schema(field.schema, from_attributes=None).validate(value, (name,), errors)
        if errors:
            raise ValidationError(title_of(cls), errors)
    return value


def present_fields(model: Any) -> list[str]:
    """The fields that have a value; `model_construct` may leave some without."""
    return [name for name in type(model).__fastweb_state__.fields if hasattr(model, name)]


_CONCRETE: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation.__qualname__
    if annotation is Ellipsis:
        return "..."
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_name(get_args(annotation)[0])
    if origin is Union or origin is types.UnionType:
        return f"Union[{', '.join(map(_type_name, get_args(annotation)))}]"
    if origin is not None and origin is not Literal:
        name = getattr(annotation, "_name", None) or _type_name(origin)
        return f"{name}[{', '.join(map(_type_name, get_args(annotation)))}]"
    if isinstance(annotation, TypeVar):
        return repr(annotation)
    return repr(annotation).replace("typing.", "")


def parametrize(cls: Any, arguments: tuple[Any, ...]) -> Any:
    """The class that a generic model is with these type arguments: one and the same each time.

    Raises:
        TypeError: the model is not generic, or takes another number of arguments.
    """
    parameters = getattr(cls, "__parameters__", ())
    if not parameters:
        raise TypeError(f"{cls.__name__} is not generic; derive it from typing.Generic[T] too")
    if len(arguments) < len(parameters):
        defaults = [getattr(each, "__default__", Undefined) for each in parameters[len(arguments) :]]
        arguments += tuple(each for each in defaults if each is not getattr(typing, "NoDefault", Undefined))
    if len(arguments) != len(parameters):
        raise TypeError(f"{cls.__name__} takes {len(parameters)} type arguments, not {len(arguments)}")
    if arguments == parameters:
        return cls
    try:
        found = _CONCRETE.get((cls, arguments))
    except TypeError:
        found = None
    # 1 and True, or int | str and str | int, are equal and not the same.
    if found is not None and repr(found.__fastweb_generic__[1]) == repr(arguments):
        return found
    with _PARAMETRIZING_LOCK:
        return _parametrize_anew(cls, parameters, arguments)


def _parametrize_anew(cls: Any, parameters: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
    pending = next((each for each in _PARAMETRIZING if each.key == (cls, arguments)), None)
    if pending is not None:
        return pending.placeholder
    pending = _Parametrizing((cls, arguments))
    _PARAMETRIZING.append(pending)
    try:
        made = _concrete(cls, parameters, arguments)
    finally:
        _PARAMETRIZING.remove(pending)
    for each in [made, *pending.made]:
        for info in each.__fastweb_state__.fields.values():
            info.annotation = substitute(info.annotation, {pending.placeholder: made})
        _show_msgspec(each)
    for outer in _PARAMETRIZING:
        outer.made += [made, *pending.made]
    try:
        _CONCRETE[(cls, arguments)] = made
    except TypeError:
        pass
    return made


class _Parametrizing:
    """A concrete class that is being made: a type variable stands for it in its own fields until it is."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.placeholder = TypeVar("Self")
        self.made: list[Any] = []


_PARAMETRIZING: list[_Parametrizing] = []
_PARAMETRIZING_LOCK = threading.RLock()


def _concrete(cls: Any, parameters: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
    typevars = dict(zip(parameters, arguments, strict=True))
    fields = {key: copy.copy(info) for key, info in cls.__fastweb_fields__.items()}
    namespace: dict[str, Any] = {
        "__module__": cls.__module__,
        "__qualname__": f"{cls.__qualname__}[{', '.join(map(_type_name, arguments))}]",
        "__annotations__": {key: substitute(info.annotation, typevars) for key, info in fields.items()},
        "__fastweb_generic__": (cls, arguments),
        **fields,
    }
    bases: tuple[Any, ...] = (cls,)
    left = tuple(dict.fromkeys(each for part in arguments for each in _typevars_in(part)))
    if left:
        bases = (cls, Generic.__class_getitem__(left))
    name = f"{cls.__name__}[{', '.join(map(_type_name, arguments))}]"
    return types.new_class(name, bases, {}, lambda body: body.update(namespace))


def _typevars_in(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, TypeVar):
        return (annotation,)
    return tuple(getattr(annotation, "__parameters__", ()))


def rebuild(cls: Any, values: dict[str, Any], unset: int, rest: dict[str, Any]) -> Any:
    """A model from its parts; what pickle and copy call."""
    missing = [name for name in cls.__fastweb_state__.fields if name not in values]
    model = new(cls, **values, **dict.fromkeys(missing, None))
    for name in missing:
        msgspec.Struct.__delattr__(model, name)
    state = model.__dict__
    state.clear()
    state.update(rest)
    state[UNSET_BITS] = unset
    return model
