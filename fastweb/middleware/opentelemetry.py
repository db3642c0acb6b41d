"""OpenTelemetry spans of HTTP requests (semantic conventions for HTTP spans, "HTTP server")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastweb.datastructures import URL
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetryMiddleware"]

#: Set in a scope whose request has a span, or is to have none: what is mounted adds no other.
_SCOPE_KEY = "starlette.opentelemetry"


class OpenTelemetryMiddleware:
    """Makes a span of each HTTP request, named by its method and route.

    Arguments:
        app: what answers.
        excluded_urls: regular expressions, or one string of them with commas between; a request whose whole
            URL one of them finds something in has no span.
        tracer_provider: what makes the spans; by default the global one.
        meter_provider: kept for metrics to come.

    Raises:
        ImportError: opentelemetry-api is not installed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        excluded_urls: str | Sequence[str] = (),
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        try:
            from opentelemetry import trace
        except ModuleNotFoundError as error:
            raise ImportError(
                "OpenTelemetryMiddleware needs opentelemetry-api: pip install 'fastweb[tracing]'"
            ) from error
        self.app = app
        self.meter_provider = meter_provider
        if isinstance(excluded_urls, str):
            excluded_urls = [pattern.strip() for pattern in excluded_urls.split(",") if pattern.strip()]
        self.excluded_urls = [re.compile(pattern) for pattern in excluded_urls]
        self.tracer_provider = tracer_provider or trace.get_tracer_provider()
        self._traces_nothing = isinstance(self.tracer_provider, trace.NoOpTracerProvider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, within a span."""
        if scope["type"] != "http" or _SCOPE_KEY in scope:
            await self.app(scope, receive, send)
            return
        scope[_SCOPE_KEY] = True
        try:
            url = URL(scope=scope)
            if self._traces_nothing or any(pattern.search(str(url)) for pattern in self.excluded_urls):
                await self.app(scope, receive, send)
            else:
                await self._traced(scope, receive, send, url)
        finally:
            del scope[_SCOPE_KEY]

    async def _traced(self, scope: Scope, receive: Receive, send: Send, url: URL) -> None:
        from opentelemetry import propagate
        from opentelemetry.trace import SpanKind, Status, StatusCode

        headers: dict[str, list[str]] = {}
        for name, value in scope.get("headers", ()):
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        method = scope["method"].upper()
        with self.tracer_provider.get_tracer("fastweb").start_as_current_span(
            method,
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes=_attributes(scope, url, method, headers),
        ) as span:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.set_attribute("http.response.status_code", status)
                    if status >= 500:
                        span.set_attribute("error.type", str(status))
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self.app(scope, receive, send_noted)
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                raise
            finally:
                # Known when the app has been there, since routing is its.
                route = _route_path(scope)
                if route is not None:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)


def _attributes(scope: Scope, url: URL, method: str, headers: dict[str, list[str]]) -> dict[str, str | int]:
    """What is known of a request before it is answered, by the semantic conventions' names."""
    server: tuple[str, int | None] | None = scope.get("server")
    port = url.port if url.port is not None or server is None else server[1]
    known: dict[str, Any] = {
        "http.request.method": method,
        "http.request.method_original": None if method == scope["method"] else scope["method"],
        "url.scheme": scope.get("scheme", "http"),
        "url.path": scope["path"],
        "url.query": url.query or None,
        "server.address": url.hostname,
        "server.port": None if url.hostname is None else port,
        "client.address": scope["client"][0] if scope.get("client") else None,
        "network.protocol.version": scope.get("http_version"),
        "user_agent.original": headers.get("user-agent", [None])[0],
    }
    return {name: value for name, value in known.items() if value is not None}


def _route_path(scope: Scope) -> str | None:
    """The route's path as it was declared, which many requests share; of a mounted app that says nothing of
    its own routes, where it is mounted.
    """
    route = scope.get("route")
    path: str | None = getattr(route, "path_format", None)
    root: str = scope.get("root_path", "")
    if path is None:
        return None
    if not hasattr(route, "endpoint"):
        return root or "/"
    return root.rstrip("/") + path or "/"
