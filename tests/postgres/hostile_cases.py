"""What a hostile server does: the table of `hostile.py`."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.postgres import backend as b
from tests.postgres.hostile import COLUMNS, ROWS, STAGES, Case

__all__ = ["CASES", "matrix"]


def binary_row(number: int, name: str | None) -> bytes:
    return b.data_row([struct.pack("!i", number), None if name is None else name.encode()])


def _lengths() -> list[Case]:
    """The length of each message of a query, told wrongly: less than its own four bytes, less and more than
    there is, the greatest and the least that there are."""
    found = []
    messages: dict[str, Callable[[int | None], bytes]] = {
        "P": lambda length: b.message(b"1", b"", length),
        "D": lambda length: b.message(b"t", b"\0\0", length),
        "B": lambda length: b.message(b"2", b"", length),
        "E": lambda length: b.message(b"D", struct.pack("!hi4si3s", 2, 4, b"\0\0\0\x01", 3, b"one"), length),
        "S": lambda length: b.message(b"Z", b"I", length),
        "startup": lambda length: b.message(b"R", b"\0\0\0\0", length),
    }
    for at, make in messages.items():
        broken = "connect protocol" if at == "startup" else "protocol"
        lost = "connect" if at == "startup" else "lost"
        found += [
            Case(f"length {length} at {at}", at, make(length), broken, then="silence")
            for length in (0, 3, -1, -(1 << 31), (1 << 31) - 1, (1 << 30) + 5)
        ]
        own = len(make(None)) - 1
        found.append(Case(f"length too great at {at}", at, make(own + 9), f"{lost} protocol connect"))
        if own > 4:
            found.append(Case(f"length too small at {at}", at, make(own - 1), f"{broken} {lost}"))
        found.append(
            Case(
                f"more than it should at {at}",
                at,
                make(None)[:1] + struct.pack("!I", own + 3) + make(None)[5:] + b"abc",
                f"{broken} {lost}",
            )
        )
    return found


def _rows() -> list[Case]:
    """Rows and their descriptions that do not fit."""
    one = struct.pack("!i4s", 4, b"\0\0\0\x01")

    def row(name: str, body: bytes) -> Case:
        say = b.message(b"D", body)
        return Case(f"row: {name}", "E", say, "protocol", then="silence")

    def columns(name: str, body: bytes, expect: str = "protocol") -> Case:
        say = b.parameter_description() + b.message(b"T", body)
        return Case(f"columns: {name}", "D", say, expect, then="on")

    def parameters(name: str, body: bytes) -> Case:
        say = b.message(b"t", body) + b.row_description(COLUMNS)
        return Case(f"parameters: {name}", "D", say, "protocol", then="silence")

    text = b"name\0" + struct.pack("!IhIhih", 0, 0, b.TEXT, -1, -1, 0)
    field = b"id\0" + struct.pack("!IhIhih", 0, 0, b.INT4, 4, -1, 0)
    return [
        row("empty", b""),
        row("half a count", b"\0"),
        row("no columns", struct.pack("!h", 0)),
        row("a column too few", struct.pack("!h", 1) + one),
        row("a column too many", struct.pack("!h", 3) + one + one + one),
        row("a negative count", struct.pack("!h", -1) + one + one),
        row("the greatest count", struct.pack("!h", 32767) + one + one),
        row("cut in a value", struct.pack("!h", 2) + one + struct.pack("!i", 5) + b"on"),
        row("cut in a length", struct.pack("!h", 2) + one + b"\0\0"),
        row("cut before a length", struct.pack("!h", 2) + one),
        row("a length of -2", struct.pack("!h", 2) + one + struct.pack("!i", -2)),
        row("the least length", struct.pack("!h", 2) + one + struct.pack("!i", -(1 << 31))),
        row("the greatest length", struct.pack("!h", 2) + one + struct.pack("!i", (1 << 31) - 1)),
        row("bytes left", struct.pack("!h", 2) + one + struct.pack("!i", 3) + b"oneandmore"),
        row("an int4 of 3 bytes", struct.pack("!h", 2) + struct.pack("!i", 3) + b"\0\0\1" + one),
        row("an int4 of 8 bytes", struct.pack("!h", 2) + struct.pack("!i", 8) + b"\0" * 8 + one),
        row("an int4 of 0 bytes", struct.pack("!h", 2) + struct.pack("!i", 0) + one),
        columns("empty", b""),
        columns("a negative count", struct.pack("!h", -1) + field),
        columns("more than there are", struct.pack("!h", 2) + field),
        columns("fewer than there are", struct.pack("!h", 1) + field + field),
        columns("the greatest count", struct.pack("!h", 32767) + field),
        columns("more than a table may have", struct.pack("!h", 1700) + field * 1700, "protocol value"),
        columns("a name that does not end", struct.pack("!h", 1) + b"id"),
        columns("cut in a field", struct.pack("!h", 1) + field[:-1]),
        columns("a name that is no UTF-8", struct.pack("!h", 2) + b"\xff" + field + text, "protocol value"),
        columns(
            "an unknown format",
            struct.pack("!h", 2) + field[:-2] + struct.pack("!h", 7) + text,
            "protocol value",
        ),
        parameters("empty", b""),
        parameters("more than there are", struct.pack("!h", 3) + struct.pack("!I", 23)),
        parameters("fewer than there are", struct.pack("!h", 0) + struct.pack("!I", 23)),
        parameters("a negative count", struct.pack("!h", -5)),
    ]


def _order() -> list[Case]:
    """Well-made messages where they do not belong, and what must go on in spite of them."""
    rows = b"".join(binary_row(*row) for row in ROWS)
    asked = "protocol lost"
    return [
        Case(
            "DataRow before RowDescription", "D", b.parameter_description() + rows, "protocol", then="silence"
        ),
        Case(
            "RowDescription twice", "D", b.row_description(COLUMNS), "protocol", good="before", then="silence"
        ),
        Case("ReadyForQuery twice", "S", b.ready_for_query(), "protocol value", good="before", then="on"),
        Case("ReadyForQuery without an answer", "P", b.ready_for_query(), "protocol", then="silence"),
        Case("ReadyForQuery in place of the rows", "E", b.ready_for_query(), "protocol", then="silence"),
        Case(
            "ReadyForQuery of a state that there is not",
            "S",
            b.ready_for_query(b"?"),
            "protocol",
            then="silence",
        ),
        Case("ReadyForQuery without a state", "S", b.message(b"Z"), "protocol", then="silence"),
        Case("CommandComplete twice", "E", b.command_complete(), "protocol", good="before", then="silence"),
        Case("CommandComplete without an end", "E", b.message(b"C", b"SELECT 3"), "protocol", then="silence"),
        Case(
            "DataRow after CommandComplete",
            "E",
            b.data_row([b"\0\0\0\x01", b"x"]),
            "protocol",
            good="before",
            then="silence",
        ),
        Case("rows without BindComplete", "B", b"", "protocol", then="on"),
        Case("BindComplete twice", "B", b.bind_complete() * 2, "protocol", then="on"),
        Case("ParseComplete left out", "P", b"", "protocol", then="on"),
        Case(
            "CopyInResponse to a SELECT",
            "E",
            b.copy_in_response(),
            asked + " server interface",
            then="silence",
        ),
        Case(
            "CopyOutResponse to a SELECT",
            "E",
            b.copy_out_response(),
            asked + " server interface",
            then="silence",
        ),
        Case("CopyBothResponse to a SELECT", "E", b.copy_both_response(), "protocol", then="silence"),
        Case("authentication after start-up", "E", b.authentication(3), "protocol", then="silence"),
        Case("AuthenticationOk after start-up", "E", b.authentication(), "protocol", then="silence"),
        Case(
            "NegotiateProtocolVersion after start-up",
            "E",
            b.negotiate_protocol_version(),
            "protocol",
            then="silence",
        ),
        Case(
            "other columns than promised",
            "E",
            b.row_description([("x", 16)]) + rows,
            "protocol",
            then="silence",
        ),
        Case("an unknown kind", "E", b.message(b"?", b"what"), "protocol", then="silence"),
        Case(
            "text that is no protocol", "P", b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol", then="silence"
        ),
        Case(
            "an error without an end", "E", b.message(b"E", b"SERROR\0C22012\0M"), "protocol", then="silence"
        ),
        Case("an error of nothing", "E", b.message(b"E", b"\0"), "server", then="on"),
        Case("an empty error", "E", b.message(b"E"), "protocol", then="silence"),
        Case(
            "an error that is no UTF-8", "E", b.message(b"E", b"C22012\0M\xff\xfe\0\0"), "server", then="on"
        ),
        Case("an error to Parse", "P", b.error_response("42601"), "server", then="on"),
        Case("an error to Describe", "D", b.error_response("42P01"), "server", then="on"),
        Case("an error to Bind", "B", b.error_response("08P01"), "server", then="on"),
        Case("an error to Execute", "E", b.error_response(), "server", then="on"),
        Case("an error after rows", "E", rows + b.error_response(), "server", then="on"),
        Case("an error to Sync", "S", b.error_response() + b.ready_for_query(), "server protocol", then="on"),
        Case("a fatal error", "E", b.error_response("57P01", severity="FATAL"), "server lost"),
        Case(
            "a fatal error, and silence",
            "E",
            b.error_response("57P01", severity="FATAL"),
            "server lost timeout",
            then="silence",
        ),
        Case("a notice", "E", b.notice_response(), "value", good="after", then="on"),
        Case(
            "a notice without an end",
            "E",
            b.message(b"N", b"SNOTICE"),
            "protocol",
            good="after",
            then="silence",
        ),
        Case("a notification", "E", b.notification_response(), "value", good="after", then="on"),
        Case("a notification between rows", "E", _between(b.notification_response()), "value", then="on"),
        Case("a notice between rows", "E", _between(b.notice_response()), "value", then="on"),
        Case("a parameter between rows", "E", _between(b.parameter_status("a", "b")), "value", then="on"),
        Case("a notification cut", "E", b.message(b"A", b"\0\0"), "protocol", good="after", then="silence"),
        Case(
            "a notification without an end",
            "E",
            b.message(b"A", b"\0\0\0\1news\0hello"),
            "protocol",
            good="after",
            then="silence",
        ),
        Case(
            "a parameter", "E", b.parameter_status("application_name", "x"), "value", good="after", then="on"
        ),
        Case(
            "a parameter without an end",
            "E",
            b.message(b"S", b"x\0y"),
            "protocol",
            good="after",
            then="silence",
        ),
        Case(
            "another encoding",
            "E",
            b.parameter_status("client_encoding", "LATIN1"),
            "value protocol interface",
            good="after",
            then="on",
        ),
    ]


def _between(message: bytes) -> bytes:
    """The good rows, with that between them, and the end."""
    return message.join(binary_row(*row) for row in ROWS) + b.command_complete()


def _text(text: bytes) -> bytes:
    return b.data_row([b"\0\0\0\1", text]) + b.command_complete()


def _ends() -> list[Case]:
    """Silence, floods, and ends."""
    half = binary_row(1, "one")[:9]
    huge = b.message(b"D", b"\0\2", (1 << 30) - 100)
    return [
        *[Case(f"silence at {at}", at, b"", "timeout", then="silence") for at in ("P", "D", "B", "E", "S")],
        *[Case(f"closed at {at}", at, b"", "lost") for at in ("P", "D", "B", "E", "S")],
        *[Case(f"reset at {at}", at, b"", "lost", then="reset") for at in ("P", "E", "S")],
        Case("silence at start-up", "startup", b"", "connect protocol timeout", then="silence"),
        Case("closed at start-up", "startup", b"", "connect"),
        Case("reset at start-up", "startup", b"", "connect", then="reset"),
        Case("half a row, and silence", "E", half, "timeout", then="silence"),
        Case("half a row, and closed", "E", half, "lost"),
        Case("half a length, and silence", "E", b"D\0\0", "timeout", then="silence"),
        Case("a row that is no UTF-8", "E", _text(b"\xff\xfe"), "data", then="on"),
        Case("half a UTF-8 character", "E", _text(b"\xc3"), "data", then="on"),
        Case("a huge row announced, and silence", "E", huge, "timeout protocol", then="silence"),
        Case("notices without end", "E", b.notice_response("x" * 200) * 50, "timeout", then="flood"),
        Case(
            "parameters without end",
            "E",
            b"".join(b.parameter_status(f"p{n}", "x" * 50) for n in range(200)),
            "timeout protocol",
            then="flood",
        ),
        Case(
            "notifications without end",
            "E",
            b.notification_response("c", "x" * 200) * 50,
            "timeout",
            then="flood",
        ),
        Case(
            "notices without end at start-up",
            "startup",
            b.notice_response("x" * 200) * 50,
            "connect protocol timeout",
            then="flood",
        ),
    ]


def _start_up() -> list[Case]:
    """What is said to a StartupMessage."""

    def case(name: str, say: bytes, expect: str = "protocol connect", then: str = "silence") -> Case:
        return Case(f"start-up: {name}", "startup", say, expect, then=then)

    ok = b.authentication()
    return [
        case("no authentication", b.ready_for_query()),
        case("unknown authentication", b.authentication(77)),
        case("half an authentication", b.message(b"R", b"\0\0")),
        case("an empty authentication", b.message(b"R")),
        case("MD5 without a salt", b.authentication(5)),
        case("Kerberos", b.authentication(2)),
        case("GSSAPI", b.authentication(7)),
        case("SASL without a mechanism", b.authentication(10, b"\0")),
        case("SASL of unknown mechanisms", b.authentication(10, b"X-MAGIC\0\0")),
        case("SASL whose list does not end", b.authentication(10, b"SCRAM-SHA-256")),
        case("SASL goes on before it began", b.authentication(11, b"r=x,s=eA==,i=1")),
        case("SASL ends before it began", b.authentication(12, b"v=eA==")),
        case("a password is asked, and there is none", b.authentication(3)),
        case("AuthenticationOk twice", ok + ok),
        case("a query's answer", ok + b.command_complete()),
        case("rows", ok + b.data_row([b"1"])),
        case("a key cut", ok + b.message(b"K", b"\0\0")),
        case("a key of 300 bytes", ok + b.backend_key_data(secret=b"x" * 300)),
        case("an error", b.error_response("3D000", "no such database", "FATAL"), "server connect", "close"),
        case(
            "an error after AuthenticationOk",
            ok + b.error_response("53300", "too many", "FATAL"),
            "server connect",
            "close",
        ),
        case("an error, and silence", b.error_response("53300", "too many", "FATAL"), "server connect"),
        case(
            "an error of protocol 2",
            b"EFATAL: sorry, too many clients already\n\0",
            "connect protocol server",
            "close",
        ),
        case("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        case("another version", b.negotiate_protocol_version(0x40000) + ok + b.ready_for_query()),
        case("a version cut", b.message(b"v", b"\0\3\0")),
        case("options whose count is negative", b.message(b"v", struct.pack("!ii", 0x30000, -1))),
        case("options whose count is huge", b.message(b"v", struct.pack("!ii", 0x30000, 1 << 30))),
        case(
            "an integer_datetimes that is off",
            ok + b.parameter_status("integer_datetimes", "off") + b.ready_for_query(),
            "connect protocol value timeout",
            "silence",
        ),
        case(
            "in a failed transaction",
            ok + b.ready_for_query(b"E"),
            "connect protocol value timeout",
            "silence",
        ),
    ]


#: By what they have in common.
CASES: dict[str, list[Case]] = {
    "lengths": _lengths(),
    "rows": _rows(),
    "order": _order(),
    "ends": _ends(),
    "start-up": _start_up(),
}


def matrix() -> list[Case]:
    """Every message of a backend in every place: instead of the good answer, before it, and behind it."""
    return [
        Case(f"{name} {good} at {at}", at, say, "*", good=good, then="on")
        for at in STAGES
        for name, say in b.every_message().items()
        for good in ("instead", "after", "before")
    ]
