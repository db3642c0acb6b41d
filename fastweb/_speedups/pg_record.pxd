"""`Columns` and `Record` as the row sinks see them."""

cdef class Columns:
    cdef readonly tuple names
    cdef readonly tuple codecs
    cdef readonly bytes kinds
    cdef readonly Py_ssize_t count
    cdef readonly dict index
    cdef readonly dict plans

cdef class Record:
    cdef Columns _columns
    cdef tuple _row

cpdef Record make_record(Columns columns, tuple row)
