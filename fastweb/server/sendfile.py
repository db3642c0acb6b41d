"""Files to a socket by the kernel alone: os.sendfile (sendfile(2)), on the event loop.

uvloop has no `loop.sendfile`, and asyncio's takes the transport away from its protocol. So the socket is
written to beside its transport, which must have nothing left to write meanwhile, and never through its own
descriptor, but a duplicate: one loop watches a descriptor for one owner, and a number that is closed may be
another connection's at once.

sendfile reads what is not in memory from the disk, and the loop would wait for that. So each piece is
first looked for in the page cache (preadv2(2), RWF_NOWAIT: its first and its last byte), and read by a thread
where it is not there. A piece is small enough that what this overlooks, and the copying itself, take about a
millisecond.
"""

from __future__ import annotations

import asyncio
import errno
import os
from typing import Any, Final

from fastweb.concurrency import run_in_threadpool
from fastweb.exceptions import ClientDisconnect

__all__ = ["AVAILABLE", "UNSUITABLE", "FileSender", "ShortFileError", "read"]

#: This platform has all that is needed.
AVAILABLE: Final = hasattr(os, "sendfile") and hasattr(os, "pread")

#: Bytes that the kernel is asked to send at once, and that a thread reads at once.
PIECE: Final = 1024 * 1024

#: Whether preadv can tell what is in memory; else a thread reads each piece before.
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", None)

#: What of sendfile's errors is the socket's.
_LEFT: Final = frozenset(
    (
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ESHUTDOWN,
        errno.ETIMEDOUT,
    )
)
#: What says that this file is none for sendfile, such as one of /proc.
UNSUITABLE: Final = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))


class ShortFileError(RuntimeError):
    """A file ends before the last byte that was to be sent of it."""

    def __init__(self) -> None:
        super().__init__("the file is shorter than what was to be sent of it: it has changed meanwhile")


def read(file: int, offset: int, count: int) -> bytes:
    """Bytes of a file, in a thread."""
    if hasattr(os, "pread"):
        return os.pread(file, count, offset)
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, count)


class FileSender:
    """One piece of a file on its way to a client.

    Arguments:
        loop: the loop of the transport.
        transport: it has nothing left to write, and is given nothing, until `send` has returned.
        file: the file's descriptor.
        offset: the first byte of the file.
        count: how many.

    Attributes:
        left: bytes that are not sent yet.
    """

    __slots__ = ("_done", "_file", "_loop", "_offset", "_socket", "_stopped", "_warm", "_watched", "left")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: Any, file: int, offset: int, count: int
    ) -> None:
        self.left = count
        self._loop = loop
        self._file = file
        self._offset = offset
        self._socket = os.dup(transport.get_extra_info("socket").fileno())
        self._watched = False
        self._stopped = False
        self._warm = 0
        self._done: asyncio.Future[bool] | None = None

    async def send(self) -> None:
        """Send all of it.

        Raises:
            ClientDisconnect: the client is gone, or `stop` was called.
            ShortFileError: the file has fewer bytes.
            OSError: it cannot be read; with an errno of `UNSUITABLE`, not in this way.
        """
        warm = 0
        try:
            while not await self._run(warm):
                warm = min(self.left, PIECE)
                # Into the page cache; what it returns is of no use.
                await run_in_threadpool(os.pread, self._file, warm, self._offset)
        finally:
            self._unwatch()
            os.close(self._socket)

    def stop(self) -> None:
        """The client is gone."""
        self._stopped = True
        self._end(ClientDisconnect())

    async def _run(self, warm: int) -> bool:
        """Send until all is sent, True, or the next piece would have to come from the disk, False.

        Arguments:
            warm: bytes that a thread has just read.
        """
        if self._stopped:
            raise ClientDisconnect()
        self._warm = warm
        self._done = self._loop.create_future()
        try:
            self._step()
            return await self._done
        finally:
            self._done = None

    def _step(self) -> None:
        """Send a piece; called when the socket takes some."""
        size = min(self.left, PIECE)
        if self._warm:
            size = min(size, self._warm)
        elif not self._is_cached(size):
            self._end(False)
            return
        try:
            sent = os.sendfile(self._socket, self._file, self._offset, size)
        except (BlockingIOError, InterruptedError):
            self._watch()
            return
        except OSError as error:
            self._end(ClientDisconnect() if error.errno in _LEFT else error)
            return
        if sent == 0:
            self._end(ShortFileError())
            return
        self._offset += sent
        self.left -= sent
        if self._warm:
            self._warm -= sent
        if self.left:
            self._watch()
        else:
            self._end(True)

    def _is_cached(self, size: int) -> bool:
        """Whether a piece seems to be in memory: its first and its last byte are."""
        if _NOWAIT is None:
            return False
        byte = bytearray(1)
        try:
            os.preadv(self._file, [byte], self._offset, _NOWAIT)
            os.preadv(self._file, [byte], self._offset + size - 1, _NOWAIT)
        except OSError:  # it is not; or this file system cannot tell
            return False
        return True

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self._loop.add_writer(self._socket, self._step)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_writer(self._socket)

    def _end(self, result: bool | Exception) -> None:
        self._unwatch()
        done = self._done
        if done is not None and not done.done():
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
