"""What a function asks for: its signature, read once, as a tree of what must be called before it.

    parameter                                   where its value comes from
    ------------------------------------------  -----------------------------------------------------
    its name stands in the route's path         Path
    annotated Request, Response, …              the thing itself
    Depends(...)                                another function, read in the same way
    Path, Query, Header, Cookie, Body(...)      as it says
    a scalar type, or a union of them           Query
    anything else: models, lists, dicts         Body

The marks stand as the default (`q: int = Query(0)`) or in the annotation (`q: Annotated[int, Query()] = 0`),
as FastAPI has them.
"""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Annotated, Any, Union, get_args, get_origin

from fastweb.background import BackgroundTasks
from fastweb.dependencies.calls import Kind, describe, kind_of, parameters_of, unwrapped
from fastweb.exceptions import DependencyScopeError, FastWebError
from fastweb.fields import FieldInfo
from fastweb.params import Body, Depends, Header, Param, ParamTypes, Path, Query
from fastweb.requests import HTTPConnection
from fastweb.responses import Response
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.schema import schema_of
from fastweb.validation.validators import Validator, validator_of

__all__ = ["Dependant", "RequestParameter", "dependant_of"]


@dataclass(slots=True)
class RequestParameter:
    """One parameter whose value is read from the request and validated.

    Arguments:
        name: the keyword of the call.
        alias: its name in the request.
        info: the mark that describes it.
        annotation: its type, without the mark.
        validator: what makes the value.
        many: it takes every value of its name.
    """

    name: str
    alias: str
    info: FieldInfo
    annotation: Any
    validator: Validator
    many: bool = False

    def default(self) -> Callable[[], Any] | None:
        """What makes the value where the request has none; None where it is required."""
        info = self.info
        if info.is_required():
            return None
        if info.validate_default:

            def validated() -> Any:
                errors: list[dict[str, Any]] = []
                value = self.validator.validate(info.get_default(), (self.alias,), errors)
                if errors:
                    raise FastWebError(f"the default of the parameter {self.name!r} is not valid: {errors}")
                return value

            return validated
        return info.get_default


@dataclass(slots=True)
class Dependant:
    """A function, and what it is called with.

    Arguments:
        call: the function; None for the empty one at the root of a list of dependencies.
        name: the keyword that its result is passed as; None where nobody takes it.
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
    #: keyword -> "request", "response" or "background"
    special: dict[str, str] = field(default_factory=dict)
    kind: Kind = Kind.PLAIN


_SPECIAL: tuple[tuple[type, str], ...] = (
    (HTTPConnection, "request"),
    (Response, "response"),
    (BackgroundTasks, "background"),
)


def dependant_of(
    call: Callable[..., Any],
    path_names: frozenset[str],
    *,
    name: str | None = None,
    use_cache: bool = True,
    scope: str | None = None,
    bare_request: bool = False,
    _within: tuple[Any, ...] = (),
) -> Dependant:
    """Read what a function asks for.

    Arguments:
        call: an endpoint or a dependency.
        path_names: the parameters in the route's path.
        name, use_cache, scope: of the `Depends` that names it.
        bare_request: an unannotated parameter called `request` or `req` is the request (`FastWeb.route`).

    Raises:
        FastWebError: a parameter that nothing can be made of; the message names function, parameter and fix.
    """
    if any(call is outer for outer in _within):
        way = " -> ".join(describe(outer) for outer in (*_within, call))
        raise FastWebError(f"{describe(call)} depends on itself: {way}")
    dependant = Dependant(call=call, name=name, use_cache=use_cache, scope=scope, kind=kind_of(call))
    ends_late = dependant.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR) and scope != "function"
    for parameter in parameters_of(call):
        annotation, mark, default = _marked(parameter, call)
        if isinstance(mark, Depends):
            target = mark.dependency
            if target is None:
                target = _without_metadata(annotation)
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
                _within=(*_within, call),
            )
            if ends_late and mark.scope == "function":
                raise DependencyScopeError(
                    f"{describe(call)} ends with the request, but {describe(target)}, which it depends on, "
                    'ends with the function: give both scope="function", or neither'
                )
            dependant.dependencies.append(inner)
            continue
        kind = _special_kind(annotation)
        if kind is None and bare_request and annotation is Any and parameter.annotation is parameter.empty:
            kind = "request" if parameter.name in ("request", "req") else None
        if kind is not None:
            if mark is not None:
                raise FastWebError(
                    f"{parameter.name!r} of {describe(call)} is annotated {annotation!r}, "
                    f"which comes as it is: remove {mark!r}"
                )
            dependant.special[parameter.name] = kind
            continue
        _add_field(dependant, parameter.name, annotation, mark, default, path_names, call)
    return dependant


def _marked(parameter: inspect.Parameter, call: Any) -> tuple[Any, Any, Any]:
    """(annotation, mark or None, default) of a parameter."""
    annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
    default = Undefined if parameter.default is parameter.empty else parameter.default
    marks: list[Any] = []
    rest: list[Any] = []
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
        for item in metadata:
            (marks if isinstance(item, (Param, Body, Depends)) else rest).append(item)
        annotation = Annotated[(base, *rest)] if rest else base
    mark = marks[-1] if marks else None
    if isinstance(default, (FieldInfo, Depends)):
        if mark is not None:
            raise FastWebError(
                f"{parameter.name!r} of {describe(call)} has {mark!r} in its annotation "
                f"and {default!r} as its default: keep one"
            )
        return annotation, default, Undefined
    if isinstance(mark, Path) and default is not Undefined:
        raise FastWebError(
            f"{parameter.name!r} of {describe(call)} stands in the path, so it is always there: "
            f"remove its default {default!r}"
        )
    if isinstance(mark, FieldInfo):
        if not mark.is_required() and mark.default is not Undefined:
            raise FastWebError(
                f"the default of {parameter.name!r} of {describe(call)} belongs behind an equals sign, "
                "not into the annotation"
            )
        mark = copy.copy(mark)
        if default is not Undefined:
            mark.default = default
            mark.default_factory = None
    return annotation, mark, default


def _without_metadata(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _special_kind(annotation: Any) -> str | None:
    annotation = _without_metadata(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        arguments = [item for item in get_args(annotation) if item is not type(None)]
        if len(arguments) != 1:
            return None
        annotation = arguments[0]
    if isinstance(annotation, type):
        for base, kind in _SPECIAL:
            if issubclass(annotation, base):
                return kind
    return None


_COMPLEX = (
    nodes.ModelSchema,
    nodes.ListSchema,
    nodes.SetSchema,
    nodes.FrozenSetSchema,
    nodes.DequeSchema,
    nodes.TupleSchema,
    nodes.DictSchema,
)


def is_scalar(schema: Any) -> bool:
    """Whether one string can stand for a value: such parameters are Query unless they say otherwise."""
    if isinstance(schema, nodes.NullableSchema):
        return is_scalar(schema.inner)
    if isinstance(schema, nodes.UnionSchema):
        return all(is_scalar(choice) for choice in schema.choices)
    if isinstance(schema, nodes.PydanticSchema):
        return not _pydantic_complex(schema.annotation)
    if isinstance(schema, nodes.RefSchema):
        return False
    return not isinstance(schema, _COMPLEX)


def _pydantic_complex(annotation: Any) -> bool:
    annotation = _without_metadata(annotation)
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_pydantic_complex(item) for item in get_args(annotation))
    plain = origin or annotation
    if not isinstance(plain, type) or issubclass(plain, (str, bytes)):
        return False
    return (
        hasattr(plain, "model_fields")
        or hasattr(plain, "__dataclass_fields__")
        or issubclass(plain, (Mapping, Sequence, Set))
    )


def is_sequence(schema: Any) -> bool:
    """Whether a parameter takes every value of its name."""
    if isinstance(schema, nodes.NullableSchema):
        return is_sequence(schema.inner)
    if isinstance(schema, nodes.UnionSchema):
        return any(is_sequence(choice) for choice in schema.choices)
    if isinstance(schema, nodes.PydanticSchema):
        origin = get_origin(_without_metadata(schema.annotation))
        return isinstance(origin, type) and issubclass(origin, (list, set, frozenset, tuple))
    return isinstance(
        schema,
        (nodes.ListSchema, nodes.SetSchema, nodes.FrozenSetSchema, nodes.DequeSchema, nodes.TupleSchema),
    )


def is_scalar_sequence(schema: Any) -> bool:
    """Whether several strings can stand for a value."""
    if isinstance(schema, nodes.NullableSchema):
        return is_scalar_sequence(schema.inner)
    if isinstance(schema, nodes.UnionSchema):
        return all(is_scalar(choice) or is_scalar_sequence(choice) for choice in schema.choices)
    if isinstance(schema, nodes.TupleSchema):
        return all(is_scalar(item) for item in schema.items)
    if isinstance(schema, nodes.PydanticSchema):
        return is_sequence(schema)
    return is_sequence(schema) and is_scalar(schema.item)


def _add_field(
    dependant: Dependant,
    name: str,
    annotation: Any,
    mark: Any,
    default: Any,
    path_names: frozenset[str],
    call: Any,
) -> None:
    owner = unwrapped(call)
    in_path = name in path_names
    try:
        schema = schema_of(annotation, owner=owner)
    except FastWebError as error:
        raise FastWebError(f"{name!r} of {describe(call)}: {error}") from error
    scalar = is_scalar(schema)
    info = mark
    if in_path:
        if info is None:
            info = Path()  # a default is never used: the route does not match without the parameter
        elif not isinstance(info, Path):
            raise FastWebError(
                f"{name!r} of {describe(call)} stands in the path of its route, but is marked "
                f"{type(info).__name__}: remove the mark, or rename the parameter"
            )
    elif info is None:
        info = Query(default) if scalar else Body(default)
    if (
        isinstance(info, Param)
        and not isinstance(info, Path)
        and not scalar
        and not is_scalar_sequence(schema)
    ):
        raise FastWebError(
            f"{name!r} of {describe(call)} is marked {type(info).__name__}, but a value of {annotation!r} "
            "cannot be read from one"
        )
    info = copy.copy(info)
    info.annotation = annotation
    alias = info.validation_alias if isinstance(info.validation_alias, str) else info.alias
    if alias is None:
        alias = name
        if isinstance(info, Header) and info.convert_underscores:
            alias = name.replace("_", "-")
    try:
        validator = validator_of(annotation, info, from_attributes=True, owner=owner)
    except FastWebError as error:
        raise FastWebError(f"{name!r} of {describe(call)}: {error}") from error
    made = RequestParameter(name, alias, info, annotation, validator, many=is_sequence(schema))
    if isinstance(info, Body):
        dependant.body.append(made)
    elif isinstance(info, Param):
        {
            ParamTypes.path: dependant.path,
            ParamTypes.query: dependant.query,
            ParamTypes.header: dependant.header,
            ParamTypes.cookie: dependant.cookie,
        }[info.in_].append(made)
    else:
        raise FastWebError(
            f"{name!r} of {describe(call)} is marked with a {type(info).__name__}; "
            "in an endpoint that is Path, Query, Header, Cookie or Body"
        )
