"""JSON Schema beside pydantic's, for the same types."""

from __future__ import annotations

import types
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from fastweb.exceptions import FastWebError
from fastweb.models import BaseModel, Field
from fastweb.validation.json_schema import JSONSchemas, Mode, field_title, json_schema_of
from fastweb.validation.schema import schema_of
from tests.twins import twins

BODY = '''
class E(enum.Enum):
    a = 1
    b = "x"

class E1(str, enum.Enum):
    "doc"

    a = "q"

class IE(enum.IntEnum):
    a = 1
    b = 2

class FE(float, enum.Enum):
    a = 1.5
    b = 2.5

class Sub(BaseModel):
    "Sub doc"

    x: int

class Cat(BaseModel):
    kind: Literal["cat"]
    n: int = 1

class Dog(BaseModel):
    kind: Literal["dog"]

@dataclasses.dataclass
class DC:
    x: int
    y: str = "a"
    z: list[int] = dataclasses.field(default_factory=list)

class TD(TypedDict, total=False):
    x: Required[int]
    y: str

class NT(NamedTuple):
    x: int
    y: str = "a"

class M(BaseModel):
    a: int
    b: Optional[Sub] = None
    c: list[Sub] = []
    e: E = E.a
    e1: E1
    f: float = Field(
        gt=0, le=5, multiple_of=0.5, description="D", examples=[1.0], title="FF", deprecated=True
    )
    g: Optional[int] = Field(None, ge=3)
    h: Sub = Field(description="hd")
    i: decimal.Decimal = decimal.Decimal("1.0")
    j: datetime.timedelta = datetime.timedelta(1)
    k: str = Field("x", alias="kk", serialization_alias="ks")
    l: str = Field(default_factory=str)
    m: Any
    n: Any = None
    o: Sub = Sub(x=1)
    p: int = Field(exclude=True, default=1)
    q: Union[Cat, Dog] = Field(discriminator="kind")
    r: Sub | Cat
    some_long_name: Annotated[str, Field(min_length=1, max_length=3, pattern="^a")]
    t: "Optional[M]" = None
    u: float = float("inf")
    v: str = Field("v", json_schema_extra={"x-y": 1})
    w: Literal["a"] = "a"
    xx: Optional[E] = None

class F(BaseModel):
    model_config = ConfigDict(extra="forbid", title="TT", json_schema_extra={"example": {"x": 1}})
    x: int

class Tree(BaseModel):
    v: int
    kids: "List[Tree]" = []

class Left(BaseModel):
    d: decimal.Decimal
    sub: Sub

class Right(BaseModel):
    left: Optional[Left] = None

T = TypeVar("T")

class Page(BaseModel, Generic[T]):
    """One page."""

    items: List[T]
    total: int = 0

class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra=lambda schema: schema.update(x=1))
    value: Annotated[int, Field(ge=1)] = 3

class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    value: Annotated[Optional[int], Field(ge=1, description="inner")] = Field(None, description="outer")
'''
PYDANTIC, FASTWEB = twins(BODY, "json_schema")
MODES: list[Mode] = ["validation", "serialization"]

TYPES = [
    "decimal.Decimal",
    "Annotated[decimal.Decimal,Field(gt=0,max_digits=5,decimal_places=2)]",
    "Annotated[decimal.Decimal,Field(max_digits=5)]",
    "Annotated[decimal.Decimal,Field(decimal_places=2)]",
    "E",
    "E1",
    "IE",
    "FE",
    "list",
    "dict",
    "dict[str,Any]",
    "dict[int,str]",
    'dict[Annotated[str,Field(pattern="^a",min_length=2)],int]',
    "dict[uuid.UUID,int]",
    "dict[E1,int]",
    "tuple",
    "tuple[int,...]",
    "tuple[int,str]",
    "tuple[()]",
    "Optional[int]",
    "Union[int,str,None]",
    "Union[Optional[int],str]",
    'Literal["a","b",1,None]',
    "Literal[1]",
    'Literal["a"]',
    "set[int]",
    "frozenset[str]",
    "collections.deque[int]",
    "DC",
    "TD",
    "NT",
    "F",
    "bytes",
    "Annotated[bytes,Field(max_length=3)]",
    "pathlib.Path",
    "re.Pattern",
    "ipaddress.IPv4Network",
    "ipaddress.IPv6Address",
    "ipaddress.IPv4Interface",
    "Sequence[int]",
    "Iterable[int]",
    "Mapping[str,int]",
    "collections.Counter[str]",
    "complex",
    "datetime.time",
    "datetime.date",
    "Annotated[datetime.date,Field(gt=datetime.date(2020,1,1))]",
    "type[int]",
    'Annotated[Optional[str],Field(max_length=4,description="q")]',
    "Annotated[list[Annotated[int,Field(gt=3)]],Field(min_length=1)]",
    "Sub",
    "list[Sub]",
    'Annotated[Sub,Field(description="x")]',
    'Annotated[int,Field(title="T",description="D",examples=[1])]',
    "Optional[M]",
    "M",
    "List[Tree]",
    "Tree",
    "Union[Left, Right]",
    "Page[int]",
    "Dict[str, Page[Sub]]",
    "Closed",
    "Open",
    "Annotated[Union[Cat, Dog], Field(discriminator='kind')]",
    "Annotated[Optional[Sub], Field(title='T')]",
    "Optional[E]",
    "List[E1]",
    "datetime.datetime",
    "datetime.timedelta",
    "float",
    "bool",
    "None",
    "Any",
    "List[Any]",
    "Dict[str, Dict[str, int]]",
    "Annotated[Dict[str, int], Field(min_length=1, max_length=3)]",
    "Annotated[Set[int], Field(max_length=3)]",
    "Annotated[Tuple[int, ...], Field(min_length=1)]",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("annotation", TYPES)
def test_it_is_pydantics(annotation: str, mode: Mode) -> None:
    theirs = pydantic.TypeAdapter(eval(annotation, dict(PYDANTIC)))
    ours = eval(annotation, dict(FASTWEB))
    assert json_schema_of(ours, mode=mode) == theirs.json_schema(mode=mode)
    assert json_schema_of(ours, mode=mode, by_alias=False, ref_template="#/x/{model}") == theirs.json_schema(
        mode=mode, by_alias=False, ref_template="#/x/{model}"
    )


def test_many_types_share_their_definitions() -> None:
    schemas = JSONSchemas(ref_template="#/components/schemas/{model}")
    Right, Sub, Page = FASTWEB["Right"], FASTWEB["Sub"], FASTWEB["Page"]
    documents = [
        schemas.add(schema_of(Right), "validation"),
        schemas.add(schema_of(types.GenericAlias(list, (Right,))), "serialization"),
        schemas.add(schema_of(Sub), "validation"),
        schemas.add(schema_of(Sub), "serialization"),
        schemas.add(schema_of(Page[Sub]), "serialization"),
    ]
    definitions = schemas.finish()
    # What Left accepts is not what it puts out (a Decimal), so it has two names, and so has what holds it.
    assert sorted(definitions) == [
        "Left-Input",
        "Left-Output",
        "Page_Sub_",
        "Right-Input",
        "Right-Output",
        "Sub",
    ]
    prefix = "#/components/schemas/"
    assert documents == [
        {"$ref": f"{prefix}Right-Input"},
        {"type": "array", "items": {"$ref": f"{prefix}Right-Output"}},
        {"$ref": f"{prefix}Sub"},
        {"$ref": f"{prefix}Sub"},
        {"$ref": f"{prefix}Page_Sub_"},
    ]
    assert schemas.name_of(documents[0]) == "Right-Input"
    from pydantic.json_schema import models_json_schema

    theirs = [(PYDANTIC["Right"], mode) for mode in MODES] + [(PYDANTIC["Sub"], mode) for mode in MODES]
    theirs.append((PYDANTIC["Page"][PYDANTIC["Sub"]], "serialization"))
    _, expected = models_json_schema(theirs, ref_template=prefix + "{model}")
    assert definitions == expected["$defs"]


def twin(name: str, module: str) -> Any:
    body = {"__module__": module, "__annotations__": {"x": int}}
    return types.new_class(name, (BaseModel,), {}, lambda namespace: namespace.update(body))


def test_two_classes_of_one_name() -> None:
    document = json_schema_of(tuple[twin("Same", "a.b"), twin("Same", "c")])  # type: ignore[misc]
    assert sorted(document["$defs"]) == ["a__b__Same", "c__Same"]


class Tagged(msgspec.Struct, tag="t", forbid_unknown_fields=True):
    x: int
    y: Annotated[str, msgspec.Meta(min_length=1, description="why")] = "a"


class Array(msgspec.Struct, array_like=True):
    x: int
    y: str = "a"


class Renamed(msgspec.Struct, rename="camel"):
    some_name: int | msgspec.UnsetType = msgspec.UNSET


class Foreign(pydantic.BaseModel):
    id: int
    child: Foreign | None = None


class Holder(BaseModel):
    foreign: Foreign
    many: list[Foreign] = []


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (
            Tagged,
            {
                "title": "Tagged",
                "type": "object",
                "properties": {
                    "type": {"const": "t", "type": "string"},
                    "x": {"title": "X", "type": "integer"},
                    "y": {
                        "title": "Y",
                        "type": "string",
                        "minLength": 1,
                        "default": "a",
                        "description": "why",
                    },
                },
                "required": ["type", "x"],
                "additionalProperties": False,
            },
        ),
        (
            Array,
            {
                "type": "array",
                "prefixItems": [
                    {"title": "X", "type": "integer"},
                    {"title": "Y", "type": "string", "default": "a"},
                ],
                "minItems": 1,
                "maxItems": 2,
            },
        ),
        (
            Renamed,
            {
                "title": "Renamed",
                "type": "object",
                "properties": {"someName": {"title": "Somename", "type": "integer"}},
            },
        ),
    ],
)
def test_structs(annotation: Any, expected: Any) -> None:
    assert json_schema_of(annotation) == expected


def test_pydantic_models_keep_their_schema() -> None:
    document = json_schema_of(Holder)
    assert document["properties"]["foreign"] == {"$ref": "#/$defs/Foreign"}
    assert document["properties"]["many"]["items"] == {"$ref": "#/$defs/Foreign"}
    assert document["$defs"] == Foreign.model_json_schema()["$defs"]
    assert json_schema_of(Foreign) == Foreign.model_json_schema()
    assert json_schema_of(list[Foreign]) == pydantic.TypeAdapter(list[Foreign]).json_schema()


def test_what_json_schema_has_no_word_for() -> None:
    class Strange:
        pass

    with pytest.raises(FastWebError, match="Strange"):
        json_schema_of(list[Strange])


def test_a_field_of_a_parameter() -> None:
    assert json_schema_of(int, field=Field(gt=3, description="d")) == {
        "type": "integer",
        "exclusiveMinimum": 3,
        "description": "d",
    }
    assert field_title("some_long_name") == "Some Long Name"


def test_many_models_in_many_are_named_in_linear_time() -> None:
    # Each refers to the one below it twice: followed one by one, these would be 2 ** 60 ways.
    model: Any = type("M0", (BaseModel,), {"__annotations__": {"a": int}, "a": 1})
    for number in range(1, 60):
        model = type(f"M{number}", (BaseModel,), {"__annotations__": {"a": model, "b": list[model]}})
    schemas = JSONSchemas()
    modes: tuple[Mode, ...] = ("validation", "serialization")
    for mode in modes:
        schemas.add(schema_of(model), mode)
    names = sorted(schemas.finish())
    assert len(names) == 60
