"""Schemas as JSON Schema (draft 2020-12), in the words and the form that pydantic uses.

`json_schema_of` gives the document of one type. `JSONSchemas` gathers many types that share their
definitions, as OpenAPI needs it: first `add` each, then `finish`, which names the definitions.

Source: https://docs.pydantic.dev/latest/concepts/json_schema/
"""

from __future__ import annotations

import copy
import enum
import inspect
import ipaddress
import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from fastweb.exceptions import FastWebError
from fastweb.fields import FieldInfo
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.annotations import is_typed_dict, is_union
from fastweb.validation.dump import Dumper, SerializationError
from fastweb.validation.nodes import FieldSchema, Schema
from fastweb.validation.schema import schema_of

__all__ = ["JSONSchemas", "Mode", "field_title", "json_schema_of"]

#: What is described: what is accepted, or what is put out.
Mode = Literal["validation", "serialization"]

_Document = dict[str, Any]
_BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
#: How a reference is written until the definitions have their names.
_MARK = "\0"


def json_schema_of(
    annotation: Any,
    *,
    field: FieldInfo | None = None,
    mode: Mode = "validation",
    by_alias: bool = True,
    ref_template: str = "#/$defs/{model}",
) -> dict[str, Any]:
    """The JSON Schema of a type, its definitions under "$defs".

    Arguments:
        annotation: a type.
        field: constraints and words to add.
        mode: what is accepted, or what is put out.
        by_alias: name fields by their aliases.
        ref_template: how a reference to a definition is written.

    Raises:
        FastWebError: JSON Schema has no word for some part of it, or fastweb cannot validate it.
    """
    schemas = JSONSchemas(by_alias=by_alias, ref_template=ref_template)
    document = schemas.add(schema_of(annotation, field=field, arbitrary_types=True), mode)
    definitions = schemas.finish()
    if set(document) == {"$ref"}:
        name = schemas.name_of(document)
        if name is not None and not _refers(definitions[name], document["$ref"]):
            document = definitions.pop(name)
    if definitions:
        document = {"$defs": dict(sorted(definitions.items())), **document}
    return document


def field_title(name: str) -> str:
    """The title that a field has by its name."""
    return name.title().replace("_", " ").strip()


def _refers(document: Any, ref: str) -> bool:
    if isinstance(document, dict):
        return document.get("$ref") == ref or any(_refers(each, ref) for each in document.values())
    if isinstance(document, list):
        return any(_refers(each, ref) for each in document)
    return False


class JSONSchemas:
    """The JSON Schemas of several types, and the definitions that they share.

    Arguments:
        by_alias: name fields by their aliases.
        ref_template: how a reference to a definition is written, "{model}" standing for its name.
        content_media_type: describe bytes by their media type, as OpenAPI 3.1 does, not by a format.
        taken: definitions of others, by name: what is not equal to them gets another name.
        describe_pydantic: what describes pydantic's types, given a node and the mode; by default, `add` does.
    """

    def __init__(
        self,
        *,
        by_alias: bool = True,
        ref_template: str = "#/$defs/{model}",
        content_media_type: bool = False,
        taken: Mapping[str, _Document] | None = None,
        describe_pydantic: Callable[[nodes.PydanticSchema, Mode], _Document] | None = None,
    ) -> None:
        self.by_alias = by_alias
        self.ref_template = ref_template
        self._content_media_type = content_media_type
        self._taken = taken or {}
        self._describe_pydantic = describe_pydantic
        #: By key: a class (with its arguments) and the mode.
        self._definitions: dict[tuple[Any, Mode], _Document] = {}
        self._keys: dict[str, tuple[Any, Mode]] = {}
        self._marks: dict[tuple[Any, Mode], str] = {}
        self._names: dict[tuple[Any, Mode], str] = {}
        self._documents: list[_Document] = []
        self._mode: Mode = "validation"

    def add(self, schema: Schema, mode: Mode) -> dict[str, Any]:
        """The document of a type; its references are right once `finish` was called."""
        self._mode = mode
        document = self._document(schema)
        self._documents.append(document)
        return document

    def add_field(self, schema: Schema, mode: Mode, *, default: Any = Undefined) -> dict[str, Any]:
        """The document of a type that has a default, as `add` gives it."""
        self._mode = mode
        document = self._with_default(self._document(schema), schema, default)
        self._documents.append(document)
        return document

    def finish(self) -> dict[str, dict[str, Any]]:
        """Give the definitions their names, and put these into every document added.

        A name is the class's own; where several classes have it, with the module before it; where what a
        class accepts is not what it puts out, with "-Input" or "-Output" after it.
        """
        self._names = _choose_names(self._definitions)
        if different := self._taken_otherwise():
            self._names = _choose_names(self._definitions, different)
        for document in [*self._documents, *self._definitions.values()]:
            self._resolve(document)
        return {self._names[key]: document for key, document in self._definitions.items()}

    def _taken_otherwise(self) -> set[str]:
        """The names that other definitions have already, and not equal ones."""
        different = set()
        for key, name in self._names.items():
            if name in self._taken:
                document = copy.deepcopy(self._definitions[key])
                self._resolve(document)
                if document != self._taken[name]:
                    different.add(name)
        return different

    def name_of(self, document: Mapping[str, Any]) -> str | None:
        """The name of the definition that a finished document refers to."""
        ref = document.get("$ref")
        return next(
            (name for name in self._names.values() if self.ref_template.format(model=name) == ref), None
        )

    def _resolve(self, part: Any) -> None:
        if isinstance(part, dict):
            for name, value in part.items():
                if isinstance(value, str) and value.startswith(_MARK):
                    part[name] = self.ref_template.format(model=self._names[self._keys[value]])
                else:
                    self._resolve(value)
        elif isinstance(part, list):
            for each in part:
                self._resolve(each)

    def _define(self, identity: Any, make: Callable[[], _Document]) -> _Document:
        key = (identity, self._mode)
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = f"{_MARK}{len(self._keys)}"
            self._keys[mark] = key
            self._definitions[key] = {}
            self._definitions[key].update(make())
        return {"$ref": mark}

    # Documents

    def _document(self, schema: Schema) -> _Document:
        document = _MAKERS[type(schema)](self, schema)
        for item in schema.metadata:
            document = self._described(document, item)
        return document

    def _described(self, document: _Document, item: Any) -> _Document:
        """The document with words that stood beside the type."""
        words: _Document = {}
        change = None
        if isinstance(item, FieldInfo):
            words = _words(item)
            change = item.json_schema_extra
        elif isinstance(item, msgspec.Meta):
            given = {"title": item.title, "description": item.description, "examples": item.examples}
            words = {name: value for name, value in given.items() if value is not None}
            change = item.extra_json_schema
        else:
            method = getattr(item, "documentation", None)  # annotated_doc.Doc
            if isinstance(method, str) and type(item).__name__ == "Doc":
                words = {"description": method}
        if not words and not change:
            return document
        document = {**document, **words}
        return _extended(document, change)

    def _type(self, schema: Any, kind: str, **more: Any) -> _Document:
        document: _Document = {"type": kind, **more}
        for name, word in _BOUNDS.items():
            bound = getattr(schema, name, None)
            if bound is not None and kind in ("integer", "number"):
                document[word] = bound
        return document

    def _sized(self, document: _Document, schema: Any, least: str, most: str) -> _Document:
        if schema.min_length is not None:
            document[least] = schema.min_length
        if schema.max_length is not None:
            document[most] = schema.max_length
        return document

    def _str(self, schema: nodes.StrSchema) -> _Document:
        document = self._sized({"type": "string"}, schema, "minLength", "maxLength")
        if schema.pattern is not None:
            pattern = schema.pattern
            document["pattern"] = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
        return document

    def _bytes(self, schema: nodes.BytesSchema) -> _Document:
        document = {"type": "string", "format": "binary"}
        if self._content_media_type:
            document = {"type": "string", "contentMediaType": "application/octet-stream"}
        return self._sized(document, schema, "minLength", "maxLength")

    def _decimal(self, schema: nodes.DecimalSchema) -> _Document:
        if self._mode == "serialization":
            return {"type": "string"}
        number = self._type(schema, "number")
        number.update({word: float(number[word]) for word in _BOUNDS.values() if word in number})
        return {"anyOf": [number, {"type": "string"}]}

    def _enum(self, schema: nodes.EnumSchema) -> _Document:
        return self._define(schema.cls, lambda: _enum_document(schema.cls))

    def _literal(self, schema: nodes.LiteralSchema) -> _Document:
        values = [_jsonable(value) for value in schema.values]
        return _values({"const": values[0]} if len(values) == 1 else {"enum": values}, values)

    def _array(self, schema: Any) -> _Document:
        document: _Document = {"type": "array", "items": self._document(schema.item)}
        if isinstance(schema, (nodes.SetSchema, nodes.FrozenSetSchema)):
            document["uniqueItems"] = True
        return self._sized(document, schema, "minItems", "maxItems")

    def _tuple(self, schema: nodes.TupleSchema) -> _Document:
        if schema.variadic:
            items = self._document(schema.items[0])
            return self._sized({"type": "array", "items": items}, schema, "minItems", "maxItems")
        size = len(schema.items)
        document: _Document = {"type": "array", "minItems": size, "maxItems": size}
        if size:
            document["prefixItems"] = [self._document(item) for item in schema.items]
        return document

    def _dict(self, schema: nodes.DictSchema) -> _Document:
        document: _Document = {"type": "object"}
        keys = dict(self._document(schema.key))
        values = self._document(schema.value)
        pattern = keys.pop("pattern", None)
        if "$ref" not in keys:
            keys.pop("title", None)
            keys.pop("type", None)
        if values or pattern is not None:
            if pattern is None:
                document["additionalProperties"] = values
            else:
                document["patternProperties"] = {pattern: values}
        else:
            document["additionalProperties"] = True
        if keys and type(schema.key) in (nodes.StrSchema, nodes.EnumSchema, nodes.UUIDSchema, *_FORMATS):
            document["propertyNames"] = keys
        return self._sized(document, schema, "minProperties", "maxProperties")

    def _nullable(self, schema: nodes.NullableSchema) -> _Document:
        inner = self._document(schema.inner)
        null = {"type": "null"}
        if inner == null:
            return null
        return _any_of([*_flat(inner), null])

    def _union(self, schema: nodes.UnionSchema) -> _Document:
        choices: list[_Document] = []
        for choice in schema.choices:
            document = self._document(choice)
            for each in _flat(document):
                if each not in choices:
                    choices.append(each)
        if schema.discriminator is None:
            return _any_of(choices)
        return {
            "oneOf": choices,
            "discriminator": {
                "propertyName": self._discriminator(schema),
                "mapping": self._mapping(schema),
            },
        }

    def _discriminator(self, schema: nodes.UnionSchema) -> str:
        for choice in schema.choices:
            model = _model_in(choice)
            for field in () if model is None else model.fields:
                if field.name == schema.discriminator:
                    return self._field_name(field)
        return schema.discriminator or ""

    def _mapping(self, schema: nodes.UnionSchema) -> dict[str, str]:
        mapping: dict[str, str] = {}
        for choice in schema.choices:
            model = _model_in(choice)
            if model is None:
                continue
            document = self._document(choice)
            for field in model.fields:
                if field.name != schema.discriminator:
                    continue
                kind = field.schema
                values: list[Any] = []
                if isinstance(kind, nodes.LiteralSchema):
                    values = list(kind.values)
                elif isinstance(kind, nodes.EnumSchema):
                    values = [*kind.cls.__members__.values()]
                mapping.update({str(_jsonable(value)): document.get("$ref", "") for value in values})
            if model.tag_field is not None:
                mapping[str(model.tag)] = document.get("$ref", "")
        return mapping

    def _inner(self, schema: Any) -> _Document:
        return self._document(schema.inner)

    def _check(self, schema: nodes.CheckSchema) -> _Document:
        document = self._document(schema.inner)
        word = _BOUNDS.get(schema.name)
        if word is not None and document.get("type") in ("integer", "number"):
            return {**document, word: schema.value}
        kinds = {"string": "Length", "array": "Items", "object": "Properties"}
        suffix = kinds.get(document.get("type", ""))
        if schema.name in ("min_length", "max_length") and suffix is not None:
            return {**document, f"{schema.name[:3]}{suffix}": schema.value}
        return document

    def _ref(self, schema: nodes.RefSchema) -> _Document:
        return self._document(schema.resolve())

    def _path(self, schema: nodes.PathSchema) -> _Document:
        return {"type": "string", "format": "path"}

    def _ip(self, schema: nodes.IPSchema) -> _Document:
        return {"type": "string", "format": _IP_FORMATS[schema.cls]}

    def _nothing(self, schema: Schema) -> _Document:
        return {}

    def _refuse(self, schema: Schema) -> _Document:
        what = getattr(schema, "cls", None)
        method = getattr(what, "_fastweb_json_schema", None)
        if method is not None:
            return dict(method())
        name = what.__qualname__ if what is not None else type(schema).__name__.removesuffix("Schema")
        raise FastWebError(
            f"JSON Schema has no word for the type {name}; use another type, or leave it out of the schema"
        )

    def _pydantic(self, schema: nodes.PydanticSchema) -> _Document:
        from fastweb.validation.pydantic_backend import adapter_of

        if self._describe_pydantic is not None:
            return self._describe_pydantic(schema, self._mode)
        document = adapter_of(schema).json_schema(
            mode=self._mode, by_alias=self.by_alias, ref_template=_MARK + "{model}"
        )
        definitions = document.pop("$defs", {})
        marks = {
            _MARK + name: self._define(("pydantic", name, repr(each)), dict)["$ref"]
            for name, each in definitions.items()
        }
        for name, each in definitions.items():
            self._definitions[(("pydantic", name, repr(each)), self._mode)].update(_remarked(each, marks))
        if "$ref" not in document and document.get("type") == "object" and "properties" in document:
            cls = schema.annotation
            name = document.get("title", getattr(cls, "__name__", "Model"))
            identity = ("pydantic", getattr(cls, "__name__", name), repr(document))
            return self._define(identity, lambda: _remarked(document, marks))
        result: _Document = _remarked(document, marks)
        return result

    # Models

    def _model(self, schema: nodes.ModelSchema) -> _Document:
        identity = (
            schema.annotation,
            tuple(sorted((k, repr(v)) for k, v in schema.config.items() if k == "title")),
        )
        return self._define(identity, lambda: self._model_document(schema))

    def _field_name(self, field: FieldSchema) -> str:
        if not self.by_alias:
            return field.name
        if self._mode == "serialization":
            return field.serialization_alias
        return field.alias

    def _model_document(self, schema: nodes.ModelSchema) -> _Document:
        if schema.array_like or schema.kind == "namedtuple":
            return self._named_tuple(schema)
        properties: dict[str, Any] = {}
        required: list[str] = []
        if schema.tag_field is not None:
            properties[schema.tag_field] = {"const": schema.tag, **_kind_of([schema.tag])}
            required.append(schema.tag_field)
        for field in schema.fields:
            if (field.exclude and self._mode == "serialization") or (
                not field.init and self._mode == "validation"
            ):
                continue
            name = self._field_name(field)
            properties[name] = self._field(field, name)
            if field.required:
                required.append(name)
        document: _Document = {
            "properties": properties,
            "title": schema.title or schema.cls.__name__,
            "type": "object",
        }
        description = _doc(schema.cls)
        if description:
            document["description"] = description
        if required:
            document["required"] = required
        if schema.extra == "forbid":
            document["additionalProperties"] = False
        elif schema.extra == "allow":
            extra = schema.extra_schema
            document["additionalProperties"] = True if extra is None else self._document(extra)
        return _extended(document, schema.config.get("json_schema_extra"))

    def _field(self, field: FieldSchema, name: str) -> _Document:
        # The field's own description comes with the schema's metadata, and after the title.
        document = self._document(field.schema)
        if "title" not in document and _has_title(field.schema):
            document = {**document, "title": field_title(name)}
        if field.default_factory is not None:
            return document
        return self._with_default(document, field.schema, field.default)

    def _with_default(self, document: _Document, schema: Schema, default: Any) -> _Document:
        if default is Undefined or default is msgspec.UNSET:
            return document
        try:
            return {**document, "default": _default(schema, default)}
        except SerializationError:
            return document

    def _named_tuple(self, schema: nodes.ModelSchema) -> _Document:
        items = [self._field(field, field.name) for field in schema.fields]
        if schema.tag_field is not None:
            items.insert(0, {"const": schema.tag, **_kind_of([schema.tag])})
        size = len(items)
        optional = sum(not field.required for field in schema.fields)
        document: _Document = {"type": "array", "minItems": size - optional, "maxItems": size}
        if items:
            document["prefixItems"] = items
        return document


# Parts


def _words(info: FieldInfo) -> _Document:
    words: _Document = {}
    if info.title is not None:
        words["title"] = info.title
    if info.description is not None:
        words["description"] = inspect.cleandoc(info.description)
    if info.examples is not None:
        words["examples"] = _jsonable(
            list(info.examples) if not isinstance(info.examples, dict) else info.examples
        )
    if info.deprecated:
        words["deprecated"] = True
    return words


def _extended(document: _Document, extra: Any) -> _Document:
    if not extra:
        return document
    if callable(extra):
        document = dict(document)
        try:
            extra(document)
        except TypeError:  # pydantic lets such a function take the class too
            extra(document, None)
        return document
    return {**document, **_jsonable(extra)}


def _jsonable(value: Any) -> Any:
    return Dumper(json=True).infer(value) if not isinstance(value, float) else value


def _default(schema: Schema, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return value
    return Dumper(json=True).dump(schema, value)


def _doc(cls: Any) -> str | None:
    """A class's own docstring, not one that Python or msgspec made, or a base class has."""
    doc = cls.__dict__.get("__doc__")
    if not doc or (hasattr(cls, "__dataclass_fields__") and doc.startswith(f"{cls.__name__}(")):
        return None
    return inspect.cleandoc(doc)


def _enum_document(cls: Any) -> _Document:
    values = [_jsonable(member.value) for member in cls]
    document: _Document = {"title": cls.__name__, "enum": values}
    doc = cls.__doc__
    if doc and doc not in ("An enumeration.", getattr(enum.Enum, "__doc__", "")):
        inherited = {getattr(base, "__doc__", None) for base in cls.__mro__[1:]}
        if doc not in inherited:
            document["description"] = inspect.cleandoc(doc)
    if issubclass(cls, str):
        return {**document, "type": "string"}
    if issubclass(cls, int):
        return {**document, "type": "integer"}
    if issubclass(cls, float):
        return {**document, "type": "number"}
    return _values(document, values)


def _kind_of(values: list[Any]) -> _Document:
    kinds = {type(value) for value in values}
    names = {
        str: "string",
        int: "integer",
        float: "number",
        bool: "boolean",
        list: "array",
        type(None): "null",
    }
    if len(kinds) == 1 and (kind := names.get(kinds.pop())) is not None:
        return {"type": kind}
    return {}


def _values(document: _Document, values: list[Any]) -> _Document:
    return {**document, **_kind_of(values)}


def _flat(document: _Document) -> list[_Document]:
    """The choices of a union inside a union, which become those of the outer one."""
    return document["anyOf"] if set(document) == {"anyOf"} else [document]


def _any_of(choices: list[_Document]) -> _Document:
    different: list[_Document] = []
    for each in choices:
        if each not in different:
            different.append(each)
    return different[0] if len(different) == 1 else {"anyOf": different}


def _model_in(schema: Schema) -> nodes.ModelSchema | None:
    if isinstance(schema, nodes.RefSchema):
        schema = schema.resolve()
    return schema if isinstance(schema, nodes.ModelSchema) else None


def _has_title(schema: Schema) -> bool:
    """Whether a field of this type is titled by its name: not where it only refers to a definition."""
    if isinstance(schema, (nodes.NullableSchema, nodes.UnsetSchema, nodes.CheckSchema)):
        return _has_title(schema.inner)
    if isinstance(schema, nodes.ModelSchema):
        return False
    if isinstance(schema, nodes.PydanticSchema):
        return not _is_definition(schema.annotation)
    return not isinstance(schema, (nodes.EnumSchema, nodes.RefSchema))


def _is_definition(annotation: Any) -> bool:
    """Whether pydantic gives a type a definition of its own; None beside it makes no difference."""
    if get_origin(annotation) is Annotated:
        return _is_definition(get_args(annotation)[0])
    if is_union(get_origin(annotation)):
        rest = [each for each in get_args(annotation) if each is not type(None)]
        return len(rest) == 1 and _is_definition(rest[0])
    return isinstance(annotation, type) and (
        issubclass(annotation, enum.Enum)
        or is_typed_dict(annotation)
        or hasattr(annotation, "__pydantic_validator__")
        or hasattr(annotation, "__dataclass_fields__")
    )


def _remarked(part: Any, marks: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _remarked(value, marks) for name, value in part.items()}
    if isinstance(part, list):
        return [_remarked(each, marks) for each in part]
    return marks.get(part, part) if isinstance(part, str) else part


def _choose_names(
    definitions: Mapping[tuple[Any, Mode], _Document], taken: Collection[str] = ()
) -> dict[tuple[Any, Mode], str]:
    """The shortest name for each definition that no different one has, and that is not taken."""
    options: dict[tuple[Any, Mode], list[str]] = {}
    for key in definitions:
        (cls, *_), mode = key[0] if isinstance(key[0], tuple) else (key[0],), key[1]
        if cls == "pydantic":
            short = long = key[0][1]
        else:
            short, long = _short_name(cls), _long_name(cls)
        suffix = "-Input" if mode == "validation" else "-Output"
        options[key] = [short, short + suffix, long, long + suffix]
    claims: dict[str, list[tuple[tuple[Any, Mode], int]]] = {}
    for key, choices in options.items():
        for place, name in enumerate(choices):
            claims.setdefault(name, []).append((key, place))
    different = _different(definitions)
    names: dict[tuple[Any, Mode], str] = {}
    used: set[str] = set()
    for key, choices in options.items():
        for place, name in enumerate(choices):
            rivals = [other for other, at in claims[name] if at <= place and other is not key]
            same = key[0] not in different and all(other[0] == key[0] for other in rivals)
            if name not in taken and (not rivals or same):
                break
        else:
            while name in used:
                name += "_"
        names[key] = name
        used.add(name)
    return names


def _different(definitions: Mapping[tuple[Any, Mode], _Document]) -> set[Any]:
    """The classes whose two definitions, of what they accept and of what they put out, are not the same: in
    themselves, or in what they refer to.
    """
    keys = list(definitions)
    numbers: dict[Any, int] = {}
    for identity, _ in keys:
        numbers.setdefault(identity, len(numbers))
    users: dict[Any, set[Any]] = {}

    def without_modes(part: Any, user: Any) -> Any:
        if isinstance(part, dict):
            return {name: without_modes(value, user) for name, value in part.items()}
        if isinstance(part, list):
            return [without_modes(each, user) for each in part]
        if isinstance(part, str) and part.startswith(_MARK):
            target = keys[int(part[1:])][0]
            users.setdefault(target, set()).add(user)
            return f"{_MARK}{numbers[target]}"
        return part

    first: dict[Any, _Document] = {}
    different: set[Any] = set()
    for (identity, _), document in definitions.items():
        document = without_modes(document, identity)
        if first.setdefault(identity, document) != document:
            different.add(identity)
    waiting = list(different)
    while waiting:
        found = users.get(waiting.pop(), set()) - different
        different |= found
        waiting.extend(found)
    return different


def _short_name(cls: Any) -> str:
    name = getattr(cls, "__name__", None) or repr(cls)
    if getattr(cls, "__args__", None):  # a generic of the typing kind
        arguments = ", ".join(getattr(each, "__name__", repr(each)) for each in cls.__args__)
        name = f"{name}[{arguments}]"
    name = re.sub(r"[\w<>.]*[\w>]\.(?=\w)", "", name)  # of a generic's arguments, their own names alone
    return re.sub(r"[^a-zA-Z0-9.\-_]", "_", name)


def _long_name(cls: Any) -> str:
    name = f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', _short_name(cls))}"
    return re.sub(r"[^a-zA-Z0-9.\-_]", "_", name).replace(".", "__")


_IP_FORMATS: dict[Any, str] = {
    ipaddress.IPv4Address: "ipv4",
    ipaddress.IPv6Address: "ipv6",
    ipaddress.IPv4Interface: "ipv4interface",
    ipaddress.IPv6Interface: "ipv6interface",
    ipaddress.IPv4Network: "ipv4network",
    ipaddress.IPv6Network: "ipv6network",
}
#: Strings of some form.
_FORMATS: dict[type[Schema], str] = {
    nodes.DatetimeSchema: "date-time",
    nodes.DateSchema: "date",
    nodes.TimeSchema: "time",
    nodes.TimedeltaSchema: "duration",
    nodes.UUIDSchema: "uuid",
    nodes.PatternSchema: "regex",
    nodes.ZoneInfoSchema: "zoneinfo",
}
_MAKERS: dict[type[Schema], Callable[[JSONSchemas, Any], _Document]] = {
    nodes.AnySchema: JSONSchemas._nothing,
    nodes.NoneSchema: lambda self, schema: {"type": "null"},
    nodes.BoolSchema: lambda self, schema: {"type": "boolean"},
    nodes.IntSchema: lambda self, schema: self._type(schema, "integer"),
    nodes.FloatSchema: lambda self, schema: self._type(schema, "number"),
    nodes.StrSchema: JSONSchemas._str,
    nodes.BytesSchema: JSONSchemas._bytes,
    nodes.DecimalSchema: JSONSchemas._decimal,
    nodes.ComplexSchema: lambda self, schema: {"type": "string"},
    nodes.FractionSchema: lambda self, schema: {"type": "string", "format": "fraction"},
    nodes.EnumSchema: JSONSchemas._enum,
    nodes.LiteralSchema: JSONSchemas._literal,
    nodes.ListSchema: JSONSchemas._array,
    nodes.SequenceSchema: JSONSchemas._array,
    nodes.IterableSchema: JSONSchemas._array,
    nodes.SetSchema: JSONSchemas._array,
    nodes.FrozenSetSchema: JSONSchemas._array,
    nodes.DequeSchema: JSONSchemas._array,
    nodes.TupleSchema: JSONSchemas._tuple,
    nodes.DictSchema: JSONSchemas._dict,
    nodes.NullableSchema: JSONSchemas._nullable,
    nodes.UnionSchema: JSONSchemas._union,
    nodes.UnsetSchema: JSONSchemas._inner,
    nodes.CheckSchema: JSONSchemas._check,
    nodes.RefSchema: JSONSchemas._ref,
    nodes.PathSchema: JSONSchemas._path,
    nodes.IPSchema: JSONSchemas._ip,
    nodes.ModelSchema: JSONSchemas._model,
    nodes.PydanticSchema: JSONSchemas._pydantic,
    nodes.HashableSchema: JSONSchemas._nothing,
    nodes.SubclassSchema: JSONSchemas._nothing,
    nodes.CallableSchema: JSONSchemas._refuse,
    nodes.InstanceSchema: JSONSchemas._refuse,
    nodes.FunctionSchema: JSONSchemas._refuse,
    **{
        kind: (lambda self, schema, word=word: {"type": "string", "format": word})  # type: ignore[misc]
        for kind, word in _FORMATS.items()
    },
}
