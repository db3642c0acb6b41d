"""Points and what is made of them, and bit strings.

Coordinates are float8 (src/backend/utils/adt/geo_ops.c):

    point    x, y                       box       the upper right point, the lower left
    line     A, B, C of Ax + By + C = 0 circle    the center, the radius
    lseg     two points                 polygon   Int32, how many points, and these
    path     Byte1, whether it is closed, Int32, how many points, and these

bit and varbit are Int32, how many bits, and these in bytes, the first the highest (varbit.c).
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec, shown
from fastweb._speedups.pg_wire import Output, WireError

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_codec import Codec, misfit, unexpected
    from cython.cimports.fastweb._speedups.pg_wire import Output, float8_at, int32_at
else:
    from fastweb._speedups.pg_codec import misfit, unexpected
    from fastweb._speedups.pg_wire import float8_at, int32_at

__all__ = ["BitCodec", "PathCodec", "ShapeCodec"]


def coordinates(value: Any, most: int) -> list:
    """The numbers in nested tuples and lists; more than `most` of them are not looked for."""
    found: list = []
    rest = [value]
    while rest and len(found) <= most:
        each = rest.pop()
        if isinstance(each, (tuple, list)):
            if len(each) > most or len(rest) > 2 * most:
                return rest
            rest.extend(reversed(each))
        else:
            found.append(float(each) if isinstance(each, (int, float)) else float("x"))
    return found


@cython.final
@cython.cclass
class ShapeCodec(Codec):
    """A point or what has a fixed number of coordinates.

    Arguments:
        count: of them.
        make: makes the value of them, each an argument.
    """

    count: cython.int
    make: Any

    def __init__(self, oid: int, name: str, count: int, make: Any) -> None:
        Codec.__init__(self, oid, name)
        self.count = count
        self.make = make
        self.nests = 1

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, (tuple, list)):
            unexpected(self.make.__name__, self.name, value)
        try:
            found: list = coordinates(value, self.count)
        except ValueError:
            found = []
        if len(found) != self.count:
            raise ValueError(f"expected {self.count} coordinates for {self.name}, got {shown(value)}")
        for each in found:
            out.put_float8(each)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8 * self.count:
            misfit(self.name, 8 * self.count, end - at)
        if self.count == 2:
            return self.make(float8_at(data, at), float8_at(data, at + 8))
        return self.make(*[float8_at(data, at + 8 * i) for i in range(self.count)])


@cython.final
@cython.cclass
class PathCodec(Codec):
    """A path, of which a list is open and a tuple is closed; or a polygon.

    Arguments:
        is_path: whether a byte tells that it is closed.
        make: makes the value of points, and for a path of `is_closed`.
        point: makes a point.
    """

    is_path: cython.bint
    make: Any
    point: Any

    def __init__(self, oid: int, name: str, is_path: bool, make: Any, point: Any) -> None:
        Codec.__init__(self, oid, name)
        self.is_path = is_path
        self.make = make
        self.point = point
        self.nests = 2

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        closed: Any = getattr(value, "is_closed", None)
        if closed is None:
            if not isinstance(value, (tuple, list)):
                unexpected(self.make.__name__, self.name, value)
            closed = isinstance(value, tuple)
        points: list = list(value)
        made: list = []
        for each in points:
            try:
                pair = coordinates(each, 2)
            except ValueError:
                pair = made
            if pair is made or len(pair) != 2:
                raise ValueError(f"expected points of two coordinates for {self.name}, got {shown(each)}")
            made.append(pair)
        if self.is_path:
            out.put_int8(1 if closed else 0)
        out.put_int32(len(made))
        for pair in made:
            out.put_float8(pair[0])
            out.put_float8(pair[1])

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        closed: cython.bint = True
        if self.is_path:
            if end - at < 1:
                raise WireError(f"a value of {self.name} of no bytes")
            closed = data[at] != 0
            at += 1
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        count: cython.Py_ssize_t = int32_at(data, at)
        if count < 0 or end - at != 4 + 16 * count:
            raise WireError(f"a value of {self.name} of {count} points in {end - at} bytes")
        at += 4
        i: cython.Py_ssize_t
        points: list = []
        for i in range(count):
            points.append(self.point(float8_at(data, at + 16 * i), float8_at(data, at + 16 * i + 8)))
        return self.make(*points, is_closed=closed) if self.is_path else self.make(*points)


@cython.final
@cython.cclass
class BitCodec(Codec):
    """bit and varbit. In, also a str of 0 and 1.

    Arguments:
        make: makes a BitString of its bytes and its length.
    """

    make: Any

    def __init__(self, oid: int, name: str, make: Any) -> None:
        Codec.__init__(self, oid, name)
        self.make = make

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = self.make(value)
            except ValueError:
                raise ValueError(f"expected bits for {self.name}, got {shown(value)}") from None
        elif not isinstance(value, self.make):
            unexpected("BitString", self.name, value)
        out.put_int32(len(value))
        out.put(value.bytes)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        count: cython.Py_ssize_t = int32_at(data, at)
        if count < 0 or end - at - 4 != (count + 7) // 8:
            raise WireError(f"a value of {self.name} of {count} bits in {end - at} bytes")
        return self.make.frombytes(data[at + 4 : end], count)
