"""What a SQL text is, as far as sharing a connection is concerned: read off its words, before it is sent.

    READ         a plain read: it sees the database and nothing of the session, changes neither, and waits
                 for no lock. SELECT, VALUES, TABLE, SHOW, WITH: without a part that writes, INTO, FOR UPDATE
                 …, and without functions beyond an allowlist. The only kind that shares a connection.
    WRITE        has a connection to itself, and leaves nothing in it: INSERT, UPDATE, DELETE, MERGE, NOTIFY …
    SESSION      leaves something in its session, or may: SET, LISTEN, CREATE TEMP TABLE, PREPARE, DO, CALL,
                 a function that nobody knows (it may call set_config), and every command that is not known
                 to leave nothing.
    TRANSACTION  begins or ends a transaction, which is of no use on a connection borrowed for one statement.
    COPY         talks in its own sub-protocol.

The rule for doubt: what is not certainly harmless is not READ. The cost of a mistake in this direction is a
connection of its own for a statement that could have shared one, and a reset that travels with the next
write. In the other direction a mistake remains possible, by what no text shows: a view, an operator, a cast,
a column's default or a trigger may call anything, and `row.f` may be a call of f. Who has such a read, slow
or with effects, says `share=False`; who knows a function of his to be harmless says `share=True`.

The lexer follows PostgreSQL's (src/backend/parser/scan.l; manual: "Lexical Structure"): nested comments,
'…' and its kin E'…', B'…', U&'…', dollar quotes, quoted identifiers, and several statements in a text. It
is linear. Where `standard_conforming_strings` is off, or an E'…' goes on in another line, a backslash before
a quote would end a string elsewhere: a text with one of those is SESSION.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from fastweb.postgres.statement_words import FUNCTIONS, KEYWORDS, OPEN_KEYWORDS

__all__ = ["Kind", "kind_of", "known"]


class Kind(Enum):
    """What a text is: the worst of its statements. In this order, a pool can do less and less with it."""

    READ = "read"
    WRITE = "write"
    SESSION = "session"
    TRANSACTION = "transaction"
    COPY = "copy"


#: Characters of a text beyond which it is not looked at, and taken for SESSION: half a millisecond's worth.
MOST_LOOKED_AT: Final = 8192
#: Answers that are kept.
MOST_KEPT: Final = 4096

#: One token, and the white space before it. PostgreSQL takes every byte above 127 for a letter.
_TOKEN = re.compile(
    r"""
    (?: [ \t\n\r\f\v]++ | --[^\n\r]*+ )*+
    (?:
      ( [A-Za-z_\x80-\U0010ffff] [A-Za-z0-9_$\x80-\U0010ffff]*+ (?! ['"&] ) )          # 1: a word
    | ( :: | (?! /\* ) [^'"$0-9A-Za-z_\x80-\U0010ffff] )                               # 2: a symbol
    | ( \$?+ [0-9]++ )  # 3: a number, a parameter
    | [eE]' (?: [^'\\] | \\. | '' )*+ (')                                             # 4: E'…'
    | (?: [bBxXnN] | [uU]& )?+ ( ' (?: [^'] | '' )*+ ' )                              # 5: '…', B'…', U&'…'
    | ( (?: [uU]& )?+ " (?: [^"] | "" )*+ " )                                         # 6: "…", U&"…"
    | ( \$ (?: [A-Za-z_\x80-\U0010ffff] [A-Za-z0-9_\x80-\U0010ffff]*+ )?+ \$ )        # 7: $…$
    | ( /\* )                                                                         # 8: a comment
    | ( [A-Za-z_\x80-\U0010ffff] [A-Za-z0-9_$\x80-\U0010ffff]*+ )  # 9: a word before a quote
    | ( \Z )                                                                          # 10: the end
    | ( \$ )                                                                          # 11: a symbol
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")

#: What the allowlist lacks because it writes, waits or is not the same twice, and that leaves the session as
#: it was: these do not make a statement SESSION. The locks among them end with their statement.
LEAVES_NOTHING: Final = frozenset(
    (
        *("pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"),
        *("pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared"),
        *("pg_cancel_backend", "pg_terminate_backend", "pg_reload_conf", "pg_switch_wal"),
        *("pg_notify", "pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_current_xact_id", "txid_current"),
    )
)

_READS = frozenset(("select", "values", "table", "with", "show"))
_WRITES = frozenset(("insert", "update", "delete", "merge"))
#: Commands that leave nothing in the session. CREATE is not among them: it makes temporary tables, too.
_COMMANDS = frozenset(
    (
        *("alter", "analyse", "analyze", "checkpoint", "cluster", "comment", "drop", "grant", "notify"),
        *("refresh", "reindex", "revoke", "truncate", "vacuum"),
    )
)
_TRANSACTION = frozenset(("begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"))
_LOCKS = frozenset(("update", "share", "no", "key"))

#: Words that are no names of functions although PostgreSQL would allow it, where they stand behind one of
#: these and before a parenthesis.
_SYNTAX: Final[dict[str, frozenset[str]]] = {
    "by": frozenset(("group", "order", "partition")),
    "columns": frozenset(("'", ")")),
    "cube": frozenset(("by",)),
    "filter": frozenset((")",)),
    "insert": frozenset(("then",)),
    "materialized": frozenset(("as", "not")),
    "over": frozenset((")",)),
    "rollup": frozenset(("by",)),
    "set": frozenset(("update",)),
    "sets": frozenset(("grouping",)),
    "varying": frozenset(("bit", "char", "character")),
    "zone": frozenset(("time",)),
}
#: Before a name and a parenthesis: the name is a table's, a type's, an alias's.
_BEFORE_NO_CALL = frozenset(("into", "as", "::", "tablesample", "ordinality", "with", "recursive"))
#: What a name in a list of CTEs is followed by, behind its columns, AS and a parenthesis.
_BEGINS_QUERY = frozenset(("select", "with", "table", "("))

#: The answers so far.
known: dict[str, Kind] = {}


def kind_of(sql: str) -> Kind:
    """What a SQL text is; the answer is kept for the next time.

    Arguments:
        sql: one or several statements, with or without parameters ($1 …).
    """
    kind = known.get(sql)
    if kind is None:
        if not isinstance(sql, str):
            raise TypeError(f"expected SQL as a str, got {sql!r:.100}")
        if len(sql) > MOST_LOOKED_AT:
            return _kind_of_long(sql)
        kind = _worst(sql)
        if len(known) >= MOST_KEPT:
            del known[next(iter(known))]
        known[sql] = kind
    return kind


def _kind_of_long(sql: str) -> Kind:
    """A text too long to look at. Its first word tells COPY; a transaction left open is found afterwards."""
    words, _ = _words_of(sql[:MOST_LOOKED_AT])
    return Kind.COPY if words[:1] == ["copy"] else Kind.SESSION


def _words_of(sql: str) -> tuple[list[str], bool]:
    """The tokens of a text, and whether they can be relied upon.

    Words are in lower case; quoted identifiers begin with `"`, strings are `'`, numbers and parameters `0`.
    """
    words: list[str] = []
    add = words.append
    match = _TOKEN.match
    at = 0
    sure = True
    while found := match(sql, at):
        at = found.end()
        kind = found.lastindex
        text = found[kind or 0]
        if kind in (1, 9):
            # PostgreSQL's own rule for what is beyond ASCII depends on its locale.
            add(text.lower() if text.isascii() else text)
        elif kind in (2, 11):
            add(text)
        elif kind == 3:
            add("0")
        elif kind == 4:
            add("'")
        elif kind == 5:
            sure = sure and "\\'" not in text
            add("'")
        elif kind == 6:
            add(text if text[0] == '"' else '"')
        elif kind == 7:
            end = sql.find(text, at)
            if end < 0:
                return words, False
            at = end + len(text)
            add("'")
        elif kind == 8:
            depth = 1
            while depth:
                mark = _COMMENT_MARK.search(sql, at)
                if mark is None:
                    return words, False
                depth += 1 if mark[0] == "/*" else -1
                at = mark.end()
        else:
            return words, sure
    # A quote that nothing ends; PostgreSQL will say so.
    return words, False


def _worst(sql: str) -> Kind:
    """The kind of a text of one or several statements."""
    words, sure = _words_of(sql)
    statements = _statements(words)
    kinds = [_kind(statement) for statement in statements]
    if Kind.COPY in kinds:
        return Kind.COPY
    if len(statements) == 1:
        kind = kinds[0]
        return Kind.SESSION if not sure and kind in (Kind.READ, Kind.WRITE) else kind
    if _stays_open(statements):
        return Kind.TRANSACTION
    if not sure or Kind.SESSION in kinds:
        return Kind.SESSION
    return Kind.WRITE


def _statements(words: list[str]) -> list[list[str]]:
    """The words of each statement. A semicolon in parentheses (CREATE RULE … DO (…; …)) or in a body
    (CREATE FUNCTION … BEGIN ATOMIC …; END) is none between statements."""
    if ";" not in words:
        return [words]
    statements: list[list[str]] = []
    one: list[str] = []
    depth = body = 0
    before = ""
    for word in words:
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif word == "atomic" and before == "begin" and one[0] == "create":
            body = 1
        elif body and word == "case":
            body += 1
        elif body and word == "end":
            body -= 1
        if word == ";" and depth <= 0 and not body:
            if one:
                statements.append(one)
            one, depth = [], 0
        else:
            one.append(word)
        before = word
    if one:
        statements.append(one)
    return statements or [[]]


def _stays_open(statements: list[list[str]]) -> bool:
    """Whether a script leaves a transaction open that it has begun."""
    is_open = False
    for words in statements:
        first = words[0]
        if first in ("begin", "start"):
            is_open = True
        elif first in ("commit", "end", "rollback", "abort"):
            chained = "chain" in words and "no" not in words
            is_open = is_open and ("to" in words or chained)
        elif words[:2] == ["prepare", "transaction"]:
            is_open = False
    return is_open


def _kind(words: list[str]) -> Kind:
    """The kind of one statement."""
    first = next((word for word in words if word != "("), "")
    if first in _READS:
        return _kind_of_read(words)
    if first in _WRITES:
        return _kind_of_calls(words, Kind.WRITE)
    if first == "explain":
        rest = _explained(words)
        kind = _kind(rest) if rest[:1] and rest[0] in _READS | _WRITES | {"("} else Kind.SESSION
        return Kind.WRITE if kind is Kind.READ else kind
    if first in _TRANSACTION:
        prepared = len(words) > 1 and words[1] == "prepared"
        return Kind.WRITE if prepared and first in ("commit", "rollback") else Kind.TRANSACTION
    if first == "copy":
        return Kind.COPY
    if first == "prepare":
        return Kind.TRANSACTION if words[1:2] == ["transaction"] else Kind.SESSION
    if first in _COMMANDS:
        return _kind_of_calls(words, Kind.WRITE)
    return Kind.SESSION if first else Kind.WRITE


def _explained(words: list[str]) -> list[str]:
    """What follows EXPLAIN and its options, `(…)` or ANALYZE VERBOSE."""
    at = 1
    if words[1:2] == ["("] and words[2:3] != ["select"]:
        at = words.index(")") + 1 if ")" in words else len(words)
    while words[at : at + 1] and words[at] in ("analyze", "analyse", "verbose"):
        at += 1
    return words[at:]


def _kind_of_read(words: list[str]) -> Kind:
    kind = Kind.READ
    before = ""
    for word in words:
        if word == "into" and before not in ("insert", "merge"):
            # SELECT INTO makes a table, and it may be a temporary one.
            return Kind.SESSION
        if word in _WRITES:
            # A part of WITH that writes, or FOR UPDATE; where it is a column's name, no harm is done.
            kind = Kind.WRITE
        elif before == "for" and word in _LOCKS:
            kind = Kind.WRITE
        before = word
    return _kind_of_calls(words, kind)


def _kind_of_calls(words: list[str], kind: Kind) -> Kind:
    """The kind of a statement, given what it is but for the functions that it calls."""
    opened: list[int] = []
    closed: dict[int, int] = {}
    openers: dict[int, int] = {}
    for at, word in enumerate(words):
        if word == "(":
            opened.append(at)
        elif word == ")" and opened:
            start = opened.pop()
            closed[start] = at
            openers[at] = start
    for at, word in enumerate(words):
        if word == "(" and at and _is_call(words, at, closed, openers):
            name = words[at - 1]
            qualified = at > 2 and words[at - 2] == "."
            if name[0] == '"':
                name = name[1:-1]
            if not qualified or (words[at - 3] in ("pg_catalog", '"pg_catalog"') and words[at - 4] != "."):
                if name in FUNCTIONS:
                    continue
                if name in LEAVES_NOTHING:
                    kind = Kind.WRITE
                    continue
            return Kind.SESSION
    return kind


def _is_call(words: list[str], at: int, closed: dict[int, int], openers: dict[int, int]) -> bool:
    """Whether the word before the parenthesis at a place is a function's name, or might be."""
    name = words[at - 1]
    if not (name[0] == '"' or name[0] == "_" or name[0].isalpha() or not name.isascii()):
        return False
    start = at - 1
    while start > 1 and words[start - 1] == ".":
        start -= 2
    before = words[start - 1] if start else ""
    if start == at - 1:
        if name in KEYWORDS and name not in OPEN_KEYWORDS:
            # IN (…), VALUES (…), coalesce (…): none that anyone can define.
            return False
        if before in _SYNTAX.get(name, ()):
            return False
        if name == "conflict" and before == "on" and "insert" in words:
            return False
    if before in _BEFORE_NO_CALL:
        return False
    if start == at - 1:
        if before == ")":
            # FROM f(…) alias (a, b); but SELECT DISTINCT ON (…) f(…).
            opener = openers.get(start - 1)
            return opener is None or opener == 0 or words[opener - 1] == "on"
        if before[:1] == '"' or (before not in KEYWORDS and (before[:1].isalpha() or before[:1] == "_")):
            # FROM t alias (a, b): no call stands directly behind a name.
            return False
        if before == "," and (end := closed.get(at)) is not None and words[end + 1 : end + 2] == ["as"]:
            # WITH …, name (a, b) AS (SELECT …); but FROM f(…) AS (a int, b text).
            after = end + 2
            while words[after : after + 1] and words[after] in ("not", "materialized"):
                after += 1
            query = words[after + 1 : after + 3]
            begins = query[:1] and (query[0] in _BEGINS_QUERY or query == ["values", "("])
            return not (words[after : after + 1] == ["("] and begins)
    return True
