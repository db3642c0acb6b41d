"""pydantic's own types go to pydantic, whole, and come back as FastAPI shows them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest
from pydantic import AfterValidator, SecretStr, TypeAdapter
from pydantic import Field as PydanticField

from fastweb.exceptions import FastWebError
from fastweb.fields import Field
from fastweb.models import BaseModel
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.annotations import reaches_pydantic
from fastweb.validation.pydantic_backend import adapter_of, translate
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import validator_of
from tests.validation.families import Anything
from tests.validation.oracle import agree, expected, found, needs_oracle, validate

pytestmark = needs_oracle


class User(pydantic.BaseModel):
    name: str
    age: int = 1


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    name: str


@dataclasses.dataclass
class HoldsUser:
    user: User


@pydantic.dataclasses.dataclass
class PydanticData:
    a: int


class Struct(msgspec.Struct):
    user: User
    more: list[User] = []
    either: User | int = 1


class Model(BaseModel):
    user: User | None = None
    secret: SecretStr | None = None


class Plain(msgspec.Struct):
    a: int


def doubled(value: int) -> int:
    return value * 2


INPUTS: list[Any] = [
    *(
        {"name": "a", "age": "2"},
        {"name": 1, "x": 2},
        {},
        Anything(name="a"),
        User(name="x"),
        1,
        None,
        "x",
        [{"name": 1}],
    ),
    *(
        [{"name": "a"}],
        {"k": {"name": 1}},
        {"a": "1"},
        {"a": "x"},
        {"user": {"name": 1}},
        {"user": {"name": "a"}},
        "5",
        5,
    ),
]


@pytest.mark.parametrize(
    "annotation",
    [
        *(
            User,
            list[User],
            dict[str, User],
            User | None,
            User | Strict,
            User | int,
            HoldsUser,
            PydanticData,
        ),
        *(
            SecretStr,
            pydantic.constr(strip_whitespace=True),
            Annotated[int, AfterValidator(doubled)],
            Annotated[int, PydanticField(gt=3)],
        ),
        *(list[Annotated[int, PydanticField(gt=3)]], tuple[User, int], pydantic.HttpUrl, list[HoldsUser]),
    ],
)
def test_the_whole_annotation_is_pydantics(annotation: Any) -> None:
    assert isinstance(schema_of(annotation), nodes.PydanticSchema)
    agree(annotation, *INPUTS)


def test_our_fields_are_said_in_pydantics_words() -> None:
    annotation = (
        dict[str, Annotated[int | User, Field(description="x")]] | list[Annotated[int, Field(gt=3)]] | User
    )
    adapter: TypeAdapter[Any] = TypeAdapter(
        dict[str, Annotated[int | User, PydanticField(description="x")]]
        | list[Annotated[int, PydanticField(gt=3)]]
        | User
    )
    validator = validator_of(annotation, from_attributes=True)
    for value in ([1], [4], *INPUTS):
        assert found(validator, value) == expected(adapter, value)
    assert translate(list[User]) == list[User]
    errors: list[dict[str, Any]] = []
    validator_of(list[User], Field(max_length=1)).validate([{"name": "a"}] * 2, ("body",), errors)
    assert [(error["type"], error["loc"]) for error in errors] == [("too_long", ("body",))]


def test_a_discriminator_in_our_field() -> None:
    class Cat(pydantic.BaseModel):
        t: Literal["cat"]

    class Dog(pydantic.BaseModel):
        t: Literal["dog"]

    validator = validator_of(Annotated[Cat | Dog, Field(discriminator="t")])
    assert validator.validate({"t": "dog"}, (), []) == Dog(t="dog")
    assert validate(Annotated[Cat | Dog, Field(discriminator="t")], {"t": "x"}) == [("union_tag_invalid", ())]


def test_a_struct_may_hold_a_model_of_pydantic() -> None:
    made = validate(Struct, {"user": {"name": "a"}, "more": [{"name": "b"}], "either": {"name": "c"}})
    assert made == Struct(User(name="a"), [User(name="b")], User(name="c"))
    bad = {"user": {"name": 1}, "more": [{"name": "b"}, {}], "either": "x"}
    assert validate(Struct, bad, from_attributes=True) == [
        ("string_type", ("user", "name")),
        ("missing", ("more", 1, "name")),
        ("model_attributes_type", ("either", "User")),
        ("int_parsing", ("either", "int")),
    ]
    assert validate(Model, {"secret": "s"}).secret.get_secret_value() == "s"
    assert validate(Model, {"user": {}}) == [("missing", ("user", "name"))]


def test_a_union_may_mix_both() -> None:
    assert validate(Plain | User, {"a": 1}) == Plain(1)
    assert validate(Plain | User, {"name": "x"}) == User(name="x")
    assert validate(dict[str, Plain | User | None], {"k": {"a": "y"}}) == [
        ("int_parsing", ("k", "Plain", "a")),
        ("missing", ("k", "User", "name")),
    ]


def test_json_comes_through_the_same_door() -> None:
    errors: list[dict[str, Any]] = []
    assert validator_of(User).validate_json(b'{"name": "a", "age": "3"}', (), errors) == User(name="a", age=3)
    assert validator_of(list[User]).validate_json(b'[{"name": 1}]', ("body",), errors) is Undefined
    assert errors == [
        {
            "type": "string_type",
            "loc": ("body", 0, "name"),
            "msg": "Input should be a valid string",
            "input": 1,
        }
    ]


def test_what_pydantic_cannot_read_is_said_at_startup() -> None:
    class Strange:
        pass

    with pytest.raises(FastWebError, match="pydantic cannot validate"):
        validator_of(dict[User, Strange])


def test_an_adapter_is_made_once() -> None:
    schema = schema_of(list[User])
    assert isinstance(schema, nodes.PydanticSchema)
    assert adapter_of(schema) is adapter_of(schema)


@pytest.mark.parametrize(
    ("annotation", "answer"),
    [
        (int, (False, False)),
        (User, (True, False)),
        (list[HoldsUser], (True, False)),
        (Struct, (False, True)),
        (dict[str, Struct | User], (True, True)),
        (Annotated[int, PydanticField(gt=1)], (True, False)),
        (Literal["a"], (False, False)),
    ],
)
def test_which_annotations_reach_pydantic(annotation: Any, answer: tuple[bool, bool]) -> None:
    assert reaches_pydantic(annotation) == answer


def test_validation_does_not_import_pydantic() -> None:
    code = (
        "import sys\n"
        "from fastweb.validation.validators import validator_of\n"
        "from fastweb.models import BaseModel\n"
        "class M(BaseModel):\n    a: int\n    b: list[str] = []\n"
        "e = []\n"
        'assert validator_of(M, from_attributes=True).validate_json(b\'{"a": "1"}\', (), e).a == 1, e\n'
        "assert 'pydantic' not in sys.modules and 'pydantic_core' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
