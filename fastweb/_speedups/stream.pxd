"""`BaseStream` as the protocols see it: its fields and what they call for each request, with no look-up."""

from fastweb._speedups.request cimport unquote
from fastweb._speedups.response cimport Head


cdef class StreamOwner:
    cpdef write_answer(self, BaseStream stream, Head head, int flags, object body)


cdef class BaseStream:
    cdef readonly object connection
    cdef readonly str method
    cdef readonly bytes raw_target
    cdef readonly list headers
    cdef readonly str http_version
    cdef readonly bint body_complete
    cdef public bint started
    cdef public bint finished
    # The client has closed its side: what it asked for may still be sent, but probably nobody waits for it.
    cdef public bint disconnected
    # The connection is no more.
    cdef public bint gone
    # The app is answering it, or the server is.
    cdef public bint opened
    # The connection closes after this answer.
    cdef public bint close
    # The client waits for "100 Continue" before it sends the body.
    cdef public bint expects_continue
    # The app was asked whether it wants this request before its body is complete.
    cdef public bint asked
    # Makes the exception for whoever asks for more of a body of which no more will come.
    cdef public object body_error
    # Futures of those who wait for the body or for the end.
    cdef public object waiters
    # (client, scheme), as a proxy has said; None where the connection's own count.
    cdef public object forwarded
    # The status that was sent; before that, the status of the refusal that is to be sent.
    cdef public int status
    # Bytes of the answer's body that were written.
    cdef public long long sent
    # `time.monotonic` when the head had come, where there is an access log; else 0.0.
    cdef public double began
    cdef object _path
    cdef object _raw_path
    cdef object _query
    # What has come of the body and was not taken: the first piece, and those behind it, if any.
    cdef object _buffer
    cdef list _pieces
    cdef Py_ssize_t _pending
    cdef Py_ssize_t _size

    cdef bint _add_piece(self, bytes data) except? -1
    cdef bint begin(
        self, object connection, str method, bytes target, list headers, str http_version, bint close
    ) except? -1
    cdef bint _split(self) except? -1
    cdef str text(self)
    cdef bytes query(self)
    cdef bytes raw(self)
    cdef object whole(self)
    cpdef respond(self, Head head, object body)
    cpdef bint feed(self, bytes data, Py_ssize_t limit) except? -1
    cpdef complete(self)
