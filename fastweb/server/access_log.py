r"""The access log: a line a request, made and written by a thread, so that a request pays for one tuple.

    INFO:     127.0.0.1:51234 - "GET /users/7?full=1 HTTP/1.1" 200 OK

        loop                                  thread
        AccessLog(stream) -> [entry, entry …] -> lines -> one write for what fits into a piece
                          a moment later

A format is `default` (above), `common` and `combined` (NCSA's, as Apache and nginx write them), `json` (an
object a line), or text with `{fields}` of `FIELDS`; it is taken apart once, at the start.

All that came from the network is escaped: a line can neither be forged (CR, LF, a quotation mark) nor reach
the terminal that shows it (ESC and other control bytes: only printable ASCII is let through). A field that is
very long is cut, so that a line fits into what a pipe takes in one piece: the lines of several workers do not
mix.

A destination that is slow (a terminal that is stopped, a pipe that nobody reads) keeps back the thread, not
the loop; what it does not take is dropped, and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import string
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from json.encoder import encode_basestring_ascii
from typing import Any, Final, TextIO

__all__ = ["FIELDS", "FORMATS", "AccessLog", "escape", "formatter"]

_logger = logging.getLogger("fastweb.server")

#: The formats that have a name.
FORMATS: Final = ("default", "common", "combined", "json")

_PHRASES = {int(status): f"{int(status)} {status.phrase}" for status in HTTPStatus}
#: Seconds that a line may wait for others.
_DELAY = 0.05
#: Entries that may wait for others: each holds a request's head, whose size `Limits.head_size` bounds.
_LINES = 256
#: Entries that may wait for a slow destination; what comes beyond them is dropped.
_WAITING = 64 * _LINES
#: A pipe that several workers write to takes this much in one piece (POSIX: PIPE_BUF is at least 512, on
#: Linux 4096).
_PIECE = 4096
#: Characters of a target, and of each other field, escaped: what keeps a line within a piece.
_TARGET, _FIELD = 1000, 480
#: Seconds that the end of a server waits for its last lines.
_FLUSH_TIMEOUT = 2.0

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


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + "..."


class _Entry:
    """One answered request, as the fields ask for it. What is text here came from the network and is not
    escaped.

    `noted` is what `AccessLog` keeps of it: client, method, raw target, HTTP version, status, bytes, when it
    began and when it was answered (`time.monotonic`; 0.0 where nobody noticed), scheme, header fields.
    """

    __slots__ = (
        "began",
        "client",
        "ended",
        "headers",
        "method",
        "raw_target",
        "scheme",
        "sent",
        "status",
        "version",
    )

    def __init__(self, noted: tuple[Any, ...]) -> None:
        (
            self.client,
            self.method,
            self.raw_target,
            self.version,
            self.status,
            self.sent,
            self.began,
            self.ended,
            self.scheme,
            self.headers,
        ) = noted
        if not self.raw_target:
            self.method = ""  # refused before that was known

    @property
    def time(self) -> float:
        """Seconds since the epoch at which it was answered."""
        return time.time() - time.monotonic() + float(self.ended)

    @property
    def target(self) -> str:
        return str(self.raw_target.decode("latin-1"))

    def header(self, name: bytes) -> str | None:
        """A header field of the request."""
        for each, value in self.headers:
            if each == name:
                return str(value.decode("latin-1"))
        return None


# --- Fields ---


def _client(entry: _Entry) -> str:
    return entry.client[0] if entry.client is not None else "unix"


def _client_port(entry: _Entry) -> int | None:
    return entry.client[1] if entry.client is not None else None


def _duration(entry: _Entry) -> float:
    return round(max(0.0, entry.ended - entry.began) * 1000, 3) if entry.began else 0.0


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(2)
def _iso_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _iso_time(entry: _Entry) -> str:
    second, milliseconds = divmod(int(entry.time * 1000), 1000)
    return f"{_iso_second(second)}.{milliseconds:03}Z"


@lru_cache(2)
def _clf_second(second: int) -> str:
    """As NCSA's format has it, in any locale: 10/Oct/2000:13:55:36 +0000."""
    year, month, day, hour, minute, second, _, _, _ = time.gmtime(second)
    return f"{day:02}/{_MONTHS[month - 1]}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000"


def _clf_time(entry: _Entry) -> str:
    return _clf_second(int(entry.time))


def _request(entry: _Entry) -> str:
    return f"{entry.method} {entry.target} HTTP/{entry.version}" if entry.raw_target else "-"


#: What a format may have in braces, and a JSON line (without those that repeat others); `header:NAME` beside
#: them.
FIELDS: Final[dict[str, Callable[[_Entry], str | int | float | None]]] = {
    "time": _iso_time,
    "client": _client,
    "client_port": _client_port,
    "method": lambda entry: entry.method or None,
    "path": lambda entry: entry.target.partition("?")[0] or None,
    "query": lambda entry: entry.target.partition("?")[2],
    "version": lambda entry: entry.version,
    "status": lambda entry: entry.status,
    "bytes": lambda entry: entry.sent,
    "duration_ms": _duration,
    "referer": lambda entry: entry.header(b"referer"),
    "user_agent": lambda entry: entry.header(b"user-agent"),
    "scheme": lambda entry: entry.scheme,
    "host": lambda entry: entry.header(b"host"),
    "pid": lambda entry: os.getpid(),
    "request": _request,
    "clf_time": _clf_time,
}
_JSON_FIELDS: Final = {name: FIELDS[name] for name in FIELDS if name not in ("request", "clf_time")}
_LONG: Final = frozenset(("request", "path", "query"))

_COMMON: Final = '{client} - - [{clf_time}] "{request}" {status} {bytes}'
_COMBINED: Final = _COMMON + ' "{referer}" "{user_agent}"'


# --- Formats ---


def formatter(form: str) -> Callable[[_Entry], str]:
    """What makes a line of an entry.

    Arguments:
        form: one of `FORMATS`, or text with fields of `FIELDS` in braces, and `{header:NAME}` for a header
            field of the request; `{{` is a brace.

    Raises:
        ValueError: there is no such format, or field.
    """
    if form == "default":
        return _default_line
    if form == "json":
        return _json_line
    return _text_formatter({"common": _COMMON, "combined": _COMBINED}.get(form, form))


def _default_line(entry: _Entry) -> str:
    client = entry.client
    host = f"{_cut(escape(client[0]), _FIELD)}:{client[1]}" if client is not None else "unix"
    answer = _PHRASES.get(entry.status) or str(entry.status)
    return f'INFO:     {host} - "{_cut(escape(_request(entry)), _TARGET)}" {answer}\n'


def _json_line(entry: _Entry) -> str:
    pieces = []
    for name, read in _JSON_FIELDS.items():
        value = read(entry)
        if isinstance(value, str):
            text = _json_text(value, _TARGET if name in _LONG else _FIELD)
        else:
            text = "null" if value is None else str(value)
        pieces.append(f'"{name}": {text}')
    return "{" + ", ".join(pieces) + "}\n"


def _json_text(value: str, length: int) -> str:
    """Text as JSON has it, in ASCII, of so many characters at most."""
    text = encode_basestring_ascii(value)
    while len(text) > length + 2:
        # A character is up to 6 in JSON: \u00ff.
        value = _cut(value, max(len(value) // 2, length // 8))
        text = encode_basestring_ascii(value)
    return text.replace("\x7f", "\\u007f") if "\x7f" in text else text


def _text_formatter(form: str) -> Callable[[_Entry], str]:
    pieces: list[str | tuple[Callable[[_Entry], Any], int]] = []
    try:
        parsed = list(string.Formatter().parse(form))
    except ValueError as error:
        raise ValueError(f"access_log_format {form!r} is broken: {error}") from None
    for text, name, option, conversion in parsed:
        if text:
            pieces.append(text)
        if name is None:
            continue
        if name == "header" and option and not conversion:
            pieces.append((_header_reader(option), _FIELD))
        elif name in FIELDS and not option and not conversion:
            pieces.append((FIELDS[name], _TARGET if name in _LONG else _FIELD))
        else:
            written = name + (f"!{conversion}" if conversion else "") + (f":{option}" if option else "")
            known = ", ".join(FIELDS)
            raise ValueError(
                f"access_log_format has no field {{{written}}}: it knows {known} and header:NAME"
            )
    if not any(isinstance(piece, tuple) for piece in pieces):
        raise ValueError(
            f"access_log_format must be one of {', '.join(FORMATS)}, or text with {{fields}}, not {form!r}"
        )
    if not "".join(piece for piece in pieces if isinstance(piece, str)).isprintable():
        raise ValueError("access_log_format must be one line of printable text")

    def line(entry: _Entry) -> str:
        found = []
        for piece in pieces:
            if isinstance(piece, str):
                found.append(piece)
            else:
                value = piece[0](entry)
                if isinstance(value, str):
                    value = _cut(escape(value), piece[1])
                found.append("-" if value is None or value == "" else str(value))
        found.append("\n")
        return "".join(found)

    return line


def _header_reader(name: str) -> Callable[[_Entry], str | None]:
    wanted = name.lower().encode()
    return lambda entry: entry.header(wanted)


# --- The log ---


class AccessLog:
    """Collects requests and has them written a moment later.

    Arguments:
        stream: where to; by default standard output as it is when lines are written.
        path: a file to append to, instead. Where it was moved away (logrotate), the next lines make
            a new one.
        form: see `formatter`.
        loop: whose timer hands them to the thread; with none only the count of entries and `flush` do.

    Raises:
        ValueError: there is no such format.
        OSError: the file cannot be written.

    Attributes:
        dropped: entries that a slow destination has lost.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        path: str | None = None,
        form: str = "default",
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._line = formatter(form)
        self._stream = stream
        self._file = _File(path) if path is not None else None
        self._loop = loop
        self._entries: list[tuple[Any, ...]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.dropped = 0
        # The thread's: what it has to write, and how many entries that is.
        self._batches: deque[list[tuple[Any, ...]]] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __call__(self, stream: Any) -> None:
        """Note a request that was answered.

        Arguments:
            stream: it: client, method, raw_target, http_version, status, sent (bytes of the answer's body),
                began (`time.monotonic` when its head had come), scheme and headers. With an empty target, it
                was refused before its head was read.
        """
        entries = self._entries
        entries.append(
            (
                stream.client,
                stream.method,
                stream.raw_target,
                stream.http_version,
                stream.status,
                stream.sent,
                stream.began,
                time.monotonic(),
                stream.scheme,
                stream.headers,
            )
        )
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(_DELAY, self._hand_over)
        if len(entries) >= _LINES:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        entries, self._entries = self._entries, []
        if not entries:
            return
        with self._changed:
            if self._closed or self._waiting + len(entries) > _WAITING:
                if not self.dropped and not self._closed:
                    _logger.warning("The access log's destination takes nothing: lines are dropped")
                self.dropped += len(entries)
                return
            self._waiting += len(entries)
            self._batches.append(entries)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fastweb access log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Have all that was noted written now, unless the destination is too slow for that."""
        self._hand_over()
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, _FLUSH_TIMEOUT)

    def close(self) -> None:
        """Write what was noted, and end."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and not self._waiting:
            self._thread.join(_FLUSH_TIMEOUT)
            if self._file is None and self._stream is None:
                _give_up_what_stdout_refused()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batches or self._closed)
                if not self._batches:
                    break
                batch = self._batches.popleft()
            try:
                self._write([self._line(_Entry(noted)) for noted in batch])
            except (OSError, ValueError):
                pass  # A log that cannot be written (its pipe is gone) is dropped, not the requests.
            except Exception:
                _logger.exception("The access log failed")
            with self._changed:
                self._waiting -= len(batch)
                dropped, self.dropped = (self.dropped, 0) if not self._waiting else (0, self.dropped)
                self._changed.notify_all()
            if dropped:
                _logger.warning("The access log is written again: %d lines were dropped", dropped)
        if self._file is not None:
            self._file.close()

    def _write(self, lines: Sequence[str]) -> None:
        if self._file is not None:
            self._file.write(lines)
            return
        stream = self._stream or sys.stdout
        piece = ""
        for line in lines:
            if piece and len(piece) + len(line) > _PIECE:
                stream.write(piece)
                stream.flush()
                piece = ""
            piece += line
        stream.write(piece)
        stream.flush()


def _give_up_what_stdout_refused() -> None:
    """What a closed pipe did not take stays in the stream's buffer; the interpreter would try again at its
    end, and make that the exit code (120)."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


class _File:
    """A file that is appended to, by several processes at once, and made anew when it was moved away.

    Arguments:
        path: whose directory exists.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._open()

    def _open(self) -> None:
        # In append mode a regular file takes each write as a whole (POSIX, write: "no intervening file
        # modification").
        self._fd = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644
        )
        found = os.fstat(self._fd)
        self._identity = (found.st_dev, found.st_ino)

    def write(self, lines: Sequence[str]) -> None:
        """Append some lines."""
        try:
            found = os.stat(self._path)
            moved = (found.st_dev, found.st_ino) != self._identity
        except OSError:
            moved = True
        if moved:
            old = self._fd
            try:
                self._open()
            except OSError as error:
                _logger.warning("The access log goes on in the file that was moved away: %s", error)
            else:
                os.close(old)
        data = "".join(lines).encode("ascii", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        os.close(self._fd)
