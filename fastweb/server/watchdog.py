"""The watchdog: says who blocks the event loop, and where in the code that is.

While one callback or coroutine runs, no other does: a `time.sleep(10)` in an `async def` endpoint makes every
client of the worker wait. Nothing fails, so nobody is told. A thread of the worker watches:

    ping    every half threshold: `loop.call_soon_threadsafe(note that it came)`
    silence of a whole threshold: the loop is blocked; log the stack of its thread, once, without our own
        frames answer  of that ping, at last: log how long it took

It costs two turns of the loop in a threshold, whatever the load. A process that was stopped (SIGSTOP, a
suspended machine) is no blocked loop: then the thread itself slept too long, and no processor time was spent.
Nor is one that stands in a debugger.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Watchdog"]

_logger = logging.getLogger("fastweb.server")

#: Frames that are shown, the innermost ones.
_FRAMES = 20
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STDLIB = os.path.dirname(os.path.abspath(asyncio.__file__)) + os.sep
_DEBUGGERS = frozenset(("bdb", "pdb", "ipdb", "pudb.debugger", "pydevd", "debugpy"))


class Watchdog:
    """Watches the loop that runs in the thread which starts it.

    Arguments:
        threshold: seconds that the loop may be blocked.
        loop: it.
        stream_of: what finds the request that a Task answers (`fastweb._speedups.runner.Runner.stream_of`).
    """

    def __init__(
        self, threshold: float, loop: asyncio.AbstractEventLoop, stream_of: Callable[[Any], Any]
    ) -> None:
        self._threshold = threshold
        self._loop = loop
        self._stream_of = stream_of
        self._thread_id = 0
        self._stopped = threading.Event()
        #: The number of the last ping, and of the last that was answered.
        self._pinged = self._answered = 0
        self._thread = threading.Thread(target=self._run, name="fastweb watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread_id = threading.get_ident()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def _answer(self, number: int) -> None:
        self._answered = number

    def _run(self) -> None:
        pause = self._threshold / 2
        while not self._stopped.is_set():
            self._pinged += 1
            since = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._answer, self._pinged)
            except RuntimeError:  # The loop is closed.
                return
            told = False
            while True:
                slept, worked = time.monotonic(), time.process_time()
                if self._stopped.wait(pause if not told else min(pause, 0.1)):
                    return
                now = time.monotonic()
                if self._answered == self._pinged:
                    break
                if self._loop.is_closed():  # It ended with the ping still to answer.
                    return
                late = now - slept - pause
                if late > pause and time.process_time() - worked < late / 2:
                    since = now  # The process was stopped.
                elif not told and now - since >= self._threshold:
                    told = self._tell(now - since)
            if told:
                _logger.warning("The event loop goes on: it was blocked for %.1f s", time.monotonic() - since)

    def _tell(self, seconds: float) -> bool:
        """Log what the loop's thread is at. Whether that was to be told."""
        frame = sys._current_frames().get(self._thread_id)
        if frame is None or self._answered == self._pinged or _in_debugger(frame):
            return False
        lines = _stack(frame)
        stack = "\n".join(lines)
        doing = self._doing(frame)
        del frame
        _logger.warning(
            "The event loop has been blocked for %.1f s by %s: no other request is answered meanwhile.\n%s\n"
            "What waits or computes for long belongs in a plain `def` endpoint, which runs in a thread, "
            "or behind `await fastweb.concurrency.run_in_threadpool(...)`.",
            seconds,
            doing,
            stack,
        )
        return True

    def _doing(self, frame: FrameType) -> str:
        try:
            task = asyncio.current_task(self._loop)
        except RuntimeError:
            task = None
        stream = self._stream_of(task)
        if stream is not None:
            from fastweb.server.access_log import escape

            target = escape(stream.raw_path.decode("latin-1"))
            return f"{escape(getattr(stream, 'method', 'WebSocket'))} {target[:500]}"
        if task is not None:
            name = getattr(task.get_coro(), "__qualname__", "")
            return f"the task {task.get_name()!r}" + (f" ({name})" if name else "")
        return "a callback"


def _in_debugger(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__", "") in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False


def _stack(frame: FrameType) -> list[str]:
    """The lines of a traceback, innermost last, from the first frame that is neither ours nor asyncio's."""
    found = traceback.extract_stack(frame)
    theirs = [not item.filename.startswith((_PACKAGE, _STDLIB)) for item in found]
    first = len(found) - 1
    # What started the process (a script that calls app.run()) stands before our frames, and is not it.
    ours = [index for index, item in enumerate(found) if item.filename.startswith((_PACKAGE, _STDLIB))]
    for index in range(_loop_at(found, ours) + 1, len(found)):
        if theirs[index]:
            first = index
            break
    kept = [item for item in found[first:] if not item.filename.startswith(_PACKAGE)] or found[-1:]
    return [line.rstrip("\n") for line in traceback.StackSummary.from_list(kept[-_FRAMES:]).format()]


def _loop_at(found: traceback.StackSummary, ours: list[int]) -> int:
    """Where in a stack the loop runs: asyncio's `run`, the outermost one."""
    for index in ours:
        if found[index].filename.startswith(_STDLIB) and found[index].name in ("run", "run_forever"):
            return index
    return ours[0] if ours else -1
