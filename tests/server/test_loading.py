from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweb import FastWeb
from fastweb.server import StartupError
from fastweb.server.config import Config, ConfigError
from fastweb.server.interface import is_app
from fastweb.server.loading import load_app


@pytest.fixture
def imports() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    path, modules = sys.path[:], set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith("fastweb"):
            del sys.modules[name]


@pytest.mark.usefixtures("imports")
@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("main:app", {}),
        ("main", {}),
        ("main:make_app", {"factory": True}),
        ("main:App", {"factory": True}),
        ("{dir}/main.py", {}),
        ("{dir}/main.py:app", {}),
        ("package.inner:thing.app", {}),
        ("{dir}/package/inner.py:thing.app", {}),
        ("{dir}/package/one.py", {}),
    ],
)
def test_the_ways_to_name_an_app(app_dir: Path, target: str, options: dict[str, Any]) -> None:
    package = app_dir / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("from . import one\nclass thing:\n    app = one.web\n")
    (package / "one.py").write_text("from main import app as web\n")
    named = target.format(dir=app_dir)
    if os.name == "nt" and os.sep not in named:
        named = named.replace("/", os.sep)
    assert is_app(load_app(Config(app=named, app_dir=str(app_dir), **options)))


def test_an_object_is_its_own_name() -> None:
    app = FastWeb()
    assert load_app(Config(app=app)) is app
    made = load_app(Config(app=FastWeb, factory=True))
    assert isinstance(made, FastWeb)


@pytest.mark.usefixtures("imports")
@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("mian:app", "no module named 'mian' .*; did you mean 'main'"),
        ("main.inner:app", "'main' is not a package"),
        ("main:ap", "main has no attribute 'ap'; did you mean 'app'"),
        ("main:nothing", "main has no attribute 'nothing'; it has the app 'app'"),
        ("main:app.inner", "main:app has no attribute 'inner'"),
        ("main:number", "main:number is an int, not an app"),
        ("main:App", "is the class App, not an app: if calling it makes the app, add --factory"),
        ("main:make_app", "is a function, not an app: if calling it makes the app, add --factory"),
        ("main:none", "is None, not an app"),
        ("empty", "empty has no app"),
        ("several", "several apps: say which one, such as several:first"),
        ("main:", "expected module:attribute"),
        (":app", "expected module:attribute"),
        ("main:a b", "expected module:attribute"),
        ("ma-in:app", "'ma-in' is no module's name"),
        ("..main:app", "is no module's name"),
        ("mian.py", "there is no file mian.py"),
        ("./main.txt:app", "there is no file"),
        ("./notes.txt:app", "is no Python file"),
    ],
)
def test_a_name_that_leads_to_no_app_is_one_line(
    app_dir: Path, monkeypatch: pytest.MonkeyPatch, target: str, words: str
) -> None:
    monkeypatch.chdir(app_dir)
    with open(app_dir / "main.py", "a") as file:
        file.write("\nnumber = 1\nnone = None\n")
    (app_dir / "empty.py").write_text("import main\n")
    (app_dir / "several.py").write_text(
        "from main import make_app\nfirst = make_app()\nsecond = make_app()\n"
    )
    (app_dir / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match=words) as caught:
        load_app(Config(app=target, app_dir=str(app_dir)))
    assert caught.value.exit_code == 2
    assert caught.value.details == ""
    assert "\n" not in caught.value.message


@pytest.mark.usefixtures("imports")
@pytest.mark.parametrize(
    ("source", "message", "details"),
    [
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'", "line 1"),
        ("x = 1\ndef f():\n    return 1 / 0\nf()", "ZeroDivisionError", "line 3, in f"),
        ("def f(:\n    pass", "SyntaxError", "broken.py"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines", "line 1"),
        ("import sys; sys.exit(4)", r"called sys.exit\(4\)", ""),
    ],
)
def test_an_error_in_the_users_module_is_shown_as_theirs(
    app_dir: Path, source: str, message: str, details: str
) -> None:
    (app_dir / "broken.py").write_text(source)
    with pytest.raises(StartupError, match=message) as caught:
        load_app(Config(app="broken:app", app_dir=str(app_dir)))
    error = caught.value
    assert error.exit_code == 1
    assert "\n" not in error.message
    assert details in error.details
    assert str(Path("fastweb", "server")) not in error.details
    assert "importlib" not in error.details


@pytest.mark.usefixtures("imports")
def test_an_error_in_a_factory(app_dir: Path) -> None:
    (app_dir / "made.py").write_text(
        "def bad():\n    raise KeyError('x')\nasync def slow(): ...\nplain = 1\n"
    )
    with pytest.raises(StartupError, match="the factory made:bad failed: KeyError: 'x'") as caught:
        load_app(Config(app="made:bad", app_dir=str(app_dir), factory=True))
    assert "line 2, in bad" in caught.value.details
    for name, words in (("slow", "is async"), ("plain", "is an int, not an app")):
        with pytest.raises(ConfigError, match=words):
            load_app(Config(app=f"made:{name}", app_dir=str(app_dir), factory=True))
    with pytest.raises(ConfigError, match="name the factory"):
        load_app(Config(app="made", app_dir=str(app_dir), factory=True))


@pytest.mark.usefixtures("imports")
def test_an_app_that_runs_itself_when_it_is_imported(app_dir: Path) -> None:
    with open(app_dir / "main.py", "a") as file:
        file.write("\nfrom fastweb.server import run\nrun(app)\n")
    with pytest.raises(StartupError, match='put it below `if __name__ == "__main__":`'):
        load_app(Config(app="main:app", app_dir=str(app_dir)))


APPS = """
import functools, sys

async def asgi(scope, receive, send): ...
async def asgi_more(scope, receive, send, *, option=1): ...
async def anything(*args, **kwargs): ...
def wsgi(environ, start_response): return []
def wsgi_more(environ, start_response, option=1): return []
def any_wsgi(*args): return []
def asgi_by_three(scope, receive, send): return asgi(scope, receive, send)
def asgi2(scope): ...
def one(scope, option): ...
async def half(scope): ...
async def two(a, b): ...
def none(): ...

@functools.wraps(asgi)
def wrapped(*args): return asgi(*args)

class ASGI:
    async def __call__(self, scope, receive, send): ...
class WSGI:
    def __call__(self, environ, start_response): return []
class ASGI2:
    def __init__(self, scope): ...
    async def __call__(self, receive, send): ...
class Awaited:
    def __init__(self, scope, receive, send): ...
    def __await__(self): yield
class WithMethods:
    async def asgi(self, scope, receive, send): ...
    def wsgi(self, environ, start_response): return []

asgi_instance, wsgi_instance, methods = ASGI(), WSGI(), WithMethods()
partial_asgi = functools.partial(asgi_more, option=2)
partial_wsgi = functools.partial(lambda a, environ, start_response: [], 1)
a_module, a_number, builtin = sys, 1, len
"""


@pytest.mark.parametrize(
    ("name", "interface"),
    [
        ("asgi", "asgi"),
        ("asgi_more", "asgi"),
        ("anything", "asgi"),
        ("wrapped", "asgi"),
        ("asgi_by_three", "asgi"),
        ("asgi_instance", "asgi"),
        ("methods.asgi", "asgi"),
        ("partial_asgi", "asgi"),
        ("Awaited", "asgi"),
        ("wsgi", "wsgi"),
        ("wsgi_more", "wsgi"),
        ("any_wsgi", "wsgi"),
        ("wsgi_instance", "wsgi"),
        ("methods.wsgi", "wsgi"),
        ("partial_wsgi", "wsgi"),
        ("asgi2", "of ASGI 2 (called with the scope, then with receive and send): wrap it with asgiref"),
        ("ASGI2", "other:ASGI2 is the class ASGI2 of ASGI 2"),
        ("half", "is a function, not an app: if calling it makes the app, add --factory"),
        ("two", "is a function, not an app"),
        ("none", "is a function, not an app: if calling it makes the app, add --factory"),
        ("ASGI", "is the class ASGI, not an app: if calling it makes the app, add --factory"),
        ("a_module", "is a module, not an app: expected an instance of fastweb.FastWeb, or an ASGI or WSGI"),
        (
            "a_number",
            "is an int, not an app: expected an instance of fastweb.FastWeb, or an ASGI or WSGI app",
        ),
    ],
)
def test_what_an_app_speaks(app_dir: Path, name: str, interface: str) -> None:
    (app_dir / "other.py").write_text(APPS)
    config = Config(app=f"other:{name}", app_dir=str(app_dir))
    if len(interface) == 4:
        app: Any = load_app(config)
        assert is_app(app)
        assert app.interface == interface
    else:
        with pytest.raises(ConfigError, match=re.escape(interface)):
            load_app(config)


@pytest.mark.parametrize(
    ("name", "interface", "expected"),
    [
        ("wsgi", "asgi", "asgi"),
        ("any_wsgi", "asgi", "asgi"),
        ("asgi", "wsgi", "wsgi"),
        ("asgi", "fastweb", "is a function, not an app of fastweb's: leave --interface out"),
        ("a_number", "wsgi", "is an int, which is no wsgi app: it cannot be called"),
    ],
)
def test_an_interface_can_be_forced(app_dir: Path, name: str, interface: str, expected: str) -> None:
    (app_dir / "other.py").write_text(APPS)
    config = Config(app=f"other:{name}", app_dir=str(app_dir), interface=interface)
    if len(expected) == 4:
        app: Any = load_app(config)
        assert app.interface == expected
    else:
        with pytest.raises(ConfigError, match=re.escape(expected)):
            load_app(config)


def test_apps_by_their_usual_names(app_dir: Path) -> None:
    for module, source in (
        ("one", "def application(environ, start_response): ...\ndef helper(a, b): ..."),
        ("two", "async def asgi_app(scope, receive, send): ...\ndef wsgi_app(environ, start_response): ..."),
    ):
        (app_dir / f"{module}.py").write_text(source)
    app: Any = load_app(Config(app="one", app_dir=str(app_dir)))
    assert app.interface == "wsgi"
    app = load_app(Config(app="two", app_dir=str(app_dir)))
    assert app.interface == "asgi"


def test_the_root_path_of_an_app_of_ours(app_dir: Path) -> None:
    (app_dir / "own.py").write_text(
        "from fastweb import FastWeb\napp = FastWeb()\nother = FastWeb(root_path='/own')"
    )
    for name, expected in (("app", "/api"), ("other", "/own")):
        app: Any = load_app(Config(app=f"own:{name}", app_dir=str(app_dir), root_path="/api"))
        assert app.root_path == expected
