# mypy: disable-error-code="valid-type"
"""Reading annotations: where names are looked up, what type variables stand for, what surrounds a type."""

from __future__ import annotations

import typing
from typing import Annotated, Any, ClassVar, Generic, NotRequired, Required, TypeVar

import pytest
from typing_extensions import ReadOnly, TypedDict

from fastweb.exceptions import FastWebError
from fastweb.validation.annotations import (
    class_hints,
    evaluate,
    is_named_tuple,
    is_typed_dict,
    is_union,
    strip_qualifiers,
    substitute,
    typevars_of,
)

T = TypeVar("T")
U = TypeVar("U")


class Base(Generic[T]):
    a: T
    where: ClassVar[str] = "here"


class Middle(Base[list[U]], Generic[U]):
    b: U | None


class Leaf(Middle[int]):
    me: Leaf
    int_: int


class Shape(TypedDict):
    a: Required[int]
    b: NotRequired[ReadOnly[str]]


def test_hints_of_bases_come_first() -> None:
    assert list(class_hints(Leaf)) == ["a", "where", "b", "me", "int_"]
    assert class_hints(Leaf)["me"] is Leaf


def test_a_local_class_knows_its_own_name_and_what_it_is_given() -> None:
    class Local:
        me: Local
        other: Elsewhere  # type: ignore[name-defined]  # noqa: F821

    assert class_hints(Local, {"Elsewhere": int}) == {"me": Local, "other": int}
    with pytest.raises(FastWebError, match=r"Local\.other: .*'Elsewhere', which is not defined"):
        class_hints(Local)


def test_a_field_may_have_the_name_of_its_type() -> None:
    class Event:
        int: int = 3

    assert class_hints(Event) == {"int": int}


def test_type_variables_of_bases() -> None:
    assert typevars_of(Leaf) == {U: int, T: list[int]}
    assert typevars_of(Middle[str]) == {U: str, T: list[str]}
    assert typevars_of(int) == {}


@pytest.mark.parametrize(
    ("annotation", "made"),
    [
        (T, int),
        (list[T], list[int]),
        (Annotated[T, "x"], Annotated[int, "x"]),
        (T | None, int | None),
        (dict[str, Base[T]], dict[str, Base[int]]),
        (Base, Base),
        (str, str),
        (U, U),
    ],
)
def test_substitution(annotation: Any, made: Any) -> None:
    assert substitute(annotation, {T: int}) == made


@pytest.mark.parametrize(
    ("annotation", "inner", "names"),
    [
        (Required[int], int, {"Required"}),
        (NotRequired[ReadOnly[str]], str, {"NotRequired", "ReadOnly"}),
        (typing.Final[int], int, {"Final"}),
        (typing.Final, Any, {"Final"}),
        (Annotated[Required[int], "x"], Annotated[int, "x"], {"Required"}),
        (int, int, set()),
        (list[int], list[int], set()),
    ],
)
def test_qualifiers(annotation: Any, inner: Any, names: set[str]) -> None:
    assert strip_qualifiers(annotation) == (inner, names)


def test_names_are_looked_up_with_their_owner() -> None:
    assert evaluate("list[Leaf]", test_names_are_looked_up_with_their_owner) == list[Leaf]
    assert evaluate(dict[str, "Leaf"], Leaf) == dict[str, Leaf]
    assert evaluate("X", None, {"X": int}) is int
    assert evaluate(int) is int
    assert evaluate(typing.Literal["Leaf"]) == typing.Literal["Leaf"]


def test_kinds_of_classes() -> None:
    class Point(typing.NamedTuple):
        a: int

    assert is_typed_dict(Shape)
    assert not is_typed_dict(dict)
    assert is_named_tuple(Point)
    assert not is_named_tuple(tuple)
    assert is_union(typing.get_origin(int | str))
    assert is_union(typing.get_origin(int | None))
    assert not is_union(typing.get_origin(list[int]))
