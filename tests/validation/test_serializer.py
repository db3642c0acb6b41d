"""What leaves of a returned value, beside what FastAPI lets out: what pydantic validates, then dumps."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import uuid
from typing import Any

import msgspec
import pydantic
import pytest

from fastweb.models import BaseModel, ConfigDict, Field
from fastweb.validation.serializer import (
    ResponseErrors,
    SerializationError,
    encode_json,
    serializer_of,
    to_jsonable,
)
from tests.twins import outcome, plain_errors, twins

BODY = """
class E(enum.Enum):
    a = 1
    b = "x"
    t = (1, 2)

class SE(str, enum.Enum):
    a = "q"

class Sub(BaseModel):
    x: int
    s: Optional[str] = None

class SubSub(Sub):
    secret: str = "shh"

class User(BaseModel):
    id: int
    name: str = Field("x", alias="Name")
    sub: Optional[Sub] = None
    subs: List[Sub] = []
    hidden: int = Field(1, exclude=True)
    t: datetime.timedelta = datetime.timedelta(1)
    ser: str = Field("ser", serialization_alias="SER")

class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    n: int = 1

class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    m: int = 1

class Ex(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int

class Tree(BaseModel):
    v: int
    kids: "List[Tree]" = []

class Fac(BaseModel):
    l: List[int] = Field(default_factory=list)
    m: List[int] = [1]

@dataclasses.dataclass
class DC:
    x: int
    y: Optional[str] = None

@dataclasses.dataclass
class DC2(DC):
    z: int = 5

class TD(TypedDict, total=False):
    x: Required[int]
    y: str

class NT(NamedTuple):
    x: int
    y: str = "a"

class Obj:
    def __init__(self, **k):
        self.__dict__.update(k)

class Num(BaseModel):
    f: float = 0.0
    i: int = 0
    dd: decimal.Decimal = decimal.Decimal("1.50")
    u: uuid.UUID = uuid.UUID(int=3)
    dt: datetime.datetime = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    b: bytes = b"x"
    e: E = E.a
    st: Set[int] = {1}

class NumberOnly(BaseModel):
    f: float = 0.5
    d: datetime.datetime = datetime.datetime(2020, 1, 1, 1, 1, 1, 5)
"""
PYDANTIC, FASTWEB = twins(BODY, "serializer")

#: A type, and what an endpoint with this response model returns.
SAMPLES = [
    "(User,User(id=1))",
    '(User,{"id":"1","Name":"b","sub":{"x":1,"zzz":3},"zz":1})',
    '(User,User(id=1,sub=SubSub(x=1),subs=[SubSub(x=2),Sub(x=3,s="q")]))',
    '(List[User],[User(id=1),{"id":2}])',
    '(User,Obj(id=1,Name="n",sub=Obj(x=2,secret=1)))',
    "(List[Sub],[SubSub(x=1)]*2)",
    "(Sub,SubSub(x=1))",
    "(Optional[Sub],None)",
    "(Optional[Sub],SubSub(x=2))",
    "(Union[Cat,Dog],Dog(m=2))",
    '(Union[Cat,Dog],{"kind":"dog"})',
    '(Union[Cat,Dog],{"kind":"bird"})',
    "(Union[Sub,User],SubSub(x=1))",
    "(Union[SubSub,Sub],Sub(x=1))",
    "(Union[Sub,SubSub],SubSub(x=1))",
    '(Dict[str,Sub],{"a":SubSub(x=1)})',
    '(Dict[int,Sub],{"1":{"x":1}})',
    "(Ex,Ex(x=1,y=2,z=Sub(x=1)))",
    '(Ex,{"x":1,"k":SubSub(x=3)})',
    '(Tree,Tree(v=1,kids=[{"v":2,"kids":[{"v":3}]}]))',
    "(Fac,Fac())",
    "(Fac,Fac(l=[],m=[1]))",
    "(Fac,{})",
    "(DC,DC(1))",
    "(DC,DC2(1))",
    '(DC,{"x":"1"})',
    '(List[DC],[DC(1,"y")])',
    '(TD,{"x":1,"zz":2})',
    '(TD,{"x":1})',
    '(TD,{"y":"a"})',
    "(NT,NT(1))",
    '(NT,[1,"b"])',
    "(Num,Num())",
    '(Num,Num(f=float("inf"),i=2**70))',
    "(Num,Num(i=2**63))",
    '(int,"5")',
    '(int,"x")',
    "(int,True)",
    "(float,1)",
    '(float,float("nan"))',
    "(str,SE.a)",
    "(SE,SE.a)",
    "(E,E.t)",
    "(E,1)",
    '(bytes,b"abc")',
    '(bytes,"abc")',
    '(Any,{"a":[1,Sub(x=1),SubSub(x=2),E.a,{1:2}]})',
    "(Any,DC2(1))",
    '(List[Any],[1,None,1.5,"x",(1,2)])',
    '(Dict[str,Any],{"a":{"b":SubSub(x=1)}})',
    "(object,1)",
    "(Set[int],{1})",
    '(Tuple[int,str],(1,"a"))',
    "(Tuple[int,...],[1,2])",
    '(FrozenSet[str],{"a"})',
    "(Sequence[Sub],(SubSub(x=1),))",
    "(Iterable[int],(i for i in [1,2]))",
    "(collections.deque,collections.deque([1]))",
    "(datetime.datetime,datetime.datetime(2020,1,2,3,tzinfo=datetime.timezone(datetime.timedelta(hours=5))))",
    "(datetime.datetime,datetime.datetime(2020,1,2,3,4,5,6))",
    "(datetime.date,datetime.date(2020,1,1))",
    "(datetime.time,datetime.time(1,2,tzinfo=datetime.timezone.utc))",
    "(datetime.timedelta,datetime.timedelta(days=400,seconds=1.5))",
    '(decimal.Decimal,decimal.Decimal("NaN"))',
    '(decimal.Decimal,"1.10")',
    "(uuid.UUID,str(uuid.UUID(int=5)))",
    '(pathlib.Path,pathlib.Path("/a"))',
    '(ipaddress.IPv4Address,"1.2.3.4")',
    "(Dict[uuid.UUID,int],{uuid.UUID(int=1):1})",
    "(Dict[float,int],{1.5:1})",
    "(Dict[E,int],{E.a:1})",
    "(Dict[Optional[str],int],{None:1})",
    '(Dict[Tuple[int,str],int],{(1,"a"):1})',
    "(Dict[datetime.date,int],{datetime.date(2020,1,1):1})",
    "(Annotated[List[int],Field(max_length=1)],[1,2])",
    "(Annotated[int,Field(gt=3)],3)",
    '(Annotated[str,Field(pattern="^a")],"b")',
    '(Literal["a",1],"a")',
    '(Literal["a",1],True)',
    "(None,None)",
    "(None,1)",
    '(bool,"yes")',
    "(bool,2)",
    '(Union[int,str],"1")',
    "(Union[int,float],1.0)",
    "(Union[List[Sub],Sub],[SubSub(x=1)])",
    '(Union[Dict[str,Sub],List[Sub]],{"a":SubSub(x=1)})',
    "(Optional[List[Optional[Sub]]],[None,SubSub(x=1)])",
    "(User,Sub(x=1))",
    "(User,5)",
    '(List[User],{"a":1})',
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"exclude_unset": True},
    {"exclude_defaults": True},
    {"exclude_none": True},
    {"by_alias": False},
    {"include": {"id", "x", "sub", 0}},
    {"exclude": {"id", "x", 0}},
    {"include": {"sub": {"x"}, "subs": {0: {"x"}}, "id": True}},
    {"exclude": {"subs": {"__all__": {"x"}}, "sub": {"s": True}}},
    {"exclude": {"__all__": {"x"}}},
    {"exclude": {-1: True}},
]


def of_pydantic(annotation: Any, value: Any, options: dict[str, Any]) -> Any:
    adapter = pydantic.TypeAdapter(annotation)
    valid = adapter.validate_python(value, from_attributes=True)
    return json.loads(adapter.dump_json(valid, **{"by_alias": True, **options}))


def of_fastweb(annotation: Any, value: Any, options: dict[str, Any]) -> Any:
    serializer = serializer_of(annotation)
    try:
        document = json.loads(serializer.dump_json(value, **options))
    except ResponseErrors as error:
        for each in error.errors:
            assert each["loc"][0] == "response"
        return plain_errors([{**each, "loc": each["loc"][1:]} for each in error.errors])
    return document


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydantic's, of values that it did not expect
@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(sample: str) -> None:
    for options in OPTIONS:
        if options and ("(i for i" in sample or ("Any" in sample and "DC2" in sample) or "E.t" in sample):
            continue  # pydantic reads a generator lazily, and takes no options into a dataclass
        expected = outcome(of_pydantic, *eval(sample, dict(PYDANTIC)), options)
        got = outcome(of_fastweb, *eval(sample, dict(FASTWEB)), options)
        if isinstance(expected, type):
            # pydantic counts from the end of a list alone.
            assert isinstance(got, type) or -1 in options["exclude"], (options, got)
        else:
            assert got == expected, options


@pytest.mark.parametrize("sample", [each for each in SAMPLES if "for i in" not in each])
def test_dump_is_the_same_document(sample: str) -> None:
    annotation, value = eval(sample, dict(FASTWEB))
    serializer = serializer_of(annotation)
    try:
        expected = json.loads(serializer.dump_json(value))
    except ResponseErrors:
        with pytest.raises(ResponseErrors):
            serializer.dump(value)
    else:
        text = json.dumps(serializer.dump(value), default=str)
        assert text == json.dumps(expected) or "NaN" in text or "Infinity" in text


# Nothing undeclared leaves


class Public(BaseModel):
    id: int
    tags: list[str] = []


class Private(Public):
    password: str = "secret"


class Holder(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    one: Public | None = None
    many: list[Public] = []
    named: dict[str, Public] = {}
    either: Public | int = 1


class Struct(msgspec.Struct):
    id: int
    inner: Public | None = None


class SecretStruct(Struct):
    password: str = "secret"


def assigned(**values: Any) -> Holder:
    holder = Holder()
    for name, value in values.items():
        setattr(holder, name, value)
    return holder


LEAKS: list[tuple[Any, Any]] = [
    (Public, Private(id=1)),
    (list[Public], [Private(id=1)]),
    (tuple[Public, ...], (Private(id=1),)),
    (Public | None, Private(id=1)),
    (Public | int, Private(id=1)),
    (int | list[Public], [Private(id=1)]),
    (dict[str, Public], {"a": Private(id=1)}),
    (Public, {"id": 1, "password": "secret"}),
    (
        Holder,
        Holder(one=Private(id=1), many=[Private(id=2)], named={"a": Private(id=3)}, either=Private(id=4)),
    ),
    # Assigned, and so never validated.
    (Holder, assigned(one={"id": 1, "password": "secret"})),
    (Holder, assigned(many=[{"id": 1, "password": "secret"}], either={"id": 1, "password": "secret"})),
    (Holder, assigned(named={"a": {"id": "1", "password": "secret"}})),
    (list[Holder], [Holder(), assigned(many=(Private(id=1),))]),
    (Struct, SecretStruct(1)),
    (Struct, Struct(1, Private(id=1))),
    (list[Struct], [Struct(1), SecretStruct(2)]),
    (Struct, Struct(1, {"id": 1, "password": "secret"})),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("annotation", "value"), LEAKS)
def test_nothing_undeclared_leaves(annotation: Any, value: Any) -> None:
    for options in OPTIONS[:5]:
        assert b"secret" not in serializer_of(annotation).dump_json(value, **options)
    assert "secret" not in repr(serializer_of(annotation).dump(value))


def test_what_was_assigned_and_does_not_fit_is_an_error() -> None:
    with pytest.raises(ResponseErrors) as caught:
        serializer_of(list[Holder]).dump_json([assigned(one={"no": "id", "password": "secret"})])
    assert caught.value.errors[0]["type"] == "missing"


def test_a_changed_default_is_no_way_around_the_proof() -> None:
    class Model(BaseModel):
        inner: Public = Field(default_factory=lambda: Private(id=1))
        number: int = "x"  # type: ignore[assignment]

    with pytest.raises(ResponseErrors):
        serializer_of(Model).dump_json(Model())
    assert serializer_of(Model).dump_json(Model(number=1)) == b'{"inner":{"id":1,"tags":[]},"number":1}'


# Kinds of types that pydantic does not have


class Tagged(msgspec.Struct, tag="t"):
    x: int


class Other(msgspec.Struct, tag="o"):
    y: int


class Array(msgspec.Struct, array_like=True):
    x: int
    y: str = "a"


class Sparse(msgspec.Struct, omit_defaults=True):
    x: int = 1
    y: int | msgspec.UnsetType = msgspec.UNSET
    z: datetime.timedelta | None = None


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Tagged, Tagged(1), {"type": "t", "x": 1}),
        (Tagged | Other, Other(1), {"type": "o", "y": 1}),
        (
            list[Tagged | Other],
            [Tagged(1), Other(2)],
            [{"type": "t", "x": 1}, {"type": "o", "y": 2}],
        ),
        (Array, Array(1), [1, "a"]),
        (Sparse, Sparse(), {}),
        (Sparse, Sparse(x=2, y=3), {"x": 2, "y": 3}),
        (Sparse, Sparse(z=datetime.timedelta(1)), {"z": "P1D"}),
    ],
)
def test_structs(annotation: Any, value: Any, expected: Any) -> None:
    assert json.loads(serializer_of(annotation).dump_json(value)) == expected


# pydantic's own types


class Foreign(pydantic.BaseModel):
    id: int = pydantic.Field(serialization_alias="ID")
    at: datetime.timedelta = datetime.timedelta(1)

    @pydantic.field_serializer("id")
    def text(self, value: int) -> str:
        return f"#{value}"


class Ours(BaseModel):
    id: int
    foreign: Foreign


def test_pydantic_models() -> None:
    assert serializer_of(list[Foreign]).dump_json([Foreign(id=1), {"id": 2}]) == (
        b'[{"ID":"#1","at":"P1D"},{"ID":"#2","at":"P1D"}]'
    )
    assert serializer_of(Foreign).dump_json({"id": 1}, by_alias=False, include={"id"}) == b'{"id":"#1"}'
    with pytest.raises(ResponseErrors) as caught:
        serializer_of(Foreign).dump_json({"id": "x"})
    assert caught.value.errors[0]["loc"] == ("response", "id")
    document = serializer_of(Ours).dump_json({"id": 1, "foreign": {"id": 3}})
    assert document == b'{"id":1,"foreign":{"ID":"#3","at":"P1D"}}'


# Parts


def test_by_alias_can_be_said_when_the_serializer_is_made() -> None:
    User, List = FASTWEB["User"], list
    for by_alias, name in ((True, b'"Name"'), (False, b'"name"')):
        serializer = serializer_of(List[User], by_alias=by_alias)
        assert name in serializer.dump_json([User(id=1)])
        assert name in serializer.dump_json([{"id": 1}])


def test_a_field_adds_constraints() -> None:
    serializer = serializer_of(int, Field(gt=3))
    assert serializer.dump_json(4) == b"4"
    with pytest.raises(ResponseErrors):
        serializer.dump_json(3)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        (
            [2**70, float("nan"), {"x": float("inf")}, "é"],
            b'[1180591620717411303424,null,{"x":null},"\xc3\xa9"]',
        ),
        (float("nan"), b"null"),
    ],
)
def test_encode_json(document: Any, expected: bytes) -> None:
    assert encode_json(document) == expected


def test_to_jsonable() -> None:
    class Kind(enum.Enum):
        A = decimal.Decimal("1.5")

    value = {Kind.A: [Public(id=1), uuid.UUID(int=1), Struct(1), {1}, b"x", Foreign(id=1)]}
    assert to_jsonable(value) == {
        "1.5": [
            {"id": 1, "tags": []},
            "00000000-0000-0000-0000-000000000001",
            {"id": 1, "inner": None},
            [1],
            "x",
            {"ID": "#1", "at": "P1D"},
        ]
    }
    assert to_jsonable([object()], fallback=lambda value: "?") == ["?"]
    for wrong in (object(), {object(): 1}, b"\xff"):
        with pytest.raises(SerializationError):
            to_jsonable(wrong)


def test_what_contains_itself() -> None:
    Tree = FASTWEB["Tree"]
    tree = Tree(v=1)
    tree.kids = [tree]
    loop: list[Any] = []
    loop.append(loop)
    for value in (tree, loop):
        with pytest.raises((SerializationError, ResponseErrors)):
            serializer_of(Any if value is loop else Tree).dump_json(value)
    with pytest.raises(SerializationError):
        tree.model_dump_json()
    deep = Tree(v=0)
    for number in range(100):
        deep = Tree(v=number, kids=[deep])
    assert serializer_of(Tree).dump_json(deep).count(b'"v"') == 101
