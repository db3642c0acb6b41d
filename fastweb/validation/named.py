"""Validators of values with a name of their own: UUIDs, members of an Enum, literals, addresses, paths,
patterns, zones.
"""

from __future__ import annotations

import enum
import ipaddress
import os
import pathlib
import re
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

from fastweb.types import Undefined
from fastweb.validation import nodes
from fastweb.validation.errors import LAX, State
from fastweb.validation.scalars import Walk, fail_text, float_walk, int_walk, str_walk, text_of

__all__ = [
    "MISSING",
    "enum_walk",
    "expected_text",
    "ip_walk",
    "literal_lookup",
    "literal_walk",
    "path_walk",
    "pattern_walk",
    "uuid_walk",
    "zone_walk",
]


def _no_instance(value: Any, state: State, name: str) -> Any:
    return state.fail("is_instance_of", f"Input should be an instance of {name}", value, {"class": name})


# UUID


def uuid_walk(schema: nodes.UUIDSchema) -> Walk:
    """uuid.UUID, from text in any of its four forms or from 16 bytes."""
    strict, version = schema.strict, schema.version

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, uuid.UUID):
            made = value
        elif strict:
            return _no_instance(value, state, "UUID")
        else:
            state.exactness = LAX
            made = _to_uuid(value, state)
            if made is Undefined:
                return Undefined
        if version is not None and made.version != version:
            return state.fail(
                "uuid_version", f"UUID version {version} expected", value, {"expected_version": version}
            )
        return made

    return walk


# What uuid.UUID() itself would take, and pydantic too: the common form and the simple one.
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_GROUPS = (8, 4, 4, 4, 12)


def _to_uuid(value: Any, state: State) -> Any:
    if isinstance(value, str):
        text = text_of(value) or ""
        if _UUID.fullmatch(text):
            return uuid.UUID(text)
        try:
            text.encode()
        except UnicodeEncodeError:
            return state.fail(
                "string_unicode",
                "Input should be a valid string, unable to parse raw data as a unicode string",
                value,
            )
        body = text
        if text.startswith("urn:uuid:") and len(text) == 45:
            body = text[9:]
        elif text[:1] == "{" and text[-1:] == "}" and len(text) == 38:
            body = text[1:-1]
        if body is not text and "-" in body and _UUID.fullmatch(body):
            return uuid.UUID(body)
        return _no_uuid(value, state, _uuid_problem(text))
    if isinstance(value, bytes):
        if len(value) == 16:
            return uuid.UUID(bytes=bytes(value))
        decoded = text_of(value)
        if decoded is not None and _UUID.fullmatch(decoded):
            return uuid.UUID(decoded)
        return _no_uuid(value, state, f"invalid length: expected 16 bytes, found {len(value)}")
    return state.fail("uuid_type", "UUID input should be a string, bytes or UUID object", value)


def _no_uuid(value: Any, state: State, problem: str) -> Any:
    return state.fail("uuid_parsing", f"Input should be a valid UUID, {problem}", value, {"error": problem})


def _uuid_problem(text: str) -> str:
    """What is wrong, in the words of the Rust crate uuid."""
    size = len(text.encode())
    if size > 45:
        return f"invalid length: found {size}"
    body, start = text, 0
    if size == 36:
        pass  # as long as the common form, so that it is meant
    elif text[:1] == "{" and text[-1:] == "}" and size > 1:
        body, start = text[1:-1], 1
    elif text.startswith("urn:uuid:"):
        body, start = text[9:], 9
    # Where what is within is as long as the common form, the crate counts from there.
    place = 0 if size == 36 + len(text) - len(body) else start
    hyphens = []
    index = 0
    for char in body:
        low = chr(ord(char) & 0xFF)  # as the crate reads a character
        if low == "-":
            hyphens.append(index)
        elif low not in "0123456789abcdefABCDEF":
            return f"invalid character: found `{char}` at {place + index}"
        index += len(char.encode())
    if not hyphens and start == 0 and size != 36:
        return f"invalid length: found {size}"
    if len(hyphens) != 4:
        return f"invalid group count: expected 5, found {len(hyphens) + 1}"
    begin = 0
    for number, (end, wanted) in enumerate(zip((*hyphens, size), _GROUPS, strict=True)):
        if end - begin != wanted:
            return f"invalid group length in group {number}: expected {wanted}, found {end - begin}"
        begin = end + 1
    return f"invalid group length in group 4: expected 12, found {size - 24}"


# Literal and Enum


def expected_text(values: list[str]) -> str:
    """`1, 2 or 3`"""
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


class _Missing:
    pass


MISSING = _Missing()


def literal_lookup(values: list[tuple[Any, Any]]) -> Callable[[Any], Any]:
    """A function that finds what stands for a value in a list of pairs, or returns `MISSING`.

    A value of the very type comes first (so that 1 and True differ), then whatever compares equal.
    """
    exact: dict[tuple[type, Any], Any] = {}
    equal: dict[Any, Any] = {}
    listed: list[tuple[Any, Any]] = []
    for key, made in values:
        try:
            hash(key)
        except TypeError:
            listed.append((key, made))
            continue
        if type(key) in (bool, int, str, bytes, type(None)):
            exact.setdefault((type(key), key), made)
        elif isinstance(key, (str, int)) and isinstance(key, enum.Enum):
            base = str if isinstance(key, str) else int
            exact.setdefault((base, key.value), made)
        equal[key] = made

    def find(value: Any) -> Any:
        cls = type(value)
        if cls in (bool, int, str):
            found = exact.get((cls, value), MISSING)
            if found is not MISSING:
                return found
        try:
            found = equal.get(value, MISSING)
        except TypeError:
            found = MISSING
            for key, made in listed:
                if key == value:
                    found = made
                    break
        return found

    return find


def literal_walk(schema: nodes.LiteralSchema) -> Walk:
    """One of a few values."""
    expected = expected_text([repr(value) for value in schema.values])
    message = f"Input should be {expected}"
    find = literal_lookup([(value, value) for value in schema.values])
    reads = {type(value) for value in schema.values}

    def walk(value: Any, state: State) -> Any:
        found = find(value)
        if found is MISSING:
            return _no_literal(value, state, "literal_error", message, expected, reads)
        return found

    return walk


def _no_literal(
    value: Any, state: State, kind: str, message: str, expected: str, reads: set[type[Any]]
) -> Any:
    if int in reads and type(value) is int and not -(2**63) <= value < 2**63:
        message = "Unable to parse input string as an integer, exceeded maximum size"
        return state.fail("int_parsing_size", message, value)
    ctx = {"expected": expected}
    return (
        fail_text(state, value, kind, message, ctx) if str in reads else state.fail(kind, message, value, ctx)
    )


def has_own_missing(cls: type[Any]) -> bool:
    """Whether an Enum finds members for values that are none of theirs."""
    own: Any = getattr(cls, "_missing_", None)
    plain: Any = enum.Enum._missing_
    return getattr(own, "__func__", own) is not getattr(plain, "__func__", plain)


def enum_walk(schema: nodes.EnumSchema) -> Walk:
    """A member of an Enum, by its value."""
    cls, strict, use_values = schema.cls, schema.strict, schema.use_values
    members = list(cls.__members__.values())
    expected = expected_text([repr(member.value) for member in members])
    message = f"Input should be {expected}"
    find = literal_lookup([(member.value, member) for member in members])
    reads = {type(member.value) for member in members}
    convert: Walk | None = None
    if issubclass(cls, int):
        convert = int_walk(nodes.IntSchema())
    elif issubclass(cls, str):
        convert = str_walk(nodes.StrSchema())
    elif issubclass(cls, float):
        convert = float_walk(nodes.FloatSchema())
    # A Flag makes members of combinations; a class may have a rule of its own.
    missing = has_own_missing(cls)

    def walk(value: Any, state: State) -> Any:
        if type(value) is cls:
            return value.value if use_values else value
        if strict:
            return _no_instance(value, state, cls.__name__)
        state.exactness = LAX
        found = find(value)
        if found is MISSING and convert is not None:
            inner = State()
            converted = convert(value, inner)
            if converted is not Undefined:
                if type(converted) is int and not -(2**63) <= converted < 2**63:
                    return _no_literal(converted, state, "enum", message, expected, reads)
                found = find(converted)
        if found is MISSING and missing:
            try:
                found = cls(value)
            except ValueError:
                found = MISSING
        if found is MISSING:
            return _no_literal(value, state, "enum", message, expected, reads)
        return found.value if use_values else found

    return walk


# Addresses

_ADDRESSES: dict[type[Any], tuple[str, str]] = {
    ipaddress.IPv4Address: ("ip_v4_address", "IPv4 address"),
    ipaddress.IPv6Address: ("ip_v6_address", "IPv6 address"),
    ipaddress.IPv4Network: ("ip_v4_network", "IPv4 network"),
    ipaddress.IPv6Network: ("ip_v6_network", "IPv6 network"),
    ipaddress.IPv4Interface: ("ip_v4_interface", "IPv4 interface"),
    ipaddress.IPv6Interface: ("ip_v6_interface", "IPv6 interface"),
}


def ip_walk(schema: nodes.IPSchema) -> Walk:
    """The classes of the module ipaddress, from whatever their constructor takes."""
    cls, strict = schema.cls, schema.strict
    kind, words = _ADDRESSES[cls]
    message = f"Input is not a valid {words}"

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, cls):
            return value
        if strict:
            return _no_instance(value, state, cls.__name__)
        state.exactness = LAX
        try:
            return cls(int(value) if isinstance(value, bool) else value)
        except (ValueError, TypeError, IndexError, AttributeError):
            return state.fail(kind, message, value)

    return walk


# Paths, patterns, zones


def path_walk(schema: nodes.PathSchema) -> Walk:
    """A path, from text."""
    cls, strict, param = schema.cls, schema.strict, schema.param
    make: Any = pathlib.PurePath if cls is os.PathLike else cls
    message = f"Input is not a valid path for {cls}"

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, cls):
            return value
        if strict:
            return _no_instance(value, state, cls.__name__)
        state.exactness = LAX
        if isinstance(value, bytes if param is bytes else str):
            text = text_of(value)
            if text is not None:
                return make(text)
        return state.fail("path_type", message, value)

    return walk


def pattern_walk(schema: nodes.PatternSchema) -> Walk:
    """A compiled regular expression, or the text of one."""
    param = schema.param

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, re.Pattern):
            kind: type[Any] = type(value.pattern)
        elif isinstance(value, (str, bytes)):
            kind = str if isinstance(value, str) else bytes
        else:
            return state.fail("pattern_type", "Input should be a valid pattern", value)
        if param is str and kind is not str:
            return state.fail("pattern_str_type", "Input should be a string pattern", value)
        if param is bytes and kind is not bytes:
            return state.fail("pattern_bytes_type", "Input should be a bytes pattern", value)
        if isinstance(value, re.Pattern):
            return value
        try:
            return re.compile(value)
        except (re.error, RecursionError, OverflowError):
            return state.fail("pattern_regex", "Input should be a valid regular expression", value)

    return walk


def zone_walk(schema: nodes.ZoneInfoSchema) -> Walk:
    """A time zone, by its IANA name."""

    def walk(value: Any, state: State) -> Any:
        if isinstance(value, zoneinfo.ZoneInfo):
            return value
        try:
            return zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            shown = int(value) if isinstance(value, bool) else value
            return state.fail("zoneinfo_str", f"invalid timezone: {shown}", value, {"value": value})

    return walk
