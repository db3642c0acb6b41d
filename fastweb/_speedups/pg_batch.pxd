"""`BatchQueue` as the session sees it, which is one."""

from fastweb._speedups.pg_operation cimport Description, Operation, Statement
from fastweb._speedups.pg_queue cimport OperationQueue
from fastweb._speedups.pg_record cimport Columns
from fastweb._speedups.pg_rows cimport TextSink


cdef class _Groups:
    cdef object insert
    cdef Py_ssize_t size
    cdef Py_ssize_t ask_at
    cdef bint sure
    cdef Operation asked
    cdef Statement statement
    cdef list rows


cdef class BatchQueue(OperationQueue):
    cdef object _batch_rows
    cdef Py_ssize_t _batch_count
    cdef _Groups _groups
    cdef bint _answers

    cdef object _begin_batch(self, Operation operation, object rows)
    cpdef object feed_batch(self)
    cdef object _spoil(self, Operation operation, object error)
    cdef _Groups _grouping(self, Operation operation)
    cdef object _ask(self, Operation operation, _Groups groups)
    cdef object _answered(self, Operation asked)
    cdef Statement _group_of(self, Statement statement, _Groups groups)
    cdef object _let_alone(self, Statement statement)
    cdef Statement _known(self, str sql)
    cdef Operation _amid(self, Operation operation, Statement statement, int wants)
    cdef bint _put_group(self, Statement statement, _Groups groups) except? -1
    cdef object _ungroup(self, _Groups groups, object then)
    cdef object _batch_step(self, Operation operation)
    cdef object _name_parameter(self, Operation operation, dict fields)
    cdef object _batch_failed(self, Operation operation, Operation amid)
