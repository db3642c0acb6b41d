r"""The password file: lines of `hostname:port:database:username:password`.

A field is literal, or `*`; `\:` and `\\` in a field are `:` and `\`. The first line that matches holds. A
file that others may read is not used.

Source: https://www.postgresql.org/docs/current/libpq-pgpass.html
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["default_path", "match", "password_of"]

logger = logging.getLogger("fastweb.postgres")

#: Bytes of a password file, beyond which it is none.
MOST = 1 << 20


def default_path(home: str) -> str:
    if sys.platform == "win32":
        return os.path.join(os.environ.get("APPDATA", home), "postgresql", "pgpass.conf")
    return f"{home}/.pgpass" if home else ""


def password_of(path: str, host: str, port: int, database: str, user: str) -> str | None:
    """The password that the file has, or None; what is wrong with the file is logged.

    Arguments:
        path: the file; it need not be there.
        host: the name that was asked for, or the address, or the directory of a Unix socket.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        logger.warning("the password file %s is not used: it is not a plain file", path)
        return None
    if sys.platform != "win32" and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        logger.warning("the password file %s is not used: others have access to it; chmod 0600", path)
        return None
    if found.st_size > MOST:
        logger.warning("the password file %s is not used: it is larger than a megabyte", path)
        return None
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("the password file %s is not used: %s", path, type(error).__name__)
        return None
    return match(text.split("\n"), host, str(port), database, user)


def match(lines: Iterable[str], host: str, port: str, database: str, user: str) -> str | None:
    """The password of the first line that matches."""
    wanted = (host, port, database, user)
    for line in lines:
        line = line.rstrip("\r\n")
        if line.startswith("#"):
            continue
        fields = split(line)
        if len(fields) >= 5 and all(
            raw == "*" or text == want for (raw, text), want in zip(fields, wanted, strict=False)
        ):
            return fields[4][1]
    return None


def split(line: str) -> list[tuple[str, str]]:
    """The fields of a line, each as it is written and as it is meant."""
    fields = []
    begin = at = 0
    text = ""
    while at <= len(line):
        char = line[at : at + 1]
        if char in ("", ":"):
            fields.append((line[begin:at], text))
            begin, text = at + 1, ""
        elif char == "\\" and at + 1 < len(line):
            at += 1
            text += line[at]
        else:
            text += char
        at += 1
    return fields
