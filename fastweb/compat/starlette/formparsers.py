"""`starlette.formparsers`."""

from __future__ import annotations

import enum
import warnings
from typing import Any

from fastweb.compat.naming import named
from fastweb.exceptions import StarletteDeprecationWarning


class _Deprecated(enum.EnumMeta):
    """Warns of a member being looked up."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        words = "`FormMessage` is deprecated: no parser makes use of it"
        warnings.warn(words, StarletteDeprecationWarning, stacklevel=2)
        return super().__call__(*args, **kwargs)


class FormMessage(enum.Enum, metaclass=_Deprecated):
    """What parsers of forms once told each other."""

    FIELD_START = 1
    FIELD_NAME = 2
    FIELD_DATA = 3
    FIELD_END = 4
    END = 5


__getattr__ = named(__name__, {}, rest="fastweb.formparsers")
