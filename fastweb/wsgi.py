"""WSGI (PEP 3333), as far as it is the same whoever runs the app: the environ, the request's body as a file,
what start_response may be told, and files as answers.

`fastweb.server.wsgi` runs an app as the server's own, `fastweb.middleware.wsgi` one that is mounted in
another.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["BodyInput", "FileWrapper", "StartResponse", "WSGIApp", "make_environ"]

WSGIApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, Any] | tuple[None, None, None] | None

#: The environ's names of header fields that were seen before; "" where a field has none.
_KEYS: dict[bytes, str] = {b"content-length": "CONTENT_LENGTH", b"content-type": "CONTENT_TYPE", b"proxy": ""}
_MOST_KEYS: Final = 512


def make_environ(
    *,
    method: str,
    path: str,
    root_path: str,
    query_string: bytes,
    http_version: str,
    scheme: str,
    headers: Iterable[tuple[bytes, bytes]],
    client: Sequence[Any] | None,
    server: Sequence[Any] | None,
    body: Any,
) -> dict[str, Any]:
    """The environ of a request (PEP 3333, "environ Variables"), without what only who runs the app knows:
    wsgi.errors, and how many threads and processes do.

    Arguments:
        path: percent-decoded; root_path is left out where it begins with it.
        headers: names in lower case.
        client: host and port.
        server: host and port; or a Unix socket's path and None.
        body: the file `wsgi.input`.
    """
    # A path is Unicode here; in WSGI it is its bytes, each as a character.
    root = _characters(root_path)
    info = _characters(path)
    if info == root or info.startswith(root.rstrip("/") + "/"):
        info = info[len(root) :]
    # A Unix socket's path, with no port, is no name of a host.
    host, port = server if server and (server[1] is not None or "/" not in server[0]) else ("localhost", None)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": root,
        "PATH_INFO": info,
        "QUERY_STRING": query_string.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/" + http_version,
        "SERVER_NAME": host,
        "SERVER_PORT": port if port is not None else 443 if scheme == "https" else 80,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": body,
        "wsgi.run_once": False,
    }
    if client:
        environ["REMOTE_ADDR"] = client[0]
    for name, raw in headers:
        key = _KEYS.get(name)
        if key is None:
            key = _key(name)
        if not key:
            continue
        value = raw.decode("latin-1")
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    return environ


def _characters(path: str) -> str:
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("latin-1")


def _key(name: bytes) -> str:
    # A name with an underscore would pass for another one, which a proxy may have vouched for; "Proxy" would
    # pass for an environment variable (CVE-2016-5385).
    key = "" if b"_" in name else "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    if len(_KEYS) < _MOST_KEYS:
        _KEYS[name] = key
    return key


class StartResponse:
    """The start_response of one request (PEP 3333, "The start_response() Callable"), and what it was told.

    Arguments:
        write: what it returns to the app.

    Attributes:
        status: 0 until it was called.
        headers: names in lower case.
        sent: the head has gone out; whoever sends it sets this.
        error: the exception that the app has given in exc_info, to be told of: its answer is sent all the
            same.
    """

    __slots__ = ("error", "headers", "sent", "status", "write")

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.sent = False
        self.error: BaseException | None = None

    def __call__(
        self, status: str, response_headers: Iterable[tuple[str, str]], exc_info: ExcInfo = None
    ) -> Callable[[bytes], None]:
        """Take the head of the answer.

        Raises:
            BaseException: that of exc_info, where a head has gone out.
            RuntimeError: it was called before, and there is no exc_info.
            TypeError, ValueError: the status or a header field is none.
        """
        try:
            if exc_info is not None and exc_info[1] is not None:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
                self.error = exc_info[1]
            elif self.status:
                raise RuntimeError("start_response was called a second time, without exc_info")
        finally:
            exc_info = None  # it leads to this frame
        self.status, self.headers = _status(status), [_field(field) for field in response_headers]
        return self.write

    def check(self) -> None:
        """Whether it was called, when the first piece of the body is there.

        Raises:
            RuntimeError: it was not.
        """
        if not self.status:
            raise RuntimeError("the WSGI app answered without having called start_response")


def _status(status: Any) -> int:
    """The number of a status such as "404 Not Found"."""
    if not isinstance(status, str):
        raise TypeError(f"the status of a WSGI answer is a str such as '200 OK', not {status!r}")
    digits = status[:3]
    if len(digits) != 3 or not (digits.isascii() and digits.isdigit()) or status[3:4] not in ("", " "):
        raise ValueError(f"the status of a WSGI answer is three digits and a reason, not {status!r}")
    return int(digits)


def _field(field: Any) -> tuple[bytes, bytes]:
    try:
        name, value = field
        return name.strip().lower().encode("latin-1"), value.strip().encode("latin-1")
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"a header field of a WSGI answer is two str of latin-1, not {field!r}") from None


class BodyInput(io.RawIOBase):
    """A request's body as a file, to be wrapped in `io.BufferedReader`: `wsgi.input`.

    Arguments:
        receive: gives the next piece, b"" at the end; one is held at a time.
    """

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest and not self._ended:
            self._rest = memoryview(self._receive())
            self._ended = not self._rest
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class FileWrapper:
    """`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling").

    Arguments:
        filelike: has `read(size)`.
        block_size: bytes of a piece, where it must be read.
    """

    def __init__(self, filelike: Any, block_size: int = 64 * 1024) -> None:
        self.filelike = filelike
        self.block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.block_size)
        if not data:
            raise StopIteration
        return data

    # For who sends a piece of it (Werkzeug, for a range).

    def seekable(self) -> bool:
        """Whether `seek` works."""
        seekable = getattr(self.filelike, "seekable", None)
        return bool(seekable()) if seekable is not None else hasattr(self.filelike, "seek")

    def seek(self, *args: int) -> None:
        """Go to a place in the file."""
        self.filelike.seek(*args)

    def tell(self) -> int:
        """The place in the file."""
        return int(self.filelike.tell())

    def close(self) -> None:
        """Close the file, if it can be."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()

    def region(self) -> tuple[int, int] | None:
        """Where the file stands, and how many bytes follow; None where it is no regular file of the
        system's."""
        filelike = self.filelike
        if not isinstance(filelike, io.RawIOBase | io.BufferedReader | io.BufferedRandom):
            return None
        try:
            status = os.fstat(filelike.fileno())
            offset = filelike.tell()
        except OSError:
            return None
        return (offset, max(0, status.st_size - offset)) if stat.S_ISREG(status.st_mode) else None
