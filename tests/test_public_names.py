"""`fastweb` itself: its names are there, though none is loaded before it is used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import fastweb


def names_for_type_checkers() -> dict[str, str | None]:
    """What the block under `if TYPE_CHECKING` says: name -> module; None where it is a module itself."""
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse(Path(fastweb.__file__).read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            package, _, module = node.module.partition(".")
            if package == "fastweb":
                found |= {alias.name: module or None for alias in node.names}
    return found


def test_the_table_and_what_type_checkers_read_are_the_same() -> None:
    assert names_for_type_checkers() == fastweb._MODULES


@pytest.mark.parametrize("name", fastweb.__all__)
def test_each_name_is_what_its_module_has(name: str) -> None:
    module = fastweb._MODULES[name]
    value = getattr(fastweb, name)
    if module is None:
        assert value is importlib.import_module(f"fastweb.{name}")
    else:
        assert value is getattr(importlib.import_module(f"fastweb.{module}"), name)
    assert name in dir(fastweb)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'fastweb' has no attribute 'nothing'"):
        getattr(fastweb, "nothing")  # noqa: B009 - a type checker refuses the other way
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'fastweb'"):
        exec("from fastweb import nothing")


def test_all_its_names_can_be_imported_at_once() -> None:
    names: dict[str, object] = {}
    exec("from fastweb import *", names)
    assert names.keys() >= set(fastweb.__all__)


def test_a_module_is_there_without_an_import_of_its_own() -> None:
    code = "import fastweb; print(fastweb.responses.HTMLResponse.media_type)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=Path(fastweb.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("text/html\n", "")
