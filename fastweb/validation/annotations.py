"""Reading annotations: names resolved, type variables replaced, pydantic's types found."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ForwardRef, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from fastweb.exceptions import FastWebError

__all__ = [
    "class_hints",
    "evaluate",
    "has_forward_ref",
    "is_named_tuple",
    "is_type_alias",
    "is_typed_dict",
    "is_union",
    "reaches_pydantic",
    "strip_qualifiers",
    "substitute",
    "typevars_of",
]

_QUALIFIERS = frozenset({"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"})


def _qualifier(form: Any) -> str | None:
    # By name, since typing_extensions has its own ReadOnly before Python 3.13.
    name = getattr(form, "_name", None)
    if name in _QUALIFIERS and getattr(type(form), "__module__", "") in ("typing", "typing_extensions"):
        return str(name)
    return None


def is_union(origin: Any) -> bool:
    """Whether an annotation of this origin is a union, in either spelling."""
    return origin is Union or origin is types.UnionType


def is_typed_dict(cls: Any) -> bool:
    """Whether this is a TypedDict class, of typing or of typing_extensions."""
    return isinstance(cls, type) and issubclass(cls, dict) and hasattr(cls, "__total__")


def is_named_tuple(cls: Any) -> bool:
    """Whether this is a class made by NamedTuple or namedtuple."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def is_type_alias(annotation: Any) -> bool:
    """Whether this was made by a `type` statement (or TypeAliasType of typing_extensions)."""
    return type(annotation).__name__ == "TypeAliasType" and hasattr(annotation, "__value__")


def substitute(annotation: Any, typevars: Mapping[Any, Any]) -> Any:
    """The annotation with its type variables replaced."""
    if not typevars:
        return annotation
    if isinstance(annotation, TypeVar):
        return typevars.get(annotation, annotation)
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation
    parameters = getattr(annotation, "__parameters__", ())
    if not parameters or not isinstance(parameters, tuple):
        return annotation
    return annotation[tuple(typevars.get(parameter, parameter) for parameter in parameters)]


def typevars_of(annotation: Any) -> dict[Any, Any]:
    """What the type variables of a class stand for, those of its bases included: `Page[int]` -> {T: int}."""
    found: dict[Any, Any] = {}

    def visit(base: Any, outer: Mapping[Any, Any]) -> None:
        origin = get_origin(base)
        cls = base if origin is None else origin
        if cls is Generic or not isinstance(cls, type):
            return
        scope: dict[Any, Any] = {}
        if origin is not None:
            parameters = getattr(origin, "__parameters__", ())
            scope = {
                name: substitute(given, outer)
                for name, given in zip(parameters, get_args(base), strict=False)
            }
            for name, given in scope.items():
                found.setdefault(name, given)
        for parent in cls.__dict__.get("__orig_bases__", cls.__bases__):
            visit(parent, scope)

    visit(annotation, {})
    return found


def _own_annotations(cls: type[Any]) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return dict(annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF))
    return inspect.get_annotations(cls)


def class_hints(cls: type[Any], namespace: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The annotations of a class and of its bases, with every name resolved.

    A name is looked up in the module of the class that mentions it, then in that class, then in `namespace`;
    the class knows its own name even where it is local to a function.

    Raises:
        FastWebError: a name is not defined.
    """
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own = _own_annotations(base)
        if not own or base.__module__ == "msgspec":
            continue
        if not any(has_forward_ref(annotation) for annotation in own.values()):
            hints.update(own)
            continue
        module = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        # A field's default does not hide the type of the same name: `date: date = None`.
        members = {name: value for name, value in vars(base).items() if name not in own}
        inner = {**(namespace or {}), **members, base.__name__: base, cls.__name__: cls}
        inner.update({p.__name__: p for p in getattr(base, "__type_params__", ())})
        for name, annotation in own.items():
            hints[name] = _evaluate_hint(annotation, inner, module, f"{base.__qualname__}.{name}")
    return hints


def has_forward_ref(annotation: Any) -> bool:
    """Whether the annotation is or holds a string, which has to be looked up somewhere."""
    if isinstance(annotation, (str, ForwardRef)):
        return True
    origin = get_origin(annotation)
    if origin is None or origin is typing.Literal:
        return False
    return any(map(has_forward_ref, get_args(annotation)))


def _evaluate_hint(annotation: Any, outer: Mapping[str, Any], inner: Mapping[str, Any], where: str) -> Any:
    # A class is what lets get_type_hints accept ClassVar, Required and the like in strings.
    holder = type("_Holder", (), {"__annotations__": {"hint": annotation}, "__module__": __name__})
    try:
        return typing.get_type_hints(holder, dict(outer), dict(inner), include_extras=True)["hint"]
    except NameError as error:
        raise FastWebError(
            f"{where}: the annotation {_text(annotation)} names {error.name!r}, which is not defined; "
            "define or import it at the top level of the module, not under TYPE_CHECKING nor in a function"
        ) from error
    except (SyntaxError, TypeError, AttributeError) as error:
        raise FastWebError(f"{where}: the annotation {_text(annotation)} cannot be read: {error}") from error


def _text(annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):
        return repr(annotation.__forward_arg__)
    return repr(annotation)


def evaluate(annotation: Any, owner: Any = None, namespace: Mapping[str, Any] | None = None) -> Any:
    """An annotation that is or holds a string, its names looked up in `namespace` and the module of `owner`.

    Raises:
        FastWebError: a name is not defined.
    """
    if not has_forward_ref(annotation):
        return annotation
    names = getattr(owner, "__globals__", None)
    if names is None:
        module = sys.modules.get(getattr(owner, "__module__", None) or "")
        names = vars(module) if module is not None else {}
    where = getattr(owner, "__qualname__", None) or "annotation"
    return _evaluate_hint(annotation, dict(namespace or {}), names, where)


def strip_qualifiers(annotation: Any) -> tuple[Any, set[str]]:
    """`Required[Annotated[int, …]]` -> the Annotated alone, and {"Required"}."""
    names: set[str] = set()
    while True:
        origin = get_origin(annotation)
        if (name := _qualifier(origin)) is not None:
            names.add(name)
            annotation = get_args(annotation)[0]
        elif (name := _qualifier(annotation)) is not None:  # a bare Final
            return Any, names | {name}
        elif origin is Annotated and _qualifier(get_origin(get_args(annotation)[0])) is not None:
            inner, found = strip_qualifiers(get_args(annotation)[0])
            names |= found
            annotation = Annotated[(inner, *annotation.__metadata__)]
        else:
            return annotation, names


def _is_pydantic_object(value: Any) -> bool:
    if hasattr(value, "__get_pydantic_core_schema__"):
        return True
    cls = value if isinstance(value, type) else type(value)
    root = cls.__module__.partition(".")[0]
    return root in ("pydantic", "pydantic_core", "pydantic_extra_types")


def reaches_pydantic(annotation: Any) -> tuple[bool, bool]:
    """Whether the annotation holds a type that only pydantic knows, and whether it holds a msgspec.Struct.

    Fields of dataclasses, TypedDicts and NamedTuples are looked into; those of Structs are not, for each of
    them is asked alone. pydantic is not imported: where nobody has imported it, no annotation can reach it.
    """
    if "pydantic" not in sys.modules and "pydantic_core" not in sys.modules:
        return False, False
    pydantic = struct = False
    for kind in _reached(annotation, set()):
        pydantic |= kind == "pydantic"
        struct |= kind == "struct"
        if pydantic and struct:
            break
    return pydantic, struct


def _reached(annotation: Any, seen: set[int]) -> Iterator[str]:
    origin = get_origin(annotation)
    if origin is Annotated:
        if any(map(_is_pydantic_object, annotation.__metadata__)):
            yield "pydantic"
        yield from _reached(get_args(annotation)[0], seen)
        return
    if origin is typing.Literal:
        return
    if is_type_alias(annotation) or is_type_alias(origin):
        alias = annotation if origin is None else origin
        if id(alias) not in seen:
            seen.add(id(alias))
            yield from _reached(alias.__value__, seen)
    for argument in get_args(annotation):
        if isinstance(argument, list):
            continue
        yield from _reached(argument, seen)
    cls = annotation if origin is None else origin
    if isinstance(cls, type):
        if id(cls) not in seen:
            seen.add(id(cls))
            yield from _reached_by_class(cls, seen)
    elif hasattr(cls, "__supertype__"):
        yield from _reached(cls.__supertype__, seen)
    elif isinstance(cls, TypeVar):
        for bound in (cls.__bound__, *cls.__constraints__):
            if bound is not None:
                yield from _reached(bound, seen)
    elif _is_pydantic_object(cls):
        yield "pydantic"


def _reached_by_class(cls: type[Any], seen: set[int]) -> Iterator[str]:
    ours = cls.__module__.partition(".")[0] == "fastweb" and not hasattr(cls, "__get_pydantic_core_schema__")
    if issubclass(cls, msgspec.Struct) or ours:
        yield "struct"
    elif _is_pydantic_object(cls) or hasattr(cls, "__pydantic_validator__"):
        yield "pydantic"
    elif dataclasses.is_dataclass(cls) or is_typed_dict(cls) or is_named_tuple(cls):
        try:
            hints = class_hints(cls)
        except FastWebError:
            return  # the builder says it, with the place
        for hint in hints.values():
            yield from _reached(strip_qualifiers(hint)[0], seen)
