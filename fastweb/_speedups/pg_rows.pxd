"""`RowSink` as the session sees it, which feeds it, and the sinks that are written elsewhere."""

from fastweb._speedups.pg_codec cimport Codec
from fastweb._speedups.pg_record cimport Columns, Record, make_record
from fastweb._speedups.writer cimport Writer

cdef class RowSink:
    cdef public Columns columns
    cdef readonly Py_ssize_t count
    cpdef object begin(self, Columns columns)
    cpdef object add(self, bytes data, Py_ssize_t at, Py_ssize_t end)
    cpdef Py_ssize_t add_all(self, bytes data, Py_ssize_t at, Py_ssize_t end) except? -1
    cpdef object forget(self)
    cpdef object finish(self)

cdef class TextSink(RowSink):
    cdef readonly list rows

cdef tuple read_row(Columns columns, bytes data, Py_ssize_t at, Py_ssize_t end)
cdef object wrong_count(Columns columns, bytes data, Py_ssize_t at, Py_ssize_t end)
cdef object wrong_size(Py_ssize_t size, Py_ssize_t rest)
cdef object left_over(Py_ssize_t rest)
