"""What an endpoint returns, as the JSON of its response model.

`serializer_of(annotation)` gives the `Serializer` of a type. A value whose run-time types are proven to be
exactly the declared ones (`fastweb._speedups.serializer`) goes to msgspec's encoder in one call; any other is
validated first, as FastAPI does, and put out field by field (`fastweb.validation.dump`). Either way nothing
leaves that the annotation does not declare.
"""

from __future__ import annotations

import json as _json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from fastweb.fields import FieldInfo
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.convert import converter_of
from fastweb.validation.dump import Dumper, SerializationError, filter_of
from fastweb.validation.nodes import Schema
from fastweb.validation.proofs import Prover, prover_of
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import Validator, validator_of_schema

__all__ = [
    "ResponseErrors",
    "SerializationError",
    "Serializer",
    "encode_json",
    "serializer_of",
    "to_jsonable",
]

_encode = msgspec.json.Encoder().encode
_NO_PROVER = Prover(lambda value: False, lambda value: None)


class ResponseErrors(Exception):  # noqa: N818 - they are errors, in the plural
    """A returned value that does not fit the response model.

    Arguments:
        errors: what is wrong, each with "type", "loc" (beginning with "response"), "msg", "input" and
            sometimes "ctx".
    """

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


def encode_json(document: Any) -> bytes:
    """Data of JSON's own types as JSON, whatever the size of its integers."""
    try:
        return orjson.dumps(document)
    except TypeError:
        text = _json.dumps(_finite(document), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value


def to_jsonable(value: Any, *, by_alias: bool = True, fallback: Callable[[Any], Any] | None = None) -> Any:
    """A value of any type as data that JSON can hold, in pydantic's forms.

    Raises:
        SerializationError: JSON has no form for some part of it, and there is no fallback.
    """
    return Dumper(by_alias=by_alias, fallback=fallback, finite=True).infer(value)


class Serializer:
    """The way of one annotation to JSON. `serializer_of` makes it, once for each annotation."""

    __slots__ = (
        "_convert",
        "_prover",
        "_renames",
        "_validator",
        "annotation",
        "by_alias",
        "field",
        "schema",
    )

    def __init__(self, annotation: Any, field: FieldInfo | None = None, *, by_alias: bool = True) -> None:
        self.annotation = annotation
        self.field = field
        self.by_alias = by_alias
        self.schema = schema_of(annotation, field=field, arbitrary_types=True)
        self._prover: Prover | None = None
        self._renames = False
        #: Undefined until it is asked for, None where there is none.
        self._convert: Any = Undefined
        self._validator: Validator | None = None

    def _prepare(self) -> Prover:
        found = prover_of(self.schema) or _NO_PROVER
        self._renames = _renames(self.schema, set())
        self._prover = found
        return found

    def proves(self, value: Any) -> bool:
        """Whether the value is known, without validation, to be exactly of the annotation."""
        return (self._prover or self._prepare()).proves(value)

    def proven_dump(self) -> Callable[[Any], bytes | None]:
        """`dump_proven`, without what finds out how."""
        return (self._prover or self._prepare()).dump

    def dump_proven(self, value: Any) -> bytes | None:
        """The JSON of a value that `proves` is true of, by alias; None of any other."""
        return (self._prover or self._prepare()).dump(value)

    def _converted(self, value: Any) -> Any:
        """What validation makes of a value that is not proven, if msgspec can tell; else Undefined."""
        if self._convert is Undefined:
            self._convert = converter_of(self.schema)
        return Undefined if self._convert is None else self._convert(value)

    def validated(self, value: Any) -> Any:
        """The value as FastAPI validates what an endpoint returns: also from an object's attributes.

        Raises:
            ResponseErrors: it does not fit.
        """
        if self._validator is None:
            self._validator = validator_of_schema(self.schema)
        return _validated(self._validator, value)

    def dump_json(
        self,
        value: Any,
        include: Any = None,
        exclude: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> bytes:
        """What an endpoint returned as JSON.

        Arguments:
            include, exclude: the fields to take, or to leave out.
            by_alias: name fields by their aliases; None for what the serializer was made with.
            exclude_unset, exclude_defaults, exclude_none: leave out fields that were not given, are equal to
                their defaults, or are None.

        Raises:
            ResponseErrors: it does not fit the annotation.
            SerializationError: JSON has no form for it.
        """
        prover = self._prover or self._prepare()
        if by_alias is None:
            by_alias = self.by_alias
        if (
            include is None
            and exclude is None
            and not (exclude_unset or exclude_defaults or exclude_none)
            and (by_alias or not self._renames)
        ):
            made = prover.dump(value)
            if made is not None:
                return made
            proven = False
            converted = self._converted(value)
            if converted is not Undefined:
                return _encode(converted)
        else:
            proven = prover.proves(value)
            if not proven:
                converted = self._converted(value)
                if converted is not Undefined:
                    value, proven = converted, True
        if isinstance(self.schema, nodes.PydanticSchema) and not proven:
            # PERF: in one step, 1.6 µs a small model where two take 4; and the model's configuration of JSON
            # holds, such as ser_json_inf_nan.
            from fastweb.validation.pydantic_backend import adapter_of, dump_declared

            written: bytes = dump_declared(
                self.schema,
                adapter_of(self.schema).dump_json,
                self.validated(value),
                include=include,
                exclude=exclude,
                by_alias=by_alias,
                exclude_unset=exclude_unset,
                exclude_defaults=exclude_defaults,
                exclude_none=exclude_none,
            )
            return written
        document = self._document(
            value if proven else self.validated(value),
            Dumper(
                by_alias=by_alias,
                exclude_unset=exclude_unset,
                exclude_defaults=exclude_defaults,
                exclude_none=exclude_none,
                finite=True,
                mend=self._mend,
            ),
            include,
            exclude,
        )
        return encode_json(document)

    def dump(
        self,
        value: Any,
        include: Any = None,
        exclude: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> Any:
        """As `dump_json`, before it is made text: dicts, lists, strings and numbers."""
        return self._document(
            value if self.proves(value) else self.validated(value),
            Dumper(
                by_alias=self.by_alias if by_alias is None else by_alias,
                exclude_unset=exclude_unset,
                exclude_defaults=exclude_defaults,
                exclude_none=exclude_none,
                mend=self._mend,
            ),
            include,
            exclude,
        )

    def dump_valid(
        self,
        value: Any,
        *,
        json: bool = True,
        include: Any = None,
        exclude: Any = None,
        by_alias: bool = True,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        fallback: Callable[[Any], Any] | None = None,
        finite: bool = False,
    ) -> Any:
        """A value that is taken to be valid, as plain data: what a model's `model_dump` gives."""
        dumper = Dumper(
            json=json,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            fallback=fallback,
            finite=finite,
        )
        return self._document(value, dumper, include, exclude)

    def dump_valid_json(
        self, value: Any, *, indent: int | None = None, ensure_ascii: bool = False, **options: Any
    ) -> bytes:
        """As `dump_valid`, as JSON."""
        plain = (
            indent is None
            and not ensure_ascii
            and not any(each for name, each in options.items() if name != "by_alias" and each is not None)
        )
        prover = self._prover or self._prepare()
        if plain and (options.get("by_alias", True) or not self._renames):
            made = prover.dump(value)
            if made is not None:
                return made
        document = self.dump_valid(value, finite=True, **options)
        if indent is None and not ensure_ascii:
            return encode_json(document)
        separators = (",", ":") if indent is None else (",", ": ")
        return _json.dumps(document, indent=indent, ensure_ascii=ensure_ascii, separators=separators).encode()

    def _document(self, value: Any, dumper: Dumper, include: Any, exclude: Any) -> Any:
        try:
            return dumper.dump(self.schema, value, filter_of(include), filter_of(exclude))
        except RecursionError as error:
            raise SerializationError("Circular reference detected (depth exceeded)") from error

    def _mend(self, schema: Schema, value: Any) -> Any:
        """The valid value of a part that was changed after validation: nothing undeclared may leave in it."""
        return _validated(validator_of_schema(schema), value)


def _validated(validator: Validator, value: Any) -> Any:
    errors: list[dict[str, Any]] = []
    result = validator.validate(value, ("response",), errors)
    if errors:
        raise ResponseErrors(errors)
    return result


_CACHE: dict[Any, Serializer] = {}


def serializer_of(annotation: Any, field: FieldInfo | None = None, *, by_alias: bool = True) -> Serializer:
    """The serializer of an annotation.

    Arguments:
        annotation: a type.
        field: constraints to add.
        by_alias: what `dump_json` takes where it is not told.

    Raises:
        fastweb.exceptions.FastWebError: the annotation is none that fastweb can validate.
    """
    if field is not None or not isinstance(annotation, type):
        # int | str and str | int are equal but not the same, so classes alone are remembered.
        return Serializer(annotation, field, by_alias=by_alias)
    key = (annotation, by_alias)
    found = _CACHE.get(key)
    if found is None:
        found = _CACHE[key] = Serializer(annotation, by_alias=by_alias)
    return found


def _renames(schema: Schema, seen: set[int]) -> bool:
    """Whether some field has a serialization alias."""
    if id(schema) in seen:
        return False
    seen.add(id(schema))
    if isinstance(schema, nodes.ModelSchema):
        if any(field.serialization_alias != field.name for field in schema.fields):
            return True
        return any(_renames(field.schema, seen) for field in schema.fields)
    if isinstance(schema, nodes.RefSchema):
        return _renames(schema.resolve(), seen)
    parts: list[Schema] = []
    for name in ("inner", "item", "key", "value"):
        part = getattr(schema, name, None)
        if isinstance(part, Schema):
            parts.append(part)
    for name in ("items", "choices"):
        parts += [part for part in getattr(schema, name, ()) if isinstance(part, Schema)]
    return any(_renames(part, seen) for part in parts)
