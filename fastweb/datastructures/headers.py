"""Header fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeVar, cast

from fastweb.types import Scope

__all__ = ["Headers", "MutableHeaders"]

T = TypeVar("T")


class Headers(Mapping[str, str]):
    """Header fields: a mapping whose keys ignore case and may come twice; `h[key]` is the first value.

    Arguments:
        headers: a mapping; or
        raw: the list of pairs to work on, lower-case names first, which is not copied; or
        scope: an ASGI scope, whose "headers" become a list that this one shares.

    Raises:
        ValueError: more than one of the three was given.
        UnicodeEncodeError: a name or a value does not fit in Latin-1 (RFC 9110, section 5.5).
    """

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        raw: list[tuple[bytes, bytes]] | None = None,
        scope: Scope | None = None,
    ) -> None:
        if (headers is not None) + (raw is not None) + (scope is not None) > 1:
            raise ValueError("Headers take one of headers, raw and scope, not several of them")
        self._list: list[tuple[bytes, bytes]]
        if raw is not None:
            self._list = raw
        elif scope is not None:
            # An ASGI server may give any iterable.
            self._list = scope["headers"] = list(scope["headers"])
        elif headers is not None:
            self._list = [_encode(name, value) for name, value in headers.items()]
        else:
            self._list = []

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The pairs, as they are sent."""
        return list(self._list)

    def keys(self) -> list[str]:  # type: ignore[override]  # a name may come twice, and order matters
        return [name.decode("latin-1") for name, _ in self._list]

    def values(self) -> list[str]:  # type: ignore[override]
        return [value.decode("latin-1") for _, value in self._list]

    def items(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._list]

    def getlist(self, key: str) -> list[str]:
        """Every value of a name, in order; none where it is not there."""
        wanted = key.lower().encode("latin-1")
        return [value.decode("latin-1") for name, value in self._list if name == wanted]

    def mutablecopy(self) -> MutableHeaders:
        """A copy that can be changed."""
        return MutableHeaders(raw=self._list[:])

    def __getitem__(self, key: str) -> str:
        wanted = key.lower().encode("latin-1")
        for name, value in self._list:
            if name == wanted:
                return value.decode("latin-1")
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        # PERF: Mapping.get raises and catches a KeyError for a field that is not there, 3 times the cost.
        wanted = key.lower().encode("latin-1")
        for name, value in self._list:
            if name == wanted:
                return value.decode("latin-1")
        return default

    def __contains__(self, key: object) -> bool:
        wanted = cast(str, key).lower().encode("latin-1")
        return any(name == wanted for name, _ in self._list)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._list)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and sorted(self._list) == sorted(other._list)

    __hash__ = None  # type: ignore[assignment]  # as every Mapping

    def __repr__(self) -> str:
        as_dict = dict(self.items())
        if len(as_dict) == len(self._list):
            return f"{type(self).__name__}({as_dict!r})"
        return f"{type(self).__name__}(raw={self._list!r})"


def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


class MutableHeaders(Headers):
    """`Headers` that can be changed. What no field may hold (CR, LF, NUL) is refused when they are sent."""

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The pairs, as they are sent: the list itself, not a copy."""
        return self._list

    def __setitem__(self, key: str, value: str) -> None:
        """Set a field, in the place of the first of its name; others of the name are removed."""
        pair = _encode(key, value)
        places = [place for place, item in enumerate(self._list) if item[0] == pair[0]]
        if not places:
            self._list.append(pair)
            return
        self._list[places[0]] = pair
        if len(places) > 1:
            # In place, because the list may be shared with a scope or a message.
            first = places[0]
            self._list[:] = [
                item for place, item in enumerate(self._list) if place <= first or item[0] != pair[0]
            ]

    def __delitem__(self, key: str) -> None:
        """Remove every field of a name, if there are any."""
        gone = key.lower().encode("latin-1")
        self._list[:] = [item for item in self._list if item[0] != gone]

    def __ior__(self, other: Mapping[str, str]) -> Self:
        if not isinstance(other, Mapping):
            raise TypeError(f"Expected a mapping but got {type(other).__name__}")
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, str]) -> MutableHeaders:
        if not isinstance(other, Mapping):
            raise TypeError(f"Expected a mapping but got {type(other).__name__}")
        new = self.mutablecopy()
        new.update(other)
        return new

    def setdefault(self, key: str, value: str) -> str:
        """The value of a field, which is set to `value` first where it is not there."""
        name, encoded = _encode(key, value)
        for item_name, item_value in self._list:
            if item_name == name:
                return item_value.decode("latin-1")
        self._list.append((name, encoded))
        return value

    def update(self, other: Mapping[str, str]) -> None:
        """Set every field of a mapping."""
        for name, value in other.items():
            self[name] = value

    def append(self, key: str, value: str) -> None:
        """Add a field, whether there is one of its name or not."""
        self._list.append(_encode(key, value))

    def add_vary_header(self, vary: str) -> None:
        """Add names to the Vary field (RFC 9110, section 12.5.5)."""
        self["vary"] = ", ".join([*self.getlist("vary"), vary])
