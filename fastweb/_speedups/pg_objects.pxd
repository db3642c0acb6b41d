"""`Plan` and `Place`, which `ClassSink` reads at C level."""

from fastweb._speedups.pg_codec cimport Codec
from fastweb._speedups.pg_record cimport Columns
from fastweb._speedups.pg_rows cimport RowSink

cdef class Place:
    cdef public str owner
    cdef public str field
    cdef public str column
    cdef public str expected
    cdef public object want
    cdef public bint anything
    cdef public bint nullable
    cdef public bint dropped
    cdef public object convert
    cdef public object decoder
    cdef public Py_ssize_t skip
    cdef public object value
    cdef public Py_ssize_t offset

cdef class Plan:
    cdef public int kind
    cdef public object cls
    cdef public str name
    cdef public list places
    cdef public list defaults
    cdef public tuple names
    cdef public object made_of
    cdef public object made_by
    cdef public object otherwise
    cdef public object post_init
    cdef public tuple late
    cdef public dict late_defaults
    cdef public bint untracked
    cdef tuple all_places
    # Of each column the kind of its values, where they go into their slots as they are; else 0.
    cdef bytes kinds
    cdef bint is_gc
    cdef bint is_simple
