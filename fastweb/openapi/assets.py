"""The JavaScript and CSS of the pages, where the extra `docs` is installed: pages that need no network.

The extra is `offapi` (a package of PyPI), which carries Swagger UI 5 and ReDoc and requires
nothing. Its files are read where they lie; it is not imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Asset", "redoc_assets", "swagger_ui_assets"]


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that a page loads.

    Arguments:
        name: its name in a URL.
        path: where it lies.
        media_type: what it is.
    """

    name: str
    path: Path
    media_type: str


_SCRIPT = "text/javascript"


def swagger_ui_assets() -> tuple[Asset, Asset] | None:
    """Swagger UI's script and style sheet; None where they are not installed."""
    script = _find("swagger_bundle.js")
    style = _find("swagger_style.css")
    if script is None or style is None:
        return None
    return Asset("swagger-ui-bundle.js", script, _SCRIPT), Asset("swagger-ui.css", style, "text/css")


def redoc_assets() -> tuple[Asset] | None:
    """ReDoc's script, a module; None where it is not installed."""
    script = _find("redoc.js")
    return None if script is None else (Asset("redoc.standalone.mjs", script, _SCRIPT),)


@cache
def _find(name: str) -> Path | None:
    spec = importlib.util.find_spec("offapi")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(place, name)
        if path.is_file():
            return path
    return None
