"""The text of a COPY statement: names and literals quoted, options as PostgreSQL's manual has them ("COPY").

    COPY table [(column, …)] FROM STDIN [WITH (option, …)] [WHERE condition]
    COPY {table [(column, …)] | (query)} TO STDOUT [WITH (option, …)]

A statement that cannot have parameters: whatever goes into it is quoted here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict

from fastweb.postgres.errors import InterfaceError

__all__ = [
    "CopyInOptions",
    "CopyOutOptions",
    "copy_in_statement",
    "copy_out_statement",
    "is_statement",
    "quote_ident",
    "quote_literal",
    "table_name",
]

Format = Literal["text", "csv", "binary"]
#: A table: "users", "public.users" or ("public", "users"); in the last form nothing is read into the names.
Table = str | tuple[str, ...]
Columns = Sequence[str]


class _Options(TypedDict, total=False):
    #: The character between two fields.
    delimiter: str
    #: What NULL is written as.
    null: str
    #: A first line with the columns' names; "match": and in COPY FROM it has to have them.
    header: bool | Literal["match"]
    #: CSV: what fields are quoted with, and what stands before a quotation mark within.
    quote: str
    escape: str
    #: The encoding of the bytes that are sent or come, by PostgreSQL's name for it; of rows it is UTF-8.
    encoding: str


class CopyInOptions(_Options, total=False):
    """The options of COPY FROM."""

    #: Rows are frozen already, as after VACUUM FREEZE: only into a table made in the same transaction.
    freeze: bool
    #: CSV: the columns whose fields are never NULL, or NULL where they are quoted, too; "*" for all of them.
    force_not_null: Sequence[str]
    force_null: Sequence[str]
    #: What stands for the column's default (PostgreSQL 16).
    default: str
    #: What is done with a row that does not fit: "stop" or "ignore" (PostgreSQL 17).
    on_error: Literal["stop", "ignore"]
    #: How many of them may be ignored (PostgreSQL 18).
    reject_limit: int
    #: "verbose": a notice about each of them (PostgreSQL 17).
    log_verbosity: Literal["default", "verbose", "silent"]
    #: SQL: only the rows for which it is true. Not quoted: it is yours.
    where: str


class CopyOutOptions(_Options, total=False):
    """The options of COPY TO."""

    #: CSV: the columns that are always quoted; "*" for all of them.
    force_quote: Sequence[str]


_COLUMN_LISTS = frozenset({"force_quote", "force_not_null", "force_null"})
_LITERALS = frozenset({"delimiter", "null", "quote", "escape", "encoding", "default"})
_WORDS = {
    "on_error": ("stop", "ignore"),
    "log_verbosity": ("default", "verbose", "silent"),
}

#: A name as SQL has it: of letters, digits, _ and $, or in quotation marks that are doubled within.
_PART = r'(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))'
_NAME = re.compile(rf"\s*{_PART}\s*(?:\.\s*{_PART}\s*)?(?:\.\s*{_PART}\s*)?")
_QUERY = re.compile(
    r"\s*(?:\(|/\*|--|(?:select|with|values|table|insert|update|delete|merge)\b\s*\S)",
    re.IGNORECASE | re.DOTALL,
)
_COPY = re.compile(r"\s*copy\s+\S+.*\b(?:from\s+stdin|to\s+stdout)\b", re.IGNORECASE | re.DOTALL)


def quote_ident(name: str) -> str:
    """A name, in quotation marks: case and all other characters are its own.

    Raises:
        InterfaceError: it is empty or has a NUL in it.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise InterfaceError(f"not a name that SQL could have: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A text as a literal, whatever standard_conforming_strings says.

    Raises:
        InterfaceError: it has a NUL in it.
    """
    if not isinstance(text, str) or "\0" in text:
        raise InterfaceError(f"not a text that SQL could have: {text!r}")
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def is_statement(target: Table) -> bool:
    """Whether it is a whole COPY statement."""
    return isinstance(target, str) and _COPY.match(target) is not None


def table_name(table: Table) -> str:
    """A table's name, quoted.

    Raises:
        InterfaceError: it is none.
    """
    if isinstance(table, str):
        match = _NAME.fullmatch(table)
        if match is None:
            raise InterfaceError(
                f"not the name of a table: {table!r}; one with unusual characters is given as (schema, table)"
                " or in quotation marks"
            )
        found = match.groups()
        parts: Iterable[str] = [
            quoted.replace('""', '"') if quoted else plain
            for quoted, plain in zip(found[::2], found[1::2], strict=True)
            if quoted or plain
        ]
    elif isinstance(table, tuple) and 1 <= len(table) <= 3:
        parts = table
    else:
        raise InterfaceError(f"not the name of a table: {table!r}; expected a str or (schema, table)")
    return ".".join(quote_ident(part) for part in parts)


@functools.lru_cache(maxsize=256)
def select_of(table: Table, columns: tuple[str, ...]) -> str:
    """A query that has the columns of a table.

    Raises:
        InterfaceError: a name is none.
    """
    return f"SELECT {', '.join(map(quote_ident, columns))} FROM {table_name(table)}"


def column_list(columns: Columns | None) -> str:
    """` (a, b)`, or nothing for all of them.

    Raises:
        InterfaceError: there are none, or it is one text.
    """
    if columns is None:
        return ""
    if isinstance(columns, str) or not columns:
        raise InterfaceError(f"columns: expected a list of names, got {columns!r}")
    return " (" + ", ".join(map(quote_ident, columns)) + ")"


def _option(name: str, value: object) -> str:
    if name in _COLUMN_LISTS:
        if value == "*" or value is True:
            return f"{name} *"
        if isinstance(value, (str, bool)) or not isinstance(value, Iterable):
            raise InterfaceError(f"{name}: expected a list of columns or '*', got {value!r}")
        return f"{name} ({', '.join(map(quote_ident, value))})"
    if name in _LITERALS:
        return f"{name} {quote_literal(value)}"  # type: ignore[arg-type]
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise InterfaceError(f"{name}: expected one of {', '.join(_WORDS[name])}, got {value!r}")
        return f"{name} {value}"
    if name == "reject_limit":
        if not isinstance(value, int) or value <= 0:
            raise InterfaceError(f"{name}: expected a number above zero, got {value!r}")
        return f"{name} {value}"
    if name == "header" and value == "match":
        return "header match"
    if not isinstance(value, bool):
        raise InterfaceError(f"{name}: expected True or False, got {value!r}")
    return f"{name} {str(value).lower()}"


def _with(
    format: str | None,  # noqa: A002 - COPY's name for it
    options: CopyInOptions | CopyOutOptions,
    known: Iterable[str],
) -> str:
    if format not in (None, "text", "csv", "binary"):
        raise InterfaceError(f"format: expected text, csv or binary, got {format!r}")
    if unknown := options.keys() - set(known):
        raise TypeError(f"COPY has no option {', '.join(sorted(unknown))} here")
    said = [] if format is None else [f"format {format}"]
    said += [_option(name, value) for name, value in options.items() if value is not None and name != "where"]
    return f" WITH ({', '.join(said)})" if said else ""


def copy_in_statement(
    table: Table,
    columns: Columns | None,
    format: str | None,  # noqa: A002
    options: CopyInOptions,
) -> str:
    """COPY … FROM STDIN.

    Raises:
        InterfaceError, TypeError: a name or an option is wrong.
    """
    if isinstance(table, str) and is_statement(table):
        if columns is not None or options or format is not None:
            raise InterfaceError(
                "a whole COPY statement was given: it says columns, format and options itself"
            )
        return table
    if not options and type(columns) is tuple:
        return _plain_copy_in(table, columns, format)
    return _copy_in(table, columns, format, options)


def _copy_in(table: Table, columns: Columns | None, format: str | None, options: CopyInOptions) -> str:  # noqa: A002
    known = _Options.__annotations__.keys() | CopyInOptions.__annotations__.keys()
    where = f" WHERE {options['where']}" if options.get("where") else ""
    return f"COPY {table_name(table)}{column_list(columns)} FROM STDIN{_with(format, options, known)}{where}"


@functools.lru_cache(maxsize=256)
def _plain_copy_in(table: Table, columns: tuple[str, ...], format: str | None) -> str:  # noqa: A002
    """PERF: what is copied again and again is copied into the same columns."""
    return _copy_in(table, columns, format, {})


def is_query(source: Table) -> bool:
    """Whether what is copied out is a query, not a table: it begins with SELECT and the like, or a
    parenthesis."""
    return isinstance(source, str) and _QUERY.match(source) is not None


def copy_out_statement(
    source: Table,
    columns: Columns | None,
    format: str | None,  # noqa: A002
    options: CopyOutOptions,
) -> str:
    """COPY … TO STDOUT.

    Raises:
        InterfaceError, TypeError: a name or an option is wrong.
    """
    if isinstance(source, str) and is_statement(source):
        if columns is not None or options or format is not None:
            raise InterfaceError(
                "a whole COPY statement was given: it says columns, format and options itself"
            )
        return source
    known = _Options.__annotations__.keys() | CopyOutOptions.__annotations__.keys()
    with_ = _with(format, options, known)
    if is_query(source):
        if columns is not None:
            raise InterfaceError("columns are those of a table; a query has its own")
        query = str(source).strip().rstrip(";").rstrip()
        # On a line of its own: a comment may end the query.
        return f"COPY ({query}\n) TO STDOUT{with_}"
    return f"COPY {table_name(source)}{column_list(columns)} TO STDOUT{with_}"


#: What in a query is no parameter, though it may look like one, and parameters ("Lexical Structure").
_TOKEN = re.compile(
    r"""
      [eE]'(?:[^'\\]|''|\\.)*'              # text with escapes
    | '(?:[^']|'')*'                        # text
    | "(?:[^"]|"")*"                        # a name
    | --[^\n]*                              # a comment to the line's end
    | (?P<comment>/\*)                      # a comment that may have others in it
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$   # text between dollars
    | \$(?P<parameter>\d+)
    | [^\W\d][\w$]*                         # a name, which may have dollars in it
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")


def fill_in(query: str, values: Sequence[str]) -> str:
    """A query with SQL in the place of its parameters.

    Arguments:
        query: one that the server has parsed, so that its texts and comments end.
        values: what stands for $1, $2 …

    Raises:
        InterfaceError: it is not read as the server has read it.
    """
    made: list[str] = []
    done = at = 0
    while (match := _TOKEN.search(query, at)) is not None:
        at = match.end()
        if match["comment"]:
            depth = 1
            while depth:
                mark = _COMMENT.search(query, at)
                if mark is None:
                    raise InterfaceError("a comment that does not end")
                depth += 1 if mark[0] == "/*" else -1
                at = mark.end()
        elif match["parameter"]:
            place = int(match["parameter"][:9])
            if not 0 < place <= len(values):
                raise InterfaceError(f"there is no parameter ${match['parameter']}")
            made += query[done : match.start()], values[place - 1]
            done = at
    return "".join(made) + query[done:]
