"""The suite runs compiled and pure, with the same tables."""

from __future__ import annotations

from typing import Any

import pytest

from fastweb._speedups import untyped

nan, inf = float("nan"), float("inf")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, True),
        (nan, False),
        (inf, False),
        ([1.5, [None, "a"], {"a": (1.0,)}], True),
        ([1.5, {"a": (1.0, -inf)}], False),
        ({"a": {"b": [nan]}}, False),
        ("NaN", True),
        (object(), True),
        (nested(100_000), False),
    ],
)
def test_all_finite(value: Any, expected: bool) -> None:
    assert untyped.all_finite(value) is expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b"", 0),
        (b"nul", 0),
        (b"null", 1),
        (b'{"a":"' + b"x" * 100 + b'nulnull"}', 1),
        (b'{"_sa":1}', 2),
        (b'{"_s":1,"__sa":2,"s_sa":1}', 0),
        (b'[null,{"_sa_state":1}]', 3),
    ],
)
def test_suspects(document: bytes, expected: int) -> None:
    assert untyped.suspects(document) == expected


def test_dump_plain() -> None:
    assert untyped.dump_plain({"a": [1, None]}, None, 0) == b'{"a":[1,null]}'
    for value in ({"a": nan}, [None, inf], {"_sa": 1}, {1: 1}, object(), [int]):
        assert untyped.dump_plain(value, None, 0) is None
