"""COPY's binary format: rows in the making, and taken apart, by the columns' codecs.

PostgreSQL's manual says how it is laid out ("COPY", "File Formats", "Binary Format"):

    11 bytes   the signature
    Int32      flags; of the upper half none is known to us, and a reader must refuse them
    Int32      the length of the header's extension, and so many bytes
    ...        rows: Int16, how many fields; for each Int32, its length, -1 for NULL, and its bytes
    Int16      -1: the end

A row may be cut anywhere between two pieces that come (the protocol promises no more than a stream), so what
takes apart keeps the rest of the last row. Every length and count is hostile: one that does not fit is a
`WireError`.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_copy_text import NO_ROWS, no_row
from fastweb._speedups.pg_scalar import kinds_of
from fastweb._speedups.pg_wire import Output, WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.fastweb._speedups.pg_codec import Codec
    from cython.cimports.fastweb._speedups.pg_copy_text import values_by
    from cython.cimports.fastweb._speedups.pg_wire import Output, int16_at, int32_at
else:
    from fastweb._speedups.pg_copy_text import values_by
    from fastweb._speedups.pg_wire import int16_at, int32_at

__all__ = ["BINARY_HEADER", "BINARY_TRAILER", "BinaryReader", "BinaryRows"]

#: The binary format begins with it: signature, flags, length of the header's extension.
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
BINARY_HEADER = SIGNATURE + bytes(8)
#: And ends with it: a row of -1 fields.
BINARY_TRAILER = b"\xff\xff"


@cython.cclass
class BinaryRows:
    """Rows in the making, binary, by the columns' codecs; the first bytes taken begin with the header.

    A row: int16, how many fields; for each its length as int32, -1 for NULL, and its bytes ("Binary Format",
    "Tuples").
    """

    codecs: tuple
    kinds: bytes
    out: Output
    count = cython.declare(cython.Py_ssize_t, visibility="public")
    keys = cython.declare(object, visibility="public")
    exact = cython.declare(cython.bint, visibility="public")

    def __init__(self, codecs: tuple) -> None:
        self.codecs = codecs
        self.kinds = kinds_of(codecs)
        self.count = 0
        #: Of rows that are dicts: the columns, and whether they have no others.
        self.keys: Any = None
        self.exact = False
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
            values = values_by(row, self.keys, self.exact)
        elif type(row) is not tuple and type(row) is not list:
            if isinstance(row, NO_ROWS):
                raise no_row(row)
            values = tuple(row)  # type: ignore[arg-type]
        count: cython.Py_ssize_t = len(codecs)
        if len(values) != count:  # type: ignore[arg-type]
            raise ValueError(f"expected {count} values, got {len(values)}")  # type: ignore[arg-type]
        out: Output = self.out
        began: cython.Py_ssize_t = out.size
        at: cython.Py_ssize_t
        place: cython.Py_ssize_t = 0
        codec: Codec
        if cython.compiled:
            kinds: cython.p_char = capi.text_of(self.kinds)
        out.put_int16(count)
        try:
            while place < count:
                value = values[place]  # type: ignore[index]
                if cython.compiled:
                    # PERF: numbers and short texts are most of what is copied.
                    at = capi.put_atom(kinds[place], value, out.text + out.size, out.room - out.size)
                    if at:
                        out.size += at
                        place += 1
                        continue
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
