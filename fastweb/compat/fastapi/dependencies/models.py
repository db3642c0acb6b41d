"""`fastapi.dependencies.models`."""

from __future__ import annotations

from fastweb.compat.naming import named

_HOMES = {"Dependant": "fastweb.dependencies.dependant"}

__getattr__ = named(__name__, _HOMES)
