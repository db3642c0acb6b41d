"""Validators: what the rest of fastweb validates with."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from fastweb.fields import FieldInfo
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.annotations import has_forward_ref
from fastweb.validation.errors import State, error_dicts
from fastweb.validation.msgspec_backend import decoder_of
from fastweb.validation.schema import schema_of
from fastweb.validation.walker import compile_walk

__all__ = ["Validator", "validator_of", "validator_of_schema"]

Loc = tuple[int | str, ...]


class Validator:
    """Validates values of one type.

    Arguments:
        annotation: the type.
        schema: its schema.
        from_attributes: True takes any object with the right attributes for a model, as FastAPI does with
            bodies and returned values; None leaves it to each model's configuration.

    Raises:
        FastWebError: the type cannot be validated.
    """

    __slots__ = ("_decode", "_decoder_known", "_walk", "annotation", "from_attributes", "schema")

    def __init__(self, annotation: Any, schema: nodes.Schema, *, from_attributes: bool | None = None) -> None:
        self.annotation = annotation
        self.schema = schema
        self.from_attributes = from_attributes
        self._walk = compile_walk(schema)
        self._decode: Any = None
        self._decoder_known = False

    def validate(self, value: Any, loc: Loc, errors: list[dict[str, Any]]) -> Any:
        """The value, converted as pydantic's lax mode does.

        Arguments:
            value: any Python object.
            loc: the place of the value, which begins the `loc` of every error.
            errors: a list to which every error is appended; then the result is `Undefined`.
        """
        state = State(self.from_attributes)
        try:
            made = self._walk(value, state)
        except RecursionError:
            state = State()
            made = state.fail(
                "recursion_depth_exceeded", "Recursion error - maximum validation depth exceeded", value
            )
        if state.errors:
            errors.extend(error_dicts(state.errors, loc))
            return Undefined
        return made

    def validate_json(self, data: bytes, loc: Loc, errors: list[dict[str, Any]]) -> Any:
        """The value of a JSON document: what `validate(json.loads(data), …)` gives, sooner.

        msgspec decodes into the type at once where that is exact; what it does not accept is parsed and
        walked.

        Raises:
            json.JSONDecodeError: the data is not JSON.
            UnicodeDecodeError: it is not text in UTF-8 (or -16 or -32), not even in a part that nobody reads.
            RecursionError: it is nested too deeply.
        """
        decode = self._decode if self._decoder_known else self._find_decoder()
        if decode is not None:
            try:
                if not data.isascii():
                    data.decode()  # msgspec skips over invalid UTF-8 where it skips over a value
                return decode(data)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                pass  # the slow way tells what is wrong, or accepts it
        return self.validate(json.loads(data), loc, errors)

    @property
    def is_exact(self) -> bool:
        """Whether `validate_json` has a fast path for this type. It is found out when first asked."""
        return (self._decode if self._decoder_known else self._find_decoder()) is not None

    def _find_decoder(self) -> Any:
        decoder = decoder_of(self.schema)
        self._decode = None if decoder is None else decoder.decode
        self._decoder_known = True
        return self._decode

    def __repr__(self) -> str:
        return f"Validator({self.annotation!r})"


#: By identity, for `int | str == str | int` while they validate differently. What is kept keeps the ids from
#: being used again.
_CACHE: dict[tuple[int, int, int, bool | None], tuple[Any, FieldInfo | None, Any, Validator]] = {}
_CACHE_LIMIT = 4096


def validator_of(
    annotation: Any, field: FieldInfo | None = None, *, from_attributes: bool | None = None, owner: Any = None
) -> Validator:
    """The validator of an annotation; the same one for the same objects.

    Arguments:
        annotation: a type.
        field: constraints and a discriminator beside it.
        from_attributes: see `Validator`; FastAPI's is True for bodies, parameters and returned values.
        owner: the function or class in whose module names in strings are looked up.

    Raises:
        FastWebError: the type cannot be validated.
    """
    if not has_forward_ref(annotation):
        owner = None  # it makes no difference
    key = (id(annotation), id(field), id(owner), from_attributes)
    found = _CACHE.get(key)
    if found is not None:
        return found[3]
    schema = schema_of(annotation, field=field, owner=owner)
    validator = Validator(annotation, schema, from_attributes=from_attributes)
    if len(_CACHE) >= _CACHE_LIMIT:
        _CACHE.clear()
    _CACHE[key] = (annotation, field, owner, validator)
    return validator


def validator_of_schema(schema: nodes.Schema, *, from_attributes: bool | None = True) -> Validator:
    """A validator of a schema, or of a part of one."""
    return Validator(getattr(schema, "annotation", None), schema, from_attributes=from_attributes)
