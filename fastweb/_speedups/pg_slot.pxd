"""`BaseSlot`'s state."""

from fastweb._speedups.pg_queue cimport OperationQueue


cdef class BaseSlot:
    cdef public object desk
    cdef public object connection
    cdef readonly OperationQueue session
    cdef readonly object flight
    cdef readonly object coming
    cdef public object holder
    cdef public bint reserved
    cdef public bint dirty
    cdef public bint prepared
    cdef public double retire_at
    cdef public double idle_since
    cdef public object timer
    cdef public double slow

    cdef bint rests(self) except? -1
    cdef bint is_untouched(self) except? -1
    cpdef object hold(self, object holder)
    cpdef object rest(self)
