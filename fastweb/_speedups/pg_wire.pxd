"""`Output`, and the reading of numbers, which the other hot modules of the client inline.

Nothing is checked where numbers are read: who reads has checked that they are there.
"""

from libc.string cimport memcpy

from fastweb._speedups.capi cimport text_of


cdef class Output:
    cdef void *made
    cdef char *text
    cdef readonly Py_ssize_t size
    cdef Py_ssize_t room

    cdef bint grow(self, Py_ssize_t more) except? -1
    cdef bint put_word(self, unsigned long long word, int count) except? -1
    cpdef bint put_int8(self, long long value) except? -1
    cpdef bint put_int16(self, long long value) except? -1
    cpdef bint put_uint16(self, long long value) except? -1
    cpdef bint put_int32(self, long long value) except? -1
    cpdef bint put_uint32(self, long long value) except? -1
    cpdef bint put_int64(self, long long value) except? -1
    cpdef bint put_float4(self, double value) except? -1
    cpdef bint put_float8(self, double value) except? -1
    cpdef bint put(self, bytes data) except? -1
    cpdef bint put_part(self, bytes data, Py_ssize_t at, Py_ssize_t end) except? -1
    cpdef bint put_text(self, str value) except? -1
    cpdef bint put_cstring(self, str value) except? -1
    cpdef bint set_int32(self, Py_ssize_t at, long long value) except? -1
    cpdef bint truncate(self, Py_ssize_t size) except? -1
    cpdef bytes take(self)


# Compilers make one load and one swap of these.
cdef inline unsigned int uint16_at(bytes data, Py_ssize_t at) noexcept:
    cdef unsigned char *text = <unsigned char *>text_of(data) + at
    return (<unsigned int>text[0] << 8) | text[1]


cdef inline int int16_at(bytes data, Py_ssize_t at) noexcept:
    return <short>uint16_at(data, at)


cdef inline unsigned int uint32_at(bytes data, Py_ssize_t at) noexcept:
    cdef unsigned char *text = <unsigned char *>text_of(data) + at
    return (
        (<unsigned int>text[0] << 24) | (<unsigned int>text[1] << 16) | (<unsigned int>text[2] << 8) | text[3]
    )


cdef inline int int32_at(bytes data, Py_ssize_t at) noexcept:
    return <int>uint32_at(data, at)


cdef inline unsigned long long uint64_at(bytes data, Py_ssize_t at) noexcept:
    return (<unsigned long long>uint32_at(data, at) << 32) | uint32_at(data, at + 4)


cdef inline long long int64_at(bytes data, Py_ssize_t at) noexcept:
    return <long long>uint64_at(data, at)


cdef inline double float4_at(bytes data, Py_ssize_t at) noexcept:
    cdef unsigned int bits = uint32_at(data, at)
    cdef float value = 0.0
    memcpy(&value, &bits, 4)
    return value


cdef inline double float8_at(bytes data, Py_ssize_t at) noexcept:
    cdef unsigned long long bits = uint64_at(data, at)
    cdef double value = 0.0
    memcpy(&value, &bits, 8)
    return value
