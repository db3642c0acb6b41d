"""`Codec` as rows, operations and the other codecs see it."""

from fastweb._speedups.pg_wire cimport Output
from fastweb._speedups.writer cimport Writer


cdef class Codec:
    cdef readonly unsigned int oid
    cdef readonly str name
    cdef readonly int format
    # What of a nested list an array's dimensions may be: 0 lists and tuples, 1 lists, 2 the outermost list.
    cdef readonly int nests
    cpdef encode(self, Output out, object value)
    cpdef decode(self, bytes data, Py_ssize_t at, Py_ssize_t end)
    cpdef write_json(self, Writer out, bytes data, Py_ssize_t at, Py_ssize_t end)


cdef misfit(str name, Py_ssize_t expected, Py_ssize_t got)
cdef unexpected(str expected, str name, object value)
cdef long long whole(object value, str name, long long least, long long most) except? -1
cdef out_of_range(object value, str name, object least, object most)
cdef bytes part(bytes data, Py_ssize_t at, Py_ssize_t end)
cdef str text_at(bytes data, Py_ssize_t at, Py_ssize_t end)
cdef bint put_value(Writer out, object value) except? -1
cdef bint put_utf8(Writer out, bytes data, Py_ssize_t at, Py_ssize_t end) except? -1
