"""The parts of a value, as arrays have them too."""

from fastweb._speedups.pg_codec cimport Codec
from fastweb._speedups.pg_wire cimport Output


cdef Py_ssize_t part_end(str name, bytes data, Py_ssize_t at, Py_ssize_t end) except? -2
cdef bint put_part(Output out, Codec codec, object value) except? -1
