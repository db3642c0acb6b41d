"""`fastapi.types`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastweb.compat.naming import named

DecoratedCallable = TypeVar("DecoratedCallable", bound=Callable[..., Any])

_HOMES = {"IncEx": "pydantic.main", "UnionType": "types"}

__getattr__ = named(__name__, _HOMES, rest="fastweb.types")
