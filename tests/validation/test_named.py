"""UUIDs, Enums, literals, addresses, paths, patterns and zones, beside pydantic."""

from __future__ import annotations

import enum
import ipaddress
import os
import pathlib
import re
import uuid
import zoneinfo
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field as PydanticField

from fastweb.fields import Field
from tests.validation.oracle import agree, needs_oracle, validate
from tests.validation.samples import SCALARS, Mixed, Number, Word

pytestmark = needs_oracle


class Half(float, enum.Enum):
    a = 1.5
    b = 2.0


class Bits(enum.Flag):
    a = 1
    b = 2


class IntBits(enum.IntFlag):
    a = 1
    b = 2


class Odd(enum.Enum):
    yes = True
    nothing = None


class Lenient(enum.Enum):
    a = "a"
    b = "b"

    @classmethod
    def _missing_(cls, value: object) -> Lenient | None:
        if value == "bad":
            raise ValueError("bad")
        return cls.a if value == "z" else None


class Three(int, enum.Enum):
    a = 1
    b = 2
    c = 3
    also_c = 3  # noqa: PIE796


# A zone shows odd objects in its message as their numbers; nothing else in there differs.
NO_ZONES = [
    value for value in SCALARS if not hasattr(type(value), "__index__") and not isinstance(value, enum.Enum)
]


@pytest.mark.parametrize(
    "annotation",
    [
        *(uuid.UUID, Word, Number, Mixed, Half, Bits, IntBits, Odd, Lenient, Three),
        *(
            Literal[1, "a", None, True, b"x"],
            Literal[1, 2],
            Literal["a"],
            Literal[True],
            Literal[0],
            Literal["1"],
        ),
        *(Literal[Mixed.one, "q"], Literal[Word.one], Literal[Number.one], Literal["a", "b", "c'd"]),
        *(ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network),
        *(ipaddress.IPv4Interface, ipaddress.IPv6Interface),
        *(pathlib.Path, pathlib.PurePosixPath, os.PathLike, os.PathLike[str], os.PathLike[bytes]),
        *(re.Pattern, re.Pattern[str], re.Pattern[bytes]),
    ],
)
@pytest.mark.filterwarnings("ignore:__int__ returned non-int")  # pydantic hands True to ipaddress
def test_lax_conversions(annotation: Any) -> None:
    agree(annotation, *SCALARS)


def test_zones() -> None:
    agree(zoneinfo.ZoneInfo, *NO_ZONES, zoneinfo.ZoneInfo("UTC"))


@pytest.mark.parametrize("base", [uuid.UUID, Mixed, Word, ipaddress.IPv4Address, pathlib.Path])
def test_strict(base: Any) -> None:
    values = [
        1,
        "1",
        "1.2.3.4",
        Mixed.one,
        Word.x,
        uuid.UUID(int=1),
        pathlib.Path("a"),
        ipaddress.IPv4Address(1),
    ]
    agree(Annotated[base, Field(strict=True)], *values, theirs=Annotated[base, PydanticField(strict=True)])


@given(st.text(alphabet="0123456789abcdefgé-{}:urnid", max_size=50))
def test_any_text_that_is_nearly_a_uuid(text: str) -> None:
    agree(uuid.UUID, text, "{" + text + "}", "urn:uuid:" + text, "12345678-1234-5678-1234-" + text)


@given(st.uuids())
def test_any_uuid(value: uuid.UUID) -> None:
    agree(uuid.UUID, str(value), value.hex, value.bytes, value.urn, value)


def test_a_rule_that_breaks_is_the_apps_own_fault() -> None:
    class Broken(enum.Enum):
        a = "a"

        @classmethod
        def _missing_(cls, value: object) -> None:
            raise TypeError("broken")

    with pytest.raises(TypeError, match="broken"):
        validate(Broken, "b")


@pytest.mark.parametrize("size", [31, 33, 35, 36, 37, 38, 44, 45, 46])
@pytest.mark.parametrize("wrong", ["0", "g", "é"])
def test_a_uuid_of_nearly_the_right_length(size: int, wrong: str) -> None:
    digits = (wrong + "0" * size)[: size - len(wrong.encode()) + 1]
    for start, end in (("", ""), ("{", "}"), ("urn:uuid:", ""), ("urn:uuid:", "}")):
        agree(uuid.UUID, start + digits[: len(digits) - len(start) - len(end)] + end)
