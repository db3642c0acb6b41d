"""FastAPI's and Starlette's names, answered by fastweb: their apps, tests and extensions run unchanged.

    python -m fastweb.compat -m pytest
    python -m fastweb.compat app.py
    fastweb run --compat app:app

From the interpreter's start on, `import fastapi…` and `import starlette…` give fastweb's modules of the same
name, or the thin ones in `fastweb/compat/fastapi/` and `fastweb/compat/starlette/` where names differ. Copies
of the genuine packages lose, and the processes that an app starts inherit it through the environment.
`install` is the same within a process that runs already.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fastweb.compat.finder import ANSWERED, Finder, Gap, gaps

__all__ = ["ROOT_VARIABLE", "Gap", "environment", "install", "report"]

#: Holds the folder that fastweb is imported from, where compat is on. `startup/sitecustomize.py` reads it.
ROOT_VARIABLE = "FASTWEB_COMPAT"
_STARTUP = str(Path(__file__).parent / "startup")


def environment() -> dict[str, str]:
    """The variables that switch compat on in a Python started with them, beside those of `os.environ`."""
    folders = [_STARTUP]
    folders += [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return {
        ROOT_VARIABLE: str(Path(__file__).resolve().parent.parent.parent),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(folders)),
    }


def install() -> None:
    """Answer from here on, in this process and in those that it starts.

    Raises:
        RuntimeError: a genuine FastAPI or Starlette has been imported already.
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    for name in ANSWERED:
        if name in sys.modules:
            raise RuntimeError(
                f"{name} has been imported already, from {sys.modules[name].__file__}: call"
                " fastweb.compat.install() before, or start with `python -m fastweb.compat`"
            )
    sys.meta_path.insert(0, Finder())
    os.environ.update(environment())


def report() -> list[Gap]:
    """What this process has asked for so far that fastweb lacks, or has in part, in the order of asking."""
    return gaps()
