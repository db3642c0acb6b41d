"""From DataRow messages to what was asked for: records, tuples, one value, objects of a class, or JSON text.

A `RowSink` takes the rows of one operation, each read where it lies in the received bytes:

    begin(columns)        the RowDescription is known
    add(data, at, end)    one DataRow
    finish()              all have come: what the operation's answer is

What a DataRow holds (https://www.postgresql.org/docs/current/protocol-message-formats.html):

    Int16      the number of values; then for each
    Int32        its length in bytes, or -1 for NULL
    Byten        its bytes

Everything in it is checked against what was described and what has come; a `WireError` tells what is wrong.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_record import Columns, Record, make_record
from fastweb._speedups.pg_wire import WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.cpython.ref import Py_INCREF
    from cython.cimports.cpython.tuple import PyTuple_New, PyTuple_SET_ITEM
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.fastweb._speedups.pg_wire import int16_at, int32_at
else:
    from fastweb._speedups.pg_wire import int16_at, int32_at

__all__ = [
    "RowSink",
    "class_sink",
    "json_sink",
    "one_sink",
    "records_sink",
    "tuples_sink",
    "value_sink",
]

_DATA_ROW = cython.declare(cython.int, 0x44)  # "D"


@cython.cclass
class RowSink:
    """Takes the rows of one operation. This one, the base, counts them."""

    def __init__(self) -> None:
        self.columns: Columns = None
        self.count = 0

    @cython.ccall
    def begin(self, columns: Columns) -> object:
        """The rows to come have these columns.

        Raises:
            RowError: what was asked for cannot be made of them.
        """
        self.columns = columns
        return None

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        """Take a row: the body of a DataRow is `data[at:end]`.

        Raises:
            WireError: it is not one of the columns that were described.
        """
        self.count += 1
        return None

    @cython.ccall
    @cython.exceptval(-1)
    def add_all(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Take the DataRow messages that begin at a place, and tell where the first message begins that is
        another or not whole.

        PERF: the loop over messages is here, since a result is thousands of them.
        """
        while end - at >= 5 and data[at] == _DATA_ROW:
            # Byte1('D'), Int32: the length, itself included.
            size: cython.Py_ssize_t = int32_at(data, at + 1)
            if size < 6:
                raise WireError(f"a DataRow says that it is {size} bytes long")
            if size > end - at - 1:
                break
            self.add(data, at + 5, at + 1 + size)
            at += 1 + size
        return at

    @cython.ccall
    def finish(self) -> object:
        """The operation's answer."""
        return None


@cython.cfunc
def _wrong_count(columns: Columns, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
    if end - at < 2:
        raise WireError(f"a DataRow of {end - at} bytes")
    raise WireError(f"a DataRow of {int16_at(data, at)} values, where {columns.count} columns were described")


@cython.cfunc
def _wrong_size(size: cython.Py_ssize_t, rest: cython.Py_ssize_t) -> object:
    raise WireError(f"a value of {size} bytes in a DataRow that has {rest} left")


@cython.cfunc
def _left_over(rest: cython.Py_ssize_t) -> object:
    raise WireError(f"{rest} bytes after the last value of a DataRow")


@cython.cfunc
@cython.boundscheck(False)
@cython.wraparound(False)
def read_row(columns: Columns, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> tuple:
    """The values of a row.

    Compiled, the tuple is handed to the garbage collector only where a value may be part of a cycle: else it
    would go through thousands of rows of numbers and text again and again.
    """
    i: cython.Py_ssize_t
    size: cython.Py_ssize_t
    count: cython.Py_ssize_t = columns.count
    codecs: tuple = columns.codecs
    if end - at < 2 or int16_at(data, at) != count:
        _wrong_count(columns, data, at, end)
    at += 2
    if cython.compiled:
        row: tuple = PyTuple_New(count)
        capi.untrack(row)
        tracked: cython.bint = False
        for i in range(count):
            if end - at < 4:
                _wrong_size(4, end - at)
            size = int32_at(data, at)
            at += 4
            if size < 0:
                if size != -1:
                    _wrong_size(size, end - at)
                value: object = None
            else:
                if size > end - at:
                    _wrong_size(size, end - at)
                value = cython.cast(Codec, codecs[i]).decode(data, at, at + size)
                at += size
                tracked = tracked or capi.may_be_tracked(value)
            Py_INCREF(value)
            PyTuple_SET_ITEM(row, i, value)
        if at != end:
            _left_over(end - at)
        if tracked:
            capi.track(row)
        return row
    values: list = []
    for codec in codecs:
        if end - at < 4:
            _wrong_size(4, end - at)
        size = int32_at(data, at)
        at += 4
        if size < 0:
            if size != -1:
                _wrong_size(size, end - at)
            values.append(None)
        else:
            if size > end - at:
                _wrong_size(size, end - at)
            values.append(codec.decode(data, at, at + size))
            at += size
    if at != end:
        _left_over(end - at)
    return tuple(values)


@cython.final
@cython.cclass
class RecordsSink(RowSink):
    """A list of Records; or the first alone, or None."""

    rows: list
    one: cython.bint

    def __init__(self, one: bool) -> None:
        RowSink.__init__(self)
        self.rows = []
        self.one = one

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        self.count += 1
        if self.one and self.count > 1:
            return None
        record: Record = make_record(self.columns, read_row(self.columns, data, at, end))
        if cython.compiled and not capi.is_tracked(record._row):
            capi.untrack(record)
        self.rows.append(record)
        return None

    @cython.ccall
    def finish(self) -> object:
        if self.one:
            return self.rows[0] if self.rows else None
        return self.rows


@cython.final
@cython.cclass
class TuplesSink(RowSink):
    """A list of tuples."""

    rows: list

    def __init__(self) -> None:
        RowSink.__init__(self)
        self.rows = []

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        self.count += 1
        self.rows.append(read_row(self.columns, data, at, end))
        return None

    @cython.ccall
    def finish(self) -> object:
        return self.rows


@cython.final
@cython.cclass
class ValueSink(RowSink):
    """The first value of the first row; None where there is no row."""

    value: object

    def __init__(self) -> None:
        RowSink.__init__(self)
        self.value = None

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        self.count += 1
        if self.count == 1:
            # All of it: that the rest of the row is whole is part of the protocol.
            row: tuple = read_row(self.columns, data, at, end)
            self.value = row[0] if row else None
        return None

    @cython.ccall
    def finish(self) -> object:
        return self.value


@cython.final
@cython.cclass
class ClassSink(RowSink):
    """A list of objects of a class; or the first alone, or None."""

    cls: object
    rows: list
    one: cython.bint

    def __init__(self, cls: Any, one: bool) -> None:
        RowSink.__init__(self)
        self.cls = cls
        self.rows = []
        self.one = one

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        self.count += 1
        if self.one and self.count > 1:
            return None
        from msgspec import convert

        row: tuple = read_row(self.columns, data, at, end)
        self.rows.append(convert(dict(zip(self.columns.names, row)), self.cls))
        return None

    @cython.ccall
    def finish(self) -> object:
        if self.one:
            return self.rows[0] if self.rows else None
        return self.rows


@cython.final
@cython.cclass
class JSONSink(RowSink):
    """JSON: a list of objects; or the first alone, or null."""

    out: Writer
    one: cython.bint

    def __init__(self, one: bool) -> None:
        RowSink.__init__(self)
        self.one = one
        self.out = Writer.__new__(Writer)
        self.out.begin(256)

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        from msgspec.json import encode

        self.count += 1
        if self.one and self.count > 1:
            return None
        columns: Columns = self.columns
        if not self.one:
            self.out.put(b"[" if self.count == 1 else b",")
        row: tuple = read_row(columns, data, at, end)
        self.out.put(encode(dict(zip(columns.names, row))))
        return None

    @cython.ccall
    def finish(self) -> object:
        if self.one:
            return self.out.end() if self.count else b"null"
        self.out.put(b"]" if self.count else b"[]")
        return self.out.end()


def records_sink() -> RowSink:
    """Makes a list of Records."""
    return RecordsSink(False)


def one_sink(cls: Any = None) -> RowSink:
    """Makes a Record of the first row, or an object of a class; None where there is no row."""
    return RecordsSink(True) if cls is None else ClassSink(cls, True)


def tuples_sink() -> RowSink:
    """Makes a list of tuples."""
    return TuplesSink()


def value_sink() -> RowSink:
    """Makes the first value of the first row; None where there is no row."""
    return ValueSink()


def class_sink(cls: Any) -> RowSink:
    """Makes a list of objects of a class."""
    return ClassSink(cls, False)


def json_sink(one: bool = False) -> RowSink:
    """Makes JSON, as bytes: a list of objects; with `one` the first alone, or null where there is no row."""
    return JSONSink(one)
