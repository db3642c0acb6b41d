"""Defaults put in after msgspec decoded, and the note of them, in both modes."""

from __future__ import annotations

import gc
from typing import Any

import msgspec
import pytest

from fastweb._speedups.models import UNSET_BITS, make_post_init, set_field

UNSET = msgspec.UNSET
FILL = make_post_init(("b", "c"), (5, None), (None, list), (2, 4))


class Struct(msgspec.Struct, dict=True, kw_only=True):
    a: int
    b: int | msgspec.UnsetType = UNSET
    c: Any = UNSET

    def __post_init__(self) -> None:
        FILL(self)


@pytest.mark.parametrize(
    ("document", "b", "c", "bits"),
    [
        (b'{"a":1}', 5, [], 6),
        (b'{"a":1,"b":2}', 2, [], 4),
        (b'{"a":1,"c":2}', 5, 2, 2),
        (b'{"a":1,"b":2,"c":null}', 2, None, None),
    ],
)
def test_defaults(document: bytes, b: int, c: Any, bits: int | None) -> None:
    made = msgspec.json.decode(document, type=Struct)
    assert (made.a, made.b, made.c) == (1, b, c)
    assert made.__dict__.get(UNSET_BITS) == bits


def test_a_factory_makes_anew() -> None:
    assert Struct(a=1).c is not Struct(a=1).c


def test_many_fields() -> None:
    names = tuple(f"f{number}" for number in range(100))
    bits = tuple(1 << number for number in range(100))
    post_init = make_post_init(names, tuple(range(100)), (None,) * 100, bits)
    Wide = msgspec.defstruct(
        "Wide", [(name, int, UNSET) for name in names], dict=True, namespace={"__post_init__": post_init}
    )
    made: Any = msgspec.json.decode(b'{"f0":7}', type=Wide)
    assert made.__dict__[UNSET_BITS] == (1 << 100) - 2
    assert made.f99 == 99


def test_what_fails_is_told() -> None:
    fill = make_post_init(("a",), (None,), (lambda: 1 / 0,), (1,))

    class Failing(msgspec.Struct, dict=True):
        a: Any = UNSET

        def __post_init__(self) -> None:
            fill(self)

    with pytest.raises(ZeroDivisionError):
        Failing()


def test_set_field_hands_the_instance_to_the_garbage_collector() -> None:
    made = Struct(a=1, b=1, c=1)
    assert not gc.is_tracked(made)
    set_field(made, "c", [made])
    assert gc.is_tracked(made)


def test_set_field_where_a_plain_class_comes_first() -> None:
    class Plain:
        pass

    class Mixed(Plain, msgspec.Struct, dict=True):
        a: int = 1

        def __setattr__(self, name: str, value: Any) -> None:
            raise AssertionError

    mixed = Mixed()
    set_field(mixed, "a", 2)
    assert mixed.a == 2
