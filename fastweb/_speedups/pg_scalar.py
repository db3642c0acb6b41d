"""The types of PostgreSQL whose values are one thing: truth values and numbers, texts, bytes, UUIDs.

Those of them that rows are full of have a *kind* (`kinds_of`): what reads or writes many values of a column
makes them by it, in C, with no call of their codec.
"""

from enum import Enum
from typing import Any
from uuid import UUID, SafeUUID

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec, shown
from fastweb._speedups.pg_wire import Output
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.fastweb._speedups.pg_codec import (
        Codec,
        misfit,
        out_of_range,
        part,
        put_utf8,
        put_value,
        text_at,
        unexpected,
        whole,
    )
    from cython.cimports.fastweb._speedups.pg_wire import (
        Output,
        float4_at,
        float8_at,
        int16_at,
        int32_at,
        int64_at,
        uint32_at,
        uint64_at,
    )
    from cython.cimports.fastweb._speedups.writer import Writer
else:
    from fastweb._speedups.pg_codec import (
        misfit,
        out_of_range,
        part,
        put_utf8,
        put_value,
        text_at,
        unexpected,
        whole,
    )
    from fastweb._speedups.pg_wire import (
        float4_at,
        float8_at,
        int16_at,
        int32_at,
        int64_at,
        uint32_at,
        uint64_at,
    )

__all__ = [
    "BoolCodec",
    "ByteaCodec",
    "CharCodec",
    "EnumCodec",
    "Float4Codec",
    "Float8Codec",
    "Int2Codec",
    "Int4Codec",
    "Int8Codec",
    "TextCodec",
    "UintCodec",
    "UuidCodec",
    "VoidCodec",
    "kinds_of",
]

_INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
_INT64_MIN = cython.declare(cython.longlong, -_INT64_MAX - 1)
_UUID: Any = UUID
_UNKNOWN: Any = SafeUUID.unknown
_set: Any = object.__setattr__
_int_from_bytes: Any = int.from_bytes
_HEX_PAIRS: bytes = b"".join(b"%02x" % byte for byte in range(256))
if cython.compiled:
    #: Where a UUID has its number and its flag.
    _UUID_INT = cython.declare(cython.Py_ssize_t, capi.slot_offset(UUID.__dict__["int"]))
    _UUID_SAFE = cython.declare(cython.Py_ssize_t, capi.slot_offset(UUID.__dict__["is_safe"]))


@cython.final
@cython.cclass
class BoolCodec(Codec):
    """bool: one byte."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if value is True:
            out.put_int8(1)
        elif value is False:
            out.put_int8(0)
        else:
            unexpected("bool", self.name, value)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 1:
            misfit(self.name, 1, end - at)
        return data[at] != 0

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 1:
            misfit(self.name, 1, end - at)
        out.put(b"true" if data[at] != 0 else b"false")


@cython.final
@cython.cclass
class Int2Codec(Codec):
    """int2: Int16."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        out.put_int16(whole(value, self.name, -0x8000, 0x7FFF))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 2:
            misfit(self.name, 2, end - at)
        return int16_at(data, at)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 2:
            misfit(self.name, 2, end - at)
        out.put_int(int16_at(data, at))


@cython.final
@cython.cclass
class Int4Codec(Codec):
    """int4: Int32."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        out.put_int32(whole(value, self.name, -0x80000000, 0x7FFFFFFF))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 4:
            misfit(self.name, 4, end - at)
        return int32_at(data, at)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 4:
            misfit(self.name, 4, end - at)
        out.put_int(int32_at(data, at))


@cython.final
@cython.cclass
class Int8Codec(Codec):
    """int8: Int64."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        out.put_int64(whole(value, self.name, _INT64_MIN, _INT64_MAX))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8:
            misfit(self.name, 8, end - at)
        return int64_at(data, at)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8:
            misfit(self.name, 8, end - at)
        out.put_int(int64_at(data, at))


@cython.final
@cython.cclass
class UintCodec(Codec):
    """oid, xid, cid: four bytes without a sign; xid8: eight."""

    size: cython.int

    def __init__(self, oid: int, name: str, size: int = 4) -> None:
        Codec.__init__(self, oid, name)
        self.size = size

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if self.size == 4:
            out.put_uint32(whole(value, self.name, 0, 0xFFFFFFFF))
            return
        if not isinstance(value, int):
            unexpected("int", self.name, value)
        if not 0 <= value <= 0xFFFFFFFFFFFFFFFF:
            out_of_range(value, self.name, 0, 0xFFFFFFFFFFFFFFFF)
        out.put(int(value).to_bytes(8, "big"))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != self.size:
            misfit(self.name, self.size, end - at)
        return uint32_at(data, at) if self.size == 4 else uint64_at(data, at)


@cython.cfunc
@cython.exceptval(-1, check=True)
def _real(value: Any, name: str) -> cython.double:
    try:
        if not isinstance(value, (str, bytes, bytearray)):
            return float(value)
        unexpected("float", name, value)
    except TypeError:
        unexpected("float", name, value)
    except OverflowError:
        raise OverflowError(f"expected a number that fits {name}, got {shown(value)}") from None
    return 0.0


@cython.final
@cython.cclass
class Float4Codec(Codec):
    """float4: a float of IEEE 754 in four bytes."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        number: cython.double = _real(value, self.name)
        try:
            out.put_float4(number)
        except OverflowError:
            raise OverflowError(f"expected a number that fits {self.name}, got {shown(value)}") from None

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 4:
            misfit(self.name, 4, end - at)
        return float4_at(data, at)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 4:
            misfit(self.name, 4, end - at)
        out.put_float(float4_at(data, at))


@cython.final
@cython.cclass
class Float8Codec(Codec):
    """float8: a float of IEEE 754 in eight bytes."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        out.put_float8(_real(value, self.name))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8:
            misfit(self.name, 8, end - at)
        return float8_at(data, at)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8:
            misfit(self.name, 8, end - at)
        out.put_float(float8_at(data, at))


@cython.cclass
class TextCodec(Codec):
    """text and its family, binary and text alike; in the text format, whatever has no codec of its own."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, str):
            unexpected("str", self.name, value)
        out.put_text(value if type(value) is str else str.__str__(value))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        return text_at(data, at, end)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        put_utf8(out, data, at, end)


@cython.final
@cython.cclass
class EnumCodec(Codec):
    """An enum of the server: a str. In, also a member of a Python Enum, whose value is meant where that is a
    str, else its name.

    Arguments:
        members: of a Python Enum by label, which are what is given then; None for str.
    """

    members: dict

    def __init__(self, oid: int, name: str, members: Any = None) -> None:
        Codec.__init__(self, oid, name)
        self.members = members

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if isinstance(value, Enum):
            label: Any = value.value
            value = label if isinstance(label, str) else value.name
        if not isinstance(value, str):
            unexpected("str or Enum", self.name, value)
        out.put_text(value if type(value) is str else str.__str__(value))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        text: str = text_at(data, at, end)
        if self.members is None:
            return text
        member = self.members.get(text)
        if member is None:
            raise ValueError(f"{shown(text)} of {self.name} is no member of the Enum that was set for it")
        return member

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if self.members is None:
            put_utf8(out, data, at, end)
        else:
            put_value(out, self.decode(data, at, end))


@cython.final
@cython.cclass
class CharCodec(Codec):
    """ "char": one byte, as a str of one character below U+0100, and of none for the byte 0."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if isinstance(value, bytes) and len(value) == 1:
            out.put(bytes(value))
            return
        if not isinstance(value, str):
            unexpected("str", self.name, value)
        if len(value) > 1 or value > "\xff":
            raise ValueError(f'expected one character below U+0100 for "char", got {shown(value)}')
        out.put(value.encode("latin-1") or b"\0")

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 1:
            misfit(self.name, 1, end - at)
        return "" if data[at] == 0 else str(data[at:end], "latin-1")


@cython.final
@cython.cclass
class VoidCodec(Codec):
    """void, what a procedure of SELECT gives: None."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        unexpected("None", self.name, value)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        return None


@cython.final
@cython.cclass
class ByteaCodec(Codec):
    """bytea: the bytes."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if type(value) is bytes:
            out.put(value)
            return
        try:
            with memoryview(value) as view:
                out.put(view.tobytes())
        except TypeError:
            unexpected("bytes", self.name, value)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        return part(data, at, end)


@cython.final
@cython.cclass
class UuidCodec(Codec):
    """uuid: 16 bytes."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, _UUID):
            if not isinstance(value, str):
                unexpected("UUID", self.name, value)
            try:
                value = _UUID(value)
            except ValueError:
                raise ValueError(f"expected a UUID for {self.name}, got {shown(value)}") from None
        out.put(value.bytes)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 16:
            misfit(self.name, 16, end - at)
        made: Any
        if cython.compiled:
            number = capi.int_of_16(capi.text_of(data) + at)
            made = capi.allocated(_UUID)
            if _UUID_INT > 0 and _UUID_SAFE > 0:
                # PERF: a UUID refuses to be set; this is what its __init__ does, past its checks. Nothing in
                # it can lead back to it, and a thousand of them are not gone through again and again.
                capi.fill_slot(made, _UUID_INT, number)
                capi.fill_slot(made, _UUID_SAFE, _UNKNOWN)
                if capi.is_tracked(made):
                    capi.untrack(made)
                return made
        else:
            number = _int_from_bytes(data[at:end], "big")
            made = object.__new__(_UUID)
        _set(made, "int", number)
        _set(made, "is_safe", _UNKNOWN)
        return made

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 16:
            misfit(self.name, 16, end - at)
        if cython.compiled:
            if out.room - out.size < 38:
                out.grow(38)
            to: cython.p_char = out.text + out.size
            pairs: cython.p_char = capi.text_of(_HEX_PAIRS)
            text: cython.p_char = capi.text_of(data) + at
            place: cython.int = 1
            i: cython.int
            to[0] = 34
            for i in range(16):
                if i == 4 or i == 6 or i == 8 or i == 10:
                    to[place] = 45
                    place += 1
                byte: cython.uchar = text[i]
                to[place] = pairs[2 * byte]
                to[place + 1] = pairs[2 * byte + 1]
                place += 2
            to[37] = 34
            out.size += 38
            return
        put_value(out, self.decode(data, at, end))


# Kinds of values that are made with no call of their codec: the cases of capi.pxd's `atom`.
BOOL = 1
INT2 = 2
INT4 = 3
INT8 = 4
FLOAT4 = 5
FLOAT8 = 6
TEXT = 7

_KINDS: dict = {
    BoolCodec: BOOL,
    Int2Codec: INT2,
    Int4Codec: INT4,
    Int8Codec: INT8,
    Float4Codec: FLOAT4,
    Float8Codec: FLOAT8,
    TextCodec: TEXT,
}


def kinds_of(codecs: tuple) -> bytes:
    """Of each codec the kind of what it reads, where that is a number or a text; 0 for anything else, a
    subclass for one.
    """
    return bytes([_KINDS.get(type(codec), 0) for codec in codecs])
