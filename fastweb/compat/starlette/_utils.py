"""`starlette._utils`: private, and yet imported by many."""

from __future__ import annotations

from fastweb.compat.naming import named

_HOMES = {
    "create_collapsing_task_group": "fastweb.concurrency:collapsing_task_group",
    "get_route_path": "fastweb.paths",
    "is_async_callable": "fastweb.concurrency",
}

__getattr__ = named(__name__, _HOMES)
