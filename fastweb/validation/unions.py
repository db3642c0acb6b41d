"""Validators of unions: the member that fits best, or the one that a discriminator names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fastweb.exceptions import FastWebError
from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.errors import EXACT, State
from fastweb.validation.labels import label_of, tag_label
from fastweb.validation.models_walk import ABSENT, find_path, takes_attributes
from fastweb.validation.named import MISSING, literal_lookup
from fastweb.validation.scalars import Walk

__all__ = ["nullable_walk", "union_walk", "unset_walk"]

Compile: TypeAlias = Callable[[nodes.Schema], Walk]


def nullable_walk(schema: nodes.NullableSchema, walk_of: Compile) -> Walk:
    """None, or what is inside."""
    inner = walk_of(schema.inner)

    def walk(value: Any, state: State) -> Any:
        return None if value is None else inner(value, state)

    return walk


def unset_walk(schema: nodes.UnsetSchema, walk_of: Compile) -> Walk:
    """msgspec.UNSET, or what is inside."""
    import msgspec

    inner = walk_of(schema.inner)

    def walk(value: Any, state: State) -> Any:
        return value if value is msgspec.UNSET else inner(value, state)

    return walk


def union_walk(schema: nodes.UnionSchema, walk_of: Compile) -> Walk:
    """A union.

    Raises:
        FastWebError: the discriminator's field is no Literal in one of the members.
    """
    if schema.discriminator is not None:
        return _tagged_walk(schema, schema.discriminator, walk_of)
    tag_field = _common_tag(schema)
    if tag_field is not None:
        return _tagged_walk(schema, tag_field, walk_of)
    return _smart_walk(schema, walk_of)


def _smart_walk(schema: nodes.UnionSchema, walk_of: Compile) -> Walk:
    """pydantic's smart mode (https://docs.pydantic.dev/latest/concepts/unions/#smart-mode).

    An exact match wins at once. Else the member with the most fields given wins, then the one with the least
    conversion, then the first.
    """
    choices = [(walk_of(choice), label_of(choice)) for choice in schema.choices]

    def walk(value: Any, state: State) -> Any:
        outer_exactness, outer_fields = state.exactness, state.fields_set
        begin = start = len(state.errors)
        best: Any = Undefined
        best_exactness = -1
        best_fields: int | None = None
        for choice, label in choices:
            state.exactness, state.fields_set = EXACT, None
            made = choice(value, state)
            if made is Undefined:
                if best_exactness < 0:
                    state.outer(start, label)
                    start = len(state.errors)
                else:
                    del state.errors[begin:]
                continue
            exactness, fields = state.exactness, state.fields_set
            if exactness == EXACT and fields is None:
                best, best_exactness, best_fields = made, exactness, fields
                break
            if best_exactness < 0:
                better = True
            elif fields is not None and best_fields is not None and fields != best_fields:
                better = fields > best_fields
            else:
                better = exactness > best_exactness
            if better:
                best, best_exactness, best_fields = made, exactness, fields
        if best_exactness < 0:
            state.exactness, state.fields_set = outer_exactness, outer_fields
            return Undefined
        del state.errors[begin:]
        state.exactness = min(outer_exactness, best_exactness)
        state.fields_set = outer_fields if best_fields is None else (outer_fields or 0) + best_fields
        return best

    return walk


# Discriminated


def _models(choice: nodes.Schema) -> list[nodes.ModelSchema]:
    """The models that one member of a discriminated union stands for."""
    if isinstance(choice, nodes.RefSchema):
        choice = choice.resolve()
    if isinstance(choice, nodes.ModelSchema):
        return [choice]
    if isinstance(choice, nodes.UnionSchema):
        return [model for inner in choice.choices for model in _models(inner)]
    if isinstance(choice, (nodes.NullableSchema, nodes.CheckSchema)):
        return _models(choice.inner)
    raise FastWebError(
        f"a discriminator tells models apart, and {label_of(choice)} is none: "
        "take it out of the union, or remove the discriminator"
    )


def _common_tag(schema: nodes.UnionSchema) -> str | None:
    """The tag field of a union of tagged msgspec.Structs."""
    found = set()
    for choice in schema.choices:
        if isinstance(choice, nodes.RefSchema):
            choice = choice.resolve()
        if not isinstance(choice, nodes.ModelSchema) or choice.tag_field is None or choice.array_like:
            return None
        found.add(choice.tag_field)
    return found.pop() if len(found) == 1 else None


def _tags(model: nodes.ModelSchema, discriminator: str) -> tuple[tuple[Any, ...], str]:
    """The values of the discriminator that mean this model, and the discriminator's name in the input."""
    if model.tag_field is not None and model.tag_field == discriminator:
        return (model.tag,), discriminator
    for field in model.fields:
        if field.name == discriminator:
            schema = field.schema
            while isinstance(schema, (nodes.NullableSchema, nodes.CheckSchema)):
                schema = schema.inner
            if isinstance(schema, nodes.LiteralSchema):
                return schema.values, field.alias
            break
    raise FastWebError(
        f"the model {model.cls.__name__} needs a field {discriminator!r} of a Literal type, "
        "for the union is told apart by it"
    )


def _tagged_walk(schema: nodes.UnionSchema, discriminator: str, walk_of: Compile) -> Walk:
    pairs: list[tuple[Any, tuple[Walk, int | str]]] = []
    tags: list[Any] = []
    aliases: list[str] = []
    # A tagged Struct has its tag in its class and not in an attribute.
    by_class: dict[type[Any], tuple[Walk, int | str]] = {}
    for choice in schema.choices:
        for model in _models(choice):
            values, alias = _tags(model, discriminator)
            if alias != discriminator and alias not in aliases:
                aliases.append(alias)
            member = walk_of(model)
            if model.tag_field is not None:
                by_class[model.cls] = (member, tag_label(model.tag))
            for tag in values:
                if tag not in tags or any(type(tag) is not type(seen) for seen in tags if seen == tag):
                    tags.append(tag)
                pairs.append((tag, (member, tag_label(tag))))
    find = literal_lookup(pairs)
    names = (discriminator, *aliases)
    shown = " | ".join(map(repr, names))
    expected = ", ".join(map(repr, tags))

    def tag_of(value: Any) -> Any:
        for name in names:
            found = find_path(value, (name,)) if isinstance(value, Mapping) else getattr(value, name, ABSENT)
            if found is not ABSENT:
                return found
        return ABSENT

    def by_tag(value: Any, state: State) -> Any:
        tag = tag_of(value)
        if tag is ABSENT:
            message = f"Unable to extract tag using discriminator {shown}"
            return state.fail("union_tag_not_found", message, value, {"discriminator": shown})
        found = find(tag)
        if found is MISSING:
            text = f"{tag}"
            message = (
                f"Input tag '{text}' found using {shown} does not match any of the expected tags: {expected}"
            )
            ctx = {"discriminator": shown, "tag": text, "expected_tags": expected}
            return state.fail("union_tag_invalid", message, value, ctx)
        return found

    def walk(value: Any, state: State) -> Any:
        if not isinstance(value, Mapping) and not (
            state.from_attributes is not False and takes_attributes(value)
        ):
            message = "Input should be a valid dictionary or object to extract fields from"
            return state.fail("model_attributes_type", message, value)
        found: Any = MISSING
        if by_class and not isinstance(value, Mapping):
            found = next((by_class[cls] for cls in type(value).__mro__ if cls in by_class), MISSING)
        if found is MISSING:
            found = by_tag(value, state)
            if found is Undefined:
                return Undefined
        member, label = found
        start = len(state.errors)
        made = member(value, state)
        return state.outer(start, label) if made is Undefined else made

    return walk
