"""What is not a pool's, and what to use instead: said where somebody looks for it, as who comes from another
client does."""

from __future__ import annotations

__all__ = ["instead_of"]

_ACQUIRE = "`async with pool.acquire() as connection`"
_LISTEN = (
    "who listens keeps a connection for that time: "
    "`async with pool.acquire() as connection, connection.notifications(…)`"
)
_COPY_IN = "`copy_in` takes rows, bytes, files and iterables"
_COPY_OUT = "`copy_out` gives tables and queries"

_INSTEAD = {
    "add_listener": _LISTEN,
    "begin": "`async with pool.transaction() as connection`",
    "commit": "the end of `async with pool.transaction()` commits",
    "connection": _ACQUIRE,
    "copy_from_query": _COPY_OUT,
    "copy_from_table": _COPY_OUT,
    "copy_records_to_table": _COPY_IN,
    "copy_to_table": _COPY_IN,
    "cursor": "`iterate` gives rows a few at a time",
    "executemany": "`execute_many`",
    "fetch_val": "`fetch_value`",
    "fetchall": "`fetch`",
    "fetchone": "`fetch_one`",
    "fetchrow": "`fetch_one`",
    "fetchval": "`fetch_value`",
    "listen": _LISTEN,
    "notifications": _LISTEN,
    "notify": '`await pool.execute("SELECT pg_notify($1, $2)", channel, payload)`',
    "prepare": f"statements are prepared by themselves; to look at one: {_ACQUIRE}, `connection.prepare(…)`",
    "rollback": "an exception, such as `Rollback`, ends `async with pool.transaction()` so",
    "terminate": "`await pool.close(timeout=0)`",
    "unlisten": _LISTEN,
}


def instead_of(name: str) -> str:
    """What the AttributeError says for a name."""
    instead = _INSTEAD.get(name)
    return f"PgPool has no {name!r}" + (f": {instead}" if instead else "")
