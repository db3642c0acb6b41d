"""What an endpoint returns, as the JSON of its response model.

`serializer_of(annotation)` gives the `Serializer` of a type. A value whose run-time types are proven to be exactly the declared ones
(`fastweb._speedups.serializer`) goes to msgspec's encoder in one call; any other is validated first, as FastAPI does, and put out field
by field (`fastweb.validation.dump`). Either way nothing leaves that the annotation does not declare.
"""

from __future__ import annotations

import json as _json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from fastweb._speedups import serializer as proofs
from fastweb._speedups.serializer import Proof
from fastweb.fields import FieldInfo
from fastweb.validation import nodes
from fastweb.validation.dump import Dumper, SerializationError, filter_of
from fastweb.validation.nodes import Schema
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import Validator, validator_of_schema

__all__ = ["ResponseErrors", "SerializationError", "Serializer", "encode_json", "proof_of", "serializer_of", "to_jsonable"]

_encode = msgspec.json.Encoder().encode


class ResponseErrors(Exception):
    """A returned value that does not fit the response model.

    Arguments:
        errors: what is wrong, each with "type", "loc" (beginning with "response"), "msg", "input" and sometimes "ctx".
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

    __slots__ = ("_proof", "_proven", "_renames", "_validator", "annotation", "by_alias", "field", "schema")

    def __init__(self, annotation: Any, field: FieldInfo | None = None, *, by_alias: bool = True) -> None:
        self.annotation = annotation
        self.field = field
        self.by_alias = by_alias
        self.schema = schema_of(annotation, field=field, arbitrary_types=True)
        self._proof: Proof | None = None
        self._proven = False
        self._renames = False
        self._validator: Validator | None = None

    def proves(self, value: Any) -> bool:
        """Whether the value is known, without validation, to be exactly of the annotation."""
        if not self._proven:
            self._proof = proof_of(self.schema)
            self._proven = True
            self._renames = _renames(self.schema, set())
        return self._proof is not None and self._proof.proves(value)

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
            exclude_unset, exclude_defaults, exclude_none: leave out fields that were not given, are equal to their defaults,
                or are None.

        Raises:
            ResponseErrors: it does not fit the annotation.
            SerializationError: JSON has no form for it.
        """
        if by_alias is None:
            by_alias = self.by_alias
        proven = self.proves(value)
        if (
            proven
            and include is None
            and exclude is None
            and not (exclude_unset or exclude_defaults or exclude_none)
            and (by_alias or not self._renames)
        ):
            return _encode(value)
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
        plain = indent is None and not ensure_ascii and not any(
            each for name, each in options.items() if name != "by_alias" and each is not None
        )
        if plain and self.proves(value) and (options.get("by_alias", True) or not self._renames):
            return _encode(value)
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


# Proofs


class _Unprovable(Exception):
    """msgspec does not write this type as pydantic does, or its encoding depends on more than types."""


def proof_of(schema: Schema) -> Proof | None:
    """The proof for a schema; None where there cannot be one."""
    try:
        return _Prover().prove(schema)
    except _Unprovable:
        return None


class _Prover:
    def __init__(self) -> None:
        self._models: dict[int, Proof] = {}
        #: Inside a BaseModel: its instances were validated when they were made, and pydantic does not do it again.
        self._valid = False

    def prove(self, schema: Schema) -> Proof:
        return _PROVERS.get(type(schema), _Prover._refuse)(self, schema)

    def _refuse(self, schema: Schema) -> Proof:
        raise _Unprovable

    def _number(self, schema: Any) -> Proof:
        proof = proofs.IntProof() if isinstance(schema, nodes.IntSchema) else proofs.TypeProof(float)
        if self._valid:
            return proof
        if schema.multiple_of is not None or getattr(schema, "allow_inf_nan", None) is False:
            raise _Unprovable
        return self._bounded(proof, schema)

    def _bounded(self, proof: Proof, schema: Any) -> Proof:
        bounds = (schema.gt, schema.ge, schema.lt, schema.le)
        if self._valid or bounds == (None, None, None, None):
            return proof
        return proofs.BoundsProof(proof, *bounds)

    def _sized(self, proof: Proof, schema: Any) -> Proof:
        if self._valid or (schema.min_length is None and schema.max_length is None):
            return proof
        least = -1 if schema.min_length is None else schema.min_length
        most = -1 if schema.max_length is None else schema.max_length
        return proofs.LengthProof(proof, least, most)

    def _str(self, schema: nodes.StrSchema) -> Proof:
        if not self._valid and (schema.pattern is not None or schema.strip or schema.to_lower or schema.to_upper):
            raise _Unprovable
        return self._sized(proofs.TypeProof(str), schema)

    def _temporal(self, schema: Any) -> Proof:
        if not self._valid and getattr(schema, "tz", None) is not None:
            raise _Unprovable
        if isinstance(schema, nodes.DatetimeSchema):
            if not self._valid and (schema.gt, schema.ge, schema.lt, schema.le) != (None, None, None, None):
                raise _Unprovable  # naive and aware ones cannot be compared
            return proofs.DatetimeProof()
        if isinstance(schema, nodes.DateSchema):
            import datetime

            return self._bounded(proofs.TypeProof(datetime.date), schema)
        return self._bounded(proofs.TimeProof(), schema)

    def _decimal(self, schema: nodes.DecimalSchema) -> Proof:
        import decimal

        # NaN would be let through by validation only where allow_inf_nan says so.
        if not self._valid:
            raise _Unprovable
        return proofs.TypeProof(decimal.Decimal)

    def _uuid(self, schema: nodes.UUIDSchema) -> Proof:
        import uuid

        if schema.version is not None and not self._valid:
            raise _Unprovable
        return proofs.TypeProof(uuid.UUID)

    def _enum(self, schema: nodes.EnumSchema) -> Proof:
        if schema.use_values:
            raise _Unprovable
        for member in schema.cls:
            if type(member.value) is not str and not (type(member.value) is int and abs(member.value) < 2**63):
                raise _Unprovable
            if type(member) is not schema.cls or _encode(member) != _encode(member.value):
                raise _Unprovable
        return proofs.TypeProof(schema.cls)

    def _literal(self, schema: nodes.LiteralSchema) -> Proof:
        for value in schema.values:
            if type(value) not in (str, bool, type(None)) and not (type(value) is int and abs(value) < 2**63):
                raise _Unprovable
        return proofs.LiteralProof(tuple(schema.values))

    def _list(self, schema: nodes.ListSchema) -> Proof:
        return self._sized(proofs.ListProof(self.prove(schema.item)), schema)

    def _set(self, schema: Any) -> Proof:
        cls = set if isinstance(schema, nodes.SetSchema) else frozenset
        return self._sized(proofs.CollectionProof(cls, self.prove(schema.item)), schema)

    def _tuple(self, schema: nodes.TupleSchema) -> Proof:
        if schema.variadic:
            return self._sized(proofs.CollectionProof(tuple, self.prove(schema.items[0])), schema)
        return self._sized(proofs.TupleProof(tuple, [self.prove(item) for item in schema.items]), schema)

    def _dict(self, schema: nodes.DictSchema) -> Proof:
        if schema.kind != "dict" or type(schema.key) not in (nodes.StrSchema, nodes.IntSchema):
            raise _Unprovable
        return self._sized(proofs.DictProof(self.prove(schema.key), self.prove(schema.value)), schema)

    def _nullable(self, schema: nodes.NullableSchema) -> Proof:
        return proofs.NullableProof(self.prove(schema.inner))

    def _union(self, schema: nodes.UnionSchema) -> Proof:
        # A choice that cannot be proven is no obstacle: its values only take the slow path.
        choices = []
        for choice in schema.choices:
            try:
                choices.append(self.prove(choice))
            except _Unprovable:
                continue
        if not choices:
            raise _Unprovable
        return proofs.UnionProof(choices)

    def _ref(self, schema: nodes.RefSchema) -> Proof:
        return self.prove(schema.resolve())

    def _model(self, schema: nodes.ModelSchema) -> Proof:
        found = self._models.get(id(schema))
        if found is not None:
            return found
        if schema.extra == "allow" or any(field.exclude for field in schema.fields):
            raise _Unprovable
        outer, self._valid = self._valid, schema.is_base_model
        try:
            return self._model_proof(schema)
        finally:
            self._valid = outer

    def _field(self, field: nodes.FieldSchema) -> Proof:
        # A field that cannot be proven only keeps the values that have it from being proven.
        try:
            return self.prove(field.schema)
        except _Unprovable:
            if not field.required or type(field.schema) is nodes.NullableSchema:
                return proofs.NoneProof() if type(field.schema) is nodes.NullableSchema else proofs.Proof()
            raise

    def _model_proof(self, schema: nodes.ModelSchema) -> Proof:
        if schema.kind == "struct":
            written = schema.cls.__struct_encode_fields__
            if tuple(field.serialization_alias for field in schema.fields) != tuple(written):
                raise _Unprovable
            model = proofs.ModelProof(schema.cls)
            self._models[id(schema)] = model
            for field in schema.fields:
                model.add(field.name, self._field(field))
            return model
        if any(field.serialization_alias != field.name for field in schema.fields):
            raise _Unprovable
        if schema.kind == "dataclass":
            if not hasattr(schema.cls, "__dict__") or any(field.name.startswith("_") for field in schema.fields):
                raise _Unprovable
            if not _has_dict(schema.cls):
                raise _Unprovable
            data = proofs.DataclassProof(schema.cls)
            self._models[id(schema)] = data
            for field in schema.fields:
                data.add(field.name, self._field(field))
            return data
        if schema.kind == "typeddict":
            required = tuple(field.name for field in schema.fields if field.required)
            fields: dict[str, Proof] = {}
            typed = proofs.TypedDictProof(fields, required)
            self._models[id(schema)] = typed
            for field in schema.fields:
                fields[field.name] = self._field(field)
            return typed
        return proofs.TupleProof(schema.cls, [self._field(field) for field in schema.fields])


def _has_dict(cls: type[Any]) -> bool:
    return cls.__dictoffset__ != 0 and not any(
        "__slots__" in base.__dict__ and base.__dict__["__slots__"] for base in cls.__mro__
    )


_PROVERS: dict[type[Schema], Callable[[_Prover, Any], Proof]] = {
    nodes.AnySchema: lambda prover, schema: proofs.AnyProof(),
    nodes.NoneSchema: lambda prover, schema: proofs.NoneProof(),
    nodes.BoolSchema: lambda prover, schema: proofs.BoolProof(),
    nodes.IntSchema: _Prover._number,
    nodes.FloatSchema: _Prover._number,
    nodes.StrSchema: _Prover._str,
    nodes.DatetimeSchema: _Prover._temporal,
    nodes.DateSchema: _Prover._temporal,
    nodes.TimeSchema: _Prover._temporal,
    nodes.DecimalSchema: _Prover._decimal,
    nodes.UUIDSchema: _Prover._uuid,
    nodes.EnumSchema: _Prover._enum,
    nodes.LiteralSchema: _Prover._literal,
    nodes.ListSchema: _Prover._list,
    nodes.SetSchema: _Prover._set,
    nodes.FrozenSetSchema: _Prover._set,
    nodes.TupleSchema: _Prover._tuple,
    nodes.DictSchema: _Prover._dict,
    nodes.NullableSchema: _Prover._nullable,
    nodes.UnionSchema: _Prover._union,
    nodes.RefSchema: _Prover._ref,
    nodes.ModelSchema: _Prover._model,
}
