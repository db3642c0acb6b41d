"""Which proofs there are for a schema (`fastweb._speedups.serializer`): what msgspec writes as pydantic does,
and nothing else.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from fastweb._speedups import serializer as proofs
from fastweb._speedups.serializer import Proof
from fastweb.validation import nodes
from fastweb.validation.nodes import Schema

__all__ = ["Prover", "proof_of", "prover_of"]

_getattribute: Any = object.__getattribute__
_encode = msgspec.json.Encoder().encode


class _UnprovableError(Exception):
    """msgspec does not write this type as pydantic does, or its encoding depends on more than types."""


def proof_of(schema: Schema) -> Proof | None:
    """The proof for a schema; None where there cannot be one."""
    try:
        return _Proving().prove(schema)
    except _UnprovableError:
        return None


class Prover(NamedTuple):
    """What can be said of the values of a type without validation.

    Arguments:
        proves: whether a value is known to be exactly of the type.
        dump: the JSON of such a value; None for any other.
    """

    proves: Callable[[Any], bool]
    dump: Callable[[Any], bytes | None]


def prover_of(schema: Schema) -> Prover | None:
    """The fastest prover for a schema here; None where nothing can be proven."""
    proof = proof_of(schema)
    if proof is None:
        return None
    if proofs.COMPILED:
        return Prover(proof.proves, proof.dump)
    from fastweb.validation.flat_proof import flat_proof

    proves = flat_proof(proof)
    return Prover(proves, lambda value: _encode(value) if proves(value) else None)


class _Proving:
    def __init__(self) -> None:
        self._models: dict[int, Proof] = {}
        #: Inside a BaseModel: its instances were validated when they were made, and pydantic does not do it
        #: again.
        self._valid = False

    def prove(self, schema: Schema) -> Proof:
        return _PROVERS.get(type(schema), _Proving._refuse)(self, schema)

    def _refuse(self, schema: Schema) -> Proof:
        raise _UnprovableError

    def _number(self, schema: Any) -> Proof:
        proof = proofs.IntProof() if isinstance(schema, nodes.IntSchema) else proofs.FloatProof()
        if self._valid:
            return proof
        if schema.multiple_of is not None or getattr(schema, "allow_inf_nan", None) is False:
            raise _UnprovableError
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
        if not self._valid and (
            schema.pattern is not None or schema.strip or schema.to_lower or schema.to_upper
        ):
            raise _UnprovableError
        return self._sized(proofs.StrProof(), schema)

    def _temporal(self, schema: Any) -> Proof:
        if not self._valid and getattr(schema, "tz", None) is not None:
            raise _UnprovableError
        if isinstance(schema, nodes.DatetimeSchema):
            if not self._valid and (schema.gt, schema.ge, schema.lt, schema.le) != (None, None, None, None):
                raise _UnprovableError  # naive and aware ones cannot be compared
            return proofs.DatetimeProof()
        if isinstance(schema, nodes.DateSchema):
            return self._bounded(proofs.TypeProof(datetime.date), schema)
        return self._bounded(proofs.TimeProof(), schema)

    def _decimal(self, schema: nodes.DecimalSchema) -> Proof:
        # NaN would be let through by validation only where allow_inf_nan says so.
        if not self._valid:
            raise _UnprovableError
        return proofs.TypeProof(decimal.Decimal)

    def _uuid(self, schema: nodes.UUIDSchema) -> Proof:
        if schema.version is not None and not self._valid:
            raise _UnprovableError
        return proofs.TypeProof(uuid.UUID)

    def _enum(self, schema: nodes.EnumSchema) -> Proof:
        if schema.use_values:
            raise _UnprovableError
        for member in schema.cls:
            if type(member.value) is not str and not (
                type(member.value) is int and abs(member.value) < 2**63
            ):
                raise _UnprovableError
            if type(member) is not schema.cls or _encode(member) != _encode(member.value):
                raise _UnprovableError
        return proofs.TypeProof(schema.cls)

    def _literal(self, schema: nodes.LiteralSchema) -> Proof:
        for value in schema.values:
            if type(value) not in (str, bool, type(None)) and not (type(value) is int and abs(value) < 2**63):
                raise _UnprovableError
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
            raise _UnprovableError
        return self._sized(proofs.DictProof(self.prove(schema.key), self.prove(schema.value)), schema)

    def _nullable(self, schema: nodes.NullableSchema) -> Proof:
        return proofs.NullableProof(self.prove(schema.inner))

    def _union(self, schema: nodes.UnionSchema) -> Proof:
        # A choice that cannot be proven is no obstacle: its values only take the slow path.
        choices = []
        for choice in schema.choices:
            try:
                choices.append(self.prove(choice))
            except _UnprovableError:
                continue
        if not choices:
            raise _UnprovableError
        return proofs.UnionProof(choices)

    def _ref(self, schema: nodes.RefSchema) -> Proof:
        return self.prove(schema.resolve())

    def _model(self, schema: nodes.ModelSchema) -> Proof:
        found = self._models.get(id(schema))
        if found is not None:
            return found
        if schema.extra == "allow" or any(field.exclude for field in schema.fields):
            raise _UnprovableError
        if schema.kind in ("struct", "dataclass") and schema.cls.__getattribute__ is not _getattribute:
            raise _UnprovableError  # an attribute may not be what msgspec finds in the instance
        outer, self._valid = self._valid, schema.is_base_model
        try:
            return self._model_proof(schema)
        finally:
            self._valid = outer

    def _field(self, field: nodes.FieldSchema) -> Proof:
        # A field that cannot be proven only keeps the values that have it from being proven.
        try:
            return self.prove(field.schema)
        except _UnprovableError:
            if not field.required or type(field.schema) is nodes.NullableSchema:
                return proofs.NoneProof() if type(field.schema) is nodes.NullableSchema else proofs.Proof()
            raise

    def _model_proof(self, schema: nodes.ModelSchema) -> Proof:
        if schema.kind == "struct":
            written = schema.cls.__struct_encode_fields__
            if tuple(field.serialization_alias for field in schema.fields) != tuple(written):
                raise _UnprovableError
            options = schema.cls.__struct_config__
            plain = not (options.omit_defaults or options.array_like or options.tag is not None)
            model = proofs.ModelProof(schema.cls, plain)
            self._models[id(schema)] = model
            for field in schema.fields:
                try:
                    model.add(field.name, field.serialization_alias, self._field(field))
                except TypeError as error:
                    raise _UnprovableError from error
            return model
        if any(field.serialization_alias != field.name for field in schema.fields):
            raise _UnprovableError
        if schema.kind == "dataclass":
            if not hasattr(schema.cls, "__dict__") or any(
                field.name.startswith("_") for field in schema.fields
            ):
                raise _UnprovableError
            if not _has_dict(schema.cls):
                raise _UnprovableError
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


_PROVERS: dict[type[Schema], Callable[[_Proving, Any], Proof]] = {
    nodes.AnySchema: lambda prover, schema: proofs.AnyProof(),
    nodes.NoneSchema: lambda prover, schema: proofs.NoneProof(),
    nodes.BoolSchema: lambda prover, schema: proofs.BoolProof(),
    nodes.IntSchema: _Proving._number,
    nodes.FloatSchema: _Proving._number,
    nodes.StrSchema: _Proving._str,
    nodes.DatetimeSchema: _Proving._temporal,
    nodes.DateSchema: _Proving._temporal,
    nodes.TimeSchema: _Proving._temporal,
    nodes.DecimalSchema: _Proving._decimal,
    nodes.UUIDSchema: _Proving._uuid,
    nodes.EnumSchema: _Proving._enum,
    nodes.LiteralSchema: _Proving._literal,
    nodes.ListSchema: _Proving._list,
    nodes.SetSchema: _Proving._set,
    nodes.FrozenSetSchema: _Proving._set,
    nodes.TupleSchema: _Proving._tuple,
    nodes.DictSchema: _Proving._dict,
    nodes.NullableSchema: _Proving._nullable,
    nodes.UnionSchema: _Proving._union,
    nodes.RefSchema: _Proving._ref,
    nodes.ModelSchema: _Proving._model,
}
