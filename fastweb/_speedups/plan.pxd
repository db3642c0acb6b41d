"""`Parameter` and `Source` as the answering uses them: with no look-up, and no dict of the values."""

from fastweb._speedups.request cimport parse_cookies, parse_query


cdef class Parameter:
    cdef int source
    cdef int kind
    cdef bint many
    cdef readonly str name
    cdef str alias
    cdef bytes alias_bytes
    cdef bytes query_name
    cdef tuple loc
    cdef object validate
    cdef object default
    cdef object undefined


cdef class Source:
    cdef object path_params
    cdef bytes query
    cdef object headers
    cdef list pairs
    cdef dict cookies
    cdef int is_plain

    cdef bint read_from(self, object path_params, bytes query, object headers) except? -1
    cdef object read(self, Parameter parameter, list errors)
    cdef bint _is_plain(self) except? -1
    cdef object _from_query(self, Parameter parameter)
