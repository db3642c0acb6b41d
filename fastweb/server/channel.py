"""What a supervisor and a process of its own say to each other: lines of JSON over a pair of Unix sockets.

    worker -> supervisor    {"ready": true, "pid": …, …}          it accepts connections
                            {"error": …, "details": …, "code": …} it cannot, and ends
                            {"retire": why}                       it asks for a successor
                            {"leaving": true}                     it accepts no more
    supervisor -> worker    {"lend": slot}, with sockets          accept from these, too
                            {"return": slot}                      no more
                            {"keep": true or false}               the sockets live on without this supervisor
    supervisor -> template  {"fork": order}, with descriptors     see `fastweb.server.template`
    template -> supervisor  {"forked": pid}

File descriptors go along as SCM_RIGHTS (unix(7)); a line says how many are its own, so that it does not
matter in which pieces either arrives.
"""

from __future__ import annotations

import array
import contextlib
import json
import socket
from collections.abc import Sequence
from typing import Any

__all__ = ["Channel"]

#: Descriptors that one message may carry (SCM_MAX_FD is 253 on Linux).
_MOST_DESCRIPTORS = 250


class Channel:
    """One end. What is received comes without waiting; sending waits on an end that blocks.

    Arguments:
        sock: a connected Unix stream socket, which it owns.

    Attributes:
        ended: the other side has closed its end, or the process that had it is gone.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._data = b""
        self._descriptors: list[int] = []
        self.ended = False

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """An end to keep, which does not block, and a socket to hand to another process."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        mine.setblocking(False)
        return cls(mine), theirs

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> bool:
        """Say something; whether it was taken. A side that is gone, or reads nothing, is no error."""
        if len(descriptors) > _MOST_DESCRIPTORS:
            raise ValueError(f"a message carries {_MOST_DESCRIPTORS} descriptors, not {len(descriptors)}")
        line = json.dumps({**message, "descriptors": len(descriptors)}).encode() + b"\n"
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        try:
            sent = self._socket.sendmsg([line], [rights] if descriptors else [])
            if sent < len(line):
                self._socket.sendall(line[sent:])
        except OSError:
            return False
        return True

    def receive(self) -> list[tuple[dict[str, Any], list[int]]]:
        """All messages that have come, each with its descriptors; they are not inheritable."""
        messages: list[tuple[dict[str, Any], list[int]]] = []
        room = socket.CMSG_LEN(_MOST_DESCRIPTORS * array.array("i").itemsize)
        while not self.ended:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65536, room, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data, ancillary = b"", []
            for level, kind, rights in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    numbers = array.array("i")
                    numbers.frombytes(rights[: len(rights) - len(rights) % numbers.itemsize])
                    self._descriptors += numbers
            self.ended = not data
            self._data += data
        *lines, self._data = self._data.split(b"\n")
        for line in lines:
            message = json.loads(line)
            count = message.pop("descriptors", 0)
            mine, self._descriptors = self._descriptors[:count], self._descriptors[count:]
            messages.append((message, mine))
        return messages

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
