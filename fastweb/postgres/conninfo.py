"""From a connection string and its surroundings to `Options`, as libpq does it.

A parameter is what the first of these says: the keyword argument, the connection string, the service file
(where a `service` is named), the PG* variable, the default. An empty text in one of them is said, and means
the default.

Both forms of string are parsed by libpq itself, which psycopg carries; all the rest is ours.

Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
        https://www.postgresql.org/docs/current/libpq-envars.html
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import re
import ssl as tls_library
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fastweb.postgres import passfile, servicefile
from fastweb.postgres.errors import ClientConfigurationError, UnsupportedClientFeatureError
from fastweb.postgres.options import CONNECT_TIMEOUT, PROTOCOL_3_0, PROTOCOL_3_2, Host, Options

__all__ = ["parse", "resolve"]

#: Every keyword of libpq -> its variable, or None.
KEYWORDS: dict[str, str | None] = {
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "dbname": "PGDATABASE",
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "client_encoding": "PGCLIENTENCODING",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "fallback_application_name": None,
    "keepalives": None,
    "keepalives_idle": None,
    "keepalives_interval": None,
    "keepalives_count": None,
    "tcp_user_timeout": None,
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcompression": "PGSSLCOMPRESSION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcertmode": "PGSSLCERTMODE",
    "sslpassword": None,
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "requirepeer": "PGREQUIREPEER",
    "require_auth": "PGREQUIREAUTH",
    "min_protocol_version": "PGMINPROTOCOLVERSION",
    "max_protocol_version": "PGMAXPROTOCOLVERSION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "gssdelegation": "PGGSSDELEGATION",
    "replication": None,
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "scram_client_key": None,
    "scram_server_key": None,
    "oauth_issuer": None,
    "oauth_client_id": None,
    "oauth_client_secret": None,
    "oauth_scope": None,
    "sslkeylogfile": None,
}

#: The keywords that are one of a few words: the first is the default.
WORDS = {
    "channel_binding": ("prefer", "disable", "require"),
    "gssencmode": ("prefer", "disable", "require"),
    "load_balance_hosts": ("disable", "random"),
    "sslcertmode": ("allow", "disable", "require"),
    "sslmode": ("prefer", "disable", "allow", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": ("TLSv1.2", "TLSv1", "TLSv1.1", "TLSv1.3"),
    "ssl_max_protocol_version": ("", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "target_session_attrs": (*("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),),
    "min_protocol_version": ("3.0", "3.2", "latest"),
    "max_protocol_version": ("3.0", "3.2", "latest"),
}

VERSIONS = {"3.0": PROTOCOL_3_0, "3.2": PROTOCOL_3_2, "latest": PROTOCOL_3_2}

#: The names of require_auth, and of them those that this client knows how to do.
AUTH_METHODS = {"password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"}
OUR_AUTH_METHODS = {"password", "md5", "scram-sha-256", "none"}

#: Keyword arguments that are no keywords of libpq: the bounds and what only Python can say.
OWN = {each.name for each in fields(Options) if each.init} - KEYWORDS.keys() - {"hosts", "home", "database"}

#: Settings that one may look for among the parameters.
SETTINGS = {
    *("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"),
    *("search_path", "timezone", "role", "work_mem", "jit"),
}

#: The variables of a session that PG* variables set (libpq sends these as the session begins).
SESSION_VARIABLES = {"PGDATESTYLE": "datestyle", "PGTZ": "timezone", "PGGEQO": "geqo"}


#: The hosts of a URI, behind the first @, as libpq reads it: one of them may begin with another.
_AUTHORITY = re.compile(r"postgres(?:ql)?://[^@/?]*@([^/?]*)")


def parse(text: str) -> dict[str, str]:
    """The parameters that a connection string says, in either form.

    Raises:
        ClientConfigurationError: libpq does not take it. What it quotes of the string may be a piece of a
            password, so it is left out.
    """
    if match := re.match(r"(postgres(?:ql)?)\+\w+://", text):
        raise ClientConfigurationError(
            f"a connection string begins with {match[1]}://, with no +driver in it"
        )
    if (match := _AUTHORITY.match(text)) and any("@" in host[1:] for host in match[1].split(",")):
        raise ClientConfigurationError(
            "this is no connection string: there is an @ too many; in a user's name or a password it is %40"
        )
    from psycopg import OperationalError, pq

    try:
        found = pq.Conninfo.parse(text.encode("utf-8"))
    except (OperationalError, UnicodeEncodeError) as error:
        reason = (
            re.sub(r'"[^"]*"?', _shown, str(error)) if isinstance(error, OperationalError) else "not UTF-8"
        )
        raise ClientConfigurationError(f"this is no connection string: {reason.strip()}") from None
    try:
        return {each.keyword.decode(): each.val.decode() for each in found if each.val is not None}
    except UnicodeDecodeError:
        raise ClientConfigurationError("the connection string is not UTF-8 when its % are decoded") from None


def _shown(quoted: re.Match[str]) -> str:
    """What may be shown of what libpq quotes: nothing, but how a misspelt keyword is spelt."""
    if quoted[0] in ('"="', '"]"', '"/"', '":"', '"%"'):
        return quoted[0]
    near = difflib.get_close_matches(quoted[0].strip('"'), KEYWORDS, 1, 0.8)
    return f'"…" (is it {near[0]}?)' if near else '"…"'


def resolve(dsn: str | None = None, *, environ: Mapping[str, str] | None = None, **keywords: Any) -> Options:
    """The options of a connection.

    Arguments:
        dsn: a connection string of libpq: a URI (`postgresql://user@host:5432/database?sslmode=require`), or
            `keyword=value` pairs.
        environ: the PG* variables; those of the process.
        keywords: each a keyword of libpq, which overrides the string's (`database` is `dbname`), or a field
            of `Options`. None is not said. `ssl` may be a context, a mode, True (verify-full) or False.

    Raises:
        ClientConfigurationError: what is said cannot be. The text never has the password.
        TypeError: an argument is of a type that it cannot be.
        UnsupportedClientFeatureError: GSSAPI, or replication, is asked for.
    """
    if environ is None:
        environ = os.environ
    if dsn is not None and not isinstance(dsn, str):
        # It is not shown: there may be a password in it.
        raise TypeError(f"dsn: expected a connection string, a str, or None, not {type(dsn).__name__}")
    said = parse(dsn) if dsn else {}
    own: dict[str, Any] = {}
    _add_keywords(said, own, keywords)
    home = environ.get("HOME") or os.path.expanduser("~")
    service = said.get("service") or environ.get("PGSERVICE")
    if service:
        for name, value in _service(service, said, environ, home).items():
            said.setdefault(name, value)
    # An encoding is refused where somebody wrote it for this connection, and not where psql's is set.
    _refuse_encoding(said.get("client_encoding"))
    for name, variable in KEYWORDS.items():
        if variable is not None and variable in environ and name not in said and name != "service":
            said[name] = environ[variable]
    if environ.get("PGREQUIRESSL") == "1":
        said.setdefault("sslmode", "require")
    settings = {SESSION_VARIABLES[name]: environ[name] for name in SESSION_VARIABLES if environ.get(name)}
    settings |= own.pop("server_settings", {})
    _refuse_unsupported(said)

    user = said.get("user") or _system_user()
    sslrootcert = said.get("sslrootcert", "")
    words = {name: _word(name, said.get(name)) for name in WORDS}
    if not said.get("sslmode"):
        if "ssl" in own:
            words["sslmode"] = "require"
        elif sslrootcert == "system":
            words["sslmode"] = "verify-full"
    _check_tls(words, said, with_context="ssl" in own)
    _check_versions(words["min_protocol_version"], words["max_protocol_version"])
    password = own.pop("password", None) or said.get("password") or None
    return Options(
        hosts=_hosts(said),
        user=user,
        database=said.get("dbname") or user,
        password=password,
        passfile=said.get("passfile") or passfile.default_path(home),
        application_name=said.get("application_name") or said.get("fallback_application_name") or "",
        options=said.get("options", ""),
        server_settings=tuple((str(name), str(value)) for name, value in settings.items()),
        connect_timeout=_timeout(said.get("connect_timeout")),
        keepalives=_number("keepalives", said, 1) != 0,
        keepalives_idle=max(_number("keepalives_idle", said, 0), 0),
        keepalives_interval=max(_number("keepalives_interval", said, 0), 0),
        keepalives_count=max(_number("keepalives_count", said, 0), 0),
        tcp_user_timeout=max(_number("tcp_user_timeout", said, 0), 0),
        target_session_attrs=words["target_session_attrs"],
        load_balance_hosts=words["load_balance_hosts"],
        require_auth=_auth_methods(said.get("require_auth")),
        channel_binding=words["channel_binding"],
        sslmode=words["sslmode"],
        sslnegotiation=words["sslnegotiation"],
        sslrootcert=sslrootcert,
        sslcert=said.get("sslcert", ""),
        sslkey=said.get("sslkey", ""),
        sslpassword=said.get("sslpassword", ""),
        sslcertmode=words["sslcertmode"],
        sslcrl=said.get("sslcrl", ""),
        sslcrldir=said.get("sslcrldir", ""),
        sslsni=said.get("sslsni") != "0",
        ssl_min_protocol_version=words["ssl_min_protocol_version"],
        ssl_max_protocol_version=words["ssl_max_protocol_version"],
        sslkeylogfile=said.get("sslkeylogfile", ""),
        requirepeer=said.get("requirepeer", ""),
        scram_client_key=_key("scram_client_key", said),
        scram_server_key=_key("scram_server_key", said),
        home=home,
        min_protocol_version=VERSIONS[words["min_protocol_version"]],
        max_protocol_version=VERSIONS[words["max_protocol_version"]],
        **own,
    )


def _add_keywords(said: dict[str, str], own: dict[str, Any], keywords: dict[str, Any]) -> None:
    """Keyword arguments go before the connection string: libpq's into `said`, the others into `own`."""
    for name, value in keywords.items():
        if value is None:
            continue
        if name == "database":
            name = "dbname"
        if name == "ssl":
            _add_ssl(said, own, value)
        elif name == "password" and callable(value):
            own[name] = value
        elif name in KEYWORDS:
            # A list of hosts or ports is as good as their commas.
            if isinstance(value, list | tuple) and name in ("host", "hostaddr", "port"):
                value = ",".join(map(str, value))
            if not isinstance(value, str | int | float | os.PathLike):
                raise TypeError(f"{name}: expected a str, not {type(value).__name__}")
            said[name] = str(int(value)) if isinstance(value, bool) else str(value)
        elif name in OWN:
            if name == "server_settings" and not isinstance(value, Mapping):
                raise TypeError(f"{name}: expected a dict of settings, not {type(value).__name__}")
            own[name] = value
        else:
            near = difflib.get_close_matches(name, [*KEYWORDS, *OWN, "database"], 1)
            hint = f"; is it {near[0]}?" if near else ""
            if name in SETTINGS:
                hint = f"; it is a setting: server_settings={{{name!r}: …}}"
            raise ClientConfigurationError(f"there is no connection parameter {name!r}{hint}")


def _add_ssl(said: dict[str, str], own: dict[str, Any], value: object) -> None:
    if isinstance(value, tls_library.SSLContext):
        own["ssl"] = value
    elif value is True:
        said["sslmode"] = "verify-full"
        said.setdefault("sslrootcert", "system")
    elif value is False:
        said["sslmode"] = "disable"
    elif isinstance(value, str):
        said["sslmode"] = value
    else:
        raise ClientConfigurationError(
            f"ssl: an SSLContext, a mode or a bool was expected, not {type(value)}"
        )


def _service(service: str, said: dict[str, str], environ: Mapping[str, str], home: str) -> dict[str, str]:
    files = servicefile.service_files(environ, home, said.get("servicefile", ""))
    for path in files:
        found = servicefile.read_service(path, service, KEYWORDS)
        if found is not None:
            return found
    looked = ", ".join(files) or "there is no service file"
    raise ClientConfigurationError(f"the service {service!r} is not defined ({looked})")


def _refuse_encoding(encoding: str | None) -> None:
    if encoding and encoding.replace("-", "").lower() not in ("utf8", "unicode", "auto"):
        raise UnsupportedClientFeatureError(
            f"client_encoding={encoding}: this client speaks UTF8 alone; the server converts from and to the"
            " database's encoding"
        )


def _refuse_unsupported(said: dict[str, str]) -> None:
    if _word("gssencmode", said.get("gssencmode")) == "require":
        raise UnsupportedClientFeatureError(
            "gssencmode=require: encryption by GSSAPI is not supported here; use TLS (sslmode=verify-full)"
        )
    if said.get("replication", "").lower() not in ("", "0", "false", "off", "no"):
        raise UnsupportedClientFeatureError(
            "replication: this client does not speak the replication protocol"
        )
    if said.get("sslcertmode") == "require":
        raise UnsupportedClientFeatureError(
            "sslcertmode=require: Python cannot tell whether the server asked for the certificate; use"
            " require_auth, and `clientcert` in the server's pg_hba.conf"
        )


def _word(name: str, value: str | None) -> str:
    """One of a few words, by `WORDS`; ssl_*_protocol_version may be written in any case."""
    words = WORDS[name]
    if not value:
        return words[0]
    for word in words:
        if word == value or (name.startswith("ssl_") and word.lower() == value.lower()):
            return word
    raise ClientConfigurationError(f"{name} must be one of {', '.join(filter(None, words))}, not {value!r}")


def _check_tls(words: dict[str, str], said: dict[str, str], *, with_context: bool) -> None:
    mode = words["sslmode"]
    if words["sslnegotiation"] == "direct" and mode in ("disable", "allow", "prefer"):
        raise ClientConfigurationError(
            f"sslnegotiation=direct needs sslmode=require or more, not {mode}: nothing falls back from it"
        )
    if said.get("sslrootcert") == "system" and mode != "verify-full" and not with_context:
        raise ClientConfigurationError(
            f"sslrootcert=system needs sslmode=verify-full, not {mode}: anybody has a certificate of these"
        )
    if said.get("sslsni") == "0" and mode == "verify-full":
        raise UnsupportedClientFeatureError(
            "sslsni=0 with sslmode=verify-full: Python checks the name that it sends; use verify-ca"
        )
    low, high = words["ssl_min_protocol_version"], words["ssl_max_protocol_version"]
    if high and high < low:
        raise ClientConfigurationError(
            f"ssl_max_protocol_version {high} is below ssl_min_protocol_version {low}"
        )


def _check_versions(low: str, high: str) -> None:
    if VERSIONS[low] > VERSIONS[high]:
        raise ClientConfigurationError(f"min_protocol_version {low} is above max_protocol_version {high}")


def _hosts(said: dict[str, str]) -> tuple[Host, ...]:
    """host, hostaddr and port are lists with commas: as many addresses as names, as many ports or one."""
    host, hostaddr = said.get("host", ""), said.get("hostaddr", "")
    names, addresses, ports = host.split(","), hostaddr.split(","), said.get("port", "").split(",")
    if host and hostaddr and len(names) != len(addresses):
        raise ClientConfigurationError(f"{len(names)} of host and {len(addresses)} of hostaddr do not match")
    count = len(addresses) if hostaddr else len(names)
    if len(ports) not in (1, count):
        raise ClientConfigurationError(f"{len(ports)} of port and {count} of host do not match")
    if not host:
        names = [""] * count
    if not hostaddr:
        addresses = [""] * count
    numbers = [_port(each) for each in ports] * (count if len(ports) == 1 else 1)
    return tuple(
        Host(host=name, hostaddr=address, port=number)
        for name, address, number in zip(names, addresses, numbers, strict=True)
    )


def _port(text: str) -> int:
    text = text.strip()
    if not text:
        return 5432
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= 65535:
        # In a URI whose password has a / or an @ as it is, this is a piece of the password.
        raise ClientConfigurationError(
            "port must be a number from 1 to 65535 (in a URI, write : / ? # [ ] @ % of a password as %3A …)"
        )
    return int(text)


def _number(name: str, said: dict[str, str], default: int) -> int:
    text = said.get(name, "").strip()
    if not text:
        return default
    if not re.fullmatch(r"[-+]?[0-9]{1,10}", text) or not -(1 << 31) <= int(text) < 1 << 31:
        raise ClientConfigurationError(f"{name} must be a whole number, not {text!r}")
    return int(text)


def _timeout(text: str | None) -> float | None:
    """Seconds; 0 and below are no limit."""
    if not text or not text.strip():
        return CONNECT_TIMEOUT
    try:
        seconds = float(text)
    except ValueError:
        raise ClientConfigurationError(f"connect_timeout must be a number of seconds, not {text!r}") from None
    if not seconds < 1e9:
        raise ClientConfigurationError(f"connect_timeout must be a number of seconds, not {text!r}")
    return seconds if seconds > 0 else None


def _auth_methods(text: str | None) -> frozenset[str]:
    """The methods that are allowed, by a list of them or of those that are not (`!md5`); empty for any."""
    if not text:
        return frozenset()
    listed = [each.strip() for each in text.split(",")]
    names = {each.removeprefix("!") for each in listed}
    if len({each.startswith("!") for each in listed}) != 1:
        raise ClientConfigurationError("require_auth: methods that are required and !methods cannot be mixed")
    if unknown := names - AUTH_METHODS:
        raise ClientConfigurationError(
            f"require_auth: there is no method {min(unknown)!r}, but {', '.join(sorted(AUTH_METHODS))}"
        )
    if len(names) != len(listed):
        raise ClientConfigurationError("require_auth: a method is there twice")
    allowed = AUTH_METHODS - names if listed[0].startswith("!") else names
    if not allowed & OUR_AUTH_METHODS:
        raise UnsupportedClientFeatureError(
            f"require_auth={text}: this client knows {', '.join(sorted(OUR_AUTH_METHODS))}"
        )
    return frozenset(allowed)


def _key(name: str, said: dict[str, str]) -> bytes:
    """A key of SCRAM, in base64: 32 bytes."""
    text = said.get(name)
    if not text:
        return b""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ClientConfigurationError(f"{name} must be 32 bytes in base64")
    return key


def _system_user() -> str:
    if sys.platform == "win32":
        return os.environ.get("USERNAME", "")
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise ClientConfigurationError(
            f"no user is said (user=, PGUSER), and the system has no name for user {os.geteuid()}"
        ) from None
