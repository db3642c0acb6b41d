"""Every bound on size, count and time that the network can push against, in one object, with its defaults.

Each parser and each protocol is handed the same `Limits`; a bound that one path enforces and its sibling
forgets is how most servers have been broken. Sizes are bytes, times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one server or one app.

    Arguments:
        head_size: bytes of a request's head, request line and all header fields together (431 beyond it).
        target_size: bytes of the request target, the URL as it is sent (414 beyond it).
        header_count: header fields of a request (431 beyond it).
        body_size: bytes of a request's body, as it is sent (413 beyond it).
        chunk_extension_size: bytes of the chunk extensions of one chunk; and of a body, beside a sixteenth of
            its size (431 beyond it).
        trailer_size: bytes of the trailer section behind a body in chunks (431 beyond it).
        trailer_count: fields of a trailer section (431 beyond it).
        form_fields: fields of a form that are text (400 beyond it).
        form_files: files of a form (400 beyond it).
        form_part_size: bytes of one field that is text, its name too where the form is urlencoded (400 beyond
            it).
        form_spool_size: bytes of one file that are kept in memory; beyond it the file is on a disk.
        part_header_count: header fields of one part of a multipart form (400 beyond it).
        part_header_size: bytes of each of them (400 beyond it).
        connections: connections of one worker that are open at once; above it those are closed that wait for
            a request, the idlest first, and where there are none the newcomer is told 503.
        pipelined_requests: requests of one connection that may wait for their turn; reading stops above it.
        write_buffer: bytes of an answer that may wait for a slow client before the endpoint has to wait, too.
        own_threads: plain functions that last as long as a client likes, such as `def` WebSocket handlers,
            which a process may run at once, each in a thread of its own (RuntimeError beyond it). Our server
            sets it as it starts; under another one it is `fastweb.concurrency.own_threads.most`.
        handshakes: connections of a worker whose TLS handshake, or PROXY protocol header, is not complete;
            beyond it the oldest of them is cut.
        tls_handshake_timeout: seconds that a TLS handshake may take.
        body_rate: bytes a second in which a body must come, on an average over the time for which it was
            waited for, less `body_timeout` (408).
        write_rate: bytes a second which a client must take of an answer that waits for it, on an average over
            `write_timeout`; else the connection is cut.
        header_timeout: seconds from a request's first byte (or the connection's start) to the end of its head
            (408).
        body_timeout: seconds between two pieces of a body (408).
        keep_alive_timeout: seconds that a connection may stay open with no request.
        write_timeout: seconds in which a client must take some of an answer that waits for it, `write_rate`.
        websocket_message_size: bytes of a WebSocket's message, decompressed (1009 beyond it).
        websocket_buffer: bytes of messages that may wait for an endpoint that is slow to receive them;
            reading stops above it.
        websocket_ping_interval: seconds of silence after which a WebSocket's client is sent a ping; infinite
            for never.
        websocket_ping_timeout: seconds in which something must come back.
        websocket_close_timeout: seconds in which a client must answer the close of a WebSocket.
        linger_timeout: seconds that a connection closed by the server is read on, so that the answer is not
            lost.

    Raises:
        ValueError: a bound is not positive.
    """

    head_size: int = 64 * 1024
    target_size: int = 16 * 1024
    header_count: int = 100
    body_size: int = 64 * 1024 * 1024
    chunk_extension_size: int = 16 * 1024
    trailer_size: int = 16 * 1024
    trailer_count: int = 32
    form_fields: int = 1000
    form_files: int = 1000
    form_part_size: int = 1024 * 1024
    form_spool_size: int = 1024 * 1024
    part_header_count: int = 16
    part_header_size: int = 8 * 1024
    connections: int = 16 * 1024
    pipelined_requests: int = 32
    write_buffer: int = 64 * 1024
    own_threads: int = 2000
    handshakes: int = 1024
    tls_handshake_timeout: float = 10.0
    body_rate: int = 240
    write_rate: int = 240
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    keep_alive_timeout: float = 75.0
    write_timeout: float = 30.0
    linger_timeout: float = 5.0
    websocket_message_size: int = 16 * 1024 * 1024
    websocket_buffer: int = 64 * 1024
    websocket_ping_interval: float = 20.0
    websocket_ping_timeout: float = 20.0
    websocket_close_timeout: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"Limits.{field.name} must be positive, not {value!r}")
