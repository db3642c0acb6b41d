"""What stands for the proofs where they are not compiled. The table in tests/speedups holds for it too."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from fastweb._speedups import serializer
from fastweb.models import BaseModel
from fastweb.validation.flat_proof import flat_proof
from fastweb.validation.proofs import proof_of
from fastweb.validation.schema import schema_of

pytestmark = pytest.mark.skipif(serializer.COMPILED, reason="compiled proofs have no attributes to read")


class Leaf(BaseModel):
    kind: Literal["leaf"]
    data: dict[str, Any]


class Branch(BaseModel):
    kind: Literal["branch"]
    nodes: list[Leaf | Branch] = []


def flat(annotation: Any) -> Any:
    proof = proof_of(schema_of(annotation))
    assert proof is not None
    return flat_proof(proof)


def test_a_model_in_a_union_in_itself() -> None:
    proves = flat(Branch)
    leaf = Leaf(kind="leaf", data={"a": [1]})
    assert proves(Branch(kind="branch", nodes=[leaf, Branch(kind="branch")]))
    leaf.data["a"] = {1, 2}
    assert not proves(Branch(kind="branch", nodes=[Branch(kind="branch", nodes=[leaf])]))


def test_a_field_that_is_called_as_a_keyword_is() -> None:
    made = msgspec.defstruct("Made", [("class", int), ("x", int)])
    proves = flat(made)
    assert proves(made(1, 2))
    assert not proves(made(True, 2))


def test_a_field_without_a_value() -> None:
    assert not flat(Leaf)(Leaf.model_construct(kind="leaf"))


def test_the_same_model_twice_is_one_function() -> None:
    proves = flat(tuple[Leaf, Leaf, list[Leaf]])
    leaf = Leaf(kind="leaf", data={})
    assert proves((leaf, leaf, [leaf]))
    assert not proves((leaf, leaf, [None]))
