"""What a pool, a connection, a handle or a prepared statement does not have, and what to use instead: said
where somebody looks for it, as who comes from another client does."""

from __future__ import annotations

__all__ = ["OPTIONS", "instead_of"]

_LISTEN = (
    "who listens keeps a connection for that time: "
    "`async with pool.acquire() as connection, connection.notifications(…)`"
)
_ACQUIRE = "`async with pool.acquire() as connection`"
_COPY_IN = "`copy_in` takes rows, bytes, files and iterables"
_COPY_OUT = "`copy_out` gives tables and queries"
_NOTIFY = '`execute("SELECT pg_notify($1, $2)", channel, payload)`'
_ROLLBACK = "an exception, such as `Rollback`, ends `async with {}.transaction()` so"
_CODEC = "`{}.types.set_codec`"

#: All of them have these.
_STATEMENTS = {
    "begin": "`async with {}.transaction()`",
    "commit": "the end of `async with {}.transaction()` commits",
    "copy_from_query": _COPY_OUT,
    "copy_from_table": _COPY_OUT,
    "copy_records_to_table": _COPY_IN,
    "copy_to_table": _COPY_IN,
    "cursor": "`iterate` gives rows a few at a time",
    "executemany": "`execute_many`",
    "fetch_val": "`fetch_value`",
    "fetchall": "`fetch`",
    "fetchmany": "`iterate`, or `LIMIT`",
    "fetchone": "`fetch_one`",
    "fetchrow": "`fetch_one`",
    "fetchval": "`fetch_value`",
    "rollback": _ROLLBACK,
}

_INSTEAD = {
    "pool": _STATEMENTS
    | {
        "add_listener": _LISTEN,
        "begin": "`async with pool.transaction() as connection`",
        "connection": _ACQUIRE,
        "expire_connections": "`max_age` replaces connections",
        "get_idle_size": "`pool.stats().idle`",
        "get_max_size": "`pool.stats().max_size`",
        "get_min_size": "`pool.stats().min_size`",
        "get_size": "`pool.stats().size`",
        "is_closing": "`is_closed`",
        "listen": _LISTEN,
        "notifications": _LISTEN,
        "notify": _NOTIFY,
        "prepare": f"statements are prepared by themselves; to see one: {_ACQUIRE}, `connection.prepare(…)`",
        "set_type_codec": _CODEC,
        "terminate": "`await pool.close(timeout=0)`",
        "unlisten": _LISTEN,
    },
    "connection": _STATEMENTS
    | {
        "add_listener": "`listen(channel, function)`, or `async with connection.notifications(channel)`",
        "add_log_listener": "`add_notice_listener`",
        "add_termination_listener": "`on_lost`",
        "get_server_pid": "`process_id`",
        "get_server_version": "`server_version`",
        "get_settings": "`parameters`",
        "is_in_transaction": "`in_transaction`",
        "reload_schema_state": "types are looked up again by themselves",
        "remove_listener": "`unlisten`",
        "remove_log_listener": "`remove_notice_listener`",
        "reset": "a pool does that by itself; else execute `DISCARD ALL`",
        "set_builtin_type_codec": "types are found by themselves",
        "set_type_codec": _CODEC,
    },
    "handle": _STATEMENTS
    | {
        "acquire": "a handle has none: `transaction()` keeps one, or `async with handle.pool.acquire()`",
        "add_listener": _LISTEN,
        "close": "it holds nothing; `handle.pool` closes with the app",
        "listen": _LISTEN,
        "notifications": _LISTEN,
        "notify": _NOTIFY,
        "pipeline": "`async with handle.pool.pipeline()`; what `asyncio.gather` asks is one write, too",
        "prepare": "statements are prepared by themselves; to see one: `async with handle.pool.acquire()`",
        "set_type_codec": "`handle.pool.types.set_codec`",
        "types": "`handle.pool.types`",
    },
    "statement": {
        "cursor": "`connection.iterate(statement.sql)`",
        "executemany": "`connection.execute_many(statement.sql, rows)`",
        "explain": "`EXPLAIN` before the SQL",
        "fetchmany": "`connection.iterate(statement.sql)`, or `LIMIT`",
        "fetchrow": "`fetch_one`",
        "fetchval": "`fetch_value`",
        "get_attributes": "`columns`",
        "get_parameters": "`parameters`",
        "get_query": "`sql`",
    },
}

#: Options of other pools.
OPTIONS = {
    "init": "setup (it is called with each new connection)",
    "max_inactive_connection_lifetime": "max_idle",
    "max_lifetime": "max_age",
    "max_overflow": "max_size",
    "max_queries": "max_age",
    "maxsize": "max_size",
    "minsize": "min_size",
    "pool_recycle": "max_age",
    "pool_size": "max_size",
    "pool_timeout": "acquire_timeout",
    "reset": "setup (what a borrower leaves behind is reset by itself)",
    "timeout": "acquire_timeout, connect_timeout or command_timeout",
}


def instead_of(kind: str, what: object, name: str) -> str:
    """What the AttributeError says for a name.

    Arguments:
        kind: "pool", "connection", "handle" or "statement".
        what: one of them.
    """
    instead = _INSTEAD[kind].get(name)
    return f"{type(what).__name__} has no {name!r}" + (f": {instead.format(kind)}" if instead else "")
