"""Makes fastweb/postgres/statement_words.py of the catalogs of real servers, of several versions at best:

python -m tests.postgres.make_statement_words "host=… port=…" "host=… port=…"
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import psycopg

MADE = Path(__file__).resolve().parents[2] / "fastweb" / "postgres" / "statement_words.py"

#: Functions that are immutable or stable by all their overloads, and that a user would call: no parts of
#: types, operators, indexes, triggers.
HARMLESS = """
    select proname from pg_proc as one
    where pronamespace = 'pg_catalog'::regnamespace
      and prokind in ('f', 'a', 'w') and provolatile in ('i', 's')
      and not exists (
        select from pg_proc as other
        where other.proname = one.proname and other.pronamespace = one.pronamespace
          and (other.provolatile = 'v' or other.prokind = 'p'))
      and not exists (
        select from pg_description
        where objoid = one.oid and classoid = 'pg_proc'::regclass and description like 'implementation of %')
      and prorettype <> all ('{cstring,internal,trigger,event_trigger}'::regtype[])
      and not (proargtypes::oid[] && '{cstring,internal}'::regtype[]::oid[])
"""
VOLATILE = """
    select distinct proname from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and (provolatile = 'v' or prokind = 'p')
"""
KEYWORDS = "select word, catcode::text from pg_get_keywords()"

#: Said to be volatile, because each call gives something else: that harms nobody.
REASONED = frozenset(
    (
        *("array_sample", "array_shuffle", "clock_timestamp", "gen_random_uuid", "pg_is_in_recovery"),
        *("random", "random_normal", "timeofday", "uuidv4", "uuidv7"),
    )
)
#: Said to be stable, and no plain reads all the same: they give the transaction a number, which is a write.
NOT_PLAIN = frozenset(("pg_current_xact_id", "txid_current"))


def is_plain(name: str) -> bool:
    # table_to_xml and its kin read what is in a table or a schema, whatever that is.
    return name not in NOT_PLAIN and "_to_xml" not in name


def words_of(connection: psycopg.Connection[Any]) -> tuple[set[str], set[str], set[str]]:
    """Functions, all keywords and those that are not reserved in any way, of one server."""
    functions = {name for (name,) in connection.execute(HARMLESS) if is_plain(name)}
    keywords = dict(connection.execute(KEYWORDS).fetchall())
    return functions, set(keywords), {word for word, code in keywords.items() if code == "U"}


def in_lines(name: str, what: str, words: set[str]) -> str:
    text = textwrap.fill(" ".join(sorted(words)), 110)
    return f'_{name} = """\n{text}\n"""\n#: {what}\n{name}: Final = frozenset(_{name}.split())\n'


def source(conninfos: list[str]) -> str:
    functions, keywords, unreserved, versions = set(REASONED), set(), set(), []
    for conninfo in conninfos:
        with psycopg.connect(conninfo) as connection:
            found = words_of(connection)
            volatile = {name for (name,) in connection.execute(VOLATILE)} - REASONED
            versions.append(connection.info.server_version // 10000)
        functions = (functions | found[0]) - volatile
        keywords |= found[1]
        unreserved |= found[2]
    of = ", ".join(str(version) for version in sorted(versions))
    return "\n".join(
        (
            f'"""PostgreSQL\'s own functions that are harmless, and its key words: of the versions {of}.\n',
            "Made by tests/postgres/make_statement_words.py, which says what is in it; the tests hold it to",
            'the running server.\n"""\n',
            "from __future__ import annotations\n\nfrom typing import Final\n",
            '__all__ = ["FUNCTIONS", "KEYWORDS", "OPEN_KEYWORDS"]\n',
            in_lines("FUNCTIONS", "What a plain read may call.", functions),
            in_lines("KEYWORDS", "All key words.", keywords),
            in_lines("OPEN_KEYWORDS", "Those of which a function may have the name.", unreserved),
        )
    )


if __name__ == "__main__":
    MADE.write_text(source(sys.argv[1:]))
