from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec
import pydantic
import pytest

from fastweb import models
from fastweb.exceptions import FastWebError
from fastweb.openapi.fields import SchemaField
from fastweb.openapi.schemas import Schemas


class Color(Enum):
    RED = "red"


class Theirs(pydantic.BaseModel):
    a: int
    color: Color = Color.RED


class Ours(models.BaseModel):
    b: str
    color: Color = Color.RED
    theirs: Theirs | None = None


class Plain(msgspec.Struct):
    c: float


def schemas(*annotations: Any, separate: bool = True, mode: Any = "validation") -> Any:
    fields = [SchemaField("field", "field", annotation, mode=mode) for annotation in annotations]
    made = Schemas(fields, separate_input_output_schemas=separate)
    return [made.of(field) for field in fields], made.definitions


def test_models_of_both_kinds_share_their_definitions() -> None:
    documents, definitions = schemas(Theirs, Ours, list[Plain], dict[str, Theirs | Ours])
    prefix = "#/components/schemas/"
    assert documents[:2] == [{"$ref": prefix + "Theirs"}, {"$ref": prefix + "Ours"}]
    assert documents[2]["items"] == {"$ref": prefix + "Plain"}
    assert documents[3]["additionalProperties"] == {
        "anyOf": [{"$ref": prefix + "Theirs"}, {"$ref": prefix + "Ours"}]
    }
    assert sorted(definitions) == ["Color", "Ours", "Plain", "Theirs"]
    assert definitions["Ours"]["properties"]["theirs"] == {
        "anyOf": [{"$ref": prefix + "Theirs"}, {"type": "null"}],
        "default": None,
    }
    assert definitions["Theirs"]["properties"]["color"] == definitions["Ours"]["properties"]["color"]


def test_models_of_both_kinds_and_one_name() -> None:
    first = type("Thing", (pydantic.BaseModel,), {"__annotations__": {"a": int}, "__module__": "m"})
    meta: Any = type(models.BaseModel)
    second = meta("Thing", (models.BaseModel,), {"__annotations__": {"b": int}, "__module__": "shop"})
    documents, definitions = schemas(first, second)
    assert documents == [
        {"$ref": "#/components/schemas/Thing"},
        {"$ref": "#/components/schemas/Thing-Input"},
    ]
    assert list(definitions["Thing"]["properties"]) == ["a"]
    assert list(definitions["Thing-Input"]["properties"]) == ["b"]


@pytest.mark.parametrize("kind", [pydantic.BaseModel, models.BaseModel])
def test_one_schema_for_both_ways_where_that_is_asked(kind: Any) -> None:
    cls = type(kind)("M", (kind,), {"__annotations__": {"a": int}, "a": 1, "__module__": __name__})
    for separate, names in ((True, ["M-Input", "M-Output"]), (False, ["M"])):
        fields = [
            SchemaField("f", "f", cls),
            SchemaField("f", "f", list.__class_getitem__(cls), mode="serialization"),
        ]
        made = Schemas(fields, separate_input_output_schemas=separate)
        assert sorted(made.definitions) in (names, ["M"])


def test_bytes_are_described_by_their_media_type() -> None:
    for annotation in (bytes, bytes | Theirs):
        documents, _ = schemas(annotation)
        text = str(documents)
        assert "'contentMediaType': 'application/octet-stream'" in text
        assert "binary" not in text


def test_what_json_schema_has_no_word_for() -> None:
    with pytest.raises(FastWebError, match="no word"):
        schemas(type("Odd", (models.BaseModel,), {"__annotations__": {"a": Any}}), _callable())


def _callable() -> Any:
    from collections.abc import Callable

    return Callable[[], int]
