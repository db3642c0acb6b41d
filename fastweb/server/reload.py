"""`--reload`: one worker, started again when a source file changes. For development.

Files are watched by watchfiles where it is installed (`pip install 'fastweb[reload]'`), else by looking at
their times.
An app that cannot start is no end: its error is shown, and the next change tries again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from fastweb.server.config import Config, ConfigError, StartupError, configure_logging, report
from fastweb.server.order import ORDER_VARIABLE, Order
from fastweb.server.processes import interpreter_options
from fastweb.server.slots import Slot
from fastweb.server.supervisor import Supervisor

__all__ = ["Reloader", "run_reloading", "watch", "watched_directories"]

logger = logging.getLogger("fastweb.server")

#: Seconds between two looks where watchfiles is not installed.
_POLL_INTERVAL = 0.5
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


def run_reloading(config: Config) -> int:
    """Serve, with one worker that is started again on changes, until told to stop.

    Returns:
        The exit code.

    Raises:
        StartupError: a directory does not exist, or the server cannot listen.
    """
    return Reloader(config).run() if os.name == "posix" else _run_portable(config)


def watched_directories(config: Config) -> list[str]:
    """The directories whose Python files are watched.

    Raises:
        ConfigError: one of them does not exist.
    """
    chosen = list(config.reload_dirs)
    if not chosen:
        chosen = [config.app_dir or os.getcwd()]
        source = config.script or (config.app.split(".py")[0] + ".py" if ".py" in config.app else "")
        if source:
            chosen.append(os.path.dirname(os.path.abspath(source)))
    found = [Path(name).resolve() for name in chosen]
    for name, directory in zip(chosen, found, strict=True):
        if not directory.is_dir():
            raise ConfigError(f"cannot watch {name}: there is no such directory")
    found = sorted(set(found))
    # One inside another is watched already.
    return [str(item) for item in found if not any(other in item.parents for other in found)]


def watch(directories: list[str], changed: Callable[[str], None]) -> None:
    """Call back, from a thread of its own, with the path of a Python file that has changed, for as long as
    this process runs."""
    try:
        import watchfiles
    except ImportError:
        logger.info("Watching files by polling; pip install 'fastweb[reload]' to see changes sooner")
        # Here and not in the thread: what changes from now on counts.
        before = dict(_times(directories))

        def target() -> None:
            _poll(directories, before, changed)
    else:

        def target() -> None:
            only_python = watchfiles.PythonFilter()
            for changes in watchfiles.watch(*directories, watch_filter=only_python, raise_interrupt=False):
                changed(sorted(path for _, path in changes)[0])

    threading.Thread(target=target, name="fastweb reload", daemon=True).start()


def _poll(directories: list[str], before: dict[str, tuple[int, int]], changed: Callable[[str], None]) -> None:
    pause = threading.Event()
    while True:
        pause.wait(_POLL_INTERVAL)
        now = dict(_times(directories))
        different = [path for path in {*before, *now} if before.get(path) != now.get(path)]
        before = now
        if different:
            changed(min(different))


def _times(directories: list[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    for directory in directories:
        for folder, inner, files in os.walk(directory):
            inner[:] = [name for name in inner if name not in _SKIPPED and not name.startswith(".")]
            for name in files:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    try:
                        found = os.stat(path)
                    except OSError:
                        continue
                    yield path, (found.st_mtime_ns, found.st_size)


def _shown(path: str) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # Another drive.
        return path


class Reloader(Supervisor):
    """A supervisor of one worker, which it replaces when files change. Connections wait meanwhile: the socket
    stays open.

    Arguments:
        config: with one worker.
    """

    margin = 2.0

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._directories = watched_directories(config)
        self._pipe_read, self._pipe_write = os.pipe()
        os.set_blocking(self._pipe_write, False)

    def run(self) -> int:
        configure_logging(self.config.log_level)
        watch(self._directories, self._file_changed)
        self._selector.register(self._pipe_read, selectors.EVENT_READ, self._changes)
        return super().run()

    def _worker_config(self) -> Config:
        # An open event stream or a slow download must not hold up who is editing.
        return dataclasses.replace(self.config, graceful_timeout=min(self.config.graceful_timeout, 1.0))

    def _file_changed(self, path: str) -> None:
        """In the thread that watches."""
        with contextlib.suppress(BlockingIOError):  # There is news enough in the pipe.
            os.write(self._pipe_write, os.fsencode(_shown(path)) + b"\n")

    def _changes(self) -> None:
        paths = os.read(self._pipe_read, 65536).split(b"\n")
        if not self._stopping:
            logger.info("%s changed: restarting", os.fsdecode(paths[0]))
            self.renew_all()

    def _occupied(self, slot: Slot) -> bool:
        # The old one goes first: two at a time would both hold the app's files and ports.
        return bool(self._workers)

    def _start_failed(self, slot: int, error: StartupError, *, reported: bool = True) -> None:
        report(error)
        logger.info("Waiting for a change")
        self._slots[slot].not_before = float("inf")


def _run_portable(config: Config) -> int:
    """Where processes cannot be handed sockets (Windows): each worker binds for itself."""
    configure_logging(config.log_level)
    # A shell starts what it puts into the background with SIGINT ignored; whoever sends it means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    changed = threading.Event()
    path = [""]

    def on_change(name: str) -> None:
        path[0] = name
        changed.set()

    directories = watched_directories(config)
    watch(directories, on_change)
    alone = dataclasses.replace(config, reload=False)
    order = Order(config=alone.to_json())
    process: subprocess.Popen[bytes] | None = None
    try:
        while True:
            process = subprocess.Popen(
                [sys.executable, *interpreter_options(), "-m", "fastweb.server.worker_process"],
                env={**os.environ, ORDER_VARIABLE: order.to_json()},
            )
            # With a timeout, since an unbounded wait could not be interrupted by Ctrl+C on Windows.
            while not changed.wait(0.5):
                pass
            changed.clear()
            logger.info("%s changed: restarting", _shown(path[0]))
            process.terminate()
            process.wait()
    except KeyboardInterrupt:
        if process is not None:
            process.wait()  # It got Ctrl+C, too, and leaves by itself.
        return 0
