"""What a backend says, in bytes: each message of PostgreSQL's protocol 3.0, well made. Tests put them
together wrongly (`hostile.py`); nothing of the client under test is used.

Every message is a byte of kind, an int32 length that counts itself, and the body
(https://www.postgresql.org/docs/current/protocol-message-formats.html).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

__all__ = [
    "authentication",
    "backend_key_data",
    "bind_complete",
    "close_complete",
    "command_complete",
    "copy_both_response",
    "copy_data",
    "copy_done",
    "copy_in_response",
    "copy_out_response",
    "data_row",
    "empty_query_response",
    "error_response",
    "every_message",
    "message",
    "negotiate_protocol_version",
    "no_data",
    "notice_response",
    "notification_response",
    "parameter_description",
    "parameter_status",
    "parse_complete",
    "portal_suspended",
    "ready_for_query",
    "row_description",
    "split",
]

INT4, TEXT = 23, 25


def message(kind: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    """A message; `length` tells another length than it has."""
    announced = (len(body) + 4 if length is None else length) & 0xFFFFFFFF
    return kind + struct.pack("!I", announced) + body


def cstring(text: str) -> bytes:
    return text.encode() + b"\0"


def authentication(kind: int = 0, more: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!i", kind) + more)


def backend_key_data(pid: int = 4711, secret: bytes = b"key!") -> bytes:
    return message(b"K", struct.pack("!i", pid) + secret)


def parameter_status(name: str, value: str) -> bytes:
    return message(b"S", cstring(name) + cstring(value))


def negotiate_protocol_version(version: int = 0x30000, options: Sequence[str] = ()) -> bytes:
    return message(b"v", struct.pack("!ii", version, len(options)) + b"".join(map(cstring, options)))


def ready_for_query(status: bytes = b"I") -> bytes:
    return message(b"Z", status)


def parse_complete() -> bytes:
    return message(b"1")


def bind_complete() -> bytes:
    return message(b"2")


def close_complete() -> bytes:
    return message(b"3")


def no_data() -> bytes:
    return message(b"n")


def portal_suspended() -> bytes:
    return message(b"s")


def empty_query_response() -> bytes:
    return message(b"I")


def command_complete(tag: str = "SELECT 3") -> bytes:
    return message(b"C", cstring(tag))


def parameter_description(oids: Sequence[int] = ()) -> bytes:
    return message(b"t", struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def row_description(columns: Iterable[tuple[str, int]], format: int = 0, count: int | None = None) -> bytes:
    """Columns as (name, type's oid); `count` tells another number than there are."""
    fields = [
        # name, table's oid, column's number, type's oid, type's size, modifier, format
        cstring(name) + struct.pack("!IhIhih", 0, 0, oid, 4 if oid == INT4 else -1, -1, format)
        for name, oid in columns
    ]
    return message(b"T", struct.pack("!h", len(fields) if count is None else count) + b"".join(fields))


def data_row(values: Sequence[bytes | None], count: int | None = None) -> bytes:
    body = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values
    )
    return message(b"D", struct.pack("!h", len(values) if count is None else count) + body)


def _fields(severity: str, code: str, text: str, more: dict[str, str]) -> bytes:
    fields = {"S": severity, "V": severity, "C": code, "M": text, **more}
    return b"".join(name.encode() + cstring(value) for name, value in fields.items()) + b"\0"


def error_response(
    code: str = "22012", text: str = "division by zero", severity: str = "ERROR", **more: str
) -> bytes:
    return message(b"E", _fields(severity, code, text, more))


def notice_response(text: str = "by the way", **more: str) -> bytes:
    return message(b"N", _fields("NOTICE", "00000", text, more))


def notification_response(channel: str = "news", payload: str = "hello", pid: int = 12) -> bytes:
    return message(b"A", struct.pack("!i", pid) + cstring(channel) + cstring(payload))


def _copy(kind: bytes, columns: int) -> bytes:
    return message(kind, struct.pack("!bh", 0, columns) + b"\0\0" * columns)


def copy_in_response(columns: int = 2) -> bytes:
    return _copy(b"G", columns)


def copy_out_response(columns: int = 2) -> bytes:
    return _copy(b"H", columns)


def copy_both_response(columns: int = 2) -> bytes:
    return _copy(b"W", columns)


def copy_data(data: bytes = b"1\tone\n") -> bytes:
    return message(b"d", data)


def copy_done() -> bytes:
    return message(b"c")


def every_message() -> dict[str, bytes]:
    """One well-made message of every kind, by name; and two kinds that there are not."""
    return {
        "AuthenticationOk": authentication(),
        "AuthenticationCleartextPassword": authentication(3),
        "AuthenticationSASL": authentication(10, b"SCRAM-SHA-256\0\0"),
        "BackendKeyData": backend_key_data(),
        "BindComplete": bind_complete(),
        "CloseComplete": close_complete(),
        "CommandComplete": command_complete(),
        "CopyData": copy_data(),
        "CopyDone": copy_done(),
        "CopyInResponse": copy_in_response(),
        "CopyOutResponse": copy_out_response(),
        "CopyBothResponse": copy_both_response(),
        "DataRow": data_row([b"\0\0\0\x01", b"one"]),
        "EmptyQueryResponse": empty_query_response(),
        "ErrorResponse": error_response(),
        "FunctionCallResponse": message(b"V", struct.pack("!i", -1)),
        "NegotiateProtocolVersion": negotiate_protocol_version(),
        "NoData": no_data(),
        "NoticeResponse": notice_response(),
        "NotificationResponse": notification_response(),
        "ParameterDescription": parameter_description(),
        "ParameterStatus": parameter_status("application_name", "x"),
        "ParseComplete": parse_complete(),
        "PortalSuspended": portal_suspended(),
        "ReadyForQuery": ready_for_query(),
        "RowDescription": row_description([("id", INT4), ("name", TEXT)]),
        "unknown kind": message(b"?", b"what"),
        "kind 0": message(b"\0", b""),
    }


def split(data: bytes) -> list[bytes]:
    """The messages of a stream that is whole."""
    found = []
    while data:
        size = 1 + int.from_bytes(data[1:5], "big")
        found.append(data[:size])
        data = data[size:]
    return found
