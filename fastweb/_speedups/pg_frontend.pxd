"""`Frontend` as the other parts of a session see it."""

from fastweb._speedups.pg_codec cimport Codec
from fastweb._speedups.pg_operation cimport Description, Operation, Statement
from fastweb._speedups.pg_record cimport Columns
from fastweb._speedups.pg_wire cimport Output


cdef class Frontend:
    cdef readonly object loop
    cdef readonly object registry
    cdef readonly Output out
    cdef public object transport
    cdef readonly object in_flight
    cdef readonly object held
    cdef readonly int holds
    cdef public str transaction_status
    cdef readonly dict parameters
    cdef public long long process_id
    cdef public bint ordered
    cdef public bint shared
    cdef public object lost
    cdef public bint named
    cdef public object pooled
    cdef public object owner
    cdef public bint watched
    cdef public object marker
    cdef public object reset_first
    cdef readonly list first
    cdef readonly list failed_firsts
    cdef list _firsts
    cdef public object fatal
    cdef public bint writing_paused
    cdef public int untold
    cdef readonly double now
    cdef readonly long long served
    cdef readonly dict statements
    cdef dict _descriptions
    cdef object _types
    cdef Py_ssize_t _cache_size
    cdef Py_ssize_t _max_message
    cdef long long _names
    cdef long long _used
    cdef int _losses
    cdef bint _checked
    cdef Operation _question
    cdef Py_ssize_t _early
    cdef list _evicted
    cdef list _pieces
    cdef Py_ssize_t _pieces_size
    cdef Py_ssize_t _wanted
    cdef list _ended
    cdef bint _feeding
    cdef bint _encoding
    cdef bint _scheduled
    cdef double _written
    cdef public double busy_poll
    cdef bint _polling
    cdef double _poll_until
    cdef public object clock
    cdef double _answer_time
    cdef long long _poll_served
    cdef int _poll_rest
    cdef int _poll_misses
    cdef Operation _batch
    cdef set _waiting
    cdef dict _fields
    cdef bint _unbound
    cdef Py_ssize_t _joint_end
    cdef Py_ssize_t _joint_size
    cdef readonly list unit
    cdef bint _undone

    cdef object _begin_to_poll(self)
    cdef object _forget_types(self)
    cdef Statement _new_statement(self, str sql)
    cdef object _evict(self)
    cpdef object forget(self, str sql)
    cdef object _unparse(self, Statement statement, bint close)
    cdef object _name(self, Statement statement)
    cdef object _go_unnamed(self)
    cdef Description _description(self, tuple oids, bytes raw, bint last)
    cdef object _keep(self, Statement statement)
    cdef object _drop_statement(self, Statement statement)
    cdef int _put_closes(self, Operation operation) except? -1
    cdef bint _put_parse(self, Statement statement, tuple oids) except? -1
    cdef bint _put_describe(self, Statement statement) except? -1
    cdef Py_ssize_t _put_bind_head(self, bytes portal, Statement statement, Description description) except? -1
    cdef bint _put_values(self, tuple parameters, tuple values) except? -1
    cdef bint _put_bind(self, bytes portal, Statement statement, Description description, object args) except? -1
    cdef bint _put_execute(self, Operation operation) except? -1
    cpdef object write_copy(self, bytes data)
    cpdef object end_copy(self, object failure=*)
    cdef object _write_soon(self)
    cpdef object flush(self)
