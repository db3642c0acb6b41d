"""The text format, as CSV, which is built on it, sees it."""


cdef class TextRows:
    cdef Py_ssize_t columns
    cdef frozenset json_columns
    cdef str delimiter
    cdef str null
    cdef list lines
    cdef readonly Py_ssize_t waiting
    cdef public Py_ssize_t count
    cdef public object keys
    cdef public bint exact
    cdef dict escapes
    cpdef str field(self, object value, Py_ssize_t place)


cdef class TextReader:
    cdef str delimiter
    cdef str null
    cdef list held
    cdef Py_ssize_t size
    cdef Py_ssize_t most
    cdef Py_ssize_t skip
    cdef bint hold(self, bytes data) except? -1
    cdef str unescaped(self, str field)
    cpdef tuple row(self, str line)


cdef str decoded(bytes line)
cpdef list values_by(object row, tuple keys, bint exact)
