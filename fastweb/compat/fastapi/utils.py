"""`fastapi.utils`."""

from __future__ import annotations

import re

from fastweb.compat.naming import named

_HOMES = {
    "generate_unique_id": "fastweb.routing.api_route",
    "is_body_allowed_for_status_code": "fastweb.responses:is_body_allowed",
}

__getattr__ = named(__name__, _HOMES)


def get_path_param_names(path: str) -> set[str]:
    """The names in a path's braces."""
    return set(re.findall(r"{(.*?)}", path))
