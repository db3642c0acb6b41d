"""Path templates, such as "/users/{id:int}/files/{name:path}": read, matched and filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fastweb.convertors import CONVERTOR_TYPES, Convertor
from fastweb.exceptions import FastWebError

__all__ = ["compile_path", "fill_path", "matcher_parts"]

_PARAMETER = re.compile("{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-zA-Z_][a-zA-Z0-9_]*))?}")

#: The kinds that the matcher knows by itself, and how it makes their values.
_BUILT_IN = {
    kind: (CONVERTOR_TYPES[kind], CONVERTOR_TYPES[kind].convert) for kind in ("int", "float", "uuid")
}
_TEXTS = {kind: CONVERTOR_TYPES[kind] for kind in ("str", "path")}


def compile_path(path: str) -> tuple[re.Pattern[str], str, dict[str, Convertor[Any]]]:
    """Read a path template.

    Returns:
        the pattern of the whole path, the path with the convertors left out, and the convertor of each
        parameter.

    Raises:
        FastWebError: the path names a convertor that does not exist, or a parameter twice.
    """
    pattern = ""
    formatted = ""
    convertors: dict[str, Convertor[Any]] = {}
    for part in _parts(path):
        if isinstance(part, str):
            pattern += re.escape(part)
            formatted += part
        else:
            name, kind = part
            pattern += f"(?P<{name}>{CONVERTOR_TYPES[kind].regex})"
            formatted += "{" + name + "}"
            convertors[name] = CONVERTOR_TYPES[kind]
    return re.compile(pattern), formatted, convertors


def matcher_parts(path: str) -> list[str | tuple[str, str | None, Callable[[str], Any] | None]]:
    """A path template as `fastweb._speedups.router.Matcher.add` takes it."""
    return [part if isinstance(part, str) else (part[0], *_conversion(part[1])) for part in _parts(path)]


def _conversion(kind: str) -> tuple[str | None, Callable[[str], Any] | None]:
    """(the kind, if it is a built-in one that nobody has replaced, and what makes the value of the text)."""
    convertor = CONVERTOR_TYPES[kind]
    if _TEXTS.get(kind) is convertor:
        return kind, None
    if kind in _BUILT_IN and _BUILT_IN[kind][0] is convertor:
        return kind, _BUILT_IN[kind][1]
    return None, convertor.convert


def fill_path(path_format: str, convertors: Mapping[str, Convertor[Any]], values: Mapping[str, Any]) -> str:
    """The path for these values of its parameters.

    Arguments:
        path_format, convertors: what `compile_path` returned.

    Raises:
        ValueError: no path can hold one of the values.
    """
    texts = {name: convertors[name].to_string(value) for name, value in values.items()}
    return _PARAMETER.sub(lambda match: texts[match.group(1)], path_format)


def _parts(path: str) -> list[str | tuple[str, str]]:
    """A path template, cut into texts and (name, convertor) pairs."""
    parts: list[str | tuple[str, str]] = []
    seen: set[str] = set()
    at = 0
    for match in _PARAMETER.finditer(path):
        name, kind = match.group(1), match.group(2) or "str"
        if kind not in CONVERTOR_TYPES:
            known = ", ".join(sorted(CONVERTOR_TYPES))
            raise FastWebError(f"the path {path!r} asks for the convertor {kind!r}; there are {known}")
        if name in seen:
            raise FastWebError(f"the path {path!r} has two parameters called {name!r}; rename one of them")
        seen.add(name)
        if match.start() > at:
            parts.append(path[at : match.start()])
        parts.append((name, kind))
        at = match.end()
    if at < len(path) or not parts:
        parts.append(path[at:])
    return parts
