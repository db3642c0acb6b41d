"""slowapi: rate limits by decorator, its exception handler, its middleware."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address


def test_a_limit_of_a_route() -> None:
    limiter = Limiter(key_func=get_remote_address, headers_enabled=True)
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)

    @app.get("/")
    @limiter.limit("2/minute")
    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    client = TestClient(app)
    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/").headers["x-ratelimit-remaining"] == "0"


def test_the_default_limit_in_middleware() -> None:
    app = FastAPI()
    app.state.limiter = Limiter(key_func=get_remote_address, default_limits=["1/minute"])
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
    app.add_middleware(SlowAPIMiddleware)

    @app.get("/")
    def read() -> str:
        return "ok"

    @app.get("/free")
    @app.state.limiter.exempt
    def free() -> str:
        return "ok"

    client = TestClient(app)
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    assert [client.get("/free").status_code for _ in range(2)] == [200, 200]
