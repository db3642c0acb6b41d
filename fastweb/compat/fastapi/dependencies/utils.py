"""`fastapi.dependencies.utils`: private in all but name; what extensions that change routes ask it for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastweb.dependencies.dependant import Dependant, RequestParameter, dependant_of
from fastweb.params import Depends
from fastweb.paths import compile_path

__partial__ = (
    "only get_dependant, get_parameterless_sub_dependant, lenient_issubclass and the body field's functions"
)


def get_dependant(
    *,
    path: str,
    call: Any,
    name: str | None = None,
    own_oauth_scopes: list[str] | None = None,
    parent_oauth_scopes: list[str] | None = None,
    use_cache: bool = True,
    scope: Any = None,
) -> Dependant:
    """What a function asks for, in a route with this path."""
    names = frozenset(compile_path(path)[2])
    scopes = [*(parent_oauth_scopes or ()), *(own_oauth_scopes or ())]
    return dependant_of(call, names, name=name, use_cache=use_cache, scope=scope, parent_oauth_scopes=scopes)


def get_parameterless_sub_dependant(*, depends: Depends, path: str) -> Dependant:
    """What a dependency asks for whose result nobody takes."""
    assert depends.dependency is not None
    return dependant_of(
        depends.dependency,
        frozenset(compile_path(path)[2]),
        use_cache=depends.use_cache,
        scope=depends.scope,
        mark=depends,
    )


def lenient_issubclass(cls: Any, class_or_tuple: Any) -> bool:
    """`issubclass`, and False for what is no class."""
    return isinstance(cls, type) and issubclass(cls, class_or_tuple)


def _get_flat_body_params(dependant: Dependant) -> list[RequestParameter]:
    return list(_body_parameters(dependant))


def _body_parameters(dependant: Dependant) -> Iterator[RequestParameter]:
    yield from dependant.body
    for inner in dependant.dependencies:
        yield from _body_parameters(inner)


def _get_body_field(
    *, body_params: list[RequestParameter], name: str, embed_body_fields: bool
) -> RequestParameter | None:
    """The plan of a route reads its body's parameters; there is a field only where there is one alone."""
    return body_params[0] if len(body_params) == 1 else None
