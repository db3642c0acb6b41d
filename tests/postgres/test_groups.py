"""Rows of `execute_many` in groups: nobody can tell them from rows that go alone, against a real server."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from fastweb.postgres import Connection, PgPool, connect
from fastweb.postgres.errors import (
    CheckViolationError,
    ForeignKeyViolationError,
    PostgresError,
    UniqueViolationError,
)
from fastweb.postgres.groups import insert_of
from tests.postgres.running import Gate, run
from tests.postgres.servers import PgBouncer, Postgres

SQL = "insert into grouped (id, name) values ($1, $2)"
#: Rows after which a connection asks the table, and some.
MANY = 2200


def rows(count: int, start: int = 0) -> list[tuple[int, str]]:
    return [(number, f"row {number}") for number in range(start, start + count)]


async def warm(c: Connection, sql: str = SQL, make: Any = rows, table: str = "grouped") -> None:
    """Let the connection do so many rows that it asks."""
    await c.execute_many(sql, make(MANY))
    await c.execute(f"delete from {table}")


async def count_of(c: Connection, table: str = "grouped") -> tuple[int, int]:
    """The rows, and the statements that have put them there in one transaction."""
    found = await c.fetch_one(f"select count(*), count(distinct cmin::text) from {table}")
    assert found is not None
    return found[0], found[1]


TEXTS = {
    "insert into t values ($1)": ("insert into t values", "t"),
    "INSERT INTO a.t(x, y) VALUES($1,$2);": ("INSERT INTO a.t(x, y) VALUES", "a.t"),
    ' insert\ninto "A b" . "t"("x")values ( $1 ) ; ': ('insert\ninto "A b" . "t"("x")values', '"A b" . "t"'),
    'insert into"t"values($1, $2)': ('insert into"t"values', '"t"'),
    "insert into tä (ö) values ($1)": ("insert into tä (ö) values", "tä"),
}


@pytest.mark.parametrize("sql", TEXTS)
def test_what_is_a_plain_insert(sql: str) -> None:
    head, table = TEXTS[sql]
    found = insert_of(sql)
    assert found is not None
    assert found.head.strip() == head
    assert f"to_regclass('{table}')" in found.question
    if found.parameters == 2:
        assert found.group(2).strip() == f"{head} ($1, $2), ($3, $4)"


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t values ($1) returning a",
        "insert into t values ($1) on conflict do nothing",
        "insert into t (a) overriding user value values ($1)",
        "insert into t values ($1, default)",
        "insert into t values ($1::int)",
        "insert into t values ($1 + 1)",
        "insert into t values ($2, $1)",
        "insert into t values ($1, $1)",
        "insert into t values ($1), ($2)",
        "insert into t values ($01)",
        "insert into t values (($1))",
        "insert into t values ()",
        "insert into t as u values ($1)",
        "insert into t default values",
        "insert into t select $1",
        "insert into t (a[1]) values ($1)",
        "insert into t (a.b) values ($1)",
        "insert into a.b.c values ($1)",
        "insert into t values ($1); select 1",
        "insert into t values ($1) -- a",
        "insert /* a */ into t values ($1)",
        'insert into U&"t" values ($1)',
        'insert into "a""b" values ($1)',
        'insert into "a\'b" values ($1)',
        'insert into "a\\b" values ($1)',
        "insert into tvalues ($1)",
        "insertinto t values ($1)",
        "with x as (select 1) insert into t values ($1)",
        "update t set a = $1",
        "insert into t values ($1" + " " * 5000 + ")",
        "insert into " + "\t" * 2000 + "t" * 1000 + "(",
    ],
)
def test_what_is_none(sql: str) -> None:
    assert insert_of(sql) is None


def test_rows_go_in_groups(any_postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(any_postgres.dsn) as c:
            await c.execute("create temp table grouped (id int primary key, name text)")
            # The first of them would have to wait for PostgreSQL to plan what the table is asked.
            await c.execute_many(SQL, rows(1000))
            assert await count_of(c) == (1000, 1000)
            await c.execute("truncate grouped")
            await warm(c)
            for count in (0, 1, 31, 32, 33, 63, 64, 65, 127):
                await c.execute_many(SQL, rows(count))
                assert await count_of(c) == (count, count)
                await c.execute("truncate grouped")
            for count in (128, 129, 160, 161, 1000):
                await c.execute_many(SQL, rows(count))
                # The first alone, and what is left at the end.
                assert await count_of(c) == (count, 1 + (count - 1) // 32 + (count - 1) % 32)
                found = await c.fetch("select id, name from grouped order by ctid")
                assert [tuple(row) for row in found] == rows(count)
                await c.execute("truncate grouped")

    run(main())


def _generated(count: int) -> Iterator[tuple[int, str]]:
    yield from rows(count)


async def _streamed(count: int) -> AsyncIterator[tuple[int, str]]:
    for row in rows(count):
        yield row


def test_rows_of_every_source(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int primary key, name text)")
            await warm(c)
            sources: list[tuple[Any, int]] = [
                (tuple(rows(1000)), 100),
                ([list(row) for row in rows(1000)], 100),
                ([iter(row) for row in rows(1000)], 100),
                (dict(rows(1000)).items(), 200),
                (_generated(1000), 200),
                (_streamed(1000), 1000),
            ]
            for source, most in sources:
                await c.execute_many(SQL, source)
                count, statements = await count_of(c)
                assert count == 1000
                assert statements <= most
                found = await c.fetch("select id, name from grouped order by ctid")
                assert [tuple(row) for row in found] == rows(1000)
                await c.execute("truncate grouped")
            # A stream is written as it comes: so long a one meets the answer.
            await c.execute_many(SQL, _streamed(20000))
            count, statements = await count_of(c)
            assert count == 20000
            assert statements < 10000

    run(main())


def test_where_rows_go_in_groups(postgres: Postgres) -> None:
    """A pool, a transaction, whatever has begun it, a savepoint: all know it."""

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 1) as pool:
            await pool.execute("drop table if exists grouped; create table grouped (id int, name text)")
            try:
                await pool.execute_many(SQL, rows(MANY))
                async with pool.acquire() as c:
                    for several in (False, True):
                        await c.execute("truncate grouped")
                        async with c.transaction():
                            if several:
                                async with c.transaction():
                                    await c.execute_many(SQL, rows(1000))
                            else:
                                await c.execute_many(SQL, rows(1000))
                        count, statements = await count_of(c)
                        assert count == 1000
                        assert statements < 100
                    await c.execute("truncate grouped")
                    async with c.pipeline(atomic=True):
                        many = asyncio.ensure_future(c.execute_many(SQL, rows(1000)))
                    await many
                    assert (await count_of(c))[1] < 100
                await pool.execute("truncate grouped")
                await pool.execute_many(SQL, rows(1000))
                found = await pool.fetch_one("select count(*), count(distinct cmin::text) from grouped")
                assert found is not None
                assert found[0] == 1000
                assert found[1] < 100
            finally:
                await pool.execute("drop table grouped")

    run(main())


COLUMNS: dict[str, Any] = {
    "int2": [1, -32768, None],
    "int8": [1 << 40, None],
    "numeric(10, 2)": [decimal.Decimal("1.50"), decimal.Decimal("12345678.901"), None],
    "float8": [1.5, float("inf"), None],
    "bool": [True, False, None],
    "text": ["", "x", "ä" * 300, None],
    "varchar(5)": ["abcde", None],
    "char(4)": ["ab", "abcd"],
    "bytea": [b"", b"\x00\xff", None],
    "uuid": [uuid.UUID(int=5), None],
    "date": [datetime.date(2024, 2, 29), None],
    "timestamptz": [datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC), None],
    "interval": [datetime.timedelta(days=3, seconds=1), None],
    "json": [{"a": [1, None]}, None],
    "jsonb": [{"a": [1, None]}, [], "text"],
    "int4[]": [[], [1, None, 3], [[1, 2], [3, 4]]],
    "text[]": [["a", None, 'b"'], None],
    "mood": ["sad", "ok", None],
    "mood[]": [["sad", None]],
    "small": [1, 99, None],
    "small[]": [[1, None]],
    "pair": [(1, "x"), None],
    "int4range": "[1,5)",
    "inet": "10.0.0.1",
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_same_values(any_postgres: Postgres, kind: str) -> None:
    async def main() -> None:
        async with await connect(any_postgres.dsn) as c:
            await c.execute("create schema groups_of; set search_path = groups_of")
            try:
                await c.execute(
                    "create type mood as enum ('sad', 'ok'); create type pair as (n int, t text);"
                    " create domain small as int check (value < 100);"
                    f" create table grouped (id int generated always as identity, v {kind}, n bigserial,"
                    " at timestamptz default now(), day date default now() + '1 day', w text default 'x',"
                    " twice int generated always as (7 * 6) stored, check (v is null or v is not null));"
                    " create table alone (like grouped including all)"
                )
                values = COLUMNS[kind]
                if isinstance(values, str):
                    values = [await c.fetch_value(f"select '{values}'::{kind}")]
                given = [(values[number % len(values)],) for number in range(MANY)]
                found = []
                for table, tail, most in (("grouped", "", 100), ("alone", " on conflict do nothing", 300)):
                    sql = f"insert into {table} (v) values ($1)" + tail
                    await c.execute_many(sql, given)
                    await c.execute(f"truncate {table} restart identity")
                    async with c.transaction():
                        await c.execute_many(sql, given[:300])
                    count, statements = await count_of(c, table)
                    assert count == 300
                    assert statements <= most
                    found.append(
                        await c.fetch(
                            "select id, v::text, n - min(n) over (), w, day, twice"
                            f" from {table} order by ctid"
                        )
                    )
                assert found[0] == found[1]
                assert [row["id"] for row in found[0]] == list(range(1, 301))
                assert statements == 300
            finally:
                await c.execute("drop schema groups_of cascade")

    run(main())


# What makes a group another thing: each has a `grouped` table, or what is called so.
TRIGGER = "create function noted() returns trigger language plpgsql as 'begin return new; end';"
ALONE = {
    **{
        f"a trigger {when} {each}": "create table grouped (id int, name text);"
        f" {TRIGGER} create trigger t {when} insert on grouped for each {each} execute function noted()"
        for when in ("before", "after")
        for each in ("row", "statement")
    },
    "a constraint trigger": "create table grouped (id int, name text);"
    f" {TRIGGER} create constraint trigger t after insert on grouped deferrable initially deferred"
    " for each row execute function noted()",
    "a rule": "create table grouped (id int, name text); create table other (id int, name text);"
    " create rule r as on insert to grouped do also insert into other values (new.id, new.name)",
    "a view": "create table real (id int, name text); create view grouped as select * from real",
    "a partitioned table": "create table grouped (id int, name text) partition by range (id);"
    " create table part partition of grouped for values from (0) to (1000000)",
    "a partition": "create table whole (id int, name text) partition by range (id);"
    " create table grouped partition of whole for values from (0) to (1000000)",
    "a key to itself": "create table grouped (id int primary key, name text, up int references grouped)",
    "policies": "create table grouped (id int, name text); alter table grouped enable row level security;"
    " create policy p on grouped with check (id < (select count(*) from grouped) + 1000000)",
    "a default that looks": "create function seen() returns bigint stable language sql"
    " as 'select pg_catalog.count(*) from pg_catalog.pg_class';"
    " create table grouped (id int, name text, n bigint default seen())",
    "a default that is the statement's": "create table grouped (id int, name text, n text"
    " default current_query())",
    "a check that looks": "create function fine(int) returns bool stable language sql as 'select true';"
    " create table grouped (id int, name text, check (fine(id)))",
    "a domain that looks": "create function fine(text) returns bool stable language sql as 'select true';"
    " create domain careful as text check (fine(value)); create table grouped (id int, name careful)",
    "a domain's default": "create function seen() returns int language plpgsql as 'begin return 1; end';"
    " create domain careful as int default seen(); create table grouped (id int, name text, n careful)",
    "an operator that looks": "create function near(int, int) returns bool stable language sql"
    " as 'select true'; create operator === (leftarg = int, rightarg = int, function = near);"
    " create table grouped (id int, name text, check (id === 1))",
    "two of that name": "create table grouped (id int, name text); create temp table grouped"
    " (id int, name text)",
}


@pytest.mark.parametrize("kind", ALONE)
def test_where_they_go_alone(postgres: Postgres, kind: str) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create schema alone_of; set search_path = alone_of")
            try:
                await c.execute(ALONE[kind])
                for start in (0, MANY):
                    await c.execute_many(SQL, rows(MANY, start))
                    table = "real" if kind == "a view" else "grouped"
                    found = await c.fetch_one(
                        f"select count(*), count(distinct cmin::text) from {table} where id >= $1", start
                    )
                    assert found is not None
                    assert tuple(found) == (MANY, MANY)
            finally:
                await c.execute("drop schema alone_of cascade")

    run(main())


@pytest.mark.parametrize(
    ("level", "alone"), [("repeatable_read", True), ("serializable", True), ("read_committed", False)]
)
def test_catalogs_of_an_older_snapshot_are_not_asked(postgres: Postgres, level: Any, alone: bool) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int, name text)")
            await warm(c)
            async with c.transaction(level):
                await c.execute_many(SQL, rows(1000))
            count, statements = await count_of(c)
            assert count == 1000
            assert statements == 1000 if alone else statements < 100

    run(main())


@pytest.mark.parametrize("within", ["", "a transaction", "an iterator"])
def test_a_trigger_that_is_made_meanwhile(postgres: Postgres, within: str) -> None:
    """The next batch knows of it."""

    async def main() -> None:
        async with await connect(postgres.dsn) as c, await connect(postgres.dsn) as other:
            await c.execute("drop schema if exists meanwhile cascade; create schema meanwhile")
            sql = "insert into meanwhile.grouped (id, name) values ($1, $2)"
            try:
                await c.execute(
                    "create table meanwhile.grouped (id int, name text);"
                    " create table meanwhile.log (n bigint)"
                )
                await warm(c, sql, table="meanwhile.grouped")
                await other.execute(
                    "create function meanwhile.noted() returns trigger language plpgsql as 'begin insert into"
                    " meanwhile.log select count(*) from meanwhile.grouped; return null; end';"
                    " create trigger t after insert on meanwhile.grouped for each statement"
                    " execute function meanwhile.noted()"
                )
                if within == "a transaction":
                    async with c.transaction():
                        await c.execute_many(sql, rows(500))
                else:
                    await c.execute_many(sql, rows(500) if not within else iter(rows(500)))
                found = await c.fetch("select n from meanwhile.log order by n")
                assert [row[0] for row in found] == list(range(1, 501))
                assert (await c.fetch_value("select count(*) from meanwhile.grouped")) == 500
            finally:
                await c.execute("drop schema meanwhile cascade")

    run(main())


def test_a_column_whose_type_has_changed(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c, await connect(postgres.dsn) as other:
            await c.execute("drop table if exists grouped; create table grouped (id int, name text)")
            try:
                await warm(c)
                await other.execute("alter table grouped alter id type bigint")
                await c.execute_many(SQL, rows(500))
                await c.execute_many(SQL, [(1 << 40, "x")] * 500)
                assert await c.fetch_value("select max(id) from grouped") == 1 << 40
                await other.execute("drop table grouped; create table grouped (name text, id int)")
                await c.execute_many(SQL, rows(500))
                assert (await count_of(c))[0] == 500
                await c.execute("deallocate all")
                await c.execute_many(SQL, rows(500, 500))
                await c.execute("discard all")
                await c.execute_many(SQL, rows(500, 1000))
                assert (await count_of(c))[0] == 1500
            finally:
                await c.execute("drop table grouped")

    run(main())


@pytest.mark.parametrize("at", [0, 1, 5, 32, 33, 500, 992, 993, 999])
def test_a_failure_leaves_nothing(postgres: Postgres, at: int) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int primary key, name text check (name <> 'bad'))")
            await warm(c)
            given: list[Any] = rows(1000)
            for wrong, expected, words in (
                ((-1, "bad"), CheckViolationError, "grouped_name_check"),
                ((0 if at else 999, "twice"), UniqueViolationError, "grouped_pkey"),
                (("x", "y"), TypeError, r"\$1 \(int4\)"),
                ((1,), Exception, "takes 2 arguments, and 1 came: insert into grouped"),
                (5, TypeError, "a row of arguments is a tuple"),
            ):
                given[at] = wrong
                for source in (given, iter(given)):
                    with pytest.raises(expected, match=words) as caught:
                        await c.execute_many(SQL, source)
                    if isinstance(caught.value, PostgresError):
                        assert caught.value.query == SQL
                    else:
                        assert f"in row {at + 1} of the arguments" in caught.value.__notes__
                    assert await count_of(c) == (0, 0)
            given[at] = (at, "x")
            await c.execute_many(SQL, given)
            assert (await count_of(c))[0] == 1000
            assert not c.in_transaction

    run(main())


def test_a_source_that_fails_behind_a_row_that_is_wrong(postgres: Postgres) -> None:
    def source(error: BaseException, wrong: Any) -> Iterator[Any]:
        yield from rows(500)
        yield wrong
        raise error

    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int primary key, name text)")
            await warm(c)
            with pytest.raises(TypeError, match="int4") as caught:
                await c.execute_many(SQL, source(LookupError("the source"), ("x", "y")))
            assert caught.value.__notes__ == ["in row 501 of the arguments"]
            with pytest.raises(LookupError, match="the source"):
                await c.execute_many(SQL, source(LookupError("the source"), (500, "y")))
            assert await count_of(c) == (0, 0)

    run(main())


@pytest.mark.parametrize("read", ["twice", "once"])
def test_rows_that_can_be_read_once(postgres: Postgres, read: str) -> None:
    """A no to who does not wait for the answer has them written again."""

    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int, name text)")
            await warm(c)
            await c.execute("alter table grouped enable row level security")
            given: list[Any] = rows(500)
            await c.execute_many(SQL, given if read == "twice" else [iter(row) for row in given])
            assert await count_of(c) == (500, 500)
            found = await c.fetch("select id, name from grouped order by ctid")
            assert [tuple(row) for row in found] == given

    run(main())


def test_what_an_error_says_of_a_parameter(postgres: Postgres) -> None:
    """It has the number that it has in its row; what else looks like one stays."""

    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute(
                "drop schema if exists groups_of cascade; create schema groups_of;"
                " set search_path = groups_of; create function fine(text) returns bool immutable"
                " language plpgsql as $$ declare found bool; begin execute"
                " 'select $3 / $4 > 0' into found using 1, 1, 1, 0; return found; end $$;"
                " create domain d as text check (fine(value)); create table grouped (id int, name d);"
                " alter domain d drop constraint d_check"
            )
            try:
                await warm(c)
                await c.execute("alter domain d add check (fine(value))")
                errors = []
                for ask in (
                    c.execute(SQL, 1, "x"),
                    c.execute_many(SQL, [(1, "x")]),
                    c.execute_many(SQL, [(1, None)] * 70 + [(1, "x")] * 70),
                ):
                    with pytest.raises(PostgresError) as caught:
                        await ask
                    errors.append(caught.value.as_dict())
                assert errors[1:] == errors[:1] * 2
                context = str(errors[0]["context"])
                assert '"select $3 / $4 > 0"' in context
                assert context.endswith("unnamed portal parameter $2")
            finally:
                await c.execute("drop schema groups_of cascade")

    run(main())


def test_what_an_error_says_of_a_format(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            c.types.set_codec(
                "int4",
                encoder=lambda number: number.to_bytes(4 if number >= 0 else 5, "big", signed=True),
                decoder=lambda data: int.from_bytes(data, "big", signed=True),
                format="binary",
            )
            await c.execute("create temp table grouped (id int, name text)")
            await warm(c)
            errors = []
            for ask in (c.execute(SQL, -1, "x"), c.execute_many(SQL, rows(70) + [(-1, "x")] * 70)):
                with pytest.raises(PostgresError) as caught:
                    await ask
                errors.append(caught.value.as_dict())
            assert errors[0] == errors[1]
            assert errors[0]["message"] == "incorrect binary data format in bind parameter 1"

    run(main())


def test_keys_of_others_are_checked(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute(
                "create temp table other (id int primary key);"
                " insert into other select generate_series(0, 5000);"
                " create temp table grouped (id int references other, name text unique deferrable)"
            )
            await warm(c)
            await c.execute_many(SQL, rows(1000))
            assert (await count_of(c))[1] < 50
            with pytest.raises(ForeignKeyViolationError):
                await c.execute_many(SQL, [*rows(500, 2000), (9999, "x"), *rows(500, 3000)])
            with pytest.raises(UniqueViolationError):
                await c.execute_many(SQL, [*rows(500, 2000), (1, "row 2001"), *rows(500, 3000)])
            assert (await count_of(c))[0] == 1000

    run(main())


def test_whoever_waits_is_cancelled(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int primary key, name text)")
            await warm(c)
            for turns in range(12):
                for source in (rows(5000), iter(rows(5000))):
                    task = asyncio.ensure_future(c.execute_many(SQL, source))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    if task.cancel():
                        with pytest.raises(asyncio.CancelledError):
                            await task
                    assert (await count_of(c))[0] in (0, 5000)
                    await c.execute("truncate grouped")
            with Gate(postgres) as gate:
                await c.execute(
                    "create function pg_temp.waits() returns trigger language plpgsql as"
                    f" $$ begin perform {gate.sql}; return null; end $$;"
                    " create trigger waits before insert on grouped execute function pg_temp.waits()"
                )
                with pytest.raises(TimeoutError):
                    await c.execute_many(SQL, iter(rows(5000)), timeout=0.0001)
                assert (await count_of(c))[0] == 0
            await c.execute("drop trigger waits on grouped")
            await c.execute_many(SQL, rows(1000))
            assert (await count_of(c))[0] == 1000

    run(main())


def test_large_rows_go_alone(postgres: Postgres) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int, name text)")
            await warm(c)
            given = [(number, "x" * 20_000) for number in range(200)]
            await c.execute_many(SQL, given)
            assert await count_of(c) == (200, 200)
            await c.execute("truncate grouped")
            # Each row can be read once.
            await c.execute_many(SQL, [iter(row) for row in given])
            assert await count_of(c) == (200, 200)
            assert await c.fetch_value("select count(*) from grouped where length(name) = 20000") == 200

    run(main())


@pytest.mark.parametrize(("columns", "size"), [(1, 32), (33, 31), (128, 8), (129, 1)])
def test_rows_with_many_columns(postgres: Postgres, columns: int, size: int) -> None:
    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            names = ", ".join(f"c{number} int" for number in range(columns))
            await c.execute(f"create temp table grouped ({names})")
            sql = f"insert into grouped values ({', '.join(f'${n + 1}' for n in range(columns))})"
            given = [tuple(range(number, number + columns)) for number in range(MANY)]
            await c.execute_many(sql, given)
            await c.execute("truncate grouped")
            await c.execute_many(sql, given[:200])
            assert await count_of(c) == (200, 1 + 199 // size + 199 % size)
            found = await c.fetch("select * from grouped order by ctid")
            assert [tuple(row) for row in found] == given[:200]

    run(main())


def test_behind_a_pooler_rows_go_alone(pgbouncer: PgBouncer) -> None:
    async def main() -> None:
        async with PgPool(pgbouncer.dsn, 1, 2) as pool:
            await pool.execute("drop table if exists grouped; create table grouped (id int, name text)")
            for _ in range(2):
                await pool.execute_many(SQL, rows(MANY))
            found = await pool.fetch_one(
                "select count(*), count(distinct (xmin::text, cmin::text)) from grouped"
            )
            assert found is not None
            assert tuple(found) == (2 * MANY, 2 * MANY)
            await pool.execute("drop table grouped")

    run(main())


def test_others_ask_meanwhile(postgres: Postgres) -> None:
    """Answers go to whom they belong, with batches that ask and fail between them."""

    async def main() -> None:
        async with await connect(postgres.dsn) as c:
            await c.execute("create temp table grouped (id int primary key, name text)")
            await warm(c)
            asked: list[Any] = []
            for number in range(30):
                wrong = [(1, "once"), (1, "twice")] if number % 3 == 0 else []
                asked.append(c.execute_many(SQL, [*rows(200, 1000 * (number + 1)), *wrong]))
                asked.append(c.fetch_value("select $1::int", number))
            answers = await asyncio.gather(*asked, return_exceptions=True)
            for number in range(30):
                many, value = answers[2 * number : 2 * number + 2]
                assert value == number
                assert isinstance(many, UniqueViolationError) if number % 3 == 0 else many is None
            assert (await count_of(c))[0] == 200 * 20

    run(main())


def test_the_question_is_one_of_the_catalogs_alone() -> None:
    """Nothing in it is found by the search path."""
    found = insert_of("insert into t values ($1)")
    assert found is not None
    tables = re.findall(r"\b(?:FROM|JOIN) ([a-z_.]+)", found.question)
    assert tables
    assert all(name.startswith("pg_catalog.pg_") for name in tables)
