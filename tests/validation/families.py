# mypy: disable-error-code="misc"
"""The same models twice: once over pydantic's BaseModel and Field, once over fastweb's."""

import dataclasses
import enum
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any, Literal, Optional

import pydantic
import pydantic.fields

import fastweb.fields
import fastweb.models


class Colour(str, enum.Enum):  # noqa: UP042 - the older form
    red = "red"


class Kind(enum.Enum):
    x = "x"


class Anything:
    """An object of the attributes that it is given."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __repr__(self) -> str:
        return f"Anything({self.__dict__})"


class Failing:
    """Its attributes cannot be read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def a(self) -> int:
        raise self.error

    def __repr__(self) -> str:
        return "Failing"


def both(make: Callable[[Any, Any], Any]) -> tuple[SimpleNamespace, SimpleNamespace]:
    """(pydantic's, fastweb's) models, made by the same function of BaseModel and Field."""
    theirs, ours = (
        make(pydantic.BaseModel, pydantic.Field),
        make(fastweb.models.BaseModel, fastweb.fields.Field),
    )
    return SimpleNamespace(**theirs), SimpleNamespace(**ours)


def plain(Base: Any, Field: Any) -> dict[str, Any]:
    class A(Base):
        a: int = 0

    class B(Base):
        a: int = 0
        b: int = 0

    class Needs(Base):
        a: int
        b: str = "x"

    class SubNeeds(Needs):
        c: int = 1

    class Other(Base):
        a: int

    class Text(Base):
        a: str

    class Whole(Base):
        a: int

    class Real(Base):
        a: float

    class HoldsA(Base):
        x: A

    class HoldsB(Base):
        x: B

    class Outer(Base):
        a: int
        m: list[Needs]
        d: dict[str, Needs] = {}

    class Mixed(Base):
        a: int | Needs

    class Loose(Base):
        x: int | str
        y: float

    class Tight(Base):
        x: str
        y: int

    class Defaulted(Base):
        a: int = Field("x", validate_default=True)
        b: int = "x"  # type: ignore[assignment]

    class Node(Base):
        v: int
        kids: "list[Node]" = []
        next: "Optional[Node]" = None  # noqa: UP045

    return dict(locals())


def configured(Base: Any, Field: Any) -> dict[str, Any]:
    class Forbids(Base):
        model_config = {"extra": "forbid"}
        a: int

    class Allows(Base):
        model_config = {"extra": "allow"}
        a: int

    class Aliased(Base):
        model_config = {"extra": "forbid"}
        a: int = Field(alias="A")
        c: int = Field(1, validation_alias="C")

    class ByName(Base):
        model_config = {"extra": "forbid", "populate_by_name": True}
        a: int = Field(alias="A")

    class Paths(Base):
        a: int = Field(validation_alias=pydantic.AliasPath("x", 0))
        b: int = Field(validation_alias=pydantic.AliasChoices("p", "q", pydantic.AliasPath("r", "s")))

    class Strips(Base):
        model_config = {"str_strip_whitespace": True, "str_to_lower": True}
        a: Annotated[str, Field(min_length=2, pattern="^a")]

    class Shouts(Base):
        model_config = {"str_to_upper": True, "str_max_length": 3, "str_min_length": 1}
        a: str

    class Strict(Base):
        model_config = {"strict": True}
        a: int
        n: list[int] = []
        t: tuple[int, ...] | None = None
        f: float = 0.0
        u: int | str = 1

    class Values(Base):
        model_config = {"use_enum_values": True}
        a: Colour

    class Numbers(Base):
        model_config = {"coerce_numbers_to_str": True}
        a: str

    class Finite(Base):
        model_config = {"allow_inf_nan": False}
        a: float

    class Constrained(Base):
        a: int = Field(gt=0)
        b: Annotated[str, Field(max_length=2)] = "x"
        c: list[Annotated[int, Field(ge=1)]] = Field([1], max_length=2)
        d: int | None = Field(None, lt=5)

    return dict(locals())


def tagged(Base: Any, Field: Any) -> dict[str, Any]:
    class Cat(Base):
        t: Literal["cat"]
        n: int

    class Dog(Base):
        t: Literal["dog", "doggo"]
        n: int

    class Lizard(Base):
        t: Literal[1]
        n: int

    class ByEnum(Base):
        t: Literal[Colour.red]
        n: int = 0

    class ByKind(Base):
        t: Literal[Kind.x, None]
        n: int = 0

    class AliasedCat(Base):
        t: Literal["cat"] = Field(alias="T")
        n: int

    class AliasedDog(Base):
        t: Literal["dog"] = Field(alias="T")
        n: int

    @dataclasses.dataclass
    class DataCat:
        t: Literal["data"]
        n: int

    Pet = Annotated[Cat | Dog, Field(discriminator="t")]

    class Home(Base):
        p: Pet
        q: Cat | Dog = Field(discriminator="t")
        r: list[Pet] = []

    unions = {
        "Pet": Pet,
        "Pets": list[Pet],
        "WithNumber": Annotated[Cat | Lizard, Field(discriminator="t")],
        "WithEnum": Annotated[Cat | ByEnum, Field(discriminator="t")],
        "WithKind": Annotated[Cat | ByKind, Field(discriminator="t")],
        "Maybe": Annotated[Cat | Dog | None, Field(discriminator="t")],
        "Aliased": Annotated[AliasedCat | AliasedDog, Field(discriminator="t")],
        "WithData": Annotated[Cat | DataCat, Field(discriminator="t")],
        "Nested": Annotated[Pet | Lizard, Field(discriminator="t")],
    }
    return {**locals(), **unions}
