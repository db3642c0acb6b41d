"""The text of COPY statements: what is quoted, and what is refused."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from fastweb.postgres.copy_statement import (
    copy_in_statement,
    copy_out_statement,
    is_query,
    is_statement,
    quote_ident,
    quote_literal,
    table_name,
)
from fastweb.postgres.errors import InterfaceError
from tests.postgres.servers import Postgres


@pytest.mark.parametrize(
    ("table", "quoted"),
    [
        ("users", '"users"'),
        ("Users", '"Users"'),
        (" app.users ", '"app"."users"'),
        ("a.b.c", '"a"."b"."c"'),
        ("été", '"été"'),
        ('"a ""b"" . c"', '"a ""b"" . c"'),
        ('app."select x"', '"app"."select x"'),
        ("select", '"select"'),
        ("tab$1", '"tab$1"'),
        (("app", "a.b; drop"), '"app"."a.b; drop"'),
        (('x"y',), '"x""y"'),
    ],
)
def test_table_names(table: Any, quoted: str) -> None:
    assert table_name(table) == quoted


@pytest.mark.parametrize(
    "table",
    [
        "",
        "a b",
        "a;b",
        "1a",
        "a.",
        ".a",
        "a.b.c.d",
        'a"b',
        '""',
        "a-b",
        "a\0",
        (),
        ("",),
        ("a", "b", "c", "d"),
        ("a\0",),
        5,
        None,
        ("a", 5),
    ],
)
def test_what_is_no_name(table: Any) -> None:
    with pytest.raises(InterfaceError, match="not "):
        table_name(table)


@pytest.mark.parametrize(
    ("source", "query"),
    [
        ("select 1", True),
        (" SELECT\n1", True),
        ("(select 1)", True),
        ("with a as (select 1) table a", True),
        ("VALUES (1)", True),
        ("insert into a values (1) returning *", True),
        ("-- all\nselect 1", True),
        ("/* all */ select 1", True),
        ("select", False),
        ("selected", False),
        ("with", False),
        ("values", False),
        (("select", "1"), False),
    ],
)
def test_queries(source: Any, query: bool) -> None:
    assert is_query(source) is query


def test_statements() -> None:
    assert is_statement(" copy a (b)\nfrom stdin (format csv)")
    assert is_statement("COPY (select 1) TO STDOUT")
    assert not is_statement("copy")
    assert not is_statement("copy a from 'file'")
    assert not is_statement(("copy a from stdin",))


@pytest.mark.parametrize(
    ("columns", "format", "options", "text"),
    [
        (None, None, {}, "FROM STDIN"),
        (["a", 'B"'], "binary", {}, '("a", "B""") FROM STDIN WITH (format binary)'),
        (None, "csv", {"header": True}, "FROM STDIN WITH (format csv, header true)"),
        (None, "csv", {"header": "match"}, "FROM STDIN WITH (format csv, header match)"),
        (None, None, {"freeze": False}, "FROM STDIN WITH (freeze false)"),
        (None, None, {"delimiter": "'", "null": "\\N"}, "FROM STDIN WITH (delimiter '''', null  E'\\\\N')"),
        (
            None,
            "csv",
            {"force_null": "*", "force_not_null": ["a"]},
            'FROM STDIN WITH (format csv, force_null *, force_not_null ("a"))',
        ),
        (
            None,
            None,
            {"on_error": "ignore", "reject_limit": 5},
            "FROM STDIN WITH (on_error ignore, reject_limit 5)",
        ),
        (None, None, {"where": "a > 5", "null": None}, "FROM STDIN WHERE a > 5"),
    ],
)
def test_copy_in(columns: Any, format: Any, options: Any, text: str) -> None:
    assert copy_in_statement("t", columns, format, options) == f'COPY "t" {text}'


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("t", "a", None, {}), InterfaceError, "columns: expected a list"),
        (("t", [], None, {}), InterfaceError, "columns: expected a list"),
        (("t", None, "xml", {}), InterfaceError, "format: expected text, csv or binary"),
        (("t", None, None, {"separator": ","}), TypeError, "no option separator"),
        (("t", None, None, {"force_quote": "*"}), TypeError, "no option force_quote here"),
        (("t", None, None, {"header": 1}), InterfaceError, "header: expected True or False"),
        (("t", None, None, {"null": 5}), InterfaceError, "not a text"),
        (("t", None, None, {"null": "\0"}), InterfaceError, "not a text"),
        (("t", None, None, {"force_null": "a"}), InterfaceError, "force_null: expected a list"),
        (("t", None, None, {"on_error": "x"}), InterfaceError, "on_error: expected one of"),
        (("t", None, None, {"reject_limit": 0}), InterfaceError, "above zero"),
        (("copy t from stdin", ["a"], None, {}), InterfaceError, "a whole COPY statement"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        copy_in_statement(*arguments)


def test_copy_out() -> None:
    assert copy_out_statement("t", ["a"], "csv", {"force_quote": "*"}) == (
        'COPY "t" ("a") TO STDOUT WITH (format csv, force_quote *)'
    )
    assert copy_out_statement("select 1 -- one; ", None, None, {}) == "COPY (select 1 -- one\n) TO STDOUT"
    assert copy_out_statement("copy t to stdout", None, None, {}) == "copy t to stdout"
    with pytest.raises(InterfaceError, match="a query has its own"):
        copy_out_statement("select 1", ["a"], None, {})
    with pytest.raises(TypeError, match="no option where here"):
        copy_out_statement("t", None, None, {"where": "x"})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(InterfaceError, match="a whole COPY statement"):
        copy_out_statement("copy t to stdout", None, "csv", {})


@pytest.mark.parametrize("text", ["a", "'", "\\", "\\'", "'; drop table t; --", 'a"b', "é\n\t"])
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_the_server_reads_what_was_quoted(postgres: Postgres, text: str, conforming: str) -> None:
    setting = f"set standard_conforming_strings = {conforming}"
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute(setting)
        row = connection.execute(f"select {quote_literal(text)} as {quote_ident(text)}".encode())
        assert row.description is not None
        assert (row.fetchone(), row.description[0].name) == ((text,), text)
