"""Parameters pulled out of a request, at the bounds of the fast kinds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweb._speedups.plan import COOKIE, GENERAL, HEADER, INTEGER, PATH, QUERY, TEXT, Parameter, extract
from fastweb._speedups.request import parse_query

UNDEFINED = object()


def validate(value: Any, loc: tuple[str, ...], errors: list[Any]) -> Any:
    """Tells that it was asked."""
    if value == "bad":
        errors.append({"type": "bad", "loc": loc})
        return UNDEFINED
    return ("validated", value)


def run(
    *parameters: Parameter, path: Any = None, query: bytes = b"", cookies: Any = None, **headers: str
) -> Any:
    values: dict[str, Any] = {}
    errors: list[Any] = []
    fields = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    fields += [(b"cookie", f"{name}={value}".encode("latin-1")) for name, value in (cookies or {}).items()]
    extract(list(parameters), path, query, fields, values, errors)
    return values, errors


def parameter(
    source: int, kind: int = GENERAL, many: bool = False, default: Any = None, alias: str = "a"
) -> Parameter:
    return Parameter(source, "p", alias, kind, many, validate, default, UNDEFINED)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("-5", -5),
        ("-0", 0),
        ("9" * 18, 10**18 - 1),
        ("-" + "9" * 17, -(10**17) + 1),
        ("9" * 19, ("validated", "9" * 19)),
        ("", ("validated", "")),
        ("-", ("validated", "-")),
        ("--1", ("validated", "--1")),
        ("1-", ("validated", "1-")),
        ("+1", ("validated", "+1")),
        (" 1", ("validated", " 1")),
        ("1_0", ("validated", "1_0")),
        ("1.0", ("validated", "1.0")),
        ("٣", ("validated", "٣")),
        (5, ("validated", 5)),
    ],
)
def test_integers(raw: Any, value: Any) -> None:
    values, errors = run(parameter(PATH, INTEGER), path={"a": raw})
    assert values == {"p": value}
    assert type(values["p"]) is type(value)
    assert not errors


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("-5", -5),
        ("-0", 0),
        ("9" * 18, 10**18 - 1),
        ("-" + "9" * 17, -(10**17) + 1),
        ("9" * 19, ("validated", "9" * 19)),
        ("", ("validated", "")),
        ("-", ("validated", "-")),
        ("--1", ("validated", "--1")),
        ("1-", ("validated", "1-")),
        ("1_0", ("validated", "1_0")),
        ("%31", 1),
        ("+1", ("validated", " 1")),
    ],
)
@pytest.mark.parametrize("query", ["a={}", "b=2&a={}", "a=1&a={}&b=2", "aa=1&a={}&ab=x"])
def test_integers_of_a_query(query: str, raw: str, value: Any) -> None:
    values, errors = run(parameter(QUERY, INTEGER), query=query.format(raw).encode())
    assert values == {"p": value}
    assert not errors


@pytest.mark.parametrize("raw", ["", "x", "é☃", "\0"])
def test_text_is_taken_as_it_is(raw: str) -> None:
    assert run(parameter(PATH, TEXT), path={"a": raw}) == ({"p": raw}, [])


@pytest.mark.parametrize(
    ("made", "request_", "expected"),
    [
        (parameter(QUERY, TEXT), {"query": b"a=1&b=2&a=3"}, "3"),
        (parameter(QUERY, TEXT), {"query": b"a"}, ""),
        (parameter(QUERY, many=True), {"query": b"a=1&b=2&a=3"}, ("validated", ["1", "3"])),
        (parameter(QUERY, TEXT, alias="é"), {"query": b"%C3%A9=1"}, "1"),
        (parameter(HEADER, TEXT), {"a": "1"}, "1"),
        (parameter(HEADER, TEXT, alias="X-A"), {"x_a": "é"}, "é"),
        (parameter(HEADER, many=True), {"a": "1, 2"}, ("validated", ["1, 2"])),
        (parameter(COOKIE, TEXT), {"cookies": {"a": "1"}}, "1"),
        (parameter(COOKIE, many=True), {"cookies": {"a": "1"}}, ("validated", "1")),
        (parameter(COOKIE, TEXT, default=lambda: "d"), {"cookies": {"a": ""}}, ""),
        (parameter(COOKIE, many=True, default=lambda: "d"), {"cookies": {"a": ""}}, "d"),
        (parameter(QUERY, many=True, default=list), {}, []),
        (parameter(PATH, default=lambda: None), {}, None),
    ],
)
def test_sources(made: Parameter, request_: dict[str, Any], expected: Any) -> None:
    assert run(made, **request_) == ({"p": expected}, [])


@pytest.mark.parametrize(
    ("source", "name"), [(PATH, "path"), (QUERY, "query"), (HEADER, "header"), (COOKIE, "cookie")]
)
def test_errors(source: int, name: str) -> None:
    missing = {"type": "missing", "loc": (name, "X-a"), "msg": "Field required", "input": None}
    assert run(parameter(source, alias="X-a")) == ({}, [missing])
    given = {"path": {"X-a": "bad"}, "query": b"X-a=bad", "cookies": {"X-a": "bad"}, "x_a": "bad"}
    assert run(parameter(source, alias="X-a"), **given) == ({}, [{"type": "bad", "loc": (name, "X-a")}])  # type: ignore[arg-type]


def test_all_errors_in_order() -> None:
    found = run(
        parameter(QUERY, alias="a"),
        parameter(PATH, alias="b"),
        parameter(QUERY, TEXT, alias="c"),
        query=b"c=1&a=bad",
    )
    assert found[0] == {"p": "1"}
    assert [error["loc"] for error in found[1]] == [("query", "a"), ("path", "b")]


_QUERIES = st.lists(
    st.sampled_from(
        [b"a", b"aa", b"b", b"=", b"&", b"%", b"%61", b"+", b"\xe9", b"1", b"a=1", b"&a", b"x" * 90]
    )
).map(b"".join)


@given(_QUERIES, st.sampled_from(["a", "aa", "b", "1", "", "=", "a=", "&", "%", "+", "\xe9"]))
def test_a_query_is_what_its_pairs_are(query: bytes, alias: str) -> None:
    """However it is read: names are looked for in it, or it is cut up."""
    found = [value for name, value in parse_query(query) if name == alias]
    values, errors = run(parameter(QUERY, TEXT, alias=alias), query=query)
    assert values == ({"p": found[-1]} if found else {})
    assert [error["type"] for error in errors] == ([] if found else ["missing"])
