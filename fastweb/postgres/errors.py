"""Every exception of this package, and how an ErrorResponse becomes one.

`except UniqueViolationError` for a SQLSTATE, `except IntegrityConstraintViolationError` for its class,
`except PostgresError` for whatever the server refused. A code of no class of its own has its class's parent
(22xxx: DataError), and one of an unknown class is a plain PostgresError; `sqlstate` always is the server's.
"""

from __future__ import annotations

from fastweb.postgres import base_errors, sqlstates
from fastweb.postgres.base_errors import *  # noqa: F403
from fastweb.postgres.base_errors import PostgresError, PostgresLogMessage, ProtocolError
from fastweb.postgres.sqlstates import *  # noqa: F403
from fastweb.postgres.sqlstates import FeatureNotSupportedError

__all__ = [  # noqa: PLE0604 - the names of both
    *base_errors.__all__,
    *sqlstates.__all__,
    "InvalidCachedStatementError",
    "error_of",
    "fields_of",
    "notice_of",
]


class InvalidCachedStatementError(FeatureNotSupportedError):
    """0A000, "cached plan must not change result type": a table changed below a prepared statement."""


#: The server's function that says so: the message is in the server's language, this is not.
_CACHED_PLAN = "RevalidateCachedQuery"


def fields_of(data: bytes, at: int = 0, end: int | None = None) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse.

        Byte1  the field's letter, or 0 at the end
        String its value

    Arguments:
        data: holds the message's body, what follows its length.
        at, end: where the body is in it.

    Raises:
        ProtocolError: it is not made so.
    """
    if end is None:
        end = len(data)
    fields: dict[str, str] = {}
    while at < end:
        letter = data[at]
        if letter == 0:
            return fields
        stop = data.find(b"\0", at + 1, end)
        if stop < 0:
            break
        # Before the startup is through, the encoding is the server's: what it is matters less than that there
        # is an error at all.
        fields[chr(letter)] = data[at + 1 : stop].decode("utf-8", "replace")
        at = stop + 1
    raise ProtocolError("an ErrorResponse or NoticeResponse that does not end")


def class_of(sqlstate: str | None) -> type[PostgresError]:
    """The exception class of a SQLSTATE."""
    if not sqlstate:
        return PostgresError
    by_sqlstate = PostgresError.by_sqlstate
    return by_sqlstate.get(sqlstate) or by_sqlstate.get(sqlstate[:2] + "000") or PostgresError


def error_of(fields: dict[str, str], query: str | None = None) -> PostgresError:
    """The exception for the fields of an ErrorResponse (`fields_of`) that was the answer to `query`."""
    sqlstate = fields.get("C")
    cls = class_of(sqlstate)
    if sqlstate == "0A000" and fields.get("R") == _CACHED_PLAN:
        cls = InvalidCachedStatementError
    return cls(fields.get("M") or "the server gave no message", fields, query)


def notice_of(fields: dict[str, str]) -> PostgresLogMessage:
    """The message for the fields of a NoticeResponse (`fields_of`)."""
    sqlstate = fields.get("C") or ""
    by_sqlstate = PostgresLogMessage.by_sqlstate
    cls = by_sqlstate.get(sqlstate) or by_sqlstate.get(sqlstate[:2] + "000") or PostgresLogMessage
    return cls(fields.get("M") or "", fields)
