"""Values made of values: ranges, composites, hstore, pgvector's vectors. Arrays are in `pg_array`.

A part is, as a value of a row is, Int32, its length, and its bytes; -1 stands for NULL. All counts and
lengths are checked against what has come before anything is made of them: what is made is never larger than
the message, but for a constant factor.
"""

import struct
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec, shown
from fastweb._speedups.pg_record import Columns
from fastweb._speedups.pg_wire import Output, WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_codec import Codec, text_at, unexpected
    from cython.cimports.fastweb._speedups.pg_record import Columns, make_record
    from cython.cimports.fastweb._speedups.pg_wire import (
        Output,
        float4_at,
        int16_at,
        int32_at,
        uint32_at,
    )
    from cython.cimports.fastweb._speedups.writer import Writer
else:
    from fastweb._speedups.pg_codec import text_at, unexpected
    from fastweb._speedups.pg_record import make_record
    from fastweb._speedups.pg_wire import int16_at, int32_at, uint32_at

__all__ = [
    "CompositeCodec",
    "HstoreCodec",
    "MultirangeCodec",
    "RangeCodec",
    "RecordCodec",
    "VectorCodec",
]


@cython.cfunc
@cython.exceptval(-2, check=True)
def part_end(name: str, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Where the part ends whose length stands at a place; -1 for NULL. It begins 4 bytes behind that place.

    Raises:
        WireError: it is not within the value.
    """
    if end - at < 4:
        raise WireError(f"a value of {name} ends where the length of a part should be")
    size: cython.Py_ssize_t = int32_at(data, at)
    if size == -1:
        return -1
    if size < 0 or size > end - at - 4:
        raise WireError(f"a value of {name} has a part of {size} bytes, where {end - at - 4} are left")
    return at + 4 + size


@cython.cfunc
@cython.exceptval(-1)
def put_part(out: Output, codec: Codec, value: Any) -> cython.bint:
    """A part with its length before it."""
    if value is None:
        return out.put_int32(-1)
    begin: cython.Py_ssize_t = out.size
    out.put_int32(0)
    codec.encode(out, value)
    return out.set_int32(begin, out.size - begin - 4)


@cython.cfunc
def _left_over(name: str, rest: cython.Py_ssize_t) -> Any:
    raise WireError(f"a value of {name} has {rest} bytes behind its last part")


@cython.final
@cython.cclass
class RangeCodec(Codec):
    """Byte1, flags: 1 empty, 2 and 4 with the lower and the upper bound, 8 and 16 without a lower and an
    upper one; then the bounds that there are (src/backend/utils/adt/rangetypes.c).

    Arguments:
        subtype: of the bounds.
        make: the class of ranges.
    """

    subtype: Codec
    make: Any

    def __init__(self, oid: int, name: str, subtype: Codec, make: Any) -> None:
        Codec.__init__(self, oid, name)
        self.subtype = subtype
        self.make = make

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, self.make):
            unexpected("Range", self.name, value)
        if value.isempty:
            out.put_int8(1)
            return
        lower = value.lower
        upper = value.upper
        out.put_int8(
            (2 if value.lower_inc else 0)
            + (4 if value.upper_inc else 0)
            + (8 if lower is None else 0)
            + (16 if upper is None else 0)
        )
        if lower is not None:
            put_part(out, self.subtype, lower)
        if upper is not None:
            put_part(out, self.subtype, upper)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at < 1:
            raise WireError(f"a value of {self.name} of no bytes")
        flags: cython.int = data[at]
        at += 1
        if flags & 1:
            if at != end:
                _left_over(self.name, end - at)
            return self.make(empty=True)
        lower: Any = None
        upper: Any = None
        stop: cython.Py_ssize_t
        if not flags & 8:
            stop = part_end(self.name, data, at, end)
            if stop < 0:
                raise WireError(f"a value of {self.name} whose lower bound is NULL")
            lower = self.subtype.decode(data, at + 4, stop)
            at = stop
        if not flags & 16:
            stop = part_end(self.name, data, at, end)
            if stop < 0:
                raise WireError(f"a value of {self.name} whose upper bound is NULL")
            upper = self.subtype.decode(data, at + 4, stop)
            at = stop
        if at != end:
            _left_over(self.name, end - at)
        return self.make(lower, upper, lower_inc=flags & 2 != 0, upper_inc=flags & 4 != 0)


@cython.final
@cython.cclass
class MultirangeCodec(Codec):
    """Int32, how many ranges, and these: as a list."""

    range: Codec

    def __init__(self, oid: int, name: str, range: Codec) -> None:  # noqa: A002
        Codec.__init__(self, oid, name)
        self.range = range
        self.nests = 2

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if isinstance(value, (str, bytes)) or not (hasattr(value, "__iter__") and hasattr(value, "__len__")):
            # As for arrays, nothing that can be read once.
            unexpected("list of Range", self.name, value)
        ranges: list = list(value)
        out.put_int32(len(ranges))
        for each in ranges:
            if each is None:
                unexpected("list of Range", self.name, each)
            put_part(out, self.range, each)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        count: cython.Py_ssize_t = int32_at(data, at)
        at += 4
        if count < 0 or count > (end - at) // 4:
            raise WireError(f"a value of {self.name} of {count} ranges in {end - at} bytes")
        made: list = []
        for _ in range(count):
            stop: cython.Py_ssize_t = part_end(self.name, data, at, end)
            if stop < 0:
                raise WireError(f"a value of {self.name} with NULL in it")
            made.append(self.range.decode(data, at + 4, stop))
            at = stop
        if at != end:
            _left_over(self.name, end - at)
        return made


@cython.cfunc
def _fields_of(codec: Codec, names: tuple, value: Any) -> Any:
    """A composite's values in order: of a sequence, of a mapping, or of an object with these attributes."""
    if hasattr(value, "keys"):
        # A Record's iteration is over its values.
        keys = list(value.keys())
        for key in keys:
            if key not in names:
                raise ValueError(f"expected the fields {', '.join(names)} for {codec.name}, got {shown(key)}")
        if len(keys) != len(names):
            missing = ", ".join(name for name in names if name not in keys)
            raise ValueError(
                f"expected the fields {', '.join(names)} for {codec.name}, got none of {missing}"
            )
        return [value[name] for name in names]
    if isinstance(value, (tuple, list)):
        if len(value) != len(names):
            raise ValueError(f"expected {len(names)} values for {codec.name}, got {len(value)}")
        return value
    if isinstance(value, (str, bytes, int, float)) or value is None:
        unexpected("tuple, dict or Record", codec.name, value)
    try:
        return [getattr(value, name) for name in names]
    except AttributeError as error:
        raise TypeError(f"expected an object with the fields of {codec.name}: {error}") from None


@cython.final
@cython.cclass
class CompositeCodec(Codec):
    """A composite type, or a table's row: a Record.

        Int32   how many fields; then for each
        Int32     the oid of its type
        Int32     its length, and so many bytes (src/backend/utils/adt/rowtypes.c)

    Arguments:
        names, oids, codecs: of the fields.
        changed: called where a value has other fields: the type was altered since it was looked up.
    """

    columns: Columns
    oids: tuple
    changed: Any
    keys: tuple

    def __init__(self, oid: int, name: str, names: tuple, oids: tuple, codecs: tuple, changed: Any) -> None:
        Codec.__init__(self, oid, name)
        self.columns = Columns(names, codecs)
        self.oids = oids
        self.changed = changed
        self.nests = 1
        import msgspec

        self.keys = tuple([msgspec.json.encode(key) + b":" for key in names])

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        values: Any = _fields_of(self, self.columns.names, value)
        out.put_int32(self.columns.count)
        i: cython.Py_ssize_t = 0
        for each in values:
            out.put_uint32(self.oids[i])
            put_part(out, self.columns.codecs[i], each)
            i += 1

    @cython.cfunc
    @cython.exceptval(-1)
    def begin(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        if int32_at(data, at) != self.columns.count:
            self.other()
        return True

    @cython.cfunc
    def other(self) -> Any:
        self.changed()
        raise ValueError(f"{self.name} has other fields than when it was looked up; ask again")

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        self.begin(data, at, end)
        at += 4
        i: cython.Py_ssize_t
        values: list = []
        for i in range(self.columns.count):
            if end - at < 8:
                raise WireError(f"a value of {self.name} ends where a field should be")
            if uint32_at(data, at) != self.oids[i]:
                self.other()
            stop: cython.Py_ssize_t = part_end(self.name, data, at + 4, end)
            at += 8
            if stop < 0:
                values.append(None)
                continue
            values.append(cython.cast(Codec, self.columns.codecs[i]).decode(data, at, stop))
            at = stop
        if at != end:
            _left_over(self.name, end - at)
        return make_record(self.columns, tuple(values))

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        self.begin(data, at, end)
        at += 4
        i: cython.Py_ssize_t
        for i in range(self.columns.count):
            if end - at < 8:
                raise WireError(f"a value of {self.name} ends where a field should be")
            if uint32_at(data, at) != self.oids[i]:
                self.other()
            stop: cython.Py_ssize_t = part_end(self.name, data, at + 4, end)
            at += 8
            out.put(b"," if i else b"{")
            out.put(self.keys[i])
            if stop < 0:
                out.put(b"null")
                continue
            cython.cast(Codec, self.columns.codecs[i]).write_json(out, data, at, stop)
            at = stop
        if at != end:
            _left_over(self.name, end - at)
        out.put(b"}" if self.columns.count else b"{}")


@cython.final
@cython.cclass
class RecordCodec(Codec):
    """A record of no type, as ROW(1, 'a') makes it: a tuple. The types of its fields are told by oid alone,
    and one that was never looked up cannot be read.

    Arguments:
        find: gives the codec of an oid, or None.
    """

    find: Any

    def __init__(self, oid: int, name: str, find: Any) -> None:
        Codec.__init__(self, oid, name)
        self.find = find
        self.nests = 1

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        raise TypeError("expected a value of a named type: PostgreSQL takes no record as an argument")

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        count: cython.Py_ssize_t = int32_at(data, at)
        at += 4
        if count < 0 or count > (end - at) // 8:
            raise WireError(f"a value of {self.name} of {count} fields in {end - at} bytes")
        values: list = []
        i: cython.Py_ssize_t
        for i in range(count):
            if end - at < 8:
                raise WireError(f"a value of {self.name} ends where a field should be")
            oid = uint32_at(data, at)
            stop: cython.Py_ssize_t = part_end(self.name, data, at + 4, end)
            at += 8
            if stop < 0:
                values.append(None)
                continue
            codec: Any = self.find(oid)
            if codec is None or codec.format == 0:
                raise ValueError(
                    f"field {i + 1} of a record is of a type that is only known by its oid, {oid}: "
                    f"cast the field to text, or the record to a named type"
                )
            values.append(cython.cast(Codec, codec).decode(data, at, stop))
            at = stop
        if at != end:
            _left_over(self.name, end - at)
        return tuple(values)


@cython.final
@cython.cclass
class HstoreCodec(Codec):
    """Int32, how many pairs; for each two parts, the second may be NULL (contrib/hstore/hstore_io.c)."""

    text: Codec

    def __init__(self, oid: int, name: str, text: Codec) -> None:
        Codec.__init__(self, oid, name)
        self.text = text

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not hasattr(value, "items"):
            unexpected("dict", self.name, value)
        pairs: list = list(value.items())
        out.put_int32(len(pairs))
        for key, each in pairs:
            if key is None:
                unexpected("str", self.name, key)
            put_part(out, self.text, key)
            put_part(out, self.text, each)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        count: cython.Py_ssize_t = int32_at(data, at)
        at += 4
        if count < 0 or count > (end - at) // 8:
            raise WireError(f"a value of {self.name} of {count} pairs in {end - at} bytes")
        made: dict = {}
        for _ in range(count):
            stop: cython.Py_ssize_t = part_end(self.name, data, at, end)
            if stop < 0:
                raise WireError(f"a value of {self.name} with a key that is NULL")
            key = text_at(data, at + 4, stop)
            at = stop
            stop = part_end(self.name, data, at, end)
            if stop < 0:
                made[key] = None
                at += 4
            else:
                made[key] = text_at(data, at + 4, stop)
                at = stop
        if at != end:
            _left_over(self.name, end - at)
        return made


@cython.final
@cython.cclass
class VectorCodec(Codec):
    """pgvector's vector, and its halfvec: Int16 dimensions, Int16 0, and so many floats of 4 or 2 bytes, as a
    list. In, also what has a buffer of numbers: array.array, numpy's arrays.

    Arguments:
        letter: of the struct module: "f", or "e" for halfvec.
    """

    letter: str
    size: cython.int

    def __init__(self, oid: int, name: str, letter: str = "f") -> None:
        Codec.__init__(self, oid, name)
        self.letter = letter
        self.size = struct.calcsize(letter)
        self.nests = 2

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        numbers: Any = value
        if hasattr(value, "tolist"):
            numbers = value.tolist()
        elif isinstance(value, memoryview):
            numbers = value.tolist()
        if not isinstance(numbers, (list, tuple)):
            unexpected("list of float", self.name, value)
        if len(numbers) > 0x7FFF:
            raise ValueError(f"expected up to 32767 dimensions for {self.name}, got {len(numbers)}")
        try:
            made = struct.pack(f"!{len(numbers)}{self.letter}", *numbers)
        except OverflowError:
            raise OverflowError(f"expected numbers that fit {self.name}, got one that is too large") from None
        except struct.error:
            raise TypeError(f"expected a list of float for {self.name}, got another thing in it") from None
        out.put_int16(len(numbers))
        out.put_int16(0)
        out.put(made)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        count: cython.Py_ssize_t = int16_at(data, at)
        if count < 0 or end - at != 4 + self.size * count:
            raise WireError(f"a value of {self.name} of {count} dimensions in {end - at} bytes")
        at += 4
        if cython.compiled and self.size == 4:
            made: list = []
            i: cython.Py_ssize_t
            for i in range(count):
                made.append(float4_at(data, at + 4 * i))
            return made
        return list(struct.unpack_from(f"!{count}{self.letter}", data, at))
