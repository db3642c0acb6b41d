"""A statement that was prepared by name: `Connection.prepare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from fastweb._speedups.pg_operation import Statement
from fastweb._speedups.pg_record import Record
from fastweb.postgres.other_names import instead_of

if TYPE_CHECKING:
    from fastweb.postgres.connection import Answer, Connection

__all__ = ["PreparedStatement"]


class PreparedStatement:
    """A statement that was described; the connection keeps it prepared as long as it can."""

    __slots__ = ("_connection", "_statement")

    def __init__(self, connection: Connection, statement: Statement) -> None:
        self._connection = connection
        self._statement = statement

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(instead_of("statement", self, name), name=name, obj=self)

    @property
    def sql(self) -> str:
        return self._statement.sql

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters' types."""
        return tuple(codec.name for codec in self._statement.description.parameters)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        columns = self._statement.description.columns
        return () if columns is None else columns.names

    def fetch(self, *args: Any, timeout: float | None = None) -> Answer[list[Record]]:
        return self._connection.fetch(self.sql, *args, timeout=timeout)

    def fetch_one(self, *args: Any, timeout: float | None = None) -> Answer[Record | None]:
        return self._connection.fetch_one(self.sql, *args, timeout=timeout)

    def fetch_value(self, *args: Any, timeout: float | None = None) -> Answer[Any]:
        return self._connection.fetch_value(self.sql, *args, timeout=timeout)
