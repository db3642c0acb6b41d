"""From a host of the options to a connected socket: names are looked up, keepalives set."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import sys
from typing import NamedTuple

from fastweb.postgres.errors import ClientConfigurationError
from fastweb.postgres.options import Host, Options

__all__ = ["Address", "addresses_of", "connect_socket"]

#: Where servers put their Unix socket, as distributions and PostgreSQL's source have it.
SOCKET_FOLDERS = ("/var/run/postgresql", "/run/postgresql", "/tmp")


class Address(NamedTuple):
    """One address that can be connected to.

    Attributes:
        host: the host of the options that it is an address of.
        family: AF_INET, AF_INET6 or AF_UNIX.
        sockaddr: what `connect` takes.
    """

    host: Host
    family: int
    sockaddr: tuple[object, ...] | str

    @property
    def is_unix(self) -> bool:
        return isinstance(self.sockaddr, str)

    def __str__(self) -> str:
        if isinstance(self.sockaddr, str):
            return self.sockaddr.replace("\0", "@")
        name = str(self.host)
        number = str(self.sockaddr[0])
        return name if number in (self.host.host, "") or not self.host.host else f"{name} ({number})"


async def addresses_of(host: Host, options: Options, loop: asyncio.AbstractEventLoop) -> list[Address]:
    """The addresses of a host, in the order in which they are tried.

    Raises:
        OSError: the name is not known.
    """
    if host.is_unix:
        return [_unix(host, host.host)]
    name = host.hostaddr or host.host
    if not name:
        if folder := _usual_folder(host.port):
            return [_unix(host, folder)]
        name = "localhost"
    try:
        # An address needs no looking up, and so no thread.
        found = socket.getaddrinfo(name, host.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        if host.hostaddr:
            raise ClientConfigurationError(f"hostaddr must be an IP address, not {host.hostaddr!r}") from None
        async with asyncio.timeout(options.connect_timeout):
            found = await loop.getaddrinfo(name, host.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("this is no name of a host") from None
    addresses = [Address(host, family, sockaddr) for family, _, _, _, sockaddr in found]
    if options.load_balance_hosts == "random":
        random.shuffle(addresses)
    return addresses


def _usual_folder(port: int) -> str:
    """The first of the usual folders that has a server's socket for `port`, or nothing."""
    folders = SOCKET_FOLDERS if hasattr(socket, "AF_UNIX") else ()
    return next((folder for folder in folders if os.path.exists(f"{folder}/.s.PGSQL.{port}")), "")


def _unix(host: Host, folder: str) -> Address:
    if not hasattr(socket, "AF_UNIX"):
        raise ClientConfigurationError(f"host={folder}: Python has no Unix sockets on this system")
    path = f"{folder}/.s.PGSQL.{host.port}"
    # sun_path has 108 bytes on Linux and 104 elsewhere, a NUL at the end.
    most = 107 if sys.platform == "linux" else 103
    if len(os.fsencode(path)) > most:
        raise ClientConfigurationError(f"the path of the Unix socket is longer than {most} bytes: {path}")
    if path.startswith("@"):
        path = "\0" + path[1:]
    return Address(host, socket.AF_UNIX, path)


async def connect_socket(
    address: Address, options: Options, loop: asyncio.AbstractEventLoop
) -> socket.socket:
    """A connected socket.

    Raises:
        OSError: it could not be connected, or the server's end of a Unix socket is not `requirepeer`'s.
    """
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if not address.is_unix:
            set_tcp_options(sock, options)
        await loop.sock_connect(sock, address.sockaddr)
        if address.is_unix and options.requirepeer:
            check_peer(sock, options.requirepeer)
    except BaseException:
        sock.close()
        raise
    return sock


def set_tcp_options(sock: socket.socket, options: Options) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if options.keepalives:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # macOS calls the first of them TCP_KEEPALIVE.
        idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
        _set(sock, idle, options.keepalives_idle)
        _set(sock, "TCP_KEEPINTVL", options.keepalives_interval)
        _set(sock, "TCP_KEEPCNT", options.keepalives_count)
    _set(sock, "TCP_USER_TIMEOUT", options.tcp_user_timeout)


def _set(sock: socket.socket, name: str, value: int) -> None:
    """As libpq: what a system does not have is not set."""
    number = getattr(socket, name, None)
    if value and number is not None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, number, value)
        except OSError as error:
            raise ClientConfigurationError(f"{name}={value}: {error.strerror}") from error


def check_peer(sock: socket.socket, wanted: str) -> None:
    """Whose process is at the other end of a Unix socket."""
    number = getattr(socket, "SO_PEERCRED", None)
    if number is None:
        raise ClientConfigurationError("requirepeer: this system does not tell whose the server's process is")
    import pwd

    # struct ucred: pid, uid, gid.
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, number, 12))
    try:
        found = pwd.getpwuid(uid).pw_name
    except KeyError:
        found = str(uid)
    if found != wanted:
        raise PermissionError(
            f"the server's end of the socket is user {found}'s, not {wanted}'s (requirepeer)"
        )
