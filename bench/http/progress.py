"""What is going on, on stderr: one line that changes, on a terminal; else only what is worth keeping."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

__all__ = ["Progress"]


class Progress:
    """Where the run is.

    Arguments:
        stream: where it is written.
        quiet: say only what went wrong.
    """

    def __init__(self, stream: TextIO = sys.stderr, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._tty = stream.isatty()
        self._begin = time.monotonic()
        self._last = ""

    def show(self, text: str) -> None:
        """Replace the line; without a terminal, a line a round is enough."""
        stage = text.partition(":")[0]
        if self._quiet or (not self._tty and stage == self._last):
            return
        self._last = stage
        if self._tty:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r\x1b[K" + self._clock(text)[:width])
        else:
            self._stream.write(self._clock(stage) + "\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._stream.write(("\r\x1b[K" if self._tty else "") + self._clock(text) + "\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line empty."""
        if self._tty:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _clock(self, text: str) -> str:
        seconds = int(time.monotonic() - self._begin)
        return f"[{seconds // 60}:{seconds % 60:02}] {text}"
