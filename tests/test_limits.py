from __future__ import annotations

import dataclasses
import inspect

import pytest

from fastweb import Limits


def test_every_bound_has_a_default_that_holds() -> None:
    limits = Limits()
    for field in dataclasses.fields(Limits):
        assert getattr(limits, field.name) > 0, field.name


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
@pytest.mark.parametrize("value", [0, -1])
def test_a_bound_is_positive(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"Limits\.{field} must be positive, not {value}"):
        Limits(**{field: value})


def test_a_bound_does_not_change_under_way() -> None:
    limits = Limits(body_size=10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.body_size = 20  # type: ignore[misc]


def test_every_bound_is_described() -> None:
    text = inspect.getdoc(Limits)  # from 3.13 on the compiler takes the indentation away itself
    assert text is not None
    for field in dataclasses.fields(Limits):
        assert f"\n    {field.name}: " in text
