"""A wait, as those see it who bring what is waited for."""

from fastweb._speedups.runner cimport Carrier

cdef class Arrival:
    cdef public object _asyncio_future_blocking
    cdef object _loop
    cdef object _callback
    cdef object _context
    cdef bint _done
    cdef bint _cancelled
    cdef object _words
    # Carries the coroutine that waits for it, where nothing but a Task stands behind.
    cdef Carrier _carrier
    # What the Task waits for while its coroutine waits for this one; and the other way round.
    cdef Arrival _head
    cdef Arrival _now
    cdef bint _stepping
    cdef bint _asked

    cdef bint is_taken(self) except? -1
    cpdef wait(self)
    cpdef forget(self)
    cpdef wake(self, bint at_once)


cdef bint is_idle(object loop) except? -1
