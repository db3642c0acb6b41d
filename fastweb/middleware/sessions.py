"""Sessions that live in a signed cookie.

The cookie is signed, not encrypted: the client can read its session, and cannot change it. Nothing on the
server can end one before its time, since the server keeps none.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any, Literal

from fastweb.datastructures import MutableHeaders, Secret
from fastweb.requests import HTTPConnection
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Session", "SessionMiddleware"]


# An expiry in the past makes a browser forget the cookie.
_LONG_AGO = "expires=Thu, 01 Jan 1970 00:00:00 GMT; "


class SessionMiddleware:
    """Makes `request.session` of a cookie, and a cookie of what became of it.

    Arguments:
        app: what uses the session.
        secret_key: what signs; long, random, and the same in every worker. Who has it can write sessions.
        session_cookie: the cookie's name.
        max_age: seconds that a session lives after its last change; None: until the browser is closed.
        path: where the browser sends the cookie.
        same_site: whether it sends the cookie with requests of other sites.
        https_only: whether it sends the cookie by HTTPS only.
        domain: for a cookie of all subdomains.
        partitioned: a cookie of its own in every site that embeds this one.

    Raises:
        ImportError: itsdangerous is not installed.
    """

    def __init__(
        self,
        app: ASGIApp,
        secret_key: str | Secret,
        session_cookie: str = "session",
        max_age: int | None = 14 * 24 * 60 * 60,
        path: str = "/",
        same_site: Literal["lax", "strict", "none"] = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
    ) -> None:
        try:
            import itsdangerous
        except ModuleNotFoundError as error:
            raise ImportError(
                "SessionMiddleware signs with itsdangerous: pip install 'fastweb[sessions]'"
            ) from error
        self.app = app
        self.signer = itsdangerous.TimestampSigner(str(secret_key))
        self.session_cookie = session_cookie
        self.max_age = max_age
        self.path = path
        flags = ["httponly", f"samesite={same_site}"]
        if https_only:
            flags.append("secure")
        if domain is not None:
            flags.append(f"domain={domain}")
        if partitioned:
            flags.append("partitioned")
        self.security_flags = "; ".join(flags)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, with a session in its scope."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        data = self._read(HTTPConnection(scope).cookies.get(self.session_cookie))
        scope["session"] = Session(data or {})

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                session: Session = scope["session"]
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                if session.accessed:
                    headers.add_vary_header("Cookie")
                if session.modified and session:
                    age = "" if self.max_age is None else f"Max-Age={self.max_age}; "
                    headers.append("Set-Cookie", self._cookie(self._written(session), age))
                elif session.modified and data is not None:
                    headers.append("Set-Cookie", self._cookie("null", _LONG_AGO))
            await send(message)

        await self.app(scope, receive, send_with_cookie)

    def _read(self, cookie: str | None) -> dict[str, Any] | None:
        """The session in a cookie; None where there is none that we have signed, and not too long ago."""
        from itsdangerous import BadSignature

        if cookie is None:
            return None
        try:
            data = json.loads(b64decode(self.signer.unsign(cookie.encode(), max_age=self.max_age)))
        except (BadSignature, ValueError, RecursionError):
            # Signed and yet not ours: the app signs something else with the same key.
            return None
        return data if isinstance(data, dict) else None

    def _written(self, session: Session) -> str:
        return self.signer.sign(b64encode(json.dumps(session).encode())).decode()

    def _cookie(self, value: str, age: str) -> str:
        return f"{self.session_cookie}={value}; path={self.path}; {age}{self.security_flags}"


class Session(dict[str, Any]):
    """A dict that knows whether it was looked at or changed. A change within one of its values it cannot see:
    assign the value anew.
    """

    accessed = False
    modified = False

    def mark_accessed(self) -> None:
        """The answer depends on the session."""
        self.accessed = True

    def mark_modified(self) -> None:
        """The session is to be written."""
        self.accessed = True
        self.modified = True

    def __setitem__(self, key: str, value: Any) -> None:
        self.mark_modified()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.mark_modified()
        super().__delitem__(key)

    def __ior__(self, other: Any, /) -> Session:  # type: ignore[override, misc]  # dict's has overloads
        self.mark_modified()
        return super().__ior__(other)

    def clear(self) -> None:
        self.mark_modified()
        super().clear()

    def pop(self, key: str, *args: Any) -> Any:
        if key in self:
            self.mark_modified()
        return super().pop(key, *args)

    def popitem(self) -> tuple[str, Any]:
        item = super().popitem()
        self.mark_modified()
        return item

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self.mark_modified()
        return super().setdefault(key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        self.mark_modified()
        super().update(*args, **kwargs)
