"""Hot swap: a running server starts a new one, of new code or a new interpreter, which takes its place.

    SIGUSR2 -> the old supervisor starts its own command line again; the listening sockets go along as
               inherited descriptors, named by a `HandOver` in the environment
            -> the new one starts its workers, on the same sockets; both serve
            -> all of them are ready: it says so, and writes the pidfile; the old one drains its workers, and
               leaves

If the new one cannot start, the old one goes on as if nothing had been. As process 1 of a container a server
cannot be replaced: the container would end with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastweb.server import systemd
from fastweb.server.channel import Channel
from fastweb.server.config import Config
from fastweb.server.counters import Counters
from fastweb.server.processes import Process, start_command
from fastweb.server.sockets import Listeners

__all__ = ["HandOver", "PidFile", "Successor", "is_handed_over", "working_directory"]

_VARIABLE = "FASTWEB_HAND_OVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """What a new supervisor gets from the old one.

    Arguments:
        sockets: file descriptors of the listening sockets.
        unix_paths: the files of the Unix sockets among them.
        addresses: where the old one was told to listen; a new one that is told otherwise binds for itself.
        handed: some of the sockets are a service manager's.
        counters_fd: the counters, which go on.
        channel_fd: a `Channel` to the old one.
    """

    sockets: list[int]
    unix_paths: list[str]
    addresses: str
    counters_fd: int
    channel_fd: int
    handed: bool = False

    @classmethod
    def take(cls) -> HandOver | None:
        """What this process was handed, if anything; the environment has it no more."""
        text = os.environ.pop(_VARIABLE, None)
        if text is None:
            return None
        found = cls(**json.loads(text))
        for fd in (*found.sockets, found.counters_fd, found.channel_fd):
            os.set_inheritable(fd, False)
        # It came blocked: see `start_command`.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return found

    def channel(self) -> Channel:
        """To the old one."""
        return Channel(socket.socket(fileno=self.channel_fd))

    def listeners(self, config: Config) -> Listeners | None:
        """The sockets, dealt to as many slots as there are now; None where other addresses are wanted."""
        sockets = [socket.socket(fileno=fd) for fd in self.sockets]
        if self.addresses != _addresses(config):
            for sock in sockets:
                sock.close()
            return None
        return _deal(sockets, self.unix_paths, config, handed=self.handed)

    def counters(self) -> Counters | None:
        """The counters, if they are such as this version writes."""
        try:
            return Counters(self.counters_fd)
        except ValueError:
            os.close(self.counters_fd)
            return None


def is_handed_over() -> bool:
    """Whether this process is to take a server's place."""
    return _VARIABLE in os.environ


def _addresses(config: Config) -> str:
    return repr((config.addresses(), config.uds_permissions))


def _deal(
    sockets: Sequence[socket.socket], unix_paths: Sequence[str], config: Config, *, handed: bool
) -> Listeners:
    """Deal sockets to slots. Where there were fewer slots, more are made; where there were more, some slots
    get several."""
    slots = config.workers
    groups: dict[object, list[socket.socket]] = {}
    for sock in sockets:
        groups.setdefault((sock.family, sock.getsockname()), []).append(sock)
    shared: list[socket.socket] = []
    own: list[list[socket.socket]] = [[] for _ in range(slots)]
    for group in groups.values():
        if not _balanced(group[0]):
            shared += group
            continue
        group += [_another(group[0], config.backlog) for _ in range(slots - len(group))]
        for slot in range(slots):
            own[slot] += group[slot::slots]
    return Listeners(shared, unix_paths, own if any(own) else (), scheme=config.scheme, handed=handed)


def _balanced(sock: socket.socket) -> bool:
    """Whether the kernel balances between this socket and others of its address."""
    if sys.platform != "linux" or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) != 0


def _another(sock: socket.socket, backlog: int) -> socket.socket:
    """A second socket that listens on the address of a first."""
    second = socket.socket(sock.family, sock.type)
    with contextlib.ExitStack() as stack:
        stack.callback(second.close)
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            only = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        second.bind(sock.getsockname())
        second.listen(backlog)
        second.setblocking(False)
        stack.pop_all()
    return second


class Successor:
    """A new server, as the old one sees it.

    Arguments:
        config: of the old one.
        directory: where it was started (see `working_directory`).
    """

    def __init__(self, config: Config, listeners: Listeners, counters: Counters, directory: str) -> None:
        self.channel, theirs = Channel.pair()
        with theirs:
            order = HandOver(
                sockets=[sock.fileno() for sock in listeners.sockets],
                unix_paths=listeners.unix_paths,
                addresses=_addresses(config),
                counters_fd=counters.fd,
                channel_fd=theirs.fileno(),
                handed=listeners.handed,
            )
            environment = {
                **os.environ,
                **systemd.environment(),
                _VARIABLE: json.dumps(dataclasses.asdict(order)),
            }
            descriptors = [*order.sockets, order.counters_fd, order.channel_fd]
            # `sys.executable` and not what it links to: a link may lead to a new interpreter by now.
            command = [sys.executable, *sys.orig_argv[1:]]
            self.process: Process = start_command(command, environment, descriptors, directory)


def working_directory() -> str:
    """Where this process was started, by the name it was started with: a symbolic link in it (`current`, of
    many a deployment) may lead to another release later."""
    real = os.getcwd()
    name = os.environ.get("PWD", real)
    with contextlib.suppress(OSError):
        if os.path.samefile(name, real):
            return name
    return real


class PidFile:
    """A file with the number of the process that signals go to.

    Arguments:
        path: of it, or None for none.
    """

    def __init__(self, path: str | None) -> None:
        self._path = Path(path).absolute() if path is not None else None

    def write(self) -> None:
        """Say that it is this process.

        Raises:
            OSError: the file cannot be written.
        """
        if self._path is not None:
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            try:
                new.write_text(f"{os.getpid()}\n")
                new.replace(self._path)
            except OSError:
                with contextlib.suppress(OSError):
                    new.unlink()  # the disk was full, perhaps
                raise

    def remove(self) -> None:
        """Remove it, if it still names this process."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                if self._path.read_text().strip() == str(os.getpid()):
                    self._path.unlink()
