"""The walker: a schema becomes one function, which converts a value and finds every error in it.

It accepts what pydantic's lax mode accepts from Python objects (which is how FastAPI validates a parsed body,
a query string and a returned value), gives the same value, and the same errors in the same order. The
closures are made once; nothing is inspected while validating.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Callable
from typing import Any

from fastweb.exceptions import FastWebError
from fastweb.types import Undefined
from fastweb.validation import containers, decimals, named, nodes, scalars, temporal, unions
from fastweb.validation.errors import MAX_DEPTH, State, plural
from fastweb.validation.models_walk import model_walk, user_error
from fastweb.validation.scalars import Walk

__all__ = ["compile_walk"]


def compile_walk(schema: nodes.Schema) -> Walk:
    """The function that validates by this schema: `walk(value, state)`.

    Raises:
        FastWebError: the schema contradicts itself (a bound of the wrong type, a pattern that is no regular
            expression).
    """
    return _Compiler(schema).walk(schema)


class _Compiler:
    def __init__(self, schema: nodes.Schema) -> None:
        self._made: dict[int, Walk] = {}
        self._targets = _targets(schema)
        self._keep: list[nodes.Schema] = []

    def walk(self, schema: nodes.Schema) -> Walk:
        if isinstance(schema, nodes.RefSchema):
            schema = schema.resolve()
        made = self._made.get(id(schema))
        if made is None:
            self._keep.append(schema)  # an id must not be used again
            if id(schema) in self._targets:
                guard, fill = _guarded(id(schema))
                self._made[id(schema)] = guard
                fill(self._make(schema))
                return guard
            made = self._made[id(schema)] = self._make(schema)
        return made

    def _make(self, schema: nodes.Schema) -> Walk:
        kind = type(schema)
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return simple(schema)
        composite = _COMPOSITE.get(kind)
        if composite is not None:
            return composite(schema, self.walk)
        raise FastWebError(f"no validator for {kind.__name__}")


def _targets(schema: nodes.Schema) -> set[int]:
    """The nodes that something inside them refers to."""
    found: set[int] = set()
    seen: set[int] = set()
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, nodes.RefSchema):
            node = node.resolve()
            found.add(id(node))
        if id(node) in seen:
            continue
        seen.add(id(node))
        for name in ("item", "key", "value", "inner", "extra_schema"):
            child = getattr(node, name, None)
            if isinstance(child, nodes.Schema):
                todo.append(child)
        todo.extend(getattr(node, "choices", ()))
        todo.extend(getattr(node, "items", ()))
        todo.extend(field.schema for field in getattr(node, "fields", ()))
    return found


def _guarded(identity: int) -> tuple[Walk, Callable[[Walk], None]]:
    """A walk of a recursive type, and the function that fills it in.

    It ends where an object contains itself, and at a depth of nesting.
    """
    inner: list[Walk] = []

    def guard(value: Any, state: State) -> Any:
        if state.depth >= MAX_DEPTH:
            return state.fail(
                "recursion_depth_exceeded", "Recursion error - maximum validation depth exceeded", value
            )
        mark = (id(value), identity)
        seen = state.seen
        if mark in seen:
            return state.fail("recursion_loop", "Recursion error - cyclic reference detected", value)
        seen.add(mark)
        state.depth += 1
        try:
            return inner[0](value, state)
        finally:
            state.depth -= 1
            seen.discard(mark)

    return guard, inner.append


# The kinds that need no file of their own


def _any(schema: nodes.AnySchema) -> Walk:
    def walk(value: Any, state: State) -> Any:
        state.strict()  # an exact match of another member of a union is better
        return value

    return walk


def _callable(schema: nodes.CallableSchema) -> Walk:
    def walk(value: Any, state: State) -> Any:
        state.strict()
        return value if callable(value) else state.fail("callable_type", "Input should be callable", value)

    return walk


def _hashable(schema: nodes.HashableSchema) -> Walk:
    def walk(value: Any, state: State) -> Any:
        if isinstance(value, collections.abc.Hashable):
            return value
        return state.fail("is_hashable", "Input should be hashable", value)

    return walk


def _instance(schema: nodes.InstanceSchema) -> Walk:
    cls = schema.cls
    message, name = f"Input should be an instance of {cls.__name__}", cls.__name__

    def walk(value: Any, state: State) -> Any:
        return (
            value if isinstance(value, cls) else state.fail("is_instance_of", message, value, {"class": name})
        )

    return walk


def _subclass(schema: nodes.SubclassSchema) -> Walk:
    cls = schema.cls

    def walk(value: Any, state: State) -> Any:
        if cls is None:
            return (
                value if isinstance(value, type) else state.fail("is_type", "Input should be a type", value)
            )
        if isinstance(value, type) and issubclass(value, cls):
            return value
        message = f"Input should be a subclass of {cls.__name__}"
        return state.fail("is_subclass_of", message, value, {"class": cls.__name__})

    return walk


def _function(schema: nodes.FunctionSchema) -> Walk:
    function = schema.function

    def walk(value: Any, state: State) -> Any:
        try:
            return function(value)
        except (ValueError, AssertionError) as error:
            return user_error(state, value, error)

    return walk


def _pydantic(schema: nodes.PydanticSchema) -> Walk:
    from fastweb.validation.pydantic_backend import adapter_walk  # pydantic is an extra

    return adapter_walk(schema)


_COMPARISONS: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "gt": ("greater_than", "greater than", lambda value, bound: bool(value > bound)),
    "ge": ("greater_than_equal", "greater than or equal to", lambda value, bound: bool(value >= bound)),
    "lt": ("less_than", "less than", lambda value, bound: bool(value < bound)),
    "le": ("less_than_equal", "less than or equal to", lambda value, bound: bool(value <= bound)),
    "multiple_of": ("multiple_of", "a multiple of", lambda value, bound: not value % bound),
}


def _check(schema: nodes.CheckSchema, walk_of: Callable[[nodes.Schema], Walk]) -> Walk:
    """A condition on a finished value.

    Raises (while validating):
        TypeError: the value has no such property: the annotation is wrong, and not the input.
    """
    inner = walk_of(schema.inner)
    name, bound = schema.name, schema.value
    text_walk = scalars.str_walk(nodes.StrSchema(pattern=bound)) if name == "pattern" else None

    def unable(value: Any) -> TypeError:
        return TypeError(f"Unable to apply constraint {name!r} to supplied value {value}")

    def holds(value: Any, source: Any, state: State) -> bool:
        if name in ("predicate", "not"):
            if bool(bound(value)) == (name == "predicate"):
                return True
            words = f"{bound.__qualname__!r} " if hasattr(bound, "__qualname__") else ""
            if name == "predicate":
                state.fail("predicate_failed", f"Predicate {words}failed", source)
            else:
                state.fail("not_operation_failed", f"Not of {words}failed", source)
            return False
        if name in _COMPARISONS:
            kind, words, operator = _COMPARISONS[name]
            try:
                if operator(value, bound):
                    return True
            except TypeError:
                raise unable(value) from None
            shown = scalars.bound_text(bound)
            state.fail(kind, f"Input should be {words} {scalars.number_text(shown)}", source, {name: shown})
            return False
        if name == "min_length" or name == "max_length":
            try:
                length = len(value)
            except TypeError:
                raise unable(value) from None
            if length < bound if name == "min_length" else length > bound:
                kind, words = ("too_short", "least") if name == "min_length" else ("too_long", "most")
                message = (
                    f"Value should have at {words} {bound} item{plural(bound)} after validation, not {length}"
                )
                state.fail(
                    kind, message, source, {"field_type": "Value", name: bound, "actual_length": length}
                )
                return False
            return True
        if name == "allow_inf_nan":
            if abs(value) != float("inf") and value == value:
                return True
            state.fail("finite_number", "Input should be a finite number", source)
            return False
        if name in ("max_digits", "decimal_places"):
            try:
                if name == "max_digits":
                    return decimals.check_digits(value, source, state, bound, None)
                places, digits = bound if isinstance(bound, tuple) else (bound, None)
                return decimals.check_digits(value, source, state, digits, places)
            except (TypeError, AttributeError):
                raise unable(value) from None
        raise unable(value)

    def walk(value: Any, state: State) -> Any:
        made = inner(value, state)
        if made is Undefined:
            return Undefined
        if text_walk is not None:
            if not isinstance(made, (str, bytes)):
                raise unable(made)
            return text_walk(made, state)
        return made if holds(made, value, state) else Undefined

    return walk


_SIMPLE: dict[type[nodes.Schema], Callable[[Any], Walk]] = {
    nodes.AnySchema: _any,
    nodes.NoneSchema: scalars.none_walk,
    nodes.BoolSchema: scalars.bool_walk,
    nodes.IntSchema: scalars.int_walk,
    nodes.FloatSchema: scalars.float_walk,
    nodes.ComplexSchema: decimals.complex_walk,
    nodes.StrSchema: scalars.str_walk,
    nodes.BytesSchema: scalars.bytes_walk,
    nodes.DecimalSchema: decimals.decimal_walk,
    nodes.FractionSchema: decimals.fraction_walk,
    nodes.DatetimeSchema: temporal.datetime_walk,
    nodes.DateSchema: temporal.date_walk,
    nodes.TimeSchema: temporal.time_walk,
    nodes.TimedeltaSchema: temporal.timedelta_walk,
    nodes.UUIDSchema: named.uuid_walk,
    nodes.EnumSchema: named.enum_walk,
    nodes.LiteralSchema: named.literal_walk,
    nodes.IPSchema: named.ip_walk,
    nodes.PathSchema: named.path_walk,
    nodes.PatternSchema: named.pattern_walk,
    nodes.ZoneInfoSchema: named.zone_walk,
    nodes.CallableSchema: _callable,
    nodes.HashableSchema: _hashable,
    nodes.InstanceSchema: _instance,
    nodes.SubclassSchema: _subclass,
    nodes.FunctionSchema: _function,
    nodes.PydanticSchema: _pydantic,
}

_COMPOSITE: dict[type[nodes.Schema], Callable[[Any, Callable[[nodes.Schema], Walk]], Walk]] = {
    nodes.ListSchema: containers.list_walk,
    nodes.SequenceSchema: containers.sequence_walk,
    nodes.IterableSchema: containers.iterable_walk,
    nodes.SetSchema: containers.set_walk,
    nodes.FrozenSetSchema: containers.frozenset_walk,
    nodes.DequeSchema: containers.deque_walk,
    nodes.TupleSchema: containers.tuple_walk,
    nodes.DictSchema: containers.dict_walk,
    nodes.NullableSchema: unions.nullable_walk,
    nodes.UnsetSchema: unions.unset_walk,
    nodes.UnionSchema: unions.union_walk,
    nodes.ModelSchema: model_walk,
    nodes.CheckSchema: _check,
}
