"""str, bytes, numbers and None: what pydantic's lax mode takes, with the same value or the same errors."""

from __future__ import annotations

import re
from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field as PydanticField

from fastweb.exceptions import FastWebError
from fastweb.fields import Field
from fastweb.validation.validators import validator_of
from tests.validation.oracle import agree, needs_oracle, validate
from tests.validation.samples import SCALARS

pytestmark = needs_oracle


@pytest.mark.parametrize("annotation", [int, float, bool, str, bytes, None])
def test_lax_conversions(annotation: Any) -> None:
    agree(annotation, *SCALARS)


@pytest.mark.parametrize("base", [int, float, bool, str, bytes])
def test_strict(base: Any) -> None:
    agree(Annotated[base, Field(strict=True)], *SCALARS, theirs=Annotated[base, PydanticField(strict=True)])


@pytest.mark.parametrize(
    ("base", "constraints", "values"),
    [
        (int, {"gt": 0}, [1, 0, -1, "0", "1", 2**70, -(2**70), True, None, "x"]),
        (int, {"ge": 2, "le": 1, "multiple_of": 3}, [1, 2, 10, 3, "9"]),
        (int, {"lt": 10, "gt": 5}, [5, 6, 10, 9.0, 9.5]),
        (int, {"multiple_of": 3}, [3, 4, 2**70 * 3, 2**70, -3, -4, 0]),
        (float, {"gt": 0}, [1, 0, -1, float("nan"), "nan", 0.1, "inf"]),
        (float, {"ge": 0, "le": 1}, [float("nan"), float("inf"), 0.5, 2, "-1"]),
        (float, {"gt": 0.5, "lt": 1e20}, [0.25, 1e21, 0.75]),
        (float, {"multiple_of": 0.1}, [0.3, 0.35, 1e20, 1, -0.3, float("inf"), 5.000000001]),
        (float, {"allow_inf_nan": False}, [float("nan"), float("-inf"), "inf", "1e400", 1]),
        (float, {"gt": 0, "allow_inf_nan": False}, [float("nan"), -1, 1]),
        (
            str,
            {"min_length": 2, "max_length": 3, "pattern": "^a"},
            ["a", "abcd", "bbbb", "ab", "éa", "\ud800"],
        ),
        (str, {"max_length": 1}, ["ab", "", "é", b"ab", 1]),
        (str, {"min_length": 1}, ["", " ", "\ud800"]),
        (str, {"pattern": r"^\w+$"}, ["a", "a\n", "a b", "", "\n"]),
        (bytes, {"min_length": 2, "max_length": 3}, [b"a", b"abcd", "éé", "é", 1]),
        (bytes, {"max_length": 1}, [b"ab", "é"]),
    ],
)
def test_constraints(base: Any, constraints: dict[str, Any], values: list[Any]) -> None:
    theirs = Annotated[base, PydanticField(**constraints)]
    agree(Annotated[base, Field(**constraints)], *values, theirs=theirs)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[int, Gt(3), Lt(8)],
        Annotated[int, Interval(ge=3, le=8)],
        Annotated[float, Ge(3), MultipleOf(0.5)],
        Annotated[int, Le(5)],
    ],
)
def test_annotated_types_of_numbers(annotation: Any) -> None:
    agree(annotation, *range(-1, 11), "4", 3.25, "x")


@pytest.mark.parametrize("annotation", [Annotated[str, MinLen(2), MaxLen(4)], Annotated[str, Len(1, 3)]])
def test_annotated_types_of_text(annotation: Any) -> None:
    agree(annotation, "", "a", "ab", "abc", "abcd", "abcde", 1)


#: pydantic reads "0-5" as -5 and "0__5" as 5, for it takes leading zeros away before it looks; we do not.
LEADING_ZEROS = re.compile(r"[+-]?0[0_]*(?:-|__|_-)|[+-]?0_*_")


def test_a_sign_after_a_zero_is_no_sign() -> None:
    for text in ("0-5", "00-5", "0_-5", "0__5"):
        assert validate(int, text) == [("int_parsing", ())]
    assert validate(int, "0_5") == 5


@given(st.text(alphabet="0123456789+-_. \te", max_size=12))
def test_any_text_of_a_number(text: str) -> None:
    if not LEADING_ZEROS.match(text.strip()):
        agree(int, text)
    agree(float, text)


@given(
    st.one_of(
        st.integers(), st.floats(), st.text(max_size=6), st.binary(max_size=6), st.booleans(), st.none()
    )
)
def test_any_json_scalar(value: Any) -> None:
    for annotation in (int, float, bool, str, bytes):
        agree(annotation, value)


def test_dollar_is_the_end_and_nothing_before_it() -> None:
    assert validate(Annotated[str, Field(pattern="^a$")], "a\n") == [("string_pattern_mismatch", ())]
    assert validate(Annotated[str, Field(pattern=r"[$]\$")], "$$") == "$$"


def test_a_bound_that_is_no_integer_is_a_mistake_in_the_code() -> None:
    with pytest.raises(FastWebError, match=r"gt=1\.5"):
        validator_of(Annotated[int, Field(gt=1.5)])


def test_a_pattern_that_is_no_regular_expression_is_a_mistake_in_the_code() -> None:
    with pytest.raises(FastWebError, match="no regular expression"):
        validator_of(Annotated[str, Field(pattern="(")])
