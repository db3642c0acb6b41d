"""PostgreSQL: our own client. What is public is named here, and loaded when it is first asked for.

    from fastweb.postgres import PgPool, connect

- The sans-IO half, the framing and the values are hot: `fastweb/_speedups/pg_*.py`.
- `options`, `conninfo`, `passfile`, `servicefile`: where the server is, and as whom.
- `startup`, `auth`, `tls`, `cancel`: from a socket to ReadyForQuery.
- `errors`: every exception.

Source: https://www.postgresql.org/docs/current/protocol.html
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastweb.postgres.connection import Connection, connect
    from fastweb.postgres.errors import *  # noqa: F403
    from fastweb.postgres.handle import Handle
    from fastweb.postgres.options import Host, Options
    from fastweb.postgres.pool import PgPool
    from fastweb.postgres.results import JSONBytes, Record, Result, RowError
    from fastweb.postgres.statistics import PoolStatistics

#: A public name -> the module of this package that has it. Exceptions are found in `errors`.
_MODULES = {
    "Connection": "connection",
    "Handle": "handle",
    "Host": "options",
    "JSONBytes": "results",
    "Options": "options",
    "PgPool": "pool",
    "PoolStatistics": "statistics",
    "Record": "results",
    "Result": "results",
    "RowError": "results",
    "connect": "connection",
}

__all__ = [
    "Connection",
    "Handle",
    "Host",
    "JSONBytes",
    "Options",
    "PgPool",
    "PoolStatistics",
    "Record",
    "Result",
    "RowError",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    elif name.startswith("_") or not name[:1].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    else:
        from fastweb.postgres import errors

        try:
            value = getattr(errors, name)
        except AttributeError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from fastweb.postgres import errors

    return sorted({*globals(), *_MODULES, *errors.__all__})
