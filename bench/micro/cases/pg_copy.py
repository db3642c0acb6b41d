"""fastweb/_speedups/pg_copy.py, pg_copy_binary.py, pg_copy_csv.py, pg_copy_text.py: 1,000 rows in each of
COPY's formats, made and taken apart.
"""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from fastweb._speedups.pg_copy import CopySink
from fastweb._speedups.pg_copy_binary import BINARY_HEADER, BINARY_TRAILER, BinaryReader, BinaryRows
from fastweb._speedups.pg_copy_csv import CsvReader, CsvRows
from fastweb._speedups.pg_copy_text import TextReader, TextRows, json_of, text_of, values_by
from fastweb._speedups.pg_scalar import Int4Codec, TextCodec

ROWS = [(number, f"user {number}") for number in range(1000)]
CODECS = (Int4Codec(23, "int4"), TextCodec(25, "text"))


def made(rows: Any) -> bytes:
    rows.add_some(iter(ROWS), 1 << 30)
    data: bytes = rows.take()
    return data


def read(reader: Any, data: bytes) -> None:
    assert len(reader.feed(data)) + len(reader.finish()) == 1000


@case("COPY text, 1,000 rows", "pg_copy_text.TextRows", "pg_copy_text.TextReader")
def text() -> Work:
    return lambda: read(TextReader(), made(TextRows(2, frozenset()))), 1


@case("COPY, a value as text", "pg_copy_text.text_of")
def value() -> Work:
    return lambda: text_of(5), 1


@case("COPY CSV, 1,000 rows", "pg_copy_csv.CsvRows", "pg_copy_csv.CsvReader")
def csv() -> Work:
    return lambda: read(CsvReader(), made(CsvRows(2, frozenset()))), 1


@case(
    "COPY binary, 1,000 rows", "pg_copy_binary.BinaryRows", "pg_copy_binary.BinaryReader", "pg_copy.CopySink"
)
def binary() -> Work:
    def work() -> None:
        data = made(BinaryRows(CODECS))
        if not data.startswith(BINARY_HEADER):
            data = BINARY_HEADER + data
        sink = CopySink(1 << 30, None)
        body = data + BINARY_TRAILER
        message = b"d" + (len(body) + 4).to_bytes(4, "big") + body
        sink.add_all(message, 0, len(message))
        read(BinaryReader(CODECS), sink.take())

    return work, 1


@case("COPY, the values of a dict", "pg_copy_text.values_by")
def values() -> Work:
    row = {"id": 5, "name": "user 5"}
    return lambda: values_by(row, ("id", "name"), True), 1


@case("COPY, a value as JSON", "pg_copy_text.json_of")
def json() -> Work:
    return lambda: json_of({"a": [1, 2]}), 1
