"""COPY's text format: rows in the making and taken apart, and values as PostgreSQL reads them from text.

PostgreSQL's manual says how it is laid out ("COPY", "File Formats", "Text Format"): fields separated by a
tab, rows ended by a line feed; a backslash escapes both, and itself; `\\N` is NULL. It has no types: whatever
a value is, what goes is its text, and what comes is a str.

A row may be cut anywhere between two pieces that come (the protocol promises no more than a stream), so what
takes apart keeps the rest of the last row.
"""

import datetime
import decimal
import ipaddress
import uuid
from typing import Any

import msgspec

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_wire import WireError

__all__ = ["TextReader", "TextRows", "json_of", "text_of", "values_by"]

_dates = (datetime.date, datetime.time)
_plain = (
    decimal.Decimal,
    uuid.UUID,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)

#: What can be iterated over, and what comes is no row's values.
NO_ROWS = (dict, str, bytes, bytearray, memoryview, set, frozenset)
#: What must not stand in a field of the text format as it is, and how it is written ("Text Format").
_ESCAPES: dict = {
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_UNESCAPES: dict = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _in_array(value: Any) -> str:
    """An element of an array, as PostgreSQL reads it ("Arrays", "Array Input and Output Syntax")."""
    if value is None:
        return "NULL"
    if isinstance(value, (list, tuple)):
        return _array(value)
    text: str = text_of(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _array(values: Any) -> str:
    return "{" + ",".join([_in_array(value) for value in values]) + "}"


_to_json: Any = msgspec.json.Encoder().encode


def json_of(value: Any) -> str:
    """The text of a json column's value: JSON, but for a str, which is JSON text already."""
    if isinstance(value, str):
        return value
    text: str = _to_json(value).decode()
    return text


def text_of(value: Any) -> str:
    """A value as PostgreSQL reads it from text: COPY's text and CSV formats have no types.

    Raises:
        TypeError: it is of a type of which that is not known.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return str(value)
    if kind is bool:
        return "t" if value else "f"
    if kind is float:
        return repr(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, _dates):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + value.hex()
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, datetime.timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    if isinstance(value, _plain):
        return str(value)
    if isinstance(value, (list, tuple)):
        return _array(value)
    if isinstance(value, dict):
        return json_of(value)
    if isinstance(value, float):
        return float.__repr__(value)
    raise TypeError(
        f"a {kind.__name__} has no text that COPY could carry: use format='binary', or give its text"
    )


@cython.cfunc
@cython.inline
def _is_clean(text: str) -> cython.bint:
    """Whether a text has nothing that must be escaped."""
    if cython.compiled:
        letter: cython.Py_UCS4
        for letter in text:
            if letter < " " or letter == "\\":
                return False
        return True
    return text.isprintable() and "\\" not in text


def check(text: str) -> None:
    if "\0" in text:
        raise ValueError("a NUL character in a text: PostgreSQL has none")


def no_row(row: object) -> TypeError:
    """The error for a row of NO_ROWS."""
    first = ", as the first row is one" if isinstance(row, dict) else ""
    return TypeError(f"expected a sequence of values{first}, got {type(row).__name__}")


@cython.ccall
def values_by(row: object, keys: tuple, exact: cython.bint) -> list:
    """The values of a row that is a dict.

    Arguments:
        keys: the columns, in their order.
        exact: whether there must not be others in it.

    Raises:
        TypeError: it is no dict.
        ValueError: one of them is missing in it, or there is another.
    """
    if not isinstance(row, dict):
        raise TypeError(f"expected a dict, as the first row is one, got {type(row).__name__}")
    found: list = []
    key: object = None
    try:
        for key in keys:
            found.append(row[key])
    except KeyError:
        got = ", ".join(map(str, row)) or "none"
        raise ValueError(
            f"no value for the column {key!r}: expected {', '.join(keys)}, got {got}; NULL is None"
        ) from None
    if exact and len(row) != len(keys):
        others = ", ".join([str(each) for each in row if each not in keys])
        raise ValueError(
            f"columns that the first row has not: {others}; it has {', '.join(keys)}; say `columns` to have"
            " others, or to leave them out"
        )
    return found


@cython.cclass
class TextRows:
    """Rows in the making, text or CSV: `add` some, `take` what they came to.

    Arguments:
        columns: how many fields every row has to have; 0 for any number.
        json_columns: the places of those of type json or jsonb, whose values are written as JSON.
    """

    columns: cython.Py_ssize_t
    json_columns: frozenset
    delimiter: str
    null: str
    lines: list
    waiting: cython.Py_ssize_t
    count: cython.Py_ssize_t
    keys: Any
    exact: cython.bint
    escapes: dict

    def __init__(
        self, columns: cython.Py_ssize_t, json_columns: frozenset, delimiter: str = "\t", null: str = "\\N"
    ) -> None:
        self.columns = columns
        self.json_columns = json_columns
        self.delimiter = delimiter
        self.null = null
        self.lines = []
        #: Bytes, about, that wait to be taken; and how many rows there were.
        self.waiting = 0
        self.count = 0
        #: Of rows that are dicts: the columns, and whether they have no others.
        self.keys: Any = None
        self.exact = False
        self.escapes = str.maketrans({**_ESCAPES, delimiter: _ESCAPES.get(delimiter, "\\" + delimiter)})

    @cython.ccall
    def field(self, value: object, place: cython.Py_ssize_t) -> str:
        """One value, escaped."""
        text: str
        if type(value) is str:
            text = cython.cast(str, value)
        elif type(value) is int:
            return str(value)
        elif value is None:
            return self.null
        else:
            text = text_of(value)
        if not _is_clean(text) or self.delimiter in text:
            check(text)
            text = text.translate(self.escapes)
        elif text == self.null:
            # NULL 'null': what is NULL is compared before backslashes are read, so the first letter is
            # escaped.
            if not text:
                raise ValueError(
                    "an empty text where NULL is written as an empty text: choose another `null`"
                )
            text = (f"\\x{ord(text[0]):02x}" if text[0] < "\x80" else "\\" + text[0]) + text[1:]
        return text

    def add(self, row: object) -> None:
        """One row: a sequence of values.

        Raises:
            TypeError, ValueError: a value cannot be written, or there are too many or too few of them.
        """
        place: cython.Py_ssize_t = 0
        fields: list = []
        values: Any = row
        if self.keys is not None:
            values = values_by(row, self.keys, self.exact)
        elif type(row) is not tuple and type(row) is not list and isinstance(row, NO_ROWS):
            raise no_row(row)
        for value in values:
            if value is not None and place in self.json_columns:
                value = json_of(value)
            fields.append(self.field(value, place))
            place += 1
        if self.columns and place != self.columns:
            raise ValueError(f"expected {self.columns} values, got {place}")
        line: str = self.delimiter.join(fields)
        self.lines.append(line)
        self.waiting += len(line) + 1
        self.count += 1

    def add_some(self, rows: Any, size: cython.Py_ssize_t) -> bool:
        """Rows of an iterator, until there are so many bytes; whether there may be more."""
        while self.waiting < size:
            row = next(rows, self)
            if row is self:
                return False
            self.add(row)
        return True

    def take(self) -> bytes:
        """What was added, which begins anew."""
        lines = self.lines
        if not lines:
            return b""
        lines.append("")
        self.lines = []
        self.waiting = 0
        return "\n".join(lines).encode()


@cython.cfunc
def decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"COPY: text that is not UTF-8: {error}") from None


@cython.cclass
class TextReader:
    """Rows out of text: `feed` pieces, get lists of tuples of str, None for NULL.

    Arguments:
        most: bytes that one row may have.
    """

    delimiter: str
    null: str
    held: list
    size: cython.Py_ssize_t
    most: cython.Py_ssize_t
    skip: cython.Py_ssize_t

    def __init__(
        self,
        delimiter: str = "\t",
        null: str = "\\N",
        header: bool = False,
        most: cython.Py_ssize_t = 1 << 30,
    ) -> None:
        self.delimiter = delimiter
        self.null = null
        self.held = []
        self.size = 0
        self.most = most
        self.skip = 1 if header else 0

    @cython.cfunc
    @cython.exceptval(-1)
    def hold(self, data: bytes) -> cython.bint:
        """Keep what is part of the next row. Pieces are put together once, or many of them take quadratic
        time."""
        if data:
            self.held.append(data)
            self.size += len(data)
            if self.size > self.most:
                raise WireError(f"COPY: a row of more than {self.most} bytes")
        return True

    @cython.cfunc
    def unescaped(self, field: str) -> str:
        """A field with its backslashes read ("Text Format")."""
        parts: list = field.split("\\")
        made: list = [parts[0]]
        i: cython.Py_ssize_t = 1
        while i < len(parts):
            part: str = parts[i]
            if part:
                made.append(_UNESCAPES.get(part[0], part[0]))
                made.append(part[1:])
                i += 1
            else:
                # Two of them: one, and what follows is as it is.
                made.append("\\")
                if i + 1 < len(parts):
                    made.append(parts[i + 1])
                i += 2
        return "".join(made)

    @cython.ccall
    def row(self, line: str) -> tuple:
        fields: list = line.split(self.delimiter)
        if "\\" in line:
            joined: list = []
            kept: str = ""
            field: str
            # A delimiter behind an odd number of backslashes is part of its field.
            for field in fields:
                kept += field
                if (len(field) - len(field.rstrip("\\"))) % 2:
                    kept += self.delimiter
                    continue
                joined.append(kept)
                kept = ""
            if kept:
                raise WireError("COPY: a row that ends with half an escape")
            return tuple([None if x == self.null else self.unescaped(x) if "\\" in x else x for x in joined])
        null = self.null
        if null == "\\N":
            return tuple(fields)
        return tuple([None if x == null else x for x in fields])

    def feed(self, data: bytes) -> list:
        """The rows that are whole now."""
        rows: list = []
        if b"\n" not in data:
            self.hold(data)
            return rows
        if self.held:
            self.held.append(data)
            data = b"".join(self.held)
            self.held = []
            self.size = 0
        lines: list = data.split(b"\n")
        self.hold(lines.pop())
        for line in lines:
            if self.skip:
                self.skip -= 1
                continue
            rows.append(self.row(decoded(line)))
        return rows

    def finish(self) -> list:
        """The end: the rows that are left.

        Raises:
            WireError: in the middle of a row.
        """
        if self.held:
            raise WireError("COPY: the data end in the middle of a row")
        return []
