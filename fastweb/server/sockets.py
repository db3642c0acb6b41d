"""Listening sockets: TCP, Unix and inherited ones, bound once by the process that owns them."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastweb.server.config import Config, StartupError

__all__ = ["BindError", "Listeners", "adopt", "bind", "bind_tcp", "bind_unix", "take_queued"]

#: Room for the path of a Unix socket: `sun_path` in unix(7), less its final NUL.
_UNIX_PATH_SIZE = 107 if sys.platform == "linux" else 103

#: asm-generic/socket.h; Python has no name for it.
_SO_ATTACH_FILTER = 26


class BindError(StartupError):
    """An address cannot be listened on."""


class Listeners:
    """The sockets of a server. Only the process that bound them closes this: it removes the Unix socket's
    file, too."""

    def __init__(self, sockets: Sequence[socket.socket], unix_path: str | None = None) -> None:
        self.sockets = list(sockets)
        self._unix_path = unix_path
        self._unix_file = _identity(unix_path) if unix_path is not None else None

    def addresses(self) -> list[str]:
        """Each socket as a user would reach it."""
        return [_address(sock) for sock in self.sockets]

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()
        path, self._unix_path = self._unix_path, None
        # The file may be another server's by now.
        if path is not None and self._unix_file is not None and _identity(path) == self._unix_file:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def __enter__(self) -> Listeners:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bind(config: Config) -> Listeners:
    """Listen where the config says.

    Raises:
        BindError: the address is in use, is not this machine's, or may not be used.
    """
    if config.fd is not None:
        return Listeners([adopt(config.fd, config.backlog)])
    if config.uds is not None:
        path = os.path.abspath(config.uds)
        return Listeners([bind_unix(path, config.uds_permissions, config.backlog)], path)
    return Listeners(bind_tcp(config.host, config.port, config.backlog))


def bind_tcp(host: str, port: int, backlog: int = 2048) -> list[socket.socket]:
    """Listen on every address that a host name stands for; an address family that the machine lacks is left
    out.

    Arguments:
        host: a name or an address; "" is every address of the machine.
        port: 0 takes a free one, the same for each address.

    Raises:
        BindError: no address could be bound, or one of them is in use.
    """
    # As bytes, where it is ASCII: for a str the codec of international names is loaded, and unicodedata.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(
            name or None, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise BindError(f"cannot listen on {host}:{port}: the host is not known ({_words(error)})") from None
    addresses = list(dict.fromkeys((item[0], item[4]) for item in found))
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            if port == 0 and sockets:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            try:
                sockets.append(_listen(family, address, backlog, alone=len(addresses) == 1))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise _bind_error(str(address[0]), int(address[1]), error) from None
                missing = error
        if not sockets:
            raise _bind_error(host, port, missing or OSError(errno.EADDRNOTAVAIL, "no address"))
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listen(family: int, address: tuple[object, ...], backlog: int, *, alone: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # A restart must not wait for TIME_WAIT. (On Windows the option would let two servers share a
            # port.)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if family == socket.AF_INET6 and hasattr(socket, "IPPROTO_IPV6"):
            # "::" alone takes IPv4 as well; beside "0.0.0.0" it must leave that to it.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if alone and address[0] == "::" else 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def bind_unix(path: str, permissions: int = 0o666, backlog: int = 2048) -> socket.socket:
    """Listen on a Unix socket. A socket file whose server is gone is removed first; any other file is left
    alone.

    Arguments:
        path: where the socket's file is made.
        permissions: of the file; who may write to it may connect.

    Raises:
        BindError: a server listens there, something else has that name, or the file cannot be made.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise BindError("this platform has no Unix sockets: use a host and a port")
    size = len(os.fsencode(path))
    if size > _UNIX_PATH_SIZE:
        raise BindError(
            f"the path of a Unix socket has at most {_UNIX_PATH_SIZE} bytes, this one {size}: {path}"
        )
    _remove_stale(family, path)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        # Before it listens: until then nobody can connect, whatever the umask left open.
        os.chmod(path, permissions)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno == errno.ENOENT:
            raise BindError(
                f"cannot listen on {path}: there is no directory {os.path.dirname(path)}"
            ) from None
        raise BindError(f"cannot listen on {path}: {_words(error)}") from None
    return sock


def _remove_stale(family: int, path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # Nothing there; whatever else is wrong, bind() says.
    if not stat.S_ISSOCK(mode):
        raise BindError(
            f"cannot listen on {path}: a file that is no socket has that name; remove it or choose another"
        )
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            # Nobody holds it open: what a killed server left.
            with contextlib.suppress(OSError):
                os.unlink(path)
            return
        except OSError as error:
            raise BindError(f"cannot listen on {path}: a socket is there already ({_words(error)})") from None
    raise BindError(f"{path} is in use: another server listens on it; stop that one or choose another path")


def adopt(fd: int, backlog: int = 2048) -> socket.socket:
    """Take a listening (or at least bound) stream socket that this process was started with.

    Raises:
        BindError: there is no such file descriptor, or it is no stream socket.
    """
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        raise BindError(f"file descriptor {fd} is no socket: {_words(error)}", exit_code=2) from None
    try:
        if sock.type != socket.SOCK_STREAM:
            raise BindError(f"file descriptor {fd} is no stream socket", exit_code=2)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException as error:
        sock.detach()  # It is not ours to close.
        if isinstance(error, OSError):
            message = f"cannot listen on file descriptor {fd}: {_words(error)}"
            raise BindError(message, exit_code=2) from None
        raise
    return sock


def take_queued(sock: socket.socket, most: int) -> list[socket.socket]:
    """Accept what the kernel has queued on a socket that is about to be closed: its end would reset them all.

    On Linux nothing can join the queue any more, whichever process accepts from it: a filter drops what comes
    to the listening socket (socket(7), SO_ATTACH_FILTER), and a client that asks again is refused. Without
    it, one restart in twenty under load reset a connection that came between the last accept and the close.

    Arguments:
        most: connections to take.
    """
    if sys.platform == "linux" and sock.family != socket.AF_UNIX:
        import ctypes

        # struct sock_filter: code, jt, jf, k. BPF_RET | BPF_K with 0: of a packet, keep nothing.
        program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        with contextlib.suppress(OSError):  # Sandboxes may forbid it.
            # struct sock_fprog: len, filter.
            fprog = struct.pack("HP", 1, ctypes.addressof(program))
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
    taken: list[socket.socket] = []
    with contextlib.suppress(OSError):  # BlockingIOError: there are no more.
        while len(taken) < most:
            taken.append(sock.accept()[0])
    return taken


def _address(sock: socket.socket) -> str:
    name = sock.getsockname()
    if isinstance(name, tuple):
        host, port = name[0], name[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return f"unix:{os.fsdecode(name)}"


def _bind_error(host: str, port: int, error: OSError) -> BindError:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return BindError(f"{where} is in use by {_holder(port)}: stop it, or choose another port with --port")
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "; ports below 1024 need privileges: choose another with --port" if 0 < port < 1024 else ""
        return BindError(f"cannot listen on {where}: permission denied{hint}")
    if error.errno == errno.EADDRNOTAVAIL:
        return BindError(
            f"cannot listen on {where}: this machine has no such address; choose another with --host"
        )
    return BindError(f"cannot listen on {where}: {_words(error)}")


def _words(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _holder(port: int) -> str:
    """Who listens on a port, as far as Linux lets this user see: /proc/net/tcp names an inode, /proc/*/fd
    who has it."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if inodes:
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if any(os.readlink(entry) in inodes for entry in (process / "fd").iterdir()):
                    return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return "another process"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            # sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode; state 0A is LISTEN.
            columns = line.split()
            if len(columns) > 9 and columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]
