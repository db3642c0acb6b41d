"""The names of union members in the places of errors are pydantic's."""

from __future__ import annotations

import collections
import ipaddress
import os
import pathlib
import re
import zoneinfo
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal

import pydantic
import pytest
from pydantic import TypeAdapter
from typing_extensions import TypeAliasType

from fastweb.validation.labels import label_of, tag_label
from fastweb.validation.schema import schema_of
from tests.validation.oracle import _plain, needs_oracle
from tests.validation.samples import Mixed, Number, Word
from tests.validation.test_models_walk import Data, Point, Shape

pytestmark = needs_oracle

Json = TypeAliasType("Json", "int | list[Json]")


class Never1(pydantic.BaseModel):
    never: int


class Nothing:
    __slots__ = ()


@pytest.mark.parametrize(
    "annotation",
    [
        *(
            int,
            str,
            float,
            bool,
            bytes,
            complex,
            Word,
            Number,
            Mixed,
            Literal["a", 1],
            Literal[Mixed.one],
            list,
            list[int],
        ),
        *(
            set[int],
            frozenset[str],
            tuple[int, str],
            tuple[int, ...],
            tuple[()],
            tuple,
            dict[str, int],
            dict,
            Sequence[int],
        ),
        *(Sequence, collections.deque[int], Mapping[str, int], collections.OrderedDict[str, int]),
        *(
            collections.Counter[str],
            collections.defaultdict[str, int],
            ipaddress.IPv4Address,
            ipaddress.IPv6Network,
        ),
        *(
            pathlib.Path,
            os.PathLike[bytes],
            re.Pattern,
            re.Pattern[str],
            zoneinfo.ZoneInfo,
            type,
            type[int],
            Data,
            Shape,
        ),
        *(
            Point,
            list[int | str],
            list[int | None],
            dict[str, list[int]],
            list[Data],
            Json,
            list[Json],
            list[None],
        ),
        *(list[Any], list[Mixed], list[Sequence[int]]),
    ],
)
def test_labels(annotation: Any) -> None:
    # The label is what pydantic puts before the place of an error in a union.
    try:
        TypeAdapter(annotation | Never1).validate_python(Nothing())
    except pydantic.ValidationError as error:
        wanted = error.errors()[0]["loc"][0]
    assert label_of(schema_of(annotation)) == _plain(str(wanted)) or isinstance(wanted, int)


def test_labels_without_an_oracle() -> None:
    assert label_of(schema_of(Hashable)).startswith("custom-error[")
    assert label_of(schema_of(Iterable[int])) == "generator[int]"


@pytest.mark.parametrize(
    ("tag", "label"),
    [
        ("a", "a"),
        (1, 1),
        (None, "None"),
        (True, "True"),
        (Word.x, "x"),
        (Number.one, 1),
        (Mixed.x, "<Mixed.x: 'x'>"),
    ],
)
def test_tags_in_places(tag: Any, label: int | str) -> None:
    assert tag_label(tag) == label
