"""COPY's CSV format: rows in the making and taken apart.

PostgreSQL's manual says how it is laid out ("COPY", "File Formats", "CSV Format"): fields separated by a
comma; one that contains the comma, a quotation mark or a line's end is quoted, a quotation mark within is
doubled, or has another character before it (`escape`); NULL is nothing at all, the empty text is `""`.

What is quoted may have lines' ends in it, so that a row is whole only where its quotation marks are closed.
"""

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_copy_text import TextReader, TextRows, check, text_of
from fastweb._speedups.pg_wire import WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_copy_text import TextReader, TextRows, decoded
else:
    from fastweb._speedups.pg_copy_text import decoded

__all__ = ["CsvReader", "CsvRows"]


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
            check(text)
            if self.escape != self.quote:
                text = text.replace(self.escape, self.escape + self.escape)
            text = self.quote + text.replace(self.quote, self.escape + self.quote) + self.quote
        return text


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
            line: str = decoded(piece)
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
