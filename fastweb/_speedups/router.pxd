"""`Matcher` as the answering calls it."""

cdef class Matcher:
    cdef object _root
    cdef list _regexes
    cdef dict _fixed
    cdef dict _table
    cdef unsigned long long _lengths
    cdef Py_ssize_t _count

    cpdef match(self, str method, str path)
