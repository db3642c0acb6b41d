"""numeric and money.

numeric (src/backend/utils/adt/numeric.c, numeric_send) is

    Int16   how many digits follow, each of base 10,000
    Int16   the weight of the first: its exponent of 10,000
    UInt16  sign: 0x0000 plus, 0x4000 minus, 0xC000 NaN, 0xD000 Infinity, 0xF000 -Infinity
    Int16   display scale: how many decimals are shown, so that 1.50 stays 1.50
    UInt16  each digit, the highest first

All is done in decimal text, never through an int: that is linear, and Python's limit of 4,300 digits for
int and str does not hold for Decimals, of which PostgreSQL has up to 131,072 digits before the point and
16,383 behind it.
"""

from decimal import Decimal
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec, shown
from fastweb._speedups.pg_wire import Output, WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.cpython.unicode import PyUnicode_1BYTE_DATA, PyUnicode_New
    from cython.cimports.fastweb._speedups.pg_codec import Codec, misfit, put_value, unexpected, whole
    from cython.cimports.fastweb._speedups.pg_wire import Output, int16_at, int64_at, uint16_at
    from cython.cimports.fastweb._speedups.writer import Writer
else:
    from fastweb._speedups.pg_codec import misfit, put_value, unexpected, whole
    from fastweb._speedups.pg_wire import int16_at, int64_at, uint16_at

__all__ = ["MoneyCodec", "NumericCodec"]

_INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
_INT64_MIN = cython.declare(cython.longlong, -_INT64_MAX - 1)
_Decimal: Any = Decimal
_NAN: Any = Decimal("NaN")
_INFINITY: Any = Decimal("Infinity")
_MINUS_INFINITY: Any = Decimal("-Infinity")
#: Before and behind the point, in decimal digits.
_MOST_DIGITS = cython.declare(cython.int, 131072)
_MOST_SCALE = cython.declare(cython.int, 16383)


@cython.cfunc
def _text(data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t, name: str) -> Any:
    """A number's decimal text; a Decimal that is none: NaN or infinite."""
    if end - at < 8:
        raise WireError(f"a value of {name} has at least 8 bytes, and not {end - at}")
    count: cython.int = int16_at(data, at)
    weight: cython.int = int16_at(data, at + 2)
    sign: cython.int = uint16_at(data, at + 4)
    scale: cython.int = int16_at(data, at + 6)
    if count < 0 or end - at != 8 + 2 * count:
        raise WireError(f"a value of {name} of {end - at} bytes with {count} digits")
    if sign >= 0xC000:
        if sign == 0xC000:
            return _NAN
        if sign == 0xD000:
            return _INFINITY
        if sign == 0xF000:
            return _MINUS_INFINITY
    if sign != 0 and sign != 0x4000:
        raise WireError(f"a value of {name} whose sign is {sign}")
    if scale < 0 or scale > _MOST_SCALE:
        raise WireError(f"a value of {name} with {scale} decimals")
    # Digits before the point: weight + 1 of base 10,000, those behind the last that is sent being 0. What
    # is behind the point and beyond the scale is not shown.
    before: cython.int = weight + 1 if weight >= 0 else 0
    at += 8
    i: cython.int
    digit: cython.int
    for i in range(count):
        digit = uint16_at(data, at + 2 * i)
        if digit > 9999:
            raise WireError(f"a value of {name} with a digit {digit}")
    if cython.compiled:
        size: cython.int = (1 if sign else 0) + (before * 4 if before else 1)
        if scale:
            size += 1 + scale
        made = PyUnicode_New(size, 127)
        to: cython.p_char = cython.cast(cython.p_char, PyUnicode_1BYTE_DATA(made))
        place: cython.int = 0
        if sign:
            to[0] = 45
            place = 1
        if before == 0:
            to[place] = 48
            place += 1
        for i in range(before):
            digit = uint16_at(data, at + 2 * i) if i < count else 0
            to[place] = 48 + digit // 1000
            to[place + 1] = 48 + digit // 100 % 10
            to[place + 2] = 48 + digit // 10 % 10
            to[place + 3] = 48 + digit % 10
            place += 4
        if scale:
            to[place] = 46
            place += 1
            # The first digit behind the point has the weight -1; before what was sent there are zeros.
            i = weight + 1
            left: cython.int = scale
            while left > 0:
                digit = uint16_at(data, at + 2 * i) if 0 <= i < count else 0
                i += 1
                to[place] = 48 + digit // 1000
                if left > 1:
                    to[place + 1] = 48 + digit // 100 % 10
                if left > 2:
                    to[place + 2] = 48 + digit // 10 % 10
                if left > 3:
                    to[place + 3] = 48 + digit % 10
                place += 4 if left > 3 else left
                left -= 4
        return made
    text = "".join(["%04d" % uint16_at(data, at + 2 * i) for i in range(count)])
    head = text[: before * 4].ljust(before * 4, "0") or "0"
    if sign:
        head = "-" + head
    if not scale:
        return head
    tail = "0" * (4 * min(-1 - weight, scale)) + text if weight < 0 else text[before * 4 :]
    return head + "." + tail[:scale].ljust(scale, "0")


@cython.final
@cython.cclass
class NumericCodec(Codec):
    """numeric: a Decimal; in, an int and a float (of its shortest text) as well."""

    @cython.ccall
    @cython.cdivision(True)
    def encode(self, out: Output, value: Any) -> Any:
        if type(value) is not _Decimal:
            if isinstance(value, bool) or not isinstance(value, (int, float, _Decimal)):
                unexpected("Decimal", self.name, value)
            if isinstance(value, float):
                value = _Decimal(float.__repr__(value))
            elif isinstance(value, int):
                if value.bit_length() > 435412:
                    self.refuse(value)
                value = _Decimal(int(value))
        if not value.is_finite():
            sign: cython.int = 0xC000 if value.is_nan() else 0xF000 if value.is_signed() else 0xD000
            out.put_int16(0)
            out.put_int16(0)
            out.put_uint16(sign)
            out.put_int16(0)
            return
        # 123.45, 1.2345E+7, 0E-10: digits, of which a point may be one, and an exponent.
        text: str = str(value)
        minus: cython.bint = False
        if text[0] == "-":
            minus = True
            text = text[1:]
        exponent: Any = 0
        split: cython.Py_ssize_t = text.find("E")
        if split >= 0:
            exponent = int(text[split + 1 :])
            text = text[:split]
        split = text.find(".")
        if split >= 0:
            exponent -= len(text) - split - 1
            text = text[:split] + text[split + 1 :]
        if exponent < -_MOST_SCALE or exponent > _MOST_DIGITS:
            self.refuse(value)
        text = text.lstrip("0")
        if len(text) + exponent > _MOST_DIGITS:
            self.refuse(value)
        scale: cython.int = -exponent if exponent < 0 else 0
        if not text:
            out.put_int16(0)
            out.put_int16(0)
            out.put_uint16(0)
            out.put_int16(scale)
            return
        # In groups of four that end at the point.
        zeros: cython.int = exponent % 4
        text += "0" * zeros
        power: cython.int = (exponent - zeros) // 4
        size: cython.Py_ssize_t = len(text)
        text = "0" * ((4 - size % 4) % 4) + text
        digits: bytes = text.encode("ascii")
        count: cython.int = cython.cast(cython.int, len(digits) // 4)
        # Zeros at the end are not sent.
        last: cython.int = count
        while last > 0 and digits[4 * last - 4 : 4 * last] == b"0000":
            last -= 1
        out.put_int16(last)
        out.put_int16(power + count - 1)
        out.put_uint16(0x4000 if minus else 0)
        out.put_int16(scale)
        i: cython.int
        for i in range(last):
            if cython.compiled:
                out.put_uint16(
                    (digits[4 * i] - 48) * 1000
                    + (digits[4 * i + 1] - 48) * 100
                    + (digits[4 * i + 2] - 48) * 10
                    + (digits[4 * i + 3] - 48)
                )
            else:
                out.put_uint16(int(digits[4 * i : 4 * i + 4]))

    @cython.cfunc
    def refuse(self, value: Any) -> Any:
        raise OverflowError(
            f"expected up to {_MOST_DIGITS} digits before the point and {_MOST_SCALE} behind it "
            f"for {self.name}, got {shown(value)}"
        )

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        return _Decimal(_text(data, at, end, self.name))

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        text = _text(data, at, end, self.name)
        if cython.compiled and type(text) is str:
            # PERF: 0.07 µs, and with a Decimal 0.44. Its text is this one where it has no exponent (which is
            # for less than 0.000001, and zeros of more decimals), without the zeros that a group begins with.
            count: cython.int = int16_at(data, at)
            weight: cython.int = int16_at(data, at + 2)
            first: cython.int = uint16_at(data, at + 8) if count > 0 else 0
            if first > 0 and uint16_at(data, at + 4) == 0 and weight >= -1:
                zeros: cython.int = 0
                if weight >= 0:
                    zeros = (first < 1000) + (first < 100) + (first < 10)
                out.put_str(text[zeros:] if zeros else text)
                return None
        put_value(out, _Decimal(text))


@cython.final
@cython.cclass
class MoneyCodec(Codec):
    """money: Int64 of the currency's smallest unit, as a Decimal.

    Arguments:
        places: decimals of the server's `lc_monetary`, which the server does not tell.
    """

    places: cython.int

    def __init__(self, oid: int, name: str, places: int = 2) -> None:
        Codec.__init__(self, oid, name)
        self.places = places

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, _Decimal)):
            unexpected("Decimal", self.name, value)
        number: Any = _Decimal(value) if isinstance(value, int) and value.bit_length() < 64 else value
        if isinstance(number, _Decimal) and number.is_finite() and number.adjusted() < 20:
            # No arithmetic: the user's context would round it.
            sign, digits, exponent = number.as_tuple()
            number = _Decimal((sign, digits, exponent + self.places))
            if number == number.to_integral_value():
                out.put_int64(whole(int(number), self.name, _INT64_MIN, _INT64_MAX))
                return
        raise ValueError(
            f"expected a number of 64 bits with up to {self.places} decimals for {self.name}, "
            f"got {shown(value)}"
        )

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8:
            misfit(self.name, 8, end - at)
        return _Decimal(f"{int64_at(data, at)}e-{self.places}")
