"""`fastapi._compat`: private there; what tests and extensions ask it for."""

from __future__ import annotations

from pydantic import VERSION

PYDANTIC_VERSION = VERSION
PYDANTIC_VERSION_MINOR_TUPLE = tuple(int(part) for part in VERSION.split(".")[:2])
PYDANTIC_V2 = True
