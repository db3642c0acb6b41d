"""What can go wrong with PostgreSQL, before it has a SQLSTATE: the roots of every exception of this package.

Whose fault it is decides the branch.

- The server said no: `PostgresError`, with a class for each SQLSTATE below it (`sqlstates.py`, generated). An
  ErrorResponse is a list of fields, each a letter and a string; the letters are in `FIELDS`.
- Our user's code is wrong: `InterfaceError`.
- The way to the server: `ConnectError` (it was never open), `ConnectionLostError` (it was, and is no more),
  both a `ConnectionError` of Python's; `ProtocolError` (what came is not PostgreSQL's protocol).

NoticeResponse has the fields of an ErrorResponse and is no exception: `PostgresLogMessage`.

Source: https://www.postgresql.org/docs/current/protocol-error-fields.html
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "FIELDS",
    "ClientConfigurationError",
    "CommitUnknownError",
    "ConnectError",
    "ConnectionLostError",
    "InterfaceError",
    "ManyRowsError",
    "NoRowError",
    "PoolClosedError",
    "PoolTimeoutError",
    "PostgresError",
    "PostgresLogMessage",
    "ProtocolError",
    "TargetServerAttributeNotMatched",
    "UnsupportedClientFeatureError",
    "UnsupportedServerFeatureError",
]

#: The letter of a field -> the attribute it becomes. `S` is the severity in the server's language, `V` (since
#: 9.6) the same in English: the latter is read where there is one.
FIELDS = {
    "S": "severity",
    "V": "severity",
    "C": "sqlstate",
    "M": "message",
    "D": "detail",
    "H": "hint",
    "P": "position",
    "p": "internal_position",
    "q": "internal_query",
    "W": "context",
    "s": "schema_name",
    "t": "table_name",
    "c": "column_name",
    "d": "data_type_name",
    "n": "constraint_name",
    "F": "server_source_filename",
    "L": "server_source_line",
    "R": "server_source_function",
}


class _Fields:
    """The fields of an ErrorResponse or a NoticeResponse, None where the server sent none."""

    sqlstate: str | None = None
    #: ERROR, FATAL or PANIC; of notices WARNING, NOTICE, DEBUG, INFO or LOG.
    severity: str | None = None
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    #: Where in `query` it is, in characters from 1.
    position: int | None = None
    #: The same in `internal_query`, a command that PL/pgSQL or an SQL function issued.
    internal_position: int | None = None
    internal_query: str | None = None
    context: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    data_type_name: str | None = None
    constraint_name: str | None = None
    server_source_filename: str | None = None
    server_source_line: int | None = None
    server_source_function: str | None = None

    def _set_fields(self, fields: dict[str, str]) -> None:
        for letter, text in fields.items():
            name = FIELDS.get(letter)
            if name is None or (letter == "S" and "V" in fields):
                continue
            if letter in "PpL":
                # No digits: a server that does not keep to the protocol; the field is worth no second error.
                if text.isascii() and text.isdigit() and len(text) < 20:
                    setattr(self, name, int(text))
            else:
                setattr(self, name, text)

    def as_dict(self) -> dict[str, str | int]:
        """The fields that the server sent, by name."""
        found = {name: getattr(self, name) for name in dict.fromkeys(FIELDS.values())}
        return {name: value for name, value in found.items() if value is not None}


class PostgresError(_Fields, Exception):
    """The server refused something: an ErrorResponse. Its subclasses are one a SQLSTATE.

    Arguments:
        message: one line.
        fields: the letter of a field of the ErrorResponse -> its text.
        query: the SQL that it was an answer to.
    """

    sqlstate: str | None = None
    #: Every SQLSTATE that has a class -> the class.
    by_sqlstate: ClassVar[dict[str, type[PostgresError]]] = {}

    def __init__(
        self, message: str = "", fields: dict[str, str] | None = None, query: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.query = query
        if fields:
            self._set_fields(fields)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "sqlstate" in cls.__dict__ and cls.sqlstate is not None:
            PostgresError.by_sqlstate.setdefault(cls.sqlstate, cls)

    def __str__(self) -> str:
        lines = [str(self.args[0]) if self.args else ""]
        if self.detail:
            lines.append(f"DETAIL:  {self.detail}")
        if self.hint:
            lines.append(f"HINT:  {self.hint}")
        if self.position is not None and self.query:
            lines.append(where(self.query, self.position))
        if self.context:
            # The line of a COPY, the function of PL/pgSQL: where nothing else says it.
            lines.append(f"CONTEXT:  {_cut(self.context)}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self.args, self.__dict__


def where(query: str, position: int) -> str:
    """The line of `query` that `position` (characters from 1) is in, with a caret below; cut to be read."""
    if not 1 <= position <= len(query) + 1:
        return ""
    at = position - 1
    begin = query.rfind("\n", 0, at) + 1
    end = query.find("\n", at)
    line = query[begin : end if end >= 0 else len(query)]
    column = at - begin
    head = f"LINE {query.count(chr(10), 0, begin) + 1}: "
    if column > 60:
        line, column = "..." + line[column - 57 :], 60
    if len(line) > 100:
        line = line[:97] + "..."
    return f"{head}{line}\n{' ' * (len(head) + column)}^"


def _cut(text: str, lines: int = 5, most: int = 500) -> str:
    """The beginning of a text that may be long: the stack of a recursion, a line of a COPY."""
    found = text.split("\n", lines)
    head = "\n".join(found[:lines])
    return head if len(found) <= lines and len(head) <= most else head[: most - 3] + "..."


class PostgresLogMessage(_Fields):
    """What the server says beside its answers: a NoticeResponse. Warnings are `PostgresWarning`."""

    by_sqlstate: ClassVar[dict[str, type[PostgresLogMessage]]] = {}

    def __init__(self, message: str = "", fields: dict[str, str] | None = None) -> None:
        self.message = message
        if fields:
            self._set_fields(fields)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "sqlstate" in cls.__dict__ and cls.sqlstate is not None:
            PostgresLogMessage.by_sqlstate.setdefault(cls.sqlstate, cls)

    def __str__(self) -> str:
        return f"{self.severity or 'NOTICE'}:  {self.message}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.sqlstate}: {self}>"


class InterfaceError(Exception):
    """The client was used wrongly: nothing was asked of the server."""


class ClientConfigurationError(InterfaceError, ValueError):
    """A connection string, an option, a service or password file says what cannot be."""


class UnsupportedClientFeatureError(InterfaceError):
    """Asked for what this client does not do."""


class UnsupportedServerFeatureError(InterfaceError):
    """Asked for what this server does not do."""


class NoRowError(InterfaceError):
    """A row was asked for, and the answer has none."""


class ManyRowsError(InterfaceError):
    """One row was asked for, and the answer has more."""


class PoolTimeoutError(InterfaceError, TimeoutError):
    """No connection of the pool became free in time."""


class PoolClosedError(InterfaceError):
    """The pool is closed, or closing."""


class ConnectError(ConnectionError):
    """No connection could be opened.

    Its text is one line for each address that was tried: host, port, user, database and what to do. `errors`
    has them as exceptions.
    """

    def __init__(self, message: str = "", errors: tuple[Exception, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class TargetServerAttributeNotMatched(ConnectError):  # noqa: N818 - asyncpg's name
    """Servers answered, but none is what `target_session_attrs` asks for."""


class ConnectionLostError(ConnectionError):
    """The connection ended while something was asked of it, or before."""


class CommitUnknownError(ConnectionLostError):
    """The connection ended after COMMIT was sent and before its answer: nobody knows whether the transaction
    has happened. It is never run again; whoever does that has to look first."""


class ProtocolError(Exception):
    """What the server sent is not PostgreSQL's protocol; the connection is closed."""
