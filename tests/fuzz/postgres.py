"""What a PostgreSQL server says, fuzzed: values, rows."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from tests.postgres import backend as b

__all__ = ["rows", "rows_seeds", "values", "values_seeds"]


def _codecs() -> list[Any]:
    """All that have no need of a server."""
    from fastweb.postgres.types import TypeRegistry

    return [codec for _, codec in sorted(TypeRegistry()._codecs.items())]


def values() -> Callable[[bytes], object]:
    """The first byte chooses the type; then its value, with what is not its own before and behind it."""
    from fastweb._speedups.pg_record import Columns
    from fastweb._speedups.pg_rows import json_sink
    from fastweb._speedups.pg_wire import Output, WireError

    codecs = _codecs()

    def run(data: bytes) -> object:
        codec = codecs[(data[0] if data else 0) % len(codecs)]
        value, end = b"\x01" + data[1:] + b"\x02", len(data[1:]) + 1
        found: list[object] = [codec.name]
        try:
            decoded = codec.decode(value, 1, end)
            found.append(repr(decoded))
        except (WireError, ValueError) as error:
            # It breaks the protocol; or it is a text that is none, a date that Python has not.
            return [*found, str(error)]
        sink: Any = json_sink()
        sink.begin(Columns(("value",), (codec,)))
        row = b.data_row([data[1:]])
        sink.add(row, 5, len(row))
        found.append(sink.finish())
        out = Output()
        try:
            codec.encode(out, decoded)
            found.append(out.take())
        except (TypeError, ValueError, OverflowError) as error:
            # What a server may say and a client may not.
            found.append(type(error).__name__)
        return found

    return run


def values_seeds() -> Iterator[bytes]:
    samples: dict[str, tuple[bytes, ...]] = {
        "bool": (b"\x01",),
        "int2": (b"\x80\0",),
        "int4": (b"\0\0\0\x07",),
        "int8": (b"\xff" * 8,),
        "float4": (struct.pack("!f", 1.5), struct.pack("!f", float("nan"))),
        "float8": (struct.pack("!d", -0.1), struct.pack("!d", float("inf"))),
        "numeric": (
            struct.pack("!hhHh", 0, 0, 0xC000, 0),
            struct.pack("!hhHhhhh", 3, 1, 0x4000, 5, 12, 3400, 5600),
            struct.pack("!hhHhh", 1, -3, 0, 16, 1),
        ),
        "text": (b"plain", "é€😀".encode(), b'"\\\n'),
        "uuid": (bytes(range(16)),),
        "date": (struct.pack("!i", 8000), struct.pack("!i", 0x7FFFFFFF)),
        "time": (struct.pack("!q", 86_400_000_000),),
        "timetz": (struct.pack("!qi", 3_600_000_000, -7200),),
        "timestamp": (struct.pack("!q", 700_000_000_123_456), struct.pack("!q", -(1 << 63))),
        "timestamptz": (struct.pack("!q", -1),),
        "interval": (struct.pack("!qii", 1_500_000, 3, 14),),
        "json": (b'{"a": [1, null]}',),
        "jsonb": (b'\x01{"a": 1.5}', b"\x02{}"),
        "inet": (b"\x02\x20\0\x04\x7f\0\0\x01", b"\x03\x40\x01\x10" + b"\0" * 16),
        "bit": (struct.pack("!i", 5) + b"\xa8",),
        "point": (struct.pack("!dd", 1, 2),),
        "int4[]": (struct.pack("!iiIiiii", 1, 0, 23, 1, 1, 4, 9), struct.pack("!iiI", 0, 0, 23)),
        "text[]": (struct.pack("!iiIiiiiii", 2, 1, 25, 1, 1, 2, 1, -1, 0),),
        "int4range": (b"\x02" + struct.pack("!iiii", 4, 1, 4, 9), b"\x01"),
        "int4multirange": (
            struct.pack("!i", 1) + struct.pack("!i", 17) + b"\x02" + struct.pack("!iiii", 4, 1, 4, 9),
        ),
    }
    for number, codec in enumerate(_codecs()):
        for sample in samples.get(codec.name, (b"",)):
            yield bytes([number]) + sample


_COLUMNS = [("id", 23), ("name", 25), ("price", 1700), ("at", 1114), ("doc", 3802)]


def rows() -> Callable[[bytes], object]:
    """DataRows through every sink; the first byte says how they are cut."""
    from fastweb._speedups import pg_rows
    from fastweb._speedups.pg_record import Columns
    from fastweb._speedups.pg_wire import WireError
    from fastweb.postgres.types import TypeRegistry
    from tests.fuzz.api import Item

    registry = TypeRegistry()
    names = tuple(name for name, _ in _COLUMNS)
    columns = Columns(names, tuple(registry.codec(oid) for _, oid in _COLUMNS))

    def take(sink: Any, data: bytes) -> object:
        try:
            sink.begin(columns)
            at = sink.add_all(data, 0, len(data))
            return at, repr(sink.finish())
        except WireError as error:
            return str(error)
        except ValueError as error:
            # A row that is no Item.
            return type(error).__name__

    def run(data: bytes) -> object:
        sinks = [pg_rows.records_sink(), pg_rows.tuples_sink(), pg_rows.one_sink(), pg_rows.value_sink()]
        sinks += [pg_rows.json_sink(), pg_rows.json_sink(True), pg_rows.class_sink(Item)]
        return [take(sink, data) for sink in sinks]

    return run


def rows_seeds() -> Iterator[bytes]:
    good = [
        struct.pack("!i", 7),
        b"seven",
        struct.pack("!hhHhh", 1, 0, 0, 0, 7),
        struct.pack("!q", 5),
        b'\x01{"a": 1}',
    ]
    yield b.data_row(good)
    yield b.data_row(good) * 3 + b.command_complete()
    yield b.data_row([None] * 5)
    yield b.data_row(good[:2])
    yield b.data_row([b"", *good[1:]])
