"""The fields of a model, as its class body describes them: annotations read, descriptions merged, types shown
to msgspec.
"""

from __future__ import annotations

import builtins
import copy
import functools
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, ForwardRef, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from fastweb.exceptions import FastWebError
from fastweb.fields import CONSTRAINTS, FieldInfo
from fastweb.types import Undefined
from fastweb.validation.scalars import compile_pattern

__all__ = [
    "KEPT",
    "PrivateAttr",
    "PrivateAttribute",
    "annotations_of",
    "describe",
    "for_msgspec",
    "holds_name",
    "is_class_var",
    "look_up",
    "read_field",
    "refuse_pydantic",
    "substitute",
    "unannotated",
]


class PrivateAttribute:
    """The default of a private attribute."""

    def __init__(self, default: Any, default_factory: Callable[[], Any] | None) -> None:
        self.default = default
        self.default_factory = default_factory

    @property
    def is_empty(self) -> bool:
        """Whether there is no default."""
        return self.default is Undefined and self.default_factory is None

    def make(self) -> Any:
        """The default, made anew."""
        return self.default_factory() if self.default_factory is not None else copy.deepcopy(self.default)


def PrivateAttr(default: Any = Undefined, *, default_factory: Callable[[], Any] | None = None) -> Any:  # noqa: N802
    """The default of an attribute whose name begins with an underscore: it is neither validated nor put out.

    Raises:
        TypeError: both default and default_factory were given.
    """
    if default is not Undefined and default_factory is not None:
        raise TypeError("a private attribute takes a default or a default_factory, not both")
    return PrivateAttribute(default, default_factory)


# Annotations


def holds_name(annotation: Any) -> bool:
    """Whether a name in a string is still to be looked up."""
    if isinstance(annotation, (str, ForwardRef)):
        return True
    if get_origin(annotation) in (None, Literal):
        return False
    arguments = get_args(annotation)
    return any(map(holds_name, arguments[:1] if get_origin(annotation) is Annotated else arguments))


def _transform(annotation: Any, change: Callable[[Any], Any]) -> Any:
    """The annotation with each of its parts, itself first, handed to `change`."""
    changed = change(annotation)
    if changed is not annotation:
        return changed
    origin = get_origin(annotation)
    if origin is None or origin is Literal:
        return annotation
    arguments = get_args(annotation)
    if origin is Annotated:
        inner = _transform(arguments[0], change)
        return annotation if inner is arguments[0] else Annotated[(inner, *arguments[1:])]
    parts = tuple(part if isinstance(part, list) else _transform(part, change) for part in arguments)
    if all(new is old for new, old in zip(parts, arguments, strict=True)):
        return annotation
    if origin is Union or origin is types.UnionType:
        return Union[parts]  # noqa: UP007 - a tuple
    if hasattr(annotation, "copy_with"):
        return annotation.copy_with(parts)
    return origin[parts]


def substitute(annotation: Any, typevars: Mapping[Any, Any]) -> Any:
    def change(part: Any) -> Any:
        if isinstance(part, TypeVar):
            return typevars.get(part, part)
        if hasattr(part, "__fastweb_state__"):  # a generic model
            parameters = getattr(part, "__parameters__", ())
            if any(parameter in typevars for parameter in parameters):
                return part[tuple(typevars.get(parameter, parameter) for parameter in parameters)]
        return part

    return _transform(annotation, change)


_SIZED = (str, bytes, list, set, frozenset, tuple, dict)


def _meta(annotation: Any, info: FieldInfo) -> msgspec.Meta | None:
    """The constraints of a field, as far as msgspec can enforce them for its type."""
    kinds = [annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [part for part in get_args(annotation) if part is not type(None)]
    if len(kinds) != 1:
        return None
    kind = kinds[0]
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    kind = get_origin(kind) or kind
    names: tuple[str, ...] = ()
    if kind is int or kind is float:
        names = ("gt", "ge", "lt", "le", "multiple_of")
    elif kind in _SIZED:
        names = ("min_length", "max_length", "pattern") if kind is str else ("min_length", "max_length")
    given = {name: value for name, value in info.constraints().items() if name in names}
    if not given:
        return None
    if "pattern" in given:
        given["pattern"] = compile_pattern(given["pattern"]).pattern
    try:
        return msgspec.Meta(**given)
    except (
        TypeError,
        ValueError,
    ):  # gt beside ge, a bound that is no number: left to fastweb's own validation
        return None


def for_msgspec(annotation: Any, info: FieldInfo | None = None) -> Any:
    """The annotation in the form that msgspec reads: constraints as msgspec.Meta."""

    def change(part: Any) -> Any:
        if isinstance(part, TypeVar) or get_origin(part) is not Annotated:
            return part
        inner, *metadata = get_args(part)
        inner = _transform(inner, change)
        metas = [item for item in metadata if isinstance(item, msgspec.Meta)]
        for item in metadata:
            if isinstance(item, FieldInfo):
                inner = _constrained(inner, item)
        return Annotated[(inner, *metas)] if metas else inner

    annotation = _transform(annotation, change)
    return annotation if info is None else _constrained(annotation, info)


def _constrained(annotation: Any, info: FieldInfo) -> Any:
    """The annotation with a field's constraints; those of `int | None` stand beside the int."""
    meta = _meta(annotation, info)
    if meta is None:
        return annotation
    if get_origin(annotation) not in (Union, types.UnionType):
        return Annotated[annotation, meta]
    parts = [each if each is type(None) else Annotated[each, meta] for each in get_args(annotation)]
    return Union[tuple(parts)]  # noqa: UP007 - a tuple


# Fields

_WORDS = (
    "alias",
    "validation_alias",
    "serialization_alias",
    "title",
    "description",
    "examples",
    "deprecated",
    "exclude",
    "discriminator",
    "json_schema_extra",
    "frozen",
    "validate_default",
    "init",
)


def _merge(infos: list[FieldInfo]) -> FieldInfo:
    """The descriptions of one field in one; the last has the last word."""
    if len(infos) == 1:
        return copy.copy(infos[0])
    merged = FieldInfo()
    for info in infos:
        for name in (*_WORDS, *CONSTRAINTS):
            value = getattr(info, name)
            if value is not None:
                setattr(merged, name, value)
        if not info.is_required():
            merged.default, merged.default_factory = info.default, info.default_factory
        merged.repr = merged.repr and info.repr
    return merged


def unannotated(annotation: Any) -> tuple[Any, list[FieldInfo]]:
    """The annotation without the descriptions that stand beside it, and these."""
    infos: list[FieldInfo] = []
    origin = get_origin(annotation)
    if origin is not None and getattr(origin, "_name", None) == "Final":
        return unannotated(get_args(annotation)[0])
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        infos = [item for item in metadata if isinstance(item, FieldInfo)]
        rest = [item for item in metadata if not isinstance(item, FieldInfo)]
        annotation = Annotated[(inner, *rest)] if rest else inner
    return annotation, infos


def describe(name: str, annotation: Any, default: Any, config: Mapping[str, Any]) -> FieldInfo:
    annotation, infos = unannotated(annotation)
    if isinstance(default, FieldInfo):
        infos.append(default)
    elif default is not Undefined:
        infos.append(FieldInfo(default))
    info = _merge(infos or [FieldInfo()])
    info.annotation = annotation
    generator = config.get("alias_generator")
    if generator is not None:
        if not callable(generator):
            raise FastWebError(
                f"the field {name}: alias_generator must be a function of a name, not {generator!r}"
            )
        alias = generator(name)
        if info.alias is None and info.validation_alias is None and info.serialization_alias is None:
            info.alias = alias
        info.validation_alias = info.validation_alias or alias
        info.serialization_alias = info.serialization_alias or alias
    return info


def read_field(
    name: str,
    annotation: Any,
    default: Any,
    config: Mapping[str, Any],
    namespace: Mapping[str, Any],
    frame: types.FrameType,
) -> FieldInfo:
    """The description of a field of a class body; a name in its annotation may have to wait."""
    if not holds_name(annotation):
        return describe(name, annotation, default, config)
    module = namespace.get("__module__", "")
    names = {
        **(frame.f_locals if frame.f_locals is not frame.f_globals else {}),
        **{each.__name__: each for each in namespace.get("__type_params__", ())},
    }
    try:
        return describe(name, look_up(annotation, module, names), default, config)
    except NameError:
        pass
    try:
        known = look_up(annotation, module, names, placeholders=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        known = annotation
    info = describe(name, known, default, config)
    info.annotation = annotation
    return info


def is_class_var(annotation: Any) -> bool:
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return annotation.partition("[")[0].strip() in ("ClassVar", "typing.ClassVar", "t.ClassVar")
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def annotations_of(namespace: dict[str, Any]) -> dict[str, Any]:
    """Take the annotations out of a class body."""
    if "__annotations__" in namespace:
        return dict(namespace.pop("__annotations__"))
    if sys.version_info >= (3, 14):
        import annotationlib

        function = annotationlib.get_annotate_from_class_namespace(namespace)
        for name in ("__annotate__", "__annotate_func__"):
            namespace.pop(name, None)
        if function is not None:
            forward = annotationlib.Format.FORWARDREF
            return dict(annotationlib.call_annotate_function(function, format=forward))
    return {}


KEPT = (types.FunctionType, property, classmethod, staticmethod, functools.cached_property, type)


def is_pydantic(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("pydantic", "pydantic_core")


def refuse_pydantic(model: str, name: str, value: Any) -> None:
    if not is_pydantic(value):
        return
    if type(value).__name__ == "PydanticDescriptorProxy":
        decorator = getattr(getattr(value, "decorator_info", None), "decorator_repr", "a decorator")
        raise FastWebError(
            f"{model}.{name} uses pydantic's {decorator}, which fastweb.models.BaseModel does not run; "
            "derive the class from pydantic.BaseModel (fastweb serves those too), "
            "or check the value with Field(...)"
        )
    raise FastWebError(
        f"{model}.{name} is described by pydantic's {type(value).__name__}; "
        "import Field and PrivateAttr from fastweb.models, or derive the class from pydantic.BaseModel"
    )


class _Placeholders(dict[str, Any]):
    """Names for an annotation that is read before all of them are defined: an unknown one is a type
    variable.
    """

    def __init__(self, known: Mapping[str, Any], outer: Mapping[str, Any]) -> None:
        super().__init__(known)
        self._outer = outer

    def __missing__(self, name: str) -> Any:
        if name in self._outer or hasattr(builtins, name):
            raise KeyError(name)
        return TypeVar(name)


def look_up(annotation: Any, module: str, names: Mapping[str, Any], *, placeholders: bool = False) -> Any:
    """The annotation with its names resolved.

    Raises:
        NameError: one of them is not defined.
    """
    outer = dict(vars(sys.modules[module])) if module in sys.modules else {}
    inner = _Placeholders(names, outer) if placeholders else dict(names)
    holder = type("_Holder", (), {"__annotations__": {"hint": annotation}, "__module__": module})
    return typing.get_type_hints(holder, outer, inner, include_extras=True)["hint"]
