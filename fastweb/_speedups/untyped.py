"""JSON of values whose type nobody declared: orjson's document, where it is what `jsonable_encoder` makes of
them (`fastweb.encoders`).
"""

from typing import Any

import orjson

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING
    from cython.cimports.cpython.unicode import PyUnicode_1BYTE_DATA, PyUnicode_GET_LENGTH
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.fastweb._speedups.writer import copied

__all__ = ["Document", "JSONBytes", "all_finite", "dump_plain", "suspects"]

_dumps = orjson.dumps
#: Nothing is said of deeper values: the slow path's recursion is bounded by Python itself.
DEPTH = cython.declare(cython.int, 400)

#: Bytes of a document that `_dump_flat` makes, at most.
_ROOM = cython.declare(cython.Py_ssize_t, 512)


class JSONBytes(bytes):
    """A JSON document, made and complete. What returns it means it to be sent as it is."""

    __slots__ = ()

    def __json_data__(self) -> Any:
        """What it says, for where it is a part of something else."""
        return orjson.loads(bytes(self))


@cython.cfunc
@cython.exceptval(-1)
def _finite(values: Any, depth: cython.int) -> cython.bint:
    """Whether no float among these values, and in those of them that have parts, is infinite or NaN."""
    if depth > DEPTH:
        return False
    for each in values:
        kind = type(each)
        if kind is str or kind is int or each is None or kind is bool:
            continue
        if kind is float:
            # Neither infinite (x - x is NaN then) nor NaN, which is not equal to itself.
            number: cython.double = each
            if number - number != 0.0:
                return False
        elif kind is list or isinstance(each, (list, tuple)):
            if not _finite(each, depth + 1):
                return False
        elif isinstance(each, dict) and not _finite(each.values(), depth + 1):
            return False
    return True


def all_finite(value: Any) -> bool:
    """Whether no float in lists, tuples and dicts is infinite or NaN. Nor is it known of what is too deep."""
    return _finite((value,), 0)


@cython.ccall
def suspects(document: bytes) -> cython.int:
    """What is in a document that must be looked at again: 1 for `null`, 2 for `"_sa`, 3 for both.

    PERF: `in` takes 0.12 µs for each in a document of 30 bytes. C compilers make SIMD code of this loop.
    """
    if cython.compiled:
        text: cython.p_char = PyBytes_AS_STRING(document)
        null: cython.uchar = 0
        state: cython.uchar = 0
        i: cython.Py_ssize_t
        for i in range(len(document) - 3):
            null |= (text[i] == 110) & (text[i + 1] == 117) & (text[i + 2] == 108) & (text[i + 3] == 108)
            state |= (text[i] == 34) & (text[i + 1] == 95) & (text[i + 2] == 115) & (text[i + 3] == 97)
        return null + 2 * state
    return (document.find(b"null") >= 0) + 2 * (document.find(b'"_sa') >= 0)


@cython.ccall
def dump_plain(value: Any, default: Any, options: Any) -> Any:
    """The JSON that orjson makes of a value; None where that is not known to be right.

    That is so where orjson refuses the value; where there is null in it, which orjson writes for NaN too; and
    where a key begins with "_sa", which `jsonable_encoder` leaves out. To look for these in the document
    costs little; only then is the value looked through.

    Arguments:
        default, options: orjson's.
    """
    try:
        document: bytes = _dumps(value, default, options)
    except TypeError:
        return None
    found: cython.int = suspects(document)
    if found and (found >= 2 or not _finite((value,), 0)):
        return None
    return document


@cython.cfunc
@cython.exceptval(-1)
def _put_text(to: cython.p_char, value: str, room: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Write a JSON string, where it is short ASCII with nothing to escape; how many bytes, 0 for none."""
    if not capi.is_ascii(value):
        return 0
    size: cython.Py_ssize_t = PyUnicode_GET_LENGTH(value)
    if size + 2 > room or not copied(to + 1, cython.cast(cython.p_char, PyUnicode_1BYTE_DATA(value)), size):
        return 0
    to[0] = 34
    to[size + 1] = 34
    return size + 2


@cython.cfunc
@cython.cdivision(True)
@cython.exceptval(check=False)
def _put_digits(to: cython.p_char, number: cython.uint) -> cython.Py_ssize_t:
    """Write a number in decimal; how many bytes."""
    size: cython.Py_ssize_t = 1
    rest: cython.uint = number // 10
    while rest:
        size += 1
        rest = rest // 10
    i: cython.Py_ssize_t
    for i in range(size - 1, -1, -1):
        to[i] = 48 + number % 10
        number = number // 10
    return size


@cython.cfunc
def _dump_flat(values: dict) -> bytes:
    """The JSON of a small dict of texts, small integers, truths and None; None of any other.

    PERF: what takes orjson 1,300 instructions, most of them before and after the document itself, takes 500.
    """
    if cython.compiled:
        text = cython.declare("char[512]")  # _ROOM
        at: cython.Py_ssize_t = 0
        put: cython.Py_ssize_t
        small: cython.long
        too_large: cython.int = 0
        for key, value in values.items():
            if type(key) is not str or at > _ROOM - 32:
                return None
            text[at] = 44 if at else 123  # "," or "{"
            put = _put_text(cython.address(text[at + 1]), key, _ROOM - 30 - at)
            if put == 0:
                return None
            if put >= 5 and text[at + 2] == 95 and text[at + 3] == 115 and text[at + 4] == 97:
                return None  # "_sa…": see `dump_plain`
            at += put + 2
            text[at - 1] = 58  # ":"
            if type(value) is str:
                put = _put_text(cython.address(text[at]), value, _ROOM - 8 - at)
                if put == 0:
                    return None
                at += put
            elif type(value) is int:
                small = capi.PyLong_AsLongAndOverflow(value, cython.address(too_large))
                if too_large or small < 0 or small > 0x7FFFFFFF:
                    return None
                at += _put_digits(cython.address(text[at]), cython.cast(cython.uint, small))
            elif value is None or type(value) is bool:
                word: bytes = b"null" if value is None else b"true" if value else b"false"
                capi.put(cython.address(text[at]), word)
                at += len(word)
            else:
                return None
        if at == 0:
            return b"{}"
        text[at] = 125  # "}"
        document: bytes = capi.PyBytes_FromStringAndSize(cython.address(text[0]), at + 1)
        return document
    return None


@cython.cfunc
def _all_data(values: list) -> list:
    """The records in a list as dicts, where the first is one.

    PERF: 1,000 records of 4 columns take 0.17 ms to their JSON, where orjson asking for each takes 2.4.
    """
    first: object = type(values[0]) if values else dict
    if first is dict or first is JSONBytes or not hasattr(first, "__json_data__"):
        return values
    return [each.__json_data__() if type(each) is first else each for each in values]


@cython.cclass
class Document:
    """Makes the JSON of values, as `dump_plain` does where it can.

    PERF: no Python frame stands around `dump_plain`.

    Arguments:
        default, options: orjson's; none that says how a dict of texts and numbers is written.
        listed: makes the JSON of a list, or None where it leaves that to `dump_plain`.
        otherwise: makes the JSON of what `dump_plain` leaves.
    """

    default: Any
    options: Any
    listed: Any
    otherwise: Any

    def __init__(self, default: Any, options: int, listed: Any, otherwise: Any) -> None:
        self.default = default
        self.options = options
        self.listed = listed
        self.otherwise = otherwise

    def dump(self, value: Any) -> bytes:
        """The JSON of a value; raises what `otherwise` raises."""
        document: bytes | None
        if type(value) is JSONBytes:
            return bytes(value)
        if type(value) is list:
            document = self.listed(value)
            if document is not None:
                return document
            value = _all_data(value)
        elif cython.compiled and type(value) is dict:
            document = _dump_flat(value)
            if document is not None:
                return document
        document = dump_plain(value, self.default, self.options)
        return self.otherwise(value) if document is None else document
