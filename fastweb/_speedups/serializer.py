"""Proofs that a value is exactly what an annotation declares, so that msgspec may encode it as it stands.

msgspec encodes what it is given: all fields of a subclass, every key of a dict. A `Proof` is a tree made from
a schema (by `fastweb.validation.serializer`); `proves` is true only where each run-time type, at every depth,
is the declared one itself, and where msgspec writes that type as pydantic does. False means "not known": such
a value is validated and filtered.
"""

import datetime
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

_UTC = datetime.timezone.utc
_datetime = datetime.datetime
_time = datetime.time
_INT_MIN: Any = -(2**63)
_INT_MAX: Any = 2**63 - 1
#: Deeper values are left to the slow path, whose recursion Python itself bounds.
_DEPTH: cython.int = 200


@cython.cfunc
@cython.inline
def _fits(value: Any) -> cython.bint:
    """Whether an exact int fits in 64 bits, signed: all that msgspec and orjson are sure to write."""
    if cython.compiled:
        try:
            narrow: cython.longlong = value
        except OverflowError:
            return False
        return bool(narrow == value)
    return bool(_INT_MIN <= value <= _INT_MAX)


@cython.cclass
class Proof:
    """A node. This one, the base, proves nothing."""

    def proves(self, value: Any) -> bool:
        """Whether the value is exactly what was declared."""
        return self.check(value, 0)

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        return False


@cython.cclass
class NoneProof(Proof):
    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        return value is None


@cython.cclass
class BoolProof(Proof):
    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        return value is True or value is False


@cython.cclass
class TypeProof(Proof):
    """A type that needs no more than its name: str, float, UUID, Decimal, date, an Enum."""

    cls: Any

    def __init__(self, cls: Any) -> None:
        self.cls = cls

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        return type(value) is self.cls


@cython.cclass
class IntProof(Proof):
    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        return type(value) is int and _fits(value)


@cython.cclass
class DatetimeProof(Proof):
    """Naive or in UTC: other offsets may have seconds, of which the two writers think differently."""

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not _datetime:
            return False
        zone = value.tzinfo
        return zone is None or zone is _UTC


@cython.cclass
class TimeProof(Proof):
    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        return type(value) is _time and value.tzinfo is None


@cython.cclass
class LiteralProof(Proof):
    values: tuple

    def __init__(self, values: tuple) -> None:
        self.values = values

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        for each in self.values:
            if type(each) is type(value) and each == value:
                return True
        return False


@cython.cclass
class BoundsProof(Proof):
    """`inner` within bounds; None for a bound that there is not."""

    inner: Proof
    gt: Any
    ge: Any
    lt: Any
    le: Any

    def __init__(self, inner: Proof, gt: Any, ge: Any, lt: Any, le: Any) -> None:
        self.inner = inner
        self.gt = gt
        self.ge = ge
        self.lt = lt
        self.le = le

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if not self.inner.check(value, depth):
            return False
        if self.gt is not None and not value > self.gt:
            return False
        if self.ge is not None and not value >= self.ge:
            return False
        if self.lt is not None and not value < self.lt:
            return False
        return self.le is None or bool(value <= self.le)


@cython.cclass
class LengthProof(Proof):
    """`inner` of some length; -1 for a bound that there is not."""

    inner: Proof
    least: cython.Py_ssize_t
    most: cython.Py_ssize_t

    def __init__(self, inner: Proof, least: int, most: int) -> None:
        self.inner = inner
        self.least = least
        self.most = most

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if not self.inner.check(value, depth):
            return False
        size: cython.Py_ssize_t = len(value)
        return (self.least < 0 or size >= self.least) and (self.most < 0 or size <= self.most)


@cython.cclass
class NullableProof(Proof):
    inner: Proof

    def __init__(self, inner: Proof) -> None:
        self.inner = inner

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        return value is None or self.inner.check(value, depth)


@cython.cclass
class UnionProof(Proof):
    choices: list

    def __init__(self, choices: list) -> None:
        self.choices = choices

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        for choice in self.choices:
            if cython.cast(Proof, choice).check(value, depth):
                return True
        return False


@cython.cclass
class ListProof(Proof):
    item: Proof

    def __init__(self, item: Proof) -> None:
        self.item = item

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not list or depth > _DEPTH:
            return False
        items: list = value
        for each in items:
            if not self.item.check(each, depth + 1):
                return False
        return True


@cython.cclass
class CollectionProof(Proof):
    """A set, a frozenset or a tuple of any length."""

    cls: Any
    item: Proof

    def __init__(self, cls: Any, item: Proof) -> None:
        self.cls = cls
        self.item = item

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not self.cls or depth > _DEPTH:
            return False
        for each in value:
            if not self.item.check(each, depth + 1):
                return False
        return True


@cython.cclass
class TupleProof(Proof):
    """A tuple, or a NamedTuple, with a type for each of its places."""

    cls: Any
    items: list

    def __init__(self, cls: Any, items: list) -> None:
        self.cls = cls
        self.items = items

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not self.cls or depth > _DEPTH:
            return False
        if len(value) != len(self.items):
            return False
        i: cython.Py_ssize_t = 0
        for each in value:
            if not cython.cast(Proof, self.items[i]).check(each, depth + 1):
                return False
            i += 1
        return True


@cython.cclass
class DictProof(Proof):
    key: Proof
    item: Proof

    def __init__(self, key: Proof, item: Proof) -> None:
        self.key = key
        self.item = item

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not dict or depth > _DEPTH:
            return False
        items: dict = value
        for name, each in items.items():
            if not self.key.check(name, depth) or not self.item.check(each, depth + 1):
                return False
        return True


@cython.cclass
class TypedDictProof(Proof):
    """A dict that has all the required keys and none that is not declared."""

    fields: dict
    required: tuple

    def __init__(self, fields: dict, required: tuple) -> None:
        self.fields = fields
        self.required = required

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not dict or depth > _DEPTH:
            return False
        items: dict = value
        for name in self.required:
            if name not in items:
                return False
        for name, each in items.items():
            if type(name) is not str:
                return False
            field = self.fields.get(name)
            if field is None or not cython.cast(Proof, field).check(each, depth + 1):
                return False
        return True


@cython.cclass
class ModelProof(Proof):
    """A Struct of exactly this class. `fields` may be filled in later: a model may contain itself."""

    cls: Any
    names: list
    fields: list

    def __init__(self, cls: Any) -> None:
        self.cls = cls
        self.names = []
        self.fields = []

    def add(self, name: str, field: Proof) -> None:
        """Declare a field."""
        self.names.append(name)
        self.fields.append(field)

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not self.cls or depth > _DEPTH:
            return False
        i: cython.Py_ssize_t
        for i in range(len(self.names)):
            each = getattr(value, self.names[i], _MISSING)
            if not cython.cast(Proof, self.fields[i]).check(each, depth + 1):
                return False
        return True


@cython.cclass
class DataclassProof(Proof):
    """A dataclass of exactly this class, with no attribute beside its fields: msgspec would write those
    too.
    """

    cls: Any
    fields: dict

    def __init__(self, cls: Any) -> None:
        self.cls = cls
        self.fields = {}

    def add(self, name: str, field: Proof) -> None:
        """Declare a field."""
        self.fields[name] = field

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        if type(value) is not self.cls or depth > _DEPTH:
            return False
        state = value.__dict__
        if len(state) != len(self.fields):
            return False
        for name, each in state.items():
            field = self.fields.get(name)
            if field is None or not cython.cast(Proof, field).check(each, depth + 1):
                return False
        return True


@cython.cclass
class AnyProof(Proof):
    """Anything, as far as it is plain JSON."""

    @cython.cfunc
    def check(self, value: Any, depth: cython.int) -> cython.bint:
        kind = type(value)
        if kind is str or value is None or kind is bool or kind is float:
            return True
        if kind is int:
            return _fits(value)
        if depth > _DEPTH:
            return False
        if kind is list:
            items: list = value
            for each in items:
                if not self.check(each, depth + 1):
                    return False
            return True
        if kind is dict:
            pairs: dict = value
            for name, each in pairs.items():
                if type(name) is not str or not self.check(each, depth + 1):
                    return False
            return True
        return False


_MISSING: Any = object()


@cython.cfunc
def _finite(value: Any, depth: cython.int) -> cython.bint:
    kind = type(value)
    if kind is float:
        # Neither infinite (x - x is NaN then) nor NaN, which is not equal to itself.
        return bool(value - value == 0.0)
    if kind is str or kind is int or value is None or kind is bool:
        return True
    if depth > _DEPTH * 2:
        return False
    if isinstance(value, dict):
        for each in value.values():
            if not _finite(each, depth + 1):
                return False
        return True
    if isinstance(value, (list, tuple)):
        for each in value:
            if not _finite(each, depth + 1):
                return False
    return True


def all_finite(value: Any) -> bool:
    """Whether no float in lists, tuples and dicts is infinite or NaN. Nor is it known of what is too deep."""
    return _finite(value, 0)
