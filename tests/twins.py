"""One body of Python run twice, over pydantic's BaseModel and over fastweb's, to compare what they do."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import pathlib
import re
import sys
import types
import typing
import uuid
from typing import Any

import pydantic
import typing_extensions

from fastweb import models

_NAMES = {
    **{name: getattr(typing, name) for name in typing.__all__},
    "TypedDict": typing_extensions.TypedDict,
    "Required": typing_extensions.Required,
    "collections": collections,
    "dataclasses": dataclasses,
    "datetime": datetime,
    "decimal": decimal,
    "enum": enum,
    "ipaddress": ipaddress,
    "pathlib": pathlib,
    "re": re,
    "uuid": uuid,
}


def twins(body: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The names that the body defines: over pydantic, and over fastweb."""
    return _run(body, f"{name}_pydantic", pydantic), _run(body, f"{name}_fastweb", models)


def _run(body: str, name: str, library: Any) -> dict[str, Any]:
    module = types.ModuleType(name)
    sys.modules[name] = module  # names in annotations are looked up there, and pickle looks there
    names = module.__dict__
    names.update(_NAMES)
    for each in ("BaseModel", "ConfigDict", "Field", "PrivateAttr", "ValidationError"):
        names[each] = getattr(library, each)
    exec(body, names)
    return names


def outcome(function: Any, *args: Any, **options: Any) -> Any:
    """What a call gives, or what it raises: the errors of a validation, the class of another exception."""
    try:
        return function(*args, **options)
    except pydantic.ValidationError as error:
        return plain_errors(error.errors(include_url=False))
    except models.ValidationError as error:
        return plain_errors(error.errors())
    except Exception as error:
        return type(error)


def plain_errors(errors: Any) -> list[Any]:
    """Errors without their input, which has another class in each of the twins."""
    found = []
    for error in errors:
        kept = {name: value for name, value in error.items() if name not in ("input", "ctx")}
        found.append({**kept, "ctx": sorted(error.get("ctx", {}))})
    return found
