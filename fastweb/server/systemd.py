"""What a service manager hands to a server it starts, and what it wants to hear.

Sockets (sd_listen_fds(3)): LISTEN_FDS of them, from file descriptor 3 on, for the process LISTEN_PID, with
their names in LISTEN_FDNAMES. gunicorn hands its sockets to its successor as GUNICORN_FD, numbers with
commas.

State (sd_notify(3)): datagrams to the Unix socket NOTIFY_SOCKET, for units of `Type=notify` and
`Type=notify-reload`. Only the process that the manager started sends them: a supervisor, or the one worker.

All of these variables are taken out of the environment when they are read, so that no child takes them for
its own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

__all__ = ["environment", "inherited_fds", "notify", "notify_reloading"]

#: SD_LISTEN_FDS_START of sd_listen_fds(3).
_FIRST = 3
#: More than that nobody passes: what stands in the environment is not believed beyond it.
_MOST = 1024

_notify_socket: str | None = None


def inherited_fds(variables: MutableMapping[str, str] | None = None) -> dict[int, str]:
    """The listening sockets that this process was started with: file descriptor -> name ("" for none).

    The variables are removed, unless they are meant for another process.

    Raises:
        ValueError: they are not what sd_listen_fds(3) says; the message is one line.
    """
    if variables is None:
        variables = os.environ
        _address()
    found: dict[int, str] = {}
    pid = variables.get("LISTEN_PID")
    if pid is not None and pid == str(os.getpid()):
        count = variables.pop("LISTEN_FDS", "")
        names = variables.pop("LISTEN_FDNAMES", "").split(":")
        del variables["LISTEN_PID"]
        if not (count.isascii() and count.isdecimal() and len(count) < 5 and int(count) <= _MOST):
            raise ValueError(f"LISTEN_FDS is no number of sockets: {count!r}")
        for i in range(int(count)):
            found[_FIRST + i] = names[i] if i < len(names) else ""
    fds = variables.pop("GUNICORN_FD", None)
    if fds is not None and not found:
        for text in fds.split(","):
            if not (text.isascii() and text.isdecimal() and len(text) < 8):
                raise ValueError(f"GUNICORN_FD is no list of file descriptors: {fds!r}")
            found[int(text)] = ""
        variables.pop("GUNICORN_PID", None)
    return found


def notify(*lines: str) -> bool:
    """Tell the service manager: "READY=1", "STOPPING=1", "STATUS=words", "MAINPID=7". With none, do nothing.

    Returns:
        Whether it was told.
    """
    name = _address()
    if name is None or not hasattr(socket, "AF_UNIX"):
        return False
    # "@" stands for the NUL of Linux's abstract names.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1.0)
        sock.connect("\0" + name[1:] if name.startswith("@") else name)
        sock.sendall("\n".join(lines).encode())
        return True
    return False


def notify_reloading() -> bool:
    """Tell it that a reload begins; "READY=1" ends it."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def environment() -> dict[str, str]:
    """The variables of a successor that is to go on telling."""
    name = _address()
    return {} if name is None else {"NOTIFY_SOCKET": name}


def _address() -> str | None:
    global _notify_socket
    found = os.environ.pop("NOTIFY_SOCKET", None)
    if found:
        _notify_socket = found
    return _notify_socket
