"""`Outcomes` as the session sees it, which is one."""

from fastweb._speedups.pg_batch cimport BatchQueue
from fastweb._speedups.pg_operation cimport Description, Operation, Statement


cdef class Outcomes(BatchQueue):
    cdef Operation _head(self, int kind)
    cdef object _unexpected(self, int kind)
    cdef object _described(self, Operation operation, bytes data, Py_ssize_t at, Py_ssize_t stop)
    cdef object _learn(self, Operation operation, bint last)
    cdef object _resume(self, Operation operation, object fields)
    cdef object _pace(self, Operation operation)
    cdef object _end_unit(self, Operation last)
    cdef object _end(self, Operation operation)
    cdef object _failed(self, dict fields)
    cdef bint _may_ask_again(self, Operation operation, object error) except? -1
    cdef object _ask_again(self, Operation operation)
    cdef object _start_again(self, Operation operation)
