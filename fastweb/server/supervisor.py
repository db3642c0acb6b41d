"""The parent of the workers: it owns the listening sockets, starts a process a worker, and replaces the dead.

It runs none of the app's code, no event loop and no threads. What happens comes to one `select`: signals
(their numbers, by `signal.set_wakeup_fd`, SIGCHLD among them) and what workers say on their ready pipes.

A worker's stages:

    starting -- says that it is ready --> ready -- SIGTERM --> leaving --> gone
       |                                    |
       |                                    +-- dies --> its slot gets another, after a pause that doubles
       |
       +-- says why not, or dies: before any worker was ready, the server ends with that error;
           later, as if a ready one had died

No connection is lost with a worker but those it had accepted: the rest wait in the queue of a socket that is
open here.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from fastweb.server import systemd
from fastweb.server.config import Config, StartupError, banner, configure_logging
from fastweb.server.sockets import Listeners, bind
from fastweb.server.worker import ORDER_VARIABLE, WorkerOrder

__all__ = ["Supervisor"]

logger = logging.getLogger("fastweb.server")

#: Seconds that a worker must have been ready for its death to be no sign of a fault that comes again.
_STABLE = 10.0
#: Seconds before a slot gets another worker: the first pause, which doubles with each death, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
#: Workers that may die as they start, one after the other, before the server gives up.
_START_FAILURES = 5


class _Worker:
    """A process: its slot, its stage, and the pipe on which it says that it is ready."""

    def __init__(self, slot: int, process: subprocess.Popen[bytes], ready_fd: int) -> None:
        self.slot = slot
        self.process = process
        self.ready_fd: int | None = ready_fd
        self.said = b""
        self.stage = "starting"
        self.ready_since = 0.0
        #: The one that leaves once this is ready, in a rolling restart.
        self.replaces: _Worker | None = None
        self.kill_at = float("inf")

    @property
    def pid(self) -> int:
        return self.process.pid

    def leave(self, within: float) -> None:
        self.stage = "leaving"
        self.kill_at = time.monotonic() + within
        self.process.terminate()

    def kill(self) -> None:
        self.kill_at = float("inf")
        self.process.kill()


class Supervisor:
    """Runs `config.workers` processes until SIGTERM or SIGINT. POSIX only, and in the main thread only.

    Arguments:
        config: what to serve; `app` must be a string.
    """

    #: Seconds beyond the graceful timeout that workers have for the app's shut-down before they are killed.
    margin = 5.0

    def __init__(self, config: Config) -> None:
        if os.name != "posix":
            raise StartupError("more than one worker needs a POSIX system: leave workers at 1 here")
        if threading.current_thread() is not threading.main_thread():
            raise StartupError("workers can only be started from the main thread")
        self.config = config
        self._workers: dict[int, _Worker] = {}
        self._failures = [0] * config.workers
        self._not_before = [0.0] * config.workers
        self._start_failures = 0
        self._renewals: deque[int] = deque()
        self._was_ready = False
        self._error: StartupError | None = None
        self._stopping = False
        self._interrupted = False
        self._selector = selectors.DefaultSelector()
        self._life_read, self._life_write = -1, -1
        self._listeners = Listeners([])

    def run(self) -> int:
        """Serve until told to stop.

        Returns:
            0.

        Raises:
            BindError: it cannot listen.
            StartupError: the workers cannot start; the first one's reason.
        """
        configure_logging(self.config.log_level)
        self._listeners = bind(self.config)
        try:
            self._life_read, self._life_write = os.pipe()
            with self._signals():
                try:
                    self._run()
                finally:
                    self._end()
        finally:
            self._listeners.close()
        if self._error is not None:
            raise self._error
        return 0

    def _run(self) -> None:
        while True:
            self._reap()
            now = time.monotonic()
            if not self._stopping:
                self._fill(now)
            elif not self._workers:
                return
            for worker in self._workers.values():
                if now >= worker.kill_at:
                    logger.warning("Worker %d did not leave in time: killed", worker.pid)
                    worker.kill()
            for key, _ in self._selector.select(self._timeout(now)):
                key.data()

    def _timeout(self, now: float) -> float | None:
        times = [worker.kill_at for worker in self._workers.values()]
        if not self._stopping:
            times += [at for slot, at in enumerate(self._not_before) if not self._occupied(slot)]
        soonest = min(times, default=float("inf"))
        return None if soonest == float("inf") else max(0.0, soonest - now)

    def _end(self) -> None:
        """Leave nothing behind, even after an error of our own."""
        self._kill()
        for worker in list(self._workers.values()):
            worker.process.wait()
            self._forget(worker)
        self._close_life()
        os.close(self._life_read)
        self._selector.close()

    # --- Signals ---

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals wake the `select` with their number; their handlers do nothing, so that nothing runs at a
        bad time."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)

        def ignore(_number: int, _frame: FrameType | None) -> None:
            pass

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
        before = {number: signal.signal(number, ignore) for number in numbers}
        wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._read_signals(reader))
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

    def _read_signals(self, reader: int) -> None:
        for number in os.read(reader, 512):
            if number in (signal.SIGINT, signal.SIGTERM):
                again = number == signal.SIGINT and self._interrupted
                self._interrupted = self._interrupted or number == signal.SIGINT
                self._stop()
                if again:
                    self._kill()
            elif number == signal.SIGHUP:
                self._renew()

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        systemd.notify("STOPPING=1")
        # In this order: workers take what waits in the queue once the pipe ends (`Server.last`), and the
        # queue is gone with the last process that has the socket. If that were this one, what came meanwhile
        # would be lost.
        self._listeners.close()
        self._close_life()
        for worker in self._workers.values():
            worker.leave(self._grace())

    def _grace(self) -> float:
        return self._worker_config().graceful_timeout + self.margin

    def _kill(self) -> None:
        for worker in self._workers.values():
            worker.kill()

    def _close_life(self) -> None:
        if self._life_write >= 0:
            os.close(self._life_write)
            self._life_write = -1

    def _renew(self) -> None:
        """A rolling restart: one slot after the other gets a new worker, and the old one leaves once that is
        ready."""
        if not self._stopping and not self._renewals:
            logger.info("Restarting %d workers, one at a time", self.config.workers)
            systemd.notify_reloading()
            self._renewals.extend(range(self.config.workers))
            self._renew_next()

    def _renew_next(self) -> None:
        while self._renewals:
            ready = [
                item
                for item in self._workers.values()
                if item.slot == self._renewals[0] and item.stage == "ready"
            ]
            if ready:
                self._spawn(self._renewals[0]).replaces = ready[0]
                return
            self._renewals.popleft()  # It starts anyway.
        systemd.notify("READY=1")

    # --- Workers ---

    def _occupied(self, slot: int) -> bool:
        return any(worker.slot == slot and worker.stage != "leaving" for worker in self._workers.values())

    def _fill(self, now: float) -> None:
        for slot in range(self.config.workers):
            if now >= self._not_before[slot] and not self._occupied(slot):
                self._spawn(slot)

    def _worker_config(self) -> Config:
        return self.config

    def _spawn(self, slot: int) -> _Worker:
        ready_read, ready_write = os.pipe()
        # A process that the app forked may hold the other end open for longer than the worker lives.
        os.set_blocking(ready_read, False)
        sockets = [sock.fileno() for sock in self._listeners.sockets]
        order = WorkerOrder(
            config=self._worker_config().to_json(),
            sockets=sockets,
            ready_fd=ready_write,
            life_fd=self._life_read,
            path=list(sys.path),
            argv=list(sys.argv),
        )
        # Ctrl+C in a terminal goes to every process; one that has no handler for it yet would die of it,
        # noisily.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process = subprocess.Popen(
                [sys.executable, *interpreter_options(), "-m", "fastweb.server.worker"],
                env={**os.environ, ORDER_VARIABLE: order.to_json()},
                pass_fds=(*sockets, ready_write, self._life_read),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(ready_write)
        worker = self._workers[process.pid] = _Worker(slot, process, ready_read)
        self._selector.register(ready_read, selectors.EVENT_READ, lambda: self._hear(worker))
        return worker

    def _hear(self, worker: _Worker) -> None:
        """Read what a worker says; at the end of it, act."""
        if worker.ready_fd is None:
            return
        try:
            data = os.read(worker.ready_fd, 65536)
        except BlockingIOError:
            return
        worker.said += data
        if data and not data.endswith(b"\n"):
            return
        self._selector.unregister(worker.ready_fd)
        os.close(worker.ready_fd)
        worker.ready_fd = None
        if not worker.said.endswith(b"\n"):
            return  # It died: SIGCHLD says so, too.
        said: dict[str, Any] = json.loads(worker.said)
        if "ready" in said:
            self._on_ready(worker)
        elif not self._stopping:
            worker.stage = "failed"
            self._start_failed(
                worker.slot, StartupError(said["error"], details=said["details"], exit_code=said["code"])
            )

    def _on_ready(self, worker: _Worker) -> None:
        if worker.stage != "starting":
            return
        worker.stage = "ready"
        worker.ready_since = time.monotonic()
        self._start_failures = 0
        if self._was_ready:
            logger.info("Worker %d is ready", worker.pid)
        elif sum(item.stage == "ready" for item in self._workers.values()) == self.config.workers:
            self._was_ready = True
            banner(self.config, self._listeners.addresses())
            systemd.notify("READY=1", f"MAINPID={os.getpid()}")
        old, worker.replaces = worker.replaces, None
        if old is not None:
            if old.stage == "ready" and old.pid in self._workers:
                old.leave(self._grace())
            if self._renewals and self._renewals[0] == worker.slot:
                self._renewals.popleft()
                self._renew_next()

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            if worker.process.poll() is not None:
                self._hear(worker)  # Its last words may have come with its death.
                self._forget(worker)
                self._died(worker)

    def _forget(self, worker: _Worker) -> None:
        del self._workers[worker.pid]
        if worker.ready_fd is not None:
            self._selector.unregister(worker.ready_fd)
            os.close(worker.ready_fd)
            worker.ready_fd = None

    def _died(self, worker: _Worker) -> None:
        if self._stopping or worker.stage in ("leaving", "failed"):
            return
        how = _how(worker.process.returncode)
        if worker.stage == "starting":
            self._start_failed(
                worker.slot, StartupError(f"a worker died as it started: {how}"), reported=False
            )
            return
        logger.warning("Worker %d died (%s): starting another", worker.pid, how)
        if time.monotonic() - worker.ready_since >= _STABLE:
            self._failures[worker.slot] = 0
        self._pause(worker.slot)

    def _pause(self, slot: int) -> None:
        pause = min(_FIRST_PAUSE * 2.0 ** self._failures[slot], _LONGEST_PAUSE)
        self._failures[slot] = min(self._failures[slot] + 1, 16)
        self._not_before[slot] = time.monotonic() + pause

    def _start_failed(self, slot: int, error: StartupError, *, reported: bool = True) -> None:
        """A worker could not start: end with its error, or go on with those that serve, and try again later.

        Arguments:
            reported: the worker itself said why, so trying again at once would fail again.
        """
        if self._renewals:
            logger.error("The restart is given up: the old workers go on")
            self._renewals.clear()
            systemd.notify("READY=1")
        self._start_failures += 1
        serving = any(worker.stage == "ready" for worker in self._workers.values())
        first = not self._was_ready and not serving
        if (first and reported) or (not serving and self._start_failures >= _START_FAILURES):
            if not reported:
                error = StartupError(f"{error.message}, {self._start_failures} times in a row: giving up")
            self._error = error
            self._stop()
            return
        logger.error("%s%s", error.details, error.message)
        self._pause(slot)

    def renew_all(self) -> None:
        """Have all workers leave at once; their slots get new ones."""
        self._not_before = [0.0] * self.config.workers
        for worker in self._workers.values():
            if worker.stage != "leaving":
                worker.leave(self._grace())


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def interpreter_options() -> list[str]:
    """-X, -W and the like, as multiprocessing hands them on, and -P, unless fastweb itself is in the current
    directory: a file of the user's there could stand before the standard library's of that name."""
    options: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    if "-P" not in options and Path(__file__).parent.parent.parent != Path.cwd():
        options.append("-P")
    return options
