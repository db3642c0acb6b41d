"""`OperationQueue` as the session sees it, which is one."""

from fastweb._speedups.pg_frontend cimport Frontend
from fastweb._speedups.pg_operation cimport Description, Operation, Statement
from fastweb._speedups.pg_rows cimport RowSink, TextSink


cdef class OperationQueue(Frontend):
    cpdef Operation query(self, object sql, tuple args, object sink=*, object result_of=*)
    cpdef object submit(self, Operation operation)
    cdef object _check(self)
    cdef object _look_at_size(self, Operation operation)
    cdef object _reset(self)
    cdef object _start(self, Operation operation)
    cdef object _hold(self, Operation operation)
    cdef object _release(self, Operation operation)
    cdef object _started(self, Operation operation)
    cpdef object hold(self)
    cpdef object unhold(self)
    cdef object _describe(self, Operation operation)
    cdef object _send(self, Operation operation)
    cdef bint _may_be_outdated(self, Operation operation, Description description) except? -1
    cdef bint _outdated(self, Operation operation) except? -1
    cdef object _send_portal(self, Operation operation)
    cdef object _send_query(self, Operation operation)
    cdef object _sent(self, Operation operation)
    cdef bint _put_first(self, Operation operation) except? -1
    cdef object _sent_first(self, Operation operation)
    cdef object _send_first(self, Operation operation, object follower)
    cdef object _first_done(self, Operation one)
    cdef object _first_failed(self, list undone)
    cdef object _begin_batch(self, Operation operation, object rows)
    cdef object _settle(self, Operation operation, object value, object error)
    cpdef object abandon(self, Operation operation)
