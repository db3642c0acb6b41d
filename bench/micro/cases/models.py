"""fastweb/_speedups/models.py"""

from __future__ import annotations

from typing import Any

import msgspec

from bench.micro.case import Work, case
from fastweb._speedups.models import make_post_init, set_field
from fastweb.models import BaseModel, Field


class Defaults(BaseModel):
    id: int
    name: str = "nobody"
    score: float = 0.0
    active: bool = True
    tags: list[str] = Field(default_factory=list)


class Plain(BaseModel):
    id: int
    name: str


@case("model from JSON, 4 defaults to put in", "models.make_post_init")
def defaults() -> Work:
    decode = msgspec.json.Decoder(Defaults).decode
    return lambda: decode(b'{"id": 1}'), 1


@case("model from JSON, no default left", "models.make_post_init")
def given() -> Work:
    decode = msgspec.json.Decoder(Defaults).decode
    data = b'{"id":1,"name":"Ada","score":1.5,"active":true,"tags":["a"]}'
    return lambda: decode(data), 1


@case("make_post_init", "models.make_post_init")
def make() -> Work:
    names: tuple[Any, ...] = ("a", "b")
    return lambda: make_post_init(names, (1, 2), (None, None), (1, 2)), 1


@case("set_field", "models.set_field")
def field() -> Work:
    model = Plain(id=1, name="Ada")
    return lambda: set_field(model, "name", "Grace"), 1
