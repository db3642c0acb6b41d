"""`RequestParser` as the connection sees it: what a head said, with no look-up."""

cdef class RequestParser:
    cdef readonly str method
    cdef readonly bytes target
    cdef readonly list headers
    cdef readonly str http_version
    cdef readonly bint keep_alive
    cdef readonly bint expect
    cdef readonly bint upgrade
    cdef readonly bint forwarded
    cdef readonly bint in_head
    cdef readonly bytes piece
    cdef int _state
    cdef bytes _data
    cdef Py_ssize_t _at
    cdef object _partial
    cdef Py_ssize_t _size
    cdef bint _blank
    cdef int _hosts
    cdef bytes _host
    cdef bytes _valid_host
    cdef bytes _length
    cdef bint _chunked
    cdef int _types
    cdef bint _close
    cdef bint _persist
    cdef long long _left
    cdef readonly long long body_size
    cdef long long _extensions
    cdef Py_ssize_t _fields
    # The fields of the last head, and what they say.
    cdef bytes _known
    cdef list _known_headers
    cdef long long _known_length
    cdef bint _known_forwarded
    # Where in the data that is being read the fields of this head begin; -1 for elsewhere.
    cdef Py_ssize_t _fields_at
    cdef Py_ssize_t _max_head
    cdef Py_ssize_t _max_target
    cdef Py_ssize_t _max_fields
    cdef long long _max_body
    cdef Py_ssize_t _max_extensions
    cdef Py_ssize_t _max_trailers
    cdef Py_ssize_t _max_trailer_fields

    cpdef feed(self, bytes data)
    cpdef int next_event(self) except? -1

    cdef int _end_message(self) except? -1
    cdef Py_ssize_t _keep(self, Py_ssize_t bound) except? -1
    cdef int _read_head(self) except? -1
    cdef bint _fields_are_known(self, bytes data, Py_ssize_t at, Py_ssize_t end, bytes known) except? -1
    cdef bint _remember(self, bytes data, Py_ssize_t stop) except? -1
    cdef int _head_is_partial(self) except? -1
    cdef bint _read_request_line(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except? -1
    cdef bint _read_field(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except? -1
    cdef bint _read_connection(self, bytes value) except? -1
    cdef bint _end_head(self) except? -1
    cdef bint _read_length(self, bytes value) except? -1
    cdef bint _check_target(self) except? -1
    cdef int _read_body(self, int then) except? -1
    cdef bint _read_chunk_end(self) except? -1
    cdef bint _read_chunk_size(self) except? -1
    cdef bint _read_trailers(self) except? -1
    cdef bint _check_trailer(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except? -1
