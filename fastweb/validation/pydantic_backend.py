"""pydantic's own types, validated by pydantic, the way FastAPI asks it to.

Nothing here imports pydantic by itself: an annotation that reaches a pydantic type means that it is there
    already.
"""

from __future__ import annotations

import functools
import sys
import types
import typing
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import msgspec

from fastweb.exceptions import FastWebError
from fastweb.fields import FieldInfo
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.annotations import is_union
from fastweb.validation.errors import EXACT, STRICT, Problem, State
from fastweb.validation.scalars import Walk

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["adapter_of", "adapter_walk", "dump_declared", "translate"]

#: What a FieldInfo of ours and pydantic's Field call by the same name, and a type without a field can have.
_SHARED = ("title", "description", "examples", "deprecated", "json_schema_extra", "discriminator")
_META = (
    "gt",
    "ge",
    "lt",
    "le",
    "multiple_of",
    "min_length",
    "max_length",
    "pattern",
    "title",
    "description",
    "examples",
)


def adapter_of(schema: nodes.PydanticSchema) -> TypeAdapter[Any]:
    """The TypeAdapter of a schema, made once.

    Raises:
        FastWebError: pydantic cannot make one.
    """
    adapter: TypeAdapter[Any] | None = schema.extras.get("adapter")
    if adapter is None:
        import pydantic

        annotation = translate(schema.annotation)
        if schema.field is not None:
            annotation = Annotated[annotation, _field(schema.field)]
        for item in schema.metadata:
            if isinstance(item, FieldInfo) and item is not schema.field:
                annotation = Annotated[annotation, _field(item)]
        with warnings.catch_warnings():
            # FastAPI too ignores that some attributes of a field mean nothing outside a model.
            ignored = getattr(sys.modules.get("pydantic.warnings"), "UnsupportedFieldAttributeWarning", None)
            if ignored is not None:
                warnings.simplefilter("ignore", category=ignored)
            try:
                adapter = pydantic.TypeAdapter(annotation)
            except pydantic.errors.PydanticUserError as error:
                raise FastWebError(
                    f"pydantic cannot validate the type {schema.annotation!r}: {error}"
                ) from error
        schema.extras["adapter"] = adapter
    return adapter


def _field(info: FieldInfo) -> Any:
    import pydantic

    options = {name: value for name in _SHARED if (value := getattr(info, name)) is not None}
    return pydantic.Field(**options, **info.constraints())


def translate(annotation: Any) -> Any:
    """The annotation with our FieldInfo, and msgspec.Meta, as pydantic's Field: it would ignore them."""
    origin = get_origin(annotation)
    if origin is None or origin is typing.Literal:
        return annotation
    if origin is Annotated:
        inner = translate(get_args(annotation)[0])
        metadata = tuple(map(_metadata, annotation.__metadata__))
        return Annotated[(inner, *metadata)]
    arguments = get_args(annotation)
    made = tuple(argument if isinstance(argument, list) else translate(argument) for argument in arguments)
    if all(new is old for new, old in zip(made, arguments, strict=True)):
        return annotation
    if is_union(origin):
        return typing.Union[made]  # noqa: UP007 - a value
    if hasattr(annotation, "copy_with"):
        return annotation.copy_with(made)
    return types.GenericAlias(origin, made)


def _metadata(item: Any) -> Any:
    if isinstance(item, FieldInfo):
        return _field(item)
    if isinstance(item, msgspec.Meta):
        import pydantic

        return pydantic.Field(**{name: value for name in _META if (value := getattr(item, name)) is not None})
    return item


@functools.cache
def _by_name() -> dict[str, Any]:
    """What has pydantic take fields by their names, too: since 2.11."""
    import pydantic

    version = tuple(map(int, pydantic.VERSION.split(".")[:2]))
    return {"by_name": True} if version >= (2, 11) else {}


def dump_declared(schema: nodes.PydanticSchema, dump: Callable[..., Any], value: Any, **options: Any) -> Any:
    """Dump a valid value, with nothing in it that its type does not declare.

    pydantic takes an instance of its models for valid, whatever was assigned to it since, and writes a part
    that is not of its field's type as it is, with a warning. Here such a value is validated again, as data.

    Arguments:
        dump: `dump_json` or `dump_python` of the schema's adapter.
        options: for it.

    Raises:
        ResponseErrors: the value is not valid any more.
    """
    try:
        return dump(value, **options, warnings="error")
    except (AttributeError, ValueError) as refused:  # the first by exclude_unset, of what is no model
        from pydantic_core import PydanticSerializationError, ValidationError

        from fastweb.validation.serializer import ResponseErrors

        if not isinstance(refused, (AttributeError, PydanticSerializationError)):
            raise
        adapter = adapter_of(schema)
        data = adapter.dump_python(
            value, exclude_unset=True, round_trip=True, serialize_as_any=True, warnings=False
        )
        try:
            made = adapter.validate_python(data, **_by_name())
        except ValidationError as error:
            errors = [
                {**found, "loc": ("response", *found["loc"])} for found in error.errors(include_url=False)
            ]
            raise ResponseErrors(errors) from None
        # What is still unexpected comes from serializers of the type's own.
        return dump(made, **options, warnings=False)


def adapter_walk(schema: nodes.PydanticSchema) -> Walk:
    """A walk by pydantic. Its errors are put as ours are, without the address of a help page."""
    import pydantic

    validate = adapter_of(schema).validate_python
    failed = pydantic.ValidationError

    def walk(value: Any, state: State) -> Any:
        try:
            made = validate(value, from_attributes=state.from_attributes)
        except failed as error:
            for found in error.errors(include_url=False):
                problem = Problem(found["type"], found["msg"], found["input"], found.get("ctx"))
                problem.loc.extend(reversed(found["loc"]))
                state.errors.append(problem)
            return Undefined
        if made is not value:
            given = getattr(made, "model_fields_set", None)
            state.exactness = min(state.exactness, EXACT if given is not None else STRICT)
            if given is not None:
                state.fields_set = (state.fields_set or 0) + len(given)
        return made

    return walk
