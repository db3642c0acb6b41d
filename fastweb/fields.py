"""What is known of one field beside its type: default, names, constraints and words for the schema.

Parameters (`fastweb.params`) and model fields (`fastweb.models.Field`) are both described by a `FieldInfo`;
validation and the JSON schema read it, and nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastweb.types import Undefined

__all__ = ["CONSTRAINTS", "Field", "FieldInfo"]

#: The names of the validation constraints, in pydantic's order.
CONSTRAINTS = (
    "gt",
    "ge",
    "lt",
    "le",
    "multiple_of",
    "strict",
    "min_length",
    "max_length",
    "pattern",
    "allow_inf_nan",
    "max_digits",
    "decimal_places",
)

_IMMUTABLE = (type(None), bool, int, float, str, bytes, tuple, frozenset)


class FieldInfo:
    """The description of one field.

    Arguments:
        default: the value of a field that was not given; `Undefined` or `...` make it required.
        default_factory: a function of no arguments that makes the default anew each time.
        annotation: the field's type, where it is known.
        alias: its name in the input and in the output; `validation_alias` and `serialization_alias` name one
            side.
        gt, ge, lt, le, multiple_of: bounds of a number (gt … le: of anything that can be compared).
        min_length, max_length: of a string (code points), bytes, or a collection (items).
        pattern: a regular expression that is searched for in a string.
        allow_inf_nan: whether a float may be infinite or not a number.
        max_digits, decimal_places: of a Decimal.
        strict: no conversion from other types.
        title, description, examples, deprecated, json_schema_extra: for the JSON schema.
        exclude: leave the field out of every output.

    Raises:
        TypeError: both default and default_factory were given.
    """

    #: What was said of it by keyword, be it None; the rest is the default (see `given`).
    _given: frozenset[str] | None = None

    def __init__(
        self,
        default: Any = Undefined,
        *,
        default_factory: Callable[[], Any] | None = None,
        annotation: Any = Undefined,
        alias: str | None = None,
        validation_alias: Any = None,
        serialization_alias: str | None = None,
        title: str | None = None,
        description: str | None = None,
        examples: Sequence[Any] | None = None,
        deprecated: bool | str | None = None,
        exclude: bool | None = None,
        discriminator: Any = None,
        json_schema_extra: Mapping[str, Any] | Callable[[dict[str, Any]], None] | None = None,
        frozen: bool | None = None,
        validate_default: bool | None = None,
        repr: bool = True,  # noqa: A002 - pydantic's name for it
        init: bool | None = None,
        gt: Any = None,
        ge: Any = None,
        lt: Any = None,
        le: Any = None,
        multiple_of: float | None = None,
        strict: bool | None = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
        allow_inf_nan: bool | None = None,
        max_digits: int | None = None,
        decimal_places: int | None = None,
    ) -> None:
        if default is ...:
            default = Undefined
        if default is not Undefined and default_factory is not None:
            raise TypeError("a field takes a default or a default_factory, not both")
        self.default = default
        self.default_factory = default_factory
        self.annotation = annotation
        self.alias = alias
        self.validation_alias = alias if validation_alias is None else validation_alias
        self.serialization_alias = alias if serialization_alias is None else serialization_alias
        self.title = title
        self.description = description
        self.examples = examples
        self.deprecated = deprecated
        self.exclude = exclude
        self.discriminator = discriminator
        self.json_schema_extra = json_schema_extra
        self.frozen = frozen
        self.validate_default = validate_default
        self.repr = repr
        self.init = init
        self.gt = gt
        self.ge = ge
        self.lt = lt
        self.le = le
        self.multiple_of = multiple_of
        self.strict = strict
        self.min_length = min_length
        self.max_length = max_length
        self.pattern = pattern
        self.allow_inf_nan = allow_inf_nan
        self.max_digits = max_digits
        self.decimal_places = decimal_places

    def is_required(self) -> bool:
        """True where the field has neither a default nor a factory of one."""
        return self.default is Undefined and self.default_factory is None

    def get_default(self) -> Any:
        """The default: the factory's product, or the value, copied where it could be changed."""
        if self.default_factory is not None:
            return self.default_factory()
        if isinstance(self.default, _IMMUTABLE):
            return self.default
        return copy.deepcopy(self.default)

    def given(self) -> frozenset[str]:
        """The names of what was said of the field; an alias names both sides where nothing else does."""
        if self._given is None:
            plain = vars(FieldInfo())
            return frozenset(name for name, value in vars(self).items() if value is not plain.get(name))
        names = set(self._given)
        if "alias" in names:
            names.add("validation_alias")
            if self.alias is not None:
                names.add("serialization_alias")
        return frozenset(names)

    def constraints(self) -> dict[str, Any]:
        """The constraints that were set, by name."""
        return {name: value for name in CONSTRAINTS if (value := getattr(self, name)) is not None}

    def __repr__(self) -> str:
        shown = [] if self.default is Undefined else [f"default={self.default!r}"]
        shown += [f"{name}={value!r}" for name, value in self.constraints().items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def Field(default: Any = Undefined, **options: Any) -> Any:  # noqa: N802 - pydantic's name for it
    """Describe a model's field: `age: int = Field(gt=0)`. The keywords are those of `FieldInfo`.

    It is typed as Any so that it can stand as the default of a field of any type.
    """
    info = FieldInfo(default, **options)
    info._given = frozenset(options)
    return info
