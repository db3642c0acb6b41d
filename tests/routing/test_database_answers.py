"""What a database gives, as an endpoint's answer: rows, and JSON that was made of rows."""

from typing import Any

import pytest

from fastweb import FastWeb
from fastweb._speedups.pg_record import Record
from fastweb._speedups.untyped import JSONBytes
from fastweb.encoders import jsonable_encoder
from fastweb.models import BaseModel
from fastweb.postgres import Result
from fastweb.responses import JSONResponse
from fastweb.testclient import TestClient

TEXT = b'[{"id":1, "name":null, "_sa":2}]'
DATA = [{"id": 1, "name": None, "_sa": 2}]
ROW = Record(id=1, name="Ada", tags=["a"])
ROW_DATA = {"id": 1, "name": "Ada", "tags": ["a"]}


class User(BaseModel):
    id: int
    name: str


@pytest.mark.parametrize(
    ("annotation", "value", "body"),
    [
        (None, JSONBytes(TEXT), TEXT),
        (Any, JSONBytes(TEXT), TEXT),
        (JSONBytes, JSONBytes(TEXT), TEXT),
        (JSONBytes | None, JSONBytes(TEXT), TEXT),
        (bytes, JSONBytes(TEXT), TEXT),
        (list[User], JSONBytes(TEXT), TEXT),
        (None, ROW, ROW_DATA),
        (Record, ROW, ROW_DATA),
        (Record | None, None, None),
        (list[Record], [ROW, ROW], [ROW_DATA, ROW_DATA]),
        (dict[str, Record], {"a": ROW}, {"a": ROW_DATA}),
        (User, ROW, {"id": 1, "name": "Ada"}),
        (list[User], [ROW], [{"id": 1, "name": "Ada"}]),
        (None, {"rows": JSONBytes(b"[1]"), "row": ROW}, {"rows": [1], "row": ROW_DATA}),
        (Any, {"rows": JSONBytes(b"[1]"), "row": ROW}, {"rows": [1], "row": ROW_DATA}),
        (list[Any], [JSONBytes(b"[1]"), ROW], [[1], ROW_DATA]),
        (None, Result([ROW, ROW]), [ROW_DATA, ROW_DATA]),
        (None, Result([User(id=1, name="Ada")]), [{"id": 1, "name": "Ada"}]),
        (None, Result([], "UPDATE 3"), []),
        (None, {"rows": Result([ROW])}, {"rows": [ROW_DATA]}),
        (Any, Result([ROW]), [ROW_DATA]),
        (Result, Result([ROW]), [ROW_DATA]),
        (Result[Any], Result([ROW]), [ROW_DATA]),
        (list[User], Result([ROW]), [{"id": 1, "name": "Ada"}]),
        (None, [JSONBytes(TEXT)], [DATA]),
        (bytes, b"text", "text"),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("middleware", [False, True])
def test_answers(annotation: Any, value: Any, body: Any, plain: bool, middleware: bool) -> None:
    app = FastWeb()

    def give() -> Any:
        return value

    async def give_awaited() -> Any:
        return value

    endpoint = give if plain else give_awaited
    if annotation is not None:
        endpoint.__annotations__["return"] = annotation
    else:
        del endpoint.__annotations__["return"]
    app.get("/")(endpoint)
    if middleware:

        @app.middleware("http")
        async def through(request: Any, call_next: Any) -> Any:
            return await call_next(request)

    client = TestClient(app)
    answer = client.get("/")
    assert answer.headers["content-type"] == "application/json"
    if isinstance(body, bytes):
        assert answer.content == body
    else:
        assert answer.json() == body
    document = client.get("/openapi.json").json()
    assert document["paths"]["/"]["get"]["responses"]["200"]["content"].keys() == {"application/json"}


def test_an_explicit_response_model_none_and_a_response_class() -> None:
    app = FastWeb()

    class Own(JSONResponse):
        pass

    @app.get("/own", response_class=Own)
    async def own() -> Any:
        return {"rows": JSONBytes(b"[1]")}

    @app.get("/none", response_model=None)
    async def none() -> list[Record]:
        return [ROW]

    client = TestClient(app)
    assert client.get("/own").json() == {"rows": [1]}
    assert client.get("/none").json() == [ROW_DATA]


def test_jsonable_encoder_makes_data_of_both() -> None:
    assert jsonable_encoder({"a": JSONBytes(TEXT), "b": ROW}) == {"a": DATA, "b": ROW_DATA}
    assert jsonable_encoder(Result([ROW])) == [ROW_DATA]
