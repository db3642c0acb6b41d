"""`fastapi.param_functions`: there functions that make the classes of `fastapi.params`, here the classes."""

from __future__ import annotations

from fastweb.compat.naming import named

_NAMES = ("Body", "Cookie", "Depends", "File", "Form", "Header", "Path", "Query", "Security")
_HOMES = dict.fromkeys(_NAMES, "fastweb.params")

__getattr__ = named(__name__, _HOMES)
