"""What a function asks for: its signature, read once, as a tree of what must be called before it.

    parameter                                   where its value comes from
    ------------------------------------------  -----------------------------------------------------
    its name stands in the route's path         Path
    annotated Request, Response, …              the thing itself
    Depends(...), Security(...)                 another function, read in the same way
    Path, Query, Header, Cookie, Body, Form,
    File(...)                                   as it says
    UploadFile, or several of them              File
    a scalar type, or a union of them           Query
    anything else: models, lists, dicts         Body

The marks stand as the default (`q: int = Query(0)`) or in the annotation (`q: Annotated[int, Query()] = 0`),
as FastAPI has them.
"""

from __future__ import annotations

import copy
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Union, get_args, get_origin

from fastweb.background import BackgroundTasks
from fastweb.dependencies import shapes
from fastweb.dependencies.calls import Kind, describe, kind_of, parameters_of, unwrapped
from fastweb.dependencies.forms import form_annotation
from fastweb.dependencies.parameters import ParameterGroup, RequestParameter, group_of, names_of
from fastweb.exceptions import DeclarationError, DependencyScopeError, FastWebError
from fastweb.fields import FieldInfo
from fastweb.params import (
    Body,
    Concurrency,
    Cookie,
    Depends,
    File,
    Form,
    Header,
    Param,
    ParamTypes,
    Path,
    Query,
    Security,
)
from fastweb.requests import HTTPConnection, Request
from fastweb.responses import Response
from fastweb.types import Undefined
from fastweb.validation.annotations import is_type_alias
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import validator_of

__all__ = ["Dependant", "RequestParameter", "dependant_of", "dependants_of"]


@dataclass(slots=True)
class Dependant:
    """A function, and what it is called with.

    Arguments:
        call: the function; None for the empty one at the root of a list of dependencies.
        name: the keyword that its result is passed as; None where nobody takes it.
        use_cache, scope, concurrency: of the mark that names it.
        own_oauth_scopes: what that mark says; parent_oauth_scopes: what those above it say.
    """

    call: Callable[..., Any]
    name: str | None = None
    use_cache: bool = True
    scope: str | None = None
    path: list[RequestParameter] = field(default_factory=list)
    query: list[RequestParameter] = field(default_factory=list)
    header: list[RequestParameter] = field(default_factory=list)
    cookie: list[RequestParameter] = field(default_factory=list)
    body: list[RequestParameter] = field(default_factory=list)
    dependencies: list[Dependant] = field(default_factory=list)
    #: keyword -> "request", "connection", "websocket", "response", "background" or "security_scopes"
    special: dict[str, str] = field(default_factory=dict)
    kind: Kind = Kind.PLAIN
    concurrency: Concurrency | None = None
    own_oauth_scopes: list[str] = field(default_factory=list)
    parent_oauth_scopes: list[str] = field(default_factory=list)

    @property
    def oauth_scopes(self) -> list[str]:
        """The OAuth2 scopes that are needed here, each once, the outermost first."""
        return list(dict.fromkeys([*self.parent_oauth_scopes, *self.own_oauth_scopes]))

    @property
    def security_scheme(self) -> Any:
        """The function, where it is a `fastweb.security` scheme; else None."""
        base = _loaded("fastweb.security.base", "SecurityBase")
        call = unwrapped(self.call)
        return call if base is not None and isinstance(call, base) else None

    @property
    def uses_scopes(self) -> bool:
        """Whether the scopes make a difference to it, or to what it depends on."""
        return bool(
            self.own_oauth_scopes
            or "security_scopes" in self.special.values()
            or self.security_scheme is not None
            or any(inner.uses_scopes for inner in self.dependencies)
        )


_SPECIAL: tuple[tuple[type, str], ...] = (
    (Request, "request"),
    (Response, "response"),
    (BackgroundTasks, "background"),
)

#: Who annotates with one of these has loaded its module.
_SPECIAL_ELSEWHERE = (
    ("fastweb.websockets", "WebSocket", "websocket"),
    ("fastweb.security.oauth2", "SecurityScopes", "security_scopes"),
)


def _loaded(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def dependant_of(
    call: Callable[..., Any],
    path_names: frozenset[str],
    *,
    name: str | None = None,
    use_cache: bool = True,
    scope: str | None = None,
    bare: Mapping[str, str] = MappingProxyType({}),
    mark: Depends | None = None,
    parent_oauth_scopes: list[str] | None = None,
    _within: tuple[Any, ...] = (),
) -> Dependant:
    """Read what a function asks for.

    Arguments:
        call: an endpoint or a dependency.
        path_names: the parameters in the route's path.
        name, use_cache, scope: of the `Depends` that names it.
        bare: which unannotated parameters are what, by name: "request" or "websocket".
        mark: the `Depends` or `Security` that names it, for its scopes and its bound.
        parent_oauth_scopes: the scopes that those above it need.

    Raises:
        FastWebError: a parameter that nothing can be made of; the message names function, parameter and fix.
    """
    if any(call is outer for outer in _within):
        way = " -> ".join(describe(outer) for outer in (*_within, call))
        raise FastWebError(f"{describe(call)} depends on itself: {way}")
    dependant = Dependant(
        call=call,
        name=name,
        use_cache=use_cache,
        scope=scope,
        kind=kind_of(call),
        concurrency=None if mark is None else mark._concurrency,
        own_oauth_scopes=list(mark.scopes or ()) if isinstance(mark, Security) else [],
        parent_oauth_scopes=list(parent_oauth_scopes or ()),
    )
    ends_late = dependant.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR) and scope != "function"
    for parameter in parameters_of(call):
        annotation, mark, default = _marked(parameter, call)
        if isinstance(mark, Depends):
            target = mark.dependency
            if target is None:
                target = shapes.without_metadata(annotation)
                if not callable(target):
                    raise FastWebError(
                        "Depends() without a function needs a class as the annotation, but "
                        f"{parameter.name!r} of {describe(call)} is annotated {annotation!r}"
                    )
            inner = dependant_of(
                target,
                path_names,
                name=parameter.name,
                use_cache=mark.use_cache,
                scope=mark.scope,
                mark=mark,
                parent_oauth_scopes=dependant.oauth_scopes,
                _within=(*_within, call),
            )
            if ends_late and mark.scope == "function":
                raise DependencyScopeError(
                    f'The dependency "{getattr(call, "__name__", type(call).__name__)}" has a scope of '
                    '"request", it cannot depend on dependencies with scope "function": give '
                    f'{describe(call)} and {describe(target)} both scope="function", or neither'
                )
            dependant.dependencies.append(inner)
            continue
        kind = _special_kind(annotation)
        if kind is None and annotation is Any and parameter.annotation is parameter.empty:
            kind = bare.get(parameter.name)
        if kind is not None:
            if mark is not None:
                raise DeclarationError(
                    f"Cannot specify FastAPI annotation for type {annotation!r}, which comes as it is: "
                    f"remove {mark!r} from {parameter.name!r} of {describe(call)}"
                )
            dependant.special[parameter.name] = kind
            continue
        _add_field(dependant, parameter.name, annotation, mark, default, path_names, call)
    return dependant


def dependants_of(marks: Iterable[Depends], path_names: frozenset[str], path: str) -> list[Dependant]:
    """Read what a route's own dependencies ask for, whose results nobody takes.

    Arguments:
        marks: the `Depends`.
        path_names, path: the parameters in the route's path, and the path itself.

    Raises:
        FastWebError: as `dependant_of`, and for a `Depends()` without a function.
    """
    made = []
    for mark in marks:
        if mark.dependency is None:
            raise FastWebError(f"a dependency of the route {path!r} is a Depends() without a function")
        made.append(
            dependant_of(mark.dependency, path_names, use_cache=mark.use_cache, scope=mark.scope, mark=mark)
        )
    return made


def _marked(parameter: inspect.Parameter, call: Any) -> tuple[Any, Any, Any]:
    """(annotation, mark or None, default) of a parameter. What other descriptions in the annotation say, the
    mark says too, unless it says something else.
    """
    annotation: Any = Any if parameter.annotation is parameter.empty else parameter.annotation
    if is_type_alias(annotation):
        annotation = annotation.__value__
    default = Undefined if parameter.default is parameter.empty else parameter.default
    # A pydantic model's field that was one (fastweb.compat.pydantic_models).
    default = getattr(default, "fastweb_parameter", default)
    mark: Any = None
    described: list[Any] = []
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
        marks = [item for item in metadata if isinstance(item, (Param, Body, Depends))]
        mark = marks[-1] if marks else None
        rest: list[Any] = []
        for item in metadata:
            if isinstance(item, FieldInfo):
                described.append(item)
                if item is not mark and item.constraints():
                    rest.append(FieldInfo(**item.constraints()))
            elif _is_pydantic_field(item):
                # Its constraints stay with the type; the words go to the mark.
                described.append(item)
                rest.extend(item.metadata)
            elif not isinstance(item, Depends):
                rest.append(item)
        annotation = Annotated[(base, *rest)] if rest else base
    where = f"{parameter.name!r} of {describe(call)}"
    if isinstance(default, Depends):
        if isinstance(mark, Depends):
            raise DeclarationError(
                "Cannot specify `Depends` in `Annotated` and default value together for "
                f"{where}: keep one of them"
            )
        if mark is not None:
            raise DeclarationError(
                "Cannot specify a FastAPI annotation in `Annotated` and `Depends` as a default value "
                f"together for {where}: keep one of them"
            )
        return annotation, default, Undefined
    if isinstance(default, FieldInfo):
        if mark is not None:
            raise DeclarationError(
                "Cannot specify FastAPI annotations in `Annotated` and default value together for "
                f"{where}: keep one of them"
            )
        return annotation, default, Undefined
    if isinstance(mark, Path) and default is not Undefined:
        raise DeclarationError(
            f"Path parameters cannot have default values, for they are always there: remove {default!r} from "
            f"{where}"
        )
    if isinstance(mark, FieldInfo):
        if mark.default is not Undefined:
            raise DeclarationError(
                f"`{type(mark).__name__}` default value cannot be set in `Annotated` for {parameter.name!r}. "
                f"Set the default value with `=` instead. It is a parameter of {describe(call)}"
            )
        mark = copy.copy(mark)
        if len(described) > 1:
            _describe_as(mark, described)
        if default is not Undefined:
            mark.default = default
            mark.default_factory = None
    elif mark is None and described:
        mark = _Unplaced(default)
        _describe_as(mark, described)
        if default is not Undefined:
            mark.default_factory = None
    return annotation, mark, default


class _Unplaced(FieldInfo):
    """A description that does not say where the parameter is: that depends on its type and its route."""


def _is_pydantic_field(item: Any) -> bool:
    kind = _loaded("pydantic.fields", "FieldInfo")
    return kind is not None and isinstance(item, kind)


_WORDS = (
    "default_factory",
    "alias",
    "validation_alias",
    "serialization_alias",
    "title",
    "description",
    "examples",
    "deprecated",
    "discriminator",
    "json_schema_extra",
    "validate_default",
)


def _describe_as(mark: FieldInfo, described: list[Any]) -> None:
    """Let a mark say what several descriptions say, of which the last has the last word."""
    for item in described:
        given = item.given() if isinstance(item, FieldInfo) else item._attributes_set
        for name in _WORDS:
            if name not in given:
                continue
            value = getattr(item, name)
            before = getattr(mark, name)
            if name == "json_schema_extra" and isinstance(value, dict) and isinstance(before, dict):
                value = {**before, **value}
            setattr(mark, name, value)


def _special_kind(annotation: Any) -> str | None:
    annotation = shapes.without_metadata(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        arguments = [item for item in get_args(annotation) if item is not type(None)]
        if len(arguments) != 1:
            return None
        annotation = arguments[0]
    if isinstance(annotation, type):
        for base, kind in _SPECIAL:
            if issubclass(annotation, base):
                return kind
        for module, name, kind in _SPECIAL_ELSEWHERE:
            elsewhere = _loaded(module, name)
            if elsewhere is not None and issubclass(annotation, elsewhere):
                return kind
        if issubclass(annotation, HTTPConnection):
            return "connection"
    return None


def _add_field(
    dependant: Dependant,
    name: str,
    annotation: Any,
    mark: Any,
    default: Any,
    path_names: frozenset[str],
    call: Any,
) -> None:
    where = f"{name!r} of {describe(call)}"
    owner = unwrapped(call)
    try:
        schema = schema_of(annotation, owner=owner)
    except FastWebError as error:
        raise type(error)(f"{name!r} of {describe(call)}: {error}") from error
    scalar = shapes.is_scalar(schema)
    info = mark
    if isinstance(info, _Unplaced):
        info = _inferred(annotation, scalar, in_path=name in path_names, described=info)
    elif info is None:
        info = _inferred(annotation, scalar, in_path=name in path_names, described=None)
        if not isinstance(info, Path) and default is not Undefined:
            info.default = default
    if name in path_names and not isinstance(info, Path):
        raise DeclarationError(
            f"Cannot use `{type(info).__name__}` for path param {where}, which stands in the path of its "
            "route: remove the mark, or rename the parameter"
        )
    if not isinstance(info, (Param, Body)):
        raise DeclarationError(
            f"{name!r} of {describe(call)} is marked with a {type(info).__name__}; "
            "in an endpoint that is Path, Query, Header, Cookie, Body, Form or File"
        )
    info = copy.copy(info)
    info.annotation = annotation
    if isinstance(info, Form):
        annotation = form_annotation(annotation)
    if info.union_mode is not None or info.fail_fast is not None:
        annotation = _with_pydantic_options(annotation, info, where)
    groups = _groups(info, annotation)
    if isinstance(info, Path):
        if not scalar and name in path_names:
            raise DeclarationError(
                f"Path params must be of one of the supported types, but {where} is {annotation!r}"
            )
        _choose_path_alias(info, path_names)
    elif isinstance(info, Param) and not (
        scalar or groups or shapes.is_scalar_sequence(schema) or shapes.is_json(annotation)
    ):
        kind = type(info).__name__
        raise DeclarationError(
            f"{kind} parameter {name!r} must be one of the supported types, but a value of {annotation!r} "
            f"cannot be read from one, in {describe(call)}"
        )
    if info.alias is None and isinstance(info, Header) and info.convert_underscores:
        info.alias = name.replace("_", "-")
    names = names_of(name, info.alias, info.validation_alias, {})
    try:
        validator = validator_of(annotation, info, from_attributes=True, owner=owner)
    except FastWebError as error:
        raise type(error)(f"{name!r} of {describe(call)}: {error}") from error
    made = RequestParameter(
        name,
        names[0],
        info,
        annotation,
        validator,
        many=shapes.is_sequence(schema),
        names=tuple((each, each) for each in names),
        groups=groups,
    )
    if isinstance(info, Body):
        dependant.body.append(made)
    else:
        {
            ParamTypes.path: dependant.path,
            ParamTypes.query: dependant.query,
            ParamTypes.header: dependant.header,
            ParamTypes.cookie: dependant.cookie,
        }[getattr(info, "in_", ParamTypes.query)].append(made)


def _inferred(annotation: Any, scalar: bool, *, in_path: bool, described: FieldInfo | None) -> FieldInfo:
    """The mark of a parameter that has none."""
    info: Any
    if in_path:
        info = Path()
    elif shapes.is_upload(annotation):
        info = File()
    else:
        info = Query() if scalar else Body()
    if described is not None:
        _describe_as(info, [described])
        if in_path:
            info.default_factory = None  # the route does not match without the parameter
        else:
            info.default = described.default
    return info  # type: ignore[no-any-return]


def _with_pydantic_options(annotation: Any, info: Any, where: str) -> Any:
    """The type with options that only pydantic has, and with that pydantic's."""
    try:
        import pydantic
    except ModuleNotFoundError:
        raise FastWebError(f"union_mode and fail_fast of {where} are for pydantic: install it") from None
    options = {"union_mode": info.union_mode, "fail_fast": info.fail_fast}
    field = pydantic.Field(**{name: value for name, value in options.items() if value is not None})
    return Annotated[annotation, field]


def _groups(info: FieldInfo, annotation: Any) -> tuple[ParameterGroup, ...]:
    """The models that a parameter may be whose fields stand in the request side by side."""
    if isinstance(info, Form):
        models = () if info.embed else shapes.models_of(annotation)
        return tuple(group_of(model) for model in models)
    if isinstance(info, (Query, Header, Cookie)):
        model = shapes.model_of(annotation)
        if model is not None:
            convert = getattr(info, "convert_underscores", True)
            return (group_of(model, header=isinstance(info, Header), convert_underscores=convert),)
    return ()


def _choose_path_alias(info: FieldInfo, path_names: frozenset[str]) -> None:
    """Of several aliases of a path parameter, the one that the route has."""
    choices = getattr(info.validation_alias, "choices", ())
    if all(isinstance(choice, str) for choice in choices):
        for choice in choices:
            if choice in path_names:
                info.validation_alias = choice
                return
    if not isinstance(info.validation_alias, str):
        info.validation_alias = info.alias
