"""What a SQL text is: tables of texts and what is to be found; the allowlist against the running server."""

from __future__ import annotations

import time

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweb.postgres import statements
from fastweb.postgres.statement_words import FUNCTIONS, KEYWORDS, OPEN_KEYWORDS
from fastweb.postgres.statements import Kind, kind_of
from tests.postgres.make_statement_words import KEYWORDS as SELECT_KEYWORDS
from tests.postgres.make_statement_words import REASONED, VOLATILE
from tests.postgres.servers import Postgres

READS = [
    "select 1",
    "SELECT 1;",
    " /* a /* nested */ one */ -- and\n select 1 -- ; delete from t",
    "(select 1) union (select 2) order by 1",
    "values (1, 'a'), (2, $$b$$)",
    "table t",
    "show server_version",
    "SELECT name, count(*) FROM t WHERE id = $1 AND x IN (1, 2) GROUP BY name HAVING (count(*) > 1)",
    "select now(), random(), gen_random_uuid(), clock_timestamp(), current_date, localtime(3)",
    "select Lower(x), upper (x), pg_catalog.length(x), coalesce(a, b), extract(year from d) from t",
    "select cast(x as numeric(10, 2)), x::varchar(3), y::public.vector(3), cast(z as vector(3)) from t",
    "select x::character varying(10), x at time zone ('UTC') from t",
    "select * from generate_series(1, 3) g(i), unnest($1::int[]) with ordinality as u(a, b)",
    "select * from (values (1, 2)) v(a, b) join (select 1 as a) as w(a) using (a)",
    "select * from some_table t(a, b), s.other o(c)",
    'select * from "Some" as "T"("A")',
    "with t as (select 1), u(a, b) as (select 1, 2), v(a) as (values (1)) select * from t, u, v",
    "with recursive t(n) as (values (1) union all select n + 1 from t where n < 9) select sum(n) from t",
    "with t(a) as materialized (select 1), u(b) as not materialized (select 2) select * from t, u",
    "select rank() over (partition by (a) order by (b)) from t",
    "select count(*) filter (where x) over w from t window w as ()",
    "select a from t group by grouping sets ((a), ()) order by (a) limit (1) offset (2) fetch first row only",
    "select a from t group by rollup (a)",
    "select array(select 1), row(1, 2), exists (select 1), 1 = any (array[1]), not (true)",
    "select a[lower(b)] from t",
    "select substring(x from 2 for 3), position('a' in x), trim(both from x) from t",
    "select overlay(x placing y from 1 for 2) from t",
    "select 'it''s; set x', E'it\\'s', U&'d\\0061t', B'1', X'1F', n'x', \"in\"\"to\", $a$ $b$; drop $a$, $1",
    "select 'a' 'b' /* ; */ , date '2020-01-01'",
    "select * from t where note = 'select f()' and \"f\" = 1",
    "select * from t tablesample system (10)",
    "select json_agg(t) from t join lateral (select 1) l on (true)",
    "select distinct on (a) lower(b) from t",
    "select 1from t",
    "select a, größe from t",
    "select 1 ; ; ",
    "select * from t where (a, b) > (1, 2) and c between (1) and (2) and d like ('x' || '%')",
    "select count(distinct (a)) from t left join u on (t.id = u.id) where t.x is distinct from (1)",
]

WRITES = [
    "insert into t (a, b) values ($1, lower($2)) returning id",
    "insert into s.t (a) select b from u on conflict (a) do update set (a, b) = (1, excluded.b)",
    'INSERT INTO "T" ("a") VALUES (default)',
    "insert into t as x (a) values (now())",
    "update t set a = a + 1, b = coalesce(b, 'x') where id = any ($1)",
    "update only t set (a, b) = (select 1, 2) from u where t.id = u.id",
    "delete from t using u where t.id = u.id returning t.*",
    "merge into t using s on (t.id = s.id) when matched then update set a = 1"
    " when not matched then insert (a) values (1)",
    "with d as (delete from t returning *) select * from d",
    "with d as (insert into t (a) values (1) returning *) select count(*) from d",
    "with s as (select 1) insert into t select * from s",
    "select * from t for update",
    "select * from t for no key update skip locked",
    "select * from t for share of t nowait",
    "select * from t FOR /* really */ KEY SHARE",
    "select * from (select * from t for update) u",
    "select pg_notify($1, $2)",
    "select pg_sleep(1)",
    "select pg_advisory_xact_lock(1)",
    "notify channel, 'x'",
    "truncate t",
    "drop table t",
    "alter table t add check (a > 0)",
    "vacuum t",
    "explain select 1",
    "explain (analyze, buffers) select now()",
    "explain analyze verbose update t set a = 1",
    "commit prepared 'x'",
    "rollback prepared 'x'",
    "select 1; select 2",
    "insert into t values (1); select 1",
    "",
    "-- nothing",
    "refresh materialized view v",
]

SESSIONS = [
    "set search_path to x",
    "SET LOCAL x = 1",
    "reset all",
    "listen c",
    "unlisten *",
    "create temp table t (a int)",
    "create table t (a int)",
    "prepare p as select 1",
    "deallocate all",
    "discard all",
    "declare c cursor with hold for select 1",
    "load 'x'",
    "do $$ begin perform 1; end $$",
    "call p()",
    "execute p(1)",
    "select my_function()",
    "select * from my_function(1) as f",
    "select my.lower('x')",
    'select "Lower"(x) from t',
    'select "select"(x) from t',
    "select set_config('a', 'b', false)",
    "SELECT\n nextval\n ('s')",
    "select nextval('s'::regclass)",
    "select pg_catalog.nextval('s')",
    "select \"nextval\"('s')",
    "select pg_catalog.\"nextval\"('s')",
    "select x.pg_catalog.lower(1)",
    "select nextval/* here */('s')",
    "select nextval--here\n('s')",
    "select pg_advisory_lock(1)",
    "select pg_try_advisory_lock(1)",
    "select currval('s'), lastval(), setval('s', 1)",
    "select dblink_exec('x')",
    "select * from dblink('x') as (a int, b text)",
    "select a, f(x) as (b) from t",
    "select distinct on (a) nextval('s') from t",
    "select lower(x), upper(f(x)) from t",
    "select case when f(1) then 2 end",
    "select a from t where f(a)",
    "select a from t order by f(a)",
    "select a, f(b) over (order by a) from t",
    "select (f(a)) from t",
    "select -f(a), a || f(b), not f(a), a in (f(b)) from t",
    "select all f(x)",
    "select größe(1)",
    "select _f(1)",
    "select Kill(1)",
    "select * from rows from (generate_series(1, 2), f(1)) as t(a, b)",
    "select * from t join conflict on conflict(a, b)",
    "select set(1), over(1), filter(1), by(1), zone(1)",
    "with t as (select f()) select 1",
    "with t(a) as (select 1) select * from t, f(1) as (a int)",
    "select * into t from u",
    "select 1 into temp t",
    "with x as (select 1) select * into temp t from x",
    "insert into t (a) values (nextval('s'))",
    "insert into t select f(1)",
    "insert into t default values returning f(a)",
    "update t set a = f(a)",
    "explain analyze select f(1)",
    "explain execute p",
    "explain create table t as select 1",
    "create function f() returns int language sql begin atomic select 1; select 2; end",
    "create rule r as on insert to t do also (delete from u; delete from v)",
    "select 1; set x = 1",
    "begin; set x = 1; commit",
    # Where a string ends depends on a setting, or on what stands in the line before.
    "select 'a\\', f(1), '",
    "select 'a\\'', 1",
    "select e'a'\n'b\\'||nextval(c)||'",
    # Nothing ends it.
    "select 'a",
    'select "a',
    "select $a$ b $A$",
    "select /* /* */ 1",
    "select 1 as \u212aill, kill(2)",
]

TRANSACTIONS = [
    "begin",
    "BEGIN ISOLATION LEVEL SERIALIZABLE;",
    "start transaction",
    "commit",
    "end",
    "rollback",
    "rollback to savepoint a",
    "abort",
    "savepoint a",
    "release a",
    "prepare transaction 'x'",
    "begin; insert into t values (1)",
    "begin; select 1; commit and chain",
    "select 1; begin",
]

#: Scripts that end what they begin.
SCRIPTS = [
    ("begin; insert into t values (1); commit", Kind.WRITE),
    ("begin; insert into t values (1); rollback; select 1", Kind.WRITE),
    ("begin; insert into t values (1); commit and no chain", Kind.WRITE),
    ("begin; insert into t values (1); prepare transaction 'x'", Kind.WRITE),
    (
        "create function f() returns int language sql begin atomic select case when true then 1 end; end;"
        "begin; select 1; commit",
        Kind.SESSION,
    ),
]

COPIES = ["copy t from stdin", "COPY (select 1) TO STDOUT", "select 1; copy t to stdout"]

TABLE = [
    *((sql, Kind.READ) for sql in READS),
    *((sql, Kind.WRITE) for sql in WRITES),
    *((sql, Kind.SESSION) for sql in SESSIONS),
    *((sql, Kind.TRANSACTION) for sql in TRANSACTIONS),
    *SCRIPTS,
    *((sql, Kind.COPY) for sql in COPIES),
]


@pytest.mark.parametrize(("sql", "kind"), TABLE)
def test_kind(sql: str, kind: Kind) -> None:
    assert kind_of(sql) is kind
    assert kind_of(sql) is kind


def test_a_long_text_is_not_looked_at() -> None:
    filler = "1, " * statements.MOST_LOOKED_AT
    assert kind_of(f"select {filler} 1") is Kind.SESSION
    assert kind_of(f"copy t from stdin -- {filler}") is Kind.COPY
    assert f"select {filler} 1" not in statements.known


def test_what_is_kept_is_bounded() -> None:
    for number in range(statements.MOST_KEPT + 10):
        assert kind_of(f"select {number} as bounded") is Kind.READ
    assert len(statements.known) <= statements.MOST_KEPT


@pytest.mark.parametrize(
    "piece", ["'", '"', "(", ")", "/*", "*/", "$a$", "$", "e'\\", "''", ";", "f(", "with a(b) as ("]
)
def test_reading_is_linear(piece: str) -> None:
    """A text of the greatest length takes as long as one of a quarter of it, times four, roughly."""

    def seconds(size: int) -> float:
        sql = "select " + piece * (size // len(piece))
        times = []
        for _ in range(5):
            begun = time.process_time()
            statements._worst(sql)
            times.append(time.process_time() - begun)
        return min(times)

    # Quadratic would be 64 times as much.
    assert seconds(64_000) < 25 * seconds(8_000) + 0.01


PIECES = st.sampled_from(
    [
        *(
            "select",
            "f",
            "(",
            ")",
            ",",
            ";",
            "'",
            '"',
            "$a$",
            "$$",
            "/*",
            "*/",
            "--",
            "\n",
            "E'",
            "\\'",
            "with",
        ),
        *("as", "into", "for", "update", "begin", "1", ".", "::", "distinct", "on"),
    ]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=40))
def test_any_text_has_a_kind(pieces: list[str]) -> None:
    assert isinstance(statements._worst(" ".join(pieces)), Kind)
    assert isinstance(statements._worst("".join(pieces)), Kind)


def test_the_allowlist_is_as_the_server_says(any_postgres: Postgres) -> None:
    """No function on the list is volatile on this server, but those about which we have thought; the words
    are its key words. A version that knows more is no error: what is not listed has a connection of its
    own."""
    with psycopg.connect(any_postgres.conninfo()) as connection:
        volatile = {name for (name,) in connection.execute(VOLATILE)}
        keywords: dict[str, str] = dict(connection.execute(SELECT_KEYWORDS).fetchall())
    assert FUNCTIONS & volatile - REASONED == set()
    assert REASONED <= FUNCTIONS
    if any_postgres.version in (15, 16, 18):
        assert set(keywords) - KEYWORDS == set()
        open_words = {word for word, code in keywords.items() if code == "U"}
        assert open_words - OPEN_KEYWORDS == set()
