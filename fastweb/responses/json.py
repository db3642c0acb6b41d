"""Values as JSON."""

from __future__ import annotations

import math
import warnings
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, Self

from fastweb.exceptions import FastWebDeprecationWarning
from fastweb.responses.base import Response

__all__ = ["JSONResponse", "ORJSONResponse", "UJSONResponse"]


class JSONResponse(Response):
    """A value, written as JSON.

    Raises:
        TypeError: JSON has no form for the content.
        ValueError: the content has a float that is infinite or not a number.
    """

    media_type = "application/json"

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, media_type, background)

    def render(self, content: Any) -> bytes:
        """What `json.dumps` writes in its most compact form, faster where orjson writes the same."""
        # With it come dataclasses, inspect, json and uuid: they wait for the first answer.
        import orjson

        try:
            body = orjson.dumps(
                content,
                option=orjson.OPT_PASSTHROUGH_DATETIME
                | orjson.OPT_PASSTHROUGH_DATACLASS
                | orjson.OPT_PASSTHROUGH_SUBCLASS,
            )
        except TypeError:  # an int over 64 bits, a key that is no str, or what nobody can write
            return _dumps(content)
        # orjson writes null for NaN and the infinities, which are no JSON.
        if b"null" in body and not _is_finite(content):
            return _dumps(content)
        return body


def _dumps(content: Any) -> bytes:
    import json  # seldom needed

    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _is_finite(content: Any) -> bool:
    """Whether every float within what orjson has written is a finite one."""
    pending = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, float):
            if not math.isfinite(value):
                return False
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, (list, tuple)):
            pending.extend(value)
    return True


class _DeprecatedJSONResponse(JSONResponse):
    """What warns where an object, or a subclass, is made of it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if _DeprecatedJSONResponse in cls.__bases__:
            _warn(cls)
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if _DeprecatedJSONResponse not in cls.__bases__:
            _warn(cls.__mro__[1])


def _warn(cls: type[Any]) -> None:
    warnings.warn(
        f"{cls.__name__} is deprecated: where there is a return type or a response model, JSON is written at "
        "once and faster; elsewhere JSONResponse does the same",
        FastWebDeprecationWarning,
        stacklevel=3,
    )


class ORJSONResponse(_DeprecatedJSONResponse):
    """A value, written by orjson: keys of any type, and numpy's arrays, too. FastAPI deprecates it."""

    def render(self, content: Any) -> bytes:
        import orjson

        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)


class UJSONResponse(_DeprecatedJSONResponse):
    """A value, written by ujson, which is not a dependency of fastweb. FastAPI deprecates it.

    Raises:
        ModuleNotFoundError: ujson is not installed.
    """

    def render(self, content: Any) -> bytes:
        text: str = import_module("ujson").dumps(content, ensure_ascii=False)
        return text.encode()
