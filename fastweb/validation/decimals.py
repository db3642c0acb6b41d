"""Validators of the numbers that are classes: Decimal, Fraction, complex."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from fastweb.exceptions import FastWebError
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.errors import LAX, State, plural
from fastweb.validation.scalars import MAX_INT_DIGITS, Walk, bounds_check

__all__ = ["check_digits", "complex_walk", "decimal_walk", "fraction_walk"]


def _as_decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _decimal_at_least(operator: Callable[[Any, Any], bool], value: Decimal, bound: Decimal) -> bool:
    return not value.is_nan() and operator(value, bound)


def decimal_walk(schema: nodes.DecimalSchema) -> Walk:
    """decimal.Decimal."""
    bounds = bounds_check(schema, _as_decimal, str, compare=_decimal_at_least)
    multiple = None if schema.multiple_of is None else _as_decimal(schema.multiple_of)
    max_digits, places = schema.max_digits, schema.decimal_places
    finite = not schema.allow_inf_nan
    if not finite and (max_digits is not None or places is not None):
        raise FastWebError(
            "allow_inf_nan=True does not go with max_digits or decimal_places; remove one of them"
        )
    strict = schema.strict

    def walk(value: Any, state: State) -> Any:
        number = _to_decimal(value, state, strict)
        if number is Undefined:
            return Undefined
        if finite and not number.is_finite():
            return state.fail("finite_number", "Input should be a finite number", value)
        if (max_digits is not None or places is not None) and not check_digits(
            number, value, state, max_digits, places
        ):
            return Undefined
        if multiple is not None and number.is_finite() and not _decimal_multiple(number, multiple):
            return state.fail(
                "multiple_of", f"Input should be a multiple of {multiple}", value, {"multiple_of": multiple}
            )
        if bounds is not None and not bounds(number, value, state):
            return Undefined
        return number

    return walk


def _decimal_multiple(number: Decimal, multiple: Decimal) -> bool:
    try:
        return not number / multiple % 1
    except decimal.InvalidOperation:  # the quotient has more digits than the context: pydantic says no
        return False


def check_digits(
    number: Decimal, source: Any, state: State, max_digits: int | None, places: int | None
) -> bool:
    """max_digits and decimal_places; trailing zeros may be counted or not, as it suits the value."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"Unable to extract decimal digits info from supplied value {number}")
    written = _digits_and_places(len(digits), exponent)
    zeros = 0
    for digit in reversed(digits):
        if digit:
            break
        zeros += 1
    short = (0, 1) if zeros == len(digits) else _digits_and_places(len(digits) - zeros, exponent + zeros)
    if max_digits is not None and written[1] > max_digits and short[1] > max_digits:
        message = f"Decimal input should have no more than {max_digits} digit{plural(max_digits)} in total"
        state.fail("decimal_max_digits", message, source, {"max_digits": max_digits})
        return False
    if places is not None:
        if written[0] > places and short[0] > places:
            message = f"Decimal input should have no more than {places} decimal place{plural(places)}"
            state.fail("decimal_max_places", message, source, {"decimal_places": places})
            return False
        if max_digits is not None:
            whole = max(max_digits - places, 0)
            if written[1] - written[0] > whole and short[1] - short[0] > whole:
                words = f"no more than {whole} digit{plural(whole)} before the decimal point"
                message = f"Decimal input should have {words}"
                state.fail("decimal_whole_digits", message, source, {"whole_digits": whole})
                return False
    return True


def _digits_and_places(digits: int, exponent: int) -> tuple[int, int]:
    """(decimal places, digits)"""
    if exponent >= 0:
        return 0, digits + exponent
    return -exponent, max(digits, -exponent)


def _to_decimal(value: Any, state: State, strict: bool) -> Any:
    if isinstance(value, Decimal):
        return value
    if strict:
        message = "Input should be an instance of Decimal"
        return state.fail("is_instance_of", message, value, {"class": "Decimal"})
    state.exactness = LAX
    try:
        if isinstance(value, bool):
            pass
        elif isinstance(value, str):
            return Decimal(str.__str__(value))
        elif isinstance(value, int):
            return Decimal(int(value))
        elif isinstance(value, float):
            return Decimal(float.__repr__(value))
        elif isinstance(value, tuple) and len(value) == 3:
            return Decimal(value)
    except decimal.InvalidOperation:
        return state.fail("decimal_parsing", "Input should be a valid decimal", value)
    except (TypeError, ValueError):
        pass
    message = "Decimal input should be an integer, float, string or Decimal object"
    return state.fail("decimal_type", message, value)


def fraction_walk(schema: nodes.FractionSchema) -> Walk:
    """fractions.Fraction."""
    bounds = bounds_check(schema, Fraction, str)
    multiple = None if schema.multiple_of is None else Fraction(schema.multiple_of)
    strict = schema.strict

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, Fraction):
            number = value
        elif strict:
            message = "Input should be an instance of Fraction"
            return state.fail("is_instance_of", message, value, {"class": "Fraction"})
        elif isinstance(value, (str, int, float, Decimal)):
            state.exactness = LAX
            if _is_huge(value):
                return state.fail("fraction_parsing", "Input is not a valid fraction", value)
            try:
                number = Fraction(value)
            except (ValueError, ZeroDivisionError, OverflowError):
                return state.fail("fraction_parsing", "Input is not a valid fraction", value)
        else:
            message = "Fraction input should be an integer, float, string or Fraction object"
            return state.fail("fraction_type", message, value)
        if multiple is not None and number % multiple:
            message = f"Input should be a multiple of {multiple}"
            return state.fail("multiple_of", message, value, {"multiple_of": multiple})
        if bounds is not None and not bounds(number, value, state):
            return Undefined
        return number

    return walk


def _is_huge(value: Any) -> bool:
    # Fraction("1e999999999") would take all memory.
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value.adjusted()) > MAX_INT_DIGITS
    if not isinstance(value, str):
        return False
    exponent = value.lower().rpartition("e")[2].strip().lstrip("+-").replace("_", "").lstrip("0")
    return len(value) > 2 * MAX_INT_DIGITS or (
        "e" in value.lower() and exponent.isdigit() and (len(exponent) > 4 or int(exponent) > MAX_INT_DIGITS)
    )


def complex_walk(schema: nodes.ComplexSchema) -> Walk:
    """complex."""
    strict = schema.strict
    message = (
        "Input should be a valid python complex object, a number, or a valid complex string following the "
        "rules at https://docs.python.org/3/library/functions.html#complex"
    )

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, complex):
            return value
        if strict:
            return state.fail(
                "is_instance_of", "Input should be an instance of complex", value, {"class": "complex"}
            )
        state.exactness = LAX
        if not isinstance(value, (bytes, bytearray)):
            try:
                return complex(value)
            except (TypeError, ValueError, OverflowError):
                pass
        return state.fail("complex_type", message, value)

    return walk
