"""Validators of lists, sets, tuples, dicts and their kin. Every item is looked at, so that every error is
found.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.errors import LAX, MAX_ERRORS, State, location, plural
from fastweb.validation.scalars import Walk

__all__ = [
    "deque_walk",
    "dict_walk",
    "frozenset_walk",
    "items_of",
    "iterable_walk",
    "list_walk",
    "sequence_walk",
    "set_walk",
    "too_long",
    "too_short",
    "tuple_walk",
]

Compile: TypeAlias = Callable[[nodes.Schema], Walk]


def too_short(state: State, value: Any, what: str, minimum: int, actual: int) -> Any:
    """Note that a collection has too few items."""
    message = f"{what} should have at least {minimum} item{plural(minimum)} after validation, not {actual}"
    ctx = {"field_type": what, "min_length": minimum, "actual_length": actual}
    return state.fail("too_short", message, value, ctx)


def too_long(state: State, value: Any, what: str, maximum: int, actual: int | None) -> Any:
    """Note that a collection has too many items; `actual` is None where they are not counted."""
    shown = "more" if actual is None else actual
    message = f"{what} should have at most {maximum} item{plural(maximum)} after validation, not {shown}"
    ctx = {"field_type": what, "max_length": maximum, "actual_length": actual}
    return state.fail("too_long", message, value, ctx)


def items_of(value: Any) -> Iterable[Any] | None:
    """The value, if it can be iterated over and is neither text nor a mapping."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if isinstance(value, (str, bytes, bytearray, dict, Mapping)):
        return None
    try:
        iter(value)
    except TypeError:
        return None
    found: Iterable[Any] = value
    return found


def _length(value: Any) -> int | None:
    """The length that an error tells: pydantic knows that of these alone."""
    return len(value) if isinstance(value, (list, tuple, set, frozenset)) else None


def _any_items(items: Any, state: State) -> None:
    """Items that nothing is asked of: a union prefers what knows them."""
    if items:
        state.strict()


def _is_any(schema: nodes.Schema) -> bool:
    return type(schema) is nodes.AnySchema


def _collect(
    value: Any, items: Iterable[Any], item: Walk | None, state: State, what: str, maximum: int | None
) -> Any:
    """The items validated, in a list; `Undefined` if one of them failed, or there are more than `maximum`."""
    made: list[Any] = []
    begin = start = len(state.errors)
    index = 0
    failed = False
    if item is None:
        _any_items(items, state)
    if maximum is not None and type(value) is list and len(value) > maximum:
        return too_long(state, value, what, maximum, len(value))
    try:
        for index, each in enumerate(items):
            result = each if item is None else item(each, state)
            if result is Undefined and item is not None:
                state.outer(start, index)
                start = len(state.errors)
                failed = True
                if start - begin >= MAX_ERRORS:
                    break
            else:
                made.append(result)
            if maximum is not None and index >= maximum:
                del state.errors[begin:]
                return too_long(state, value, what, maximum, _length(value))
    except RecursionError:
        raise
    except Exception as error:
        if type(value) in (list, tuple, set, frozenset):
            raise  # a list does not fail; it is a validator that did
        return _iteration_error(value, state, begin, index + 1 if made or failed else index, error)
    return Undefined if failed else made


def _iteration_error(value: Any, state: State, begin: int, index: int, error: Exception) -> Any:
    del state.errors[begin:]
    text = f"{type(error).__name__}: {error}"
    state.fail("iteration_error", f"Error iterating over object, error: {text}", value, {"error": text})
    return state.outer(begin, index)


def list_walk(schema: nodes.ListSchema, walk_of: Compile) -> Walk:
    """list."""
    item = None if _is_any(schema.item) else walk_of(schema.item)
    minimum, maximum, strict = schema.min_length, schema.max_length, schema.strict

    def general(value: Any, state: State) -> Any:
        items: Iterable[Any] | None
        if isinstance(value, list):
            items = value
        else:
            items = None if strict else items_of(value)
            if items is None:
                return state.fail("list_type", "Input should be a valid list", value)
            state.exactness = LAX
        made = _collect(value, items, item, state, "List", maximum)
        if made is not Undefined and minimum is not None and len(made) < minimum:
            return too_short(state, value, "List", minimum, len(made))
        return made

    if item is None or minimum is not None or maximum is not None:
        return general
    each_item = item

    def walk(value: Any, state: State) -> Any:
        if type(value) is not list:
            return general(value, state)
        made = []
        begin = start = len(state.errors)
        for index, each in enumerate(value):
            result = each_item(each, state)
            if result is Undefined:
                state.outer(start, index)
                start = len(state.errors)
                if start - begin >= MAX_ERRORS:
                    break
            made.append(result)
        return made if start == begin else Undefined

    return walk


def deque_walk(schema: nodes.DequeSchema, walk_of: Compile) -> Walk:
    """collections.deque; its maxlen is kept."""
    item = None if _is_any(schema.item) else walk_of(schema.item)
    minimum, maximum, strict = schema.min_length, schema.max_length, schema.strict

    def walk(value: Any, state: State) -> Any:
        maxlen = None
        items: Iterable[Any] | None
        if isinstance(value, collections.deque):
            items, maxlen = value, value.maxlen
        else:
            items = None if strict else items_of(value)
            if items is None:
                return state.fail("deque_type", "Input should be a valid deque", value)
            state.exactness = LAX
        made = _collect(value, items, item, state, "Deque", maximum)
        if made is Undefined:
            return Undefined
        if minimum is not None and len(made) < minimum:
            return too_short(state, value, "Deque", minimum, len(made))
        return collections.deque(made, maxlen)

    return walk


def sequence_walk(schema: nodes.SequenceSchema, walk_of: Compile) -> Walk:
    """collections.abc.Sequence: a sequence of any type but str and bytes, and of that type afterwards."""
    item = None if _is_any(schema.item) else walk_of(schema.item)

    def walk(value: Any, state: State) -> Any:
        if not isinstance(value, Sequence):
            message = "Input should be an instance of Sequence"
            return state.fail("is_instance_of", message, value, {"class": "Sequence"})
        if item is None:
            return value
        cls = type(value)
        if issubclass(cls, (str, bytes)):
            name = cls.__name__
            message = f"'{name}' instances are not allowed as a Sequence value"
            return state.fail("sequence_str", message, value, {"type_name": name})
        if issubclass(cls, bytearray):
            return state.fail("list_type", "Input should be a valid list", value)
        if cls not in (list, tuple):
            state.exactness = LAX
        made = _collect(value, value, item, state, "List", None)
        if made is Undefined or cls is list or issubclass(cls, range):
            return made
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            return cls(*made)
        rebuild: Any = cls
        return rebuild(made)

    return walk


def iterable_walk(schema: nodes.IterableSchema, walk_of: Compile) -> Walk:
    """collections.abc.Iterable: whatever can be iterated over.

    pydantic gives a lazy iterator, which fails while the endpoint runs; this gives a list, so bad input is
    found in time.
    """
    item = None if _is_any(schema.item) else walk_of(schema.item)
    minimum, maximum = schema.min_length, schema.max_length

    def walk(value: Any, state: State) -> Any:
        try:
            iter(value)
        except TypeError:
            return state.fail("iterable_type", "Input should be iterable", value)
        made = _collect(value, value, item, state, "Generator", maximum)
        if made is not Undefined and minimum is not None and len(made) < minimum:
            return too_short(state, value, "Generator", minimum, len(made))
        return made

    return walk


def set_walk(schema: nodes.SetSchema, walk_of: Compile) -> Walk:
    """set."""
    return _set_walk(schema, walk_of, set, "set_type", "Input should be a valid set", "Set")


def frozenset_walk(schema: nodes.FrozenSetSchema, walk_of: Compile) -> Walk:
    """frozenset."""
    message = "Input should be a valid frozenset"
    return _set_walk(schema, walk_of, frozenset, "frozen_set_type", message, "Frozenset")


def _set_walk(
    schema: nodes.SetSchema | nodes.FrozenSetSchema,
    walk_of: Compile,
    cls: type[set[Any]] | type[frozenset[Any]],
    kind: str,
    message: str,
    what: str,
) -> Walk:
    item = None if _is_any(schema.item) else walk_of(schema.item)
    minimum, maximum, strict = schema.min_length, schema.max_length, schema.strict

    def walk(value: Any, state: State) -> Any:
        items: Iterable[Any] | None
        if isinstance(value, cls):
            items = value
        else:
            items = None if strict else items_of(value)
            if items is None:
                return state.fail(kind, message, value)
            state.exactness = LAX
        if item is None:
            _any_items(items, state)
        made: set[Any] = set()
        begin = start = len(state.errors)
        index = -1
        iterator = iter(items)
        while True:
            try:
                each = next(iterator)
            except StopIteration:
                break
            except Exception as error:
                return _iteration_error(value, state, begin, index + 1, error)
            index += 1
            result = each if item is None else item(each, state)
            if result is not Undefined or item is None:
                try:
                    made.add(result)
                except TypeError:
                    state.fail("set_item_not_hashable", "Set items should be hashable", each)
                else:
                    if maximum is not None and len(made) > maximum:
                        del state.errors[begin:]
                        return too_long(state, value, what, maximum, None)
                    continue
            state.outer(start, index)
            start = len(state.errors)
            if start - begin >= MAX_ERRORS:
                break
        if start != begin:
            return Undefined
        if minimum is not None and len(made) < minimum:
            return too_short(state, value, what, minimum, len(made))
        return made if cls is set else frozenset(made)

    return walk


def tuple_walk(schema: nodes.TupleSchema, walk_of: Compile) -> Walk:
    """tuple, of one type for all places or of one for each."""
    strict = schema.strict
    minimum, maximum = schema.min_length, schema.max_length

    def given(value: Any, state: State) -> Any:
        if isinstance(value, tuple):
            return value
        items = None if strict else items_of(value)
        if items is None:
            return state.fail("tuple_type", "Input should be a valid tuple", value)
        state.exactness = LAX
        if isinstance(items, (list, set, frozenset)):
            return items
        made: list[Any] = []
        begin = len(state.errors)
        try:
            for each in items:
                made.append(each)
                if not schema.variadic and len(made) > len(schema.items):
                    break
        except Exception as error:
            return _iteration_error(value, state, begin, len(made) + 1, error)
        return made

    if schema.variadic:
        item = None if _is_any(schema.items[0]) else walk_of(schema.items[0])

        def variadic(value: Any, state: State) -> Any:
            items = given(value, state)
            if items is Undefined:
                return Undefined
            if item is None:
                _any_items(items, state)
            made = []
            begin = start = len(state.errors)
            for index, each in enumerate(items):
                result = each if item is None else item(each, state)
                if result is Undefined and item is not None:
                    state.outer(start, index)
                    start = len(state.errors)
                    if start - begin >= MAX_ERRORS:
                        break
                    continue
                made.append(result)
                if maximum is not None and len(made) > maximum:
                    del state.errors[begin:]
                    return too_long(state, value, "Tuple", maximum, _length(value))
            if minimum is not None and len(made) < minimum:
                too_short(state, value, "Tuple", minimum, len(made))
                return Undefined
            return tuple(made) if start == begin else Undefined

        return variadic

    walks = [walk_of(each) for each in schema.items]
    count = len(walks)

    def positional(value: Any, state: State) -> Any:
        items = given(value, state)
        if items is Undefined:
            return Undefined
        if len(items) > count and maximum is None:
            return too_long(state, value, "Tuple", count, _length(value))
        made = []
        begin = start = len(state.errors)
        for index, (walk, each) in enumerate(zip(walks, items, strict=False)):
            result = walk(each, state)
            if result is Undefined:
                state.outer(start, index)
                start = len(state.errors)
                continue
            made.append(result)
            if maximum is not None and len(made) > maximum:
                del state.errors[begin:]
                return too_long(state, value, "Tuple", maximum, _length(value))
        if len(items) > count:
            del state.errors[begin:]
            return too_long(state, value, "Tuple", count, _length(value))
        for index in range(len(items), count):
            state.fail("missing", "Field required", value)
            state.outer(start, index)
            start = len(state.errors)
        if minimum is not None and len(made) < minimum:
            return too_short(state, value, "Tuple", minimum, len(made))
        return tuple(made) if start == begin else Undefined

    return positional


_DICTS: dict[str, tuple[str, str, str]] = {
    "dict": ("dict_type", "Input should be a valid dictionary", "Dictionary"),
    "defaultdict": ("dict_type", "Input should be a valid dictionary", "Dictionary"),
    "OrderedDict": ("ordered_dict_type", "Input should be a valid OrderedDict", "OrderedDict"),
    "Counter": ("counter_type", "Input should be a valid Counter", "Counter"),
}


def dict_walk(schema: nodes.DictSchema, walk_of: Compile) -> Walk:
    """dict, and the classes that derive from it."""
    key_walk = None if _is_any(schema.key) else walk_of(schema.key)
    value_walk = None if _is_any(schema.value) else walk_of(schema.value)
    minimum, maximum, strict = schema.min_length, schema.max_length, schema.strict
    made_by = schema.kind
    kind, message, what = _DICTS[made_by]
    own: type[Any] = dict if made_by == "dict" else getattr(collections, made_by)

    def walk(value: Any, state: State) -> Any:
        if not isinstance(value, dict):
            if strict or not isinstance(value, Mapping):
                return state.fail(kind, message, value)
        elif not isinstance(value, own):
            state.exactness = LAX
        if key_walk is None or value_walk is None:
            _any_items(value, state)
        made: dict[Any, Any] = {}
        begin = start = len(state.errors)
        for key, each in value.items():
            if start - begin >= MAX_ERRORS:
                break
            new_key, new_value = key, each
            if key_walk is not None:
                new_key = key_walk(key, state)
                if new_key is Undefined:
                    state.outer(start, "[key]", location(key))
                    start = len(state.errors)
            if value_walk is not None:
                new_value = value_walk(each, state)
                if new_value is Undefined:
                    state.outer(start, location(key))
                    start = len(state.errors)
                    continue
            if start != begin and new_key is Undefined:
                continue
            made[new_key] = new_value
            if maximum is not None and len(made) > maximum:
                del state.errors[begin:]
                return too_long(state, value, what, maximum, None)
        if start != begin:
            return Undefined
        if minimum is not None and len(made) < minimum:
            return too_short(state, value, what, minimum, len(made))
        if made_by == "dict":
            return made
        if made_by == "defaultdict":
            factory = (
                value.default_factory
                if isinstance(value, collections.defaultdict)
                else schema.default_factory
            )
            return collections.defaultdict(factory, made)
        return own(made)

    return walk
