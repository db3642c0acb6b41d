"""What `exec` gives: the rows of a statement, and what the server says that it has done.

One row, where there has to be one:     one()  one_or_none()  first()
One value, its first column:            scalar()  scalar_one()  scalar_one_or_none()  scalars()
All of them:                            all()  mappings()  iteration, len(), result[0]
What was done:                          status ("UPDATE 3")  rowcount (3)

The names are SQLAlchemy's. Everything is there when `exec` returns: nothing is read from the server any more,
and each may be asked as often as one likes.

Source of the statuses: CommandComplete in
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from fastweb._speedups.pg_record import Columns, Record
from fastweb._speedups.pg_rows import RowError
from fastweb._speedups.untyped import JSONBytes
from fastweb.postgres.base_errors import ManyRowsError, NoRowError

__all__ = ["JSONBytes", "Record", "Result", "RowError", "rows_affected"]

#: A record, or what it was made.
Row = TypeVar("Row")
#: The most of a query that is put into an error.
_SHOWN = 200


def rows_affected(status: str | None) -> int:
    """The number of rows in a command tag: 5 in "INSERT 0 5" and "SELECT 5"; -1 where there is none, as in
    "CREATE TABLE".
    """
    count = status.rpartition(" ")[2] if status else ""
    return int(count) if count.isascii() and count.isdecimal() else -1


def shortened(query: str) -> str:
    """A query in an error: on one line, and not all of a long one."""
    query = " ".join(query[: 5 * _SHOWN].split())
    return query if len(query) <= _SHOWN else f"{query[: _SHOWN - 1]}…"


def names_of(columns: Columns | None) -> tuple[str, ...]:
    """The names of the columns of a statement; one that gives no rows has none."""
    return () if columns is None else columns.names


class Result(Generic[Row]):
    """The answer to a statement.

    Arguments:
        rows: its rows; of a statement that gives none, an empty list.
        status: the server's command tag, such as "INSERT 0 1".
        query: the statement, for errors.
        names: the names of the columns; taken from the first record where they are not given.
    """

    __slots__ = ("_names", "_rows", "query", "status")

    def __init__(
        self,
        rows: list[Row],
        status: str | None = None,
        query: str = "",
        names: Sequence[str] | None = None,
    ) -> None:
        self._rows = rows
        self._names = names
        #: The server's command tag.
        self.status = status or ""
        #: The statement.
        self.query = query

    @property
    def rowcount(self) -> int:
        """The rows that were selected, inserted, updated or deleted; -1 where the statement counts none."""
        return rows_affected(self.status)

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        if self._names is None and self._rows and isinstance(self._rows[0], Record):
            return tuple(self._rows[0].keys())
        return tuple(self._names or ())

    # Rows

    def one(self) -> Row:
        """The only row.

        Raises:
            NoRowError: there is none.
            ManyRowsError: there are more.
        """
        if len(self._rows) != 1:
            self._refuse()
        return self._rows[0]

    def one_or_none(self) -> Row | None:
        """The only row, or None.

        Raises:
            ManyRowsError: there are more.
        """
        if len(self._rows) > 1:
            self._refuse()
        return self._rows[0] if self._rows else None

    def first(self) -> Row | None:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def all(self) -> list[Row]:
        """The rows, in a list of their own."""
        return self._rows.copy()

    def mappings(self) -> list[dict[str, Any]]:
        """The rows as dicts, each of its own. Of two columns with one name, the later is in them; of objects
        of a class, the columns that it has."""
        names = self.keys()
        return [
            dict(row)
            if isinstance(row, (Record, dict))
            else {name: getattr(row, name) for name in names if hasattr(row, name)}
            for row in self._rows
        ]

    # Values

    def scalar(self) -> Any:
        """The first value of the first row; None where there is no row."""
        return _first_of(self._rows[0]) if self._rows else None

    def scalar_one(self) -> Any:
        """The first value of the only row.

        Raises:
            NoRowError: there is none.
            ManyRowsError: there are more.
        """
        return _first_of(self.one())

    def scalar_one_or_none(self) -> Any:
        """The first value of the only row, or None.

        Raises:
            ManyRowsError: there are more.
        """
        row = self.one_or_none()
        return None if row is None else _first_of(row)

    def scalars(self) -> list[Any]:
        """The first value of each row."""
        return [_first_of(row) for row in self._rows]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __bool__(self) -> bool:
        """Whether there are rows."""
        return bool(self._rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: Any) -> Any:
        return self._rows[place]

    def __json_data__(self) -> list[Any]:
        """What a Result is in JSON (`fastweb.encoders`): its rows."""
        return [row.__json_data__() if isinstance(row, Record) else row for row in self._rows]

    def __repr__(self) -> str:
        rows = f"{len(self._rows)} row{'' if len(self._rows) == 1 else 's'}"
        return f"<Result {self.status!r}, {rows}>"

    def _refuse(self) -> None:
        of = f": {shortened(self.query)}" if self.query else ""
        if not self._rows:
            raise NoRowError(f"one row was asked for, and there is none{of}")
        raise ManyRowsError(f"one row was asked for, and there are {len(self._rows)}{of}")


def result_of(operation: Any) -> Result[Any]:
    """The Result of an operation that was answered."""
    rows: list[Any] = operation.sink.finish()
    return Result(rows, operation.tag.decode(), operation.sql, names_of(operation.columns))


def _first_of(row: Any) -> Any:
    """The first value of a record, tuple or dict; what is no row is a value itself."""
    if isinstance(row, (Record, tuple)):
        return row[0] if row else None
    if isinstance(row, dict):
        return next(iter(row.values()), None)
    return row
