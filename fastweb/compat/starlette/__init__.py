"""`starlette`."""

from __future__ import annotations

from fastweb.compat.finder import ANSWERED

__version__ = ANSWERED["starlette"]
