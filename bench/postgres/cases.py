"""What is measured of a client alone, who takes part, and what issue 6 asks for.

A figure is operations a second; what an operation is, the case says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.http.contenders import FASTWEB

__all__ = ["CASES", "CLIENTS", "GOALS", "Case", "Client", "Goal"]


@dataclass(frozen=True, slots=True)
class Client:
    """A client library, in a process and an environment of its own.

    Arguments:
        name, title: on the command line, and in tables.
        driver: the file in drivers/ that runs it.
        environment, requirements: see `bench.http.contenders.Contender`.
        versions: the distributions whose versions are shown.
        pure: fastweb without its compiled modules.
    """

    name: str
    title: str
    driver: str
    environment: str
    requirements: tuple[str, ...]
    versions: tuple[str, ...]
    pure: bool = False


_ASYNCPG: Final = ("asyncpg>=0.30", "uvloop>=0.21,<1", "msgspec>=0.19,<1", "orjson>=3.10,<4")
_PSYCOPG: Final = ("psycopg[binary,pool]>=3.2", "uvloop>=0.21,<1", "msgspec>=0.19,<1", "orjson>=3.10,<4")

CLIENTS: Final = {
    each.name: each
    for each in (
        Client("fastweb", "fastweb", "fastweb", "fastweb", (FASTWEB,), ("fastweb", "uvloop")),
        Client("fastweb-pure", "fastweb, pure Python", "fastweb", "fastweb", (FASTWEB,), (), pure=True),
        Client("asyncpg", "asyncpg", "asyncpg", "asyncpg", _ASYNCPG, ("asyncpg",)),
        Client(
            "asyncpg-own",
            "asyncpg, a connection a task",
            "asyncpg_own",
            "asyncpg",
            _ASYNCPG,
            ("asyncpg",),
        ),
        Client("psycopg", "psycopg", "psycopg", "psycopg", _PSYCOPG, ("psycopg", "psycopg-pool")),
        Client("limit", "bare protocol", "limit", "asyncpg", _ASYNCPG, ("uvloop",)),
    )
}


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is done again and again.

    Arguments:
        name, title: on the command line, and in tables.
        unit: what is counted.
        clients: who can do it.
        baseline: whose figures the ratios are ratios to.
    """

    name: str
    title: str
    unit: str
    clients: tuple[str, ...]
    baseline: str = "asyncpg"


_ALL: Final = ("fastweb", "fastweb-pure", "asyncpg", "psycopg")

CASES: Final = {
    each.name: each
    for each in (
        Case("pool8", "select by key, the pool, 8 tasks", "queries", (*_ALL, "asyncpg-own", "limit")),
        Case("pool64", "select by key, the pool, 64 tasks", "queries", (*_ALL, "asyncpg-own", "limit")),
        Case("sequential", "select by key, one connection, one task", "queries", (*_ALL, "limit")),
        # The limit is PostgreSQL's own: its answer is read, and nothing made of it.
        Case("records", "fetch 1,000 rows of 4 columns, records", "rows", (*_ALL, "limit")),
        Case("structs", "fetch 1,000 rows of 4 columns, Structs", "rows", (*_ALL, "limit")),
        Case("json", "fetch 1,000 rows of 4 columns, JSON", "rows", (*_ALL, "limit")),
        Case("numbers", "the same, no timestamp in them, records", "rows", (*_ALL, "limit")),
        Case("numbers_structs", "the same, no timestamp in them, Structs", "rows", (*_ALL, "limit")),
        Case("numbers_json", "the same, no timestamp in them, JSON", "rows", (*_ALL, "limit")),
        Case("copy", "COPY in of 10,000 rows, from tuples", "rows", _ALL),
        Case("many", "execute_many of an insert, 1,000 rows", "rows", (*_ALL, "limit")),
        Case("acquire", "acquire and release", "times", _ALL),
    )
}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure of fastweb is to be, as a ratio.

    Arguments:
        case: a case here, or a route of the HTTP part.
        to: to whose figure.
        least: the ratio.
    """

    case: str
    to: str
    least: float


GOALS: Final = (
    Goal("pool8", "asyncpg", 6.0),
    Goal("pool64", "asyncpg", 6.0),
    Goal("pool8", "asyncpg-own", 2.0),
    Goal("pool64", "asyncpg-own", 2.0),
    Goal("sequential", "asyncpg", 1.15),
    Goal("records", "asyncpg", 1.5),
    Goal("structs", "asyncpg", 2.5),
    Goal("json", "asyncpg", 5.0),
    Goal("numbers", "asyncpg", 1.5),
    Goal("numbers_structs", "asyncpg", 2.5),
    Goal("numbers_json", "asyncpg", 5.0),
    Goal("copy", "asyncpg", 1.0),
    Goal("many", "asyncpg", 2.0),
    Goal("select", "fastapi-sqlalchemy", 20.0),
    Goal("select", "fastapi-asyncpg", 8.0),
    Goal("twenty", "fastapi-asyncpg", 5.0),
)

#: Seconds: what an acquire may take, and a request at half load, for all but one in a hundred.
ACQUIRE: Final = 5e-6
P99: Final = 2e-3
