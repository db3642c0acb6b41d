"""Nothing that a type does not declare leaves in an answer: at any depth, on either backend.

Every kind of class, each with values that know a secret more, in every container and union, two deep, written
in every way. What does not fit may be refused; it is never sent.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import json
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Generic, NamedTuple, Optional, TypeVar, Union

import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict

from fastweb.exceptions import FastWebError
from fastweb.models import BaseModel
from fastweb.validation.serializer import ResponseErrors, serializer_of

SECRET = "s3cret"
T = TypeVar("T")


class Ours(BaseModel):
    a: int = 1


class OursMore(Ours):
    secret: str = SECRET


class Pydantic(pydantic.BaseModel):
    a: int = 1


class PydanticMore(Pydantic):
    secret: str = SECRET


class Struct(msgspec.Struct):
    a: int = 1


class StructMore(Struct):
    secret: str = SECRET


class Tagged(msgspec.Struct, tag="t"):
    a: int = 1


class TaggedMore(Tagged, tag="u"):
    secret: str = SECRET


@dataclasses.dataclass
class Data:
    a: int = 1


@dataclasses.dataclass
class DataMore(Data):
    secret: str = SECRET


@pydantic.dataclasses.dataclass
class PydanticData:
    a: int = 1


@pydantic.dataclasses.dataclass
class PydanticDataMore(PydanticData):
    secret: str = SECRET


class Typed(TypedDict):
    a: int


class Named(NamedTuple):
    a: int = 1


NamedMore = collections.namedtuple("NamedMore", "a secret")


class Object:
    def __init__(self) -> None:
        self.a = 1
        self.secret = SECRET


class Other(BaseModel):
    z: int = 0


class PydanticOther(pydantic.BaseModel):
    z: int = 0


class Box(BaseModel, Generic[T]):
    item: T


class PydanticBox(pydantic.BaseModel, Generic[T]):
    item: T


class Tree(BaseModel):
    a: int = 1
    children: list[Tree] = []


class TreeMore(Tree):
    secret: str = SECRET


DICT = {"a": 1, "secret": SECRET}

#: A type, and values that know more than it declares.
LEAVES: list[tuple[Any, list[Any]]] = [
    (Ours, [OursMore(), DICT]),
    (Pydantic, [PydanticMore(), DICT, Object()]),
    (Struct, [StructMore(), DICT]),
    (Tagged, [TaggedMore(), {"type": "t", **DICT}]),
    (Data, [DataMore(), DICT]),
    (PydanticData, [PydanticDataMore(), DICT]),
    (Typed, [DICT]),
    (Named, [NamedMore(1, SECRET), (1, SECRET)]),
    (Tree, [TreeMore(children=[TreeMore()]), Tree(children=[TreeMore(children=[TreeMore()])])]),
    (Box[Ours], [Box[Ours](item=OursMore()), Box[Ours].model_construct(item=OursMore())]),
    (Box[Pydantic], [Box[Pydantic](item=PydanticMore())]),
    (PydanticBox[Data], [PydanticBox[Data].model_construct(item=DataMore())]),
]

#: What a type can stand in, and the same of a value.
AROUND: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (lambda of: types.GenericAlias(list, of), lambda value: [value]),
    (lambda of: types.GenericAlias(dict, (str, of)), lambda value: {"k": value}),
    (lambda of: types.GenericAlias(tuple, (of, ...)), lambda value: (value,)),
    (lambda of: types.GenericAlias(tuple, (int, of)), lambda value: (1, value)),
    (lambda of: types.GenericAlias(collections.deque, of), lambda value: collections.deque([value])),
    (lambda of: types.GenericAlias(collections.abc.Sequence, of), lambda value: [value]),
    (lambda of: types.GenericAlias(collections.abc.Iterable, of), lambda value: [value]),
    (lambda of: types.GenericAlias(collections.abc.Mapping, (str, of)), lambda value: {"k": value}),
    (lambda of: Optional[of], lambda value: value),  # noqa: UP045
    (lambda of: Union[of, Other], lambda value: value),  # noqa: UP007
    (lambda of: Union[Other, of], lambda value: value),  # noqa: UP007
    (lambda of: Union[of, PydanticOther], lambda value: value),  # noqa: UP007
    (lambda of: Union[int, of], lambda value: value),  # noqa: UP007
    (lambda of: Annotated[of, "note"], lambda value: value),
    (lambda of: Box[of], lambda value: {"item": value}),  # type: ignore[valid-type]
    (lambda of: PydanticBox[of], lambda value: {"item": value}),  # type: ignore[valid-type]
]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"exclude_unset": True},
    {"exclude_defaults": True},
    {"exclude_none": True},
    {"by_alias": False},
    {"include": {"a", "item", "children", "secret", "k", 0}},
    {"exclude": {"z"}},
]


def placed(annotation: Any, values: list[Any], depth: int) -> Iterator[tuple[Any, list[Any]]]:
    yield annotation, values
    if depth:
        for wrap, put in AROUND:
            try:
                wrapped = wrap(annotation)
            except pydantic.errors.PydanticSchemaGenerationError:  # a Struct in a pydantic model
                continue
            yield from placed(wrapped, [put(value) for value in values], depth - 1)


def written(annotation: Any, value: Any) -> Iterator[str]:
    """What is sent of a value, in every way; what is refused is not sent."""
    serializer = serializer_of(annotation)
    for options in OPTIONS:
        for dump in (serializer.dump_json, serializer.dump):
            try:
                yield repr(dump(value, **options))
            except ResponseErrors:
                pass
            except (FastWebError, AttributeError, pydantic.ValidationError):
                # pydantic's own: it does not know how to write a union of its models with another's.
                pass
            except Exception as error:
                if type(error).__name__ != "PydanticSerializationError":
                    raise


@pytest.mark.parametrize(("leaf", "values"), LEAVES, ids=lambda each: getattr(each, "__name__", ""))
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_nothing_undeclared_is_sent(leaf: Any, values: list[Any]) -> None:
    sent = 0
    for annotation, variants in placed(leaf, values, 2):
        for value in variants:
            for text in written(annotation, value):
                assert SECRET not in text, (annotation, value)
                sent += 1
    assert sent > 1000


class Holder(pydantic.BaseModel):
    one: Pydantic = Pydantic()
    many: list[Pydantic] = []
    either: Pydantic | int = pydantic.Field(default=1, alias="or", serialization_alias="other")


class Unrelated(pydantic.BaseModel):
    a: int = 1
    secret: str = SECRET


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"one": DICT}, {"one": {"a": 1}}),
        ({"one": Unrelated(a=1)}, {"one": {"a": 1}}),
        ({"many": [DICT, Unrelated(a=1), PydanticMore(a=1)]}, {"many": [{"a": 1}] * 3}),
        ({"either": DICT}, {"other": {"a": 1}}),
        ({"one": Object()}, None),
        ({"one": {"secret": SECRET, "a": "x"}}, None),
    ],
)
def test_pydantic_models_that_were_changed(changes: dict[str, Any], expected: Any) -> None:
    # pydantic itself sends such parts as they are, with a warning.
    holder = Holder()
    for name, value in changes.items():
        setattr(holder, name, value)
    for annotation, result, wanted in (
        (Holder, holder, expected),
        (list[Holder], [holder], [expected]),
        (Box[Holder], Box[Holder].model_construct(item=holder), {"item": expected}),
    ):
        serializer = serializer_of(annotation)
        if expected is None:
            with pytest.raises(ResponseErrors):
                serializer.dump_json(result, exclude_unset=True)
        else:
            assert json.loads(serializer.dump_json(result, exclude_unset=True)) == wanted
            assert serializer.dump(result, exclude_unset=True) == wanted


def test_pydantic_writes_its_models_as_they_are_configured() -> None:
    class Configured(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(ser_json_inf_nan="strings")
        value: float

    assert serializer_of(Configured).dump_json(Configured(value=float("nan"))) == b'{"value":"NaN"}'
