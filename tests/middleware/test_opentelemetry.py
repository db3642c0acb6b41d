from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from fastweb.middleware.opentelemetry import OpenTelemetryMiddleware
from fastweb.responses import PlainTextResponse
from fastweb.testclient import TestClient
from fastweb.types import Receive, Scope, Send


class Traces:
    """A client of an app that sets its route by the path, and the spans of its requests."""

    def __init__(self, provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
        self.provider = provider
        self.exporter = exporter

    def client(self, **options: Any) -> TestClient:
        options = {"tracer_provider": self.provider, **options}
        return TestClient(OpenTelemetryMiddleware(route, **options), raise_server_exceptions=False)

    @property
    def span(self) -> ReadableSpan:
        (span,) = self.exporter.get_finished_spans()
        return span

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(self.span.attributes or {})


ROUTES: dict[str, Any] = {
    "/users/5": SimpleNamespace(path_format="/users/{id}", endpoint=None),
    "/mounted/any": SimpleNamespace(path_format="/mounted/{path}"),
    "/custom": SimpleNamespace(),
}


async def route(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/boom":
        raise LookupError("boom")
    if scope["path"] == "/mounted/any":
        scope["root_path"] = "/mounted"
    scope["route"] = ROUTES.get(scope["path"])
    await PlainTextResponse("ok", status_code=503 if scope["path"] == "/busy" else 200)(scope, receive, send)


@pytest.fixture
def traces() -> Iterator[Traces]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Traces(provider, exporter)
    provider.shutdown()


def test_a_span_says_what_was_asked_and_answered(traces: Traces) -> None:
    traces.client().get("/users/5?a=b", headers={"user-agent": "tests"})
    assert (traces.span.name, traces.span.kind) == ("GET /users/{id}", SpanKind.SERVER)
    client = traces.attributes.pop("client.address")
    assert isinstance(client, str)
    assert traces.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/users/{id}",
        "url.scheme": "http",
        "url.path": "/users/5",
        "url.query": "a=b",
        "server.address": "testserver",
        "server.port": 80,
        "client.address": client,
        "network.protocol.version": "1.1",
        "user_agent.original": "tests",
    }


@pytest.mark.parametrize(
    ("path", "name"), [("/mounted/any", "GET /mounted"), ("/custom", "GET"), ("/unknown", "GET")]
)
def test_a_span_is_named_by_what_many_requests_share(traces: Traces, path: str, name: str) -> None:
    traces.client().get(path)
    assert traces.span.name == name


@pytest.mark.parametrize(("path", "kind"), [("/boom", "LookupError"), ("/busy", "503")])
def test_errors(traces: Traces, path: str, kind: str) -> None:
    traces.client().get(path)
    assert traces.attributes["error.type"] == kind
    assert traces.span.status.status_code == StatusCode.ERROR


def test_a_trace_goes_on(traces: Traces) -> None:
    trace_id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    traces.client().get("/", headers={"traceparent": f"00-{trace_id}-{parent}-01"})
    assert traces.span.context is not None
    assert traces.span.parent is not None
    assert (traces.span.context.trace_id, traces.span.parent.span_id) == (int(trace_id, 16), int(parent, 16))


@pytest.mark.parametrize(
    ("excluded", "path", "traced"),
    [
        ("", "/health", True),
        ("/health$", "/health", False),
        ("/ready$, /health$", "/health", False),
        ([r"^http://testserver/health"], "/health?full=1", False),
        (["/health$"], "/healthy", True),
    ],
)
def test_some_urls_have_no_span(traces: Traces, excluded: Any, path: str, traced: bool) -> None:
    assert traces.client(excluded_urls=excluded).get(path).text == "ok"
    assert bool(traces.exporter.get_finished_spans()) is traced


def test_one_request_has_one_span(traces: Traces) -> None:
    inner = OpenTelemetryMiddleware(route, tracer_provider=traces.provider)
    TestClient(OpenTelemetryMiddleware(inner, tracer_provider=traces.provider)).get("/")
    assert traces.span.name == "GET"


def test_no_provider_no_span(traces: Traces) -> None:
    assert traces.client(tracer_provider=NoOpTracerProvider()).get("/").text == "ok"
    assert traces.exporter.get_finished_spans() == ()


def test_without_opentelemetry_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from fastweb.middleware.opentelemetry import OpenTelemetryMiddleware\n"
        "try: OpenTelemetryMiddleware(None)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'fastweb[tracing]'" in done.stdout
