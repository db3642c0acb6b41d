from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastweb.cli import main

APP = """
from functools import partial, wraps


class Route:
    def __init__(self, path, endpoint, methods=None, name=""):
        self.path, self.endpoint, self.methods, self.name = path, endpoint, methods, name


class WebSocketRoute(Route):
    pass


class Mount:
    def __init__(self, path, routes=(), app=None, name=""):
        self.path, self.routes, self.app, self.name = path, list(routes), app, name


def users(): ...


def logged(function):
    @wraps(function)
    def inner(): ...

    return inner


@logged
def user(): ...


class App:
    routes = []

    def open_stream(self, stream): ...

    def wants_head(self, stream): ...

    def lifespan(self): ...


app, empty = App(), App()
app.routes = [
    Route("/users", users, {"HEAD", "GET"}, "list_users"),
    Route("/users/{user_id}", user, {"PUT", "DELETE"}, "change_user"),
    Mount("/inner", [Route("/", partial(users), {"POST"}), Mount("/deeper", [WebSocketRoute("/ws", users)])]),
    Mount("/static", app=object(), name="static"),
]
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Of a name that no other test imports: this process keeps it.
    (tmp_path / "routed.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", sys.path[:])
    monkeypatch.delitem(sys.modules, "routed", raising=False)
    return tmp_path


@pytest.mark.usefixtures("directory")
def test_the_routes_are_a_table() -> None:
    result = CliRunner().invoke(main, ["routes", "routed:app"])
    assert result.exit_code == 0
    lines = [re.split(r"\s{2,}", line) for line in result.output.splitlines()]
    users = APP[: APP.index("def users")].count("\n") + 1
    user = APP[: APP.index("@logged")].count("\n") + 1
    assert lines == [
        ["METHODS", "PATH", "NAME", "ENDPOINT"],
        ["GET", "/users", "list_users", f"routed.py:{users}"],
        ["DELETE,PUT", "/users/{user_id}", "change_user", f"routed.py:{user}"],
        ["POST", "/inner/", f"routed.py:{users}"],
        ["WS", "/inner/deeper/ws", f"routed.py:{users}"],
        ["MOUNT", "/static", "static", "object"],
    ]
    columns = {line.index("PATH") for line in result.output.splitlines()[:1]}
    assert columns == {line.index("/") for line in result.output.splitlines()[1:]}


def test_a_narrow_terminal_keeps_the_line_numbers(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastweb.cli.routes import _table

    rows = [("GET", "/users", "users", os.path.join("very", "long", "path", "to", "users.py:123"))]
    *_, narrow = _table(rows, 40)
    *_, wide = _table(rows, None)
    assert len(narrow) <= 40
    assert narrow.endswith("users.py:123")
    assert "…" in narrow
    assert wide.endswith(rows[0][3])


@pytest.mark.usefixtures("directory")
def test_an_app_without_routes_and_no_app() -> None:
    result = CliRunner().invoke(main, ["routes", "routed.py:empty"])
    assert (result.exit_code, result.output) == (0, "The app has no routes.\n")
    result = CliRunner().invoke(main, ["routes", "routed:route"])
    assert result.exit_code == 2
    assert result.output.startswith("Error: routed has no attribute 'route'; did you mean 'Route'")
    assert result.output.count("\n") == 1
