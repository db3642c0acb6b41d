"""`--reload`: one worker, started again when a file changes that the app is made of. For development.

Files are watched by watchfiles where it is installed (`pip install 'fastweb[reload]'`), else by looking at
their times. Which files count, `Watched` says: sources, templates, what templates and pages bring, `.env`;
not what editors, version control and caches leave beside them. An app that cannot start is no end: its error
is shown, and the next change tries again.
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
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path

from fastweb.server.config import Config, ConfigError, StartupError, configure_logging, report
from fastweb.server.order import ORDER_VARIABLE, Order
from fastweb.server.processes import interpreter_options
from fastweb.server.slots import Slot
from fastweb.server.supervisor import Supervisor

__all__ = ["Reloader", "Watched", "run_reloading", "watch", "watched_directories"]

logger = logging.getLogger("fastweb.server")

#: Seconds between two looks where watchfiles is not installed.
_POLL_INTERVAL = 0.5
#: Milliseconds without another change after which the changes so far are told (an editor writes a file in
#: several
#: steps, a checkout many files), and after which they are told in any case.
_STEP, _DEBOUNCE = 20, 400
#: Directories that are not looked into, beside those whose name begins with a dot.
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
#: What is watched, by the file's name, and what is not: hidden files, editors' own (vim's swap files and
#: backups,
#: Emacs' locks).
_INCLUDED = ("*.py", "*.html", "*.htm", "*.jinja", "*.jinja2", "*.j2", "*.css", "*.js", ".env", ".env.*")
_EXCLUDED = (".*", "~*", "*~", "#*", "*.sw?", "*.tmp", "*.pyc")


def run_reloading(config: Config) -> int:
    """Serve, with one worker that is started again on changes, until told to stop.

    Returns:
        The exit code.

    Raises:
        StartupError: a directory does not exist, or the server cannot listen.
    """
    return Reloader(config).run() if os.name == "posix" else _run_portable(config)


def watched_directories(config: Config) -> list[str]:
    """The directories whose files are watched.

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


class Watched:
    """Which files count.

    Arguments:
        directories: what is below them.
        includes, excludes: patterns beside ours, of a file's name (`*.yaml`), or of its path below a
            directory where
            they have a slash (`data/*.json`). What is included here is not excluded by ours.
    """

    def __init__(
        self, directories: Sequence[str], includes: Sequence[str] = (), excludes: Sequence[str] = ()
    ) -> None:
        self._roots = [directory.rstrip(os.sep) + os.sep for directory in directories]
        self._includes = tuple(includes)
        self._excludes = tuple(excludes)

    def __call__(self, _change: object, path: str) -> bool:
        """Whether this file counts (a filter of watchfiles')."""
        root = max((root for root in self._roots if path.startswith(root)), key=len, default="")
        below = path[len(root) :].replace(os.sep, "/")
        *folders, name = below.split("/")
        if any(is_skipped(folder) for folder in folders) or _matches(self._excludes, below, name):
            return False
        if _matches(self._includes, below, name) or fnmatch(name, ".env") or fnmatch(name, ".env.*"):
            return True
        return _matches(_INCLUDED, below, name) and not _matches(_EXCLUDED, below, name)


def is_skipped(folder: str) -> bool:
    """Whether a directory of this name is not looked into."""
    return folder in _SKIPPED or folder.startswith(".")


def _matches(patterns: Sequence[str], below: str, name: str) -> bool:
    return any(fnmatch(below if "/" in pattern else name, pattern) for pattern in patterns)


def watch(directories: list[str], changed: Callable[[str], None], watched: Watched | None = None) -> None:
    """Call back, from a thread of its own, with the path of a file that has changed and counts, for as long
    as this process runs."""
    counts = watched if watched is not None else Watched(directories)
    try:
        import watchfiles
    except ImportError:
        logger.info("Watching files by polling; pip install 'fastweb[reload]' to see changes sooner")
        # Here and not in the thread: what changes from now on counts.
        before = dict(_times(directories, counts))

        def target() -> None:
            _poll(directories, counts, before, changed)
    else:

        def target() -> None:
            for changes in watchfiles.watch(
                *directories, watch_filter=counts, step=_STEP, debounce=_DEBOUNCE, raise_interrupt=False
            ):
                changed(sorted(path for _, path in changes)[0])

    threading.Thread(target=target, name="fastweb reload", daemon=True).start()


def _poll(
    directories: list[str],
    counts: Watched,
    before: dict[str, tuple[int, int]],
    changed: Callable[[str], None],
) -> None:
    pause = threading.Event()
    while True:
        pause.wait(_POLL_INTERVAL)
        now = dict(_times(directories, counts))
        different = [path for path in {*before, *now} if before.get(path) != now.get(path)]
        before = now
        if different:
            changed(min(different))


def _times(directories: list[str], counts: Watched) -> Iterator[tuple[str, tuple[int, int]]]:
    for directory in directories:
        for folder, inner, files in os.walk(directory):
            inner[:] = [name for name in inner if not is_skipped(name)]
            for name in files:
                path = os.path.join(folder, name)
                if counts(None, path):
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


def _watched(config: Config, directories: list[str]) -> Watched:
    return Watched(directories, config.reload_includes, config.reload_excludes)


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
        watch(self._directories, self._file_changed, _watched(self.config, self._directories))
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
    watch(directories, on_change, _watched(config, directories))
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
