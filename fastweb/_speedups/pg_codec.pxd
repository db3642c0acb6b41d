from fastweb._speedups.pg_wire cimport Output
from fastweb._speedups.writer cimport Writer


cdef class Codec:
    cdef readonly unsigned int oid
    cdef readonly str name
    cdef readonly int format
    cpdef encode(self, Output out, object value)
    cpdef decode(self, bytes data, Py_ssize_t at, Py_ssize_t end)
    cpdef write_json(self, Writer out, bytes data, Py_ssize_t at, Py_ssize_t end)
