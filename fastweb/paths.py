"""Path templates, such as "/users/{id:int}/files/{name:path}": read, matched and filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastweb.convertors import CONVERTOR_TYPES, Convertor
from fastweb.exceptions import DeclarationError, DuplicateParameterError
from fastweb.types import Scope

__all__ = ["compile_host", "compile_path", "fill_path", "get_route_path", "matcher_parts", "without_root"]

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
    pattern, formatted, convertors = _compile(_parts(path))
    return re.compile(pattern), formatted, convertors


def compile_host(host: str) -> tuple[re.Pattern[str], str, dict[str, Convertor[Any]]]:
    """The same for a host name, such as "{name}.example.org": case and a port make no difference (RFC 9110
    section 4.2.3).
    """
    parts = _parts(host)
    formatted = _compile(parts)[1]
    if isinstance(parts[-1], str) and not parts[-1].endswith("]"):
        parts[-1] = parts[-1].rsplit(":", 1)[0]
    pattern, _, convertors = _compile(parts)
    return re.compile(pattern, re.IGNORECASE), formatted, convertors


def _compile(parts: Sequence[str | tuple[str, str]]) -> tuple[str, str, dict[str, Convertor[Any]]]:
    pattern = ""
    formatted = ""
    convertors: dict[str, Convertor[Any]] = {}
    for part in parts:
        if isinstance(part, str):
            pattern += re.escape(part)
            formatted += part
        else:
            name, kind = part
            pattern += f"(?P<{name}>{CONVERTOR_TYPES[kind].regex})"
            formatted += "{" + name + "}"
            convertors[name] = CONVERTOR_TYPES[kind]
    # Not "$", which a line break may follow.
    return rf"^{pattern}\Z", formatted, convertors


def get_route_path(scope: Scope) -> str:
    """The part of a request's path that routes see: what a proxy or a mount has taken is gone."""
    path: str = scope["path"]
    root_path = scope.get("root_path", "")
    return without_root(path, root_path) if root_path else path


def without_root(path: str, root: str) -> str:
    """The part of a path behind its root: a proxy may take the root path away before, or leave it."""
    if not root or not path.startswith(root):
        return path
    rest = path[len(root) :]
    return rest if not rest or rest.startswith("/") else path


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
    """The path for these values of its parameters; a parameter without one stays as it is.

    Arguments:
        path_format, convertors: what `compile_path` returned.

    Raises:
        ValueError: no path can hold one of the values.
    """
    texts = {name: convertors[name].to_string(value) for name, value in values.items()}
    return _PARAMETER.sub(lambda match: texts.get(match.group(1), match.group()), path_format)


def _parts(path: str) -> list[str | tuple[str, str]]:
    """A path template, cut into texts and (name, convertor) pairs."""
    parts: list[str | tuple[str, str]] = []
    seen: set[str] = set()
    at = 0
    twice: set[str] = set()
    for match in _PARAMETER.finditer(path):
        name, kind = match.group(1), match.group(2) or "str"
        if kind not in CONVERTOR_TYPES:
            known = ", ".join(sorted(CONVERTOR_TYPES))
            raise DeclarationError(
                f"Unknown path convertor: {path!r} asks for the convertor {kind!r}; there are {known}"
            )
        (twice if name in seen else seen).add(name)
        if match.start() > at:
            parts.append(path[at : match.start()])
        parts.append((name, kind))
        at = match.end()
    if twice:
        names = f"{'s' if len(twice) > 1 else ''} {', '.join(sorted(twice))}"
        raise DuplicateParameterError(f"Duplicated param name{names} at path {path}: rename one of each two")
    if at < len(path) or not parts:
        parts.append(path[at:])
    return parts
