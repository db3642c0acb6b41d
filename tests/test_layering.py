"""The floors of the house: a module imports only from below, and each can be imported alone.

The rule is `FLOORS`; a new file or folder of fastweb/ gets its line there first.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "fastweb"

#: Room -> floor. A room is a file or a folder directly in fastweb/.
FLOORS = {
    room: floor
    for floor, rooms in enumerate(
        (
            "_speedups limits types status",
            "datastructures exceptions params fields concurrency background config convertors paths lifespan"
            " resources"
            " streams asgi asgi_websocket wsgi",
            "requests responses websockets sse jsonl formparsers models model_class model_fields"
            " validation encoders",
            "dependencies security openapi middleware authentication routing endpoints exception_handlers"
            " staticfiles templating schemas",
            "applications testclient",
            "cli compat __main__",
        )
    )
    for room in rooms.split()
}

#: Side towers stand on floors 0 and 1 and on the towers named here; floors 4 and 5 may use them.
TOWERS: dict[str, set[str]] = {
    "server": set(),
    "postgres": set(),
    "cache": set(),
    "channels": set(),
    "database": {"postgres"},
    "monitoring": set(),
}

KNOWN = FLOORS.keys() | TOWERS.keys()

#: `fastweb` itself, the public names: for floor 5 and users.
ROOT = "fastweb"

#: What the hot modules may import beside the standard library and each other.
SPEEDUPS_MAY_IMPORT = {"msgspec", "orjson", "cython"}

#: What `import fastweb; fastweb.FastWeb()` leaves alone until it is used: what is optional, and what it costs
#: most to load. All together it takes 0.15 of the time of FastAPI's; asyncio alone is as much again, ssl and
#: inspect in it, and so is validation with msgspec.
LAZY = {
    *("pydantic", "uvloop", "psycopg", "jinja2", "redis", "click", "rich", "trio", "uvicorn", "httpx"),
    *("httpx2", "watchfiles", "anyio", "httptools", "msgspec", "orjson", "python_multipart", "itsdangerous"),
    *("asyncio", "concurrent.futures", "dataclasses", "datetime", "decimal", "email", "http.cookies"),
    *(
        "importlib.abc",
        "importlib.resources",
        "inspect",
        "json",
        "logging",
        "mimetypes",
        "pathlib",
        "secrets",
    ),
    *("socket", "ssl", "subprocess", "tempfile", "traceback", "urllib.request", "uuid"),
    *("fastweb.cli", "fastweb.compat", "fastweb.dependencies", "fastweb.encoders", "fastweb.fields"),
    *("fastweb.formparsers", "fastweb.limits", "fastweb.models", "fastweb.model_class"),
    *("fastweb.openapi.docs", "fastweb.openapi.models", "fastweb.openapi.routes", "fastweb.openapi.schemas"),
    "fastweb.openapi.utils",
    *("fastweb.params", "fastweb.routing.api_route", "fastweb.security", "fastweb.server"),
    *("fastweb.staticfiles", "fastweb.templating", "fastweb.testclient", "fastweb.validation"),
}

#: What a route needs beside: not even an app with routes loads these before they are used.
LAZY_WITH_ROUTES = {
    *("pydantic", "uvloop", "click", "rich", "anyio", "httptools", "fastweb.cli", "fastweb.server"),
    *("email", "http.cookies", "importlib.resources", "mimetypes", "tempfile", "urllib.request"),
    *("fastweb.openapi.utils", "fastweb.validation.json_schema", "fastweb.validation.pydantic_backend"),
}


class Import(NamedTuple):
    importer: str
    imported: str
    line: int
    at_import: bool


def modules() -> dict[str, Path]:
    """Every module of fastweb, by its full name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def room_of(module: str) -> str:
    """fastweb.validation.walker -> validation; fastweb -> fastweb."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ROOT


def is_type_checking(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    name = node.test
    return (isinstance(name, ast.Name) and name.id == "TYPE_CHECKING") or (
        isinstance(name, ast.Attribute) and name.attr == "TYPE_CHECKING"
    )


def walk(node: ast.AST, *, in_function: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import statement, and whether it is in a function; `if TYPE_CHECKING:` imports nothing."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, in_function
    if isinstance(node, ast.If) and is_type_checking(node):
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from walk(child, in_function=inside)


def imports_of(module: str) -> Iterator[Import]:
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node, in_function in walk(ast.parse(path.read_bytes()), in_function=False):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            # `from fastweb import limits` means the module where there is one, else a name of the package.
            names = [f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in node.names]
        for name in dict.fromkeys(names):
            yield Import(module, name, node.lineno, not in_function)


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(found for module in MODULES for found in imports_of(module))


def own_imports() -> list[Import]:
    return [found for found in all_imports() if found.imported.split(".")[0] == ROOT]


def may_import(importer: str, imported: str) -> bool:
    """Whether a room may import from another."""
    if importer == imported:
        return True
    if importer == ROOT:
        return imported in TOWERS or FLOORS[imported] <= 4
    if imported == ROOT:
        return FLOORS.get(importer) == 5
    if importer in TOWERS:
        return imported in TOWERS[importer] or FLOORS.get(imported, 9) <= 1
    if imported in TOWERS:
        return FLOORS[importer] >= 4
    return FLOORS[imported] <= FLOORS[importer]


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module) for module in MODULES} - {ROOT}
    assert rooms - KNOWN == set(), "give each new room a floor in FLOORS or a place in TOWERS"


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("routing", "requests", True),
        ("requests", "routing", False),
        ("requests", "responses", True),
        ("server", "limits", True),
        ("server", "requests", False),
        ("server", "cache", False),
        ("database", "postgres", True),
        ("applications", "server", True),
        ("routing", "server", False),
        ("applications", "cli", False),
        ("applications", "fastweb", False),
        ("cli", "fastweb", True),
        ("fastweb", "applications", True),
        ("fastweb", "cli", False),
    ],
)
def test_the_rule(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


def test_imports_only_go_down() -> None:
    wrong = [
        f"{found.importer}:{found.line} imports {found.imported}"
        for found in own_imports()
        if {room_of(found.importer), room_of(found.imported)} <= KNOWN | {ROOT}
        if not may_import(room_of(found.importer), room_of(found.imported))
    ]
    assert wrong == []


def test_what_is_imported_exists() -> None:
    wrong = [
        f"{found.importer}:{found.line} imports {found.imported}"
        for found in own_imports()
        if found.imported not in MODULES
    ]
    assert wrong == []


def test_no_module_is_imported_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in own_imports():
        if found.at_import and found.imported != found.importer:
            graph[found.importer].add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_speedups_import_only_what_they_may() -> None:
    wrong = [
        f"{found.importer}:{found.line} imports {found.imported}"
        for found in all_imports()
        if room_of(found.importer) == "_speedups" and found.importer.startswith(ROOT)
        if found.imported.split(".")[0] not in SPEEDUPS_MAY_IMPORT | sys.stdlib_module_names
        and not found.imported.startswith("fastweb._speedups")
    ]
    assert wrong == []


def test_speedups_have_no_async_def() -> None:
    wrong = [
        f"{path.name}:{node.lineno}"
        for path in (SOURCE / "_speedups").glob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert wrong == [], "awaiting what Cython compiled is slower: hot code is sync"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def import_alone(module: str) -> str:
    """The last line of what went wrong, or nothing."""
    done = run(f"import sys; sys.path.append({str(SOURCE.parent)!r}); import {module}")
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


@pytest.mark.timeout(900)  # A process each, beside other tests.
def test_each_module_can_be_imported_alone() -> None:
    alone = [module for module in MODULES if not module.endswith("__main__")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = dict(zip(alone, pool.map(import_alone, alone), strict=True))
    assert {module: error for module, error in errors.items() if error} == {}


def loaded_by(code: str) -> set[str]:
    """The modules that a program loads, beside those that its interpreter starts with."""
    done = run(
        f"import sys; sys.path.append({str(SOURCE.parent)!r}); before = set(sys.modules)\n"
        f"{code}\nprint(*(set(sys.modules) - before))"
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_importing_fastweb_loads_nothing_of_it() -> None:
    loaded = loaded_by("import fastweb")
    assert {module for module in loaded if module.startswith("fastweb.")} == set()


def test_an_app_loads_what_it_uses() -> None:
    # The routes of the API's description are routes.
    assert loaded_by("import fastweb; fastweb.FastWeb(openapi_url=None)") & LAZY == set()


def test_an_app_with_routes_loads_what_it_uses() -> None:
    code = (
        "from fastweb import FastWeb\napp = FastWeb()\n@app.get('/items/{id}')\n"
        "async def item(id: int, q: str = '') -> dict[str, int]: ..."
    )
    assert loaded_by(code) & LAZY_WITH_ROUTES == set()
