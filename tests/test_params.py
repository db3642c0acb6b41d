from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

import pytest

from fastweb.exceptions import DeclarationError, FastWebDeprecationWarning
from fastweb.fields import FieldInfo
from fastweb.params import (
    Body,
    Cookie,
    Depends,
    File,
    Form,
    Header,
    Param,
    ParamTypes,
    Path,
    Query,
    Security,
)
from fastweb.types import Undefined

ALL: list[Any] = [Path, Query, Header, Cookie, Body, Form, File]
WITH_DEFAULT: list[Any] = [Query, Header, Cookie, Body, Form, File]


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (Path, ParamTypes.path),
        (Query, ParamTypes.query),
        (Header, ParamTypes.header),
        (Cookie, ParamTypes.cookie),
    ],
)
def test_where_they_come_from(kind: Any, place: ParamTypes) -> None:
    assert kind().in_ is place
    assert isinstance(kind(), Param)


@pytest.mark.parametrize("kind", ALL)
def test_required_unless_a_default_is_given(kind: Any) -> None:
    assert isinstance(kind(), FieldInfo)
    for param in (kind(), kind(...)):
        assert param.is_required()
        assert param.default is Undefined
        assert repr(param) == f"{kind.__name__}(Undefined)"


@pytest.mark.parametrize("kind", WITH_DEFAULT)
def test_defaults(kind: Any) -> None:
    for default in (None, 0, "", "x", False):
        assert kind(default).get_default() is default
        assert not kind(default).is_required()
    items: list[int] = []
    assert kind(items).get_default() == []
    assert kind(items).get_default() is not items
    assert kind(default_factory=list).get_default() == []
    assert repr(kind("x")) == f"{kind.__name__}(x)"
    with pytest.raises(TypeError, match="not both"):
        kind(1, default_factory=int)


@pytest.mark.parametrize("kind", ALL)
def test_everything_that_can_be_said(kind: Any) -> None:
    options = {
        "annotation": int,
        "alias": "a",
        "alias_priority": 1,
        "title": "t",
        "description": "d",
        "gt": 1,
        "ge": 2,
        "lt": 3,
        "le": 4,
        "min_length": 5,
        "max_length": 6,
        "pattern": "^x",
        "discriminator": "kind",
        "strict": True,
        "validate_default": True,
        "union_mode": "smart",
        "fail_fast": True,
        "multiple_of": 7,
        "allow_inf_nan": False,
        "max_digits": 8,
        "decimal_places": 9,
        "examples": ["e"],
        "openapi_examples": {"one": {"value": 1}},
        "deprecated": True,
        "include_in_schema": False,
        "json_schema_extra": {"x": 1},
    }
    param = kind(**options)
    assert {name: getattr(param, name) for name in options} == options
    assert (param.validation_alias, param.serialization_alias) == ("a", "a")
    assert param.constraints()["pattern"] == "^x"
    other = kind(alias="a", validation_alias="b", serialization_alias="c")
    assert (other.alias, other.validation_alias, other.serialization_alias) == ("a", "b", "c")


@pytest.mark.parametrize("kind", ALL)
def test_what_was_not_said(kind: Any) -> None:
    param = kind()
    assert param.constraints() == {}
    assert param.include_in_schema is True
    assert param.example is Undefined
    assert param.openapi_examples is None
    assert param.alias is None


@pytest.mark.parametrize("kind", ALL)
def test_misspelled_options_are_errors(kind: Any) -> None:
    with pytest.raises(TypeError, match=f"{kind.__name__}.. got an unexpected keyword argument 'min_lenght'"):
        kind(min_lenght=1)


@pytest.mark.parametrize("kind", ALL)
def test_old_names_work_and_warn(kind: Any) -> None:
    with pytest.warns(FastWebDeprecationWarning, match="please use `pattern` instead") as caught:
        assert kind(regex="^a").pattern == "^a"
    assert caught[0].filename == __file__
    with pytest.warns(FastWebDeprecationWarning, match="please use `examples` instead") as caught:
        assert kind(example=None).example is None
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (re.compile("^a"), "^a"),
        (re.compile("^a", re.IGNORECASE), "(?i)^a"),
        (re.compile("^a", re.MULTILINE | re.DOTALL), "(?ms)^a"),
    ],
)
def test_compiled_patterns(pattern: re.Pattern[str], expected: str) -> None:
    assert Query(pattern=pattern).pattern == expected


@pytest.mark.parametrize("default", [None, 1, ""])
def test_path_parameters_take_no_default(default: Any) -> None:
    with pytest.raises(DeclarationError, match="Path parameters cannot have a default value"):
        Path(default)


def test_path_parameters_are_required_whatever_is_said() -> None:
    assert Path(default_factory=int).is_required()


def test_header_and_body_have_their_own() -> None:
    assert Header().convert_underscores is True
    assert Header("x", convert_underscores=False).convert_underscores is False
    assert (Body().embed, Body().media_type) == (None, "application/json")
    body = Body(embed=True, media_type="application/x")
    assert (body.embed, body.media_type) == (True, "application/x")
    assert not isinstance(body, Param)
    assert (Form().embed, Form().media_type) == (None, "application/x-www-form-urlencoded")
    assert (File().embed, File().media_type) == (None, "multipart/form-data")
    assert isinstance(File(), Form)
    assert isinstance(Form(), Body)


@pytest.mark.parametrize("kind", ALL)
def test_copies_are_independent(kind: Any) -> None:
    param = kind(gt=1, alias="a")
    other = copy.copy(param)
    other.default = 5
    assert type(other) is kind
    assert (other.gt, other.alias, param.default) == (1, "a", Undefined)


def one() -> int:
    return 1


def test_depends() -> None:
    assert (Depends().dependency, Depends().use_cache, Depends().scope) == (None, True, None)
    assert Depends(one) == Depends(one)
    assert hash(Depends(one)) == hash(Depends(one))
    assert Depends(one) != Depends(one, use_cache=False)
    assert Depends(one) != Depends(one, scope="function")
    assert repr(Depends()) == "Depends(dependency=None, use_cache=True, scope=None, max_concurrency=None)"
    with pytest.raises(AttributeError):
        Depends(one).use_cache = False


def test_security() -> None:
    assert isinstance(Security(one), Depends)
    assert (Security(one).scopes, Security(one, scopes=["a"]).scopes) == (None, ["a"])
    assert Security(one, scopes=["a"]) == Security(one, scopes=["a"]) != Security(one, scopes=["b"])
    assert hash(Security(one, scopes=["a"])) == hash(Security(one, scopes=["a"]))


def test_bounded_depends() -> None:
    assert Depends(one)._concurrency is None
    bounded = Depends(one, max_concurrency=2)
    assert dataclasses.replace(bounded, use_cache=False)._concurrency is bounded._concurrency
    assert dataclasses.replace(bounded, max_concurrency=3)._concurrency is not bounded._concurrency
    assert Depends(one, max_concurrency=2) != bounded, "each mark counts for itself"
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="max_concurrency must be a positive integer or None"):
            Depends(one, max_concurrency=wrong)  # type: ignore[arg-type]


def test_depends_refuses_what_cannot_work() -> None:
    with pytest.raises(TypeError, match="takes a function or another callable, not 5"):
        Depends(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='"function", "request" or None, not \'app\''):
        Depends(one, scope="app")  # type: ignore[arg-type]


def endpoint(
    path: int = Path(),
    query: int = Query(3, ge=1),
    header: str = Header(convert_underscores=False),
    cookie: str | None = Cookie(None),
    body: dict[str, int] = Body(embed=True),
    value: int = Depends(one),
) -> None:
    """To a type checker they are of any type: this function is checked with the rest of the tests."""


def test_they_stand_as_defaults_of_any_type() -> None:
    defaults: Any = endpoint.__defaults__
    assert [type(default).__name__ for default in defaults] == [
        "Path",
        "Query",
        "Header",
        "Cookie",
        "Body",
        "Depends",
    ]
