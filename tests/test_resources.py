"""What opens and closes with the app, at each door that an app starts up behind."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fastweb import FastWeb
from fastweb.resources import ResourceError, Resources, resources
from fastweb.server.lifespan import Lifespan
from fastweb.testclient import TestClient

log: list[str] = []


class Pool:
    """Registers itself, as a pool does."""

    def __init__(self, name: str = "pool", *, lazy: bool = False, error: Exception | None = None) -> None:
        self.name = name
        self.lazy = lazy
        self.error = error
        self.loop: Any = None
        resources.register(self)

    async def open(self) -> None:
        if self.error is not None:
            raise self.error
        if self.loop is not asyncio.get_running_loop():
            self.loop = asyncio.get_running_loop()
            resources.opened(self)
            log.append(f"{self.name} opened")

    async def open_with_app(self) -> None:
        if not self.lazy:
            await self.open()

    async def close_with_app(self) -> None:
        assert self.loop is asyncio.get_running_loop()
        self.loop = None
        log.append(f"{self.name} closed")
        if self.name == "broken":
            raise ValueError("cannot be closed")

    def __repr__(self) -> str:
        return f"<{self.name}>"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    gc.collect()  # and so do those of the tests before
    log.clear()
    yield
    gc.collect()  # the pools of a test end with it


def make_app(*pools: Pool, **options: Any) -> FastWeb:
    app = FastWeb(**options)

    @app.get("/")
    async def root() -> str:
        for pool in pools:
            if pool.loop is None:
                await pool.open()
        return "here"

    return app


def test_what_is_registered_opens_and_closes_with_the_app_in_reverse_order() -> None:
    app = make_app(Pool("first"), Pool("second"))
    for _ in range(2):
        with TestClient(app) as client:
            assert log == ["first opened", "second opened"]
            assert client.get("/").json() == "here"
        assert log == ["first opened", "second opened", "second closed", "first closed"]
        log.clear()


def test_what_opens_at_first_use_is_closed_too() -> None:
    app = make_app(Pool("lazy", lazy=True), Pool("eager"))
    with TestClient(app) as client:
        assert log == ["eager opened"]
        client.get("/")
        assert log == ["eager opened", "lazy opened"]
    assert log[2:] == ["lazy closed", "eager closed"]


def test_without_a_start_up_each_loop_closes_what_was_opened_on_it() -> None:
    client = TestClient(make_app(Pool()))
    client.get("/")
    client.get("/")
    assert log == ["pool opened", "pool closed"] * 2


def test_what_is_made_later_is_closed_too() -> None:
    pools: list[Pool] = []

    @asynccontextmanager
    async def lifespan(app: FastWeb) -> AsyncIterator[None]:
        pools.append(Pool("made at start-up"))
        yield
        log.append("lifespan left")

    app = FastWeb(lifespan=lifespan)

    @app.get("/")
    async def root() -> None:
        pools.append(Pool("made by a request"))
        await pools[-1].open()

    with TestClient(app) as client:
        assert log == ["made at start-up opened"]
        client.get("/")
    assert log[2:] == ["lifespan left", "made by a request closed", "made at start-up closed"]


def test_the_lifespan_stands_within() -> None:
    pool = Pool()

    @asynccontextmanager
    async def lifespan(app: FastWeb) -> AsyncIterator[None]:
        assert pool.loop is asyncio.get_running_loop()
        yield
        assert pool.loop is not None
        log.append("lifespan left")

    with TestClient(FastWeb(lifespan=lifespan)):
        pass
    assert log == ["pool opened", "lifespan left", "pool closed"]


def test_mounted_apps_add_nothing() -> None:
    pool = Pool()
    inner = make_app(pool)
    app = FastWeb()
    app.mount("/inner", inner)
    with TestClient(app) as client:
        client.get("/inner/")
    assert log == ["pool opened", "pool closed"]


def test_under_trio_nothing_is_opened() -> None:
    """What can be registered is asyncio's, and may be another app's."""
    pool = Pool()
    with TestClient(FastWeb(), backend="trio") as client:
        assert client.get("/").status_code == 404
    assert log == []
    assert pool.loop is None


def test_the_own_server_opens_for_any_app() -> None:
    pool = Pool()

    class Other:
        @asynccontextmanager
        async def lifespan(self) -> AsyncIterator[None]:
            log.append("other")
            yield

    async def main() -> None:
        lifespan = Lifespan(Other())  # type: ignore[arg-type]
        await lifespan.startup()
        await lifespan.shutdown()

    asyncio.run(main())
    assert log == ["pool opened", "other", "pool closed"]
    assert pool.loop is None


def test_what_cannot_be_opened_ends_the_start_up_with_one_line() -> None:
    first = Pool("first")
    broken = Pool("second", error=OSError("connection refused\nis the server running?"))
    with (
        pytest.raises(ResourceError, match=r"^<second> cannot be opened: connection refused is the server"),
        TestClient(FastWeb()),
    ):
        pass
    assert log == ["first opened", "first closed"]
    assert first.loop is broken.loop is None


def test_what_cannot_be_closed_leaves_the_others_to_be_closed() -> None:
    pools = [Pool("first"), Pool("broken"), Pool("last")]
    with pytest.raises(ValueError, match="cannot be closed"), TestClient(FastWeb()):
        assert len(pools) == 3
    assert log[3:] == ["last closed", "broken closed", "first closed"]


def test_nothing_is_held_alive() -> None:
    held = Resources()
    kept = [Pool(str(number)) for number in range(3)]
    for pool in kept:
        held.register(pool)
    del kept[1], pool
    gc.collect()
    asyncio.run(held.open_all())
    assert log == ["0 opened", "2 opened"]


def test_apps_on_one_loop_close_with_the_one_that_came_first() -> None:
    pool = Pool()

    async def main() -> None:
        async with FastWeb().lifespan():
            async with FastWeb().lifespan():
                assert resources.loop is asyncio.get_running_loop()
            assert pool.loop is not None
        assert pool.loop is None

    asyncio.run(main())
    assert resources.loop is None


_APP = """
import os
from fastweb import FastWeb
from fastweb.resources import resources

class Pool:
    opened = None

    def __init__(self):
        resources.register(self)

    async def open_with_app(self):
        if os.environ.get("POOL_ERROR"):
            raise OSError(os.environ["POOL_ERROR"])
        self.opened = os.getpid()
        resources.opened(self)
        print("opened", self.opened, flush=True)

    async def close_with_app(self):
        print("closed", self.opened, flush=True)

    def __repr__(self):
        return "the pool"

pool = Pool()
app = FastWeb()
print("loaded", os.getpid(), flush=True)

@app.on_event("startup")
def stop():
    import threading, signal
    if os.environ.get("POOL_STOP"):
        threading.Timer(0.2, os.kill, (int(os.environ["POOL_STOP"]) or os.getppid(), signal.SIGTERM)).start()
"""


def serve(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    (folder / "main.py").write_text(_APP)
    source = str(Path(__file__).resolve().parent.parent)
    process = subprocess.run(
        [sys.executable, "-m", "fastweb", "run", "main:app", "--port", "0", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), source]), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


def test_a_server_whose_pool_cannot_connect_ends_with_one_line(tmp_path: Path) -> None:
    code, _, shown = serve(tmp_path, POOL_ERROR="connection refused")
    assert code == 3
    assert "Traceback" not in shown
    assert [line for line in shown.splitlines() if "connection refused" in line] == [
        "Error: the app's start-up failed: the pool cannot be opened: connection refused"
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to fork")
def test_a_template_opens_nothing_its_workers_each_their_own(tmp_path: Path) -> None:
    code, printed, shown = serve(tmp_path, "--workers", "2", "--preload", POOL_ERROR="refused")
    assert code == 3, shown
    assert "opened" not in printed
