"""Files: whole, or the ranges of them that were asked for (RFC 9110, section 14)."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

from fastweb._speedups.response import Head
from fastweb.concurrency import run_in_threadpool
from fastweb.datastructures import Headers, MutableHeaders
from fastweb.responses.base import PlainTextResponse, Response
from fastweb.responses.streaming import reports_disconnect, while_connected
from fastweb.types import Message, Receive, Scope, Send, Stream

__all__ = ["FileResponse", "MalformedRangeHeader", "RangeNotSatisfiable"]

#: Where the bytes of a range begin, and where they have ended.
Range = tuple[int, int]


class MalformedRangeHeader(Exception):  # noqa: N818 - Starlette's name for it
    """The Range field cannot be understood; the answer is 400.

    Arguments:
        content: what is wrong.
    """

    def __init__(self, content: str = "Malformed range header.") -> None:
        super().__init__(content)
        self.content = content


class RangeNotSatisfiable(Exception):  # noqa: N818 - Starlette's name for it
    """The file has no such bytes; the answer is 416.

    Arguments:
        max_size: how many it has.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.max_size = max_size


class _Selection(NamedTuple):
    """What of the file is sent, and under which head."""

    status: int
    headers: list[tuple[bytes, bytes]]
    ranges: list[Range]
    #: The head of each range's part, and what ends the last; none where there is one range and no parts.
    part_heads: Callable[[int, int], bytes] | None = None
    end: bytes = b""


class FileResponse(Response):
    """A file. It answers Range and If-Range, and has ETag, Last-Modified and Content-Length.

    Arguments:
        path: where the file is.
        media_type: its Content-Type; guessed by the file's name where it is not given.
        filename: the name that the browser is to save it under.
        stat_result: what `os.stat` says of the file, where that is known already.
        content_disposition_type: "attachment", to be saved, or "inline", to be shown.

    Raises:
        RuntimeError: when it is sent: there is no such file, or it is no regular one.
    """

    #: Bytes that are read at once.
    chunk_size = 64 * 1024
    #: A request for more ranges than this gets the whole file (RFC 9110, section 14.2, allows it).
    max_ranges = 100

    def __init__(
        self,
        path: str | os.PathLike[str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
        filename: str | None = None,
        stat_result: os.stat_result | None = None,
        content_disposition_type: str = "attachment",
    ) -> None:
        self.path = path
        self.status_code = status_code
        self.filename = filename
        self.media_type = media_type or _guess_type(filename or path)
        self.background = background
        self.init_headers(headers)
        self.headers.setdefault("accept-ranges", "bytes")
        if filename is not None:
            quoted = quote(filename)
            # RFC 6266, with the extended notation of RFC 8187 for what is no plain ASCII.
            name = f'filename="{filename}"' if quoted == filename else f"filename*=utf-8''{quoted}"
            self.headers.setdefault("content-disposition", f"{content_disposition_type}; {name}")
        self.stat_result = stat_result
        if stat_result is not None:
            self.set_stat_headers(stat_result)

    def set_stat_headers(self, stat_result: os.stat_result) -> None:
        """Set Content-Length, Last-Modified and ETag, where they are not set."""
        # They take milliseconds to import, and not every app sends files.
        import hashlib
        from email.utils import formatdate

        version = f"{stat_result.st_mtime}-{stat_result.st_size}"
        etag = hashlib.md5(version.encode(), usedforsecurity=False).hexdigest()
        self.headers.setdefault("content-length", str(stat_result.st_size))
        self.headers.setdefault("last-modified", formatdate(stat_result.st_mtime, usegmt=True))
        self.headers.setdefault("etag", f'"{etag}"')

    async def answer(self, stream: Stream) -> None:
        """Send this on a stream.

        Raises:
            ClientDisconnect: the client went away.
        """
        chosen = await self._choose(stream.method, Headers(raw=stream.headers))
        if isinstance(chosen, Response):
            await chosen.answer(stream)
        elif stream.method == "HEAD":
            stream.respond(Head(chosen.status, chosen.headers), b"")
            await stream.drain()
        elif self._is_small(chosen):
            stream.respond(Head(chosen.status, chosen.headers), await self._read(chosen))
            await stream.drain()
        else:
            async with _open(self.path) as file:
                stream.start(chosen.status, chosen.headers)
                for start, end in chosen.ranges:
                    if chosen.part_heads is not None:
                        await stream.send(chosen.part_heads(start, end))
                    await stream.send_file(file.wrapped, start, end - start)
                    if chosen.part_heads is not None:
                        await stream.send(b"\r\n")
                if chosen.end:
                    await stream.send(chosen.end)
                stream.finish()
            await stream.drain()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer as an ASGI app; see `Response.__call__`."""
        is_http = scope["type"] == "http"
        method = scope["method"].upper() if is_http else "GET"
        chosen = await self._choose(method, Headers(scope=scope))
        if isinstance(chosen, Response):
            await chosen(scope, receive, send)
        else:
            send = self._checked(scope, send)
            extensions = scope.get("extensions") or {}
            offers_path = is_http and "http.response.pathsend" in extensions
            if is_http and method == "HEAD":
                await self._start(chosen, send)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif offers_path and chosen.status == self.status_code:
                await self._start(chosen, send)
                await send({"type": "http.response.pathsend", "path": str(self.path)})
            elif is_http and "http.response.zerocopysend" in extensions and not self._is_small(chosen):
                await self._send_ranges(chosen, send)
            elif not is_http or reports_disconnect(scope):
                await self._send_pieces(chosen, send)
            else:

                async def wait_disconnect() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass

                await while_connected(lambda: self._send_pieces(chosen, send), wait_disconnect)
        if self.background is not None:
            await self.background()

    async def _start(self, chosen: _Selection, send: Send) -> None:
        await send({"type": "http.response.start", "status": chosen.status, "headers": chosen.headers})

    async def _send_ranges(self, chosen: _Selection, send: Send) -> None:
        """The same to a server that takes pieces of files (ASGI, extension "http.response.zerocopysend")."""

        async def send_bytes(body: bytes) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async with _open(self.path) as file:
            await self._start(chosen, send)
            for start, end in chosen.ranges:
                if chosen.part_heads is not None:
                    await send_bytes(chosen.part_heads(start, end))
                piece: Message = {"type": "http.response.zerocopysend", "file": file.wrapped, "offset": start}
                await send({**piece, "count": end - start, "more_body": True})
                if chosen.part_heads is not None:
                    await send_bytes(b"\r\n")
            await send({"type": "http.response.body", "body": chosen.end, "more_body": False})

    async def _send_pieces(self, chosen: _Selection, send: Send) -> None:
        await self._start(chosen, send)
        async with aclosing(self._pieces(chosen)) as pieces:
            async for piece, more in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": more})

    async def _choose(self, method: str, headers: Headers) -> _Selection | Response:
        """What to answer: of the file, or that the ranges cannot be had."""
        stat_result = self.stat_result
        if stat_result is None:
            try:
                stat_result = await run_in_threadpool(os.stat, self.path)
            except FileNotFoundError:
                raise RuntimeError(f"File at path {self.path} does not exist.") from None
            if not stat.S_ISREG(stat_result.st_mode):
                raise RuntimeError(f"File at path {self.path} is not a file.")
            self.set_stat_headers(stat_result)
        size = stat_result.st_size
        ranges: list[Range] = []
        field = headers.get("range")
        if field is not None and self.status_code == 200 and method in ("GET", "HEAD"):
            condition = headers.get("if-range")
            if condition is None or self._should_use_range(condition):
                try:
                    ranges = self._parse_range_header(field, size)
                except MalformedRangeHeader as error:
                    return PlainTextResponse(error.content, status_code=400)
                except RangeNotSatisfiable as error:
                    return PlainTextResponse(
                        status_code=416, headers={"Content-Range": f"bytes */{error.max_size}"}
                    )
        if not ranges:
            return _Selection(self.status_code, self.raw_headers, [(0, size)])
        return self._part_of(ranges, size)

    def _part_of(self, ranges: list[Range], size: int) -> _Selection:
        changed = MutableHeaders(raw=list(self.raw_headers))
        if len(ranges) == 1:
            start, end = ranges[0]
            changed["content-range"] = f"bytes {start}-{end - 1}/{size}"
            changed["content-length"] = str(end - start)
            return _Selection(206, changed.raw, ranges)
        boundary = os.urandom(13).hex()
        length, part_head = self.generate_multipart(ranges, boundary, size, self.headers["content-type"])
        changed["content-type"] = f"multipart/byteranges; boundary={boundary}"
        changed["content-length"] = str(length)
        return _Selection(206, changed.raw, ranges, part_head, f"--{boundary}--".encode())

    def _is_small(self, chosen: _Selection) -> bool:
        start, end = chosen.ranges[0]
        return chosen.part_heads is None and end - start <= self.chunk_size

    async def _read(self, chosen: _Selection) -> bytes:
        """All of a small range. PERF: one way to a thread and back instead of four."""
        start, end = chosen.ranges[0]

        def read() -> bytes:
            with open(self.path, "rb") as file:
                file.seek(start)
                return file.read(end - start)

        return await run_in_threadpool(read)

    async def _pieces(self, chosen: _Selection) -> AsyncGenerator[tuple[bytes, bool], None]:
        """The body's pieces, each with whether more will come."""
        if self._is_small(chosen):
            yield await self._read(chosen), False
            return
        start, end = chosen.ranges[0]
        async with _open(self.path) as file:
            if chosen.part_heads is None:
                await file.seek(start)
                while True:
                    piece = await file.read(min(self.chunk_size, end - start))
                    start += len(piece)
                    more = bool(piece) and start < end  # it may have become shorter meanwhile
                    yield piece, more
                    if not more:
                        return
            for start, end in chosen.ranges:
                yield chosen.part_heads(start, end), True
                await file.seek(start)
                while start < end:
                    piece = await file.read(min(self.chunk_size, end - start))
                    if not piece:
                        raise RuntimeError(f"File at path {self.path} is shorter than expected.")
                    start += len(piece)
                    yield piece, True
                yield b"\r\n", True
            yield chosen.end, False

    def _should_use_range(self, http_if_range: str) -> bool:
        """Whether If-Range names this very version of the file: by its date, or by a strong ETag."""
        if http_if_range.startswith("W/"):
            return False
        return http_if_range in (self.headers["last-modified"], self.headers["etag"])

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[Range]:
        """The ranges that a Range field asks for, in order, merged where they touch; none where they are too
        many.

            Range = range-unit "=" range-set                        (RFC 9110, section 14.2)

        Raises:
            MalformedRangeHeader: it cannot be understood.
            RangeNotSatisfiable: one of them begins behind the file's end.
        """
        unit, separator, range_set = http_range.partition("=")
        if not separator:
            raise MalformedRangeHeader()
        if unit.strip().lower() != "bytes":
            raise MalformedRangeHeader("Only support bytes range")
        # Counted first, and each looked at once: the work is linear in the field's length.
        if range_set.count(",") >= cls.max_ranges:
            return []
        ranges = cls._parse_ranges(range_set, file_size)
        if not ranges:
            raise MalformedRangeHeader("Range header: range must be requested")
        if any(not 0 <= start < file_size for start, _ in ranges):
            raise RangeNotSatisfiable(file_size)
        if any(start >= end for start, end in ranges):
            raise MalformedRangeHeader("Range header: start must be less than end")
        ranges.sort()
        merged = ranges[:1]
        for start, end in ranges[1:]:
            if start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((start, end))
        return merged

    @classmethod
    def _parse_ranges(cls, range_: str, file_size: int) -> list[Range]:
        """The ranges of a range set; what is none is left out.

        int-range    = first-pos "-" [ last-pos ]                   (RFC 9110, section 14.1.1)
        suffix-range = "-" suffix-length
        """
        ranges: list[Range] = []
        for spec in range_.split(","):
            first, dash, last = (part.strip() for part in spec.partition("-"))
            if not dash or not (first or last):
                continue
            try:
                if first:
                    ranges.append((int(first), min(int(last) + 1, file_size) if last else file_size))
                else:
                    ranges.append((max(file_size - int(last), 0), file_size))
            except ValueError:
                continue
        return ranges

    def generate_multipart(
        self, ranges: Sequence[Range], boundary: str, max_size: int, content_type: str
    ) -> tuple[int, Callable[[int, int], bytes]]:
        """The length of a multipart/byteranges body, and what makes the head of each part (RFC 9110, section
        14.6).
        """

        def part_head(start: int, end: int) -> bytes:
            return (
                f"--{boundary}\r\nContent-Type: {content_type}\r\n"
                f"Content-Range: bytes {start}-{end - 1}/{max_size}\r\n\r\n"
            ).encode("latin-1")

        length = sum(len(part_head(start, end)) + end - start + 2 for start, end in ranges)
        return length + len(boundary) + 4, part_head


def _guess_type(name: str | os.PathLike[str]) -> str:
    import mimetypes  # it reads files when it is first used

    return mimetypes.guess_type(name)[0] or "application/octet-stream"


@asynccontextmanager
async def _open(path: str | os.PathLike[str]) -> AsyncIterator[Any]:
    import anyio

    file = await anyio.open_file(path, "rb")
    try:
        yield file
    finally:
        # Not aclose(), which waits for a thread: a cancellation would interrupt it.
        file.wrapped.close()
