"""The examples do what they say, served as their first lines say, and under TestClient."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from fastweb import FastWeb, _speedups
from fastweb.testclient import TestClient

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: Where fastweb itself is imported from, which may be an installed one.
IMPORTED = Path(_speedups.__file__).resolve().parent.parent.parent
PYTHON = [sys.executable, "-W", "error"]

needs_signals = pytest.mark.skipif(os.name != "posix", reason="servers are ended by a signal")


class Served:
    """An app of examples/ under `fastweb run`, in a directory of its own."""

    def __init__(self, name: str, directory: Path, *arguments: str, **variables: str) -> None:
        self.log = directory / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*PYTHON, "-m", "fastweb", "run", str(EXAMPLES / name), "--port", "0", *arguments],
                cwd=directory,
                env={**os.environ, "PYTHONPATH": str(IMPORTED), "WEB_CONCURRENCY": "", **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while "Ctrl+C" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(self.log.read_text())
            time.sleep(0.02)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.log.read_text())
        assert found is not None
        self.port = int(found[1])

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """Makes servers, and ends those that a test leaves."""
    servers: list[Served] = []

    def serve(name: str, *arguments: str, **variables: str) -> Served:
        servers.append(Served(name, tmp_path, *arguments, **variables))
        return servers[-1]

    yield serve
    for server in servers:
        server.process.terminate()
        try:
            server.process.wait(60)
        finally:
            server.process.kill()


ADA = {"name": "Ada", "age": 36, "email": None, "id": 1}
BOB = {"name": "Bob", "age": 7, "email": "bob@example.org", "id": 2}


@needs_signals
def test_users_outlive_their_server(served: Any, tmp_path: Path) -> None:
    variables = {"USERS_DB": str(tmp_path / "elsewhere.db")}
    server = served("users.py", "--workers", "1", **variables)
    assert server.ask("GET", "/users") == (200, [])
    assert server.ask("POST", "/users", {"name": "Ada", "age": 36}) == (201, ADA)
    assert server.ask("POST", "/users", {"name": "Bob", "age": "7", "email": "bob@example.org"}) == (201, BOB)
    assert server.ask("GET", "/users/1") == (200, ADA)
    assert server.ask("GET", "/users/7") == (404, {"detail": "There is no user 7"})

    assert server.end(signal.SIGKILL) == -signal.SIGKILL

    server = served("users.py", "--workers", "1", **variables)
    assert server.ask("GET", "/users") == (200, [ADA, BOB])
    assert server.ask("GET", "/users?limit=1&offset=1") == (200, [BOB])
    assert server.end(signal.SIGTERM) == 0
    assert not (tmp_path / "users.db").exists()


@needs_signals
def test_two_workers_see_the_same_users(served: Any, tmp_path: Path) -> None:
    server = served("users.py", "--workers", "2")
    created = [server.ask("POST", "/users", {"name": f"U{number}", "age": number}) for number in range(20)]
    assert [status for status, _ in created] == [201] * 20
    assert [user["id"] for _, user in created] == list(range(1, 21))
    # Connections go to either worker.
    assert {json.dumps(server.ask("GET", "/users")) for _ in range(10)} == {
        json.dumps((200, [user for _, user in created]))
    }
    assert server.end(signal.SIGINT) == 0
    assert (tmp_path / "users.db").exists()


WRONG_TYPE = "Input should be a valid integer, unable to parse string as an integer"


@needs_signals
def test_bad_input_is_answered_by_what_is_wrong(served: Any) -> None:
    server = served("users.py", "--workers", "1")
    wrong = {"type": "int_parsing", "loc": ["path", "user_id"], "msg": WRONG_TYPE, "input": "seven"}
    assert server.ask("GET", "/users/seven") == (422, {"detail": [wrong]})
    status, body = server.ask("POST", "/users", {"name": "", "age": -1, "email": 3})
    assert status == 422
    assert [(error["type"], error["loc"]) for error in body["detail"]] == [
        ("string_too_short", ["body", "name"]),
        ("greater_than_equal", ["body", "age"]),
        ("string_type", ["body", "email"]),
    ]
    assert server.ask("GET", "/users?limit=101")[0] == 422
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert server.ask("GET", "/users") == (200, [])


def load(name: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> FastWeb:
    monkeypatch.setenv("USERS_DB", str(directory / "users.db"))
    spec = importlib.util.spec_from_file_location(f"example_{Path(name).stem}", EXAMPLES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    app: FastWeb = module.app
    return app


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_users_under_the_test_client(backend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = load("users.py", tmp_path, monkeypatch)
    with TestClient(app, backend=backend) as client:
        assert client.post("/users", json={"name": "Ada", "age": 36}).json() == ADA
        assert client.get("/users").json() == [ADA]
        assert client.get("/users/1").json() == ADA
        assert client.get("/users/2").status_code == 404
        assert client.get("/users/x").status_code == 422
        assert client.post("/users", json={"name": "Ada"}).json()["detail"][0]["loc"] == ["body", "age"]


def test_the_tests_of_the_shop(tmp_path: Path) -> None:
    """They stand beside it, for users to read, and run as users run them."""
    shutil.copytree(EXAMPLES / "shop", tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [*PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "shop"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(IMPORTED), "SHOP_DB": str(tmp_path / "unused.db")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "unused.db").exists()


@needs_signals
def test_a_served_shop(served: Any, tmp_path: Path) -> None:
    server = served("shop/main.py", "--workers", "1")
    assert server.ask("GET", "/products") == (200, {"items": [], "total": 0, "next": None})
    assert server.ask("POST", "/users", {"name": "ada", "password": "difference engine"})[0] == 201
    assert server.ask("POST", "/orders", {})[0] == 401
    # In a process that has loaded no pydantic: uploads, events, scopes.
    status, document = server.ask("GET", "/openapi.json")
    assert (status, document["info"]["title"]) == (200, "Shop")
    assert server.end(signal.SIGTERM) == 0
    assert (tmp_path / "shop.db").exists()


@pytest.fixture
def notes_database() -> Iterator[str]:
    from tests.postgres import servers

    server = servers.shared()
    name = f"notes_{os.getpid()}"
    server.execute(f'create database "{name}"')
    yield server.conninfo(dbname=name)
    server.execute(f'drop database "{name}" with (force)')


@needs_signals
def test_notes_in_postgresql(served: Any, notes_database: str) -> None:
    server = served("notes_pg.py", "--workers", "2", NOTES_DB=notes_database)
    assert server.ask("GET", "/notes") == (200, [])
    note = {"title": "A", "body": "first", "tags": ["x"]}
    status, made = server.ask("POST", "/notes", note)
    assert (status, {**made, "created": None}) == (201, {**note, "id": 1, "created": None})
    assert server.ask("POST", "/notes", note) == (409, {"detail": "there is a note 'A'"})
    assert server.ask("POST", "/notes", {"title": "B", "body": ""})[0] == 201
    status, listed = server.ask("GET", "/notes")
    assert [(each["id"], each["title"], each["tags"]) for each in listed] == [(1, "A", ["x"]), (3, "B", [])]
    assert [each["id"] for each in server.ask("GET", "/notes?tag=x")[1]] == [1]
    assert server.ask("GET", "/notes/1") == (200, made)
    assert server.ask("GET", "/notes/7") == (404, {"detail": "there is no note 7"})
    assert server.ask("GET", "/statistics") == (200, {"notes": 2, "letters": 5})
    assert server.ask("DELETE", "/notes/1") == (200, {"deleted": True})
    assert server.ask("DELETE", "/notes/1") == (200, {"deleted": False})
    assert server.ask("GET", "/notes/1")[0] == 404
    assert server.end(signal.SIGTERM) == 0


@needs_signals
def test_notes_without_a_database_do_not_start(served: Any) -> None:
    with pytest.raises(AssertionError) as raised:
        served("notes_pg.py", "--workers", "1", NOTES_DB="postgresql://127.0.0.1:1/nothing")
    lines = str(raised.value).strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Error: the app's start-up failed: <PgPool of 127.0.0.1")


def test_every_example_is_tested() -> None:
    tested = set(re.findall(r'"([\w/]+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    apps = [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*/main.py")]
    assert {path.relative_to(EXAMPLES).as_posix() for path in apps} <= tested


@needs_signals
def test_the_chat_of_a_served_shop(served: Any) -> None:
    server = served("shop/main.py", "--workers", "1")

    def chat(name: str) -> ClientConnection:
        account = {"name": name, "password": "difference engine"}
        assert server.ask("POST", "/users", account)[0] == 201
        form = f"username={name}&password=difference+engine"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
        token = json.loads(connection.getresponse().read())["access_token"]
        connection.close()
        return connect(f"ws://127.0.0.1:{server.port}/chat?token={token}", proxy=None)

    with chat("ada") as one:
        with chat("bob") as two:
            two.send("hello")
            for client in (one, two):
                assert json.loads(client.recv(60)) == {"from": "bob", "text": "hello"}
        assert json.loads(one.recv(60)) == {"left": "bob"}
        assert server.end(signal.SIGTERM) == 0
        with pytest.raises(ConnectionClosed) as end:
            one.recv(60)
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 1012
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), 5)
