"""`Writer` as the proofs see it."""

cdef bint copied(char *to, char *text, Py_ssize_t size) noexcept

cdef class Writer:
    cdef void *made
    cdef char *text
    cdef Py_ssize_t size
    cdef Py_ssize_t room
    cdef bint begin(self, Py_ssize_t room) except? -1
    cdef bytes end(self)
    cdef back(self, Py_ssize_t size)
    cdef bint grow(self, Py_ssize_t more) except? -1
    cdef bint put(self, bytes data) except? -1
    cdef bint put_str(self, str value) except? -1
    cdef bint put_ascii(self, char *data, Py_ssize_t count) except? -1
    cdef bint put_int(self, long long value) except? -1
    cdef bint put_digits(self, unsigned long long rest, int least) noexcept
    cdef bint put_float(self, double value) except? -1
