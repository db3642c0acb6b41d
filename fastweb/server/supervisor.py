"""The parent of the workers: it owns the listening sockets, starts a process a worker, and replaces the dead.

It runs none of the app's code, no event loop and no threads. What happens comes to one `select`: signals
(their numbers, by `signal.set_wakeup_fd`, SIGCHLD among them) and what other processes say on their channels.
The stages of a worker are those of `fastweb.server.processes`; whose sockets are whose, of
`fastweb.server.slots`.

No connection is lost with a worker but those it had accepted: the rest wait in the queue of a socket that is
open here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from types import FrameType
from typing import Any

from fastweb.server import systemd
from fastweb.server.cgroup import oom_kills
from fastweb.server.channel import Channel
from fastweb.server.config import Config, StartupError, banner, configure_logging
from fastweb.server.order import Order
from fastweb.server.processes import (
    Worker,
    adopt_orphans,
    children,
    how_it_ended,
    reap_orphans,
    start_module,
)
from fastweb.server.slots import Slot, Slots
from fastweb.server.sockets import Listeners, bind

__all__ = ["Supervisor"]

logger = logging.getLogger("fastweb.server")

#: Seconds that a worker must have been ready for its death to be no sign of a fault that comes again.
_STABLE = 10.0
#: Workers that may die as they start, one after the other, before the server gives up.
_START_FAILURES = 5


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
        self._workers: list[Worker] = []
        self._start_failures = 0
        #: Workers that are to get a successor, the next one first; and the successor that is starting.
        self._renewals: deque[Worker] = deque()
        self._successor: Worker | None = None
        self._renew_again = False
        self._reloading = False
        self._was_ready = False
        self._error: StartupError | None = None
        self._stopping = False
        self._interrupted = False
        self._selector = selectors.DefaultSelector()
        self._life_read, self._life_write = -1, -1
        self._listeners = Listeners([])
        self._slots = Slots(self._listeners, config.workers)
        self._foreign: set[int] = set()
        self._oom_kills = 0

    def run(self) -> int:
        """Serve until told to stop.

        Returns:
            0.

        Raises:
            BindError: it cannot listen.
            StartupError: the workers cannot start; the first one's reason.
        """
        configure_logging(self.config.log_level)
        # Those of the script that runs this are not ours to wait for.
        self._foreign = children()
        adopt_orphans()
        self._oom_kills = oom_kills()
        self._listeners = bind(self.config, self.config.workers)
        try:
            self._slots = Slots(self._listeners, self.config.workers)
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
                self._renew_next(now)
                self._lend()
            elif self._is_alone():
                return
            for worker in self._workers:
                if now >= worker.kill_at:
                    logger.warning("Worker %d did not leave in time: killed", worker.pid)
                    worker.kill()
            for key, _ in self._selector.select(self._timeout(now)):
                key.data()

    def _is_alone(self) -> bool:
        """Whether every process that it has to wait for is gone."""
        return not self._workers

    def _timeout(self, now: float) -> float | None:
        times = [worker.kill_at for worker in self._workers]
        if not self._stopping:
            times += [slot.not_before for slot in self._slots if not self._occupied(slot)]
            times += [worker.retire_at for worker in self._workers if worker.stage == "ready"]
        soonest = min(times, default=float("inf"))
        return None if soonest == float("inf") else max(0.0, soonest - now)

    def _end(self) -> None:
        """Leave nothing behind, even after an error of our own."""
        self._kill()
        for worker in list(self._workers):
            if worker.process is not None:
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
            self._on_signal(number)

    def _on_signal(self, number: int) -> None:
        if number in (signal.SIGINT, signal.SIGTERM):
            again = number == signal.SIGINT and self._interrupted
            self._interrupted = self._interrupted or number == signal.SIGINT
            self._stop()
            if again:
                self._kill()
        elif number == signal.SIGHUP and not self._stopping:
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
        self._dismiss()

    def _dismiss(self) -> None:
        for worker in self._workers:
            if worker.stage != "leaving":
                worker.leave(self._grace())

    def _grace(self) -> float:
        return self._worker_config().graceful_timeout + self.margin

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def _close_life(self) -> None:
        if self._life_write >= 0:
            os.close(self._life_write)
            self._life_write = -1

    # --- Successors ---

    def _renew(self) -> None:
        """A rolling restart: one worker after the other gets a successor, and leaves once that is ready."""
        if self._renewals:
            self._renew_again = True  # The code may have changed since.
            return
        logger.info("Restarting %d workers, one at a time", self.config.workers)
        systemd.notify_reloading()
        self._reloading = True
        self._renew_workers()

    def _renew_workers(self) -> None:
        for worker in list(self._workers):
            if worker.stage == "ready":
                self._renewals.append(worker)
            elif worker.stage == "starting":
                worker.leave(self._grace())  # It may have imported what was there before.

    def _renew_next(self, now: float) -> None:
        for worker in self._workers:
            if worker.stage == "ready" and now >= worker.retire_at:
                worker.retire_at = float("inf")
                self._renewals.append(worker)
        if self._successor is not None:
            return
        while self._renewals:
            old = self._renewals[0]
            if old.stage == "ready" and old in self._workers:
                successor = self._spawn(self._slots[old.slot])
                if successor is not None:
                    successor.replaces = old
                    self._successor = successor
                return
            self._renewals.popleft()
        if self._renew_again:
            self._renew_again = False
            self._renew()
        elif self._reloading:
            self._reloading = False
            systemd.notify("READY=1")

    def _give_up_renewals(self) -> None:
        if self._renewals:
            logger.error("The restart is given up: the old workers go on")
        self._renewals.clear()
        self._renew_again = False
        self._successor = None
        for worker in self._workers:
            if worker.retiring:
                worker.retire_at = time.monotonic() + _STABLE

    # --- Workers ---

    def _occupied(self, slot: Slot) -> bool:
        return any(worker.slot == slot.number and worker.stage != "leaving" for worker in self._workers)

    def _fill(self, now: float) -> None:
        for slot in self._slots:
            if now >= slot.not_before and not self._occupied(slot):
                self._spawn(slot)

    def _lend(self) -> None:
        """Have somebody accept in each slot that nobody accepts in."""
        ready = {worker.pid: worker for worker in self._workers if worker.stage == "ready"}
        busy = {worker.slot for worker in ready.values()}
        for slot in self._slots:
            lender = ready.get(slot.lent_to) if slot.lent_to is not None else None
            if slot.number in busy:
                if lender is not None:
                    lender.channel.send({"return": slot.number})
                slot.lent_to = None
            elif lender is None and ready and slot.own:
                # Who serves the fewest slots besides.
                burdens = [other.lent_to for other in self._slots]
                neighbour = min(ready.values(), key=lambda worker: burdens.count(worker.pid))
                descriptors = [sock.fileno() for sock in slot.own]
                if neighbour.channel.send({"lend": slot.number}, descriptors):
                    slot.lent_to = neighbour.pid

    def _worker_config(self) -> Config:
        return self.config

    def _spawn(self, slot: Slot) -> Worker | None:
        """Start a worker in a slot, if that is possible now."""
        channel, theirs = Channel.pair()
        with theirs:
            order = Order(
                config=self._worker_config().to_json(),
                sockets=slot.descriptors(),
                channel_fd=theirs.fileno(),
                life_fd=self._life_read,
            )
            worker = Worker(slot.number, channel)
            worker.process = start_module("fastweb.server.worker_process", order)
        self._workers.append(worker)
        self._selector.register(channel, selectors.EVENT_READ, lambda: self._hear(worker))
        return worker

    def _hear(self, worker: Worker) -> None:
        """Read what a worker says, and act."""
        if worker.channel.fileno() < 0:
            return
        for message, _ in worker.channel.receive():
            self._said(worker, message)
        if worker.channel.ended:
            # It is gone, or about to: SIGCHLD says so, too.
            self._selector.unregister(worker.channel)
            worker.channel.close()

    def _said(self, worker: Worker, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._on_ready(worker)
        elif "error" in message:
            if not self._stopping:
                worker.stage = "failed"
                error = StartupError(message["error"], details=message["details"], exit_code=message["code"])
                self._start_failed(worker.slot, error)
        elif "leaving" in message:
            if worker.stage == "ready":  # Nobody here has told it to.
                worker.stage = "leaving"
                worker.kill_at = time.monotonic() + self._grace()
        elif "retire" in message:
            if worker.stage == "ready" and not worker.retiring:
                logger.info("Worker %d is to be replaced: %s", worker.pid, message["retire"])
                worker.retiring = True
                worker.retire_at = time.monotonic()

    def _on_ready(self, worker: Worker) -> None:
        if worker.stage != "starting":
            return
        worker.stage = "ready"
        worker.ready_since = time.monotonic()
        self._start_failures = 0
        if self._was_ready:
            logger.info("Worker %d is ready", worker.pid)
        elif sum(item.stage == "ready" for item in self._workers) == self.config.workers:
            self._was_ready = True
            self._on_all_ready()
        old, worker.replaces = worker.replaces, None
        if old is not None:
            if old.stage == "ready" and old in self._workers:
                old.leave(self._grace())
            if self._renewals and self._renewals[0] is old:
                self._renewals.popleft()
        if self._successor is worker:
            self._successor = None

    def _on_all_ready(self) -> None:
        banner(self.config, self._listeners.addresses())
        systemd.notify("READY=1", f"MAINPID={os.getpid()}")

    def _reap(self) -> None:
        for worker in list(self._workers):
            if worker.process is not None and worker.process.poll() is not None:
                self._hear(worker)  # Its last words may have come with its death.
                self._forget(worker)
                self._died(worker)
        known = {worker.pid for worker in self._workers}
        reap_orphans(known | self._foreign)

    def _forget(self, worker: Worker) -> None:
        self._workers.remove(worker)
        if worker.channel.fileno() >= 0:
            self._selector.unregister(worker.channel)
            worker.channel.close()

    def _died(self, worker: Worker) -> None:
        if self._successor is worker:
            self._successor = None
        if self._stopping or worker.stage in ("leaving", "failed"):
            return
        assert worker.process is not None
        how = how_it_ended(worker.process.returncode or 0) + self._hint(worker.process.returncode)
        if worker.stage == "starting":
            error = StartupError(f"a worker died as it started: {how}")
            self._start_failed(worker.slot, error, reported=False)
            return
        logger.warning("Worker %d died (%s): starting another", worker.pid, how)
        slot = self._slots[worker.slot]
        if time.monotonic() - worker.ready_since >= _STABLE:
            slot.failures = 0
        slot.pause()

    def _hint(self, code: int | None) -> str:
        """What else is known of a death."""
        before, self._oom_kills = self._oom_kills, oom_kills()
        if code == -signal.SIGKILL and self._oom_kills > before:
            return ", by the kernel: the container has no memory left"
        return ""

    def _start_failed(self, slot: int, error: StartupError, *, reported: bool = True) -> None:
        """A worker could not start: end with its error, or go on with those that serve, and try again later.

        Arguments:
            reported: the worker itself said why, so trying again at once would fail again.
        """
        self._give_up_renewals()
        self._start_failures += 1
        serving = any(worker.stage == "ready" for worker in self._workers)
        first = not self._was_ready and not serving
        if (first and reported) or (not serving and self._start_failures >= _START_FAILURES):
            if not reported:
                error = StartupError(f"{error.message}, {self._start_failures} times in a row: giving up")
            self._error = error
            self._stop()
            return
        logger.error("%s%s", error.details, error.message)
        self._slots[slot].pause()

    def renew_all(self) -> None:
        """Have all workers leave at once; their slots get new ones."""
        for slot in self._slots:
            slot.not_before = 0.0
        for worker in self._workers:
            if worker.stage != "leaving":
                worker.leave(self._grace())
