"""What of C the answering calls. PyIter_Send is one step of a coroutine, without the StopIteration that `send`
would make of its end: https://docs.python.org/3/c-api/iter.html#c.PyIter_Send.
"""

from fastweb._speedups.plan cimport Parameter, Source
from fastweb._speedups.response cimport Head
from fastweb._speedups.router cimport Matcher
from fastweb._speedups.stream cimport BaseStream

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

cdef extern from "Python.h":
    int PyIter_Send(object coroutine, object value, PyObject **result) except -1


cdef class Step:
    cdef object call
    cdef bint at_once
    cdef list parameters
    cdef list results
    cdef tuple requests
    cdef object body
    cdef tuple names


cdef class Operation:
    cdef readonly object route
    cdef list steps
    cdef Step endpoint
    cdef object validate_body
    cdef object encode
    cdef object head
    cdef object response_type
    cdef object awaited


cdef class Answer(Source):
    cdef object _app
    cdef object _stream
    # The same, where it is one of our own servers.
    cdef BaseStream _own
    cdef Operation _operation
    cdef object _request
    cdef object _coroutine
    cdef object _value
    cdef list _results
    cdef object _failed
    cdef object _body
    cdef list _body_errors
    cdef Py_ssize_t _number
    cdef int _stage

    cdef bint set(self, object app, object stream, Operation operation, object path_params) except? -1
    cpdef begin(self)
    cdef object _drive(self, object value)
    cdef bint _step(self, object value) except? -1
    cdef bint _take(self, object value) except? -1
    cdef bint _recover(self, object error) except? -1
    cdef bint _next(self) except? -1
    cdef object _made(self, Step step, list values)
    cdef bint _call(self, Step step, list values) except? -1
    cdef bint _arguments(self, Step step, list values, list errors) except? -1
    cdef object _made_request(self)
    cdef bint _read_body(self) except? -1


cdef class Dispatcher:
    cdef object _app
    cdef Matcher _matcher
    cdef list _routes
    cdef Py_ssize_t _count
    cdef bint _direct

    cdef dict _settings
    cdef object _router
    cdef dict _router_settings
    cdef unsigned long long _version
    cdef unsigned long long _router_version
    cdef object _overrides
    cdef object _middleware
    cdef bint _is_rooted

    cdef bint _look(self) except? -1
    cdef object _setting(self, str name)
    cpdef open(self, object stream)
    cpdef tuple find(self, object stream)
