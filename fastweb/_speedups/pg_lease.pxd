"""`BaseLease`'s state."""

from fastweb._speedups.pg_desk cimport BaseDesk
from fastweb._speedups.pg_slot cimport BaseSlot


cdef class Holding:
    cdef readonly object task
    cdef object _code
    cdef int _at
    cdef readonly double since


cdef class BaseLease:
    cdef object _pool
    cdef readonly BaseDesk desk
    cdef readonly object timeout
    cdef object _code
    cdef int _at
    cdef readonly BaseSlot slot
    cdef object _connection
    cdef bint _awaited

    cpdef object lend(self, BaseSlot slot)
    cpdef object release(self)


cdef class Done:
    pass

