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
    from fastweb.postgres.bitstring import BitString
    from fastweb.postgres.connection import Connection, connect
    from fastweb.postgres.copy import CopyOut
    from fastweb.postgres.cursor import Cursor
    from fastweb.postgres.errors import *  # noqa: F403
    from fastweb.postgres.geometry import Box, Circle, Line, LineSegment, Path, Point, Polygon
    from fastweb.postgres.handle import Handle
    from fastweb.postgres.interval import Interval
    from fastweb.postgres.notifications import Notification, Notifications
    from fastweb.postgres.options import Host, Options
    from fastweb.postgres.pool import PgPool
    from fastweb.postgres.ranges import Range
    from fastweb.postgres.results import JSONBytes, Record, Result, RowError
    from fastweb.postgres.retry import Retry
    from fastweb.postgres.statistics import PoolStatistics
    from fastweb.postgres.transaction import Rollback, Transaction
    from fastweb.postgres.types import Codec, TypeRegistry

#: A public name -> the module of this package that has it. Exceptions are found in `errors`.
_MODULES = {
    "BitString": "bitstring",
    "Box": "geometry",
    "Circle": "geometry",
    "Codec": "types",
    "Connection": "connection",
    "CopyOut": "copy",
    "Cursor": "cursor",
    "Handle": "handle",
    "Host": "options",
    "Interval": "interval",
    "JSONBytes": "results",
    "Line": "geometry",
    "LineSegment": "geometry",
    "Notification": "notifications",
    "Notifications": "notifications",
    "Options": "options",
    "Path": "geometry",
    "PgPool": "pool",
    "Point": "geometry",
    "Polygon": "geometry",
    "PoolStatistics": "statistics",
    "Range": "ranges",
    "Record": "results",
    "Result": "results",
    "Retry": "retry",
    "Rollback": "transaction",
    "RowError": "results",
    "Transaction": "transaction",
    "TypeRegistry": "types",
    "connect": "connection",
}

__all__ = [
    "BitString",
    "Box",
    "Circle",
    "Codec",
    "Connection",
    "CopyOut",
    "Cursor",
    "Handle",
    "Host",
    "Interval",
    "JSONBytes",
    "Line",
    "LineSegment",
    "Notification",
    "Notifications",
    "Options",
    "Path",
    "PgPool",
    "Point",
    "Polygon",
    "PoolStatistics",
    "Range",
    "Record",
    "Result",
    "Retry",
    "Rollback",
    "RowError",
    "Transaction",
    "TypeRegistry",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    elif name in ("create_pool", "Pool"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: `PgPool(dsn)` is a pool")
    elif name == "exceptions":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: they are here, and in `errors`")
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
