"""`Head` as the other hot modules see it: its fields, with no look-up."""

cdef class Head:
    cdef readonly int status
    cdef readonly object headers
    cdef readonly bytes http1
    cdef readonly int flags
    cdef readonly long long length
