"""An app's OpenAPI document, made of its routes.

Source: https://spec.openapis.org/oas/v3.1.0; what it leaves open is as FastAPI has it.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from fastweb.datastructures import DefaultPlaceholder
from fastweb.encoders import jsonable_encoder
from fastweb.openapi.constants import METHODS_WITH_BODY, REF_PREFIX
from fastweb.openapi.routes import RouteBody, RouteFields, RouteParameter, api_routes
from fastweb.openapi.schemas import Schemas
from fastweb.responses import JSONResponse, is_body_allowed
from fastweb.routing import BaseRoute
from fastweb.types import Undefined

__all__ = ["get_openapi"]

_Document = dict[str, Any]

#: The answer to a request that does not fit, as the exception handler of the app gives it.
_VALIDATION_ERRORS: dict[str, _Document] = {
    "ValidationError": {
        "title": "ValidationError",
        "type": "object",
        "properties": {
            "loc": {
                "title": "Location",
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            },
            "msg": {"title": "Message", "type": "string"},
            "type": {"title": "Error Type", "type": "string"},
            "input": {"title": "Input"},
            "ctx": {"title": "Context", "type": "object"},
        },
        "required": ["loc", "msg", "type"],
    },
    "HTTPValidationError": {
        "title": "HTTPValidationError",
        "type": "object",
        "properties": {
            "detail": {
                "title": "Detail",
                "type": "array",
                "items": {"$ref": f"{REF_PREFIX}ValidationError"},
            }
        },
    },
}

_RANGES = {
    "1XX": "Information",
    "2XX": "Success",
    "3XX": "Redirection",
    "4XX": "Client Error",
    "5XX": "Server Error",
    "DEFAULT": "Default Response",
}

_PHRASES = {status.value: status.phrase for status in HTTPStatus}

#: One event of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html).
_EVENT: _Document = {
    "type": "object",
    "properties": {
        "data": {"type": "string"},
        "event": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer", "minimum": 0},
    },
}


def get_openapi(
    *,
    title: str,
    version: str,
    openapi_version: str = "3.1.0",
    summary: str | None = None,
    description: str | None = None,
    routes: Sequence[BaseRoute],
    webhooks: Sequence[BaseRoute] | None = None,
    tags: Sequence[Mapping[str, Any]] | None = None,
    servers: Sequence[Mapping[str, Any]] | None = None,
    terms_of_service: str | None = None,
    contact: Mapping[str, Any] | None = None,
    license_info: Mapping[str, Any] | None = None,
    separate_input_output_schemas: bool = True,
    external_docs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The OpenAPI document of some routes.

    Arguments:
        title, version, summary, description, terms_of_service, contact, license_info: of the API.
        openapi_version: what the document says that it is.
        routes: those of the app; those without an operation are passed over.
        webhooks: routes that describe what the app sends to others.
        tags: names, descriptions and order of the operations' tags.
        servers: where the API is.
        separate_input_output_schemas: describe a model twice where what it accepts is not what it puts out.
        external_docs: documentation elsewhere.

    Raises:
        FastWebError: JSON Schema has no word for some type.
        ValueError: a key of some route's `responses` is no status.
    """
    info = _present(
        title=title,
        version=version,
        summary=summary,
        description=description,
        termsOfService=terms_of_service,
        contact=_with_url(contact),
        license=_with_url(license_info),
    )
    operations = [RouteFields.of(route) for route in api_routes(routes) if route.include_in_schema]
    sent = [RouteFields.of(route) for route in api_routes(webhooks or ()) if route.include_in_schema]
    schemas = Schemas(
        [field for operation in (*operations, *sent) for field in operation.schema_fields()],
        separate_input_output_schemas=separate_input_output_schemas,
    )
    document = _Paths(schemas)
    paths = document.of(operations)
    webhook_paths = document.of(sent)
    definitions = {**schemas.definitions, **document.definitions}
    components = _present(
        schemas={name: definitions[name] for name in sorted(definitions)},
        securitySchemes=document.security_schemes,
    )
    made = {
        "openapi": openapi_version,
        "info": info,
        **_present(servers=servers, components=components),
        "paths": paths,
        **_present(
            webhooks=webhook_paths,
            tags=[_with_docs(tag) for tag in tags or ()],
            externalDocs=_with_url(external_docs),
        ),
    }
    encoded: _Document = jsonable_encoder(made, by_alias=True, exclude_none=True)
    return encoded


class _Paths:
    """The Paths Object, and what it refers to.

    Attributes:
        security_schemes: those that an operation needs.
        definitions: schemas of answers that the app gives by itself.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._operation_ids: set[str] = set()
        self.security_schemes: dict[str, Any] = {}
        self.definitions: dict[str, _Document] = {}

    def of(self, operations: Iterable[RouteFields]) -> dict[str, _Document]:
        """The paths of some routes."""
        paths: dict[str, _Document] = {}
        for fields in operations:
            item = self._item(fields)
            if item:
                paths.setdefault(fields.route.path_format, {}).update(item)
        return paths

    def _item(self, fields: RouteFields) -> _Document:
        return {method.lower(): self._operation(fields, method) for method in fields.route.methods}

    def _operation(self, fields: RouteFields, method: str) -> _Document:
        route = fields.route
        operation = _present(tags=route.tags)
        operation["summary"] = route.summary or (route.name or "").replace("_", " ").title()
        operation |= _present(description=_until_form_feed(route.description))
        operation["operationId"] = self._operation_id(fields)
        operation |= _present(
            deprecated=route.deprecated,
            security=self._security(fields),
            parameters=self._parameters(fields.parameters),
        )
        if method in METHODS_WITH_BODY and fields.body is not None:
            operation["requestBody"] = self._request_body(fields.body)
        if route.callbacks:
            operation["callbacks"] = {
                callback.route.name: {callback.route.path: self._item(callback)}
                if callback.route.include_in_schema
                else {callback.route.path: {}}
                for callback in fields.callbacks
            }
        operation["responses"] = self._responses(fields)
        if route.openapi_extra:
            _merge(operation, copy.deepcopy(route.openapi_extra))
        return operation

    def _operation_id(self, fields: RouteFields) -> str:
        route = fields.route
        name: str = route.operation_id or route.unique_id
        if name in self._operation_ids:
            function = getattr(route.endpoint, "__name__", "<unnamed_endpoint>")
            message = f"Duplicate Operation ID {name} for function {function}"
            file = getattr(route.endpoint, "__globals__", {}).get("__file__")
            warnings.warn(message + (f" at {file}" if file else ""), stacklevel=1)
        self._operation_ids.add(name)
        return name

    def _security(self, fields: RouteFields) -> list[dict[str, list[str]]]:
        needed: dict[str, list[str]] = {}
        for scheme, scopes in fields.security:
            self.security_schemes[scheme.scheme_name] = scheme.model
            known = needed.setdefault(scheme.scheme_name, [])
            known.extend(scope for scope in scopes if scope not in known)
        return [{name: scopes} for name, scopes in needed.items()]

    def _parameters(self, parameters: Iterable[RouteParameter]) -> list[_Document]:
        made: dict[tuple[Any, str], _Document] = {}
        for parameter in parameters:
            key = (parameter.where, parameter.name)
            # Of several of one name, the last is taken, but one that is required goes before one that is not.
            if not parameter.include or (key in made and made[key]["required"] and not parameter.required):
                continue
            made[key] = self._parameter(parameter)
        return list(made.values())

    def _parameter(self, parameter: RouteParameter) -> _Document:
        info = parameter.info
        return {
            "name": parameter.name,
            "in": parameter.where.value,
            "required": parameter.required,
            "schema": self._schemas.of(parameter.field),
            **_present(description=info.description),
            **_examples(info),
            **_present(deprecated=bool(getattr(info, "deprecated", None))),
        }

    def _request_body(self, body: RouteBody) -> _Document:
        content = {"schema": self._schemas.of(body.field), **_examples(body.info)}
        return {**_present(required=body.required), "content": {body.media_type: content}}

    # Answers

    def _responses(self, fields: RouteFields) -> _Document:
        route = fields.route
        response_class: Any = route.response_class
        if isinstance(response_class, DefaultPlaceholder):
            response_class = response_class.value
        responses: _Document = {self._status(fields, response_class): self._answer(fields, response_class)}
        for code, given in route.responses.items():
            key = str(code).upper()
            key = "default" if key == "DEFAULT" else key
            self._add_response(responses.setdefault(key, {}), fields, code, given, response_class.media_type)
        checked = fields.parameters or fields.body is not None
        if checked and not responses.keys() & {"422", "4XX", "default"}:
            self.definitions |= copy.deepcopy(_VALIDATION_ERRORS)
            schema = {"$ref": f"{REF_PREFIX}HTTPValidationError"}
            responses["422"] = {
                "description": "Validation Error",
                "content": {"application/json": {"schema": schema}},
            }
        return responses

    def _status(self, fields: RouteFields, response_class: Any) -> str:
        if fields.route.status_code is not None:
            return str(fields.route.status_code)
        parameter = inspect.signature(response_class.__init__).parameters.get("status_code")
        known = parameter is not None and isinstance(parameter.default, int)
        return str(int(parameter.default)) if known else "200"  # type: ignore[union-attr]

    def _answer(self, fields: RouteFields, response_class: Any) -> _Document:
        """The answer of the endpoint's own."""
        route = fields.route
        answer: _Document = {"description": route.response_description}
        if not is_body_allowed(route.status_code):
            return answer
        item = fields.stream_item
        if fields.stream == "jsonl":
            schema = {} if item is None else self._schemas.of(item)
            answer["content"] = {"application/jsonl": {"itemSchema": schema}}
        elif fields.stream == "events":
            event = copy.deepcopy(_EVENT)
            if item is not None:
                event["required"] = ["data"]
                event["properties"]["data"] = {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": self._schemas.of(item),
                }
            answer["content"] = {"text/event-stream": {"itemSchema": event}}
        elif response_class.media_type:
            schema = {"type": "string"}
            if isinstance(response_class, type) and issubclass(response_class, JSONResponse):
                schema = {} if fields.response is None else self._schemas.of(fields.response)
            answer["content"] = {response_class.media_type: {"schema": schema}}
        return answer

    def _add_response(
        self,
        response: _Document,
        fields: RouteFields,
        code: int | str,
        given: Mapping[str, Any],
        media_type: str | None,
    ) -> None:
        """Add to an answer what the route's `responses` say of it."""
        added = copy.deepcopy({name: value for name, value in given.items() if name != "model"})
        if (field := fields.responses.get(code)) is not None:
            content = added.setdefault("content", {}).setdefault(media_type or "application/json", {})
            _merge(content.setdefault("schema", {}), self._schemas.of(field))
        phrase = _phrase(code)
        description = added.get("description") or response.get("description") or phrase
        _merge(response, added)
        response["description"] = description


def _phrase(code: int | str) -> str:
    """What a status, or a range of them, is called.

    Raises:
        ValueError: it is none.
    """
    if (known := _RANGES.get(str(code).upper())) is not None:
        return known
    try:
        return _PHRASES.get(int(code), "Additional Response")
    except ValueError:
        known_ranges = ", ".join(_RANGES)
        raise ValueError(
            f"{code!r} among the additional responses is neither a status nor one of {known_ranges}"
        ) from None


def _present(**values: Any) -> _Document:
    """Those that say something."""
    return {name: value for name, value in values.items() if value}


def _until_form_feed(description: str | None) -> str:
    """What stands before the first form feed, behind which is what is not for the API's users."""
    return (description or "").split("\f")[0].strip()


def _examples(info: Any) -> _Document:
    if examples := getattr(info, "openapi_examples", None):
        return {"examples": examples}
    example = getattr(info, "example", Undefined)
    return {} if example is Undefined else {"example": example}


def _merge(document: _Document, more: Mapping[str, Any]) -> None:
    """Add to a document, deeply: dicts are merged, lists joined, all else replaced."""
    for key, value in more.items():
        old = document.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            document[key] = old + value
        else:
            document[key] = value


def _with_url(item: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """An object with its `url` as browsers write it, the path never empty."""
    if not item or not isinstance(item.get("url"), str):
        return item
    parts = urlsplit(item["url"])
    if parts.scheme.lower() not in ("http", "https", "ws", "wss", "ftp"):
        return item
    user, at, host = parts.netloc.rpartition("@")
    url = urlunsplit(parts._replace(netloc=user + at + host.lower(), path=parts.path or "/"))
    return {**item, "url": url}


def _with_docs(tag: Mapping[str, Any]) -> Mapping[str, Any]:
    docs = tag.get("externalDocs")
    return {**tag, "externalDocs": _with_url(docs)} if docs else tag
