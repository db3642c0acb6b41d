"""Mappings in which a key may have several values, such as the query parameters of a URL."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlencode

__all__ = ["ImmutableMultiDict", "MultiDict", "QueryParams", "parse_query"]

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)
T = TypeVar("T")


class ImmutableMultiDict(Mapping[K, V_co], Generic[K, V_co]):
    """A mapping in which a key may have several values: `d[key]` is the last of them, `getlist(key)` all.

    Arguments:
        value: another one, a mapping, or pairs.
        kwargs: more items.
    """

    def __init__(
        self,
        value: ImmutableMultiDict[K, V_co] | Mapping[K, V_co] | Iterable[tuple[K, V_co]] = (),
        /,
        **kwargs: Any,
    ) -> None:
        items: list[tuple[Any, Any]]
        if isinstance(value, ImmutableMultiDict):
            items = list(value._list)
        elif isinstance(value, Mapping):
            items = list(value.items())
        else:
            items = list(value)
        items.extend(kwargs.items())
        self._list: list[tuple[K, V_co]] = items
        self._dict: dict[K, V_co] = dict(items)

    def getlist(self, key: Any) -> list[V_co]:
        """Every value of a key, in order; none where it is not there."""
        return [value for name, value in self._list if name == key]

    def multi_items(self) -> list[tuple[K, V_co]]:
        """Every key and value, in order."""
        return list(self._list)

    def keys(self) -> KeysView[K]:
        return self._dict.keys()

    def values(self) -> ValuesView[V_co]:
        return self._dict.values()

    def items(self) -> ItemsView[K, V_co]:
        return self._dict.items()

    def __getitem__(self, key: K) -> V_co:
        return self._dict[key]

    def __contains__(self, key: object) -> bool:
        return key in self._dict

    def __iter__(self) -> Iterator[K]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def _lists(self) -> dict[K, list[V_co]]:
        lists: dict[K, list[V_co]] = {}
        for key, value in self._list:
            lists.setdefault(key, []).append(value)
        return lists

    def __eq__(self, other: object) -> bool:
        # The order of the values of a key matters; that of the keys does not.
        return isinstance(other, type(self)) and self._lists() == other._lists()

    __hash__ = None  # type: ignore[assignment]  # as every Mapping

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._list!r})"


class MultiDict(ImmutableMultiDict[Any, Any]):
    """An `ImmutableMultiDict` that can be changed."""

    def __setitem__(self, key: Any, value: Any) -> None:
        self.setlist(key, [value])

    def __delitem__(self, key: Any) -> None:
        del self._dict[key]
        self._list = [item for item in self._list if item[0] != key]

    def pop(self, key: Any, default: Any = None) -> Any:
        """Remove a key with all of its values, and return the last one, or `default`."""
        self._list = [item for item in self._list if item[0] != key]
        return self._dict.pop(key, default)

    def popitem(self) -> tuple[Any, Any]:
        """Remove some key with all of its values, and return it with its last value."""
        key, value = self._dict.popitem()
        self._list = [item for item in self._list if item[0] != key]
        return key, value

    def poplist(self, key: Any) -> list[Any]:
        """Remove a key, and return all of its values."""
        values = self.getlist(key)
        self.pop(key)
        return values

    def clear(self) -> None:
        self._dict.clear()
        self._list.clear()

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self._dict:
            self.append(key, default)
        return self._dict[key]

    def setlist(self, key: Any, values: Sequence[Any]) -> None:
        """Give a key these values and no others; none remove it."""
        if not values:
            self.pop(key)
            return
        self._list = [item for item in self._list if item[0] != key]
        self._list.extend((key, value) for value in values)
        self._dict[key] = values[-1]

    def append(self, key: Any, value: Any) -> None:
        """Give a key one more value."""
        self._list.append((key, value))
        self._dict[key] = value

    def update(
        self,
        value: ImmutableMultiDict[Any, Any] | Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (),
        /,
        **kwargs: Any,
    ) -> None:
        """Set every key of `value` to its values there."""
        new = MultiDict(value, **kwargs)
        self._list = [item for item in self._list if item[0] not in new._dict]
        self._list.extend(new._list)
        self._dict.update(new._dict)


class QueryParams(ImmutableMultiDict[str, str]):
    """The query parameters of a URL; `str()` writes them as a query string.

    Arguments:
        value: a query string (bytes are Latin-1), a mapping, or pairs. Names and values become strings.
        kwargs: more parameters.
    """

    def __init__(
        self,
        value: ImmutableMultiDict[Any, Any]
        | Mapping[Any, Any]
        | Iterable[tuple[Any, Any]]
        | str
        | bytes = (),
        /,
        **kwargs: Any,
    ) -> None:
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if isinstance(value, str):
            super().__init__(parse_query(value), **{name: str(item) for name, item in kwargs.items()})
        else:
            pairs = ImmutableMultiDict[Any, Any](value, **kwargs)._list
            super().__init__([(str(name), str(item)) for name, item in pairs])

    def __str__(self) -> str:
        return urlencode(self._list)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


def parse_query(query: str) -> list[tuple[str, str]]:
    """The pairs of a query string, in order and percent-decoded, in linear time.

    As `urllib.parse.parse_qsl(query, keep_blank_values=True)` gives them, at half its cost.
    Source: the URL standard, "application/x-www-form-urlencoded parsing".
    """
    pairs = []
    plain = "%" not in query and "+" not in query
    for piece in query.split("&"):
        if not piece:
            continue
        name, _, value = piece.partition("=")
        if plain:
            pairs.append((name, value))
        else:
            pairs.append((unquote(name.replace("+", " ")), unquote(value.replace("+", " "))))
    return pairs
