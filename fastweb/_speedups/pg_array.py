"""Arrays: nested lists, of up to six dimensions.

In the binary format (src/backend/utils/adt/arrayfuncs.c, array_send)

    Int32   how many dimensions; none for an empty array
    Int32   1 if there may be NULLs
    Int32   the oid of the elements' type; then for each dimension
    Int32     its size
    Int32     its lower bound, which a list has no place for; then for each element, the last index fastest,
    Int32     its length, or -1 for NULL, and so many bytes

Where the elements are only known as text the array is too: {a,"b \\" c",NULL,{…}}, perhaps behind its
bounds ([0:1]=).
https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO

Of what is given, lists and tuples are dimensions; where a tuple is a value (a composite, a point) lists
alone; where a list is (json, a vector, a multirange, a path) the outermost alone. A ragged list is refused.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_wire import Output, WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_codec import Codec, text_at, unexpected
    from cython.cimports.fastweb._speedups.pg_container import part_end, put_part
    from cython.cimports.fastweb._speedups.pg_wire import Output, int32_at
    from cython.cimports.fastweb._speedups.writer import Writer
else:
    from fastweb._speedups.pg_codec import text_at, unexpected
    from fastweb._speedups.pg_container import part_end, put_part
    from fastweb._speedups.pg_wire import int32_at

__all__ = ["ArrayCodec"]

#: PostgreSQL's own bounds: dimensions, and elements (MaxArraySize).
_MOST_DIMENSIONS = cython.declare(cython.int, 6)
_MOST = cython.declare(cython.Py_ssize_t, 0x7FFFFFF)


def _listed(value: Any, name: str) -> Any:
    """A list or a tuple of what is given as an array."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (str, bytes, bytearray, memoryview)) or hasattr(value, "keys"):
        unexpected("list", name, value)
    if hasattr(value, "tolist"):
        value = value.tolist()
        if not isinstance(value, list):
            unexpected("list", name, value)
        return value
    if not hasattr(value, "__len__"):
        # An iterator can be read once, and a statement may be written twice: the array would be empty then.
        unexpected("list", name, value)
    try:
        return list(value)
    except TypeError:
        unexpected("list", name, value)


@cython.final
@cython.cclass
class ArrayCodec(Codec):
    """
    Arguments:
        element: the codec of the elements.
        delimiter: what stands between elements in the text format: a comma, but for box.
        element_oid: the elements' type, where that is a domain.
        first: the lower bound of what is given: 0 of int2vector and oidvector.
    """

    element: Codec
    element_oid: Any
    first: cython.int
    delimiter: str

    def __init__(
        self,
        oid: int,
        name: str,
        element: Codec,
        delimiter: str = ",",
        element_oid: int = 0,
        first: int = 1,
    ) -> None:
        Codec.__init__(self, oid, name, element.format)
        self.element = element
        self.element_oid = element_oid or element.oid
        self.first = first
        self.delimiter = delimiter
        self.nests = 2

    # --- In ---

    @cython.cfunc
    @cython.exceptval(-1)
    def is_dimension(self, value: Any, depth: cython.Py_ssize_t) -> cython.bint:
        if depth == 0:
            return True
        nests: cython.int = self.element.nests
        if nests == 2:
            return False
        return isinstance(value, list) or (nests == 0 and isinstance(value, tuple))

    @cython.cfunc
    def dimensions(self, value: Any) -> list:
        """The sizes of an array; none where it is empty."""
        sizes: list = []
        each: Any = value
        while self.is_dimension(each, len(sizes)):
            if len(sizes) == _MOST_DIMENSIONS:
                raise ValueError(f"expected up to {_MOST_DIMENSIONS} dimensions for {self.name}, got more")
            sizes.append(len(each))
            if not each:
                break
            each = each[0]
        count: cython.Py_ssize_t = 1
        for size in sizes:
            count = count * size
            if count > _MOST:
                raise ValueError(f"expected up to {_MOST} elements for {self.name}, got more")
        return sizes

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        value = _listed(value, self.name)
        sizes: list = self.dimensions(value)
        if sizes[-1] == 0:
            self.check_empty(value, sizes, 0)
            sizes = []
        if self.format == 0:
            pieces: list = []
            if sizes:
                self.put_text(pieces, value, sizes, 0)
            out.put_text("".join(pieces) if sizes else "{}")
            return
        out.put_int32(len(sizes))
        out.put_int32(1)
        out.put_uint32(self.element_oid)
        if not sizes:
            return
        for size in sizes:
            out.put_int32(size)
            out.put_int32(self.first)
        self.put_elements(out, value, sizes, 0)

    @cython.cfunc
    @cython.exceptval(-1)
    def check_size(self, value: Any, sizes: list, depth: cython.Py_ssize_t) -> cython.bint:
        """Whether a dimension is as long as those beside it."""
        if not self.is_dimension(value, depth):
            raise ValueError(
                f"expected lists of {sizes[depth]} in dimension {depth + 1} of {self.name}, "
                f"got {type(value).__name__}"
            )
        if len(value) != sizes[depth]:
            raise ValueError(
                f"expected lists of {sizes[depth]} in dimension {depth + 1} of {self.name}, got {len(value)}"
            )
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def check_empty(self, value: Any, sizes: list, depth: cython.Py_ssize_t) -> cython.bint:
        self.check_size(value, sizes, depth)
        if depth + 1 < len(sizes):
            for each in value:
                self.check_empty(each, sizes, depth + 1)
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def put_elements(self, out: Output, value: Any, sizes: list, depth: cython.Py_ssize_t) -> cython.bint:
        self.check_size(value, sizes, depth)
        if depth + 1 < len(sizes):
            for each in value:
                self.put_elements(out, each, sizes, depth + 1)
            return True
        for each in value:
            put_part(out, self.element, each)
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def put_text(self, pieces: list, value: Any, sizes: list, depth: cython.Py_ssize_t) -> cython.bint:
        self.check_size(value, sizes, depth)
        sign: str = "{"
        for each in value:
            pieces.append(sign)
            sign = self.delimiter
            if depth + 1 < len(sizes):
                self.put_text(pieces, each, sizes, depth + 1)
            elif each is None:
                pieces.append("NULL")
            else:
                one: Output = Output()
                self.element.encode(one, each)
                text: str = one.take().decode()
                pieces.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
        pieces.append("}")
        return True

    # --- Out ---

    @cython.cfunc
    def sizes_of(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> list:
        """The sizes of the dimensions; none where there is no element (oidvector has a dimension of 0 then).
        Their product is at most a quarter of the bytes that follow: each element has 4 for its length.
        """
        if end - at < 12:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        count: cython.int = int32_at(data, at)
        if count < 0 or count > _MOST_DIMENSIONS or end - at < 12 + 8 * count:
            raise WireError(f"a value of {self.name} of {count} dimensions in {end - at} bytes")
        most: cython.Py_ssize_t = min((end - at - 12 - 8 * count) // 4, _MOST)
        sizes: list = []
        total: cython.Py_ssize_t = 1
        i: cython.int
        for i in range(count):
            size: cython.Py_ssize_t = int32_at(data, at + 12 + 8 * i)
            if size == 0 and count == 1 and end - at == 20:
                return sizes
            if size <= 0 or size > most // total:
                raise WireError(f"a value of {self.name} with a dimension of {size} in {end - at} bytes")
            total *= size
            sizes.append(size)
        if count == 0 and end - at != 12:
            raise WireError(f"a value of {self.name} of {end - at} bytes with no dimension")
        return sizes

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if self.format == 0:
            return self.from_text(text_at(data, at, end))
        sizes: list = self.sizes_of(data, at, end)
        flat: list = []
        if not sizes:
            return flat
        at += 12 + 8 * len(sizes)
        total: cython.Py_ssize_t = 1
        for size in sizes:
            total *= cython.cast(cython.Py_ssize_t, size)
        element: Codec = self.element
        for _ in range(total):
            # PERF: `part_end`, without the call.
            part: cython.Py_ssize_t = int32_at(data, at) if end - at >= 4 else -2
            at += 4
            if part >= 0 and part <= end - at:
                flat.append(element.decode(data, at, at + part))
                at += part
            elif part == -1:
                flat.append(None)
            else:
                part_end(self.name, data, at - 4, end)
        if at != end:
            raise WireError(f"a value of {self.name} has {end - at} bytes behind its last element")
        for size in reversed(sizes[1:]):
            flat = [flat[i : i + size] for i in range(0, len(flat), size)]
        return flat

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if self.format == 0:
            Codec.write_json(self, out, data, at, end)
            return
        sizes: list = self.sizes_of(data, at, end)
        if not sizes:
            out.put(b"[]")
            return
        at = self.put_json(out, data, at + 12 + 8 * len(sizes), end, sizes, 0)
        if at != end:
            raise WireError(f"a value of {self.name} has {end - at} bytes behind its last element")

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def put_json(
        self,
        out: Writer,
        data: bytes,
        at: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        sizes: list,
        depth: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        """Write a dimension, and tell where it ends."""
        i: cython.Py_ssize_t
        size: cython.Py_ssize_t = sizes[depth]
        for i in range(size):
            out.put(b"," if i else b"[")
            if depth + 1 < len(sizes):
                at = self.put_json(out, data, at, end, sizes, depth + 1)
                continue
            stop: cython.Py_ssize_t = part_end(self.name, data, at, end)
            if stop < 0:
                out.put(b"null")
                at += 4
            else:
                self.element.write_json(out, data, at + 4, stop)
                at = stop
        out.put(b"]")
        return at

    def from_text(self, text: str) -> list:
        """An array's text. One pass over it, with the lists that are open on a stack."""
        at: cython.Py_ssize_t = 0
        if text.startswith("["):
            # [1:2][0:1]={…
            at = text.find("=") + 1
            if at == 0 or text[: at - 1].strip("[]:-+0123456789"):
                raise WireError(f"a value of {self.name} with bounds and nothing behind them")
        size: cython.Py_ssize_t = len(text)
        if at >= size or text[at] != "{":
            raise WireError(f"a value of {self.name} that begins with no brace")
        open_lists: list = []
        found: list = []
        #: Whether an element, or a list, may come, and whether it must.
        may: cython.bint = True
        must: cython.bint = False
        while at < size:
            sign: str = text[at]
            if sign == "{":
                if not may or len(open_lists) >= _MOST_DIMENSIONS:
                    break
                made: list = []
                if open_lists:
                    open_lists[-1].append(made)
                open_lists.append(made)
                must = False
                at += 1
            elif sign == "}":
                if must:
                    break
                found = open_lists.pop()
                at += 1
                if not open_lists:
                    if at != size:
                        break
                    return found
                may = False
            elif sign == self.delimiter:
                if may:
                    break
                may = must = True
                at += 1
            else:
                if not may:
                    break
                word: str
                if sign == '"':
                    pieces: list = []
                    at += 1
                    while True:
                        begin: cython.Py_ssize_t = at
                        while at < size and text[at] != '"' and text[at] != "\\":
                            at += 1
                        pieces.append(text[begin:at])
                        if at >= size - 1:
                            raise WireError(f"a value of {self.name} that ends in a quotation")
                        if text[at] == '"':
                            break
                        pieces.append(text[at + 1])
                        at += 2
                    at += 1
                    word = "".join(pieces)
                    data: bytes = word.encode()
                    open_lists[-1].append(self.element.decode(data, 0, len(data)))
                else:
                    begin = at
                    while at < size and text[at] not in '{}"\\' and text[at] != self.delimiter:
                        at += 1
                    word = text[begin:at]
                    if not word:
                        break
                    if word.upper() == "NULL":
                        open_lists[-1].append(None)
                    else:
                        data = word.encode()
                        open_lists[-1].append(self.element.decode(data, 0, len(data)))
                may = must = False
        raise WireError(f"a value of {self.name} that is no array")
