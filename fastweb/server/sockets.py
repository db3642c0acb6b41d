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
from typing import Any

from fastweb.server.addresses import DEFAULT_HOST, DEFAULT_PORT, TCPAddress, UnixAddress
from fastweb.server.config import Config, StartupError
from fastweb.server.systemd import inherited_fds

__all__ = ["BindError", "Listeners", "adopt", "bind", "bind_tcp", "bind_unix", "take_queued"]

#: Room for the path of a Unix socket: `sun_path` in unix(7), less its final NUL.
_UNIX_PATH_SIZE = 107 if sys.platform == "linux" else 103

#: asm-generic/socket.h; Python has no name for it.
_SO_ATTACH_FILTER = 26


class BindError(StartupError):
    """An address cannot be listened on."""


class Listeners:
    """The sockets of a server. Only the process that bound them closes this: it removes the files of Unix
    sockets, too.

    Arguments:
        sockets: those that every worker accepts from.
        unix_paths: the files of the Unix sockets among them.
        own: for each slot of the supervisor, the TCP sockets that only its worker accepts from: the kernel
            spreads connections over them (socket(7), SO_REUSEPORT).
        scheme: "http" or "https", for `addresses`.
        handed: some were handed over by another process, which holds them open: what waits in their queues
            is for who comes next, and is left there.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        unix_paths: Sequence[str] = (),
        own: Sequence[Sequence[socket.socket]] = (),
        *,
        scheme: str = "http",
        handed: bool = False,
    ) -> None:
        self._scheme = scheme
        self.handed = handed
        self.shared = list(sockets)
        self.own = [list(slot) for slot in own]
        self._unix_files = {path: _identity(path) for path in unix_paths}

    @property
    def sockets(self) -> list[socket.socket]:
        """All of them, each once."""
        return [sock for slot in self.own for sock in slot] + self.shared

    def of_slot(self, slot: int) -> list[socket.socket]:
        """Those that the worker of a slot accepts from."""
        return (self.own[slot] if self.own else []) + self.shared

    @property
    def unix_paths(self) -> list[str]:
        """The files of the Unix sockets."""
        return list(self._unix_files)

    def hand_over(self) -> None:
        """Close them, and leave the files: another process listens on."""
        self._unix_files.clear()
        self.close()

    def addresses(self) -> list[str]:
        """Each address as a user would reach it."""
        return [_address(sock, self._scheme) for sock in self.of_slot(0)]

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.shared.clear()
        self.own.clear()
        files, self._unix_files = self._unix_files, {}
        for path, identity in files.items():
            # The file may be another server's by now.
            if identity is not None and _identity(path) == identity:
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def __enter__(self) -> Listeners:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bind(config: Config, slots: int = 1) -> Listeners:
    """Listen where the config says; where it says nothing, on the sockets that a service manager has handed
    over, else on the default address.

    Arguments:
        slots: workers that get TCP sockets of their own, on systems whose kernel spreads connections over
            such (Linux). Unix sockets and inherited ones are shared.

    Raises:
        BindError: an address is in use, is not this machine's, or may not be used; or what was handed over
            is no socket.
    """
    try:
        inherited = inherited_fds()
    except ValueError as error:
        raise BindError(str(error), exit_code=2) from None
    addresses = config.addresses()
    if addresses is None and inherited:
        return Listeners([adopt(fd, config.backlog) for fd in inherited], scheme=config.scheme, handed=True)
    by_name = {name: fd for fd, name in inherited.items() if name}
    tcp: list[TCPAddress] = []
    shared: list[socket.socket] = []
    paths: list[str] = []
    own: list[list[socket.socket]] = []
    try:
        for address in addresses if addresses is not None else [TCPAddress(DEFAULT_HOST, DEFAULT_PORT)]:
            if isinstance(address, TCPAddress):
                tcp.append(address)
            elif isinstance(address, UnixAddress):
                path = os.path.abspath(address.path)
                shared.append(bind_unix(path, config.uds_permissions, config.backlog))
                paths.append(path)
            elif isinstance(address.fd, int):
                shared.append(adopt(address.fd, config.backlog))
            elif address.fd in by_name:
                shared.append(adopt(by_name[address.fd], config.backlog))
            else:
                known = ", ".join(sorted(by_name)) or "none"
                raise BindError(f"{address}: no socket of that name was handed over ({known})", exit_code=2)
        own = _bind_tcp(tcp, config.backlog, slots, "--bind" if config.bind else "--host or --port")
    except BaseException:
        Listeners(shared, paths, own).close()
        raise
    handed = len(shared) > len(paths)
    if len(own) == 1:
        return Listeners([*own[0], *shared], paths, scheme=config.scheme, handed=handed)
    return Listeners(shared, paths, own, scheme=config.scheme, handed=handed)


def bind_tcp(host: str, port: int, backlog: int = 2048) -> list[socket.socket]:
    """Listen on every address that a host name stands for; an address family that the machine lacks is left
    out.

    Arguments:
        host: a name or an address; "" is every address of the machine.
        port: 0 takes a free one, the same for each address.

    Raises:
        BindError: no address could be bound, or one of them is in use.
    """
    return _bind_tcp([TCPAddress(host, port)], backlog, 1, "--host or --port")[0]


_Name = tuple[int, tuple[Any, ...]]


def _bind_tcp(
    addresses: Sequence[TCPAddress], backlog: int, slots: int, option: str
) -> list[list[socket.socket]]:
    """Bind each address once for each slot (at least one list comes back)."""
    resolved = [(address, _resolve(address)) for address in addresses]
    every = {(family, name[0], name[1]) for _, names in resolved for family, name in names}
    sockets: list[list[socket.socket]] = [[] for _ in range(slots if _can_multiply() else 1)]
    seen: set[_Name] = set()
    try:
        for address, names in resolved:
            port = address.port
            bound = 0
            missing: OSError | None = None
            for family, name in names:
                name = (name[0], port, *name[2:])
                if port and (family, name) in seen:
                    bound += 1
                    continue
                # "::" takes IPv4 as well, where nothing else is to listen there at the same port.
                beside = every if address.port else {(other, *at[:2]) for other, at in names}
                ipv4 = any(other == socket.AF_INET and at == address.port for other, _, at in beside)
                try:
                    made = _listen(family, name, backlog, len(sockets), dual=name[0] == "::" and not ipv4)
                except OSError as error:
                    if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                        raise _bind_error(str(name[0]), port, error, option) from None
                    missing = error
                    continue
                for slot, sock in zip(sockets, made, strict=True):
                    slot.append(sock)
                port = made[0].getsockname()[1]
                seen.add((family, (name[0], port, *name[2:])))
                bound += 1
            if not bound:
                missing = missing or OSError(errno.EADDRNOTAVAIL, "no address")
                raise _bind_error(address.host, address.port, missing, option)
    except BaseException:
        for slot in sockets:
            for sock in slot:
                sock.close()
        raise
    return sockets


def _resolve(address: TCPAddress) -> list[_Name]:
    host = address.host
    # As bytes, where it is ASCII: for a str the codec of international names is loaded, and unicodedata.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(
            name or None,
            address.port,
            type=socket.SOCK_STREAM,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_PASSIVE,
        )
    except (socket.gaierror, UnicodeError) as error:
        raise BindError(f"cannot listen on {address}: the host is not known ({_words(error)})") from None
    return list(dict.fromkeys((item[0], item[4]) for item in found))


def _can_multiply() -> bool:
    """Elsewhere (BSD, macOS) SO_REUSEPORT gives every connection to one of the sockets."""
    return sys.platform == "linux"


def _listen(
    family: int, name: tuple[Any, ...], backlog: int, count: int, *, dual: bool
) -> list[socket.socket]:
    """Some sockets that listen on the same address: with SO_REUSEPORT, if there are several.

    With it, another server of this user could listen there, too, and take a part of the connections without
    anybody noticing: so the address is taken without it first.
    """
    sockets: list[socket.socket] = []
    try:
        first = _socket(family, dual=dual)
        sockets.append(first)
        first.bind(name)
        if count > 1:
            name = (name[0], first.getsockname()[1], *name[2:])
            first.close()
            sockets.clear()
            for _ in range(count):
                sock = _socket(family, dual=dual)
                sockets.append(sock)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                sock.bind(name)
        for sock in sockets:
            sock.listen(backlog)
            sock.setblocking(False)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _socket(family: int, *, dual: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # A restart must not wait for TIME_WAIT. (On Windows the option would let two servers share a
            # port.)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if family == socket.AF_INET6 and hasattr(socket, "IPPROTO_IPV6"):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
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
        sock.set_inheritable(False)  # Workers are handed it by number.
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


def _address(sock: socket.socket, scheme: str) -> str:
    name = sock.getsockname()
    if isinstance(name, tuple):
        host, port = name[0], name[1]
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    return f"unix:{os.fsdecode(name)}"


def _bind_error(host: str, port: int, error: OSError, option: str) -> BindError:
    where = TCPAddress(host, port)
    host_option, _, port_option = option.partition(" or ")
    port_option = port_option or host_option
    if error.errno == errno.EADDRINUSE:
        return BindError(
            f"{where} is in use by {_holder(port)}: stop it, or choose another port with {port_option}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = (
            "; ports below 1024 need privileges (root, CAP_NET_BIND_SERVICE, or a socket from systemd):"
            f" choose another with {port_option}"
        )
        return BindError(f"cannot listen on {where}: permission denied{hint if 0 < port < 1024 else ''}")
    if error.errno == errno.EADDRNOTAVAIL:
        return BindError(
            f"cannot listen on {where}: this machine has no such address; choose another with {host_option}"
        )
    if error.errno == errno.EINVAL and host.lower().startswith("fe80:") and "%" not in host:
        return BindError(
            f"cannot listen on {where}: a link-local address needs its interface, as in [{host}%eth0]:{port}"
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
