"""jsonable_encoder, and the bytes that are made without it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import json
import pathlib
import re
import subprocess
import sys
import uuid
from typing import Any, NamedTuple

import msgspec
import pydantic
import pytest

import fastweb
from fastweb.encoders import dump_untyped, jsonable_encoder
from fastweb.models import BaseModel, Field
from fastweb.types import Undefined
from fastweb.validation.serializer import serializer_of

nan, inf = float("nan"), float("inf")
UTC = datetime.UTC


class Color(enum.Enum):
    RED = "red"
    ONE = 1


class Word(str, enum.Enum):  # noqa: UP042 - the older kind
    A = "a"


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Mapping(dict[str, Any]):
    pass


class Pair(NamedTuple):
    x: int
    y: str


@dataclasses.dataclass
class Point:
    x: int
    _y: datetime.timedelta = datetime.timedelta(minutes=1)


class Plain(msgspec.Struct):
    id: int
    size: int = msgspec.field(default=1, name="Size")
    at: datetime.timedelta = datetime.timedelta(1)


class User(BaseModel):
    id: int
    name: str = Field(default="n", alias="Name")
    price: decimal.Decimal = decimal.Decimal("1.10")
    note: str | None = None


class Foreign(pydantic.BaseModel):
    id: int
    name: str = pydantic.Field(default="n", alias="Name")
    secret: pydantic.SecretStr = pydantic.SecretStr("s")
    url: pydantic.AnyUrl = pydantic.AnyUrl("http://x.y/")


class Row:
    def __init__(self) -> None:
        self.id = 1
        self._sa_state = object()


# What FastAPI's jsonable_encoder gives (0.165).
SAMPLES: list[tuple[Any, Any]] = [
    (1, 1),
    ("é", "é"),
    (None, None),
    (True, True),
    (1.5, 1.5),
    ([1, (2, 3)], [1, [2, 3]]),
    ({"a": {"b": [None]}}, {"a": {"b": [None]}}),
    (datetime.datetime(2020, 1, 2, 3, 4, 5, 600), "2020-01-02T03:04:05.000600"),
    (datetime.datetime(2020, 1, 2, tzinfo=UTC), "2020-01-02T00:00:00+00:00"),
    (datetime.date(2020, 1, 2), "2020-01-02"),
    (datetime.time(1, 2), "01:02:00"),
    (datetime.timedelta(days=1.5), 129600.0),
    (decimal.Decimal("1"), 1),
    (decimal.Decimal("1.0"), 1.0),
    (decimal.Decimal("1E+2"), 100),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (Color.RED, "red"),
    (Color.ONE, 1),
    (Word.A, "a"),
    ({Color.RED: Color.ONE}, {"red": 1}),
    ({Word.A: 1}, {"a": 1}),
    (b"bytes", "bytes"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    ({1}, [1]),
    (frozenset({1}), [1]),
    (collections.deque([1]), [1]),
    (Pair(1, "a"), [1, "a"]),
    (Point(1), {"x": 1, "_y": 60.0}),
    ([Point(1)], [{"x": 1, "_y": 60.0}]),
    (Text("t"), "t"),
    (Number(5), 5),
    (Real(1.5), 1.5),
    (Mapping(a=1), {"a": 1}),
    ({Text("k"): 1}, {"k": 1}),
    ({1: 2}, {"1": 2}),
    ({None: 2}, {"null": 2}),
    ({True: 1, 1.5: 2}, {"true": 1, "1.5": 2}),
    (2**70, 2**70),
    ([-(2**70)], [-(2**70)]),
    (ipaddress.ip_address("1.2.3.4"), "1.2.3.4"),
    (ipaddress.ip_network("1.0.0.0/8"), "1.0.0.0/8"),
    (re.compile("a+"), "a+"),
    (collections.OrderedDict(a=1), {"a": 1}),
    ({"x": "null"}, {"x": "null"}),
    ({"_sa_x": 1, "b": 2}, {"b": 2}),
    ({"b": '"_sa'}, {"b": '"_sa'}),
    (Row(), {"id": 1}),
    (Undefined, None),
    (User(id=1), {"id": 1, "Name": "n", "price": "1.10", "note": None}),
    ([User.model_validate({"id": 1, "Name": "x"})], [{"id": 1, "Name": "x", "price": "1.10", "note": None}]),
    ({"u": Plain(1)}, {"u": {"id": 1, "Size": 1, "at": "P1D"}}),
    (Foreign(id=1), {"id": 1, "Name": "n", "secret": "**********", "url": "http://x.y/"}),
    (pydantic.SecretStr("s"), "**********"),
    (pydantic.AnyUrl("http://a.b/"), "http://a.b/"),
]


@pytest.mark.parametrize(("value", "expected"), SAMPLES)
def test_samples(value: Any, expected: Any) -> None:
    assert json.loads(dump_untyped(value)) == expected
    document = json.dumps(jsonable_encoder(value), ensure_ascii=False, separators=(",", ":")).encode()
    assert json.loads(document) == expected


@pytest.mark.parametrize(
    "value",
    [
        nan,
        [inf],
        {"a": -inf},
        [None, {"b": (1, nan)}],
        decimal.Decimal("nan"),
        Real("nan"),
        Point(nan),  # type: ignore[arg-type]
        {1: nan},
        Mapping(a=[nan]),
        object(),
        int,
        [range(3)],
        {(1, 2): 3, "a": object()},
        "\ud800",
        b"\xff",
    ],
)
def test_what_json_cannot_hold(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        dump_untyped(value)


class Later:
    """Awaited, it gives data; it has attributes, too, which are none."""

    def __init__(self) -> None:
        self.secret = 1

    def __await__(self) -> Any:
        raise AssertionError

    def __repr__(self) -> str:
        return "<Later>"


class Some:
    def __init__(self) -> None:
        self.secret = 1

    def __aiter__(self) -> Any:
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), r"object of builtins\.object; return data \(a dict, a list, a model …\) or a Response"),
        (Later(), "Later; await it for what it gives: <Later>"),
        (Some(), "Some; it is iterated over with `async for`: return a list of what it gives"),
    ],
)
def test_what_to_return_in_the_place_of_what_is_no_data(value: Any, words: str) -> None:
    for encode in (dump_untyped, jsonable_encoder):
        with pytest.raises(ValueError, match=words):
            encode({"a": value})
    with pytest.raises(ValueError, match=words.rpartition("; ")[2]):
        serializer_of(Any).dump_json([value])


def test_null_beside_finite_floats() -> None:
    assert dump_untyped([None, 1.5, {"a": None}, (2.5,)]) == b'[null,1.5,{"a":null},[2.5]]'


def test_what_can_be_read_once_is_read_once() -> None:
    assert dump_untyped(i for i in (1, 2)) == b"[1,2]"
    # The key makes the fast way fail after the generator was met.
    assert dump_untyped([(i for i in (1, 2)), {1: 2}]) == b'[[1,2],{"1":2}]'
    assert dump_untyped([{1}, iter([("a", 1)]), {1: 2}]) == b'[[1],{"a":1},{"1":2}]'


def test_deep_nesting() -> None:
    value: Any = 1
    for _ in range(400):
        value = [value]
    assert dump_untyped(value) == b"[" * 400 + b"1" + b"]" * 400
    value = []
    value.append(value)
    with pytest.raises((RecursionError, ValueError)):
        dump_untyped(value)


OPTIONS: list[tuple[Any, dict[str, Any], Any]] = [
    (User(id=1), {"include": {"id"}}, {"id": 1}),
    (User(id=1), {"include": ["id"]}, {"id": 1}),
    (User(id=1), {"exclude": ("price", "note")}, {"id": 1, "Name": "n"}),
    (User(id=1), {"by_alias": False}, {"id": 1, "name": "n", "price": "1.10", "note": None}),
    (User(id=1), {"exclude_unset": True}, {"id": 1}),
    (User.model_validate({"id": 1, "Name": "n"}), {"exclude_defaults": True}, {"id": 1}),
    (User(id=1), {"exclude_none": True}, {"id": 1, "Name": "n", "price": "1.10"}),
    ([User(id=1), User(id=2)], {"include": {"id"}}, [{"id": 1}, {"id": 2}]),
    ({"a": 1, "b": None}, {"exclude_none": True}, {"a": 1}),
    ({"a": 1, "b": {"a": 2}}, {"exclude": {"a"}}, {"b": {"a": 2}}),
    ({"a": 1, "b": 2}, {"include": {"a"}}, {"a": 1}),
    ({"_sa_x": 1, "a": 2}, {"sqlalchemy_safe": False}, {"_sa_x": 1, "a": 2}),
    (Point(1), {"include": {"x"}}, {"x": 1}),
    (Plain(1), {"exclude": {"at"}, "by_alias": False}, {"id": 1, "size": 1}),
    (Foreign(id=1), {"include": {"id", "name"}, "by_alias": False}, {"id": 1, "name": "n"}),
    (Foreign(id=1), {"exclude_unset": True}, {"id": 1}),
    ([Text("a"), 1], {"custom_encoder": {str: str.upper}}, ["A", 1]),
    ({"d": datetime.date(2020, 1, 1)}, {"custom_encoder": {datetime.date: lambda d: d.year}}, {"d": 2020}),
    ([1, User(id=1)], {"custom_encoder": {User: lambda user: user.id}}, [1, 1]),
]


@pytest.mark.parametrize(("value", "options", "expected"), OPTIONS)
def test_options(value: Any, options: dict[str, Any], expected: Any) -> None:
    assert jsonable_encoder(value, **options) == expected


def test_pydantic_is_not_imported() -> None:
    code = (
        "import sys; from fastweb.encoders import dump_untyped; from fastweb.models import BaseModel\n"
        "class M(BaseModel):\n x: int = 1\n"
        "dump_untyped([M()]); M.model_json_schema(); M().model_dump_json()\n"
        "assert not [name for name in sys.modules if name.startswith('pydantic')]"
    )
    folder = pathlib.Path(fastweb.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=folder)
