"""PostgreSQL's values, to Python and back: the codecs of single values, and what a codec is.

A value travels as Int32, its length (-1 for NULL), and so many bytes. A codec is asked for the bytes alone:

    encode      writes those of a Python value; what puts the length around them is the caller
    decode      makes the Python value of those from `at` to `end`, where they lie in what was received
    write_json  writes them as JSON, the same that msgspec makes of the decoded value, with none made where
                the type is a frequent one

In the binary format (1) the bytes are what the type's send and receive functions make and take
(src/backend/utils/adt of PostgreSQL's source; the manual does not tell); in the text format (0) they are what
psql shows. Nothing that comes is believed: a length that does not fit the type is a `WireError`. A value
that Python cannot hold, such as a date before the year 1, is a ValueError: it is the query's failure alone.

What `encode` is given is the user's: TypeError for another type, ValueError and OverflowError (of a number)
for what the type cannot hold, each with what was expected and what was got.
"""

from enum import Enum
from operator import index as _index
from typing import Any
from uuid import UUID, SafeUUID

import msgspec

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_wire import Output, WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.cpython.long import PyLong_AsLongLongAndOverflow
    from cython.cimports.fastweb._speedups import capi
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
    "Codec",
    "EnumCodec",
    "Float4Codec",
    "Float8Codec",
    "Int2Codec",
    "Int4Codec",
    "Int8Codec",
    "JsonCodec",
    "TextCodec",
    "UintCodec",
    "UserCodec",
    "UuidCodec",
    "VoidCodec",
    "kinds_of",
    "plain",
]

_INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
_INT64_MIN = cython.declare(cython.longlong, -_INT64_MAX - 1)
_UUID: Any = UUID
_UNKNOWN: Any = SafeUUID.unknown
_set: Any = object.__setattr__
_int_from_bytes: Any = int.from_bytes
_HEX: bytes = b"0123456789abcdef"
_HEX_PAIRS: bytes = b"".join(b"%02x" % byte for byte in range(256))
if cython.compiled:
    #: Where a UUID has its number and its flag.
    _UUID_INT = cython.declare(cython.Py_ssize_t, capi.slot_offset(UUID.__dict__["int"]))
    _UUID_SAFE = cython.declare(cython.Py_ssize_t, capi.slot_offset(UUID.__dict__["is_safe"]))


def plain(value: Any) -> Any:
    """What msgspec writes in place of a value that it does not know: what is like a dict as a dict, the
    others (networks, ranges, points, intervals with months) as their text.
    """
    if hasattr(value, "keys"):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def _parameter(value: Any) -> Any:
    """As `plain`, for what a user wants to be JSON: nothing becomes text by chance."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "keys"):
        return dict(value)
    raise TypeError(f"expected what JSON can hold, got {type(value).__name__}")


_to_json: Any = msgspec.json.Encoder(enc_hook=plain).encode
_parameter_to_json: Any = msgspec.json.Encoder(enc_hook=_parameter).encode
#: As fast as orjson's, and integers of more than 64 bits stay what they are.
_from_json: Any = msgspec.json.Decoder().decode
#: Goes through a document, and makes nothing of it.
_is_json: Any = msgspec.json.Decoder(msgspec.Raw).decode


# --- What codecs are made with ---


@cython.cfunc
def misfit(name: str, expected: cython.Py_ssize_t, got: cython.Py_ssize_t) -> Any:
    raise WireError(f"a value of {name} has {expected} bytes, and not {got}")


@cython.cfunc
def unexpected(expected: str, name: str, value: Any) -> Any:
    raise TypeError(f"expected {expected} for {name}, got {type(value).__name__}")


def shown(value: Any) -> str:
    """A value in an error. Python refuses to write an int of more than 4,300 digits."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an int of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


@cython.cfunc
def out_of_range(value: Any, name: str, least: Any, most: Any) -> Any:
    raise OverflowError(f"expected {least} to {most} for {name}, got {shown(value)}")


@cython.cfunc
@cython.exceptval(-1, check=True)
def whole(value: Any, name: str, least: cython.longlong, most: cython.longlong) -> cython.longlong:
    """An int, or what says that it is one (`__index__`), within bounds."""
    if not isinstance(value, int):
        try:
            value = _index(value)
        except TypeError:
            unexpected("int", name, value)
    if cython.compiled:
        over: cython.int = 0
        number: cython.longlong = PyLong_AsLongLongAndOverflow(value, cython.address(over))
        if over != 0 or number < least or number > most:
            out_of_range(value, name, least, most)
        return number
    if not least <= value <= most:
        out_of_range(value, name, least, most)
    return int(value)


@cython.cfunc
@cython.inline
def text_at(data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> str:
    """UTF-8; a UnicodeDecodeError is a ValueError: a server whose database has no encoding sends anything."""
    if cython.compiled:
        text: str = capi.utf8(capi.text_of(data) + at, end - at)
        return text
    return str(data[at:end], "utf-8")


@cython.cfunc
@cython.inline
def part(data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> bytes:
    """Some of the bytes."""
    if cython.compiled:
        some: bytes = capi.part(data, at, end)
        return some
    return data[at:end]


@cython.cfunc
@cython.exceptval(-1)
def put_value(out: Writer, value: Any) -> cython.bint:
    """A Python value as JSON."""
    return out.put(_to_json(value))


@cython.cfunc
@cython.exceptval(-1)
def put_utf8(out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
    """UTF-8 as a JSON string.

    Raises:
        UnicodeDecodeError: it is none.
    """
    if cython.compiled:
        if out.put_ascii(capi.text_of(data) + at, end - at):
            return True
    return out.put_str(text_at(data, at, end))


# --- Codecs ---


@cython.cclass
class Codec:
    """One type of the server. A user's own is a `UserCodec`, or a subclass with `encode` and `decode`.

    Arguments:
        oid: the type's.
        name: the type's, as errors name it.
        format: 1 for binary, 0 for text.
    """

    def __init__(self, oid: int, name: str, format: int = 1) -> None:  # noqa: A002
        self.oid = oid
        self.name = name
        self.format = format
        self.nests = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}, oid {self.oid}>"

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        """Write a value's bytes; what is raised may leave some of them.

        Raises:
            TypeError, ValueError, OverflowError: it is no value of the type.
        """
        raise NotImplementedError(f"{type(self).__name__}.encode")

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        """The value of the bytes from `at` to `end`, which are within data.

        Raises:
            WireError: they are none of the type.
            ValueError: Python has no such value.
        """
        raise NotImplementedError(f"{type(self).__name__}.decode")

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        """The JSON of these bytes; raises what `decode` raises."""
        put_value(out, self.decode(data, at, end))


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


@cython.final
@cython.cclass
class JsonCodec(Codec):
    """json: its text; jsonb: a byte, its version, and the text; as the objects that it describes.

    In, any value that msgspec writes: dicts and lists, Structs and dataclasses, dates, UUIDs. A str is a JSON
    string; bytes are JSON that is already text.
    """

    is_jsonb: cython.bint

    def __init__(self, oid: int, name: str, is_jsonb: bool = False) -> None:
        Codec.__init__(self, oid, name)
        self.is_jsonb = is_jsonb
        self.nests = 2

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if self.is_jsonb:
            out.put_int8(1)
        if isinstance(value, (bytes, bytearray, memoryview)):
            out.put(bytes(value))
        else:
            out.put(_parameter_to_json(value))

    @cython.cfunc
    @cython.exceptval(-1)
    def begin(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
        if not self.is_jsonb:
            return at
        if end - at < 1 or data[at] != 1:
            raise WireError(f"a value of {self.name} begins with its version, 1")
        return at + 1

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        document: bytes = part(data, self.begin(data, at, end), end)
        try:
            return _from_json(document)
        except UnicodeDecodeError:
            raise
        except RecursionError:
            return self.too_deep()
        except msgspec.MsgspecError:
            return _from_long_numbers(document, self.name)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        """The document as it is. It is gone through nevertheless, at a fifth of what decoding costs: one that
        is broken would break what stands around it, or, from a server that means it, add to that.
        """
        document: bytes = part(data, self.begin(data, at, end), end)
        try:
            _is_json(document)
        except RecursionError:
            self.too_deep()
        except msgspec.MsgspecError:
            raise WireError(f"a value of {self.name} is no JSON") from None
        # It has not looked into strings.
        document.decode()
        out.put(document)

    @cython.cfunc
    def too_deep(self) -> Any:
        raise ValueError(f"the {self.name} is nested deeper than Python can follow") from None


def _from_long_numbers(document: bytes, name: str) -> Any:
    """JSON with numbers that msgspec refuses, and jsonb has: integers of more than 4,300 digits become a
    Decimal, other numbers beyond float's range are infinite.
    """
    import json
    from decimal import Decimal

    def number(text: str) -> int | Decimal:
        return int(text) if len(text) < 4300 else Decimal(text)

    def constant(text: str) -> Any:
        raise ValueError(text)  # NaN, which JSON has not

    try:
        # As str: of bytes, it would look for other encodings.
        return json.loads(document.decode(), parse_int=number, parse_constant=constant)
    except UnicodeDecodeError:
        raise
    except RecursionError:
        raise ValueError(f"the {name} is nested deeper than Python can follow") from None
    except ValueError:
        raise WireError(f"a value of {name} is no JSON") from None


@cython.cclass
class UserCodec(Codec):
    """A user's: `encoder` makes of a value what is sent, and `decoder` a value of what has come.

    Both deal in str in the text format and in bytes in the binary one.
    """

    encoder: Any
    decoder: Any

    def __init__(self, oid: int, name: str, format: int, encoder: Any, decoder: Any) -> None:  # noqa: A002
        Codec.__init__(self, oid, name, format)
        self.encoder = encoder
        self.decoder = decoder
        self.nests = 1

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        made = self.encoder(value)
        if self.format == 0:
            if not isinstance(made, str):
                raise TypeError(f"expected str from the encoder of {self.name}, got {type(made).__name__}")
            out.put_text(made if type(made) is str else str.__str__(made))
        elif isinstance(made, (bytes, bytearray, memoryview)):
            out.put(bytes(made))
        else:
            raise TypeError(f"expected bytes from the encoder of {self.name}, got {type(made).__name__}")

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        return self.decoder(text_at(data, at, end) if self.format == 0 else part(data, at, end))


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
