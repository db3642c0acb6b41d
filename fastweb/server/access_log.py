r"""The access log: a line a request, written in batches, so that a request pays for one tuple.

    INFO:     127.0.0.1:51234 - "GET /users/7?full=1 HTTP/1.1" 200 OK

All that came from the network is escaped: a line can neither be forged (CR, LF, a quotation mark) nor
reach the terminal that shows it (ESC and other control bytes: only printable ASCII is let through).
"""

from __future__ import annotations

import asyncio
import re
import sys
from http import HTTPStatus
from typing import TextIO

__all__ = ["AccessLog", "escape"]

_Entry = tuple[tuple[str, int] | None, str, bytes, str, int]

_PHRASES = {int(status): f"{int(status)} {status.phrase}" for status in HTTPStatus}
#: Seconds that a line may wait for others.
_DELAY = 0.05
#: Lines that may wait: each holds a request target, whose size `Limits.target_size` bounds.
_LINES = 256
#: A pipe that several workers write to takes this much in one piece (POSIX: PIPE_BUF is at least 512, on
#: Linux 4096).
_PIECE = 4096

_UNSAFE = re.compile(r"[^ !#-\[\]-~]")


def escape(text: str) -> str:
    r"""Make text of the network's safe in a quoted part of a line: `\xNN` for what is not printable ASCII,
    `\"`, `\\`."""
    return _UNSAFE.sub(_escape_one, text) if _UNSAFE.search(text) else text


def _escape_one(match: re.Match[str]) -> str:
    character = match.group()
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


class AccessLog:
    """Collects requests and writes them a moment later; `flush` writes them at once.

    Arguments:
        stream: where to; by default standard output as it is when lines are written.
        loop: whose timer writes them; with none only the count of lines and `flush` do.
    """

    __slots__ = ("_entries", "_loop", "_stream", "_timer")

    def __init__(
        self, stream: TextIO | None = None, *, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self._stream = stream
        self._loop = loop
        self._entries: list[_Entry] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(
        self, client: tuple[str, int] | None, method: str, raw_target: bytes, http_version: str, status: int
    ) -> None:
        """Note a request that was answered.

        Arguments:
            client: host and port, None behind a Unix socket.
            raw_target: the request target as it was sent, query and all.
            http_version: "1.1".
        """
        entries = self._entries
        entries.append((client, method, raw_target, http_version, status))
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(_DELAY, self.flush)
        if len(entries) >= _LINES:
            self.flush()

    def flush(self) -> None:
        """Write what was noted. A log that cannot be written (its pipe is gone) is dropped, not the
        requests."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        entries, self._entries = self._entries, []
        if not entries:
            return
        stream = self._stream or sys.stdout
        try:
            piece = ""
            for entry in entries:
                line = _line(entry)
                if piece and len(piece) + len(line) > _PIECE:
                    stream.write(piece)
                    stream.flush()
                    piece = ""
                piece += line
            stream.write(piece)
            stream.flush()
        except (OSError, ValueError):
            pass


def _line(entry: _Entry) -> str:
    client, method, raw_target, http_version, status = entry
    host = f"{escape(client[0])}:{client[1]}" if client is not None else "unix"
    target = escape(raw_target.decode("latin-1"))
    answer = _PHRASES.get(status) or str(status)
    return f'INFO:     {host} - "{escape(method)} {target} HTTP/{escape(http_version)}" {answer}\n'
