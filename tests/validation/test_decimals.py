"""Decimal, Fraction and complex, beside pydantic."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import pytest
from pydantic import Field as PydanticField

from fastweb.exceptions import FastWebError
from fastweb.fields import Field
from fastweb.validation.validators import validator_of
from tests.validation.oracle import agree, needs_oracle, validate
from tests.validation.samples import SCALARS

pytestmark = needs_oracle


@pytest.mark.parametrize("annotation", [Decimal, Fraction, complex])
def test_lax_conversions(annotation: Any) -> None:
    agree(annotation, *SCALARS)


@pytest.mark.parametrize("base", [Decimal, Fraction, complex])
def test_strict(base: Any) -> None:
    theirs = Annotated[base, PydanticField(strict=True)]
    agree(Annotated[base, Field(strict=True)], 1, True, 1.5, "1", Decimal(1), Fraction(1), 1j, theirs=theirs)


@pytest.mark.parametrize(
    ("base", "constraints", "values"),
    [
        (
            Decimal,
            {"gt": 0, "max_digits": 4, "decimal_places": 2},
            [
                "1.234",
                "123.4",
                "12345",
                "12.34",
                "-1",
                "0.001",
                "1e3",
                "1e5",
                "1E-5",
                "nan",
                "0",
                "1.100",
                "100.0",
            ],
        ),
        (
            Decimal,
            {"max_digits": 4},
            ["1.2345", "12345", "10000", "0.00001", "1e4", "1.0000", "0.12345", "0.000"],
        ),
        (Decimal, {"max_digits": 1}, ["12", "1", "10", "1e1"]),
        (Decimal, {"decimal_places": 2}, ["1.234", "1.2300", "12345", "1e-2", "1e-3"]),
        (Decimal, {"decimal_places": 1}, ["1.23"]),
        (Decimal | None, {"max_digits": 4, "decimal_places": 1}, ["1.2", "1.23", "1234.5", None]),
        (Decimal, {"allow_inf_nan": True}, ["nan", "inf", "snan", float("nan")]),
        (Decimal, {"allow_inf_nan": True, "gt": 0}, ["nan", "inf", "snan", float("nan"), "-inf", 1]),
        (Decimal, {"multiple_of": Decimal("0.1")}, ["0.15", "0.2", "1e30", "1e400", "1." + "0" * 33 + "1"]),
        (Decimal, {"multiple_of": 0.1, "gt": 0.5, "le": 10}, ["0.15", "0.2", "0.6", "11"]),
        (Decimal, {"gt": Decimal("1.5"), "lt": 3, "ge": 1}, ["1", "1.5", "2", "3"]),
        (Fraction, {"gt": 0, "multiple_of": Fraction(1, 2)}, ["-1", "1/3", 1, "3/2"]),
    ],
)
def test_constraints(base: Any, constraints: dict[str, Any], values: list[Any]) -> None:
    theirs = Annotated[base, PydanticField(**constraints)]
    agree(Annotated[base, Field(**constraints)], *values, theirs=theirs)


def test_an_exponent_does_not_take_all_memory() -> None:
    assert validate(Fraction, "1e999999999") == [("fraction_parsing", ())]
    assert validate(Fraction, Decimal("1e999999")) == [("fraction_parsing", ())]
    assert validate(int, Decimal("1e999999")) == [("int_parsing_size", ())]
    assert validate(Decimal, "1e999999") == Decimal("1e999999")


def test_infinite_digits_cannot_be_counted() -> None:
    with pytest.raises(FastWebError, match="allow_inf_nan"):
        validator_of(Annotated[Decimal, Field(allow_inf_nan=True, max_digits=3)])
