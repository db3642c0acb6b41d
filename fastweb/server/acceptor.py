"""From a listening socket to a connection: the PROXY protocol's header, then TLS's handshake, then HTTP.

    accept ---------------------------------------------> connection     the loop's own server
    accept -> header -> handshake -> connection                          ours, where there is either

Ours knows who is not a connection yet: they are bounded in number and time, take the certificates as they are
at that moment, and are waited for, or cut, when the server stops.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from fastweb.server.proxy import Proxies, unmapped
from fastweb.server.proxy_protocol import Origin, ProxyHeaderError, ProxyHeaderReader

if TYPE_CHECKING:
    from fastweb.server.connections import Connections
    from fastweb.server.tls import TLS

__all__ = ["Accepting", "Acceptor"]

_logger = logging.getLogger("fastweb.error")

#: Connections that are accepted before the loop turns to others.
_BATCH = 100
#: Seconds of rest when there are no file descriptors left.
_REST = 1.0
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: Seconds between two complaints of the same kind.
_COMPLAINT_INTERVAL = 10.0


class Accepting(Protocol):
    """A listening socket at work."""

    def close(self) -> None:
        """Accept no more, and close it."""


class Acceptor:
    """Makes connections for a worker, of listening sockets and of accepted ones.

    Arguments:
        connections: what they are added to.
        backlog: connections that may wait to be accepted.
        tls: the certificates; None serves without.
        proxies: who must begin with a header of the PROXY protocol; None knows no such header.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        backlog: int,
        tls: TLS | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self._connections = connections
        self._loop = connections.loop
        self._limits = connections.limits
        self._backlog = backlog
        self._tls = tls
        self._proxies = proxies
        #: The oldest first.
        self._pending: dict[asyncio.Task[None], socket.socket] = {}
        self._complained = float("-inf")

    @property
    def pending(self) -> int:
        """Who has connected and is not a connection yet."""
        return len(self._pending)

    async def listen(self, sock: socket.socket) -> Accepting:
        """Accept from a listening socket, until what is returned is closed, and the socket with it."""
        make = self._connections.make_protocol
        if self._tls is not None or self._proxies is not None:
            return _Server(self, sock, self._backlog)
        if sock.family != getattr(socket, "AF_UNIX", None):
            return await self._loop.create_server(make, sock=sock, backlog=self._backlog)
        if sys.version_info >= (3, 13):
            # Its file is removed by who bound it, not by each worker that stops.
            return await self._loop.create_unix_server(
                make, sock=sock, backlog=self._backlog, cleanup_socket=False
            )
        return await self._loop.create_unix_server(make, sock=sock, backlog=self._backlog)

    async def connect(self, connection: socket.socket) -> None:
        """Take a connection that was accepted elsewhere."""
        connection.setblocking(False)
        if self._tls is not None or self._proxies is not None:
            self.take(connection)
            return
        try:
            await self._loop.connect_accepted_socket(self._connections.make_protocol, connection)
        except OSError:
            connection.close()

    async def wait_pending(self, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until those who have connected are connections, or gone."""
        if self._pending:
            await asyncio.wait(list(self._pending), timeout=timeout)

    def abort(self) -> None:
        """Cut those who are not connections yet."""
        pending, self._pending = self._pending, {}
        for task, connection in pending.items():
            task.add_done_callback(partial(_close, connection))
            task.cancel()

    # --- Header and handshake ---

    def take(self, connection: socket.socket) -> None:
        """Begin with a socket that was accepted."""
        if len(self._pending) >= self._limits.handshakes:
            # Who means it is done in a moment: the oldest has waited the longest for somebody who does not.
            oldest = next(iter(self._pending))
            oldest.add_done_callback(partial(_close, self._pending.pop(oldest)))
            oldest.cancel()
        task = self._loop.create_task(self._connect(connection))
        self._pending[task] = connection
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._pending.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("A connection could not be made", exc_info=error)

    async def _connect(self, connection: socket.socket) -> None:
        options: dict[str, Any] = {}
        if self._tls is not None:
            options = {
                "ssl_handshake_timeout": self._limits.tls_handshake_timeout,
                "ssl_shutdown_timeout": self._limits.linger_timeout,
            }
        try:
            make = self._connections.make_protocol
            if self._proxies is not None and self._is_proxy(connection):
                make = self._maker(await self._read_header(connection))
            if self._tls is not None:
                options["ssl"] = self._tls.context
            await self._loop.connect_accepted_socket(make, connection, **options)
        except ProxyHeaderError as error:
            self.complain("A proxy sent no header of the PROXY protocol: %s", error)
            connection.close()
        except (OSError, TimeoutError) as error:  # ssl.SSLError is one, too
            connection.close()
            _logger.debug("A connection ended before its first request: %r", error)
        except BaseException:
            connection.close()
            raise

    def _is_proxy(self, connection: socket.socket) -> bool:
        assert self._proxies is not None
        name = connection.getpeername()
        client = (unmapped(name[0]), name[1]) if isinstance(name, tuple) else None
        return self._proxies.trusts(client, connection.getsockname())

    def _maker(self, origin: Origin) -> Callable[[], Any]:
        def make() -> Any:
            made = self._connections.make_protocol()
            made.origin = origin
            return made

        return make

    async def _read_header(self, connection: socket.socket) -> Origin:
        reader = ProxyHeaderReader()
        try:
            async with asyncio.timeout(self._limits.header_timeout):
                while reader.origin is None:
                    try:
                        data = connection.recv(4096, socket.MSG_PEEK)
                    except (BlockingIOError, InterruptedError):
                        await self._readable(connection)
                        continue
                    if not data:
                        raise ConnectionAbortedError("it ended within its header")
                    # There at once, since it has been seen.
                    connection.recv(reader.look(data))
        except TimeoutError:
            raise ProxyHeaderError("it was not complete in time") from None
        return reader.origin

    async def _readable(self, connection: socket.socket) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        self._loop.add_reader(connection, wake)
        try:
            await ready
        finally:
            self._loop.remove_reader(connection)

    def complain(self, words: str, error: Exception) -> None:
        """A line in the log, but not one a connection."""
        now = self._loop.time()
        if now - self._complained >= _COMPLAINT_INTERVAL:
            self._complained = now
            _logger.warning(words, error)


def _close(connection: socket.socket, _: object) -> None:
    """What was cancelled before it had begun has closed nothing."""
    connection.close()


class _Server:
    """Accepts from one socket."""

    def __init__(self, acceptor: Acceptor, sock: socket.socket, backlog: int) -> None:
        self._acceptor = acceptor
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._timer: asyncio.TimerHandle | None = None
        sock.listen(backlog)
        sock.setblocking(False)
        self._resume()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._rest()
            self._socket.close()

    def _resume(self) -> None:
        self._timer = None
        self._loop.add_reader(self._socket, self._accept)

    def _rest(self) -> None:
        self._loop.remove_reader(self._socket)
        if self._timer is not None:
            self._timer.cancel()

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._acceptor.complain("Cannot accept connections: %s", error)
                self._rest()
                self._timer = self._loop.call_later(_REST, self._resume)
                return
            connection.setblocking(False)
            self._acceptor.take(connection)
