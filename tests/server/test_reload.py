from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastweb.server.config import Config, ConfigError
from fastweb.server.reload import Watched, watch, watched_directories

Serve = Callable[..., Any]
posix = pytest.mark.skipif(os.name != "posix", reason="signals between processes")


def test_what_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "a/b", "c"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    here, beside = str(tmp_path / "a"), str(tmp_path / "c")

    def watched(**options: Any) -> list[str]:
        return watched_directories(Config(**{"app": "main:app", **options}))

    assert watched() == [here]
    assert watched(app_dir=beside) == [beside]
    assert watched(app="../c/main.py:app") == [here, beside]
    assert watched(app="b/main.py") == [here]
    assert watched(script=f"{beside}/main.py") == [here, beside]
    assert watched(reload_dirs=("../c", "b", ".")) == [here, beside]
    with pytest.raises(ConfigError, match="cannot watch nowhere: there is no such directory"):
        watched(reload_dirs=("nowhere",))


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("main.py", True),
        ("a/b/c.py", True),
        ("templates/page.html", True),
        ("templates/page.jinja2", True),
        ("static/style.css", True),
        ("static/app.js", True),
        (".env", True),
        (".env.local", True),
        ("data/a.json", True),
        ("other/a.json", False),
        ("settings.yaml", True),
        (".hidden.yaml", True),
        ("generated.py", False),
        ("notes.txt", False),
        ("database.sqlite3", False),
        (".main.py.swp", False),
        ("main.py~", False),
        ("~main.py", False),
        (".#main.py", False),
        ("#main.py#", False),
        ("4913", False),
        ("main.pyc", False),
        ("__pycache__/main.py", False),
        ("node_modules/x/index.js", False),
        (".git/hooks/a.py", False),
        (".venv/lib/a.py", False),
        ("venv/lib/a.py", False),
    ],
)
def test_which_files_count(path: str, counts: bool) -> None:
    # A hidden directory above is nobody's business.
    watched = Watched(["/home/.me/app", "/srv"], ["*.yaml", "data/*.json"], ["generated.py"])
    assert watched(None, "/home/.me/app/" + path) is counts
    assert watched(None, "/srv/" + path) is counts


@pytest.mark.parametrize("installed", [True, False])
def test_changes_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    if installed:
        pytest.importorskip("watchfiles")
    else:
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    (tmp_path / "__pycache__").mkdir()
    seen: list[str] = []
    watch([str(tmp_path)], seen.append)

    def until_seen(name: str, number: int) -> None:
        deadline = time.monotonic() + 20
        while not any(path.endswith(name) for path in seen):
            assert time.monotonic() < deadline
            # Again and again, since a watch may take a moment to begin.
            (tmp_path / "note.txt").write_text(str(number))
            (tmp_path / "__pycache__" / "a.py").write_text(str(number))
            (tmp_path / name).write_text("x" * (number := number + 1))
            time.sleep(0.1)

    until_seen("one.py", 1)
    until_seen("two.py", 1)
    assert {os.path.basename(path) for path in seen} <= {"one.py", "two.py"}
    assert not any("__pycache__" in path for path in seen)


@posix
def test_the_app_is_loaded_again(serve: Serve, app_dir: Path) -> None:
    server = serve(reload=True).ready()
    first = server.get()
    assert first != str(server.process.pid)
    source = (app_dir / "main.py").read_text()

    def change(text: str, condition: Callable[[], Any]) -> None:
        written = 0

        def changed() -> bool:
            nonlocal written
            if written % 100 == 0:  # Once a second, since a watch may take a moment to begin.
                (app_dir / "main.py").write_text(f"{text}\n# {written}\n")
            written += 1
            return bool(condition())

        server.until(changed)

    change(source.replace("str(os.getpid())", '"changed"'), lambda: server.get() == "changed")
    assert "main.py changed: restarting" in server.err
    # A mistake does not end it.
    change("oh no", lambda: "SyntaxError" in server.err)
    assert server.process.poll() is None
    change(source.replace("str(os.getpid())", '"repaired"'), lambda: server.get() == "repaired")
    assert server.stop(signal.SIGINT) == 0
    assert server.refuses()


@posix
def test_templates_count_and_editors_files_do_not(serve: Serve, app_dir: Path) -> None:
    server = serve(reload=True, reload_includes=["*.yaml"]).ready()
    server.get()
    for name in ("page.html", "settings.yaml"):
        before = server.get()

        def changed(name: str = name, before: str = before) -> bool:
            (app_dir / ".page.html.swp").write_text("x")
            (app_dir / name).write_text(str(time.monotonic()))
            time.sleep(0.2)
            return bool(server.get() != before)

        server.until(changed)
        assert f"{name} changed: restarting" in server.err
    assert ".swp" not in server.err
    assert server.stop(signal.SIGINT) == 0


@posix
def test_a_server_that_cannot_listen(serve: Serve) -> None:
    server = serve(reload=True, uds="no/such/web.sock")
    assert server.wait() == 1
    assert "there is no directory" in server.err


@posix
def test_where_sockets_cannot_be_handed_on(start: Serve, app_dir: Path) -> None:
    """As on Windows: the worker binds for itself."""
    code = """
import sys
from fastweb.server.config import Config
from fastweb.server.reload import _run_portable
sys.exit(_run_portable(Config(app="main:app", app_dir=".", port=0, reload=True)))
"""
    server = start("-c", code).ready()
    first = server.get()
    touched = 0.0

    def again() -> bool:
        nonlocal touched
        if time.monotonic() - touched > 2:  # Now and then, since a watch may take a moment to begin.
            (app_dir / "main.py").touch()
            touched = time.monotonic()
        return bool(server.err.count("fastweb   ") >= 2)

    server.until(again)
    assert first.isdigit()
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.wait() == 0
