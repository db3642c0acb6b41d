from __future__ import annotations

import re
import uuid
from datetime import date
from typing import Any

import pytest

from fastweb.convertors import CONVERTOR_TYPES, Convertor, register_url_convertor

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("str", "a", "a"),
        ("str", "a b%é", "a b%é"),
        ("str", "", None),
        ("str", "a/b", None),
        ("path", "", ""),
        ("path", "a/b//c", "a/b//c"),
        ("int", "0", 0),
        ("int", "007", 7),
        ("int", "12345678901234567890", 12345678901234567890),
        ("int", "-1", None),
        ("int", "1.0", None),
        ("int", "٣", None),
        ("int", "", None),
        ("float", "1", 1.0),
        ("float", "1.50", 1.5),
        ("float", ".5", None),
        ("float", "1.", None),
        ("float", "1e3", None),
        ("float", "nan", None),
        ("uuid", str(ID), ID),
        ("uuid", ID.hex.upper(), ID),
        ("uuid", str(ID)[:-1], None),
    ],
)
def test_what_matches_and_what_it_becomes(name: str, text: str, value: Any) -> None:
    convertor = CONVERTOR_TYPES[name]
    if re.fullmatch(convertor.regex, text) is None:
        assert value is None
        return
    found = convertor.convert(text)
    assert found == value
    assert type(found) is type(value)


def test_more_digits_than_python_reads() -> None:
    assert re.fullmatch(CONVERTOR_TYPES["int"].regex, "1" * 5000)
    with pytest.raises(ValueError, match="digits"):
        CONVERTOR_TYPES["int"].convert("1" * 5000)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("str", "a b", "a b"),
        ("str", 5, "5"),
        ("path", "/a/b", "/a/b"),
        ("path", "", ""),
        ("int", 12, "12"),
        ("int", "12", "12"),
        ("float", 1.0, "1"),
        ("float", 1.5, "1.5"),
        ("float", 0.0, "0"),
        ("float", -0.0, "0"),
        ("float", 1e-7, "0.0000001"),
        ("float", 1e22, "10000000000000000000000"),
        ("uuid", ID, str(ID)),
    ],
)
def test_written_back_it_matches(name: str, value: Any, text: str) -> None:
    convertor = CONVERTOR_TYPES[name]
    assert convertor.to_string(value) == text
    assert re.fullmatch(convertor.regex, text)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("str", "", "Must not be empty"),
        ("str", "a/b", "May not contain path separators"),
        ("int", -1, "Negative integers"),
        ("float", -1.5, "Negative floats"),
        ("float", float("nan"), "NaN"),
        ("float", float("inf"), "Infinite"),
    ],
)
def test_values_that_no_path_can_hold(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        CONVERTOR_TYPES[name].to_string(value)
    assert isinstance(raised.value, AssertionError)


def test_register(monkeypatch: pytest.MonkeyPatch) -> None:
    class DateConvertor(Convertor[date]):
        regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

        def convert(self, value: str) -> date:
            return date.fromisoformat(value)

        def to_string(self, value: date) -> str:
            return value.isoformat()

    monkeypatch.delitem(CONVERTOR_TYPES, "date", raising=False)
    register_url_convertor("date", DateConvertor())
    assert CONVERTOR_TYPES["date"].convert("2026-02-28") == date(2026, 2, 28)
    monkeypatch.delitem(CONVERTOR_TYPES, "date")
