"""BaseModel: pydantic's interface over a msgspec.Struct.

msgspec decodes, copies and encodes these classes as it does any Struct, at its own speed, since it never
calls the class. A call of the class, `User(name="x")`, and `model_validate` go through fastweb's validation
and accept what pydantic accepts (https://docs.pydantic.dev/latest/concepts/models/).
"""

from __future__ import annotations

import copy as _copy
import functools
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, dataclass_transform

import msgspec

from fastweb._speedups.models import UNSET_BITS, set_field
from fastweb.exceptions import FastWebError
from fastweb.fields import Field, FieldInfo
from fastweb.model_class import (
    EXTRA,
    ClassState,
    ConfigDict,
    ModelMeta,
    ValidationError,
    checked_assignment,
    complete,
    frozen_error,
    new,
    parametrize,
    present_fields,
    rebuild,
    rest_of,
    title_of,
    unset_bits,
    validate,
)
from fastweb.model_fields import PrivateAttr
from fastweb.validation.serializer import serializer_of
from fastweb.validation.validators import validator_of

__all__ = ["BaseModel", "ConfigDict", "Field", "FieldInfo", "IncEx", "PrivateAttr", "ValidationError"]

#: What include and exclude take: names, or names with what to take of their values (True: all of it).
IncEx: typing.TypeAlias = set[int] | set[str] | Mapping[int, Any] | Mapping[str, Any] | None

#: What a method of BaseModel cannot call dict[str, Any], since BaseModel has a method of this name.
Data: typing.TypeAlias = dict[str, Any]
_Fields: typing.TypeAlias = dict[str, FieldInfo]
_Memo: typing.TypeAlias = dict[int, Any]


# Here as well as on the metaclass: mypy takes the one that msgspec.Struct has otherwise.
@dataclass_transform(kw_only_default=True, field_specifiers=(Field, PrivateAttr))
class BaseModel(msgspec.Struct, metaclass=ModelMeta):
    """A type with validated fields: pydantic's BaseModel, kept by msgspec.

        class User(BaseModel):
            name: str = Field(max_length=50)
            age: int | None = None

    A class keyword or `model_config` (see `ConfigDict`) changes how it behaves. An instance is made by
    keywords and is valid from then on; what is assigned later is not looked at unless `validate_assignment`
    is set.

    Raises:
        ValidationError: by a call and by the `model_validate` methods, where the data does not fit.
        fastweb.exceptions.FastWebError: by the class statement, where a field cannot be understood.

    Source: https://docs.pydantic.dev/latest/api/base_model/
    """

    if TYPE_CHECKING:
        model_config: ClassVar[ConfigDict]
        model_fields: ClassVar[_Fields]
        __fields__: ClassVar[_Fields]
        __fastweb_fields__: ClassVar[_Fields]
        __fastweb_config__: ClassVar[Data]

    # Making one

    @classmethod
    def _fastweb_construct(
        cls, values: Data, fields_set: set[str] | None = None, extra: Data | None = None
    ) -> Self:
        """An instance of values that are valid already.

        Arguments:
            values: by field name; what is missing gets its default.
            fields_set: the fields that were given; None for those of `values`.
            extra: the fields that the class does not have.
        """
        model: Self = new(cls, **values)
        if fields_set is not None and len(fields_set) < len(values):
            unset = 0
            for name, bit in cls.__fastweb_state__.bits.items():
                if name not in fields_set:
                    unset |= bit
            model.__dict__[UNSET_BITS] = unset
        if extra is not None:
            set_field(model, EXTRA, extra)
        return model

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """An instance of values that are taken as they are. Required fields may be missing."""
        config = cls.__fastweb_config__
        given: Data = {}
        for name, info in cls.__fastweb_fields__.items():
            alias = info.validation_alias
            if isinstance(alias, str) and alias in values:
                given[name] = values.pop(alias)
            elif name in values and (
                alias is None
                or config.get("populate_by_name")
                or config.get("validate_by_name")
                or alias != name
            ):
                given[name] = values.pop(name)
        named = set(given) if _fields_set is None else _fields_set
        for name, info in cls.__fastweb_fields__.items():
            if name not in given and not info.is_required():
                given[name] = info.get_default()
        bits = cls.__fastweb_state__.bits
        model: Self = rebuild(cls, given, sum(bit for name, bit in bits.items() if name not in named), {})
        for name, private in cls.__fastweb_state__.private.items():
            if not hasattr(cls, name) and not private.is_empty:
                model.__dict__[name] = private.make()
        if config.get("extra") == "allow":
            model.__dict__[EXTRA] = values
        if type(model).model_post_init is not BaseModel.model_post_init:
            model.model_post_init(None)
        return model

    @classmethod
    def model_validate(
        cls,
        obj: Any,
        *,
        strict: bool | None = None,
        extra: Any = None,
        from_attributes: bool | None = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Self:
        """An instance of a dict, or of any object with the right attributes where `from_attributes` is set.

        `strict`, `extra`, `context`, `by_alias` and `by_name` are taken and not read.

        Raises:
            ValidationError: the data does not fit.
        """
        if from_attributes and not isinstance(obj, (dict, cls)):
            return validate(cls, obj, True)  # type: ignore[no-any-return]
        result: Self = validate(cls, obj)
        return result

    @classmethod
    def model_validate_json(
        cls,
        json_data: str | bytes | bytearray,
        *,
        strict: bool | None = None,
        extra: Any = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Self:
        """An instance of a JSON document.

        Raises:
            ValidationError: it is not JSON, or does not fit.
        """
        data = json_data.encode() if isinstance(json_data, str) else bytes(json_data)
        errors: list[Data] = []
        try:
            model: Self = validator_of(cls).validate_json(data, (), errors)
        except (ValueError, RecursionError) as error:
            reason = str(error) or "invalid"
            found = {
                "type": "json_invalid",
                "loc": (),
                "msg": f"Invalid JSON: {reason}",
                "input": json_data,
                "ctx": {"error": reason},
            }
            raise ValidationError(title_of(cls), [found]) from error
        if errors:
            raise ValidationError(title_of(cls), errors)
        return model

    @classmethod
    def model_rebuild(
        cls,
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 2,
        _types_namespace: Mapping[str, Any] | None = None,
    ) -> bool | None:
        """Look up the names in the annotations again. True where they are all known now, None if they were
        before.

        Raises:
            FastWebError: a name is still not defined.
        """
        state = cls.__fastweb_state__
        if state.complete and not force:
            return None
        frame = sys._getframe(1)
        names = {**frame.f_locals, **(_types_namespace or {})}
        try:
            complete(cls, names)
        except FastWebError:
            if raise_errors:
                raise
            return False
        return True

    def model_post_init(self, context: Any, /) -> None:
        """Override it to do something with each new instance."""

    # Looking at one

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were given, and not left to their defaults."""
        unset = unset_bits(self)
        found = {name for name, bit in type(self).__fastweb_state__.bits.items() if not unset & bit}
        found.update(self.__dict__.get(EXTRA) or ())
        return found

    @property
    def __fields_set__(self) -> set[str]:
        """The older name of `model_fields_set`."""
        return self.model_fields_set

    @property
    def model_extra(self) -> Data | None:
        """The fields that the class does not have, where `extra="allow"`; else None."""
        extra: Data | None = self.__dict__.get(EXTRA)
        if extra is None and type(self).__fastweb_config__.get("extra") == "allow":
            extra = self.__dict__[EXTRA] = {}
        return extra

    def __setattr__(self, name: str, value: Any) -> None:
        cls = type(self)
        state = cls.__fastweb_state__
        bit = state.bits.get(name)
        if bit is not None:
            if state.specials:
                value = checked_assignment(self, name, value)
            set_field(self, name, value)
            unset = unset_bits(self)
            if unset & bit:
                self.__dict__[UNSET_BITS] = unset & ~bit
        elif name.startswith("_") or hasattr(getattr(cls, name, None), "__set__"):
            set_field(self, name, value)
        elif isinstance(getattr(cls, name, None), functools.cached_property):
            self.__dict__[name] = value
        elif state.frozen:
            raise frozen_error(self, "frozen_instance", "Instance is frozen", name, value)
        elif cls.__fastweb_config__.get("extra") == "allow":
            extra = self.model_extra
            assert extra is not None
            extra[name] = value
        else:
            raise ValueError(f'"{cls.__name__}" object has no field "{name}"')

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in type(self).__fastweb_state__.fields:
            yield name, getattr(self, name)
        yield from (self.__dict__.get(EXTRA) or {}).items()

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        for name, info in type(self).__fastweb_state__.fields.items():
            if info.repr and hasattr(self, name):
                yield name, getattr(self, name)
        yield from (self.__dict__.get(EXTRA) or {}).items()

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={'...' if value is self else repr(value)}" for name, value in self.__repr_args__()
        )
        return f"{type(self).__name__}({shown})"

    def __str__(self) -> str:
        return " ".join(f"{name}={value!r}" for name, value in self.__repr_args__())

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [*self.__repr_args__()]

    # Copying one

    def _parts(self) -> tuple[Any, Data, int, Data]:
        cls = type(self)
        values = {
            name: getattr(self, name) for name in cls.__fastweb_state__.fields if name in present_fields(self)
        }
        return cls, values, unset_bits(self), rest_of(self)

    def __reduce__(self) -> Any:
        return rebuild, self._parts()

    def __copy__(self) -> Self:
        cls, values, unset, rest = self._parts()
        if rest.get(EXTRA):
            rest[EXTRA] = dict(rest[EXTRA])
        model: Self = rebuild(cls, values, unset, rest)
        return model

    def __deepcopy__(self, memo: _Memo | None = None) -> Self:
        cls, values, unset, rest = self._parts()
        memo = {} if memo is None else memo
        model: Self = rebuild(cls, _copy.deepcopy(values, memo), unset, _copy.deepcopy(rest, memo))
        return model

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with some fields changed; the changes are not validated.

        Arguments:
            update: new values, by field name.
            deep: copy the values too.
        """
        model = self.__deepcopy__() if deep else self.__copy__()
        if update:
            bits = type(self).__fastweb_state__.bits
            unset = unset_bits(model)
            for name, value in update.items():
                if name in bits:
                    set_field(model, name, value)
                    unset &= ~bits[name]
                elif type(self).__fastweb_config__.get("extra") == "allow":
                    model.__dict__.setdefault(EXTRA, {})[name] = value
                else:
                    model.__dict__[name] = value
            model.__dict__[UNSET_BITS] = unset
        return model

    # Putting one out

    def model_dump(
        self,
        *,
        mode: Literal["json", "python"] | str = "python",
        include: IncEx = None,
        exclude: IncEx = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: bool | str = True,
        fallback: Callable[[Any], Any] | None = None,
        serialize_as_any: bool = False,
    ) -> Data:
        """A dict of the fields, and of the fields of the models in them.

        Arguments:
            mode: "python" keeps the values, "json" makes of them what JSON can hold.
            include, exclude: the fields to take, or to leave out.
            by_alias: name the fields by their aliases; by default as `serialize_by_alias` says, else False.
            exclude_unset, exclude_defaults, exclude_none: leave out fields that were not given, are equal to
                their defaults, or are None.
            fallback: what makes something that JSON can hold of a value of an unknown kind.

        `context`, `round_trip`, `warnings` and `serialize_as_any` are taken and not read.
        """
        if by_alias is None:
            by_alias = bool(type(self).__fastweb_config__.get("serialize_by_alias"))
        result: Data = serializer_of(type(self)).dump_valid(
            self,
            json=mode == "json",
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            fallback=fallback,
        )
        return result

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        ensure_ascii: bool = False,
        include: IncEx = None,
        exclude: IncEx = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: bool | str = True,
        fallback: Callable[[Any], Any] | None = None,
        serialize_as_any: bool = False,
    ) -> str:
        """The fields as JSON. The arguments are those of `model_dump`, and `indent`: spaces for each
        level.
        """
        if by_alias is None:
            by_alias = bool(type(self).__fastweb_config__.get("serialize_by_alias"))
        return (
            serializer_of(type(self))
            .dump_valid_json(
                self,
                indent=indent,
                ensure_ascii=ensure_ascii,
                include=include,
                exclude=exclude,
                by_alias=by_alias,
                exclude_unset=exclude_unset,
                exclude_defaults=exclude_defaults,
                exclude_none=exclude_none,
                fallback=fallback,
            )
            .decode()
        )

    @classmethod
    def model_json_schema(
        cls,
        by_alias: bool = True,
        ref_template: str = "#/$defs/{model}",
        schema_generator: Any = None,
        mode: Literal["validation", "serialization"] = "validation",
    ) -> Data:
        """The JSON Schema of the model (draft 2020-12). `schema_generator` is taken and not read."""
        from fastweb.validation.json_schema import json_schema_of  # a worker seldom needs it

        return json_schema_of(cls, mode=mode, by_alias=by_alias, ref_template=ref_template)

    # The names of pydantic's first version

    def dict(self, **options: Any) -> Data:
        """The older name of `model_dump`."""
        return self.model_dump(**options)

    def json(self, **options: Any) -> str:
        """The older name of `model_dump_json`."""
        return self.model_dump_json(**options)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The older name of `model_copy`."""
        return self.model_copy(update=update, deep=deep)

    @classmethod
    def parse_obj(cls, obj: Any) -> Self:
        """The older name of `model_validate`."""
        return cls.model_validate(obj)

    @classmethod
    def parse_raw(cls, b: str | bytes) -> Self:
        """The older name of `model_validate_json`."""
        return cls.model_validate_json(b)

    @classmethod
    def from_orm(cls, obj: Any) -> Self:
        """The older name of `model_validate(obj, from_attributes=True)`."""
        return cls.model_validate(obj, from_attributes=True)

    @classmethod
    def construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """The older name of `model_construct`."""
        return cls.model_construct(_fields_set, **values)

    @classmethod
    def validate(cls, value: Any) -> Self:
        """The older name of `model_validate`."""
        return cls.model_validate(value)

    @classmethod
    def schema(cls, by_alias: bool = True, ref_template: str = "#/$defs/{model}") -> Data:
        """The older name of `model_json_schema`."""
        return cls.model_json_schema(by_alias=by_alias, ref_template=ref_template)

    @classmethod
    def update_forward_refs(cls, **names: Any) -> None:
        """The older name of `model_rebuild`."""
        cls.model_rebuild(force=True, _types_namespace=names)

    if not TYPE_CHECKING:  # a type checker knows Generic's own

        def __class_getitem__(cls, parameters):
            return parametrize(cls, parameters if isinstance(parameters, tuple) else (parameters,))


BaseModel.__fastweb_config__ = {}
BaseModel.__fastweb_state__ = ClassState()
