"""JSON text in the making (RFC 8259), for the proofs, which write what they have just proven.

The frequent types are written here: ASCII and UTF-8 text with nothing to escape, integers of 64 bits, numbers
of few decimals. The others, and in plain Python all, are msgspec's to write. Either way the bytes are those
that msgspec would make.
"""

from typing import Any

import msgspec

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING
    from cython.cimports.cpython.unicode import PyUnicode_1BYTE_DATA, PyUnicode_GET_LENGTH
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.libc.math import fabs
    from cython.cimports.libc.string import memcpy

_encode: Any = msgspec.json.Encoder().encode


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _marks(word: cython.ulonglong) -> cython.ulonglong:
    """Not zero in the bits of 0x8080… if one of eight bytes is a quotation mark, a backslash or a control
    character: what a JSON string may not have as it is (RFC 8259 section 7).

    `(x - 0x0101…) & ~x & 0x8080…` has a bit where a byte of x is zero, and none if none is; with 0x2020… it
    has one where a byte is below 0x20. What x is xored with here has no 0x80, so one ~x does for all.
    """
    ones: cython.ulonglong = 0x0101010101010101
    quote: cython.ulonglong = word ^ (ones * 0x22)
    slash: cython.ulonglong = word ^ (ones * 0x5C)
    return ((word - ones * 0x20) | (quote - ones) | (slash - ones)) & ~word


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _copied(to: cython.p_char, text: cython.p_char, size: cython.Py_ssize_t) -> cython.bint:
    """Copy UTF-8, and tell whether it may stand in a JSON string as it is. The last words overlap."""
    if cython.compiled:
        word: cython.ulonglong = 0
        half: cython.uint = 0
        found: cython.ulonglong = 0
        i: cython.Py_ssize_t = 0
        while i + 8 <= size:
            memcpy(cython.address(word), text + i, 8)
            memcpy(to + i, cython.address(word), 8)
            found |= _marks(word)
            i += 8
        if i < size:
            if size >= 8:
                memcpy(cython.address(word), text + size - 8, 8)
                memcpy(to + size - 8, cython.address(word), 8)
            elif size >= 4:
                memcpy(cython.address(half), text + size - 4, 4)
                memcpy(to + size - 4, cython.address(half), 4)
                word = half
                memcpy(cython.address(half), text, 4)
                memcpy(to, cython.address(half), 4)
                word = (word << 32) | half
            else:
                word = 0x6161616161616161
                for i in range(size):
                    to[i] = text[i]
                    word = (word << 8) | cython.cast(cython.uchar, text[i])
            found |= _marks(word)
        high: cython.ulonglong = 0x0101010101010101
        return (found & (high << 7)) == 0
    return False


@cython.cfunc
@cython.exceptval(check=False)
def copied(to: cython.p_char, text: cython.p_char, size: cython.Py_ssize_t) -> cython.bint:
    """The same, for other modules."""
    return _copied(to, text, size)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _is_ascii(text: cython.p_char, size: cython.Py_ssize_t) -> cython.bint:
    if cython.compiled:
        word: cython.ulonglong = 0
        found: cython.ulonglong = 0
        i: cython.Py_ssize_t = 0
        while i + 8 <= size:
            memcpy(cython.address(word), text + i, 8)
            found |= word
            i += 8
        while i < size:
            found |= cython.cast(cython.uchar, text[i])
            i += 1
        # As 0x8080… it would be a Python int: it is more than a C long has.
        high: cython.ulonglong = 0x0101010101010101
        return (found & (high << 7)) == 0
    return False


@cython.final
@cython.cclass
class Writer:
    """JSON in the making. What is unusual is left to msgspec; in plain Python, everything."""

    made: cython.p_void
    text: cython.p_char
    size: cython.Py_ssize_t
    room: cython.Py_ssize_t

    def __dealloc__(self) -> None:
        if cython.compiled:
            capi.dropped(self.made)

    @cython.cfunc
    @cython.exceptval(-1)
    def begin(self, room: cython.Py_ssize_t) -> cython.bint:
        """Make room for so many bytes."""
        self.size = 0
        if cython.compiled:
            self.made = capi.new_bytes(cython.NULL, room)
            self.text = capi.bytes_text(self.made)
            self.room = room
        else:
            self.made = bytearray()
        return True

    @cython.cfunc
    def end(self) -> bytes:
        """What was written; nothing can be written after it."""
        if cython.compiled:
            made = self.made
            self.made = cython.NULL
            self.room = 0
            document: bytes = capi.taken(capi.resized(made, self.size))
            return document
        return bytes(self.made)

    @cython.cfunc
    def back(self, size: cython.Py_ssize_t) -> None:
        """Forget what was written after so many bytes."""
        self.size = size
        if not cython.compiled:
            del self.made[size:]

    @cython.cfunc
    @cython.exceptval(-1)
    def grow(self, more: cython.Py_ssize_t) -> cython.bint:
        made = self.made
        self.made = cython.NULL
        self.room += self.room // 2 + more
        self.made = capi.resized(made, self.room)
        self.text = capi.bytes_text(self.made)
        return True

    @cython.cfunc
    @cython.inline
    @cython.exceptval(-1)
    def put(self, data: bytes) -> cython.bint:
        """These bytes as they are."""
        count: cython.Py_ssize_t = len(data)
        if cython.compiled:
            if self.room - self.size < count:
                self.grow(count)
            memcpy(self.text + self.size, PyBytes_AS_STRING(data), count)
        else:
            self.made += data
        self.size += count
        return True

    @cython.cfunc
    @cython.inline
    @cython.exceptval(-1)
    def put_str(self, value: str) -> cython.bint:
        if cython.compiled:
            count: cython.Py_ssize_t = 0
            if capi.PyUnicode_IS_COMPACT_ASCII(value):
                count = PyUnicode_GET_LENGTH(value)
                data: cython.p_char = cython.cast(cython.p_char, PyUnicode_1BYTE_DATA(value))
            else:
                data = capi.utf8_text(value, cython.address(count))
            if self.room - self.size < count + 2:
                self.grow(count + 2)
            end: cython.p_char = self.text + self.size
            if _copied(end + 1, data, count):
                end[0] = 34
                end[count + 1] = 34
                self.size += count + 2
                return True
        return self.put(_encode(value))

    @cython.cfunc
    @cython.exceptval(-1)
    def put_ascii(self, data: cython.p_char, count: cython.Py_ssize_t) -> cython.bint:
        """Text as a JSON string, and True, where it is ASCII with nothing to escape; else nothing."""
        if self.room - self.size < count + 2:
            self.grow(count + 2)
        end: cython.p_char = self.text + self.size
        if not _copied(end + 1, data, count) or not _is_ascii(data, count):
            return False
        end[0] = 34
        end[count + 1] = 34
        self.size += count + 2
        return True

    @cython.cfunc
    @cython.cdivision(True)
    @cython.exceptval(-1)
    def put_int(self, value: cython.longlong) -> cython.bint:
        if cython.compiled:
            if self.room - self.size < 24:
                self.grow(24)
            rest: cython.ulonglong = value
            if value < 0:
                rest = 0 - rest
                self.text[self.size] = 45
                self.size += 1
            self.put_digits(rest, 1)
            return True
        return self.put(_encode(value))

    @cython.cfunc
    @cython.cdivision(True)
    @cython.exceptval(check=False)
    def put_digits(self, rest: cython.ulonglong, least: cython.int) -> cython.bint:
        """The decimal digits of a number, at least so many of them; there is room for 20."""
        count: cython.int = least
        bound: cython.ulonglong = 1
        i: cython.int = 0
        while i < least:
            bound *= 10
            i += 1
        while count < 20 and rest >= bound:
            count += 1
            bound *= 10
        self.size += count
        for i in range(1, count + 1):
            self.text[self.size - i] = 48 + rest % 10
            rest = rest // 10
        return True

    @cython.cfunc
    @cython.cdivision(True)
    @cython.exceptval(-1)
    def put_float(self, value: cython.double) -> cython.bint:
        """A number of few decimals by itself.

        Decimals of up to 15 digits are all different as doubles, so where `whole / scale`, which is rounded
        correctly, gives back the double, `whole / scale` is its shortest form; the least scale leaves no zero
        at the end.
        """
        if cython.compiled:
            magnitude: cython.double = fabs(value)
            scale: cython.double = 1.0
            places: cython.int
            if 1e-3 <= magnitude < 1e9:
                for places in range(1, 7):
                    scale *= 10.0
                    whole: cython.longlong = cython.cast(cython.longlong, magnitude * scale + 0.5)
                    if cython.cast(cython.double, whole) / scale == magnitude:
                        if self.room - self.size < 48:
                            self.grow(48)
                        if value < 0.0:
                            self.text[self.size] = 45
                            self.size += 1
                        unit: cython.longlong = cython.cast(cython.longlong, scale)
                        self.put_digits(whole // unit, 1)
                        self.text[self.size] = 46
                        self.size += 1
                        self.put_digits(whole % unit, places)
                        return True
        return self.put(_encode(value))
