"""What of C the answering calls. PyIter_Send is one step of a coroutine, without the StopIteration that `send`
would make of its end: https://docs.python.org/3/c-api/iter.html#c.PyIter_Send.
"""

from fastweb._speedups.plan cimport extract
from fastweb._speedups.router cimport Matcher

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

cdef extern from "Python.h":
    int PyIter_Send(object coroutine, object value, PyObject **result) except -1
