"""BaseModel: pydantic's interface over a msgspec.Struct.

msgspec decodes, copies and encodes these classes as it does any Struct, at its own speed, since it never calls the class. A call
of the class, `User(name="x")`, and `model_validate` go through fastweb's validation and accept what pydantic accepts
(https://docs.pydantic.dev/latest/concepts/models/).
"""

from __future__ import annotations

import builtins
import copy as _copy
import functools
import json as _json
import sys
import threading
import types
import typing
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    ForwardRef,
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
from fastweb.fields import CONSTRAINTS, Field, FieldInfo
from fastweb.types import Undefined
from fastweb.validation.scalars import compile_pattern
from fastweb.validation.json_schema import json_schema_of
from fastweb.validation.schema import schema_of
from fastweb.validation.serializer import serializer_of, to_jsonable
from fastweb.validation.validators import validator_of, validator_of_schema

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BaseModel", "ConfigDict", "Field", "FieldInfo", "PrivateAttr", "ValidationError"]

#: What include and exclude take: names, or names with what to take of their values (True: all of it).
IncEx = Union[set[int], set[str], Mapping[int, Any], Mapping[str, Any], None]

_UNSET = msgspec.UNSET
_new: Callable[..., Any] = msgspec.StructMeta.__call__
_EXTRA = "__fastweb_extra__"
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
        """What is wrong, in the order of the model's fields. There are no links: `include_url` does nothing."""
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
        return _json.dumps(document, indent=indent, separators=separators, ensure_ascii=False)

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


class _PrivateAttribute:
    """The default of a private attribute."""

    def __init__(self, default: Any, default_factory: Callable[[], Any] | None) -> None:
        self.default = default
        self.default_factory = default_factory

    def make(self) -> Any:
        return self.default_factory() if self.default_factory is not None else _copy.deepcopy(self.default)


def PrivateAttr(default: Any = Undefined, *, default_factory: Callable[[], Any] | None = None) -> Any:  # noqa: N802
    """The default of an attribute whose name begins with an underscore: it is neither validated nor put out.

    Raises:
        TypeError: both default and default_factory were given.
    """
    if default is not Undefined and default_factory is not None:
        raise TypeError("a private attribute takes a default or a default_factory, not both")
    return _PrivateAttribute(default, default_factory)


# Annotations


def _holds_name(annotation: Any) -> bool:
    """Whether a name in a string is still to be looked up."""
    if isinstance(annotation, (str, ForwardRef)):
        return True
    if get_origin(annotation) in (None, Literal):
        return False
    arguments = get_args(annotation)
    return any(map(_holds_name, arguments[:1] if get_origin(annotation) is Annotated else arguments))


def _transform(annotation: Any, change: Callable[[Any], Any]) -> Any:
    """The annotation with each of its parts, itself first, handed to `change`."""
    changed = change(annotation)
    if changed is not annotation:
        return changed
    origin = get_origin(annotation)
    if origin is None or origin is Literal:
        return annotation
    arguments = get_args(annotation)
    if origin is Annotated:
        inner = _transform(arguments[0], change)
        return annotation if inner is arguments[0] else Annotated[(inner, *arguments[1:])]
    parts = tuple(part if isinstance(part, list) else _transform(part, change) for part in arguments)
    if all(new is old for new, old in zip(parts, arguments, strict=True)):
        return annotation
    if origin is Union or origin is types.UnionType:
        return Union[parts]  # noqa: UP007 - a tuple
    if hasattr(annotation, "copy_with"):
        return annotation.copy_with(parts)
    return origin[parts]


def _substitute(annotation: Any, typevars: Mapping[Any, Any]) -> Any:
    def change(part: Any) -> Any:
        if isinstance(part, TypeVar):
            return typevars.get(part, part)
        if isinstance(part, ModelMeta):
            parameters = getattr(part, "__parameters__", ())
            if any(parameter in typevars for parameter in parameters):
                return part[tuple(typevars.get(parameter, parameter) for parameter in parameters)]
        return part

    return _transform(annotation, change)


_SIZED = (str, bytes, list, set, frozenset, tuple, dict)


def _meta(annotation: Any, info: FieldInfo) -> msgspec.Meta | None:
    """The constraints of a field, as far as msgspec can enforce them for its type."""
    kinds = [annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [part for part in get_args(annotation) if part is not type(None)]
    if len(kinds) != 1:
        return None
    kind = kinds[0]
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    kind = get_origin(kind) or kind
    names: tuple[str, ...] = ()
    if kind is int or kind is float:
        names = ("gt", "ge", "lt", "le", "multiple_of")
    elif kind in _SIZED:
        names = ("min_length", "max_length", "pattern") if kind is str else ("min_length", "max_length")
    given = {name: value for name, value in info.constraints().items() if name in names}
    if not given:
        return None
    if "pattern" in given:
        given["pattern"] = compile_pattern(given["pattern"]).pattern
    try:
        return msgspec.Meta(**given)
    except (TypeError, ValueError):  # gt beside ge, a bound that is no number: left to fastweb's own validation
        return None


def _for_msgspec(annotation: Any, info: FieldInfo | None = None) -> Any:
    """The annotation in the form that msgspec reads: constraints as msgspec.Meta."""

    def change(part: Any) -> Any:
        if isinstance(part, TypeVar) or get_origin(part) is not Annotated:
            return part
        inner, *metadata = get_args(part)
        inner = _transform(inner, change)
        metas = [item for item in metadata if isinstance(item, msgspec.Meta)]
        for item in metadata:
            if isinstance(item, FieldInfo) and (meta := _meta(inner, item)) is not None:
                metas.append(meta)
        return Annotated[(inner, *metas)] if metas else inner

    annotation = _transform(annotation, change)
    meta = None if info is None else _meta(annotation, info)
    return annotation if meta is None else Annotated[annotation, meta]


# Fields

_WORDS = (
    "alias",
    "validation_alias",
    "serialization_alias",
    "title",
    "description",
    "examples",
    "deprecated",
    "exclude",
    "discriminator",
    "json_schema_extra",
    "frozen",
    "validate_default",
    "init",
)


def _merge(infos: list[FieldInfo]) -> FieldInfo:
    """The descriptions of one field in one; the last has the last word."""
    if len(infos) == 1:
        return _copy.copy(infos[0])
    merged = FieldInfo()
    for info in infos:
        for name in (*_WORDS, *CONSTRAINTS):
            value = getattr(info, name)
            if value is not None:
                setattr(merged, name, value)
        if not info.is_required():
            merged.default, merged.default_factory = info.default, info.default_factory
        merged.repr = merged.repr and info.repr
    return merged


def _unannotated(annotation: Any) -> tuple[Any, list[FieldInfo]]:
    """The annotation without the descriptions that stand beside it, and these."""
    infos: list[FieldInfo] = []
    origin = get_origin(annotation)
    if origin is not None and getattr(origin, "_name", None) == "Final":
        return _unannotated(get_args(annotation)[0])
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        infos = [item for item in metadata if isinstance(item, FieldInfo)]
        rest = [item for item in metadata if not isinstance(item, FieldInfo)]
        annotation = Annotated[(inner, *rest)] if rest else inner
    return annotation, infos


def _describe(name: str, annotation: Any, default: Any, config: Mapping[str, Any]) -> FieldInfo:
    annotation, infos = _unannotated(annotation)
    if isinstance(default, FieldInfo):
        infos.append(default)
    elif default is not Undefined:
        infos.append(FieldInfo(default))
    info = _merge(infos or [FieldInfo()])
    info.annotation = annotation
    generator = config.get("alias_generator")
    if generator is not None:
        if not callable(generator):
            raise FastWebError(f"the field {name}: alias_generator must be a function of a name, not {generator!r}")
        alias = generator(name)
        if info.alias is None and info.validation_alias is None and info.serialization_alias is None:
            info.alias = alias
        info.validation_alias = info.validation_alias or alias
        info.serialization_alias = info.serialization_alias or alias
    return info


def _read_field(
    name: str,
    annotation: Any,
    default: Any,
    config: Mapping[str, Any],
    namespace: Mapping[str, Any],
    frame: types.FrameType,
) -> FieldInfo:
    """The description of a field of a class body; a name in its annotation may have to wait."""
    if not _holds_name(annotation):
        return _describe(name, annotation, default, config)
    module = namespace.get("__module__", "")
    names = {
        **(frame.f_locals if frame.f_locals is not frame.f_globals else {}),
        **{each.__name__: each for each in namespace.get("__type_params__", ())},
    }
    try:
        return _describe(name, _look_up(annotation, module, names), default, config)
    except NameError:
        pass
    try:
        known = _look_up(annotation, module, names, placeholders=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        known = annotation
    info = _describe(name, known, default, config)
    info.annotation = annotation
    return info


def _is_class_var(annotation: Any) -> bool:
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return annotation.partition("[")[0].strip() in ("ClassVar", "typing.ClassVar", "t.ClassVar")
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    """Take the annotations out of a class body."""
    if "__annotations__" in namespace:
        return dict(namespace.pop("__annotations__"))
    if sys.version_info >= (3, 14):
        import annotationlib

        function = annotationlib.get_annotate_from_class_namespace(namespace)
        for name in ("__annotate__", "__annotate_func__"):
            namespace.pop(name, None)
        if function is not None:
            forward = annotationlib.Format.FORWARDREF
            return dict(annotationlib.call_annotate_function(function, format=forward))
    return {}


_KEPT = (types.FunctionType, property, classmethod, staticmethod, functools.cached_property, type)


def _is_pydantic(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("pydantic", "pydantic_core")


def _refuse_pydantic(model: str, name: str, value: Any) -> None:
    if not _is_pydantic(value):
        return
    if type(value).__name__ == "PydanticDescriptorProxy":
        decorator = getattr(getattr(value, "decorator_info", None), "decorator_repr", "a decorator")
        raise FastWebError(
            f"{model}.{name} uses pydantic's {decorator}, which fastweb.models.BaseModel does not run; "
            "derive the class from pydantic.BaseModel (fastweb serves those too), or check the value with Field(...)"
        )
    raise FastWebError(
        f"{model}.{name} is described by pydantic's {type(value).__name__}; import Field and PrivateAttr from "
        "fastweb.models, or derive the class from pydantic.BaseModel"
    )


def _configured(model: str, bases: tuple[type, ...], namespace: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
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
        raise TypeError(f"{model}: unknown class keywords {sorted(unknown)}; ConfigDict names those that there are")
    config.update(options)
    return config


def _unset(model: Any) -> int:
    """The bits of the fields that were not given."""
    return int(model.__dict__.get(UNSET_BITS, 0))


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, PrivateAttr))
class ModelMeta(msgspec.StructMeta):
    """The class of model classes: it reads the fields, and makes a call of a model validate its arguments."""

    __fastweb_config__: dict[str, Any]
    __fastweb_state__: _ClassState

    def __new__(  # noqa: D102
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
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
            if cls is BaseModel:
                return _new(cls)
            return _validate(cls, data)

    @property
    def __fastweb_fields__(cls) -> dict[str, FieldInfo]:
        """The fields by name, their annotations resolved.

        Raises:
            FastWebError: an annotation names what is not defined (yet).
        """
        state = cls.__fastweb_state__
        if not state.complete:
            _complete(cls, None)
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


class _ClassState:
    """What is kept of a model class beside its fields."""

    __slots__ = ("bits", "complete", "fields", "frozen", "locals", "own", "private", "specials")

    def __init__(self) -> None:
        self.fields: dict[str, FieldInfo] = {}
        #: The names of the fields whose annotations this class itself has.
        self.own: tuple[str, ...] = ()
        self.bits: dict[str, int] = {}
        self.private: dict[str, _PrivateAttribute] = {}
        self.complete = True
        self.locals: dict[str, Any] | None = None
        self.frozen = False
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
    annotations = _annotations(namespace)
    state = _ClassState()
    fields: dict[str, FieldInfo] = {}
    private: dict[str, _PrivateAttribute] = {}
    for base in reversed(bases):
        if isinstance(base, ModelMeta) and base is not BaseModel:
            inherited = base.__fastweb_state__
            if not inherited.complete:
                _try_complete(base)
            fields.update({key: _copy.copy(info) for key, info in inherited.fields.items()})
            private.update(inherited.private)
    if config.get("alias_generator") is not None:
        for key, info in fields.items():
            fields[key] = _describe(key, info.annotation, info, config)

    for key, value in list(namespace.items()):
        _refuse_pydantic(name, key, value)
        if key.startswith("__") or (key in annotations and not key.startswith("_")):
            continue
        if isinstance(value, FieldInfo):
            raise FastWebError(f"{name}.{key} has a Field(...) and no annotation; write `{key}: type = Field(...)`")
        if key.startswith("_"):
            if isinstance(value, _PrivateAttribute) or not (isinstance(value, _KEPT) or hasattr(value, "__get__")):
                made = value if isinstance(value, _PrivateAttribute) else _PrivateAttribute(value, None)
                private[key] = made
                del namespace[key]
        elif key in fields and not isinstance(value, _KEPT):
            raise FastWebError(f"{name}.{key} is a field of a base class; write its annotation again: `{key}: type = ...`")
        elif not isinstance(value, _KEPT) and not hasattr(value, "__get__"):
            raise FastWebError(
                f"{name}.{key} has no annotation; write `{key}: type = ...` for a field, `{key}: ClassVar[...]` for none"
            )

    plain: dict[str, Any] = {}
    rename: dict[str, str] = {}
    for key, annotation in annotations.items():
        if _is_class_var(annotation) or key == "model_config":
            continue
        if key.startswith("_"):
            if not key.startswith("__"):
                private.setdefault(key, _PrivateAttribute(Undefined, None))
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
            if type(item).__name__ == "FieldInfo" and _is_pydantic(item):
                _refuse_pydantic(name, key, item)
        info = _read_field(key, annotation, default, config, namespace, frame)
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
        state.frozen or bool(config.get("validate_assignment")) or any(info.frozen for info in fields.values())
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
            raise FastWebError(
                f"{name} has two base models with fields of their own ({', '.join(base.__name__ for base in bases)}); "
                "let one of them derive from the other"
            ) from error
        raise
    if any(map(_holds_name, (info.annotation for info in fields.values()))):
        state.complete = False
        state.locals = dict(frame.f_locals) if frame.f_locals is not frame.f_globals else None
        _try_complete(cls)
    else:
        _show_msgspec(cls)
    return cls


def _add_methods(
    namespace: dict[str, Any], bases: tuple[type, ...], state: _ClassState, config: Mapping[str, Any]
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
        plain = {key: info.default_factory is None and isinstance(info.default, _IMMUTABLE) for key, info in optional.items()}
        steps.append(
            make_post_init(
                tuple(optional),
                tuple(info.default if plain[key] else None for key, info in optional.items()),
                tuple(None if plain[key] else info.get_default for key, info in optional.items()),
                tuple(state.bits[key] for key in optional),
            )
        )
    made: dict[str, _PrivateAttribute] = {}
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
    if "model_post_init" in namespace or any(
        getattr(base, "model_post_init", None) is not BaseModel.model_post_init for base in bases if issubclass(base, BaseModel)
    ):
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


def _get_extra(self: Any, name: str) -> Any:
    extra = self.__dict__.get(_EXTRA)
    if extra is not None and name in extra:
        return extra[name]
    raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _hash_fields(self: Any) -> int:
    return hash((type(self), *(getattr(self, name) for name in type(self).__fastweb_state__.fields)))


def _equal(self: Any, other: Any) -> Any:
    if not isinstance(other, BaseModel):
        return NotImplemented
    if _origin(type(self)) is not _origin(type(other)):
        return False
    state = type(self).__fastweb_state__
    missing = object()
    for name in state.fields:
        if getattr(self, name, missing) != getattr(other, name, missing):
            return False
    return bool(_rest(self) == _rest(other))


def _origin(cls: Any) -> Any:
    generic = cls.__dict__.get("__fastweb_generic__")
    return cls if generic is None else generic[0]


def _rest(model: Any) -> dict[str, Any]:
    """Private attributes and extra fields, without what functools.cached_property keeps."""
    return {key: value for key, value in model.__dict__.items() if key.startswith("_") and key != UNSET_BITS}


# Names in annotations


def _try_complete(cls: Any) -> None:
    try:
        _complete(cls, None)
    except FastWebError:
        pass  # it is tried again when the fields are first asked for


class _Placeholders(dict[str, Any]):
    """Names for an annotation that is read before all of them are defined: an unknown one is a type variable."""

    def __init__(self, known: Mapping[str, Any], outer: Mapping[str, Any]) -> None:
        super().__init__(known)
        self._outer = outer

    def __missing__(self, name: str) -> Any:
        if name in self._outer or hasattr(builtins, name):
            raise KeyError(name)
        return TypeVar(name)


def _look_up(annotation: Any, module: str, names: Mapping[str, Any], *, placeholders: bool = False) -> Any:
    """The annotation with its names resolved.

    Raises:
        NameError: one of them is not defined.
    """
    outer = dict(vars(sys.modules[module])) if module in sys.modules else {}
    inner = _Placeholders(names, outer) if placeholders else dict(names)
    holder = type("_Holder", (), {"__annotations__": {"hint": annotation}, "__module__": module})
    return typing.get_type_hints(holder, outer, inner, include_extras=True)["hint"]


def _complete(cls: Any, namespace: Mapping[str, Any] | None) -> None:
    """Look up the names in a model's annotations.

    Raises:
        FastWebError: one of them is not defined.
    """
    state: _ClassState = cls.__fastweb_state__
    for key, info in state.fields.items():
        if not _holds_name(info.annotation):
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
            info.annotation = _unannotated(_look_up(info.annotation, owner.__module__, names))[0]
        except NameError as error:
            raise FastWebError(
                f"{cls.__name__}.{key}: the annotation {info.annotation!r} names {error.name!r}, which is not defined; "
                f"define it, and where it is local to a function call {cls.__name__}.model_rebuild()"
            ) from error
    state.complete = True
    state.locals = None
    _show_msgspec(cls)


def _show_msgspec(cls: Any) -> None:
    """Give msgspec, which reads annotations when it first needs them, the field's types with their constraints."""
    state: _ClassState = cls.__fastweb_state__
    cls.__annotations__ = {
        key: _for_msgspec(state.fields[key].annotation, state.fields[key]) for key in state.own
    }


# Making models


def _validate(cls: Any, value: Any, from_attributes: bool | None = None) -> Any:
    errors: list[dict[str, Any]] = []
    model = validator_of(cls, from_attributes=from_attributes).validate(value, (), errors)
    if errors:
        raise ValidationError(_title(cls), errors)
    return model


def _title(cls: Any) -> str:
    return cls.__fastweb_config__.get("title") or str(cls.__name__)


def _frozen(model: Any, kind: str, message: str, name: str, value: Any) -> ValidationError:
    return ValidationError(_title(type(model)), [{"type": kind, "loc": (name,), "msg": message, "input": value}])


def _checked_assignment(model: Any, name: str, value: Any) -> Any:
    """The value that may be assigned to a field.

    Raises:
        ValidationError: none may, or this one does not fit.
    """
    cls = type(model)
    if cls.__fastweb_state__.frozen:
        raise _frozen(model, "frozen_instance", "Instance is frozen", name, value)
    info = cls.__fastweb_fields__[name]
    if info.frozen:
        raise _frozen(model, "frozen_field", "Field is frozen", name, value)
    if cls.__fastweb_config__.get("validate_assignment"):
        schema: Any = schema_of(cls)
        field = next(each for each in schema.fields if each.name == name)
        errors: list[dict[str, Any]] = []
        value = validator_of_schema(field.schema, from_attributes=None).validate(value, (name,), errors)
        if errors:
            raise ValidationError(_title(cls), errors)
    return value


def _present(model: Any) -> list[str]:
    """The fields that have a value; `model_construct` may leave some without."""
    return [name for name in type(model).__fastweb_state__.fields if hasattr(model, name)]


_CONCRETE: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation.__name__
    if annotation is Ellipsis:
        return "..."
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_name(get_args(annotation)[0])
    if origin is Union or origin is types.UnionType:
        return f"Union[{', '.join(map(_type_name, get_args(annotation)))}]"
    if origin is not None and origin is not Literal:
        return f"{_type_name(origin)}[{', '.join(map(_type_name, get_args(annotation)))}]"
    if isinstance(annotation, TypeVar):
        return repr(annotation)
    return repr(annotation).replace("typing.", "")


def _parametrize(cls: Any, arguments: tuple[Any, ...]) -> Any:
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
            info.annotation = _substitute(info.annotation, {pending.placeholder: made})
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
        self.placeholder = TypeVar("Self")  # type: ignore[misc]
        self.made: list[Any] = []


_PARAMETRIZING: list[_Parametrizing] = []
_PARAMETRIZING_LOCK = threading.RLock()


def _concrete(cls: Any, parameters: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
    typevars = dict(zip(parameters, arguments, strict=True))
    fields = {key: _copy.copy(info) for key, info in cls.__fastweb_fields__.items()}
    namespace: dict[str, Any] = {
        "__module__": cls.__module__,
        "__qualname__": f"{cls.__qualname__}[{', '.join(map(_type_name, arguments))}]",
        "__doc__": cls.__doc__,
        "__annotations__": {key: _substitute(info.annotation, typevars) for key, info in fields.items()},
        "__fastweb_generic__": (cls, arguments),
        **fields,
    }
    bases: tuple[Any, ...] = (cls,)
    left = tuple(dict.fromkeys(each for part in arguments for each in _typevars_in(part)))
    if left:
        bases = (cls, Generic[left])  # type: ignore[index]
    name = f"{cls.__name__}[{', '.join(map(_type_name, arguments))}]"
    return types.new_class(name, bases, {}, lambda body: body.update(namespace))


def _typevars_in(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, TypeVar):
        return (annotation,)
    return tuple(getattr(annotation, "__parameters__", ()))


def _rebuild(cls: Any, values: dict[str, Any], unset: int, rest: dict[str, Any]) -> Any:
    """A model from its parts; what pickle and copy call."""
    missing = [name for name in cls.__fastweb_state__.fields if name not in values]
    model = _new(cls, **values, **dict.fromkeys(missing, None))
    for name in missing:
        msgspec.Struct.__delattr__(model, name)
    state = model.__dict__
    state.clear()
    state.update(rest)
    state[UNSET_BITS] = unset
    return model


#: What a method of BaseModel cannot call dict[str, Any], since BaseModel has a method of this name.
Data: typing.TypeAlias = dict[str, Any]
_Fields: typing.TypeAlias = dict[str, FieldInfo]
_Memo: typing.TypeAlias = dict[int, Any]


class BaseModel(msgspec.Struct, metaclass=ModelMeta):
    """A type with validated fields: pydantic's BaseModel, kept by msgspec.

        class User(BaseModel):
            name: str = Field(max_length=50)
            age: int | None = None

    A class keyword or `model_config` (see `ConfigDict`) changes how it behaves. An instance is made by keywords and is valid from
    then on; what is assigned later is not looked at unless `validate_assignment` is set.

    Raises:
        ValidationError: by a call and by the `model_validate` methods, where the data does not fit.
        fastweb.exceptions.FastWebError: by the class statement, where a field cannot be understood.

    Source: https://docs.pydantic.dev/latest/api/base_model/
    """

    if TYPE_CHECKING:
        model_config: ClassVar[ConfigDict]
        model_fields: ClassVar[_Fields]
        __fields__: ClassVar[_Fields]
        __fastweb_fields__: ClassVar[_Fields]
        __fastweb_config__: ClassVar[Data]

    # Making one

    @classmethod
    def _fastweb_construct(
        cls, values: Data, fields_set: set[str] | None = None, extra: Data | None = None
    ) -> Self:
        """An instance of values that are valid already.

        Arguments:
            values: by field name; what is missing gets its default.
            fields_set: the fields that were given; None for those of `values`.
            extra: the fields that the class does not have.
        """
        model: Self = _new(cls, **values)
        if fields_set is not None and len(fields_set) < len(values):
            unset = 0
            for name, bit in cls.__fastweb_state__.bits.items():
                if name not in fields_set:
                    unset |= bit
            model.__dict__[UNSET_BITS] = unset
        if extra is not None:
            set_field(model, _EXTRA, extra)
        return model

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """An instance of values that are taken as they are. Required fields may be missing."""
        config = cls.__fastweb_config__
        given: Data = {}
        for name, info in cls.__fastweb_fields__.items():
            alias = info.validation_alias
            if isinstance(alias, str) and alias in values:
                given[name] = values.pop(alias)
            elif name in values and (
                alias is None or config.get("populate_by_name") or config.get("validate_by_name") or alias != name
            ):
                given[name] = values.pop(name)
        named = set(given) if _fields_set is None else _fields_set
        for name, info in cls.__fastweb_fields__.items():
            if name not in given and not info.is_required():
                given[name] = info.get_default()
        bits = cls.__fastweb_state__.bits
        model: Self = _rebuild(cls, given, sum(bit for name, bit in bits.items() if name not in named), {})
        for name, private in cls.__fastweb_state__.private.items():
            if private.default is not Undefined or private.default_factory is not None:
                model.__dict__[name] = private.make()
        if config.get("extra") == "allow":
            model.__dict__[_EXTRA] = values
        if type(model).model_post_init is not BaseModel.model_post_init:
            model.model_post_init(None)
        return model

    @classmethod
    def model_validate(
        cls,
        obj: Any,
        *,
        strict: bool | None = None,
        extra: Any = None,
        from_attributes: bool | None = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Self:
        """An instance of a dict, or of any object with the right attributes where `from_attributes` is set.

        `strict`, `extra`, `context`, `by_alias` and `by_name` are taken and not read.

        Raises:
            ValidationError: the data does not fit.
        """
        if from_attributes and not isinstance(obj, (dict, cls)):
            return _validate(cls, obj, True)  # type: ignore[no-any-return]
        result: Self = _validate(cls, obj)
        return result

    @classmethod
    def model_validate_json(
        cls,
        json_data: str | bytes | bytearray,
        *,
        strict: bool | None = None,
        extra: Any = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Self:
        """An instance of a JSON document.

        Raises:
            ValidationError: it is not JSON, or does not fit.
        """
        data = json_data.encode() if isinstance(json_data, str) else bytes(json_data)
        errors: list[Data] = []
        try:
            model: Self = validator_of(cls).validate_json(data, (), errors)
        except (ValueError, RecursionError) as error:
            reason = str(error) or "invalid"
            found = {
                "type": "json_invalid",
                "loc": (),
                "msg": f"Invalid JSON: {reason}",
                "input": json_data,
                "ctx": {"error": reason},
            }
            raise ValidationError(_title(cls), [found]) from error
        if errors:
            raise ValidationError(_title(cls), errors)
        return model

    @classmethod
    def model_rebuild(
        cls,
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 2,
        _types_namespace: Mapping[str, Any] | None = None,
    ) -> bool | None:
        """Look up the names in the annotations again. True where they are all known now, None if they were before.

        Raises:
            FastWebError: a name is still not defined.
        """
        state = cls.__fastweb_state__
        if state.complete and not force:
            return None
        frame = sys._getframe(1)
        names = {**frame.f_locals, **(_types_namespace or {})}
        try:
            _complete(cls, names)
        except FastWebError:
            if raise_errors:
                raise
            return False
        return True

    def model_post_init(self, context: Any, /) -> None:
        """Override it to do something with each new instance."""

    # Looking at one

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were given, and not left to their defaults."""
        unset = _unset(self)
        found = {name for name, bit in type(self).__fastweb_state__.bits.items() if not unset & bit}
        found.update(self.__dict__.get(_EXTRA) or ())
        return found

    @property
    def __fields_set__(self) -> set[str]:
        """The older name of `model_fields_set`."""
        return self.model_fields_set

    @property
    def model_extra(self) -> Data | None:
        """The fields that the class does not have, where `extra="allow"`; else None."""
        extra: Data | None = self.__dict__.get(_EXTRA)
        if extra is None and type(self).__fastweb_config__.get("extra") == "allow":
            extra = self.__dict__[_EXTRA] = {}
        return extra

    def __setattr__(self, name: str, value: Any) -> None:
        cls = type(self)
        state = cls.__fastweb_state__
        bit = state.bits.get(name)
        if bit is not None:
            if state.specials:
                value = _checked_assignment(self, name, value)
            set_field(self, name, value)
            unset = _unset(self)
            if unset & bit:
                self.__dict__[UNSET_BITS] = unset & ~bit
        elif name.startswith("_") or hasattr(getattr(cls, name, None), "__set__"):
            set_field(self, name, value)
        elif isinstance(getattr(cls, name, None), functools.cached_property):
            self.__dict__[name] = value
        elif state.frozen:
            raise _frozen(self, "frozen_instance", "Instance is frozen", name, value)
        elif cls.__fastweb_config__.get("extra") == "allow":
            extra = self.model_extra
            assert extra is not None
            extra[name] = value
        else:
            raise ValueError(f'"{cls.__name__}" object has no field "{name}"')

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in type(self).__fastweb_state__.fields:
            yield name, getattr(self, name)
        yield from (self.__dict__.get(_EXTRA) or {}).items()

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        for name, info in type(self).__fastweb_state__.fields.items():
            if info.repr and hasattr(self, name):
                yield name, getattr(self, name)
        yield from (self.__dict__.get(_EXTRA) or {}).items()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={'...' if value is self else repr(value)}" for name, value in self.__repr_args__())
        return f"{type(self).__name__}({shown})"

    def __str__(self) -> str:
        return " ".join(f"{name}={value!r}" for name, value in self.__repr_args__())

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        yield from self.__repr_args__()

    # Copying one

    def _parts(self) -> tuple[Any, Data, int, Data]:
        cls = type(self)
        values = {name: getattr(self, name) for name in cls.__fastweb_state__.fields if name in _present(self)}
        return cls, values, _unset(self), _rest(self)

    def __reduce__(self) -> Any:
        return _rebuild, self._parts()

    def __copy__(self) -> Self:
        cls, values, unset, rest = self._parts()
        if rest.get(_EXTRA):
            rest[_EXTRA] = dict(rest[_EXTRA])
        model: Self = _rebuild(cls, values, unset, rest)
        return model

    def __deepcopy__(self, memo: _Memo | None = None) -> Self:
        cls, values, unset, rest = self._parts()
        memo = {} if memo is None else memo
        model: Self = _rebuild(cls, _copy.deepcopy(values, memo), unset, _copy.deepcopy(rest, memo))
        return model

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with some fields changed; the changes are not validated.

        Arguments:
            update: new values, by field name.
            deep: copy the values too.
        """
        model = self.__deepcopy__() if deep else self.__copy__()
        if update:
            bits = type(self).__fastweb_state__.bits
            unset = _unset(model)
            for name, value in update.items():
                if name in bits:
                    set_field(model, name, value)
                    unset &= ~bits[name]
                elif type(self).__fastweb_config__.get("extra") == "allow":
                    model.__dict__.setdefault(_EXTRA, {})[name] = value
                else:
                    model.__dict__[name] = value
            model.__dict__[UNSET_BITS] = unset
        return model

    # Putting one out

    def model_dump(
        self,
        *,
        mode: Literal["json", "python"] | str = "python",
        include: IncEx = None,
        exclude: IncEx = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: bool | str = True,
        fallback: Callable[[Any], Any] | None = None,
        serialize_as_any: bool = False,
    ) -> Data:
        """A dict of the fields, and of the fields of the models in them.

        Arguments:
            mode: "python" keeps the values, "json" makes of them what JSON can hold.
            include, exclude: the fields to take, or to leave out.
            by_alias: name the fields by their aliases; by default as `serialize_by_alias` says, else False.
            exclude_unset, exclude_defaults, exclude_none: leave out fields that were not given, are equal to their defaults,
                or are None.
            fallback: what makes something that JSON can hold of a value of an unknown kind.

        `context`, `round_trip`, `warnings` and `serialize_as_any` are taken and not read.
        """
        if by_alias is None:
            by_alias = bool(type(self).__fastweb_config__.get("serialize_by_alias"))
        result: Data = serializer_of(type(self)).dump_valid(
            self,
            json=mode == "json",
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            fallback=fallback,
        )
        return result

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        ensure_ascii: bool = False,
        include: IncEx = None,
        exclude: IncEx = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: bool | str = True,
        fallback: Callable[[Any], Any] | None = None,
        serialize_as_any: bool = False,
    ) -> str:
        """The fields as JSON. The arguments are those of `model_dump`, and `indent`: spaces for each level."""
        if by_alias is None:
            by_alias = bool(type(self).__fastweb_config__.get("serialize_by_alias"))
        return serializer_of(type(self)).dump_valid_json(
            self,
            indent=indent,
            ensure_ascii=ensure_ascii,
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            fallback=fallback,
        ).decode()

    @classmethod
    def model_json_schema(
        cls,
        by_alias: bool = True,
        ref_template: str = "#/$defs/{model}",
        schema_generator: Any = None,
        mode: Literal["validation", "serialization"] = "validation",
    ) -> Data:
        """The JSON Schema of the model (draft 2020-12). `schema_generator` is taken and not read."""
        return json_schema_of(cls, mode=mode, by_alias=by_alias, ref_template=ref_template)

    # The names of pydantic's first version

    def dict(self, **options: Any) -> Data:
        """The older name of `model_dump`."""
        return self.model_dump(**options)

    def json(self, **options: Any) -> str:
        """The older name of `model_dump_json`."""
        return self.model_dump_json(**options)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The older name of `model_copy`."""
        return self.model_copy(update=update, deep=deep)

    @classmethod
    def parse_obj(cls, obj: Any) -> Self:
        """The older name of `model_validate`."""
        return cls.model_validate(obj)

    @classmethod
    def parse_raw(cls, b: str | bytes) -> Self:
        """The older name of `model_validate_json`."""
        return cls.model_validate_json(b)

    @classmethod
    def from_orm(cls, obj: Any) -> Self:
        """The older name of `model_validate(obj, from_attributes=True)`."""
        return cls.model_validate(obj, from_attributes=True)

    @classmethod
    def construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """The older name of `model_construct`."""
        return cls.model_construct(_fields_set, **values)

    @classmethod
    def validate(cls, value: Any) -> Self:
        """The older name of `model_validate`."""
        return cls.model_validate(value)

    @classmethod
    def schema(cls, by_alias: bool = True, ref_template: str = "#/$defs/{model}") -> Data:
        """The older name of `model_json_schema`."""
        return cls.model_json_schema(by_alias=by_alias, ref_template=ref_template)

    @classmethod
    def update_forward_refs(cls, **names: Any) -> None:
        """The older name of `model_rebuild`."""
        cls.model_rebuild(force=True, _types_namespace=names)

    if not TYPE_CHECKING:  # a type checker knows Generic's own

        def __class_getitem__(cls, parameters):
            return _parametrize(cls, parameters if isinstance(parameters, tuple) else (parameters,))


BaseModel.__fastweb_config__ = {}
BaseModel.__fastweb_state__ = _ClassState()  # type: ignore[misc]
