"""Switches compat on when Python starts: `fastweb.compat.environment` puts this folder on PYTHONPATH.

It costs nothing until FastAPI, Starlette or the metadata of installed packages is asked for. A
`sitecustomize` that stands elsewhere runs, too.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any


class CompatAtStart:
    """Stands first in `sys.meta_path` until it is asked for something; then fastweb's own finder does."""

    def __init__(self, root: str) -> None:
        self.root = root

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> Any:
        if name == "fastweb":
            # This very fastweb, whatever else is called so; no folder of it gets onto sys.path.
            return PathFinder.find_spec(name, [self.root])
        if name.partition(".")[0] in ("fastapi", "starlette"):
            return self.finder().find_spec(name, path, target)
        return None

    def find_distributions(self, context: Any = None) -> Any:
        name = None if context is None else context.name
        if name is None or name.lower() in ("fastapi", "starlette"):
            return self.finder().find_distributions(context)
        return ()

    def finder(self) -> Any:
        from fastweb.compat.finder import Finder

        finders = [finder for finder in sys.meta_path if isinstance(finder, Finder)]
        if not finders:
            finders = [Finder()]
            sys.meta_path.insert(0, finders[0])
        return finders[0]


def run_the_next() -> None:
    """Run the `sitecustomize` that this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [folder for folder in sys.path if os.path.abspath(folder) != here]
    spec = PathFinder.find_spec(__name__, folders)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules[__name__] = module
        spec.loader.exec_module(module)


if __name__ == "sitecustomize":
    if root := os.environ.get("FASTWEB_COMPAT"):
        sys.meta_path.insert(0, CompatAtStart(root))
    run_the_next()
