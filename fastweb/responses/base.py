"""What every answer is: a status, header fields, a body; and the plainest of them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote

from fastweb._speedups.response import check_headers, head_of
from fastweb.asgi import exchange_of, scope_of
from fastweb.datastructures import URL, MutableHeaders
from fastweb.streams import ASGIStream
from fastweb.types import Message, Receive, Scope, Send, Stream

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "HTMLResponse",
    "PlainTextResponse",
    "RedirectResponse",
    "Response",
    "begin_response",
    "is_body_allowed",
    "send_response",
]


class Response:
    """An answer with its whole body.

    Arguments:
        content: the body: bytes, a str (encoded as UTF-8), or None for an empty one.
        status_code: its status.
        headers: header fields; Content-Length and Content-Type are added where they are not among them.
        media_type: the Content-Type; a charset is added to text.
        background: called after the answer was sent.
    """

    media_type: str | None = None
    charset = "utf-8"
    body: bytes | memoryview
    background: Callable[[], Awaitable[None]] | None
    #: `answer` sends what `__call__` does; not so in a subclass that changes only the ASGI side.
    _answers: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__dict__.keys().isdisjoint(("__call__", "stream_response", "listen_for_disconnect")):
            cls._answers = "answer" in cls.__dict__

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.status_code = status_code
        if media_type is not None:
            self.media_type = media_type
        self.background = background
        self.body = self.render(content)
        self.init_headers(headers)

    def render(self, content: Any) -> bytes | memoryview:
        """The body's bytes for a content."""
        if content is None:
            return b""
        if isinstance(content, memoryview):
            return content.cast("B") if content.c_contiguous else content.tobytes()
        if isinstance(content, bytes):
            return content
        encoded: bytes = content.encode(self.charset)
        return encoded

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Set `raw_headers` from those given, the body and the media type."""
        raw = (
            [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
            if headers
            else []
        )
        names = [name for name, _ in raw]
        body = getattr(self, "body", None)
        has_length = self.status_code >= 200 and self.status_code not in (204, 304)
        if body is not None and has_length and b"content-length" not in names:
            raw.append((b"content-length", b"%d" % len(body)))
        content_type = self.media_type
        if content_type is not None and b"content-type" not in names:
            if content_type.startswith("text/") and "charset=" not in content_type.lower():
                content_type = f"{content_type}; charset={self.charset}"
            raw.append((b"content-type", content_type.encode("latin-1")))
        self.raw_headers = raw

    @property
    def headers(self) -> MutableHeaders:
        """The header fields, to read and to change."""
        if not hasattr(self, "_headers"):
            self._headers = MutableHeaders(raw=self.raw_headers)
        return self._headers

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime | str | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Add a Set-Cookie field (RFC 6265 section 4.1).

        Arguments:
            key, value: the cookie; a value that is no token is quoted.
            max_age: seconds that it lives.
            expires: when it ends, as a date or in seconds from now.
            path, domain: where the browser sends it.
            secure, httponly, samesite, partitioned: its attributes of these names.

        Raises:
            http.cookies.CookieError: the name is not one a cookie may have.
            AssertionError: samesite is none of its values.
            ValueError: partitioned is not to be had in this Python.
        """
        # They take milliseconds to import, and not every app sets cookies.
        from datetime import datetime
        from email.utils import format_datetime
        from http.cookies import SimpleCookie

        cookie = SimpleCookie()
        cookie[key] = value
        morsel = cookie[key]
        if max_age is not None:
            morsel["max-age"] = max_age
        if expires is not None:
            morsel["expires"] = (
                format_datetime(expires, usegmt=True) if isinstance(expires, datetime) else expires
            )
        if path is not None:
            morsel["path"] = path
        if domain is not None:
            morsel["domain"] = domain
        if secure:
            morsel["secure"] = True
        if httponly:
            morsel["httponly"] = True
        if samesite is not None:
            assert samesite.lower() in ("strict", "lax", "none"), (
                f"samesite must be either 'strict', 'lax' or 'none', not {samesite!r}"
            )
            morsel["samesite"] = samesite
        if partitioned:
            if sys.version_info < (3, 14):
                raise ValueError("Partitioned cookies are only supported in Python 3.14 and above.")
            morsel["partitioned"] = True
        self.raw_headers.append((b"set-cookie", cookie.output(header="").strip().encode("latin-1")))

    def delete_cookie(
        self,
        key: str,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Make the browser forget a cookie."""
        self.set_cookie(
            key,
            max_age=0,
            expires=0,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )

    async def answer(self, stream: Stream) -> None:
        """Send this on a stream."""
        stream.respond(head_of(self.status_code, self.raw_headers), bytes(self.body))
        await stream.drain()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer as an ASGI app; to a WebSocket's handshake it is a denial (ASGI, "Websocket Denial
        Response").

        Raises:
            ValueError: a header field cannot be sent: its name is no token, or there is a line break in it.
        """
        send = self._checked(scope, send)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})
        if self.background is not None:
            await self.background()

    def _checked(self, scope: Scope, send: Send) -> Send:
        """`send`, in the words of the scope's type, once the header fields are known to split no answer."""
        check_headers(self.raw_headers)
        if scope["type"] != "websocket":
            return send

        async def deny(message: Message) -> None:
            if message["type"] in ("http.response.start", "http.response.body"):
                message = {**message, "type": f"websocket.{message['type']}"}
            await send(message)

        return deny


class HTMLResponse(Response):
    """A page."""

    media_type = "text/html"


class PlainTextResponse(Response):
    """Text."""

    media_type = "text/plain"


class RedirectResponse(Response):
    """A redirect.

    Arguments:
        url: where to; what a URL cannot hold is percent-encoded.
        status_code: 307, which keeps the method, or another.
    """

    def __init__(
        self,
        url: str | URL,
        status_code: int = 307,
        headers: Mapping[str, str] | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(content=b"", status_code=status_code, headers=headers, background=background)
        self.headers["location"] = quote(str(url), safe=":/%#?=@[]!$&'()*+,;")


def is_body_allowed(status: int | None) -> bool:
    """Whether an answer of this status may have a body (RFC 9110 section 6.4.1)."""
    return status is None or not (status < 200 or status in (204, 205, 304))


def begin_response(response: Any, stream: Stream) -> Coroutine[Any, Any, None] | None:
    """Send a response that is whole at once; for any other, what is returned sends it (`send_response`)."""
    if (
        isinstance(response, Response)
        and response.background is None
        and type(response).answer is Response.answer
        and type(response).__call__ is Response.__call__
    ):
        stream.respond(head_of(response.status_code, response.raw_headers), bytes(response.body))
        return None
    return send_response(response, stream)


async def send_response(response: Any, stream: Stream) -> None:
    """Send any response on a stream: one of ours, a subclass that has its own `__call__`, or any other ASGI
    app.
    """
    # At the ASGI door, what a server offers beyond a stream (its extensions) is for `__call__` to use.
    if isinstance(response, Response) and response._answers and not isinstance(stream, ASGIStream):
        await response.answer(stream)
        if response.background is not None:
            await response.background()
    else:
        await response(scope_of(stream), *exchange_of(stream))
