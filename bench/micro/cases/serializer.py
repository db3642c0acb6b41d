"""fastweb/_speedups/serializer.py"""

from __future__ import annotations

import datetime
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

from bench.micro.case import Work, case
from bench.micro.users import users
from fastweb._speedups import serializer as hot
from fastweb.models import BaseModel
from fastweb.validation.serializer import serializer_of


class User(BaseModel):
    id: int
    name: str
    email: str
    active: bool
    score: float
    tags: list[str]
    bio: str | None = None


@dataclass
class Point:
    x: int
    y: int


Pair = namedtuple("Pair", ["x", "y"])


@case("response_model, one user: proof and JSON", "serializer.ModelProof", "serializer.Field")
def one() -> Work:
    dump = serializer_of(User).dump_json
    user = User(**users(1)[0])
    return lambda: dump(user), 1


@case(
    "response_model, 20 users: proof and JSON",
    "serializer.ModelProof",
    "serializer.ListProof",
    "writer.Writer",
)
def twenty() -> Work:
    dump = serializer_of(list[User]).dump_json
    many = [User(**each) for each in users(20)]
    return lambda: dump(many), 1


@case("proof alone, 20 users", "serializer.ModelProof", "serializer.ListProof")
def proof() -> Work:
    proves = serializer_of(list[User]).proves
    many = [User(**each) for each in users(20)]
    assert proves(many)
    return lambda: proves(many), 1


def _proof(name: str, make: Any, value: Any) -> None:
    @case(f"{name}.proves", f"serializer.{name}")
    def ready() -> Work:
        proves = make().proves
        assert proves(value) or name == "Proof", name
        return lambda: proves(value), 1


def _model() -> Any:
    made = hot.ModelProof(User)
    fields = {
        "id": hot.IntProof(),
        "name": hot.StrProof(),
        "email": hot.StrProof(),
        "active": hot.BoolProof(),
    }
    for name, field in fields.items():
        made.add(name, name, field)
    return made


def _dataclass() -> Any:
    made = hot.DataclassProof(Point)
    made.add("x", hot.IntProof())
    made.add("y", hot.IntProof())
    return made


_proof("Proof", hot.Proof, 1)
_proof("NoneProof", hot.NoneProof, None)
_proof("BoolProof", hot.BoolProof, True)
_proof("TypeProof", lambda: hot.TypeProof(datetime.date), datetime.date(2026, 1, 1))
_proof("StrProof", hot.StrProof, "Ada")
_proof("FloatProof", hot.FloatProof, 1.5)
_proof("IntProof", hot.IntProof, 42)
_proof("DatetimeProof", hot.DatetimeProof, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
_proof("TimeProof", hot.TimeProof, datetime.time(12, 30))
_proof("LiteralProof", lambda: hot.LiteralProof(("a", "b", "c")), "c")
_proof("BoundsProof", lambda: hot.BoundsProof(hot.IntProof(), None, 0, None, 100), 42)
_proof("LengthProof", lambda: hot.LengthProof(hot.StrProof(), 1, 10), "Ada")
_proof("NullableProof", lambda: hot.NullableProof(hot.StrProof()), "Ada")
_proof("UnionProof", lambda: hot.UnionProof([hot.IntProof(), hot.StrProof()]), "Ada")
_proof("ListProof", lambda: hot.ListProof(hot.IntProof()), list(range(20)))
_proof("CollectionProof", lambda: hot.CollectionProof(set, hot.IntProof()), set(range(20)))
_proof("TupleProof", lambda: hot.TupleProof(Pair, [hot.IntProof(), hot.IntProof()]), Pair(1, 2))
_proof(
    "DictProof",
    lambda: hot.DictProof(hot.StrProof(), hot.IntProof()),
    {str(each): each for each in range(20)},
)
_proof(
    "TypedDictProof",
    lambda: hot.TypedDictProof({"x": hot.IntProof(), "y": hot.IntProof()}, ("x",)),
    {"x": 1, "y": 2},
)
_proof("ModelProof", _model, User(**users(1)[0]))
_proof("DataclassProof", _dataclass, Point(1, 2))
_proof("AnyProof", hot.AnyProof, {"a": [1, 2.5, None, "x"], "b": {"c": True}})


@case("response_model, one user, as a route has it", "serializer.ProvenDump")
def proven() -> Work:
    serializer = serializer_of(User)
    dump = hot.ProvenDump(lambda: serializer.dump_json, serializer.dump_json).dump
    user = User(**users(1)[0])
    return lambda: dump(user), 1
