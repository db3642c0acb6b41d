"""One app for a scheme: `ask(scheme, **request)` gives what the scheme made of a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastweb import Depends, FastWeb
from fastweb.testclient import TestClient

Answer = tuple[int, Any, str | None]


@pytest.fixture
def ask() -> Callable[..., Answer]:
    def ask(scheme: Any, url: str = "/", **request: Any) -> Answer:
        app = FastWeb()

        @app.get("/")
        def read(credentials: Any = Depends(scheme)) -> Any:
            return credentials

        with TestClient(app) as client:
            answer = client.get(url, **request)
        return answer.status_code, answer.json(), answer.headers.get("www-authenticate")

    return ask
