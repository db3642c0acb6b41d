"""What backend messages hold that say something of others: descriptions, errors and notices.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_wire import WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_wire import uint16_at, uint32_at
else:
    from fastweb._speedups.pg_wire import uint16_at, uint32_at

__all__ = ["error_fields"]

#: Columns that a row may have: MaxTupleAttributeNumber of PostgreSQL's source.
_MOST_COLUMNS = cython.declare(cython.int, 1664)


@cython.ccall
def error_fields(data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> dict:
    """The fields of an ErrorResponse or a NoticeResponse: Byte1 a letter, String; a zero at the end.

    Raises:
        WireError: it is not that.
    """
    fields: dict = {}
    stop: cython.Py_ssize_t
    while at < end:
        letter: cython.int = data[at]
        at += 1
        if letter == 0:
            if at != end:
                break
            return fields
        stop = data.find(b"\x00", at, end)
        if stop < 0:
            break
        fields[chr(letter)] = data[at:stop].decode("utf-8", "replace")
        at = stop + 1
    raise WireError("an ErrorResponse or NoticeResponse does not end where it should")


@cython.cfunc
def oids_of(data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> tuple:
    """ParameterDescription: Int16 how many, Int32 each."""
    if stop - at < 2 or stop - at != 2 + 4 * uint16_at(data, at):
        raise WireError("a ParameterDescription that is not as long as it says")
    return tuple([uint32_at(data, i) for i in range(at + 2, stop, 4)])


@cython.cfunc
def columns_of(data: bytes, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> tuple:
    """RowDescription: Int16 how many; for each String the name, Int32 the table, Int16 the number in it,
    Int32 the type, Int16 its size, Int32 its modifier, Int16 the format. Names and types."""
    end: cython.Py_ssize_t
    if stop - at < 2:
        raise WireError("a RowDescription with no count")
    count: cython.Py_ssize_t = uint16_at(data, at)
    if count > _MOST_COLUMNS:
        raise WireError(f"a RowDescription of {count} columns")
    at += 2
    names: list = []
    oids: list = []
    for _ in range(count):
        end = data.find(b"\x00", at, stop)
        if end < 0 or stop - end < 19:
            raise WireError("a RowDescription that ends within a column")
        if uint16_at(data, end + 17) > 1:
            raise WireError("a RowDescription with a format that there is not")
        names.append(data[at:end].decode("utf-8", "replace"))
        oids.append(uint32_at(data, end + 7))
        at = end + 19
    if at != stop:
        raise WireError("a RowDescription that goes on after its last column")
    return names, oids
