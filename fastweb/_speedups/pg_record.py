"""A row as `fetch` gives it: a Record, which is a tuple of values with the names of its columns beside them.

The names belong to the statement, not to the row: all records of a result share one `Columns`, so that a
record costs its tuple and one small object. It answers to all that a row is asked for,

    r[0]  r[-1]  r[1:3]          a place, as a tuple does
    r["name"]  r.get("name")     a column, as a mapping does; "name" in r, r.keys(), r.items(), dict(r)
    r.name                       the same as an attribute, where no method has that name
    id, name = r                 iteration is over the values
    case {"id": 1, **rest}       matches as mappings do; `case Record(id=1)` does too

and cannot be changed. Records compare, order and hash as their tuples of values. Where two columns have one
name, the later one is found by it, as in `dict(zip(names, values))`; the other by its place.
"""

from collections.abc import Iterator
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_scalar import kinds_of

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = ["Columns", "Record", "make_record"]


@cython.final
@cython.cclass
class Columns:
    """The columns of a statement's rows; made once a prepared statement and shared by all of its results.

    Arguments:
        names: their names, in order.
        codecs: what reads each of them, a `Codec` each.
    """

    def __init__(self, names: tuple, codecs: tuple = ()) -> None:
        self.names = names
        self.codecs = codecs
        #: What kind each is of (`pg_scalar.kinds_of`).
        self.kinds = kinds_of(codecs)
        self.count = len(names)
        self.index: dict = {}
        for place, name in enumerate(names):
            self.index[name] = place
        #: What is worked out once for these columns, by what it is for: a class's plan, the keys of JSON.
        self.plans: dict = {}

    def __reduce__(self) -> Any:
        return Columns, (self.names,)

    def __repr__(self) -> str:
        return f"<Columns {' '.join(map(repr, self.names))}>"


# PERF: with as many to hand, none of 1,000 rows counts as an object that the garbage collector has to look
# for.
@cython.final
@cython.freelist(1024)
@cython.cclass
class Record:
    """One row. `Record(id=1, name="a")` makes one, for tests.

    Source of what it can do: https://magicstack.github.io/asyncpg/current/api/index.html#record-objects
    """

    if not cython.compiled:
        __slots__ = ("_columns", "_row")

    def __init__(self, /, **values: Any) -> None:
        self._columns = Columns(tuple(values))
        self._row = tuple(values.values())

    def keys(self) -> Iterator[str]:
        """The names of the columns, in their order."""
        return iter(self._columns.names)

    def values(self) -> Iterator[Any]:
        """The values, in the order of the columns."""
        return iter(self._row)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names with their values, in the order of the columns."""
        return iter(list(zip(self._columns.names, self._row)))

    def get(self, name: Any, default: Any = None) -> Any:
        """The value of a column; `default` where there is no such column."""
        place = self._columns.index.get(name)
        return default if place is None else self._row[place]

    def __getitem__(self, key: Any) -> Any:
        if type(key) is str:
            place = self._columns.index.get(key)
            if place is None:
                raise KeyError(key)
            return self._row[place]
        return self._row[key]

    def __getattr__(self, name: str) -> Any:
        place = self._columns.index.get(name)
        if place is None:
            there = ", ".join(map(repr, self._columns.names)) or "none"
            raise AttributeError(f"the row has no column {name!r}; it has {there}", name=name, obj=self)
        return self._row[place]

    def __json_data__(self) -> dict:
        """What a Record is in JSON (`fastweb.encoders`)."""
        # PERF: 0.12 µs of 4 columns; `dict(zip(…))` takes 0.33.
        names: tuple = self._columns.names
        row: tuple = self._row
        made: dict = {}
        i: cython.Py_ssize_t
        for i in range(len(names)):
            made[names[i]] = row[i]
        return made

    def __len__(self) -> int:
        return len(self._row)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._row)

    def __contains__(self, name: object) -> bool:
        return name in self._columns.index

    def __hash__(self) -> int:
        return hash(self._row)

    def __eq__(self, other: object) -> Any:
        row = _row_of(other)
        return NotImplemented if row is None else self._row == row

    def __lt__(self, other: Any) -> Any:
        row = _row_of(other)
        return NotImplemented if row is None else self._row < row

    def __le__(self, other: Any) -> Any:
        row = _row_of(other)
        return NotImplemented if row is None else self._row <= row

    def __gt__(self, other: Any) -> Any:
        row = _row_of(other)
        return NotImplemented if row is None else self._row > row

    def __ge__(self, other: Any) -> Any:
        row = _row_of(other)
        return NotImplemented if row is None else self._row >= row

    def __repr__(self) -> str:
        parts = [f" {name}={value!r}" for name, value in zip(self._columns.names, self._row)]
        return f"<Record{''.join(parts)}>"

    def __reduce__(self) -> Any:
        # The columns are one object, so that a pickled list of records has their names once.
        return make_record, (self._columns, self._row)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        # A document of jsonb can be changed.
        from copy import deepcopy

        return make_record(self._columns, deepcopy(self._row, memo))

    def __dir__(self) -> Any:
        return sorted({*object.__dir__(self), *self._columns.names})


@cython.cfunc
def _row_of(other: Any) -> Any:
    """What a record is compared with: the values of another, a tuple, or None for what is neither."""
    if type(other) is Record:
        return cython.cast(Record, other)._row
    return other if isinstance(other, tuple) else None


@cython.ccall
def make_record(columns: Columns, row: tuple) -> Record:
    """A record of these columns; as many values as there are of them."""
    record: Record = Record.__new__(Record)
    record._columns = columns
    record._row = row
    # The garbage collector need not know one whose tuple it does not: nothing in it can lead back to it.
    if cython.compiled and not capi.is_tracked(row):
        capi.untrack(record)
    return record


def _let_it_match() -> None:
    """Let Records match `case {"id": 1}`.

    What a class is to `match` is a flag of its type (Py_TPFLAGS_MAPPING, PEP 634), which `Mapping.register`
    would set too; but a Mapping's iteration is over its keys, and code that asks `isinstance(x, Mapping)`
    relies on it.
    """
    if cython.compiled:
        capi.match_as_mapping(Record)
    else:
        from abc import ABCMeta

        ABCMeta("Matched", (), {"__abc_tpflags__": 1 << 6}).register(Record)


_let_it_match()
