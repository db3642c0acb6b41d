"""Dependencies that say that they never block: called on the event loop's thread, whatever is around them."""

import functools
import threading
from typing import Annotated, Any

import pytest

from fastweb import Depends, FastWeb, HTTPException, WebSocket
from fastweb.concurrency import loop_of_thread, never_blocks
from fastweb.dependencies.calls import Kind, kind_of
from fastweb.testclient import TestClient


class Pool:
    def __init__(self) -> None:
        self.threads: list[str] = []

    @never_blocks
    def get(self) -> dict[str, Any]:
        self.threads.append(threading.current_thread().name)
        return {"pool": 1}

    def slow(self) -> dict[str, Any]:
        self.threads.append(threading.current_thread().name)
        return {"pool": 2}


def test_kinds() -> None:
    pool = Pool()
    assert kind_of(pool.get) is kind_of(Pool.get) is Kind.AT_ONCE
    assert kind_of(pool.slow) is kind_of(lambda: pool.get()) is Kind.PLAIN

    @functools.wraps(pool.get)
    def around() -> Any:
        return pool.get()

    assert kind_of(around) is Kind.PLAIN


@pytest.mark.parametrize("middleware", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_it_is_called_on_the_loop(plain: bool, middleware: bool) -> None:
    pool = Pool()
    app = FastWeb()

    def outer(inner: Annotated[dict[str, Any], Depends(pool.get)], q: str) -> dict[str, Any]:
        return {**inner, "q": q}

    if plain:

        @app.get("/")
        def plain_endpoint(pg: Annotated[Any, Depends(pool.get)], found: Any = Depends(outer)) -> Any:
            return [pg, found, loop_of_thread() is not None]
    else:

        @app.get("/")
        async def endpoint(pg: Annotated[Any, Depends(pool.get)], found: Any = Depends(outer)) -> Any:
            return [pg, found, loop_of_thread() is not None]

    if middleware:

        @app.middleware("http")
        async def through(request: Any, call_next: Any) -> Any:
            return await call_next(request)

    client = TestClient(app)
    assert client.get("/?q=a").json() == [{"pool": 1}, {"pool": 1, "q": "a"}, plain]
    assert client.get("/").status_code == 422
    assert [name for name in pool.threads if name.startswith("fastweb thread")] == []
    assert len(pool.threads) == 2


def test_a_lambda_around_it_works_in_a_thread() -> None:
    pool = Pool()
    app = FastWeb()

    @app.get("/")
    async def endpoint(pg: Any = Depends(lambda: pool.get())) -> Any:
        return pg

    assert TestClient(app).get("/").json() == {"pool": 1}
    assert pool.threads == ["fastweb thread"]


def test_what_it_raises_is_answered() -> None:
    app = FastWeb()

    @never_blocks
    def refuse() -> None:
        raise HTTPException(418, "no")

    @app.get("/", dependencies=[Depends(refuse)])
    async def endpoint() -> None: ...

    assert TestClient(app).get("/").json() == {"detail": "no"}


def test_overrides_bounds_and_websockets() -> None:
    pool = Pool()
    app = FastWeb()

    @app.get("/")
    async def endpoint(pg: Any = Depends(pool.get, max_concurrency=1)) -> Any:
        return pg

    @app.websocket("/ws")
    async def converse(websocket: WebSocket, pg: Any = Depends(pool.get)) -> None:
        await websocket.accept()
        await websocket.send_json(pg)
        await websocket.close()

    client = TestClient(app)
    assert client.get("/").json() == {"pool": 1}
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_json() == {"pool": 1}
    app.dependency_overrides[pool.get] = pool.slow
    assert client.get("/").json() == {"pool": 2}


def test_an_endpoint_that_is_marked_still_has_a_thread() -> None:
    app = FastWeb()

    @app.get("/")
    @never_blocks
    def endpoint() -> str:
        return threading.current_thread().name

    assert TestClient(app).get("/").json() == "fastweb thread"
