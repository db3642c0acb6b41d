from __future__ import annotations

from fastweb.middleware import Middleware
from fastweb.types import ASGIApp


def around(app: ASGIApp, number: int, name: str, *, level: int) -> ASGIApp:
    return app


def test_a_middleware_keeps_what_it_is_made_of() -> None:
    middleware = Middleware(around, 1, "a", level=9)
    cls, args, kwargs = middleware
    assert (cls, args, kwargs) == (around, (1, "a"), {"level": 9})
    assert repr(middleware) == "Middleware(around, 1, 'a', level=9)"
