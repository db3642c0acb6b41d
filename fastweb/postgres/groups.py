"""Whether the rows of an `execute_many` may go in groups, several in one INSERT: what its text has to be, and
what its table (`fastweb._speedups.pg_batch` has why, and when the table is asked).

The text: `INSERT INTO table (columns) VALUES ($1, …, $n)`, each parameter once and in order, and nothing
else: no casts, no expressions, no RETURNING, no ON CONFLICT, no comments.

The table, so that nobody can tell 32 rows of one statement from 32 statements:

    an ordinary table          views, foreign and partitioned tables, and partitions have ways of their own
    no triggers of a user      they are called with a statement's rows, or see those before them
    no rules, no policies      (row-level security) they are put into the statement, and may look at the table
    no foreign key to itself   a row could refer to one behind it; the others are checked all the same
    no function that looks     a default or a check, of the table or of a domain, calls immutable functions,
    at table or statement      or those of PostgreSQL that are known for it: `now`, `nextval` …
    one table of that name     in the search path, where the name has no schema: a prepared INSERT goes on
                               with the one that it has found first
    READ COMMITTED             the catalogs tell what is so now, not what was when the transaction began

Uniqueness, NOT NULL, CHECK and the like are looked at row by row in both. Functions that are declared
IMMUTABLE are believed. What remains: where two rows of a group are wrong, another one may be complained of;
and what another changes amid a batch without a lock of the table (a function, a domain's check that is NOT
VALID, a table of that name earlier in the search path) is met at another row.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["Insert", "insert_of"]

#: Characters of a text beyond which it is not looked at.
_LONG: Final = 4096

_SPACE = r"[ \t\n\r\f\v]*+"
_NAME = r'(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*+(?!["\'&])|"[^"\\\x00]++")'
_INSERT = re.compile(
    rf"{_SPACE}INSERT[ \t\n\r\f\v]++INTO(?=[ \t\n\r\f\v\"]){_SPACE}({_NAME}(?:{_SPACE}(\.){_SPACE}{_NAME})?+)"
    rf"(?:{_SPACE}\({_SPACE}{_NAME}(?:{_SPACE},{_SPACE}{_NAME})*+{_SPACE}\))?+"
    rf"{_SPACE}(?<=[ \t\n\r\f\v\")])VALUES{_SPACE}"
    rf"\(({_SPACE}\$[0-9]{{1,5}}+{_SPACE}(?:,{_SPACE}\$[0-9]{{1,5}}+{_SPACE})*+)\){_SPACE}(?:;{_SPACE})?+\Z",
    re.IGNORECASE | re.ASCII,
)

_COMPARED: Final = ("eq", "ne", "lt", "le", "gt", "ge", "cmp")
#: Functions that are not immutable, and give the same to rows of a group as to rows that go alone.
_FUNCTIONS: Final = (
    *("nextval", "currval", "lastval", "random", "gen_random_uuid", "uuidv4", "uuidv7"),
    *("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_random_bytes", "gen_salt"),
    *("now", "transaction_timestamp", "clock_timestamp", "timeofday", "timezone", "date_trunc", "date_part"),
    *("extract", "to_char", "to_timestamp", "to_date", "to_number", "date", "time", "timetz"),
    *("timestamp", "timestamptz", "make_timestamptz", "timestamptz_pl_interval", "timestamptz_mi_interval"),
    *(f"timestamptz_{sign}_{kind}" for sign in _COMPARED for kind in ("date", "timestamp")),
    *(f"{kind}_{sign}_timestamptz" for sign in _COMPARED for kind in ("date", "timestamp")),
    *("current_user", "session_user", "getpgusername", "current_database", "current_schema"),
    *("current_setting", "concat", "concat_ws", "format", "array_to_string", "to_tsvector"),
)

# OFFSET 0 keeps the question in one place. A stored expression (pg_node_tree) names its functions by oid;
# what is written in 12 and 13, the languages `internal` and `c`, nobody but a superuser makes.
_QUESTION: Final = """
SELECT CASE WHEN $1 THEN 1 / q.answer::pg_catalog.int4 = 1 ELSE q.answer END FROM (
SELECT coalesce((
SELECT c.relkind = 'r' AND NOT (c.relispartition OR c.relhasrules OR c.relrowsecurity)
 AND pg_catalog.current_setting('transaction_isolation') IN ('read committed', 'read uncommitted')
 AND NOT (c.relhastriggers AND EXISTS (
  SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal))
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.confrelid = c.oid)
 AND NOT EXISTS (
  SELECT FROM (
   SELECT d.adbin::pg_catalog.text FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid
   UNION ALL
   SELECT k.conbin::pg_catalog.text FROM pg_catalog.pg_constraint k
    WHERE k.conrelid = c.oid AND k.contype = 'c'
   UNION ALL
   SELECT y.typdefaultbin::pg_catalog.text
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid >= 16384
   UNION ALL
   SELECT k.conbin::pg_catalog.text FROM pg_catalog.pg_constraint k
    WHERE k.contypid > 0 AND k.contype = 'c'
  ) e (tree)
  CROSS JOIN LATERAL pg_catalog.regexp_matches(e.tree, ':(?:op)?funcid ([0-9]+)', 'g') m (found)
  JOIN pg_catalog.pg_proc f ON f.oid = m.found[1]::pg_catalog.oid
  WHERE f.provolatile <> 'i'
   AND NOT (f.prolang IN (12, 13) AND f.proname = ANY ('{%s}'::pg_catalog.name[])))
%s FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass('%s')
), false) OFFSET 0) q (answer)"""
_ONE_OF_THAT_NAME: Final = """ AND 1 = (
  SELECT pg_catalog.count(*) FROM pg_catalog.pg_class s
   WHERE s.relname = c.relname AND s.relnamespace IN (
    SELECT n.oid FROM pg_catalog.pg_namespace n
     WHERE n.nspname = ANY (pg_catalog.current_schemas(true))))
"""


class Insert:
    """A plain INSERT.

    Arguments:
        head: its text up to VALUES.
        parameters: how many it has.
        question: SQL that gives one boolean, true where rows may go in groups. Its parameter is a boolean,
            too: whether to fail with a division by zero instead of saying no.
    """

    __slots__ = ("_groups", "head", "parameters", "question")

    def __init__(self, head: str, parameters: int, question: str) -> None:
        self.head = head
        self.parameters = parameters
        self.question = question
        self._groups: dict[int, str] = {}

    def group(self, rows: int) -> str:
        """The text for so many rows."""
        if rows not in self._groups:
            one = self.parameters
            tuples = [range(row * one + 1, (row + 1) * one + 1) for row in range(rows)]
            written = ["(" + ", ".join(f"${number}" for number in numbers) + ")" for numbers in tuples]
            self._groups[rows] = f"{self.head} {', '.join(written)}"
        return self._groups[rows]


@lru_cache(maxsize=256)
def insert_of(sql: str) -> Insert | None:
    """What a text says of its table and its parameters; None where it is no plain INSERT. It is linear.

    Arguments:
        sql: one statement.
    """
    if len(sql) > _LONG:
        return None
    found = _INSERT.match(sql)
    if found is None or "'" in found[1]:
        return None
    parameters = [word.strip() for word in found[3].split(",")]
    if parameters != [f"${number}" for number in range(1, len(parameters) + 1)]:
        return None
    only = "" if found[2] else _ONE_OF_THAT_NAME
    question = _QUESTION % (",".join(_FUNCTIONS), only, found[1])
    return Insert(sql[: found.start(3) - 1].rstrip(), len(parameters), question)
