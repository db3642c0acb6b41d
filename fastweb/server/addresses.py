"""Where to listen, as it is written down: what `--bind` takes.

    127.0.0.1:8000   [::1]:8000   localhost:8000     a host and a port
    :8000            [::]:8000                       every address of the machine; IPv6's (and, alone, IPv4's)
    [fe80::1%eth0]:8000                              a link-local address, with its interface (RFC 4007)
    127.0.0.1        [::1]                           a host, and port 8000
    unix:/run/web.sock                               a Unix socket
    fd://3           fd://web                        an inherited socket, by its number or systemd's name

gunicorn writes them like this, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "Address",
    "InheritedAddress",
    "TCPAddress",
    "UnixAddress",
    "parse",
]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

_BRACKETED = re.compile(r"\[([^][]*)\](?::(\d+))?")
_PLAIN = re.compile(r"([^][:/\s]*)(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class TCPAddress:
    """A host ("" is every address of the machine) and a port, 0 for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The path of a Unix socket."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class InheritedAddress:
    """A file descriptor, or the name that systemd gave to one."""

    fd: int | str

    def __str__(self) -> str:
        return f"fd://{self.fd}"


Address = TCPAddress | UnixAddress | InheritedAddress


def parse(text: str) -> Address:
    """Read an address to listen on.

    Raises:
        ValueError: it has none of the forms above; the message is one line.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        path = "/" + path.lstrip("/") if path.startswith("//") else path
        if not path or "\0" in path:
            raise ValueError(f"{text!r} has no path: expected unix:/path/of/socket")
        return UnixAddress(path)
    if text.startswith("fd://"):
        name = text.removeprefix("fd://")
        if not name:
            raise ValueError("'fd://' has no number: expected fd://3, or fd://NAME as systemd calls it")
        return InheritedAddress(int(name) if name.isdecimal() and name.isascii() else name)
    match = _BRACKETED.fullmatch(text) or (_PLAIN.fullmatch(text) if text else None)
    if match is None:
        hint = " (an IPv6 address stands in brackets)" if text.count(":") > 1 and "/" not in text else ""
        raise ValueError(
            f"{text!r} is no address to listen on: expected host:port, [::1]:port, :port, unix:/path or fd://3{hint}"
        )
    port = int(match[2]) if match[2] is not None and len(match[2]) < 6 else DEFAULT_PORT
    if port > 65535 or (match[2] is not None and len(match[2]) > 5):
        raise ValueError(f"{text!r} has no such port: ports go from 0 to 65535")
    if match.re is _BRACKETED and ":" not in match[1]:
        raise ValueError(f"{text!r} has no IPv6 address in its brackets")
    return TCPAddress(match[1], port)
