"""What `exec` gives, and what a handler may return of what comes from the database."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from fastweb import FastWeb
from fastweb._speedups.pg_record import Record
from fastweb._speedups.untyped import JSONBytes
from fastweb.encoders import dump_untyped, jsonable_encoder
from fastweb.models import BaseModel
from fastweb.postgres.errors import InterfaceError, ManyRowsError, NoRowError
from fastweb.postgres.results import Result, rows_affected, shortened
from fastweb.testclient import TestClient

ROWS = [Record(id=1, name="a"), Record(id=2, name="b")]


def result_of(count: int) -> Result[Record]:
    return Result(ROWS[:count], f"SELECT {count}", "SELECT id, name\n  FROM users")


# Result


@pytest.mark.parametrize(
    ("status", "rows"),
    [
        ("SELECT 5", 5),
        ("INSERT 0 3", 3),
        ("UPDATE 0", 0),
        ("COPY 12", 12),
        ("CREATE TABLE", -1),
        ("BEGIN", -1),
        ("", -1),
        (None, -1),
        ("SELECT ²", -1),
    ],
)
def test_rows_affected(status: str | None, rows: int) -> None:
    assert rows_affected(status) == rows
    result: Result[Any] = Result([], status)
    assert (result.rowcount, result.status) == (rows, status or "")


def test_no_rows() -> None:
    result = result_of(0)
    assert (result.one_or_none(), result.first(), result.scalar(), result.scalar_one_or_none()) == (None,) * 4
    assert (result.all(), result.scalars(), result.mappings(), [*result], len(result)) == ([], [], [], [], 0)
    assert not result
    for method in (result.one, result.scalar_one):
        with pytest.raises(NoRowError, match=r"there is none: SELECT id, name FROM users$"):
            method()


def test_one_row() -> None:
    result = result_of(1)
    assert result.one() is result.one_or_none() is result.first() is result[0] is ROWS[0]
    assert (result.scalar(), result.scalar_one(), result.scalar_one_or_none()) == (1, 1, 1)
    assert (result.all(), result.scalars(), [*result]) == (ROWS[:1], [1], ROWS[:1])
    assert result.mappings() == [{"id": 1, "name": "a"}]
    assert result.keys() == ("id", "name")
    assert (bool(result), result.rowcount, repr(result)) == (True, 1, "<Result 'SELECT 1', 1 row>")


def test_many_rows() -> None:
    result = result_of(2)
    assert (result.first(), result.scalar(), result.scalars(), result[-1], result[:1]) == (
        ROWS[0],
        1,
        [1, 2],
        ROWS[1],
        ROWS[:1],
    )
    for method in (result.one, result.one_or_none, result.scalar_one, result.scalar_one_or_none):
        with pytest.raises(ManyRowsError, match=r"there are 2: SELECT id, name FROM users$") as caught:
            method()
        assert isinstance(caught.value, InterfaceError)
    result.all().clear()
    assert len(result) == 2


@pytest.mark.parametrize(
    ("row", "first"), [((1, 2), 1), ({"a": 3}, 3), (5, 5), ((), None), ({}, None), (None, None)]
)
def test_the_first_value_of_rows_of_other_kinds(row: Any, first: Any) -> None:
    assert Result([row]).scalar_one() == first


def test_queries_in_errors_are_short() -> None:
    assert shortened("SELECT\n\t 1") == "SELECT 1"
    long = shortened("SELECT " + "x" * 10_000_000)
    assert len(long) == 200
    assert long.endswith("x…")


# As JSON


@pytest.mark.parametrize(
    "value",
    [
        ROWS[0],
        ROWS,
        {"rows": ROWS},
        [ROWS, {"a": ROWS[0]}],
        [Record(at=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), price=Decimal("1.5"))],
        [Record(doc={"a": [1, None]}, nothing=None), 5, None],
        Record(inner=Record(a=1)),
    ],
)
def test_records_are_json_objects(value: Any) -> None:
    def plain(part: Any) -> Any:
        if isinstance(part, Record):
            return {key: plain(each) for key, each in part.items()}
        if isinstance(part, list):
            return [plain(each) for each in part]
        return {key: plain(each) for key, each in part.items()} if isinstance(part, dict) else part

    assert dump_untyped(value) == dump_untyped(plain(value))
    assert jsonable_encoder(value) == jsonable_encoder(plain(value))


@pytest.mark.parametrize("value", [Record(x=math.nan), [Record(x=math.inf)], [1, Record(x=None, y=math.nan)]])
def test_a_record_with_what_json_cannot_hold(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_untyped(value)


def test_json_that_is_made_is_sent_as_it_is() -> None:
    document = JSONBytes(b'[{"id": 1}, null]')
    assert dump_untyped(document) == document
    assert type(dump_untyped(document)) is bytes
    assert dump_untyped({"items": document}) == b'{"items":[{"id": 1}, null]}'
    assert jsonable_encoder({"items": document}) == {"items": [{"id": 1}, None]}


class User(msgspec.Struct):
    id: int
    name: str


class Model(BaseModel):
    id: int


def untyped() -> Any:
    return ROWS


def untyped_one() -> Any:
    return ROWS[0]


def of_records() -> list[Record]:
    return ROWS


def perhaps_one() -> Record | None:
    return ROWS[0]


def of_structs() -> list[User]:
    return ROWS  # type: ignore[return-value]


def of_models() -> list[Model]:
    return ROWS  # type: ignore[return-value]


def document() -> JSONBytes:
    return JSONBytes(b'[{"id": 1}]')


def untyped_document():  # type: ignore[no-untyped-def]
    return JSONBytes(b'[{"id": 1}]')


BOTH = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (untyped, BOTH),
        (untyped_one, BOTH[0]),
        (of_records, BOTH),
        (perhaps_one, BOTH[0]),
        (of_structs, BOTH),
        (of_models, [{"id": 1}, {"id": 2}]),
        (document, b'[{"id": 1}]'),
        (untyped_document, b'[{"id": 1}]'),
    ],
)
def test_a_handler_returns_them(endpoint: Callable[[], Any], expected: Any) -> None:
    app = FastWeb()
    app.get("/")(endpoint)
    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    if isinstance(expected, bytes):
        assert response.content == expected
    else:
        assert response.json() == expected
