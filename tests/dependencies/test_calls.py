from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from fastweb.dependencies.calls import Kind, describe, kind_of, parameters_of, return_annotation_of, yields
from fastweb.exceptions import FastWebError
from fastweb.params import Depends

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


def plain(n: int) -> int:
    return n


async def coroutine(n: int) -> int:
    return n


def generator(n: int) -> Iterator[int]:
    yield n


async def async_generator(n: int) -> AsyncIterator[int]:
    yield n


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Methods:
    def plain(self, n: int) -> int:
        return n

    async def coroutine(self, n: int) -> int:
        return n

    @classmethod
    async def of_class(cls, n: int) -> int:
        return n

    @staticmethod
    def static(n: int) -> Iterator[int]:
        yield n


class Callable_:
    def __call__(self, n: int) -> int:
        return n


class AsyncCallable:
    async def __call__(self, n: int) -> int:
        return n


class GeneratorCallable:
    def __call__(self, n: int) -> Iterator[int]:
        yield n


class AsyncGeneratorCallable:
    @wrapped
    async def __call__(self, n: int) -> AsyncIterator[int]:
        yield n


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (plain, Kind.PLAIN),
        (coroutine, Kind.COROUTINE),
        (generator, Kind.GENERATOR),
        (async_generator, Kind.ASYNC_GENERATOR),
        (wrapped(plain), Kind.PLAIN),
        (wrapped(coroutine), Kind.COROUTINE),
        (wrapped(generator), Kind.GENERATOR),
        (wrapped(async_generator), Kind.ASYNC_GENERATOR),
        (functools.partial(plain, 1), Kind.PLAIN),
        (functools.partial(coroutine, 1), Kind.COROUTINE),
        (functools.partial(functools.partial(generator), 1), Kind.GENERATOR),
        (functools.partial(wrapped(async_generator)), Kind.ASYNC_GENERATOR),
        (wrapped(functools.partial(coroutine)), Kind.COROUTINE),
        (Methods().plain, Kind.PLAIN),
        (Methods().coroutine, Kind.COROUTINE),
        (Methods.of_class, Kind.COROUTINE),
        (Methods.static, Kind.GENERATOR),
        (Callable_(), Kind.PLAIN),
        (AsyncCallable(), Kind.COROUTINE),
        (GeneratorCallable(), Kind.GENERATOR),
        (AsyncGeneratorCallable(), Kind.ASYNC_GENERATOR),
        # Calling a class makes an instance, whatever calling that would do.
        (AsyncCallable, Kind.PLAIN),
        (GeneratorCallable, Kind.PLAIN),
        (functools.partial(AsyncCallable), Kind.PLAIN),
        (lambda: 1, Kind.PLAIN),
        (int, Kind.PLAIN),
        (len, Kind.PLAIN),
    ],
)
def test_kind_of(call: Any, kind: Kind) -> None:
    assert kind_of(call) is kind


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain, False),
        (generator, True),
        (async_generator, True),
        (functools.partial(generator, 1), True),
        (GeneratorCallable(), True),
        (GeneratorCallable, False),
        # What a wrapper makes of the generator is its own affair.
        (wrapped(generator), False),
    ],
)
def test_yields(call: Any, expected: bool) -> None:
    assert yields(call) is expected


@pytest.mark.parametrize(
    ("call", "start"),
    [
        (plain, "plain() ("),
        (wrapped(plain), "plain() ("),
        (functools.partial(plain, 1), "plain() ("),
        (Methods().coroutine, "Methods.coroutine() ("),
        (Callable_, "Callable_()"),
        (Callable_(), "Callable_()"),
        (len, "len()"),
    ],
)
def test_describe(call: Any, start: str) -> None:
    assert describe(call).startswith(start)
    if start.endswith("("):
        assert __file__ in describe(call)


def strings(a: int, b: list[str], *, c: Missing = Depends(plain)) -> str: ...  # type: ignore[empty-body]


def test_annotations_that_are_strings() -> None:
    found = {parameter.name: parameter.annotation for parameter in parameters_of(strings)}
    # What `c` is, is its dependency's business.
    assert found == {"a": int, "b": list[str], "c": Any}
    assert return_annotation_of(strings) is str
    assert return_annotation_of(lambda: 1) is None
    assert [item.name for item in parameters_of(functools.partial(plain, n=3))] == ["n"]


def unknown_name(a: Missing) -> Missing: ...


def positional(a: int, /) -> None: ...


def variadic(*args: int) -> None: ...


def keywords(**kwargs: int) -> None: ...


@pytest.mark.parametrize(
    ("read", "call", "words"),
    [
        (parameters_of, unknown_name, ["'Missing'", "'a'", "unknown_name()", __file__]),
        (return_annotation_of, unknown_name, ["'Missing'", "'return'", "unknown_name()"]),
        (parameters_of, positional, ["a: ", "positional()", "no /"]),
        (parameters_of, variadic, ["*args: ", "variadic()"]),
        (parameters_of, keywords, ["**kwargs: ", "keywords()"]),
        (parameters_of, dict.fromkeys, ["fromkeys()"]),
    ],
)
def test_errors(read: Any, call: Any, words: list[str]) -> None:
    with pytest.raises(FastWebError) as raised:
        read(call)
    assert all(word in str(raised.value) for word in words), raised.value


ELSEWHERE = """
from __future__ import annotations

class Number(int): pass

class Base:
    def __init__(self, n: Number) -> None: pass
    def __call__(self, n: Number) -> None: pass
"""


def test_an_inherited_method_has_the_names_of_its_own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere: Any = ModuleType("elsewhere")
    monkeypatch.setitem(sys.modules, "elsewhere", elsewhere)
    exec(ELSEWHERE, vars(elsewhere))
    here = type("Here", (elsewhere.Base,), {"__module__": __name__})
    for call in (here, here(1), here(1).__call__):
        assert [parameter.annotation for parameter in parameters_of(call)] == [elsewhere.Number]


def test_no_signature() -> None:
    class Strange:
        @property
        def __signature__(self) -> Any:
            return inspect.Signature.empty

        def __call__(self) -> None: ...

    with pytest.raises(FastWebError, match="signature"):
        parameters_of(Strange())
