"""The matcher against the rule it keeps: routes are tried in order, each by its regex."""

from __future__ import annotations

import string
import threading
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweb._speedups.router import FULL, NONE, PARTIAL, Matcher
from fastweb.convertors import CONVERTOR_TYPES, Convertor
from fastweb.paths import compile_path, matcher_parts

Route = tuple[str, frozenset[str]]


class EvenConvertor(Convertor[int]):
    """Its regex has a group of its own, and what it matches need not be even."""

    regex = "([0-9]|x)+"

    def convert(self, value: str) -> int:
        if int(value) % 2:
            raise ValueError("odd")
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


@pytest.fixture(autouse=True)
def _even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONVERTOR_TYPES, "even", EvenConvertor())


def matcher_of(routes: list[Route]) -> Matcher:
    matcher = Matcher()
    for number, (path, methods) in enumerate(routes):
        matcher.add(matcher_parts(path), methods, number, compile_path(path)[0])
    matcher.freeze()
    return matcher


def naive(routes: list[Route], method: str, path: str) -> tuple[int, Any, Any]:
    """What FastAPI does."""
    partial: tuple[int, Any, Any] = (NONE, None, None)
    for number, (template, methods) in enumerate(routes):
        regex, _, convertors = compile_path(template)
        found = regex.fullmatch(path)
        if found is None:
            continue
        try:
            values = {name: convertor.convert(found[name]) for name, convertor in convertors.items()}
        except ValueError:
            continue
        if method in methods:
            return FULL, number, values or None
        if partial[0] == NONE:
            partial = PARTIAL, number, values or None
    return partial


def gets(*paths: str) -> list[Route]:
    return [(path, frozenset({"GET"})) for path in paths]


UUID = "00000000-0000-0000-0000-00000000000a"


@pytest.mark.parametrize(
    ("templates", "path", "number", "params"),
    [
        (["/"], "/", 0, None),
        (["/"], "", None, None),
        (["/a"], "/a/", None, None),
        (["/a/"], "/a", None, None),
        (["/a"], "/A", None, None),
        (["/a"], "/a\n", None, None),
        (["/a", "/a"], "/a", 0, None),
        (["/me", "/{x}"], "/me", 0, None),
        (["/{x}", "/me"], "/me", 0, {"x": "me"}),
        (["/{x:int}", "/{x}"], "/5", 0, {"x": 5}),
        (["/{x:int}", "/{x}"], "/five", 1, {"x": "five"}),
        (["/{x}", "/{x:int}"], "/5", 0, {"x": "5"}),
        (["/{x:int}"], "/-5", None, None),
        (["/{x:int}"], "/٣", None, None),
        (["/{x:int}"], "/" + "9" * 4300, 0, {"x": int("9" * 4300)}),
        (["/{x:int}"], "/" + "9" * 4301, None, None),
        (["/{x:int}-{y}"], f"/{'9' * 4301}-a", None, None),
        (["/{x:float}"], "/1.50", 0, {"x": 1.5}),
        (["/{x:float}"], "/1.", None, None),
        (["/{x:float}"], "/.5", None, None),
        (["/{x:float}"], "/1.5.5", None, None),
        (["/{x:float}-{y}"], "/1.5-a", 0, {"x": 1.5, "y": "a"}),
        (["/{x:uuid}"], f"/{UUID}", 0, {"x": uuid.UUID(UUID)}),
        (["/{x:uuid}"], f"/{UUID.replace('-', '')}", 0, {"x": uuid.UUID(UUID)}),
        (["/{x:uuid}"], f"/{UUID.upper()}", 0, {"x": uuid.UUID(UUID)}),
        (["/{x:uuid}"], f"/-{UUID}", None, None),
        (["/{x:uuid}"], f"/{UUID}-", None, None),
        (["/{x:uuid}"], f"/{UUID}0", None, None),
        (["/{x:uuid}"], f"/{UUID.replace('-', '--', 1)}", None, None),
        (["/{x:path}"], "/", 0, {"x": ""}),
        (["/{x:path}"], "/a//b/", 0, {"x": "a//b/"}),
        (["/{x:path}"], "/a\nb", None, None),
        (["/{x}"], "/a\nb", 0, {"x": "a\nb"}),
        (["/{x}"], "/", None, None),
        (["/{x}"], "/a/b", None, None),
        (["/{x}"], "/é☃\0", 0, {"x": "é☃\0"}),
        (["/é/{x}"], "/é/1", 0, {"x": "1"}),
        (["/é/{x}", "/e/{x}"], "/e/1", 1, {"x": "1"}),
        ([f"/{letter}/{{x}}" for letter in "abcdefgh"], "/h/1", 7, {"x": "1"}),
        ([f"/{letter}/{{x}}" for letter in "abcdefghi"], "/i/1", 8, {"x": "1"}),
        ([f"/{letter}/{{x}}" for letter in "abcdefgh"], "/hh/1", None, None),
        (["/" + "a" * 61], "/" + "a" * 61, 0, None),
        (["/" + "a" * 62], "/" + "a" * 62, 0, None),
        (["/" + "a" * 80], "/" + "a" * 80, 0, None),
        (["/" + "a" * 80, "/{x}"], "/" + "b" * 80, 1, {"x": "b" * 80}),
        *[(["/" + "a" * size, "/{x}"], "/" + "a" * size, 0, None) for size in range(66)],
        (["/f/{x:path}"], "/f", None, None),
        (["/f/{x:path}", "/f/{y}/z"], "/f/a/z", 0, {"x": "a/z"}),
        (["/f/{y}/z", "/f/{x:path}"], "/f/a/z", 0, {"y": "a"}),
        (["/{a}-{b}"], "/1-2-3", 0, {"a": "1-2", "b": "3"}),
        (["/{x:path}/end"], "/a/end/end", 0, {"x": "a/end"}),
        (["/{x:path}/end"], "/end", None, None),
        (["/pre-{x}"], "/pre-", None, None),
        (["/pre-{x}", "/{y}"], "/pre-1", 0, {"x": "1"}),
        (["/{y}", "/pre-{x}"], "/pre-1", 0, {"y": "pre-1"}),
        (["/{a}/{b}", "/x/{c}"], "/x/1", 0, {"a": "x", "b": "1"}),
        (["/x/{c}/d", "/{a}/{b}/e"], "/x/1/e", 1, {"a": "x", "b": "1"}),
        (["/{a:even}", "/{b}"], "/12", 0, {"a": 12}),
        (["/{a:even}", "/{b}"], "/11", 1, {"b": "11"}),
        (["/{a:even}", "/{b}"], "/x", 1, {"b": "x"}),
        (["/a.b"], "/aXb", None, None),
        (["/{not a parameter}"], "/{not a parameter}", 0, None),
        (["*"], "*", 0, None),
    ],
)
def test_precedence(templates: list[str], path: str, number: int | None, params: Any) -> None:
    found = matcher_of(gets(*templates)).match("GET", path)
    assert found == ((NONE, None, None) if number is None else (FULL, number, params))
    if found[2]:
        assert [type(value) for value in found[2].values()] == [type(value) for value in params.values()]
    assert found == naive(gets(*templates), "GET", path)


@pytest.mark.parametrize(
    ("routes", "method", "path", "expected"),
    [
        ([("/a", "GET")], "POST", "/a", (PARTIAL, 0, None)),
        ([("/a", "GET"), ("/a", "POST")], "POST", "/a", (FULL, 1, None)),
        ([("/a", "GET"), ("/a", "POST")], "PUT", "/a", (PARTIAL, 0, None)),
        ([("/a", "GET"), ("/{x}", "POST")], "POST", "/a", (FULL, 1, {"x": "a"})),
        ([("/{x}", "POST"), ("/a", "GET")], "PUT", "/a", (PARTIAL, 0, {"x": "a"})),
        ([("/{x}-{y}", "POST"), ("/{z}", "GET")], "GET", "/a-b", (FULL, 1, {"z": "a-b"})),
        ([("/{x}-{y}", "POST"), ("/{z}", "GET")], "PUT", "/a-b", (PARTIAL, 0, {"x": "a", "y": "b"})),
        ([("/a", "GET")], "get", "/a", (PARTIAL, 0, None)),
        ([("/a", "GET PUT")], "PUT", "/a", (FULL, 0, None)),
    ],
)
def test_methods(routes: list[tuple[str, str]], method: str, path: str, expected: Any) -> None:
    asked = [(template, frozenset(methods.split())) for template, methods in routes]
    assert matcher_of(asked).match(method, path) == expected == naive(asked, method, path)


def test_every_method() -> None:
    matcher = Matcher()
    matcher.add(["/a"], frozenset({"GET"}), "get", None)
    matcher.add(["/a"], None, "any", None)
    matcher.freeze()
    assert matcher.match("GET", "/a") == (FULL, "get", None)
    assert matcher.match("FOO", "/a") == (FULL, "any", None)


def test_another_error_of_a_convertor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(EvenConvertor):
        def convert(self, value: str) -> int:
            raise ZeroDivisionError

    monkeypatch.setitem(CONVERTOR_TYPES, "broken", Broken())
    with pytest.raises(ZeroDivisionError):
        matcher_of(gets("/{x:broken}")).match("GET", "/1")


def test_a_built_in_convertor_that_was_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONVERTOR_TYPES, "int", EvenConvertor())
    assert matcher_of(gets("/{x:int}")).match("GET", "/3") == (NONE, None, None)


def test_a_thousand_routes() -> None:
    some = range(400)
    routes = gets(*[f"/r{n}" for n in some], *[f"/r{n}/{{x}}/y" for n in some], *["/{a}/{b}/{c}"] * 200)
    matcher = matcher_of(routes)
    for n in range(400):
        assert matcher.match("GET", f"/r{n}") == (FULL, n, None)
        assert matcher.match("GET", f"/r{n}/5/y") == (FULL, 400 + n, {"x": "5"})
        assert matcher.match("GET", f"/r{n}/5/z") == (FULL, 800, {"a": f"r{n}", "b": "5", "c": "z"})


def test_a_long_path() -> None:
    """It would not end if the work grew with more than the length of the path."""
    deep = "/{a:int}" + "/1" * 300
    routes = gets("/{a:int}/{b}/{c:float}", "/{a}/{b:int}/{c}", "/{a}/x/{c:path}", deep)
    matcher = matcher_of(routes)
    for path in ("/1" * 100_000, "/" * 200_000, "/" + "1" * 200_000, "/a/x" + "/1" * 100_000):
        assert matcher.match("GET", path) == naive(routes, "GET", path)


def test_threads_do_not_disturb_each_other() -> None:
    """TestClient, and an app in several loops, match in several threads."""
    matcher = matcher_of(gets("/{a}/x/{b:int}", "/{a}/{c}/{b}", "/{a}-{d}"))
    wrong: list[Any] = []

    def run(name: str) -> None:
        for n in range(2000):
            if matcher.match("GET", f"/{name}/x/{n}") != (FULL, 0, {"a": name, "b": n}):
                wrong.append(n)
            if matcher.match("GET", f"/{name}/y/z") != (FULL, 1, {"a": name, "c": "y", "b": "z"}):
                wrong.append(n)

    threads = [threading.Thread(target=run, args=(name,)) for name in "stuv"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


SEGMENT = st.one_of(
    st.sampled_from(["a", "b", "x", "", "{%}"]),
    st.sampled_from(["str", "int", "float", "uuid", "path", "even"]).map(lambda kind: f"{{%:{kind}}}"),
    st.sampled_from(["{%}-{%}", "p{%}", "{%:int}a", "{%:path}.{%}", "{%:float}{%}"]),
)


@st.composite
def templates(draw: st.DrawFn) -> Route:
    path = "/" + "/".join(draw(st.lists(SEGMENT, max_size=4)))
    while "%" in path:
        path = path.replace("%", f"n{path.count('%')}", 1)
    return path, frozenset(draw(st.sets(st.sampled_from(["GET", "POST", "PUT"]), min_size=1)))


TEXT = st.one_of(
    st.sampled_from(["a", "b", "x", "", "1", "12", "1.5", "1-2", "p1", "1a", UUID, "a.b", "é", "\n", "a\n"]),
    st.text(string.printable + "é٣", max_size=4),
)


@settings(max_examples=400)
@given(
    st.lists(templates(), max_size=6),
    st.lists(TEXT, max_size=5).map("/".join),
    st.booleans(),
    st.sampled_from(["GET", "POST"]),
)
def test_agrees_with_the_rule(routes: list[Route], rest: str, slash: bool, method: str) -> None:
    path = "/" + rest if slash else rest
    CONVERTOR_TYPES["even"] = EvenConvertor()
    assert matcher_of(routes).match(method, path) == naive(routes, method, path)
