# What Cython's own declarations of CPython lack, for the hot modules: cimported where they are compiled.

from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF


cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    long PyLong_AsLongAndOverflow(object number, int *overflow) except? -1
    char *utf8_text "(char *)PyUnicode_AsUTF8AndSize"(object text, Py_ssize_t *size) except NULL
    # As pointers: bytes that are still being written have no second owner.
    void *new_bytes "(void *)PyBytes_FromStringAndSize"(char *text, Py_ssize_t size) except NULL
    char *bytes_text "PyBytes_AS_STRING"(void *made)
    char *text_of "PyBytes_AS_STRING"(bytes data)
    bytes PyBytes_FromStringAndSize(char *text, Py_ssize_t size)
    int _PyBytes_Resize(PyObject **made, Py_ssize_t size) except -1


cdef extern from "structmember.h":
    ctypedef struct PyMemberDef:
        int type
        Py_ssize_t offset
        int flags
    ctypedef struct PyMemberDescrObject:
        PyMemberDef *d_member
    int T_OBJECT_EX


# Another size for bytes that are being written; the old pointer is void.
cdef inline void *resized(void *made, Py_ssize_t size) except NULL:
    cdef PyObject *moved = <PyObject *>made
    _PyBytes_Resize(&moved, size)
    return moved


# The bytes, owned by whoever asked from now on.
cdef inline bytes taken(void *made):
    result = <bytes>made
    Py_DECREF(result)
    return result


# Bytes that nobody is to have.
cdef inline void dropped(void *made):
    Py_XDECREF(<PyObject *>made)


# Where in an instance the value of a slot stands, of a descriptor that a class made of `__slots__`; else -1.
cdef inline Py_ssize_t slot_offset(object descriptor):
    cdef PyMemberDef *member = (<PyMemberDescrObject *>descriptor).d_member
    return member.offset if member.type == T_OBJECT_EX and member.flags == 0 else -1


# What stands there; NULL for nothing.
cdef inline PyObject *slot_at(object instance, Py_ssize_t offset):
    return (<PyObject **>(<char *><void *>instance + offset))[0]


cdef extern from "Python.h":
    ctypedef struct TypeObject "PyTypeObject":
        int (*tp_setattro)(object, object, object) except -1
        object (*tp_new)(TypeObject *, object, PyObject *)
        object (*tp_alloc)(TypeObject *, Py_ssize_t)


# Set an attribute as the instances of a class do, whatever the class of this one says.
cdef inline int set_as(object cls, object instance, object name, object value) except -1:
    return (<TypeObject *>cls).tp_setattro(instance, name, value)


cdef extern from "Python.h":
    object PyContext_CopyCurrent()
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1


cdef extern from "string.h":
    int memcmp(const void *one, const void *other, size_t size)
    void *memchr(const void *text, int byte, size_t size)
    void *memcpy(void *target, const void *source, size_t size)


# The bytes that an object consists of, its count of references first, copied to where there is room for them.
cdef inline void copy_object(void *target, object source, Py_ssize_t size) noexcept:
    memcpy(target, <void *>source, size)


# Whether they are the same as in such a copy.
cdef inline bint same_object(const void *copy, object now, Py_ssize_t size) noexcept:
    return memcmp(copy, <void *>now, size) == 0


# An instance that no __init__ has seen.
cdef inline object new_instance(object cls):
    return (<TypeObject *>cls).tp_new(<TypeObject *>cls, (), NULL)


# An instance with nothing in it. Of a class that is written in Python, or a msgspec.Struct.
cdef inline object allocated(object cls):
    return (<TypeObject *>cls).tp_alloc(<TypeObject *>cls, 0)


# Some bytes of others: 0 <= start <= stop <= their count.
cdef inline bytes part(bytes data, Py_ssize_t start, Py_ssize_t stop):
    return PyBytes_FromStringAndSize(text_of(data) + start, stop - start)


# Where a byte is, from a place on that is not beyond the end; -1 for nowhere.
cdef inline Py_ssize_t find_byte(bytes data, Py_ssize_t start, int byte) noexcept:
    cdef char *text = text_of(data)
    cdef char *found = <char *>memchr(text + start, byte, len(data) - start)
    return -1 if found == NULL else found - text


# Whether a text of that size stands at a place, behind which there are as many bytes.
cdef inline bint is_at(bytes data, Py_ssize_t at, bytes text, Py_ssize_t size) noexcept:
    return memcmp(text_of(data) + at, text_of(text), size) == 0


cdef inline char *put(char *target, bytes data) noexcept:
    memcpy(target, text_of(data), len(data))
    return target + len(data)


# The same as b"".join of them, of which none is None.
cdef inline bytes joined(bytes first, bytes second, bytes third, bytes fourth, bytes fifth):
    cdef bytes made = PyBytes_FromStringAndSize(
        NULL, len(first) + len(second) + len(third) + len(fourth) + len(fifth)
    )
    put(put(put(put(put(text_of(made), first), second), third), fourth), fifth)
    return made


cdef extern from *:
    """
    static inline PyObject *fastweb_call_with(PyObject *call, PyObject *values, PyObject *names) {
        Py_ssize_t keywords = PyTuple_GET_SIZE(names);
        return PyObject_Vectorcall(
            call, ((PyListObject *)values)->ob_item, PyList_GET_SIZE(values) - keywords, keywords ? names : NULL
        );
    }
    """
    # Call with values of which the last have these names, each of them once.
    object call_with "fastweb_call_with"(object call, list values, tuple names)


cdef extern from *:
    """
    static inline void fastweb_match_as_mapping(PyObject *type) {
        ((PyTypeObject *)type)->tp_flags |= Py_TPFLAGS_MAPPING;
        PyType_Modified((PyTypeObject *)type);
    }
    #define fastweb_untrack(object) PyObject_GC_UnTrack((void *)(object))
    #define fastweb_track(object) PyObject_GC_Track((void *)(object))
    #define fastweb_is_tracked(object) PyObject_GC_IsTracked((PyObject *)(object))
    /* Tuples are left out of it where nothing in them is tracked. */
    #define fastweb_may_be_tracked(object) (PyType_IS_GC(Py_TYPE(object)) && \\
        (!PyTuple_CheckExact(object) || PyObject_GC_IsTracked((PyObject *)(object))))
    """
    # Let instances match `case {"key": value}`; before the type has subclasses.
    void match_as_mapping "fastweb_match_as_mapping"(object cls)
    # The garbage collector need not know this one: nothing in it can lead back to it.
    void untrack "fastweb_untrack"(object made) noexcept
    void track "fastweb_track"(object made) noexcept
    bint is_tracked "fastweb_is_tracked"(object made) noexcept
    bint may_be_tracked "fastweb_may_be_tracked"(object value) noexcept


cdef extern from *:
    """
    static inline PyObject *fastweb_int_of_16(const char *text) {
    #if PY_VERSION_HEX >= 0x030D0000
        return PyLong_FromUnsignedNativeBytes(text, 16, Py_ASNATIVEBYTES_BIG_ENDIAN);
    #else
        return _PyLong_FromByteArray((const unsigned char *)text, 16, 0, 0);
    #endif
    }
    """
    # The number without a sign that 16 bytes are, the highest first.
    object int_of_16 "fastweb_int_of_16"(const char *text)


cdef extern from *:
    """
    static inline PyObject *fastweb_text(const char *text, Py_ssize_t size) {
        unsigned long long word, high = 0;
        Py_ssize_t i = 0;
        for (; i + 8 <= size; i += 8) {
            memcpy(&word, text + i, 8);
            high |= word;
        }
        if (size >= 8) {  /* the last eight, some of them again */
            memcpy(&word, text + size - 8, 8);
            high |= word;
        } else
            for (; i < size; i++)
                high |= (unsigned char)text[i];
        if (size < 2 || (high & 0x8080808080808080ULL))
            return PyUnicode_DecodeUTF8(text, size, NULL);
        PyObject *made = PyUnicode_New(size, 127);
        if (made != NULL)
            memcpy(PyUnicode_1BYTE_DATA(made), text, size);
        return made;
    }
    """
    # UTF-8. PERF: most of it is short and ASCII, which needs no decoder.
    str utf8 "fastweb_text"(const char *text, Py_ssize_t size)


cdef extern from *:
    """
    static inline Py_ssize_t fastweb_plain_path(PyObject *target) {
        const char *text = PyBytes_AS_STRING(target);
        Py_ssize_t i = 0, size = PyBytes_GET_SIZE(target);
        if (size == 0 || text[0] != '/')
            return 0;
        for (; i < size && text[i] != '?'; i++)
            if (text[i] == '%' || (text[i] & 0x80))
                return 0;
        return i;
    }
    static inline PyObject *fastweb_query_of(PyObject *target) {
        const char *text = PyBytes_AS_STRING(target), *end = text + PyBytes_GET_SIZE(target);
        const char *mark = (const char *)memchr(text, '?', end - text);
        return mark == NULL ? PyBytes_FromStringAndSize(NULL, 0) : PyBytes_FromStringAndSize(mark + 1, end - mark - 1);
    }
    """
    # How long the path of a target is that begins with it, where it is ASCII with nothing encoded in it; else 0.
    Py_ssize_t plain_path "fastweb_plain_path"(bytes target) noexcept
    # What is behind the first question mark of a target.
    bytes query_of "fastweb_query_of"(bytes target)


cdef extern from *:
    """
    #if PY_VERSION_HEX < 0x030D0000
    #define fastweb_version_of(dict) (((PyDictObject *)(dict))->ma_version_tag)
    #else
    #define fastweb_version_of(dict) 0
    #endif
    """
    # A number that no dict has had before (PEP 509), after each change of it; 0 where Python has no such numbers.
    unsigned long long version_of "fastweb_version_of"(dict values) noexcept


cdef extern from *:
    """
    #define fastweb_is_ascii(text) PyUnicode_IS_COMPACT_ASCII(text)
    #define fastweb_ascii(text) ((const char *)PyUnicode_1BYTE_DATA(text))
    static inline Py_ssize_t fastweb_find_in_text(PyObject *text, Py_ssize_t start, int byte) {
        const char *whole = fastweb_ascii(text);
        const char *found = (const char *)memchr(whole + start, byte, PyUnicode_GET_LENGTH(text) - start);
        return found == NULL ? -1 : found - whole;
    }
    static inline int fastweb_text_is_at(PyObject *text, Py_ssize_t at, Py_ssize_t size, PyObject *other) {
        return PyUnicode_GET_LENGTH(other) == size && fastweb_is_ascii(other)
            && memcmp(fastweb_ascii(text) + at, fastweb_ascii(other), size) == 0;
    }
    static inline PyObject *fastweb_part_of_text(PyObject *text, Py_ssize_t start, Py_ssize_t stop) {
        return fastweb_text(fastweb_ascii(text) + start, stop - start);
    }
    """
    # Of a text that is ASCII, with 0 <= start <= stop <= its length: where a character is, from a place on, -1 for
    # nowhere; whether another text stands at a place, behind which there are as many characters; a part of it.
    bint is_ascii "fastweb_is_ascii"(str text) noexcept
    Py_ssize_t find_in_text "fastweb_find_in_text"(str text, Py_ssize_t start, int byte) noexcept
    bint text_is_at "fastweb_text_is_at"(str text, Py_ssize_t at, Py_ssize_t size, str other) noexcept
    str part_of_text "fastweb_part_of_text"(str text, Py_ssize_t start, Py_ssize_t stop)


# Put a value into an instance's slot that is empty.
cdef inline void fill_slot(object instance, Py_ssize_t offset, object value) noexcept:
    Py_INCREF(value)
    (<PyObject **>(<char *><void *>instance + offset))[0] = <PyObject *>value


cdef extern from *:
    """
    static inline unsigned int fastweb_half(const char *text) {
        const unsigned char *bytes = (const unsigned char *)text;
        return (unsigned int)bytes[0] << 24 | (unsigned int)bytes[1] << 16 | (unsigned int)bytes[2] << 8 | bytes[3];
    }
    static inline unsigned long long fastweb_word(const char *text) {
        return (unsigned long long)fastweb_half(text) << 32 | fastweb_half(text + 4);
    }
    static inline PyObject *fastweb_atom(int kind, const char *text, Py_ssize_t size) {
        unsigned int half;
        unsigned long long word;
        float single;
        double real;
        switch (kind) {
        case 1:
            return size == 1 ? PyBool_FromLong(text[0] != 0) : NULL;
        case 2:
            if (size != 2)
                return NULL;
            return PyLong_FromLong((short)((unsigned char)text[0] << 8 | (unsigned char)text[1]));
        case 3:
            return size == 4 ? PyLong_FromLong((int)fastweb_half(text)) : NULL;
        case 4:
            return size == 8 ? PyLong_FromLongLong((long long)fastweb_word(text)) : NULL;
        case 5:
            if (size != 4)
                return NULL;
            half = fastweb_half(text);
            memcpy(&single, &half, 4);
            return PyFloat_FromDouble(single);
        case 6:
            if (size != 8)
                return NULL;
            word = fastweb_word(text);
            memcpy(&real, &word, 8);
            return PyFloat_FromDouble(real);
        case 7:
            return fastweb_text(text, size);
        }
        return NULL;
    }
    #define fastweb_give_item(row, place, made) PyTuple_SET_ITEM(row, place, (PyObject *)(made))
    #define fastweb_give_slot(instance, offset, made) \\
        (*(PyObject **)((char *)(instance) + (offset)) = (PyObject *)(made))
    """
    # A number or a text of PostgreSQL's, by its kind (`pg_scalar.kinds_of`); the caller owns it. NULL with no
    # exception where the size is none of that kind's.
    void *atom "fastweb_atom"(int kind, const char *text, Py_ssize_t size) except? NULL
    # Put it into a new tuple, or into a slot that is empty, and let go of it.
    void give_item "fastweb_give_item"(object row, Py_ssize_t place, void *made) noexcept
    void give_slot "fastweb_give_slot"(object instance, Py_ssize_t offset, void *made) noexcept


cdef extern from *:
    """
    #include <float.h>
    #include <limits.h>
    static inline void fastweb_set_half(char *to, unsigned int half) {
        to[0] = (char)(half >> 24);
        to[1] = (char)(half >> 16);
        to[2] = (char)(half >> 8);
        to[3] = (char)half;
    }
    static inline int fastweb_whole(PyObject *value, long long least, long long most, long long *number) {
        int over;
        if (!PyLong_CheckExact(value))
            return 0;
        *number = PyLong_AsLongLongAndOverflow(value, &over);
        return over == 0 && *number >= least && *number <= most;
    }
    static inline Py_ssize_t fastweb_put_atom(int kind, PyObject *value, char *to, Py_ssize_t room) {
        long long number;
        unsigned long long word;
        unsigned int half;
        float single;
        double real;
        Py_ssize_t size;
        if (room < 12)
            return 0;
        if (value == Py_None) {
            fastweb_set_half(to, 0xFFFFFFFFU);
            return 4;
        }
        switch (kind) {
        case 1:
            if (!PyBool_Check(value))
                return 0;
            size = 1;
            to[4] = value == Py_True;
            break;
        case 2:
            if (!fastweb_whole(value, -0x8000, 0x7FFF, &number))
                return 0;
            size = 2;
            to[4] = (char)(number >> 8);
            to[5] = (char)number;
            break;
        case 3:
            if (!fastweb_whole(value, -0x80000000LL, 0x7FFFFFFF, &number))
                return 0;
            size = 4;
            fastweb_set_half(to + 4, (unsigned int)number);
            break;
        case 4:
            if (!fastweb_whole(value, LLONG_MIN, LLONG_MAX, &number))
                return 0;
            size = 8;
            fastweb_set_half(to + 4, (unsigned int)((unsigned long long)number >> 32));
            fastweb_set_half(to + 8, (unsigned int)number);
            break;
        case 5:
            if (!PyFloat_CheckExact(value))
                return 0;
            real = PyFloat_AS_DOUBLE(value);
            if (real > FLT_MAX || real < -FLT_MAX)  /* may be infinite, or round to what is not */
                return 0;
            single = (float)real;
            memcpy(&half, &single, 4);
            size = 4;
            fastweb_set_half(to + 4, half);
            break;
        case 6:
            if (!PyFloat_CheckExact(value))
                return 0;
            real = PyFloat_AS_DOUBLE(value);
            memcpy(&word, &real, 8);
            size = 8;
            fastweb_set_half(to + 4, (unsigned int)(word >> 32));
            fastweb_set_half(to + 8, (unsigned int)word);
            break;
        case 7:
            if (!PyUnicode_CheckExact(value) || !PyUnicode_IS_COMPACT_ASCII(value))
                return 0;
            size = PyUnicode_GET_LENGTH(value);
            if (size > room - 4 || size > 0x7FFFFFFF)
                return 0;
            memcpy(to + 4, PyUnicode_1BYTE_DATA(value), size);
            break;
        default:
            return 0;
        }
        fastweb_set_half(to, (unsigned int)size);
        return size + 4;
    }
    """
    # Write a number or a text as a value of PostgreSQL's, its length before it, by its kind; -1 of None. How many
    # bytes that were; none where there may be no room, or the value is one for its codec.
    Py_ssize_t put_atom "fastweb_put_atom"(int kind, object value, char *to, Py_ssize_t room) noexcept


cdef extern from *:
    """
    static inline void fastweb_set_send(PyTypeObject *type, sendfunc send) { type->tp_as_async->am_send = send; }
    """
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    ctypedef PySendResult (*sendfunc)(PyObject *, PyObject *, PyObject **) noexcept
    PyObject *PyObject_CallMethod(PyObject *of, char *name, char *format)
    # Have a type, which is awaitable, stepped by a function of C's: https://docs.python.org/3/c-api/typeobj.html
    void set_send "fastweb_set_send"(PyTypeObject *type, sendfunc send)
