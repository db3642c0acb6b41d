"""Cross-origin resource sharing: which pages may read the answers (Fetch standard, "CORS protocol")."""

from __future__ import annotations

import re
from collections.abc import Collection

from fastweb.datastructures import Headers, MutableHeaders
from fastweb.responses import PlainTextResponse, Response
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ALL_METHODS", "SAFELISTED_HEADERS", "CORSMiddleware"]

#: What "*" stands for in `allow_methods`.
ALL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY")
#: What a page may send without asking.
SAFELISTED_HEADERS = {"Accept", "Accept-Language", "Content-Language", "Content-Type"}

# An answer to a preflight depends on all that it was asked.
_PREFLIGHT_VARY = (
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers,"
    " Access-Control-Request-Private-Network"
)


class CORSMiddleware:
    """Answers preflight requests, and says in every other answer whether the asking page may read it.

    It refuses nothing but preflights: the browser does. Whoever is no browser is not held by it.

    Arguments:
        app: what answers.
        allow_origins: origins such as "https://example.org", compared whole; "*" for any.
        allow_methods: methods, or "*" for the common ones.
        allow_headers: header fields beside the safelisted ones, or "*" for any.
        allow_credentials: whether cookies and the like may be sent; an origin is then always named, also
            where any is allowed.
        allow_origin_regex: a pattern that a whole origin must match. A dot in it is any character.
        allow_private_network: whether public pages may reach this server in a private network.
        expose_headers: header fields of the answer that the page may read.
        max_age: seconds for which a browser may remember the answer to a preflight.
    """

    def __init__(
        self,
        app: ASGIApp,
        allow_origins: Collection[str] = (),
        allow_methods: Collection[str] = ("GET",),
        allow_headers: Collection[str] = (),
        allow_credentials: bool = False,
        allow_origin_regex: str | None = None,
        allow_private_network: bool = False,
        expose_headers: Collection[str] = (),
        max_age: int = 600,
    ) -> None:
        # One string is one value: `in` would look for a part of it.
        allow_origins, allow_methods, allow_headers, expose_headers = (
            (value,) if isinstance(value, str) else value
            for value in (allow_origins, allow_methods, allow_headers, expose_headers)
        )
        if "*" in allow_methods:
            allow_methods = ALL_METHODS
        self.app = app
        self.allow_origins = allow_origins
        self.allow_methods = allow_methods
        self.allow_all_origins = "*" in allow_origins
        self.allow_all_headers = "*" in allow_headers
        self.allow_credentials = allow_credentials
        self.allow_origin_regex = None if allow_origin_regex is None else re.compile(allow_origin_regex)
        self.allow_private_network = allow_private_network
        # "*" and credentials exclude each other (Fetch standard, "CORS protocol and credentials").
        self.preflight_explicit_allow_origin = not self.allow_all_origins or allow_credentials
        named_headers = sorted(SAFELISTED_HEADERS | set(allow_headers))
        self.allow_headers = [name.lower() for name in named_headers]
        self.simple_headers: dict[str, str] = {}
        self.preflight_headers = {"Vary": _PREFLIGHT_VARY}
        if self.allow_all_origins:
            self.simple_headers["Access-Control-Allow-Origin"] = "*"
        if not self.preflight_explicit_allow_origin:
            self.preflight_headers["Access-Control-Allow-Origin"] = "*"
        self.preflight_headers["Access-Control-Allow-Methods"] = ", ".join(allow_methods)
        self.preflight_headers["Access-Control-Max-Age"] = str(max_age)
        if not self.allow_all_headers:
            self.preflight_headers["Access-Control-Allow-Headers"] = ", ".join(named_headers)
        if allow_credentials:
            self.simple_headers["Access-Control-Allow-Credentials"] = "true"
            self.preflight_headers["Access-Control-Allow-Credentials"] = "true"
        if expose_headers:
            self.simple_headers["Access-Control-Expose-Headers"] = ", ".join(expose_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, its answer marked; or the answer to a preflight."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or scope["method"] != "OPTIONS" or "access-control-request-method" not in headers:
            await self.simple_response(scope, receive, send, headers)
            return
        await self.preflight_response(headers)(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether pages of an origin may read the answers."""
        if self.allow_all_origins or origin in self.allow_origins:
            return True
        return self.allow_origin_regex is not None and self.allow_origin_regex.fullmatch(origin) is not None

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight: 400, with what is disallowed, for those who look for the mistake."""
        origin = request_headers["origin"]
        asked_headers = request_headers.get("access-control-request-headers")
        headers = dict(self.preflight_headers)
        failures = []
        if not self.is_allowed_origin(origin):
            failures.append("origin")
        elif self.preflight_explicit_allow_origin:
            headers["Access-Control-Allow-Origin"] = origin
        if request_headers["access-control-request-method"] not in self.allow_methods:
            failures.append("method")
        if asked_headers is not None:
            if self.allow_all_headers:
                headers["Access-Control-Allow-Headers"] = asked_headers
            elif not {name.strip().lower() for name in asked_headers.split(",")} <= set(self.allow_headers):
                failures.append("headers")
        if "access-control-request-private-network" in request_headers:
            if self.allow_private_network:
                headers["Access-Control-Allow-Private-Network"] = "true"
            else:
                failures.append("private-network")
        if failures:
            text = f"Disallowed CORS {', '.join(failures)}"
            return PlainTextResponse(text, status_code=400, headers=headers)
        return PlainTextResponse("OK", headers=headers)

    async def simple_response(
        self, scope: Scope, receive: Receive, send: Send, request_headers: Headers
    ) -> None:
        """The app's own answer, with what CORS adds to its head."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                self._mark(MutableHeaders(scope=message), request_headers.get("origin"))
            await send(message)

        await self.app(scope, receive, send_marked)

    def _mark(self, headers: MutableHeaders, origin: str | None) -> None:
        # Without an Origin, too: a cache must not give that answer to one that has it.
        headers.add_vary_header("Origin")
        if origin is None:
            return
        headers.update(self.simple_headers)
        if self.preflight_explicit_allow_origin and self.is_allowed_origin(origin):
            headers["Access-Control-Allow-Origin"] = origin
