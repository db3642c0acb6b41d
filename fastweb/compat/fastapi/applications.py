"""`fastapi.applications`."""

from __future__ import annotations

from fastweb.applications import FastWeb
from fastweb.compat.naming import named

# An API without a title is called as the genuine ones are.
FastWeb.default_title = "FastAPI"

__getattr__ = named(__name__, {}, rest="fastweb.applications")
