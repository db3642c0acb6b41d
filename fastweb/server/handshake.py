"""The opening handshake of WebSockets over HTTP/1.1 (RFC 6455 section 4).

    client  GET /chat HTTP/1.1                    server  HTTP/1.1 101 Switching Protocols
            Upgrade: websocket                            Upgrade: websocket
            Connection: Upgrade                           Connection: Upgrade
            Sec-WebSocket-Version: 13                     Sec-WebSocket-Accept: SHA-1 of key and GUID
            Sec-WebSocket-Key: 16 bytes in base64

A request that asks for anything less (another method, HTTP/1.0, no Connection: upgrade, neither version nor
key) asks for no WebSocket, and is answered as if it had not asked. One that does, and is wrong, is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from fastweb._speedups.response import Head, check_headers
from fastweb.server.deflate import Agreement, agree

__all__ = ["Handshake", "HandshakeError", "accept_head", "is_handshake", "read_handshake"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
#: Fields of the answer that are the server's alone.
_OURS: Final = frozenset((b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-protocol"))
#: Fields that say how the answer is framed, which has no body: left out, as `Head` does it.
_FRAMING: Final = frozenset(
    (b"connection", b"upgrade", b"transfer-encoding", b"content-length", b"keep-alive")
)


class HandshakeError(Exception):
    """A handshake that is refused.

    Arguments:
        head, body: the answer.
    """

    def __init__(self, head: Head, body: bytes) -> None:
        super().__init__(body.decode())
        self.head = head
        self.body = body


class Handshake(NamedTuple):
    """What a client asks for."""

    accept: bytes
    subprotocols: list[str]
    #: How messages are compressed; None for not at all.
    agreement: Agreement | None


def is_handshake(stream: Any) -> bool:
    """Whether a request (`fastweb.types.Stream`) that asks for some upgrade asks for a WebSocket."""
    return (
        stream.method == "GET"
        and stream.http_version == "1.1"
        and "websocket" in (item.lower() for item in _items(stream, b"upgrade"))
        and "upgrade" in (item.lower() for item in _items(stream, b"connection"))
        # The drafts before the RFC had neither.
        and bool(_values(stream, b"sec-websocket-version") or _values(stream, b"sec-websocket-key"))
        # What has a body is no handshake: nobody is to disagree about where it ends.
        and not _values(stream, b"transfer-encoding")
        and _values(stream, b"content-length") in ([], ["0"])
    )


def _values(stream: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in stream.headers if key == name]


def _items(stream: Any, name: bytes) -> list[str]:
    """The members of a list-based field (RFC 9110 section 5.6.1)."""
    items = (item.strip(" \t") for value in _values(stream, name) for item in value.split(","))
    return [item for item in items if item]


def read_handshake(stream: Any, *, compression: bool) -> Handshake:
    """What a handshake asks for.

    Arguments:
        compression: agree to permessage-deflate.

    Raises:
        HandshakeError: 426 for another version of the protocol; 400 for what RFC 6455 section 4.2.1 forbids.
    """
    versions = _values(stream, b"sec-websocket-version")
    if versions != ["13"]:
        fields = ((b"sec-websocket-version", b"13"), (b"upgrade", b"websocket"), _TEXT)
        raise HandshakeError(Head(426, fields), b"The version of the WebSocket protocol is 13.")
    keys = _values(stream, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise _bad("Sec-WebSocket-Key is 16 bytes in base64, once.")
    subprotocols = _items(stream, b"sec-websocket-protocol")
    if not all(map(_TOKEN.fullmatch, subprotocols)):
        raise _bad("Sec-WebSocket-Protocol is a list of tokens.")
    agreement = None
    if compression:
        try:
            agreement = agree(_values(stream, b"sec-websocket-extensions"))
        except ValueError as error:
            raise _bad(f"{error}.") from None
    digest = hashlib.sha1(keys[0].encode() + _GUID, usedforsecurity=False).digest()
    return Handshake(base64.b64encode(digest), subprotocols, agreement)


def _bad(words: str) -> HandshakeError:
    return HandshakeError(Head(400, (_TEXT,)), words.encode())


def _is_key(text: str) -> bool:
    try:
        return len(text) == 24 and len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def accept_head(
    handshake: Handshake,
    subprotocol: str | None,
    headers: Iterable[Sequence[bytes]],
) -> list[tuple[bytes, bytes]]:
    """The fields of the answer that opens a WebSocket.

    Arguments:
        subprotocol: the one that is spoken, None for none.
        headers: the app's own.

    Raises:
        ValueError: the subprotocol is no token; a field cannot be sent, or is not the app's to send.
        TypeError: a field's name or value is not bytes.
    """
    fields = [(b"sec-websocket-accept", handshake.accept)]
    if subprotocol is not None:
        if not isinstance(subprotocol, str) or _TOKEN.fullmatch(subprotocol) is None:
            raise ValueError(f"a subprotocol is a token (RFC 6455 section 4.3), not {subprotocol!r}")
        fields.append((b"sec-websocket-protocol", subprotocol.encode()))
    if handshake.agreement is not None:
        fields.append((b"sec-websocket-extensions", handshake.agreement.header))
    own = [(bytes(name).lower(), bytes(value)) for name, value in headers]
    check_headers(own)
    for name, value in own:
        if name in _OURS:
            raise ValueError(f"{name.decode()} is not for the app to send: the server does")
        if name not in _FRAMING:
            fields.append((name, value))
    return fields
