"""`starlette.applications`."""

from __future__ import annotations

from fastweb.compat.naming import named

__getattr__ = named(__name__, {"Starlette": "fastweb.applications:Application"}, rest="fastweb.applications")
