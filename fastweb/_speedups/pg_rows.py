"""From DataRow messages to what was asked for: records, tuples, one value, text, JSON. Objects of a class are
in `pg_objects`.

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

import msgspec

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_record import Columns, make_record
from fastweb._speedups.pg_scalar import FLOAT8, INT4, INT8, TEXT
from fastweb._speedups.pg_wire import WireError
from fastweb._speedups.untyped import JSONBytes
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.cpython.ref import Py_INCREF
    from cython.cimports.cpython.tuple import PyTuple_New, PyTuple_SET_ITEM
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.fastweb._speedups.pg_codec import put_utf8
    from cython.cimports.fastweb._speedups.pg_wire import float8_at, int16_at, int32_at, int64_at, uint16_at
else:
    from fastweb._speedups.pg_codec import put_utf8
    from fastweb._speedups.pg_wire import float8_at, int16_at, int32_at, int64_at, uint16_at

__all__ = [
    "RowError",
    "RowSink",
    "TextSink",
    "json_sink",
    "records_sink",
    "tuples_sink",
    "value_sink",
]

_DATA_ROW = cython.declare(cython.int, 0x44)  # "D"
_INT4 = cython.declare(cython.int, INT4)
_INT8 = cython.declare(cython.int, INT8)
_FLOAT8 = cython.declare(cython.int, FLOAT8)
_TEXT = cython.declare(cython.int, TEXT)
_encode: Any = msgspec.json.Encoder().encode


class RowError(Exception):
    """A row does not fit what it is to become: the class has other fields than the query has columns, or a
    value is not of its field's type.
    """


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
    def forget(self) -> object:
        """What has come is void: it will be asked again."""
        self.count = 0
        return None

    @cython.ccall
    def finish(self) -> object:
        """The operation's answer."""
        return None


@cython.cfunc
def wrong_count(columns: Columns, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
    if end - at < 2:
        raise WireError(f"a DataRow of {end - at} bytes")
    raise WireError(f"a DataRow of {int16_at(data, at)} values, where {columns.count} columns were described")


@cython.cfunc
def wrong_size(size: cython.Py_ssize_t, rest: cython.Py_ssize_t) -> object:
    raise WireError(f"a value of {size} bytes in a DataRow that has {rest} left")


@cython.cfunc
def left_over(rest: cython.Py_ssize_t) -> object:
    raise WireError(f"{rest} bytes after the last value of a DataRow")


@cython.cfunc
@cython.boundscheck(False)
@cython.wraparound(False)
def read_row(columns: Columns, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> tuple:
    """The values of a row.

    Compiled, the tuple is handed to the garbage collector only where a value may be part of a cycle: else it
    would go through thousands of rows of numbers and text again and again. Numbers and text are made here.
    """
    i: cython.Py_ssize_t
    size: cython.Py_ssize_t
    count: cython.Py_ssize_t = columns.count
    codecs: tuple = columns.codecs
    if end - at < 2 or int16_at(data, at) != count:
        wrong_count(columns, data, at, end)
    at += 2
    if cython.compiled:
        row: tuple = PyTuple_New(count)
        capi.untrack(row)
        tracked: cython.bint = False
        kind: cython.int
        kinds: cython.p_char = capi.text_of(columns.kinds)
        text: cython.p_char = capi.text_of(data)
        for i in range(count):
            if end - at < 4:
                wrong_size(4, end - at)
            size = int32_at(data, at)
            at += 4
            if size < 0:
                if size != -1:
                    wrong_size(size, end - at)
                value: object = None
            else:
                if size > end - at:
                    wrong_size(size, end - at)
                kind = kinds[i]
                if kind != 0:
                    made: cython.p_void = capi.atom(kind, text + at, size)
                    if made != cython.NULL:
                        capi.give_item(row, i, made)
                        at += size
                        continue
                value = cython.cast(Codec, codecs[i]).decode(data, at, at + size)
                at += size
                tracked = tracked or capi.may_be_tracked(value)
            Py_INCREF(value)
            PyTuple_SET_ITEM(row, i, value)
        if at != end:
            left_over(end - at)
        if tracked:
            capi.track(row)
        return row
    values: list = []
    for codec in codecs:
        if end - at < 4:
            wrong_size(4, end - at)
        size = int32_at(data, at)
        at += 4
        if size < 0:
            if size != -1:
                wrong_size(size, end - at)
            values.append(None)
        else:
            if size > end - at:
                wrong_size(size, end - at)
            values.append(codec.decode(data, at, at + size))
            at += size
    if at != end:
        left_over(end - at)
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
        self.rows.append(make_record(self.columns, read_row(self.columns, data, at, end)))
        return None

    @cython.ccall
    def forget(self) -> object:
        self.count = 0
        self.rows = []
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
    def forget(self) -> object:
        self.count = 0
        self.rows = []
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
    def forget(self) -> object:
        self.count = 0
        self.value = None
        return None

    @cython.ccall
    def finish(self) -> object:
        return self.value


@cython.cclass
class TextSink(RowSink):
    """The rows of a Query as tuples of str and None: its values come as text."""

    def __init__(self) -> None:
        RowSink.__init__(self)
        self.rows: list = []

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        size: cython.Py_ssize_t
        if end - at < 2:
            raise WireError(f"a DataRow of {end - at} bytes")
        count: cython.Py_ssize_t = uint16_at(data, at)
        at += 2
        row: list = []
        for _ in range(count):
            if end - at < 4:
                raise WireError("a DataRow ends within a length")
            size = int32_at(data, at)
            at += 4
            if size == -1:
                row.append(None)
                continue
            if size < 0 or size > end - at:
                raise WireError(f"a value of {size} bytes in a DataRow that has {end - at} left")
            row.append(data[at : at + size].decode("utf-8", "replace"))
            at += size
        if at != end:
            raise WireError(f"{end - at} bytes after the last value of a DataRow")
        self.rows.append(tuple(row))
        self.count += 1
        return None

    @cython.ccall
    def finish(self) -> object:
        return self.rows


# --- JSON ---


@cython.cfunc
def _keys_of(columns: Columns) -> tuple:
    """The names as they stand in JSON, with what stands before and after each.

    Raises:
        RowError: two columns have one name, and an object would have it twice.
    """
    keys: tuple = columns.plans.get(JSONSink)
    if keys is None:
        if len(columns.index) != columns.count:
            twice = next(each for each in columns.names if columns.names.count(each) > 1)
            raise RowError(f"JSON: two columns are named {twice!r}; give one another name with AS")
        keys = tuple(
            [(b"," if place else b"{") + _encode(name) + b":" for place, name in enumerate(columns.names)]
        )
        columns.plans[JSONSink] = keys
    return keys


@cython.final
@cython.cclass
class JSONSink(RowSink):
    """JSON: a list of objects; or the first alone, or null. No Python object is made for a row."""

    out: Writer
    keys: tuple
    one: cython.bint

    def __init__(self, one: bool) -> None:
        RowSink.__init__(self)
        self.one = one
        self.keys = ()
        self.forget()

    @cython.ccall
    def begin(self, columns: Columns) -> object:
        self.columns = columns
        self.keys = _keys_of(columns)
        return None

    @cython.ccall
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        columns: Columns = self.columns
        codecs: tuple = columns.codecs
        keys: tuple = self.keys
        out: Writer = self.out
        kinds: bytes = columns.kinds
        kind: cython.int
        i: cython.Py_ssize_t
        size: cython.Py_ssize_t
        self.count += 1
        if self.one and self.count > 1:
            return None
        if end - at < 2 or int16_at(data, at) != columns.count:
            wrong_count(columns, data, at, end)
        if not self.one:
            out.put(b"[" if self.count == 1 else b",")
        at += 2
        for i in range(columns.count):
            out.put(keys[i])
            if end - at < 4:
                wrong_size(4, end - at)
            size = int32_at(data, at)
            at += 4
            if size < 0:
                if size != -1:
                    wrong_size(size, end - at)
                out.put(b"null")
            else:
                if size > end - at:
                    wrong_size(size, end - at)
                kind = kinds[i]
                if kind == _INT4 and size == 4:
                    out.put_int(int32_at(data, at))
                elif kind == _INT8 and size == 8:
                    out.put_int(int64_at(data, at))
                elif kind == _FLOAT8 and size == 8:
                    out.put_float(float8_at(data, at))
                elif kind == _TEXT:
                    put_utf8(out, data, at, at + size)
                else:
                    cython.cast(Codec, codecs[i]).write_json(out, data, at, at + size)
                at += size
        if at != end:
            left_over(end - at)
        out.put(b"}" if keys else b"{}")
        return None

    @cython.ccall
    def forget(self) -> object:
        self.count = 0
        self.out = Writer.__new__(Writer)
        self.out.begin(1024 if cython.compiled else 0)
        return None

    @cython.ccall
    def finish(self) -> object:
        if self.one:
            return JSONBytes(self.out.end() if self.count else b"null")
        self.out.put(b"]" if self.count else b"[]")
        return JSONBytes(self.out.end())


def records_sink() -> RowSink:
    """Makes a list of Records."""
    return RecordsSink(False)


def tuples_sink() -> RowSink:
    """Makes a list of tuples."""
    return TuplesSink()


def value_sink() -> RowSink:
    """Makes the first value of the first row; None where there is no row."""
    return ValueSink()


def json_sink(one: bool = False) -> RowSink:
    """Makes JSON, as bytes: a list of objects; with `one` the first alone, or null where there is no row."""
    return JSONSink(one)
