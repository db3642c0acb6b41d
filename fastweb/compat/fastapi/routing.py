"""`fastapi.routing`."""

from __future__ import annotations

from fastweb.compat.naming import named


class _IncludedRouter:
    """What FastAPI keeps an included router as. fastweb has its routes instead, so that there is none."""


__getattr__ = named(__name__, {}, rest="fastweb.routing")
