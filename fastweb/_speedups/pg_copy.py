"""What COPY carries: rows as text, as CSV and as binary, in the making and taken apart. Bytes in, rows out;
rows in, bytes out.

PostgreSQL's manual says how they are laid out ("COPY", "File Formats"):

    text     fields separated by a tab, rows ended by a line feed; a backslash escapes both, and itself;
             `\\N` is NULL
    CSV      fields separated by a comma; one that contains the comma, a quotation mark or a line's end is
             quoted, a quotation mark within is doubled; NULL is nothing at all, the empty text is `""`
    binary   a signature, then for every row the number of its fields and each field with its length before it

A row may be cut anywhere between two pieces that come (the protocol promises no more than a stream), so what
takes apart keeps the rest of the last row. Every length and count is hostile: one that does not fit is a
`WireError`.
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

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_rows import RowSink
from fastweb._speedups.pg_wire import Output, WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_codec import Codec
    from cython.cimports.fastweb._speedups.pg_rows import RowSink
    from cython.cimports.fastweb._speedups.pg_wire import Output, int16_at, int32_at
else:
    from fastweb._speedups.pg_wire import int16_at, int32_at

__all__ = [
    "BinaryReader",
    "BinaryRows",
    "CopySink",
    "CsvReader",
    "CsvRows",
    "TextReader",
    "TextRows",
    "json_of",
    "text_of",
]

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

#: The binary format begins with it: signature, flags, length of the header's extension.
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
BINARY_HEADER = SIGNATURE + bytes(8)
#: And ends with it: a row of -1 fields.
BINARY_TRAILER = b"\xff\xff"


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


def _check(text: str) -> None:
    if "\0" in text:
        raise ValueError("a NUL character in a text: PostgreSQL has none")


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
    waiting = cython.declare(cython.Py_ssize_t, visibility="readonly")
    count = cython.declare(cython.Py_ssize_t, visibility="public")
    keys = cython.declare(object, visibility="public")
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
        #: Of rows that are dicts: the columns' keys in them.
        self.keys: Any = None
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
            _check(text)
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
            values = [values[key] for key in self.keys]
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


@cython.cclass
class CsvRows(TextRows):
    """The same as CSV. `force_quote` has the places of the columns to quote whatever is in them."""

    quote: str
    escape: str
    force_quote: frozenset

    def __init__(
        self,
        columns: cython.Py_ssize_t,
        json_columns: frozenset,
        delimiter: str = ",",
        null: str = "",
        quote: str = '"',
        escape: str = '"',
        force_quote: frozenset = frozenset(),
    ) -> None:
        TextRows.__init__(self, columns, json_columns, delimiter, null)
        self.quote = quote
        self.escape = escape
        self.force_quote = force_quote

    @cython.ccall
    def field(self, value: object, place: cython.Py_ssize_t) -> str:
        """One value, quoted where it has to be."""
        text: str
        if type(value) is int:
            text = str(value)
        elif value is None:
            return self.null
        else:
            text = text_of(value)
        if (
            text == self.null
            or self.quote in text
            or self.delimiter in text
            or "\n" in text
            or "\r" in text
            or text == "\\."
            or place in self.force_quote
            or "\0" in text
        ):
            _check(text)
            if self.escape != self.quote:
                text = text.replace(self.escape, self.escape + self.escape)
            text = self.quote + text.replace(self.quote, self.escape + self.quote) + self.quote
        return text


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
            rows.append(self.row(_decoded(line)))
        return rows

    def finish(self) -> list:
        """The end: the rows that are left.

        Raises:
            WireError: in the middle of a row.
        """
        if self.held:
            raise WireError("COPY: the data end in the middle of a row")
        return []


@cython.cfunc
def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"COPY: text that is not UTF-8: {error}") from None


@cython.cfunc
@cython.inline
def _found(line: str, what: str, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    found: cython.Py_ssize_t = line.find(what, at)
    return end if found < 0 else found


@cython.cclass
class CsvReader(TextReader):
    """The same out of CSV: fields are quoted or not, and what is quoted may have lines' ends in it."""

    quote: str
    escape: str
    quotes: bytes
    escapes: bytes
    open: cython.bint
    escaping: cython.bint

    def __init__(
        self,
        delimiter: str = ",",
        null: str = "",
        header: bool = False,
        most: cython.Py_ssize_t = 1 << 30,
        quote: str = '"',
        escape: str = '"',
    ) -> None:
        TextReader.__init__(self, delimiter, null, header, most)
        self.quote = quote
        self.escape = escape
        self.quotes = quote.encode()
        self.escapes = escape.encode()
        self.open = False
        self.escaping = False

    @cython.cfunc
    @cython.exceptval(-1)
    def open_after(self, piece: bytes) -> cython.bint:
        """Whether a line ends within quotation marks, which is where the next one begins."""
        if self.escape == self.quote:
            return self.open != (piece.count(self.quotes) % 2 == 1)
        is_open: cython.bint = self.open
        end: cython.Py_ssize_t = len(piece)
        at: cython.Py_ssize_t = 0
        mark: cython.Py_ssize_t = -1
        escape: cython.Py_ssize_t = -1
        if self.escaping:
            self.escaping = False
            if piece[:1] == self.quotes or piece[:1] == self.escapes:
                at = 1
        while True:
            if mark < at:
                mark = piece.find(self.quotes, at)
                if mark < 0:
                    mark = end
            if is_open:
                if escape < at:
                    escape = piece.find(self.escapes, at)
                    if escape < 0:
                        escape = end
                if escape < mark:
                    # An escape before a quotation mark or an escape takes it along; before others it is
                    # nothing.
                    at = escape + 1
                    if at == end:
                        self.escaping = True
                        return is_open
                    if piece[at : at + 1] == self.quotes or piece[at : at + 1] == self.escapes:
                        at += 1
                    continue
            if mark == end:
                return is_open
            is_open = not is_open
            at = mark + 1

    @cython.cfunc
    def quoted_row(self, line: str) -> tuple:
        """The fields of a line with quotation marks in it."""
        fields: list = []
        made: list = []
        end: cython.Py_ssize_t = len(line)
        quoted: cython.bint = False
        at: cython.Py_ssize_t = 0
        # The next of each from `at` on, `end` for none; looked for again only when it was passed.
        stop: cython.Py_ssize_t = -1
        mark: cython.Py_ssize_t = -1
        escape: cython.Py_ssize_t = end if self.escape == self.quote else -1
        while True:
            if mark < at:
                mark = _found(line, self.quote, at, end)
            if stop < at:
                stop = _found(line, self.delimiter, at, end)
            if stop <= mark:
                made.append(line[at:stop])
                field: str = "".join(made)
                fields.append(None if not quoted and field == self.null else field)
                if stop == end:
                    return tuple(fields)
                made = []
                quoted = False
                at = stop + 1
                continue
            made.append(line[at:mark])
            quoted = True
            at = mark + 1
            while True:
                if mark < at:
                    mark = _found(line, self.quote, at, end)
                if escape < at:
                    escape = _found(line, self.escape, at, end)
                if escape < mark:
                    made.append(line[at:escape])
                    at = escape + 1
                    if line[at : at + 1] == self.quote or line[at : at + 1] == self.escape:
                        made.append(line[at])
                        at += 1
                    else:
                        made.append(self.escape)
                    continue
                if mark == end:
                    raise WireError("COPY: a quotation mark that is not closed")
                made.append(line[at:mark])
                at = mark + 1
                if self.escape != self.quote or line[at : at + 1] != self.quote:
                    break
                made.append(self.quote)
                at += 1

    def feed(self, data: bytes) -> list:
        """The rows that are whole now."""
        lines: list = data.split(b"\n")
        rows: list = []
        row: tuple
        last: bytes = lines.pop()
        for piece in lines:
            if self.open or self.quotes in piece:
                self.open = self.open_after(piece)
            self.escaping = False
            if self.open:
                self.hold(piece + b"\n")
                continue
            if self.held:
                self.held.append(piece)
                piece = b"".join(self.held)
                self.held = []
                self.size = 0
            line: str = _decoded(piece)
            if self.quote in line:
                row = self.quoted_row(line)
            else:
                null = self.null
                row = tuple([None if x == null else x for x in line.split(self.delimiter)])
            if self.skip:
                self.skip -= 1
            else:
                rows.append(row)
        if self.open or self.quotes in last:
            self.open = self.open_after(last)
        self.hold(last)
        return rows


@cython.cclass
class BinaryRows:
    """Rows in the making, binary, by the columns' codecs; the first bytes taken begin with the header.

    A row: int16, how many fields; for each its length as int32, -1 for NULL, and its bytes ("Binary Format",
    "Tuples").
    """

    codecs: tuple
    out: Output
    count = cython.declare(cython.Py_ssize_t, visibility="public")
    keys = cython.declare(object, visibility="public")

    def __init__(self, codecs: tuple) -> None:
        self.codecs = codecs
        self.count = 0
        self.keys: Any = None
        self.out = Output()
        self.out.put(BINARY_HEADER)

    @property
    def waiting(self) -> int:
        """Bytes that wait to be taken."""
        return self.out.size

    @cython.ccall
    def add(self, row: object) -> None:
        """One row: a sequence of values, as many as there are columns. One that fails leaves nothing
        behind."""
        codecs: tuple = self.codecs
        values: object = row
        if self.keys is not None:
            values = [row[key] for key in self.keys]  # type: ignore[index]
        elif type(row) is not tuple and type(row) is not list:
            values = tuple(row)  # type: ignore[arg-type]
        count: cython.Py_ssize_t = len(codecs)
        if len(values) != count:  # type: ignore[arg-type]
            raise ValueError(f"expected {count} values, got {len(values)}")  # type: ignore[arg-type]
        out: Output = self.out
        began: cython.Py_ssize_t = out.size
        at: cython.Py_ssize_t
        place: cython.Py_ssize_t = 0
        codec: Codec
        out.put_int16(count)
        try:
            while place < count:
                value = values[place]  # type: ignore[index]
                if value is None:
                    out.put_int32(-1)
                else:
                    codec = codecs[place]
                    at = out.size
                    out.put_int32(0)
                    codec.encode(out, value)
                    out.set_int32(at, out.size - at - 4)
                place += 1
        except Exception as error:
            out.truncate(began)
            error.add_note(f"in column {place + 1} of the row")
            raise
        self.count += 1

    def add_some(self, rows: Any, size: cython.Py_ssize_t) -> bool:
        """Rows of an iterator, until there are so many bytes; whether there may be more."""
        while self.out.size < size:
            row = next(rows, self)
            if row is self:
                return False
            self.add(row)
        return True

    def take(self) -> bytes:
        """What was added, which begins anew."""
        return self.out.take()


@cython.cclass
class BinaryReader:
    """Rows out of the binary format, by the columns' codecs: `feed` pieces, get lists of tuples."""

    codecs: tuple
    held: list
    size: cython.Py_ssize_t
    want: cython.Py_ssize_t
    most: cython.Py_ssize_t
    begun: cython.bint
    ended: cython.bint

    def __init__(self, codecs: tuple, most: cython.Py_ssize_t = 1 << 30) -> None:
        self.codecs = codecs
        self.held = []
        self.size = 0
        self.want = 0
        self.most = most
        self.begun = False
        self.ended = False

    @cython.cfunc
    @cython.exceptval(check=True)
    def header(self, data: bytes) -> cython.Py_ssize_t:
        """Where the rows begin; less than none where not all of the header has come."""
        if data[:11] != SIGNATURE[: len(data)]:
            raise WireError("COPY: not in PostgreSQL's binary format")
        if len(data) < 19:
            return -1
        if int32_at(data, 11) & ~0xFFFF or int32_at(data, 11) & 0x10000:
            raise WireError(f"COPY: flags of the binary format that are not known: {int32_at(data, 11):#x}")
        extension: cython.Py_ssize_t = int32_at(data, 15)
        if extension < 0 or extension > self.most:
            raise WireError(f"COPY: a header's extension of {extension} bytes")
        if len(data) < 19 + extension:
            return -1
        return 19 + extension

    def feed(self, data: bytes) -> list:
        """The rows that are whole now."""
        rows: list = []
        if self.held:
            self.held.append(data)
            self.size += len(data)
            if self.size < self.want:
                return rows
            data = b"".join(self.held)
            self.held = []
        at: cython.Py_ssize_t = 0
        end: cython.Py_ssize_t = len(data)
        start: cython.Py_ssize_t
        count: cython.Py_ssize_t = len(self.codecs)
        fields: cython.Py_ssize_t
        size: cython.Py_ssize_t
        place: cython.Py_ssize_t
        codec: Codec
        if not self.begun:
            at = self.header(data)
            if at < 0:
                self.held = [data]
                self.size = self.want = end
                return rows
            self.begun = True
        while at < end:
            if self.ended:
                raise WireError("COPY: data behind the end of the binary format")
            start = at
            if end - at < 2:
                break
            fields = int16_at(data, at)
            if fields == -1:
                self.ended = True
                at += 2
                start = at
                continue
            if fields != count:
                raise WireError(f"COPY: a row of {fields} fields, expected {count}")
            at += 2
            values: list = []
            place = 0
            while place < count:
                if end - at < 4:
                    break
                size = int32_at(data, at)
                at += 4
                if size == -1:
                    values.append(None)
                elif size < 0 or size > self.most:
                    raise WireError(f"COPY: a field of {size} bytes")
                elif size > end - at:
                    break
                else:
                    codec = self.codecs[place]
                    values.append(codec.decode(data, at, at + size))
                    at += size
                place += 1
            if place < count:
                at = start
                break
            rows.append(tuple(values))
        if at < end:
            self.held = [data[at:]]
            self.size = end - at
            # A row in many pieces is tried again when it is half as long again: linear, not quadratic.
            self.want = self.size + self.size // 2
            if self.size > self.most:
                raise WireError(f"COPY: a row of more than {self.most} bytes")
        return rows

    def finish(self) -> list:
        """The end: the rows that are left.

        Raises:
            WireError: in the middle of a row, or without the trailer.
        """
        rows: list = []
        if self.held:
            self.want = 0
            rows = self.feed(b"")
        if self.held or not self.ended:
            raise WireError("COPY: the data end in the middle of a row")
        return rows


@cython.final
@cython.cclass
class CopySink(RowSink):
    """What COPY sends, piece by piece, until somebody takes it; too much of it waiting stops the reading.

    Arguments:
        most: bytes that may wait before `on_full` is called.
        on_full: called when there are.
    """

    pieces: list
    size = cython.declare(cython.Py_ssize_t, visibility="readonly")
    most: cython.Py_ssize_t
    is_full: cython.bint
    on_full: object
    on_data = cython.declare(object, visibility="public")

    def __init__(self, most: cython.Py_ssize_t, on_full: object) -> None:
        RowSink.__init__(self)
        self.pieces = []
        self.size = 0
        self.most = most
        self.is_full = False
        self.on_full = on_full
        #: Called once with nothing when there is something to take.
        self.on_data: Any = None

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        """One CopyData: its body is `data[at:end]`."""
        if at < end:
            self.pieces.append(data[at:end])
            self.size += end - at
            if self.on_data is not None:
                wake = self.on_data
                self.on_data = None
                wake()
            if self.size >= self.most and not self.is_full:
                self.is_full = True
                self.on_full()  # type: ignore[operator]
        return None

    def take(self) -> bytes:
        """What has come since the last time."""
        if not self.pieces:
            return b""
        data = b"".join(self.pieces)
        self.pieces.clear()
        self.size = 0
        self.is_full = False
        return data
