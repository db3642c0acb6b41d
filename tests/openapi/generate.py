"""Writes `documents/*.json` with the genuine FastAPI: in an environment that has it,

python tests/openapi/generate.py
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pydantic

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
from tests.openapi.apps import APPS, Framework

MODULES = ("datastructures", "params", "responses", "security", "sse")


def main() -> None:
    fastapi = importlib.import_module("fastapi")
    modules = {name: importlib.import_module(f"fastapi.{name}") for name in MODULES}
    framework = Framework(
        fastapi.FastAPI, fastapi.APIRouter, modules, BaseModel=pydantic.BaseModel, Field=pydantic.Field
    )
    for name, make in APPS.items():
        document = make(framework).openapi()
        path = Path(__file__).parent / "documents" / f"{name}.json"
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"fastapi {fastapi.__version__}, pydantic {pydantic.VERSION}: {len(APPS)} documents")  # noqa: T201


if __name__ == "__main__":
    main()
