"""Send plain HTTP to HTTPS."""

from __future__ import annotations

from fastweb.datastructures import URL
from fastweb.responses import PlainTextResponse, RedirectResponse, Response
from fastweb.types import ASGIApp, Receive, Scope, Send

__all__ = ["HTTPSRedirectMiddleware"]

_SECURE = {"http": "https", "ws": "wss"}


class HTTPSRedirectMiddleware:
    """Answers what comes by http or ws with a 307 to the same URL by https or wss.

    Behind a proxy that ends TLS it sees http always, unless the server is told to trust that proxy's headers.

    Arguments:
        app: what the rest goes to.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, where the connection is secure."""
        if scope["type"] not in ("http", "websocket") or scope["scheme"] not in _SECURE:
            await self.app(scope, receive, send)
            return
        url = URL(scope=scope)
        response: Response
        if url.netloc:
            port = None if url.port in (80, 443) else url.port
            response = RedirectResponse(url.replace(scheme=_SECURE[url.scheme], port=port))
        else:
            response = PlainTextResponse("Invalid host header", status_code=400)
        await response(scope, receive, send)
