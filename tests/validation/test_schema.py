"""From an annotation to its schema: kinds of types, names in strings, recursion, what cannot be read."""

from __future__ import annotations

import collections.abc as abc
import dataclasses
import typing
import warnings
from typing import Annotated, Any, Final, Generic, NewType, TypeVar

import msgspec
import pytest
from typing_extensions import TypeAliasType

from fastweb.exceptions import FastWebError, PydanticV1NotSupportedError
from fastweb.fields import Field
from fastweb.models import BaseModel
from fastweb.validation import nodes
from fastweb.validation.schema import schema_of

T = TypeVar("T")
Number = TypeVar("Number", bound=int)
Word = TypeVar("Word", str, bytes)
UserId = NewType("UserId", int)
Tree = TypeAliasType("Tree", "dict[str, Tree | None]")
Pair = TypeAliasType("Pair", tuple[T, T], type_params=(T,))


class Node(msgspec.Struct):
    kids: list[Node] = []
    box: Box[Node] | None = None


class Box(msgspec.Struct, Generic[T]):
    content: T


class IntBox(Box[int]):
    label: str = ""


@dataclasses.dataclass
class Page(Generic[T]):
    items: list[T]
    next: Page[T] | None = None


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Any, nodes.AnySchema),
        (object, nodes.AnySchema),
        (None, nodes.NoneSchema),
        (UserId, nodes.IntSchema),
        (typing.List, nodes.ListSchema),  # noqa: UP006
        (typing.Dict[str, int], nodes.DictSchema),  # noqa: UP006
        (abc.Collection, nodes.SequenceSchema),
        (abc.Iterator[int], nodes.IterableSchema),
        (abc.Callable[[int], str], nodes.CallableSchema),
        (type[int], nodes.SubclassSchema),
        (T, nodes.AnySchema),
        (Number, nodes.IntSchema),
        (Word, nodes.UnionSchema),
        (Final[int], nodes.IntSchema),
        (typing.LiteralString, nodes.StrSchema),
        (int | None, nodes.NullableSchema),
        (int | msgspec.UnsetType, nodes.UnsetSchema),
        (Annotated[Annotated[int, Field(gt=1)], Field(lt=3)], nodes.IntSchema),
        (Node, nodes.ModelSchema),
        (Tree, nodes.DictSchema),
    ],
)
def test_kinds(annotation: Any, kind: type[nodes.Schema]) -> None:
    assert type(schema_of(annotation)) is kind


def test_constraints_come_from_all_around() -> None:
    schema = schema_of(Annotated[Annotated[int, Field(gt=1)], msgspec.Meta(lt=3)], field=Field(multiple_of=2))
    assert isinstance(schema, nodes.IntSchema)
    assert (schema.gt, schema.lt, schema.multiple_of) == (1, 3, 2)
    assert len(schema.metadata) == 3


def test_a_recursive_type_refers_to_itself() -> None:
    schema = schema_of(Node)
    assert isinstance(schema, nodes.ModelSchema)
    kids = schema.fields[0].schema
    assert isinstance(kids, nodes.ListSchema)
    assert isinstance(kids.item, nodes.RefSchema)
    assert kids.item.resolve() is schema
    tree: Any = schema_of(Tree)
    assert tree.value.inner.resolve() is tree


def test_type_arguments_reach_the_fields() -> None:
    box: Any = schema_of(Box[list[int]])
    assert isinstance(box.fields[0].schema.item, nodes.IntSchema)
    assert box.cls is Box
    assert box.annotation == Box[list[int]]
    inherited: Any = schema_of(IntBox)
    assert isinstance(inherited.fields[0].schema, nodes.IntSchema)
    page: Any = schema_of(Page[str])
    assert isinstance(page.fields[0].schema.item, nodes.StrSchema)
    assert page.fields[1].schema.inner.resolve() is page
    pair: Any = schema_of(Pair[int])
    assert [type(item) for item in pair.items] == [nodes.IntSchema, nodes.IntSchema]
    bare: Any = schema_of(Box)
    assert isinstance(bare.fields[0].schema, nodes.AnySchema)


def test_a_model_that_occurs_twice_is_one_node() -> None:
    schema: Any = schema_of(tuple[Box[int], Box[int]])
    assert schema.items[0] is schema.items[1]


def test_names_in_strings_are_those_of_the_owners_module() -> None:
    def endpoint(node: Node) -> None: ...

    assert isinstance(schema_of("list[Node]", owner=endpoint), nodes.ListSchema)
    assert isinstance(schema_of(list["Node"], owner=endpoint), nodes.ListSchema)
    assert isinstance(schema_of("list[Local]", namespace={"Local": int}), nodes.ListSchema)


class Unfinished(msgspec.Struct):
    a: Missing  # type: ignore[name-defined]  # noqa: F821


class Strange:
    pass


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Strange, "cannot validate the type Strange"),
        (list[Strange], "cannot validate the type Strange"),
        (Unfinished, "Unfinished.a: the annotation 'Missing' names 'Missing', which is not defined"),
        ("list[", "cannot be read"),
        ("Nowhere", "names 'Nowhere', which is not defined"),
        (Annotated[int, Field(min_length=2)], "min_length=2 does not apply to the type int"),
        (Annotated[list[int], Field(pattern="a")], "pattern='a' does not apply to the type list"),
        (Annotated[int, msgspec.Meta(tz=True)], "tz"),
        (abc.AsyncIterator[int], "cannot validate"),
        (typing.Never, "cannot validate"),
        (3, "cannot validate"),
    ],
)
def test_what_cannot_be_read_is_said_at_once(annotation: Any, words: str) -> None:
    with pytest.raises(FastWebError, match=words.replace("[", r"\[")):
        schema_of(annotation)


def test_the_field_at_fault_is_named() -> None:
    class Holder(BaseModel):
        part: list[Strange]

    with pytest.raises(FastWebError, match=r"Holder\.part: fastweb cannot validate the type Strange"):
        schema_of(Holder)


def test_a_struct_takes_field_in_annotated_alone() -> None:
    class Wrong(msgspec.Struct):
        a: int = Field(3)

    with pytest.raises(FastWebError, match=r"Wrong\.a: a msgspec\.Struct takes Field"):
        schema_of(Wrong)


def test_a_defaultdict_tells_what_it_makes() -> None:
    import collections

    made: Any = schema_of(collections.defaultdict[str, list[int]])
    assert made.default_factory is list
    named: Any = schema_of(collections.defaultdict[str, Annotated[Node, Field(default_factory=Node)]])
    assert named.default_factory is Node
    with pytest.raises(FastWebError, match="default_factory"):
        schema_of(collections.defaultdict[str, Node])


def test_models_of_pydantic_v1_are_refused_by_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        v1 = pytest.importorskip("pydantic.v1")

    class Old(v1.BaseModel):  # type: ignore[misc,name-defined]
        name: str

    for annotation in (Old, list[Old], Old | None):
        with pytest.raises(PydanticV1NotSupportedError, match=r"Old is a model of pydantic\.v1"):
            schema_of(annotation)
