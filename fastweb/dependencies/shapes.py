"""What shape of input a type takes: one string, several, a whole group of parameters, a file, or a body.

FastAPI's rules; they decide where a parameter is read from that does not say, and how.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from fastweb.datastructures import UploadFile
from fastweb.validation import nodes

__all__ = [
    "is_bytes",
    "is_bytes_sequence",
    "is_json",
    "is_scalar",
    "is_scalar_sequence",
    "is_sequence",
    "is_upload",
    "model_of",
    "models_of",
    "without_metadata",
]

_MANY = (
    nodes.ListSchema,
    nodes.SequenceSchema,
    nodes.SetSchema,
    nodes.FrozenSetSchema,
    nodes.DequeSchema,
    nodes.TupleSchema,
)
_COMPLEX = (*_MANY, nodes.ModelSchema, nodes.DictSchema)


def without_metadata(annotation: Any) -> Any:
    """The type in an `Annotated`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _choices(annotation: Any) -> Iterator[Any]:
    """The types of a union but None, or the one that there is, without metadata."""
    annotation = without_metadata(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        for choice in get_args(annotation):
            if choice is not type(None):
                yield from _choices(choice)
    else:
        yield annotation


# One string, or several


def is_scalar(schema: Any) -> bool:
    """Whether one string can stand for a value: such parameters are Query unless they say otherwise."""
    if isinstance(schema, nodes.NullableSchema):
        return is_scalar(schema.inner)
    if isinstance(schema, nodes.UnionSchema):
        return all(is_scalar(choice) for choice in schema.choices)
    if isinstance(schema, nodes.PydanticSchema):
        return not _pydantic_complex(schema.annotation)
    if isinstance(schema, nodes.FunctionSchema):
        return not issubclass(schema.cls, UploadFile)
    if isinstance(schema, nodes.RefSchema):
        return False
    return not isinstance(schema, _COMPLEX)


def _pydantic_complex(annotation: Any) -> bool:
    for choice in _choices(annotation):
        plain = get_origin(choice) or choice
        if not isinstance(plain, type) or issubclass(plain, (str, bytes)):
            continue
        if (
            hasattr(plain, "model_fields")
            or hasattr(plain, "__dataclass_fields__")
            or issubclass(plain, (Mapping, Sequence, Set, UploadFile))
            or (plain is not choice and hasattr(plain, "__get_pydantic_core_schema__"))
        ):
            return True
    return False


def is_sequence(schema: Any) -> bool:
    """Whether a parameter takes every value of its name."""
    if isinstance(schema, nodes.NullableSchema):
        return is_sequence(schema.inner)
    if isinstance(schema, nodes.UnionSchema):
        return any(is_sequence(choice) for choice in schema.choices)
    if isinstance(schema, nodes.PydanticSchema):
        return not is_json(schema.annotation) and any(map(_holds_many, _choices(schema.annotation)))
    return isinstance(schema, _MANY)


def is_scalar_sequence(schema: Any) -> bool:
    """Whether several strings can stand for a value."""
    if isinstance(schema, nodes.NullableSchema):
        return is_scalar_sequence(schema.inner)
    if isinstance(schema, nodes.UnionSchema):
        return any(map(is_scalar_sequence, schema.choices)) and all(
            is_scalar(choice) or is_scalar_sequence(choice) for choice in schema.choices
        )
    if isinstance(schema, nodes.TupleSchema):
        return all(is_scalar(item) for item in schema.items)
    if isinstance(schema, nodes.PydanticSchema):
        many = [choice for choice in _choices(schema.annotation) if _holds_many(choice)]
        return bool(many) and not any(
            _pydantic_complex(item) for choice in many for item in get_args(choice) if item is not Ellipsis
        )
    return isinstance(schema, _MANY) and is_scalar(getattr(schema, "item", None))


def _holds_many(annotation: Any) -> bool:
    plain = get_origin(annotation) or annotation
    return (
        isinstance(plain, type)
        and issubclass(plain, (Sequence, set, frozenset))
        and not issubclass(plain, (str, bytes, bytearray))
    )


def is_json(annotation: Any) -> bool:
    """Whether it is one string of JSON, whatever it holds: pydantic's `Json`."""
    json = getattr(sys.modules.get("pydantic"), "Json", None)
    return json is not None and any(type(item) is json for item in getattr(annotation, "__metadata__", ()))


# Files


def is_upload(annotation: Any) -> bool:
    """Whether it is a file, or several of them: such parameters are File unless they say otherwise."""
    choices = list(_choices(annotation))
    if any(_is_class(choice, UploadFile) for choice in choices):
        return True
    many = [choice for choice in choices if _holds_many(choice)]
    return any(
        get_args(choice) and all(is_upload(item) for item in get_args(choice) if item is not Ellipsis)
        for choice in many
    )


def is_bytes(annotation: Any) -> bool:
    """Whether a file is to be had as bytes."""
    return any(_is_class(choice, bytes) for choice in _choices(annotation))


def is_bytes_sequence(annotation: Any) -> bool:
    """Whether several files are to be had as bytes."""
    return any(
        _holds_many(choice)
        and bool(get_args(choice))
        and all(is_bytes(item) for item in get_args(choice) if item is not Ellipsis)
        for choice in _choices(annotation)
    )


def _is_class(annotation: Any, base: type) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, base)


# Groups of parameters


def is_model(annotation: Any) -> bool:
    """Whether it is a class of models: pydantic's, ours, or a msgspec.Struct."""
    plain = get_origin(annotation) or annotation
    if not isinstance(plain, type):
        return False
    pydantic = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return issubclass(plain, msgspec.Struct) or (pydantic is not None and issubclass(plain, pydantic))


def model_of(annotation: Any) -> Any:
    """The model that a parameter is, or may be (`Model | None`); None where it is something else."""
    models = models_of(annotation)
    return models[0] if len(models) == 1 else None


def models_of(annotation: Any) -> tuple[Any, ...]:
    """The models that a parameter may be, where it is nothing else."""
    if is_json(annotation):
        return ()
    choices = tuple(_choices(annotation))
    return choices if all(map(is_model, choices)) else ()
