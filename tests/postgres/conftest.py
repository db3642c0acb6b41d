"""A real PostgreSQL for every test that names one of these: see `servers.py`. A machine without any fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest

from fastweb.postgres.protocol import Protocol
from tests.postgres import servers
from tests.postgres.ports import ReservedPort
from tests.postgres.servers import NoPostgresError, OwnPostgres, PgBouncer, Postgres


def given(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except NoPostgresError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """The run's server, with a database of this process's own. Others use the server too: no test stops it,
    changes its settings, or leaves tables behind."""
    found: Postgres = given(servers.shared)
    return found


@pytest.fixture(scope="session")
def postgres_wheel() -> Postgres:
    """The newest server of the wheel, which has pgvector: shared, as `postgres` is."""
    newest = max((install.version for install in servers.installs() if install.wheel), default=None)
    found: Postgres = given(lambda: servers.shared(newest, True))
    return found


@pytest.fixture(scope="session", params=["newest-of-debian", "oldest-of-wheel", "newest-of-wheel"])
def any_postgres(request: pytest.FixtureRequest) -> Postgres:
    """The test runs on each version that is due: the machine's own, and those of the wheel."""
    which, _, whose = request.param.partition("-of-")
    versions = [install.version for install in servers.installs() if install.wheel is (whose == "wheel")]
    choose = max if which == "newest" else min
    version = choose(versions, default=None)
    found: Postgres = given(lambda: servers.shared(version, whose == "wheel"))
    return found


@pytest.fixture
def start_postgres() -> Iterator[Callable[..., OwnPostgres]]:
    """Start servers for this test alone: the arguments of `servers.private`."""
    with ExitStack() as stack:

        def start(**arguments: Any) -> OwnPostgres:
            server: AbstractContextManager[OwnPostgres] = servers.private(**arguments)
            found: OwnPostgres = given(lambda: stack.enter_context(server))
            return found

        yield start


@pytest.fixture
def own_postgres(start_postgres: Callable[..., OwnPostgres]) -> OwnPostgres:
    """A server for this test alone, that may be stopped and killed."""
    return start_postgres()


@pytest.fixture
def start_pgbouncer() -> Iterator[Callable[..., PgBouncer]]:
    """Start pgbouncer for this test: the arguments of `servers.bouncer`."""
    with ExitStack() as stack:

        def start(server: Postgres, mode: str = "transaction", **settings: Any) -> PgBouncer:
            found: PgBouncer = given(lambda: stack.enter_context(servers.bouncer(server, mode, **settings)))
            return found

        yield start


@pytest.fixture
def pgbouncer(postgres: Postgres, start_pgbouncer: Callable[..., PgBouncer]) -> PgBouncer:
    """pgbouncer in transaction mode, in front of `postgres` and its database."""
    return start_pgbouncer(postgres)


@pytest.fixture
def pgbouncer_session(postgres: Postgres, start_pgbouncer: Callable[..., PgBouncer]) -> PgBouncer:
    """The same, in session mode."""
    return start_pgbouncer(postgres, "session")


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Everything that connections write, one item a write."""
    found: list[bytes] = []
    write = Protocol.write

    def note(self: Protocol, data: bytes) -> None:
        found.append(data)
        write(self, data)

    monkeypatch.setattr(Protocol, "write", note)
    return found


@pytest.fixture
def port_of_nobody() -> Iterator[Callable[[], int]]:
    """Gives ports on which nobody listens: connections there are refused as long as the test runs."""
    with ExitStack() as stack:

        def reserve() -> int:
            reserved = ReservedPort()
            stack.callback(reserved.close)
            return reserved.number

        yield reserve
