"""The words of PostgreSQL's protocol: how its messages are written, and how what they consist of is read.

A message is (PostgreSQL's manual, "Message Formats")

    Byte1     its kind
    Int32     its length, these four bytes included, the kind not
    ...       Int16, Int32 and so on in network byte order; String: bytes and a zero; Byten: bytes

`Output` is where messages are made, one behind the other, to be written at once. What fails half-way, such as
an argument that cannot be encoded, is taken back (`truncate`) as if it had never been begun.

Numbers are read where they lie, with nothing checked: whoever reads one has seen that it is there. Compiled,
the reading is inlined (pg_wire.pxd), and who wants it says

    if cython.compiled:
        from cython.cimports.fastweb._speedups.pg_wire import int32_at
    else:
        from fastweb._speedups.pg_wire import int32_at
"""

import struct
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING
    from cython.cimports.cpython.unicode import PyUnicode_1BYTE_DATA, PyUnicode_GET_LENGTH
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.libc.string import memcpy

__all__ = ["Output", "WireError"]

#: The room of a new Output, and the most that one keeps for what comes next.
_ROOM = cython.declare(cython.Py_ssize_t, 1 << 12)
_KEPT = cython.declare(cython.Py_ssize_t, 1 << 16)

_pack_float4: Any = struct.Struct("!f").pack
_pack_float8: Any = struct.Struct("!d").pack


class WireError(Exception):
    """What the server has sent breaks the protocol."""


@cython.cfunc
def _out_of_range(value: Any, name: str) -> Any:
    raise OverflowError(f"{value} is out of {name}'s range")


@cython.final
@cython.cclass
class Output:
    """Messages in the making."""

    made: cython.p_void
    text: cython.p_char
    size: cython.Py_ssize_t
    room: cython.Py_ssize_t

    def __init__(self) -> None:
        if cython.compiled:
            if self.made != cython.NULL:
                return
            self.made = capi.new_bytes(cython.NULL, _ROOM)
            self.text = capi.bytes_text(self.made)
            self.room = _ROOM
        else:
            self.made = bytearray()
        self.size = 0

    def __dealloc__(self) -> None:
        if cython.compiled:
            capi.dropped(self.made)

    def __len__(self) -> int:
        return self.size

    @cython.cfunc
    @cython.exceptval(-1)
    def grow(self, more: cython.Py_ssize_t) -> cython.bint:
        made = self.made
        # A failure of realloc drops what was there.
        self.made = cython.NULL
        room: cython.Py_ssize_t = self.room
        size: cython.Py_ssize_t = self.size
        self.room = self.size = 0
        room += room + more
        self.made = capi.resized(made, room)
        self.text = capi.bytes_text(self.made)
        self.room = room
        self.size = size
        return True

    @cython.cfunc
    @cython.inline
    @cython.exceptval(-1)
    def put_word(self, word: cython.ulonglong, count: cython.int) -> cython.bint:
        """The lowest bytes of a word, the highest of them first."""
        if cython.compiled:
            if self.room - self.size < count:
                self.grow(count)
            end: cython.p_char = self.text + self.size
            i: cython.int
            for i in range(count):
                end[i] = (word >> (8 * (count - 1 - i))) & 0xFF
        else:
            self.made += word.to_bytes(count, "big")
        self.size += count
        return True

    @cython.ccall
    @cython.exceptval(-1)
    def put_int8(self, value: cython.longlong) -> cython.bint:
        """Byte1, as a number with or without a sign.

        Raises:
            OverflowError: it has not that many bits; so say all of them.
        """
        if value < -0x80 or value > 0xFF:
            _out_of_range(value, "int1")
        return self.put_word(value & 0xFF, 1)

    @cython.ccall
    @cython.exceptval(-1)
    def put_int16(self, value: cython.longlong) -> cython.bint:
        if value < -0x8000 or value > 0x7FFF:
            _out_of_range(value, "int2")
        return self.put_word(value & 0xFFFF, 2)

    @cython.ccall
    @cython.exceptval(-1)
    def put_uint16(self, value: cython.longlong) -> cython.bint:
        if value < 0 or value > 0xFFFF:
            _out_of_range(value, "uint2")
        return self.put_word(value & 0xFFFF, 2)

    @cython.ccall
    @cython.exceptval(-1)
    def put_int32(self, value: cython.longlong) -> cython.bint:
        if value < -0x80000000 or value > 0x7FFFFFFF:
            _out_of_range(value, "int4")
        if cython.compiled:
            return self.put_word(cython.cast(cython.ulonglong, value), 4)
        return self.put_word(value & 0xFFFFFFFF, 4)

    @cython.ccall
    @cython.exceptval(-1)
    def put_uint32(self, value: cython.longlong) -> cython.bint:
        """An oid, say."""
        if value < 0 or value > 0xFFFFFFFF:
            _out_of_range(value, "uint4")
        if cython.compiled:
            return self.put_word(cython.cast(cython.ulonglong, value), 4)
        return self.put_word(value, 4)

    @cython.ccall
    @cython.exceptval(-1)
    def put_int64(self, value: cython.longlong) -> cython.bint:
        if cython.compiled:
            return self.put_word(cython.cast(cython.ulonglong, value), 8)
        if value < -0x8000000000000000 or value > 0x7FFFFFFFFFFFFFFF:
            _out_of_range(value, "int8")
        return self.put_word(value & 0xFFFFFFFFFFFFFFFF, 8)

    @cython.ccall
    @cython.exceptval(-1)
    def put_float4(self, value: cython.double) -> cython.bint:
        """
        Raises:
            OverflowError: it is too large for four bytes.
        """
        return self.put(_pack_float4(value))

    @cython.ccall
    @cython.exceptval(-1)
    def put_float8(self, value: cython.double) -> cython.bint:
        if cython.compiled:
            bits: cython.ulonglong = 0
            memcpy(cython.address(bits), cython.address(value), 8)
            return self.put_word(bits, 8)
        return self.put(_pack_float8(value))

    @cython.ccall
    @cython.exceptval(-1)
    def put(self, data: bytes) -> cython.bint:
        """These bytes as they are."""
        if data is None:
            raise TypeError("expected bytes, got None")
        count: cython.Py_ssize_t = len(data)
        if cython.compiled:
            if self.room - self.size < count:
                self.grow(count)
            memcpy(self.text + self.size, PyBytes_AS_STRING(data), count)
        else:
            self.made += data
        self.size += count
        return True

    @cython.ccall
    @cython.exceptval(-1)
    def put_part(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
        """`data[at:end]`, which must be there."""
        if cython.compiled:
            if self.room - self.size < end - at:
                self.grow(end - at)
            memcpy(self.text + self.size, PyBytes_AS_STRING(data) + at, end - at)
        else:
            self.made += data[at:end]
        self.size += end - at
        return True

    @cython.ccall
    @cython.exceptval(-1)
    def put_text(self, value: str) -> cython.bint:
        """UTF-8.

        Raises:
            ValueError: it has a lone surrogate.
        """
        if value is None:
            raise TypeError("expected str, got None")
        if cython.compiled:
            count: cython.Py_ssize_t = 0
            if capi.PyUnicode_IS_COMPACT_ASCII(value):
                count = PyUnicode_GET_LENGTH(value)
                data: cython.p_char = cython.cast(cython.p_char, PyUnicode_1BYTE_DATA(value))
            else:
                data = capi.utf8_text(value, cython.address(count))
            if self.room - self.size < count:
                self.grow(count)
            memcpy(self.text + self.size, data, count)
            self.size += count
            return True
        return self.put(value.encode())

    @cython.ccall
    @cython.exceptval(-1)
    def put_cstring(self, value: str) -> cython.bint:
        """String: UTF-8 and a zero.

        Raises:
            ValueError: it has a zero in it, or a lone surrogate.
        """
        if "\x00" in value:
            raise ValueError("there is a NUL character in the text, which PostgreSQL does not take")
        self.put_text(value)
        return self.put_word(0, 1)

    @cython.ccall
    @cython.exceptval(-1)
    def set_int32(self, at: cython.Py_ssize_t, value: cython.longlong) -> cython.bint:
        """Write a number over what was put at a place, such as a length that was not known there.

        Raises:
            IndexError: there are no four bytes.
            OverflowError: it is none of 32 bits.
        """
        if at < 0 or at > self.size - 4:
            raise IndexError(f"there are no 4 bytes at {at} of {self.size}")
        if value < -0x80000000 or value > 0x7FFFFFFF:
            _out_of_range(value, "int4")
        if cython.compiled:
            i: cython.int
            word: cython.ulonglong = cython.cast(cython.ulonglong, value)
            for i in range(4):
                self.text[at + i] = (word >> (24 - 8 * i)) & 0xFF
        else:
            self.made[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")
        return True

    @cython.ccall
    @cython.exceptval(-1)
    def truncate(self, size: cython.Py_ssize_t) -> cython.bint:
        """Forget what was put behind so many bytes."""
        if size < 0 or size > self.size:
            raise IndexError(f"there are {self.size} bytes, and not {size}")
        if not cython.compiled:
            del self.made[size:]
        self.size = size
        return True

    @cython.ccall
    def take(self) -> bytes:
        """All of it; the Output begins anew."""
        if cython.compiled:
            size: cython.Py_ssize_t = self.size
            self.size = 0
            if self.room <= _KEPT:
                copied: bytes = capi.PyBytes_FromStringAndSize(self.text, size)
                return copied
            made = self.made
            self.made = cython.NULL
            self.room = 0
            taken: bytes = capi.taken(capi.resized(made, size))
            self.made = capi.new_bytes(cython.NULL, _ROOM)
            self.text = capi.bytes_text(self.made)
            self.room = _ROOM
            return taken
        data = bytes(self.made)
        self.made = bytearray()
        self.size = 0
        return data


if not cython.compiled:
    _int16: Any = struct.Struct("!h").unpack_from
    _uint16: Any = struct.Struct("!H").unpack_from
    _int32: Any = struct.Struct("!i").unpack_from
    _uint32: Any = struct.Struct("!I").unpack_from
    _int64: Any = struct.Struct("!q").unpack_from
    _uint64: Any = struct.Struct("!Q").unpack_from
    _float4: Any = struct.Struct("!f").unpack_from
    _float8: Any = struct.Struct("!d").unpack_from

    def int16_at(data: bytes, at: int) -> int:
        number: int = _int16(data, at)[0]
        return number

    def uint16_at(data: bytes, at: int) -> int:
        number: int = _uint16(data, at)[0]
        return number

    def int32_at(data: bytes, at: int) -> int:
        number: int = _int32(data, at)[0]
        return number

    def uint32_at(data: bytes, at: int) -> int:
        number: int = _uint32(data, at)[0]
        return number

    def int64_at(data: bytes, at: int) -> int:
        number: int = _int64(data, at)[0]
        return number

    def uint64_at(data: bytes, at: int) -> int:
        number: int = _uint64(data, at)[0]
        return number

    def float4_at(data: bytes, at: int) -> float:
        number: float = _float4(data, at)[0]
        return number

    def float8_at(data: bytes, at: int) -> float:
        number: float = _float8(data, at)[0]
        return number
