"""Frames as the hot path of a WebSocket reads and writes them."""

cdef class Event:
    cdef readonly int kind
    cdef readonly bytes data
    cdef readonly int code
    cdef readonly str reason


cdef class FrameParser:
    cdef bytes _data
    cdef Py_ssize_t _at
    cdef long long _max
    cdef object _inflate
    # Whether a data frame's payload is coming, and how much of it is still to come.
    cdef bint _in_frame
    cdef long long _left
    cdef bint _fin
    cdef bytes _key
    # Of the message that is coming; 0 for none.
    cdef int _opcode
    cdef bint _compressed
    cdef object _message
    cdef long long _size
    cdef object _utf8
    cdef bint _over

    cpdef feed(self, bytes data)
    cpdef next_event(self)
    cdef _read_payload(self, bytes data, Py_ssize_t size)
    cdef _inflated(self, bytes piece, bint end)
    cdef _take(self, bytes piece)
    cdef _end_message(self)
    cdef _control(self, int opcode, bytes payload)
    cdef _too_big(self)
    cdef _fail(self, int code, str reason)


cdef bytes framed(int first, object data)
