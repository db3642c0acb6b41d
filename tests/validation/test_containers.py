"""Lists, sets, tuples, dicts and their kin, beside pydantic."""

from __future__ import annotations

import collections
import collections.abc as abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field as PydanticField

from fastweb.fields import Field
from fastweb.validation.errors import MAX_ERRORS
from tests.validation.oracle import agree, needs_oracle, validate

pytestmark = needs_oracle


class MyList(list[Any]):
    pass


class MyDict(dict[Any, Any]):
    pass


class MyMapping(abc.Mapping[Any, Any]):
    def __init__(self, values: dict[Any, Any]) -> None:
        self.values_ = values

    def __getitem__(self, key: Any) -> Any:
        return self.values_[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)

    def __repr__(self) -> str:
        return f"MyMapping({self.values_})"


class Once:
    """Iterates anew each time, so that two libraries can look at one object."""

    def __init__(self, *values: Any, error: Exception | None = None) -> None:
        self.values = values
        self.error = error

    def __iter__(self) -> Iterator[Any]:
        yield from self.values
        if self.error is not None:
            raise self.error

    def __repr__(self) -> str:
        return f"Once{self.values}"


SEQUENCES: list[Any] = [
    *(
        [1, "2"],
        (1, 2),
        (1,),
        {1, 2},
        frozenset([1]),
        collections.deque([1]),
        {1: 2},
        {1: 2}.keys(),
        {1: 2}.values(),
    ),
    *(
        {1: 2}.items(),
        range(3),
        Once(0, 1, 2),
        Once(1, error=ValueError("boo")),
        "12",
        b"12",
        bytearray(b"1"),
    ),
    *(1, None, ["x", "y"], ["x", 1, "y"], MyList([1]), MyMapping({1: 2}), [], [[1], [2]], [[]], ["1"] * 5),
    *(
        ["x", 1, 2],
        ["x", 1, 2, 3, 4],
        ["x", 1, 2, 3, "y"],
        [1] * 5,
        (1,) * 4,
        {1, 2, 3, 4},
        range(5),
        [1, 1, 1, 1],
    ),
]
DICTS: list[Any] = [
    *({}, {"a": 1}, {"a": "1"}, {"a": "x", 1: 2, None: "y"}, MyMapping({"a": 1}), [("a", 1)], None, 1, "x"),
    *(
        MyDict(a=1),
        collections.OrderedDict(a=1),
        [],
        {1: "x"},
        {b"a": 1},
        {"1": 1, 1: 2},
        {1.5: 1},
        {(1, 2): 3},
    ),
    *({True: 1}, {"1": ["x"], "q": ["z"]}, collections.Counter("aa"), collections.defaultdict(int, a=1)),
    *({str(each): each for each in range(5)}, {str(each): "x" for each in range(5)}, {"x": 1, 1: 1, 2: 2}),
]


@pytest.mark.parametrize(
    "annotation",
    [
        *(
            list,
            list[int],
            list[str],
            list[list[int]],
            abc.MutableSequence[int],
            collections.deque[int],
            collections.deque,
        ),
        *(set, set[int], frozenset, frozenset[str], abc.Set[int], abc.MutableSet[int], set[list[int]]),
        *(
            tuple,
            tuple[int, ...],
            tuple[int, int],
            tuple[int, str],
            tuple[()],
            tuple[int],
            tuple[list[int], ...],
        ),
        *(Sequence, Sequence[int], Sequence[str], list[int | None]),
    ],
)
def test_sequences(annotation: Any) -> None:
    agree(annotation, *SEQUENCES)
    agree(annotation, *DICTS)


@pytest.mark.parametrize(
    "annotation",
    [
        *(
            dict,
            dict[str, int],
            dict[int, int],
            dict[int, list[int]],
            dict[Any, str],
            Mapping[str, int],
            Mapping,
        ),
        *(abc.MutableMapping[int, str], collections.OrderedDict[str, int], collections.defaultdict[str, int]),
        *(collections.Counter[str], collections.OrderedDict, collections.defaultdict[str, list[int]]),
    ],
)
def test_dicts(annotation: Any) -> None:
    agree(annotation, *DICTS)
    agree(annotation, *SEQUENCES)


@pytest.mark.parametrize(
    "base",
    [
        *(
            list[int],
            list,
            set[int],
            frozenset[int],
            tuple[int, ...],
            tuple[int, int],
            collections.deque[int],
        ),
        *(dict[str, int], dict, Sequence[int], collections.OrderedDict[str, int], collections.Counter[str]),
        *(collections.defaultdict[str, int], Mapping[str, int]),
    ],
)
@pytest.mark.parametrize("limits", [{"min_length": 2, "max_length": 3}, {"max_length": 1}, {"min_length": 1}])
def test_lengths(base: Any, limits: dict[str, Any]) -> None:
    theirs = Annotated[base, PydanticField(**limits)]
    agree(Annotated[base, Field(**limits)], *SEQUENCES, *DICTS, theirs=theirs)


@pytest.mark.parametrize("base", [list[int], dict[str, int], set[int], frozenset[int], tuple[int, ...]])
def test_strict(base: Any) -> None:
    theirs = Annotated[base, PydanticField(strict=True)]
    agree(Annotated[base, Field(strict=True)], *SEQUENCES, *DICTS, theirs=theirs)


def test_the_longest_that_a_deque_may_get_is_kept() -> None:
    made = validate(collections.deque[int], collections.deque(["1", "2"], maxlen=2))
    assert made.maxlen == 2
    assert (
        validate(collections.defaultdict[str, int], collections.defaultdict(list, a=1)).default_factory
        is list
    )


def test_what_can_be_iterated_over_is_read_at_once() -> None:
    assert validate(Iterable[int], Once("1", 2)) == [1, 2]
    assert validate(Iterable[int], ["1", "x"]) == [("int_parsing", (1,))]
    assert validate(Iterable[int], 1) == [("iterable_type", ())]
    assert validate(Annotated[Iterable[int], Field(max_length=1)], [1, 2]) == [("too_long", ())]
    assert validate(Annotated[Iterable[int], Field(min_length=1)], []) == [("too_short", ())]


def test_an_error_in_a_validator_is_no_error_of_the_iteration() -> None:
    def breaks(value: int) -> bool:
        raise ZeroDivisionError

    from annotated_types import Predicate

    with pytest.raises(ZeroDivisionError):
        validate(list[Annotated[int, Predicate(breaks)]], [1])


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_json_value(value: Any) -> None:
    for annotation in (
        list[int],
        dict[str, list[float]],
        tuple[int, str],
        set[str],
        list[dict[str, int | None]],
        list[Any],
        int | list[str] | dict[str, bool] | None,
    ):
        agree(annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (list[int], ["x"] * 20_000),
        (Annotated[list[int], Field(max_length=30_000)], ["x"] * 20_000),
        (set[int], [f"x{number}" for number in range(20_000)]),
        (tuple[int, ...], ["x"] * 20_000),
        (dict[str, int], {f"x{number}": "x" for number in range(20_000)}),
        (dict[int, Any], {f"x{number}": None for number in range(20_000)}),
    ],
)
def test_errors_are_told_up_to_a_number(annotation: Any, value: Any) -> None:
    """pydantic tells all; a body of empty objects would fill the memory with them."""
    assert len(validate(annotation, value)) == MAX_ERRORS
