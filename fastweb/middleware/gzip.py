"""Compress answers for clients that take gzip (RFC 9110, section 8.4.1.3)."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Final

from fastweb.concurrency import run_in_threadpool
from fastweb.datastructures import Headers, MutableHeaders
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["DEFAULT_EXCLUDED_CONTENT_TYPES", "GZipMiddleware", "GZipResponder", "IdentityResponder"]

#: What is compressed already, and what a client wants at once.
DEFAULT_EXCLUDED_CONTENT_TYPES: Final = (
    "application/grpc",
    "application/gzip",
    "application/x-gzip",
    "application/zip",
    "audio/*",
    "font/woff",
    "font/woff2",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/event-stream",
    "video/*",
)

#: Compressing more than this takes more than a millisecond, which other requests would wait for.
_THREAD_MINIMUM_SIZE: Final = 32 * 1024

# zlib's way to ask for a gzip header and trailer (zlib manual, deflateInit2).
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class GZipMiddleware:
    """Compresses the answers of an app.

    Left alone are those that are small, have a Content-Encoding, are a part (206), are sent by path, or are
    of an excluded type. Every other one says `Vary: Accept-Encoding`, to every client.

    Arguments:
        app: what answers.
        minimum_size: bytes from which on a whole body is compressed. A streamed one always is.
        compresslevel: 0 (none) to 9 (smallest).
        thread_minimum_size: bytes from which on a piece is compressed in a thread.
        exclude_content_types: media types that are left alone; "video/*" for all of a kind.
    """

    def __init__(
        self,
        app: ASGIApp,
        minimum_size: int = 500,
        compresslevel: int = 9,
        thread_minimum_size: int = _THREAD_MINIMUM_SIZE,
        *,
        exclude_content_types: Collection[str] = DEFAULT_EXCLUDED_CONTENT_TYPES,
    ) -> None:
        self.app = app
        self.minimum_size = minimum_size
        self.compresslevel = compresslevel
        self.thread_minimum_size = thread_minimum_size
        self.exclude_content_types = _normalized(exclude_content_types)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, its answer compressed where the client takes that."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        responder: IdentityResponder
        if _takes_gzip(Headers(scope=scope)):
            responder = GZipResponder(
                self.app,
                self.minimum_size,
                self.compresslevel,
                thread_minimum_size=self.thread_minimum_size,
                exclude_content_types=self.exclude_content_types,
            )
        else:
            responder = IdentityResponder(
                self.app, self.minimum_size, exclude_content_types=self.exclude_content_types
            )
        await responder(scope, receive, send)


class IdentityResponder:
    """One answer that could have been compressed, for a client that does not take it.

    Arguments: those of `GZipMiddleware`.
    """

    content_encoding: str | None = None

    def __init__(
        self,
        app: ASGIApp,
        minimum_size: int,
        *,
        exclude_content_types: Collection[str] = DEFAULT_EXCLUDED_CONTENT_TYPES,
    ) -> None:
        self.app = app
        self.minimum_size = minimum_size
        self.exclude_content_types = _normalized(exclude_content_types)
        #: The answer's head, until the first piece of the body says how it must read.
        self._start: Message | None = None
        self._left_alone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, once."""

        async def send_encoded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = list(message.get("headers", ()))
                self._left_alone = self._is_left_alone(message)
                if not self._left_alone:
                    self._start = message
                    return
            elif message["type"] == "http.response.body" and not self._left_alone:
                message = await self._encoded(message)
            if self._start is not None:
                start, self._start = self._start, None
                await send(start)
            await send(message)

        await self.app(scope, receive, send_encoded)

    def _is_left_alone(self, start: Message) -> bool:
        headers = Headers(raw=start["headers"])
        if start["status"] == 206 or "content-encoding" in headers:
            return True
        media_type = _media_type(headers.get("content-type", ""))
        kinds = {media_type, media_type.partition("/")[0] + "/*"}
        if media_type.startswith("application/grpc+"):
            kinds.add("application/grpc")
        return not kinds.isdisjoint(self.exclude_content_types)

    async def _encoded(self, message: Message) -> Message:
        body: bytes = message.get("body", b"")
        more_body: bool = message.get("more_body", False)
        start = self._start
        # No body at all is the answer to HEAD, a 204 or a 304: it must stay none.
        if start is not None and not more_body and (not body or len(body) < self.minimum_size):
            self._left_alone = True
            return message
        body = await self.apply_compression(body, more_body=more_body)
        if start is not None:
            headers = MutableHeaders(raw=start["headers"])
            headers.add_vary_header("Accept-Encoding")
            if self.content_encoding is not None:
                headers["Content-Encoding"] = self.content_encoding
                if more_body or start.get("trailers", False):
                    del headers["Content-Length"]
                else:
                    headers["Content-Length"] = str(len(body))
        return {**message, "body": body}

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        """A piece of the body as it is sent; the last one, where there is no more."""
        return body


class GZipResponder(IdentityResponder):
    """One answer, compressed."""

    content_encoding = "gzip"

    def __init__(
        self,
        app: ASGIApp,
        minimum_size: int,
        compresslevel: int = 9,
        *,
        thread_minimum_size: int = _THREAD_MINIMUM_SIZE,
        exclude_content_types: Collection[str] = DEFAULT_EXCLUDED_CONTENT_TYPES,
    ) -> None:
        super().__init__(app, minimum_size, exclude_content_types=exclude_content_types)
        self.compresslevel = compresslevel
        self.thread_minimum_size = thread_minimum_size
        # Some 256 KiB of memory: made when it is needed.
        self._compressor: zlib._Compress | None = None

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        """A piece of the body, compressed; all that was given can be read from what was returned."""
        if len(body) >= self.thread_minimum_size:
            return await run_in_threadpool(self._compress, body, more_body)
        return self._compress(body, more_body)

    def _compress(self, body: bytes, more_body: bool) -> bytes:
        if self._compressor is None:
            self._compressor = zlib.compressobj(self.compresslevel, zlib.DEFLATED, _GZIP_WINDOW)
        compressed = self._compressor.compress(body)
        return compressed + self._compressor.flush(zlib.Z_SYNC_FLUSH if more_body else zlib.Z_FINISH)


def _takes_gzip(headers: Headers) -> bool:
    """Whether the client takes gzip (RFC 9110, section 12.5.3): it is named, and not with a weight of 0."""
    for field in headers.getlist("accept-encoding"):
        for item in field.lower().split(","):
            coding, _, parameters = item.partition(";")
            if coding.strip() in ("gzip", "x-gzip"):
                name, _, weight = parameters.partition("=")
                return name.strip() != "q" or weight.strip().strip("0.") != ""
    return False


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _normalized(content_types: Collection[str]) -> frozenset[str]:
    if isinstance(content_types, frozenset):
        return content_types  # the middleware's, for each of its answers
    return frozenset(map(_media_type, content_types))
