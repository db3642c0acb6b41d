"""The schemas of a document: every parameter, body and answer of an app described at once, so that what they
share is defined once and has one name.

    an app that uses pydantic   pydantic describes whatever it can, with its own generator, as FastAPI does
    what it cannot, or no pydantic at all
                                fastweb.validation.json_schema, which says the same in the same words

pydantic is imported only where an annotation reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastweb.openapi.constants import REF_PREFIX, REF_TEMPLATE
from fastweb.openapi.fields import SchemaField
from fastweb.openapi.forms import spread_groups
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.annotations import reaches_pydantic
from fastweb.validation.json_schema import JSONSchemas, Mode
from fastweb.validation.schema import schema_of

__all__ = ["Schemas"]

_Document = dict[str, Any]


class Schemas:
    """The schemas of some places, and the definitions that they share.

    Arguments:
        fields: the places.
        separate_input_output_schemas: define a model twice where what it accepts is not what it puts out.

    Raises:
        FastWebError: JSON Schema has no word for some type.
    """

    def __init__(self, fields: Sequence[SchemaField], *, separate_input_output_schemas: bool = True) -> None:
        self._separate = separate_input_output_schemas
        self._documents: dict[int, _Document] = {}
        self.definitions: dict[str, _Document] = {}
        rest = list(fields)
        describe_node = None
        if any(map(_uses_pydantic, fields)):
            from fastweb.openapi.pydantic_schemas import PydanticSchemas

            pydantic = PydanticSchemas(separate=separate_input_output_schemas)
            rest = [field for field in fields if not pydantic.take(field)]
            # Types of pydantic within ours are described with the others, so they are to be found first.
            self._describe(rest, {}, pydantic.take_node)
            self._documents, self.definitions = pydantic.finish()
            describe_node = pydantic.document_of_node
        documents, definitions = self._describe(rest, self.definitions, describe_node)
        self._documents |= documents
        self.definitions |= definitions
        for document in self.definitions.values():
            if "description" in document:
                document["description"] = document["description"].split("\f")[0]
        for field in fields:
            if any(part.is_group for part in field.parts):
                name = self._documents[id(field)]["$ref"].removeprefix(REF_PREFIX)
                spread_groups(field, name, self.definitions)

    def of(self, field: SchemaField) -> _Document:
        """The schema of a place, with its title."""
        document = dict(self._documents[id(field)])
        if "$ref" not in document:
            document["title"] = field.title
        return document

    def _describe(
        self,
        fields: Sequence[SchemaField],
        taken: dict[str, _Document],
        describe_pydantic: Callable[[nodes.PydanticSchema, Mode], _Document] | None,
    ) -> tuple[dict[int, _Document], dict[str, _Document]]:
        """The documents of fields, by their ids, and the definitions, without pydantic."""
        schemas = JSONSchemas(
            ref_template=REF_TEMPLATE,
            content_media_type=True,
            taken=taken,
            describe_pydantic=describe_pydantic,
        )
        made = {}
        for field in fields:
            mode = field.mode if self._separate else "validation"
            schema = _body_schema(field) if field.parts else _schema_of(field)
            made[id(field)] = schemas.add_field(schema, mode, default=_default_of(field.info))
        return made, schemas.finish()


def _schema_of(field: SchemaField) -> nodes.Schema:
    if field.schema is None:
        field.schema = schema_of(field.annotation, field=field.info)
    return field.schema


def _default_of(info: Any) -> Any:
    return Undefined if info is None else info.default


def _is_pydantic_info(info: Any) -> bool:
    return type(info).__module__.partition(".")[0] == "pydantic"


def _body_schema(field: SchemaField) -> nodes.ModelSchema:
    """A body that is put together from parameters, as a model."""
    cls = type(field.name, (), {"__module__": "fastweb.openapi.schemas"})
    return nodes.ModelSchema(
        cls=cls,
        annotation=cls,
        kind="dataclass",
        title=field.name,
        fields=tuple(
            nodes.FieldSchema(
                name=part.name,
                alias=part.alias,
                lookups=((part.alias,),),
                serialization_alias=part.alias,
                schema=_schema_of(part),
                required=part.info.is_required(),
                default=_default_of(part.info),
                default_factory=part.info.default_factory,
                info=part.info,
            )
            for part in field.parts
        ),
    )


def _uses_pydantic(field: SchemaField) -> bool:
    if field.parts:
        return any(map(_uses_pydantic, field.parts))
    return _is_pydantic_info(field.info) or reaches_pydantic(field.annotation)[0]
