"""Sessions of real servers: each method of pg_hba.conf, each sslmode, several hosts, and what is said."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweb.postgres import errors
from fastweb.postgres.cancel import send_cancel
from fastweb.postgres.conninfo import resolve
from fastweb.postgres.errors import (
    ClientConfigurationError,
    ConnectError,
    ConnectionLostError,
    InvalidAuthorizationSpecificationError,
    InvalidCatalogNameError,
    InvalidPasswordError,
    ProtocolError,
    TargetServerAttributeNotMatched,
    TooManyConnectionsError,
)
from fastweb.postgres.options import PROTOCOL_3_0, PROTOCOL_3_2
from fastweb.postgres.startup import Session, open_session
from tests.postgres import servers
from tests.postgres.running import Gate, granted, until
from tests.postgres.running import run as run_with
from tests.postgres.servers import OwnPostgres, PgBouncer, Postgres
from tests.postgres.sessions import (
    LOOPS,
    PASSWORD,
    Certificates,
    Simple,
    make_certificates,
    opened,
    walled_server,
)

Run = Callable[..., Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on each of the loops."""
    factory = LOOPS[request.param]
    return lambda main: run_with(main, loop_factory=factory)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), "cert")


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[OwnPostgres]:
    with walled_server(certificates) as found:
        yield found


def test_a_session(postgres: Postgres, run: Run) -> None:
    async def main() -> None:
        async with opened(postgres.dsn, application_name="mine", server_settings={"jit": "off"}) as (
            session,
            protocol,
        ):
            assert session.parameters["application_name"] == "mine"
            assert session.parameters["client_encoding"] == "UTF8"
            assert session.protocol_version == PROTOCOL_3_0
            assert session.process_id > 0
            assert len(session.secret_key) == 4
            assert await protocol.value("select 'é' || current_setting('jit')") == "éoff"

    run(main())


async def check_cancel(server: Postgres, session: Session, protocol: Simple) -> None:
    """What the session does is ended by a CancelRequest."""
    with Gate(server) as gate:
        query = asyncio.ensure_future(protocol.query(f"select {gate.sql}"))
        await gate.reached()
        await send_cancel(session)
        assert b"C57014\0" in await query


def test_every_version(any_postgres: Postgres) -> None:
    async def main() -> None:
        for dsn in (any_postgres.dsn, any_postgres.socket_dsn):
            async with opened(dsn, max_protocol_version="latest", options="-c work_mem=77MB") as (
                session,
                protocol,
            ):
                assert await protocol.value("show work_mem") == "77MB"
                if any_postgres.version >= 18:
                    assert session.protocol_version == PROTOCOL_3_2
                    assert len(session.secret_key) > 4
                else:
                    # NegotiateProtocolVersion
                    assert session.protocol_version == PROTOCOL_3_0
                    assert len(session.secret_key) == 4
                await check_cancel(any_postgres, session, protocol)

    run_with(main())


def test_a_version_that_the_server_does_not_speak(postgres: Postgres, server: OwnPostgres) -> None:
    async def main() -> None:
        with pytest.raises(
            ConnectError, match=r"3\.0 of the protocol at most, and min_protocol_version is 3\.2"
        ):
            await open_session(resolve(server.dsn, min_protocol_version="3.2", max_protocol_version="3.2"))

    run_with(main())


METHODS = ("scram", "md5", "clear", "onlytls", "onlyplain")


@pytest.mark.parametrize("user", METHODS)
def test_methods(server: OwnPostgres, run: Run, user: str) -> None:
    async def check(sslmode: str) -> None:
        refused = {("onlytls", "disable"), ("onlyplain", "require")}
        dsn = server.conninfo(user=user, dbname="postgres", sslmode=sslmode, password=PASSWORD)
        if (user, sslmode) in refused:
            with pytest.raises(InvalidAuthorizationSpecificationError, match=r"no pg_hba\.conf entry"):
                await open_session(resolve(dsn))
            return
        async with opened(dsn) as (session, protocol):
            assert await protocol.value("select current_user") == user
            encrypted = await protocol.value("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            assert session.is_encrypted is (encrypted == "t")
            expected = {"disable": False, "allow": user == "onlytls", "prefer": user != "onlyplain"}
            assert session.is_encrypted is expected.get(sslmode, True)

    async def main() -> None:
        await asyncio.gather(*map(check, ("disable", "allow", "prefer", "require")))

    run(main())


@pytest.mark.parametrize("user", METHODS)
def test_a_wrong_password(server: OwnPostgres, user: str) -> None:
    async def main() -> None:
        dsn = server.conninfo(user=user, password="hunter2", dbname="postgres", application_name="wrong")
        with pytest.raises(InvalidPasswordError) as caught:
            await open_session(resolve(dsn))
        text = str(caught.value)
        assert text == (
            f"127.0.0.1:{server.port}, user '{user}', database 'postgres': password authentication failed for"
            f' user "{user}"; check user and password'
        )

    run_with(main())


def test_what_is_said(server: OwnPostgres, tmp_path: Path, port_of_nobody: Callable[[], int]) -> None:
    """One line each: where, as whom, what, and what to do."""
    place = f"127.0.0.1:{server.port}, user"
    nobody = port_of_nobody()
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        (
            {"dbname": "nope"},
            InvalidCatalogNameError,
            f"{place} 'postgres', database 'nope': database \"nope\" does not exist; create it",
        ),
        ({"user": "nope"}, InvalidAuthorizationSpecificationError, "no pg_hba.conf entry"),
        ({"user": "rejected"}, InvalidAuthorizationSpecificationError, "pg_hba.conf rejects connection"),
        (
            {"user": "scram"},
            ConnectError,
            "'scram', database 'postgres': the server asks for a password, and there is none: password=",
        ),
        (
            {"port": nobody},
            ConnectError,
            f":{nobody}, user 'postgres', database 'postgres': connection refused; is the server",
        ),
        (
            {"host": "/nowhere"},
            ConnectError,
            f"/nowhere/.s.PGSQL.{server.port}, user 'postgres', database 'postgres': there is no such",
        ),
        ({"host": "no.such.host.invalid"}, ConnectError, "the host is not known"),
        ({"host": "a" * 70 + ".invalid"}, ConnectError, "the host is not known"),
        ({"hostaddr": "localhost"}, ClientConfigurationError, "hostaddr must be an IP address"),
        ({"host": "/" + "x" * 120}, ClientConfigurationError, "the path of the Unix socket is longer than"),
        (
            {"options": "-c nonsense=1"},
            errors.PostgresError,
            "unrecognized configuration parameter",
        ),
        ({"user": "a\0b"}, ClientConfigurationError, "has a NUL in it"),
        ({"application_name": "x" * 20000}, ClientConfigurationError, "longer than 10,000 bytes"),
        ({"requirepeer": "nosuchuser", "host": server.socket_dir}, ConnectError, "(requirepeer)"),
    ]

    async def main() -> None:
        for changes, kind, line in cases:
            dsn = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": "postgres"}
            with pytest.raises(kind) as caught:
                await open_session(resolve(None, environ={"HOME": str(tmp_path)}, **{**dsn, **changes}))
            assert line in str(caught.value)
            assert "\n" not in str(caught.value)

    run_with(main())


def test_a_password_file_that_is_wrong_is_named(server: OwnPostgres, tmp_path: Path) -> None:
    path = tmp_path / ".pgpass"
    path.write_text("*:*:*:*:hunter2\n")
    path.chmod(0o600)

    async def main() -> None:
        with pytest.raises(InvalidPasswordError) as caught:
            await open_session(resolve(server.conninfo(user="scram"), environ={"HOME": str(tmp_path)}))
        assert caught.value.hint == f"the password was taken from {path}"
        path.write_text(f"127.0.0.1:{server.port}:*:scram:{PASSWORD}\n")
        async with opened(server.conninfo(user="scram", passfile=path)) as (_, protocol):
            assert await protocol.value("select 1") == "1"

    run_with(main())


def test_a_password_that_is_called_for(server: OwnPostgres) -> None:
    calls = []

    def token() -> str:
        calls.append("called")
        return PASSWORD

    async def later() -> str:
        await asyncio.sleep(0)
        return token()

    async def main() -> None:
        for password in (token, later):
            async with opened(server.conninfo(user="scram"), password=password) as (_, protocol):
                assert await protocol.value("select 1") == "1"
        assert len(calls) == 2
        # The server that trusts asks for none.
        async with opened(server.dsn, password=token):
            assert len(calls) == 2

        for error in (LookupError("no token"), OSError("no token"), TimeoutError("no token")):

            def broken(error: Exception = error) -> str:
                raise error

            with pytest.raises(type(error), match="no token") as caught:
                await open_session(resolve(server.conninfo(user="scram"), password=broken))
            assert caught.value is error
        with pytest.raises(ClientConfigurationError, match="a str was expected"):
            await open_session(resolve(server.conninfo(user="scram"), password=lambda: 3))

    run_with(main())


def test_a_full_server(start_postgres: Callable[..., OwnPostgres]) -> None:
    server = start_postgres(settings={"max_connections": 5, "superuser_reserved_connections": 1})
    server.execute("create user u")

    async def main() -> None:
        options = resolve(server.conninfo(user="u"))
        sessions = [await granted(lambda: open_session(options)) for _ in range(4)]
        with pytest.raises(TooManyConnectionsError, match="raise max_connections") as caught:
            await open_session(options)
        assert "\n" not in str(caught.value)
        for session in sessions:
            session.close()
        await asyncio.sleep(0.05)

    run_with(main())


# --- TLS ---


#: What is asked for, and why it is refused; nothing where it is not.
SSLMODES: list[tuple[dict[str, Any], str]] = [
    ({"sslmode": "require"}, ""),
    ({"sslmode": "verify-ca", "sslrootcert": "root.crt"}, ""),
    ({"sslmode": "verify-full", "sslrootcert": "root.crt"}, ""),
    (
        {
            "sslmode": "verify-full",
            "sslrootcert": "root.crt",
            "host": "localhost",
            "hostaddr": "127.0.0.1",
        },
        "",
    ),
    ({"sslmode": "verify-full", "sslrootcert": "root.crt", "sslcrl": "root.crl"}, ""),
    ({"sslmode": "require", "sslsni": 0}, ""),
    ({"sslmode": "require", "ssl_min_protocol_version": "TLSv1.3"}, ""),
    ({"sslmode": "require", "ssl_max_protocol_version": "TLSv1.2"}, ""),
    ({"sslmode": "require", "sslcert": "client.crt", "sslkey": "client.key"}, ""),
    ({"sslmode": "require", "sslcert": "client.crt", "sslkey": "locked.key", "sslpassword": "open"}, ""),
    ({"sslmode": "verify-full", "sslrootcert": "other.crt"}, "certificate is refused"),
    # As libpq: a root certificate is one to check by.
    ({"sslmode": "require", "sslrootcert": "other.crt"}, "certificate is refused"),
    ({"sslmode": "verify-full", "sslrootcert": "system"}, "certificate is refused"),
    (
        {"sslmode": "verify-full", "sslrootcert": "root.crt", "host": "wrong", "hostaddr": "127.0.0.1"},
        "certificate is refused",
    ),
    (
        {"sslmode": "verify-ca", "sslrootcert": "root.crt", "sslcrl": "revoked.crl"},
        "certificate is refused",
    ),
    (
        {"sslmode": "verify-full", "sslrootcert": "root.crt", "host": "", "hostaddr": "127.0.0.1"},
        "needs host",
    ),
    ({"sslmode": "verify-full"}, "needs root certificates"),
    ({"sslmode": "verify-ca", "sslrootcert": "absent.crt"}, "No such file"),
    ({"sslmode": "verify-ca", "sslrootcert": "client.key"}, "is not what it should be"),
    ({"sslmode": "prefer", "sslrootcert": "absent.crt"}, "is not there"),
    ({"sslmode": "require", "sslcert": "client.crt"}, "and no key"),
    ({"sslmode": "require", "sslcert": "client.crt", "sslkey": "absent.key"}, "No such file"),
    ({"sslmode": "require", "sslcert": "client.crt", "sslkey": "locked.key"}, "is not what it should be"),
    (
        {"sslmode": "require", "sslcert": "client.crt", "sslkey": "locked.key", "sslpassword": "wrong"},
        "is not what it should be",
    ),
    ({"sslmode": "require", "sslnegotiation": "direct"}, "TLS"),
]


def test_sslmodes(server: OwnPostgres, certificates: Certificates, run: Run) -> None:
    files = ("sslrootcert", "sslcert", "sslkey", "sslcrl")

    async def check(keywords: dict[str, Any], line: str) -> None:
        named = {
            name: certificates.path(value) if name in files and value != "system" else value
            for name, value in keywords.items()
        }
        if not line:
            async with opened(server.dsn, **named) as (session, protocol):
                assert session.is_encrypted
                assert await protocol.value("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
                tls = session.transport.get_extra_info("ssl_object")
                assert tls.version() == named.get("ssl_max_protocol_version", "TLSv1.3")
            return
        with pytest.raises((ConnectError, ClientConfigurationError), match=line) as caught:
            await open_session(resolve(server.dsn, environ={"HOME": "/nonexistent"}, **named))
        assert "\n" not in str(caught.value)

    async def main() -> None:
        for keywords, line in SSLMODES:
            try:
                await check(keywords, line)
            except BaseException as error:
                error.add_note(f"with {keywords}")
                raise

    run(main())


def test_a_key_that_others_may_read(server: OwnPostgres, certificates: Certificates, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(Path(certificates.path("client.key")).read_bytes())
    key.chmod(0o644)

    async def main() -> None:
        with pytest.raises(ClientConfigurationError, match="must be a file of mode"):
            await open_session(
                resolve(server.dsn, sslmode="require", sslcert=certificates.path("client.crt"), sslkey=key)
            )

    run_with(main())


def test_files_of_the_home_directory(server: OwnPostgres, certificates: Certificates, tmp_path: Path) -> None:
    folder = tmp_path / ".postgresql"
    folder.mkdir()
    for name, source in (
        ("root.crt", "root.crt"),
        ("postgresql.crt", "client.crt"),
        ("postgresql.key", "client.key"),
    ):
        (folder / name).write_bytes(Path(certificates.path(source)).read_bytes())
        (folder / name).chmod(0o600)
    other = Path(certificates.path("other.crt")).read_bytes()

    async def main() -> None:
        options = resolve(
            server.conninfo(user="cert"), environ={"HOME": str(tmp_path)}, sslmode="verify-full"
        )
        session = await open_session(options)
        assert session.is_encrypted
        session.close()
        # A file that has changed is read again; one that has not is not.
        context = options.cache["tls"][1]
        (await open_session(options)).close()
        assert options.cache["tls"][1] is context
        (folder / "root.crt").write_bytes(other)
        with pytest.raises(ConnectError, match="certificate is refused"):
            await open_session(options)
        with pytest.raises(InvalidAuthorizationSpecificationError, match="valid client certificate"):
            await open_session(
                resolve(
                    server.conninfo(user="cert"),
                    environ={"HOME": str(tmp_path)},
                    sslmode="verify-full",
                    sslrootcert=certificates.path("root.crt"),
                    sslcertmode="disable",
                )
            )
        await asyncio.sleep(0.05)

    run_with(main())


def test_a_context_of_the_users_own(server: OwnPostgres, certificates: Certificates, run: Run) -> None:
    async def main() -> None:
        context = ssl.create_default_context(cafile=certificates.path("root.crt"))
        async with opened(server.dsn, ssl=context) as (session, _):
            assert session.is_encrypted
        with pytest.raises(ConnectError, match="certificate is refused"):
            await open_session(resolve(server.dsn, ssl=ssl.create_default_context()))

    run(main())


REQUIRED: list[tuple[str, dict[str, Any], str]] = [
    ("scram", {"channel_binding": "require"}, ""),
    ("scram", {"channel_binding": "prefer"}, ""),
    ("scram", {"channel_binding": "disable"}, ""),
    (
        "scram",
        {"channel_binding": "require", "sslmode": "disable"},
        "channel_binding=require, and there is no TLS",
    ),
    ("md5", {"channel_binding": "require"}, "asks for md5"),
    ("clear", {"channel_binding": "require"}, "asks for password"),
    ("postgres", {"channel_binding": "require"}, "without SCRAM-SHA-256-PLUS"),
    ("scram", {"require_auth": "scram-sha-256"}, ""),
    ("md5", {"require_auth": "md5,password"}, ""),
    ("md5", {"require_auth": "!password"}, ""),
    ("clear", {"require_auth": "!password"}, "asks for the password in clear, and require_auth is"),
    (
        "md5",
        {"require_auth": "scram-sha-256"},
        "asks for MD5 authentication, and require_auth is scram-sha-256",
    ),
    ("scram", {"require_auth": "md5"}, "asks for SCRAM-SHA-256 authentication, and require_auth is md5"),
    ("postgres", {"require_auth": "scram-sha-256"}, "asks for no authentication"),
    ("postgres", {"require_auth": "none"}, ""),
    ("scram", {"scram_iterations": 100}, "4,096 iterations of SCRAM, and 100 are the most"),
]


def test_what_the_user_requires(server: OwnPostgres) -> None:
    async def check(user: str, keywords: dict[str, Any], line: str) -> None:
        dsn = server.conninfo(user=user, password=PASSWORD, sslmode="require")
        if not line:
            async with opened(dsn, **keywords) as (_, protocol):
                assert await protocol.value("select 1") == "1"
            return
        with pytest.raises(ConnectError, match=line):
            await open_session(resolve(dsn, **keywords))

    async def main() -> None:
        for case in REQUIRED:
            await check(*case)

    run_with(main())


def test_scram_keys_instead_of_a_password(server: OwnPostgres) -> None:
    """The keys that postgres_fdw passes through; here worked out of the verifier's salt."""
    import base64
    import hashlib
    import hmac

    from fastweb.postgres.auth import saslprep

    verifier = server.execute("select rolpassword from pg_authid where rolname = 'scram'")[0][0]
    _, rest = verifier.split("$", 1)
    iterations, salt = rest.split("$")[0].split(":")
    salted = hashlib.pbkdf2_hmac(
        "sha256", saslprep(PASSWORD).encode(), base64.b64decode(salt), int(iterations)
    )
    keys = {
        name: base64.b64encode(hmac.digest(salted, text, "sha256")).decode()
        for name, text in (("scram_client_key", b"Client Key"), ("scram_server_key", b"Server Key"))
    }

    async def main() -> None:
        async with opened(server.conninfo(user="scram"), **keys) as (_, protocol):
            assert await protocol.value("select current_user") == "scram"

    run_with(main())


def test_cancel_over_tls(server: OwnPostgres, run: Run) -> None:
    async def main() -> None:
        async with opened(server.dsn, sslmode="require") as (session, protocol):
            await check_cancel(server, session, protocol)

    run(main())


# --- several hosts ---


@pytest.fixture(scope="module")
def read_only() -> Iterator[OwnPostgres]:
    """A server whose sessions are read-only."""
    with servers.private(settings={"default_transaction_read_only": "on"}) as found:
        yield found


#: target_session_attrs, the hosts (read-write, read-only, nobody), and the number of the one it is.
ATTRIBUTES: list[tuple[str, str, int | None]] = [
    ("any", "rw", 0),
    ("any", "wr", 0),
    ("read-write", "rw", 1),
    ("read-write", "wr", 0),
    ("read-only", "wr", 1),
    ("read-only", "rw", 0),
    ("primary", "rw", 0),
    ("prefer-standby", "rw", 0),
    ("standby", "rw", None),
    ("read-only", "w", None),
    ("read-write", "r", None),
    ("read-write", "-w", 1),
    ("any", "--w", 2),
]


def test_target_session_attrs(
    postgres: Postgres, read_only: OwnPostgres, port_of_nobody: Callable[[], int]
) -> None:
    ports = {"w": postgres.port, "r": read_only.port, "-": port_of_nobody()}

    async def check(attributes: str, order: str, expected: int | None) -> None:
        keywords: dict[str, Any] = {
            "host": ["127.0.0.1"] * len(order),
            "port": [ports[each] for each in order],
            "user": "postgres",
            "dbname": "postgres",
            "target_session_attrs": attributes,
        }
        if expected is None:
            with pytest.raises(TargetServerAttributeNotMatched, match=f"target_session_attrs={attributes}"):
                await open_session(resolve(**keywords))
            return
        async with opened(**keywords) as (session, _):
            assert session.address.host.port == ports[order[expected]]

    async def main() -> None:
        for case in ATTRIBUTES:
            await check(*case)
        await asyncio.sleep(0.05)

    run_with(main())


def test_a_standby(start_postgres: Callable[..., OwnPostgres]) -> None:
    """A server in recovery."""
    server = start_postgres(wheel=False)
    server.stop("fast")
    (server.data / "standby.signal").touch(mode=0o644)
    server.start()

    async def main() -> None:
        for attributes in ("standby", "prefer-standby", "read-only", "any"):
            async with opened(server.dsn, target_session_attrs=attributes):
                pass
        for attributes in ("primary", "read-write"):
            with pytest.raises(TargetServerAttributeNotMatched):
                await open_session(resolve(server.dsn, target_session_attrs=attributes))
        await asyncio.sleep(0.05)

    run_with(main())


def test_old_servers_are_asked(postgres: Postgres) -> None:
    """A server that reports neither in_hot_standby nor default_transaction_read_only (before 14)."""
    from fastweb.postgres import handshake
    from fastweb.postgres.handshake import Handshake

    original = Handshake.run

    async def forget(self: Handshake) -> Any:
        facts = await original(self)
        for name in ("in_hot_standby", "default_transaction_read_only"):
            facts.parameters.pop(name, None)
        return facts

    async def main() -> None:
        for attributes in ("read-write", "primary"):
            async with opened(postgres.dsn, target_session_attrs=attributes) as (_, protocol):
                assert await protocol.value("select 1") == "1"
        for attributes in ("read-only", "standby"):
            with pytest.raises(TargetServerAttributeNotMatched):
                await open_session(resolve(postgres.dsn, target_session_attrs=attributes))
        await asyncio.sleep(0.05)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handshake.Handshake, "run", forget)
        run_with(main())


def test_every_host_fails(server: OwnPostgres, port_of_nobody: Callable[[], int]) -> None:
    one, other = port_of_nobody(), port_of_nobody()

    async def main() -> None:
        with pytest.raises(ConnectError) as caught:
            await open_session(resolve(f"host=127.0.0.1,127.0.0.1 port={one},{other} user=u dbname=d"))
        lines = str(caught.value).splitlines()
        assert [line.split(",")[0] for line in lines] == [f"127.0.0.1:{one}", f"127.0.0.1:{other}"]
        assert len(caught.value.errors) == 2
        # A password that is refused is shown to nobody else.
        with pytest.raises(InvalidPasswordError):
            await open_session(
                resolve(f"host=127.0.0.1,127.0.0.1 port={server.port},{one} user=scram password=x dbname=d")
            )

    run_with(main())


def test_hosts_at_random(postgres: Postgres, read_only: OwnPostgres) -> None:
    async def main() -> None:
        options = resolve(
            f"host=127.0.0.1,127.0.0.1 port={postgres.port},{read_only.port} user=postgres dbname=postgres"
            " load_balance_hosts=random"
        )
        ports = set()
        for _ in range(60):
            session = await open_session(options)
            ports.add(session.address.host.port)
            session.close()
            await asyncio.sleep(0)
            if len(ports) == 2:
                break
        assert ports == {postgres.port, read_only.port}
        await asyncio.sleep(0.05)

    run_with(main())


# --- sockets ---


def test_an_abstract_socket(start_postgres: Callable[..., OwnPostgres]) -> None:
    name = f"@fastweb-test-{os.urandom(8).hex()}"
    server = start_postgres(settings={"unix_socket_directories": name}, wheel=False)

    async def main() -> None:
        async with opened(server.conninfo(host=name)) as (session, protocol):
            assert await protocol.value("select 1") == "1"
            assert str(session.address) == f"{name}/.s.PGSQL.{server.port}"
            await send_cancel(session)

    for factory in LOOPS.values():
        run_with(main(), loop_factory=factory)


def test_a_pooler(postgres: Postgres, start_pgbouncer: Callable[..., PgBouncer], run: Run) -> None:
    """It knows a few parameters of a session, gives a key, and says what it does not know."""
    bouncer = start_pgbouncer(postgres)

    async def main() -> None:
        dsn = bouncer.dsn
        async with opened(dsn, application_name="behind") as (session, protocol):
            assert await protocol.value("show application_name") == "behind"
            assert session.parameters["client_encoding"] == "UTF8"
            await check_cancel(postgres, session, protocol)
        with pytest.raises(errors.PostgresError, match="a pooler, does not know a parameter") as caught:
            await open_session(resolve(dsn, server_settings={"work_mem": "8MB"}))
        assert "\n" not in str(caught.value)

    run(main())


def test_keepalives(postgres: Postgres) -> None:
    async def main() -> None:
        async with opened(
            postgres.dsn, keepalives_idle=31, keepalives_interval=7, keepalives_count=3, tcp_user_timeout=4000
        ) as (session, _):
            sock = session.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 31
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 7
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        async with opened(postgres.dsn, keepalives=0) as (session, _):
            sock = session.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        async with opened(postgres.socket_dsn, keepalives_idle=31, requirepeer=owner(postgres)):
            pass

    run_with(main())


def owner(postgres: Postgres) -> str:
    """Whose the server's processes are."""
    return Path(postgres.socket_dir, f".s.PGSQL.{postgres.port}").owner()


# --- the end of it ---


def test_a_session_that_ends_before_it_is_handed_over(
    start_postgres: Callable[..., OwnPostgres], run: Run
) -> None:
    server = start_postgres()

    async def main() -> None:
        session = await open_session(resolve(server.dsn))
        server.kill()
        await until(lambda: session.channel.is_closed)
        with pytest.raises(ConnectionLostError, match="closed the connection"):
            session.hand_over(Simple())
        with pytest.raises(ConnectError, match="connection refused"):
            await open_session(resolve(server.dsn))

    run(main())


def test_what_came_before_it_was_handed_over(postgres: Postgres, run: Run) -> None:
    async def main() -> None:
        session = await open_session(resolve(postgres.dsn))
        session.transport.write(b"Q\0\0\0\x0dselect 1\0")
        await until(lambda: session.channel.buffer.endswith(b"Z\0\0\0\5I"))
        protocol = Simple()
        session.hand_over(protocol)
        assert protocol.data.endswith(b"Z\0\0\0\5I")
        assert await protocol.value("select 2") == "2"
        session.transport.abort()
        await protocol.lost

    run(main())


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_cancelled_at_every_await(server: OwnPostgres, run: Run, sslmode: str) -> None:
    """Whoever gives up at any turn of the loop leaves no connection behind."""
    dsn = server.conninfo(user="scram", password=PASSWORD, sslmode=sslmode, application_name="given up")

    async def main() -> None:
        for turns in range(200):
            task = asyncio.create_task(open_session(resolve(dsn)))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns % 4 == 3:
                await asyncio.sleep(0.0005 * (turns % 16))
            if task.done():
                (await task).close()
                continue
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.05)

    run(main())
    servers.wait_until(lambda: not server.connections("given up"), "no connection of it is left")


def test_protocol_errors_say_where() -> None:
    async def main() -> None:
        async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(8)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        web = await asyncio.start_server(http, "127.0.0.1", 0)
        port = web.sockets[0].getsockname()[1]
        for sslmode in ("disable", "prefer", "require"):
            with pytest.raises(ProtocolError, match="what answers is an HTTP server") as caught:
                await open_session(resolve(f"host=127.0.0.1 port={port} user=u dbname=d sslmode={sslmode}"))
            assert str(caught.value).startswith(f"127.0.0.1:{port}, user 'u', database 'd': ")
        web.close()

    run_with(main())
