"""What `exec` gives, and what a handler may return of what comes from the database."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pytest

from fastweb import FastWeb
from fastweb._speedups.pg_record import Record
from fastweb._speedups.untyped import JSONBytes
from fastweb.encoders import dump_untyped, jsonable_encoder
from fastweb.models import BaseModel
from fastweb.postgres.bitstring import BitString
from fastweb.postgres.connection import Connection, connect
from fastweb.postgres.errors import InterfaceError, ManyRowsError, NoRowError
from fastweb.postgres.pool import PgPool
from fastweb.postgres.ranges import Range
from fastweb.postgres.results import Result, RowError, rows_affected, shortened
from fastweb.testclient import TestClient
from tests.postgres.running import run
from tests.postgres.servers import Postgres

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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Range(1, 5), "[1,5)"),
        (Range(datetime.date(2026, 1, 2)), "[2026-01-02,)"),
        (Range(empty=True), "empty"),
        (BitString("101"), "101"),
    ],
)
def test_values_without_a_form_in_json_are_their_text(value: Any, text: str) -> None:
    for rows, expected in ((Record(v=value), {"v": text}), ([Record(v=[value])], [{"v": [text]}])):
        assert msgspec.json.decode(dump_untyped(rows)) == jsonable_encoder(rows) == expected

    async def answer() -> dict[str, Any]:
        return {"row": Record(v=value)}

    app = FastWeb()
    app.get("/")(answer)
    with TestClient(app) as client:
        assert client.get("/").json() == {"row": {"v": text}}


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


# From a real server

T = TypeVar("T")


def ask(server: Postgres, question: Callable[[Connection], Awaitable[T]]) -> T:
    async def main() -> T:
        connection = await connect(server.dsn)
        try:
            return await question(connection)
        finally:
            await connection.close()

    return run(main())


class Sort(enum.Enum):
    A = "a"
    B = "b"


class Inner(msgspec.Struct):
    numbers: list[int]
    at: datetime.datetime


class Everything(msgspec.Struct):
    i: int
    t: str
    f: float
    n: Decimal
    ok: bool
    u: UUID
    d: datetime.date
    at: datetime.datetime
    raw: bytes
    doc: Inner
    items: tuple[int, ...]
    sort: Sort
    price: float
    none: str | None


EVERYTHING = """
    SELECT 7::int8 AS i, 'é' AS t, 1.5::float4 AS f, 2.50::numeric AS n, true AS ok,
        '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid AS u, '2026-02-03'::date AS d,
        '2026-02-03 04:05:06+00'::timestamptz AS at, '\\x00ff'::bytea AS raw,
        '{"numbers": [1, 2], "at": "2026-01-01T00:00:00Z"}'::jsonb AS doc, '{3,4}'::int4[] AS items,
        'b' AS sort, 9.75::numeric AS price, NULL AS none
"""


def test_a_class_of_every_type(any_postgres: Postgres) -> None:
    utc = datetime.UTC
    expected = Everything(
        i=7,
        t="é",
        f=1.5,
        n=Decimal("2.50"),
        ok=True,
        u=UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        d=datetime.date(2026, 2, 3),
        at=datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=utc),
        raw=b"\x00\xff",
        doc=Inner([1, 2], datetime.datetime(2026, 1, 1, tzinfo=utc)),
        items=(3, 4),
        sort=Sort.B,
        price=9.75,
        none=None,
    )

    async def question(connection: Connection) -> None:
        assert await connection.fetch(Everything, EVERYTHING) == [expected]
        assert await connection.fetch_one(Everything, EVERYTHING) == expected
        document = await connection.fetch_json(EVERYTHING)
        assert msgspec.json.decode(document, type=list[dict[str, Any]])[0].keys() == set(
            Everything.__struct_fields__
        )
        assert msgspec.json.decode(
            await connection.fetch_json(EVERYTHING, one=True), type=Everything, strict=False
        ) == msgspec.structs.replace(expected)
        assert await connection.fetch_json("SELECT 1 WHERE false", one=True) == b"null"

    ask(any_postgres, question)


@dataclasses.dataclass
class Point:
    x: int
    y: int = 5


def test_many_rows_in_many_pieces(postgres: Postgres) -> None:
    """More than one read takes: rows are cut anywhere."""
    sql = "SELECT i AS x, i * 2 AS y, repeat('é', i % 700) AS text FROM generate_series(1, 5000) i"

    async def question(connection: Connection) -> None:
        rows = await connection.fetch(sql)
        assert [row.x for row in rows] == list(range(1, 5001))
        assert all(row["text"] == "é" * (row.x % 700) for row in rows)
        assert msgspec.json.decode(await connection.fetch_json(sql)) == [dict(row) for row in rows]
        points = await connection.fetch(Point, "SELECT i AS x, i * 2 AS y FROM generate_series(1, 5000) i")
        assert points == [Point(row.x, row.y) for row in rows]

    ask(postgres, question)


def test_a_row_that_does_not_fit_is_one_query_s_failure(postgres: Postgres) -> None:
    async def question(connection: Connection) -> None:
        sql = "SELECT CASE WHEN i < 500 THEN i END AS x FROM generate_series(1, 1000) i"
        for _ in range(2):
            with pytest.raises(RowError, match=r"Point\.x is int, and the column 'x' of row 500 is NULL"):
                await connection.fetch(Point, sql)
            with pytest.raises(RowError, match=r"Point\.x has no default, and there is no column 'x'"):
                await connection.fetch(Point, "SELECT 1 AS y, 2 AS z")
            with pytest.raises(RowError, match="two columns are named 'a'"):
                await connection.fetch_json("SELECT 1 AS a, 2 AS a")
            assert await connection.fetch_value("SELECT 1") == 1
            assert await connection.fetch(int, "SELECT generate_series(1, 3)") == [1, 2, 3]

    ask(postgres, question)


def test_results_of_a_server(postgres: Postgres) -> None:
    async def question(connection: Connection) -> None:
        await connection.execute("CREATE TEMPORARY TABLE kept (id int PRIMARY KEY, name text)")
        result = await connection.exec("INSERT INTO kept VALUES ($1, $2), (2, NULL)", 1, "a")
        assert (result.rowcount, result.status, result.all()) == (2, "INSERT 0 2", [])
        assert (await connection.exec("SELECT id FROM kept WHERE false")).keys() == ("id",)
        result = await connection.exec("SELECT * FROM kept ORDER BY id")
        assert (result.rowcount, result.keys(), result.scalars()) == (2, ("id", "name"), [1, 2])
        with pytest.raises(ManyRowsError, match=r"SELECT \* FROM kept ORDER BY id"):
            result.one()
        with pytest.raises(NoRowError, match="SELECT 1 FROM kept WHERE id = "):
            (await connection.exec("SELECT 1 FROM kept WHERE id = $1", 9)).one()
        result = await connection.exec("UPDATE kept SET name = 'b' RETURNING id, name")
        both = [{"id": 1, "name": "b"}, {"id": 2, "name": "b"}]
        assert (result.rowcount, result.mappings()) == (2, both)

    ask(postgres, question)


class Kept(msgspec.Struct):
    id: int


class KeptDict(TypedDict):
    id: int


def test_results_of_a_class(postgres: Postgres) -> None:
    sql = "SELECT n AS id, 'more' AS other FROM generate_series(1, $1::int) n"

    async def question(connection: Connection) -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            asks: list[Any] = [connection.exec, pool.exec]
            for ask in asks:
                result = await ask(Kept, sql, 2)
                assert result.all() == [Kept(1), Kept(2)]
                assert (result.rowcount, result.mappings()) == (2, [{"id": 1}, {"id": 2}])
                assert (await ask(KeptDict, sql, 1)).mappings() == [{"id": 1}]
                assert (await ask(int, "SELECT 7")).scalar() == 7
                with pytest.raises(ManyRowsError, match="generate_series"):
                    (await ask(Kept, sql, 3)).one()
                with pytest.raises(RowError, match=r"Kept\.id"):
                    await ask(Kept, "SELECT NULL::int AS id")
                with pytest.raises(TypeError, match="expected SQL as a str, or a class and then SQL"):
                    await ask(Kept)
            async with pool.pipeline() as pipeline:
                assert (await pipeline.exec(Kept, sql, 1)).one() == Kept(1)

    ask(postgres, question)
