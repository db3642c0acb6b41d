"""What of C the runner calls: contexts are entered and left, and Tasks compared, with no Python call."""

from fastweb._speedups.answer cimport Answer
from fastweb._speedups.stream cimport BaseStream

cdef class Carrier:
    cdef object _runner
    cdef object _wake
    cdef object _coroutine
    cdef object _context
    cdef object _first
    cdef object _task
    cdef object _stream
    cdef object _outcome
    cdef object _raised
    cdef bint _parked
    cdef bint _attached
    cdef bint _ended

    cdef object _step(self, object step, object value)
    cpdef go_on(self, object loop)
    cdef bint _finished(self, object error) except? -1


cdef class Runner:
    cdef readonly dict tasks
    # The stream whose first step runs now.
    cdef object _opening
    cdef object _loop
    cdef object _spare
    cdef object _reference
    cdef set _shown
    cdef Carrier _carrier
    cdef object _name
    cdef bint _imaged
    # What the spare and its future were, byte by byte, when a request began.
    cdef char[256] _task_image
    cdef char[256] _wake_image

    cpdef run(self, object coroutine, object stream)
    cdef bint _run_eager(self, object coroutine, object stream) except? -1
    cdef bint _run_spare(self, object coroutine, object stream) except? -1
    cdef bint _make_spare(self) except? -1
    cdef bint _is_as_it_was(self, object task, Carrier carrier) except? -1
    cdef bint _is_fresh(self, object task, Carrier carrier) except? -1
