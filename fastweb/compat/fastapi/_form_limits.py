"""`fastapi._form_limits`: the type of the option `form_limits`, private there though the option is not."""

from __future__ import annotations

from typing import TypedDict


class _FormLimits(TypedDict, total=False):
    """See `fastweb.APIRouter`."""

    max_fields: int
    max_files: int
    max_part_size: int
