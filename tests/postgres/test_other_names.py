"""Who looks for another client's name is told ours."""

from __future__ import annotations

from typing import Any

import pytest

import fastweb.postgres
from fastweb.postgres import ClientConfigurationError, PgPool, connect
from tests.postgres.running import run
from tests.postgres.servers import Postgres

NAMES = [
    ("pool", "listen", "connection.notifications"),
    ("pool", "add_listener", "pool.acquire"),
    ("pool", "fetchrow", "`fetch_one`"),
    ("pool", "executemany", "`execute_many`"),
    ("pool", "copy_records_to_table", "`copy_in`"),
    ("pool", "set_type_codec", "`pool.types.set_codec`"),
    ("connection", "fetchrow", "`fetch_one`"),
    ("connection", "add_listener", r"`listen\("),
    ("connection", "is_in_transaction", "`in_transaction`"),
    ("connection", "begin", r"`async with connection.transaction\(\)`"),
    ("handle", "fetchval", "`fetch_value`"),
    ("handle", "acquire", "handle.pool.acquire"),
    ("handle", "pipeline", "handle.pool.pipeline"),
    ("handle", "notifications", "connection.notifications"),
    ("handle", "prepare", "handle.pool.acquire"),
    ("handle", "set_type_codec", "`handle.pool.types.set_codec`"),
    ("statement", "fetchval", "`fetch_value`"),
    ("statement", "get_parameters", "`parameters`"),
    ("statement", "executemany", "`connection.execute_many"),
]


@pytest.mark.parametrize(("kind", "name", "instead"), NAMES)
def test_names_of_other_clients(postgres: Postgres, kind: str, name: str, instead: str) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn) as pool, await connect(postgres.dsn) as own, pool.acquire() as lent:
            found: dict[str, list[Any]] = {
                "pool": [pool],
                "connection": [own, lent],
                "handle": [pool.get()],
                "statement": [await own.prepare("select 1")],
            }
            for each in found[kind]:
                with pytest.raises(
                    AttributeError, match=f"^{type(each).__name__} has no '{name}': .*{instead}"
                ):
                    getattr(each, name)
                assert not hasattr(each, name)
                assert getattr(each, "nothing_such", None) is None

    run(main())


@pytest.mark.parametrize(
    ("option", "ours"),
    [
        ("init", "setup"),
        ("max_inactive_connection_lifetime", "max_idle"),
        ("minsize", "min_size"),
        ("pool_size", "max_size"),
        ("timeout", "acquire_timeout"),
    ],
)
def test_options_of_other_pools(option: str, ours: str) -> None:
    wrong: dict[str, Any] = {option: 5}
    with pytest.raises(ClientConfigurationError, match=f"^PgPool has no option '{option}': it is {ours}"):
        PgPool("postgresql://nobody@localhost/nothing", **wrong)


def test_a_pool_is_made_by_its_class() -> None:
    with pytest.raises(AttributeError, match=r"`PgPool\(dsn\)`"):
        _ = fastweb.postgres.create_pool


def test_exceptions_are_where_the_rest_is() -> None:
    with pytest.raises(AttributeError, match="in `errors`"):
        _ = fastweb.postgres.exceptions
    assert fastweb.postgres.errors.UniqueViolationError is fastweb.postgres.UniqueViolationError


def test_an_answer_is_not_iterated_over(postgres: Postgres) -> None:
    async def main() -> None:
        async with PgPool(postgres.dsn) as pool:
            answer: Any = pool.fetch("SELECT 1 AS a")
            with pytest.raises(RuntimeError, match="await it: SELECT 1 AS a"):
                list(answer)
            assert await answer == [(1,)]

    run(main())
