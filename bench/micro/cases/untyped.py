"""fastweb/_speedups/untyped.py"""

from __future__ import annotations

import orjson

from bench.micro.case import Work, case
from bench.micro.users import users
from fastweb._speedups import untyped as hot
from fastweb.encoders import dump_untyped


@case("all_finite, 20 users as dicts", "untyped.all_finite")
def finite() -> Work:
    data = users(20)
    return lambda: hot.all_finite(data), 1


@case("dump_plain, a dict of one item", "untyped.dump_plain", "writer.copied")
def tiny() -> Work:
    data = {"message": "Hello, World!"}
    return lambda: hot.dump_plain(data, None, 0), 1


@case("suspects, 3,000 bytes", "untyped.suspects")
def search() -> Work:
    document = orjson.dumps(users(20))
    return lambda: hot.suspects(document), 1


@case("dump_untyped, a dict of one item", "untyped.Document")
def whole() -> Work:
    data = {"message": "Hello, World!"}
    return lambda: dump_untyped(data), 1
