"""What whoever asks in a wrong way is told, against a real server: by a connection and by a pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fastweb.models import BaseModel
from fastweb.postgres import PgPool, connect
from fastweb.postgres.errors import InterfaceError, PostgresError, PostgresSyntaxError
from tests.postgres.running import run
from tests.postgres.servers import Postgres


class User(BaseModel):
    id: int


def each(postgres: Postgres, ask: Callable[[Any], Any], check: Callable[[BaseException], None]) -> None:
    """Ask a pool and one of its connections, and look at what it raises; both go on."""

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool, pool.acquire() as connection:
            for who in (pool, connection):
                with pytest.raises(Exception) as caught:
                    await ask(who)
                check(caught.value)
                assert await who.fetch_value("select 2") == 2

    run(main())


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        *[
            (
                lambda who, name=name: getattr(who, name)(User, "select 1"),
                TypeError,
                "expected SQL as a str, got <class",
            )
            for name in ("fetch_value", "fetch_json", "execute")
        ],
        (lambda who: who.fetch_value(b"select 1"), TypeError, "expected SQL as a str, got b'select 1'"),
        (lambda who: who.execute(7, 8), TypeError, "expected SQL as a str, got 7"),
        (
            lambda who: who.fetch("select $1::int", [1]),
            TypeError,
            "$1 (int4): expected int for int4, got list; arguments follow the SQL one by one",
        ),
        (
            lambda who: who.fetch("select $1::int[]", ["a"]),
            TypeError,
            "$1 (int4[]): expected int for int4, got str",
        ),
        (
            lambda who: who.fetch("select $1::text[]", "a"),
            TypeError,
            "$1 (text[]): expected list for text[], got str",
        ),
        (
            lambda who: who.execute("select $1::int, $2::int", (1, 2)),
            InterfaceError,
            "the statement takes 2 arguments, and 1 came: select $1::int, $2::int",
        ),
        (
            lambda who: who.execute_many("select $1::int", 7),
            TypeError,
            "execute_many takes rows of arguments, such as a list of tuples: 'int' object is not iterable",
        ),
        (
            lambda who: who.execute_many("select $1::int", [7]),
            TypeError,
            "a row of arguments is a tuple or a list, in the order of $1, $2 …, not int: 7",
        ),
    ],
)
def test_arguments(postgres: Postgres, ask: Callable[[Any], Any], error: type[Exception], words: str) -> None:
    def check(found: BaseException) -> None:
        assert isinstance(found, error)
        assert str(found).startswith(words)

    each(postgres, ask, check)


def test_a_subclass_of_str(postgres: Postgres) -> None:
    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "select 'another'"

    async def main() -> None:
        async with PgPool(postgres.dsn, 1, 2) as pool, pool.acquire() as connection:
            for who in (pool, connection):
                assert await who.fetch_value(Text("select 1")) == 1
                assert await who.fetch(Text("select 1 as n")) == [(1,)]
                assert await who.execute(Text("select 1")) == "SELECT 1"

    run(main())


@pytest.mark.parametrize(
    "sql",
    [
        "select * from pg_class where oid = %s",
        "select * from pg_class where oid=%(oid)s",
        "select * from pg_class where oid = :oid",
        "select * from pg_class where oid = ? and relname = ?",
        "select * from pg_class limit ?",
        "select 1 where 1 in (:a)",
        "select 1 where 1 in (?)",
    ],
)
def test_parameters_as_others_write_them(postgres: Postgres, sql: str) -> None:
    def check(found: BaseException) -> None:
        assert isinstance(found, PostgresSyntaxError)
        assert getattr(found, "__notes__", None) == [
            "parameters are written $1, $2 …, and their values given in that order"
        ]

    each(postgres, lambda who: who.fetch(sql, 1), check)


@pytest.mark.parametrize(
    "sql", ["selec 1", "select '?' 1", "select 1 % 2 3", "select 1::int4 :: int4 int4", ""]
)
def test_other_errors_have_no_note(postgres: Postgres, sql: str) -> None:
    def check(found: BaseException) -> None:
        assert not hasattr(found, "__notes__")

    each(postgres, lambda who: who.fetch(sql + " from from"), check)


@pytest.mark.parametrize(
    ("sql", "made", "sqlstate"),
    [
        ("create table if not exists twice (id int)", "table twice", "23505"),
        ("create type twice as (id int)", "type twice", "23505"),
        ("create or replace function twice() returns int return 2", "function twice", "XX000"),
    ],
)
def test_what_two_sessions_make_at_once_is_told(
    postgres: Postgres, sql: str, made: str, sqlstate: str
) -> None:
    """As two workers do, whose app makes its tables at start-up."""

    async def main() -> None:
        async with await connect(postgres.dsn) as first, await connect(postgres.dsn) as second:
            if sqlstate == "XX000":
                await first.execute(sql)
            transaction = first.transaction()
            await transaction.start()
            await first.execute(sql)
            late = asyncio.ensure_future(second.execute(sql))
            waits = "select count(*) from pg_locks where not granted and pid = $1"
            while not await first.fetch_value(waits, second.process_id):  # noqa: ASYNC110 - the server's
                await asyncio.sleep(0.01)
            await transaction.commit()
            with pytest.raises(PostgresError) as raised:
                await late
            assert raised.value.sqlstate == sqlstate
            [note] = raised.value.__notes__
            assert "`fastweb run --startup module:function`" in note
            assert "pg_advisory_xact_lock" in note
            await first.execute(f"drop {made}")

    run(main())
