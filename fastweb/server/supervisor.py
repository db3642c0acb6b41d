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
from fastweb.server.counters import Counters
from fastweb.server.hotswap import HandOver, PidFile, Successor, working_directory
from fastweb.server.order import Order
from fastweb.server.preload import Template
from fastweb.server.processes import (
    Process,
    Worker,
    adopt_orphans,
    children,
    how_it_ended,
    reap_orphans,
    start_module,
)
from fastweb.server.slots import Slot, Slots
from fastweb.server.sockets import Listeners, bind
from fastweb.server.startup import run_startup_tasks

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
        #: What the app speaks, as a worker has said: "asgi", "wsgi", or "" for one of ours.
        self._interface = ""
        self._error: StartupError | None = None
        self._stopping = False
        self._interrupted = False
        self._selector = selectors.DefaultSelector()
        self._life_read, self._life_write = -1, -1
        self._listeners = Listeners([])
        self._slots = Slots(self._listeners, config.workers)
        self._foreign: set[int] = set()
        #: Exit codes of orphans, which may be workers that the template has not named yet.
        self._orphans: dict[int, int] = {}
        self._oom_kills = 0
        self._counters: Counters | None = None
        self._pidfile = PidFile(config.pidfile)
        self._directory = working_directory()
        #: Whose place this takes, until it has; and what takes this one's.
        self._predecessor: Channel | None = None
        self._new_server: Successor | None = None
        #: What workers are forked from; and what they will be, once it has imported the app.
        self._template: Template | None = None
        self._next_template: Template | None = None
        self._template_not_before = 0.0
        self._dropped: list[Process] = []

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
        self._begin()
        try:
            if not run_startup_tasks(self.config):
                return 0
            self._slots = Slots(self._listeners, self.config.workers)
            self._life_read, self._life_write = os.pipe()
            with self._signals():
                try:
                    self._run()
                finally:
                    self._end()
        finally:
            self._listeners.close()
            self._pidfile.remove()
        if self._error is not None:
            raise self._error
        return 0

    def _begin(self) -> None:
        """Get sockets and counters: those of the server whose place this is to take, or new ones."""
        found: Listeners | None = None
        handed = HandOver.take()
        if handed is not None:
            self._predecessor = handed.channel()
            self._counters = handed.counters()
            found = handed.listeners(self.config)
        self._listeners = found or bind(self.config, self.config.workers)
        # A worker and its successor have a row each, and so has who drains for long.
        rows = 4 * self.config.workers
        if self._counters is None or self._counters.rows < rows:
            self._counters = Counters.create(rows)
        if handed is None:
            self._write_pidfile()

    def _write_pidfile(self) -> None:
        try:
            self._pidfile.write()
        except OSError as error:
            raise StartupError(f"cannot write the pidfile {self.config.pidfile}: {error.strerror}") from None

    def _run(self) -> None:
        while True:
            self._reap()
            now = time.monotonic()
            if not self._stopping:
                self._keep_template(now)
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
            if self._can_spawn():
                times += [slot.not_before for slot in self._slots if not self._occupied(slot)]
            elif self._template is None and self._next_template is None:
                times.append(self._template_not_before)
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
        if self._counters is not None:
            self._counters.close()

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

        numbers = (
            *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
            *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD),
        )
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
        elif number == signal.SIGUSR2 and not self._stopping:
            self._start_new_server()

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        systemd.notify("STOPPING=1")
        # In this order: workers take what waits in the queue once the pipe ends (`Server.last`), and the
        # queue is gone with the last process that has the socket. If that were this one, what came meanwhile
        # would be lost.
        if self._new_server is None:
            self._listeners.close()
            self._close_life()
        else:
            self._new_server.process.send_signal(signal.SIGTERM)
        self._dismiss()

    def _dismiss(self) -> None:
        for template in (self._template, self._next_template):
            if template is not None:
                self._drop_template(template)
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
        if self._renewals or self._next_template is not None:
            self._renew_again = True  # The code may have changed since.
            return
        logger.info("Restarting %d workers, one at a time", self.config.workers)
        systemd.notify_reloading()
        self._reloading = True
        if self.config.preload:
            self._start_template()
        else:
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
        if self._successor is not None or not self._can_spawn():
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
        elif self._reloading and self._next_template is None:
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
        if not self._can_spawn():
            return None
        assert self._counters is not None
        channel, theirs = Channel.pair()
        worker = Worker(slot.number, channel, self._counters.claim())
        with theirs:
            if self._template is not None:
                if not self._template.fork(worker, self._worker_config(), slot.descriptors(), theirs):
                    self._counters.release(worker.row)
                    channel.close()
                    slot.pause()
                    return None
            else:
                order = Order(
                    config=self._worker_config().to_json(),
                    sockets=slot.descriptors(),
                    channel_fd=theirs.fileno(),
                    life_fd=self._life_read,
                    counters_fd=self._counters.fd,
                    row=worker.row,
                )
                self._started(worker, start_module("fastweb.server.worker_process", order).pid)
        self._workers.append(worker)
        self._selector.register(channel, selectors.EVENT_READ, lambda: self._hear(worker))
        if self._new_server is not None or self._listeners.handed:
            channel.send({"keep": True})
        return worker

    def _started(self, worker: Worker, pid: int) -> None:
        process = worker.process = Process(pid)
        process.returncode = self._orphans.pop(pid, None)
        if self._counters is not None:
            self._counters.give(worker.row, process.pid)
        if worker.stage == "leaving":  # It was told before it could hear.
            process.send_signal(signal.SIGTERM)

    def _hear(self, worker: Worker) -> None:
        """Read what a worker says, and act."""
        if worker.channel.fileno() < 0:
            return
        for message, _ in worker.channel.receive():
            self._said(worker, message)
        # What it said may have led to a stop, which forgets workers that the template has still to name.
        if worker.channel.ended and worker.channel.fileno() >= 0:
            # It is gone, or about to: SIGCHLD says so, too.
            self._selector.unregister(worker.channel)
            worker.channel.close()

    def _said(self, worker: Worker, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._interface = message.get("interface", "")
            worker.announced = message.get("pid", 0)  # It may be quicker than the template, who says so, too.
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
        banner(self.config, self._listeners.addresses(), interface=self._interface)
        if self._predecessor is not None:
            try:
                self._write_pidfile()
            except StartupError as error:
                logger.error("%s", error.message)
            self._predecessor.send({"taken": True})
            self._predecessor.close()
            self._predecessor = None
        systemd.notify("READY=1", f"MAINPID={os.getpid()}")

    def _reap(self) -> None:
        for worker in list(self._workers):
            if worker.process is not None and worker.process.poll() is not None:
                self._hear(worker)  # Its last words may have come with its death.
                self._forget(worker)
                self._died(worker)
        known = {worker.pid for worker in self._workers}
        for template in (self._template, self._next_template):
            if template is not None:
                known.add(template.process.pid)
                if template.process.poll() is not None:
                    self._hear_template(template)
                    self._template_ended(template)
        self._dropped = [process for process in self._dropped if process.poll() is None]
        known.update(process.pid for process in self._dropped)
        if self._new_server is not None:
            known.add(self._new_server.process.pid)
            if self._new_server.process.poll() is not None:
                self._hear_new_server()
                self._new_server_ended()
        self._orphans.update(reap_orphans(known | self._foreign))
        if self._template is None or not self._template.pending:
            self._orphans.clear()

    def _forget(self, worker: Worker) -> None:
        self._workers.remove(worker)
        if self._counters is not None:
            self._counters.release(worker.row)
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

    # --- The template that workers are forked from ---

    def _can_spawn(self) -> bool:
        return not self.config.preload or (self._template is not None and self._template.ready)

    def _keep_template(self, now: float) -> None:
        if self.config.preload and self._template is None and self._next_template is None:
            if now >= self._template_not_before:
                self._start_template()

    def _start_template(self) -> None:
        assert self._counters is not None
        template = Template(self._worker_config(), self._life_read, self._counters.fd)
        self._next_template = template
        self._selector.register(template.channel, selectors.EVENT_READ, lambda: self._hear_template(template))

    def _drop_template(self, template: Template) -> None:
        """Want no more workers of it; it ends by itself."""
        if template is self._template:
            self._template = None
        if template is self._next_template:
            self._next_template = None
        if template.channel.fileno() >= 0:
            self._selector.unregister(template.channel)
            template.leave()
        for worker in template.pending.values():
            # Should it live, it leaves with its channel.
            if worker in self._workers:
                self._forget(worker)
        template.pending.clear()
        if template.process.returncode is None:
            self._dropped.append(template.process)
            if not template.ready:
                template.process.send_signal(signal.SIGTERM)  # It is importing.

    def _hear_template(self, template: Template) -> None:
        if template.channel.fileno() < 0:
            return
        for message, _ in template.channel.receive():
            if "forked" in message:
                worker = template.pending.pop(message["id"], None)
                if worker is not None:
                    self._started(worker, message["forked"])
            elif "ready" in message:
                old, self._template, self._next_template = self._template, template, None
                template.ready = True
                if old is not None:
                    self._drop_template(old)
                    self._renew_workers()
            elif "error" in message:
                error = StartupError(message["error"], details=message["details"], exit_code=message["code"])
                self._template_failed(template, error)
                return
        if template.channel.ended and template.channel.fileno() >= 0:
            self._selector.unregister(template.channel)
            template.channel.close()

    def _template_ended(self, template: Template) -> None:
        if template not in (self._template, self._next_template) or self._stopping:
            return
        how = how_it_ended(template.process.returncode or 0) + self._hint(template.process.returncode)
        if template is self._next_template:
            self._template_failed(
                template, StartupError(f"the template of the workers died as it started: {how}")
            )
            return
        logger.warning("The template of the workers died (%s): starting another", how)
        self._drop_template(template)

    def _template_failed(self, template: Template, error: StartupError) -> None:
        self._drop_template(template)
        if not self._was_ready and not any(worker.stage == "ready" for worker in self._workers):
            self._error = error
            self._stop()
            return
        logger.error("%s%s", error.details, error.message)
        if self._template is not None:
            logger.error("The restart is given up: the old workers go on")
            self._renew_again = False
        self._template_not_before = time.monotonic() + _STABLE

    # --- Hot swap ---

    def _start_new_server(self) -> None:
        """Have another server take this one's place: see `fastweb.server.hotswap`."""
        if os.getpid() == 1:
            logger.error("Process 1 of a container cannot be replaced: SIGHUP restarts its workers")
            return
        if self._new_server is not None or self._predecessor is not None:
            logger.warning("A new server is starting already")
            return
        assert self._counters is not None
        self._keep_sockets(True)
        try:
            new = Successor(self.config, self._listeners, self._counters, self._directory)
        except OSError as error:
            logger.error("Cannot start a new server: %s", error)
            self._keep_sockets(False)
            return
        self._new_server = new
        self._selector.register(new.channel, selectors.EVENT_READ, self._hear_new_server)
        logger.info("Process %d is to take over", new.process.pid)

    def _keep_sockets(self, keep: bool) -> None:
        """Tell the workers whether the sockets live on without this process: then none of them takes what
        waits in the queue as it leaves, and closes it for good."""
        for worker in self._workers:
            worker.channel.send({"keep": keep or self._listeners.handed})

    def _hear_new_server(self) -> None:
        new = self._new_server
        if new is None or new.channel.fileno() < 0:
            return
        for message, _ in new.channel.receive():
            if "taken" in message and not self._stopping:
                logger.info("Process %d has taken over: leaving", new.process.pid)
                systemd.notify(f"MAINPID={new.process.pid}")
                self._stopping = True
                self._listeners.hand_over()
                self._dismiss()
        if new.channel.ended:
            self._selector.unregister(new.channel)
            new.channel.close()

    def _new_server_ended(self) -> None:
        new, self._new_server = self._new_server, None
        if new is None:
            return
        if new.channel.fileno() >= 0:
            self._selector.unregister(new.channel)
            new.channel.close()
        if not self._stopping:
            how = how_it_ended(new.process.returncode or 0)
            logger.error("The new server could not start (%s): this one goes on", how)
            self._keep_sockets(False)

    def renew_all(self) -> None:
        """Have all workers leave at once; their slots get new ones."""
        for slot in self._slots:
            slot.not_before = 0.0
        for worker in self._workers:
            if worker.stage != "leaving":
                worker.leave(self._grace())
