"""The schemas of types with named fields: Structs, BaseModels, dataclasses, TypedDicts and NamedTuples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import msgspec

from fastweb.exceptions import FastWebError
from fastweb.fields import FieldInfo
from fastweb.types import Undefined
from fastweb.validation.annotations import (
    class_hints,
    is_named_tuple,
    is_typed_dict,
    strip_qualifiers,
    substitute,
    typevars_of,
)
from fastweb.validation.nodes import FieldSchema, ModelSchema

if TYPE_CHECKING:
    from fastweb.validation.schema import Builder

__all__ = ["build", "is_model"]


def is_model(cls: type[Any]) -> bool:
    """Whether this class has named fields that fastweb knows."""
    return (
        issubclass(cls, msgspec.Struct)
        or is_typed_dict(cls)
        or is_named_tuple(cls)
        or dataclasses.is_dataclass(cls)
    )


def build(builder: Builder, annotation: Any, cls: type[Any]) -> ModelSchema:
    """The schema of a model class, or of one with type arguments (`annotation`).

    Raises:
        FastWebError: a field's annotation cannot be read or validated; the message names the field.
    """
    outer = builder.config
    try:
        if issubclass(cls, msgspec.Struct):
            if hasattr(cls, "__fastweb_fields__"):
                builder.config = dict(getattr(cls, "__fastweb_config__", None) or {})
                return _base_model(builder, annotation, cls)
            builder.config = {}
            return _struct(builder, annotation, cls)
        own = getattr(cls, "__pydantic_config__", None)
        if own is not None:
            builder.config = dict(own)
        if is_typed_dict(cls):
            return _typed_dict(builder, annotation, cls)
        if is_named_tuple(cls):
            return _named_tuple(builder, annotation, cls)
        return _dataclass(builder, annotation, cls)
    finally:
        builder.config = outer


def _lookups(
    name: str, info: FieldInfo | None, config: Mapping[str, Any]
) -> tuple[tuple[str | int, ...], ...]:
    """The paths at which a field's value may stand in the input, in pydantic's order."""
    alias = None if info is None else info.validation_alias
    paths: list[tuple[str | int, ...]] = []
    by_alias = config.get("validate_by_alias", True)
    if alias is not None and by_alias:
        # AliasChoices and AliasPath, pydantic's or of the same form.
        choices = getattr(alias, "choices", (alias,))
        paths += [(choice,) if isinstance(choice, str) else tuple(choice.path) for choice in choices]
    if alias is None or not by_alias or config.get("populate_by_name") or config.get("validate_by_name"):
        paths.append((name,))
    return tuple(paths)


def _field(
    builder: Builder,
    owner: type[Any],
    name: str,
    annotation: Any,
    info: FieldInfo | None = None,
    *,
    default: Any = Undefined,
    default_factory: Callable[[], Any] | None = None,
    init: bool = True,
    kw_only: bool = False,
    optional: bool = False,
    alias: str | None = None,
) -> FieldSchema:
    """One field. `info` is what stands as its default; what stands in `Annotated` fills in the rest."""
    annotation, _ = strip_qualifiers(annotation)
    noted = _noted(annotation)
    config = builder.config
    try:
        schema = builder.whole(annotation, info)
    except FastWebError as error:
        raise type(error)(f"{owner.__qualname__}.{name}: {error}") from error
    described = _merged(noted, info)
    if default is Undefined and default_factory is None and described is not None:
        default, default_factory = described.default, described.default_factory
    if alias is not None:
        lookups: tuple[tuple[str | int, ...], ...] = ((alias,),)
    else:
        lookups = _lookups(name, described, config)
    first = lookups[0][0]
    serialization_alias = alias or (described.serialization_alias if described is not None else None) or name
    validate_default = described.validate_default if described is not None else None
    if validate_default is None:
        validate_default = bool(config.get("validate_default"))
    return FieldSchema(
        name=name,
        alias=first if isinstance(first, str) else name,
        lookups=lookups,
        serialization_alias=serialization_alias,
        schema=schema,
        required=not optional and default is Undefined and default_factory is None,
        default=default,
        default_factory=default_factory,
        validate_default=validate_default,
        init=init and not (described is not None and described.init is False),
        kw_only=kw_only,
        exclude=bool(described is not None and described.exclude),
        info=described,
    )


def _noted(annotation: Any) -> FieldInfo | None:
    noted = None
    while get_origin(annotation) is Annotated:
        for item in annotation.__metadata__:
            if isinstance(item, FieldInfo):
                noted = _merged(noted, item)
        annotation = get_args(annotation)[0]
    return noted


_NAMES = (
    "default",
    "default_factory",
    "alias",
    "validation_alias",
    "serialization_alias",
    "title",
    "description",
    "examples",
    "deprecated",
    "exclude",
    "frozen",
    "validate_default",
    "discriminator",
    "json_schema_extra",
    "init",
)


def _merged(first: FieldInfo | None, second: FieldInfo | None) -> FieldInfo | None:
    """Both descriptions in one; the second has the last word."""
    if first is None or second is None:
        return second if first is None else first
    merged = FieldInfo(annotation=second.annotation, repr=first.repr and second.repr)
    for name in (*_NAMES, *{**first.constraints(), **second.constraints()}):
        value = getattr(second, name)
        setattr(merged, name, getattr(first, name) if value is None or value is Undefined else value)
    if merged.default is not Undefined and merged.default_factory is not None:
        if second.default_factory is not None:
            merged.default = Undefined
        else:
            merged.default_factory = None
    return merged


def _base_model(builder: Builder, annotation: Any, cls: type[Any]) -> ModelSchema:
    config = builder.config
    typevars = typevars_of(annotation)
    fields = [
        _field(builder, cls, name, substitute(info.annotation, typevars), info)
        for name, info in cls.__fastweb_fields__.items()
    ]
    return ModelSchema(
        cls=cls,
        annotation=annotation,
        kind="struct",
        fields=tuple(fields),
        is_base_model=True,
        extra=config.get("extra") or "ignore",
        from_attributes=bool(config.get("from_attributes")),
        title=config.get("title") or cls.__name__,
        config=dict(config),
    )


def _struct(builder: Builder, annotation: Any, cls: type[Any]) -> ModelSchema:
    options = cls.__struct_config__
    hints = class_hints(cls, builder.namespace)
    typevars = typevars_of(annotation)
    encoded = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
    unset = msgspec.NODEFAULT
    names = cls.__struct_fields__
    defaults = dict(zip(reversed(names), reversed(cls.__struct_defaults__), strict=False))
    fields = []
    for name in names:
        default = defaults.get(name, unset)
        factory = None
        if (
            default is not unset
            and type(default).__module__ == "msgspec._core"
            and hasattr(default, "factory")
        ):
            factory, default = default.factory, unset
        if isinstance(default, FieldInfo):
            raise FastWebError(
                f"{cls.__qualname__}.{name}: a msgspec.Struct takes Field(...) in Annotated[...] alone; "
                "write it there, or derive the class from fastweb.models.BaseModel"
            )
        field = _field(
            builder,
            cls,
            name,
            substitute(hints[name], typevars),
            default=Undefined if default is unset else default,
            default_factory=factory,
            alias=encoded[name],
        )
        if default is unset and factory is None:  # Field(default=...) in Annotated means nothing to msgspec
            field.required, field.default, field.default_factory = True, Undefined, None
        fields.append(field)
    return ModelSchema(
        cls=cls,
        annotation=annotation,
        kind="struct",
        fields=tuple(fields),
        extra="forbid" if options.forbid_unknown_fields else "ignore",
        tag=options.tag,
        tag_field=options.tag_field,
        array_like=options.array_like,
        title=cls.__name__,
    )


def _dataclass(builder: Builder, annotation: Any, cls: type[Any]) -> ModelSchema:
    hints = class_hints(cls, builder.namespace)
    typevars = typevars_of(annotation)
    missing = dataclasses.MISSING
    fields = []
    for name, field in cls.__dataclass_fields__.items():
        kind = field._field_type.name
        if kind == "_FIELD_CLASSVAR":
            continue
        hint = hints[name]
        if isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        info = field.default if isinstance(field.default, FieldInfo) else None
        has_default = field.default is not missing and info is None
        fields.append(
            _field(
                builder,
                cls,
                name,
                substitute(hint, typevars),
                info,
                default=field.default if has_default else Undefined,
                default_factory=None if field.default_factory is missing else field.default_factory,
                init=field.init,
                kw_only=field.kw_only,
            )
        )
    return ModelSchema(
        cls=cls,
        annotation=annotation,
        kind="dataclass",
        fields=tuple(fields),
        extra=builder.config.get("extra") or "ignore",
        title=builder.config.get("title") or cls.__name__,
        config=dict(builder.config),
    )


def _typed_dict(builder: Builder, annotation: Any, cls: type[Any]) -> ModelSchema:
    hints = class_hints(cls, builder.namespace)
    typevars = typevars_of(annotation)
    required = set(getattr(cls, "__required_keys__", hints))
    fields = []
    for name in cls.__annotations__:
        hint = hints[name]
        # Where annotations are strings, __required_keys__ does not know of Required and NotRequired.
        _, qualifiers = strip_qualifiers(hint)
        optional = "NotRequired" in qualifiers or (name not in required and "Required" not in qualifiers)
        fields.append(_field(builder, cls, name, substitute(hint, typevars), optional=optional))
    extra: Any = builder.config.get("extra") or "ignore"
    extra_schema = None
    extra_items = getattr(cls, "__extra_items__", None)
    if getattr(cls, "__closed__", None):
        extra = "forbid"
    elif extra_items is not None and "NoExtraItems" not in repr(extra_items):
        extra = "allow"
        extra_schema = builder.build(substitute(strip_qualifiers(extra_items)[0], typevars))
    return ModelSchema(
        cls=cls,
        annotation=annotation,
        kind="typeddict",
        fields=tuple(fields),
        extra=extra,
        extra_schema=extra_schema,
        title=builder.config.get("title") or cls.__name__,
        config=dict(builder.config),
    )


def _named_tuple(builder: Builder, annotation: Any, cls: type[Any]) -> ModelSchema:
    hints = class_hints(cls, builder.namespace)
    typevars = typevars_of(annotation)
    fields = []
    for name in cls._fields:
        default = cls._field_defaults.get(name, Undefined)
        info = default if isinstance(default, FieldInfo) else None
        hint = substitute(hints.get(name, Any), typevars)
        fields.append(
            _field(builder, cls, name, hint, info, default=Undefined if info is not None else default)
        )
    return ModelSchema(
        cls=cls,
        annotation=annotation,
        kind="namedtuple",
        fields=tuple(fields),
        extra="forbid",
        title=cls.__name__,
    )
