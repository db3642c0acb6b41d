"""What COPY sends, while nobody has taken it yet. Its formats have modules of their own: pg_copy_text,
pg_copy_csv, pg_copy_binary.

CopyData ("Message Formats") is Byte1('d'), Int32 and bytes; where one of them ends and the next begins means
nothing, but that a server sends one for each row.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_rows import RowSink
from fastweb._speedups.pg_wire import Output, WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_rows import RowSink
    from cython.cimports.fastweb._speedups.pg_wire import Output, int32_at
else:
    from fastweb._speedups.pg_wire import int32_at

__all__ = ["CopySink"]


@cython.final
@cython.cclass
class CopySink(RowSink):
    """What COPY sends, until somebody takes it; too much of it waiting stops the reading.

    Arguments:
        most: bytes that may wait before `on_full` is called.
        on_full: called when there are.
    """

    out: Output
    most: cython.Py_ssize_t
    is_full: cython.bint
    on_full: object
    on_data = cython.declare(object, visibility="public")

    def __init__(self, most: cython.Py_ssize_t, on_full: object) -> None:
        RowSink.__init__(self)
        self.out = Output()
        self.most = most
        self.is_full = False
        self.on_full = on_full
        #: Called once with nothing when there is something to take.
        self.on_data: Any = None

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self.out.size

    @cython.ccall
    @cython.exceptval(-1)
    def add_all(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Take the CopyData messages that begin at a place, and tell where the first message begins that is
        another or not whole.

        Raises:
            WireError: one says that it is shorter than its own length.
        """
        size: cython.Py_ssize_t
        while end - at >= 5 and data[at] == 0x64:
            size = int32_at(data, at + 1)
            if size < 4:
                raise WireError(f"a CopyData says that it is {size} bytes long")
            if size > end - at - 1:
                break
            self.out.put_part(data, at + 5, at + 1 + size)
            at += 1 + size
        if self.out.size:
            if self.on_data is not None:
                wake = self.on_data
                self.on_data = None
                wake()
            if self.out.size >= self.most and not self.is_full:
                self.is_full = True
                self.on_full()  # type: ignore[operator]
        return at

    def take(self) -> bytes:
        """What has come since the last time."""
        if not self.out.size:
            return b""
        self.is_full = False
        return self.out.take()
