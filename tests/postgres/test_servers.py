"""The servers of the tests: found, started, shared, and gone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.postgres import keeper, servers
from tests.postgres.servers import OwnPostgres, PgBouncer, Postgres

ROOT = Path(__file__).resolve().parents[2]


def test_shared(postgres: Postgres) -> None:
    assert postgres.execute("select 1, 'a'") == [(1, "a")]
    assert postgres.value("show server_version").startswith(str(postgres.version))
    assert postgres.value("select current_database()") == postgres.database
    with psycopg.connect(postgres.socket_dsn) as connection:
        assert connection.info.host == postgres.socket_dir
        assert postgres.connections() >= 1


def test_versions(any_postgres: Postgres) -> None:
    assert any_postgres.version >= 15
    assert any_postgres.value("show server_version_num").startswith(str(any_postgres.version))


def test_vector(postgres_wheel: Postgres) -> None:
    assert postgres_wheel.value("select count(*) from pg_available_extensions where name = 'vector'") == 1


def test_own(own_postgres: OwnPostgres) -> None:
    own_postgres.execute("create table kept (x int)")
    with psycopg.connect(own_postgres.dsn) as connection:
        own_postgres.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    own_postgres.start()
    assert own_postgres.execute("select * from kept") == []
    own_postgres.restart()
    assert own_postgres.connections() == 0


def test_settings_hba_and_files(start_postgres: Callable[..., OwnPostgres]) -> None:
    hba = "local all all trust\nhost all postgres all trust\nhost all all all scram-sha-256\n"
    server = start_postgres(hba=hba, settings={"work_mem": "7MB"}, files={"more": "text"})
    assert server.value("show work_mem") == "7MB"
    server.execute("create user ann password 'secret'")
    with psycopg.connect(server.conninfo(user="ann", password="secret")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert server.value("select pg_read_file('more')") == "text"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.conninfo(user="ann", password="wrong"))


def test_pgbouncer(pgbouncer: PgBouncer, pgbouncer_session: PgBouncer) -> None:
    for bouncer, mode in ((pgbouncer, "transaction"), (pgbouncer_session, "session")):
        assert bouncer.value("select current_database()") == bouncer.database
        assert bouncer.value("select 2") == 2
        assert ("pool_mode", mode) in [row[:2] for row in bouncer.admin("show config")]
        bouncer.restart()
        assert bouncer.value("select 3") == 3


LIVES = """
import sys, time
from tests.postgres import keeper, servers
with servers.private() as own:
    print(servers.run_folder(), servers.shared().value("select 1"), own.process.pid, flush=True)
    time.sleep(600)
"""


def of_a_run_of_its_own() -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    variables.pop("FASTWEB_TEST_POSTGRES", None)
    return variables


def test_tests_that_end_leave_nothing_and_say_nothing() -> None:
    """Their shared server ends after them, and they do not warn of it."""
    asks = "from tests.postgres import servers; servers.shared(); print(servers.run_folder())"
    ended = subprocess.run(
        [sys.executable, "-W", "default", "-c", asks],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=of_a_run_of_its_own(),
        check=True,
    )
    assert ended.stderr == ""
    folder = ended.stdout.strip()
    servers.wait_until(lambda: not (os.path.exists(folder) or keeper.of_run(Path(folder))), "all gone")


def test_killed_tests_leave_nothing() -> None:
    """kill -9 of the tests: their servers end, and their folder is removed."""
    child = subprocess.Popen(
        [sys.executable, "-c", LIVES],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=of_a_run_of_its_own(),
    )
    with child:
        assert child.stdout is not None
        folder, one, _pid = child.stdout.readline().split()
        assert one == "1"
        assert len(keeper.of_run(Path(folder))) >= 2
        child.send_signal(signal.SIGKILL)
    servers.wait_until(lambda: not (os.path.exists(folder) or keeper.of_run(Path(folder))), "all gone")


def test_a_machine_without_any_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "installs", tuple)
    with pytest.raises(servers.NoPostgresError, match="apt-get install postgresql"):
        servers.install_of()
