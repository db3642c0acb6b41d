"""`Query()`, `Body()` and the like in pydantic models: `class Page(BaseModel): number: int = Query(1)`.

In FastAPI they are pydantic's own FieldInfo. fastweb's are not, for it does without pydantic: pydantic would
take them for the field's default.
"""

from __future__ import annotations

from typing import Any

from fastweb.fields import FieldInfo
from fastweb.types import Undefined

__all__ = ["read_parameters"]

#: What both call by the same name, beside the default and the constraints.
_SHARED = (
    *("default_factory", "alias", "validation_alias", "serialization_alias", "title", "description"),
    *(
        "examples",
        "exclude",
        "discriminator",
        "deprecated",
        "json_schema_extra",
        "frozen",
        "validate_default",
    ),
)


def read_parameters() -> None:
    """From here on, pydantic reads them as its own fields. Nothing is done where there is no pydantic."""
    try:
        from pydantic.fields import FieldInfo as Field
    except ImportError:
        return

    class ParameterField(Field):  # type: ignore[misc]
        """The field that such a parameter is. Where it stands in a signature again, it is the parameter."""

        fastweb_parameter: FieldInfo

    def as_field(info: FieldInfo) -> ParameterField:
        options = {name: value for name in _SHARED if (value := getattr(info, name)) is not None}
        if info.default is not Undefined:
            options["default"] = info.default
        field = ParameterField(**options, **info.constraints())
        field.fastweb_parameter = info
        return field

    original = Field.from_annotated_attribute

    def from_annotated_attribute(annotation: Any, default: Any, **options: Any) -> Any:
        if isinstance(default, FieldInfo):
            default = as_field(default)
        return original(annotation, default, **options)

    Field.from_annotated_attribute = staticmethod(from_annotated_attribute)  # type: ignore[method-assign]
