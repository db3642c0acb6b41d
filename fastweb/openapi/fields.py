"""A place of the document that has a schema."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as _new
from typing import Any

from fastweb.validation import nodes
from fastweb.validation.json_schema import Mode

__all__ = ["SchemaField"]


@dataclass(eq=False, slots=True)
class SchemaField:
    """One place of the document that has a schema.

    Arguments:
        name: the Python name.
        alias: its name in the request, which its title is made of.
        annotation: its type.
        mode: what is accepted there, or what is put out.
        info: what describes it beside its type: ours, or pydantic's own.
        schema: its type, read; by default it is read when it is needed.
        parts: the parameters that a body is put together from; then `name` is that of the schema.
        config: the configuration of the pydantic model that it is a field of.
        is_group: as a part of a form: its own fields stand beside the other parts.
        form_name: the name in such a form of a part that is no group.
        names: of a group: all names of each of its models' fields, by the one that the schema has.
    """

    name: str
    alias: str
    annotation: Any
    mode: Mode = "validation"
    info: Any = None
    schema: nodes.Schema | None = None
    parts: tuple[SchemaField, ...] = ()
    config: Any = None
    is_group: bool = False
    form_name: str = ""
    names: dict[str, tuple[str, ...]] = _new(default_factory=dict)

    @property
    def title(self) -> str:
        """What the schema is called."""
        given = getattr(self.info, "title", None)
        return given or self.alias.title().replace("_", " ")
