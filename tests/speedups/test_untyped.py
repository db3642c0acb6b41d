"""The suite runs compiled and pure, with the same tables."""

from __future__ import annotations

from typing import Any

import orjson
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


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"": ""},
        {"a": 0, "b": 9, "c": 10, "d": 99, "e": 1_000_000_000, "f": 2**31 - 1},
        {"a": 2**31},
        {"a": 2**63},
        {"a": 2**64 - 1},
        {"a": -1},
        {"a": True, "b": False, "c": None},
        {"a": 1.5},
        {"a": {"b": []}},
        {"a": "é"},
        {"é": 1},
        {"a": '"'},
        {"a": "\\"},
        {"a": "\x1f"},
        {'"': 1},
        *[{"k" * size: "v"} for size in (1, 3, 4, 7, 8, 9, 476, 477, 478, 479, 480, 481, 482, 510, 600)],
        *[{"k": "v" * size} for size in (1, 3, 4, 7, 8, 9, 490, *range(496, 516), 600)],
        {str(number): number for number in range(40)},
        {"k" * 40 + str(number): None for number in range(10)},
        {"k" * 43 + str(number): 1_000_000_000 + number for number in range(9)},
        {"_s": 1, "s_sa": 2},
    ],
)
def test_a_document_is_what_orjson_makes_of_it(value: Any) -> None:
    dump = untyped.Document(None, 0, lambda value: None, pytest.fail).dump
    assert dump(value) == orjson.dumps(value)


class Text(str):
    pass


class Number(int):
    pass


@pytest.mark.parametrize("value", [{"_sa": 1}, {"_sa_state": "x"}, {"a": 2**64}, {1: 2}, {"a": object()}])
def test_what_a_document_leaves(value: Any) -> None:
    assert untyped.Document(None, 0, lambda value: None, lambda value: b"left").dump(value) == b"left"


def test_a_document_of_subclasses() -> None:
    dump = untyped.Document(None, 0, lambda value: None, pytest.fail).dump
    assert dump({"a": Text("b"), "c": Number(3)}) == b'{"a":"b","c":3}'
