"""The connection service file: a name for a set of connection parameters, in an INI file.

    # comment
    [mydb]
    host=somehost
    port=5433
    user=admin

Source: https://www.postgresql.org/docs/current/libpq-pgservice.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fastweb.postgres.errors import ClientConfigurationError

__all__ = ["read_service", "service_files"]

#: Where the system's file is when PGSYSCONFDIR does not say: libpq has one of these compiled in.
SYSTEM = ("/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc", "/etc")


def service_files(environ: Mapping[str, str], home: str, named: str = "") -> list[str]:
    """The files in which a service is looked for, the user's first; `named` is its path, if said."""
    user_file = named or environ.get("PGSERVICEFILE")
    files = [user_file or (f"{home}/.pg_service.conf" if home else "")]
    system = environ.get("PGSYSCONFDIR")
    files += [f"{folder}/pg_service.conf" for folder in ((system,) if system else SYSTEM)]
    if user_file and not os.path.exists(user_file):
        raise ClientConfigurationError(f"the service file {user_file!r} is not there")
    return [path for path in files if path and os.path.exists(path)]


def read_service(path: str, service: str, known: Mapping[str, object]) -> dict[str, str] | None:
    """The parameters of a service, or None where the file does not have it.

    Arguments:
        path: the file.
        service: the name in brackets; the first section of that name is the one.
        known: the keywords that there are.

    Raises:
        ClientConfigurationError: the file cannot be read, or a line of the section is none of its syntax.
    """
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ClientConfigurationError(f"the service file {path!r} cannot be read: {error}") from error
    found: dict[str, str] | None = None
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            if line.startswith(f"[{service}]"):
                found = {}
        elif found is not None:
            if line.startswith("ldap"):
                raise ClientConfigurationError(
                    f"{path}:{number}: parameters are not looked up by LDAP here; write them into the file"
                )
            name, equals, value = line.partition("=")
            # A service names no other service.
            if not equals or name not in known or name in ("service", "servicefile"):
                raise ClientConfigurationError(f"{path}:{number}: a connection parameter and = were expected")
            # Of a parameter that is there twice, the first holds.
            found.setdefault(name, value)
    return found
