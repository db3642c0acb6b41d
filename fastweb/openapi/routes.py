"""What a route has that its operation describes: parameters, body, answers, security schemes."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from fastweb.datastructures import DefaultPlaceholder
from fastweb.dependencies.dependant import Dependant, RequestParameter
from fastweb.openapi.fields import SchemaField
from fastweb.params import Body, ParamTypes
from fastweb.responses import EventSourceResponse
from fastweb.routing import APIRoute, BaseRoute
from fastweb.sse import ServerSentEvent
from fastweb.validation.schema import schema_of

__all__ = ["RouteBody", "RouteFields", "RouteParameter", "api_routes"]


@dataclass(slots=True)
class RouteParameter:
    """A parameter as the document has it: one field of a parameter model each, or a parameter of its own.

    Arguments:
        name: its name in the request.
        where: the part of the request that has it.
        field: its schema.
        info: what describes it: ours, or pydantic's own for a field of a pydantic model.
        required: the request must have it.
        include: whether it is in the document.
    """

    name: str
    where: ParamTypes
    field: SchemaField
    info: Any
    required: bool
    include: bool


@dataclass(slots=True)
class RouteBody:
    """The body of a request.

    Arguments:
        field: its schema.
        media_type: of the body.
        required: the request must have it.
        info: what has its examples; None where it is put together from several parameters.
    """

    field: SchemaField
    media_type: str
    required: bool
    info: Any


@dataclass(slots=True)
class RouteFields:
    """All of a route's fields.

    Arguments:
        route: it.
        parameters: in the order of the document: path, query, header, cookie.
        body: where there is one.
        response: of the answer's own model.
        stream: what an endpoint's values are sent as, where it yields them.
        stream_item: of what such an endpoint yields.
        responses: of the models of additional responses, by status code as the route has it.
        security: the schemes, with the scopes that each asks for.
    """

    route: APIRoute
    parameters: list[RouteParameter] = field(default_factory=list)
    body: RouteBody | None = None
    response: SchemaField | None = None
    stream: Literal["jsonl", "events"] | None = None
    stream_item: SchemaField | None = None
    responses: dict[int | str, SchemaField] = field(default_factory=dict)
    security: list[tuple[Any, list[str]]] = field(default_factory=list)
    callbacks: list[RouteFields] = field(default_factory=list)

    @classmethod
    def of(cls, route: APIRoute) -> RouteFields:
        """Read a route."""
        made = cls(route)
        visited = list(_visit(route.dependant))
        for where in (ParamTypes.path, ParamTypes.query, ParamTypes.header, ParamTypes.cookie):
            for dependant, _ in visited:
                for parameter in getattr(dependant, where.value):
                    made.parameters.extend(_parameters(parameter, where))
        for dependant, scopes in visited[1:]:
            scheme = getattr(dependant, "security_scheme", None)
            if scheme is not None:
                made.security.append((scheme, scopes))
        made.body = _body(list(_body_parameters(route.dependant)), route.unique_id)
        if route.response_model:
            made.response = _answer(f"Response_{route.unique_id}", route.response_model)
        made.stream = _stream(route)
        item = route.stream_item_type
        if made.stream is not None and item and not _is_event(item):
            made.stream_item = _answer(f"StreamItem_{route.unique_id}", item)
        for code, response in route.responses.items():
            if model := response.get("model"):
                made.responses[code] = _answer(f"Response_{code}_{route.unique_id}", model)
        made.callbacks = [cls.of(callback) for callback in api_routes(route.callbacks or ())]
        return made

    def schema_fields(self) -> Iterator[SchemaField]:
        """Every place of the operation that has a schema."""
        for callback in self.callbacks:
            if callback.route.include_in_schema:
                yield from callback.schema_fields()
        if self.body is not None:
            yield self.body.field
        if self.response is not None:
            yield self.response
        yield from self.responses.values()
        if self.stream_item is not None:
            yield self.stream_item
        for parameter in self.parameters:
            yield parameter.field


def api_routes(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    """Those routes that have operations."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route


# Dependencies


def _visit(root: Dependant) -> Iterator[tuple[Dependant, list[str]]]:
    """A dependant and all that it needs, each once, with the scopes that were asked for on the way to it."""
    seen: list[Any] = []
    waiting: list[tuple[Dependant, list[str]]] = [(root, [])]
    while waiting:
        dependant, above = waiting.pop()
        own = list(getattr(dependant, "oauth_scopes", None) or ())
        # Two that differ in their scopes alone differ only where something looks at the scopes.
        key = (dependant.call, sorted(set(own)) if _uses_scopes(dependant) else [], dependant.scope)
        if key in seen:
            continue
        seen.append(key)
        scopes = list(dict.fromkeys([*above, *own]))
        yield dependant, scopes
        waiting.extend((inner, scopes) for inner in reversed(dependant.dependencies))


def _uses_scopes(dependant: Dependant) -> bool:
    return bool(
        getattr(dependant, "own_oauth_scopes", None)
        or "security_scopes" in dependant.special.values()
        or getattr(dependant, "security_scheme", None) is not None
        or any(map(_uses_scopes, dependant.dependencies))
    )


def _body_parameters(dependant: Dependant) -> Iterator[RequestParameter]:
    yield from dependant.body
    for inner in dependant.dependencies:
        yield from _body_parameters(inner)


# Parameters


def _parameters(parameter: RequestParameter, where: ParamTypes) -> Iterator[RouteParameter]:
    include = getattr(parameter.info, "include_in_schema", True)
    fields = getattr(parameter, "fields", ())
    if not fields:
        yield RouteParameter(
            parameter.alias,
            where,
            _field(parameter, alias=parameter.alias),
            parameter.info,
            parameter.info.is_required(),
            include,
        )
        return
    model = _without_none(parameter.annotation)
    optional = model is not parameter.annotation and not parameter.info.is_required()
    own = getattr(model, "model_fields", {}) if hasattr(model, "__pydantic_validator__") else {}
    for each in fields:
        # The title is made of the name before its underscores became hyphens.
        alias = each.name if each.alias == each.name.replace("_", "-") else each.alias
        made = _field(each, alias=alias)
        if each.name in own:
            made.info = info = own[each.name]
            made.annotation, made.config = info.annotation, _config_of(model, info.annotation)
        else:
            info = each.info
        yield RouteParameter(each.alias, where, made, info, info.is_required() and not optional, include)


def _field(parameter: RequestParameter, *, alias: str) -> SchemaField:
    return SchemaField(
        parameter.name,
        alias,
        parameter.annotation,
        info=parameter.info,
        schema=parameter.validator.schema,
    )


def _config_of(model: Any, annotation: Any) -> Any:
    """The configuration for a field of a pydantic model; a model within it has its own."""
    own = isinstance(annotation, type) and (
        hasattr(annotation, "model_fields") or hasattr(annotation, "__dataclass_fields__")
    )
    return None if own or annotation is dict or get_origin(annotation) is dict else model.model_config


def _without_none(annotation: Any) -> Any:
    """The model of `Model | None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [each for each in get_args(annotation) if each is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return annotation


# Bodies


def _body(parameters: Sequence[RequestParameter], unique_id: str) -> RouteBody | None:
    if not parameters:
        return None
    first = parameters[0]
    info: Body = first.info  # type: ignore[assignment]
    name = f"Body_{unique_id}"
    nullable = any(
        _form_models(each) and type(None) in get_args(_without_metadata(each.annotation))
        for each in parameters
    )
    if any(map(_form_models, parameters)):
        parts = [_form_part(each, number) for number, each in enumerate(parameters)]
    else:
        parts = list({each.name: _field(each, alias=each.alias) for each in parameters}.values())
    made = SchemaField(name, "body", None, parts=tuple(parts))
    if _is_embedded(parameters):
        required = any(each.info.is_required() for each in parameters)
        return RouteBody(made, _media_type(parameters), required, None)
    if nullable:
        made.info = copy.copy(info)
        made.info.discriminator = None
    else:
        made = _field(first, alias=first.alias)
    return RouteBody(made, info.media_type, info.is_required(), info)


def _form_part(parameter: RequestParameter, number: int) -> SchemaField:
    """A parameter of a form; several may have one name, where several models have fields."""
    part = _field(parameter, alias=f"field_{number}")
    part.name, part.form_name = part.alias, parameter.alias
    part.info = copy.copy(parameter.info)
    part.info.title = part.info.title or parameter.name.replace("_", " ").title()
    part.schema = None
    models = _form_models(parameter)
    part.is_group = bool(models)
    for model in models:
        part.names.update(_names_of(model))
    return part


def _names_of(model: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each field of a model: its name in the schema, and all names that it may have in a form."""
    if not hasattr(model, "__pydantic_fields__"):
        for each in schema_of(model).fields:  # type: ignore[attr-defined]
            yield each.alias, tuple(str(way[0]) for way in each.lookups if len(way) == 1)
        return
    config = model.model_config
    by_name = config.get("validate_by_name", config.get("populate_by_name", False))
    for name, info in model.model_fields.items():
        alias = info.validation_alias or info.alias or name
        choices = tuple(getattr(alias, "choices", (alias,)))
        if not all(isinstance(choice, str) for choice in choices):
            continue
        if config.get("validate_by_alias") is False:
            yield choices[0], (name,)
        else:
            yield choices[0], tuple(dict.fromkeys((*choices, name) if by_name else choices))


def _is_embedded(parameters: Sequence[RequestParameter]) -> bool:
    """Whether the body is an object of the parameters; else the first one is the body."""
    first = parameters[0]
    if len({each.name for each in parameters}) > 1 or getattr(first.info, "embed", None):
        return True
    if not _form_models(first):
        return _is_form(first)
    return any(not _form_models(each) or each.annotation is not first.annotation for each in parameters)


def _is_form(parameter: RequestParameter) -> bool:
    return "Form" in {cls.__name__ for cls in type(parameter.info).__mro__}


def _form_models(parameter: RequestParameter) -> list[Any]:
    """The models whose fields stand in a form: that of a parameter, or those of its union."""
    if not _is_form(parameter) or getattr(parameter.info, "embed", None):
        return []
    annotation = parameter.annotation
    if get_origin(annotation) is Annotated:
        if any(type(item).__name__ == "Json" for item in annotation.__metadata__):
            return []  # pydantic's: the model comes as a string
        annotation = get_args(annotation)[0]
    choices = [annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        choices = [_without_metadata(each) for each in get_args(annotation) if each is not type(None)]
    return choices if all(map(_is_model, choices)) else []


def _without_metadata(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and (
        issubclass(annotation, msgspec.Struct) or hasattr(annotation, "__pydantic_fields__")
    )


def _media_type(parameters: Sequence[RequestParameter]) -> str:
    """The media type of a body of several parameters: with a file it is multipart."""
    if any("File" in {cls.__name__ for cls in type(each.info).__mro__} for each in parameters):
        return "multipart/form-data"
    forms = {each.info.media_type for each in parameters if _is_form(each)}  # type: ignore[attr-defined]
    if forms:
        return "multipart/form-data" if "multipart/form-data" in forms else _only(forms, _URLENCODED)
    return _only({each.info.media_type for each in parameters}, "application/json")  # type: ignore[attr-defined]


def _only(values: set[str], otherwise: str) -> str:
    return next(iter(values)) if len(values) == 1 else otherwise


_URLENCODED = "application/x-www-form-urlencoded"


# Answers


def _answer(name: str, annotation: Any) -> SchemaField:
    return SchemaField(name, name, annotation, mode="serialization")


def _stream(route: APIRoute) -> Literal["jsonl", "events"] | None:
    if not route.is_stream:
        return None
    response_class: Any = route.response_class
    chosen = not isinstance(response_class, DefaultPlaceholder)
    response_class = response_class if chosen else response_class.value
    if isinstance(response_class, type) and issubclass(response_class, EventSourceResponse):
        return "events"
    return None if chosen else "jsonl"


def _is_event(item: Any) -> bool:
    """Whether an endpoint yields whole events: their data is not told by their type."""
    return isinstance(item, type) and issubclass(item, ServerSentEvent)
