"""Schemas by pydantic, as FastAPI asks it for them. Whoever imports this has pydantic."""

from __future__ import annotations

import enum
import warnings
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pydantic
from pydantic import TypeAdapter
from pydantic import warnings as pydantic_warnings
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from fastweb.openapi.constants import REF_TEMPLATE
from fastweb.openapi.fields import SchemaField
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.json_schema import Mode
from fastweb.validation.pydantic_backend import adapter_of, translate

__all__ = ["PydanticSchemas"]

_Document = dict[str, Any]


class PydanticSchemas:
    """What pydantic describes."""

    def __init__(self, *, separate: bool) -> None:
        self._separate = separate
        #: What a document is asked for by -> the adapter and mode that it is made of.
        self._inputs: dict[Any, tuple[TypeAdapter[Any], Mode]] = {}
        self._annotations: list[tuple[Any, Mode]] = []
        self._made: dict[Any, _Document] = {}

    def take(self, field: SchemaField) -> bool:
        """Whether pydantic can describe this; if so, it will."""
        try:
            annotation = _body_model(field) if field.parts else field.annotation
            adapter = _adapter(field, annotation)
        except (PydanticSchemaGenerationError, PydanticUserError):
            return False
        self._inputs[id(field)] = adapter, self._mode(adapter, annotation, field.mode)
        self._annotations.append((annotation, field.mode))
        return True

    def take_node(self, schema: nodes.PydanticSchema, mode: Mode) -> _Document:
        """Describe this, too, which stands within something that pydantic cannot describe."""
        self._inputs[id(schema), mode] = adapter_of(schema), mode
        self._annotations.append((schema.annotation, mode))
        return {"$comment": f"{id(schema)}"}

    def document_of_node(self, schema: nodes.PydanticSchema, mode: Mode) -> _Document:
        """The document of what `take_node` was given."""
        return dict(self._made[id(schema), mode])

    def finish(self) -> tuple[dict[int, _Document], dict[str, _Document]]:
        """The documents, by their fields' ids, and the definitions, by name."""
        given = {id(annotation) for annotation, _ in self._annotations}
        seen: dict[Mode, set[Any]] = {"validation": set(), "serialization": set()}
        for annotation, mode in self._annotations:
            for model in _models_in(annotation, seen[mode]):
                if id(model) not in given:
                    adapter = pydantic.TypeAdapter(model)
                    self._inputs[model, mode] = adapter, self._mode(adapter, model, mode)
        generator = _Generator(ref_template=REF_TEMPLATE)
        made, definitions = generator.generate_definitions(
            [(key, mode, adapter.core_schema) for key, (adapter, mode) in self._inputs.items()]
        )
        self._made = {key: document for (key, _), document in made.items()}
        documents = {key: value for key, value in self._made.items() if isinstance(key, int)}
        return documents, {str(name): document for name, document in definitions.items()}

    def _mode(self, adapter: TypeAdapter[Any], annotation: Any, mode: Mode) -> Mode:
        # What computes fields always puts out more than it accepts.
        return mode if self._separate or _computes_fields(adapter, annotation) else "validation"


def _adapter(field: SchemaField, annotation: Any) -> TypeAdapter[Any]:
    with warnings.catch_warnings():
        _ignore_unsupported()
        described: Any = translate(annotation)
        if field.info is not None:
            described = _described(described, field.info, alias=None)
        return pydantic.TypeAdapter(described, config=field.config)


def _body_model(field: SchemaField) -> Any:
    made: dict[str, Any] = {}
    with warnings.catch_warnings():
        _ignore_unsupported()
        for part in field.parts:
            made[part.name] = _described(translate(part.annotation), part.info, alias=part.alias)
        return pydantic.create_model(field.name, __module__=__name__, **made)


def _ignore_unsupported() -> None:
    # Some attributes of a field mean nothing outside a model; FastAPI ignores that, too.
    ignored = getattr(pydantic_warnings, "UnsupportedFieldAttributeWarning", None)
    if ignored is not None:
        warnings.simplefilter("ignore", ignored)


#: What a FieldInfo of ours and pydantic's Field call by the same name, beside the constraints.
_SHARED = (
    "default_factory",
    "title",
    "description",
    "examples",
    "deprecated",
    "discriminator",
    "json_schema_extra",
)


def _described(annotation: Any, info: Any, *, alias: str | None) -> Any:
    """An annotation with a field's description, for pydantic."""
    make: Any = pydantic.Field
    if isinstance(info, pydantic.fields.FieldInfo):
        own = {name: value for name in _SHARED if (value := getattr(info, name)) not in (None, False)}
        if info.default_factory is None and not info.is_required():
            own["default"] = info.default
        return Annotated[(annotation, *info.metadata, make(**own))]
    options = {name: value for name in _SHARED if (value := getattr(info, name)) not in (None, False)}
    if info.default is not Undefined:
        options["default"] = info.default
    if alias is not None:
        choices = info.validation_alias
        options["alias"] = alias
        if choices is not None and not isinstance(choices, str):
            options["validation_alias"] = choices
    return Annotated[annotation, make(**options, **info.constraints())]


class _Generator(GenerateJsonSchema):
    def bytes_schema(self, schema: Any) -> _Document:
        """Bytes as OpenAPI 3.1 has them (section 4.8.12.8), not as 3.0 had."""
        document: _Document = {"type": "string", "contentMediaType": "application/octet-stream"}
        config = self._config
        how = config.ser_json_bytes if self.mode == "serialization" else config.val_json_bytes
        if how == "base64":
            document["contentEncoding"] = "base64"
        self.update_with_validations(document, schema, self.ValidationsMapping.bytes)
        return document


def _models_in(annotation: Any, seen: set[Any]) -> Iterator[Any]:
    """The models and enums that an annotation names, and those that they name; FastAPI defines each of them,
    even one that nothing refers to, for a serializer hides it.
    """
    if isinstance(annotation, type) and issubclass(annotation, (pydantic.BaseModel, enum.Enum)):
        if annotation in seen:
            return
        seen.add(annotation)
        yield annotation
        for info in getattr(annotation, "model_fields", {}).values():
            yield from _models_in(info.annotation, seen)
    elif get_origin(annotation) is not None:
        for argument in get_args(annotation):
            yield from _models_in(argument, seen)


def _computes_fields(adapter: TypeAdapter[Any], annotation: Any) -> bool:
    core: Any = adapter.core_schema
    if core.get("schema", {}).get("computed_fields"):
        return True
    return any(getattr(model, "model_computed_fields", None) for model in _models_in(annotation, set()))
