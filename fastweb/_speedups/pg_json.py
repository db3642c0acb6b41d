"""json and jsonb: documents, as the Python objects that they describe."""

from typing import Any

import msgspec

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_wire import Output, WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_codec import Codec, part
    from cython.cimports.fastweb._speedups.pg_wire import Output
    from cython.cimports.fastweb._speedups.writer import Writer
else:
    from fastweb._speedups.pg_codec import part

__all__ = ["JsonCodec"]


#: Subclasses are what they are subclasses of, whatever their own `__str__` says.
_PLAIN: Any = ((str, str.__str__), (int, int.__int__), (float, float.__float__))


def _parameter(value: Any) -> Any:
    """As `pg_codec.plain`, for what a user wants to be JSON: nothing becomes text by chance."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    for kind, plain in _PLAIN:
        if isinstance(value, kind):
            return plain(value)
    if hasattr(value, "keys"):
        return dict(value)
    raise TypeError(f"expected what JSON can hold, got {type(value).__name__}")


_parameter_to_json: Any = msgspec.json.Encoder(enc_hook=_parameter).encode
#: As fast as orjson's, and integers of more than 64 bits stay what they are.
_from_json: Any = msgspec.json.Decoder().decode
#: Goes through a document, and makes nothing of it.
_is_json: Any = msgspec.json.Decoder(msgspec.Raw).decode


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
