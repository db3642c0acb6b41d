"""The nodes themselves: plain data, and references that are completed later."""

from __future__ import annotations

import pytest

from fastweb.types import Undefined
from fastweb.validation import nodes


def test_a_reference_is_of_no_use_until_it_is_complete() -> None:
    ref = nodes.RefSchema(name="Tree")
    with pytest.raises(RuntimeError, match="Tree is not complete"):
        ref.resolve()
    ref.target = nodes.IntSchema()
    assert isinstance(ref.resolve(), nodes.IntSchema)


def test_a_default_that_could_change_is_a_new_one_each_time() -> None:
    def field(default: object) -> nodes.FieldSchema:
        return nodes.FieldSchema(
            name="a",
            alias="a",
            lookups=(("a",),),
            serialization_alias="a",
            schema=nodes.AnySchema(),
            required=False,
            default=default,
        )

    listed = field([[1]])
    listed.get_default()[0].append(2)
    assert listed.get_default() == [[1]]
    assert field(Undefined).get_default() is Undefined
    assert field("x").get_default() == "x"


def test_every_node_is_named() -> None:
    for name in nodes.__all__:
        cls = getattr(nodes, name)
        assert cls.__doc__
        assert not hasattr(cls, "__dict__") or "__slots__" in vars(cls)
