"""The HTTP part: which apps, which requests. All else is `bench.http`'s."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.http.contenders import FASTWEB, Contender
from bench.http.routes import Route

__all__ = ["HALF", "ROUTES", "contenders"]

APPS: Final = Path(__file__).resolve().parent / "apps"

_UVICORN: Final = ("uvicorn>=0.30,<1", "uvloop>=0.21,<1", "httptools>=0.6.4,<1")


def _user(number: int) -> dict[str, Any]:
    """As `bench.postgres.database` makes them."""
    return {"id": number, "name": f"user number {number}", "age": number % 90, "score": number / 8}


_NEW: Final = {"name": "Grace Hopper", "age": 36, "score": 1.5}
_SCORE: Final = {"score": 2.25}

ROUTES: Final = {
    route.name: route
    for route in (
        Route("select", "one select by key", "/users/42", _user(42)),
        Route(
            "twenty",
            "twenty selects, in turn",
            "/twenty",
            [_user(1 + n) for n in range(20)],
        ),
        Route("insert", "one insert", "/users", _NEW, body=_NEW),
        Route("update", "one update by key", "/scores", _SCORE, body=_SCORE),
    )
}

#: Those whose latencies are measured at half load.
HALF: Final = ("select", "insert", "update")


def _uvicorn(module: str) -> tuple[str, ...]:
    words = ["-m", "uvicorn", f"{module}:app", "--app-dir", str(APPS), "--port", "{port}"]
    return (*words, "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


def _fastweb(module: str) -> tuple[str, ...]:
    words = ["-m", "fastweb", "run", f"{APPS}/{module}.py:app", "--port", "{port}", "--workers", "1"]
    return (*words, "--no-access-log", "--log-level", "warning")


def contenders(dsn: str, url: str) -> dict[str, Contender]:
    """Who takes part.

    Arguments:
        dsn, url: where PostgreSQL is, as libpq reads it, and as SQLAlchemy does.
    """
    variables = {"BENCH_DSN": dsn, "BENCH_URL": url}
    fastweb = Contender(
        "fastweb",
        "fastweb",
        "fastweb",
        (FASTWEB,),
        _fastweb("fastweb_pg"),
        models="fastweb",
        variables=variables,
        versions=("fastweb",),
    )
    listed = (
        fastweb,
        replace(
            fastweb,
            name="fastweb-pure",
            title="fastweb, pure Python",
            variables={**variables, "FASTWEB_PURE": "1"},
        ),
        Contender(
            "fastapi-asyncpg",
            "FastAPI, asyncpg, uvicorn",
            "fastapi-asyncpg",
            ("fastapi>=0.115", "asyncpg>=0.30", *_UVICORN),
            _uvicorn("fastapi_asyncpg"),
            models="pydantic",
            variables=variables,
            versions=("fastapi", "asyncpg", "uvicorn"),
        ),
        Contender(
            "fastapi-sqlalchemy",
            "FastAPI, SQLAlchemy ORM, uvicorn",
            "fastapi-sqlalchemy",
            ("fastapi>=0.115", "sqlalchemy[asyncio]>=2.0,<3", "asyncpg>=0.30", *_UVICORN),
            _uvicorn("fastapi_sqlalchemy"),
            models="pydantic",
            variables=variables,
            versions=("sqlalchemy", "asyncpg"),
        ),
    )
    return {each.name: each for each in listed}
