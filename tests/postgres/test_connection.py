"""One connection to a real server: what it answers, what it survives, and whom it tells."""

from __future__ import annotations

import asyncio
import random
import selectors
import time
from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any

import pytest
import uvloop

from fastweb.postgres import Connection, Record, Rollback, connect
from fastweb.postgres.connection import Shared
from fastweb.postgres.errors import (
    AdminShutdownError,
    ConnectionLostError,
    DatatypeMismatchError,
    InFailedSQLTransactionError,
    InterfaceError,
    PostgresError,
    PostgresSyntaxError,
    ProtocolError,
    UndefinedTableError,
    UniqueViolationError,
)
from tests.postgres.proxy import proxy
from tests.postgres.running import PATIENCE, Gate, until
from tests.postgres.running import run as run_with
from tests.postgres.servers import OwnPostgres, PgBouncer, Postgres

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def run(
    where: str,
    main: Callable[[Connection], Coroutine[Any, Any, None]],
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    **keywords: Any,
) -> None:
    """Run it with a connection of its own."""

    async def connected() -> None:
        async with await connect(where, **keywords) as connection:
            await main(connection)

    run_with(connected(), loop_factory=loop)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=list(LOOPS))
def test_the_ways_to_ask(postgres: Postgres, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main(c: Connection) -> None:
        assert [dict(row) for row in await c.fetch("select 1 as a, $1::text as b", "x")] == [
            {"a": 1, "b": "x"}
        ]
        assert await c.fetch("select 1 where false") == []
        row = await c.fetch_one("select generate_series(1, 3) as n")
        assert row is not None
        assert row["n"] == 1
        assert await c.fetch_one("select 1 where false") is None
        assert await c.fetch_value("select $1::int8 + 1", 41) == 42
        assert await c.fetch_value("") is None
        assert await c.fetch_json("select 1 as a, null as b") == b'[{"a":1,"b":null}]'
        assert await c.execute("create temp table t (id int primary key); insert into t values (1), (2)")
        assert await c.execute("delete from t where id = $1", 1) == "DELETE 1"
        result = await c.exec("select id from t")
        assert result.one()["id"] == 2
        assert (await c.prepare("select $1::int4 as a")).columns == ("a",)
        assert c.server_version[0] == postgres.version
        assert c.in_flight == 0
        assert c.oldest == 0
        assert not c.in_transaction

    run(postgres.dsn, main, loop)


def test_many_tasks_are_pipelined_and_each_gets_its_own(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        async def ask(number: int) -> None:
            for i in range(20):
                assert await c.fetch_value("select $1::int4 * 2", number * 100 + i) == 2 * (number * 100 + i)

        await asyncio.gather(*[ask(number) for number in range(30)])
        answers = [c.fetch_value("select $1::int4", i) for i in range(5)]
        assert await asyncio.gather(*answers) == [0, 1, 2, 3, 4]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(c.fetch_value("select $1::int4", i)) for i in range(5)]
        assert [task.result() for task in tasks] == [0, 1, 2, 3, 4]
        assert await asyncio.wait_for(c.fetch_value("select 1"), 10) == 1

    run(postgres.dsn, main)


def test_one_failure_is_one_task_s(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        found = await asyncio.gather(
            c.fetch_value("select 1"),
            c.fetch("select nonsense from"),
            c.fetch_value("select 2"),
            c.fetch("select * from nowhere"),
            c.fetch_value("select $1::int4", "three"),
            c.fetch_value("select $1::int4"),
            c.fetch_value("select 3"),
            return_exceptions=True,
        )
        assert found[0::6] == [1, 3]
        assert found[2] == 2
        kinds = [type(found[i]) for i in (1, 3, 4, 5)]
        assert kinds == [PostgresSyntaxError, UndefinedTableError, TypeError, InterfaceError]
        assert str(found[4]).startswith("$1 (int4): ")
        # The same text in many tasks fails in each of them, with an exception of its own.
        again = await asyncio.gather(
            *[c.fetch("select * from nowhere") for _ in range(3)], return_exceptions=True
        )
        assert len(set(map(id, again))) == 3
        assert {type(each) for each in again} == {UndefinedTableError}

    run(postgres.dsn, main)


def test_what_is_asked_in_order_is_done_in_order(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        await c.execute("create temp table t (id int)")
        done = [c.execute("insert into t values ($1)", i) for i in range(3)]
        count = c.fetch_value("select count(*) from t")
        more = c.execute_many("insert into t values ($1)", [(i,) for i in range(3)])
        assert await c.fetch_value("select count(*) from t") == 6
        assert await count == 3
        assert [await each for each in done] == ["INSERT 0 1"] * 3
        await more

    run(postgres.dsn, main)


def test_a_batch_is_all_or_nothing(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        await c.execute("create temp table t (id int primary key, name text)")
        await c.execute_many("insert into t values ($1, $2)", ((i, "x" * 100) for i in range(5000)))
        assert await c.fetch_value("select count(*) from t") == 5000
        await c.execute_many("insert into t values ($1, $2)", [])
        with pytest.raises(UniqueViolationError):
            await c.execute_many("insert into t values ($1, $2)", [(i, "y") for i in range(9000, 4000, -1)])
        with pytest.raises(TypeError, match=r"\$2 \(text\)"):
            await c.execute_many(
                "insert into t values ($1, $2)", [(i, "y") for i in range(6000, 9000)] + [(1, 1)]
            )
        with pytest.raises(ZeroDivisionError):
            await c.execute_many("insert into t values ($1, $2)", ((1 // i, "z") for i in (1, 0)))
        assert await c.fetch_value("select count(*) from t") == 5000

    run(postgres.dsn, main)


def test_a_statement_survives_a_change_of_its_table(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        await c.execute("create temp table t (id int); insert into t values (1)")
        sql = "select * from t"
        assert [dict(row) for row in await c.fetch(sql)] == [{"id": 1}]
        await c.execute("alter table t add column name text")
        assert [dict(row) for row in await c.fetch(sql)] == [{"id": 1, "name": None}]
        await c.execute("alter table t alter column id type text")
        assert [dict(row) for row in await c.fetch(sql)] == [{"id": "1", "name": None}]
        await c.execute("deallocate all")
        assert len(await c.fetch(sql)) == 1
        await c.execute("discard plans")

    run(postgres.dsn, main)


def test_what_writes_is_never_asked_twice(postgres: Postgres) -> None:
    """A SELECT of a function that writes, whose rows come in another form than another connection knew."""

    async def main() -> None:
        shared = Shared()
        c, d = [await connect(postgres.dsn, shared=shared) for _ in range(2)]
        sql = "select pg_temp.noted()"
        async with c, d:
            for each, kind, value in ((c, "int", "1"), (d, "tsvector", "'a'")):
                await each.execute("create temp table notes (n int)")
                await each.execute(
                    f"create function pg_temp.noted() returns {kind} language sql as"
                    f" $$ insert into notes values (1); select {value}::{kind} $$"
                )
            assert await c.fetch_value(sql) == 1
            with pytest.raises(InterfaceError, match="it was done"):
                await d.fetch_value(sql)
            assert await d.fetch_value("select count(*) from notes") == 1
            assert await d.fetch_value(sql) == "'a'"
            # A read is.
            await c.execute("create temp table read (n int); insert into read values (1)")
            await d.execute("create temp table read (n tsvector); insert into read values ('b')")
            assert [await each.fetch_value("select n from read") for each in (c, d)] == [1, "'b'"]

    run_with(main())


def test_a_column_has_a_type_that_its_parameter_does_not_go_to(postgres: Postgres) -> None:
    """int4, which the parameter was described as, is no jsonb: the server refuses, and is asked anew."""

    async def main() -> None:
        shared = Shared()
        c, d = [await connect(postgres.dsn, shared=shared) for _ in range(2)]
        insert = "insert into altered values ($1)"
        select = "select count(*) from altered where id = $1"
        async with c, d:
            await c.execute("drop table if exists altered; create table altered (id int)")
            try:
                for each in (c, d):
                    assert await each.execute(insert, 1) == "INSERT 0 1"
                    assert await each.fetch_value(select, 1) == 2 - (each is c)
                await c.execute_many(insert, [(1,), (1,)])
                await c.execute("alter table altered alter column id type jsonb using to_jsonb(id)")
                # In a transaction it is an error, and what was known is forgotten.
                with pytest.raises(DatatypeMismatchError):
                    async with c.transaction():
                        await c.execute(insert, 2)
                async with c.transaction():
                    assert await c.execute(insert, 2) == "INSERT 0 1"
                await c.execute("alter table altered alter column id type int using (id #>> '{}')::int")
                for each in (c, d):
                    assert await each.execute(insert, 3) == "INSERT 0 1"
                    await each.execute_many(insert, [(3,), (3,)])
                    assert await each.fetch_value(select, 3) == 3 + 3 * (each is d)
                await d.execute("alter table altered alter column id type jsonb using to_jsonb(id)")
                asked = [c.execute(insert, 4), c.fetch_value("select 1"), c.execute(insert, 4)]
                assert await asyncio.gather(*asked) == ["INSERT 0 1", 1, "INSERT 0 1"]
                await d.execute_many(insert, [(4,), (4,)])
                for each in (c, d):
                    assert await each.fetch_value(select, 4) == 4
                # What fails while it is executed is not done twice.
                await c.execute("create temp sequence calls")
                await c.execute(
                    "create or replace function pg_temp.mismatched(n int) returns table (a int) language"
                    " plpgsql as $$ begin perform nextval('calls'); return query select 'text'::text; end $$"
                )
                for calls in (1, 2):
                    with pytest.raises(DatatypeMismatchError):
                        await c.fetch("select * from pg_temp.mismatched($1)", 1)
                    assert await c.fetch_value("select last_value from calls") == calls
            finally:
                await c.execute("drop table altered")

    run_with(main())


def test_a_parameter_s_type_changes(postgres: Postgres) -> None:
    """What was described takes no such argument: it is described anew before it is refused."""

    async def main() -> None:
        shared = Shared()
        c, d = [await connect(postgres.dsn, shared=shared) for _ in range(2)]
        async with c, d:
            await c.execute("drop table if exists altered; create table altered (id int)")
            try:
                sql = "insert into altered values ($1) returning id"
                for each in (c, d):
                    assert await each.fetch_value(sql, 1) == 1
                    with pytest.raises(TypeError, match=r"\$1 \(int4\): expected int for int4, got str"):
                        await each.fetch_value(sql, "one")
                await c.execute("alter table altered alter column id type text")
                answers = [c.fetch_value(sql, "one"), c.fetch_value("select 1"), c.fetch_value(sql, "two")]
                assert await asyncio.gather(*answers) == ["one", 1, "two"]
                async with d.transaction():
                    assert await d.fetch_value(sql, "three") == "three"
                    rows = d.iterate("select id from altered where id = $1", "one")
                    assert [row[0] async for row in rows] == ["one"]
                await c.execute("alter table altered alter column id type date using null")
                many = "insert into altered values ($1)"
                await c.execute_many(many, [(date(2024, 1, 1),)])
                await c.execute("alter table altered alter column id type text")
                await c.execute_many(many, [("four",), ("five",)])
                with pytest.raises(TypeError, match=r"\$1 \(text\)"):
                    await c.execute_many(many, [(6,), ("seven",)])
                with pytest.raises(TypeError, match=r"\$1 \(text\)"):
                    await c.execute_many(many, [("six",), (7,)])
                assert await c.fetch_value("select count(*) from altered where id in ('four', 'five')") == 2
                # In a transaction that has failed, that is what is told.
                await c.execute("begin")
                with pytest.raises(PostgresError):
                    await c.execute("select 1 / 0")
                with pytest.raises(TypeError, match=r"\$1 \(text\)"):
                    await c.execute(many, 8)
                await c.execute("rollback")
            finally:
                await c.execute("drop table altered")

    run_with(main())


def test_more_statements_than_are_kept(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        for _ in range(2):
            answers = [c.fetch_value(f"select {i} + $1::int4", i) for i in range(40)]
            assert [await each for each in answers] == [2 * i for i in range(40)]
        count = await c.fetch_value("select count(*) from pg_prepared_statements")
        assert 1 <= count <= 8

    run(postgres.dsn, main, statement_cache_size=8)


def test_no_statements_are_kept(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        for i in range(3):
            assert await c.fetch_value("select $1::int4", i) == i
        assert await c.fetch_value("select count(*) from pg_prepared_statements") == 0

    run(postgres.dsn, main, statement_cache_size=0)


def test_types_that_the_database_has_made(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        await c.execute("drop type if exists core_mood; create type core_mood as enum ('sad', 'glad')")
        try:
            first, second = c.fetch_value("select 'sad'::core_mood"), c.fetch_value("select 1")
            assert list(await asyncio.gather(first, second)) == ["sad", 1]
            assert await c.fetch_value("select $1::core_mood", "glad") == "glad"
        finally:
            await c.execute("drop type core_mood")

    run(postgres.dsn, main)


def test_a_type_that_is_made_again(postgres: Postgres) -> None:
    """A statement goes by the type's oid."""

    async def main(c: Connection) -> None:
        make = (
            "drop table if exists feelings; drop type if exists core_feeling;"
            " create type core_feeling as enum ('sad', 'glad');"
            " create table feelings (one core_feeling, several core_feeling[])"
        )
        sql = "insert into feelings values ($1, $2)"
        try:
            await c.execute(make)
            await c.execute(sql, "sad", ["glad"])
            async with await connect(postgres.dsn) as other:
                await other.execute(make)
                await c.execute(sql, "sad", ["glad"])
                await other.execute(make)
                await c.execute_many(sql, [("sad", ["glad"])] * 3)
                await other.execute(make)
                with pytest.raises(PostgresError, match="cache lookup failed for type"):
                    async with c.transaction():
                        await c.execute(sql, "sad", ["glad"])
                await c.execute(sql, "glad", ["glad", None])
            assert await c.fetch("select * from feelings") == [("glad", ["glad", None])]
        finally:
            await c.execute("drop table feelings; drop type core_feeling")

    run(postgres.dsn, main)


def test_arguments_of_a_type_that_was_altered(postgres: Postgres) -> None:
    """They are refused by what the type is made of today, in whatever way they are sent."""

    async def main() -> None:
        shared = Shared()
        c, d = [await connect(postgres.dsn, shared=shared) for _ in range(2)]
        insert = "insert into bends values ($1)"
        async with c, d:
            await c.execute("create type bend as (a int); create table bends (b bend)")
            await c.execute("create type bent as (bends bend[], m int)")
            try:
                for each in (c, d):
                    await each.execute(insert, (1,))
                    assert await each.fetch_value("select $1::bent", ([(1,)], 2)) == ([(1,)], 2)
                    await each.execute_many(insert, [(Record(a=1),)])
                await c.execute("alter type bend add attribute b text")
                for each in (d, c):
                    # Refused here; as a part of another's; and in a text that is asked for the first time.
                    await each.execute(insert, (2, "x"))
                    assert await each.fetch_value("select $1::bent", ([(2, "x")], 3)) == ([(2, "x")], 3)
                await c.execute("alter type bend rename attribute b to c")
                assert dict(await d.fetch_value("select $1::bend", {"a": 1, "c": "x"})) == {"a": 1, "c": "x"}
                await c.execute("alter type bend drop attribute c")
                for each in (d, c):
                    # Refused by the server.
                    await each.execute(insert, (3,))
                await c.execute("alter type bend add attribute c date")
                await d.execute_many(insert, [((4, None),), ((5, date(2024, 1, 1)),)])
                await c.execute("alter type bend drop attribute c")
                await c.execute_many(insert, [((6,),), ((7,),)])
                async with d.transaction():
                    await d.execute("alter type bend add attribute c text")
                    rows = d.iterate("select $1::bend", (8, "y"))
                    assert [row[0] async for row in rows] == [(8, "y")]
                    raise Rollback
                # Within a transaction it is an error once, and looked up again.
                await d.execute(insert, (8,))
                await c.execute("alter type bend add attribute c text")
                with pytest.raises(ValueError, match="expected 1 values for bend, got 2"):
                    async with d.transaction():
                        await d.execute_many(insert, [((8, "y"),)])
                async with d.transaction():
                    await d.execute_many(insert, [((8, "y"),)])
                await c.execute("alter type bend drop attribute c")
                with pytest.raises(DatatypeMismatchError):
                    async with d.transaction():
                        await d.execute(insert, (9, "z"))
                async with d.transaction():
                    await d.execute(insert, (9,))
                # A new text whose look-up finds that: it has other types, too, that were known.
                await c.execute("create type bent_twice as (b bend); create type blend as (b int)")
                assert await d.fetch_value("select $1::blend", (1,)) == (1,)
                await c.execute("alter type bend add attribute c text")
                found = await d.fetch_one("select $1::bent_twice, $2::blend", ((1, "x"),), (2,))
                assert found == (((1, "x"),), (2,))
                await c.execute("drop type bent_twice, blend; alter type bend drop attribute c")
                await d.execute(insert, (9,))
                version = c.types.version
                for _ in range(3):
                    with pytest.raises(ValueError, match=r"\$1 \(bend\): expected 1 values for bend, got 2"):
                        await c.fetch_value("select $1::bend", (9, "z"))
                # What is wrong for good makes nobody forget anything.
                assert c.types.version <= version + 1
                assert await c.fetch("select (b).a from bends where (b).a between 3 and 7") == [
                    *[(3,), (3,), (4,), (5,), (6,), (7,)]
                ]
            finally:
                await c.execute("drop table bends; drop type bent, bend")

    run_with(main())


@pytest.mark.parametrize("sql", ["copy nothing from stdin", "/* a */ COPY (SELECT 1) TO STDOUT"])
def test_copy_is_no_statement_that_has_rows(postgres: Postgres, sql: str) -> None:
    async def main(c: Connection) -> None:
        await c.execute("create temp table nothing (n int)")
        for ask in (c.fetch, c.fetch_one, c.fetch_value, c.fetch_json, c.exec):
            with pytest.raises(InterfaceError, match="use copy_in and copy_out"):
                await ask(sql)
        with pytest.raises(InterfaceError, match="use copy_in and copy_out"):
            await c.prepare(sql)
        with pytest.raises(InterfaceError, match="use copy_in and copy_out"):
            await c.execute_many(sql, [()])
        async with c.transaction():
            with pytest.raises(InterfaceError, match="use copy_in and copy_out"):
                await c.iterate(sql).fetch(1)
        assert await c.fetch_value("select 'stdin'") == "stdin"

    run(postgres.dsn, main)


def test_connections_share_what_was_described(postgres: Postgres) -> None:
    async def main() -> None:
        shared = Shared()
        async with await connect(postgres.dsn, shared=shared) as one:
            assert await one.fetch_value("select $1::int4 + 1", 1) == 2
        async with await connect(postgres.dsn, shared=shared) as other:
            assert "select $1::int4 + 1" in shared.descriptions
            assert await other.fetch_value("select $1::int4 + 1", 2) == 3
            await other.execute("create temp table s (id int)")
            assert await other.fetch("select * from s") == []
        async with await connect(postgres.dsn, shared=shared) as third:
            # Described with an int column; here it is text.
            await third.execute("create temp table s (id text, name text); insert into s values ('x', 'y')")
            assert [tuple(row) for row in await third.fetch("select * from s")] == [("x", "y")]

    run_with(main())


@pytest.mark.parametrize("fixture", ["pgbouncer", "pgbouncer_session"])
def test_a_pooler_is_found_out(fixture: str, request: pytest.FixtureRequest) -> None:
    bouncer: PgBouncer = request.getfixturevalue(fixture)

    async def main() -> None:
        shared = Shared()
        connections = [await connect(bouncer.dsn, shared=shared) for _ in range(4)]

        async def ask(connection: Connection, number: int) -> None:
            for i in range(10):
                sql = f"select $1::int4 + {number}"
                assert await connection.fetch_value(sql, i) == i + number

        await asyncio.gather(*[ask(connections[i % 4], i) for i in range(12)])
        for connection in connections:
            assert connection.protocol.pooled
            assert not connection.protocol.named
            await connection.close()

    run_with(main())


def test_a_pooler_is_sent_one_unit_at_a_time(pgbouncer: PgBouncer) -> None:
    """Else a unit that has come in part is cut in two where another client gets the server."""

    async def main() -> None:
        async with await connect(pgbouncer.dsn) as first, await connect(pgbouncer.dsn) as second:
            await first.execute("drop table if exists units")
            await first.execute("create table units (id int primary key, name text)")

            async def ask(c: Connection, start: int) -> None:
                rows = [(start + i, "x" * 60) for i in range(1500)]
                batch = asyncio.ensure_future(c.execute_many("insert into units values ($1, $2)", rows))
                values = [c.fetch_value("select $1::text", f"{start + i}" * 100) for i in range(20)]
                assert await asyncio.gather(*values) == [f"{start + i}" * 100 for i in range(20)]
                await batch

            for turn in range(3):
                await asyncio.gather(
                    *[ask(c, 10_000 * (4 * turn + n)) for n, c in enumerate((first, second) * 2)]
                )
            assert await first.fetch_value("select count(*) from units") == 18_000
            await first.execute("drop table units")

    run_with(main())


def test_the_first_statement_behind_a_pooler_is_a_large_one(pgbouncer: PgBouncer) -> None:
    """Asked in one write with the question whether there is a pooler, it would be cut in two by it."""
    sql = "select length($1)"
    texts = [("a" * 20_000, "select length($1)"), ("b", f"select length($1) -- {'x' * 20_000}")]

    async def main() -> None:
        shared = Shared()
        async with await connect(pgbouncer.dsn, shared=shared) as c:
            await c.fetch_value(sql, "")

        async def first(number: int) -> None:
            text, statement = texts[number % 2]
            async with await connect(pgbouncer.dsn, shared=shared) as c:
                many = [c.fetch_value(statement, text) for _ in range(5)]
                assert await asyncio.gather(*many) == [len(text)] * 5

        for _ in range(5):
            await asyncio.gather(*(first(number) for number in range(12)))
        async with await connect(pgbouncer.dsn) as c:
            await c.execute("drop table if exists large; create table large (name text)")
        for source in (b"x" * 20_000 + b"\n", [("x" * 20_000,)] * 3):
            async with await connect(pgbouncer.dsn) as c:
                assert await c.copy_in("large", source) == (3 if isinstance(source, list) else 1)
        async with await connect(pgbouncer.dsn) as c:
            await c.execute_many("insert into large values ($1)", [("x" * 20_000,)] * 3)
            assert await c.fetch_value("select count(*) from large") == 7
            await c.execute("drop table large")

    run_with(main())


def test_the_first_statement_goes_with_the_question_where_it_is_small(postgres: Postgres) -> None:
    """Setting a connection up costs no round trip more."""

    async def main() -> None:
        shared = Shared()
        async with await connect(postgres.dsn, shared=shared) as c:
            await c.fetch_value("select $1::int + $2::int", 1, 2)
        for args in ((1, 2), (None, 3)):
            async with await connect(postgres.dsn, shared=shared) as c:
                assert c.protocol.pooled is None
                answer = c.fetch_value("select $1::int + $2::int", *args)
                assert len(c.protocol.in_flight) == 2
                await answer
        async with await connect(postgres.dsn, shared=shared) as c:
            large = c.fetch_value("select length($1::text)", "x" * 20_000)
            assert len(c.protocol.in_flight) == 1
            small = c.fetch_value("select 1")
            assert (await large, await small) == (20_000, 1)
            assert c.protocol.pooled is False

    run_with(main())


@pytest.mark.parametrize("fixture", ["pgbouncer", "pgbouncer_session"])
def test_a_batch_behind_a_pooler(fixture: str, request: pytest.FixtureRequest) -> None:
    """The unnamed statement is described, and then bound for each row, by whichever server is given."""
    bouncer: PgBouncer = request.getfixturevalue(fixture)

    async def main() -> None:
        first, second = await connect(bouncer.dsn), await connect(bouncer.dsn)
        async with first, second:
            await first.execute("create table pooled (id int primary key, name text)")
            try:
                sql = "insert into pooled values ($1, $2)"
                for n, c in enumerate((first, second, first, second)):
                    await c.execute_many(sql, [(1000 * n + i, "x" * 50) for i in range(1000)])
                with pytest.raises(UniqueViolationError):
                    await first.execute_many(sql, [(i, "y") for i in range(4500, 3500, -1)])
                with pytest.raises(TypeError, match=r"\$2 \(text\)"):
                    await second.execute_many(sql, [(9000, "x"), (9001, 1)])
                assert await first.fetch_value("select count(*) from pooled") == 4000
            finally:
                await first.execute("drop table pooled")

    run_with(main())


def test_without_a_pooler_statements_have_names(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        await c.fetch("select 1")
        assert c.protocol.pooled is False
        assert await c.fetch_value("select count(*) from pg_prepared_statements") > 0

    run(postgres.dsn, main)


def test_out_of_time_the_server_is_told(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        with pytest.raises(TimeoutError, match="no answer in"):
            await c.fetch("select pg_sleep(600)", timeout=0.05)
        # Behind it, and not hit by the CancelRequest.
        assert await c.fetch_value("select 1") == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await c.fetch("select pg_sleep(600)")
        assert await c.fetch_value("select 2") == 2
        with Gate(postgres) as gate:
            task = asyncio.create_task(c.fetch(f"select {gate.sql}"))
            await gate.reached()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await c.fetch_value("select 3") == 3

    run(postgres.dsn, main, command_timeout=PATIENCE)


def test_a_cancel_that_may_come_late_ends_the_connection(postgres: Postgres) -> None:
    """What comes next would be hit by it."""

    async def main(c: Connection) -> None:
        async def not_dealt_with() -> None:
            raise ProtocolError("not dealt with")

        c.protocol.send_cancel = not_dealt_with
        with Gate(postgres) as gate:
            task = asyncio.create_task(c.fetch(f"select {gate.sql}"))
            await gate.reached()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(ProtocolError, match="not dealt with"):
                await c.fetch("select 1")

    run(postgres.dsn, main)


def test_a_server_that_took_no_notice_is_told_again(postgres: Postgres) -> None:
    """A CancelRequest that is there before the server has begun with the statement ends nothing."""

    async def main(c: Connection) -> None:
        sent = 0
        cancel = c.protocol.send_cancel
        assert cancel is not None

        async def too_early() -> None:
            nonlocal sent
            sent += 1
            if sent > 1:
                await cancel()

        c.protocol.send_cancel = too_early
        with Gate(postgres) as gate:
            task = asyncio.create_task(c.fetch(f"select {gate.sql}"))
            await gate.reached()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await c.fetch_value("select 1") == 1
        assert sent > 1

    run(postgres.dsn, main)


def test_tasks_are_cancelled_at_random_and_none_gets_another_s_answer(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        c.protocol.shared = True
        chance = random.Random(7)
        answered = 0

        async def ask(number: int) -> None:
            nonlocal answered
            for i in range(20):
                rows = await c.fetch("select $1::int4 as n, pg_sleep(0.0001)", number * 100 + i)
                assert [row["n"] for row in rows] == [number * 100 + i]
                answered += 1

        tasks = [asyncio.create_task(ask(number)) for number in range(100)]
        await until(lambda: answered)
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.002)
            chance.choice(tasks).cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in outcomes} <= {type(None), asyncio.CancelledError}
        await c.drain()
        assert c.in_flight == 0
        assert await c.fetch_value("select 1") == 1

    run(postgres.dsn, main)


def test_listening(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        heard: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()

        def callback(connection: Connection, process_id: int, channel: str, payload: str) -> None:
            assert connection is c
            heard.put_nowait((process_id, channel, payload))

        async def slow(connection: Connection, process_id: int, channel: str, payload: str) -> None:
            await asyncio.sleep(0)
            heard.put_nowait((process_id, channel, payload))

        await c.listen('My "channel"', callback)
        assert c.listening
        await c.notify('My "channel"', "hello")
        assert await heard.get() == (c.process_id, 'My "channel"', "hello")
        await c.listen('My "channel"', slow)
        await c.notify('My "channel"', "again")
        assert [await heard.get() for _ in range(2)] == [(c.process_id, 'My "channel"', "again")] * 2
        await c.unlisten('My "channel"')
        await c.notify('My "channel"', "gone")
        assert heard.empty()
        assert not c.listening

    run(postgres.dsn, main)


def test_listening_again(postgres: Postgres) -> None:
    """What was undone with a transaction is done again by whoever listens next; a function is called once."""

    async def main(c: Connection) -> None:
        heard: list[str] = []

        def first(*told: Any) -> None:
            heard.append(f"first {told[3]}")

        def second(*told: Any) -> None:
            heard.append(f"second {told[3]}")

        async with c.transaction():
            await c.listen("x", first)
            raise Rollback
        await c.notify("x", "unheard")
        assert heard == []
        await c.listen("x", second)
        await c.listen("x", second)
        await c.notify("x", "1")
        assert heard == ["first 1", "second 1"]
        await c.unlisten("x", second)
        await c.notify("x", "2")
        assert heard[2:] == ["first 2"]
        # A LISTEN that fails is nobody else's.
        with pytest.raises(InFailedSQLTransactionError):
            async with c.transaction():
                with pytest.raises(PostgresSyntaxError):
                    await c.execute("nonsense")
                with pytest.raises(InFailedSQLTransactionError):
                    await c.listen("x", first)
        await c.notify("x", "3")
        assert heard[3:] == ["first 3"]

    run(postgres.dsn, main)


def test_a_listener_is_a_function_and_a_channel_no_longer_than_is_kept(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        wrong: Any = None
        with pytest.raises(TypeError, match="expected a function to call, got None"):
            await c.listen("x", wrong)
        with pytest.raises(InterfaceError, match="at most 63 bytes"):
            await c.listen("x" * 64, print)
        heard: asyncio.Queue[str] = asyncio.Queue()
        await c.listen("x" * 63, lambda *told: heard.put_nowait(told[3]))
        await c.notify("x" * 63, "hello")
        assert await heard.get() == "hello"

    run(postgres.dsn, main)


def test_notifications(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        async with c.notifications("a", 'b "', "a") as notifications:
            assert c.listening
            for number in range(3):
                await c.notify(("a", 'b "')[number % 2], str(number))
            heard = [await anext(notifications) for _ in range(3)]
            assert heard == [("a", "0", c.process_id), ('b "', "1", c.process_id), ("a", "2", c.process_id)]
            assert heard[0].channel == "a"
            assert heard[0].payload == "0"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(notifications)
            reader = asyncio.ensure_future(anext(notifications))
            await asyncio.sleep(0)
            with pytest.raises(InterfaceError, match="another task"):
                await anext(notifications)
            await c.notify("a", "last")
            assert (await reader).payload == "last"
        assert not c.listening
        with pytest.raises(InterfaceError, match="which channels"):
            c.notifications()

    run(postgres.dsn, main)


def test_notifications_end_with_the_connection(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        with pytest.raises(ConnectionLostError, match="terminating connection"):
            async with c.notifications("a") as notifications:
                await c.notify("a", "before")
                reader = asyncio.ensure_future(anext(notifications))
                assert (await reader).payload == "before"
                reader = asyncio.ensure_future(anext(notifications))
                await asyncio.to_thread(postgres.value, "select pg_terminate_backend(%s)", c.process_id)
                await reader
        with pytest.raises(ConnectionLostError):
            await anext(notifications)

    run(postgres.dsn, main)


def test_notifications_that_nobody_reads(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(c: Connection) -> None:
        async with c.notifications("a") as notifications:
            for number in range(4):
                await c.notify("a", str(number))
            while not notifications._too_many:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
            assert [(await anext(notifications)).payload for _ in range(3)] == ["0", "1", "2"]
            with pytest.raises(InterfaceError, match="more than 3"):
                await anext(notifications)

    monkeypatch.setattr("fastweb.postgres.notifications.MOST", 3)
    run(postgres.dsn, main)


def test_more_arguments_than_a_statement_takes(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        def sql(count: int) -> str:
            return f"select cardinality(array[{','.join(f'${n}::int' for n in range(1, count + 1))}])"

        assert await c.fetch_value(sql(65535), *range(65535)) == 65535
        with pytest.raises(InterfaceError, match="at most 65535 arguments, and 65536 came"):
            await c.fetch_value(sql(65536), *range(65536))
        assert await c.fetch_value("select 1") == 1

    run(postgres.dsn, main)


@pytest.mark.parametrize("row", ["x", b"x", {"a": 1}, {1}, 1, None], ids=repr)
def test_a_row_of_a_batch_is_a_tuple_or_a_list(postgres: Postgres, row: Any) -> None:
    async def main(c: Connection) -> None:
        await c.execute("create temp table t (a text)")
        with pytest.raises(TypeError, match="a row of arguments is a tuple or a list") as caught:
            await c.execute_many("insert into t values ($1)", [("a",), ["b"], row])
        assert caught.value.__notes__ == ["in row 3 of the arguments"]
        assert await c.fetch_value("select count(*) from t") == 0

    run(postgres.dsn, main)


def test_an_argument_of_a_batch_that_does_not_fit_says_its_row(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        await c.execute("create temp table t (a int)")
        with pytest.raises(TypeError, match="expected int for int4, got str") as caught:
            await c.execute_many("insert into t values ($1)", [(1,), (2,), ("x",)])
        assert caught.value.__notes__ == ["in row 3 of the arguments"]

    run(postgres.dsn, main)


def test_the_line_of_a_copy_is_in_the_error(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        await c.execute("create temp table t (a int)")
        with pytest.raises(PostgresError) as caught:
            await c.copy_in("t", b"1\nx\n")
        assert str(caught.value).splitlines() == [
            'invalid input syntax for type integer: "x"',
            'CONTEXT:  COPY t, line 2, column a: "x"',
        ]

    run(postgres.dsn, main)


def test_a_message_beyond_message_size_names_the_option(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        with pytest.raises(ProtocolError, match=r"'D' of 100010 bytes.* more than message_size .*\(65536\)"):
            await c.fetch_value("select repeat('x', 100000)")

    run(postgres.dsn, main, message_size=65536)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_notices_and_parameters(postgres: Postgres, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A listener has heard what a statement brought before its Task goes on."""

    async def main(c: Connection) -> None:
        told: list[str | None] = []
        c.add_notice_listener(lambda _connection, notice: told.append(notice.message))
        await c.execute("do $$ begin raise notice 'by the way'; end $$")
        assert told == ["by the way"]
        assert [notice.message for notice in c.protocol.notices] == ["by the way"]
        heard: list[str] = []
        await c.listen("news", lambda *of: heard.append(of[-1]))
        for number in range(20):
            await c.notify("news", str(number))
            assert heard[-1] == str(number)
        await c.execute("set timezone to 'Asia/Tokyo'")
        assert c.parameters["TimeZone"] == "Asia/Tokyo"

    run(postgres.dsn, main, loop)


def test_a_result_that_is_large(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        large = c.fetch_value("select repeat('x', 30000000)")
        rows = c.fetch("select generate_series(1, 50000) as n, 'some text' as name")
        assert len(await large) == 30_000_000
        assert sum(row["n"] for row in await rows) == 50000 * 50001 // 2
        assert await c.fetch_value("select length($1::text)", "y" * 10_000_000) == 10_000_000

    run(postgres.dsn, main)


def test_the_server_ends_the_session(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        lost: list[Connection] = []
        c.on_lost = lost.append
        with Gate(postgres) as gate:
            waiting = [asyncio.ensure_future(c.fetch(f"select {gate.sql}, {i}")) for i in range(3)]
            await gate.reached()
            postgres.value("select pg_terminate_backend(%s)", c.process_id)
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], AdminShutdownError | ConnectionLostError)
        assert [type(each) for each in found[1:]] == [ConnectionLostError] * 2
        assert "terminating connection" in str(found[1])
        assert "\n" not in str(found[1])
        assert c.is_closed
        with pytest.raises(ConnectionLostError):
            await c.fetch("select 1")
        await c.protocol.closed
        assert lost == [c]

    run(postgres.dsn, main)


@pytest.mark.parametrize("cut", ["reset", "close"])
def test_the_network_is_cut(postgres: Postgres, cut: str) -> None:
    async def main() -> None:
        async with proxy(postgres) as between, await connect(between.dsn) as c:
            assert await c.fetch_value("select 1") == 1
            with Gate(postgres) as gate:
                waiting = [asyncio.ensure_future(c.fetch(f"select {gate.sql}")) for _ in range(3)]
                await gate.reached()
                between.break_all(cut)
                found = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(each) for each in found] == [ConnectionLostError] * 3

    run_with(main())


def test_the_server_is_killed(own_postgres: OwnPostgres) -> None:
    async def main() -> None:
        c = await connect(own_postgres.dsn)
        with Gate(own_postgres) as gate:
            waiting = [asyncio.ensure_future(c.fetch(f"select {gate.sql}")) for _ in range(3)]
            await gate.reached()
            own_postgres.kill()
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, ConnectionLostError | AdminShutdownError) for each in found) or all(
            type(each).__module__.startswith("fastweb.postgres") for each in found
        )
        assert c.is_closed
        await c.close()

    run_with(main())


def test_closing(postgres: Postgres) -> None:
    async def main() -> None:
        c = await connect(postgres.dsn)
        waiting = asyncio.ensure_future(c.fetch("select pg_sleep(60)"))
        await asyncio.sleep(0)
        await c.close()
        with pytest.raises(ConnectionLostError, match="was closed"):
            await waiting
        await c.close()
        d = await connect(postgres.dsn)
        d.terminate()
        assert d.is_closed
        await d.close()

    run_with(main())


def test_a_codec_of_one_s_own_is_used_from_then_on(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        assert await c.fetch_value("select $1::int4", 5) == 5
        c.shared.registry.set_codec("int4", encoder=str, decoder=lambda text: f"number {text}")
        assert await c.fetch_value("select $1::int4", 5) == "number 5"
        assert await c.fetch_value("select $1::int4 + 1", 5) == "number 6"

    run(postgres.dsn, main)


def test_a_class_needs_a_text(postgres: Postgres) -> None:
    async def main(c: Connection) -> None:
        with pytest.raises(TypeError, match="expected SQL as a str"):
            await c.fetch(int)  # type: ignore[call-overload]

    run(postgres.dsn, main)


@pytest.mark.parametrize(("keywords", "sleeps"), [({"busy_poll": 60}, False), ({"busy_poll": 0}, True)])
def test_an_answer_is_waited_for_awake(postgres: Postgres, keywords: dict[str, Any], sleeps: bool) -> None:
    waits: list[float | None] = []

    class Selector(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> Any:
            waits.append(timeout)
            return super().select(timeout)

    async def main(c: Connection) -> None:
        assert await c.fetch_value("select 1") == 1
        waits.clear()
        for _ in range(20):
            assert await c.fetch_value("select 1") == 1
        assert any(each != 0 for each in waits) is sleeps

    run(postgres.dsn, main, lambda: asyncio.SelectorEventLoop(Selector()), **keywords)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=list(LOOPS))
def test_a_server_that_does_not_answer_is_not_polled_for_long(
    postgres: Postgres, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main(c: Connection) -> None:
        assert await c.fetch_value("select 1") == 1
        began = time.process_time()
        await c.execute("select pg_sleep(2)")
        # Of this process, however busy the machine is.
        assert time.process_time() - began < 0.5

    run(postgres.dsn, main, loop)
