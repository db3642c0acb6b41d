"""What a signature asks for, and what is wrong with those that ask for too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args

import pytest

from fastweb import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastWeb,
    Header,
    Path,
    Query,
    Request,
    Response,
)
from fastweb.dependencies.dependant import dependant_of
from fastweb.exceptions import DeclarationError, DependencyScopeError, FastWebError
from fastweb.models import BaseModel, Field
from fastweb.requests import HTTPConnection


class Model(BaseModel):
    a: int


@dataclass
class Point:
    x: int


class Opaque:
    pass


def service() -> int:
    return 1


def everything(  # type: ignore[no-untyped-def]
    in_path: int,
    scalar: int,
    optional: str | None = None,
    either: int | str = 0,
    anything: Any = None,
    untyped=None,
    model: Model = Body(),
    point: Point = Body(),
    mapping: dict[str, int] | None = None,
    several: list[int] | None = None,
    listed: Annotated[list[int] | None, Query()] = None,
    x_header: Annotated[str, Header()] = "",
    x_kept: Annotated[str, Header(convert_underscores=False)] = "",
    cookie: str = Cookie(""),
    renamed: str = Query("", alias="other-name"),
    bounded: Annotated[int, Field(gt=1)] = 2,
    request: Request = None,  # type: ignore[assignment]
    connection: HTTPConnection = None,  # type: ignore[assignment]
    maybe_request: Request | None = None,
    response: Response = None,  # type: ignore[assignment]
    tasks: BackgroundTasks = None,  # type: ignore[assignment]
    given: int = Depends(service),
    annotated: Annotated[int, Depends(service)] = 0,
    by_class: Annotated[Opaque, Depends()] = None,  # type: ignore[assignment]
) -> None: ...


def test_where_values_come_from() -> None:
    found = dependant_of(everything, frozenset({"in_path"}))
    sources = {
        "path": found.path,
        "query": found.query,
        "header": found.header,
        "cookie": found.cookie,
        "body": found.body,
    }
    assert {name: [(item.name, item.alias) for item in items] for name, items in sources.items()} == {
        "path": [("in_path", "in_path")],
        "query": [
            ("scalar", "scalar"),
            ("optional", "optional"),
            ("either", "either"),
            ("anything", "anything"),
            ("untyped", "untyped"),
            ("listed", "listed"),
            ("renamed", "other-name"),
            ("bounded", "bounded"),
        ],
        "header": [("x_header", "x-header"), ("x_kept", "x_kept")],
        "cookie": [("cookie", "cookie")],
        "body": [
            ("model", "model"),
            ("point", "point"),
            ("mapping", "mapping"),
            ("several", "several"),
        ],
    }
    assert [item.name for item in found.query if item.many] == ["listed"]
    assert found.special == {
        "request": "request",
        "connection": "connection",
        "maybe_request": "request",
        "response": "response",
        "tasks": "background",
    }
    assert [(item.name, item.call) for item in found.dependencies] == [
        ("given", service),
        ("annotated", service),
        ("by_class", Opaque),
    ]


def test_a_default_in_the_path_does_not_matter() -> None:
    """The same function may serve a path with the parameter and one without it."""

    def endpoint(n: int = 5) -> None: ...

    assert dependant_of(endpoint, frozenset({"n"})).path[0].default() is None
    assert dependant_of(endpoint, frozenset()).query[0].default() is not None


Marked = Annotated[int, Query()]


def marked(a: Marked = 1, b: Marked = 2) -> None: ...


def test_marks_are_not_changed() -> None:
    assert [item.info.get_default() for item in dependant_of(marked, frozenset()).query] == [1, 2]
    assert get_args(Marked)[1].is_required()


def bare(request, n: int = 0):  # type: ignore[no-untyped-def]
    ...


def test_bare_request() -> None:
    assert dependant_of(bare, frozenset(), bare={"request": "request"}).special == {"request": "request"}
    assert [item.name for item in dependant_of(bare, frozenset()).query] == ["request", "n"]


def cycle(a: Annotated[int, Depends(lambda: 1)]) -> None: ...


def first(a: Any = None) -> None: ...


def second(a: Any = Depends(first)) -> None: ...


first.__defaults__ = (Depends(second),)


def twice_marked(a: Annotated[int, Query()] = Query(1)) -> None: ...


def default_inside(a: Annotated[int, Query(1)]) -> None: ...


def query_in_path(n: int = Query()) -> None: ...


def default_in_path(n: Annotated[int, Path()] = 1) -> None: ...


def opaque(a: Opaque) -> None: ...


def no_target(a: int | str = Depends()) -> None: ...


def marked_request(a: Annotated[Request, Query()]) -> None: ...


def list_in_path(n: list[int]) -> None: ...


def mapping_in_header(a: dict[str, str] = Header()) -> None: ...


def models_in_query(a: list[Model] = Query()) -> None: ...


def plain_field(a: int = Field(1)) -> None: ...


def early() -> Iterator[int]:
    yield 1


def late(a: int = Depends(early, scope="function")) -> Iterator[int]:
    yield a


def needs_late(a: int = Depends(late)) -> None: ...


def unresolved(a: NotThere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("path", "endpoint", "words"),
    [
        ("/", first, ["first()", "second()", "depends on itself"]),
        ("/", twice_marked, ["'a' of twice_marked()", "keep one"]),
        ("/", default_inside, ["'a'", "default_inside()", "with `=`"]),
        ("/{n}", query_in_path, ["'n' of query_in_path()", "`Query`", "remove the mark"]),
        ("/{n}", default_in_path, ["'n' of default_in_path()", "remove 1"]),
        ("/", opaque, ["'a' of opaque()", "Opaque"]),
        ("/", no_target, ["'a' of no_target()", "Depends()"]),
        ("/", marked_request, ["'a' of marked_request()", "remove Query"]),
        ("/{n}", list_in_path, ["'n' of list_in_path()", "Path params"]),
        ("/", mapping_in_header, ["'a'", "mapping_in_header()", "Header"]),
        ("/", models_in_query, ["'a'", "models_in_query()", "Query"]),
        ("/", plain_field, ["'a' of plain_field()", "FieldInfo", "Query"]),
        ("/", needs_late, ["late()", "early()", 'scope="function"']),
        ("/", unresolved, ["'NotThere'", "'a'", "unresolved()"]),
        ("/", 5, ["5", "cannot be called"]),
        ("/{n}/{n}", service, ["/{n}/{n}", "name n"]),
        ("/{n:integer}", service, ["'integer'", "float, int, path"]),
    ],
)
def test_mistakes(path: str, endpoint: Any, words: list[str]) -> None:
    for declare in (FastWeb().get, APIRouter().get):
        with pytest.raises(FastWebError) as raised:
            declare(path)(endpoint)
        assert all(word in str(raised.value) for word in words), raised.value


def test_scopes() -> None:
    with pytest.raises(DependencyScopeError):
        dependant_of(late, frozenset())
    assert dependant_of(late, frozenset(), scope="function").dependencies[0].scope == "function"


def test_path_has_no_default() -> None:
    with pytest.raises(DeclarationError, match="default"):
        Path(1)
