"""What reads and writes values of one of PostgreSQL's types."""

from typing import Any

import msgspec

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_wire import Output
from fastweb._speedups.writer import Writer

__all__ = ["Codec"]

_encode: Any = msgspec.json.Encoder().encode


@cython.cclass
class Codec:
    """The base of all codecs: text, as it is."""

    def __init__(self, oid: int = 25, name: str = "text", format: int = 0) -> None:  # noqa: A002
        self.oid = oid
        self.name = name
        self.format = format

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        """Put the value's bytes."""
        out.put_text(value)
        return None

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        """The value that `data[at:end]` is."""
        return data[at:end].decode()

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        """Write the value as JSON."""
        out.put(_encode(self.decode(data, at, end)))
        return None
