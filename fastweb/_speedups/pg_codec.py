"""PostgreSQL's values, to Python and back: what a codec is, what codecs are made with, and a user's own.

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

from operator import index as _index
from typing import Any

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
    from cython.cimports.fastweb._speedups.pg_wire import Output
    from cython.cimports.fastweb._speedups.writer import Writer

__all__ = ["Codec", "UserCodec", "plain"]


def plain(value: Any) -> Any:
    """What msgspec writes in place of a value that it does not know: what is like a dict as a dict, the
    others (networks, ranges, points, intervals with months) as their text.
    """
    if hasattr(value, "keys"):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


_to_json: Any = msgspec.json.Encoder(enc_hook=plain).encode


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
