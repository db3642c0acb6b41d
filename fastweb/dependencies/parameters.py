"""One value that is read from a request: its names there, its type, and what stands for it where it is not.

A parameter may be a model, whose fields are read as though each were a parameter of its own: its *group*. It
is read out of the request as a mapping of the model's names, one string or several as each field takes, with
what no field asked for after them; then the model's validator has it, which knows what extra fields mean.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, get_args

import msgspec

from fastweb.datastructures import FormData, Headers, ImmutableMultiDict, UploadFile
from fastweb.dependencies import shapes
from fastweb.fields import FieldInfo
from fastweb.params import File
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.annotations import class_hints
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import Validator, validator_of

__all__ = ["ParameterGroup", "RequestParameter", "extras_of", "group_of", "missing", "names_of"]

Errors = list[dict[str, Any]]
Loc = tuple[int | str, ...]


class RequestParameter:
    """One parameter whose value is read from the request and validated.

    Arguments:
        name: the keyword of the call; of a model's field, its name there.
        alias: its name in the request.
        info: the mark that describes it.
        annotation: its type, without the mark.
        validator: what makes the value; made when it is asked for where it is not given.
        many: it takes every value of its name.
        names: (name for the model's validator, name in the request) in the order in which they are tried; by
            default the alias alone.
        groups: the models that it may be, where it is nothing else and their fields stand in the request side
            by side.
    """

    def __init__(
        self,
        name: str,
        alias: str,
        info: FieldInfo,
        annotation: Any,
        validator: Validator | None = None,
        many: bool = False,
        names: tuple[tuple[str, str], ...] = (),
        groups: tuple[ParameterGroup, ...] = (),
    ) -> None:
        self.name = name
        self.alias = alias
        self.info = info
        self.annotation = annotation
        self.many = many
        self.names = names or ((alias, alias),)
        self.groups = groups
        if validator is not None:
            self.validator = validator

    @cached_property
    def validator(self) -> Validator:
        """What makes the value."""
        return validator_of(self.annotation, self.info, from_attributes=True)

    @property
    def fields(self) -> tuple[RequestParameter, ...]:
        """The parameters that stand in the request for this one, where it is a model."""
        return self.groups[0].fields if len(self.groups) == 1 else ()

    @cached_property
    def is_nullable(self) -> bool:
        """It is a model or None: the group may be absent as a whole."""
        return type(None) in get_args(shapes.without_metadata(self.annotation))

    def default(self) -> Callable[[], Any] | None:
        """What makes the value where the request has none; None where it is required."""
        return None if self.info.is_required() else self.info.get_default

    def absent(self, loc: Loc, errors: Errors) -> Any:
        """The value where the request has none; `Undefined` where that is an error, which is appended."""
        if self.info.is_required():
            return missing(loc, errors)
        value = self.info.get_default()
        return self.validator.validate(value, loc, errors) if self.info.validate_default else value

    def find(self, received: Mapping[str, Any]) -> tuple[str, str, Any]:
        """(name for the validator, name in the request, value) of the name that the request has, else of the
        first, with `Undefined`.
        """
        for own, name in self.names:
            if name in received:
                return own, name, self._value(received, name)
        return *self.names[0], Undefined

    def find_in_form(self, form: FormData) -> tuple[str, Any, int]:
        """(name, value, how many names were tried) in a form, where what is empty counts as absent, so that
        the next name is tried.
        """
        for tried, (_, name) in enumerate(self.names, 1):
            value = self._value(form, name)
            if value is not Undefined:
                return name, value, tried
        return self.names[0][0], Undefined, len(self.names)

    def _value(self, received: Mapping[str, Any], name: str) -> Any:
        is_form = isinstance(received, FormData)
        if self.many and isinstance(received, (ImmutableMultiDict, Headers)):
            values = received.getlist(name)
            if is_form:
                values = [value for value in values if not _is_no_file(value)]
            return values or Undefined
        value = received.get(name, Undefined)
        if value is None or (is_form and (value == "" or _is_no_file(value))) or (self.many and not value):
            return Undefined
        return value

    @cached_property
    def wants_bytes(self) -> bool:
        """It is a file that is to be had as bytes, or several."""
        return isinstance(self.info, File) and (
            shapes.is_bytes(self.annotation) or shapes.is_bytes_sequence(self.annotation)
        )


def missing(loc: Loc, errors: Errors) -> Any:
    """Append the error for what is required and not there."""
    errors.append({"type": "missing", "loc": loc, "msg": "Field required", "input": None})
    return Undefined


def _is_no_file(value: Any) -> bool:
    """Browsers send an empty file without a name where none was chosen."""
    return isinstance(value, UploadFile) and value.filename == "" and value.size == 0


def names_of(
    name: str, alias: str | None, validation_alias: Any, config: Mapping[str, Any]
) -> tuple[str, ...]:
    """The names that a parameter or a model's field may have, in the order in which they are tried.

    Arguments:
        name: in Python.
        alias: of both sides.
        validation_alias: of the input; a string, or pydantic's AliasChoices or AliasPath.
        config: of the model.
    """
    first = validation_alias if isinstance(validation_alias, str) and validation_alias else alias or name
    if hasattr(validation_alias, "path"):
        return (first,)
    names = [first]
    choices = getattr(validation_alias, "choices", None)
    if choices is not None:
        if not all(isinstance(choice, str) for choice in choices):
            return (first,)
        names = list(choices)
    if config.get("validate_by_alias") is False:
        return (name,)
    if config.get("validate_by_name", config.get("populate_by_name", False)) and name not in names:
        names.append(name)
    return tuple(names)


@dataclass(slots=True)
class ParameterGroup:
    """A model whose fields are read side by side.

    Arguments:
        model: the class.
        fields: its fields.
        keeps_extra: it does not ignore what it has no field for.
        locates_by_alias: its errors name fields as the input does.
    """

    model: Any
    fields: tuple[RequestParameter, ...]
    keeps_extra: bool
    locates_by_alias: bool = True

    def from_form(self, form: FormData) -> dict[str, Any]:
        """What a form has for the model."""
        found: dict[str, Any] = {}
        known: set[str] = set()
        for field in self.fields:
            name, value, tried = field.find_in_form(form)
            if value is not Undefined:
                found[name] = value
            # A name that was not tried may be extra.
            known.update(name for name, _ in field.names[:tried])
        found.update(extras_of(form, known))
        return found

    def is_in_form(self, form: FormData) -> bool:
        """Whether a form has anything for the model, be it empty."""
        return bool(
            (self.keeps_extra and form)
            or any(name in form for field in self.fields for name, _ in field.names)
        )


def extras_of(received: Mapping[str, Any], known: set[str]) -> Iterator[tuple[str, Any]]:
    """What a request has beside what is known: one value, or a list of several."""
    if isinstance(received, (Headers, ImmutableMultiDict)):
        items = received.items() if isinstance(received, Headers) else received.multi_items()
        grouped: dict[str, list[Any]] = {}
        for name, value in items:
            if name not in known:
                grouped.setdefault(name, []).append(value)
        for name, values in grouped.items():
            yield name, values[0] if len(values) == 1 else values
    else:
        yield from ((name, value) for name, value in received.items() if name not in known)


def group_of(model: Any, *, header: bool = False, convert_underscores: bool = True) -> ParameterGroup:
    """The group that a model is.

    Arguments:
        model: one of ours, a msgspec.Struct, or pydantic's.
        header: its fields are header fields.
        convert_underscores: read the field `user_agent` from the header field `user-agent`, unless the
            model's field says otherwise.
    """
    plain = getattr(model, "__origin__", model)
    if issubclass(plain, msgspec.Struct):
        fields, config, extra = _struct_fields(model, plain)
    else:
        fields, config = _pydantic_fields(model), dict(model.model_config)
        extra = config.get("extra") or "ignore"
    if header:
        for field in fields:
            if getattr(field.info, "convert_underscores", convert_underscores):
                # A name that was given stays as it is.
                given = getattr(field.info.validation_alias, "choices", ())
                field.names = tuple(
                    (name, name.replace("_", "-") if name == field.name and name not in given else name)
                    for name, _ in field.names
                )
                field.alias = field.names[0][1]
    return ParameterGroup(model, tuple(fields), extra != "ignore", bool(config.get("loc_by_alias", True)))


def _field(
    name: str, names: tuple[str, ...], info: FieldInfo, annotation: Any, many: bool
) -> RequestParameter:
    pairs = tuple((each, each) for each in names)
    return RequestParameter(name, names[0], info, annotation, many=many, names=pairs)


def _struct_fields(model: Any, plain: Any) -> tuple[list[RequestParameter], dict[str, Any], str]:
    schema = schema_of(model)
    while isinstance(schema, nodes.RefSchema):
        schema = schema.resolve()
    assert isinstance(schema, nodes.ModelSchema)
    hints = class_hints(plain)
    fields = []
    for item in schema.fields:
        names = [path[0] for path in item.lookups if len(path) == 1 and isinstance(path[0], str)]
        info = FieldInfo() if item.info is None else copy.copy(item.info)
        info.default = Undefined if item.required else item.default
        info.default_factory = item.default_factory
        many = shapes.is_sequence(item.schema)
        fields.append(_field(item.name, tuple(names or [item.alias]), info, hints.get(item.name, Any), many))
    return fields, schema.config, schema.extra


def _pydantic_fields(model: Any) -> list[RequestParameter]:
    fields = []
    for name, given in model.model_fields.items():
        annotation = given.annotation
        if given.metadata:
            annotation = Annotated[(annotation, *given.metadata)]
        # A mark of ours means nothing to pydantic, but stands where it was put.
        marks = [item for item in given.metadata if isinstance(item, FieldInfo)]
        info = copy.copy(marks[-1]) if marks else FieldInfo()
        info.default = Undefined if given.is_required() or given.default_factory else given.default
        info.default_factory = given.default_factory
        for attribute in (
            "alias",
            "validation_alias",
            "serialization_alias",
            "title",
            "description",
            "examples",
            "deprecated",
            "discriminator",
            "json_schema_extra",
        ):
            value = getattr(given, attribute)
            if value is not None or not marks:
                setattr(info, attribute, value)
        names = names_of(name, given.alias, given.validation_alias, model.model_config)
        many = shapes.is_sequence(nodes.PydanticSchema(annotation=annotation))
        fields.append(_field(name, names, info, annotation, many))
    return fields
