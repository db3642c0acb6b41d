"""Refuse requests for other hosts."""

from __future__ import annotations

from collections.abc import Sequence

from fastweb.datastructures import URL, Headers, parse_host
from fastweb.responses import PlainTextResponse, RedirectResponse, Response
from fastweb.types import ASGIApp, Receive, Scope, Send

__all__ = ["TrustedHostMiddleware"]


class TrustedHostMiddleware:
    """Answers 400 where the Host header is none of those that are expected (RFC 9110, section 7.2).

    What it says is compared whole, not as a pattern: a dot is a dot. The port does not matter, nor does case.

    Arguments:
        app: what the rest goes to.
        allowed_hosts: host names; "*.example.com" for every name below one, "*" for any host at all, which is
            the default.
        www_redirect: answer with a redirect where only the name with "www." in front is allowed.

    Raises:
        ValueError: an asterisk is elsewhere than at the beginning, before a dot.
    """

    def __init__(
        self, app: ASGIApp, allowed_hosts: Sequence[str] | None = None, www_redirect: bool = True
    ) -> None:
        if allowed_hosts is None:
            allowed_hosts = ["*"]
        for pattern in allowed_hosts:
            if pattern != "*" and "*" in pattern.removeprefix("*."):
                raise ValueError(
                    f"Domain wildcard patterns must be like '*.example.com', which {pattern!r} is not."
                )
        self.app = app
        self.allowed_hosts = [pattern.lower() for pattern in allowed_hosts]
        self.allow_any = "*" in allowed_hosts
        self.www_redirect = www_redirect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, where the host is an expected one."""
        if self.allow_any or scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        parsed = parse_host(Headers(scope=scope).get("host", ""))
        host = parsed[0].lower() if parsed is not None else ""
        if host and self._is_allowed(host):
            await self.app(scope, receive, send)
            return
        response: Response
        if host and self.www_redirect and f"www.{host}" in self.allowed_hosts:
            url = URL(scope=scope)
            response = RedirectResponse(url.replace(netloc=f"www.{url.netloc}"))
        else:
            response = PlainTextResponse("Invalid host header", status_code=400)
        await response(scope, receive, send)

    def _is_allowed(self, host: str) -> bool:
        return any(
            host == pattern or (pattern.startswith("*") and host.endswith(pattern[1:]))
            for pattern in self.allowed_hosts
        )
