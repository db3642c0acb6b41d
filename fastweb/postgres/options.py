"""What a connection is opened with, and every bound that a server can push against: one frozen object.

`conninfo.resolve` makes it of a connection string, keywords, the service file and the PG* variables. The
names and units are libpq's where libpq has them, so that its manual holds:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

from __future__ import annotations

import ssl as tls_library
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["CONNECT_TIMEOUT", "PROTOCOL_3_0", "PROTOCOL_3_2", "Host", "Options", "Password"]

#: A protocol version as the StartupMessage has it: the major number in the upper 16 bits, the minor below.
PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = (3 << 16) + 2

#: Seconds for each address, where nobody says; libpq would wait for ever.
CONNECT_TIMEOUT = 10.0

#: A password, or what is called for one each time that a connection is opened (a token that expires).
Password = str | Callable[[], str | Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One place where the server may be.

    Arguments:
        host: a name or an address; the directory of a Unix socket, beginning with `/`, or with `@` for an
            abstract one. Empty: the usual directories of the socket, then localhost.
        hostaddr: an IP address to connect to, so that `host` need not be looked up.
        port: of TCP, or the number in the socket's name.
    """

    host: str = ""
    hostaddr: str = ""
    port: int = 5432

    @property
    def is_unix(self) -> bool:
        return not self.hostaddr and self.host[:1] in ("/", "@")

    def __str__(self) -> str:
        name = self.host or self.hostaddr or "localhost"
        return f"{name}:{self.port}" if ":" not in name or self.is_unix else f"[{name}]:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How connections are opened, and what they may take.

    Arguments:
        hosts: tried in this order.
        user: the role.
        database: its name; the user's, where none is said.
        password: a text, or what is called for one at each connect; None: the password file, line by line.
        passfile: the path of the password file; empty: `~/.pgpass`.
        application_name: what pg_stat_activity shows.
        options: command-line options for the server (`-c work_mem=64MB`).
        server_settings: parameters that are set as the session begins, (name, value).
        connect_timeout: seconds for each address, until it is ready for queries; None: no limit.
        keepalives: whether TCP keepalives are sent, after `keepalives_idle` seconds, each
            `keepalives_interval` seconds, until `keepalives_count` were lost (0: the system's own).
        tcp_user_timeout: milliseconds that what was sent may stay unacknowledged (0: the system's own).
        target_session_attrs: any, read-write, read-only, primary, standby or prefer-standby.
        load_balance_hosts: disable, or random: hosts and their addresses are tried in random order.
        require_auth: the only methods by which the server may authenticate this client, empty for any:
            password, md5, scram-sha-256, none.
        channel_binding: disable, prefer or require.
        sslmode: disable, allow, prefer, require, verify-ca or verify-full.
        sslnegotiation: postgres (asked for by an SSLRequest), or direct.
        sslrootcert: the file of the certificates that are trusted, or `system`; empty:
            `~/.postgresql/root.crt`.
        sslcert, sslkey, sslpassword: the client's certificate, its key, and the key's passphrase; empty:
            `~/.postgresql/postgresql.crt` and `.key`, where they are.
        sslcertmode: disable: no certificate is sent; allow: where the server asks for one.
        sslcrl, sslcrldir: revoked certificates, a file or a directory of them.
        sslsni: whether the server's name is sent in clear.
        ssl_min_protocol_version, ssl_max_protocol_version: TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3; empty: no
            bound.
        sslkeylogfile: a file that the session's secrets are written to, for debugging.
        ssl: a context that is used instead of all of these files.
        requirepeer: the operating system's user that must own the server's end of a Unix socket.
        min_protocol_version, max_protocol_version: `PROTOCOL_3_0` or `PROTOCOL_3_2`.
        scram_client_key, scram_server_key: what SCRAM needs of a password, instead of it.
        home: the user's home directory, for the files above.
        scram_iterations: the most iterations that a server may ask of SCRAM.
        command_timeout: seconds for each statement; None: no limit.
        busy_poll: seconds for which the event loop is kept awake for an answer, where one statement follows
            the other and answers are known to come that soon; 0 or None: it sleeps.
        message_size: bytes of one message of the server.
        columns: of a row.
        array_elements: of one array.
        nesting_depth: of arrays, composites, ranges and domains in each other.
        notices: how many notices are kept that nobody has listened to.
        statement_cache_size: prepared statements kept a connection; 0: none.
        statement_cache_text: characters of SQL above which a statement is not kept.

    Raises:
        TypeError: a value is not of its option's type.
        ValueError: a bound is negative.
    """

    hosts: tuple[Host, ...] = (Host(),)
    user: str = ""
    database: str = ""
    password: Password | None = field(default=None, repr=False)
    passfile: str = ""
    application_name: str = ""
    options: str = ""
    server_settings: tuple[tuple[str, str], ...] = ()
    connect_timeout: float | None = CONNECT_TIMEOUT
    keepalives: bool = True
    keepalives_idle: int = 0
    keepalives_interval: int = 0
    keepalives_count: int = 0
    tcp_user_timeout: int = 0
    target_session_attrs: str = "any"
    load_balance_hosts: str = "disable"
    require_auth: frozenset[str] = frozenset()
    channel_binding: str = "prefer"
    sslmode: str = "prefer"
    sslnegotiation: str = "postgres"
    sslrootcert: str = ""
    sslcert: str = ""
    sslkey: str = ""
    sslpassword: str = field(default="", repr=False)
    sslcertmode: str = "allow"
    sslcrl: str = ""
    sslcrldir: str = ""
    sslsni: bool = True
    ssl_min_protocol_version: str = "TLSv1.2"
    ssl_max_protocol_version: str = ""
    sslkeylogfile: str = ""
    ssl: tls_library.SSLContext | None = None
    requirepeer: str = ""
    min_protocol_version: int = PROTOCOL_3_0
    max_protocol_version: int = PROTOCOL_3_0
    scram_client_key: bytes = field(default=b"", repr=False)
    scram_server_key: bytes = field(default=b"", repr=False)
    home: str = ""
    scram_iterations: int = 1_000_000
    command_timeout: float | None = None
    busy_poll: float | None = 100e-6
    message_size: int = 1 << 30
    columns: int = 1664
    array_elements: int = (1 << 27) - 1
    nesting_depth: int = 32
    notices: int = 100
    statement_cache_size: int = 256
    statement_cache_text: int = 16 * 1024
    #: What connecting has worked out and would again (a TLS context, SCRAM's keys); goes with the object.
    cache: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type == "int":
                check_number(each.name, value)
            elif each.type == "float | None":
                check_seconds(each.name, value)
            elif each.type == "bool" and not isinstance(value, bool):
                raise TypeError(f"{each.name}: expected True or False, not {value!r:.100}")
            elif each.type == "str" and not isinstance(value, str):
                raise TypeError(f"{each.name}: expected a str, not {type(value).__name__}")


def check_number(name: str, value: object) -> None:
    """Refuse what is no whole number from 0 on.

    Raises:
        TypeError, ValueError: it is none; with the option's name.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a whole number, not {type(value).__name__}: {value!r:.100}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, not {value!r}")


def check_seconds(name: str, value: object) -> None:
    """Refuse what is no number of seconds, nor None.

    Raises:
        TypeError, ValueError: as of `check_number`.
    """
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name}: expected seconds, a number, not {type(value).__name__}: {value!r:.100}")
    if not value >= 0:
        raise ValueError(f"{name} must not be negative, not {value!r}")


def check_timeout(value: object) -> None:
    """Refuse what is no number of seconds to wait. Less than 0 is one: what is left until a time that has
    gone by.

    Raises:
        TypeError, ValueError: as of `check_number`.
    """
    if not (isinstance(value, int | float) and value < 0):
        check_seconds("timeout", value)
