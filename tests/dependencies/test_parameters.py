"""Models as groups of parameters, several aliases, defaults that are validated: the same for our models, for
msgspec's and for pydantic's. Expected is FastAPI 0.165's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import pydantic
import pytest

from fastweb import Body, Cookie, Depends, FastWeb, Header, Path, Query
from fastweb.models import BaseModel, Field
from fastweb.testclient import TestClient

T = TypeVar("T")


class Filters(BaseModel):
    limit: int = Field(10, gt=0, le=100)
    order_by: str = "created"
    tags: list[str] = []
    renamed: int | None = Field(None, alias="other")


class PydanticFilters(pydantic.BaseModel):
    limit: int = pydantic.Field(10, gt=0, le=100)
    order_by: str = "created"
    tags: list[str] = []
    renamed: int | None = pydantic.Field(None, alias="other")


class StructFilters(msgspec.Struct):
    limit: Annotated[int, msgspec.Meta(gt=0, le=100)] = 10
    order_by: str = "created"
    tags: list[str] = []
    renamed: int | None = msgspec.field(default=None, name="other")


class Strict(Filters):
    model_config = {"extra": "forbid"}


class PydanticStrict(PydanticFilters):
    model_config = {"extra": "forbid"}


class Required(BaseModel):
    x_token: str
    trace_ids: list[int]


class PydanticRequired(pydantic.BaseModel):
    x_token: str
    trace_ids: list[int]


class Open(BaseModel):
    model_config = {"extra": "allow"}
    a: int = 0


class PydanticOpen(pydantic.BaseModel):
    model_config = {"extra": "allow"}
    a: int = 0


class Page(BaseModel, Generic[T]):
    number: T


def answer_of(endpoint: Callable[..., Any], query: str = "", **headers: str) -> Any:
    """What was answered, or (type, loc) of each error."""
    app = FastWeb()
    app.get("/", response_model=None)(endpoint)
    answer = TestClient(app).get("/" + query, headers=headers).json()
    if isinstance(answer, dict) and isinstance(answer.get("detail"), list):
        return [(error["type"], ".".join(map(str, error["loc"]))) for error in answer["detail"]]
    return answer


def seen(value: Any) -> Any:
    if value is None:
        return None
    return [value.limit, value.order_by, value.tags, value.renamed]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [10, "created", [], None]),
        ("?limit=5&order_by=x&tags=a&tags=b&other=3&more=1", [5, "x", ["a", "b"], 3]),
        ("?renamed=3", [10, "created", [], None]),
        ("?tags=a", [10, "created", ["a"], None]),
        ("?limit=0&other=x", [("greater_than", "query.limit"), ("int_parsing", "query.other")]),
    ],
)
@pytest.mark.parametrize("model", [Filters, PydanticFilters, StructFilters])
def test_query(model: Any, query: str, expected: Any) -> None:
    def endpoint(filters: Any) -> Any:
        return seen(filters)

    endpoint.__annotations__["filters"] = Annotated[model, Query()]
    assert answer_of(endpoint, query) == expected


@pytest.mark.parametrize("model", [Strict, PydanticStrict])
def test_extra_fields_are_forbidden(model: Any) -> None:
    def endpoint(filters: Any) -> Any:
        return seen(filters)

    endpoint.__annotations__["filters"] = Annotated[model, Query()]
    app = FastWeb()
    app.get("/")(endpoint)
    answer = TestClient(app).get("/?limit=3&tool=plumbus&tool=b")
    assert answer.status_code == 422
    assert answer.json() == {
        "detail": [
            {
                "type": "extra_forbidden",
                "loc": ["query", "tool"],
                "msg": "Extra inputs are not permitted",
                "input": ["plumbus", "b"],
            }
        ]
    }
    endpoint.__annotations__["filters"] = Annotated[model, Cookie()]
    assert answer_of(endpoint, cookie="limit=3; a=1") == [("extra_forbidden", "cookie.a")]
    assert answer_of(endpoint, cookie="limit=3; order_by=x") == [3, "x", [], None]


@pytest.mark.parametrize("model", [Open, PydanticOpen])
def test_extra_fields_are_kept(model: Any) -> None:
    def endpoint(given: Any) -> Any:
        return given.model_dump()

    endpoint.__annotations__["given"] = Annotated[model, Query()]
    assert answer_of(endpoint, "?a=1&b=2&c=3&c=4") == {"a": 1, "b": "2", "c": ["3", "4"]}


@pytest.mark.parametrize("model", [Required, PydanticRequired])
def test_headers(model: Any) -> None:
    def endpoint(headers: Any) -> Any:
        return [headers.x_token, headers.trace_ids]

    endpoint.__annotations__["headers"] = Annotated[model, Header()]
    sent = {"X-Token": "t", "Trace-Ids": "1"}
    assert answer_of(endpoint, **sent) == ["t", [1]]
    assert answer_of(endpoint, x_token="t", trace_ids="1") == [
        ("missing", "header.x-token"),
        ("missing", "header.trace-ids"),
    ]
    assert answer_of(endpoint, **{**sent, "Trace-Ids": "x"}) == [("int_parsing", "header.trace-ids.0")]
    endpoint.__annotations__["headers"] = Annotated[model, Header(convert_underscores=False)]
    assert answer_of(endpoint, x_token="t", trace_ids="1") == ["t", [1]]


@pytest.mark.parametrize("model", [Filters, PydanticFilters, StructFilters])
def test_a_group_may_be_absent(model: Any) -> None:
    def optional(filters: Any = None) -> Any:
        return seen(filters)

    optional.__annotations__["filters"] = Annotated[model | None, Query()]
    assert answer_of(optional) is None
    assert answer_of(optional, "?unknown=1") is None
    assert answer_of(optional, "?limit=2") == [2, "created", [], None]

    def required(filters: Any) -> Any:
        return seen(filters)

    required.__annotations__["filters"] = Annotated[model | None, Query()]
    assert answer_of(required) == [("missing", "query")]


def test_generic_models_are_groups() -> None:
    def endpoint(page: Annotated[Page[int], Query()], also: Annotated[Filters, Query()]) -> Any:
        return [page.number, also.limit]

    assert answer_of(endpoint, "?number=3&limit=4") == [3, 4]
    assert answer_of(endpoint, "?number=x") == [("int_parsing", "query.number")]


def inner(filters: Annotated[Filters, Query()], n: int) -> int:
    return n


def test_errors_are_in_the_order_of_the_parameters() -> None:
    def endpoint(
        a: int,
        token: Annotated[int, Header()],
        filters: Annotated[Filters, Query()],
        z: int,
        also: Annotated[int, Depends(inner)],
    ) -> Any: ...

    assert answer_of(endpoint, "?limit=0") == [
        ("greater_than", "query.limit"),
        ("missing", "query.n"),
        ("missing", "query.a"),
        ("greater_than", "query.limit"),
        ("missing", "query.z"),
        ("missing", "header.token"),
    ]


CHOICES = pydantic.AliasChoices("first", "second")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?second=2", 2),
        ("?second=2&first=1", 1),
        ("", [("missing", "query.first")]),
        ("?second=x", [("int_parsing", "query.second")]),
    ],
)
def test_choices_of_aliases(query: str, expected: Any) -> None:
    def endpoint(n: Annotated[int, Query(validation_alias=CHOICES)]) -> Any:
        return n

    assert answer_of(endpoint, query) == expected


def test_choices_of_aliases_in_a_body() -> None:
    app = FastWeb()

    @app.post("/")
    def endpoint(n: Annotated[int, Body(embed=True, validation_alias=CHOICES)] = 0) -> Any:
        return n

    client = TestClient(app)
    for body, expected in (({"second": 2}, 2), ({"first": 1, "second": 2}, 1), ({}, 0)):
        assert client.post("/", json=body).json() == expected
    wrong = client.post("/", json={"second": "x"}).json()["detail"]
    assert [(error["type"], error["loc"]) for error in wrong] == [("int_parsing", ["body", "second"])]


def test_the_choice_that_the_path_has() -> None:
    app = FastWeb()

    @app.get("/{second}")
    def endpoint(n: Annotated[int, Path(validation_alias=CHOICES)]) -> Any:
        return n

    assert TestClient(app).get("/5").json() == 5


def test_defaults_are_validated_where_that_is_asked_for() -> None:
    def endpoint(n: Annotated[int, Query(gt=0, validate_default=True)] = -1) -> Any:
        return n

    assert answer_of(endpoint) == [("greater_than", "query.n")]
    assert answer_of(endpoint, "?n=2") == 2

    def unchecked(n: Annotated[int, Query(gt=0)] = -1) -> Any:
        return n

    assert answer_of(unchecked) == -1


def test_what_several_descriptions_say() -> None:
    counted = Annotated[int, Field(alias="count", gt=1), pydantic.Field(lt=9, description="how many")]

    def endpoint(n: Any) -> Any:
        return n

    endpoint.__annotations__["n"] = Annotated[counted, Query()]
    assert answer_of(endpoint, "?count=2") == 2
    assert answer_of(endpoint, "?count=1") == [("greater_than", "query.count")]
    assert answer_of(endpoint, "?count=9") == [("less_than", "query.count")]
    endpoint.__annotations__["n"] = Annotated[counted, Query(alias=None)]
    assert answer_of(endpoint, "?n=2") == 2
    endpoint.__annotations__["n"] = counted
    assert answer_of(endpoint, "?count=9") == [("less_than", "query.count")]
    endpoint.__annotations__["n"] = Annotated[int, Query(gt=2), Query(lt=10)]
    assert [answer_of(endpoint, f"?n={n}") for n in (2, 5, 10)] == [
        [("greater_than", "query.n")],
        5,
        [("less_than", "query.n")],
    ]


def test_options_that_only_pydantic_has() -> None:
    def endpoint(
        either: Annotated[int | str, Query(union_mode="left_to_right")],
        several: Annotated[list[int], Query(fail_fast=True)],
    ) -> Any:
        return [either, several]

    assert answer_of(endpoint, "?either=1&several=2") == [1, [2]]
    assert answer_of(endpoint, "?either=1&several=x&several=y") == [("int_parsing", "query.several.0")]
