"""`BaseDesk`'s state."""

from fastweb._speedups.pg_operation cimport Operation
from fastweb._speedups.pg_queue cimport OperationQueue
from fastweb._speedups.pg_slot cimport BaseSlot


cdef class BaseDesk:
    cdef dict _kinds
    cdef object _read
    cdef public object command_timeout
    cdef public long long reads
    cdef public object home
    cdef public unsigned long thread
    cdef public list free
    cdef public object reading
    cdef public object owning
    cdef public long long leases

    cpdef bint is_here(self) except? -1
    cpdef object read(self, Operation operation)
    cpdef object slot_for_read(self)
    cpdef object take(self)
    cpdef object give_back(self, BaseSlot slot)
