"""Rows from the bytes of DataRow messages, in both modes: records, classes, values, JSON, what is hostile."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import enum
import gc
import pickle
import struct
import sys
import weakref
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import msgspec
import pytest

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_numeric import NumericCodec
from fastweb._speedups.pg_objects import class_sink, one_sink
from fastweb._speedups.pg_record import Columns, Record, make_record
from fastweb._speedups.pg_rows import RowError, RowSink, json_sink, records_sink, tuples_sink, value_sink
from fastweb._speedups.pg_scalar import (
    BoolCodec,
    Float4Codec,
    Float8Codec,
    Int2Codec,
    Int4Codec,
    Int8Codec,
    TextCodec,
    kinds_of,
)
from fastweb._speedups.pg_wire import WireError
from fastweb._speedups.untyped import JSONBytes
from fastweb.models import BaseModel, Field


class Made(Codec):
    """A codec whose values are what a function makes of their text."""

    make: Callable[[str], Any]

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__(25, "text")
        self.make = make

    def decode(self, data: bytes, at: int, end: int) -> Any:
        return self.make(data[at:end].decode())

    def write_json(self, out: Any, data: bytes, at: int, end: int) -> None:
        raise AssertionError("compiled, this would be called")


INT, TEXT, NUMERIC, DOCUMENT = Made(int), TextCodec(25, "text"), Made(Decimal), Made(msgspec.json.decode)
TIMESTAMP = Made(datetime.datetime.fromisoformat)


def body(*values: str | bytes | None) -> bytes:
    """A DataRow without its head."""
    parts = [struct.pack("!h", len(values))]
    for value in values:
        if value is None:
            parts.append(struct.pack("!i", -1))
        else:
            data = value.encode() if isinstance(value, str) else value
            parts += [struct.pack("!i", len(data)), data]
    return b"".join(parts)


def message(content: bytes, kind: bytes = b"D") -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


def run(sink: RowSink, columns: Columns, *rows: tuple[str | bytes | None, ...]) -> Any:
    sink.begin(columns)
    data = b"".join(message(body(*row)) for row in rows)
    assert sink.add_all(data, 0, len(data)) == len(data)
    return sink.finish()


USER = Columns(("id", "name"), (INT, TEXT))
ROWS: tuple[tuple[str, str | None], ...] = (("1", "a"), ("2", None))


# Records


def test_records() -> None:
    first, second = run(records_sink(), USER, *ROWS)
    assert (first.id, first["name"], first[0], first[-1], first[0:1]) == (1, "a", 1, "a", (1,))
    assert (second.get("name", 5), second.get("x", 5), second.get("x")) == (None, 5, None)
    assert (list(first.keys()), list(first.values()), list(first.items())) == (
        ["id", "name"],
        [1, "a"],
        [("id", 1), ("name", "a")],
    )
    assert dict(first) == {"id": 1, "name": "a"}
    assert ("id" in first, 1 in first, len(first), [*first]) == (True, False, 2, [1, "a"])
    assert repr(first) == "<Record id=1 name='a'>"
    assert {"id", "name", "keys"} <= set(dir(first))


def test_records_compare_as_their_values() -> None:
    one, two = Record(id=1, name="a"), Record(id=2, name="a")
    assert one == Record(x=1, y="a") == (1, "a")
    assert (one != two, one < two, two >= one, one <= (1, "b"), two > one) == (True,) * 5
    assert hash(one) == hash((1, "a"))
    assert one != [1, "a"]
    assert {one: 1}[(1, "a")] == 1  # type: ignore[index]
    with pytest.raises(TypeError):
        assert one < [1]


def test_records_match() -> None:
    record: Any = Record(id=1, name="a", extra=None)
    match record:
        case {"id": 1, "name": name, **rest}:
            assert (name, rest) == ("a", {"extra": None})
        case _:
            raise AssertionError
    match record:
        case Record(id=1, name=name):
            assert name == "a"
        case _:
            raise AssertionError
    match record:
        case {"nothing": _} | [*_]:
            raise AssertionError
        case _:
            pass


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_records_are_pickled_with_their_names_once(protocol: int) -> None:
    records = run(records_sink(), USER, *ROWS)
    again = pickle.loads(pickle.dumps(records, protocol))
    assert again == records
    assert [dict(each) for each in again] == [dict(each) for each in records]
    many = pickle.dumps(run(records_sink(), USER, *(ROWS * 50)), protocol)
    assert many.count(b"name") == 1


def test_records_are_copied() -> None:
    [record] = run(records_sink(), Columns(("doc",), (DOCUMENT,)), ("[1]",))
    assert copy.copy(record) is record
    deep = copy.deepcopy(record)
    deep.doc.append(2)
    assert (record.doc, deep.doc, deep["doc"]) == ([1], [1, 2], [1, 2])


def test_records_do_not_change() -> None:
    record: Any = Record(id=1)
    for name in ("id", "new"):
        with pytest.raises(AttributeError):
            setattr(record, name, 2)
        with pytest.raises(AttributeError):
            delattr(record, name)
    with pytest.raises(TypeError):
        record[0] = 2
    with pytest.raises(TypeError):
        del record["id"]


@pytest.mark.parametrize("key", [2, -3, "x", None, 1.5])
def test_what_a_record_does_not_have(key: Any) -> None:
    with pytest.raises((IndexError, KeyError, TypeError)):
        Record(id=1, name="a")[key]


def test_an_attribute_that_is_no_column_is_told() -> None:
    with pytest.raises(AttributeError, match=r"the row has no column 'nam'; it has 'id', 'name'") as caught:
        Record(id=1, name="a").nam  # noqa: B018
    assert caught.value.name == "nam"
    assert not hasattr(Record(), "x")


def test_a_column_with_the_name_of_a_method_is_found_by_its_key() -> None:
    record: Any = Record(get=1, keys=2)
    assert (record["get"], record["keys"], dict(record)) == (1, 2, {"get": 1, "keys": 2})


def test_of_two_columns_with_one_name_the_later_is_found() -> None:
    [record] = run(records_sink(), Columns(("id", "id"), (INT, INT)), ("1", "2"))
    assert (record[0], record["id"], record.id, dict(record), [*record.keys()]) == (
        1,
        2,
        2,
        {"id": 2},
        ["id", "id"],
    )


def test_records_that_refer_to_themselves_are_collected() -> None:
    class Holder:
        pass

    holder = Holder()
    gone = weakref.ref(holder)
    [record] = run(records_sink(), Columns(("doc",), (DOCUMENT,)), ("[1]",))
    record.doc.extend([record, holder])
    del record, holder
    gc.collect()
    assert gone() is None


def test_records_leak_nothing() -> None:
    columns = Columns(("id", "name"), (INT, TEXT))
    rows = [("1", "a")] * 200
    for _ in range(3):
        run(records_sink(), columns, *rows)
    before = sys.getrefcount(columns)
    for _ in range(5):
        assert len(run(records_sink(), columns, *rows)) == 200
    assert sys.getrefcount(columns) == before


# Other forms


def test_tuples_and_values() -> None:
    assert run(tuples_sink(), USER, *ROWS) == [(1, "a"), (2, None)]
    assert run(value_sink(), USER, *ROWS) == 1
    assert run(value_sink(), USER) is None
    assert run(value_sink(), Columns((), ()), ()) is None
    assert run(one_sink(), USER, *ROWS) == (1, "a")
    assert run(one_sink(), USER) is None
    assert run(one_sink(dict), USER, *ROWS) == {"id": 1, "name": "a"}
    assert run(class_sink(Record), USER, *ROWS) == [(1, "a"), (2, None)]


@pytest.mark.parametrize(
    ("sink", "expected"),
    [
        (records_sink, []),
        (tuples_sink, []),
        (lambda: class_sink(dict), []),
        (one_sink, None),
        (value_sink, None),
        (json_sink, b"[]"),
        (lambda: json_sink(one=True), b"null"),
    ],
)
def test_a_statement_without_rows(sink: Callable[[], RowSink], expected: Any) -> None:
    assert sink().finish() == expected
    assert run(sink(), USER) == expected


def test_json() -> None:
    columns = Columns(('i"d', "name"), (TEXT, TEXT))
    rows = (("1", 'é"\n'), ("2", None))
    document = run(json_sink(), columns, *rows)
    assert type(document) is JSONBytes
    assert document == '[{"i\\"d":"1","name":"é\\"\\n"},{"i\\"d":"2","name":null}]'.encode()
    assert run(json_sink(one=True), columns, *rows) == '{"i\\"d":"1","name":"é\\"\\n"}'.encode()
    assert run(json_sink(), Columns((), ()), (), ()) == b"[{},{}]"


def test_json_has_no_key_twice() -> None:
    with pytest.raises(RowError, match="two columns are named 'id'"):
        json_sink().begin(Columns(("id", "id"), (INT, INT)))


def test_many_rows_of_json() -> None:
    columns = Columns(("id", "text"), (TEXT, TEXT))
    rows = [(str(number), "x" * (number % 300)) for number in range(3000)]
    expected = [{"id": number, "text": text} for number, text in rows]
    assert msgspec.json.decode(run(json_sink(), columns, *rows)) == expected


def test_numerics_as_json_are_what_their_decimals_are() -> None:
    random = Random(5)
    codec = NumericCodec(1700, "numeric")
    columns = Columns(("n",), (codec,))
    for _ in range(3000):
        digits = [random.choice((0, 1, 9, 10, 99, 100, 999, 1000, 9999)) for _ in range(random.randint(0, 4))]
        sign = random.choice((0, 0x4000))
        data = struct.pack("!hhHh", len(digits), random.randint(-4, 5), sign, random.randint(0, 16))
        data += b"".join(struct.pack("!H", digit) for digit in digits)
        expected = msgspec.json.encode([{"n": codec.decode(data, 0, len(data))}])
        assert run(json_sink(), columns, (data,)) == expected


# Structs


class User(msgspec.Struct):
    id: int
    name: str | None


class Frozen(msgspec.Struct, frozen=True, gc=False, kw_only=True, array_like=True, cache_hash=True):
    name: str | None = "?"
    id: int


class Renamed(msgspec.Struct, rename="camel"):
    user_id: int
    full_name: str = msgspec.field(name="label")


class Defaults(msgspec.Struct):
    id: int
    tags: list[str] = []
    number: float = 1.5
    made: dict[str, int] = msgspec.field(default_factory=lambda: {"a": 1})


class Tagged(msgspec.Struct, tag_field="kind", tag="tagged"):
    id: int


class After(msgspec.Struct, dict=True, weakref=True):
    id: int

    def __post_init__(self) -> None:
        self.double = self.id * 2


T = TypeVar("T")


class Box(msgspec.Struct, Generic[T]):
    value: T


def columns_of(**codecs: Codec) -> Columns:
    return Columns(tuple(codecs), tuple(codecs.values()))


def test_structs() -> None:
    assert run(class_sink(User), USER, *ROWS) == [User(1, "a"), User(2, None)]
    assert run(one_sink(User), USER, *ROWS) == User(1, "a")
    assert run(one_sink(User), USER) is None
    swapped = columns_of(name=TEXT, id=INT)
    assert run(class_sink(User), swapped, ("a", "1")) == [User(1, "a")]
    assert run(class_sink(User), swapped, ("b", "2")) == [User(2, "b")]


def test_structs_of_every_make() -> None:
    made = run(class_sink(Frozen), USER, *ROWS)
    assert made == [Frozen(id=1, name="a"), Frozen(id=2, name=None)]
    assert hash(made[0]) == hash(Frozen(id=1, name="a"))
    assert run(class_sink(Frozen), columns_of(id=INT), ("1",)) == [Frozen(id=1)]
    assert run(class_sink(Tagged), columns_of(id=INT), ("1",)) == [Tagged(1)]
    assert run(class_sink(Tagged), columns_of(id=INT, kind=TEXT), ("1", "tagged")) == [Tagged(1)]
    [after] = run(class_sink(After), columns_of(id=INT), ("4",))
    assert (after.double, weakref.ref(after)()) == (8, after)
    assert run(class_sink(Box[int]), columns_of(value=INT), ("4",)) == [Box(4)]
    with pytest.raises(RowError, match="Expected `int`"):
        run(class_sink(Box[int]), columns_of(value=TEXT), ("4",))
    assert msgspec.json.encode(run(class_sink(User), USER, *ROWS)) == (
        b'[{"id":1,"name":"a"},{"id":2,"name":null}]'
    )


def test_a_union_of_tagged_structs() -> None:
    class Cat(msgspec.Struct, tag_field="kind", tag="cat"):
        id: int

    class Dog(msgspec.Struct, tag_field="kind", tag="dog"):
        id: int

    columns = columns_of(kind=TEXT, id=INT)
    assert run(class_sink(Cat | Dog), columns, ("dog", "1"), ("cat", "2")) == [Dog(1), Cat(2)]
    with pytest.raises(RowError, match="row 1 does not fit"):
        run(class_sink(Cat | Dog), columns, ("cow", "1"))


def test_columns_find_fields_by_both_names() -> None:
    expected = [Renamed(1, "a")]
    for names in (("userId", "label"), ("user_id", "full_name"), ("userId", "full_name")):
        assert run(class_sink(Renamed), Columns(names, (INT, TEXT)), ("1", "a")) == expected
    with pytest.raises(RowError, match="two columns are for the field 'full_name'"):
        class_sink(Renamed).begin(Columns(("userId", "label", "full_name"), (INT, TEXT, TEXT)))


def test_defaults_of_fields_that_were_not_selected() -> None:
    one, two = run(class_sink(Defaults), columns_of(id=INT), ("1",), ("2",))
    assert (one, two) == (Defaults(1), Defaults(2))
    assert one.tags is not two.tags
    assert one.made is not two.made
    assert one.made == {"a": 1}


class Sort(enum.Enum):
    A = "a"
    B = "b"


class Inner(msgspec.Struct):
    a: int


class Wide(msgspec.Struct):
    sort: Sort = Sort.A
    literal: Literal["x", "y"] = "x"
    score: float = 0.0
    least: Annotated[int, msgspec.Meta(ge=1)] = 1
    doc: Inner | None = None
    items: tuple[int, ...] = ()
    anything: Any = None
    at: datetime.datetime | None = None


@pytest.mark.parametrize(
    ("column", "codec", "text", "expected"),
    [
        ("sort", TEXT, "b", Sort.B),
        ("literal", TEXT, "y", "y"),
        ("score", INT, "3", 3.0),
        ("score", NUMERIC, "1.25", 1.25),
        ("least", INT, "1", 1),
        ("doc", DOCUMENT, '{"a":1}', Inner(1)),
        ("doc", DOCUMENT, None, None),
        ("items", DOCUMENT, "[1,2]", (1, 2)),
        ("anything", NUMERIC, "1.5", Decimal("1.5")),
        ("anything", NUMERIC, None, None),
        ("at", TIMESTAMP, "2026-01-02T03:04:05", datetime.datetime(2026, 1, 2, 3, 4, 5)),
    ],
)
def test_values_become_what_the_field_asks_for(
    column: str, codec: Codec, text: str | None, expected: Any
) -> None:
    [made] = run(class_sink(Wide), Columns((column,), (codec,)), (text,))
    value = getattr(made, column)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("column", "codec", "text", "message"),
    [
        (
            "sort",
            TEXT,
            "c",
            "Wide.sort is Sort, and the column 'sort' of row 2 holds 'c': Invalid enum",
        ),
        ("literal", TEXT, "z", "Wide.literal"),
        ("score", TEXT, "1", "Wide.score is float, and the column 'score' of row 2 holds '1'"),
        ("least", INT, "0", "`int` >= 1"),
        ("least", INT, None, "Wide.least is .*int.*, and the column 'least' of row 2 is NULL"),
        ("doc", DOCUMENT, '{"b":1}', "missing required field `a`"),
        ("doc", TEXT, "x" * 500, r"holds 'x{90,100}\.\.\.: "),
        ("at", TEXT, "yesterday", "Wide.at"),
    ],
)
def test_values_that_do_not_fit(column: str, codec: Codec, text: str | None, message: str) -> None:
    sink = class_sink(Wide)
    sink.begin(Columns((column,), (codec,)))
    fine = {"least": "1", "score": "1", "sort": "a", "literal": "x"}.get(column)
    if column == "score":
        sink = class_sink(Wide)
        sink.begin(Columns((column,), (Made(lambda text: 1.0 if text == "one" else text),)))
        fine = "one"
    first = body(fine)
    sink.add(first, 0, len(first))
    row = body(text)
    with pytest.raises(RowError, match=message):
        sink.add(row, 0, len(row))


def test_null_where_there_may_be_none() -> None:
    with pytest.raises(
        RowError,
        match=r"User.id is int, and the column 'id' of row 1 is NULL; declare it `int \| None` or select",
    ):
        run(class_sink(User), USER, (None, "a"))


def test_a_column_that_a_class_has_not_may_be_null() -> None:
    class Struct(msgspec.Struct):
        id: int

    @dataclasses.dataclass
    class Plain:
        id: int

    @dataclasses.dataclass(slots=True)
    class Slotted:
        id: int

    class Model(BaseModel):
        id: int

    columns = columns_of(id=INT, new=TEXT)
    for cls in (Struct, Plain, Slotted, Model):
        assert run(class_sink(cls), columns, ("1", None), ("2", "new")) == [cls(id=1), cls(id=2)]
    with pytest.raises(RowError, match="'kind' of row 1 is NULL"):
        run(class_sink(Tagged), columns_of(id=INT, kind=TEXT), ("1", None))


def test_columns_that_do_not_fit_a_class() -> None:
    class Exact(msgspec.Struct, forbid_unknown_fields=True):
        id: int
        name: str

    # A deploy may add columns first.
    assert run(class_sink(User), columns_of(id=INT, x=INT, name=TEXT), ("1", "2", "a")) == [User(1, "a")]
    with pytest.raises(RowError, match="Exact has no field for the column 'age'; its fields are 'id'"):
        class_sink(Exact).begin(columns_of(id=INT, name=TEXT, age=INT))
    with pytest.raises(
        RowError,
        match=r"Renamed.full_name has no default, and there is no column 'full_name' \(nor 'label'\)",
    ):
        class_sink(Renamed).begin(columns_of(user_id=INT))
    with pytest.raises(RowError, match="two columns are named 'id'"):
        class_sink(User).begin(Columns(("id", "id"), (INT, INT)))


def test_a_plan_is_made_once() -> None:
    columns = columns_of(id=INT, name=TEXT)
    for _ in range(2):
        run(class_sink(User), columns, *ROWS)
    assert list(columns.plans) == [User]


def test_plans_of_classes_without_end_are_not_kept() -> None:
    columns = columns_of(id=INT)
    for _ in range(300):
        Local = msgspec.defstruct("Local", [("id", int)])
        assert run(class_sink(Local), columns, ("1",)) == [Local(1)]
    assert len(columns.plans) <= 100


def test_an_annotation_without_a_hash() -> None:
    assert run(class_sink(Annotated[int, []]), columns_of(id=INT), ("1",)) == [1]


def test_structs_are_collected() -> None:
    class Node(msgspec.Struct, weakref=True):
        doc: Any

    [node] = run(class_sink(Node), columns_of(doc=DOCUMENT), ("[]",))
    node.doc.append(node)
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None
    [node] = run(class_sink(Node), columns_of(doc=INT), ("1",))
    node.doc = node
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None


def test_classes_leak_nothing() -> None:
    columns = columns_of(id=INT, name=TEXT)
    value = "not small" * 3
    text = Made(lambda _: value)
    for cls in (User, Frozen, Point, Slots, dict):
        rows = [("1", "a")] * 50
        both = Columns(("id", "name"), (INT, text))
        run(class_sink(cls), both, *rows)
        before = sys.getrefcount(value), sys.getrefcount(cls)
        run(class_sink(cls), both, *rows)
        with pytest.raises(WireError):
            run(class_sink(cls), both, ("1",))
        failing = body("1", "a") + b"x"
        with pytest.raises(WireError):
            sink = class_sink(cls)
            sink.begin(both)
            sink.add(failing, 0, len(failing))
        del sink
        gc.collect()
        assert (sys.getrefcount(value), sys.getrefcount(cls)) == before, cls
    assert columns.count == 2


# Other classes


@dataclasses.dataclass
class Point:
    id: int
    name: str | None = None
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Slots:
    id: int
    name: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    id: int
    name: str | None = "?"


@dataclasses.dataclass
class Late:
    id: int
    factor: dataclasses.InitVar[int] = 10
    product: int = dataclasses.field(init=False, default=0)

    def __post_init__(self, factor: int) -> None:
        self.product = self.id * factor


@dataclasses.dataclass
class Written:
    id: int

    def __init__(self, id: int) -> None:
        self.id = -id


@dataclasses.dataclass
class Guarded:
    id: int

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value + 100)


def test_dataclasses() -> None:
    assert run(class_sink(Point), USER, *ROWS) == [Point(1, "a"), Point(2)]
    one, two = run(class_sink(Point), columns_of(id=INT), ("1",), ("2",))
    assert (one, two, one.tags is two.tags) == (Point(1), Point(2), False)
    assert vars(one) == {"id": 1, "name": None, "tags": []}
    assert run(class_sink(Slots), USER, *ROWS) == [Slots(1, "a"), Slots(2, None)]
    assert run(class_sink(Still), USER, *ROWS) == [Still(id=1, name="a"), Still(id=2, name=None)]
    assert run(class_sink(Still), columns_of(id=INT), ("1",)) == [Still(id=1)]
    assert run(class_sink(Late), columns_of(id=INT), ("3",))[0].product == 30
    assert run(class_sink(Late), columns_of(id=INT, factor=INT), ("3", "2"))[0].product == 6
    assert run(class_sink(Written), columns_of(id=INT), ("3",))[0].id == -3
    assert run(class_sink(Guarded), columns_of(id=INT), ("3",))[0].id == 103
    assert run(class_sink(Late), columns_of(id=INT, product=INT), ("3", "7"))[0].product == 30
    with pytest.raises(RowError, match=r"Point\.id is int, and the column 'id' of row 1 holds 'x'"):
        run(class_sink(Point), columns_of(id=TEXT), ("x",))


class Row(NamedTuple):
    id: int
    name: str | None = "?"


class Typed(TypedDict):
    id: int
    name: str | None


class Partly(TypedDict, total=False):
    id: int
    name: str


def test_tuples_and_dicts_with_types() -> None:
    assert run(class_sink(Row), USER, *ROWS) == [Row(1, "a"), Row(2, None)]
    assert type(run(class_sink(Row), USER, *ROWS)[0]) is Row
    assert run(class_sink(Row), columns_of(name=TEXT, id=INT), ("a", "1")) == [Row(1, "a")]
    assert run(class_sink(Row), columns_of(id=INT), ("1",)) == [Row(1)]
    assert run(class_sink(Typed), USER, *ROWS) == [{"id": 1, "name": "a"}, {"id": 2, "name": None}]
    assert run(class_sink(Partly), columns_of(id=INT), ("1",)) == [{"id": 1}]
    with pytest.raises(RowError, match=r"Typed\.name has no default"):
        class_sink(Typed).begin(columns_of(id=INT))
    assert run(class_sink(dict[str, Any]), USER, *ROWS)[1] == {"id": 2, "name": None}
    assert run(class_sink(tuple), USER, *ROWS)[1] == (2, None)
    assert run(class_sink(tuple[int, str | None]), USER, *ROWS)[1] == (2, None)
    assert run(class_sink(tuple[Any, ...]), USER, *ROWS)[1] == (2, None)
    with pytest.raises(RowError, match="made of 1 columns, and there are 2"):
        class_sink(tuple[int]).begin(USER)
    with pytest.raises(RowError, match="two columns are named 'id'"):
        class_sink(dict).begin(Columns(("id", "id"), (INT, INT)))


@pytest.mark.parametrize(
    ("cls", "codec", "text", "expected"),
    [
        (int, INT, "1", 1),
        (str, TEXT, "a", "a"),
        (int | None, INT, None, None),
        (Any, INT, None, None),
        (float, INT, "1", 1.0),
        (Sort, TEXT, "b", Sort.B),
        (list[int], DOCUMENT, "[1]", [1]),
        (list, DOCUMENT, "[1]", [1]),
        (Literal["a"], TEXT, "a", "a"),
    ],
)
def test_one_column(cls: Any, codec: Codec, text: str | None, expected: Any) -> None:
    assert run(class_sink(cls), Columns(("x",), (codec,)), (text,)) == [expected]


def test_one_column_that_does_not_fit() -> None:
    with pytest.raises(RowError, match="int is made of one column, and there are 2: 'id', 'name'"):
        class_sink(int).begin(USER)
    with pytest.raises(RowError, match="int is int, and the column 'x' of row 1 is NULL"):
        run(class_sink(int), columns_of(x=INT), (None,))
    with pytest.raises(RowError, match="int is int, and the column 'x' of row 1 holds 'a'"):
        run(class_sink(int), columns_of(x=TEXT), ("a",))


def test_a_class_or_none() -> None:
    assert run(class_sink(Row | None), USER, *ROWS) == [Row(1, "a"), Row(2, None)]
    assert run(class_sink(Typed | None), USER, *ROWS)[0] == {"id": 1, "name": "a"}
    assert run(class_sink(Model | None), USER, *ROWS)[0] == Model(id=1, name="a")
    # Of one column, too, it is a class of rows.
    assert run(class_sink(Row | None), columns_of(id=INT), ("1",)) == [Row(1)]
    assert run(class_sink(int | None), columns_of(id=INT), ("1",), (None,)) == [1, None]


def test_what_is_no_class() -> None:
    with pytest.raises(RowError, match=r"2: 'id', 'name'; a row is Row, and `fetch` gives a list of them"):
        class_sink(list[Row]).begin(USER)
    for instance in (Row(1), Model(id=1), 7):
        with pytest.raises(RowError, match="objects of a class or another type, and this is none"):
            class_sink(instance).begin(USER)


class Model(BaseModel):
    id: int
    name: str | None = "?"
    tags: list[str] = Field(default_factory=list)


class Strict(BaseModel):
    id: int = Field(gt=1)
    name: str = Field(alias="label", max_length=3)


def test_models() -> None:
    one, two = run(class_sink(Model), USER, *ROWS)
    assert (one, two) == (Model(id=1, name="a"), Model(id=2, name=None))
    assert one.model_fields_set == {"id", "name"}
    [short] = run(class_sink(Model), columns_of(id=INT), ("1",))
    assert (short, short.model_fields_set) == (Model(id=1), {"id"})
    assert run(class_sink(Model), columns_of(id=TEXT), ("7",)) == [Model(id=7)]
    with pytest.raises(RowError, match="row 1 does not fit Model"):
        run(class_sink(Model), columns_of(id=TEXT), ("x",))
    with pytest.raises(RowError, match="row 1 does not fit Model"):
        run(class_sink(Model), columns_of(id=INT), (None,))
    columns = columns_of(id=INT, label=TEXT)
    assert run(class_sink(Strict), columns, ("2", "abc")) == [Strict(id=2, label="abc")]
    for row in (("1", "abc"), ("2", "abcd")):
        with pytest.raises(RowError, match="row 1 does not fit Strict"):
            run(class_sink(Strict), columns, row)


@pytest.mark.parametrize(
    ("annotation", "field", "codec", "fits", "wrong"),
    [
        (Decimal, Field(gt=100), NUMERIC, "100.5", "1.5"),
        (Decimal | None, Field(None, ge=5), NUMERIC, "5", "1"),
        (Annotated[Decimal, Field(le=5)], ..., NUMERIC, "5", "6"),
        (Decimal, Field(max_digits=2), NUMERIC, "1.5", "1234.5"),
        (Decimal, Field(decimal_places=1), NUMERIC, "1.5", "1.25"),
        (float, Field(allow_inf_nan=False), Made(float), "1.5", "nan"),
        (
            datetime.date,
            Field(gt=datetime.date(2026, 1, 1)),
            Made(datetime.date.fromisoformat),
            "2026-01-02",
            "2025-01-01",
        ),
    ],
)
def test_a_model_checks_what_its_annotation_does_not_tell(
    annotation: Any, field: Any, codec: Codec, fits: str, wrong: str
) -> None:
    body = {"__annotations__": {"n": annotation}, "__module__": __name__}
    meta: Any = type(BaseModel)
    model = meta("model", (BaseModel,), body if field is ... else {**body, "n": field})
    [row] = run(class_sink(model), columns_of(n=codec), (fits,))
    assert isinstance(row, model)
    with pytest.raises(RowError, match="row 1 does not fit model"):
        run(class_sink(model), columns_of(n=codec), (wrong,))


def test_columns_that_a_model_does_not_have() -> None:
    class Loose(BaseModel):
        id: int

    class Closed(BaseModel, extra="forbid"):
        id: int

    class Open(BaseModel, extra="allow"):
        id: int

    assert run(class_sink(Loose), USER, *ROWS) == [Loose(id=1), Loose(id=2)]
    assert run(class_sink(Loose), columns_of(id=TEXT, name=INT), ("1", "2")) == [Loose(id=1)]
    assert run(class_sink(Open), USER, *ROWS)[0].model_extra == {"name": "a"}
    with pytest.raises(RowError, match="Closed has no field for the column 'name'"):
        class_sink(Closed).begin(USER)


def test_models_of_only_types_are_filled_from_the_wire() -> None:
    class Plain(BaseModel):
        id: int
        name: str | None = None

    columns = columns_of(id=INT, name=TEXT)
    made = run(class_sink(Plain), columns, *ROWS)
    assert made == [Plain(id=1, name="a"), Plain(id=2, name=None)]
    assert run(class_sink(Plain), columns_of(name=TEXT, id=TEXT), ("a", "5")) == [Plain(id=5, name="a")]


def test_pydantic_models() -> None:
    import pydantic

    Model: Any = pydantic.create_model("Model", id=(int, ...), name=(str | None, None))
    made = run(class_sink(Model), USER, *ROWS)
    assert made == [Model(id=1, name="a"), Model(id=2)]
    with pytest.raises(RowError, match="row 1 does not fit Model"):
        run(class_sink(Model), columns_of(id=TEXT), ("x",))

    @pydantic.dataclasses.dataclass
    class Data:
        id: int

    assert [each.id for each in run(class_sink(Data), columns_of(id=TEXT), ("7",))] == [7]


def test_what_rows_cannot_be() -> None:
    class Plain:
        pass

    with pytest.raises(RowError, match="Plain"):
        run(class_sink(Plain), columns_of(x=INT), ("1",))


# What is hostile

HOSTILE: list[tuple[bytes, str]] = [
    (b"", "0 bytes"),
    (b"\x00", "1 bytes"),
    (body("1"), "1 values, where 2"),
    (body("1", "a", "b"), "3 values, where 2"),
    (struct.pack("!h", -1), "-1 values"),
    (struct.pack("!h", 2), "4 bytes"),
    (struct.pack("!hi", 2, 1), "1 bytes"),
    (struct.pack("!hi", 2, -2), "-2 bytes"),
    (struct.pack("!hi", 2, -(2**31)), "-2147483648 bytes"),
    (struct.pack("!hi", 2, 2**31 - 1) + b"1", "2147483647 bytes"),
    (body("1", "a")[:-1], "1 bytes"),
    (body("1", "a") + b"x", "1 bytes after"),
    (body("1", "a")[:-2], "in a DataRow that has"),
]
SINKS: list[Callable[[], RowSink]] = [
    records_sink,
    tuples_sink,
    value_sink,
    one_sink,
    json_sink,
    lambda: class_sink(User),
    lambda: class_sink(Point),
    lambda: class_sink(dict),
    lambda: class_sink(Model),
]


@pytest.mark.parametrize("make", SINKS)
@pytest.mark.parametrize(("data", "message"), HOSTILE)
def test_rows_that_are_not_whole(make: Callable[[], RowSink], data: bytes, message: str) -> None:
    sink = make()
    sink.begin(Columns(("id", "name"), (TEXT, TEXT)) if make is json_sink else USER)
    with pytest.raises(WireError, match=message):
        # What stands behind the row is another's.
        sink.add(b"??" + data + body("1", "a"), 2, 2 + len(data))


@pytest.mark.parametrize("make", SINKS)
def test_a_row_cut_anywhere(make: Callable[[], RowSink]) -> None:
    whole = body("1", "abc")
    columns = Columns(("id", "name"), (TEXT, TEXT)) if make is json_sink else USER
    for size in range(len(whole)):
        sink = make()
        sink.begin(columns)
        with pytest.raises(WireError):
            sink.add(whole, 0, size)


@pytest.mark.parametrize("make", SINKS)
def test_random_damage(make: Callable[[], RowSink]) -> None:
    """Whatever comes, it is rows, or one of the errors that there are for it."""
    random = Random(7)
    columns = Columns(("id", "name"), (TEXT, TEXT)) if make is json_sink else USER
    whole = b"".join(message(body(str(number), "é" * number)) for number in range(6))
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            data[random.randrange(len(data))] = random.choice(
                (0, 1, 2, 0x44, 0x7F, 0x80, 0xFF, random.randrange(256))
            )
        sent = bytes(data[: random.randint(0, len(data))])
        sink = make()
        sink.begin(columns)
        try:
            assert 0 <= sink.add_all(sent, 0, len(sent)) <= len(sent)
            sink.finish()
        except (WireError, RowError, ValueError):
            pass


def test_messages_one_after_another() -> None:
    data = message(body("1", "a")) + message(body("2", None))
    end = message(b"SELECT 2\0", b"C")
    for rest, stop in (
        (end, len(data)),
        (b"", len(data)),
        (b"D", len(data)),
        (data[:-1], len(data) * 3 // 2),
    ):
        sink = records_sink()
        sink.begin(USER)
        at = sink.add_all(b"?" + data + rest, 1, 1 + len(data) + len(rest))
        assert at >= 1 + len(data)
        if stop == len(data):
            assert at == 1 + len(data)
        assert sink.count >= 2


@pytest.mark.parametrize("size", [-(2**31), -1, 0, 4, 5])
def test_messages_of_no_length(size: int) -> None:
    sink = records_sink()
    sink.begin(USER)
    data = b"D" + struct.pack("!i", size) + b"\x00" * 20
    with pytest.raises(WireError, match=f"says that it is {size} bytes long"):
        sink.add_all(data, 0, len(data))


def test_an_error_of_a_codec_is_its_own() -> None:
    for sink in (records_sink(), class_sink(User)):
        with pytest.raises(ValueError, match="invalid literal"):
            run(sink, USER, ("x", "a"))


def test_a_sink_written_in_python() -> None:
    class Sizes(RowSink):
        def begin(self, columns: Columns) -> None:
            self.sizes: list[int] = []

        def add(self, data: bytes, at: int, end: int) -> None:
            self.sizes.append(end - at)

        def finish(self) -> list[int]:
            return self.sizes

    assert run(Sizes(), USER, *ROWS) == [12, 11]


def test_a_record_is_made_of_columns_and_values() -> None:
    assert dict(make_record(USER, (1, "a"))) == {"id": 1, "name": "a"}
    assert repr(USER) == "<Columns 'id' 'name'>"


# Numbers and text, which need no codec where they are as long as their type is


ATOMS: tuple[tuple[Codec, bytes, Any], ...] = (
    (BoolCodec(16, "bool"), b"\x01", True),
    (BoolCodec(16, "bool"), b"\x00", False),
    (Int2Codec(21, "int2"), b"\x80\x00", -0x8000),
    (Int2Codec(21, "int2"), b"\x7f\xff", 0x7FFF),
    (Int4Codec(23, "int4"), b"\x80\x00\x00\x00", -0x80000000),
    (Int4Codec(23, "int4"), b"\x01\x02\x03\x04", 0x01020304),
    (Int8Codec(20, "int8"), b"\x80" + bytes(7), -(1 << 63)),
    (Int8Codec(20, "int8"), bytes(range(1, 9)), 0x0102030405060708),
    (Float4Codec(700, "float4"), struct.pack("!f", -1.5), -1.5),
    (Float8Codec(701, "float8"), struct.pack("!d", 1e300), 1e300),
    (TEXT, b"", ""),
    (TEXT, b"a", "a"),
    (TEXT, b"seven b", "seven b"),
    (TEXT, b"just more than eight", "just more than eight"),
    (TEXT, "eight and \u20ac".encode(), "eight and \u20ac"),
    (TEXT, "\xe9".encode(), "\xe9"),
)


@pytest.mark.parametrize(("codec", "sent", "value"), ATOMS, ids=repr)
def test_atoms(codec: Codec, sent: bytes, value: Any) -> None:
    columns = Columns(("a", "b"), (codec, INT))
    row = (sent, "1")
    cls = msgspec.defstruct("cls", [("a", type(value)), ("b", int)])
    anything = msgspec.defstruct("anything", [("a", Any), ("b", Any)])
    for found in (
        run(records_sink(), columns, row, row)[1][0],
        run(tuples_sink(), columns, row)[0][0],
        run(class_sink(cls), columns, row)[0].a,
        run(class_sink(anything), columns, row)[0].a,
        run(value_sink(), columns, row),
    ):
        assert type(found) is type(value)
        assert found == value
    assert msgspec.json.decode(run(json_sink(), Columns(("a",), (codec,)), (sent,))) == [{"a": value}]
    assert run(records_sink(), columns, (None, "1"))[0].a is None


@pytest.mark.parametrize(
    "codec", sorted({type(each[0]): each[0] for each in ATOMS}.values(), key=repr), ids=repr
)
def test_atoms_of_another_length(codec: Codec) -> None:
    columns = Columns(("a",), (codec,))
    cls = msgspec.defstruct("cls", [("a", Any)])
    for size in range(10):
        for make in (records_sink, tuples_sink, json_sink, lambda: class_sink(cls)):
            if (
                isinstance(codec, TextCodec)
                or size == {16: 1, 21: 2, 23: 4, 20: 8, 700: 4, 701: 8}[codec.oid]
            ):
                assert run(make(), columns, (b"1" * size,))
            else:
                with pytest.raises(WireError, match=f"a value of {codec.name} has . bytes, and not {size}"):
                    run(make(), columns, (b"1" * size,))


def test_text_that_is_none() -> None:
    columns = Columns(("a",), (TEXT,))
    for make in (records_sink, tuples_sink, json_sink, lambda: class_sink(str)):
        for broken in (b"\xff", b"eight, or more \xff", b"\xffeight, or more"):
            with pytest.raises(UnicodeDecodeError):
                run(make(), columns, (broken,))


def test_a_value_that_is_no_field_s_as_it_is() -> None:
    cls = msgspec.defstruct("cls", [("a", float), ("b", str)])
    columns = Columns(("a", "b"), (Int4Codec(23, "int4"), TEXT))
    with pytest.raises(RowError, match="'b' of row 1 is NULL"):
        run(class_sink(cls), columns, (b"\0\0\0\2", None))
    [found] = run(class_sink(cls), columns, (b"\0\0\0\2", "b"))
    assert (found.a, type(found.a), found.b) == (2.0, float, "b")


def test_kinds_are_of_the_types_themselves() -> None:
    class Louder(TextCodec):
        def decode(self, data: bytes, at: int, end: int) -> str:
            return data[at:end].decode().upper()

    louder = Louder(25, "text")
    assert kinds_of((BoolCodec(16, "bool"), TEXT, louder, INT)) == b"\1\7\0\0"
    assert run(records_sink(), Columns(("a",), (louder,)), ("a",)) == [("A",)]
