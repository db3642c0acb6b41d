"""The hot code: one source, run as it is or compiled by Cython.

`router.py` and the `router.*.so` made of it stand side by side, and Python takes the compiled one.
FASTWEB_PURE=1 in the environment makes it take the source. A module whose name starts with an underscore is
never compiled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

__all__ = ["hot_modules", "is_compiled"]


class SourceFinder:
    """Finds the modules of this package in their .py files, whatever lies beside them.

    A finder by its method alone: `importlib.abc`, where their base class is, costs an import of 10 ms.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or fullname.rpartition(".")[0] != __name__:
            return None
        for folder in path:
            spec = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(fullname)
            if spec is not None:
                return spec
        return None


def hot_modules() -> list[str]:
    """The full names of the modules that are compiled where that is possible."""
    from pkgutil import iter_modules

    names = {module.name for module in iter_modules(__path__)}
    return [f"{__name__}.{name}" for name in sorted(names) if not name.startswith("_")]


def is_compiled() -> bool:
    """True where every hot module is the compiled one, False where any runs as plain Python."""
    from importlib.util import find_spec

    specs = [find_spec(name) for name in hot_modules()]
    compiled = [spec is not None and isinstance(spec.loader, ExtensionFileLoader) for spec in specs]
    return bool(compiled) and all(compiled)


# Before any module of the package can be imported.
if os.environ.get("FASTWEB_PURE", "") not in ("", "0") and not any(
    type(finder).__name__ == SourceFinder.__name__ for finder in sys.meta_path
):
    sys.meta_path.insert(0, SourceFinder())
