"""prometheus-fastapi-instrumentator: requests counted by the route's template."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator


def test_metrics() -> None:
    app = FastAPI()
    router = APIRouter(prefix="/inner")

    @app.get("/items/{item_id}")
    def read(item_id: int) -> int:
        return item_id

    @router.get("/{name}")
    def inner(name: str) -> str:
        return name

    app.include_router(router)
    Instrumentator(registry=CollectorRegistry()).instrument(app).expose(app)
    with TestClient(app) as client:
        for path in ("/items/1", "/items/2", "/inner/a", "/items/x", "/nowhere"):
            client.get(path)
        text = client.get("/metrics").text
    assert 'http_requests_total{handler="/items/{item_id}",method="GET",status="2xx"} 2.0' in text
    assert 'http_requests_total{handler="/items/{item_id}",method="GET",status="4xx"} 1.0' in text
    assert 'http_requests_total{handler="/inner/{name}",method="GET",status="2xx"} 1.0' in text
    assert 'http_requests_total{handler="none",method="GET",status="4xx"} 1.0' in text
