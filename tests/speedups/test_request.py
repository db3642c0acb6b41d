"""What is read of a request, against the standard library and Starlette."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweb._speedups.request import find_header, parse_cookies, parse_query, unquote

#: Bytes that are likely to go wrong.
URL_BYTES = st.one_of(
    st.binary(max_size=30),
    st.lists(st.sampled_from(b"% %4 %41 %c3%a9 %ff %zz + & = ; a \xe9 #".split())).map(b"".join),
)


def reference_query(query: bytes) -> list[tuple[str, str]]:
    return urllib.parse.parse_qsl(query.decode("latin-1"), keep_blank_values=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", []),
        (b"a=1", [("a", "1")]),
        (b"a=1&a=2&b", [("a", "1"), ("a", "2"), ("b", "")]),
        (b"&&a=&=b&=", [("a", ""), ("", "b"), ("", "")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a+b=c%20d+e", [("a b", "c d e")]),
        (b"%61=%2B%26%3D", [("a", "+&=")]),
        (b"a=%C3%A9%c3%a9", [("a", "éé")]),
        (b"a=%ff%C3", [("a", "��")]),
        (b"a=%&b=%4&c=%zz&d=%%41", [("a", "%"), ("b", "%4"), ("c", "%zz"), ("d", "%A")]),
        (b"a=\xe9\xc3\xa9", [("a", "éÃ©")]),
        (b"a=%C3\xe9%A9", [("a", "�é�")]),
        (b"a=%00%0a", [("a", "\0\n")]),
        (b"a=1#b", [("a", "1#b")]),
        (b"a[]=1&a%5B%5D=2", [("a[]", "1"), ("a[]", "2")]),
    ],
)
def test_parse_query(query: bytes, expected: list[tuple[str, str]]) -> None:
    assert parse_query(query) == expected == reference_query(query)


@settings(max_examples=500)
@given(URL_BYTES)
def test_parse_query_agrees_with_urllib(query: bytes) -> None:
    assert parse_query(query) == reference_query(query)


@settings(max_examples=500)
@given(URL_BYTES)
def test_unquote_agrees_with_urllib(raw: bytes) -> None:
    assert unquote(raw) == urllib.parse.unquote_to_bytes(raw).decode("utf-8", "replace")


def test_a_large_query() -> None:
    assert len(parse_query(b"a=1&" * 100_000)) == 100_000
    assert parse_query(b"%41" * 100_000) == [("A" * 100_000, "")]


def test_find_header() -> None:
    headers = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert find_header(headers, b"a") == b"1"
    assert find_header(headers, b"c") is None
    assert find_header([], b"a") is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        # Written down from Starlette 1.10's cookie_parser.
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; b=2;c=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=1; a=2", {"a": "2"}),
        ("a", {"": "a"}),
        ("=a", {"": "a"}),
        ("a=", {"a": ""}),
        ("=", {}),
        (";;a=1;;", {"a": "1"}),
        (" a = 1 ", {"a": "1"}),
        ("a=b=c", {"a": "b=c"}),
        ("$Version=1; a=2", {"$Version": "1", "a": "2"}),
        ('a="q"', {"a": "q"}),
        ('a="q\\"x"', {"a": 'q"x'}),
        ('a="\\303\\251"', {"a": "Ã©"}),
        ('a="\\054"', {"a": ","}),
        ('a="\\400"', {"a": "400"}),
        ('a="\\\\"', {"a": "\\"}),
        ('a="\\"', {"a": "\\"}),
        ('a="open', {"a": '"open'}),
        ('a="', {"a": '"'}),
        ('a=""', {"a": ""}),
        ('a="x;y"', {"a": '"x', "": 'y"'}),
        ("a=é%20", {"a": "é%20"}),
        ('a={"x":1,"y":2}', {"a": '{"x":1,"y":2}'}),
    ],
)
def test_parse_cookies(header: str, expected: dict[str, str]) -> None:
    assert parse_cookies(header) == expected


def test_a_large_cookie() -> None:
    assert parse_cookies('a="' + "\\054" * 50_000 + '"') == {"a": "," * 50_000}
    assert len(parse_cookies(";".join(f"c{n}=1" for n in range(20_000)))) == 20_000
