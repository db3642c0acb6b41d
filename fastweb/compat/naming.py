"""How the thin modules of compat are written: a table of names and of where fastweb has them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["named"]


def named(module: str, homes: Mapping[str, str], rest: str | None = None) -> Callable[[str], Any]:
    """A module's `__getattr__`, which finds its names when they are first asked for.

    Arguments:
        module: its `__name__`.
        homes: where fastweb has each name: "module:name", or "module" if it has it under the same name.
        rest: the module that has all other names.
    """

    def find(name: str) -> Any:
        home = homes.get(name) or rest
        if home is None or name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        source, _, attribute = home.partition(":")
        try:
            value = getattr(import_module(source), attribute or name)
        except ModuleNotFoundError as error:
            if error.name != source:
                raise
            raise AttributeError(f"module {module!r} has no attribute {name!r}: {error}") from None
        setattr(sys.modules[module], name, value)
        return value

    return find
