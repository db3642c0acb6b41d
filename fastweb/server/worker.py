"""What serves: loads the app, makes the loop, runs the lifespan, accepts, leaves in good order.

    load_app -> Server.serve: lifespan start-up -> accept -> stop accepting -> drain -> lifespan shut-down

A supervisor's worker does so in a process of its own: see `fastweb.server.worker_process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from types import FrameType
from typing import TYPE_CHECKING, Any

from fastweb.server import systemd
from fastweb.server.config import STARTUP_FAILED, Config, StartupError, banner, configure_logging
from fastweb.server.interface import interface_name, is_app
from fastweb.server.lifespan import Lifespan
from fastweb.server.loading import load_app, user_error
from fastweb.server.sockets import Listeners, bind, take_queued
from fastweb.server.startup import run_startup_tasks
from fastweb.types import StreamApp

if TYPE_CHECKING:
    from fastweb.server.acceptor import Accepting, Acceptor
    from fastweb.server.connections import Connections
    from fastweb.server.tls import TLS

__all__ = ["Server", "exit_later", "loop_factory", "run_server", "run_single"]

logger = logging.getLogger("fastweb.server")

#: Seconds that a process of ours waits at its end for threads that will not stop (a plain `def` endpoint that
#: hangs).
_THREADS_TIMEOUT = 2.0
#: Seconds from the last connection that is accepted to the closing of those that wait for a request.
_SETTLE_TIME = 0.1
#: Seconds beyond it that TLS handshakes have which are not complete.
_HANDSHAKE_TIME = 1.0
#: Seconds that cancelled start-up or shut-down code has to end.
_CANCEL_TIMEOUT = 2.0


# --- Serving ---


class Server:
    """Serves an app in the running loop: no signals, no process of its own. A thread with a loop may run one,
    too.

    Arguments:
        app: what answers: one of ours, or an ASGI or WSGI app.
        config: where to listen (unless sockets are given), bounds, log, grace.
        sockets: listening sockets, closed when it stops accepting.
        on_started: called in the loop once it accepts.
        on_stopping: called in the loop before it stops to.
        on_sweep: called in the loop every second or so, with its connections.

    Attributes:
        started: set once it accepts; to be waited for from another thread.
        addresses: where it listens, as URLs.
        exit_code: of the process, once `serve` has returned.
        last: no other process accepts from these sockets, so what still waits in their queue must be taken at
            the end.
    """

    def __init__(
        self,
        app: Any,
        config: Config | None = None,
        *,
        sockets: Sequence[socket.socket] | None = None,
        on_started: Callable[[Server], None] | None = None,
        on_stopping: Callable[[Server], None] | None = None,
        on_sweep: Callable[[Connections], None] | None = None,
    ) -> None:
        self.config = config if config is not None else Config(app=app)
        if not is_app(app):
            app = load_app(dataclasses.replace(self.config, app=app, factory=False))
        self.app: StreamApp = app
        self.started = threading.Event()
        self.addresses: list[str] = []
        self.exit_code = 0
        self.last = True
        self._sockets = sockets
        self._on_started = on_started
        self._on_stopping = on_stopping
        self._on_sweep = on_sweep
        self._accept: Callable[[socket.socket], Awaitable[Accepting]] | None = None
        self._borrowed: dict[int, list[socket.socket]] = {}
        self._borrowing: dict[int, list[Accepting]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._force = asyncio.Event()
        self._stop_asked = False
        self._force_asked = False

    @property
    def should_exit(self) -> bool:
        """Whether it was told to stop; set it to tell so, from any thread."""
        return self._stop_asked

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if not value:
            raise ValueError("a server that was told to stop does not start again")
        self.stop()

    def stop(self, *, force: bool = False) -> None:
        """Stop in good order, or at once. From any thread, and from a signal handler."""
        self._stop_asked = True
        self._force_asked = self._force_asked or force
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: it has stopped.
                loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._stop_asked:
            self._stop.set()
        if self._force_asked:
            self._force.set()

    # --- Sockets of a slot that has no worker right now (see `fastweb.server.slots`) ---

    def borrow(self, slot: int, sockets: Sequence[socket.socket]) -> None:
        """Accept from these sockets, too, until `give_back`. In the loop, while it accepts."""
        self.give_back(slot)
        if self._accept is None:
            for sock in sockets:
                sock.close()
            return
        self._borrowed[slot] = list(sockets)
        asyncio.ensure_future(self._start_borrowed(slot)).add_done_callback(_look_at)

    async def _start_borrowed(self, slot: int) -> None:
        for sock in self._borrowed[slot]:
            if self._accept is None:
                return
            server = await self._accept(sock)
            if slot in self._borrowed and sock in self._borrowed[slot]:
                self._borrowing.setdefault(slot, []).append(server)
            else:
                server.close()

    def give_back(self, slot: int) -> None:
        """Accept no more from what was borrowed."""
        for server in self._borrowing.pop(slot, ()):
            server.close()
        for sock in self._borrowed.pop(slot, ()):
            sock.close()

    async def serve(self) -> None:
        """Serve until told to stop. `exit_code` then is 0, or 1 if it was forced or the app's shut-down
        failed.

        Raises:
            BindError: it cannot listen.
            ConfigError: a certificate cannot be loaded.
            StartupError: the app's lifespan failed to start; the details are the traceback.
        """
        self._loop = asyncio.get_running_loop()
        self._tell()
        if self._stop.is_set():
            return
        tls = None
        if self.config.ssl_certfile is not None:
            from fastweb.server.tls import TLS

            tls = TLS(self.config)
        given = self._sockets
        with bind(self.config) if given is None else Listeners(given, scheme=self.config.scheme) as listeners:
            self.addresses = listeners.addresses()
            self.last = self.last and not listeners.handed
            lifespan = Lifespan(self.app)
            try:
                ready = await _unless(self._stop, lifespan.startup())
            except Exception as error:
                raise user_error(error, "the app's start-up", STARTUP_FAILED) from None
            try:
                if ready:
                    await self._serve(listeners, tls)
            finally:
                await self._shutdown(lifespan)

    async def _serve(self, listeners: Listeners, tls: TLS | None) -> None:
        # Here and not above, since a supervisor imports this module and needs no protocol.
        from fastweb.concurrency import own_threads
        from fastweb.server.acceptor import Acceptor
        from fastweb.server.access_log import AccessLog
        from fastweb.server.capacity import connections_within_files
        from fastweb.server.connections import Connections

        loop = asyncio.get_running_loop()
        config = self.config
        log = None
        if config.access_log and config.log_level in ("info", "debug"):
            log = AccessLog(path=config.access_log_file, form=config.access_log_format, loop=loop)
        limits = config.limits_of(self.app)
        own_threads.most = limits.own_threads
        connections = Connections(
            self.app,
            limits,
            loop=loop,
            access_log=log,
            server_header=config.server_header,
            websocket_compression=config.ws_per_message_deflate,
            proxies=config.proxies() if config.proxy_headers else None,
        )
        connections.most = connections_within_files(connections.most)
        servers: list[Accepting] = []
        acceptor = Acceptor(
            connections,
            backlog=config.backlog,
            tls=tls,
            proxies=config.proxies() if config.proxy_protocol else None,
        )
        watchdog = None
        if config.block_threshold:
            from fastweb.server.watchdog import Watchdog

            watchdog = Watchdog(config.block_threshold, loop, connections.runner.stream_of)
            watchdog.start()
        if self._on_sweep is not None:
            connections.on_sweep = partial(self._on_sweep, connections)
        connections.start()
        if tls is not None:
            tls.watch(loop)
        try:
            for sock in listeners.sockets:
                # Not all at once: what accepts already is closed below if another cannot.
                servers.append(await acceptor.listen(sock))  # noqa: PERF401
            self._accept = acceptor.listen
            self.started.set()
            if self._on_started is not None:
                self._on_started(self)
            await self._stop.wait()
            systemd.notify("STOPPING=1")
            if self._on_stopping is not None:
                self._on_stopping(self)
            # Turns of the loop, in which a supervisor's last word may come (see `last`).
            for _ in range(2):
                await asyncio.sleep(0)
            self._accept = None
            await self._stop_accepting(acceptor, servers, listeners)
            await _unless(self._force, connections.settle(_SETTLE_TIME, 5 * _SETTLE_TIME))
            await _unless(self._force, acceptor.wait_pending(_HANDSHAKE_TIME))
            acceptor.abort()
            connections.drain(config.graceful_timeout / 4)
            if not await _unless(self._force, connections.wait_closed(config.graceful_timeout)):
                self.exit_code = 1
            elif len(connections):
                logger.warning("The grace is over: cut off connections: %d", len(connections))
        finally:
            for server in servers:
                server.close()
            acceptor.abort()
            if tls is not None:
                tls.stop()
            connections.abort()
            await connections.wait_closed(1.0)
            connections.stop()
            if watchdog is not None:
                watchdog.stop()
            if log is not None:
                log.close()

    async def _stop_accepting(
        self, acceptor: Acceptor, servers: Sequence[Accepting], listeners: Listeners
    ) -> None:
        """Close the listening sockets. Connections that the kernel has already made would be reset: take
        them first."""
        accepted: list[socket.socket] = []
        if self.last and os.name == "posix":
            for sock in (*listeners.sockets, *chain.from_iterable(self._borrowed.values())):
                accepted += take_queued(sock, self.config.backlog + 1)
        for slot in list(self._borrowed):
            self.give_back(slot)
        for server in servers:
            server.close()
        for connection in accepted:
            await acceptor.connect(connection)

    async def _shutdown(self, lifespan: Lifespan) -> None:
        try:
            if not await _unless(self._force, lifespan.shutdown()):
                self.exit_code = 1
        except Exception as error:
            failed = user_error(error, "the app's shut-down")
            logger.error("%s%s", failed.details, failed.message)
            self.exit_code = 1


def _look_at(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.warning("Cannot accept from another worker's socket: %s", task.exception())


async def _unless(event: asyncio.Event, work: Awaitable[Any]) -> bool:
    """Wait for work unless an event comes first, which cancels it; whether it was done. What it raises comes
    out."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return True
        return False
    finally:
        waiter.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_TIMEOUT)


def run_server(server: Server, *, own_process: bool = False) -> int:
    """Serve in a loop of this thread's own; in the main thread, SIGINT and SIGTERM stop it, a second SIGINT
    at once.

    Arguments:
        own_process: the process has no other purpose: it ends soon after, whatever threads of the app still
            run.

    Returns:
        The exit code.

    Raises:
        StartupError: see `Server.serve`; or a loop runs in this thread already.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise StartupError(
            "an event loop runs in this thread already: in it, await fastweb.server.Server(app).serve()"
        )
    with _signals(server), asyncio.Runner(loop_factory=loop_factory(server.config.loop)) as runner:
        runner.run(server.serve())
        if own_process:
            exit_later(server.exit_code)
    return server.exit_code


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name != "asyncio":
        try:
            import uvloop
        except ImportError:
            if name == "uvloop":
                raise StartupError(
                    "uvloop is not installed: pip install uvloop, or choose --loop asyncio"
                ) from None
        else:
            factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
            return factory
    return None


@contextlib.contextmanager
def _signals(server: Server) -> Iterator[None]:
    """Plain handlers: they also run while the user's code blocks the loop, and they exist on Windows."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        again = number == signal.SIGINT and interrupted
        interrupted = interrupted or number == signal.SIGINT
        if again:
            # A third one ends even a loop that no longer turns.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        server.stop(force=again)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    before = {number: signal.signal(number, handle) for number in numbers}
    if sys.platform != "win32":
        # With which others are told to open their logs again: ours are opened again by themselves.
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_single(config: Config, *, own_process: bool = False) -> int:
    """Load the app and serve it in this process.

    Arguments:
        own_process: see `run_server`.

    Returns:
        The exit code.

    Raises:
        StartupError: it cannot listen, a start-up task failed, the app cannot be loaded, or its start-up
            failed.
    """
    configure_logging(config.log_level)

    def started(server: Server) -> None:
        banner(config, server.addresses, interface=interface_name(server.app))
        systemd.notify("READY=1")

    with bind(config) as listeners:
        if not run_startup_tasks(config):
            return 0
        server = Server(load_app(config), config, sockets=listeners.sockets, on_started=started)
        server.last = not listeners.handed
        return run_server(server, own_process=own_process)


def exit_later(code: int) -> None:
    """From here on this process ends, even if threads of the app hang, for which the interpreter would
    wait."""

    def leave() -> None:
        time.sleep(_THREADS_TIMEOUT)
        os._exit(code)

    threading.Thread(target=leave, name="fastweb exit", daemon=True).start()
