"""Which types msgspec decodes exactly as the walker does, and which it may not."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from fastweb.fields import Field
from fastweb.models import BaseModel
from fastweb.validation.msgspec_backend import decoder_of, is_exact
from fastweb.validation.schema import schema_of

T = TypeVar("T")


class Plain(msgspec.Struct):
    a: int
    b: Annotated[str, msgspec.Meta(max_length=3)] = "x"
    kids: list[Plain] = []


class Box(msgspec.Struct, Generic[T]):
    content: T
    more: list[T] = []


class Hidden(msgspec.Struct):
    a: Annotated[int, Field(gt=0)]  # which msgspec does not read


class WithTime(msgspec.Struct):
    at: dt.datetime


class DollarInPattern(msgspec.Struct):
    a: Annotated[str, msgspec.Meta(pattern="a$")]


class Patch(msgspec.Struct):
    a: int | msgspec.UnsetType = msgspec.UNSET


class CatTagged(msgspec.Struct, tag=True):
    pass


class DogTagged(msgspec.Struct, tag=True):
    pass


class Model(BaseModel):
    a: int = Field(gt=0, alias="A")
    b: list[str] = Field([], max_length=2)


class ByName(BaseModel):
    model_config = {"populate_by_name": True}
    a: int = Field(1, alias="A")


class ByNameRequired(BaseModel):
    model_config = {"populate_by_name": True}
    a: int = Field(alias="A")


class Strips(BaseModel):
    model_config = {"str_strip_whitespace": True}
    a: str


class Allows(BaseModel):
    model_config = {"extra": "allow"}
    a: int


class Forbids(BaseModel):
    model_config = {"extra": "forbid"}
    a: int


class Strict(BaseModel):
    model_config = {"strict": True}
    a: tuple[int, ...]


class Checked(BaseModel):
    a: int = Field("1", validate_default=True)


@dataclasses.dataclass
class Data:
    a: int
    b: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class HasPrivate:
    a: int
    b: int = dataclasses.field(default=1, init=False)


@dataclasses.dataclass
class HasField:
    a: int = Field(3)


class Pair(NamedTuple):
    a: int
    b: str = "x"


class Shape(TypedDict):
    a: int


class Word(str, enum.Enum):  # noqa: UP042 - the older form
    a = "a"


class Mixed(enum.Enum):
    a = 1
    b = "b"


class Lenient(enum.Enum):
    a = "a"

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        return cls.a


EXACT: list[Any] = [
    *(
        int,
        float,
        bool,
        str,
        None,
        Any,
        list,
        list[int],
        dict[str, int],
        dict,
        dict[int, float],
        set[int],
        frozenset[str],
    ),
    *(
        tuple[int, str],
        tuple[int, ...],
        tuple[()],
        Sequence[int],
        int | None,
        int | str,
        int | float | None,
        float | str,
    ),
    *(
        uuid.UUID,
        Word,
        Literal["a"],
        Literal[1, 2],
        Literal["a", 1],
        Plain,
        Box[int],
        Box[Box[str]],
        Data,
        Pair,
        Patch,
    ),
    *(
        Model,
        ByNameRequired,
        Forbids,
        list[Model],
        Plain | None,
        Plain | int | list[str],
        CatTagged | DogTagged,
    ),
    *(
        Annotated[int, Field(gt=0, le=9)],
        Annotated[str, Field(pattern="^a")],
        Annotated[list[int], Field(min_length=1)],
    ),
    *(
        Annotated[str, Field(pattern="^a$")],
        dict[str, Plain | bool],
        Annotated[float, Field(ge=0, allow_inf_nan=False)],
    ),
]

NOT_EXACT: list[Any] = [
    *(
        dt.datetime,
        dt.date,
        dt.time,
        dt.timedelta,
        Decimal,
        bytes,
        complex,
        WithTime,
        list[dt.date],
        Hidden,
        Shape,
    ),
    *(
        DollarInPattern,
        Strips,
        Allows,
        Strict,
        Checked,
        ByName,
        HasPrivate,
        HasField,
        Mixed,
        Lenient,
        CatTagged | Plain,
    ),
    *(
        Annotated[int, Field(multiple_of=2)],
        Annotated[float, Field(multiple_of=0.1)],
        Annotated[int, Field(strict=True)],
    ),
    *(
        Annotated[set[int], Field(max_length=1)],
        Annotated[int | str, Field(gt=0)],
        Annotated[int, Field(gt=2**70)],
    ),
    *(
        Word | str,
        str | uuid.UUID,
        Plain | Data,
        list[int] | set[int],
        Any | int,
        collections.deque[int],
        Literal[True],
    ),
    *(collections.OrderedDict[str, int], collections.Counter[str], int | Pair, tuple[int, ...] | list[str]),
]


@pytest.mark.parametrize("annotation", EXACT)
def test_these_are_exact(annotation: Any) -> None:
    assert is_exact(schema_of(annotation))


@pytest.mark.parametrize("annotation", NOT_EXACT)
def test_these_are_not(annotation: Any) -> None:
    assert decoder_of(schema_of(annotation)) is None


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
)
def test_a_float_is_read_to_the_last_bit(value: Any) -> None:
    decoder = decoder_of(schema_of(float))
    assert decoder is not None
    text = str(value)
    try:
        read = decoder.decode(text.encode())
    except msgspec.MsgspecError:
        return
    assert repr(read) == repr(float(text))


@given(st.text(alphabet="0123456789.eE+-", min_size=1, max_size=30))
def test_a_number_in_any_spelling(text: str) -> None:
    import json

    for annotation in (int, float, Any):
        decoder = decoder_of(schema_of(annotation))
        assert decoder is not None
        try:
            read = decoder.decode(text.encode())
        except msgspec.MsgspecError:
            continue
        wanted = json.loads(text)
        assert repr(read) == repr(float(wanted) if annotation is float else wanted)
