from __future__ import annotations

import pytest

from fastweb.convertors import CONVERTOR_TYPES, IntegerConvertor
from fastweb.exceptions import FastWebError
from fastweb.paths import compile_path, fill_path, matcher_parts


@pytest.mark.parametrize(
    ("path", "pattern", "formatted", "kinds"),
    [
        ("/", "/", "/", {}),
        ("", "", "", {}),
        ("/a.b", r"/a\.b", "/a.b", {}),
        ("/{n}", "/(?P<n>[^/]+)", "/{n}", {"n": "str"}),
        ("/{n:int}/x{p:path}", "/(?P<n>[0-9]+)/x(?P<p>.*)", "/{n}/x{p}", {"n": "int", "p": "path"}),
        ("/{not-one}", r"/\{not\-one\}", "/{not-one}", {}),
    ],
)
def test_compile_path(path: str, pattern: str, formatted: str, kinds: dict[str, str]) -> None:
    regex, path_format, convertors = compile_path(path)
    assert (regex.pattern, path_format) == (rf"^{pattern}\Z", formatted)
    assert convertors == {name: CONVERTOR_TYPES[kind] for name, kind in kinds.items()}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/{a}/{b}/{a}/{b}", ["Duplicated param names a, b"]),
        ("/{a:integer}", ["'integer'", "float, int, path, str, uuid"]),
    ],
)
def test_mistakes(path: str, words: list[str]) -> None:
    for read in (compile_path, matcher_parts):
        with pytest.raises(FastWebError) as raised:
            read(path)
        assert all(word in str(raised.value) for word in words)


def test_matcher_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    integer = CONVERTOR_TYPES["int"].convert
    assert matcher_parts("/a/{b}-{c:int}") == ["/a/", ("b", "str", None), "-", ("c", "int", integer)]
    own = IntegerConvertor()
    monkeypatch.setitem(CONVERTOR_TYPES, "int", own)
    assert matcher_parts("/{c:int}") == ["/", ("c", None, own.convert)]


def test_fill_path() -> None:
    _, path_format, convertors = compile_path("/{a:int}/{b}/{c:path}")
    assert fill_path(path_format, convertors, {"a": 5, "b": "x y", "c": "p/q"}) == "/5/x y/p/q"
    # A value is not looked at again.
    assert fill_path(path_format, convertors, {"a": 5, "b": "{c}", "c": "{a}"}) == "/5/{c}/{a}"
    for bad in ({"a": -1, "b": "x", "c": ""}, {"a": 1, "b": "x/y", "c": ""}, {"a": 1, "b": "", "c": ""}):
        with pytest.raises(ValueError):
            fill_path(path_format, convertors, bad)
