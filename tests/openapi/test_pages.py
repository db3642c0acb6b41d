"""The pages as the app serves them, and as a browser draws them, which has no network but this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweb import FastWeb, _speedups
from fastweb.openapi import pages
from fastweb.testclient import TestClient

ROOT = str(Path(_speedups.__file__).parent.parent.parent)


def paths_of(app: Any) -> list[str]:
    return [route.path for route in app.routes]


def test_the_paths() -> None:
    assets = ["/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/redoc/redoc.standalone.mjs"]
    known = [path for path in paths_of(FastWeb()) if path not in assets]
    assert known == ["/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"]
    assert paths_of(FastWeb(openapi_url=None)) == []
    assert paths_of(FastWeb(docs_url=None, redoc_url=None)) == ["/openapi.json"]
    app = FastWeb(openapi_url="/a.json", docs_url="/", swagger_ui_oauth2_redirect_url=None, redoc_url="/b/")
    assert {*paths_of(app)} >= {"/a.json", "/", "/b/", "/swagger-ui.css", "/b/redoc.standalone.mjs"}


def test_what_is_served() -> None:
    app = FastWeb(title="A <b>", swagger_ui_parameters={"x": 1}, swagger_ui_init_oauth={"clientId": "c"})

    @app.get("/users")
    def get_users() -> list[str]:
        return []

    with TestClient(app) as client:
        assert client.get("/openapi.json").json() == app.openapi()
        docs = client.get("/docs").text
        assert "<title>A &lt;b&gt; - Swagger UI</title>" in docs
        assert '"x": 1' in docs
        assert '"clientId": "c"' in docs
        assert "swaggerUIRedirectOauth2" in client.get("/docs/oauth2-redirect").text
        assert "<title>A &lt;b&gt; - ReDoc</title>" in client.get("/redoc").text
        for page in ("/docs", "/redoc"):
            for url in re.findall(r'(?:src|href)="(/[^"]+)"', client.get(page).text):
                answer = client.get(url)
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith(("text/javascript", "text/css"))


def test_without_the_extra_the_pages_load_from_the_cdn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "swagger_ui_assets", lambda: None)
    monkeypatch.setattr(pages, "redoc_assets", lambda: None)
    with TestClient(FastWeb()) as client:
        assert "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css" in client.get("/docs").text
        assert "https://cdn.jsdelivr.net/npm/redoc@2" in client.get("/redoc").text


def test_the_root_path() -> None:
    app = FastWeb(root_path="/api", servers=[{"url": "https://example.com"}])
    with TestClient(app) as client:
        assert "url: '/api/openapi.json'" in client.get("/docs").text
        assert "origin + '/api/docs/oauth2-redirect'" in client.get("/docs").text
        assert 'spec-url="/api/openapi.json"' in client.get("/redoc").text
        assert client.get("/openapi.json").json()["servers"] == [
            {"url": "/api"},
            {"url": "https://example.com"},
        ]
    assert app.openapi()["servers"] == [{"url": "https://example.com"}]
    with TestClient(FastWeb(root_path="/api", root_path_in_servers=False)) as client:
        assert "servers" not in client.get("/openapi.json").json()


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("//evil.example", "/%2Fevil.example"),
        ("/%5Cevil.example", "/%5Cevil.example"),
        ("/%09/evil.example", "/%09/evil.example"),
        ("/caf%C3%A9", "/caf%C3%A9"),
    ],
)
def test_who_asks_does_not_choose_where_the_pages_load_from(sent: str, shown: str) -> None:
    """The root path is below a parameter here, and a browser takes "/\\" for "//", and drops tabs."""
    outer = FastWeb(openapi_url=None)
    outer.mount("/{tenant:path}", FastWeb())
    client = TestClient(outer)
    url = f"http://testserver{sent}"
    assert f"url: '{shown}/openapi.json'" in client.get(f"{url}/docs").text
    assert f'spec-url="{shown}/openapi.json"' in client.get(f"{url}/redoc").text
    assert client.get(f"{url}/openapi.json").json()["servers"] == [{"url": shown}]


def test_the_document_is_made_once_and_again_for_another_route() -> None:
    app = FastWeb()
    first = app.openapi()
    assert app.openapi() is first is app.openapi_schema

    @app.get("/late")
    def late() -> None: ...

    assert "/late" in app.openapi()["paths"]
    app.openapi = lambda: {"mine": True}  # type: ignore[method-assign]
    with TestClient(app) as client:
        assert client.get("/openapi.json").json() == {"mine": True}


# --- A browser ---

APP = """
from fastweb import FastWeb
from fastweb.models import BaseModel

app = FastWeb(title="Bookshop")


class Book(BaseModel):
    title: str
    price: float = 1.5


@app.post("/books/{number}", summary="Put a book on the shelf")
async def put(number: int, book: Book) -> Book:
    return book
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(f"these tests need a browser: install {names[0]} (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our own server, with the app."""
    directory = tmp_path_factory.mktemp("bookshop")
    (directory / "bookshop.py").write_text(APP, encoding="utf-8")
    command = [sys.executable, "-m", "fastweb", "run", "bookshop:app", "--port", "0", "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), ROOT])}
    shown = directory / "shown"
    with (
        shown.open("w") as log,
        subprocess.Popen(command, cwd=directory, env=environment, stderr=log) as server,
    ):
        try:
            deadline = time.monotonic() + 60
            while "Ctrl+C" not in shown.read_text():
                assert time.monotonic() < deadline, shown.read_text()
                assert server.poll() is None, shown.read_text()
                time.sleep(0.02)
            found = re.search(r"http://127\.0\.0\.1:\d+", shown.read_text())
            assert found is not None
            yield found[0]
        finally:
            server.terminate()


@pytest.mark.timeout(400)  # A browser, twice as long where two tests have a core.
@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_browser_draws_the_operations(chromium: str, address: str, path: str, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        # Whatever else is asked for is not there: the page needs no network.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--no-proxy-server",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1200,1000",
        "--virtual-time-budget=30000",
        f"--screenshot={picture}",
        "--dump-dom",
        address + path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Bookshop" in done.stdout
    assert "Put a book on the shelf" in done.stdout, done.stderr
    assert "Uncaught" not in done.stderr
    assert colors_of(picture.read_bytes()) > 20  # a blank page has one


def colors_of(png: bytes) -> int:
    """How many different pixels a PNG has (https://www.w3.org/TR/png-3/), told by their filtered bytes."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, data, width, channels = 8, b"", 0, 4
    while place < len(png):
        size, kind = int.from_bytes(png[place : place + 4]), png[place + 4 : place + 8]
        chunk = png[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            width, channels = int.from_bytes(chunk[:4]), {2: 3, 6: 4}[chunk[9]]
        elif kind == b"IDAT":
            data += chunk
        place += size + 12
    rows = zlib.decompress(data)
    step = 1 + width * channels
    pixels: set[bytes] = set()
    for row in range(0, len(rows), step):
        line = rows[row + 1 : row + step]
        pixels.update(line[at : at + channels] for at in range(0, len(line), channels))
    return len(pixels)
