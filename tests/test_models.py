"""BaseModel beside pydantic's: the same class body, the same calls, the same outcome."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import types
import weakref
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
import pydantic
import pytest

from fastweb.exceptions import FastWebError
from fastweb.models import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from tests.twins import outcome, twins

BODY = '''
T = TypeVar("T")
class Address(BaseModel):
    street: str = Field(min_length=1)
    zip: Optional[str] = None
class User(BaseModel):
    """A user."""
    id: int
    name: str = Field("anon", max_length=5, alias="Name", description="the name")
    age: Optional[int] = Field(None, ge=0)
    address: Optional[Address] = None
    tags: List[str] = []
    made: Dict[str, int] = Field(default_factory=dict)
    _cache: int = 3
    _seen: List[int] = PrivateAttr(default_factory=list)
    kind: ClassVar[str] = "k"
    def greet(self): return "hi " + self.name
    @property
    def upper(self): return self.name.upper()
class Admin(User):
    level: int = 1
    age: int = 40
class Lax(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int
class Tight(BaseModel, extra="forbid"):
    x: int = 1
class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    x: int
    y: str = "a"
class Named(BaseModel):
    model_config = ConfigDict(populate_by_name=True, str_strip_whitespace=True, title="The Title")
    first: str = Field(alias="firstName")
    last: str = Field("L", alias="lastName")
class Split(BaseModel):
    x: int = Field(1, validation_alias="in", serialization_alias="out")
class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))
    some_name: int = 1
class Orm(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    child: Optional["Orm"] = None
class Node(BaseModel):
    value: int
    children: "List[Node]" = []
class Hidden(BaseModel):
    x: int = 1
    secret: str = Field("s", exclude=True, repr=False)
class Checked(BaseModel):
    model_config = ConfigDict(validate_assignment=True)
    x: int = Field(gt=0)
class Post(BaseModel):
    x: int
    _double: int = 0
    def model_post_init(self, context):
        self._double = self.x * 2
class Page(BaseModel, Generic[T]):
    items: List[T]
    next: "Optional[Page[T]]" = None
class Required(BaseModel):
    a: int
    b: str
class Thing:
    def __init__(self, **values): self.__dict__.update(values)
'''
PYDANTIC, FASTWEB = twins(BODY, "models")


def both(code: str) -> tuple[Any, Any]:
    return (
        outcome(lambda: eval(code, dict(PYDANTIC))),
        outcome(lambda: eval(code, dict(FASTWEB))),
    )


def same(code: str) -> None:
    expected, got = both(code)
    assert repr(got) == repr(expected), code


@pytest.mark.parametrize(
    "arguments",
    [
        "id=1",
        "id='1', Name='bob', age='7'",
        "id='x', Name='too long', age=-1, address={'street': '', 'zip': 5}, tags='no'",
        "id=1, name='by name'",
        "id=1, address=Address(street='s'), tags=('a', 'b')",
        "id=1, unknown=3",
        "",
        "id=1.0, made={'a': '1'}",
        "id=True",
        "id=None",
    ],
)
def test_a_call_validates_as_pydantics_does(arguments: str) -> None:
    for view in ("{}", "{}.model_dump()", "sorted({}.model_fields_set)", "str({})", "{}._cache", "{}._seen"):
        same(view.format(f"User({arguments})"))


EXPRESSIONS = [
    "User.model_validate({'id': 1, 'Name': 'x'})",
    "User.model_validate(5)",
    "User.model_validate(User(id=1))",
    "User.model_validate(Admin(id=1))",
    'User.model_validate_json(\'{"id": 1, "address": {"street": "s"}}\')',
    'User.model_validate_json(b\'{"id": "1", "tags": ["a"]}\').model_dump()',
    "User.model_validate_json('{\"id\": []}')",
    'sorted(User.model_validate_json(\'{"id": 1, "age": null}\').model_fields_set)',
    "Orm.model_validate(Thing(id=1, child=Thing(id='2')))",
    "Orm.model_validate(Thing(name=1))",
    "Required.model_validate(Thing(a=1, b='x'))",
    "Required.model_validate(Thing(a=1, b='x'), from_attributes=True)",
    "Required.from_orm(Thing(a=1, b='x')) if 0 else Required(a=1, b='x')",
    "User(id=1).greet()",
    "User(id=1).upper",
    "User.kind",
    "Admin(id=1)",
    "Admin(id=1).model_dump(by_alias=True)",
    "Lax(x=1, y=2, z='3')",
    "Lax(x=1, y=2).y",
    "Lax(x=1, y=2).model_extra",
    "Lax(x=1).model_extra",
    "Lax(x=1, y=2).model_dump()",
    "sorted(Lax(x=1, y=2).model_fields_set)",
    "Lax(x=1).nothing",
    "Tight(x=1, y=2)",
    "Tight(x='a', y=2)",
    "User(id=1).model_extra",
    "Frozen(x=1) == Frozen(x=1)",
    "hash(Frozen(x=1)) == hash(Frozen(x=1))",
    "hash(User(id=1))",
    "setattr(Frozen(x=1), 'x', 2)",
    "setattr(Frozen(x=1), 'z', 2)",
    "setattr(User(id=1), 'nothing', 2)",
    "setattr(Checked(x=1), 'x', -1)",
    "setattr(Checked(x=1), 'x', '5')",
    "Named(firstName=' a ')",
    "Named(first='a', last=' b')",
    "Named()",
    "Named(firstName='a').model_dump(by_alias=True)",
    "Split(**{'in': 3}).model_dump(by_alias=True)",
    "Split(**{'in': 3}).model_dump_json(by_alias=True)",
    "Split(x=3)",
    "Camel(**{'some-name': 3})",
    "Camel(**{'some-name': 3}).model_dump(by_alias=True)",
    "Node(value=1, children=[{'value': 2, 'children': [{'value': '3'}]}])",
    "Node(value=1, children=[{'value': 2, 'children': [{'value': 'x'}]}])",
    "Hidden()",
    "Hidden(secret='q').model_dump()",
    "Hidden(secret='q').model_dump_json()",
    "Post(x=2)._double",
    "Post.model_validate_json('{\"x\": 4}')._double",
    "Page[int](items=['1', 2])",
    "Page[int](items=['x'])",
    "Page[int](items=[1], next={'items': ['y']})",
    "Page[int].__name__",
    "Page[int] is Page[int]",
    "Page[Address](items=[{'street': 's'}]).model_dump()",
    "Page(items=[1, 'a'])",
    "Page[List[int]](items=[[1]])",
    "User(id=1).model_copy(update={'id': 2})",
    "sorted(User(id=1).model_copy(update={'age': 2}).model_fields_set)",
    "User(id=1, tags=['a']).model_copy(deep=True)",
    "User.model_construct(id='x')",
    "sorted(User.model_construct(id='x').model_fields_set)",
    "User.model_construct().tags",
    "User.model_construct().id",
    "User.model_construct(_fields_set={'age'}, id=1, age=2).model_dump(exclude_unset=True)",
    "User.model_construct(Name='a').name",
    "Lax.model_construct(x=1, y=2).model_extra",
    "dict(User(id=1))",
    "list(Lax(x=1, y=2))",
    "User(id=1) == User(id=1)",
    "User(id=1) == Admin(id=1)",
    "User(id=1) == 1",
    "User(id=1, Name='a') == User(id=1, Name='b')",
    "Lax(x=1, y=1) == Lax(x=1, y=2)",
    "list(User.model_fields)",
    "User.model_fields['name'].alias, User.model_fields['name'].default",
    "[field.is_required() for field in User.model_fields.values()]",
    "User.__doc__",
    "User(1)",
    "repr(Node(value=1))",
    "User(id=1).model_dump(include={'id', 'age'})",
    "User(id=1).model_dump(exclude={'id': True, 'tags': ...})",
    "User(id=1, address={'street': 's'}).model_dump(include={'address': {'zip'}})",
    "User(id=1, address={'street': 's'}).model_dump(exclude_none=True, exclude_defaults=True)",
    "User(id=1, Name='b').model_dump(exclude_unset=True, by_alias=True)",
    "User(id=1).model_dump_json()",
    "User(id=1).model_dump_json(indent=2)",
    "User(id=1, tags=['é']).model_dump_json(exclude_unset=True)",
    "ValidationError.__name__",
]


@pytest.mark.parametrize("code", EXPRESSIONS)
def test_expressions_give_what_pydantics_give(code: str) -> None:
    same(code)


@pytest.mark.parametrize(
    "name", ["User", "Admin", "Lax", "Tight", "Named", "Split", "Camel", "Node", "Hidden", "Page"]
)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_model_json_schema_is_pydantics(name: str, mode: str) -> None:
    expected, got = both(f"{name}.model_json_schema(mode={mode!r})")
    assert got == expected


def test_the_older_names() -> None:
    User = FASTWEB["User"]
    user = User.parse_obj({"id": 1})
    assert user.dict() == user.model_dump()
    assert user.json() == user.model_dump_json()
    assert user.copy(update={"id": 2}).id == 2
    assert User.parse_raw(b'{"id": 1}') == user
    assert User.validate({"id": 1}) == user
    assert User.construct(id=1) == user
    assert User.schema() == User.model_json_schema()
    assert list(User.__fields__) == list(User.model_fields)
    assert user.__fields_set__ == {"id"}
    assert FASTWEB["Orm"].from_orm(FASTWEB["Thing"](id=3)).id == 3


def test_the_class_config_of_older_models() -> None:
    class Old(BaseModel):
        x: int = Field(default=1, alias="y")

        class Config:
            orm_mode = True
            allow_population_by_field_name = True
            allow_mutation = False

    assert Old(x=3).x == 3  # type: ignore[call-arg]  # by its name: a checker sees the alias
    assert Old.model_config["from_attributes"] is True
    with pytest.raises(ValidationError, match="frozen"):
        Old().x = 2


# What msgspec makes


def test_msgspec_decodes_with_defaults_and_notes_what_was_given() -> None:
    User = FASTWEB["User"]
    user = msgspec.json.decode(b'{"id":1,"Name":"a","address":{"street":"s"}}', type=User)
    assert user == User(id=1, Name="a", address={"street": "s"})
    assert user.model_fields_set == {"id", "name", "address"}
    assert user.address.model_fields_set == {"street"}
    assert (user._seen, user._cache) == ([], 3)
    assert user.tags is not msgspec.json.decode(b'{"id":1}', type=User).tags
    assert msgspec.convert({"id": 1}, User).model_fields_set == {"id"}
    full = msgspec.json.decode(b'{"a":1,"b":"c"}', type=FASTWEB["Required"])
    assert full.model_fields_set == {"a", "b"}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("User", b'{"id":1,"Name":"too long"}'),
        ("User", b'{"id":1,"age":-1}'),
        ("User", b'{"id":1,"address":{"street":""}}'),
        ("Checked", b'{"x":0}'),
        ("Tight", b'{"y":1}'),
        ("Page[int]", b'{"items":["x"]}'),
        ("Page[int]", b'{"items":[1],"next":{"items":["x"]}}'),
        ("Node", b'{"value":1,"children":[{"value":"x"}]}'),
    ],
)
def test_msgspec_enforces_what_the_fields_say(name: str, document: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(document, type=eval(name, dict(FASTWEB)))


def test_constraints_inside_types_reach_msgspec() -> None:
    class Inner(BaseModel):
        counts: list[Annotated[int, Field(gt=0)]]
        word: Annotated[str | None, Field(pattern="^a")] = None

    assert msgspec.json.decode(b'{"counts":[1],"word":"ab"}', type=Inner).word == "ab"
    for document in (b'{"counts":[0]}', b'{"counts":[1],"word":"b"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(document, type=Inner)


# Copies and pickles


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda user: pickle.loads(pickle.dumps(user))])
def test_copies_keep_everything(make: Any) -> None:
    user = FASTWEB["User"](id=1, tags=["a"])
    user._cache = 9
    twin = make(user)
    assert twin == user
    assert twin.model_fields_set == {"id", "tags"}
    assert twin._cache == 9
    assert (twin.tags is user.tags) == (make is copy.copy)
    lax = FASTWEB["Lax"](x=1, y=2)
    other = make(lax)
    other.y = 3
    assert (lax.y, other.y, other.model_extra) == (2, 3, {"y": 3})


def test_an_assignment_counts_as_given() -> None:
    user = FASTWEB["User"](id=1)
    user.age = 3
    assert user.model_fields_set == {"id", "age"}
    assert user.model_dump(exclude_unset=True) == {"id": 1, "age": 3}


def test_instances_are_collected_and_can_be_referred_to_weakly() -> None:
    node = FASTWEB["Node"](value=1)
    node.children = [node]
    reference = weakref.ref(node)
    del node
    gc.collect()
    assert reference() is None


# Names in annotations


def test_names_that_are_defined_later() -> None:
    class Before(BaseModel):
        later: Later | None = None
        many: list[Later] = []

    with pytest.raises(FastWebError, match="Later"):
        Before.model_validate({"later": {"x": 1}})

    class Later(BaseModel):
        x: int

    assert Before.model_rebuild() is True
    assert Before.model_rebuild() is None
    assert Before.model_validate({"later": {"x": "1"}}).later == Later(x=1)
    assert msgspec.json.decode(b'{"many":[{"x":1}]}', type=Before).many == [Later(x=1)]


def test_local_names_in_strings() -> None:
    class Inner(BaseModel):
        x: int

    class Outer(BaseModel):
        inner: Annotated[Inner, Field(alias="in")]
        me: Outer | None = None
        limit: ClassVar[int] = 3

    outer = Outer.model_validate({"in": {"x": 1}, "me": {"in": {"x": 2}}})
    assert outer.me is not None
    assert outer.me.inner.x == 2
    assert msgspec.json.decode(b'{"in":{"x":1}}', type=Outer).inner == Inner(x=1)


def test_mixins_and_generics() -> None:
    T = TypeVar("T")
    K = TypeVar("K")

    class Mixin:
        def hello(self) -> str:
            return "hello"

    class Mixed(Mixin, BaseModel):
        x: int = 1

    mixed = Mixed()
    mixed.x = 2
    assert (mixed.hello(), mixed.x, mixed.model_fields_set) == ("hello", 2, {"x"})

    class Pair(BaseModel, Generic[K, T]):
        key: K
        value: T

    any_pair: Any = Pair
    Half = any_pair[str, T]
    assert Half[int](key="a", value="1").value == 1
    with pytest.raises(ValidationError):
        Half[int](key="a", value="x")
    with pytest.raises(TypeError, match="2 type arguments"):
        any_pair[int]
    with pytest.raises(TypeError, match="not generic"):
        Mixed.__class_getitem__(int)  # type: ignore[attr-defined]


# Mistakes, told at once


def with_pydantic_validator() -> Any:
    class Model(BaseModel):
        x: int

        @pydantic.field_validator("x")
        @classmethod
        def check(cls, value: int) -> int:
            return value


def with_pydantic_field() -> Any:
    class Model(BaseModel):
        x: int = pydantic.Field(gt=0)


def with_no_annotation() -> Any:
    class Model(BaseModel):
        x = 3


def with_a_field_and_no_annotation() -> Any:
    class Model(BaseModel):
        x = Field(3)


def with_init() -> Any:
    class Model(BaseModel):
        x: int

        def __init__(self, **data: Any) -> None:
            pass


def with_two_layouts() -> Any:
    class Left(BaseModel):
        a: int

    class Right(BaseModel):
        b: int

    class Both(Left, Right):
        pass


def with_an_unannotated_override() -> Any:
    class Base(BaseModel):
        x: int

    class Model(Base):
        x = 3


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (with_pydantic_validator, "field_validator"),
        (with_pydantic_field, "import Field and PrivateAttr from fastweb.models"),
        (with_no_annotation, "has no annotation"),
        (with_a_field_and_no_annotation, "no annotation"),
        (with_init, "model_post_init"),
        (with_two_layouts, "two base models"),
        (with_an_unannotated_override, "annotation again"),
    ],
)
def test_a_mistake_in_the_class_is_told_when_it_is_made(define: Any, message: str) -> None:
    with pytest.raises(FastWebError, match=message):
        define()


def test_unknown_class_keywords() -> None:
    with pytest.raises(TypeError, match="tabel"):
        types.new_class("Model", (BaseModel,), {"tabel": True})


def test_a_shadowed_name_warns() -> None:
    with pytest.warns(UserWarning, match='"json" in "Model" shadows'):

        class Model(BaseModel):
            json: str = "j"  # type: ignore[assignment]

    assert Model().json == "j"


def test_a_default_or_a_factory() -> None:
    with pytest.raises(TypeError):
        PrivateAttr(1, default_factory=int)


# Errors


def test_a_validation_error_reads_like_pydantics() -> None:
    expected, got = PYDANTIC["User"], FASTWEB["User"]
    data = {"id": "x", "Name": "much too long", "tags": ["a" * 100, 5]}
    with pytest.raises(pydantic.ValidationError) as theirs:
        expected(**data)
    with pytest.raises(ValidationError) as ours:
        got(**data)
    lines = [line for line in str(theirs.value).split("\n") if "For further information" not in line]
    assert str(ours.value).split("\n") == lines
    assert ours.value.error_count() == theirs.value.error_count() == 3
    assert ours.value.title == theirs.value.title
    assert ours.value.errors() == theirs.value.errors(include_url=False)
    assert json.loads(ours.value.json()) == json.loads(theirs.value.json(include_url=False))
    without = theirs.value.errors(include_url=False, include_input=False, include_context=False)
    assert ours.value.errors(include_input=False, include_context=False) == without
    assert isinstance(ours.value, ValueError)


@pytest.mark.parametrize("data", ["{", b"\xff", '{"id": 1', "nul", "[" * 100_000])
def test_what_is_not_json(data: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        FASTWEB["User"].model_validate_json(data)
    [error] = caught.value.errors()
    assert (error["type"], error["loc"]) == ("json_invalid", ())


def test_config_dict_is_a_plain_dict() -> None:
    assert ConfigDict(extra="forbid") == {"extra": "forbid"}
