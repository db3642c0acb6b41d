"""The database: a PostgreSQL of our own, started as the tests start theirs, on the load's core."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from bench.http.processes import on_core

__all__ = ["Database", "database"]

_TABLES = """
create table bench_users (id int4 primary key, name text not null, age int4 not null, score float8 not null)
  with (fillfactor = 50);
insert into bench_users select n, 'user number ' || n, n % 90, n / 8.0 from generate_series(1, 1000) n;
create table bench_notes
  (id int4 not null, title text not null, written timestamptz not null, done bool not null);
insert into bench_notes
  select n, 'note number ' || n, '2024-01-01'::timestamptz + n * interval '67 minutes 0.123456 s', n % 3 = 0
  from generate_series(1, 1000) n;
create table bench_rows
  (serial bigserial, id int4 not null, name text not null, age int4 not null, score float8 not null);
"""


@dataclass(frozen=True, slots=True)
class Database:
    """Where it is.

    Arguments:
        dsn, url: as libpq reads it, and as SQLAlchemy does.
        version: PostgreSQL's.
        settings: those that are not its own.
    """

    dsn: str
    url: str
    version: str
    settings: dict[str, str]


@contextlib.contextmanager
def database(core: int | None) -> Iterator[Database]:
    """A server that runs on this core, with its tables. Nothing is synced to the disk, whose speed is not
    what is measured, and nothing runs by itself meanwhile."""
    from tests.postgres import servers

    settings = {
        "autovacuum": "off",
        "shared_buffers": "128MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "1h",
    }
    with on_core(core):
        server = servers.private(settings=settings)
        started = server.__enter__()
    try:
        version = _psql(started, "show server_version")
        _psql(started, _TABLES)
        _psql(started, "vacuum analyze")
        where = f"{started.host}:{started.port}/{started.database}"
        yield Database(
            f"postgresql://{started.user}@{where}",
            f"postgresql+asyncpg://{started.user}@{where}",
            version,
            {**{name: str(value) for name, value in servers.SETTINGS.items()}, **settings},
        )
    finally:
        server.__exit__(None, None, None)


def _psql(server: object, sql: str) -> str:
    from tests.postgres.servers import OwnPostgres, environment

    assert isinstance(server, OwnPostgres)
    words = [str(server.bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", server.host]
    words += ["-p", str(server.port), "-U", server.user, "-d", server.database, "-c", sql]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"psql: {done.stderr.strip()}")
    said: str = done.stdout.strip()
    return said
