"""Documents equal FastAPI's, which `generate.py` wrote down: with pydantic's models, and with ours."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

from fastweb import FastWeb, _speedups, models
from fastweb.routing import APIRouter
from tests.openapi.apps import APPS, Framework

HERE = Path(__file__).parent
#: Where fastweb itself is imported from.
ROOT = str(Path(_speedups.__file__).parent.parent.parent)


MODULE_NAMES = ("datastructures", "params", "responses", "security", "sse")
MODELS = {"pydantic": (pydantic.BaseModel, pydantic.Field), "fastweb": (models.BaseModel, models.Field)}


def framework(kind: str) -> Any:
    modules = {name: importlib.import_module(f"fastweb.{name}") for name in MODULE_NAMES}
    base, field = MODELS[kind]
    return Framework(FastWeb, APIRouter, modules, BaseModel=base, Field=field)


def differences(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in {**expected, **found}:
            if key not in expected:
                yield f"{place}/{key}: too much: {found[key]}"
            elif key not in found:
                yield f"{place}/{key}: missing: {expected[key]}"
            else:
                yield from differences(expected[key], found[key], f"{place}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{place}/{number}")
    elif expected != found:
        yield f"{place}: {expected!r}, but found {found!r}"


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", APPS)
def test_the_document_is_fastapis(name: str, kind: str) -> None:
    expected = json.loads((HERE / "documents" / f"{name}.json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(APPS[name](framework(kind)).openapi()))
    found["info"]["title"] = found["info"]["title"].replace("FastWeb", "FastAPI")
    assert list(differences(expected, found)) == []


def test_a_document_without_pydantic() -> None:
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from fastweb import FastWeb\n"
        "from fastweb.models import BaseModel\n"
        "app = FastWeb()\n"
        "class M(BaseModel):\n    a: int\n"
        "def post(m: M, q: int = 1) -> M: ...\n"
        "app.post('/')(post)\n"
        "print(*app.openapi()['components']['schemas'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["HTTPValidationError", "M", "ValidationError"], done.stderr


def test_duplicate_operation_ids_are_told() -> None:
    app = FastWeb()
    for path in ("/a", "/b"):
        app.get(path, operation_id="same")(lambda: None)
    with pytest.warns(UserWarning, match="Duplicate Operation ID same for function <lambda> at .*"):
        app.openapi()


def test_an_additional_response_that_has_no_status() -> None:
    app = FastWeb()
    app.get("/", responses={"hello": {"description": "d"}})(lambda: None)
    with pytest.raises(ValueError, match=r"'hello' .* is neither a status nor one of 1XX"):
        app.openapi()
