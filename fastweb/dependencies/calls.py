"""Callables, looked at once, when they are declared: what they are called, what they take, and how their
result is had.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from fastweb.concurrency import is_async_callable
from fastweb.exceptions import FastWebError
from fastweb.params import Depends
from fastweb.validation.annotations import evaluate

__all__ = ["Kind", "describe", "kind_of", "parameters_of", "return_annotation_of", "yields"]


class Kind(Enum):
    """How the result of a call is had."""

    PLAIN = "called in the thread pool"
    AT_ONCE = "called on the event loop"
    COROUTINE = "awaited"
    GENERATOR = "entered in the thread pool, as a context manager"
    ASYNC_GENERATOR = "entered as an async context manager"


def kind_of(call: Callable[..., Any]) -> Kind:
    """The kind of a function, a method, a partial, a class, or an object with `__call__`.

    A wrapper (`functools.wraps`) is of the kind of what it wraps, for it usually returns what that returns.
    What `fastweb.concurrency.never_blocks` has marked needs no thread.
    """
    for function in _functions(call):
        if inspect.isasyncgenfunction(function):
            return Kind.ASYNC_GENERATOR
        if inspect.isgeneratorfunction(function):
            return Kind.GENERATOR
    for function in _functions(call):
        if is_async_callable(function):
            return Kind.COROUTINE
    # What is wrapped around it (and has its attributes) may block.
    at_once = getattr(call, "__never_blocks__", False) is True and not hasattr(call, "__wrapped__")
    return Kind.AT_ONCE if at_once else Kind.PLAIN


def yields(call: Callable[..., Any]) -> bool:
    """Whether calling it gives a generator, whatever it wraps."""
    target = _without_partial(call)
    if not inspect.isroutine(target) and not inspect.isclass(target):
        target = getattr(target, "__call__", target)  # noqa: B004 - its function is what is looked at
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def _functions(call: Any) -> Iterator[Any]:
    """The functions that say what kind a callable is of."""
    for target in (_without_partial(call), unwrapped(call)):
        if inspect.isroutine(target):
            yield target
        elif not inspect.isclass(target):
            method = getattr(target, "__call__", None)  # noqa: B004
            yield _without_partial(method)
            yield unwrapped(method)


def _without_partial(call: Any) -> Any:
    while isinstance(call, functools.partial):
        call = call.func
    return call


def unwrapped(call: Any) -> Any:
    """The function behind partials and wrappers."""
    call = _without_partial(call)
    if callable(call):
        call = _without_partial(inspect.unwrap(call))
    return call


def describe(call: Any) -> str:
    """A function's name and place, for error messages."""
    target = unwrapped(call)
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    code = getattr(target, "__code__", None)
    return f"{name}() ({code.co_filename}:{code.co_firstlineno})" if code is not None else f"{name}()"


def parameters_of(call: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters, with annotations that are strings made types.

    Raises:
        FastWebError: it has no signature, a parameter that a request cannot fill, or an annotation with a
            name that is not to be found.
    """
    parameters = []
    for parameter in _signature(call).parameters.values():
        if (
            parameter.kind is not parameter.POSITIONAL_OR_KEYWORD
            and parameter.kind is not parameter.KEYWORD_ONLY
        ):
            raise FastWebError(
                f"{str(parameter)!r} of {describe(call)} cannot be filled from a request, whose values are "
                "passed by name: give each parameter a name, and no / behind it"
            )
        annotation = parameter.annotation
        if isinstance(annotation, str):
            given = parameter.default
            if isinstance(given, Depends) and given.dependency is not None:
                # Nobody asks for its type, which may be one that only type checkers import.
                annotation = Any
            else:
                annotation = _evaluate(annotation, call, parameter.name)
        parameters.append(parameter.replace(annotation=annotation))
    return parameters


def return_annotation_of(call: Callable[..., Any]) -> Any:
    """The annotation of what it returns; None where there is none.

    Raises:
        FastWebError: a name in it is not to be found.
    """
    annotation = _signature(call).return_annotation
    if annotation is inspect.Signature.empty:
        return None
    if isinstance(annotation, str):
        annotation = _evaluate(annotation, call, "return")
        return None if annotation is type(None) else annotation
    return annotation


def _signature(call: Callable[..., Any]) -> inspect.Signature:
    options: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        # A name that is not there is a ForwardRef then: it matters only where somebody asks for it.
        from annotationlib import Format

        options["annotation_format"] = Format.FORWARDREF
    try:
        return inspect.signature(call, **options)
    except (TypeError, ValueError) as error:
        raise FastWebError(f"{describe(call)} has no signature that can be read: {error}") from error


def _definer(target: Any) -> Any:
    """The function, or the class whose body has the method that is called: where annotations' names are."""
    if hasattr(target, "__globals__"):
        return target
    bases, methods = (
        (target, ("__init__", "__new__")) if inspect.isclass(target) else (type(target), ("__call__",))
    )
    for method in methods:
        for base in bases.__mro__[:-1]:
            if method in vars(base):
                return base
    return target


def _evaluate(annotation: str, call: Any, name: str) -> Any:
    try:
        return evaluate(annotation, _definer(unwrapped(call)))
    except Exception as error:
        raise FastWebError(
            f"the annotation {annotation!r} of {name!r} in {describe(call)} cannot be read: {error}"
        ) from error
