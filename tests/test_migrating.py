"""The spellings that people bring along from other frameworks work as they stand.

Each app here is written as it is found in the wild, annotations missing where they are missing there; the
first one is a script that runs as a process of its own.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweb import App, FastWeb, Request, Response, WebSocket, WebSocketDisconnect, _speedups
from fastweb.middleware.gzip import GZipMiddleware
from fastweb.models import BaseModel
from fastweb.responses import JSONResponse
from fastweb.testclient import TestClient

#: Where fastweb itself is imported from, which may be an installed one.
IMPORTED = Path(_speedups.__file__).resolve().parent.parent.parent

# --- A script with a bare app.run() ---

SCRIPT = """\
from fastweb import App
from fastweb.models import BaseModel
from fastweb.responses import JSONResponse

app = App(port=0, compression=True, access_log=False)


class Post(BaseModel):
    title: str
    text: str = ""


posts = []


@app.on_event("startup")
async def startup():
    posts.append(Post(title="first", text="words " * 500))


@app.on_event("shutdown")
def shutdown():
    print("closed with", len(posts), "posts", flush=True)


@app.route("/api/posts", ["GET"])
def list_posts(request):
    return JSONResponse([post.model_dump() for post in posts], headers={"X-Path": request.url.path})


@app.post("/api/posts")
def add_post(post: Post):
    posts.append(post)
    return post


app.run()
"""


class Script:
    """A script that serves, as a process."""

    def __init__(self, directory: Path, text: str) -> None:
        path = directory / "script.py"
        path.write_text(text, encoding="utf-8")
        self.log = directory / "stderr.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", str(path)],
                cwd=directory,
                env={**os.environ, "PYTHONPATH": str(IMPORTED), "WEB_CONCURRENCY": ""},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        deadline = time.monotonic() + 60
        while "Ctrl+C" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.communicate()
                raise AssertionError(self.log.read_text())
            time.sleep(0.02)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.log.read_text())
        assert found is not None
        self.port = int(found[1])

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        finally:
            connection.close()

    def end(self, number: int) -> tuple[int, str]:
        """The exit code and what was printed."""
        self.process.send_signal(number)
        printed, _ = self.process.communicate(timeout=60)
        return self.process.returncode, printed


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    """Starts scripts, and ends those that a test leaves."""
    scripts: list[Script] = []

    def start(text: str) -> Script:
        scripts.append(Script(tmp_path, text))
        return scripts[-1]

    yield start
    for started in scripts:
        started.process.kill()
        started.process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="servers are ended by a signal")
def test_a_bare_run_serves_until_sigterm(script: Any) -> None:
    served = script(SCRIPT)

    status, headers, body = served.ask("GET", "/api/posts", **{"Accept-Encoding": "gzip"})
    assert (status, headers["content-encoding"], headers["x-path"]) == (200, "gzip", "/api/posts")
    assert json.loads(gzip.decompress(body)) == [{"title": "first", "text": "words " * 500}]
    assert "content-encoding" not in served.ask("GET", "/api/posts")[1]

    status, headers, body = served.ask("POST", "/api/posts", {"title": "second"})
    assert (status, json.loads(body)) == (200, {"title": "second", "text": ""})
    assert served.ask("POST", "/api/posts", {})[0] == 422
    assert served.ask("PUT", "/api/posts", {})[0] == 405

    assert served.end(signal.SIGTERM) == (0, "closed with 2 posts\n")


@pytest.mark.skipif(os.name != "posix", reason="servers are ended by a signal")
def test_what_run_is_told_goes_before_what_the_app_was_made_with(script: Any) -> None:
    # No such host: it would not start.
    text = SCRIPT.replace("port=0", 'host="nowhere.invalid", port=1')
    served = script(text.replace("app.run()", 'app.run("127.0.0.1", 0, access_log=False)'))
    assert served.ask("GET", "/api/posts")[0] == 200
    assert served.end(signal.SIGTERM)[0] == 0


def test_options_of_run_are_known_to_the_app() -> None:
    app = App(port=8000, compression=True)
    assert app.extra == {"port": 8000}

    @app.get("/")
    def long() -> str:
        return "x" * 1000

    # httpx asks for gzip.
    answer = TestClient(app).get("/")
    assert (answer.headers["content-encoding"], answer.json()) == ("gzip", "x" * 1000)


# --- Routes ---


def test_a_route_of_an_unannotated_request() -> None:
    app = App()
    posts: list[Any] = [{"id": 1, "title": "first"}]

    @app.route("/api/posts", ["GET"])
    def list_posts(request):  # type: ignore[no-untyped-def]
        return posts[: int(request.query_params.get("limit", 10))]

    @app.route("/api/posts", methods=["POST"])
    async def add_post(request):  # type: ignore[no-untyped-def]
        posts.append({"id": len(posts) + 1, **await request.json()})
        return JSONResponse(posts[-1], status_code=201)

    @app.route("/api/posts/{post_id}", ["GET", "DELETE"])
    def one_post(request, post_id: int):  # type: ignore[no-untyped-def]
        found = [post for post in posts if post["id"] == post_id]
        if request.method == "DELETE":
            posts.remove(*found)
            return Response(status_code=204)
        return found[0] if found else JSONResponse({"error": "none"}, status_code=404)

    client = TestClient(app)
    assert client.get("/api/posts").json() == [{"id": 1, "title": "first"}]
    added = client.post("/api/posts", json={"title": "second"})
    assert (added.status_code, added.json()) == (201, {"id": 2, "title": "second"})
    assert client.get("/api/posts?limit=1").json() == [{"id": 1, "title": "first"}]
    assert client.delete("/api/posts/1").status_code == 204
    assert client.get("/api/posts/1").json() == {"error": "none"}
    assert client.get("/api/posts/2").json() == {"id": 2, "title": "second"}
    assert client.put("/api/posts").status_code == 405


def request_and_response() -> App:
    app = App()

    @app.get("/nothing")
    def nothing(req: Request, res: Response):  # type: ignore[no-untyped-def]
        res.status_code = 418
        res.headers["X-Method"] = req.method
        res.set_cookie("seen", "yes")

    @app.get("/value")
    async def value(req: Request, res: Response):  # type: ignore[no-untyped-def]
        res.status_code = 418
        res.headers["X-Method"] = req.method
        res.set_cookie("seen", "yes")
        return {"path": req.url.path}

    @app.get("/itself")
    def itself(req: Request, res: Response):  # type: ignore[no-untyped-def]
        res.status_code = 418
        res.headers["X-Method"] = req.method
        res.headers["Content-Type"] = "text/plain"
        res.set_cookie("seen", "yes")
        res.body = b"short and stout"
        return res

    @app.post("/created", status_code=201)
    def created(req: Request, res: Response):  # type: ignore[no-untyped-def]
        res.set_cookie("seen", "yes")
        return res

    @app.get("/another")
    async def another(req: Request, res: Response):  # type: ignore[no-untyped-def]
        res.set_cookie("seen", "no")
        return JSONResponse({"tea": True}, status_code=418)

    return app


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/nothing", 418, b"null"),
        ("GET", "/value", 418, b'{"path":"/value"}'),
        ("GET", "/itself", 418, b"short and stout"),
        ("POST", "/created", 201, b""),
        # As in FastAPI, what was set on `res` is not for another response.
        ("GET", "/another", 418, b'{"tea":true}'),
    ],
)
@pytest.mark.parametrize("around", [False, True], ids=["direct", "behind middleware"])
def test_an_endpoint_of_request_and_response(
    around: bool, method: str, path: str, status: int, body: bytes
) -> None:
    app = request_and_response()
    if around:
        app.add_middleware(GZipMiddleware)
    answer = TestClient(app).request(method, path)
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["content-length"] == str(len(body))
    if path != "/created":
        assert answer.headers.get("x-method") == (None if path == "/another" else method)
    assert answer.cookies.get("seen") == (None if path == "/another" else "yes")


# --- Middleware and events ---


def test_middleware_of_request_and_response() -> None:
    app = App()
    seen: list[str] = []

    @app.add_middleware
    def log(req, res):  # type: ignore[no-untyped-def]
        seen.append(f"{req.method} {req.url.path} {res.status_code}")
        res.headers["X-Seen"] = str(len(seen))

    @app.add_middleware
    async def no_tea(req, res):  # type: ignore[no-untyped-def]
        if res.status_code == 418:
            return JSONResponse({"error": "no tea"}, status_code=503)
        return res

    @app.get("/")
    def home() -> str:
        return "hello"

    @app.get("/tea")
    def tea() -> Response:
        return Response(status_code=418)

    client = TestClient(app)
    assert client.get("/").headers["x-seen"] == "1"
    assert client.get("/nowhere").headers["x-seen"] == "2"
    assert (client.get("/tea").status_code, client.get("/tea").json()) == (503, {"error": "no tea"})
    assert seen == ["GET / 200", "GET /nowhere 404", "GET /tea 418", "GET /tea 418"]


def test_events() -> None:
    app = App()
    events: list[str] = []

    @app.on_event("startup")
    async def startup() -> None:
        events.append("startup")

    @app.on_event("shutdown")
    def shutdown() -> None:
        events.append("shutdown")

    @app.get("/")
    def home() -> list[str]:
        return events

    with TestClient(app) as client:
        assert client.get("/").json() == ["startup"]
    assert events == ["startup", "shutdown"]


# --- WebSockets ---


def test_a_plain_handler_blocks_its_own_thread_only() -> None:
    app = App()
    threads: set[int] = set()

    @app.websocket("/ws")
    def handler(ws):  # type: ignore[no-untyped-def]
        threads.add(threading.get_ident())
        ws.accept()
        while True:
            text = ws.receive_text()
            if text == "bye":
                break
            ws.send_json({"echo": text})
        ws.close()

    @app.get("/")
    async def home() -> str:
        return "free"

    with (
        TestClient(app) as client,
        client.websocket_connect("/ws") as one,
        client.websocket_connect("/ws") as two,
    ):
        # Both wait for a message now, and the app answers all the same.
        assert client.get("/").json() == "free"
        two.send_text("second")
        one.send_text("first")
        assert one.receive_json() == {"echo": "first"}
        assert two.receive_json() == {"echo": "second"}
        one.send_text("bye")
        with pytest.raises(WebSocketDisconnect) as left:
            one.receive_text()
        assert left.value.code == 1000
        two.send_text("still here")
        assert two.receive_json() == {"echo": "still here"}
        two.send_text("bye")
    assert len(threads) == 2
    assert threading.get_ident() not in threads


class Message(BaseModel):
    user: str
    text: str


class ConnectionManager:
    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active_connections.remove(websocket)

    async def broadcast(self, message: dict[str, Any]) -> None:
        for connection in self.active_connections:
            await connection.send_json(message)


def chat() -> FastWeb:
    app = FastWeb()
    manager = ConnectionManager()
    messages: list[Message] = []

    @app.get("/messages")
    async def list_messages() -> list[Message]:
        return messages

    @app.post("/messages", status_code=201)
    async def post_message(message: Message) -> Message:
        messages.append(message)
        await manager.broadcast({"type": "message", **message.model_dump()})
        return message

    @app.websocket("/ws/{user}")
    async def websocket_endpoint(websocket: WebSocket, user: str) -> None:
        await manager.connect(websocket)
        try:
            while True:
                message = Message(user=user, text=await websocket.receive_text())
                messages.append(message)
                await manager.broadcast({"type": "message", **message.model_dump()})
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            await manager.broadcast({"type": "left", "user": user})

    return app


def test_a_chat_over_rest_and_websocket() -> None:
    with TestClient(chat()) as client, client.websocket_connect("/ws/ada") as ada:
        with client.websocket_connect("/ws/bob") as bob:
            bob.send_text("hi")
            said = {"type": "message", "user": "bob", "text": "hi"}
            assert ada.receive_json() == bob.receive_json() == said
            assert client.post("/messages", json={"user": "eve", "text": "hm"}).status_code == 201
            said = {"type": "message", "user": "eve", "text": "hm"}
            assert ada.receive_json() == bob.receive_json() == said
        assert ada.receive_json() == {"type": "left", "user": "bob"}
        assert [message["user"] for message in client.get("/messages").json()] == ["bob", "eve"]
        assert client.post("/messages", json={"user": "eve"}).status_code == 422
