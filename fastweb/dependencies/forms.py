"""The parameters of a form: fields, files, and models whose fields stand in it side by side.

Reading the form waits for the client and for disks, so it is done before the plan is run; what is left then
is to pick values out of it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, get_args

from fastweb.datastructures import FormData, UploadFile
from fastweb.dependencies import shapes
from fastweb.dependencies.parameters import (
    Errors,
    ParameterGroup,
    RequestParameter,
    extras_of,
    group_of,
)
from fastweb.requests import Request
from fastweb.types import Undefined

__all__ = ["FormReader", "ReceivedForm", "form_annotation", "form_limits_of"]

_LIMITS = frozenset({"max_fields", "max_files", "max_part_size"})


def form_limits_of(limits: Mapping[str, int] | None) -> dict[str, int]:
    """The bounds of an app's, a router's or a route's forms, checked, and copied.

    Raises:
        ValueError: there is no such bound, or it is no number of things.
    """
    made = dict(limits or {})
    for name, value in made.items():
        if name not in _LIMITS:
            raise ValueError(f"form_limits has no {name!r}: there are {', '.join(sorted(_LIMITS))}")
        if type(value) is not int or value < 0:
            raise ValueError(f"form_limits: {name} must be 0 or more, not {value!r}")
    return made


class FormReader:
    """Reads the forms of one route.

    Arguments:
        parameters: all that are in the body.
        limits: what `Request.form` takes: max_files, max_fields, max_part_size.
    """

    def __init__(self, parameters: Iterable[RequestParameter], limits: Mapping[str, int]) -> None:
        self._limits: dict[str, Any] = dict(limits)
        fields = [
            field
            for parameter in parameters
            for field in (
                [each for group in parameter.groups for each in group.fields]
                if parameter.groups
                else [parameter]
            )
        ]
        #: Names of files that are to be had as bytes.
        self._bytes = {name for field in fields if field.wants_bytes for _, name in field.names}

    async def read(self, request: Request) -> ReceivedForm:
        """The form of a request. `request.close` closes its files.

        Raises:
            HTTPException: 400, it cannot be read, or goes beyond a bound.
        """
        form = await request.form(**self._limits)
        contents: dict[UploadFile, bytes] = {}
        for name in self._bytes:
            for value in form.getlist(name):
                if isinstance(value, UploadFile) and value not in contents:
                    # Another parameter may be the same file as an UploadFile: it is where it was.
                    position = value.file.tell()
                    contents[value] = await value.read()
                    await value.seek(position)
        return ReceivedForm(form, contents)


class ReceivedForm:
    """A form that was read.

    Arguments:
        form: what it holds.
        contents: what is in the files that are to be had as bytes.
    """

    def __init__(self, form: FormData, contents: Mapping[UploadFile, bytes]) -> None:
        self._form = form
        self._contents = contents

    def parsed(self) -> FormData:
        """The form."""
        return self._form

    def value_of(self, parameter: RequestParameter, errors: Errors) -> Any:
        """The value of a parameter; `Undefined` where there are errors, which are appended."""
        loc: tuple[str, ...] = ("body",)
        if parameter.groups:
            value = self._group(parameter)
        else:
            name, value, _ = parameter.find_in_form(self._form)
            loc = ("body", name)
            value = self._as_wanted(parameter, value)
        if value is Undefined:
            return parameter.absent(loc, errors)
        return parameter.validator.validate(value, loc, errors)

    def _group(self, parameter: RequestParameter) -> Any:
        groups = parameter.groups
        if parameter.is_nullable and not any(group.is_in_form(self._form) for group in groups):
            return Undefined
        if len(groups) > 1:
            return _of_any(groups, dict(extras_of(self._form, set())))
        found = groups[0].from_form(self._form)
        for field in groups[0].fields:
            for name, _ in field.names:
                if name in found:
                    found[name] = self._as_wanted(field, found[name])
        return found

    def _as_wanted(self, parameter: RequestParameter, value: Any) -> Any:
        if not parameter.wants_bytes:
            return value
        if isinstance(value, list):
            return [self._contents.get(each, each) for each in value]
        return self._contents.get(value, value) if isinstance(value, UploadFile) else value


def _of_any(groups: tuple[ParameterGroup, ...], found: dict[str, Any]) -> dict[str, Any]:
    """The fields of a form for a union of models: a list where each model that has the field takes several.

    pydantic's models see to it themselves, see `form_annotation`.
    """
    for name, value in found.items():
        takers = [field.many for group in groups for field in group.fields if (name, name) in field.names]
        if takers and all(takers) and not isinstance(value, list):
            found[name] = [value]
    return found


def form_annotation(annotation: Any) -> Any:
    """The type of a form's parameter. In a union of pydantic's models, each sees the form as though it were
    the only one: what is a list to one may be a string to another.
    """
    models = shapes.models_of(annotation)
    if len(models) < 2 or not all(hasattr(model, "__pydantic_core_schema__") for model in models):
        return annotation
    from pydantic import BeforeValidator, Tag

    outer = getattr(annotation, "__metadata__", ())
    choices: list[Any] = []
    for choice in get_args(shapes.without_metadata(annotation)):
        if choice is not type(None):
            model = shapes.without_metadata(choice)
            tags = [item for item in getattr(choice, "__metadata__", ()) if isinstance(item, Tag)]
            tag = tags[-1] if tags else Tag(model.__name__)
            normalize = BeforeValidator(functools.partial(_normalized, group_of(model)))
            choices.append(Annotated[(choice, normalize, tag)])
        else:
            choices.append(choice)
    union: Any = Union[tuple(choices)]  # noqa: UP007 - a value
    return Annotated[(union, *outer)] if outer else union


def _normalized(group: ParameterGroup, value: Any) -> Any:
    """A form's fields, as the model takes them."""
    if not isinstance(value, dict):
        return value
    form = FormData(
        [
            (name, each)
            for name, given in value.items()
            for each in (given if isinstance(given, list) else [given])
        ]
    )
    found = group.from_form(form)
    # No browser sends these, but an outer validator may have put them there.
    found.update({name: given for name, given in value.items() if given is None or given == []})
    return found
