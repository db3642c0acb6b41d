"""The readers of descriptions and errors, for the session."""

cpdef dict error_fields(bytes data, Py_ssize_t at, Py_ssize_t end)
cdef tuple oids_of(bytes data, Py_ssize_t at, Py_ssize_t stop)
cdef tuple columns_of(bytes data, Py_ssize_t at, Py_ssize_t stop)
