"""Errors: their place is written from the inside out, and read from the outside in."""

from __future__ import annotations

from typing import Any

import pytest

from fastweb.types import Undefined
from fastweb.validation.errors import EXACT, LAX, STRICT, State, error_dicts, location, plural


def test_places_grow_outwards() -> None:
    state = State()
    assert state.fail("missing", "Field required", {}) is Undefined
    state.outer(0, "name")
    state.fail("int_type", "Input should be a valid integer", None, {"x": 1})
    state.outer(1, "age")
    state.outer(0, 3)
    assert error_dicts(state.errors, ("body",)) == [
        {"type": "missing", "loc": ("body", 3, "name"), "msg": "Field required", "input": {}},
        {
            "type": "int_type",
            "loc": ("body", 3, "age"),
            "msg": "Input should be a valid integer",
            "input": None,
            "ctx": {"x": 1},
        },
    ]


def test_exactness_only_falls() -> None:
    state = State()
    assert state.exactness == EXACT
    state.strict()
    assert state.exactness == STRICT
    state.lax()
    state.strict()
    assert state.exactness == LAX


@pytest.mark.parametrize(
    ("key", "item"), [("a", "a"), (1, 1), (True, 1), (None, "None"), (1.5, "1.5"), ((1, 2), "(1, 2)")]
)
def test_keys_in_places(key: Any, item: int | str) -> None:
    assert location(key) == item
    assert type(location(key)) is type(item)


def test_plurals() -> None:
    assert [plural(count) for count in (0, 1, 2)] == ["s", "", "s"]
