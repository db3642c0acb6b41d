"""Forms of several parts. A model among them has no name in the form: its fields stand beside the others.

properties   what is no model
allOf        one schema for each model; of one that may be None, or none of its fields
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from fastweb.openapi.constants import REF_PREFIX
from fastweb.openapi.fields import SchemaField

__all__ = ["spread_groups"]

_Document = dict[str, Any]
_Definitions = dict[str, _Document]
_Names = dict[str, tuple[str, ...]]


def spread_groups(body: SchemaField, name: str, definitions: _Definitions) -> None:
    """Describe a form of several parts as what is sent.

    Arguments:
        body: the form.
        name: that of its definition, in which each part is a property; it is changed.
        definitions: all of them.
    """
    definition = definitions[name]
    documents = definition.pop("properties")
    definition.pop("required", None)
    properties: _Document = {}
    required: list[str] = []
    conditions: list[_Document] = []
    for part in body.parts:
        document = documents[part.alias]
        if "$ref" not in document:
            document["title"] = part.title
        if part.is_group:
            conditions.extend(_group(part, document, definitions))
            continue
        if part.form_name in properties:
            conditions.append({"properties": {part.form_name: document}})
        else:
            properties[part.form_name] = document
        if part.info.is_required() and part.form_name not in required:
            required.append(part.form_name)
    if properties:
        definition["properties"] = properties
    if required:
        definition["required"] = required
    definition["allOf"] = conditions


def _group(part: SchemaField, document: _Document, definitions: _Definitions) -> Iterator[_Document]:
    """What a group of a form's fields asks of the form."""
    left_out = ("default", "title") if "$ref" in document else ("default",)
    document = {name: value for name, value in document.items() if name not in left_out}
    nullable = {"type": "null"} in document.get("anyOf", ())
    if nullable:
        # No field of the group is sent for None.
        document["anyOf"] = [each for each in document["anyOf"] if each != {"type": "null"}]
    models = list(_models(document, definitions))
    if len(models) == 1:
        document = _with_names(document, part.names, definitions)
    if nullable:
        absent = _absence(models, part.names)
        if part.info.is_required():
            yield {"not": absent}
        else:
            document = {"anyOf": [absent, document]}
    yield document


def _models(document: _Document, definitions: _Definitions) -> Iterator[_Document]:
    """The definitions of a model, or of the models of a union."""
    if "$ref" in document:
        yield definitions[document["$ref"].removeprefix(REF_PREFIX)]
    for choice in (*document.get("anyOf", ()), *document.get("oneOf", ())):
        yield from _models(choice, definitions)


def _with_names(document: _Document, names: _Names, definitions: _Definitions) -> _Document:
    """The document of one model, whose definition is taken in where a field has several names."""
    if "anyOf" in document:
        return {**document, "anyOf": [_with_names(each, names, definitions) for each in document["anyOf"]]}
    (model,) = _models(document, definitions)
    required = model.get("required", ())
    several = {
        name: names[name]
        for name in model.get("properties", ())
        if name in names and (names[name][0] != name or (len(names[name]) > 1 and name in required))
    }
    if not several:
        return document
    made = copy.deepcopy(model)
    made["properties"] = {several.get(name, (name,))[0]: value for name, value in made["properties"].items()}
    made["required"] = []
    for name in required:
        choices = several.get(name, (name,))
        if len(choices) == 1:
            made["required"].append(choices[0])
        else:
            any_of = {"anyOf": [{"required": [each]} for each in choices]}
            made.setdefault("allOf", []).append(any_of)
    return made


def _absence(models: Sequence[_Document], names: _Names) -> _Document:
    """That a form has no field of these models."""
    if any("additionalProperties" in model for model in models):
        return {"maxProperties": 0}
    known = {
        each for model in models for name in model.get("properties", ()) for each in names.get(name, (name,))
    }
    return {"not": {"anyOf": [{"required": [name]} for name in sorted(known)]}} if known else {}
