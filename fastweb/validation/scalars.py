"""Validators of text and numbers: pydantic's lax conversions, one closure a schema node.

Each `*_walk` function makes a `Walk`: a function of a value and the `State`, which returns the value
converted, or `Undefined` after it has noted an error.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from fastweb.exceptions import FastWebError
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.errors import LAX, State, plural

__all__ = [
    "MAX_INT_DIGITS",
    "WHITESPACE",
    "Check",
    "Walk",
    "bool_walk",
    "bound_text",
    "bounds_check",
    "bytes_walk",
    "compile_pattern",
    "fail_text",
    "float_walk",
    "int_walk",
    "none_walk",
    "number_text",
    "str_walk",
    "text_of",
]

Walk: TypeAlias = Callable[[Any, State], Any]
#: A condition on a finished value: it notes an error and returns False, or returns True.
Check: TypeAlias = Callable[[Any, Any, State], bool]

#: Unicode's White_Space, which is what surrounds a number harmlessly; str.strip() would take U+001C to
#: U+001F too.
WHITESPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_INT = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*(?:\.0+)?")
#: Text that begins with more digits than are read, so that what follows does not matter.
_LONG_INT = re.compile(r"[+-]?0*[1-9][0-9]{4300}")
#: The digits that an int in text may have, as in int().
MAX_INT_DIGITS = 4300

_OPERATORS: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "le": ("less_than_equal", "Input should be less than or equal to ", lambda value, bound: value <= bound),
    "lt": ("less_than", "Input should be less than ", lambda value, bound: value < bound),
    "ge": (
        "greater_than_equal",
        "Input should be greater than or equal to ",
        lambda value, bound: value >= bound,
    ),
    "gt": ("greater_than", "Input should be greater than ", lambda value, bound: value > bound),
}


def number_text(value: Any) -> str:
    """A number in a message: 5.0 is `5`, and there is no exponent."""
    if isinstance(value, float):
        if math.isfinite(value):
            if value.is_integer():
                return str(int(value)) if value or math.copysign(1, value) > 0 else "-0"
            return format(Decimal(repr(value)), "f")
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")
    return str(value)


def bound_text(value: Any) -> Any:
    """A bound of any type as the ctx of an error has it."""
    return value if isinstance(value, (int, float, str)) else repr(value)


def bounds_check(
    schema: Any,
    convert: Callable[[Any], Any],
    text: Callable[[Any], str] = number_text,
    shown: Callable[[Any], Any] = lambda value: value,
    compare: Callable[[Callable[[Any, Any], bool], Any, Any], bool] | None = None,
) -> Check | None:
    """The check of gt, ge, lt and le; None where there are none.

    Arguments:
        convert: makes a bound of the value's type.
        text, shown: a bound in the message, and in the ctx.
        compare: compares where the plain operator would not do.
    """
    rules = []
    for name, (kind, words, operator) in _OPERATORS.items():
        given = getattr(schema, name)
        if given is not None:
            bound = convert(given)
            rules.append((operator, bound, kind, words + text(bound), {name: shown(bound)}))
    if not rules:
        return None

    def check(value: Any, source: Any, state: State) -> bool:
        for operator, bound, kind, message, ctx in rules:
            if not (operator(value, bound) if compare is None else compare(operator, value, bound)):
                state.fail(kind, message, source, dict(ctx))
                return False
        return True

    return check


def _bound_error(schema: Any, name: str, wanted: str) -> FastWebError:
    return FastWebError(f"the constraint {name}={getattr(schema, name)!r} is not {wanted}")


def text_of(value: Any) -> str | None:
    """The text of bytes or a str; None where it is not UTF-8."""
    if isinstance(value, str):
        return str.__str__(value) if type(value) is not str else value
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        return None


def fail_text(state: State, value: Any, kind: str, message: str, ctx: dict[str, Any] | None = None) -> Any:
    """Note that a value is not what its text should be; text with lone surrogates is no text to pydantic."""
    if isinstance(value, str) and not value.isascii():
        try:
            str.encode(value)
        except UnicodeEncodeError:
            kind, ctx = "string_unicode", None
            message = "Input should be a valid string, unable to parse raw data as a unicode string"
    return state.fail(kind, message, value, ctx)


# int


def int_walk(schema: nodes.IntSchema) -> Walk:
    """int."""
    for name in ("gt", "ge", "lt", "le"):
        given = getattr(schema, name)
        if isinstance(given, float) and not given.is_integer():
            raise _bound_error(schema, name, "an integer, and bounds one")
    bounds = bounds_check(schema, int)
    multiple = schema.multiple_of
    strict = schema.strict

    if bounds is None and multiple is None:

        def walk(value: Any, state: State) -> Any:
            if type(value) is int:
                return value
            return _to_int(value, state, strict)

        return walk

    def constrained(value: Any, state: State) -> Any:
        number = value if type(value) is int else _to_int(value, state, strict)
        if number is Undefined:
            return Undefined
        if multiple is not None and number % multiple:
            return _not_multiple(value, state, multiple)
        if bounds is not None and not bounds(number, value, state):
            return Undefined
        return number

    return constrained


def _not_multiple(source: Any, state: State, multiple: Any) -> Any:
    return state.fail(
        "multiple_of",
        f"Input should be a multiple of {number_text(multiple)}",
        source,
        {"multiple_of": multiple},
    )


def _to_int(value: Any, state: State, strict: bool) -> Any:
    if isinstance(value, bool):
        if strict:
            return state.fail("int_type", "Input should be a valid integer", value)
        state.exactness = LAX
        return int(value)
    if isinstance(value, int):
        state.strict()
        return int(value)
    if strict:
        return state.fail("int_type", "Input should be a valid integer", value)
    state.exactness = LAX
    if isinstance(value, (str, bytes)):
        return _int_of_text(value, state)
    if isinstance(value, float):
        return _int_of_float(value, state)
    if isinstance(value, Decimal):
        if not value.is_finite():
            return state.fail("finite_number", "Input should be a finite number", value)
        if value.adjusted() > MAX_INT_DIGITS:  # int() of 1e999999999 would take all memory
            return _too_many_digits(value, state)
        if value != value.to_integral_value():
            return _fractional(value, state)
        return int(value)
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else _fractional(value, state)
    if isinstance(value, enum.Enum) and type(value.value) is int:
        return value.value
    if hasattr(type(value), "__index__"):
        return int(value.__index__())
    return state.fail("int_type", "Input should be a valid integer", value)


def _too_many_digits(value: Any, state: State) -> Any:
    return state.fail(
        "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size", value
    )


def _fractional(value: Any, state: State) -> Any:
    return state.fail(
        "int_from_float", "Input should be a valid integer, got a number with a fractional part", value
    )


def _int_of_float(value: float, state: State) -> Any:
    if not math.isfinite(value):
        return state.fail("finite_number", "Input should be a finite number", value)
    if not value.is_integer():
        return _fractional(value, state)
    if not -(2.0**63) < value < 2.0**63:
        return _too_many_digits(value, state)
    return int(value)


def _int_of_text(value: str | bytes, state: State) -> Any:
    text = text_of(value)
    if text is None or not _INT.fullmatch(text := text.strip(WHITESPACE)):
        if text is not None and _LONG_INT.match(text):
            return _too_many_digits(value, state)
        message = "Input should be a valid integer, unable to parse string as an integer"
        return fail_text(state, value, "int_parsing", message)
    whole = text.partition(".")[0].replace("_", "")
    sign = ""
    if whole[0] in "+-":
        sign, whole = whole[0], whole[1:]
    whole = whole.lstrip("0")
    if len(whole) > MAX_INT_DIGITS:
        return _too_many_digits(value, state)
    return int(sign + (whole or "0"))


# float


def float_walk(schema: nodes.FloatSchema) -> Walk:
    """float."""
    bounds = bounds_check(schema, float)
    multiple = None if schema.multiple_of is None else float(schema.multiple_of)
    finite = schema.allow_inf_nan is False
    strict = schema.strict

    if bounds is None and multiple is None and not finite:

        def walk(value: Any, state: State) -> Any:
            if type(value) is float:
                return value
            return _to_float(value, state, strict)

        return walk

    def constrained(value: Any, state: State) -> Any:
        number = value if type(value) is float else _to_float(value, state, strict)
        if number is Undefined:
            return Undefined
        if finite and not math.isfinite(number):
            return state.fail("finite_number", "Input should be a finite number", value)
        if multiple is not None and not _is_multiple(number, multiple):
            return _not_multiple(value, state, multiple)
        if bounds is not None and not bounds(number, value, state):
            return Undefined
        return number

    return constrained


def _is_multiple(number: float, multiple: float) -> bool:
    """Whether it is a multiple, but for a rounding error."""
    if not math.isfinite(number):
        return True
    quotient = number / multiple
    if not math.isfinite(quotient):
        return False
    whole = math.trunc(quotient)
    if abs(quotient - whole) >= 0.5:
        whole += 1 if quotient > 0 else -1
    return abs(number - float(whole) * multiple) <= 1e-9


def _to_float(value: Any, state: State, strict: bool) -> Any:
    if isinstance(value, float):
        state.strict()
        return float(value)
    if isinstance(value, int):
        if isinstance(value, bool):
            if strict:
                return _no_float(value, state)
            state.exactness = LAX
        else:
            state.strict()
        try:
            return float(value)
        except OverflowError:
            return _no_float(value, state)
    if isinstance(value, (str, bytes)):
        if strict:
            return _no_float(value, state)
        state.exactness = LAX
        number = _float_of_text(text_of(value))
        if number is None:
            message = "Input should be a valid number, unable to parse string as a number"
            return fail_text(state, value, "float_parsing", message)
        return number
    if hasattr(type(value), "__float__") or hasattr(type(value), "__index__"):
        state.strict()
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    return _no_float(value, state)


def _no_float(value: Any, state: State) -> Any:
    return state.fail("float_type", "Input should be a valid number", value)


def _float_of_text(text: str | None) -> float | None:
    if text is None:
        return None
    if "_" not in text:
        text = text.strip(WHITESPACE)
    else:  # which pydantic does not take with spaces around it
        if text[0] == "_" or text[-1] == "_" or "__" in text:
            return None
        text = text.replace("_", "")
    if not text.isascii() or text != text.strip():  # what float() would still take
        return None
    try:
        return float(text)
    except ValueError:
        return None


# bool, None

_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "off", "f", "false", "n", "no"})


def bool_walk(schema: nodes.BoolSchema) -> Walk:
    """bool."""
    strict = schema.strict

    def walk(value: Any, state: State) -> Any:
        if value is True or value is False:
            return value
        if strict:
            return state.fail("bool_type", "Input should be a valid boolean", value)
        state.exactness = LAX
        if isinstance(value, (str, bytes)):
            text = text_of(value)
            if text is not None and len(text) <= 5 and text.isascii():
                text = text.lower()
                if text in _TRUE:
                    return True
                if text in _FALSE:
                    return False
        elif isinstance(value, (int, float, Decimal, Fraction)):
            if value == 0 or value == 1:
                return bool(value)
            # A number with a fraction, or beyond 64 bits, is no integer to pydantic here.
            if (not isinstance(value, int) and not _small_integer(value)) or not -(2**63) <= value < 2**63:
                return state.fail("bool_type", "Input should be a valid boolean", value)
        elif hasattr(type(value), "__index__"):
            if value.__index__() in (0, 1):
                return bool(value.__index__())
        else:
            return state.fail("bool_type", "Input should be a valid boolean", value)
        message = "Input should be a valid boolean, unable to interpret input"
        return fail_text(state, value, "bool_parsing", message)

    return walk


def _small_integer(value: Any) -> bool:
    return bool(value == value and abs(value) < 2**63 and value == int(value))


def none_walk(schema: nodes.NoneSchema) -> Walk:
    """None."""

    def walk(value: Any, state: State) -> Any:
        return None if value is None else state.fail("none_required", "Input should be None", value)

    return walk


# str, bytes


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A `pattern` constraint. To pydantic `$` matches at the very end alone, not before a line feed.

    Raises:
        FastWebError: it is no regular expression.
    """
    out = []
    escaped = in_class = False
    multiline = re.search(r"\(\?[a-z]*m", pattern) is not None
    for char in pattern:
        if escaped:
            escaped = False
            char = "Z" if char == "z" else char
        elif char == "\\":
            escaped = True
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char == "$" and not multiline:
            char = r"\Z"
        out.append(char)
    try:
        return re.compile("".join(out))
    except re.error as error:
        raise FastWebError(f"the pattern {pattern!r} is no regular expression: {error}") from error


def str_walk(schema: nodes.StrSchema) -> Walk:
    """str."""
    strict, strip, lower, upper = schema.strict, schema.strip, schema.to_lower, schema.to_upper
    minimum, maximum = schema.min_length, schema.max_length
    pattern = None if schema.pattern is None else schema.pattern
    search = None if pattern is None else compile_pattern(pattern).search
    coerce = schema.coerce_numbers
    if not (strip or lower or upper or search) and minimum is None and maximum is None:

        def walk(value: Any, state: State) -> Any:
            if type(value) is str:
                return value
            return _to_str(value, state, strict, coerce)

        return walk

    def constrained(value: Any, state: State) -> Any:
        text = value if type(value) is str else _to_str(value, state, strict, coerce)
        if text is Undefined:
            return Undefined
        if not text.isascii() and not _is_unicode(text):
            return fail_text(state, text, "string_unicode", "")
        if strip:
            text = text.strip(WHITESPACE)
        if minimum is not None and len(text) < minimum:
            message = f"String should have at least {minimum} character{plural(minimum)}"
            return state.fail("string_too_short", message, value, {"min_length": minimum})
        if maximum is not None and len(text) > maximum:
            message = f"String should have at most {maximum} character{plural(maximum)}"
            return state.fail("string_too_long", message, value, {"max_length": maximum})
        if search is not None and search(text) is None:
            message = f"String should match pattern '{pattern}'"
            return state.fail("string_pattern_mismatch", message, value, {"pattern": pattern})
        if lower:
            return text.lower()
        return text.upper() if upper else text

    return constrained


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _to_str(value: Any, state: State, strict: bool, coerce_numbers: bool) -> Any:
    if isinstance(value, str):
        state.strict()
        return str(value.value) if isinstance(value, enum.Enum) else str.__str__(value)
    if not strict:
        if isinstance(value, (bytes, bytearray)):
            state.exactness = LAX
            text = text_of(value)
            if text is None:
                return state.fail(
                    "string_unicode",
                    "Input should be a valid string, unable to parse raw data as a unicode string",
                    value,
                )
            return text
        if isinstance(value, enum.Enum):
            state.exactness = LAX
            return str(value.value)
        if coerce_numbers and isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            state.exactness = LAX
            return str(value)
    return state.fail("string_type", "Input should be a valid string", value)


def bytes_walk(schema: nodes.BytesSchema) -> Walk:
    """bytes."""
    strict, minimum, maximum = schema.strict, schema.min_length, schema.max_length

    def walk(value: Any, state: State) -> Any:
        if type(value) is bytes:
            data = value
        elif isinstance(value, bytes):
            state.strict()
            data = bytes(value)
        elif strict:
            return state.fail("bytes_type", "Input should be a valid bytes", value)
        elif isinstance(value, str):
            state.exactness = LAX
            try:
                data = value.encode()
            except UnicodeEncodeError:
                return state.fail(
                    "string_unicode",
                    "Input should be a valid string, unable to parse raw data as a unicode string",
                    value,
                )
        elif isinstance(value, bytearray):
            state.exactness = LAX
            data = bytes(value)
        else:
            return state.fail("bytes_type", "Input should be a valid bytes", value)
        if minimum is not None and len(data) < minimum:
            message = f"Data should have at least {minimum} byte{plural(minimum)}"
            return state.fail("bytes_too_short", message, value, {"min_length": minimum})
        if maximum is not None and len(data) > maximum:
            message = f"Data should have at most {maximum} byte{plural(maximum)}"
            return state.fail("bytes_too_long", message, value, {"max_length": maximum})
        return data

    return walk
