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

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_rows import RowSink

__all__ = ["CopySink"]


@cython.final
@cython.cclass
class CopySink(RowSink):
    """What COPY sends, piece by piece, until somebody takes it; too much of it waiting stops the reading.

    Arguments:
        most: bytes that may wait before `on_full` is called.
        on_full: called when there are.
    """

    pieces: list
    size = cython.declare(cython.Py_ssize_t, visibility="readonly")
    most: cython.Py_ssize_t
    is_full: cython.bint
    on_full: object
    on_data = cython.declare(object, visibility="public")

    def __init__(self, most: cython.Py_ssize_t, on_full: object) -> None:
        RowSink.__init__(self)
        self.pieces = []
        self.size = 0
        self.most = most
        self.is_full = False
        self.on_full = on_full
        #: Called once with nothing when there is something to take.
        self.on_data: Any = None

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        """One CopyData: its body is `data[at:end]`."""
        if at < end:
            self.pieces.append(data[at:end])
            self.size += end - at
            if self.on_data is not None:
                wake = self.on_data
                self.on_data = None
                wake()
            if self.size >= self.most and not self.is_full:
                self.is_full = True
                self.on_full()  # type: ignore[operator]
        return None

    def take(self) -> bytes:
        """What has come since the last time."""
        if not self.pieces:
            return b""
        data = b"".join(self.pieces)
        self.pieces.clear()
        self.size = 0
        self.is_full = False
        return data
