"""Connection strings, PG* variables, service and password files: libpq, within psycopg, is the oracle.

libpq reads what it is told and tells it back (PQconninfo, PQpass) before it is connected: no server is asked.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from psycopg import pq

from fastweb.postgres import conninfo, passfile
from fastweb.postgres.conninfo import resolve
from fastweb.postgres.errors import ClientConfigurationError, InterfaceError, UnsupportedClientFeatureError
from fastweb.postgres.options import PROTOCOL_3_0, PROTOCOL_3_2, Host, Options

SERVICE = """\
# a comment
[first]
host=service-host
port=5433
user=service-user
dbname=service db
  # indented
sslmode=require
port=5434

[second]
host=other
options=-c a=b
[first]
host=never
[broken]
nonsense
[nested]
service=first
[unknown]
colour=blue
[spaces]
host = padded
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without anything in it, and no PG* variables."""
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path))
    # libpq looks names up, which nobody knows; it is not to wait for them.
    monkeypatch.setenv("RES_OPTIONS", "attempts:1 timeout:1")
    return tmp_path


#: What libpq says when it has taken what it was told, and gone on.
BEYOND = ("connection to server", "could not translate host name")


def libpq(dsn: str) -> dict[str, str] | str:
    """What libpq makes of it, or why it does not. It goes no farther than the beginning of a connect."""
    connection = pq.PGconn.connect_start(dsn.encode())
    try:
        error = connection.error_message.decode()
        found = {each.keyword.decode(): each.val.decode() for each in connection.info if each.val is not None}
        if connection.status == pq.ConnStatus.BAD and not any(each in error for each in BEYOND):
            return error or "refused"
        found["password"] = (connection.password or b"").decode()
        return found
    finally:
        connection.finish()


def as_libpq(options: Options) -> dict[str, str]:
    """Our options in libpq's words, as far as both have them."""
    versions = {PROTOCOL_3_0: "3.0", PROTOCOL_3_2: "3.2"}
    return {
        "host": ",".join(host.host for host in options.hosts).strip(","),
        "hostaddr": ",".join(host.hostaddr for host in options.hosts).strip(","),
        "port": ",".join(str(host.port) for host in options.hosts),
        "user": options.user,
        "dbname": options.database,
        "application_name": options.application_name,
        "options": options.options,
        "target_session_attrs": options.target_session_attrs,
        "load_balance_hosts": options.load_balance_hosts,
        "channel_binding": options.channel_binding,
        "sslmode": options.sslmode,
        "sslnegotiation": options.sslnegotiation,
        "sslrootcert": options.sslrootcert,
        "sslcert": options.sslcert,
        "sslkey": options.sslkey,
        "sslpassword": options.sslpassword,
        "sslcrl": options.sslcrl,
        "sslcrldir": options.sslcrldir,
        "sslsni": "1" if options.sslsni else "0",
        "ssl_min_protocol_version": options.ssl_min_protocol_version,
        "ssl_max_protocol_version": options.ssl_max_protocol_version,
        "requirepeer": options.requirepeer,
        "keepalives": "1" if options.keepalives else "0",
        "keepalives_idle": str(options.keepalives_idle),
        "keepalives_interval": str(options.keepalives_interval),
        "keepalives_count": str(options.keepalives_count),
        "tcp_user_timeout": str(options.tcp_user_timeout),
        "min_protocol_version": versions[options.min_protocol_version],
        "max_protocol_version": versions[options.max_protocol_version],
    }


#: What libpq has where nobody says anything, and means the same as ours.
SAME = {
    "keepalives": "1",
    "keepalives_idle": "0",
    "keepalives_interval": "0",
    "keepalives_count": "0",
    "tcp_user_timeout": "0",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
    "sslsni": "1",
    "load_balance_hosts": "disable",
    "target_session_attrs": "any",
    "sslnegotiation": "postgres",
    "channel_binding": "prefer",
    "ssl_min_protocol_version": "TLSv1.2",
}


def normal(name: str, text: str, count: int) -> str:
    """libpq's text of a parameter, where ours is another for the same."""
    if name == "port":
        ports = [port.strip() or "5432" for port in (text or "5432").split(",")]
        return ",".join(ports * (count if len(ports) == 1 else 1))
    if name in ("host", "hostaddr"):
        return text.strip(",")
    if name in ("max_protocol_version", "min_protocol_version") and text == "latest":
        return "3.2"
    if name.startswith("keepalives") or name == "tcp_user_timeout":
        return str(int(text or SAME[name]))
    return text or SAME.get(name, "")


STRINGS = [
    "",
    "host=h",
    "host=/h port=1234 user=u dbname=d",
    "host='h' user='a b' dbname='it\\'s' application_name='back\\\\slash'",
    "host = h   port  =  99 user= u",
    "host=/h user=''",
    "host=/h dbname=''",
    "host='' port=''",
    "host=a,b,c port=1,2,3",
    "host=a,b,c port=1",
    "host=a,b port=,2",
    "host=a,,b",
    "hostaddr=127.0.0.1",
    "host=a hostaddr=127.0.0.1",
    "host=a,b hostaddr=127.0.0.1,127.0.0.2 port=1,2",
    "host=a,b hostaddr=127.0.0.1,",
    "host=/var/run port=1",
    "host=@abstract",
    "postgresql://",
    "postgres://",
    "postgresql://h",
    "postgresql://h:1234",
    "postgresql://h/",
    "postgresql://h/d",
    "postgresql://u@h",
    "postgresql://u:p@h/d",
    "postgresql://u:@h/d",
    "postgresql://u@h/d?connect_timeout=10&application_name=my%20app",
    "postgresql://%C3%A9:p%40ss%3Aw@h/%E2%82%AC",
    "postgresql://h1:1,h2:2/d?target_session_attrs=primary",
    "postgresql://h1,h2,h3/d?load_balance_hosts=random",
    "postgresql://[::1]/d",
    "postgresql://[::1]:1234,[2001:db8::1]/d",
    "postgresql://%2Fvar%2Frun/d",
    "postgresql:///d?host=/tmp&port=1",
    "postgresql://u@/d",
    "postgresql://h?user=u&password=p",
    "postgresql://h/d?ssl=true",
    "postgresql://h/d?sslmode=require",
    "host=/h sslmode=disable",
    "host=/h sslmode=verify-full sslrootcert=/r sslcert=/c sslkey=/k sslpassword=p sslcrl=/l sslcrldir=/m",
    "host=/h sslrootcert=system",
    "host=/h sslsni=0",
    "host=/h sslnegotiation=direct sslmode=require",
    "host=/h ssl_min_protocol_version=TLSv1.3",
    "host=/h ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.2",
    "host=/h channel_binding=require",
    "host=/h keepalives=0",
    "host=/h keepalives_idle=7 keepalives_interval=8 keepalives_count=9 tcp_user_timeout=1000",
    "host=/h options='-c geqo=off -c x=y'",
    "host=/h fallback_application_name=f",
    "host=/h application_name=a fallback_application_name=f",
    "host=/h requirepeer=root",
    "host=/h max_protocol_version=3.2",
    "host=/h max_protocol_version=latest min_protocol_version=3.2",
    "host=/h client_encoding=UTF8",
    "host=/h client_encoding=auto",
    "host=/h gssencmode=disable krbsrvname=p",
    "host=/h target_session_attrs=prefer-standby",
    "host=/h require_auth=scram-sha-256,md5",
    "host=/h require_auth=!password",
    "host=/h connect_timeout=0",
    # These both refuse.
    "host=/h port=0",
    "host=/h port=65536",
    "host=/h port=x",
    "host=/h port=-1",
    "host=a,b port=1,2,3",
    "host=a,b hostaddr=127.0.0.1",
    "host=/h sslmode=maybe",
    "host=/h sslmode=Require",
    "host=/h channel_binding=no",
    "host=/h target_session_attrs=leader",
    "host=/h load_balance_hosts=yes",
    "host=/h sslrootcert=system sslmode=require",
    "host=/h sslnegotiation=direct",
    "host=/h sslnegotiation=direct sslmode=prefer",
    "host=/h sslnegotiation=fast",
    "host=/h ssl_min_protocol_version=SSLv3",
    "host=/h ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
    "host=/h min_protocol_version=3.2 max_protocol_version=3.0",
    "host=/h max_protocol_version=4",
    "host=/h require_auth=password,!md5",
    "host=/h require_auth=magic",
    "host=/h require_auth=md5,md5",
    "host=/h gssencmode=sometimes",
    "host=/h colour=blue",
    "host=/h nonsense",
    "host='h",
    "host",
    "postgresql://h:x/d",
    "postgresql://[::1/d",
    "postgresql://h/d?colour=blue",
    "postgresql://h/d?sslmode",
    "postgresql://%zz",
    "postgresql://%00",
    "host=/h scram_client_key=short",
]


def compare(dsn: str, environ: Mapping[str, str] = {}) -> None:
    theirs = libpq(dsn)
    try:
        ours = resolve(dsn)
    except InterfaceError as error:
        if isinstance(theirs, str):
            return
        raise AssertionError(f"libpq takes it: {error}") from error
    assert not isinstance(theirs, str), f"libpq refuses it: {theirs}"
    for name, value in as_libpq(ours).items():
        if name == "application_name":
            expected = theirs.get(name) or theirs.get("fallback_application_name", "")
        else:
            expected = normal(name, theirs.get(name, ""), len(ours.hosts))
        assert value == expected, name


@pytest.mark.parametrize("dsn", STRINGS)
def test_strings(dsn: str) -> None:
    compare(dsn)


def test_options_that_only_we_refuse() -> None:
    for dsn in (
        "host=/h gssencmode=require",
        "host=/h replication=database",
        "host=/h client_encoding=latin1",
    ):
        with pytest.raises(UnsupportedClientFeatureError):
            resolve(dsn)
    with pytest.raises(UnsupportedClientFeatureError, match="UTF8 alone"):
        resolve("host=h", client_encoding="SQL_ASCII")


ENVIRONMENTS: list[tuple[str, dict[str, str]]] = [
    ("", {"PGHOST": "h", "PGPORT": "99", "PGUSER": "u", "PGDATABASE": "d", "PGPASSWORD": "p"}),
    ("", {"PGHOST": "h", "PGUSER": "u"}),
    ("host=mine", {"PGHOST": "h", "PGPORT": "99"}),
    ("host=''", {"PGHOST": "h"}),
    ("postgresql:///d", {"PGHOST": "a,b", "PGPORT": "1,2", "PGDATABASE": "e"}),
    ("", {"PGHOSTADDR": "127.0.0.1", "PGHOST": "h"}),
    ("host=/h", {"PGSSLMODE": "require", "PGSSLROOTCERT": "/r", "PGSSLCERT": "/c", "PGSSLKEY": "/k"}),
    ("host=/h", {"PGSSLCRL": "/l", "PGSSLCRLDIR": "/m", "PGSSLSNI": "0", "PGREQUIREPEER": "x"}),
    ("host=/h", {"PGREQUIRESSL": "1"}),
    ("host=/h", {"PGREQUIRESSL": "0"}),
    ("host=/h", {"PGREQUIRESSL": "1", "PGSSLMODE": "disable"}),
    ("host=/h", {"PGSSLMINPROTOCOLVERSION": "TLSv1.1", "PGSSLMAXPROTOCOLVERSION": "TLSv1.3"}),
    ("host=/h", {"PGSSLNEGOTIATION": "direct", "PGSSLMODE": "verify-ca", "PGSSLROOTCERT": "/r"}),
    ("host=/h", {"PGCHANNELBINDING": "require", "PGTARGETSESSIONATTRS": "read-only"}),
    ("host=/h", {"PGLOADBALANCEHOSTS": "random", "PGAPPNAME": "app", "PGOPTIONS": "-c a=b"}),
    ("host=/h", {"PGMAXPROTOCOLVERSION": "latest", "PGMINPROTOCOLVERSION": "3.0"}),
    ("host=/h", {"PGREQUIREAUTH": "md5", "PGGSSENCMODE": "disable", "PGKRBSRVNAME": "p"}),
    ("host=/h", {"PGSSLMODE": "bad"}),
    ("host=/h", {"PGPORT": "x"}),
    ("host=/h", {"PGSERVICE": "nowhere"}),
    ("host=/h application_name=''", {"PGAPPNAME": "app"}),
]


@pytest.mark.parametrize(("dsn", "environ"), ENVIRONMENTS)
def test_environment(dsn: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    compare(dsn)


def test_every_keyword_and_variable_of_libpq_is_ours() -> None:
    theirs = {
        each.keyword.decode(): each.envvar.decode() if each.envvar else None
        for each in pq.Conninfo.get_defaults()
    }
    # One that is newer than this libpq.
    ours = {name: variable for name, variable in conninfo.KEYWORDS.items() if name in theirs}
    assert ours == theirs
    assert conninfo.KEYWORDS.keys() - theirs.keys() <= {"servicefile"}


def test_the_environment_of_psql_is_not_refused() -> None:
    options = resolve("host=h", environ={"PGCLIENTENCODING": "LATIN1", "PGTZ": "UTC", "PGDATESTYLE": "ISO"})
    assert dict(options.server_settings) == {"timezone": "UTC", "datestyle": "ISO"}


# --- the service file ---


@pytest.mark.parametrize(
    ("dsn", "environ", "where"),
    [
        ("service=first", {}, ".pg_service.conf"),
        ("service=first port=1", {}, ".pg_service.conf"),
        ("service=first", {"PGPORT": "77", "PGAPPNAME": "env"}, ".pg_service.conf"),
        ("", {"PGSERVICE": "first"}, ".pg_service.conf"),
        ("service=second", {"PGSERVICE": "first"}, ".pg_service.conf"),
        ("service=second", {}, "pg_service.conf"),
        ("service=second", {"PGSERVICEFILE": "{home}/named"}, "named"),
        ("service=second", {"PGSERVICEFILE": "{home}/absent"}, "named"),
        ("service=absent", {}, ".pg_service.conf"),
        ("service=first", {}, "elsewhere"),
        ("service=broken", {}, ".pg_service.conf"),
        ("service=nested", {}, ".pg_service.conf"),
        ("service=unknown", {}, ".pg_service.conf"),
        ("service=spaces", {}, ".pg_service.conf"),
        ("postgresql:///?service=first", {}, ".pg_service.conf"),
    ],
)
def test_service(
    dsn: str, environ: dict[str, str], where: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / where).write_text(SERVICE)
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(home=home))
    compare(dsn)


def test_what_is_said_of_a_service(home: Path) -> None:
    with pytest.raises(ClientConfigurationError, match=r"'nope' is not defined .there is no service file"):
        resolve("service=nope")
    (home / ".pg_service.conf").write_text(SERVICE)
    with pytest.raises(ClientConfigurationError, match=r"'nope' is not defined .*\.pg_service\.conf"):
        resolve("service=nope")
    with pytest.raises(ClientConfigurationError, match=r"pg_service\.conf:17: a connection parameter"):
        resolve("service=broken")
    (home / ".pg_service.conf").write_text("[l]\nldap://x")
    with pytest.raises(ClientConfigurationError, match="LDAP"):
        resolve("service=l")


# --- the password file ---

PASSFILE = r"""# a comment
host:5432:db:user:plain
host:5432:db:*:anybody
*:*:special:user:a\:b\\c
esc\:aped:*:*:*:escaped
sp ace:*:*:*: leading and trailing
localhost:*:*:*:local
many:5432:db:user:first:and more
many:5432:db:user:second
cr:*:*:*:carriage
short:line
192.0.2.1:*:*:*:address
/some/dir:*:*:*:socket
uni:*:*:*:pässwörd
*:*:*:last:all
"""


@pytest.mark.parametrize(
    "dsn",
    [
        "host=host user=user dbname=db",
        "host=host user=other dbname=db",
        "host=host user=user dbname=no",
        "host=any user=user dbname=special",
        "host='esc:aped' user=u",
        "host='sp ace' user=u",
        "host=localhost user=u",
        "host='' user=u port=1",
        "host=many user=user dbname=db",
        "host=cr user=u",
        "host=short user=u",
        "hostaddr=192.0.2.1 user=u",
        "host=named hostaddr=192.0.2.1 user=u",
        "host=/some/dir user=u",
        "host=uni user=u",
        "host=h user=last port=1",
        "host=host port=5433 user=user dbname=db",
        "host=host user=user dbname=db password=said",
        "host=host user=user dbname=db password=''",
    ],
)
def test_passfile(dsn: str, home: Path) -> None:
    path = home / ".pgpass"
    path.write_bytes(PASSFILE.replace("carriage", "carriage\r").encode())
    path.chmod(0o600)
    theirs = libpq(dsn)
    assert not isinstance(theirs, str)
    assert found(dsn) == theirs["password"]


def found(dsn: str) -> str:
    """The password that the handshake would take."""
    options = resolve(dsn)
    (host,) = options.hosts
    assert not callable(options.password)
    name = host.host or host.hostaddr or "localhost"
    return options.password or (
        passfile.password_of(options.passfile, name, host.port, options.database, options.user) or ""
    )


def test_passfile_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "mine"
    path.write_text("*:*:*:*:elsewhere\n")
    path.chmod(0o600)
    assert found(f"host=h passfile={path}") == "elsewhere"
    monkeypatch.setenv("PGPASSFILE", str(path))
    assert found("host=h") == "elsewhere"


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o600, "x"), (0o400, "x"), (0o640, ""), (0o604, ""), (0o660, "")]
)
def test_passfile_that_others_may_read(
    mode: int, expected: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = home / ".pgpass"
    path.write_text("*:*:*:*:x\n")
    path.chmod(mode)
    theirs = libpq("host=h")
    assert not isinstance(theirs, str)
    with caplog.at_level(logging.WARNING):
        assert found("host=h") == expected == theirs["password"]
    assert ("chmod 0600" in caplog.text) is not bool(expected)


def test_passfile_that_is_none(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / ".pgpass").mkdir()
    assert found("host=h") == ""
    assert "not a plain file" in caplog.text
    (home / "large").write_bytes(b"#" * (passfile.MOST + 1))
    (home / "large").chmod(0o600)
    assert found(f"host=h passfile={home / 'large'}") == ""
    (home / "binary").write_bytes(b"\xff\xfe")
    (home / "binary").chmod(0o600)
    assert found(f"host=h passfile={home / 'binary'}") == ""


# --- keywords ---

WITHOUT = {"gss", "sspi", "oauth", "scram-sha-256", "none"}


@pytest.mark.parametrize(
    ("dsn", "keywords", "expected"),
    [
        (None, {"host": "h", "port": 1, "user": "u", "database": "d"}, {"hosts": (Host(host="h", port=1),)}),
        ("host=a", {"host": "b"}, {"hosts": (Host(host="b"),)}),
        ("host=a", {"host": None}, {"hosts": (Host(host="a"),)}),
        (
            None,
            {"host": ["a", "b"], "port": [1, 2]},
            {"hosts": (Host(host="a", port=1), Host(host="b", port=2))},
        ),
        ("host=h dbname=a", {"database": "b"}, {"database": "b"}),
        ("host=h", {"dbname": "b"}, {"database": "b"}),
        ("host=h", {"keepalives": False}, {"keepalives": False}),
        ("host=h", {"connect_timeout": 2.5}, {"connect_timeout": 2.5}),
        ("host=h", {"connect_timeout": 0}, {"connect_timeout": None}),
        ("host=h", {"connect_timeout": -1}, {"connect_timeout": None}),
        ("host=h connect_timeout=3", {}, {"connect_timeout": 3.0}),
        ("host=h", {}, {"connect_timeout": 10.0, "sslmode": "prefer"}),
        ("host=h", {"ssl": False}, {"sslmode": "disable"}),
        ("host=h", {"ssl": True}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("host=h", {"ssl": "require"}, {"sslmode": "require"}),
        ("host=h", {"statement_cache_size": 0}, {"statement_cache_size": 0}),
        ("host=h", {"server_settings": {"jit": "off"}}, {"server_settings": (("jit", "off"),)}),
        ("host=h require_auth=md5", {}, {"require_auth": frozenset({"md5"})}),
        ("host=h", {"require_auth": "!password,!md5"}, {"require_auth": frozenset(WITHOUT)}),
    ],
)
def test_keywords(dsn: str | None, keywords: dict[str, Any], expected: dict[str, object]) -> None:
    options = resolve(dsn, environ={}, **keywords)
    assert {name: getattr(options, name) for name in expected} == expected


def test_a_context_of_the_users_own() -> None:
    context = ssl.create_default_context()
    options = resolve("host=h", ssl=context)
    assert (options.ssl, options.sslmode) == (context, "require")


@pytest.mark.parametrize(
    ("dsn", "keywords", "line"),
    [
        (None, {"hots": "h"}, "there is no connection parameter 'hots'; is it hosta?"),
        (None, {"statement_timeout": 5}, "it is a setting: server_settings={'statement_timeout': …}"),
        ("sslmod=require", {}, "is it sslmode"),
        ("postgresql+asyncpg://h", {}, r"begins with postgresql://, with no \+driver"),
        ("postgresql://u:hunter@2@h/d", {}, "an @ too many; in a user's name or a password it is %40"),
        ("postgres://u:p@h1,v:p@h2/d", {}, "an @ too many"),
        ("host=h", {"connect_timeout": "soon"}, "number of seconds"),
        ("host=h", {"connect_timeout": float("nan")}, "number of seconds"),
        ("host=h", {"keepalives_idle": "x"}, "whole number"),
        ("host=h", {"ssl": 3}, "SSLContext"),
        ("host=h", {"scram_client_key": "c2hvcnQ="}, "32 bytes in base64"),
        ("host=h", {"sslcertmode": "require"}, "sslcertmode=require"),
        ("host=h", {"sslsni": 0, "sslmode": "verify-full"}, "sslsni=0"),
        ("host=h", {"require_auth": "gss"}, "this client knows"),
    ],
)
def test_mistakes(dsn: str | None, keywords: dict[str, Any], line: str) -> None:
    with pytest.raises(InterfaceError, match=line):
        resolve(dsn, environ={}, **keywords)


def test_a_bound_that_is_negative() -> None:
    with pytest.raises(ValueError, match="message_size must not be negative"):
        resolve("host=h", message_size=-1)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:hunter2%zz@h/d",
        "postgresql://u:hunter2/x@h/d",
        "postgresql://u:hunter2:hunter2@[h/d",
        "postgresql://u:x@hunter2@h/d",
        "postgresql://u:x@@hunter2@h/d",
        "host=h password=hunter2 hunter2",
        "host=h password='hunter2",
        "password=x hunter2=hunter2",
        "host=h password=hunter2 sslmode=bad",
        "host=h password=hunter2 port=x",
    ],
)
def test_no_error_has_the_password(dsn: str) -> None:
    with pytest.raises(InterfaceError) as caught:
        resolve(dsn, environ={})
    assert "hunter2" not in str(caught.value)
    assert "ter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("dsn", "hosts", "password"),
    [
        ("postgresql://u:p%40w@h/d", ("h",), "p@w"),
        ("postgresql://u:p@h1,h2/d?options=a@b", ("h1", "h2"), "p"),
        ("postgresql://u:p@@one,@two/d", ("@one", "@two"), "p"),
        ("postgresql://u@/d?host=/a@b", ("/a@b",), None),
    ],
)
def test_where_an_at_sign_may_be(dsn: str, hosts: tuple[str, ...], password: str | None) -> None:
    options = resolve(dsn, environ={"PGPASSFILE": "/nowhere"})
    assert (tuple(each.host for each in options.hosts), options.password) == (hosts, password)


def test_no_repr_has_the_password() -> None:
    options = resolve("host=h password=hunter2 sslpassword=hunter3")
    assert options.password == "hunter2"
    assert "hunter" not in repr(options)


def test_psycopg_is_loaded_for_a_string_alone() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from fastweb.postgres.conninfo import resolve; resolve(host='h', user='u')\n"
        "assert 'psycopg' not in sys.modules; resolve('host=h'); assert 'psycopg' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
